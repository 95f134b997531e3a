"""One call of `fit`: the plan (data, epochs, batches), the loop over records with callbacks, checkpoints and Ctrl-C."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import engines
from ..engines.contract import Task
from ..errors import ConfigurationError, NonFiniteError
from ..interrupt import CtrlC
from ..losses import Loss
from .callbacks import Callback, Fit, LearningRateFinder
from .checkpoint import Checkpoint
from .history import INTERRUPTED, History
from .progress import Progress, report
from .steps import Epoch, Run, Steps, evaluate
from .watching import STEPS_BETWEEN, closer_look, notes

if TYPE_CHECKING:
    from pathlib import Path

    from ..model import Model

__all__ = ["Plan", "run_plan"]

_STEPS_PER_RECORD = 24  # shorter epochs are recorded more rarely, so that recording stays below 5 % of a run


@dataclass(frozen=True)
class Plan:
    """What is to be trained on, and how; checked when it is made."""

    X: NDArray[Any]
    y: NDArray[Any]
    epochs: int
    batch_size: int
    shuffle: bool
    sample_weights: NDArray[Any] | None
    validation: tuple[NDArray[Any], NDArray[Any]] | None
    record_every: int | None

    def __post_init__(self) -> None:
        least = {"epochs": 0, "batch_size": 1} | ({} if self.record_every is None else {"record_every": 1})
        for name, smallest in least.items():
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < smallest:
                raise ConfigurationError(f"fit: {name} must be a whole number of at least {smallest}, not {value!r}.")

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return -(-len(self.X) // self.batch_size)

    def due(self, epoch: int) -> bool:
        """Whether the `epoch`-th epoch of the plan, counted from 1, is recorded."""
        return epoch % self.every == 0 or epoch in (1, self.epochs)

    def next_due(self, done: int) -> int:
        """The next epoch that is recorded, where `done` are over."""
        return 1 if not done else min(self.epochs, (done // self.every + 1) * self.every)

    @property
    def every(self) -> int:
        """The number of epochs from one record to the next."""
        return int(self.record_every or -(-_STEPS_PER_RECORD // self.steps))

    def start(self, run: Run) -> Steps:
        """The steps of a run of this plan."""
        return Steps(
            run,
            self.X,
            self.y,
            batch_size=self.batch_size,
            shuffle=self.shuffle,
            sample_weights=self.sample_weights,
            engine=run.engine,
        )

    def weighted(self, class_weights: Mapping[int, float] | Sequence[float] | str | None, loss: Loss) -> Plan:
        """The plan with class weights multiplied into the sample weights."""
        if class_weights is None:
            return self
        if loss.metric != "accuracy":
            raise ConfigurationError(f"fit: class_weights need classes, and {loss.name} compares values.")
        labels = loss.labels(self.y)
        if labels.ndim != 1:
            raise ConfigurationError("fit: class_weights need one class for each sample; use sample_weights instead.")
        labels = labels.astype(int)
        factors = _class_factors(class_weights, labels)
        weights = factors if self.sample_weights is None else factors * self.sample_weights
        return replace(self, sample_weights=weights)

    def split(self, part: float, seed: int) -> Plan:
        """The plan with a random part of its samples held out for validation."""
        if not part:
            return self
        if self.validation is not None:
            raise ConfigurationError("fit: give validation_data or validation_split, not both.")
        if not isinstance(part, Real):
            raise ConfigurationError(f"fit: validation_split must be a number between 0 and 1, not {part!r}.")
        held_out = round(float(part) * len(self.X)) if 0 < part < 1 else 0
        if not 0 < held_out < len(self.X):
            raise ConfigurationError(
                f"fit: validation_split must leave samples on both sides, received {part!r} of {len(self.X)} samples."
            )
        order = np.random.default_rng([seed, 2**32]).permutation(len(self.X))
        test, rest = np.sort(order[:held_out]), np.sort(order[held_out:])
        weights = None if self.sample_weights is None else self.sample_weights[rest]
        validation = (self.X[test], self.y[test])
        return replace(self, X=self.X[rest], y=self.y[rest], sample_weights=weights, validation=validation)

    def fingerprint(self) -> dict[str, Any]:
        """What a resumed run must have in common with the stopped one."""
        import zlib

        data = [self.X, self.y] + ([] if self.sample_weights is None else [self.sample_weights])
        data += [] if self.validation is None else list(self.validation)
        checksum = 0
        for array in data:
            checksum = zlib.crc32(np.ascontiguousarray(array).tobytes(), checksum)
        settings = {
            "batch_size": int(self.batch_size),
            "shuffle": bool(self.shuffle),
            "record_every": self.record_every,
        }
        return settings | {"samples": len(self.X), "data": checksum}


def run_plan(
    model: Model,
    plan: Plan,
    callbacks: Sequence[Callback],
    verbose: bool,
    checkpoint: str | Path | None,
    resume: bool,
    engine: str = "numpy",
) -> History:
    """Carry the plan out; returns the history of this plan, and adds it to the model's."""
    fit = Fit(
        model,
        plan.epochs,
        first=model.run.epoch,
        looked=model.run.step - STEPS_BETWEEN,
        validates=plan.validation is not None,
    )
    if resume and checkpoint is None:
        raise ConfigurationError("fit: resume=True needs the path of a checkpoint.")
    model.history.stopped, model.history.notes = None, []
    model.run.engine = engine
    saver = _begin(fit, plan, callbacks, checkpoint, resume)
    with Progress(plan.epochs, verbose, done=model.run.epoch - fit.first) as progress:
        try:
            _choose(fit, plan, engine, verbose)
            _train(fit, plan, callbacks, saver, progress)
        except KeyboardInterrupt:
            fit.stop(INTERRUPTED)
        except NonFiniteError as error:
            fit.stop(str(error))
            if not any(callback.handles_non_finite for callback in callbacks):
                raise
        finally:
            with contextlib.ExitStack() as ending:  # every part of the end happens, whatever another raises
                if saver is not None:
                    ending.callback(saver.finish)
                model.history.notes = notes(model.history, model.network)
                for callback in reversed(callbacks):
                    ending.callback(callback.end, fit)
    records = [record for record in model.history.records if record["epoch"] > fit.first]
    history = History(records, model.history.stopped, model.history.notes)
    if verbose:
        report(history, model.run.step, model.run.epoch)
    return history


