"""What one step of the optimizer does to one weight, formula by formula, and what the loss does then."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DerivationError
from ..optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop, gradient_norm
from .cells import Cells
from .derivation import OptimizerStep, Quantity, StepLine
from .formula import SCALARS, Scope, evaluate, substituted
from .witnesses import shifted_loss

__all__ = ["optimizer_step"]

Array = NDArray[Any]
Formulas = tuple[tuple[str, str, str], ...]  # (symbol, formula, why)

_ADAM: Formulas = (
    ("mnew", "beta1*m + (1 - beta1)*g", "running mean of the gradient"),
    ("cnew", "beta2*c + (1 - beta2)*g**2", "running mean of its square"),
    ("mhat", "mnew/(1 - beta1**t)", "corrected for its start at 0"),
    ("chat", "cnew/(1 - beta2**t)", "corrected for its start at 0"),
)
_LAST = "the new weight"


def _formulas(optimizer: Optimizer) -> Formulas | None:
    """The update rule of an optimizer as formulas; None for one of a user's own."""
    kind = type(optimizer)
    if isinstance(optimizer, SGD) and kind is SGD:
        if not optimizer.momentum:
            return (("wnew", "w - eta*g", _LAST),)
        step = "g + mu*vnew" if optimizer.nesterov else "vnew"
        return (("vnew", "mu*v + g", "velocity"), ("wnew", f"w - eta*({step})", _LAST))
    root = "w - eta*g/(sqrt(cnew) + eps)"
    known: dict[type, Formulas] = {
        Adagrad: (("cnew", "c + g**2", "sum of squared gradients"), ("wnew", root, _LAST)),
        RMSprop: (("cnew", "rho*c + (1 - rho)*g**2", "running mean of the squared gradient"), ("wnew", root, _LAST)),
        Adam: (*_ADAM, ("wnew", "w - eta*mhat/(sqrt(chat) + eps)", _LAST)),
        AdamW: (
            *_ADAM,
            ("wdec", "w - eta*lam*w", "decayed, apart from the gradient"),
            ("wnew", "wdec - eta*mhat/(sqrt(chat) + eps)", _LAST),
        ),
    }
    return known.get(kind)


_SETTINGS = {"mu": "momentum", "rho": "rho", "beta1": "beta_1", "beta2": "beta_2", "eps": "epsilon"}
_SLOTS = {"v": "velocity", "m": "momentum", "c": "cache"}


def optimizer_step(
    cells: Cells,
    quantity: Quantity,
    optimizer: Optimizer,
    slots: Mapping[str, Array],
    trainable: tuple[str, ...],
    rates: Mapping[str, float],
    step: int,
) -> OptimizerStep:
    """The step on this loss: the lines for one weight, its new value, the change of the loss predicted and measured.

    Raises `DerivationError` where the formulas and the optimizer's own update disagree.
    """
    parameters = {name: cells.values[name] for name in trainable}
    gradients = {name: cells.trace.gradients[name] for name in trainable}
    following, _ = optimizer.update(np, step, parameters, gradients, slots, rates)
    name, index = quantity.name, quantity.index
    before, after = float(parameters[name][index]), float(following[name][index])
    lines = _lines(optimizer, quantity, parameters, gradients, slots, rates[name], step, after)
    predicted = float(gradients[name][index]) * (after - before)
    measured = shifted_loss(cells, quantity, after - before)[0] - cells.trace.loss
    values = {**cells.values, **following}
    whole = cells.loss_of(cells.run(values=values)) + cells.penalty_of(values) - cells.trace.loss
    predicted_whole = math.fsum(float(np.sum(gradients[n] * (following[n] - parameters[n]))) for n in trainable)
    kind = type(optimizer).__name__
    return OptimizerStep(kind, lines, before, after, predicted, measured, predicted_whole, whole)


def _lines(
    optimizer: Optimizer,
    quantity: Quantity,
    parameters: Mapping[str, Array],
    gradients: Mapping[str, Array],
    slots: Mapping[str, Array],
    rate: float,
    step: int,
    after: float,
) -> tuple[StepLine, ...]:
    name, index = quantity.name, quantity.index
    member = optimizer.member(name)
    numbers: dict[str, float] = {"w": float(parameters[name][index]), "eta": float(rate), "t": step + 1}
    numbers["g"] = float(gradients[name][index])
    lines = [StepLine("g", quantity.gradient, repr(numbers["g"]), numbers["g"], "the gradient, penalties included")]

    def add(symbol: str, formula: str, note: str) -> None:
        scope = Scope(lambda n, index: numbers[n], arithmetic=SCALARS)
        value = float(evaluate(formula, scope))
        lines.append(StepLine(symbol, formula, substituted(formula, scope), value, note))
        numbers["g" if symbol in ("gclip", "gdec") else symbol] = value

    if optimizer.clip_value is not None:
        limit = numbers["a"] = optimizer.clip_value
        add("gclip", "a if g > a else (-a if g < -a else g)", f"limited to ±{limit:g} (clip_value)")
    if optimizer.clip_norm is not None:
        norm = float(gradient_norm(np, _limited(optimizer, gradients)))
        numbers["r"], numbers["a"] = norm, optimizer.clip_norm
        add("gclip", "g*a/r if r > a else g", f"the norm r of all gradients limited to {optimizer.clip_norm:g}")
    numbers["lam"] = member.weight_decay
    if member.weight_decay and not isinstance(member, AdamW):
        add("gdec", "g + lam*w", "weight decay")
    numbers |= {s: float(getattr(member, field)) for s, field in _SETTINGS.items() if hasattr(member, field)}
    carried = {s: f"{name}.{slot}" for s, slot in _SLOTS.items() if slot in member.carried()}
    numbers |= {symbol: float(slots[slot][index]) for symbol, slot in carried.items()}
    formulas = _formulas(member)
    if formulas is None:
        why = f"by {type(member).__name__}, which is not the library's"
        return (*lines, StepLine("wnew", "wnew", repr(after), after, why))
    for symbol, formula, note in formulas:
        add(symbol, formula, note)
    if not math.isclose(numbers["wnew"], after, rel_tol=1e-9, abs_tol=1e-12):
        raise DerivationError(
            f"{type(member).__name__}: the formulas give {numbers['wnew']:.12g} for the new {quantity}, "
            f"pure_update {after:.12g}."
        )
    return tuple(lines)


def _limited(optimizer: Optimizer, gradients: Mapping[str, Array]) -> dict[str, Array]:
    limit = optimizer.clip_value
    return dict(gradients) if limit is None else {n: np.clip(g, -limit, limit) for n, g in gradients.items()}
