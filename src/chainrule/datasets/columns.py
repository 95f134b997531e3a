"""One column of a table as inputs: a number standardized, a text one-hot."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError, NonFiniteError
from ..registry import record
from .tables import as_text

__all__ = ["Categorical", "Numeric", "is_missing", "numbers", "standardization"]


@record
@dataclass(frozen=True)
class Numeric:
    """A column of numbers becomes one input, (value - center) / scale; `fill` stands for missing values."""

    name: str
    center: float
    scale: float
    fill: float | None = None

    def __post_init__(self) -> None:
        given = (self.center, self.scale, 0.0 if self.fill is None else self.fill)
        if not all(isinstance(n, float) and math.isfinite(n) for n in given) or self.scale <= 0:
            raise ConfigurationError(
                f"The column {self.name!r} needs finite floats and a positive scale, "
                f"not center={self.center!r}, scale={self.scale!r}, fill={self.fill!r}."
            )

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The column's own name."""
        return (self.name,)

    @classmethod
    def fit(cls, name: str, column: NDArray[Any], rows: Any, impute: bool, standardize: bool, where: str) -> Numeric:
        """Center, scale and median of the training rows, the median standing for their missing values."""
        values = numbers(column, f"{where}: the column {name!r}")[rows]
        present = values[~np.isnan(values)]
        if not len(present):
            raise DataError(f'{where}: the column {name!r} has no value in the training part; add drop=["{name}"].')
        fill = float(np.median(present)) if impute else None
        if not standardize:
            return cls(name, 0.0, 1.0, fill)
        filled = np.where(np.isnan(values), fill, values) if fill is not None else values
        return cls(name, *standardization(filled, f"{where}: the column {name!r}"), fill)

    def encode(self, column: NDArray[Any], where: str) -> NDArray[np.float64]:
        """(B,) -> (B, 1)."""
        values = numbers(column, f"{where}: the column {self.name!r}")
        if self.fill is not None:
            values = np.where(np.isnan(values), self.fill, values)
        return ((values - self.center) / self.scale).reshape(-1, 1)


@record
@dataclass(frozen=True)
class Categorical:
    """A column of text becomes one input for each category, 1 where the row has it, else 0."""

    name: str
    categories: tuple[str, ...]
    fill: str | None = None

    def __post_init__(self) -> None:
        if not all(isinstance(c, str) for c in self.categories) or list(self.categories) != sorted(
            {*self.categories} - {""}
        ):
            raise ConfigurationError(f"The column {self.name!r} needs sorted, different, non-empty categories.")
        if not self.categories or (self.fill is not None and self.fill not in self.categories):
            raise ConfigurationError(f"The column {self.name!r} needs categories, with {self.fill!r} among them.")

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One name for each category, such as "island=Biscoe"."""
        return tuple(f"{self.name}={category}" for category in self.categories)

    @classmethod
    def fit(cls, name: str, column: NDArray[Any], rows: Any, impute: bool, where: str) -> Categorical:
        """The categories of the whole column, and the most frequent one of the training rows (ties: the first)."""
        found = sorted({value for value in column if value is not None})
        if len(found) > 20 and 2 * len(found) > len(column):
            raise DataError(
                f"{where}: the column {name!r} holds {len(found)} different texts in {len(column)} rows, "
                f'too many for one input each; add drop=["{name}"].'
            )
        kept = [value for value in column[rows] if value is not None]
        if not kept:
            raise DataError(f'{where}: the column {name!r} has no value in the training part; add drop=["{name}"].')
        counts = Counter(kept)
        return cls(name, tuple(found), max(found, key=lambda value: counts[value]) if impute else None)

    def encode(self, column: NDArray[Any], where: str) -> NDArray[np.float64]:
        """(B,) -> (B, number of categories). Raises `DataError` for a category that was not there in fitting."""
        place = {category: i for i, category in enumerate(self.categories)}
        if self.fill is not None:
            place |= {None: place[self.fill]}  # type: ignore[dict-item]
        text = as_text(column)
        for row, value in enumerate(text, start=1):
            if value not in place:
                raise DataError(
                    f"{where}, row {row}: the column {self.name!r} has the unknown category {value!r}; "
                    f"known are {', '.join(map(repr, self.categories))}."
                )
        one_hot = np.zeros((len(text), len(self.categories)))
        one_hot[np.arange(len(text)), [place[value] for value in text]] = 1.0
        return one_hot


def is_missing(column: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values of a column are missing, (B,)."""
    if column.dtype == object:
        return np.array([value is None for value in column], dtype=bool)
    return np.asarray(np.isnan(column))


def numbers(column: NDArray[Any], where: str) -> NDArray[np.float64]:
    """The column as float64, NaN where missing. Raises `DataError` for text, `NonFiniteError` for an infinity."""
    if column.dtype == object:
        for row, value in enumerate(column, start=1):
            if value is not None:
                raise DataError(f"{where} holds text where numbers belong: {value!r} in row {row}.")
        return np.full(len(column), np.nan)
    if np.isinf(column).any():
        row = int(np.argmax(np.isinf(column))) + 1
        raise NonFiniteError(f"{where} holds {column[row - 1]} in row {row}; write a finite number or leave it empty.")
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
