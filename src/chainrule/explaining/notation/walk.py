"""One walk over the tree of a formula; each notation says how the pieces are written."""

from __future__ import annotations

import ast

from ...errors import DefinitionError
from ..formula import parse

__all__ = ["FUNCTIONS", "LETTERS", "PRODUCT", "UNARY", "Notation", "counted", "number"]

# name: (text, LaTeX)
LETTERS = {
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
FUNCTIONS = {"sigma": ("σ", r"\sigma"), "Phi": ("Φ", r"\Phi"), "phi": ("φ", r"\varphi")}
_COMPARISONS = {ast.Gt: (">", ">"), ast.GtE: (">=", r"\geq"), ast.Lt: ("<", "<"), ast.LtE: ("<=", r"\leq")}
_COMPARISONS |= {ast.Eq: ("=", "="), ast.NotEq: ("≠", r"\neq")}
_SUM, _SIGMA, PRODUCT, UNARY, _POWER, _ATOM = range(1, 7)  # how strongly things bind


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
            return self.product(self.inside(node.left, PRODUCT), self.inside(node.right, UNARY)), PRODUCT
        if isinstance(node.op, ast.Div):
            return self._fraction(node)
        if isinstance(node.op, ast.Pow):
            return self.power(self.inside(node.left, _ATOM), self.of(node.right)[0]), _POWER
        raise DefinitionError(f"{ast.unparse(node)!r} cannot be printed.")

    def _fraction(self, node: ast.BinOp) -> tuple[str, int]:
        return self.fraction(self.of(node.left)[0], self.of(node.right)[0]), _ATOM

    def _called(self, name: str, arguments: list[ast.expr]) -> tuple[str, int]:
        if name == "D":
            return self.derivative(*(self.inside(a, _ATOM) for a in arguments)), PRODUCT
        if name == "sum":
            return self.big_sum(self.of(arguments[0])[0], self.inside(arguments[1], PRODUCT)), _SIGMA
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


def counted(number: int, word: str) -> str:
    """A number and what it counts.

    >>> counted(1, "sample"), counted(3, "class")
    ('1 sample', '3 classes')
    """
    plural = word if number == 1 else word + ("es" if word.endswith("s") else "s")
    return f"{number:,} {plural}"
