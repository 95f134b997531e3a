"""The numbers of a column: which are missing, that all can be used, their mean and scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, NonFiniteError

__all__ = ["is_missing", "numbers", "standardization"]

Place = Callable[[int], str]


def is_missing(column: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values of a column are missing, (B,)."""
    if column.dtype == object:
        return np.array([value is None for value in column], dtype=bool)
    return np.asarray(np.isnat(column) if column.dtype.kind == "M" else np.isnan(column))


def numbers(
    column: NDArray[Any], where: str, at: Place, infinite_is_missing: bool = False, what: str = "numbers"
) -> NDArray[np.float64]:
    """The column as float64, NaN where missing. Raises `DataError` for text, `NonFiniteError` for an infinity."""
    if column.dtype == object:
        for row, value in enumerate(column):
            if value is not None:
                raise DataError(f"{where} holds text where {what} belong: {value!r} in {at(row)}.")
        return np.full(len(column), np.nan)
    if column.dtype.kind == "M":
        raise DataError(f"{where} holds dates where {what} belong.")
    infinite = np.isinf(column)
    if infinite.any() and infinite_is_missing:
        return np.where(infinite, np.nan, column)
    if infinite.any():
        firsts = sorted(int(np.argmax(column == value)) for value in (np.inf, -np.inf) if (column == value).any())
        listed = " and ".join(f"{column[row]} in {at(row)}" for row in firsts)
        count = f" ({infinite.sum()} infinite values in all)" if infinite.sum() > 1 else ""
        raise NonFiniteError(
            f"{where} holds {listed}{count}; write a finite number or leave it empty. "
            'With missing="impute" they count as missing.'
        )
    return column


def standardization(values: NDArray[np.float64], where: str) -> tuple[float, float]:
    """Mean and standard deviation, (center, scale), so computed that no square over- or underflows.

    The scale of a constant column is 1, so that it becomes 0.
    """
    if values.min() == values.max():
        return float(values[0]), 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        center = values.mean()
        deviations = values - center
        largest = np.abs(deviations).max()
        scale = largest * np.sqrt(np.mean((deviations / largest) ** 2))
    if not np.isfinite(scale) or scale == 0:
        raise DataError(f"{where} cannot be standardized in float64: its numbers are too large or too close together.")
    return float(center), float(scale)
