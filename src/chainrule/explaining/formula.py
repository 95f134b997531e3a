"""Formulas as data: a formula is a line of Python such as `S[b,j]*(delta(j,k) - S[b,k])`.

It can be printed as text, LaTeX and MathML (see `notation`), calculated with numbers, arrays, `Value` or SymPy, and
written again with numbers in the place of its symbols, which gives a formula too.

- `w[i,n]` is a symbol with indices; `...` stands for any number of indices; a name in quotes is printed as it is.
- An index letter in upper case is its size: `N` for `n`.
- `sum(k, e)`, `delta(j, k)`, `a if x > 0 else b`, `max(a, b)`, `min(a, b)`, `exp`, `log`, `sqrt`, `abs`, `sign`, `sin`,
  `cos`, `sinh`, `cosh`, `tanh`, `arctan`, `erfc`, `sigma` (the logistic function), `Phi` and `phi` (the normal
  distribution and its density).
- `D(a, b)` is ∂a/∂b, which is printed and never calculated.
"""

from __future__ import annotations

import ast
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import DefinitionError
from ..special import erfc, logistic, normal_cdf, normal_density
from ..value import Value

__all__ = [
    "ARRAYS",
    "NO_NAMES",
    "SCALARS",
    "VALUES",
    "Scope",
    "bound",
    "derivative_symbol",
    "evaluate",
    "fixed",
    "free_indices",
    "index_sizes",
    "parse",
    "pattern",
    "rounded",
    "substituted",
    "symbol",
]

Index = tuple[Any, ...]
Arithmetic = Mapping[str, Callable[..., Any]]


@functools.lru_cache(maxsize=4096)
def parse(formula: str) -> ast.expr:
    """The formula as a tree. Raises `DefinitionError` where it is no expression.

    >>> type(parse("a + b")).__name__
    'BinOp'
    """
    try:
        return ast.parse(formula, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise DefinitionError(f"The formula {formula!r} cannot be read: {error}.") from None


def symbol(name: str, index: Sequence[int] = ()) -> str:
    """A name and its indices as a formula; a name that is no word is put in quotes.

    >>> symbol("w", (1, 2)), symbol("dense_0.weights", (1, 2)), symbol("loss")
    ('w[1,2]', "'dense_0.weights'[1,2]", 'loss')
    """
    word = name if name.isidentifier() else repr(name)
    return f"{word}[{','.join(map(str, index))}]" if len(index) else word


def derivative_symbol(name: str, index: Sequence[int | str]) -> str:
    """dL/d(name[index]) as a formula.

    >>> derivative_symbol("relu_0", (0, 3))
    "D(L, 'relu_0'[0,3])"
    """
    base = "ell" if name == "loss" else repr(name)
    return f"D(L, {base}[{','.join(map(str, index))}])"


def pattern(text: str) -> tuple[str, tuple[str | int, ...]]:
    """The symbol and the indices of one array as a rule names them.

    >>> pattern("bias[0,n]"), pattern("x[...]")
    (('bias', (0, 'n')), ('x', ('...',)))
    """
    node = parse(text)
    if isinstance(node, ast.Name):
        return node.id, ()
    if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)):
        raise DefinitionError(f"The rule names an array {text!r}; write a symbol with its indices, such as 'w[i,n]'.")
    return node.value.id, tuple(_index(part) for part in _parts(node))


def _parts(node: ast.Subscript) -> list[ast.expr]:
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def _index(part: ast.expr) -> str | int:
    if isinstance(part, ast.Name):
        return part.id
    if isinstance(part, ast.Constant) and part.value is Ellipsis:
        return "..."
    if isinstance(part, ast.Constant) and isinstance(part.value, int):
        return part.value
    raise DefinitionError(f"{ast.unparse(part)!r} is no index: use a letter, a whole number or '...'.")


# Arithmetic: what the functions of a formula mean for each kind of number


def _tanh_value(x: Value) -> Value:
    return 2 / (1 + (-2 * x).exp()) - 1


def _value(x: Value | float) -> Value:
    return x if isinstance(x, Value) else Value(x)


