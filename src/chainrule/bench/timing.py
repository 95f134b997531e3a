"""Interleaved repeats: every contender in turn, again and again, so that a busy machine slows all of them alike.

Before each timed run the machine rests for some hundredths of a second, because the threads of the contender before
(those of OpenMP and others) go on spinning after their work; then a short run that is not timed warms the caches.
"""

from __future__ import annotations

import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .contender import Contender, Opened
from .floor import floor
from .ours import OURS, chosen
from .workloads import Training, Workload

__all__ = ["Measured", "Timing", "measure"]

_SECONDS = 0.25  # of one timed run
_REST = 0.03  # seconds between the contenders
_AGREE = 1e-3  # the part by which losses, or results, may differ in float32


@dataclass
class Timing:
    """One contender on one workload: seconds of each time, one entry for each repeat."""

    group: str
    name: str
    seconds: list[float] = field(default_factory=list)
    threads: int | None = None
    loss: float | None = None

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """The distance between the quartiles, as a part of the median."""
        if len(self.seconds) < 4:
            return (max(self.seconds) - min(self.seconds)) / self.median
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return (high - low) / self.median


@dataclass
class Measured:
    """All timings of one workload, what was left out and why, and what no machine of this kind can beat.

    `memory` holds the peak of each engine in bytes, where it was asked for.
    """

    workload: Workload
    timings: list[Timing]
    problems: list[str]
    floor: float | None
    auto: str | None
    interrupted: bool = False
    memory: dict[str, int] = field(default_factory=dict)

    def best(self, *groups: str) -> Timing | None:
        """The fastest of the others, or of the groups named."""
        there = [t for t in self.timings if (t.group in groups if groups else t.group != OURS)]
        return min(there, key=lambda t: t.median, default=None)

    def ours(self) -> dict[str, Timing]:
        """Our fastest engine, and the one that `auto` takes, as far as they were measured."""
        found = {"best": self.best(OURS)}
        found["auto"] = next((t for t in self.timings if t.name == f"{OURS} {self.auto}"), None)
        return {role: timing for role, timing in found.items() if timing is not None}

    def ratios(self) -> dict[str, dict[str, Any]]:
        """How many times as fast ours are as the best peer and as PyTorch: name by role, and ratio by other's name."""
        others = [other for other in (self.best(), self.best("torch")) if other is not None]
        return {
            role: {"name": own.name, "times": {other.name: other.median / own.median for other in others}}
            for role, own in self.ours().items()
        }


@dataclass
class _Ready:
    """A contender that agrees with the others: how many times are timed, and how many are a short run before."""

    timing: Timing
    contender: Contender
    opened: Opened
    times: int
    warming: int

    def run(self) -> float:
        """Rest, warm up, and time: the seconds of one."""
        if self.contender.threads is not None and self.timing.threads is not None:
            self.contender.threads(self.timing.threads)
        time.sleep(_REST)
        if self.warming:
            _run(self.opened, self.warming)
        return _run(self.opened, self.times)


def _run(opened: Opened, times: int) -> float:
    """Seconds of one time, of about `times` of them."""
    times = max(1, round(times / opened.unit)) * opened.unit
    begin = time.perf_counter()
    opened.run(times)
    return (time.perf_counter() - begin) / times


def _times(opened: Opened, seconds: float) -> tuple[int, int]:
    """How many times fill about so many seconds, and how many are a short run (0 where a single one is long).

    Each number is run once before, because some compile for it.
    """
    times, short = opened.unit, 0
    while True:
        _run(opened, times)
        one = _run(opened, times)
        short = times if one * times < seconds / (1 if times == opened.unit else 4) else short
        if one * times >= seconds / 8:
            break
        times *= 8
    found = max(1, round(seconds / one))
    _run(opened, found)
    return found, short


def _disagrees(workload: Workload, answer: Any, reference: Any) -> str | None:
    """How an answer differs from the reference's, if it does."""
    if answer is None or reference is None:
        return None
    one, other = np.asarray(answer, np.float64), np.asarray(reference, np.float64)
    if one.shape == other.shape and np.allclose(one, other, rtol=_AGREE, atol=_AGREE * float(np.abs(other).max())):
        return None
    if isinstance(workload, Training):
        return f"its loss after {workload.checked} steps is {float(one):.6g}, that of the reference {float(other):.6g}"
    return "its result is another one"


def measure(
    workload: Workload,
    contenders: Sequence[Contender],
    repeats: int,
    say: Callable[[str], object],
    seconds: float | None = None,
    check: Callable[[], object] = lambda: None,
) -> Measured:
    """Open every contender, see that all agree, then time them in turn; the first is the reference.

    `say` is told what is being done; `check` raises `KeyboardInterrupt` to end the timing with what there is.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what libraries say of one another
        return _measure(workload, contenders, repeats, say, _SECONDS if seconds is None else seconds, check)


def _measure(
    workload: Workload,
    contenders: Sequence[Contender],
    repeats: int,
    say: Callable[[str], object],
    seconds: float,
    check: Callable[[], object],
) -> Measured:
    problems: list[str] = []
    ready = list(_ready(workload, contenders, seconds, say, problems, check))
    interrupted = False
    try:
        for repeat in range(repeats):
            say(f"{workload.name}: repeat {repeat + 1} of {repeats}")
            for each in list(ready):
                try:
                    took = each.run()
                    check()
                    each.timing.seconds.append(took)
                except Exception as error:
                    ready.remove(each)
                    problems.append(f"{each.timing.name} is left out: {_first_line(error)}.")
    except KeyboardInterrupt:
        interrupted = True
    timings = [each.timing for each in ready if each.timing.seconds]
    return Measured(workload, timings, problems, floor(workload), chosen(workload), interrupted)


def _ready(
    workload: Workload,
    contenders: Sequence[Contender],
    seconds: float,
    say: Callable[[str], object],
    problems: list[str],
    check: Callable[[], object],
) -> Iterator[_Ready]:
    """The contenders that agree with the first; why another is left out goes to the problems."""
    reference: Any = None
    for contender in contenders:
        label = f"{contender.group} {contender.name}" if contender.group == OURS else contender.name
        try:
            opened = contender.open(workload)
            if opened is None:
                continue
            say(f"{workload.name}: {label}")
            answer = opened.answer()
            check()
            reference = answer if reference is None else reference
            difference = _disagrees(workload, answer, reference)
            if difference is not None:
                problems.append(f"{label} is left out: {difference}.")
                continue
            timing = Timing(contender.group, label)
            timing.loss = float(answer) if isinstance(workload, Training) else None
            timing.threads = _threads(contender, opened)
            ready = _Ready(timing, contender, opened, *_times(opened, seconds))
            check()
            yield ready
        except Exception as error:  # whatever a peer makes of a machine that it does not fit
            problems.append(f"{label} is left out: {_first_line(error)}.")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _threads(contender: Contender, opened: Opened) -> int | None:
    """The number of threads, 1 or all, with which a contender is faster; None where it decides itself."""
    if contender.threads is None:
        return None
    found: list[tuple[float, int]] = []
    for count in dict.fromkeys((1, os.cpu_count() or 1)):
        contender.threads(count)
        times, _ = _times(opened, 0.1)
        found.append((min(_run(opened, times) for _ in range(2)), count))
    best = min(found)[1]
    contender.threads(best)
    return best
