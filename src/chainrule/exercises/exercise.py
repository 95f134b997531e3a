"""What an exercise is: its task, a solution with the lines that are asked for, the usual mistakes, and a worksheet."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..explaining.notation import number

__all__ = ["Exercise", "Mistake", "Problem", "Solved", "compiled", "literal", "product", "total", "whole"]

Floats = NDArray[np.float64]

_ASKED = re.compile(r"^( *)(return|[\w, ]+ =) .*?# \?(.*)$", re.M)
_HELPER = re.compile(r"^.*# -$\n", re.M)


@dataclass(frozen=True)
class Mistake:
    """A usual mistake: the piece of the solution that it replaces, and what to think about, gently and more plainly."""

    name: str
    old: str
    new: str
    hint: str
    more: str


@dataclass(frozen=True)
class Solved:
    """One answer of a worksheet: its symbol, its numbers, and for each of them how it comes about, (left, right).

    Both sides are formulas as in `chainrule.explaining.formula`; the right one holds numbers alone. Steps whose left
    side names something else come before the first that needs it.
    """

    symbol: str
    value: Floats
    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Problem:
    """One problem of a worksheet: the arrays that are given, by symbol, and the answers that are wanted."""

    given: Mapping[str, Any]
    wanted: tuple[Solved, ...]


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    In `solution` the lines that are asked for end with `# ?`, and those that only prepare them with `# -`. `outputs`
    names what each function returns; `cases` draws its arguments. `pair` is the name under which `check` finds forward
    and backward; empty where the exercise is no such pair. `idea` is what to think about where no mistake is
    recognized.
    """

    name: str
    title: str
    task: str
    by_hand: str
    solution: str
    outputs: Mapping[str, tuple[str, ...]]
    cases: Callable[[np.random.Generator], Mapping[str, tuple[Any, ...]]]
    mistakes: tuple[Mistake, ...]
    idea: str
    more: str
    sheet: Callable[[np.random.Generator], Problem]
    sheet_task: str
    pair: str = ""

    def stub(self) -> str:
        """The solution with `...` for what is asked for."""
        return _ASKED.sub(lambda m: f"{m[1]}{m[2]} ...  # yours{_comment(m[3])}", _HELPER.sub("", self.solution))

    def text(self) -> str:
        """The file in which somebody works: the task, a number worked by hand, the stub."""
        paragraphs = [textwrap.fill(" ".join(p.split()), 100) for p in self.task.strip().split("\n\n")]
        by_hand = textwrap.indent(textwrap.dedent(self.by_hand).strip(), "    ")
        head = "\n\n".join([self.title, *paragraphs, f"By hand:\n\n{by_hand}"])
        grade = f"Grade it: chainrule exercise grade {self.name}.py"
        return f'# chainrule exercise: {self.name}\n"""{head}\n\n{grade}\n"""\n\nimport numpy as np\n\n\n{self.stub()}'

    def planted(self, mistake: Mistake) -> str:
        """The solution with one mistake."""
        return self.solution.replace(mistake.old, mistake.new)


def _comment(text: str) -> str:
    return f": {text.strip()}" if text.strip() else ""


def compiled(text: str) -> dict[str, Any]:
    """The functions of a solution."""
    module = ModuleType("solution")
    vars(module)["np"] = np
    exec(compile(text, "<solution>", "exec"), vars(module))
    return vars(module)


# Numbers of worksheets


def whole(rng: np.random.Generator, *shape: int, most: int = 3) -> Floats:
    """Whole numbers from -most to most, none of them 0.

    >>> whole(np.random.default_rng(0), 4)
    array([-3., -2., -2., -1.])
    """
    return np.asarray(rng.integers(1, most + 1, shape) * rng.choice([-1.0, 1.0], shape))


def literal(value: float) -> str:
    """A number as part of a formula.

    >>> literal(2.0), literal(-0.5)
    ('2', '(-0.5)')
    """
    shown = number(float(value), 8)
    return f"({shown})" if shown.startswith("-") else shown


def product(*factors: float) -> str:
    """Several numbers multiplied.

    >>> product(2, -3.0)
    '2*(-3)'
    """
    return "*".join(map(literal, factors))


def total(terms: Iterable[str]) -> str:
    """Several terms added.

    >>> total([product(2, 3), "1"])
    '2*3 + 1'
    """
    return " + ".join(terms)
