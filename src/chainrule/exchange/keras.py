"""From Keras: a table of what each of its layers is here, and one of its activations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import ConfigurationError
from ..graph import Graph
from ..layer import Layer
from ..layers import (
    ELU,
    GELU,
    Add,
    BatchNorm,
    Concatenate,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    Multiply,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from ..nodes import INPUTS
from .needs import needed

__all__ = ["ACTIVATIONS", "LAYERS", "from_keras"]

Settings = Mapping[str, Any]  # what `layer.get_config()` says
# A counterpart's layer from the settings and shape of the input, None where there is none with these settings.
Row = Callable[[Settings, Any], Layer | None]

ACTIVATIONS: dict[str, Callable[[], Layer]] = {
    "elu": ELU,
    "gelu": GELU,
    "leaky_relu": lambda: LeakyReLU(0.2),
    "linear": Linear,
    "log_softmax": LogSoftmax,
    "relu": ReLU,
    "sigmoid": Sigmoid,
    "silu": SiLU,
    "softmax": Softmax,
    "softplus": Softplus,
    "tanh": Tanh,
}


def _dense(settings: Settings, shape: Any) -> Layer | None:
    return Dense(shape[-1], settings["units"], bias=settings["use_bias"]) if len(shape) == 2 else None


def _batch_norm(settings: Settings, shape: Any) -> Layer | None:
    fine = _last(settings, shape) and settings["center"] and settings["scale"]
    return BatchNorm(shape[-1], epsilon=settings["epsilon"], momentum=settings["momentum"]) if fine else None


def _layer_norm(settings: Settings, shape: Any) -> Layer | None:
    fine = _last(settings, shape) and settings["center"] and settings["scale"]
    return LayerNorm(shape[-1], epsilon=settings["epsilon"]) if fine else None


def _last(settings: Settings, shape: Any) -> bool:
    """Whether the axis is the last one of (B, N)."""
    axis = settings["axis"]
    return len(shape) == 2 and (axis[0] if isinstance(axis, list | tuple) else axis) in (-1, 1)


def _relu(settings: Settings, shape: Any) -> Layer | None:
    plain = settings["max_value"] is None and not settings["threshold"]
    slope = settings["negative_slope"]
    return (LeakyReLU(slope) if slope else ReLU()) if plain else None


def _activation(settings: Settings, shape: Any) -> Layer | None:
    made = ACTIVATIONS.get(settings["activation"]) if isinstance(settings["activation"], str) else None
    return made() if made else None


LAYERS: dict[str, Row] = {
    "Activation": _activation,
    "Add": lambda settings, shape: Add(),
    "BatchNormalization": _batch_norm,
    "Concatenate": lambda settings, shape: Concatenate() if settings["axis"] in (-1, len(shape[0]) - 1) else None,
    "Dense": _dense,
    "Dropout": lambda settings, shape: Dropout(settings["rate"]) if settings["noise_shape"] is None else None,
    "ELU": lambda settings, shape: ELU(settings["alpha"]),
    "Flatten": lambda settings, shape: Flatten(),
    "Identity": lambda settings, shape: Linear(),
    "LayerNormalization": _layer_norm,
    "LeakyReLU": lambda settings, shape: LeakyReLU(settings["negative_slope"]),
    "Multiply": lambda settings, shape: Multiply(),
    "ReLU": _relu,
    "Softmax": lambda settings, shape: Softmax() if settings["axis"] in (-1, len(shape) - 1) else None,
}
_ARRAYS = {
    "weights": "kernel",
    "biases": "bias",
    "gamma": "gamma",
    "beta": "beta",
    "running_mean": "moving_mean",
    "running_variance": "moving_variance",
}


def from_keras(model: Any) -> Graph:
    """The network of a Keras model, Sequential or functional, with copies of its parameters, ready for a `Model`.

    An activation inside a layer becomes a layer of its own. Keras carries the biased variance in BatchNormalization,
    BatchNorm the unbiased one: predictions and gradients are the same, training goes on a little differently.

    Raises `ConfigurationError` with the name of a layer that has no counterpart.
    """
    if not hasattr(model, "layers") or not hasattr(model, "built"):
        raise ConfigurationError(f"from_keras reads a Keras model, not {type(model).__name__}.")
    if not model.built:
        raise ConfigurationError("The Keras model does not know its shapes yet; call model.build((None, 4)) first.")
    nodes: list[tuple[str, Layer, Any]] = []
    outputs: dict[str, str] = {}
    for theirs, sources in _in_order(model):
        read = tuple(outputs[name] for name in sources)
        outputs[theirs.name] = _add(nodes, theirs, read) if sources else INPUTS
    return Graph(nodes)


def _in_order(model: Any) -> list[tuple[Any, list[str]]]:
    """Every layer with the names of those that it reads, in the order of the forward pass."""
    inner = getattr(model, "_functional", None) or model
    if not hasattr(inner, "operations"):
        raise ConfigurationError(
            f"{model.name}: a Keras model with a `call` of its own can be any program; build it as keras.Sequential or "
            "keras.Model(inputs, outputs)."
        )
    if len(inner.inputs) != 1 or len(inner.outputs) != 1:
        raise ConfigurationError(f"{model.name}: a network has one input and one output here.")
    calls = [call for depth in sorted(inner._nodes_by_depth, reverse=True) for call in inner._nodes_by_depth[depth]]
    for name, count in Counter(call.operation.name for call in calls).items():
        if count > 1:
            raise ConfigurationError(f"{name}: a layer that is called {count} times has no counterpart in chainrule.")
    return [(call.operation, [parent.operation.name for parent in call.parent_nodes]) for call in calls]


def _add(nodes: list[tuple[str, Layer, Any]], theirs: Any, read: tuple[str, ...]) -> str:
    """Append the counterpart, and its activation; returns the name of what comes out."""
    settings, kind = theirs.get_config(), type(theirs).__name__
    shapes = [tensor.shape for tensor in theirs._inbound_nodes[0].input_tensors]
    layer = LAYERS[kind](settings, shapes if len(read) > 1 else shapes[0]) if kind in LAYERS else None
    if layer is None:
        raise ConfigurationError(f"{theirs.name}: {kind} with these settings has no counterpart in chainrule.")
    numbers = needed("keras", "Reading a Keras model", "keras").ops.convert_to_numpy
    for local in (*layer.parameters, *layer.state):
        array = np.array(numbers(getattr(theirs, _ARRAYS[local]).value))
        setattr(layer, local, array if local == "weights" else array.reshape(1, -1))
    if not theirs.trainable:
        layer.freeze()
    joins = isinstance(layer, Add | Concatenate | Multiply)
    nodes.append((theirs.name, layer, read if joins else read[0]))
    if kind == "Activation" or settings.get("activation", "linear") == "linear":
        return str(theirs.name)
    after = _activation(settings, shapes[0])
    if after is None:
        raise ConfigurationError(
            f"{theirs.name}: the activation {settings['activation']!r} has no counterpart in chainrule."
        )
    name = f"{theirs.name}_{settings['activation']}"
    nodes.append((name, after, theirs.name))
    return name
