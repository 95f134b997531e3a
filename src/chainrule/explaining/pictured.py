"""What `draw` shows of a network and one sample: for each node its units with their numbers, or its maps, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph
from ..layers import Concatenate, Dense
from ..loss import Loss
from ..nodes import INPUTS, Leaf, parts_of
from ..traces import Trace
from .notation import number

__all__ = ["LOSS", "Map", "Pictured", "Unit", "Wires", "shown_network"]

LOSS = "loss"
DIGITS = 3
MAPS = 4  # channels of one node
SMALLEST_IMAGE = 7  # pixels to a side: a row of fewer features is never taken for an image

Array = NDArray[Any]


class Unit(NamedTuple):
    """One neuron or feature: its place in the layer, its numbers, and lines that stand below it."""

    place: int
    caption: str
    value: float
    gradient: float
    notes: tuple[str, ...] = ()


class Map(NamedTuple):
    """One channel of an image: values and gradients, (H, W)."""

    caption: str
    values: Array
    gradients: Array


class Pictured(NamedTuple):
    """A node: what is drawn of it and how many more units it has."""

    name: str
    kind: str
    units: tuple[Unit, ...]
    maps: tuple[Map, ...]
    size: int

    @property
    def more(self) -> int:
        """How many units, or channels, are not drawn."""
        drawn = sum(one.values.size for one in self.maps) if self.maps else len(self.units)
        return (self.size - drawn) // (self.maps[0].values.size if self.maps else 1)


class Wires(NamedTuple):
    """What runs from one node to another: weights (I, N) and their gradients, or wires from unit to unit."""

    source: str
    reader: str
    weights: Array | None = None
    gradients: Array | None = None
    offset: int | None = None  # unit i feeds unit i + offset alone; None where every unit feeds every other


def short(value: float) -> str:
    """A number with three digits.

    >>> short(0.12345), short(-6.0), short(-0.0000931), short(12345.0)
    ('0.123', '-6', '-9.31e-5', '1.23e4')
    """
    return number(float(value), DIGITS)


def shown_network(
    network: Graph,
    trace: Trace,
    values: Mapping[str, Array],
    *,
    sample: int,
    most: int,
    image: tuple[int, ...] | None,
    loss: Loss | None,
    names: Mapping[str, Sequence[str]],
) -> tuple[dict[str, Pictured], list[Wires]]:
    """The nodes by name, in the order of the forward pass, and what runs between them; no loss where it is None.

    `names` has names for the units of a node; `image` is the shape in which the inputs are seen.
    """
    found = {INPUTS: _inputs(network, trace, sample, most, image, names.get(INPUTS, ()))}
    wires = []
    for leaf in network.flat:
        one = trace[leaf.name]
        notes = _biases(leaf, values, trace)
        if loss is not None and leaf.name == network.flat.output:
            notes = _with_targets(notes, trace, sample, loss)
        named = names.get(leaf.name, ())
        kind = type(leaf.layer).__name__
        found[leaf.name] = _node(leaf.name, kind, one.output[sample], one.dvalues[sample], most, named, notes)
        wires += _wires(leaf, values, trace)
    if loss is not None:
        found[LOSS] = _loss(trace, sample, loss)
        wires += [Wires(name, LOSS) for _, name in parts_of(network.flat.output)]
    return found, wires


def _inputs(
    network: Graph, trace: Trace, sample: int, most: int, image: tuple[int, ...] | None, names: Sequence[str]
) -> Pictured:
    """The features, with the gradients of all that read them added up."""
    values = gradients = np.zeros(())
    for leaf in network.flat:
        one = trace[leaf.name]
        for source, (_, value), (_, gradient) in zip(
            leaf.sources, parts_of(one.inputs), parts_of(one.dinputs), strict=True
        ):
            if source == INPUTS:
                values, gradients = value[sample], gradients + gradient[sample]
    shape = image if image is not None else np.shape(values)
    return _node(INPUTS, "", values.reshape(shape), gradients.reshape(shape), most, names, {})


def _node(
    name: str,
    kind: str,
    values: Array,
    gradients: Array,
    most: int,
    names: Sequence[str],
    notes: Mapping[int, tuple[str, ...]],
) -> Pictured:
    """The units, or the channels, with the largest |gradient·value|; among equals the first."""
    matters = np.abs(values * gradients)
    if values.ndim > 1:
        maps, slopes = _channels(values), _channels(gradients)
        kept = _largest(_channels(matters).sum(axis=(1, 2)), min(most, MAPS))
        several = len(maps) > 1
        chosen = tuple(Map(f"channel {i}" if several else "", maps[i], slopes[i]) for i in kept)
        return Pictured(name, kind, (), chosen, values.size)
    flat, slope = values.reshape(-1), gradients.reshape(-1)
    units = tuple(
        Unit(i, names[i] if len(names) == len(flat) else f"[{i}]", float(flat[i]), float(slope[i]), notes.get(i, ()))
        for i in _largest(matters.reshape(-1), most)
    )
    return Pictured(name, kind, units, (), flat.size)


def _channels(array: Array) -> Array:
    """As (C, H, W); the channels stand last where there are few of them."""
    if array.ndim == 2:
        return array[None]
    last = array.ndim == 3 and array.shape[2] <= 4 < min(array.shape[:2])
    array = np.moveaxis(array, -1, 0) if last else array
    return array.reshape(-1, *array.shape[-2:])


def _largest(matters: Array, most: int) -> list[int]:
    return sorted(int(i) for i in np.argsort(-matters, kind="stable")[:most])


def _biases(leaf: Leaf, values: Mapping[str, Array], trace: Trace) -> dict[int, tuple[str, ...]]:
    if not isinstance(leaf.layer, Dense) or "biases" not in leaf.arrays:
        return {}
    biases = np.asarray(values[leaf.arrays["biases"]]).reshape(-1)
    gradients = np.asarray(trace[leaf.name].gradients["biases"]).reshape(-1)
    return {i: (f"bias {short(b)} ∂ {short(g)}",) for i, (b, g) in enumerate(zip(biases, gradients, strict=True))}


def _with_targets(
    notes: Mapping[int, tuple[str, ...]], trace: Trace, sample: int, loss: Loss
) -> dict[int, tuple[str, ...]]:
    """Below each output what it should have been, and its probability where the output is another number."""
    targets, outputs = trace.targets[sample].reshape(-1), trace.predictions[sample].reshape(-1)
    if targets.shape != outputs.shape:
        return dict(notes)
    likely = np.full(outputs.shape, np.nan)
    if loss.classifies:
        likely = np.asarray(loss.probabilities(np, trace.predictions[sample : sample + 1])).reshape(-1)
    found = {}
    for i, (target, output, share) in enumerate(zip(targets, outputs, np.resize(likely, outputs.shape), strict=True)):
        probability = f"p {short(share)}, " if np.isfinite(share) and abs(share - output) > 1e-6 else ""
        found[i] = (*notes.get(i, ()), f"{probability}target {short(target)}")
    return found


def _loss(trace: Trace, sample: int, loss: Loss) -> Pictured:
    one = trace[LOSS]
    notes = []
    if len(trace.predictions) > 1 or trace.penalty:
        notes.append(f"L {short(trace.loss)} of {len(trace.predictions)} samples")
    if trace.penalty:
        notes.append(f"penalties {short(trace.penalty)}")
    unit = Unit(0, "ℓ", float(one.output[sample]), float(one.dvalues[sample].reshape(-1)[0]), tuple(notes))
    return Pictured(LOSS, type(loss).__name__, (unit,), (), 1)


def _wires(leaf: Leaf, values: Mapping[str, Array], trace: Trace) -> list[Wires]:
    """What a layer reads: through weights, in its place among the parts of a row, entry by entry, or all to all."""
    if isinstance(leaf.layer, Dense):
        weights = np.asarray(values[leaf.arrays["weights"]])
        gradients = np.asarray(trace[leaf.name].gradients["weights"])
        return [Wires(leaf.sources[0], leaf.name, weights, gradients)]
    size = trace[leaf.name].output[0].size
    found, offset = [], 0
    for source, (_, inputs) in zip(leaf.sources, parts_of(trace[leaf.name].inputs), strict=True):
        place = offset if isinstance(leaf.layer, Concatenate) else 0 if inputs[0].size == size else None
        found.append(Wires(source, leaf.name, offset=place))
        offset += inputs[0].size
    return found
