"""A network's outputs for few samples, by one compiled function."""

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
from . import layout as k
from .cache import address
from .lines import aligned_zeros
from .program import ACTIVATIONS

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
        self.rows: list[NDArray[np.int64]] = []
        self.weights: list[NDArray[Any]] = []
        self.numbers: list[float] = []
        self.size, self.end = 0, -(-self.features // k.LINE) * k.LINE
        self.place, self.width = 0, self.features
        self._add(network, values)
        self.table, self.settings = np.array(self.rows, np.int64).reshape(-1, k.COLUMNS), np.array(self.numbers)
        self.P = aligned_zeros(self.size + 9 * k.LINE, self.dtype)
        self.A = aligned_zeros(self.end + 8 * k.LINE, self.dtype)
        self.P[: self.size] = np.concatenate(self.weights) if self.weights else 0
        self.plan = np.zeros(k.SETTINGS, np.int64)
        self.plan[[k.OPS, k.STRIDE]] = len(self.rows), 1
        self.plan[[k.INPUTS, k.CLASSES, k.OUTPUT]] = self.features, self.width, self.place
        self.inputs = np.zeros((FEW, self.features), self.dtype)
        self.outputs = np.zeros((FEW, self.width), self.dtype)
        self.lock = threading.Lock()
        arrays = (self.plan, self.table, self.settings, self.P, self.A, self.inputs, self.outputs)
        self.arguments = tuple(ctypes.c_void_p(array.ctypes.data) for array in arrays)
        kind = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * len(arrays))
        self.function = kind(address("predict", self.dtype.name))

    def __call__(self, X: NDArray[Any]) -> NDArray[Any]:
        """Raises `ShapeError` for samples of another shape."""
        self.require(X)
        samples = len(X)
        with self.lock:
            self.inputs[:samples] = X
            self.function(samples, *self.arguments)
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
            if leaf.reads != last or network.flat.ties:
                raise NotCovered("a network that is no line of layers")
            last = leaf.name
            self._layer(leaf.layer, leaf.name, values)

    def _layer(self, layer: Any, name: str, values: Arrays) -> None:
        kind = type(layer)
        if kind in (layers.Linear, layers.Flatten, layers.Dropout):
            return
        row = np.zeros(k.COLUMNS, np.int64)
        row[[k.X, k.FEATURES]] = self.place, self.width
        numbers = (0.0, 0.0)
        if kind is layers.Dense:
            self.weights += [values[f"{name}.weights"].ravel(), values[f"{name}.biases"].ravel()]
            row[[k.OUTPUTS, k.PARAMETERS]] = layer.n_neurons, self.size
            self.size, self.width = self.size + (self.width + 1) * layer.n_neurons, layer.n_neurons
        elif kind is layers.ReLU and self.rows and not self.rows[-1][k.FORWARD]:
            self.rows[-1][k.VARIANT] = 1
            return
        elif kind in ACTIVATIONS:
            operation, number = ACTIVATIONS[kind](layer)
            row[[k.FORWARD, k.OUTPUTS, k.FEATURES]] = address(operation, self.dtype.name), self.width, 1
            numbers = (number, 0.0)
        else:
            raise NotCovered(f"the layer {kind.__name__}")
        self.place, self.end = self.end, self.end + -(-self.width // k.LINE) * k.LINE
        row[k.Y] = self.place
        self.rows.append(row)
        self.numbers += numbers