def _known(function: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Callable[[Any], Value]:
    """A function of a `Value` by its number and its derivative."""

    def of(x: Value | float) -> Value:
        return Value.made("", lambda a: (float(function(a)), (float(slope(a)),)), x)

    return of


_SPECIAL = {"sigma": logistic, "Phi": normal_cdf, "phi": normal_density, "erfc": erfc}


SCALARS: Arithmetic = {
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "tanh": math.tanh,
    "abs": abs,
    "sign": lambda x: float(np.sign(x)),
    "max": max,
    "min": min,
    **{name: getattr(math, name) for name in ("sin", "cos", "sinh", "cosh")},
    "arctan": math.atan,
    **{name: lambda x, f=function: float(f(np, np.float64(x))) for name, function in _SPECIAL.items()},
    "where": lambda condition, a, b: a() if condition else b(),
    "sum": sum,
}
ARRAYS: Arithmetic = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "abs": np.abs,
    "sign": np.sign,
    "max": np.maximum,
    "min": np.minimum,
    **{name: getattr(np, name) for name in ("sin", "cos", "sinh", "cosh", "arctan")},
    **{name: functools.partial(function, np) for name, function in _SPECIAL.items()},
    "where": lambda condition, a, b: np.where(condition, a(), b()),
    "sum": sum,
}
VALUES: Arithmetic = {
    "exp": lambda x: _value(x).exp(),
    "log": lambda x: _value(x).log(),
    "sqrt": lambda x: _value(x) ** 0.5,
    "tanh": lambda x: _tanh_value(_value(x)),
    "abs": lambda x: x * float(np.sign(_plain(x))),
    "max": lambda x, y: _value(x).maximum(y),
    "min": lambda x, y: -(-_value(x)).maximum(-_value(y)),
    "sin": _known(math.sin, math.cos),
    "cos": _known(math.cos, lambda x: -math.sin(x)),
    "sinh": _known(math.sinh, math.cosh),
    "cosh": _known(math.cosh, math.sinh),
    "arctan": _known(math.atan, lambda x: 1 / (1 + x * x)),
    "Phi": _known(SCALARS["Phi"], SCALARS["phi"]),
    "phi": _known(SCALARS["phi"], lambda x: -x * SCALARS["phi"](x)),
    "erfc": _known(math.erfc, lambda x: -2 / math.sqrt(math.pi) * math.exp(-x * x)),
    "sigma": lambda x: 1 / (1 + (-_value(x)).exp()),
    "where": lambda condition, a, b: a() if condition else b(),
    "sum": sum,
}


def _power(base: Any, exponent: Any) -> Any:
    try:
        return base**exponent
    except OverflowError:  # where arrays hold infinity, numbers of Python raise
        return math.inf


_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: _power,
    ast.Gt: lambda a, b: _plain(a) > _plain(b),
    ast.GtE: lambda a, b: _plain(a) >= _plain(b),
    ast.Lt: lambda a, b: _plain(a) < _plain(b),
    ast.LtE: lambda a, b: _plain(a) <= _plain(b),
    ast.Eq: lambda a, b: _plain(a) == _plain(b),
    ast.NotEq: lambda a, b: _plain(a) != _plain(b),
}


def _plain(x: Any) -> Any:
    return x.data if isinstance(x, Value) else x


@dataclass(frozen=True)
class Scope:
    """What the names of a formula mean: `look_up(symbol, index)`, the indices that are fixed, the sizes of all."""

    look_up: Callable[[str, Index], Any]
    indices: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    arithmetic: Arithmetic = field(default_factory=lambda: SCALARS)

    def fixing(self, **indices: Any) -> Scope:
        """The same with more indices fixed."""
        return Scope(self.look_up, {**self.indices, **indices}, self.sizes, self.arithmetic)

    def index(self, part: ast.expr) -> Index:
        """An index as numbers: one, or as many as `...` stands for."""
        name = _index(part) if not isinstance(part, ast.BinOp) else None
        if name is None:
            return (evaluate(part, self),)
        if isinstance(name, int):
            return (name,)
        if name not in self.indices:
            raise DefinitionError(f"The index {name!r} of a formula has no value.")
        value = self.indices[name]
        return tuple(value) if name == "..." else (value,)

    def size(self, name: str) -> int | None:
        """The size of an index, by its letter in upper case."""
        return self.sizes.get(name.lower()) if name.isupper() and len(name) == 1 else None


