"""`draw`: the whole network as a picture, neuron by neuron, with values and gradients on neurons and edges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backprop import Trace
from ..errors import ConfigurationError, DataError, UnknownNameError
from ..graph import Graph
from ..layers import Dense
from ..nodes import INPUTS
from .derivation import DiagramNode
from .notation import number
from .render.svg import depths

__all__ = ["Drawing", "draw"]

Array = NDArray[Any]
COLUMN, ROW, RADIUS, TOP = 230, 76, 15, 58
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


def draw(model: Any, trace: Trace, *, sample: int = 0, max_neurons: int = 8) -> Drawing:
    """The network with the numbers of one sample: neurons filled by value, edges as wide as their weights.

    `model` is a `Model` or a `Graph` with its parameters set; `trace` is what `model.trace(X, y)` returned. Orange is
    above 0, blue below. Each neuron and each edge says its value and its gradient when pointed at; where a layer has at
    most 16 edges they are written along them. Of layers with more than `max_neurons` the first ones are drawn and the
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
    for node in network:
        if node.name not in trace.nodes:
            raise UnknownNameError("node of the trace", node.name, trace.nodes)
    columns = _columns(network)
    neurons = _neurons(network, trace, sample)
    height = max(_height(v, max_neurons) for v, _ in neurons.values())
    places = _places(columns, neurons, max_neurons, height)
    largest = max((float(np.max(np.abs(values[name]), initial=0.0)) for name in network.parameters), default=0.0) or 1.0
    parts: list[str] = []
    for reader in network:
        for source in reader.sources:
            weights = _weights(network, reader.name, values, trace, sample)
            parts += _edges(places, source, reader.name, weights, largest)
    for name in places:
        parts += _column(name, network, neurons[name], places[name])
    width = (max(columns.values()) + 1) * COLUMN
    total = max(max(y for _, y in p.values()) for p in places.values()) + 60
    return Drawing(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total:.0f}" width="{width}" '
        f'height="{total:.0f}" role="img" aria-label="The network"><style>{_STYLE}</style>{"".join(parts)}</svg>'
    )


_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1d2129;text-anchor:middle}.soft{fill:#5d6673;font-size:11px}"
    ".edge{font-size:8px;text-anchor:start;paint-order:stroke;stroke:#fff;stroke-width:2.5px}circle{stroke:#5d6673}.up{stroke:#b04a00}.down{stroke:#0064a3}.none{stroke:#aab2bd}path{fill:none}"
    "@media(prefers-color-scheme:dark){text{fill:#e6e9ee}.soft{fill:#9aa4b1}.up{stroke:#ff9a57}.down{stroke:#6bb8ff}"
    ".edge{stroke:#15181c}}"
)


def _columns(network: Graph) -> dict[str, int]:
    nodes = [DiagramNode(INPUTS, "", (), (), (), (), (), ())]
    nodes += [DiagramNode(n.name, "", tuple(n.sources), (), (), (), (), ()) for n in network]
    return depths(nodes)


def _neurons(network: Graph, trace: Trace, sample: int) -> dict[str, tuple[Array, Array]]:
    """Value and gradient of every neuron of one sample, by the name of its node."""
    found: dict[str, tuple[Array, Array]] = {}
    for node in network:
        one = trace[node.name]
        found[node.name] = one.output[sample].reshape(-1), one.dvalues[sample].reshape(-1)
        reads = zip(node.sources, one.inputs if node.joins else (one.inputs,), strict=True)
        gradients = one.dinputs if node.joins else (one.dinputs,)
        for (source, value), gradient in zip(reads, gradients, strict=True):
            if source == INPUTS:
                before = found.get(INPUTS, (None, 0))[1]
                found[INPUTS] = value[sample].reshape(-1), before + gradient[sample].reshape(-1)
    return found


