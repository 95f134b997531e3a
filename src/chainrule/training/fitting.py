"""One call of `fit`: the loop over records with callbacks, checkpoints and Ctrl-C."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import engines
from ..compatibility import require_batches
from ..engines.contract import Task
from ..errors import ConfigurationError, NonFiniteError
from ..interrupt import CtrlC
from ..weighting import require_counting
from .callbacks import Callback, Fit
from .checkpoint import Checkpoint
from .history import INTERRUPTED, History
from .learner import Learner
from .measuring import evaluate
from .plan import Plan
from .progress import Progress, report
from .steps import Epoch, Steps
from .watching import STEPS_BETWEEN, closer_look, notes

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["run_plan"]


def run_plan(
    model: Learner,
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
    require_counting(model.run.loss.sample_totals(plan.y, plan.sample_weights), "fit", "the weights")
    small = require_batches(model.network, plan.batch_size, len(plan.X))
    model.history.stopped, model.history.notes = None, []
    model.run.engine = engine
    saver = _begin(fit, plan, callbacks, checkpoint, resume)
    with Progress(plan.epochs, verbose, done=model.run.epoch - fit.first) as progress:
        try:
            task = plan.task(model.run)
            _choose(fit, plan, task, engine, verbose)
            if verbose and small is not None:
                print(small, flush=True)
            _train(fit, plan, task, callbacks, saver, progress)
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


def _train(
    fit: Fit, plan: Plan, task: Task, callbacks: Sequence[Callback], saver: Checkpoint | None, progress: Progress
) -> None:
    """From record to record. Ctrl-C waits for the end of a block, and of a record with all that belongs to it."""
    model, clock = fit.model, _Clock()
    steps = Steps(model.run, task, shuffle=plan.shuffle, engine=model.run.engine)
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
    with contextlib.ExitStack() as begun:
        for callback in callbacks:
            callback.begin(fit)
            begun.callback(callback.end, fit)
        saver = None if checkpoint is None else Checkpoint(checkpoint, plan, callbacks, fit)
        if saver is not None and resume:
            saver.resume()
        begun.pop_all()  # all began: from now on the end of the run ends them
    return saver


def _choose(fit: Fit, plan: Plan, task: Task, engine: str, verbose: bool) -> None:
    """Settle the engine: the one asked for, that of the checkpoint, or the best for a run of this length."""
    run = fit.model.run
    name = run.engine if engine == "auto" else engine
    steps = (plan.epochs - (run.epoch - fit.first)) * plan.steps
    run.engine, reason = engines.prepare(name, task, steps)
    if verbose:
        print(f"Engine {run.engine}: {reason if name == engine else 'as in the checkpoint'}.", flush=True)
    problem = engines.trouble(run.engine)
    if problem is not None:
        run.engine = "numpy"
        if verbose:
            print(f"Engine numpy: {problem}.", flush=True)


def _record(fit: Fit, plan: Plan, epoch: Epoch) -> dict[str, float]:
    run = fit.model.run
    record: dict[str, float] = {"epoch": run.epoch, "loss": epoch.loss, run.loss.metric: epoch.metric}
    if plan.validation is not None:
        record |= {f"val_{name}": value for name, value in evaluate(run, plan.validation).items()}
    record["learning_rate"] = epoch.rate
    due = run.step - fit.looked >= STEPS_BETWEEN
    if due or run.epoch - fit.first == plan.epochs:
        record |= closer_look(run, plan.X, epoch)
    if due:
        fit.looked = run.step
    return record


class _Clock:
    """Seconds between calls: the time of training between two records."""

    def __init__(self) -> None:
        self.last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last call."""
        now = time.perf_counter()
        before, self.last = self.last, now
        return now - before