def _no_name(name: str, index: Index) -> Any:
    raise DefinitionError(f"{name!r} stands where a number was expected.")


NO_NAMES = Scope(_no_name)  # for formulas of numbers alone


def evaluate(formula: str | ast.expr, scope: Scope) -> Any:
    """The number of a formula, or an array of them.

    >>> evaluate("3*x + delta(j, 1)", Scope(lambda name, index: {"x": 2.0}[name], {"j": 1}))
    7.0
    """
    node = parse(formula) if isinstance(formula, str) else formula
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](evaluate(node.left, scope), evaluate(node.right, scope))
    if isinstance(node, ast.UnaryOp):
        return -evaluate(node.operand, scope)
    if isinstance(node, ast.Compare):
        return _OPERATORS[type(node.ops[0])](evaluate(node.left, scope), evaluate(node.comparators[0], scope))
    if isinstance(node, ast.IfExp):
        chosen = evaluate(node.test, scope)
        where = scope.arithmetic["where"]
        return where(chosen, lambda: evaluate(node.body, scope), lambda: evaluate(node.orelse, scope))
    if isinstance(node, ast.Name):
        if node.id in scope.indices:
            return scope.indices[node.id]
        size = scope.size(node.id)
        return scope.look_up(node.id, ()) if size is None else size
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        return scope.look_up(node.value.id, sum((scope.index(part) for part in _parts(node)), ()))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _called(node.func.id, node.args, scope)
    raise DefinitionError(f"{ast.unparse(node)!r} cannot stand in a formula.")


def _called(name: str, arguments: list[ast.expr], scope: Scope) -> Any:
    if name == "delta":
        first, second = (evaluate(argument, scope) for argument in arguments)
        equal = first == second
        return np.asarray(equal, dtype=np.float64) if isinstance(equal, np.ndarray) else int(equal)
    if name == "sum":
        index = str(_index(arguments[0]))
        if index not in scope.sizes:
            raise DefinitionError(f"The sum runs over {index!r}, whose size no array of the rule tells.")
        terms = [evaluate(arguments[1], scope.fixing(**{index: i})) for i in range(scope.sizes[index])]
        return scope.arithmetic["sum"](terms)
    if name not in scope.arithmetic:
        raise DefinitionError(f"{name} cannot be calculated here.")
    return scope.arithmetic[name](*(evaluate(argument, scope) for argument in arguments))


# Writing formulas again, with numbers


