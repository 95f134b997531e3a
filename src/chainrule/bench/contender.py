"""What is compared: an implementation of a workload that can be run repeatedly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .workloads import Workload

__all__ = ["Contender", "Opened", "repeated"]


@dataclass(frozen=True)
class Opened:
    """A contender ready to be timed.

    `run(times)` does the work `times` times, at least `unit` of them at once, and returns when it is done. `answer()`
    is what must agree among all: for training the loss after the workload's first steps, else the result.
    """

    run: Callable[[int], object]
    answer: Callable[[], Any]
    unit: int = 1


@dataclass(frozen=True)
class Contender:
    """An implementation of the workloads: its group, its name, how to open it; `threads` is set before each run."""

    group: str
    name: str
    open: Callable[[Workload], Opened | None]  # None if it cannot run the workload
    threads: Callable[[int], object] | None = None


def repeated(function: Callable[[], Any]) -> Opened:
    """A contender for a workload that is a single call, which is repeated; its return value is the answer."""

    def run(times: int) -> None:
        for _ in range(times):
            function()

    return Opened(run, lambda: np.asarray(function()))
