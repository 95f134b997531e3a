"""Why a gradient is zero, or next to nothing: the first place on the way down where it is lost."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import layers
from ..nodes import INPUTS
from .cell import LOSS, Cell
from .cells import Cells
from .derivation import Line, Quantity
from .labels import Labels
from .notation import number
from .upstream import Upstream

__all__ = ["why_zero"]

SMALL = 1e-7  # of the largest gradient at the predictions: below this the gradient has vanished
UNDERFLOW = 1e-200  # gradients below this are lost in products, however far from 0 each factor is
MOST_TOLD = 8  # layers whose gradients are told
FLAT = 1e-3  # a slope below this is that of a saturated unit
Array = NDArray[Any]
Index = tuple[int, ...]


def why_zero(cells: Cells, last: Line, value: float, labels: Labels) -> str:
    """The reason in one or two sentences; empty where the gradient is of a usual size."""
    quantity, predictions = last.quantity, cells[LOSS].reads
    largest = cells.largest_upstream(predictions) if isinstance(predictions, str) and predictions != INPUTS else 0.0
    if value != 0 and (not largest or abs(value) >= SMALL * largest):
        return ""
    zero = "The gradient is 0" if value == 0 else f"The gradient is all but 0 ({number(value, 3)})"
    name = labels.written(quantity)
    rows = _rows(cells, quantity)
    if not cells.shares[rows].any():
        return f"{zero}: the sample has no share in the loss, its weight is 0."
    if isinstance(predictions, str) and predictions in cells.order and not cells.gradient(predictions)[rows].any():
        if isinstance(cells[LOSS].pair, Upstream):
            return f"{zero}: the gradient that is given at the output is 0, so nothing comes back."
        return f"{zero} because the fit is perfect: every prediction has the slope 0, so nothing comes back."
    if largest and value and largest < 1e-9:
        return f"{zero} because the fit is all but perfect: the largest slope at a prediction is {number(largest, 3)}."
    uses = cells.readers.get(quantity.name, ())
    if not uses:
        return f"{zero}: nothing reads {name} on the way to the loss."
    for cell, source in uses:
        if source.local in cells[cell.name].parameters and isinstance(cell.pair, layers.Dense):
            reason = _of_weight(cells, cell, source.local, quantity, labels)
            if reason:
                return f"{zero}: {reason}"
    return f"{zero}: {_where_lost(cells, uses[0][0], last, labels)}"


def _rows(cells: Cells, quantity: Quantity) -> slice:
    """The samples that count: its own for a value, all for a parameter, unless one alone has a share in the loss."""
    if any(cell.mixes for cell in cells.cells):
        return slice(None)
    shares = np.flatnonzero(cells.shares[:, 0])
    if quantity.name in cells.values and (len(shares) != 1 or len(cells.shares) == 1):
        return slice(None)
    row = int(shares[0]) if quantity.name in cells.values else quantity.index[0]
    return slice(row, row + 1)


def _in_samples(rows: slice) -> str:
    return "in every sample" if rows == slice(None) else f"for sample {rows.start}"


def _of_weight(cells: Cells, cell: Cell, local: str, quantity: Quantity, labels: Labels) -> str:
    """What makes the gradient of a weight or a bias vanish: its input, its neuron, or a sum that cancels."""
    upstream, rows = cells.gradient(cell.name), _rows(cells, quantity)  # (B,N)
    if upstream.ndim != 2:
        return ""
    at_neuron = upstream[rows, quantity.index[-1]]  # (B,)
    if local == "weights" and isinstance(cell.reads, str):
        read = cells.output(cell.reads)[rows, quantity.index[0]]  # (B,)
        what = labels.entry(cell.parameters["weights"], -2, quantity.index[0])
        of = f"what it multiplies, {what if isinstance(what, str) else f'{cell.reads}[b,{what}]'},"
        if not read.any():
            why = " (that neuron is off)" if cell.reads in cells.order and cells[cell.reads].kind == "ReLU" else ""
            always = cell.reads == INPUTS and rows == slice(None)
            why = " (a pixel or column that is always 0 teaches nothing)" if always else why
            return f"{of} is 0 {_in_samples(rows)}{why}."
        if at_neuron.any() and not (read * at_neuron).any():
            return f"in each sample either {of} is 0 or no gradient arrives at the neuron."
        products = read * at_neuron
    else:
        products = at_neuron
    whole = float(np.abs(products).sum())
    if whole and abs(products.sum()) < 1e-9 * whole:
        count = int(np.count_nonzero(products))
        most = float(np.abs(products).max())
        return f"the contributions of {count} samples cancel each other; alone they are up to {number(most, 3)}."
    return ""


def _where_lost(cells: Cells, first: Cell, last: Line, labels: Labels) -> str:
    """Follows the gradient down from the loss and names the layer at which it is lost."""
    rows, path = _rows(cells, last.quantity), _path(cells, first)
    lost = _of_unit(cells, path, last.quantity) or _of_terms(last)
    if lost:
        return lost
    sizes: list[tuple[str, float]] = []
    for cell in path[1:] if isinstance(path[0].pair, Upstream) else path:
        gradient = cells.gradient(cell.name)[rows] if cell.name != LOSS else cells.shares[rows]
        sizes.append((cell.name, float(np.max(np.abs(gradient), initial=0.0))))
    shrunk = [(after / before if before else 1.0, above, below) for (above, before), (below, after) in pairwise(sizes)]
    factor, above, below = min(shrunk, default=(1.0, "", ""))
    if factor == 0:
        return f"no gradient gets below {above}: {_of_layer(cells, cells[above], rows)}."
    if last.value == 0 and sizes[-1][1] > UNDERFLOW:  # lost at one place, not on the way
        return _of_wires(cells, first, last)
    if factor < 1:
        shown = sizes[:: 1 + len(sizes) // MOST_TOLD]
        shown += sizes[-1:] if shown[-1] is not sizes[-1] else []
        told = ", ".join(f"{name} {number(size, 2)}" for name, size in shown)
        return (
            f"it vanishes on the way down, most between {above} and {below} (to {number(factor, 2)} of what it was). "
            f"The largest gradient of {'each layer' if shown == sizes else 'some layers'} from the loss down: {told}."
        )
    return _of_wires(cells, first, last)


def _of_layer(cells: Cells, cell: Cell, rows: slice) -> str:
    """Why a layer passes nothing of what arrives at it."""
    if isinstance(cell.pair, layers.ReLU):
        return "every neuron at which one arrives is off"
    if isinstance(cell.pair, layers.Dense):
        arrives = cells.gradient(cell.name)[rows].reshape(-1, cells.output(cell.name).shape[-1]).any(axis=0)  # (N,)
        if cells.values[cell.parameters["weights"]][:, arrives].any():
            return "what its neurons send back cancels"
        return "every weight of a neuron at which one arrives is 0"
    return "its slope is 0 wherever one arrives"


def _of_wires(cells: Cells, first: Cell, last: Line) -> str:
    """Why nothing at all comes back through the layer above: from its neurons, or along the wires to them."""
    gradient, quantity = cells.gradient(first.name), last.quantity
    if not isinstance(first.pair, layers.Dense) or gradient.ndim != 2:
        if gradient.shape == cells.gradient(quantity.name).shape and not gradient[quantity.index]:
            return f"no gradient arrives at {Quantity(first.name, quantity.index)}, which it feeds."
        return f"the slope of {first.name} by it is 0 wherever a gradient arrives."
    if quantity.name in cells.values:
        return f"no gradient arrives at neuron {quantity.index[-1]} of {first.name}{_cut_off(cells, first, quantity)}."
    weights = cells.values[first.parameters["weights"]][quantity.index[-1]]  # (N,)
    at_neurons = gradient[quantity.index[0]]  # (N,)
    if not at_neurons.any():
        return f"no gradient arrives at any neuron of {first.name} that it feeds."
    if not weights.any():
        return f"every weight from it to the neurons of {first.name} is 0."
    return f"every wire from it to {first.name} has the weight 0, or leads to a neuron at which no gradient arrives."


def _cut_off(cells: Cells, first: Cell, quantity: Quantity) -> str:
    """Whether all that a neuron feeds, through activations alone, are weights of 0."""
    cell, unit = first, quantity.index[-1]
    while cell.name in cells.readers and len(cells.readers[cell.name]) == 1:
        given, cell = cells.output(cell.name), cells.readers[cell.name][0][0]  # (B,N)
        if isinstance(cell.pair, layers.Dense):
            weights = cells.values[cell.parameters["weights"]]  # (N,M)
            zero = len(weights) == given.shape[-1] and not weights[unit].any()
            return f": every weight from it to the neurons of {cell.name} is 0" if zero else ""
        if cell.name == LOSS or cell.mixes or cells.output(cell.name).shape != given.shape:
            break
    return ""


def _of_terms(last: Line) -> str:
    """Terms that cancel each other, so that next to nothing is left of them."""
    products = [term.product for term in last.terms if term.product]
    whole = sum(map(abs, products)) + abs(last.rest_sum)
    if len(products) < 2 or abs(last.value) >= 1e-9 * whole:
        return ""
    largest = number(max(products, key=abs), 3)
    return f"its {len(products) + last.rest_count} terms cancel each other; the largest is {largest}."


def _path(cells: Cells, first: Cell) -> list[Cell]:
    """The cells from the loss down to the first, along the first reader of each."""
    found = [first]
    while found[-1].name != LOSS:
        readers = cells.readers.get(found[-1].name, ())
        if not readers:
            break
        found.append(readers[0][0])
    return found[::-1]


def _of_unit(cells: Cells, path: list[Cell], quantity: Quantity) -> str:
    """A unit that is dead or saturated on every sample, right above the neuron or the value that is asked for."""
    rows, first = _rows(cells, quantity), path[-1]
    entry: Index | None = quantity.index[1:]  # which number of a sample: of what the first layer reads
    if quantity.name in cells.values or isinstance(first.pair, layers.Dense):
        of_neuron = isinstance(first.pair, layers.Dense) and quantity.name in cells.values
        entry = quantity.index[-1:] if of_neuron else None  # of what the first layer gives: None for all of it
    samples = _in_samples(rows)
    for cell in path[::-1]:
        if isinstance(cell.pair, layers.Dense) and cell is not first:
            break
        lost = _of_activation(cells, cell, entry, rows, samples) if isinstance(cell.reads, str) else ""
        if lost:
            return lost
    return ""


def _of_activation(cells: Cells, cell: Cell, entry: Index | None, rows: slice, samples: str) -> str:
    """Whether an activation is dead, or saturated, at an entry of every one of these samples."""

    def own(name: str) -> Array:
        array = cells.output(name)[rows]
        if entry is None or len(entry) != array.ndim - 1:
            return array
        place: Any = (slice(None), *entry)
        chosen: Array = array[place]
        return chosen

    assert isinstance(cell.reads, str)
    what = f"{'every neuron' if entry is None else 'neuron ' + ','.join(map(str, entry))} of {cell.name}"
    if isinstance(cell.pair, layers.ReLU):
        read = own(cell.reads)
        if read.size and (read <= 0).all():
            dead = "a dead unit: " if entry is not None and len(read) > 1 else ""
            dead += "the largest number it reads is" if read.size > 1 else "it reads"
            return (
                f"{what} is off {samples} ({dead} {number(float(read.max()), 3)}, and ReLU's slope is 0 there), "
                "so nothing comes back through it."
            )
    if isinstance(cell.pair, layers.Sigmoid | layers.Tanh):
        out = own(cell.name)
        slope = out * (1 - out) if isinstance(cell.pair, layers.Sigmoid) else 1 - out * out
        if out.size and (np.abs(slope) < FLAT).all():
            return (
                f"{what} is saturated {samples}: its output is near {number(float(np.mean(out)), 4)}, where the "
                f"curve is flat (largest slope {number(float(np.max(np.abs(slope))), 2)})."
            )
    return ""
