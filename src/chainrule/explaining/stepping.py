"""What one step of the optimizer does to one weight, formula by formula, and what the loss does then."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DerivationError
from ..optimizers import Optimizer, gradient_norm
from ..symbolic import Expression, Traced, leaf, trace_update
from ..symbolic.calculus import names_of, replaced, settings_of
from ..symbolic.expression import walk
from ..symbolic.formulas import formula
from ..symbolic.readable import readable
from .cells import Cells
from .derivation import OptimizerStep, Quantity, StepLine
from .formula import SCALARS, Scope, evaluate, substituted
from .witnesses import shifted_loss

__all__ = ["optimizer_step", "update_formulas"]

Array = NDArray[Any]
Formulas = tuple[tuple[str, str, str], ...]  # (symbol, formula, why)

# How formulas write what every optimizer reads; its own settings, slots and values are in its class, in `letters`.
_LETTERS = {
    "parameter": "w",
    "gradient": "g",
    "rate": "eta",
    "weight_decay": "lam",
    "epsilon": "eps",
    "step": "(t - 1)",
}
_NOTES = {"decayed_gradient": "weight decay", "decayed_parameter": "decayed, apart from the gradient"}
_LAST = "the new weight"


def update_formulas(member: Optimizer, traced: Traced) -> Formulas:
    """The update rule line by line, as its trace says it: decay, new slots, values with a letter, the new weight."""
    named = (member.letters, member.notes, traced.kept, traced.variables)
    return _update_formulas(traced.forward, *(tuple(names.items()) for names in named))


@functools.lru_cache(maxsize=64)
def _update_formulas(
    new: Expression,
    own_letters: tuple[tuple[str, str], ...],
    own_notes: tuple[tuple[str, str], ...],
    kept: tuple[tuple[str, Expression], ...],
    variables: tuple[tuple[str, Expression], ...],
) -> Formulas:
    own, notes, values = dict(own_letters), dict(own_notes), dict(variables)
    letters = {**_LETTERS, **own}
    lines: dict[Expression, tuple[str, str]] = {}
    for name, letter in (("decayed_gradient", "gdec"), ("decayed_parameter", "wdec")):
        if name in values:
            lines[values[name]] = (letter, _NOTES[name])
    for name, slot in kept:
        lines[slot] = (f"{letters.get(name, name)}_new", notes.get(name, f"the new {name}"))
    for name, value in variables:
        if name in own:
            lines.setdefault(value, (own[name], notes.get(name, "")))
    lines[new] = ("w_new", _LAST)
    known: dict[Expression, Expression] = {leaf("name", "step") + 1: leaf("name", "t")}
    found = []
    for node in walk(*(slot for _, slot in kept), new):
        if node in lines:
            symbol, note = lines[node]
            expression = readable(replaced(node, known))
            names = {name: letters.get(name, name) for name in names_of(expression)}
            names |= {setting: letters.get(setting, setting) for setting in settings_of(expression)}
            found.append((symbol, formula(expression, names), note))
            known[node] = leaf("name", "gradient" if symbol == "gdec" else symbol)
    return tuple(found)


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

    def add(symbol: str, written: str, note: str) -> None:
        scope = Scope(lambda n, index: numbers[n], arithmetic=SCALARS)
        value = float(evaluate(written, scope))
        lines.append(StepLine(symbol, written, substituted(written, scope), value, note))
        numbers["g" if symbol in ("gclip", "gdec") else symbol] = value

    if optimizer.clip_value is not None:
        limit = numbers["a"] = optimizer.clip_value
        add("gclip", "a if g > a else (-a if g < -a else g)", f"limited to ±{limit:g} (clip_value)")
    if optimizer.clip_norm is not None:
        norm = float(gradient_norm(np, _limited(optimizer, gradients)))
        numbers["r"], numbers["a"] = norm, optimizer.clip_norm
        add("gclip", "g*a/r if r > a else g", f"the norm r of all gradients limited to {optimizer.clip_norm:g}")
    traced = trace_update(member)
    if not isinstance(traced, Traced):
        return (*lines, StepLine("w_new", "w_new", repr(after), after, f"by pure_update; {traced.reason}"))
    letters = {**_LETTERS, **member.letters}
    settings = settings_of(traced.forward, *traced.kept.values(), *traced.variables.values())
    numbers |= {letters.get(setting, setting): float(value) for setting, value in settings.items()}
    numbers |= {letters.get(slot, slot): float(slots[f"{name}.{slot}"][index]) for slot in member.carried()}
    for symbol, written, note in update_formulas(member, traced):
        add(symbol, written, note)
    if not math.isclose(numbers["w_new"], after, rel_tol=1e-9, abs_tol=1e-12):
        raise DerivationError(
            f"{type(member).__name__}: the formulas give {numbers['w_new']:.12g} for the new {quantity}, "
            f"pure_update {after:.12g}."
        )
    return tuple(lines)


def _limited(optimizer: Optimizer, gradients: Mapping[str, Array]) -> dict[str, Array]:
    limit = optimizer.clip_value
    return dict(gradients) if limit is None else {n: np.clip(g, -limit, limit) for n, g in gradients.items()}
