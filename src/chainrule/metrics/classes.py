"""Metrics of classes that are decided: accuracy, the confusion matrix, and what is counted in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigurationError
from .pairing import known_classes, labels_of, mean_of, pair, positions

__all__ = ["accuracy", "balanced_accuracy", "confusion_matrix", "f1", "hits", "precision", "recall"]

AVERAGES = ("macro", "micro", "weighted", None)


def accuracy(targets: ArrayLike, predictions: ArrayLike, *, sample_weights: ArrayLike | None = None) -> float:
    """The fraction of predictions that equal their targets; one-hot targets (B, C) count as class indices.

    With several binary outputs (B, O) each output counts separately; `sample_weights` (B,) weight the samples. Raises
    `ShapeError` if the shapes differ, `DataError` if there are no samples.

    >>> accuracy([0, 1, 2, 2], [0, 1, 2, 0])
    0.75
    """
    return mean_of(hits(targets, predictions), sample_weights)


def balanced_accuracy(targets: ArrayLike, predictions: ArrayLike) -> float:
    """The mean over the classes of the part of their samples that is right: 1/C Σ_c TP_c / (TP_c + FN_c).

    It is 1/C for a model that always says the same class, however frequent that is. Classes without a sample in the
    targets do not count. Shapes and errors as `confusion_matrix`.

    >>> balanced_accuracy([0, 0, 0, 1], [0, 0, 0, 0])                           # (3/3 + 0/1) / 2
    0.5
    """
    right, true, _ = _counts(targets, predictions, None)
    return float(np.mean(right[true > 0] / true[true > 0]))


def confusion_matrix(
    targets: ArrayLike, predictions: ArrayLike, classes: int | Sequence[Any] | None = None
) -> NDArray[np.int64]:
    """How often class i was predicted as class j: n_ij = Σ_b [y_b = i][p_b = j], (C, C), rows true, columns predicted.

    `classes` is the number of classes C, for indices 0..C-1, or their labels in the order of the rows; the default is
    the labels that occur, sorted. Shapes: targets (B,) or one-hot (B, C), predictions (B,). Raises `DataError` for a
    label that is not among `classes`, `ShapeError` for rows of probabilities.

    >>> confusion_matrix([0, 0, 0, 1, 2], [0, 0, 1, 1, 0], classes=3)
    array([[2, 1, 0],
           [0, 1, 0],
           [1, 0, 0]])
    """
    wanted, given = labels_of(targets, predictions)
    known = known_classes(wanted, given, classes)
    size = len(known)
    rows, columns = positions(wanted, known, "targets"), positions(given, known, "predictions")  # (B,), (B,)
    counts = np.bincount(rows * size + columns, minlength=size * size)
    return counts.reshape(size, size).astype(np.int64, copy=False)


def precision(
    targets: ArrayLike,
    predictions: ArrayLike,
    average: str | None = "macro",
    classes: int | Sequence[Any] | None = None,
) -> float | NDArray[np.float64]:
    """The fraction of a class's predictions that are right: TP / (TP + FP), 0 for a class that is never predicted.

    With n the `confusion_matrix`, TP_c = n_cc, TP + FP the sum of column c and TP + FN the sum of row c. `average` is

    - None: one number per class, (C,); for binary classes 0 and 1, `precision(y, p, None)[1]` is the usual precision;
    - "macro": the mean over the classes;
    - "weighted": the mean over the classes, weighted by how often each occurs in the targets;
    - "micro": TP, FP and FN are summed over the classes first (this equals the accuracy).

    Classes, shapes and errors as `confusion_matrix`; `ConfigurationError` for another `average`.

    >>> targets, predictions = [0, 0, 0, 1, 2], [0, 0, 1, 1, 0]
    >>> precision(targets, predictions, average=None)                           # 2/3, 1/2, 0/0 counts as 0
    array([0.66666667, 0.5       , 0.        ])
    >>> round(precision(targets, predictions), 4)                               # (2/3 + 1/2 + 0) / 3
    0.3889
    """
    right, true, predicted = _counts(targets, predictions, classes)
    return _averaged(right, predicted, true, average)


def recall(
    targets: ArrayLike,
    predictions: ArrayLike,
    average: str | None = "macro",
    classes: int | Sequence[Any] | None = None,
) -> float | NDArray[np.float64]:
    """The fraction of a class's samples that are predicted as it: TP / (TP + FN), 0 for a class without samples.

    Arguments, shapes and errors as `precision`.

    >>> recall([0, 0, 0, 1, 2], [0, 0, 1, 1, 0], average=None)                  # 2/3, 1/1, 0/1
    array([0.66666667, 1.        , 0.        ])
    """
    right, true, _ = _counts(targets, predictions, classes)
    return _averaged(right, true, true, average)


def f1(
    targets: ArrayLike,
    predictions: ArrayLike,
    average: str | None = "macro",
    classes: int | Sequence[Any] | None = None,
) -> float | NDArray[np.float64]:
    """The harmonic mean of precision and recall: 2·TP / (2·TP + FP + FN), 0 if that is 0/0.

    Averages are taken over the f1 of the classes, not computed from averaged precision and recall. Arguments, shapes
    and errors as `precision`.

    >>> f1([0, 0, 0, 1, 2], [0, 0, 1, 1, 0], average=None)                      # 4/6, 2/3, 0/2
    array([0.66666667, 0.66666667, 0.        ])
    """
    right, true, predicted = _counts(targets, predictions, classes)
    return _averaged(2 * right, true + predicted, true, average)


def hits(targets: ArrayLike, predictions: ArrayLike) -> NDArray[Any]:
    """Whether each prediction is right, (B,) or (B, O)."""
    wanted, given = pair(targets, predictions)
    return np.asarray(wanted == given)


def _counts(
    targets: ArrayLike, predictions: ArrayLike, classes: int | Sequence[Any] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """TP, TP + FN and TP + FP of each class, (C,) each."""
    matrix = confusion_matrix(targets, predictions, classes)
    return np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)


def _averaged(
    part: NDArray[np.int64], whole: NDArray[np.int64], true: NDArray[np.int64], average: str | None
) -> float | NDArray[np.float64]:
    """part / whole of each class, (C,), or its average; 0/0 is 0, and the weights are how often a class is true."""
    if average not in AVERAGES:
        raise ConfigurationError(f"average must be 'macro', 'micro', 'weighted' or None, not {average!r}.")
    if average == "micro":
        return float(part.sum() / whole.sum())
    shares = part / np.maximum(whole, 1)  # (C,), whole = 0 only where part = 0
    if average is None:
        return np.asarray(shares, dtype=np.float64)
    return float(np.average(shares, weights=true if average == "weighted" else None))
