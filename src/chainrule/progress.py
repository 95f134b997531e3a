"""What a person sees while a network trains: one bar on a terminal, a plain line for each epoch elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from .training import summary_line

__all__ = ["Progress"]


class Progress(AbstractContextManager["Progress"]):
    """A progress bar over `epochs`; `batch` moves it, `epoch` shows its numbers. Silent with `verbose=False`."""

    def __init__(self, epochs: int, verbose: bool) -> None:
        self.epochs, self.verbose = epochs, verbose
        self.bar: Any = None
        self.finished = 0

    def __enter__(self) -> Self:
        if self.verbose and sys.stdout.isatty():
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self.bar = Bar(
                TextColumn("epoch {task.fields[epoch]}/{task.total:.0f}"),
                BarColumn(),
                TimeElapsedColumn(),
                TextColumn("eta"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[shown]}"),
            )
            self.bar.start()
            self.task = self.bar.add_task("training", total=self.epochs, epoch=0, shown="")
        return self

    def batch(self, done: int, total: int) -> None:
        """After the `done`-th of `total` batches of an epoch."""
        if self.bar is not None:
            self.bar.update(self.task, completed=self.finished + done / total)

    def epoch(self, record: Mapping[str, float]) -> None:
        """After an epoch."""
        self.finished += 1
        names = [name for name in record if name not in ("epoch", "learning_rate", "seconds")]
        if self.bar is not None:
            shown = "  ".join(f"{name} {record[name]:.4f}" for name in names)
            self.bar.update(self.task, completed=self.finished, epoch=self.finished, shown=shown)
        elif self.verbose:
            print(summary_line(record, names), flush=True)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()
