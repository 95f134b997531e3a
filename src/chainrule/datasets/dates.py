"""Dates and times as people write them: 2023-01-05, 05.01.2023, 1/5/2023 14:30, 5 Jan 2023, Mar-21, 2021-W05."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["dates_of", "duration_of", "hours_of", "order_of", "whole_numbers_as_dates"]

_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
_ZONE = r"(?:\s*(?:Z|[A-Z]{3,4}|[A-Z][a-z]+(?:/[A-Z][A-Za-z_]+)+|(?:UTC|GMT)?[+-]\d{2}(?::?\d{2})?))?"
_TIME = re.compile(_CLOCK)
_AFTER = rf"(?:(?:T|,?\s+){_CLOCK}{_ZONE})?"
_NUMERIC = re.compile(rf"(?P<a>\d{{1,4}})(?P<s>[-/.])\s?(?P<b>\d{{1,2}})(?P=s)\s?(?P<c>\d{{4}}|\d{{1,2}})\.?{_AFTER}")
_PERIOD = re.compile(r"(?P<a>\d{4})(?:[-/]|(?P<kind>-?\s?[MmQq]))(?P<b>\d{1,2})")
_QUARTER = re.compile(r"(?P<kind>[Qq])(?P<b>[1-4])[-/\s]?(?P<a>\d{4})")
_EAST = re.compile(r"(?P<a>\d{4})[年년]\s?(?P<b>\d{1,2})[月월](?:\s?(?P<c>\d{1,2})[日일])?" + _AFTER)
_WEEK = re.compile(r"(?P<year>\d{4})-?\s?[Ww](?P<week>\d{1,2})(?:-?(?P<day>[1-7]))?")
_NAME = r"(?P<name>[^\W\d_]{3,12})\.?"
_YEAR = r"(?P<a>\d{4}|['’]?\d{2})"
_OF_YEAR = r"(?:\s?[rгg]\.)?"  # as Polish, Russian and Bulgarian add
_NAMED_ALONE = re.compile(rf"{_NAME}(?:[-/\s]\s?{_YEAR}|(?P<year>\d{{4}}))")
_WEEKDAY = r"(?:[^\W\d_]{2,10}\.?,?\s+)?"
_NAMED = (
    re.compile(
        rf"{_WEEKDAY}(?P<c>\d{{1,2}})(?:\.|st|nd|rd|th)?[-/\s]?\s*(?:de |of )?{_NAME},?[-/\s]\s*(?:de )?{_YEAR}"
        rf"{_OF_YEAR}{_AFTER}"
    ),
    re.compile(rf"{_WEEKDAY}{_NAME}[-\s]+(?P<c>\d{{1,2}})(?:st|nd|rd|th)?,?[-\s]+(?P<a>\d{{4}}){_AFTER}"),
    re.compile(rf"{_YEAR}[-/\s]{_NAME}[-/\s](?P<c>\d{{1,2}}){_AFTER}"),
)
_LANGUAGES = (  # a month may be cut down to three letters and more, as far as no other begins so
    "january february march april may june july august september october november december sept",
    "januar februar märz april mai juni juli august september oktober november dezember jänner maerz",
    "leden únor březen duben květen červen červenec srpen září říjen listopad prosinec",
    "ledna února března dubna května června července srpna září října listopadu prosince",
    "styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik listopad grudzień",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "január február marec apríl máj jún júl august september október november december",
    "januára februára marca apríla mája júna júla augusta septembra októbra novembra decembra",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "januari februari maart april mei juni juli augustus september oktober november december",
)
_DURATION = re.compile(
    r"(?:(?P<days>-?\d+)\s*d(?:ays?)?,?\s*)?\+?(?P<hours>\d+):(?P<minutes>[0-5]\d)(?::(?P<seconds>[0-5]\d(?:[.,]\d+)?))?"
)
_MONTHS = 6  # different numbers, from which on 202103 and its like are months rather than numbers
_ORDERS = {"ymd": (0, 1, 2), "dmy": (2, 1, 0), "mdy": (2, 0, 1)}  # where year, month and day stand
Parts = tuple[tuple[int, int, int], int, int, bool]  # three numbers, their kind of order, seconds, year of four digits


def order_of(cells: Iterable[str], assumed: str | None = None) -> tuple[str, bool] | None:
    """The order of year, month and day in which every cell is a date, and whether some cell shows it; else None.

    >>> order_of(["05.01.2023", "31.01.2023"]), order_of(["1/5/2023", "1/31/2023"]), order_of(["2023-01-05"])
    (('dmy', True), ('mdy', True), ('ymd', True))
    >>> order_of(["1/5/2023"]), order_of(["1.5.2023"]), order_of(["31/31/2023"]), order_of(["2023-01-05", "31.1.2023"])
    (('mdy', False), ('dmy', False), None, ('dmy', True))
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


