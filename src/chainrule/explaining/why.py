"""Why a gradient is zero, or next to nothing: the first place on the way down where it is lost."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import layers
from ..nodes import INPUTS
from .cells import LOSS, Cell, Cells
from .derivation import Quantity
from .labels import Labels

__all__ = ["why_zero"]

SMALL = 1e-7  # of the largest gradient at the predictions: below this the gradient has vanished
FLAT = 1e-3  # a slope below this is that of a saturated unit
Array = NDArray[Any]


def why_zero(cells: Cells, quantity: Quantity, value: float, labels: Labels) -> str:
    """The reason in one or two sentences; empty where the gradient is of a usual size."""
    predictions = cells[LOSS].reads
    largest = cells.largest_upstream(predictions) if isinstance(predictions, str) and predictions != INPUTS else 0.0
    if value != 0 and (not largest or abs(value) >= SMALL * largest):
        return ""
    zero = "The gradient is 0" if value == 0 else f"The gradient is all but 0 ({value:.3g})"
    name = labels.written(quantity)
    rows = _rows(cells, quantity)
    if not cells.shares[rows].any():
        return f"{zero}: the sample has no share in the loss, its weight is 0."
    if isinstance(predictions, str) and predictions in cells.order and not cells.gradient(predictions)[rows].any():
        return f"{zero} because the fit is perfect: every prediction has the slope 0, so nothing comes back."
    if largest and value and largest < 1e-9:
        return f"{zero} because the fit is all but perfect: the largest slope at a prediction is {largest:.3g}."
    uses = cells.readers.get(quantity.name, ())
    if not uses:
        return f"{zero}: nothing reads {name} on the way to the loss."
    for cell, source in uses:
        if source.local in cells[cell.name].parameters and isinstance(cell.pair, layers.Dense):
            reason = _of_weight(cells, cell, source.local, quantity, labels)
            if reason:
                return f"{zero}: {reason}"
    return f"{zero}: {_where_lost(cells, uses[0][0], quantity, labels)}"


def _rows(cells: Cells, quantity: Quantity) -> slice:
    """The samples that count: all for a parameter, its own for a value."""
    mixed = any(cell.mixes for cell in cells.cells)
    return slice(None) if quantity.name in cells.values or mixed else slice(quantity.index[0], quantity.index[0] + 1)


def _of_weight(cells: Cells, cell: Cell, local: str, quantity: Quantity, labels: Labels) -> str:
    """What makes the gradient of a weight or a bias vanish: its input, its neuron, or a sum that cancels."""
    upstream = cells.gradient(cell.name)  # (B,N)
    neuron = quantity.index[-1]
    if upstream.ndim != 2:
        return ""
    at_neuron = upstream[:, neuron]  # (B,)
    if local == "weights" and isinstance(cell.reads, str):
        read = cells.output(cell.reads)[:, quantity.index[0]]  # (B,)
        what = labels.entry(cell.parameters["weights"], -2, quantity.index[0])
        of = f"what it multiplies, {what if isinstance(what, str) else f'{cell.reads}[b,{what}]'},"
        if not read.any():
            inputs = (
                "a pixel or column that is always 0 teaches nothing" if cell.reads == INPUTS else "that neuron is off"
            )
            return f"{of} is 0 in every one of the {len(read)} samples ({inputs})."
        if at_neuron.any() and not (read * at_neuron).any():
            return f"in each sample either {of} is 0 or no gradient arrives at the neuron."
        products = read * at_neuron
    else:
        products = at_neuron
    whole = float(np.abs(products).sum())
    if whole and abs(products.sum()) < 1e-9 * whole:
        count = int(np.count_nonzero(products))
        most = float(np.abs(products).max())
        return f"the contributions of {count} samples cancel each other; alone they are up to {most:.3g}."
    return ""


def _where_lost(cells: Cells, first: Cell, quantity: Quantity, labels: Labels) -> str:
    """Follows the gradient down from the loss and names the layer at which it is lost."""
    rows = _rows(cells, quantity)
    path = _path(cells, first)
    of_neuron = isinstance(first.pair, layers.Dense) and quantity.name in cells.values
    column = quantity.index[-1] if of_neuron else None
    sizes: list[tuple[str, float]] = []
    for cell in path:
        gradient = cells.gradient(cell.name)[rows] if cell.name != LOSS else cells.shares[rows]
        sizes.append((cell.name, float(np.max(np.abs(gradient), initial=0.0))))
    lost = _of_unit(cells, path, column, rows, labels)
    if lost:
        return lost
    shrunk = [(after / before if before else 1.0, above, below) for (above, before), (below, after) in pairwise(sizes)]
    if shrunk:
        factor, above, below = min(shrunk)
        if factor == 0:
            return f"no gradient gets below {above}: every entry of {below} receives 0."
        told = ", ".join(f"{name} {size:.2g}" for name, size in sizes)
        return (
            f"it vanishes on the way down, most between {above} and {below} (to {factor:.2g} of what it was). The "
            f"largest gradient of each layer from the loss down: {told}."
        )
    return "each of its terms is 0."


def _path(cells: Cells, first: Cell) -> list[Cell]:
    """The cells from the loss down to the first, along the first reader of each."""
    found = [first]
    while found[-1].name != LOSS:
        readers = cells.readers.get(found[-1].name, ())
        if not readers:
            break
        found.append(readers[0][0])
    return found[::-1]


def _of_unit(cells: Cells, path: list[Cell], column: int | None, rows: slice, labels: Labels) -> str:
    """A unit that is dead or saturated on every sample, right above the neuron or the value that is asked for."""
    for cell in path[::-1]:
        if isinstance(cell.pair, layers.ReLU) and isinstance(cell.reads, str):
            read = cells.output(cell.reads)[rows]
            own = read[:, column] if column is not None and read.ndim == 2 and column < read.shape[1] else read
            if own.size and (own <= 0).all():
                what = f"neuron {column} of {cell.name}" if column is not None else cell.name
                return (
                    f"{what} is off in every sample (a dead unit: the largest number it reads is "
                    f"{float(own.max()):.3g}, and ReLU's slope is 0 there), so nothing comes back through it."
                )
        if isinstance(cell.pair, layers.Sigmoid | layers.Tanh) and isinstance(cell.reads, str):
            out = cells.output(cell.name)[rows]
            own = out[:, column] if column is not None and out.ndim == 2 and column < out.shape[1] else out
            slope = own * (1 - own) if isinstance(cell.pair, layers.Sigmoid) else 1 - own * own
            if own.size and (np.abs(slope) < FLAT).all():
                what = f"neuron {column} of {cell.name}" if column is not None else cell.name
                return (
                    f"{what} is saturated in every sample: its output is near {float(np.mean(own)):.4g}, where the "
                    f"curve is flat (largest slope {float(np.max(np.abs(slope))):.2g})."
                )
        if isinstance(cell.pair, layers.Dense) and cell is not path[-1]:
            break
    return ""
