"""How a formula looks: as text, as LaTeX, as MathML. One walk over the tree, three notations."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from html import escape

from ..errors import DefinitionError
from .formula import parse

__all__ = ["LaTeX", "MathML", "Notation", "Text", "latex", "mathml", "number", "text"]

# name: (text, LaTeX)
_LETTERS = {
    "gamma": ("γ", r"\gamma"),
    "beta": ("β", r"\beta"),
    "beta1": ("β₁", r"\beta_1"),
    "beta2": ("β₂", r"\beta_2"),
    "mu": ("μ", r"\mu"),
    "var": ("σ²", r"\sigma^2"),
    "eps": ("ε", r"\varepsilon"),
    "eta": ("η", r"\eta"),
    "lam": ("λ", r"\lambda"),
    "rho": ("ρ", r"\rho"),
    "alpha": ("α", r"\alpha"),
    "pi": ("π", r"\pi"),
    "ell": ("ℓ", r"\ell"),
    "xhat": ("x̂", r"\hat{x}"),
    "yhat": ("ŷ", r"\hat{y}"),
    "mhat": ("m̂", r"\hat{m}"),
    "chat": ("ĉ", r"\hat{c}"),
    "wdec": ("w*", "w^*"),
    "gclip": ("g'", "g'"),
    "gdec": ("g*", "g^*"),
}
_FUNCTIONS = {"sigma": ("σ", r"\sigma"), "Phi": ("Φ", r"\Phi"), "phi": ("φ", r"\varphi")}
_KNOWN_LATEX = ("exp", "log", "sin", "cos", "sinh", "cosh", "tanh", "arctan", "max", "min")
_COMPARISONS = {ast.Gt: (">", ">"), ast.GtE: (">=", r"\geq"), ast.Lt: ("<", "<"), ast.LtE: ("<=", r"\leq")}
_COMPARISONS |= {ast.Eq: ("=", "="), ast.NotEq: ("≠", r"\neq")}
_SUM, _SIGMA, _PRODUCT, _UNARY, _POWER, _ATOM = range(1, 7)  # how strongly things bind


def number(value: float, digits: int = 6) -> str:
    """A number with so many significant digits, and no more than it needs; with 17 the number itself.

    >>> number(0.1 + 0.2), number(-2.0), number(1.25e-7), number(128), number(0.1, 17)
    ('0.3', '-2', '1.25e-7', '128', '0.1')
    """
    if isinstance(value, int):
        return str(value)
    shown = f"{value:.{digits}g}" if digits < 17 else repr(float(value)).removesuffix(".0")
    if "e" in shown:
        mantissa, exponent = shown.split("e")
        return f"{mantissa}e{int(exponent)}"
    return "0" if shown == "-0" else shown


class Notation:
    """The walk; a subclass says how each thing is written. `digits` is how many a number shows."""

    def __init__(self, digits: int = 6) -> None:
        self.digits = digits

    def write(self, formula: str) -> str:
        """The whole formula."""
        return self.of(parse(formula))[0]

    def of(self, node: ast.expr) -> tuple[str, int]:
        """What is written, and how strongly it binds."""
        if isinstance(node, ast.Constant):
            return self._constant(node.value)
        if isinstance(node, ast.Name):
            return self.name(node.id), _ATOM
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        if isinstance(node, ast.UnaryOp):
            return self.negative(self.inside(node.operand, _SIGMA)), _SUM
        if isinstance(node, ast.BinOp):
            return self._binary(node)
        if isinstance(node, ast.IfExp):
            parts = [self.of(part)[0] for part in (node.body, node.test, node.orelse)]
            return self.cases(*parts), _SUM
        if isinstance(node, ast.Compare):
            sign = _COMPARISONS[type(node.ops[0])]
            return self.compared(self.of(node.left)[0], sign, self.of(node.comparators[0])[0]), _SUM
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._called(node.func.id, node.args)
        raise DefinitionError(f"{ast.unparse(node)!r} cannot be printed.")

    def inside(self, node: ast.expr, binding: int) -> str:
        """A part, in parentheses where it binds less strongly than its place asks for."""
        shown, own = self.of(node)
        return shown if own >= binding else self.parentheses(shown)

    def _constant(self, value: object) -> tuple[str, int]:
        if isinstance(value, str):
            return self.literal(value), _ATOM
        if isinstance(value, int | float):
            return self.number(value), _ATOM if value >= 0 else _SUM
        return "…", _ATOM

    def _subscript(self, node: ast.Subscript) -> tuple[str, int]:
        parts = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        shown = [self.of(p)[0] for p in parts if not (isinstance(p, ast.Constant) and p.value is Ellipsis)]
        base = self.of(node.value)[0]
        return (self.indexed(base, shown) if shown else base), _ATOM

    def _binary(self, node: ast.BinOp) -> tuple[str, int]:
        if isinstance(node.op, ast.Add):
            return self.sum(self.inside(node.left, _SUM), "+", self.inside(node.right, _SIGMA)), _SUM
        if isinstance(node.op, ast.Sub):
            return self.sum(self.inside(node.left, _SUM), "-", self.inside(node.right, _SIGMA)), _SUM
        if isinstance(node.op, ast.Mult):
            return self.product(self.inside(node.left, _PRODUCT), self.inside(node.right, _UNARY)), _PRODUCT
        if isinstance(node.op, ast.Div):
            return self._fraction(node)
        if isinstance(node.op, ast.Pow):
            return self.power(self.inside(node.left, _ATOM), self.of(node.right)[0]), _POWER
        raise DefinitionError(f"{ast.unparse(node)!r} cannot be printed.")

    def _fraction(self, node: ast.BinOp) -> tuple[str, int]:
        return self.fraction(self.of(node.left)[0], self.of(node.right)[0]), _ATOM

    def _called(self, name: str, arguments: list[ast.expr]) -> tuple[str, int]:
        if name == "D":
            return self.derivative(*(self.inside(a, _ATOM) for a in arguments)), _PRODUCT
        if name == "sum":
            return self.big_sum(self.of(arguments[0])[0], self.inside(arguments[1], _PRODUCT)), _SIGMA
        shown = [self.of(argument)[0] for argument in arguments]
        if name == "delta":
            return self.delta(*shown), _ATOM
        if name == "sqrt":
            return self.root(shown[0]), _ATOM
        if name == "abs":
            return self.size(shown[0]), _ATOM
        return self.call(name, shown), _ATOM

    # How each thing is written

    def name(self, name: str) -> str:
        """A symbol; the new value of w, `w_new`, is w'."""
        if name.endswith("_new"):
            return self.primed(self.name(name.removesuffix("_new")))
        return self.symbol(name)

    def primed(self, base: str) -> str:
        """The new value of something."""
        return f"{base}'"

    def number(self, value: float) -> str:
        """A number."""
        return number(value, self.digits)

    def symbol(self, name: str) -> str:
        """A symbol."""
        raise NotImplementedError

    def literal(self, name: str) -> str:
        """A name as it is."""
        raise NotImplementedError

    def indexed(self, base: str, indices: list[str]) -> str:
        """A symbol with indices."""
        raise NotImplementedError

    def negative(self, inner: str) -> str:
        """Minus something."""
        return f"-{inner}"

    def parentheses(self, inner: str) -> str:
        """In parentheses."""
        return f"({inner})"

    def sum(self, left: str, sign: str, right: str) -> str:
        """Left plus or minus right."""
        return f"{left} {sign} {right}"

    def product(self, left: str, right: str) -> str:
        """Left times right."""
        raise NotImplementedError

    def fraction(self, above: str, below: str) -> str:
        """Above over below."""
        raise NotImplementedError

    def power(self, base: str, exponent: str) -> str:
        """Base to the exponent."""
        raise NotImplementedError

    def derivative(self, above: str, below: str) -> str:
        """∂above/∂below."""
        raise NotImplementedError

    def big_sum(self, index: str, inner: str) -> str:
        """Σ over an index."""
        raise NotImplementedError

    def delta(self, first: str, second: str) -> str:
        """Kronecker's delta."""
        raise NotImplementedError

    def root(self, inner: str) -> str:
        """A square root."""
        raise NotImplementedError

    def size(self, inner: str) -> str:
        """An absolute value."""
        raise NotImplementedError

    def cases(self, first: str, condition: str, second: str) -> str:
        """One thing where a condition holds, else another."""
        raise NotImplementedError

    def compared(self, left: str, sign: tuple[str, str], right: str) -> str:
        """A comparison."""
        raise NotImplementedError

    def call(self, name: str, arguments: list[str]) -> str:
        """A function of something."""
        raise NotImplementedError