def _height(values: Array, most: int) -> int:
    return min(len(values), most) * ROW + (ROW // 2 if len(values) > most else 0)


def _places(
    columns: Mapping[str, int], neurons: Mapping[str, tuple[Array, Array]], most: int, height: int
) -> dict[str, dict[int, tuple[float, float]]]:
    """Where each drawn neuron lies; nodes of one column one below the other."""
    used: dict[int, float] = {}
    members: dict[int, int] = {}
    for column in columns.values():
        members[column] = members.get(column, 0) + 1
    places = {}
    for name, column in columns.items():
        shown = min(len(neurons[name][0]), most)
        start = used.get(column, 0.0)
        if members[column] == 1:
            start = max(0.0, (height - shown * ROW) / 2)
        places[name] = {i: (column * COLUMN + COLUMN / 2, TOP + start + ROW * (i + 0.5)) for i in range(shown)}
        used[column] = start + shown * ROW + TOP
    return places


def _weights(
    network: Graph, name: str, values: Mapping[str, Array], trace: Trace, sample: int
) -> tuple[Array, Array] | None:
    """The weights of a dense layer and their gradients; None for layers that have no edges of their own."""
    if not isinstance(network[name], Dense):
        return None
    return np.asarray(values[network.flat[name].arrays["weights"]]), np.asarray(trace[name].gradients["weights"])


def _edges(
    places: Mapping[str, dict[int, tuple[float, float]]],
    source: str,
    reader: str,
    weights: tuple[Array, Array] | None,
    largest: float,
) -> list[str]:
    parts, labels = [], []
    few = len(places[source]) * len(places[reader]) <= LABELLED
    for i, (x1, y1) in places[source].items():
        for j, (x2, y2) in places[reader].items():
            line = f'd="{_way(x1 + RADIUS, y1, x2 - RADIUS, y2)}"'
            if weights is not None:
                weight, gradient = float(weights[0][i, j]), float(weights[1][i, j])
                side = "up" if weight > 0 else "down" if weight < 0 else "none"
                title = f"{reader}.weights[{i},{j}] = {number(weight)}, gradient {number(gradient)}"
                width = 0.6 + 4.4 * abs(weight) / largest
                parts.append(
                    f'<path class="{side}" opacity=".6" stroke-width="{width:.2f}" {line}>'
                    f"<title>{escape(title)}</title></path>"
                )
                if few and x2 - x1 <= COLUMN:
                    labels.append(_label(x1, y1, x2, y2, weight, gradient))
            elif i == j or len(places[source]) != len(places[reader]):
                parts.append(f'<path class="none" {line}/>')
    return parts + labels


def _label(x1: float, y1: float, x2: float, y2: float, weight: float, gradient: float) -> str:
    """The numbers of an edge, along its first half, where edges have parted and do not cross yet."""
    x, y = x1 + 0.17 * (x2 - x1), y1 + 0.17 * (y2 - y1)
    turn = math.degrees(math.atan2(y2 - y1, x2 - x1))
    return (
        f'<text class="edge" transform="translate({x:.1f} {y - 2.5:.1f}) rotate({turn:.1f})">'
        f"{weight:.2g} ∂ {gradient:.1g}</text>"
    )


def _way(x1: float, y1: float, x2: float, y2: float) -> str:
    """A straight line to the next column, an arc over the neurons of the columns between."""
    if x2 - x1 < COLUMN:
        return f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"
    return f"M{x1:.1f} {y1:.1f}Q{(x1 + x2) / 2:.1f} {min(y1, y2) - 1.2 * ROW:.1f} {x2:.1f} {y2:.1f}"


def _column(
    name: str, network: Graph, neurons: tuple[Array, Array], places: dict[int, tuple[float, float]]
) -> list[str]:
    values, gradients = neurons
    x, y = places[0]
    kind = "" if name == INPUTS else type(network[name]).__name__
    largest = float(np.max(np.abs(values), initial=0.0)) or 1.0
    parts = [
        f'<text x="{x:.0f}" y="{y - 36:.0f}" font-weight="650">{escape(name[:18])}</text>',
        f'<text class="soft" x="{x:.0f}" y="{y - 22:.0f}">{escape(kind)}</text>',
    ]
    for i, (cx, cy) in places.items():
        value, gradient = float(values[i]), float(gradients[i])
        share = min(1.0, abs(value) / largest) * 0.85
        base = (230, 126, 50) if value > 0 else (60, 140, 210)
        fill = "#" + "".join(f"{round(255 - (255 - channel) * share):02x}" for channel in base)
        title = escape(f"{name}[{i}] = {number(value)}, gradient {number(gradient)}")
        shown = f"{value:.2g}"
        size = 10 if len(shown) < 6 else 7
        parts.append(
            f'<circle cx="{cx:.0f}" cy="{cy:.1f}" r="{RADIUS}" fill="{fill}"><title>{title}</title></circle>'
            f'<text x="{cx:.0f}" y="{cy + 3.5:.1f}" style="font-size:{size}px;fill:#1d2129">{shown}</text>'
            f'<text class="soft" x="{cx:.0f}" y="{cy + RADIUS + 11:.1f}" style="font-size:9px">∂ {gradient:.1g}</text>'
        )
    if len(values) > len(places):
        bottom = max(y for _, y in places.values())
        parts.append(f'<text class="soft" x="{x:.0f}" y="{bottom + 42:.0f}">{len(values) - len(places)} more</text>')
    return parts
