"""What samples and classes count: weights as users pass them, checked once for fit, evaluate, losses and metrics.

Only the ratios of weights matter to a mean. So a weight is 0 or lies between `SMALLEST` and `LARGEST`, where neither
their sums nor their shares leave the range of float32: beyond it a run would be NaN, or would train on nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import plain_array
from .errors import ConfigurationError, DataError, NonFiniteError, ShapeError, UnknownNameError

__all__ = ["LARGEST", "SMALLEST", "checked_class_weights", "checked_weights", "class_factors", "require_counting"]

SMALLEST, LARGEST = 1e-30, 1e30


def checked_weights(values: ArrayLike, samples: int, where: str = "sample_weights") -> NDArray[np.float64]:
    """One weight for each sample, (B,) float64.

    Raises `ShapeError` for another number of them, `NonFiniteError` for NaN and infinity, and `DataError` for
    what is no number, is below 0 or is out of range.

    >>> checked_weights([2, 0.5], 2)
    array([2. , 0.5])
    """
    given = plain_array(values, where)
    if given.dtype.kind not in "fiub":
        raise DataError(f"{where} must hold numbers, received dtype {given.dtype}.")
    if given.size != samples or given.ndim == 0:
        count = "one number" if given.ndim == 0 else f"{given.size} sample weights"
        raise ShapeError(f"{where}: received {samples} samples but {count}; pass one weight for each sample.")
    weights = given.astype(np.float64).reshape(-1)
    wrong = _first_wrong(weights)
    if wrong is None:
        return weights
    weight = weights[wrong]
    if not np.isfinite(weight):
        raise NonFiniteError(f"{where} holds {weight} at index ({wrong},); remove or replace such entries.")
    if weight < 0:
        raise DataError(f"{where}: sample weights must be at least 0; entry {wrong} is {weight:g}.")
    raise DataError(f"{where}: entry {wrong} is {weight:g}; {_RANGE}, as in weights / weights.max().")


_RANGE = (
    f"a weight must be 0 or lie between {SMALLEST:g} and {LARGEST:g}. Only their ratios matter: divide all by the "
    "largest"
)


def require_counting(totals: NDArray[np.float64] | None, where: str, what: str = "sample_weights") -> None:
    """That what the samples count, (B,), class weights included, adds up to something. Raises `DataError`."""
    if totals is None or not len(totals):
        return
    wrong = _first_wrong(totals)
    if wrong is not None:
        raise DataError(f"{where}: class weight times sample weight of sample {wrong} is {totals[wrong]:g}; {_RANGE}.")
    if not totals.any():
        raise DataError(f"{where}: {what} are all 0 for these samples, so that nothing counts; raise one above 0.")


def checked_class_weights(weights: Iterable[float], where: str) -> tuple[float, ...]:
    """Class weights as floats, (C,). Raises `ConfigurationError` for what is no weight, and where all are 0."""
    if isinstance(weights, str | bytes | Mapping) or not isinstance(weights, Iterable):
        raise ConfigurationError(f"{where}: class_weights must be a list of numbers, one for each class.")
    given = tuple(weights)
    for index, weight in enumerate(given):
        _require_class_weight(weight, index, where)
    if given and not any(given):
        raise ConfigurationError(f"{where}: class_weights are all 0, so that nothing counts; raise one above 0.")
    return tuple(float(weight) for weight in given)


def class_factors(
    class_weights: Mapping[Any, float] | Sequence[float] | str,
    labels: NDArray[Any],
    classes: int,
    names: Sequence[str] = (),
    where: str = "fit",
) -> NDArray[np.float64]:
    """What each sample counts by its class, (B,).

    `labels` are class indices (B,) or rows of probabilities (B, C), each of which counts its classes in proportion.
    `class_weights` maps indices, or the classes' `names`, to weights, lists a weight for each of the C `classes`, or is
    "balanced", w_c = B / (number of classes that occur · B_c). Raises `ConfigurationError` for a class that does not
    exist, one without a weight, and what is no weight.

    >>> class_factors({0: 1.0, 1: 3.0}, np.array([1, 0, 1]), 2)
    array([3., 1., 3.])
    >>> class_factors("balanced", np.array([1, 0, 1]), 2)                   # 3 / (2·2), 3 / (2·1)
    array([0.75, 1.5 , 0.75])
    """
    counts = labels.sum(axis=0) if labels.ndim == 2 else np.bincount(labels, minlength=classes)  # (C,)
    if isinstance(class_weights, str):
        if class_weights != "balanced":
            raise ConfigurationError(f"{where}: class_weights must be numbers or 'balanced', not {class_weights!r}.")
        table = len(labels) / (np.count_nonzero(counts) * np.where(counts > 0, counts, 1.0))  # (C,)
    else:
        given = _by_index(class_weights, classes, names, where)
        missing = [index for index in np.flatnonzero(counts).tolist() if index not in given]
        if missing:
            raise ConfigurationError(
                f"{where}: class_weights lack the classes {missing}; give a weight for each class."
            )
        table = np.array([float(given.get(index, 0.0)) for index in range(classes)])  # (C,)
    return np.asarray(labels @ table if labels.ndim == 2 else table[labels], dtype=np.float64)  # (B,)


def _by_index(class_weights: Any, classes: int, names: Sequence[str], where: str) -> dict[int, float]:
    if not isinstance(class_weights, Mapping | Sequence | np.ndarray) or np.ndim(class_weights) > 1:  # type: ignore[arg-type]
        raise ConfigurationError(
            f"{where}: class_weights must be a dict of weights by class, a list of one weight for each class, or "
            f"'balanced', not {class_weights!r}."
        )
    listed = not isinstance(class_weights, Mapping)
    if listed and len(class_weights) != classes:
        raise ConfigurationError(
            f"{where}: {len(class_weights)} class_weights for {classes} classes; give one for each."
        )
    by_index = {}
    for key, weight in dict(enumerate(class_weights) if listed else class_weights).items():
        index = _class_index(key, classes, names, where)
        _require_class_weight(weight, key, where)
        by_index[index] = weight
    return by_index


def _class_index(key: Any, classes: int, names: Sequence[str], where: str) -> int:
    if isinstance(key, str) and names:
        if key not in names:
            raise UnknownNameError("class in class_weights", key, names)
        return list(names).index(key)
    if not isinstance(key, Integral | np.bool_) or not 0 <= int(key) < classes:
        raise ConfigurationError(
            f"{where}: class_weights has a weight for the class {key!r}, which does not exist; the {classes} classes "
            f"are 0 to {classes - 1}."
        )
    return int(key)


def _require_class_weight(weight: Any, label: Any, where: str) -> None:
    number = float(weight) if isinstance(weight, Real) else np.nan
    if not (np.isfinite(number) and number >= 0):
        raise ConfigurationError(
            f"{where}: class_weights must be numbers of at least 0; that of class {label!r} is {weight!r}."
        )
    if number and not SMALLEST <= number <= LARGEST:
        raise ConfigurationError(f"{where}: the class weight of {label!r} is {weight!r}; {_RANGE}.")


def _first_wrong(weights: NDArray[np.float64]) -> int | None:
    """The first entry that is no weight: NaN, infinite, below 0, or out of range."""
    right = (weights == 0) | ((weights >= SMALLEST) & (weights <= LARGEST))  # (B,)
    return None if right.all() else int(np.argmin(right))
