"""Dates and times as people write them: 2023-01-05, 05.01.2023, 1/5/2023 14:30, 5 Jan 2023."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["dates_of", "hours_of", "order_of"]

_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
_ZONE = r"(?:\s*(?:Z|UTC|[+-]\d{2}:?\d{2}))?"
_TIME = re.compile(_CLOCK)
_AFTER = rf"(?:(?:T|,?\s+){_CLOCK}{_ZONE})?"
_NUMERIC = re.compile(rf"(?P<a>\d{{1,4}})(?P<s>[-/.])\s?(?P<b>\d{{1,2}})(?P=s)\s?(?P<c>\d{{4}}|\d{{1,2}})\.?{_AFTER}")
_MONTH_ALONE = re.compile(r"(?P<a>\d{4})(?:[-/]|(?P<kind>-?\s?[MmQq]))(?P<b>\d{1,2})")
_NAMED_ALONE = re.compile(r"(?P<name>[A-Za-z]{3,9})[-\s]?(?P<a>\d{4})")
_NAMED = (
    re.compile(rf"(?P<c>\d{{1,2}})\.?[-\s]\s*(?P<name>[A-Za-z]{{3,9}})\.?,?[-\s]\s*(?P<a>\d{{4}}){_AFTER}"),
    re.compile(rf"(?P<name>[A-Za-z]{{3,9}})\.?[-\s]+(?P<c>\d{{1,2}})(?:st|nd|rd|th)?,?[-\s]+(?P<a>\d{{4}}){_AFTER}"),
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ORDERS = {"ymd": (0, 1, 2), "dmy": (2, 1, 0), "mdy": (2, 0, 1)}  # where year, month and day stand
Parts = tuple[tuple[int, int, int], int, int, bool]  # three numbers, their kind of order, seconds, year of four digits


def order_of(cells: Iterable[str], assumed: str | None = None) -> tuple[str, bool] | None:
    """The order of year, month and day in which every cell is a date, and whether some cell shows it; else None.

    >>> order_of(["05.01.2023", "31.01.2023"]), order_of(["1/5/2023", "1/31/2023"]), order_of(["2023-01-05"])
    (('dmy', True), ('mdy', True), ('ymd', True))
    >>> order_of(["1/5/2023"]), order_of(["1.5.2023"]), order_of(["31/31/2023"])
    (('mdy', False), ('dmy', False), None)
    """
    possible, dotted, seen = {"ymd", "dmy", "mdy"}, False, False
    for cell in cells:
        read = _read(cell)
        if read is None:
            return None
        seen = True
        possible &= {order for order in _ORDERS if _valid(read, order)}
        dotted = dotted or "/" not in cell
        if not possible:
            return None
    if not seen:
        return None
    if len(possible) == 1:
        return possible.pop(), True
    first = (assumed, "ymd", *(("dmy", "mdy") if dotted else ("mdy", "dmy")))
    return next(order for order in first if order in possible), "ymd" in possible


def dates_of(cells: Sequence[str | None], order: str) -> NDArray[Any]:
    """The cells as datetime64[s], (B,), NaT for None. Raises `ValueError` with the cell that is no date.

    >>> dates_of(["05.01.2023", None, "1.2.2023 14:30"], "dmy").astype(str).tolist()
    ['2023-01-05T00:00:00', 'NaT', '2023-02-01T14:30:00']
    """
    import datetime

    known: dict[str | None, int] = {}
    missing = np.iinfo(np.int64).min
    for cell in {*cells} - {None}:
        read = _read(cell) if cell is not None else None
        if read is None or not _valid(read, order):
            raise ValueError(cell)
        known[cell] = (datetime.date(*_ymd(read, order)).toordinal() - 719163) * 86400 + read[2]
    return np.array([known.get(cell, missing) for cell in cells], dtype=np.int64).view("datetime64[s]")


def hours_of(cell: str) -> float | None:
    """A time of the day in hours, or None.

    >>> hours_of("14:30"), hours_of("2:15 pm"), hours_of("25:00")
    (14.5, 14.25, None)
    """
    found = _TIME.fullmatch(cell)
    seconds = None if found is None else _seconds(found)
    return None if seconds is None else seconds / 3600


def _read(cell: str) -> Parts | None:
    found = _NUMERIC.fullmatch(cell)
    if found is not None:
        seconds = _seconds(found)
        first = len(found["a"]) == 4
        fine = len(found["a"]) in (1, 2, 4) and seconds is not None and len(found["c"]) >= (1 if first else 2)
        numbers = (int(found["a"]), int(found["b"]), int(found["c"]))
        return (numbers, 0 if first else 1, seconds or 0, first or len(found["c"]) == 4) if fine else None
    found = _MONTH_ALONE.fullmatch(cell)
    if found is not None:
        quarter = found["kind"] is not None and found["kind"][-1] in "Qq"
        return (int(found["a"]), 3 * int(found["b"]) - 2 if quarter else int(found["b"]), 1), 0, 0, True
    found = _NAMED_ALONE.fullmatch(cell)
    if found is not None and (month := _month(found["name"])) is not None:
        return (int(found["a"]), month, 1), 0, 0, True
    for pattern in _NAMED:
        found = pattern.fullmatch(cell)
        month = None if found is None else _month(found["name"])
        if found is not None and month is not None and (seconds := _seconds(found)) is not None:
            return (int(found["a"]), month, int(found["c"])), 2, seconds, True
    return None


def _month(name: str) -> int | None:
    import calendar

    full = name.lower()
    if full[:3] not in _MONTHS:
        return None
    month = _MONTHS.index(full[:3]) + 1
    return month if calendar.month_name[month].lower().startswith(full) or full == "sept" else None


def _seconds(found: re.Match[str]) -> int | None:
    if found["hour"] is None:
        return 0
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["half"][0] in "pP" else 0)
    return hour * 3600 + minute * 60 + second if hour < 24 and minute < 60 and second < 60 else None


def _ymd(read: Parts, order: str) -> tuple[int, int, int]:
    numbers, kind, _, whole = read
    year, month, day = (numbers[i] for i in _ORDERS["ymd" if kind != 1 else order])
    return (year if whole else year + (2000 if year < 69 else 1900)), month, day


def _valid(read: Parts, order: str) -> bool:
    """Whether the numbers are a day in this order; a year in front, or the month's name, settles it for its cell."""
    import calendar

    if (read[1] == 0 and order != "ymd") or (read[1] == 1 and order == "ymd"):
        return False
    year, month, day = _ymd(read, order)
    return 1 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
