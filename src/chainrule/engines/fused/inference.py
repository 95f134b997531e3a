"""A network's outputs for any number of samples, by the forward pass of the kernels."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...graph import Graph
from . import library
from .alignment import aligned_zeros
from .cores import cores
from .layout import DEFINES, Call
from .pieces import read_by_rows, spaced, tile_of
from .program import compile_network

__all__ = ["Inference"]


class Inference:
    """The outputs (S, C) in inference for inputs (S, ...), with the parameters of a session of the same network.

    Raises `NotCovered` for a network that the kernels cannot carry out.
    """

    def __init__(self, network: Graph, shape: Any, dtype: Any) -> None:
        self.program, self.dtype = compile_network(network, shape, training=False), dtype
        self.inputs, self.outputs = math.prod(shape), int(network.output_shape(shape)[0])
        self.operations = self.program.operations.copy()
        self.operations["large"] = read_by_rows(self.operations)
        self.columns = max((spaced(int(op["outputs"])) for op in self.operations if op["large"]), default=0)
        self.block = getattr(library.load(), f"block_{dtype.name}")
        self.block.restype, self.block.argtypes = ctypes.c_int64, (ctypes.POINTER(Call),)

    def __call__(self, P: NDArray[Any], X: NDArray[Any]) -> NDArray[Any]:
        """P are the parameters and the state as the session holds them."""
        found = np.zeros((len(X), self.outputs), self.dtype)
        if not len(X):
            return found
        X, program, samples = np.ascontiguousarray(X, self.dtype), self.program, len(X)
        tile = tile_of(program, samples, self.dtype.itemsize)
        pieces, stride = -(-samples // tile), spaced(tile)
        threads = min(cores(), pieces, DEFINES["THREADS"])
        A = aligned_zeros((threads, program.rows, stride), self.dtype)
        A[:, program.ones] = 1
        turned = aligned_zeros(threads * self.columns * stride, self.dtype)
        meeting = aligned_zeros((pieces + 3) * 8, np.int64)
        sums = aligned_zeros(pieces * 8, np.float64)
        self.block(
            Call(
                samples=samples, inputs=self.inputs, outputs=self.outputs, batch=samples, per_epoch=1, steps=1,
                clip_norm=math.inf, rows=program.rows, turned_columns=self.columns, output=program.output,
                stride=stride, piece=tile, tile=tile, threads=threads, operation_count=len(self.operations),
                operations=self.operations.ctypes.data, lines=program.lines.ctypes.data, X=X.ctypes.data,
                P=P.ctypes.data, A=A.ctypes.data, turned=turned.ctypes.data, sums=sums.ctypes.data,
                meeting=meeting.ctypes.data, predictions=found.ctypes.data,
            )
        )  # fmt: skip
        return found
