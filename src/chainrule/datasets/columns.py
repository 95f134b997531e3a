"""One column of a table as inputs: a number standardized, a text one-hot."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError
from ..registry import record
from .kinds import ColumnFormat
from .scaling import is_missing, numbers, standardization
from .tables import Table, as_text

__all__ = ["MOST_CATEGORIES", "Categorical", "Numeric", "frequent", "least"]

MOST_CATEGORIES = 100  # with an input each; where there are more, the rarer ones share one input
_OTHER = "(other)"
_KINDS = ("truth", "tick", "time", "duration")  # of numbers that a file does not write as such


@record
@dataclass(frozen=True)
class Numeric:
    """A column of numbers becomes one input, (value - center) / scale; `fill` stands for missing values.

    `kind` is number, truth, tick, time or duration, and `mark` the decimal mark: how a file writes them. `unit` is what
    the numbers are in, "" where nothing stands beside them.
    """

    name: str
    center: float
    scale: float
    fill: float | None = None
    kind: str = "number"
    mark: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        given = (self.center, self.scale, 0.0 if self.fill is None else self.fill)
        if not all(isinstance(n, float) and math.isfinite(n) for n in given) or self.scale <= 0:
            raise ConfigurationError(
                f"The column {self.name!r} needs finite floats and a positive scale, "
                f"not center={self.center!r}, scale={self.scale!r}, fill={self.fill!r}."
            )
        if self.kind not in ("number", *_KINDS) or self.mark not in ("", ".", ","):
            raise ConfigurationError(f"The column {self.name!r} cannot be {self.kind!r} with the mark {self.mark!r}.")

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The column's own name."""
        return (self.name,)

    @property
    def written(self) -> ColumnFormat:
        """How a file writes the column."""
        return ColumnFormat(self.kind, self.mark, self.unit)

    @property
    def for_gaps(self) -> str:
        """What stands for a missing value, in words."""
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.center:.5g}{unit}, the mean" if self.fill is None else f"{self.fill:.5g}{unit}, the median"

    @property
    def knows_its_mean(self) -> bool:
        """Whether something can stand for a missing value: not where numbers were left as they are."""
        return self.fill is not None or (self.center, self.scale) != (0.0, 1.0)

    def without_gaps(self) -> Numeric:
        """The same, with the mean for missing values where there is no fill."""
        return self if self.fill is not None else replace(self, fill=self.center)

    @classmethod
    def fit(cls, table: Table, name: str, rows: Any, impute: bool, standardize: bool) -> Numeric:
        """Center, scale and median of the training rows, the median standing for their missing values."""
        where = f"{table.name}: the column {name!r}"
        values = numbers(table[name], where, table.at, impute)[rows]
        present = values[~np.isnan(values)]
        if not len(present):
            raise DataError(f'{where} has no value in the training part; add drop=["{name}"].')
        fill = float(np.median(present)) if impute else None
        known = table.origin.written.get(name, ColumnFormat("number"))
        how = (known.kind, known.mark, "") if known.kind in _KINDS else ("number", known.mark, known.unit)
        if not standardize:
            return cls(name, 0.0, 1.0, fill, *how)
        filled = np.where(np.isnan(values), fill, values) if fill is not None else values
        return cls(name, *standardization(filled, where), fill, *how)

    def encode(self, table: Table, rows: Any, out: NDArray[Any]) -> None:
        """Write the inputs of these rows, (B,) -> (B, 1)."""
        where = f"{table.name}: the column {self.name!r}"
        values = numbers(table[self.name], where, table.at, self.fill is not None)[rows]
        if self.fill is not None:
            values = np.where(np.isnan(values), self.fill, values)
        out[:, 0] = (values - self.center) / self.scale


