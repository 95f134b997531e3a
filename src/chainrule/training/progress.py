"""What a person sees while a network trains: one bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TextIO

from ..columns import EPOCH, measured
from .history import INTERRUPTED, History, summary_line

__all__ = ["Progress", "report"]

_LINES = 50


class Progress(AbstractContextManager["Progress"]):
    """A progress bar over `epochs`; `batch` moves it, `show` shows what was measured. Silent with `verbose=False`."""

    def __init__(self, epochs: int, verbose: bool, done: int = 0, first: int = 0) -> None:
        self.epochs, self.verbose, self.finished, self.first = epochs, verbose, done, first
        self.bar: Any = None

    def __enter__(self) -> Self:
        if self.verbose and sys.stdout.isatty():
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self.bar = Bar(
                TextColumn("epoch {task.fields[epoch]}/{task.total:.0f}"),
                BarColumn(bar_width=None),
                TimeElapsedColumn(),
                TextColumn("{task.fields[eta]}"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[shown]}"),
                expand=True,
            )
            self.bar.start()
            self.task = self.bar.add_task(
                "", total=self.epochs, completed=self.finished, epoch=self.finished, shown="", eta="eta"
            )
        return self

    def batch(self, epochs: int, done: int, total: int) -> None:
        """After a block of steps: `epochs` are over, and `done` of the `total` batches of the next."""
        if self.bar is not None:
            eta = "" if epochs == self.epochs else "eta"
            self.bar.update(self.task, completed=epochs + done / total, epoch=epochs, eta=eta)

    def show(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """After some epochs: the last one on the bar, some of a long run as lines."""
        if self.bar is None and not self.verbose:
            return
        names = measured(columns)
        if self.bar is not None and columns:
            self.bar.update(self.task, shown="  ".join(f"{name} {columns[name][-1]:.4f}" for name in names))
        elif self.bar is None:
            for row, epoch in enumerate(columns.get(EPOCH, ())):
                if self._is_shown(epoch - self.first):
                    print(summary_line({name: columns[name][row] for name in (EPOCH, *names)}, names), flush=True)

    def _is_shown(self, epoch: int) -> bool:
        """The last, the round numbers 1, 2, 5, 10, 20, ..., and multiples of one of them: about 50 in all."""
        rounds = list(itertools.takewhile(lambda number: number <= self.epochs, _round_numbers()))
        every = next((number for number in rounds if self.epochs <= _LINES * number), 1)
        return epoch in rounds or epoch == self.epochs or epoch % every == 0

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()


def _round_numbers() -> Iterator[int]:
    """1, 2, 5, 10, 20, 50, 100, ..."""
    return (digit * 10**power for power in itertools.count() for digit in (1, 2, 5))


def report(history: History, step: int, epoch: int, file: TextIO) -> None:
    """Print why a run ended early, and what its gradients looked like at the end."""
    if history.stopped == INTERRUPTED:
        print(f"Stopped at step {step}, after {epoch} whole epochs; the model is as it stands.", file=file)
    elif history.stopped is not None:
        print(f"Stopped after {epoch} epochs: {history.stopped}", file=file)
    for note in history.notes:
        print(f"Note: {note}", file=file)
