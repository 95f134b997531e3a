"""What is compared: something that does the work of one workload again and again."""

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
    """A way to do the work: who offers it, its name, and how it is opened; `threads` is set before each run."""

    group: str
    name: str
    open: Callable[[Workload], Opened | None]  # None where it offers no such work
    threads: Callable[[int], object] | None = None


def repeated(function: Callable[[], Any]) -> Opened:
    """Opened for what is one call: it is done again and again, and what it returns is the answer."""

    def run(times: int) -> None:
        for _ in range(times):
            function()

    return Opened(run, lambda: np.asarray(function()))
