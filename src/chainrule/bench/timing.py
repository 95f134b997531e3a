"""Interleaved repeats: every contender in turn, again and again, so that a busy machine slows all of them alike."""

from __future__ import annotations

import os
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .contender import Contender, Opened
from .floor import floor
from .ours import OURS, chosen
from .workloads import Training, Workload

__all__ = ["Measured", "Timing", "measure"]

_SECONDS = 0.25  # of one timed run
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
    """All timings of one workload, what was left out and why, and what no machine of this kind can beat."""

    workload: Workload
    timings: list[Timing]
    problems: list[str]
    floor: float
    auto: str | None

    def best_peer(self) -> Timing | None:
        """The fastest of the others."""
        return min((t for t in self.timings if t.group != OURS), key=lambda t: t.median, default=None)

    def ours(self) -> list[Timing]:
        """The library's engines."""
        return [timing for timing in self.timings if timing.group == OURS]


def _run(opened: Opened, times: int) -> float:
    """Seconds of one time, of about `times` of them."""
    times = max(1, round(times / opened.unit)) * opened.unit
    begin = time.perf_counter()
    opened.run(times)
    return (time.perf_counter() - begin) / times


def _times(opened: Opened, seconds: float) -> int:
    """How many times fill about so many seconds; each number is run once before, because some compile for it."""
    times = opened.unit
    while True:
        _run(opened, times)
        one = _run(opened, times)
        if one * times >= seconds / 8:
            break
        times *= 8
    found = max(1, round(seconds / one))
    _run(opened, found)
    return found


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
    seconds: float = _SECONDS,
) -> Measured:
    """Open every contender, see that all agree, then time them in turn; the first is the reference."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what libraries say of one another
        return _measure(workload, contenders, repeats, say, seconds)


def _measure(
    workload: Workload,
    contenders: Sequence[Contender],
    repeats: int,
    say: Callable[[str], object],
    seconds: float,
) -> Measured:
    ready: list[tuple[Timing, Contender, Opened, int]] = []
    problems: list[str] = []
    reference: Any = None
    for contender in contenders:
        label = f"{contender.group} {contender.name}" if contender.group == OURS else contender.name
        try:
            opened = contender.open(workload)
            if opened is None:
                continue
            say(f"{workload.name}: {label}")
            answer = opened.answer()
            reference = answer if reference is None else reference
            difference = _disagrees(workload, answer, reference)
            if difference is not None:
                problems.append(f"{label} is left out: {difference}.")
                continue
            timing = Timing(contender.group, label)
            timing.loss = float(answer) if isinstance(workload, Training) else None
            timing.threads = _threads(contender, opened)
            ready.append((timing, contender, opened, _times(opened, seconds)))
        except Exception as error:  # whatever a peer makes of a machine that it does not fit
            problems.append(f"{label} is left out: {_first_line(error)}.")
    for repeat in range(repeats):
        say(f"{workload.name}: repeat {repeat + 1} of {repeats}")
        for timing, contender, opened, times in ready:
            if contender.threads is not None and timing.threads is not None:
                contender.threads(timing.threads)
            timing.seconds.append(_run(opened, times))
    return Measured(workload, [timing for timing, *_ in ready], problems, floor(workload), chosen(workload))


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
        times = _times(opened, 0.1)
        found.append((min(_run(opened, times) for _ in range(2)), count))
    return min(found)[1]
