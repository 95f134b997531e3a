"""What each layer is in ONNX: a table from its class to a function that writes it, as it runs in inference.

Only operators that onnxruntime has in float32 and in float64 are used; ELU, LeakyReLU and Softplus are put together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np

from ..errors import ConfigurationError
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
from ..nodes import INPUTS, FlatView, each_of
from .writer import Parameter, Writer

__all__ = ["LAYERS", "write_network"]

Arrays = Mapping[str, Parameter]
Part = Callable[[Writer, Any, Any, Arrays], str]  # (write, layer, name of the inputs, its arrays) -> name of the output


def _operator(kind: str, **attributes: Any) -> Part:
    return lambda write, layer, inputs, arrays: write.op(kind, inputs, **attributes)


def _joined(kind: str) -> Part:
    return lambda write, layer, inputs, arrays: reduce(lambda total, one: write.op(kind, total, one), inputs)


def _unchanged(write: Writer, layer: Any, inputs: str, arrays: Arrays) -> str:
    return inputs


def _dense(write: Writer, layer: Dense, inputs: str, arrays: Arrays) -> str:
    weights = write.stored(arrays["weights"])  # (I,N)
    return write.op("Gemm", inputs, weights, *(write.stored(arrays[name]) for name in ("biases",) if layer.bias))


def _leaky_relu(write: Writer, layer: LeakyReLU, inputs: str, arrays: Arrays) -> str:
    above = write.op("Greater", inputs, write.number(0))
    return write.op("Where", above, inputs, write.op("Mul", inputs, write.number(layer.slope)))


def _elu(write: Writer, layer: ELU, inputs: str, arrays: Arrays) -> str:
    below = write.op("Exp", write.op("Min", inputs, write.number(0)))  # exp(min(x, 0))
    scaled = write.op("Mul", write.op("Sub", below, write.number(1)), write.number(layer.alpha))
    return write.op("Where", write.op("Greater", inputs, write.number(0)), inputs, scaled)


def _gelu(write: Writer, layer: GELU, inputs: str, arrays: Arrays) -> str:
    if layer.approximate:
        cube = write.op("Mul", write.op("Mul", inputs, inputs), inputs)
        bend = write.op("Add", inputs, write.op("Mul", cube, write.number(0.044715)))
        curve = write.op("Tanh", write.op("Mul", bend, write.number(math.sqrt(2 / math.pi))))
    else:
        scaled = write.op("Mul", inputs, write.number(math.sqrt(0.5)))
        curve = write.cast(write.op("Erf", write.cast(scaled, np.float32)), write.dtype)  # onnxruntime has no other Erf
    return write.op("Mul", write.op("Mul", inputs, write.number(0.5)), write.op("Add", curve, write.number(1)))


def _silu(write: Writer, layer: SiLU, inputs: str, arrays: Arrays) -> str:
    return write.op("Mul", inputs, write.op("Sigmoid", inputs))


def _softplus(write: Writer, layer: Softplus, inputs: str, arrays: Arrays) -> str:
    shrinking = write.op("Exp", write.op("Neg", write.op("Abs", inputs)))  # exp(-|x|), never above 1
    return write.op("Add", write.op("Relu", inputs), write.op("Log", write.op("Add", shrinking, write.number(1))))


def _batch_norm(write: Writer, layer: BatchNorm, inputs: str, arrays: Arrays) -> str:
    read = [write.stored(arrays[name], flat=True) for name in ("gamma", "beta", "running_mean", "running_variance")]
    return write.op("BatchNormalization", inputs, *read, epsilon=layer.epsilon)


def _layer_norm(write: Writer, layer: LayerNorm, inputs: str, arrays: Arrays) -> str:
    read = [write.stored(arrays[name], flat=True) for name in ("gamma", "beta")]
    return write.op("LayerNormalization", inputs, *read, axis=-1, epsilon=layer.epsilon)


def _concatenate(write: Writer, layer: Concatenate, inputs: tuple[str, ...], arrays: Arrays) -> str:
    return write.op("Concat", *inputs, axis=-1)


LAYERS: dict[type, Part] = {
    Add: _joined("Add"),
    BatchNorm: _batch_norm,
    Concatenate: _concatenate,
    Dense: _dense,
    Dropout: _unchanged,
    ELU: _elu,
    Flatten: _operator("Flatten", axis=1),
    GELU: _gelu,
    LayerNorm: _layer_norm,
    LeakyReLU: _leaky_relu,
    Linear: _unchanged,
    LogSoftmax: _operator("LogSoftmax", axis=-1),
    Multiply: _joined("Mul"),
    ReLU: _operator("Relu"),
    Sigmoid: _operator("Sigmoid"),
    SiLU: _silu,
    Softmax: _operator("Softmax", axis=-1),
    Softplus: _softplus,
    Tanh: _operator("Tanh"),
}


def write_network(write: Writer, flat: FlatView, values: Mapping[str, Any], inputs: Any, prefix: str = "") -> str:
    """Every leaf in order; returns the name of the network's output. `prefix` tells several networks apart.

    Raises `ConfigurationError` with the name of a layer that has no row in `LAYERS`.
    """
    outputs: dict[str, Any] = {INPUTS: inputs}
    for leaf in flat:
        kind = type(leaf.layer)
        if kind not in LAYERS:
            raise ConfigurationError(
                f"{leaf.name}: chainrule does not know what {kind.__name__} is in ONNX. Write a function that says it, "
                f"as those in chainrule.exchange.onnxlayers, and add it there: LAYERS[{kind.__name__}] = ..."
            )
        arrays = {local: Parameter(f"{prefix}{full}", values[full]) for local, full in leaf.arrays.items()}
        with write.at(f"{prefix}{leaf.name}"):
            outputs[leaf.name] = LAYERS[kind](write, leaf.layer, each_of(leaf.reads, outputs), arrays)
    return str(outputs[flat.output])
