"""One plain sentence for each step of the forward pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import layers, losses
from ..nodes import INPUTS, parts_of
from .cell import LOSS, Cell
from .cells import Cells
from .labels import Labels
from .notation import counted, number

__all__ = ["said_forward"]

Index = tuple[int, ...]


def said_forward(cells: Cells, cell: Cell, index: Index, labels: Labels) -> str:
    """What a cell computes at one entry of its output, in one sentence."""
    if cell.name == LOSS:
        return _said_of_loss(cells, cell, index, labels)
    for kind, says in _FORWARD.items():
        if type(cell.pair) is kind:
            return says(cells, cell, index, labels)
    value = _read(cells, cell, index)
    reads = f"reads {number(value)} and " if value is not None else ""
    return f"{cell.kind} {reads}gives {number(float(cells.output(cell.name)[index]))} here."


def _read(cells: Cells, cell: Cell, index: Index) -> float | None:
    """The entry at the same place of what the cell reads, if there is one."""
    if not isinstance(cell.reads, str):
        return None
    array = cells.output(cell.reads)
    return float(array[index]) if array.shape == cells.output(cell.name).shape else None


def _dense(cells: Cells, cell: Cell, index: Index, labels: Labels) -> str:
    size = cells.values[cell.parameters["weights"]].shape[0]
    of = "input" if cell.reads == INPUTS else f"number of {cell.reads}"
    each = f"each of its {counted(size, of)} by a weight" if size > 1 else f"its {of} by a weight"
    if cell.reads != INPUTS and size > 1:
        each = f"each of the {size:,} numbers of {cell.reads} by a weight"
    added = ", adds them up and adds its bias" if size > 1 else " and adds its bias"
    return f"{_capital(_neuron(cell, index, labels))} multiplies {each}{added}."


def _relu(cells: Cells, cell: Cell, index: Index, labels: Labels) -> str:
    value = _read(cells, cell, index)
    if value is None or value > 0:
        return "The number is above 0, so ReLU lets it pass as it is: the neuron is on."
    return "The number is not above 0, so ReLU gives 0: the neuron is off."


def _softmax(cells: Cells, cell: Cell, index: Index, labels: Labels) -> str:
    return "Softmax turns scores into probabilities: e to the score, over the sum of that over the whole row."


def _flatten(cells: Cells, cell: Cell, index: Index, labels: Labels) -> str:
    return "The layer writes its numbers in one row; none changes."


def _dropout(cells: Cells, cell: Cell, index: Index, labels: Labels) -> str:
    if not cell.training:
        return "When the network predicts, Dropout lets every number pass."
    assert isinstance(cell.pair, layers.Dropout)
    if float(cells.output(cell.name)[index]):
        kept = f"{1 - cell.pair.rate:g}"
        return f"The random number u lets this number stay; it is divided by {kept}, the part that stays on average."
    return f"The random number u is below {cell.pair.rate:g}, so Dropout drops this number: it gives 0."


def _normalized(cells: Cells, cell: Cell, index: Index, labels: Labels) -> str:
    over = "its column" if isinstance(cell.pair, layers.BatchNorm) else "its row"
    which = "over the batch" if cell.training else "as kept from training"
    which = which if isinstance(cell.pair, layers.BatchNorm) else "of this sample"
    return (
        f"{cell.kind} subtracts μ, the mean of {over} ({which}), and multiplies by r, one over the spread; then γ "
        "stretches the result and β shifts it."
    )


def _joined(cells: Cells, cell: Cell, index: Index, labels: Labels) -> str:
    names = [name for _, name in parts_of(cell.reads)]
    verbs: dict[type, str] = {layers.Add: "added", layers.Multiply: "multiplied"}
    verb = verbs.get(type(cell.pair), "set side by side")
    return f"{' and '.join(names)} are {verb}."


_FORWARD: dict[type, Callable[[Cells, Cell, Index, Labels], str]] = {
    layers.Dense: _dense,
    layers.ReLU: _relu,
    layers.Softmax: _softmax,
    layers.Flatten: _flatten,
    layers.Dropout: _dropout,
    layers.BatchNorm: _normalized,
    layers.LayerNorm: _normalized,
    layers.Add: _joined,
    layers.Multiply: _joined,
    layers.Concatenate: _joined,
}


def _said_of_loss(cells: Cells, cell: Cell, index: Index, labels: Labels) -> str:
    row = index[0]
    target = cells.targets[row]
    reads = cell.reads if isinstance(cell.reads, str) else ""
    clipped = ""
    if isinstance(cell.pair, losses.CategoricalCrossentropy | losses.BinaryCrossentropy):
        clipped = f" q is the probability p, kept from a = {number(cell.pair.clip)} to 1 - a: no logarithm is infinite."
    if isinstance(cell.pair, losses.SoftmaxCrossentropy | losses.CategoricalCrossentropy):
        true = labels.entry(reads, -1, int(np.argmax(target)))
        smoothing = cell.pair.label_smoothing
        if smoothing:
            return (
                f"The loss is minus the logarithm of the probabilities, weighted by the targets: with smoothing "
                f"{smoothing:g} the true class {true} has the target {number(float(np.max(target)))} in place of 1, "
                f"each other class {number(float(np.min(target)))} in place of 0.{clipped}"
            )
        if float(np.max(target)) == 1:
            return f"The true class is {true}: the loss is minus the logarithm of the probability that it got.{clipped}"
        return f"The loss is minus the logarithm of the probabilities, weighted by the targets.{clipped}"
    if isinstance(cell.pair, losses.SigmoidCrossentropy | losses.BinaryCrossentropy):
        over = f", a mean over {counted(len(target), 'output')}" if len(target) > 1 else ""
        of = f"The target is {number(float(target[0]))}: the" if len(target) == 1 else "The"
        return f"{of} loss is minus the logarithm of the probability that the right answer got{over}.{clipped}"
    in_table = _said_of_table(cells, row, reads, labels)
    if isinstance(cell.pair, losses.MeanSquaredError):
        over = f", a mean over {counted(len(target), 'output')}" if len(target) > 1 else ""
        return f"The loss is the squared error, prediction minus target{over}.{in_table}"
    if isinstance(cell.pair, losses.MeanAbsoluteError):
        return f"The loss is the size of the error, prediction minus target.{in_table}"
    return f"{cell.kind} says how far the prediction is from the target.{in_table}"


def _said_of_table(cells: Cells, row: int, reads: str, labels: Labels) -> str:
    """Target and prediction in the units of the table, where the network learns them scaled."""
    column = labels.outcome
    if column is None or not reads or cells.targets.shape[1:] != (1,):
        return ""
    target, said = (column.original(float(array[row, 0])) for array in (cells.targets, cells.output(reads)))
    return (
        f" In the table {column.name} is {target:,.10g} and the prediction means {said:,.10g}; minus the mean "
        f"{number(column.center)} and over the spread {number(column.scale)} they are what is compared."
    )


def _neuron(cell: Cell, index: Index, labels: Labels) -> str:
    name = labels.entry(cell.name, -1, index[-1]) if index else ""
    if isinstance(name, int):
        return f"neuron {name}"
    return f"the neuron for {'class ' if name.isdigit() else ''}{name}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
