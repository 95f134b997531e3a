"""Worksheets: problems with numbers of their own, to be solved on paper, and the same with their solutions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..display import Html, article, joined, page, tag
from ..errors import ConfigurationError
from ..explaining.formula import NO_NAMES, evaluate
from ..explaining.notation import mathml, number
from .exercise import Exercise, Problem, Solved

__all__ = ["problems_of", "value_of", "worksheet"]

_DIGITS = 6
_MOST = 20  # problems on a sheet


def problems_of(exercise: Exercise, seed: int, count: int) -> list[Problem]:
    """The problems of a sheet: those of one seed are always the same.

    >>> from chainrule.exercises import EXERCISES
    >>> problems_of(EXERCISES["neuron"], seed=3, count=1)[0].given["x"]
    array([-3., -1.,  1.])
    """
    if not 1 <= count <= _MOST:
        raise ConfigurationError(f"A worksheet holds 1 to {_MOST} problems, not {count}.")
    if seed < 0:
        raise ConfigurationError(f"The seed of a worksheet must be a whole number of at least 0, not {seed}.")
    return [exercise.sheet(np.random.default_rng([seed, i])) for i in range(count)]


def worksheet(exercise: Exercise, seed: int = 0, count: int = 4, solutions: bool = False) -> str:
    """A page to be printed. With `solutions` the same problems, with answers and how they come about."""
    what = "Solutions" if solutions else "Worksheet"
    head = [tag("h1", exercise.title), tag("p", f"{what} {exercise.name}, number {seed}", cls="soft")]
    if not solutions:
        head.append(tag("p", "Name", tag("span", cls="fill"), "Date", tag("span", cls="fill"), cls="names"))
    head.append(tag("p", exercise.sheet_task))
    problems = problems_of(exercise, seed, count)
    body = [_problem(i, problem, solutions) for i, problem in enumerate(problems, 1)]
    return page(f"{exercise.title}: {what.lower()} {seed}", article(*head, *body))


def value_of(formula: str) -> float:
    """The value of a formula without symbols.

    >>> value_of("2*(-3) + 1")
    -5.0
    """
    return float(evaluate(formula, NO_NAMES))


def _problem(position: int, problem: Problem, solutions: bool) -> Html:
    given = joined(_line(symbol, _matrix(np.asarray(value))) for symbol, value in problem.given.items())
    parts = [tag("h2", f"{position}."), tag("div", given, cls="given")]
    if not solutions:
        blanks = [_line(each.symbol, _matrix(each.value, blank=True)) for each in problem.wanted]
        return tag("section", *parts, tag("div", *blanks, cls="given"), tag("div", cls="work"), cls="problem")
    for each in problem.wanted:
        steps = list(_steps(each))
        parts.append(
            tag("div", *steps, _line(each.symbol, _matrix(each.value)) if each.value.ndim else "", cls="worked")
        )
    return tag("section", *parts, cls="problem")


def _line(symbol: str, right: Html) -> Html:
    return tag("math", Html(mathml(symbol)), tag("mo", "="), right, displaystyle="true", cls="strong")


def _matrix(value: NDArray[Any], blank: bool = False) -> Html:
    """A number, a row or a matrix, or empty boxes; the brackets are the style sheet's, since few fonts stretch them."""
    if not value.ndim and not blank:
        return _entry(float(value))
    rows = [
        tag("mtr", *(tag("mtd", cls="blank") if blank else tag("mtd", _entry(float(each))) for each in row))
        for row in np.atleast_2d(value)
    ]
    return tag("mtable", *rows, cls="blanks" if blank else "matrix")


def _entry(value: float) -> Html:
    return Html(mathml(number(value, _DIGITS)))


def _steps(wanted: Solved) -> Iterator[Html]:
    for left, right in wanted.steps:
        value = number(value_of(right), _DIGITS)
        parts = [Html(mathml(left)), tag("mo", "="), Html(mathml(right))]
        parts += [] if right.strip("()") == value else [tag("mo", "="), Html(mathml(value))]
        yield tag("math", *parts, displaystyle="true")
