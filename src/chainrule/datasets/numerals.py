"""Numbers as people write them: 1.060,78 and 1,060.78, 10 %, $ 5, (5), 1'000, 23 kg, 5'11", 1h 20m, 1.2k, < 5.

Which of . and , is the decimal mark follows from all cells of a column, never from one alone; so does the unit.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .units import CURRENCIES, UNIT, common_unit, factor, is_known

__all__ = ["NumberFormat", "is_amount", "is_code", "mark_of", "notation_of", "read_number", "without_bound"]

_BEFORE = "|".join(sorted(map(re.escape, CURRENCIES), key=len, reverse=True))
_AFTER = rf"%|{_BEFORE}|{UNIT.pattern}"
_CELL = re.compile(
    rf"""(?P<open>\()?\s* (?P<sign>[-+−–])?\s* (?:(?P<before>{_BEFORE})\s*)? (?P<later>[-+−–])?\s*
         (?P<body>\d(?:[\d.,'’\s]*\d)?[.,]?|[.,]\d+) (?P<exponent>[eE][-+]?\d+)?
         (?P<trail>(?<=[.,])[-–—]{{1,2}}|-)?
         \s*(?P<after>{_AFTER})?\s*(?P<close>\))?""",
    re.VERBOSE,
)
_PART = re.compile(r"\s*(?P<body>\d+(?:[.,]\d+)?)\s*(?P<unit>[^\W\d_]+\.?|°|['′’]{1,2}|[\"″])\s*,?")
_SMALLER = {"'": '"', "′": "″", "’": '"', "ft": "in", "h": "min", "hr": "min"}
_HEMISPHERE = re.compile(r"([NSEW])(?=[\s\d])|(?<=['′’\"″°\s])([NSEW])$")
_LAST = re.compile(r"\s*\d{1,2}(?:\.\d+)?\s*")
_BODY = {
    mark: re.compile(
        rf"\d+(?:{re.escape(mark)}\d*)?|{re.escape(mark)}\d+"
        rf"|\d{{1,3}}(?P<group>[{re.escape(other)}'’\s])\d{{3}}(?:(?P=group)\d{{3}})*(?:{re.escape(mark)}\d*)?"
        + (r"|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d*)?" if mark == "." else "")  # 12,34,567 as in India
    )
    for mark, other in ((".", ","), (",", "."))
}
_EXACT = 2**53  # from here on a float skips whole numbers
_WITH_E = re.compile(r"(?:0\d*|[1-9]\d*[1-9])[eE]\d{1,3}", re.ASCII)  # 67e5; no program writes a number so
_MANY = 12  # different amounts, from which on a word that all of them share is their unit, whatever it is
_BOUND = re.compile(r"^[<>≤≥~≈]=?\s*(?=[-+−.,\d])|(?<=\d)\s?(?:\+|[*†‡]{1,3})$")


@dataclass(frozen=True)
class NumberFormat:
    """How a column writes its numbers: the decimal mark, and the unit that all of them are in, "" where there is none.

    `certain` says that some cell shows the mark; where all could be read both ways, it was assumed.
    """

    mark: str = "."
    unit: str = ""
    certain: bool = True
    grouped: bool = False  # some cell has a separator of thousands, or a decimal comma
    converted: tuple[str, ...] = ()  # the units in the cells, where there is more than one, or thousands


@dataclass(frozen=True)
class _Amount:
    """A cell: digits with their marks, and the unit beside them; in 1h 20m there are two of each."""

    bodies: tuple[str, ...]
    units: tuple[str, ...]
    negative: bool = False


def is_code(cell: str) -> bool:
    """Whether digits are a name rather than an amount: they begin with a zero, or a float would round them.

    So are digits around an e that nobody writes in numbers.

    >>> is_code("00501"), is_code("9007199254740993"), is_code("0"), is_code("0.5"), is_code("501")
    (True, True, False, False, False)
    >>> is_code("67e5"), is_code("1e5"), is_code("10e6"), is_code("12e+3"), is_code("1.5e3")
    (True, False, False, False, False)
    """
    if _WITH_E.fullmatch(cell):
        return True
    if not (cell.isascii() and cell.isdigit()):  # ² is a digit to Python, and no number
        return False
    zero = len(cell) > 1 and cell[0] == "0"
    return zero or len(cell) > len(str(_EXACT)) or (len(cell) == len(str(_EXACT)) and int(cell) >= _EXACT)


def is_amount(cell: str) -> bool:
    """Whether a cell is a number with or without a unit that is one wherever it stands.

    >>> is_amount("5 kg"), is_amount("5 €"), is_amount("5"), is_amount("5 apples"), is_amount("12B")
    (True, True, True, False, False)
    """
    amount = _amount(cell)
    return amount is not None and all(
        is_known(unit) and (len(unit) > 1 or unit in "%mglsh") for unit in amount.units if unit
    )


def without_bound(cell: str) -> str:
    """A cell without the sign that says it is a limit or about so much, or has a footnote.

    >>> without_bound("< 0.5"), without_bound("~12"), without_bound(">=5"), without_bound("<b>")
    ('0.5', '12', '5', '<b>')
    >>> without_bound("65+"), without_bound("0.03**")
    ('65', '0.03')
    """
    return _BOUND.sub("", cell, count=1)


def _amount(cell: str) -> _Amount | None:
    found = _CELL.fullmatch(cell)
    if found is None or not any(body.fullmatch(found["body"].strip()) for body in _BODY.values()):
        return _of_parts(cell)
    body = found["body"].strip()
    trail = None if body[-1] in ".," else found["trail"]  # 12,- and 12.– are prices without cents
    signs = [sign for sign in (found["sign"], found["later"], trail) if sign]
    if bool(found["open"]) != bool(found["close"]) or len(signs) > 1:
        return None
    if trail and not {".", ","} & {*body}:  # 5.00- is an amount, 5- a grade
        return None
    before, after = found["before"] or "", found["after"] or ""
    negative = bool(found["open"]) != (signs not in ([], ["+"]))
    unit = CURRENCIES.get(after, after)
    if before and after:
        if after == "%" or after in CURRENCIES:
            return None
        unit = f"{after} {CURRENCIES[before]}"
    elif before:
        unit = CURRENCIES[before]
    return _Amount((body + (found["exponent"] or ""),), (unit,), negative)


def _of_parts(cell: str) -> _Amount | None:
    """5'11", 1h 20m, 52°13′N: amounts in units that become smaller."""
    side = _HEMISPHERE.search(cell) if "°" in cell else None
    negative = cell[:1] in "-−–" or (side is not None and side[0] in "SW")
    rest = cell.replace(side[0], "").strip() if side is not None else cell
    rest = rest[1:] if cell[:1] in "-−–" else rest
    bodies, units, at = [], [], 0
    while part := _PART.match(rest, at):
        bodies.append(part["body"])
        units.append(part["unit"].removesuffix(".") if part["unit"] != "min." else "min")
        at = part.end()
    if bodies and units[-1] in _SMALLER and (last := _LAST.fullmatch(rest, at)):  # 5'11, 1h20
        bodies.append(last[0].strip())
        units.append(_SMALLER[units[-1]])
        at = len(rest)
    if at != len(rest) or not bodies:
        return None
    ratios = [factor(a, b) or 0.0 for a, b in itertools.pairwise(units)]
    return _Amount(tuple(bodies), tuple(units), negative) if all(abs(ratio) > 1 for ratio in ratios) else None


def mark_of(body: str) -> str:
    """The decimal mark that the digits show: "." or ","; "?" where 1.060 may be either, "" where they have none.

    >>> mark_of("1.060,78"), mark_of("56,49"), mark_of("1.060"), mark_of("1.060.000"), mark_of("0.060"), mark_of("7")
    (',', ',', '?', ',', '.', '')
    """
    dots, commas = body.count("."), body.count(",")
    if dots and commas:
        return max(".,", key=body.rfind)
    if not dots and not commas:
        return ""
    here, other = (".", ",") if dots else (",", ".")
    if dots + commas > 1:
        return other
    whole, _, rest = body.partition(here)
    ambiguous = 1 <= len(whole) <= 3 and whole[0] != "0" and len(rest) == 3 and rest.isdecimal()
    return "?" if ambiguous else here


def notation_of(cells: Iterable[str], assumed: str | None = None, unit: str | None = None) -> NumberFormat | None:
    """The one notation in which every cell is a number, or None.

    `assumed` is the mark where no cell shows it, `unit` the one that a model was trained in. A unit of one family is
    converted; a word that is no unit by itself is one where more than twelve different amounts share it.

    >>> notation_of(["1.060,78", "887,36"])
    NumberFormat(mark=',', unit='', certain=True, grouped=True, converted=())
    >>> notation_of(["10%", "5 %"]).unit, notation_of(["1,5", "2.5"]), notation_of(["1.060"], ",").mark
    ('%', None, ',')
    >>> notation_of(["900 g", "1.2 kg"]).unit, notation_of(["5 kg", "5 m"]), notation_of(["5'11\\""]).unit
    ('g', None, '"')
    """
    marks: set[str] = set()
    units: set[str] = set()
    bodies: set[str] = set()
    count = 0
    for count, cell in enumerate(cells, start=1):  # noqa: B007
        amount = _amount(cell)
        if amount is None:
            return None
        units.update(amount.units)
        for body in amount.bodies:
            bodies.add(body)
            marks.add(mark_of(body))
    shared = common_unit(units, unit) if units else ""
    if {".", ","} <= marks or shared is None or (unit is None and "" in units and shared):
        return None
    if count <= _MANY and unit is None and not all(not each or is_known(each) for each in units):
        return None
    shown = marks & {".", ","}
    mark = shown.pop() if shown else assumed or "."
    grouped = False
    for text in bodies:
        digits = text.lower().partition("e")[0]
        if not _BODY[mark].fullmatch(digits):
            return None
        grouped = grouped or mark == "," or not digits.replace(".", "").isdecimal()
    converted = tuple(sorted(units - {""})) if any(factor(each, shared) != 1 for each in units) else ()
    certain = bool(marks & {".", ","}) or "?" not in marks
    return NumberFormat(mark, shared, certain, grouped, converted)


def read_number(cell: str, mark: str = ".", unit: str | None = None) -> float | None:
    """A cell as a number, in `unit` where one is given, else of money, percent or nothing; or None.

    >>> read_number("1.060,78", ","), read_number("(0.4 %)"), read_number("$ -5"), read_number("5 apples")
    (1060.78, -0.4, -5.0, None)
    >>> read_number("1.2 kg", unit="g"), read_number("5'11\\"", unit='"'), read_number("50° S", unit="° N")
    (1200.0, 71.0, -50.0)
    """
    amount = _amount(cell)
    if amount is None:
        return None
    total = 0.0
    for body, each in zip(amount.bodies, amount.units, strict=True):
        plain = unit is None and (each in ("", "%") or each in CURRENCIES.values())
        times = 1.0 if plain else None if unit is None else factor(each, unit)
        digits, exponent, power = body.lower().partition("e")
        if times is None or not _BODY[mark].fullmatch(digits):
            return None
        bare = re.sub(r"['’\s]", "", digits.replace("," if mark == "." else ".", "")).replace(",", ".")
        total += times * float(bare + exponent + power)
    return None if not math.isfinite(total) else -total if amount.negative else total