def _train(fit: Fit, plan: Plan, callbacks: Sequence[Callback], saver: Checkpoint | None, progress: Progress) -> None:
    """From record to record. Ctrl-C waits for the end of a block, and of a record with all that belongs to it."""
    model, steps, clock = fit.model, plan.start(fit.model.run), _Clock()
    with CtrlC(waits=True) as ctrl_c:

        def on_block(epoch: int, done: int, total: int) -> None:
            progress.batch(epoch - fit.first, done, total)
            if done or not plan.due(epoch - fit.first):
                if saver is not None and not done:
                    saver.mark()
                ctrl_c.check()

        while model.run.epoch - fit.first < plan.epochs and model.history.stopped is None:
            epoch = steps.train(fit.first + plan.next_due(model.run.epoch - fit.first), on_block)
            model.history.records.append(_record(fit, plan, epoch) | {"seconds": clock.lap()})
            for callback in callbacks:
                callback.epoch(fit)
            progress.show(fit.record)
            if saver is not None:
                saver.mark()
            ctrl_c.check()


def _begin(
    fit: Fit, plan: Plan, callbacks: Sequence[Callback], checkpoint: str | Path | None, resume: bool
) -> Checkpoint | None:
    """Begin every callback, and put everything where the checkpoint says; what fails here ends what had begun."""
    for callback in callbacks:
        if not isinstance(callback, Callback):
            hint = "; call finder.find(model, X, y) before fit()" if isinstance(callback, LearningRateFinder) else ""
            raise ConfigurationError(f"fit: callbacks must be a list of callbacks, and {callback!r} is none{hint}.")
    with contextlib.ExitStack() as begun:
        for callback in callbacks:
            callback.begin(fit)
            begun.callback(callback.end, fit)
        saver = None if checkpoint is None else Checkpoint(checkpoint, plan, callbacks, fit)
        if saver is not None and resume:
            saver.resume()
        begun.pop_all()  # all began: from now on the end of the run ends them
    return saver


def _choose(fit: Fit, plan: Plan, engine: str, verbose: bool) -> None:
    """Settle the engine: the one asked for, that of the checkpoint, or the best for a run of this length."""
    run = fit.model.run
    name = run.engine if engine == "auto" else engine
    weights = plan.sample_weights
    task = Task.of(run.network, run.loss, run.optimizer, run.seed, plan.X, plan.y, weights, plan.batch_size)
    steps = (plan.epochs - (run.epoch - fit.first)) * plan.steps
    run.engine, reason = engines.prepare(name, task, steps)
    if verbose:
        print(f"Engine {run.engine}: {reason if name == engine else 'as in the checkpoint'}.", flush=True)
    problem = engines.trouble(run.engine, task)
    if problem is not None:
        run.engine = "numpy"
        if verbose:
            print(f"Engine numpy: {problem}.", flush=True)


def _record(fit: Fit, plan: Plan, epoch: Epoch) -> dict[str, float]:
    run = fit.model.run
    record: dict[str, float] = {"epoch": run.epoch, "loss": epoch.loss, run.loss.metric: epoch.metric}
    if plan.validation is not None:
        record |= {f"val_{name}": value for name, value in evaluate(run, *plan.validation).items()}
    record["learning_rate"] = epoch.rate
    due = run.step - fit.looked >= STEPS_BETWEEN
    if due or run.epoch - fit.first == plan.epochs:
        record |= closer_look(run, plan.X, epoch)
    if due:
        fit.looked = run.step
    return record


def _class_factors(
    class_weights: Mapping[int, float] | Sequence[float] | str, labels: NDArray[Any]
) -> NDArray[np.float64]:
    if isinstance(class_weights, str):
        if class_weights != "balanced":
            raise ConfigurationError(f"fit: class_weights must be numbers or 'balanced', not {class_weights!r}.")
        counts = np.bincount(labels)
        return np.asarray(len(labels) / (np.count_nonzero(counts) * counts[labels]), dtype=np.float64)
    given = dict(class_weights) if isinstance(class_weights, Mapping) else dict(enumerate(class_weights))
    missing = sorted(set(labels.tolist()) - set(given))
    if missing:
        raise ConfigurationError(f"fit: class_weights lack the classes {missing}; give a weight for each class.")
    for label, weight in given.items():
        if not (isinstance(weight, Real) and np.isfinite(float(weight)) and weight >= 0):
            raise ConfigurationError(f"fit: class_weights must be at least 0; that of class {label} is {weight!r}.")
    return np.array([float(given[label]) for label in labels.tolist()])


class _Clock:
    """Seconds between calls: the time of training between two records."""

    def __init__(self) -> None:
        self.last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last call."""
        now = time.perf_counter()
        before, self.last = self.last, now
        return now - before
