"""Whole runs in turn, again and again, as in `timing`; a run that is too long for one of them is timed in part."""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .fits import FitContender, WholeRun, engine_of
from .floor import floor
from .ours import OURS
from .timing import REST, Measured, Timing, faster_threads, first_line, take_turns

__all__ = ["measure_fits"]

_SECONDS = 5.0  # of one run; from a longer one a part is taken, and the rest is reckoned from it
_SAME, _ALIKE = 1e-3, 0.15  # the part by which losses may differ: in the same order of samples, in orders of their own


@dataclass
class _Entrant:
    """A contender that learns what the others learn, and the epochs that it is timed for."""

    timing: Timing
    fit: FitContender
    whole: WholeRun
    epochs: int

    def run(self) -> float:
        """Rest, begin anew, and time one run; where only a part of it is carried out, what all of it would take."""
        if self.fit.threads is not None and self.timing.threads is not None:
            self.fit.threads(self.timing.threads)
        return _timed(self.fit, self.whole, self.epochs)[0] * self.whole.epochs / self.epochs


def _timed(fit: FitContender, run: WholeRun, epochs: int) -> tuple[float, float]:
    """Seconds of a run, and the loss that it came to."""
    go = fit.begin(run.training, epochs)
    gc.collect()
    time.sleep(REST)
    begin = time.perf_counter()
    weights = go()
    seconds = time.perf_counter() - begin
    return seconds, run.training.loss(weights())


def measure_fits(
    run: WholeRun,
    fits: Sequence[FitContender],
    repeats: int,
    say: Callable[[str], object] = lambda text: None,
    check: Callable[[], object] = lambda: None,
) -> Measured:
    """See that all learn the same, then time them in turn; the first is the reference.

    `say` is told what is being done; `check` raises `KeyboardInterrupt` to end the timing with what there is.
    """
    problems: list[str] = []
    interrupted, ready = False, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what libraries say of one another
        try:
            for each in _ready(run, fits, say, problems, check):
                ready.append(each)
            for repeat in range(repeats):
                say(f"{run.name}: repeat {repeat + 1} of {repeats}")
                take_turns(ready, problems, check)
        except KeyboardInterrupt:
            interrupted = True
    timings = [each.timing for each in ready if each.timing.seconds]
    least = floor(run.training)
    whole = None if least is None else least * run.steps
    return Measured(run, timings, problems, whole, None, interrupted, engine=engine_of(run))


def _ready(
    run: WholeRun,
    fits: Sequence[FitContender],
    say: Callable[[str], object],
    problems: list[str],
    check: Callable[[], object],
) -> Iterator[_Entrant]:
    """The contenders that learn what the first learns; why another is left out goes to the problems."""
    reference: float | None = None
    whole = run.training.per_epoch == 1
    few = min(run.epochs, 100 if whole else 1)
    for fit in fits:
        say(f"{run.name}: {fit.name}")
        try:
            loss = _timed(fit, run, few)[1]
            check()
            reference = loss if reference is None else reference
            if not abs(loss - reference) <= (_SAME if whole else _ALIKE) * abs(reference):
                problems.append(
                    f"{fit.name} is left out: its loss after {few} epoch{'' if few == 1 else 's'} is {loss:.6g}, "
                    f"that of the reference {reference:.6g}."
                )
                continue
            timing = Timing(fit.group, fit.name, loss=loss)
            epochs = _epochs(fit, run, few)
            timing.threads = _threads(fit, run, epochs)
            timing.part = epochs / run.epochs
            check()
            yield _Entrant(timing, fit, run, epochs)
        except Exception as error:  # whatever a peer makes of a machine that it does not fit
            problems.append(f"{fit.name} is left out: {first_line(error)}.")


def _epochs(fit: FitContender, run: WholeRun, few: int) -> int:
    """The epochs that a run is timed for: all, or as many as fill the time. They are run once before: some compile."""
    if fit.entire:
        return run.epochs
    one = min(_timed(fit, run, few)[0] for _ in range(2)) / few
    epochs = max(1, min(run.epochs, round(_SECONDS / one) if one * run.epochs > _SECONDS else run.epochs))
    if epochs != few and fit.group != OURS:
        _timed(fit, run, epochs)
    return epochs


def _threads(fit: FitContender, run: WholeRun, epochs: int) -> int | None:
    """The number of threads, 1 or all, with which a contender is faster; None where it decides itself."""
    if fit.threads is None:
        return None
    return faster_threads(fit.threads, lambda: _timed(fit, run, max(1, epochs // 10))[0])
