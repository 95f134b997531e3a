"""Metrics of values: how far predictions are from their targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .pairing import mean_of, values_of

__all__ = ["absolute_errors", "mean_absolute_error", "mean_squared_error", "r2", "root_mean_squared_error"]


def mean_absolute_error(
    targets: ArrayLike, predictions: ArrayLike, *, sample_weights: ArrayLike | None = None
) -> float:
    """The mean of |y - p| over samples and outputs, in the unit of y. Shapes: (B, O), or (B,) where O is 1.

    `sample_weights` (B,) weight the samples.

    >>> mean_absolute_error([1.0, 2.0], [1.5, 2.0])
    0.25
    """
    return mean_of(absolute_errors(targets, predictions), sample_weights)


def mean_squared_error(targets: ArrayLike, predictions: ArrayLike) -> float:
    """The mean of (y - p)² over samples and outputs, in the unit of y, squared. Shapes: (B, O), or (B,) where O is 1.

    >>> mean_squared_error([1.0, 2.0], [8.0, 1.0])                              # (49 + 1) / 2
    25.0
    """
    wanted, given = values_of(targets, predictions)
    return float(np.mean(np.square(wanted - given)))


def root_mean_squared_error(targets: ArrayLike, predictions: ArrayLike) -> float:
    """√(mean of (y - p)²) over samples and outputs, in the unit of y. Shapes: (B, O), or (B,) where O is 1.

    >>> root_mean_squared_error([1.0, 2.0], [8.0, 1.0])                         # √((49 + 1) / 2)
    5.0
    """
    return float(np.sqrt(mean_squared_error(targets, predictions)))


def r2(targets: ArrayLike, predictions: ArrayLike) -> float:
    """The fraction of the targets' variance that is explained: 1 - Σ_b(y_b - p_b)² / Σ_b(y_b - mean y)².

    1 is perfect, 0 no better than predicting the mean of y, and there is no lower bound. Several outputs are averaged.
    Constant targets (or a single sample) have no variance to explain: the output then counts 1 if every prediction is
    exact, else 0. Shapes: (B, O), or (B,) where O is 1.

    >>> r2([1.0, 2.0, 3.0], [1.0, 2.0, 2.0])                                    # 1 - 1/2
    0.5
    """
    wanted, given = values_of(targets, predictions)
    y, p = wanted.reshape(len(wanted), -1), given.reshape(len(given), -1)  # (B,O)
    residual = np.sum(np.square(y - p), axis=0)  # (O,)
    total = np.sum(np.square(y - y.mean(axis=0)), axis=0)  # (O,)
    constant = (y == y[0]).all(axis=0)  # (O,), since the total of equal numbers may be a rounding error
    explained = 1 - residual / np.where(constant, 1.0, total)  # (O,)
    return float(np.mean(np.where(constant, residual == 0, explained)))


def absolute_errors(targets: ArrayLike, predictions: ArrayLike) -> NDArray[Any]:
    """|y - p|, (B,) or (B, O)."""
    wanted, given = values_of(targets, predictions)
    return np.abs(wanted - given)
