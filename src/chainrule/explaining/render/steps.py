"""The formulas of a step as text and as MathML, for whoever shows it elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..derivation import ReadingStep
from ..notation import mathml, text
from ..notations import written_in
from .digits import shown_line

__all__ = ["shown"]


def shown(step: ReadingStep, notation: str = "book") -> dict[str, Any]:
    """`text` and `mathml`: symbol, formula, and the terms by name and in numbers, rounded so that they add up."""
    form, numbers = written_in(step, notation), shown_line(step)

    def by(write: Callable[..., str]) -> dict[str, Any]:
        return {
            "symbol": write(form.left),
            "formula": write(form.right) if form.right else "",
            "terms": [
                {"name": write(name) if name else "", "numbers": write(term, 17)}
                for name, term in zip(form.terms, numbers.terms, strict=True)
            ],
            "rest": "" if numbers.rest is None else write(repr(numbers.rest), 17),
            "value": write(repr(numbers.value), 17),
        }

    return {"text": by(text), "mathml": by(mathml)}