class Text(Notation):
    """Plain text, which can be pasted into Python but for · and Greek letters."""

    def symbol(self, name: str) -> str:
        """γ for gamma."""
        return _LETTERS[name][0] if name in _LETTERS else name

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
        return f"{self.inside(node.left, _PRODUCT)} / {self.inside(node.right, _UNARY)}", _PRODUCT

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
        return f"{_FUNCTIONS.get(name, (name,))[0]}({', '.join(arguments)})"


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
        if name in _LETTERS:
            return _LETTERS[name][1]
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
        shown = _FUNCTIONS[name][1] if name in _FUNCTIONS else None
        if shown is None:
            shown = f"\\{name}" if name in _KNOWN_LATEX else rf"\mathrm{{{name}}}"
        return rf"{shown}\left({', '.join(arguments)}\right)"


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
        return f"<mi>{_LETTERS[name][0] if name in _LETTERS else escape(name)}</mi>"

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
        shown = _FUNCTIONS.get(name, (name,))[0]
        return f"<mrow><mi>{shown}</mi><mo>(</mo>{'<mo>,</mo>'.join(arguments)}<mo>)</mo></mrow>"


def _shown(kind: Callable[[int], Notation], formula: str, digits: int) -> str:
    return kind(digits).write(formula)


def text(formula: str, digits: int = 6) -> str:
    """The formula as plain text.

    >>> text("S[j]*(delta(j,k) - S[k])"), text("D(L, 'relu_0'[0,3])*0.5"), text("2.0*(-3.0)")
    ('S[j]·(δ_jk - S[k])', '∂L/∂relu_0[0,3]·0.5', '2·(-3)')
    """
    return _shown(Text, formula, digits)


def latex(formula: str, digits: int = 6) -> str:
    """The formula as LaTeX for math mode.

    >>> print(latex("D(L, 'relu_0'[0,3])*w[i,n]/N"))
    \\frac{\\frac{\\partial L}{\\partial {\\mathrm{relu\\_0}}_{0,3}} \\cdot {w}_{in}}{N}
    """
    return _shown(LaTeX, formula, digits)


def mathml(formula: str, digits: int = 6) -> str:
    """The formula as the inside of a MathML element.

    >>> mathml("a/2")
    '<mfrac><mrow><mi>a</mi></mrow><mrow><mn>2</mn></mrow></mfrac>'
    """
    return _shown(MathML, formula, digits)
