"""How the parameters are updated: runs of them that lie side by side and have the same rule and settings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import optimizers, penalties
from ...optimizers import Optimizer
from ..contract import NotCovered, Task
from .layout import ENUMS, SEGMENT

__all__ = ["segments_of"]

_OPTIMIZERS: dict[type, str] = {
    optimizers.SGD: "sgd", optimizers.Adagrad: "adagrad", optimizers.RMSprop: "rmsprop", optimizers.Adam: "adam",
    optimizers.AdamW: "adamw",
}  # fmt: skip


def segments_of(task: Task, places: dict[str, tuple[int, int]]) -> NDArray[Any]:
    """How each trainable parameter is updated, a table of `Segment`. Raises `NotCovered`."""
    terms, names = task.network.penalty_terms(), task.network.trainable_names()
    rows: list[list[Any]] = []
    keys: list[Any] = []
    for column, name in enumerate(names):
        member = task.optimizer.member(name)
        for term in terms.get(name, ()):
            if type(term) not in (penalties.L1, penalties.L2):
                raise NotCovered(f"the penalty {type(term).__name__}")
        l1, l2 = (sum(t.rate for t in terms.get(name, ()) if type(t) is kind) for kind in (penalties.L1, penalties.L2))
        own = (*_settings(member), l1, l2)
        begin, end = places[name]
        key = (_rule(member), own, id(member.learning_rate))
        if keys and keys[-1] == key and rows[-1][1] == begin:
            rows[-1][1] = end
        else:
            rows.append([begin, end, ENUMS["Rule"][_rule(member)], column, *own])
            keys.append(key)
    if any(name not in names for name in terms):
        raise NotCovered("a penalty on a frozen parameter")
    return np.array([tuple(row) for row in rows], dtype=SEGMENT)


def _rule(member: Optimizer) -> str:
    kind = type(member)
    if kind not in _OPTIMIZERS:
        raise NotCovered(f"the optimizer {kind.__name__}")
    if isinstance(member, optimizers.SGD) and member.momentum:
        return "nesterov" if member.nesterov else "momentum"
    return _OPTIMIZERS[kind]


def _settings(member: Optimizer) -> tuple[float, float, float, float]:
    first = getattr(member, "beta_1", getattr(member, "rho", getattr(member, "momentum", 0.0)))
    return member.weight_decay, first, getattr(member, "beta_2", 0.0), getattr(member, "epsilon", 0.0)
