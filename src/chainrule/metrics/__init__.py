"""Metrics: measures of how good predictions are, besides the loss.

Every one is called as `metric(targets, predictions)`. B = samples (batch), C = classes, O = outputs. Classes are
indices (B,) or any labels (B,) that can be sorted; one-hot targets (B, C) count as class indices, and a column (B, 1)
as (B,). Each raises `ShapeError` for shapes that do not pair up and `DataError` for no samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .classes import accuracy, balanced_accuracy, confusion_matrix, f1, hits, precision, recall
from .ranking import log_loss, roc_auc, top_k_accuracy
from .values import absolute_errors, mean_absolute_error, mean_squared_error, r2, root_mean_squared_error

__all__ = [
    "accuracy",
    "balanced_accuracy",
    "confusion_matrix",
    "f1",
    "log_loss",
    "mean_absolute_error",
    "mean_squared_error",
    "precision",
    "r2",
    "recall",
    "roc_auc",
    "root_mean_squared_error",
    "top_k_accuracy",
]


def scores(metric: str, targets: ArrayLike, predictions: ArrayLike) -> NDArray[np.float64]:
    """What each sample adds to the metric of a loss, whose mean over the samples the metric is: (B,).

    >>> scores("accuracy", [0, 1, 2], [0, 1, 0])
    array([1., 1., 0.])
    """
    each = {"accuracy": hits, "mean_absolute_error": absolute_errors}[metric](targets, predictions)
    return np.asarray(each.reshape(len(each), -1).mean(axis=1, dtype=np.float64))
