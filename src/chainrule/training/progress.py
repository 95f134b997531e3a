"""What a person sees while a network trains: one bar on a terminal, a plain line for each record elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from ..columns import measured
from .history import INTERRUPTED, History, summary_line

__all__ = ["Progress", "report"]


class Progress(AbstractContextManager["Progress"]):
    """A progress bar over `epochs`; `batch` moves it, `show` shows a record. Silent with `verbose=False`."""

    def __init__(self, epochs: int, verbose: bool, done: int = 0) -> None:
        self.epochs, self.verbose, self.finished = epochs, verbose, done
        self.bar: Any = None

    def __enter__(self) -> Self:
        if self.verbose and sys.stdout.isatty():
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self.bar = Bar(
                TextColumn("epoch {task.fields[epoch]}/{task.total:.0f}"),
                BarColumn(bar_width=None),
                TimeElapsedColumn(),
                TextColumn("eta"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[shown]}"),
                expand=True,
            )
            self.bar.start()
            self.task = self.bar.add_task("", total=self.epochs, completed=self.finished, epoch=self.finished, shown="")
        return self

    def batch(self, epochs: int, done: int, total: int) -> None:
        """After a block of steps: `epochs` are over, and `done` of the `total` batches of the next."""
        if self.bar is not None:
            self.bar.update(self.task, completed=epochs + done / total, epoch=epochs)

    def show(self, record: Mapping[str, float]) -> None:
        """After a record."""
        names = measured(record)
        if self.bar is not None:
            self.bar.update(self.task, shown="  ".join(f"{name} {record[name]:.4f}" for name in names))
        elif self.verbose:
            print(summary_line(record, names), flush=True)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()


def report(history: History, step: int, epoch: int) -> None:
    """Print why a run ended early, and what its gradients looked like at the end."""
    if history.stopped == INTERRUPTED:
        print(f"Stopped at step {step}, after {epoch} whole epochs; the model is as it stands.")
    elif history.stopped is not None:
        print(f"Stopped after {epoch} epochs: {history.stopped}")
    for note in history.notes:
        print(f"Note: {note}")
