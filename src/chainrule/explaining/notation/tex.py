"""Formulas as LaTeX."""

from __future__ import annotations

import math

from .walk import FUNCTIONS, LETTERS, Notation, number

__all__ = ["LaTeX"]

_KNOWN_LATEX = ("exp", "log", "sin", "cos", "sinh", "cosh", "tanh", "arctan", "max", "min")
_ESCAPED = {c: f"\\{c}" for c in "_%&#${}"} | {"\\": r"\backslash ", "^": r"\hat{\ }", "~": r"\sim "}


class LaTeX(Notation):
    """LaTeX for math mode; only commands that KaTeX, MathJax and plain LaTeX with amsmath share."""

    def number(self, value: float) -> str:
        """1.2 \\cdot 10^{-7}, which binds as a product and therefore stands in braces."""
        shown = number(value, self.digits)
        if math.isinf(value) or math.isnan(value):
            return rf"\mathrm{{{shown}}}"
        mantissa, _, exponent = shown.partition("e")
        return rf"{mantissa}\mathrm{{e}}{{{exponent}}}" if exponent else shown

    def symbol(self, name: str) -> str:
        """\\gamma for gamma; a word stands upright."""
        if name in LETTERS:
            return LETTERS[name][1]
        return name if len(name) == 1 else self.literal(name)

    def literal(self, name: str) -> str:
        """Upright, with the characters that LaTeX reads escaped."""
        return rf"\mathrm{{{''.join(_ESCAPED.get(c, c) for c in name)}}}"

    def indexed(self, base: str, indices: list[str]) -> str:
        """w_{in}."""
        short = all(len(index) == 1 and index.isalpha() for index in indices)
        return f"{{{base}}}_{{{('' if short else ',').join(indices)}}}"

    def parentheses(self, inner: str) -> str:
        """Growing parentheses."""
        return rf"\left({inner}\right)"

    def product(self, left: str, right: str) -> str:
        """a \\cdot b."""
        return rf"{left} \cdot {right}"

    def fraction(self, above: str, below: str) -> str:
        """\\frac."""
        return rf"\frac{{{above}}}{{{below}}}"

    def power(self, base: str, exponent: str) -> str:
        """a^{b}."""
        return f"{{{base}}}^{{{exponent}}}"

    def derivative(self, above: str, below: str) -> str:
        """\\frac{\\partial a}{\\partial b}."""
        return rf"\frac{{\partial {above}}}{{\partial {below}}}"

    def big_sum(self, index: str, inner: str) -> str:
        """\\sum_{n}."""
        return rf"\sum_{{{index}}} {inner}"

    def delta(self, first: str, second: str) -> str:
        """\\delta_{jk}."""
        separator = "" if len(first) == len(second) == 1 else ","
        return rf"\delta_{{{first}{separator}{second}}}"

    def root(self, inner: str) -> str:
        """\\sqrt."""
        return rf"\sqrt{{{inner}}}"

    def size(self, inner: str) -> str:
        """|a|."""
        return rf"\left|{inner}\right|"

    def cases(self, first: str, condition: str, second: str) -> str:
        """A choice in one line: \\left(a \\;\\mathrm{if}\\; c \\;\\mathrm{else}\\; b\\right)."""
        return rf"{first} \;\mathrm{{if}}\; {condition} \;\mathrm{{else}}\; {second}"

    def compared(self, left: str, sign: tuple[str, str], right: str) -> str:
        """a \\geq b."""
        return f"{left} {sign[1]} {right}"

    def call(self, name: str, arguments: list[str]) -> str:
        """\\exp\\left(a\\right)."""
        shown = FUNCTIONS[name][1] if name in FUNCTIONS else None
        if shown is None:
            shown = f"\\{name}" if name in _KNOWN_LATEX else rf"\mathrm{{{name}}}"
        return rf"{shown}\left({', '.join(arguments)}\right)"
