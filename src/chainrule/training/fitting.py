"""One call of `fit`: blocks of steps, and between them records, callbacks, checkpoints and Ctrl-C."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .. import engines
from ..columns import EPOCH, Column
from ..compatibility import require_batches
from ..engines.contract import Task
from ..errors import ConfigurationError, NonFiniteError
from ..interrupt import CtrlC
from ..weighting import require_counting
from .callbacks import Callback, Fit, of_batches
from .checkpoint import Checkpoint
from .history import INTERRUPTED, History
from .learner import Learner
from .measuring import HeldBatches, evaluate
from .plan import Plan
from .progress import Progress, report
from .steps import Columns, Steps
from .threads import blas_threads
from .watching import case_of, diagnose

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
    """Carry the plan out, block after block, each up to the next epoch that somebody asks for; returns its history.

    Ctrl-C waits for the end of a block, and of an epoch with all that belongs to it.
    """
    run, fit = model.run, Fit(model, plan.epochs, first=model.run.epoch, validates=plan.validation is not None)
    if plan.batches is not None and plan.batches.once and checkpoint is not None:
        raise ConfigurationError(
            "fit: a checkpoint needs batches that can be read again from the beginning of an epoch, and an iterator "
            "cannot; pass the function that makes it, or a list."
        )
    if resume and checkpoint is None:
        raise ConfigurationError("fit: resume=True needs the path of a checkpoint.")
    require_counting(run.loss.sample_totals(plan.y, plan.sample_weights), "fit", "the weights")
    small = require_batches(run.network, plan.batch_size, len(plan.X))
    model.history.stopped, model.history.notes, run.engine = None, [], engine
    saver = _begin(fit, plan, callbacks, checkpoint, resume)
    asked, of_steps = bool(callbacks) or plan.validation is not None, of_batches(callbacks)
    with (
        _ending(fit, plan, callbacks, saver),
        Progress(plan.epochs, verbose, run.epoch - fit.first, fit.first) as progress,
    ):
        supply = plan.supply(run)
        _choose(fit, plan, supply.task, engine, verbose)
        if verbose and small is not None:
            print(small, flush=True)
        steps = Steps(run, supply, run.engine)
        with blas_threads(run.engine, run.network, plan.batch_size), CtrlC(waits=True) as ctrl_c:
            while run.epoch - fit.first < plan.epochs and fit.history.stopped is None:
                due = plan.next_due(run.epoch - fit.first) if asked else plan.epochs
                columns = plan.recorded(_train(fit, steps, fit.first + due, of_steps), fit.first)
                if columns:
                    columns = _record(fit, plan, columns, steps)
                    for callback in callbacks:
                        callback.epoch(fit)
                progress.batch(run.epoch - fit.first, steps.done, supply.steps_per_epoch or 2 * steps.done + 1)
                progress.show(columns)
                if saver is not None and not steps.done:
                    saver.mark()
                if steps.failure is not None:
                    raise steps.failure
                ctrl_c.check()
            steps.close()
    if verbose:
        report(model.history, run.step, run.epoch)
    return model.history.since(fit.first)


def _train(fit: Fit, steps: Steps, epoch: int, of_steps: Sequence[Callback]) -> Columns:
    """The next block; where callbacks want to know of every step, it is one step long."""
    if not of_steps:
        return steps.train(epoch)
    for callback in of_steps:
        callback.batch_begin(fit)
    steps.size = 1.0
    columns = steps.train(epoch)
    if steps.failure is None:
        fit.batch = steps.one()
        for callback in of_steps:
            callback.batch_end(fit)
    return columns


@contextlib.contextmanager
def _ending(fit: Fit, plan: Plan, callbacks: Sequence[Callback], saver: Checkpoint | None) -> Iterator[None]:
    """However the run inside ends, the history says why, and every part of the end happens, whatever another raises."""
    try:
        yield
    except KeyboardInterrupt:
        fit.stop(INTERRUPTED)
    except NonFiniteError as error:
        fit.stop(str(error))
        if not any(callback.handles_non_finite for callback in callbacks):
            raise
    finally:
        with contextlib.ExitStack() as ending:
            if saver is not None:
                ending.callback(saver.finish)
            fit.history.notes = _notes(fit, plan)
            for callback in reversed(callbacks):
                ending.callback(callback.end, fit)


def _notes(fit: Fit, plan: Plan) -> list[str]:
    """What the doctor says; its look at the data leaves no thread of BLAS spinning, which the next run would meet."""
    case, run = case_of(fit, plan), fit.run
    with contextlib.nullcontext() if case.data is None else blas_threads(run.engine, run.network, plan.batch_size):
        return diagnose(case)


def _record(fit: Fit, plan: Plan, columns: Columns, steps: Steps) -> Columns:
    """Add epochs to the history, with what the validation data give now; returns what was added."""
    own = {name: columns[name] for name in (EPOCH, "loss", fit.run.loss.metric)}
    if plan.validation is not None:
        held = plan.validation
        pair = held.read(fit.run, steps.outputs) if isinstance(held, HeldBatches) else (held, steps.outputs(held.X))
        measured = evaluate(fit.run, *pair)
        own |= {Column(name, validation=True).name: [value] for name, value in measured.items()}
    fit.history.extend(own | columns)
    return own | columns


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
