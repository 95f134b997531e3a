"""Metrics: what a person wants to know of predictions, beside the loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .errors import DataError, ShapeError

__all__ = ["accuracy", "mean_absolute_error"]


def accuracy(targets: ArrayLike, predictions: ArrayLike) -> float:
    """The share of predictions that equal their targets; one-hot targets (B, C) count as class indices.

    Several yes-or-no outputs (B, O) count one by one. Raises `ShapeError` for shapes that differ, `DataError` for none.

    >>> accuracy([0, 1, 2, 2], [0, 1, 2, 0])
    0.75
    """
    wanted, given = _pair(targets, predictions)
    return float(np.mean(wanted == given))


def mean_absolute_error(targets: ArrayLike, predictions: ArrayLike) -> float:
    """The mean of |y - p|.

    >>> mean_absolute_error([1.0, 2.0], [1.5, 2.0])
    0.25
    """
    wanted, given = _pair(targets, predictions)
    return float(np.mean(np.abs(wanted - given)))


def _pair(targets: ArrayLike, predictions: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    wanted, given = np.asarray(targets), np.asarray(predictions)
    if wanted.ndim == 2 and given.ndim == 1:
        wanted = wanted[:, 0] if wanted.shape[1] == 1 else wanted.argmax(axis=1)
    if given.ndim == 2 and given.shape[1] == 1 and wanted.ndim == 1:
        given = given[:, 0]
    if wanted.shape != given.shape:
        raise ShapeError(f"Targets of shape {wanted.shape} and predictions of shape {given.shape} do not pair up.")
    if not wanted.size:
        raise DataError("There are no samples to measure.")
    return wanted, given
