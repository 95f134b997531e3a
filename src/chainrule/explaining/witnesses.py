"""An independent way to a gradient: central differences. And the loss along a number, as a curve."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..nodes import INPUTS
from .cell import LOSS, Cell, Source, rule_scope
from .cells import Cells
from .derivation import Quantity, Witness
from .formula import ARRAYS, evaluate, fixed, pattern

__all__ = ["central_difference", "compared", "loss_curve", "shifted_loss"]

STEPS = tuple(4.0**-k for k in range(3, 12))  # 0.016 … 2.4e-7, times the size of the quantity
EPSILON = float(np.finfo(np.float64).eps)
TOLD = 1e-3  # two numbers that are further apart, though within the rounding, confirm nothing


def shifted_loss(cells: Cells, quantity: Quantity, shift: float) -> tuple[float, dict[str, dict[str, Any]]]:
    """The loss with one number moved, and the forward pass that it comes from."""
    name, index = quantity.name, quantity.index
    readers = cells.readers.get(name, [])
    first = min((cells.order[cell.name] for cell, _ in readers), default=len(cells.cells))
    values, inputs, nudged, penalty = cells.values, cells.inputs, None, cells.trace.penalty
    if name == INPUTS:
        inputs = inputs.copy()
        inputs[index] += shift
    elif name in values:
        values = {**values, name: values[name].copy()}
        values[name][index] += shift
        penalty = cells.penalty_of(values)
    else:
        first, nudged = cells.order[name], (name, index, shift)
    available = cells.run(first, values, inputs, nudged)
    return cells.loss_of(available) + penalty, available


def loss_curve(cells: Cells, quantity: Quantity, current: float, points: int) -> Iterator[tuple[float, float]]:
    """The loss at values of the quantity to both sides of the current one."""
    reach = max(1.0, 2 * abs(current))
    for shift in np.linspace(-reach, reach, points):
        with np.errstate(all="ignore"):
            loss = shifted_loss(cells, quantity, float(shift))[0]
        if math.isfinite(loss):
            yield current + float(shift), loss


def central_difference(cells: Cells, quantity: Quantity, current: float, backward: float) -> Witness:
    """(L(w+h) - L(w-h)) / 2h for smaller and smaller h, extrapolated; steps that cross a kink do not count.

    The error is what the last extrapolation changed, or the rounding of the losses, whichever is larger.
    """
    size, loss = max(1.0, abs(current)), cells.trace.loss
    table: list[list[float]] = []
    best, error, crossed, step = math.nan, math.inf, 0, 0.0
    for scale in STEPS:
        h = scale * size
        above, passed = shifted_loss(cells, quantity, h)
        below, passed_below = shifted_loss(cells, quantity, -h)
        crossed = _kinks(cells, passed, passed_below)
        if not (math.isfinite(above) and math.isfinite(below)):
            continue
        slope = (above - below) / (2 * h)
        rounding = (
            4
            * EPSILON
            * max(_rounded_away(cells, p) + abs(at) for p, at in ((passed, above), (passed_below, below)))
            / h
        )
        if crossed:
            if scale == STEPS[-1]:
                best, error, step = slope, math.nan, h
            continue
        row = [slope]
        for k, before in enumerate(table[-1] if table else []):
            row.append(row[k] + (row[k] - before) / (16.0 ** (k + 1) - 1))
        guess = [max(abs(row[k] - row[k - 1]), abs(row[k] - table[-1][k - 1]), rounding) for k in range(1, len(row))]
        for k, estimate in enumerate([max(rounding, abs(slope)) if not table else math.inf, *guess]):
            if estimate < error:
                best, error, step = row[k], estimate, h
        table.append(row)
    if math.isnan(best):
        return Witness("central difference", None, note="the loss is not finite near the current value")
    note = f"h down to {step:.2g}"
    if crossed:
        note = f"{crossed} kink{'s' * (crossed > 1)} within h = {step:.1g} of the current value, so no single slope"
        return Witness("central difference", best, None, None, note)
    if _kinks_unknown(cells) and abs(best - backward) > 10 * error:
        jump = _one_sided(cells, quantity, loss, step)
        if jump > 100 * error:
            note = f"the slopes to both sides differ by {jump:.2g}: a kink at the current value"
            return Witness("central difference", best, None, None, note)
    allowed = max(20 * error, 1e-7 * abs(backward), 1e-10 * abs(loss))
    found = compared(cells, quantity, Witness("central difference", best, error, note=note), backward, allowed)
    if found.agrees and abs(best - backward) > TOLD * max(abs(best), abs(backward)):
        note = f"rounding of the loss, ± {max(error, allowed):.1g}, is as large as the gradient"
        return replace(found, agrees=None, note=note)
    return found


def _rounded_away(cells: Cells, passed: Mapping[str, Mapping[str, Any]]) -> float:
    """What the rounding of a loss is proportional to, beside its size: a tiny loss is the difference of larger numbers.

    The predictions are rounded, and with them the loss by its slope there. A logarithm rounds like 1, however close to
    0 it is: the rounding of its argument stays.
    """
    loss, arrays = cells[LOSS], passed[LOSS]
    predictions = np.abs(arrays["predictions"])  # (B,O)
    slopes = loss.pair.run_backward(np, cells.shares, arrays)["predictions"]  # (B,O)
    whole = float(np.sum(np.abs(slopes) * predictions.max(axis=1, keepdims=True)))
    if loss.rule is None or any(
        "log(" in text or "exp(" in text for text in (loss.rule.forward, *loss.rule.where.values())
    ):
        whole += float(np.sum(cells.shares[:, 0] * np.maximum(predictions.max(axis=1), 1.0)))
    return whole


def compared(cells: Cells, quantity: Quantity, witness: Witness, backward: float, allowed: float) -> Witness:
    """The witness with its verdict.

    Where predictions are clipped to a constant, backward is by convention not the derivative: a difference that is no
    larger than this part neither confirms nor contradicts it.
    """
    assert witness.value is not None
    if abs(witness.value - backward) <= allowed:
        return replace(witness, agrees=True)
    clipped = _clipped_predictions(cells)
    if clipped is None:
        return replace(witness, agrees=False)
    whole, passed = (cells.backward_from(cells.shares, quantity.name, quantity.index, h) for h in (None, clipped))
    without = backward - whole + passed
    if abs(witness.value - without) > max(allowed, 1e-7 * abs(without)):
        return replace(witness, agrees=False)
    count = np.count_nonzero(clipped)
    note = f"{count} clipped prediction{'s' if count > 1 else ''}, whose gradient passes by convention"
    return replace(witness, agrees=None, note=f"{note}; without it backward is {without:.12g}")


def _clipped_predictions(cells: Cells) -> NDArray[Any] | None:
    """Which predictions the loss clips; None where it clips none."""
    loss = cells[LOSS]
    if loss.rule is None or not loss.rule.clipped:
        return None
    clipped = np.any([_signs(loss, formula, cells.available[LOSS]) > 0 for formula in loss.rule.clipped], axis=0)
    return clipped if clipped.any() else None


def _one_sided(cells: Cells, quantity: Quantity, loss: float, h: float) -> float:
    """The difference of the slopes to the right and to the left, beyond what curvature explains."""

    def bend(h: float) -> float:
        return (shifted_loss(cells, quantity, h)[0] - 2 * loss + shifted_loss(cells, quantity, -h)[0]) / h

    return abs(2 * bend(h / 2) - bend(h))  # curvature alone halves with h


def _kinks(cells: Cells, above: Any, below: Any) -> int:
    """How many kinks of the layers' rules lie between two forward passes."""
    count = 0
    for cell in cells.cells:
        if cell.rule is None or above[cell.name] is cells.available[cell.name]:
            continue
        for kink in cell.rule.kinks:
            signs = [_signs(cell, kink, available[cell.name]) for available in (above, below)]
            count += int(np.count_nonzero(signs[0] != signs[1]))
    return count


def _signs(cell: Cell, kink: str, arrays: Any) -> NDArray[Any]:
    scope = rule_scope(cell, arrays, ARRAYS)
    assert cell.rule is not None
    local = next(iter(cell.rule.arrays))
    letters = pattern(cell.rule.arrays[local])[1]
    array = Source(*_split(local)).of(arrays)
    grid = np.indices(np.shape(array))
    return np.asarray(np.sign(evaluate(kink, scope.fixing(**fixed(letters, tuple(grid))))))


def _split(entry: str) -> tuple[str, tuple[int, ...]]:
    local, *path = entry.split(".")
    return local, tuple(map(int, path))


def _kinks_unknown(cells: Cells) -> bool:
    """Whether a layer without a rule may have kinks that nothing declares."""
    return any(cell.rule is None for cell in cells.cells)
