"""Interleaved timing: the contenders take turns, so that a busy machine slows all of them equally.

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
from typing import Any, Protocol

import numpy as np

from .contender import Contender, Opened
from .floor import floor
from .ours import OURS, chosen
from .workloads import Training, Workload

__all__ = ["REST", "Measured", "Timing", "faster_threads", "first_line", "measure", "take_turns"]

_SECONDS = 0.25  # of one timed run
REST = 0.03  # seconds of pause between contenders
_AGREE = 1e-3  # allowed relative difference of losses or results in float32


@dataclass
class Timing:
    """The timings of one contender on one workload in seconds, one entry per repeat."""

    group: str
    name: str
    seconds: list[float] = field(default_factory=list)
    threads: int | None = None
    loss: float | None = None
    part: float = 1.0  # of the work that was done, where all of it would take too long

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """The interquartile range relative to the median."""
        if len(self.seconds) < 4:
            return (max(self.seconds) - min(self.seconds)) / self.median
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return (high - low) / self.median


@dataclass
class Measured:
    """All timings of one workload, what was left out and why, and the machine's lower bound.

    `memory` holds the peak of each engine in bytes, if requested; `engine` is that of a whole run.
    """

    workload: Workload
    timings: list[Timing]
    problems: list[str]
    floor: float | None
    auto: str | None
    interrupted: bool = False
    memory: dict[str, int] = field(default_factory=dict)
    engine: str | None = None
    session: Measured | None = None  # the session alone, beside a whole run

    def best(self, *groups: str) -> Timing | None:
        """The fastest peer, optionally among certain groups."""
        there = [t for t in self.timings if (t.group in groups if groups else t.group != OURS)]
        return min(there, key=lambda t: t.median, default=None)

    def ours(self) -> dict[str, Timing]:
        """Our fastest engine and the one that `auto` chooses, if they were measured."""
        found = {"best": self.best(OURS)}
        found["auto"] = next((t for t in self.timings if t.name == f"{OURS} {self.auto}"), None)
        return {role: timing for role, timing in found.items() if timing is not None}

    def ratios(self) -> dict[str, dict[str, Any]]:
        """How many times as fast our engines are as the best peer and as PyTorch, by role and by peer."""
        others = [other for other in (self.best(), self.best("torch")) if other is not None]
        return {
            role: {"name": own.name, "times": {other.name: other.median / own.median for other in others}}
            for role, own in self.ours().items()
        }


@dataclass
class _Ready:
    """A contender whose results agree: how often it runs within one timing, and within the short run before."""

    timing: Timing
    contender: Contender
    opened: Opened
    times: int
    warming: int

    def run(self) -> float:
        """Pause, warm up and time; returns the seconds of one run."""
        if self.contender.threads is not None and self.timing.threads is not None:
            self.contender.threads(self.timing.threads)
        time.sleep(REST)
        if self.warming:
            _run(self.opened, self.warming)
        return _run(self.opened, self.times)


class Entrant(Protocol):
    """Who takes turns: its timing, and one timed run, which returns seconds."""

    timing: Timing

    def run(self) -> float:
        """Time one run."""


def take_turns(ready: list[Any], problems: list[str], check: Callable[[], object]) -> None:
    """One run of each `Entrant`; one that fails is left out from then on, and the problems say why."""
    each: Entrant
    for each in list(ready):
        try:
            took = each.run()
            check()
            each.timing.seconds.append(took)
        except Exception as error:
            ready.remove(each)
            problems.append(f"{each.timing.name} is left out: {first_line(error)}.")


def faster_threads(set_threads: Callable[[int], object], seconds: Callable[[], float]) -> int:
    """The number of threads, 1 or all, with which the least of two timings is less; `set_threads` sets their number."""
    found: list[tuple[float, int]] = []
    for count in dict.fromkeys((1, os.cpu_count() or 1)):
        set_threads(count)
        found.append((min(seconds() for _ in range(2)), count))
    return min(found)[1]


def _run(opened: Opened, times: int) -> float:
    """The seconds of one run, averaged over about `times` runs."""
    times = max(1, round(times / opened.unit)) * opened.unit
    begin = time.perf_counter()
    opened.run(times)
    return (time.perf_counter() - begin) / times


def _times(opened: Opened, seconds: float) -> tuple[int, int]:
    """How many runs fill about the given seconds, and how many make a short run (0 if a single run is long).

    Each of these numbers is run once beforehand, because some contenders compile for it.
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
    """How an answer differs from the reference's, or None if it does not."""
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
    """Open every contender, check that their results agree, then time them in turn; the first is the reference.

    `say` receives progress messages; `check` may raise `KeyboardInterrupt` to stop with the timings so far.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries warn about each other
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
            take_turns(ready, problems, check)
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
    """The contenders whose results agree with the first's; the reasons for leaving out others go to `problems`."""
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
        except Exception as error:  # a peer may fail in any way on a machine it does not support
            problems.append(f"{label} is left out: {first_line(error)}.")


def first_line(error: Exception) -> str:
    """The kind of an error and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _threads(contender: Contender, opened: Opened) -> int | None:
    """The number of threads, 1 or all, with which a contender is faster; None if it decides itself."""
    if contender.threads is None:
        return None
    best = faster_threads(contender.threads, lambda: _run(opened, _times(opened, 0.1)[0]))
    contender.threads(best)
    return best
