"""`draw`: a network neuron by neuron, or the graph of a `Value`, as a picture with values and gradients."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..display.spelling import printable
from ..display.svg import fitting
from ..errors import ConfigurationError, DataError, ShapeError, UnknownNameError
from ..graph import Graph
from ..nodes import INPUTS, parts_of
from ..traces import Trace
from ..traces import trace as traced
from ..value import Value
from .labels import readable_name
from .pictured import SMALLEST_IMAGE, shown_network
from .render.network import network_picture
from .render.values import value_picture
from .upstream import objective

__all__ = ["Drawing", "draw"]

Array = NDArray[Any]


@dataclass(frozen=True, repr=False)
class Drawing:
    """A picture as SVG text; a notebook shows it, `save` writes it."""

    svg: str

    def save(self, path: str) -> None:
        """Write the picture to a file."""
        from pathlib import Path

        from ..files import write_atomically

        write_atomically(Path(path), self.svg.encode())

    def __repr__(self) -> str:
        size = re.search(r'width="(\d+)" height="(\d+)"', self.svg)
        return f"Drawing of {size[1]}×{size[2]} pixels; .save(path) writes it" if size else "Drawing"

    def __str__(self) -> str:
        return printable(repr(self))

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:  # preferred by notebooks: as an image the units could be neither hovered nor reached
        width = re.search(r'width="(\d+)"', self.svg)
        style = f'style="{fitting(float(width[1]))}" ' if width else ""
        return f'<div style="overflow-x:auto">{self.svg.replace("<svg ", f"<svg {style}", 1)}</div>'


def draw(
    model: Any,
    trace: Trace | None = None,
    *,
    X: ArrayLike | None = None,
    y: ArrayLike | None = None,
    dvalue: ArrayLike | None = None,
    sample: int = 0,
    max_neurons: int = 16,
    image: Sequence[int] | bool | None = None,
) -> Drawing:
    """The network with the numbers of one sample: every neuron with its value and its gradient ∂, edges by weight.

    `model` is a `Model` with samples `X` and targets `y`, or with the `trace` that `model.trace(X, y)` returned; or a
    neuron or a layer alone, a `Graph` with `X` and `dvalue`, the gradient that arrives at its output. Orange is above
    0, blue below, lines are as wide as the weights. Each layer of more than `max_neurons` neurons shows those with the
    largest |gradient·value| and says how many more it has. Inputs that look like an image (a square of numbers none of
    which is below 0, of a model that reads no table) are drawn as one: `image=(28, 28)` says so, `image=False` forbids
    it.

    `draw(value)` draws the graph of a `Value`: how it was made, with the number and the derivative of each part.

    Raises `DataError` for a sample that the trace does not have or a graph too large to be drawn, `ShapeError` for an
    image of another size, `ConfigurationError` for fewer than one neuron, for no model and for nothing to draw of it.

    >>> from chainrule import Dense, MeanSquaredError, Model, ReLU
    >>> model = Model([Dense(2, 3), ReLU(), Dense(3, 1)], loss=MeanSquaredError())
    >>> picture = draw(model, X=[[1.0, 2.0]], y=[1.0])
    >>> picture.svg.count('class="unit"')                  # 2 inputs, 3 and 3 and 1 neurons, the loss
    10
    """
    if isinstance(model, Value):
        return Drawing(value_picture(model))
    if not isinstance(getattr(model, "network", model), Graph):
        raise ConfigurationError(f"draw: a Model, a Graph or a Value can be drawn, not {type(model).__name__}.")
    if trace is not None and not isinstance(trace, Trace):
        raise ConfigurationError("draw: the second argument is a trace; write draw(model, X=X, y=y).")
    network, values = (model, model.values()) if isinstance(model, Graph) else (model.network, model.parameters)
    if isinstance(max_neurons, bool) or not isinstance(max_neurons, int | np.integer) or max_neurons < 1:
        raise ConfigurationError(f"draw: max_neurons must be a whole number of at least 1, not {max_neurons!r}.")
    loss = getattr(model, "loss", None)
    if trace is not None:
        if not (X is None and y is None and dvalue is None):
            raise ConfigurationError("draw: a trace holds its own X, y and gradients; leave those out, or the trace.")
    elif X is not None and dvalue is not None and y is None:
        trace, loss = _alone(model, network, X, dvalue), None
    elif X is not None and y is not None and dvalue is None and model is not network:
        trace = model.trace(X, y)
    else:
        raise ConfigurationError("draw: write draw(model, X=X, y=y), or draw(network, X=X, dvalue=1.0).")
    samples = len(trace.predictions)
    if isinstance(sample, bool) or not isinstance(sample, int | np.integer) or not -samples <= sample < samples:
        raise DataError(f"draw: sample must be from 0 to {samples - 1}, not {sample!r}.")
    for leaf in network.flat:
        if leaf.name not in trace.nodes:
            raise UnknownNameError("node of the trace", leaf.name, trace.nodes)
    sample = int(sample) % samples
    nodes, wires = shown_network(
        network,
        trace,
        dict(values),
        sample=sample,
        most=int(max_neurons),
        image=_image(model, network, trace, sample, image),
        loss=loss,
        names=_names(model, network),
    )
    return Drawing(network_picture(nodes, wires, sample, samples))


def _alone(model: Any, network: Graph, X: ArrayLike, dvalue: ArrayLike) -> Trace:
    """A pass whose gradient at the output is given."""
    given, targets = objective(None, None, dvalue, "draw")
    values = network.values()
    parameters = {name: np.asarray(values[name], dtype=np.float64) for name in network.parameters}
    state = {name: values[name] for name in network.state}
    inputs = model.inputs(X) if hasattr(model, "inputs") and not isinstance(model, Graph) else X
    return traced(network, given, parameters, inputs, targets, state=state, training=False)


def _names(model: Any, network: Graph) -> dict[str, Sequence[str]]:
    """The columns of the table, and the classes at the output, where the model knows them."""
    preprocessing = getattr(model, "preprocessing", None)
    found: dict[str, Sequence[str]] = {}
    if preprocessing is not None:
        found[INPUTS] = tuple(map(readable_name, preprocessing.feature_names))
    classes = getattr(model, "class_names", ()) or getattr(preprocessing, "class_names", ())
    if classes and isinstance(network.flat.output, str):
        found[network.flat.output] = classes
    return found


def _image(
    model: Any, network: Graph, trace: Trace, sample: int, image: Sequence[int] | bool | None
) -> tuple[int, ...] | None:
    """The shape in which the inputs are drawn; None for their own."""
    read = [
        part[sample]
        for leaf in network.flat
        for source, (_, part) in zip(leaf.sources, parts_of(trace[leaf.name].inputs), strict=True)
        if source == INPUTS
    ]
    if not read:
        return None
    inputs = read[0]
    if isinstance(image, Sequence):
        shape = tuple(int(size) for size in image)
        if math.prod(shape) != inputs.size:
            raise ShapeError(f"draw: image={shape} has {math.prod(shape)} pixels, a sample {inputs.size} numbers.")
        return shape
    if image is False:
        return (inputs.size,)
    side = math.isqrt(inputs.size)
    flat = inputs.ndim == 1 and getattr(model, "preprocessing", None) is None
    looks = side**2 == inputs.size and side >= SMALLEST_IMAGE and float(np.min(inputs)) >= 0
    return (side, side) if image is True or (image is None and flat and looks) else None
