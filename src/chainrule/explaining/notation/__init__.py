"""How a formula looks: as text, as LaTeX, as MathML. One walk over the tree, three notations."""

from __future__ import annotations

import functools

from .markup import MathML
from .plain import Text
from .tex import LaTeX
from .walk import Notation, counted, number

__all__ = ["LaTeX", "MathML", "Notation", "Text", "counted", "latex", "mathml", "number", "text"]


@functools.lru_cache(maxsize=4096)
def text(formula: str, digits: int = 6) -> str:
    """The formula as plain text.

    >>> text("S[j]*(delta(j,k) - S[k])"), text("D(L, 'relu_0'[0,3])*0.5"), text("2.0*(-3.0)")
    ('S[j]·(δ_jk - S[k])', '∂L/∂relu_0[0,3]·0.5', '2·(-3)')
    """
    return Text(digits).write(formula)


@functools.lru_cache(maxsize=4096)
def latex(formula: str, digits: int = 6) -> str:
    """The formula as LaTeX for math mode.

    >>> print(latex("D(L, 'relu_0'[0,3])*w[i,n]/N"))
    \\frac{\\frac{\\partial L}{\\partial {\\mathrm{relu\\_0}}_{0,3}} \\cdot {w}_{in}}{N}
    """
    return LaTeX(digits).write(formula)


@functools.lru_cache(maxsize=4096)
def mathml(formula: str, digits: int = 6) -> str:
    """The formula as the inside of a MathML element.

    >>> mathml("a/2")
    '<mfrac><mrow><mi>a</mi></mrow><mrow><mn>2</mn></mrow></mfrac>'
    """
    return MathML(digits).write(formula)
