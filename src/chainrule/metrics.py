"""Metrics: measures of how good predictions are, besides the loss.

Every one is called as `metric(targets, predictions)`. B = samples (batch), C = classes, O = outputs. Classes are
indices (B,) or any labels (B,) that can be sorted; one-hot targets (B, C) count as class indices, and a column (B, 1)
as (B,). Each raises `ShapeError` for shapes that do not pair up and `DataError` for no samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import plain_array
from .errors import ConfigurationError, DataError, NonFiniteError, ShapeError, UnknownNameError
from .weighting import checked_weights, require_counting

__all__ = [
    "accuracy",
    "confusion_matrix",
    "f1",
    "mean_absolute_error",
    "mean_squared_error",
    "precision",
    "r2",
    "recall",
    "root_mean_squared_error",
    "top_k_accuracy",
]

# What can be measured beside a loss, by the loss's own metric, and how people write it elsewhere.
BESIDE = {
    "accuracy": ("precision", "recall", "f1"),
    "mean_absolute_error": ("mean_squared_error", "root_mean_squared_error", "r2"),
}
ALIASES = {
    "acc": "accuracy",
    "f1_score": "f1",
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
    "rmse": "root_mean_squared_error",
    "r2_score": "r2",
}
AVERAGES = ("macro", "micro", "weighted", None)


# Classes


def accuracy(targets: ArrayLike, predictions: ArrayLike, *, sample_weights: ArrayLike | None = None) -> float:
    """The fraction of predictions that equal their targets; one-hot targets (B, C) count as class indices.

    With several binary outputs (B, O) each output counts separately; `sample_weights` (B,) weight the samples. Raises
    `ShapeError` if the shapes differ, `DataError` if there are no samples.

    >>> accuracy([0, 1, 2, 2], [0, 1, 2, 0])
    0.75
    """
    return _mean(_hits(targets, predictions), sample_weights)


def top_k_accuracy(targets: ArrayLike, probabilities: ArrayLike, k: int) -> float:
    """The fraction of samples whose class is among the k most probable: mean over b of [rank of y_b in p_b < k].

    Targets are class indices (B,) or one-hot (B, C); `probabilities`, or logits, are (B, C). Ties go to the class
    with the lower index, as in `argmax`: k = 1 gives the accuracy of `predict`. Raises `ConfigurationError`
    for a k outside 1..C, `DataError` for a class index outside 0..C-1, `ShapeError` for other shapes, and
    `NonFiniteError` for NaN.

    >>> p = [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]
    >>> top_k_accuracy([1, 2], p, k=1), top_k_accuracy([1, 2], p, k=2), top_k_accuracy([1, 2], p, k=3)
    (0.0, 0.5, 1.0)
    """
    p = _numbers(probabilities, "probabilities")
    if p.ndim != 2:
        raise ShapeError(f"probabilities must have shape (B, C), not {p.shape}; write model.predict_proba(X).")
    if np.isnan(p).any():
        raise NonFiniteError(f"probabilities hold NaN in row {int(np.isnan(p).any(axis=1).argmax())}.")
    samples, classes = p.shape
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= classes:
        raise ConfigurationError(f"k must be a whole number from 1 to {classes}, the number of classes, not {k!r}.")
    y = plain_array(targets, "targets")
    if y.ndim == 2 and y.shape[1] not in (1, classes):
        raise ShapeError(f"One-hot targets must have shape (B, {classes}), as the probabilities, not {y.shape}.")
    y = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)
    if len(y) != samples:
        raise ShapeError(f"Received {len(y)} targets but {samples} rows of probabilities; pass one for each sample.")
    if not samples:
        raise DataError("There are no samples to measure.")
    if y.dtype.kind not in "iu" or ((y < 0) | (y >= classes)).any():
        raise DataError(f"targets must be class indices, whole numbers from 0 to {classes - 1}; write y.astype(int).")
    own = np.take_along_axis(p, y[:, None], axis=1)  # (B,1)
    before = np.arange(classes) < y[:, None]  # (B,C)
    rank = np.sum((p > own) | ((p == own) & before), axis=1)  # (B,)
    return float(np.mean(rank < k))


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
    wanted, given = _labels(targets, predictions)
    known = _known_classes(wanted, given, classes)
    size = len(known)
    rows, columns = _positions(wanted, known, "targets"), _positions(given, known, "predictions")  # (B,), (B,)
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


# Values


def mean_absolute_error(
    targets: ArrayLike, predictions: ArrayLike, *, sample_weights: ArrayLike | None = None
) -> float:
    """The mean of |y - p| over samples and outputs, in the unit of y. Shapes: (B, O), or (B,) where O is 1.

    `sample_weights` (B,) weight the samples.

    >>> mean_absolute_error([1.0, 2.0], [1.5, 2.0])
    0.25
    """
    return _mean(_absolute_errors(targets, predictions), sample_weights)


def mean_squared_error(targets: ArrayLike, predictions: ArrayLike) -> float:
    """The mean of (y - p)² over samples and outputs, in the unit of y, squared. Shapes: (B, O), or (B,) where O is 1.

    >>> mean_squared_error([1.0, 2.0], [8.0, 1.0])                              # (49 + 1) / 2
    25.0
    """
    wanted, given = _values(targets, predictions)
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
    wanted, given = _values(targets, predictions)
    y, p = wanted.reshape(len(wanted), -1), given.reshape(len(given), -1)  # (B,O)
    residual = np.sum(np.square(y - p), axis=0)  # (O,)
    total = np.sum(np.square(y - y.mean(axis=0)), axis=0)  # (O,)
    constant = (y == y[0]).all(axis=0)  # (O,), since the total of equal numbers may be a rounding error
    explained = 1 - residual / np.where(constant, 1.0, total)  # (O,)
    return float(np.mean(np.where(constant, residual == 0, explained)))


# Names


def canonical(name: str) -> str:
    """The name under which a number is measured: "acc" is "accuracy", "val_mae" "val_mean_absolute_error".

    >>> canonical("val_acc"), canonical("RMSE"), canonical("loss")
    ('val_accuracy', 'root_mean_squared_error', 'loss')
    """
    held_out, own = ("val_", name[4:]) if name.startswith("val_") else ("", name)
    return held_out + ALIASES[own.lower()] if own.lower() in ALIASES else name


def beside(names: str | Sequence[str], own: str) -> tuple[str, ...]:
    """The metrics that `names` ask for beside a loss's `own`, which is measured anyway.

    Raises `UnknownNameError` for one that does not exist, or that cannot be measured for such a loss.

    >>> beside(["acc", "f1"], "accuracy"), beside("RMSE", "mean_absolute_error")
    (('f1',), ('root_mean_squared_error',))
    """
    known = BESIDE.get(own, ())
    asked = [names] if isinstance(names, str) else list(names)
    chosen = dict.fromkeys(canonical(name) if isinstance(name, str) else name for name in asked)
    for name in chosen:
        if name != own and name not in known:
            raise UnknownNameError(f"metric for a loss that is measured by its {own}", name, (*known, own))
    return tuple(name for name in chosen if name != own)


# Shared helpers


def scores(metric: str, targets: ArrayLike, predictions: ArrayLike) -> NDArray[np.float64]:
    """What each sample adds to the metric of a loss, whose mean over the samples the metric is: (B,).

    >>> scores("accuracy", [0, 1, 2], [0, 1, 0])
    array([1., 1., 0.])
    """
    each = {"accuracy": _hits, "mean_absolute_error": _absolute_errors}[metric](targets, predictions)
    return np.asarray(each.reshape(len(each), -1).mean(axis=1, dtype=np.float64))


def _hits(targets: ArrayLike, predictions: ArrayLike) -> NDArray[Any]:
    wanted, given = _pair(targets, predictions)
    return np.asarray(wanted == given)


def _absolute_errors(targets: ArrayLike, predictions: ArrayLike) -> NDArray[Any]:
    wanted, given = _values(targets, predictions)
    return np.abs(wanted - given)


def _mean(each: NDArray[Any], weights: ArrayLike | None) -> float:
    """The mean over samples and outputs, each sample weighted where there are weights."""
    if weights is None:
        return float(np.mean(each))
    samples = each.reshape(len(each), -1).mean(axis=1)  # (B,)
    given = checked_weights(weights, len(samples))
    require_counting(given, "metrics")
    return float(np.average(samples, weights=given))


def _pair(targets: ArrayLike, predictions: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Targets and predictions brought to the same shape."""
    wanted, given = plain_array(targets, "targets"), plain_array(predictions, "predictions")
    if wanted.ndim == 2 and given.ndim == 1:
        wanted = wanted[:, 0] if wanted.shape[1] == 1 else wanted.argmax(axis=1)
    if given.ndim == 2 and given.shape[1] == 1 and wanted.ndim == 1:
        given = given[:, 0]
    return _checked(wanted, given)


