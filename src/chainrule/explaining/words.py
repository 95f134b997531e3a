"""One plain sentence for each step, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import layers, losses
from ..nodes import INPUTS, parts_of
from .cell import LOSS, Cell
from .cells import Cells
from .derivation import Line
from .labels import Labels
from .notation import number
from .upstream import Upstream

__all__ = ["said_backward", "said_forward", "said_of_share"]

Index = tuple[int, ...]


def counted(number: int, word: str) -> str:
    """A number and what it counts.

    >>> counted(1, "sample"), counted(3, "class")
    ('1 sample', '3 classes')
    """
    plural = word if number == 1 else word + ("es" if word.endswith("s") else "s")
    return f"{number:,} {plural}"


def _neuron(cell: Cell, index: Index, labels: Labels) -> str:
    name = labels.entry(cell.name, -1, index[-1]) if index else ""
    if isinstance(name, int):
        return f"neuron {name}"
    return f"the neuron for {'class ' if name.isdigit() else ''}{name}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# Forward


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


# Backward


def said_of_share(cells: Cells, row: int) -> str:
    """How much of the loss one sample has, and why."""
    shares, loss = cells.shares[:, 0], cells[LOSS].pair
    total, share = len(shares), float(shares[row])
    if getattr(loss, "reduction", "mean") == "sum":
        if (shares == 1).all():
            return "The loss is a sum over the samples, so each sample counts once."
        return f"The loss is a sum in which sample {row} has the weight {number(share)}."
    if total == 1:
        return "There is one sample, so its loss is the whole loss."
    if (shares == 1 / total).all():
        return f"The loss is the mean over {counted(total, 'sample')}, so sample {row} has 1/{total} of it."
    why = ["its sample weight"]
    classes = getattr(loss, "class_weights", None)
    if classes is not None:
        own = float(np.dot(np.asarray(classes), _one_hot(cells, row)))
        why = [f"the weight of its class, {number(own)}", "its sample weight if it was given one"]
    if share == 0:
        return f"Sample {row} has weight 0: its loss does not count."
    return (
        f"The loss is a weighted mean: sample {row} has the share {number(share)} of it, its weight over the sum of "
        f"all weights ({', times '.join(why)})."
    )


def _one_hot(cells: Cells, row: int) -> Any:
    target = cells.targets[row]
    smoothing = getattr(cells[LOSS].pair, "label_smoothing", 0.0)
    return (target - smoothing / len(target)) / (1 - smoothing)


def said_backward(cells: Cells, line: Line, labels: Labels) -> str:
    """How the gradient of a line comes about, in one sentence."""
    if line.is_loss:
        return _said_of_whole(cells)
    if line.quantity.name == LOSS:
        return said_of_share(cells, line.quantity.index[0])
    loss = cells[LOSS].pair
    if isinstance(loss, Upstream) and not line.nodes:
        return loss.said
    uses = cells.readers.get(line.quantity.name, ())
    if len(uses) > 1:
        names = " and ".join(dict.fromkeys(cell.name for cell, _ in uses))
        return f"{line.quantity.name} is read by {names}: what comes back from each of them is added up."
    if not uses:
        return ""
    cell, source = uses[0]
    if cell.name == LOSS:
        return _said_of_prediction(cells, cell, line, labels)
    penalty = (
        " The penalty on it adds its own slope." if any(term.node not in line.nodes for term in line.terms) else ""
    )
    if isinstance(cell.pair, layers.Dense):
        return _said_of_dense(cells, cell, source.local, line, labels) + penalty
    if source.local in cell.parameters:
        return f"{line.quantity.name} takes part in every sample: the samples' contributions are added up." + penalty
    return _said_of_slope(cells, cell, line)


def _said_of_whole(cells: Cells) -> str:
    shares = cells.shares[:, 0]
    mean = getattr(cells[LOSS].pair, "reduction", "mean") == "mean"
    penalty = " The penalties on the parameters are added." if cells.trace.penalty else ""
    if int(np.count_nonzero(shares)) == 1 and len(shares) > 1:
        return f"Only the loss of sample {int(np.argmax(shares))} counts.{penalty}"
    if len(shares) == 1:
        return f"There is one sample, so its loss is the whole loss.{penalty}"
    if mean and not (shares == 1 / len(shares)).all():
        return f"L is the weighted mean of the losses of {counted(len(shares), 'sample')}.{penalty}"
    return f"L is the {'mean' if mean else 'sum'} of the losses of {counted(len(shares), 'sample')}.{penalty}"


def _said_of_prediction(cells: Cells, cell: Cell, line: Line, labels: Labels) -> str:
    row = line.quantity.index[0]
    target = number(float(cells.targets[(row, *line.quantity.index[1:])]))
    if isinstance(cell.pair, losses.SoftmaxCrossentropy):
        true = int(np.argmax(cells.targets[row]))
        right = labels.entry(line.quantity.name, -1, true)
        right = f"class {right}" if isinstance(right, int) or right.isdigit() else right
        high, low = float(np.max(cells.targets[row])), float(np.min(cells.targets[row]))
        smoothed = f", with smoothing {cell.pair.label_smoothing:g}" if cell.pair.label_smoothing else ""
        return (
            "Softmax and cross-entropy together have a short slope: the probability minus the target, which is "
            f"{number(high)} for the true class ({right}) and {number(low)} for the others{smoothed}."
        )
    if isinstance(cell.pair, losses.CategoricalCrossentropy):
        return "The slope of -log(p) is -1/p; only the classes with a target take part."
    if isinstance(cell.pair, losses.MeanSquaredError):
        return f"The slope of a square is twice what is squared: the prediction minus the target, {target}."
    if isinstance(cell.pair, losses.SigmoidCrossentropy):
        return f"Sigmoid and cross-entropy together have a short slope: the probability minus the target, {target}."
    if isinstance(cell.pair, losses.MeanAbsoluteError):
        return f"The slope of a distance is its sign: up if the prediction is above the target, {target}, else down."
    return "The slope of the loss at this prediction, times the sample's part of the loss."


def _said_of_dense(cells: Cells, cell: Cell, local: str, line: Line, labels: Labels) -> str:
    index, neurons = line.quantity.index, cells.output(cell.name).shape[-1]
    samples = len(cells.inputs)
    rest = _said_of_zeros(line, samples) if samples > 1 else ""
    if local == "weights":
        what = labels.entry(cell.parameters["weights"], -2, index[0])
        read = f"input {what}" if isinstance(what, int) and cell.reads == INPUTS else what
        read = f"number {what} of {cell.reads}" if isinstance(read, int) else read
        each = (
            "the gradient at the neuron times that number"
            if samples == 1
            else ("so each sample's gradient at the neuron is multiplied by that number, and the samples are added up")
        )
        return f"The weight multiplies {read}: its slope is what it multiplies, {each}.{rest}"
    if local == "biases":
        each = (
            "the gradient at the neuron itself" if samples == 1 else "the neuron's gradients, added up over the samples"
        )
        return f"The bias is added as it is, so its slope is 1: {each}.{rest}"
    what = labels.entry(line.quantity.name, -1, index[-1])
    who = f"Neuron {what}" if isinstance(what, int) else f"The input {what}"
    if line.quantity.name == INPUTS and isinstance(what, int):
        who = f"Input {what}"
    if neurons == 1:
        return f"{who} feeds one neuron: that neuron's gradient times the weight of the wire."
    return (
        f"{who} feeds {neurons} neurons, so {neurons} wires are bundled into one: the gradient of each neuron times "
        "the weight of its wire, added up."
    )


def _said_of_zeros(line: Line, samples: int) -> str:
    zeros = line.zeros + sum(term.product == 0 for term in line.terms)
    if not zeros:
        return ""
    if zeros == samples:
        return " Every sample gives 0."
    return f" {zeros:,} of the {samples:,} samples give{'s' if zeros == 1 else ''} 0."


def _said_of_slope(cells: Cells, cell: Cell, line: Line) -> str:
    if len(line.terms) == 1 and not line.rest_count:
        slope = line.terms[0].local
        if type(cell.pair) is layers.ReLU:
            read = float(cells.output(line.quantity.name)[line.quantity.index])
            if slope == 1:
                return (
                    f"The neuron is on, as {number(read)} is above 0: the slope is 1 and the gradient passes unchanged."
                )
            return f"The neuron is off, as {number(read)} is not above 0: the slope is 0 and the gradient stops here."
        if isinstance(cell.pair, layers.Softmax):
            return (
                f"Only one probability of the row has a gradient; this score moves it with the slope {number(slope)}, "
                "by which the gradient is multiplied."
            )
        if slope == 1:
            return f"{cell.kind} has the slope 1 here: the gradient passes unchanged."
        if slope == 0:
            return f"{cell.kind} has the slope 0 here: the gradient stops."
        return f"{cell.kind} has the slope {number(slope)} here: the gradient is multiplied by it."
    if isinstance(cell.pair, layers.Softmax | layers.LogSoftmax):
        return "Every score moves every probability of its row, so each probability sends something back: added up."
    if isinstance(cell.pair, layers.BatchNorm | layers.LayerNorm):
        return (
            "Mean and variance move with this number, so every number that shares them sends something back: added up."
        )
    return f"{cell.kind} sends back the gradients of what this number moves, each times its slope, added up."
