"""Formulas as MathML."""

from __future__ import annotations

from html import escape

from .walk import FUNCTIONS, LETTERS, Notation, number

__all__ = ["MathML"]


class MathML(Notation):
    """MathML Core, which browsers show by themselves."""

    def number(self, value: float) -> str:
        """<mn>; a power of ten written out."""
        mantissa, _, exponent = number(value, self.digits).partition("e")
        sign, digits = ("<mo>-</mo>", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
        shown = f"{sign}<mn>{digits}</mn>"
        if exponent:
            shown += f"<mo>×</mo><msup><mn>10</mn><mn>{exponent.replace('-', '−')}</mn></msup>"
        return f"<mrow>{shown}</mrow>" if sign or exponent else shown

    def primed(self, base: str) -> str:
        """<msup> with a prime."""
        return f"<msup>{base}<mo>′</mo></msup>"

    def symbol(self, name: str) -> str:
        """<mi>."""
        return f"<mi>{LETTERS[name][0] if name in LETTERS else escape(name)}</mi>"

    def literal(self, name: str) -> str:
        """Upright, as text."""
        return f"<mtext>{escape(name)}</mtext>"

    def indexed(self, base: str, indices: list[str]) -> str:
        """<msub>."""
        joined = "<mo separator='true'>,</mo>".join(indices)
        return f"<msub>{base}<mrow>{joined}</mrow></msub>"

    def negative(self, inner: str) -> str:
        """Minus."""
        return f"<mrow><mo form='prefix'>−</mo>{inner}</mrow>"

    def parentheses(self, inner: str) -> str:
        """Growing parentheses."""
        return f"<mrow><mo>(</mo>{inner}<mo>)</mo></mrow>"

    def sum(self, left: str, sign: str, right: str) -> str:
        """A row."""
        return f"<mrow>{left}<mo>{'−' if sign == '-' else '+'}</mo>{right}</mrow>"

    def product(self, left: str, right: str) -> str:
        """A centred dot."""
        return f"<mrow>{left}<mo>·</mo>{right}</mrow>"

    def fraction(self, above: str, below: str) -> str:
        """<mfrac>."""
        return f"<mfrac><mrow>{above}</mrow><mrow>{below}</mrow></mfrac>"

    def power(self, base: str, exponent: str) -> str:
        """<msup>."""
        return f"<msup><mrow>{base}</mrow><mrow>{exponent}</mrow></msup>"

    def derivative(self, above: str, below: str) -> str:
        """A fraction of ∂."""
        return f"<mfrac><mrow><mo>∂</mo>{above}</mrow><mrow><mo>∂</mo>{below}</mrow></mfrac>"

    def big_sum(self, index: str, inner: str) -> str:
        """Σ."""
        return f"<mrow><munder><mo>∑</mo>{index}</munder>{inner}</mrow>"

    def delta(self, first: str, second: str) -> str:
        """δ with two indices."""
        return f"<msub><mi>δ</mi><mrow>{first}{second}</mrow></msub>"

    def root(self, inner: str) -> str:
        """<msqrt>."""
        return f"<msqrt>{inner}</msqrt>"

    def size(self, inner: str) -> str:
        """|a|."""
        return f"<mrow><mo>|</mo>{inner}<mo>|</mo></mrow>"

    def cases(self, first: str, condition: str, second: str) -> str:
        """A choice in one row."""
        gap = "<mspace width='0.4em'/>"
        return f"<mrow>{first}{gap}<mtext>if</mtext>{gap}{condition}{gap}<mtext>else</mtext>{gap}{second}</mrow>"

    def compared(self, left: str, sign: tuple[str, str], right: str) -> str:
        """A comparison."""
        return f"<mrow>{left}<mo>{escape(sign[0])}</mo>{right}</mrow>"

    def call(self, name: str, arguments: list[str]) -> str:
        """A function of something."""
        shown = FUNCTIONS.get(name, (name,))[0]
        return f"<mrow><mi>{shown}</mi><mo>(</mo>{'<mo>,</mo>'.join(arguments)}<mo>)</mo></mrow>"
