"""A column of dates as inputs: trend, season, day of the week and time of the day."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError
from ..registry import record
from .kinds import ColumnFormat
from .scaling import numbers, standardization
from .tables import Table

__all__ = ["Date"]

_PARTS = {"trend": 1, "year": 2, "week": 7, "day": 2}  # what a date becomes, and the inputs of each
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@record
@dataclass(frozen=True)
class Date:
    """A column of dates becomes the days since `center`, divided by `scale`; and of year, week and day, `parts`.

    The place in the year and in the day are a sine and a cosine each, the day of the week seven inputs, one of them 1.
    `fill`, in days since 1970, stands for missing dates; `order` is how a file writes them: "ymd", "dmy" or "mdy".
    """

    name: str
    center: float
    scale: float
    parts: tuple[str, ...]
    fill: float | None = None
    order: str = "ymd"

    def __post_init__(self) -> None:
        given = (self.center, self.scale, 0.0 if self.fill is None else self.fill)
        if not all(isinstance(n, float) and math.isfinite(n) for n in given) or self.scale <= 0:
            raise ConfigurationError(f"The column {self.name!r} needs finite floats and a positive scale.")
        if not self.parts or [part for part in _PARTS if part in self.parts] != list(self.parts):
            raise ConfigurationError(f"The column {self.name!r} needs some of {list(_PARTS)}, in this order.")
        if self.order not in ("ymd", "dmy", "mdy"):
            raise ConfigurationError(f'The column {self.name!r} needs the order "ymd", "dmy" or "mdy".')

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Such as "day, days", "day, sine of the year", "day=Mon"."""
        names = {
            "trend": [f"{self.name}, days"],
            "year": [f"{self.name}, sine of the year", f"{self.name}, cosine of the year"],
            "week": [f"{self.name}={day}" for day in _DAYS],
            "day": [f"{self.name}, sine of the day", f"{self.name}, cosine of the day"],
        }
        return tuple(name for part in self.parts for name in names[part])

    @property
    def written(self) -> ColumnFormat:
        """How a file writes the column."""
        return ColumnFormat("date", self.order)

    @property
    def for_gaps(self) -> str:
        """What stands for a missing date, in words."""
        mean, day = self.fill is None, np.datetime64(round(self.center if self.fill is None else self.fill), "D")
        return f"{day}, the {'mean' if mean else 'median'}"

    @property
    def knows_its_mean(self) -> bool:
        """Whether something can stand for a missing value: not where numbers were left as they are."""
        return self.fill is not None or (self.center, self.scale) != (0.0, 1.0)

    def without_gaps(self) -> Date:
        """The same, with the mean for missing dates where there is no fill."""
        return self if self.fill is not None else replace(self, fill=self.center)

    @classmethod
    def fit(cls, table: Table, name: str, rows: Any, impute: bool, standardize: bool) -> Date:
        """Center and scale of the training rows, and the parts in which they differ; the year from 60 days on."""
        days = _days(table[name])[rows]
        present = days[~np.isnan(days)]
        where = f"{table.name}: the column {name!r}"
        if not len(present):
            raise DataError(f'{where} has no value in the training part; add drop=["{name}"].')
        fill = float(np.median(present)) if impute else None
        center, scale = standardization(present, where) if standardize else (0.0, 1.0)
        whole = np.floor(present)
        differ = {
            "trend": True,
            "year": bool(whole.max() - whole.min() >= 60),
            "week": len(np.unique(whole % 7)) > 1 and not _first_of_months(whole),
            "day": len(np.unique(present - whole)) > 1,
        }
        known = table.origin.written.get(name)
        order = known.mark if known is not None and known.kind == "date" else "ymd"
        return cls(name, center, scale, tuple(part for part in _PARTS if differ[part]), fill, order)

    def encode(self, table: Table, rows: Any, out: NDArray[Any]) -> None:
        """Write the inputs of these rows, (B,) -> (B, number of inputs)."""
        column = table[self.name]
        if column.dtype.kind != "M":
            numbers(column, f"{table.name}: the column {self.name!r}", table.at, False, "dates")
            if not np.isnan(column.astype(np.float64)).all():
                raise DataError(f"{table.name}: the column {self.name!r} holds numbers where dates belong.")
            column = np.full(len(column), "NaT", dtype="datetime64[s]")
        days = _days(column[rows])
        if self.fill is not None:
            days = np.where(np.isnan(days), self.fill, days)
        whole = np.floor(days)  # a NaN has been refused
        first = whole.astype("datetime64[D]").astype("datetime64[Y]").astype("datetime64[D]").astype(np.float64)
        turn = 2 * np.pi * (whole - first) / 365.25, 2 * np.pi * (days - whole)
        blocks = {
            "trend": [(days - self.center) / self.scale],
            "year": [np.sin(turn[0]), np.cos(turn[0])],
            "week": [((whole + 3) % 7 == day).astype(np.float64) for day in range(7)],  # 1970 began on a Thursday
            "day": [np.sin(turn[1]), np.cos(turn[1])],
        }
        for place, block in enumerate(block for part in self.parts for block in blocks[part]):
            out[:, place] = block


def _first_of_months(days: NDArray[np.float64]) -> bool:
    """Whether days stand for months or quarters, so that their place in the week says nothing."""
    dates = days.astype("datetime64[D]")
    return bool((dates == dates.astype("datetime64[M]")).all())


def _days(column: NDArray[Any]) -> NDArray[np.float64]:
    """Dates as days since 1970, NaN where missing."""
    seconds = column.astype("datetime64[s]").astype(np.int64)
    return np.where(np.isnat(column), np.nan, seconds / 86400)
