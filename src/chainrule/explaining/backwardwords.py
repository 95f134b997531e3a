"""One plain sentence for each step of the backward pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import layers, losses
from ..nodes import INPUTS
from .cell import LOSS, Cell
from .cells import Cells
from .derivation import Line
from .labels import Labels
from .notation import counted, number
from .upstream import Upstream

__all__ = ["said_backward", "said_of_share"]


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
    if share == 0:
        return f"Sample {row} has weight 0: its loss does not count."
    if np.count_nonzero(shares) == 1:
        return f"Only the loss of sample {row} counts."
    of_class, own = _class_weights(cells), cells.sample_weights
    weights = of_class * (1.0 if own is None else own)  # (B,)
    why = "its own" if (of_class == 1).all() else "that of its class"
    if own is not None and why != "its own":
        why = f"that of its class, {number(float(of_class[row]))}, times its own, {number(float(own[row]))}"
    return (
        f"The loss is a weighted mean: sample {row} has the weight {number(float(weights[row]))} ({why}), all samples "
        f"together {number(float(weights.sum()))}, so its share is {number(share)}."
    )


def _class_weights(cells: Cells) -> Any:
    """The weight of the class of each sample, (B,); 1 where classes have none."""
    loss, targets = cells[LOSS].pair, cells.targets
    weights = getattr(loss, "class_weights", None)
    if weights is None:
        return np.ones(len(targets))
    smoothing = getattr(loss, "label_smoothing", 0.0)
    return (targets - smoothing / targets.shape[-1]) / (1 - smoothing) @ np.asarray(weights)  # (B,C)(C,) -> (B,)


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