class _Numbers(ast.NodeTransformer):
    """Puts numbers in the place of symbols, and 0 or 1 in the place of deltas."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return _constant(evaluate(node, self.scope))

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return _constant(evaluate(node, self.scope))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if isinstance(node.func, ast.Name) and node.func.id in ("delta", "sum"):
            return _constant(evaluate(node, self.scope))
        return ast.Call(node.func, [self.visit(argument) for argument in node.args], [])


class _Indices(ast.NodeTransformer):
    """Puts numbers in the place of indices that are fixed."""

    def __init__(self, indices: Mapping[str, Any]) -> None:
        self.indices = indices

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        parts: list[ast.expr] = []
        for part in _parts(node):
            name = _index(part)
            value = self.indices.get(str(name))
            if value is None:
                parts.append(part)
            else:
                parts += [ast.Constant(int(i)) for i in (value if name == "..." else (value,))]
        inside = parts[0] if len(parts) == 1 else ast.Tuple(parts, ast.Load())
        return ast.Subscript(node.value, inside, ast.Load()) if parts else node.value

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if isinstance(node.func, ast.Name) and node.func.id == "delta":
            arguments = [_with_index(argument, self.indices) for argument in node.args]
            if all(isinstance(argument, ast.Constant) for argument in arguments):
                return ast.Constant(int(arguments[0].value == arguments[1].value))  # type: ignore[attr-defined]
            return ast.Call(node.func, arguments, [])
        return ast.Call(node.func, [self.visit(argument) for argument in node.args], [])


def _with_index(node: ast.expr, indices: Mapping[str, Any]) -> ast.expr:
    known = isinstance(node, ast.Name) and node.id in indices
    return ast.Constant(int(indices[node.id])) if known else node  # type: ignore[attr-defined]


def _constant(number: Any) -> ast.expr:
    value = number if isinstance(number, int) and not isinstance(number, bool) else float(number)
    if value < 0 or (value == 0 and math.copysign(1, value) < 0):
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def substituted(formula: str, scope: Scope) -> str:
    """The formula with its numbers in the place of its symbols.

    >>> S = {0: 0.7, 1: 0.1}
    >>> substituted("S[j]*(delta(j, k) - S[k])", Scope(lambda name, index: S[index[0]], {"j": 0, "k": 1}))
    '0.7 * (0 - 0.1)'
    """
    return ast.unparse(_Numbers(scope).visit(_copied(formula)))


def bound(formula: str, indices: Mapping[str, Any]) -> str:
    """The formula with its fixed indices written as numbers.

    >>> bound("x[...]*w[i,n]", {"...": (4, 2), "i": 2})
    'x[4, 2] * w[2, n]'
    """
    return ast.unparse(_Indices(indices).visit(_copied(formula)))


def _copied(formula: str) -> ast.expr:
    return ast.parse(formula, mode="eval").body


def free_indices(indices: Sequence[str | int], fixed: Mapping[str, Any]) -> list[str]:
    """The indices of an array that are letters without a value.

    >>> free_indices(("b", "n", 0), {"b": 3})
    ['n']
    """
    return [index for index in indices if isinstance(index, str) and index not in fixed]


def fixed(letters: Sequence[str | int], index: Sequence[Any]) -> dict[str, Any]:
    """What each index letter is at a place.

    >>> fixed(("...", "k"), (4, 2, 7)), fixed(("b", 0), (3, 0))
    ({'...': (4, 2), 'k': 7}, {'b': 3})
    """
    found: dict[str, Any] = {}
    if "..." in letters:
        at = list(letters).index("...")
        after = len(letters) - at - 1
        found["..."] = tuple(index[at : len(index) - after])
        letters = (*letters[:at], *letters[at + 1 :])
        index = (*index[:at], *index[len(index) - after :])
    found |= {letter: i for letter, i in zip(letters, index, strict=False) if isinstance(letter, str)}
    return found


def index_sizes(formulas: Sequence[str], shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """How far each index letter runs, from where it stands at an array of known shape.

    >>> index_sizes(["sum(k, x[b,k])"], {"x": (4, 3)})
    {'k': 3, 'b': 4}
    """
    sizes: dict[str, int] = {}
    for formula in formulas:
        for letter, name, axis in _standing(formula):
            if name in shapes:
                sizes.setdefault(letter, shapes[name][axis])
    return sizes


@functools.lru_cache(maxsize=4096)
def _standing(formula: str) -> tuple[tuple[str, str, int], ...]:
    """Where index letters stand in a formula: (letter, symbol, axis from the last, -1, on)."""
    found = []
    for node in ast.walk(parse(formula)):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            for axis, part in enumerate(reversed(_parts(node)), start=1):
                if isinstance(part, ast.Constant) and part.value is Ellipsis:
                    break
                if isinstance(part, ast.Name):
                    found.append((part.id, node.value.id, -axis))
    return tuple(found)


class _Rounded(ast.NodeTransformer):
    """Rounds every number to so many significant digits."""

    def __init__(self, digits: int) -> None:
        self.digits = digits

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return ast.Constant(float(f"{node.value:.{self.digits}g}")) if isinstance(node.value, float) else node


def rounded(formula: str, digits: int) -> str:
    """The formula with its numbers rounded to so many significant digits.

    >>> rounded("0.123456*(1 - 0.98765)", 3)
    '0.123 * (1 - 0.988)'
    """
    return ast.unparse(_Rounded(digits).visit(_copied(formula)))
