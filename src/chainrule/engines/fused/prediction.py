"""A network's outputs for few samples, by one call."""

from __future__ import annotations

import ctypes
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import layers
from ...errors import ShapeError
from ...graph import Graph
from ...layer import Arrays, format_shape
from ...nodes import INPUTS
from ..contract import NotCovered
from . import library
from .alignment import aligned_zeros
from .layout import ENUMS, OPERATION, Call
from .pieces import spaced
from .program import ACTIVATIONS, LINE

__all__ = ["FEW", "Prediction"]

FEW = 8  # samples up to which it is faster than a matrix product of all of them


class Prediction:
    """The outputs (B, N) of dense layers and activations in a line, for inputs (B, I), B at most `FEW`.

    Parameters are copied when it is made. Raises `NotCovered` for other networks.
    """

    def __init__(self, network: Graph, values: Arrays) -> None:
        shape = network.input_shape()
        if shape is None or len(shape) != 1:
            raise NotCovered("a network whose inputs are no row of features")
        self.features, self.dtype = shape[0], next(iter(values.values())).dtype
        self.rows: list[dict[str, Any]] = []
        self.weights: list[NDArray[Any]] = []
        self.size, self.width, self.widest = 0, self.features, self.features
        self._add(network, values)
        operations = np.zeros(len(self.rows), OPERATION)
        for row, columns in zip(operations, self.rows, strict=True):
            for name, number in columns.items():
                row[name] = number
        P = aligned_zeros(self.size + LINE, self.dtype)  # a vector may be read over the end
        P[: self.size] = np.concatenate(self.weights) if self.weights else 0
        stride = spaced(self.widest)
        A = aligned_zeros(((len(self.rows) + 1) * FEW, stride), self.dtype)
        self.inputs = np.zeros((FEW, self.features), self.dtype)
        self.outputs = np.zeros((FEW, self.width), self.dtype)
        self.lock, self.held = threading.Lock(), (operations, P, A)
        self.call = Call(
            inputs=self.features, outputs=self.width, output=len(self.rows) * FEW, stride=stride,
            operation_count=len(operations), operations=operations.ctypes.data, P=P.ctypes.data, A=A.ctypes.data,
            X=self.inputs.ctypes.data, predictions=self.outputs.ctypes.data,
        )  # fmt: skip
        kind = ctypes.CFUNCTYPE(None, ctypes.POINTER(Call))
        self.function = kind((f"predict_{self.dtype.name}", library.load()))

    def __call__(self, X: NDArray[Any]) -> NDArray[Any]:
        """Raises `ShapeError` for samples of another shape."""
        self.require(X)
        samples = len(X)
        with self.lock:
            self.inputs[:samples], self.call.samples = X, samples
            self.function(self.call)
            found: NDArray[Any] = self.outputs[:samples].copy()
        return found

    def require(self, X: NDArray[Any]) -> None:
        """Raises `ShapeError` for an array that holds no samples of the network."""
        if X.ndim != 2 or X.shape[1] != self.features:
            raise ShapeError(f"expected X of shape {format_shape((self.features,))}, received {X.shape}.")

    def _add(self, network: Graph, values: Arrays) -> None:
        """The operations of every layer of a network in a line."""
        last = INPUTS
        for leaf in network.flat:
            if leaf.reads != last:
                raise NotCovered("a network that is no line of layers")
            last = leaf.name
            self._layer(leaf.layer, {local: values[name] for local, name in leaf.arrays.items()})

    def _layer(self, layer: Any, values: Arrays) -> None:
        kind = type(layer)
        if kind in (layers.Linear, layers.Flatten, layers.Dropout):
            return
        place = len(self.rows) * FEW
        if kind is layers.ReLU and self.rows and self.rows[-1]["kind"] == ENUMS["Kind"]["dense"]:
            self.rows[-1]["rectifies"] = 1
            return
        row: dict[str, Any] = {"x": place, "y": place + FEW, "features": self.width}
        if kind is layers.Dense:
            biases = values.get("biases", np.zeros(layer.n_neurons, self.dtype))
            self.weights += [values["weights"].ravel(), biases.ravel()]
            row |= {"kind": ENUMS["Kind"]["dense"], "parameters": self.size, "outputs": layer.n_neurons}
            self.size, self.width = self.size + (self.width + 1) * layer.n_neurons, layer.n_neurons
            self.widest = max(self.widest, self.width)
        elif kind in ACTIVATIONS:
            activation, number = ACTIVATIONS[kind](layer)
            row |= {"kind": ENUMS["Kind"][activation], "number": number, "outputs": self.width}
        else:
            raise NotCovered(f"the layer {kind.__name__}")
        self.rows.append(row)
