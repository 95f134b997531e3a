"""What `explain` returns: a derivation that prints itself as text, LaTeX, HTML and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from ..display.spelling import printable
from ..display.terminal import columns
from ..jsontext import parse_json, to_json
from .derivation import Derivation
from .formula import symbol
from .render.page import as_fragment, as_page
from .render.plain import as_text
from .render.steps import shown
from .render.terminal import OnTerminal
from .render.tex import as_latex

__all__ = ["SCHEMA", "Explanation"]

SCHEMA = 2  # of `to_dict`: keys are added, none changes its meaning without a new number


@dataclass(frozen=True)
class Explanation(Derivation):
    """Why a gradient is this number: the chain rule from the loss down, with numbers, and the proof that it is right.

    Print it, or call `to_text()`, `to_latex()`, `to_html()`, `to_json()`; in a notebook it shows itself. `value` is the
    gradient, `lines` the derivation, `witnesses` the independent ways to the same number, `batch` the sum over samples,
    `step` what the optimizer would do, `paths` the ways from the weight to the loss.
    """

    def to_dict(self) -> dict[str, Any]:
        """The whole explanation as dicts, lists, numbers and text, under a `schema` that later versions keep.

        Beside the fields, `symbol` is the quantity as a formula, and each of the `steps` has its formulas ready to
        show: `text` and `mathml`, each with `symbol`, `formula` and the `terms` by name and in numbers. `from_dict`
        reads it back.
        """
        held = super().to_dict()
        held["steps"] = [{**of, **shown(step)} for of, step in zip(held["steps"], self.steps, strict=True)]
        return {"schema": SCHEMA, "symbol": symbol(self.quantity.name, self.quantity.index), **held}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """The object that `to_dict` described."""
        held = {name: value for name, value in stored.items() if name not in ("schema", "symbol")}
        held["steps"] = [{k: v for k, v in step.items() if k not in ("text", "mathml")} for step in held["steps"]]
        return super().from_dict(held)

    def to_json(self) -> str:
        """The whole explanation as JSON; `from_json` reads it back."""
        return to_json(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        return cls.from_dict(parse_json(text))

    def to_text(self, width: int = 100, *, full: bool = False, notation: str = "book") -> str:
        """As plain text, in lines of at most `width` characters.

        `full` unfolds what multiplies by one, the witnesses, the optimizer's arithmetic and the paths. `notation` is
        "book" (dvalues, dweights), "calculus" (∂L/∂w) or "numpy" (the line that computes the whole array).
        """
        return as_text(self, width, full=full, notation=notation)

    def __str__(self) -> str:  # to_text() has every character, whatever standard output can show
        return printable(as_text(self, columns(100)))

    def to_latex(self) -> str:
        """The derivation as an align* environment."""
        return as_latex(self)

    def to_html(self, *, notation: str = "book") -> str:
        """The whole explanation as a page that needs no network and no script; `notation` as in `to_text`."""
        return as_page(self, notation)

    def __rich__(self) -> Any:
        return OnTerminal(self)

    def _repr_html_(self) -> str:
        return as_fragment(self)

    def _repr_latex_(self) -> str:
        return as_latex(self)
