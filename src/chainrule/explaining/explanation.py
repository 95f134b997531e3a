"""What `explain` returns: a derivation that prints itself as text, LaTeX, HTML and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from ..jsontext import parse_json, to_json
from .derivation import Derivation
from .formula import symbol
from .render.page import as_fragment, as_page
from .render.plain import as_text
from .render.terminal import OnTerminal
from .render.tex import as_latex

__all__ = ["Explanation"]


@dataclass(frozen=True)
class Explanation(Derivation):
    """Why a gradient is this number: the chain rule from the loss down, with numbers, and the proof that it is right.

    Print it, or call `to_text()`, `to_latex()`, `to_html()`, `to_json()`; in a notebook it shows itself. `value` is the
    gradient, `lines` the derivation, `witnesses` the independent ways to the same number, `batch` the sum over samples,
    `step` what the optimizer would do, `paths` the ways from the weight to the loss.
    """

    def to_json(self) -> str:
        """The whole explanation as JSON; `from_json` reads it back."""
        return to_json({"symbol": symbol(self.quantity.name, self.quantity.index), **self.to_dict()})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        stored = parse_json(text)
        stored.pop("symbol", None)
        return cls.from_dict(stored)

    def to_text(self, width: int = 100) -> str:
        """As plain text, in lines of at most `width` characters where that is possible."""
        return as_text(self, width)

    def __str__(self) -> str:
        return as_text(self)

    def to_latex(self) -> str:
        """The derivation as an align* environment."""
        return as_latex(self)

    def to_html(self) -> str:
        """The whole explanation as a page that needs no network and no script."""
        return as_page(self)

    def __rich__(self) -> Any:
        return OnTerminal(self)

    def _repr_html_(self) -> str:
        return as_fragment(self)

    def _repr_latex_(self) -> str:
        return as_latex(self)
