"""Targets and predictions brought together: the same shape, the same kind, and classes that can be counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import plain_array
from ..errors import ConfigurationError, DataError, NonFiniteError, ShapeError
from ..weighting import checked_weights, require_counting

__all__ = ["known_classes", "labels_of", "mean_of", "numbers", "pair", "plain", "positions", "values_of"]


def mean_of(each: NDArray[Any], weights: ArrayLike | None) -> float:
    """The mean over samples and outputs, each sample weighted where there are weights."""
    if weights is None:
        return float(np.mean(each))
    samples = each.reshape(len(each), -1).mean(axis=1)  # (B,)
    given = checked_weights(weights, len(samples))
    require_counting(given, "metrics")
    return float(np.average(samples, weights=given))


def pair(targets: ArrayLike, predictions: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
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
    wanted, given = pair(wanted, given)
    if wanted.ndim != 1:
        raise ShapeError(
            f"Targets and predictions must be classes of shape (B,), not {wanted.shape}; for rows of probabilities "
            "write probabilities.argmax(axis=1)."
        )
    return wanted, given


def labels_of(targets: ArrayLike, predictions: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """One label for each sample, (B,) and (B,), that can be sorted together."""
    wanted, given = _one_dimensional(plain(targets, "targets"), plain(predictions, "predictions"))
    for array, name in ((wanted, "targets"), (given, "predictions")):
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise NonFiniteError(f"{name} hold NaN at index {int(np.isnan(array).argmax())}, which is no class.")
    return wanted, given


def plain(labels: ArrayLike, name: str) -> NDArray[Any]:
    """The labels as an array of numbers or strings, also if they come as an array of objects, as from a table."""
    array = plain_array(labels, name)
    if array.dtype.kind == "O":
        array = np.asarray(array.tolist())
    if array.dtype.kind not in "fiubUS":
        raise DataError(f"Classes must be numbers or texts, received dtype {array.dtype}; write labels.astype(str).")
    return array


def known_classes(wanted: NDArray[Any], given: NDArray[Any], classes: int | Sequence[Any] | None) -> NDArray[Any]:
    """The labels in the order of the rows, (C,)."""
    if classes is None:
        return np.unique(np.concatenate([wanted, given]))
    if isinstance(classes, int | np.integer) and not isinstance(classes, bool) and classes > 0:
        return np.arange(classes)
    known = plain(classes, "classes") if np.ndim(classes) else np.array([])
    if known.ndim != 1 or not len(known) or len(np.unique(known)) < len(known):
        raise ConfigurationError(f"classes must be a number above 0 or labels that all differ, not {classes!r}.")
    return known


def positions(labels: NDArray[Any], known: NDArray[Any], name: str) -> NDArray[np.intp]:
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


def values_of(targets: ArrayLike, predictions: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Targets and predictions as float64 in the same shape."""
    wanted, given = (np.atleast_1d(numbers(v, n)) for v, n in ((targets, "targets"), (predictions, "predictions")))
    if wanted.ndim == 2 and wanted.shape[1] == 1 and given.ndim == 1:
        wanted = wanted[:, 0]
    if given.ndim == 2 and given.shape[1] == 1 and wanted.ndim == 1:
        given = given[:, 0]
    return _checked(wanted, given)


def numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """The values as float64. Raises `DataError` for what is no number."""
    array = plain_array(values, name)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name} must be numbers, received dtype {array.dtype}; write np.asarray({name}, dtype=float).")
    return array.astype(np.float64, copy=False)