def _checked(wanted: NDArray[Any], given: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if wanted.shape != given.shape:
        hint = "; write probabilities.argmax(axis=1)" if wanted.ndim == 1 and given.ndim == 2 else ""
        raise ShapeError(
            f"Targets of shape {wanted.shape} and predictions of shape {given.shape} do not pair up{hint}."
        )
    if not wanted.size:
        raise DataError("There are no samples to measure.")
    if (wanted.dtype.kind in "US") != (given.dtype.kind in "US") and "O" not in wanted.dtype.kind + given.dtype.kind:
        raise DataError(
            f"Targets of dtype {wanted.dtype} and predictions of dtype {given.dtype} cannot be equal; write "
            "class_names[predictions], or number the targets."
        )
    return wanted, given


def _one_dimensional(wanted: NDArray[Any], given: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    wanted, given = _pair(wanted, given)
    if wanted.ndim != 1:
        raise ShapeError(
            f"Targets and predictions must be classes of shape (B,), not {wanted.shape}; for rows of probabilities "
            "write probabilities.argmax(axis=1)."
        )
    return wanted, given


def _labels(targets: ArrayLike, predictions: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """One label for each sample, (B,) and (B,), that can be sorted together."""
    wanted, given = _one_dimensional(_plain(targets, "targets"), _plain(predictions, "predictions"))
    for array, name in ((wanted, "targets"), (given, "predictions")):
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise NonFiniteError(f"{name} hold NaN at index {int(np.isnan(array).argmax())}, which is no class.")
    return wanted, given


def _plain(labels: ArrayLike, name: str) -> NDArray[Any]:
    """The labels as an array of numbers or strings, also if they come as an array of objects, as from a table."""
    array = plain_array(labels, name)
    if array.dtype.kind == "O":
        array = np.asarray(array.tolist())
    if array.dtype.kind not in "fiubUS":
        raise DataError(f"Classes must be numbers or texts, received dtype {array.dtype}; write labels.astype(str).")
    return array


def _known_classes(wanted: NDArray[Any], given: NDArray[Any], classes: int | Sequence[Any] | None) -> NDArray[Any]:
    """The labels in the order of the rows, (C,)."""
    if classes is None:
        return np.unique(np.concatenate([wanted, given]))
    if isinstance(classes, int | np.integer) and not isinstance(classes, bool) and classes > 0:
        return np.arange(classes)
    known = _plain(classes, "classes") if np.ndim(classes) else np.array([])
    if known.ndim != 1 or not len(known) or len(np.unique(known)) < len(known):
        raise ConfigurationError(f"classes must be a number above 0 or labels that all differ, not {classes!r}.")
    return known


def _positions(labels: NDArray[Any], known: NDArray[Any], name: str) -> NDArray[np.intp]:
    """The index of each label among the known ones, (B,)."""
    comparable = (labels.dtype.kind in "US") == (known.dtype.kind in "US")
    order = np.argsort(known, kind="stable")
    found = order[np.searchsorted(known[order], labels).clip(0, len(known) - 1)] if comparable else order[:1]
    wrong = np.flatnonzero(known[found] != labels) if comparable else np.arange(1)
    if len(wrong):
        listed = ", ".join(map(repr, known.tolist()[:10])) + (", ..." if len(known) > 10 else "")
        raise DataError(
            f"{name}[{wrong[0]}] is {labels[wrong[0]].item()!r}, which is not among the classes {listed}; "
            "pass classes= with every class."
        )
    return np.asarray(found, dtype=np.intp)


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


def _values(targets: ArrayLike, predictions: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Targets and predictions as float64 in the same shape."""
    wanted, given = (np.atleast_1d(_numbers(v, n)) for v, n in ((targets, "targets"), (predictions, "predictions")))
    if wanted.ndim == 2 and wanted.shape[1] == 1 and given.ndim == 1:
        wanted = wanted[:, 0]
    if given.ndim == 2 and given.shape[1] == 1 and wanted.ndim == 1:
        given = given[:, 0]
    return _checked(wanted, given)


def _numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    array = plain_array(values, name)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name} must be numbers, received dtype {array.dtype}; write np.asarray({name}, dtype=float).")
    return array.astype(np.float64, copy=False)
