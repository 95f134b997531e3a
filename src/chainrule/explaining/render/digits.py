"""How many digits to print, so that whoever calculates a printed line again gets the value that it shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..derivation import Line, Path, ReadingStep, StepLine
from ..formula import NO_NAMES, evaluate, rounded
from ..notation import number

__all__ = ["Shown", "shown_line", "shown_path", "shown_step"]

VALUE_DIGITS, MOST = 6, 17


@dataclass(frozen=True)
class Shown:
    """A sum as it is printed: its terms and what is left of it as formulas of rounded numbers, and its value."""

    terms: tuple[str, ...]
    rest: float | None
    value: float

    @property
    def recalculated(self) -> float:
        """What a reader gets who calculates the printed terms; nan where rounding made a divisor 0."""
        try:
            return math.fsum([*(float(evaluate(term, NO_NAMES)) for term in self.terms), self.rest or 0.0])
        except (ArithmeticError, ValueError):
            return math.nan


def _fitting(terms: tuple[str, ...], rest: float | None, value: float) -> Shown:
    """The fewest digits with which the printed terms give the printed value, to one unit of its last digit."""
    for value_digits in range(VALUE_DIGITS, 0, -1):
        final = float(f"{value:.{value_digits}g}")
        unit = 10.0 ** (math.floor(math.log10(abs(final))) - value_digits + 1) if final else 1e-300
        for digits in range(value_digits, MOST + 1):
            left = None if rest is None else float(f"{rest:.{digits}g}")
            shown = Shown(tuple(rounded(term, digits) for term in terms), left, final)
            if abs(shown.recalculated - final) <= 1.001 * unit:
                return shown
    return shown


def shown_line(line: Line | ReadingStep) -> Shown:
    """A line of the derivation as it is printed."""
    rest = line.rest_sum if line.rest_count else None
    return _fitting(tuple(term.shown for term in line.terms), rest, line.value)


def shown_step(line: StepLine) -> Shown:
    """A line of the optimizer's step as it is printed."""
    return _fitting((line.numbers,), None, line.value)


def shown_path(path: Path) -> Shown:
    """A path as a product of its factors."""
    return _fitting(("*".join(f"({factor!r})" for factor in path.factors),), None, path.product)


def short(value: float) -> str:
    """A number for a table.

    >>> short(0.12345678), short(-0.0)
    ('0.123457', '0')
    """
    return number(value, VALUE_DIGITS)
