"""What each kind of column is in ONNX: a table from its class to a function that writes its inputs.

A file takes one input for each column, (B,), and does what `Preprocessing.transform` does. A graph cannot raise an
error: a row that `transform` refuses (a missing value without a fill, an infinity) becomes NaN here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..datasets import Preprocessing
from ..datasets.columns import Categorical, Numeric
from ..datasets.datecolumn import Date
from ..datasets.tables import Table
from ..errors import ConfigurationError
from .writer import BATCH, Writer

__all__ = ["COLUMNS", "write_preprocessing"]

_DAY = 86400
_BEFORE_1970 = 719162  # days, from the first of January of the year 1
_NO_DATE = "NaT"


class Encoded(NamedTuple):
    """A column's inputs (B, K), float64, which rows miss a value (B,), and a column of one missing value."""

    inputs: str
    missing: str
    nothing: NDArray[Any]


def _numeric(write: Writer, column: Numeric) -> Encoded:
    number = f"a number, in {column.unit}" if column.unit else "a number"
    meanings = {
        "number": number,
        "truth": "1 or 0",
        "tick": "1 or 0",
        "time": "hours since midnight",
        "duration": "hours",
    }
    values = write.input(column.name, np.float64, [BATCH], f"{meanings[column.kind]}; NaN is missing")
    missing = write.op("Or", write.op("IsNaN", values), write.op("IsInf", values))
    centered = write.op("Sub", values, write.constant(column.center))
    return Encoded(
        _upright(write, write.op("Div", centered, write.constant(column.scale))), missing, np.array([np.nan])
    )


def _categorical(write: Writer, column: Categorical) -> Encoded:
    text = write.input(column.name, str, [BATCH], 'a text; "" is missing')
    count, width = len(column.categories), len(column.feature_names)
    rows = np.eye(count + 2, width)  # a row for each category, for none of them, for a missing one
    rows[count:] = 0.0
    rows[count, count:] = 1.0
    place = write.lookup(text, column.categories, count)
    empty = write.op("Equal", write.lookup(text, [""], 1), write.constant(np.array(0)))
    return Encoded(write.op("Gather", write.constant(rows), place), empty, np.array([None], dtype=object))


def _date(write: Writer, column: Date) -> Encoded:
    seconds = write.input(column.name, np.int64, [BATCH], "seconds since 1970; -2**63, NumPy's NaT, is missing")
    counted = write.op("Add", seconds, write.constant(np.array(_BEFORE_1970 * _DAY)))  # since the year 1
    missing = write.op("Less", counted, write.constant(np.array(0)))
    counted = write.op("Max", counted, write.constant(np.array(0)))
    day, within = (write.op(kind, counted, write.constant(np.array(_DAY))) for kind in ("Div", "Mod"))
    days = write.op("Div", write.cast(seconds, np.float64), write.constant(float(_DAY)))
    weekday = write.op("Mod", day, write.constant(np.array(7)))  # the year 1 began on a Monday
    parts: dict[str, Callable[[], str]] = {
        "trend": lambda: _upright(write, _standardized(write, column, days)),
        "year": lambda: write.op("Gather", write.constant(_circle(np.arange(366) / 365.25)), _day_of_year(write, day)),
        "week": lambda: write.op("Gather", write.constant(np.eye(7)), weekday),
        "day": lambda: _time_of_day(write, within),
    }
    return Encoded(
        write.op("Concat", *(parts[part]() for part in column.parts), axis=1),
        missing,
        np.array([_NO_DATE], dtype="datetime64[s]"),
    )


def _standardized(write: Writer, column: Numeric | Date, values: str) -> str:
    centered = write.op("Sub", values, write.constant(column.center))
    return write.op("Div", centered, write.constant(column.scale))


def _circle(turns: NDArray[Any]) -> NDArray[np.float64]:
    """Sine and cosine of so many turns, (T,) -> (T, 2)."""
    return np.stack([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)], axis=1)


def _time_of_day(write: Writer, within: str) -> str:
    angle = write.op("Mul", write.cast(within, np.float64), write.constant(2 * np.pi / _DAY))
    ahead = write.op("Add", angle, write.constant(np.pi / 2))  # the sine of it is the cosine, which not all have
    return write.op("Concat", *(_upright(write, write.op("Sin", each)) for each in (angle, ahead)), axis=1)


def _day_of_year(write: Writer, day: str) -> str:
    """0 for the first of January: what is left of the days since the year 1 after whole centuries and years."""
    for days, at_most in ((146097, None), (36524, 3), (1461, None), (365, 3)):  # in 400, 100, 4 years and in one
        size = write.constant(np.array(days))
        whole = write.op("Div", day, size)
        if at_most is not None:  # the last of its kind has a leap day
            whole = write.op("Min", whole, write.constant(np.array(at_most)))
        day = write.op("Sub", day, write.op("Mul", whole, size))
    return day


def _upright(write: Writer, values: str) -> str:
    """(B,) -> (B, 1)."""
    return write.op("Unsqueeze", values, write.constant(np.array([1])))


COLUMNS: dict[type, Callable[[Writer, Any], Encoded]] = {Categorical: _categorical, Date: _date, Numeric: _numeric}


def write_preprocessing(write: Writer, preprocessing: Preprocessing) -> tuple[str, str]:
    """The inputs of the network (B, I) in its dtype, and (B, 1) that is NaN for refused rows, else 0.

    Raises `ConfigurationError` with the name of a column whose kind has no row in `COLUMNS`.
    """
    blocks = []
    for column in preprocessing.columns:
        kind = type(column)
        if kind not in COLUMNS:
            raise ConfigurationError(
                f"The column {column.name!r} is a {kind.__name__}, which cannot be written in ONNX. Train without it, "
                f'drop=["{column.name}"], or export the network alone, with preprocessing=False, and transform tables '
                "in Python: model.preprocessing.transform(table)."
            )
        with write.at(column.name):
            encoded = COLUMNS[kind](write, column)
            row = write.constant(_row_of_nothing(column, encoded.nothing))
            blocks.append(write.op("Where", _upright(write, encoded.missing), row, encoded.inputs))
    with write.at("inputs"):
        X = write.cast(write.op("Concat", *blocks, axis=1), np.float32)  # (B,I)
        refused = write.op(
            "ReduceSum", write.op("Sub", X, X), write.constant(np.array([1])), keepdims=1
        )  # ∞ - ∞ is NaN
        return write.cast(X, write.dtype), write.cast(refused, write.dtype)


def _row_of_nothing(column: Any, nothing: NDArray[Any]) -> NDArray[np.float64]:
    """The inputs (1, K) of a missing value: those of its fill, NaN without one."""
    row = np.full((1, len(column.feature_names)), np.nan)
    if column.fill is not None:
        column.encode(Table({column.name: nothing}), slice(None), row)
    return row
