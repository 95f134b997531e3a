"""Metrics of probabilities and scores: how the classes are ranked, and how sure the right one was."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import plain_array
from ..errors import ConfigurationError, DataError, NonFiniteError, ShapeError
from .pairing import numbers

__all__ = ["log_loss", "roc_auc", "top_k_accuracy"]


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
    p = numbers(probabilities, "probabilities")
    if p.ndim != 2:
        raise ShapeError(f"probabilities must have shape (B, C), not {p.shape}; write model.predict_proba(X).")
    if np.isnan(p).any():
        raise NonFiniteError(f"probabilities hold NaN in row {int(np.isnan(p).any(axis=1).argmax())}.")
    samples, classes = p.shape
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= classes:
        raise ConfigurationError(f"k must be a whole number from 1 to {classes}, the number of classes, not {k!r}.")
    y = _class_indices(targets, samples, classes)
    own = np.take_along_axis(p, y[:, None], axis=1)  # (B,1)
    before = np.arange(classes) < y[:, None]  # (B,C)
    rank = np.sum((p > own) | ((p == own) & before), axis=1)  # (B,)
    return float(np.mean(rank < k))


def log_loss(targets: ArrayLike, probabilities: ArrayLike) -> float:
    """The mean of -log p of each sample's own class, in nats: 0 is certain and right, log C is guessing.

    Targets are class indices (B,) or one-hot (B, C); `probabilities` are (B, C), with rows that add up to 1 within
    1e-3, or for two classes the probability of class 1, (B,) or (B, 1). Probabilities are kept away from 0 by 1e-15,
    the rounding of float64, so that one sample that was called impossible counts 34.5. Raises `DataError` for what is
    no probability, other errors as `top_k_accuracy`.

    >>> round(log_loss([0, 1], [[0.5, 0.5], [0.25, 0.75]]), 4)                  # (log 2 + log 4/3) / 2
    0.4904
    """
    y, p = _classes_and_scores(targets, probabilities)
    if p.ndim == 1:
        p = np.column_stack([1 - p, p])
    if (p < 0).any() or (p > 1).any() or (np.abs(p.sum(axis=1) - 1) > 1e-3).any():
        raise DataError("probabilities must lie in 0..1 and add up to 1 in each row; write model.predict_proba(X).")
    own = np.take_along_axis(p, y[:, None], axis=1) / p.sum(axis=1, keepdims=True)  # (B,1)
    return float(-np.mean(np.log(np.maximum(own, 1e-15))))


def roc_auc(targets: ArrayLike, scores: ArrayLike, average: str | None = "macro") -> float | NDArray[np.float64]:
    """The chance that a sample of a class scores higher for it than one of the others: the area under the ROC curve.

    AUC_c = P(s_c of a sample of c > s_c of another) + ½ P(they are equal), each class against the rest. 1 ranks
    perfectly, ½ is guessing. Targets are class indices (B,) or one-hot (B, C); `scores` are probabilities or logits
    (B, C), or for two classes the score of class 1, (B,) or (B, 1), which gives one number. `average` is "macro" (the
    mean over the classes), "weighted" (by how often each occurs) or None, (C,).

    Raises `DataError` where a class has no sample or all of them, for then there is nothing to compare.

    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])                            # of 4 pairs 3 are in order
    0.75
    """
    if average not in ("macro", "weighted", None):
        raise ConfigurationError(f"average must be 'macro', 'weighted' or None, not {average!r}.")
    y, s = _classes_and_scores(targets, scores)
    if s.ndim == 1:
        return _area(y == 1, s, 1)
    areas = np.array([_area(y == k, s[:, k], k) for k in range(s.shape[1])])  # (C,)
    if average is None:
        return areas
    return float(np.average(areas, weights=np.bincount(y, minlength=len(areas)) if average == "weighted" else None))


def _area(positive: NDArray[np.bool_], scores: NDArray[np.float64], k: int) -> float:
    """From the ranks of the positive samples, ties sharing the mean of their ranks (Mann and Whitney, 1947)."""
    n = int(positive.sum())
    if n in (0, len(positive)):
        raise DataError(f"AUC: {'all' if n else 'none'} of the samples are of class {k}; both kinds are needed.")
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places.reshape(-1)]  # (B,), from 1
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))


def _classes_and_scores(targets: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Class indices (B,), and scores (B, C), or (B,) for class 1 of two."""
    s = numbers(scores, "probabilities")
    s = s[:, 0] if s.ndim == 2 and s.shape[1] == 1 else s
    if s.ndim not in (1, 2):
        raise ShapeError(f"probabilities must have shape (B, C), not {s.shape}; write model.predict_proba(X).")
    if np.isnan(s).any():
        raise NonFiniteError(f"probabilities hold NaN in row {int(np.argwhere(np.isnan(s))[0, 0])}.")
    classes = 2 if s.ndim == 1 else s.shape[1]
    return _class_indices(targets, len(s), classes), s


def _class_indices(targets: ArrayLike, samples: int, classes: int) -> NDArray[np.intp]:
    """One class index for each sample, (B,)."""
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
    return np.asarray(y, dtype=np.intp)
