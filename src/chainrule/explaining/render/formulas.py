"""Formulas as MathML elements."""

from __future__ import annotations

from ...display import Html, tag
from ..notation import mathml, text

__all__ = ["equation", "math"]


def math(formula: str, digits: int = 6, *, cls: str | None = None) -> Html:
    """A formula."""
    return tag("math", Html(mathml(formula, digits)), displaystyle="true", cls=cls, alttext=text(formula, digits))


def equation(left: str, right: str) -> Html:
    """An equation; without a left side, one more step of it."""
    start = mathml(left) if left else ""
    words = f"{text(left) if left else ''} = {text(right)}".strip()
    return tag("math", Html(f"{start}<mo>=</mo>{mathml(right)}"), displaystyle="true", alttext=words)