@record
@dataclass(frozen=True)
class Categorical:
    """A column of text becomes one input for each category, 1 where the row has it, else 0.

    With `other` one more input is 1 for all further texts; without it they have 0 everywhere.
    """

    name: str
    categories: tuple[str, ...]
    fill: str | None = None
    other: bool = False

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
        return tuple(f"{self.name}={category}" for category in (*self.categories, *[_OTHER] * self.other))

    @property
    def written(self) -> ColumnFormat:
        """How a file writes the column."""
        return ColumnFormat("text", known=frozenset(self.categories))

    @property
    def for_gaps(self) -> str:
        """What stands for a missing value, in words."""
        return "none of the categories" if self.fill is None else f"{self.fill!r}, the most frequent"

    @property
    def knows_its_mean(self) -> bool:
        """Whether something can stand for a missing text: always."""
        return True

    def without_gaps(self) -> Categorical:
        """The same: where there is no fill, a missing text is none of the categories."""
        return self

    @classmethod
    def fit(cls, table: Table, name: str, rows: Any, impute: bool) -> Categorical:
        """The categories of the whole column, and the most frequent one of the training rows (ties: the first).

        Of more than `MOST_CATEGORIES` the most frequent keep an input, if they have at least ten training rows and one
        in a thousand; the others share one.
        """
        column, where = table[name], f"{table.name}: the column {name!r}"
        found = sorted({value for value in column if value is not None})
        if len(found) > 20 and 2 * len(found) > len(column):
            raise DataError(
                f"{where} holds {len(found)} different texts in {len(column)} rows, "
                f'too many for one input each; add drop=["{name}"].'
            )
        counts = Counter(value for value in column[rows] if value is not None)
        if not counts:
            raise DataError(f'{where} has no value in the training part; add drop=["{name}"].')
        fill = max(found, key=lambda value: counts[value]) if impute else None
        if len(found) <= MOST_CATEGORIES:
            return cls(name, tuple(found), fill)
        kept = frequent(counts)
        if not kept:
            raise DataError(
                f"{where} holds {len(found)} different texts, none of them in {least(counts)} training rows; "
                f'add drop=["{name}"].'
            )
        return cls(name, tuple(sorted(kept)), fill, True)

    def encode(self, table: Table, rows: Any, out: NDArray[Any]) -> None:
        """Write the inputs of these rows, (B,) -> (B, number of inputs).

        Warns of texts that were not there in fitting, with their count.
        """
        place = {category: i for i, category in enumerate(self.categories)}
        if self.fill is not None:
            place |= {None: place[self.fill]}  # type: ignore[dict-item]
        text = as_text(table[self.name])
        places = np.array([place.get(value, -1) for value in text[rows].tolist()], dtype=np.int64)
        known = places >= 0
        out[:] = 0.0
        out[np.flatnonzero(known), places[known]] = 1.0
        if self.other:
            out[~known, -1] = 1.0
            return
        unseen = np.arange(len(text))[rows][~known]
        unseen = unseen[~is_missing(text[unseen])]
        if len(unseen):
            self._warn(table, text, unseen)

    def _warn(self, table: Table, text: NDArray[Any], rows: NDArray[np.int64]) -> None:
        listed = ", ".join(f"{text[row]!r} in {table.at(row)}" for row in rows[:5].tolist())
        more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
        count = "1 row has a category" if len(rows) == 1 else f"{len(rows)} rows have categories"
        warnings.warn(
            f"{table.name}: {self.name!r}: {count} that training did not have ({listed}{more}); taken as none of "
            f"{', '.join(map(repr, self.categories[:5]))}{', ...' if len(self.categories) > 5 else ''}.",
            UserWarning,
            stacklevel=4,
        )


def least(counts: Counter[str]) -> int:
    """The rows that a category needs to keep an input where there are too many."""
    return max(10, sum(counts.values()) // 1000)


def frequent(counts: Counter[str]) -> list[str]:
    """The categories that keep an input where there are too many."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [category for category, count in ranked[:MOST_CATEGORIES] if count >= least(counts)]
