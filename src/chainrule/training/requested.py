"""What a call of `fit` asks for, and how it is carried out: one run, or one and then another on all samples."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..ranks import ALONE, Team
from .callback import Callback
from .checkpoint import write_settled
from .fitting import run_plan
from .history import INTERRUPTED, History
from .learner import Learner
from .plan import Plan
from .settling import Falling, Settling, said_before

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Requested"]


class Requested(NamedTuple):
    """What a call of `fit` asks for."""

    plan: Plan  # on all samples
    part: float  # of them that is held out
    weights: NDArray[np.float64] | None  # what those count, (S,): class weights count in training alone
    callbacks: tuple[Callback, ...]

    def carry_out(
        self,
        model: Learner,
        verbose: bool,
        checkpoint: str | Path | None,
        resume: bool,
        engine: str,
        team: Team | None = None,
    ) -> History:
        """Train the model, and let it settle where a callback says so."""
        settling = Settling.of(self.callbacks, self.part)
        plan = self.plan.split(self.part, model.run, self.weights)
        if settling is None:
            return run_plan(model, plan, self.callbacks, verbose, checkpoint, resume, engine, team)
        first = replace(plan, epochs=settling.before(plan.epochs))
        history = run_plan(model, first, self.callbacks, verbose, checkpoint, resume, engine, team)
        crew = ALONE if team is None else team
        epochs = crew.heard(settling.after(history, plan.epochs, self.callbacks) if crew.leads else 0)
        return self._settle(model, history, epochs, verbose and crew.leads, checkpoint, team) if epochs else history

    def _settle(
        self,
        model: Learner,
        history: History,
        epochs: int,
        verbose: bool,
        checkpoint: str | Path | None,
        team: Team | None,
    ) -> History:
        """So many epochs on all samples, after those of the history.

        Where the checkpoint of a run that ended is resumed it settles anew, and so ends with the same parameters.
        """
        if verbose:
            samples = len(self.plan.X)
            print(f"Settling: {epochs} epochs on all {samples} samples, at a rate that falls to 0.", flush=True)
        with said_before(model.history):
            whole = replace(self.plan, epochs=epochs)
            run_plan(model, whole, [Falling()], verbose, None, False, model.run.engine, team, introduced=True)
        leads = team is None or team.leads
        if checkpoint is not None and leads and model.history.stopped != INTERRUPTED:
            write_settled(checkpoint, model)
        return model.history.since(int(history["epoch"][0]) - 1)
