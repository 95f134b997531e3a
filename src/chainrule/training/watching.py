"""The doctor after a run: what is wrong with it, and the line that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..layer import Layer
from .examined import Examined, Remedy
from .history import History
from .sampled import Sampled
from .symptoms import SYMPTOMS, WITHOUT_DATA

if TYPE_CHECKING:
    from .callback import Fit
    from .plan import Plan

__all__ = ["Note", "case_of", "diagnose", "notes"]


class Note(str):
    """A note of `history.notes`: what is wrong and the line that mends it, in Python; `shell` has it for the shell."""

    shell: str

    @classmethod
    def of(cls, finding: Remedy) -> Self:
        """The finding in words."""
        note = cls(f"{finding.says} {finding.python}")
        note.shell = f"{finding.says} {finding.shell or finding.python}"
        return note


def notes(history: History, network: Layer) -> list[str]:
    """What the history alone says, in words: dead units, vanishing gradients. Empty where all is well.

    >>> from chainrule import Dense, ReLU, Sequential
    >>> network = Sequential(Dense(2, 4), ReLU(), Dense(4, 1))
    >>> last = {"epoch": 9, "gradient_norm.dense_0": 1e-9, "gradient_norm.dense_1": 0.1, "dead.relu_0": 0.75}
    >>> for note in notes(History([last]), network): print(note)
    relu_0: 75 % of its units are dead, 0 for every sample of the last epoch: no gradient reaches their weights.
        Lower the learning rate, or use LeakyReLU.
    dense_0: its gradient is 1e-08 of that of dense_1, it vanishes on the way down. Use He() weights, a normalization
        layer, or skip connections with Add.
    """
    return diagnose(Examined(history, network))


def diagnose(case: Examined) -> list[str]:
    """What every symptom of the table says of a case, without those that another one has caused."""
    found: list[str] = []
    explained: set[Any] = set()
    for symptom in SYMPTOMS if case.data is not None else WITHOUT_DATA:
        findings = [] if symptom.find in explained else symptom.findings(case)
        if findings:
            explained.update(symptom.causes)
            found += map(Note.of, findings)
    return found


def case_of(fit: Fit, plan: Plan, history: History) -> Examined:
    """The case of a run that has ended, and whose history this is."""
    run = fit.run
    prepared = getattr(fit.model, "preprocessing", None)
    columns = () if prepared is None else [c.name for c in prepared.columns for _ in c.feature_names]
    broken = fit.history.stopped is not None and not all(np.isfinite(v).all() for v in run.values.values())
    return Examined(
        history,
        run.network,
        None if broken else Sampled.of(run, plan, run.epoch - fit.first),
        run.optimizer.rate(max(run.step - 1, 0) if fit.first else 0) * run.rate_scale,
        type(run.optimizer).__name__,
        plan.validation is not None,
        () if prepared is None else prepared.feature_names,
        columns,
        fit.model.class_names or (() if prepared is None else prepared.class_names),
    )
