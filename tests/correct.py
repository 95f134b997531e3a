"""Correct objects of every kind, drawn by Hypothesis: whatever is drawn, `check` must find nothing wrong with it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

import faults
from chainrule import (
    ELU,
    GELU,
    L1,
    L2,
    Add,
    BatchNorm,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Concatenate,
    Dense,
    Dropout,
    Flatten,
    Graph,
    Huber,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    MeanAbsoluteError,
    MeanSquaredError,
    Model,
    Multiply,
    ReLU,
    Sequential,
    Sigmoid,
    SigmoidCrossentropy,
    SiLU,
    Softmax,
    SoftmaxCrossentropy,
    Softplus,
    Tanh,
    check,
)
from chainrule.errors import ConfigurationError


class Drawn(NamedTuple):
    """An object, inputs for it, and the seed of the check."""

    item: Any
    inputs: Any
    seed: int

    def report(self) -> Any:
        """What `check` says of it; None where there is nothing to compare: a softmax of one column is always 1."""
        try:
            return check(self.item, self.inputs, seed=self.seed)
        except ConfigurationError as error:
            assert "is the same whatever goes in" in str(error) and "oftmax" in repr(self.item)
            return None


sizes = st.integers(1, 7)
batches = st.integers(1, 8)
scales = st.sampled_from([1e-3, 0.1, 1.0, 5.0])

ACTIVATIONS = (ReLU, Sigmoid, Tanh, GELU, SiLU, Softplus, Linear, LeakyReLU, ELU)


def activation(draw: Any) -> Any:
    kind = draw(st.sampled_from(ACTIVATIONS))
    if kind is LeakyReLU:
        return LeakyReLU(draw(st.floats(0.01, 0.9)))
    if kind is ELU:
        return ELU(draw(st.floats(0.1, 2.0)))
    if kind is GELU:
        return GELU(approximate=draw(st.booleans()))
    return kind()


def one_layer(draw: Any, features: int) -> Any:
    """A layer that reads rows of so many features."""
    kinds = ("dense", "activation", "softmax", "log_softmax", "layer_norm", "batch_norm", "dropout", "flatten")
    kind = draw(st.sampled_from(kinds))
    made = {
        "dense": lambda: Dense(features, draw(sizes)),
        "activation": lambda: activation(draw),
        "softmax": Softmax,
        "log_softmax": LogSoftmax,
        "layer_norm": lambda: LayerNorm(features, epsilon=draw(st.sampled_from([1e-5, 1e-3, 0.1]))),
        "batch_norm": lambda: BatchNorm(features, epsilon=draw(st.sampled_from([1e-5, 1e-3, 0.1]))),
        "dropout": lambda: Dropout(draw(st.floats(0.0, 0.8))),
        "flatten": Flatten,
    }[kind]()
    if draw(st.integers(0, 9)) == 0:
        made.freeze()
    return made


def network(draw: Any, features: int) -> Any:
    """Layers in a line, or two branches that join."""
    if draw(st.booleans()):
        layers, width = [], features
        for _ in range(draw(st.integers(1, 4))):
            layer = one_layer(draw, width)
            width = layer.output_shape((width,))[0]
            layers.append(layer)
        return Sequential(*layers)
    width = draw(sizes)
    join = draw(st.sampled_from([Add, Multiply, Concatenate]))()
    nodes = [
        ("left", Dense(features, width), "inputs"),
        ("active", activation(draw), "left"),
        ("right", Dense(features, width), "inputs"),
        ("join", join, ("active", "right")),
    ]
    ties = {"right.weights": "left.weights"} if draw(st.booleans()) else None
    return Graph(nodes, ties=ties)


def book(draw: Any) -> Any:
    """A correct object of the catalogue, with other sizes where it has any."""
    features, neurons = draw(sizes), draw(sizes)
    kinds = {
        "dense": lambda: faults.BookDense(features, neurons),
        "regularized": lambda: faults.BookRegularized(features, neurons, l1=draw(st.floats(0, 0.5)), l2=0.1),
        "skip": lambda: faults.BookSkip(features),
        "two-branches": lambda: faults.BookTwoBranches(features, neurons),
        "layer-norm": lambda: faults.BookLayerNorm(features + 1),
        "dropout": lambda: faults.BookDropout(draw(st.floats(0.05, 0.8))),
    }
    name = draw(st.sampled_from(sorted(faults.CORRECT)))
    return (kinds.get(name) or faults.CORRECT[name])()


LOSSES = (
    CategoricalCrossentropy,
    SoftmaxCrossentropy,
    BinaryCrossentropy,
    SigmoidCrossentropy,
    MeanSquaredError,
    MeanAbsoluteError,
    Huber,
)


def loss(draw: Any) -> Any:
    kind = draw(st.sampled_from(LOSSES))
    options = {"reduction": draw(st.sampled_from(["mean", "sum"]))}
    if "rossentropy" in kind.__name__:
        options["label_smoothing"] = draw(st.sampled_from([0.0, 0.1]))
    return kind(**options)


@st.composite
def correct(draw: Any) -> Drawn:
    """A correct object with inputs of some length and scale, or with none."""
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    family = draw(st.sampled_from(["layer", "network", "book", "loss", "join", "penalty", "model"]))
    if family == "penalty":
        kind = draw(st.sampled_from([L1, L2]))
        return Drawn(kind(draw(st.floats(1e-3, 1.0))), rng.normal(size=(draw(sizes), draw(sizes))), seed)
    if family == "loss":
        return Drawn(loss(draw), (draw(batches), draw(sizes)), seed)
    if family == "book":
        return Drawn(book(draw), None, seed)
    features = draw(sizes)
    shape = (draw(batches), features)
    inputs = draw(scales) * rng.normal(size=shape)
    if family == "join":
        kind = draw(st.sampled_from([Add, Multiply, Concatenate]))
        return Drawn(kind(), (inputs, rng.normal(size=shape)), seed)
    if family == "layer":
        return Drawn(one_layer(draw, features), inputs, seed)
    if family == "network":
        return Drawn(network(draw, features), inputs, seed)
    classes = draw(sizes) + 1
    layers = [Dense(features, 4, penalties={"weights": L2(0.01)}), activation(draw), Dense(4, classes)]
    return Drawn(Model(layers, loss=loss_for_numbers(draw), seed=seed % 1000), inputs, seed)


def loss_for_numbers(draw: Any) -> Any:
    return draw(st.sampled_from([SoftmaxCrossentropy, SigmoidCrossentropy, MeanSquaredError, Huber]))()
