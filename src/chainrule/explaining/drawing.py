"""`draw`: the whole network as a picture, neuron by neuron, with values and gradients on neurons and edges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backprop import Trace
from ..display import Html, tag
from ..display.layout import Box, Layout, arranged
from ..display.palette import shade
from ..display.svg import edge, picture, sign
from ..errors import ConfigurationError, DataError, UnknownNameError
from ..graph import Graph
from ..layers import Dense
from ..nodes import INPUTS, Leaf, parts_of
from .notation import number

__all__ = ["Drawing", "draw"]

Array = NDArray[Any]
COLUMN, GAP, ROW, RADIUS, HEAD = 96.0, 150.0, 76.0, 17.0, 46.0  # pixels; HEAD is above the first neuron's row
MORE = 24.0  # the line that counts the neurons that are not drawn
BUNDLE = 5.0  # between the lines of neurons that pass over other layers side by side
LABELLED = 16  # edges between two layers that are few enough to carry their numbers


@dataclass(frozen=True)
class Drawing:
    """A picture as SVG text; a notebook shows it, `save` writes it."""

    svg: str

    def save(self, path: str) -> None:
        """Write the picture to a file."""
        from pathlib import Path

        from ..files import write_atomically

        write_atomically(Path(path), self.svg.encode())

    def _repr_svg_(self) -> str:
        return self.svg


class Neurons(NamedTuple):
    """What one sample puts on the neurons of a node; the first `shown` of them are drawn."""

    kind: str  # the layer's class
    values: Array
    gradients: Array
    shown: int

    @property
    def height(self) -> float:
        """Of the column that they take."""
        return HEAD + ROW * self.shown + (MORE if self.shown < len(self.values) else 0)


def draw(model: Any, trace: Trace, *, sample: int = 0, max_neurons: int = 8) -> Drawing:
    """The network with the numbers of one sample: neurons filled by value, edges as wide as their weights.

    `model` is a `Model` or a `Graph` with its parameters set; `trace` is what `model.trace(X, y)` returned. Orange is
    above 0, blue below. Each neuron and edge shows its value and gradient when pointed at; where a layer has at most
    16 edges they are written along them. Of a layer with more than `max_neurons` neurons the first are drawn and the
    others counted. Raises `DataError` for a sample that the trace does not have, `ConfigurationError` for fewer than
    one neuron.

    >>> from chainrule import Dense, MeanSquaredError, Model, ReLU
    >>> model = Model([Dense(2, 3), ReLU(), Dense(3, 1)], loss=MeanSquaredError())
    >>> picture = draw(model, model.trace([[1.0, 2.0]], [1.0]))
    >>> picture.svg.count("<circle")                       # 2 inputs, 3 and 3 and 1 neurons
    9
    """
    network, values = (model, model.values()) if isinstance(model, Graph) else (model.network, model.parameters)
    if max_neurons < 1:
        raise ConfigurationError(f"draw: max_neurons must be at least 1, not {max_neurons!r}.")
    samples = len(trace.predictions)
    if not isinstance(sample, int | np.integer) or not -samples <= sample < samples:
        raise DataError(f"draw: sample must be from 0 to {samples - 1}, not {sample!r}.")
    for leaf in network.flat:
        if leaf.name not in trace.nodes:
            raise UnknownNameError("node of the trace", leaf.name, trace.nodes)
    nodes = _neurons(network, trace, sample, max_neurons)
    sources = {INPUTS: (), **{leaf.name: leaf.sources for leaf in network.flat}}
    layout = arranged(
        sources,
        {name: (COLUMN, nodes[name].height) for name in sources},
        gap=(GAP, 30.0),
        margin=14.0,
        lane={name: BUNDLE * (neurons.shown - 1) for name, neurons in nodes.items()},
    )
    largest = max((float(np.max(np.abs(values[name]), initial=0.0)) for name in network.parameters), default=0.0) or 1.0
    weights = {leaf.name: _weights(leaf, values, trace) for leaf in network.flat}
    pairs = [(source, reader) for reader, reads in sources.items() for source in reads]
    lines = [line for pair in pairs for line in _edges(layout, nodes, pair, weights[pair[1]], largest)]
    labels = [label for pair in pairs for label in _labels(layout, nodes, pair, weights[pair[1]])]
    columns = [_column(box, name, nodes[name]) for name, box in layout.boxes.items()]
    return Drawing(picture(layout.width, layout.height, *lines, *labels, *columns, label="The network", alone=True))


def _neurons(network: Graph, trace: Trace, sample: int, most: int) -> dict[str, Neurons]:
    """Value and gradient of every neuron of one sample, by the name of its node."""
    found: dict[str, Neurons] = {}
    for leaf in network.flat:
        one = trace[leaf.name]
        found[leaf.name] = _of_sample(type(leaf.layer).__name__, one.output, one.dvalues, sample, most)
        reads = zip(leaf.sources, parts_of(one.inputs), parts_of(one.dinputs), strict=True)
        for source, (_, value), (_, gradient) in reads:
            if source == INPUTS:
                new = _of_sample("", value, gradient, sample, most)
                before = found[INPUTS].gradients if INPUTS in found else 0
                found[INPUTS] = new._replace(gradients=new.gradients + before)
    return found


def _of_sample(kind: str, values: Array, gradients: Array, sample: int, most: int) -> Neurons:
    flat = values[sample].reshape(-1)
    return Neurons(kind, flat, gradients[sample].reshape(-1), min(len(flat), most))


def _weights(leaf: Leaf, values: Mapping[str, Array], trace: Trace) -> tuple[Array, Array] | None:
    """The weights of a dense layer and their gradients; None for layers that have no edges of their own."""
    if not isinstance(leaf.layer, Dense):
        return None
    return np.asarray(values[leaf.arrays["weights"]]), np.asarray(trace[leaf.name].gradients["weights"])


def _center(box: Box, i: int) -> tuple[float, float]:
    """The middle of a neuron."""
    return box.x + box.width / 2, box.y + HEAD + ROW * (i + 0.5) - 14


def _edges(
    layout: Layout,
    nodes: Mapping[str, Neurons],
    pair: tuple[str, str],
    weights: tuple[Array, Array] | None,
    largest: float,
) -> Iterator[Html]:
    """The lines between the neurons of two nodes, as wide as the weights; grey where there are none."""
    source, reader = pair
    for i in range(nodes[source].shown):
        for j in range(nodes[reader].shown):
            (x1, y1), (x2, y2) = _center(layout.boxes[source], i), _center(layout.boxes[reader], j)
            lane = layout.lanes.get(pair)
            start, end = (x1 + RADIUS, y1), (x2 - RADIUS, y2)
            way = f"M{start[0]:.1f} {y1:.1f}L{end[0]:.1f} {y2:.1f}"
            if lane is not None:
                way = edge(start, end, lane, offset=BUNDLE * (nodes[source].shown - 1 - i))
            if weights is not None:
                weight, gradient = float(weights[0][i, j]), float(weights[1][i, j])
                title = f"{reader}.weights[{i},{j}] = {number(weight)}, gradient {number(gradient)}"
                width = 0.6 + 4.4 * abs(weight) / largest
                yield tag("path", tag("title", title), cls=f"term {sign(weight)}", stroke_width=width, d=way)
            elif i == j or nodes[source].shown != nodes[reader].shown:
                yield tag("path", cls="wire passing" if lane else "wire", d=way)


def _labels(
    layout: Layout, nodes: Mapping[str, Neurons], pair: tuple[str, str], weights: tuple[Array, Array] | None
) -> Iterator[Html]:
    """The numbers of the edges, on them: in a column before the side with more neurons, so that none meets another."""
    source, reader = pair
    sources, readers = nodes[source].shown, nodes[reader].shown
    if weights is None or pair in layout.lanes or sources * readers > LABELLED:
        return
    share = 1 / (readers + 1) if sources >= readers else sources / (sources + 1)
    for i in range(sources):
        for j in range(readers):
            (x1, y1), (x2, y2) = _center(layout.boxes[source], i), _center(layout.boxes[reader], j)
            text = f"{_short(weights[0][i, j])} ∂ {_short(weights[1][i, j], 1)}"
            yield tag("text", text, cls="along", x=x1 + share * (x2 - x1), y=y1 + share * (y2 - y1) + 3)


def _column(box: Box, name: str, neurons: Neurons) -> Html:
    """A node: its name, its layer, its neurons."""
    middle = box.x + box.width / 2
    shown = name if len(name) <= 18 else f"{name[:17]}…"
    parts = [
        tag("text", shown, tag("title", name), cls="name middle", x=middle, y=box.y + 13),
        tag("text", neurons.kind or f"{len(neurons.values)} features", cls="soft middle", x=middle, y=box.y + 29),
    ]
    largest = float(np.max(np.abs(neurons.values), initial=0.0))
    for i in range(neurons.shown):
        parts.append(_neuron(_center(box, i), f"{name}[{i}]", neurons.values[i], neurons.gradients[i], largest))
    left = len(neurons.values) - neurons.shown
    if left:
        parts.append(tag("text", f"{left} more", cls="soft middle", x=middle, y=box.y + box.height - 12))
    return tag("g", *parts)


def _neuron(center: tuple[float, float], name: str, value: float, gradient: float, largest: float) -> Html:
    x, y = center
    shown = _short(value)
    size = 11 if len(shown) < 5 else 9
    return tag(
        "g",
        tag("title", f"{name} = {number(value)}, gradient {number(gradient)}"),
        tag("circle", cx=x, cy=y, r=RADIUS, fill=shade(value, largest)),
        tag("text", shown, cls="neuron", x=x, y=y + 3.5, font_size=size),
        tag("text", f"∂ {_short(gradient, 1)}", cls="soft middle", x=x, y=y + RADIUS + 12),
    )


def _short(value: float, digits: int = 2) -> str:
    """A number that fits into a neuron: two digits, or the whole part where that has more.

    >>> _short(0.123), _short(-0.0000931), _short(15.2, 1), _short(12345.0)
    ('0.12', '-9e-5', '15', '1e4')
    """
    size = abs(value)
    if 1e-4 <= size < 1e4:
        return number(float(value), max(digits, len(str(int(size)))))
    return number(float(value), 1)
