"""Formulas as plain text."""

from __future__ import annotations

import ast

from .walk import FUNCTIONS, LETTERS, PRODUCT, UNARY, Notation

__all__ = ["Text"]


class Text(Notation):
    """Plain text, which can be pasted into Python but for · and Greek letters."""

    def symbol(self, name: str) -> str:
        """γ for gamma."""
        return LETTERS[name][0] if name in LETTERS else name

    def literal(self, name: str) -> str:
        """As it is."""
        return name

    def indexed(self, base: str, indices: list[str]) -> str:
        """w[i,n]."""
        return f"{base}[{','.join(indices)}]"

    def product(self, left: str, right: str) -> str:
        """a·b."""
        return f"{left}·{right}"

    def _fraction(self, node: ast.BinOp) -> tuple[str, int]:
        return f"{self.inside(node.left, PRODUCT)} / {self.inside(node.right, UNARY)}", PRODUCT

    def power(self, base: str, exponent: str) -> str:
        """a^b, a² for the square."""
        return f"{base}²" if exponent == "2" else f"{base}^{exponent if exponent.isalnum() else f'({exponent})'}"

    def derivative(self, above: str, below: str) -> str:
        """∂a/∂b."""
        return f"∂{above}/∂{below}"

    def big_sum(self, index: str, inner: str) -> str:
        """Σ_n."""
        return f"Σ_{index} {inner}"

    def delta(self, first: str, second: str) -> str:
        """δ_jk."""
        short = len(first) == len(second) == 1
        return f"δ_{first}{second}" if short else f"δ({first},{second})"

    def root(self, inner: str) -> str:
        """√."""
        return f"√({inner})"

    def size(self, inner: str) -> str:
        """|a|."""
        return f"|{inner}|"

    def cases(self, first: str, condition: str, second: str) -> str:
        """As in Python."""
        return f"{first} if {condition} else {second}"

    def compared(self, left: str, sign: tuple[str, str], right: str) -> str:
        """a > b."""
        return f"{left} {sign[0]} {right}"

    def call(self, name: str, arguments: list[str]) -> str:
        """f(a, b)."""
        return f"{FUNCTIONS.get(name, (name,))[0]}({', '.join(arguments)})"
