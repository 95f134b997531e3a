"""One call of `fit`: blocks of steps, and between them records, callbacks, checkpoints and Ctrl-C."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .. import engines
from ..blasthreads import one_thread
from ..columns import EPOCH, Column
from ..compatibility import require_batches
from ..distributed import PiecesSession
from ..distributed.pieces import pieces_of
from ..engines.contract import Task
from ..errors import ConfigurationError, NonFiniteError
from ..interrupt import LEAVING, CtrlC
from ..ranks import ALONE, Team
from ..weighting import require_counting
from .callback import Callback, Fit, of_batches
from .checkpoint import Checkpoint
from .following import facts_of, followed
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
    team: Team | None = None,
    introduced: bool = False,
) -> History:
    """Carry the plan out, block after block, each up to the next epoch that somebody asks for; returns its history.

    Ctrl-C waits for the end of a block, and of an epoch with all that belongs to it. A team carries it out together:
    every rank trains, and rank 0 alone has callbacks, prints and writes the checkpoint. With `introduced` nothing
    is said of who computes.
    """
    crew = ALONE if team is None else team
    verbose, callbacks = verbose and crew.leads, callbacks if crew.leads else ()
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
    if team is not None:
        crew.require_alike(facts_of(run, plan))
    with followed(crew, fit):
        saver = _begin(fit, plan, callbacks, checkpoint if crew.leads else None, resume and crew.leads, verbose)
    of_steps = of_batches(callbacks)
    called, stepwise, forgives = crew.heard(
        (bool(callbacks), bool(of_steps), any(callback.handles_non_finite for callback in callbacks))
    )
    asked = called or plan.validation is not None
    with (
        followed(crew, fit),
        _ending(fit, plan, callbacks, saver, forgives),
        Progress(plan.epochs, verbose, run.epoch - fit.first, fit.first) as progress,
    ):
        supply = plan.supply(run, crew)
        if team is None:
            _choose(fit, plan, supply.task, engine, verbose and not introduced)
        else:
            run.engine = "numpy"
            _introduce(crew, plan, verbose and not introduced)
        if verbose and small is not None:
            print(small, flush=True)
        steps = Steps(run, supply, run.engine, None if team is None else partial(PiecesSession, team))
        threads = blas_threads(run.engine, run.network, plan.batch_size) if team is None else one_thread()
        with threads, CtrlC(waits=True, others=() if team is None else LEAVING) as ctrl_c:
            while run.epoch - fit.first < plan.epochs and fit.history.stopped is None:
                due = plan.next_due(run.epoch - fit.first) if asked else plan.epochs
                asking = of_steps if stepwise else None
                columns = plan.recorded(_train(fit, steps, fit.first + due, asking, crew, ctrl_c), fit.first)
                if columns:
                    columns = _record(fit, plan, columns, steps, crew)
                    if called:
                        with _calling(crew, fit, ctrl_c):
                            for callback in callbacks:
                                callback.epoch(fit)
                progress.batch(run.epoch - fit.first, steps.done, supply.steps_per_epoch or 2 * steps.done + 1)
                progress.show(columns)
                if saver is not None and not steps.done:
                    saver.mark()
                if steps.failure is not None:
                    raise steps.failure
                if crew.agreed(ctrl_c.pressed):
                    raise KeyboardInterrupt
            steps.close()
    if verbose or (crew.leads and model.history.stopped == INTERRUPTED):
        report(model.history, run.step, run.epoch, sys.stdout if verbose else sys.stderr)
    return fit.history.since(fit.first) if fit.own is None else fit.own


@contextlib.contextmanager
def _calling(crew: Team, fit: Fit, ctrl_c: CtrlC) -> Iterator[None]:
    """Callbacks at work: on rank 0, whose changes the others take over, an interrupt of theirs included."""
    try:
        with followed(crew, fit), ctrl_c.noting(crew.size > 1):
            yield
    except ValueError as error:
        if not str(error).endswith("is read-only"):
            raise
        raise ConfigurationError(
            "fit: a callback tried to change a parameter in place, and during a run it is read-only; assign the whole "
            'array, fit.model.parameters["dense_0.weights"] = array, or all of them, fit.model.parameters = {...}.'
        ) from error


def _train(
    fit: Fit, steps: Steps, epoch: int, of_steps: Sequence[Callback] | None, crew: Team, ctrl_c: CtrlC
) -> Columns:
    """The next block; where callbacks want to know of every step, it is one step long."""
    if of_steps is None:
        return steps.train(epoch)
    with _calling(crew, fit, ctrl_c):
        for callback in of_steps:
            callback.batch_begin(fit)
    steps.size = 1.0
    columns = steps.train(epoch)
    if steps.failure is None:
        fit.batch = steps.one()
        with _calling(crew, fit, ctrl_c):
            for callback in of_steps:
                callback.batch_end(fit)
    return columns


@contextlib.contextmanager
def _ending(
    fit: Fit, plan: Plan, callbacks: Sequence[Callback], saver: Checkpoint | None, forgives: bool
) -> Iterator[None]:
    """However the run inside ends, the history says why, and every part of the end happens, whatever another raises."""
    broken = True  # another error is on its way: nobody asks for the doctor
    try:
        yield
        broken = False
    except KeyboardInterrupt:
        broken = False
        fit.stop(INTERRUPTED)
    except NonFiniteError as error:
        broken = False
        fit.stop(str(error))
        if not forgives:
            raise
    finally:
        with contextlib.ExitStack() as ending:
            if saver is not None:
                ending.callback(saver.finish)
            own = fit.history.since(fit.first)
            fit.history.notes = [] if broken else _notes(fit, plan, own)
            own.notes = list(fit.history.notes)
            fit.own = None if callbacks else own
            for callback in reversed(callbacks):
                ending.callback(callback.end, fit)


def _notes(fit: Fit, plan: Plan, history: History) -> list[str]:
    """What the doctor says; its look at the data leaves no thread of BLAS spinning, which the next run would meet."""
    case, run = case_of(fit, plan, history), fit.run
    if case.data is None:
        return diagnose(case)
    with np.errstate(all="ignore"), blas_threads(run.engine, run.network, plan.batch_size):
        return diagnose(case)


def _record(fit: Fit, plan: Plan, columns: Columns, steps: Steps, crew: Team) -> Columns:
    """Add epochs to the history, with what the validation data give now; returns what was added."""
    own = columns
    if plan.validation is not None:
        held = plan.validation
        if isinstance(held, HeldBatches):
            pair = held.read(fit.run, steps.outputs, crew)
        else:
            pair = held, steps.outputs(held.X)
        measured = crew.heard(evaluate(fit.run, *pair) if crew.leads else None)
        first = {name: columns[name] for name in (EPOCH, "loss", fit.run.loss.metric)}
        own = first | {Column(name, validation=True).name: [value] for name, value in measured.items()} | columns
    fit.history.extend(own)
    return own


def _begin(
    fit: Fit,
    plan: Plan,
    callbacks: Sequence[Callback],
    checkpoint: str | Path | None,
    resume: bool,
    verbose: bool,
) -> Checkpoint | None:
    """Begin every callback, and put everything where the checkpoint says; what fails here ends what had begun."""
    with contextlib.ExitStack() as begun:
        for callback in callbacks:
            callback.begin(fit)
            begun.callback(callback.end, fit)
        saver = None if checkpoint is None else Checkpoint(checkpoint, plan, callbacks, fit)
        if saver is not None and resume:
            saver.resume()
            done = fit.run.epoch
            if verbose and (fit.history.stopped is not None or done - fit.first >= plan.epochs):
                print(f"Nothing is left to train: the run of {checkpoint} has ended, after {done} epochs.", flush=True)
        begun.pop_all()  # all began: from now on the end of the run ends them
    return saver


def _choose(fit: Fit, plan: Plan, task: Task, engine: str, verbose: bool) -> None:
    """Settle the engine: the one asked for, that of the checkpoint, or the best for a run of this length."""
    run = fit.model.run
    name = run.engine if engine == "auto" else engine
    steps = (plan.epochs - (run.epoch - fit.first)) * plan.steps
    run.engine, reason = engines.prepare(name, task, steps, run.step)
    if verbose:
        print(f"Engine {run.engine}: {reason if name == engine else 'as in the checkpoint'}.", flush=True)
    problem = engines.trouble(run.engine)
    if problem is not None:
        run.engine = "numpy"
        if verbose:
            print(f"Engine numpy: {problem}.", flush=True)


def _introduce(team: Team, plan: Plan, verbose: bool) -> None:
    """Say how many ranks share a batch of how many pieces."""
    if not verbose:
        return
    pieces = len(pieces_of(min(plan.batch_size, len(plan.X))))
    idle = f"; {team.size - pieces} of them have nothing to do, take a larger batch_size" if pieces < team.size else ""
    ranks = f"{team.size} rank{'s' if team.size > 1 else ''}"
    print(f"Distributed: {ranks}, a batch is {pieces} pieces{idle}.", flush=True)
