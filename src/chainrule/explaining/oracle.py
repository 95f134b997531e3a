"""An independent way to a gradient: the whole network again by `Value`, one number at a time."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ChainruleError
from ..nodes import INPUTS
from ..value import Value
from .cell import LOSS, Cell, rule_scope
from .cells import Cells
from .derivation import Quantity, Witness
from .formula import VALUES, evaluate, fixed, pattern
from .witnesses import compared

__all__ = ["scalar_oracle"]

VALUE_LIMIT = 40_000  # scalar operations


def scalar_oracle(cells: Cells, quantity: Quantity, backward: float) -> Witness:
    """The gradient by `Value`, from the forward formulas of the layers' rules and nothing else of the library."""
    name = "Value, number by number"
    size = _operations(cells)
    if size > VALUE_LIMIT:
        return Witness(name, None, note=f"left out: about {size:,} operations, the limit is {VALUE_LIMIT:,}")
    try:
        value, loss, coarse = _by_values(cells, quantity)
    except (ChainruleError, KeyError, TypeError, AttributeError, OverflowError) as error:
        return Witness(name, None, note=f"left out: {str(error).rstrip('.')}")
    whole = cells.trace.loss
    if not math.isclose(loss, whole, rel_tol=1e-9, abs_tol=1e-12):
        if _tiny(cells):
            return Witness(name, None, note="left out: numbers below 1e-100 lose their digits")
        return Witness(name, value, None, False, f"its loss is {loss:.9g}, that of the network {whole:.9g}")
    largest = float(np.max(np.abs(cells.gradient(quantity.name)), initial=0.0))
    rounding = 1e-14 * max(cells.largest_upstream(cell.name) for cell in cells.cells)
    allowed = max(1e-9 * max(abs(backward), largest), rounding)
    found = compared(cells, quantity, Witness(name, value, note="from the forward formulas alone"), backward, allowed)
    if found.agrees is False and (coarse or _tiny(cells)):
        what = (
            f"the formula of {coarse} loses digits at these numbers" if coarse else "numbers below 1e-100 lose digits"
        )
        return replace(found, agrees=None, note=what)
    return found


def _tiny(cells: Cells) -> bool:
    """Whether a number of the pass is so close to 0 that its products leave the range of float64."""
    arrays = (array for each in cells.available.values() for array in each.values() if isinstance(array, np.ndarray))
    return any(bool(((array != 0) & (np.abs(array) < 1e-100)).any()) for array in arrays if array.dtype.kind == "f")


def _coarse(output: NDArray[Any], known: NDArray[Any]) -> bool:
    """Whether a formula gives a layer's output but for rounding, and yet not to nine digits: log(1 + exp(-30))."""
    numbers = np.array([float(one.data if isinstance(one, Value) else one) for one in output.reshape(-1)]).reshape(
        known.shape
    )
    apart = np.abs(numbers - known)
    rounded = apart <= 1e-12 * max(1.0, float(np.max(np.abs(known), initial=0.0)))
    return bool(rounded.all() and (apart > 1e-10 * np.abs(known)).any())


def _operations(cells: Cells) -> int:
    """About how many scalar operations one forward pass takes."""
    total = 0
    for cell in cells.cells:
        arrays = cells.available[cell.name]
        own = sum(int(np.size(arrays[local])) for local in cell.parameters)
        total += int(np.size(arrays[cell.pair.result])) * 6 + own * len(cells.inputs)
    return total


def _by_values(cells: Cells, quantity: Quantity) -> tuple[float, float, str]:
    """The gradient, the loss, and the class of the first layer whose formula loses digits."""
    coarse = ""
    values = {name: array.astype(object) for name, array in cells.values.items()}
    moved = Value(float(cells.output(quantity.name)[quantity.index]) if quantity.name not in values else 0.0)
    if quantity.name in values:
        moved = Value(float(cells.values[quantity.name][quantity.index]))
        values[quantity.name][quantity.index] = moved
    found: dict[str, Any] = {INPUTS: cells.inputs.astype(object)}
    if quantity.name == INPUTS:
        found[INPUTS][quantity.index] = moved
    for cell in cells.cells:
        read = _gathered(cell.reads, found)
        own = {local: values[name] for local, name in cell.parameters.items()}
        found[cell.name] = _forward_by_values(cells, cell, read, own)
        if not coarse and _coarse(found[cell.name], cells.output(cell.name)):
            coarse = cell.kind
        if cell.name == quantity.name:
            found[cell.name][quantity.index] = moved
    loss = Value(0.0)
    for share, one in zip(cells.shares[:, 0], found[LOSS], strict=True):
        loss = loss + float(share) * one
    for name, terms in cells.penalty_terms.items():
        for term in terms:
            cell = Cell("penalty", term, name, {}, True, "")
            if cell.rule is None:
                raise ChainruleError(f"{cell.kind} has no rule")
            for index in np.ndindex(values[name].shape):
                scope = rule_scope(cell, {"parameter": values[name]}, VALUES, {"...": index})
                loss = loss + evaluate(cell.rule.forward, scope)
    loss.backward()
    return moved.grad, loss.data, coarse


def _gathered(tree: Any, found: dict[str, Any]) -> Any:
    return tuple(_gathered(part, found) for part in tree) if isinstance(tree, tuple) else found[tree]


def _forward_by_values(cells: Cells, cell: Cell, read: Any, own: dict[str, Any]) -> NDArray[Any]:
    """The output of a cell as an array of `Value`, entry by entry from its forward formula."""
    known = cells.available[cell.name]
    arrays = {**own, cell.pair.sources[0]: read, "noise": known["noise"], "targets": known["targets"]}
    if cell.rule is None or not cell.rule.forward:
        return _forward_by_objects(cell, arrays)
    scope = rule_scope(cell, {k: v for k, v in arrays.items() if v is not None}, VALUES)
    letters = pattern(cell.rule.output)[1]
    shape = known[cell.pair.result].shape
    output = np.empty(shape, dtype=object)
    for index in np.ndindex(shape):
        output[index] = evaluate(cell.rule.forward, scope.fixing(**fixed(letters, index)))
    return output


def _forward_by_objects(cell: Cell, arrays: dict[str, Any]) -> NDArray[Any]:
    """A layer without a forward formula, if it is made of sums and products: NumPy calculates with objects too."""
    try:
        output, _ = cell.pair.run_forward(np, {**arrays, "training": cell.training})
    except Exception as error:
        raise ChainruleError(f"{cell.kind} has no rule with a forward formula") from error
    return np.asarray(output, dtype=object)
