"""An explanation as LaTeX: an align* environment, which amsmath, MathJax and KaTeX read."""

from __future__ import annotations

from ..derivation import Derivation, Line
from ..notation import latex
from .digits import shown_line

__all__ = ["as_latex", "formulas"]


def as_latex(explanation: Derivation) -> str:
    """The derivation, one quantity after the other."""
    rows = " \\\\\n".join(row for line in explanation.lines for row in _rows(line))
    return f"\\begin{{align*}}\n{rows}\n\\end{{align*}}"


def formulas(explanation: Derivation) -> list[str]:
    """Every formula of the derivation by itself, without the marks of alignment."""
    return [part.replace("&", "").strip() for line in explanation.lines for part in _rows(line)]


def _rows(line: Line) -> list[str]:
    shown = shown_line(line)
    parts = [latex(term, 17) for term in shown.terms]
    if shown.rest is not None:
        rest = latex(repr(shown.rest), 17)
        rest = rf"\left({rest}\right)" if shown.rest < 0 else rest
        parts.append(rf"\underbrace{{{rest}}}_{{{line.rest_count}\,\mathrm{{more}}}}")
    rows = [f"{latex(line.symbol)} &= {latex(line.formula)}"]
    rows += [f"&{'=' if i == 0 else '+'} {part}" for i, part in enumerate(parts)]
    return [*rows, f"&= {latex(repr(shown.value), 17)}"]
