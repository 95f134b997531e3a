"""The gradient of softmax and cross-entropy by one compiled function, without a network."""

from __future__ import annotations

import ctypes
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...loss import Loss
from ...losses import SoftmaxCrossentropy
from ..contract import NotCovered
from . import library
from .alignment import aligned_zeros
from .cores import cores

__all__ = ["Gradient"]

_COPIED = 2**16  # entries up to which copying is faster than asking arrays where they lie
_FOR_THREADS = 2**19  # entries from which on two threads pay


class Gradient:
    """dL/d(predictions) (B, C) of softmax cross-entropy, from predictions (B, C) and class indices (B,).

    Raises `NotCovered` for other losses, and for one with label smoothing or class weights.
    """

    def __init__(self, loss: Loss, dtype: Any = "float32") -> None:
        if type(loss) is not SoftmaxCrossentropy:
            raise NotCovered(f"the loss {type(loss).__name__}")
        if loss.label_smoothing or loss.class_weights is not None:
            raise NotCovered("label smoothing and class weights")
        self.loss, self.dtype, self.lock = loss, np.dtype(dtype), threading.Lock()
        whole, pointer = ctypes.c_int64, ctypes.c_void_p
        kind = ctypes.CFUNCTYPE(whole, whole, whole, whole, ctypes.c_double, *[pointer] * 3)
        self.function = kind((f"softmax_gradient_{self.dtype.name}", library.load()))
        self.shape: tuple[int, ...] = ()

    def fits(self, predictions: NDArray[Any], y: NDArray[Any]) -> bool:
        """Whether they are predictions and class indices; others are for the reference, which knows what is wrong."""
        return predictions.ndim == 2 and y.ndim == 1 and y.dtype.kind in "iu" and 0 < len(y) == len(predictions)

    def __call__(self, predictions: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        """Raises `DataError` for an index that is no class."""
        share = 1 / len(y) if self.loss.reduction == "mean" else 1.0
        found = (
            self._small(predictions, y, share) if predictions.size <= _COPIED else self._large(predictions, y, share)
        )
        if found is None:
            self.loss.prepare(y, predictions.shape)  # says which index is no class
            raise AssertionError("unreachable")
        return found

    def _small(self, predictions: NDArray[Any], y: NDArray[Any], share: float) -> NDArray[Any] | None:
        samples, classes = predictions.shape
        with self.lock:
            if predictions.shape != self.shape:
                self._make_room(predictions.shape)
            self.predictions[...] = predictions
            self.labels[...] = y
            done = self.function(0, samples, classes, share, *self.places)
            return self.out.copy() if done == samples else None

    def _make_room(self, shape: tuple[int, ...]) -> None:
        self.predictions, self.out = aligned_zeros(shape, self.dtype), aligned_zeros(shape, self.dtype)
        self.labels, self.shape = np.zeros(shape[0], np.int64), shape
        self.places = _places(self.predictions, self.labels, self.out)

    def _large(self, predictions: NDArray[Any], y: NDArray[Any], share: float) -> NDArray[Any] | None:
        samples, classes = predictions.shape
        given, labels = np.ascontiguousarray(predictions, self.dtype), np.ascontiguousarray(y, np.int64)
        out = np.empty_like(given)
        places = _places(given, labels, out)
        threads = 2 if given.size >= _FOR_THREADS and cores() > 1 and samples > 1 else 1
        cut = samples // threads
        done = [0, samples]

        def rest() -> None:
            done[1] = self.function(cut, samples, classes, share, *places)

        other = threading.Thread(target=rest)
        if threads > 1:
            other.start()
        done[0] = self.function(0, cut, classes, share, *places)
        if threads > 1:
            other.join()
        return out if done == [cut, samples] else None


def _places(*arrays: NDArray[Any]) -> tuple[ctypes.c_void_p, ...]:
    return tuple(ctypes.c_void_p(array.ctypes.data) for array in arrays)
