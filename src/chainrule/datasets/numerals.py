"""Numbers as people write them: 1.060,78 and 1,060.78, 10 %, $ 5, (5), 1'000.

Which of . and , is the decimal mark follows from all cells of a column, never from one alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["NumberFormat", "is_code", "mark_of", "notation_of", "read_number"]

_CURRENCIES = {
    "$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₽": "RUB", "₹": "INR", "₩": "KRW", "₺": "TRY",
    "₴": "UAH", "zł": "PLN", "Kč": "CZK", "kč": "CZK", "Ft": "HUF", "kr": "kr", "kr.": "kr", "lei": "RON", "Fr.": "CHF",
    "руб": "RUB", "руб.": "RUB", "R$": "BRL",
}  # fmt: skip
_CODES = (
    "USD EUR GBP JPY CHF CZK PLN HUF SEK NOK DKK RON BGN RUB UAH TRY CNY INR KRW BRL MXN AUD CAD NZD ZAR SGD HKD ILS"
)
UNITS = _CURRENCIES | {code: code for code in _CODES.split()} | {"%": "%"}

_AFFIX = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_CELL = re.compile(
    rf"""(?P<open>\()?\s* (?P<sign>[-+−–])?\s* (?:(?P<before>{_AFFIX})\s*)? (?P<later>[-+−–])?\s*
         (?P<body>\d[\d.,'’\s]*|[.,]\d+) (?P<exponent>[eE][-+]?\d+)? \s*(?P<after>{_AFFIX})?\s*(?P<close>\))?""",
    re.VERBOSE,
)
_BODY = {
    mark: re.compile(
        rf"\d+(?:{re.escape(mark)}\d*)?|{re.escape(mark)}\d+"
        rf"|\d{{1,3}}(?P<group>[{re.escape(other)}'’\s])\d{{3}}(?:(?P=group)\d{{3}})*(?:{re.escape(mark)}\d*)?"
    )
    for mark, other in ((".", ","), (",", "."))
}
_EXACT = 2**53  # from here on a float skips whole numbers


@dataclass(frozen=True)
class NumberFormat:
    """How a column writes its numbers: the decimal mark, the unit that stands beside them, "" where there is none.

    `certain` says that some cell shows the mark; where all could be read both ways, it was assumed.
    """

    mark: str = "."
    unit: str = ""
    certain: bool = True
    grouped: bool = False  # some cell has a separator of thousands, or a decimal comma


def is_code(cell: str) -> bool:
    """Whether digits are a name rather than an amount: they begin with a zero, or a float would round them.

    >>> is_code("00501"), is_code("9007199254740993"), is_code("0"), is_code("0.5"), is_code("501")
    (True, True, False, False, False)
    """
    return cell.isdigit() and ((len(cell) > 1 and cell[0] == "0") or (len(cell) > 15 and int(cell) >= _EXACT))


def _parts(cell: str) -> tuple[str, bool, str] | None:
    """Digits with their marks, whether negative, and the unit."""
    found = _CELL.fullmatch(cell)
    if found is None:
        return None
    sign, later, before, after = found["sign"], found["later"], found["before"], found["after"]
    if bool(found["open"]) != bool(found["close"]) or (sign and later) or (before and after):
        return None
    negative = bool(found["open"]) != ((sign or later or "+") != "+")
    return found["body"].strip() + (found["exponent"] or ""), negative, UNITS.get(before or after or "", "")


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
    ambiguous = 1 <= len(whole) <= 3 and whole[0] != "0" and len(rest) == 3 and rest.isdigit()
    return "?" if ambiguous else here


def notation_of(cells: Iterable[str], assumed: str | None = None) -> NumberFormat | None:
    """The one notation in which every cell is a number, or None; `assumed` is the mark where no cell shows it.

    >>> notation_of(["1.060,78", "887,36"])
    NumberFormat(mark=',', unit='', certain=True, grouped=True)
    >>> notation_of(["10%", "5 %"]).unit, notation_of(["1,5", "2.5"]), notation_of(["1.060"], ",").mark
    ('%', None, ',')
    """
    marks, units, grouped = set(), set(), False
    bodies = []
    for cell in cells:
        parts = _parts(cell)
        if parts is None:
            return None
        bodies.append(parts[0])
        marks.add(mark_of(parts[0]))
        units.add(parts[2])
    if {".", ","} <= marks or len(units) > 1:
        return None
    shown = marks & {".", ","}
    mark = shown.pop() if shown else assumed or "."
    body = _BODY[mark]
    for text in bodies:
        digits = text.lower().partition("e")[0]
        if not body.fullmatch(digits):
            return None
        grouped = grouped or mark == "," or not digits.replace(".", "").isdigit()
    return NumberFormat(mark, units.pop() if units else "", bool(marks & {".", ","}) or "?" not in marks, grouped)


def read_number(cell: str, mark: str = ".") -> float | None:
    """A cell as a number, or None.

    >>> read_number("1.060,78", ","), read_number("(0.4 %)"), read_number("$ -5"), read_number("5 apples")
    (1060.78, -0.4, -5.0, None)
    """
    parts = _parts(cell)
    if parts is None:
        return None
    digits, exponent, power = parts[0].lower().partition("e")
    if not _BODY[mark].fullmatch(digits):
        return None
    plain = re.sub(r"['’\s]", "", digits.replace("," if mark == "." else ".", "")).replace(",", ".")
    value = float(plain + exponent + power)
    return None if not math.isfinite(value) else -value if parts[1] else value