def duration_of(cell: str) -> float | None:
    """A duration written with colons in hours, also of more than a day, or None.

    >>> duration_of("30:30"), duration_of("1 days 06:30:00"), duration_of("0:00:36"), duration_of("1:75")
    (30.5, 30.5, 0.01, None)
    """
    found = _DURATION.fullmatch(cell)
    if found is None:
        return None
    seconds = float((found["seconds"] or "0").replace(",", "."))
    return 24 * int(found["days"] or 0) + int(found["hours"]) + int(found["minutes"]) / 60 + seconds / 3600


def whole_numbers_as_dates(values: NDArray[np.float64]) -> NDArray[Any] | None:
    """Numbers such as 20210305 as dates, or 202103 where there are six months and more; None where one is none.

    >>> whole_numbers_as_dates(np.array([20210305.0, 20211231.0])).astype(str).tolist()
    ['2021-03-05T00:00:00', '2021-12-31T00:00:00']
    >>> whole_numbers_as_dates(np.array([20210305.0, 20211331.0]))
    """
    import datetime

    present = np.unique(values[~np.isnan(values)])
    days_of = len(present) > 1 and 19000101 <= present[0] <= present[-1] <= 20991231
    months_of = len(present) >= _MONTHS and 190001 <= present[0] <= present[-1] <= 209912
    if not (days_of or months_of) or (present != np.floor(present)).any():
        return None
    days: dict[float, int] = {}
    for value in present.tolist():
        number = int(value) if days_of else 100 * int(value) + 1
        try:
            date = datetime.date(number // 10000, number // 100 % 100, number % 100)
        except ValueError:
            return None
        days[value] = (date.toordinal() - 719163) * 86400
    missing = np.iinfo(np.int64).min
    return np.array([days.get(value, missing) for value in values.tolist()], dtype=np.int64).view("datetime64[s]")


def _read(cell: str) -> Parts | None:
    found = _NUMERIC.fullmatch(cell)
    if found is not None:
        seconds = _seconds(found)
        first = len(found["a"]) == 4
        fine = len(found["a"]) in (1, 2, 4) and seconds is not None and len(found["c"]) >= (1 if first else 2)
        numbers = (int(found["a"]), int(found["b"]), int(found["c"]))
        return (numbers, 0 if first else 1, seconds or 0, first or len(found["c"]) == 4) if fine else None
    found = _EAST.fullmatch(cell)
    if found is not None and (seconds := _seconds(found)) is not None:
        return (int(found["a"]), int(found["b"]), int(found["c"] or 1)), 0, seconds, True
    found = _WEEK.fullmatch(cell)
    if found is not None:
        return _of_week(int(found["year"]), int(found["week"]), int(found["day"] or 1))
    found = _PERIOD.fullmatch(cell) or _QUARTER.fullmatch(cell)
    if found is not None:
        quarter = found["kind"] is not None and found["kind"][-1] in "Qq"
        return (int(found["a"]), 3 * int(found["b"]) - 2 if quarter else int(found["b"]), 1), 0, 0, True
    found = _NAMED_ALONE.fullmatch(cell)
    if found is not None and (month := _months().get(found["name"].lower())) is not None:
        year = (found["a"] or found["year"]).lstrip("'’")
        return (int(year), month, 1), 2, 0, len(year) == 4
    for pattern in _NAMED:
        found = pattern.fullmatch(cell)
        month = None if found is None else _months().get(found["name"].lower())
        if found is not None and month is not None and (seconds := _seconds(found)) is not None:
            year = found["a"].lstrip("'’")
            return (int(year), month, int(found["c"])), 2, seconds, len(year) == 4
    return None


def _of_week(year: int, week: int, day: int) -> Parts | None:
    import datetime

    try:
        date = datetime.date.fromisocalendar(year, week, day)
    except ValueError:
        return None
    return (date.year, date.month, date.day), 0, 0, True


@cache
def _months() -> dict[str, int]:
    """The number of the month by its name, or a beginning of it of three letters and more that no other month has."""
    found: dict[str, set[int]] = {}
    whole: dict[str, int] = {}
    for names in _LANGUAGES:
        for place, name in enumerate(names.split()):
            month = {"sept": 9, "jänner": 1, "maerz": 3}.get(name, place + 1)
            whole[name] = month
            for end in range(3, len(name)):
                found.setdefault(name[:end], set()).add(month)
    return {name: months.pop() for name, months in found.items() if len(months) == 1} | whole


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

    if read[1] == 1 and order == "ymd":
        return False
    year, month, day = _ymd(read, order)
    return 1 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
