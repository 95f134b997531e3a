"""Writing formulas again: with numbers in the place of symbols, with indices fixed, with fewer digits."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

from .evaluation import Scope, evaluate
from .language import index_of, parse, parts
from .unparsing import unparsed

__all__ = ["Rewrite", "bound", "rounded", "substituted"]


class Rewrite(ast.NodeTransformer):
    """Builds a new tree and leaves the old one, which is kept and shared, as it is."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """The same node with its parts rewritten."""
        """The same node with its parts rewritten."""
        return type(node)(**{name: self._of(value) for name, value in ast.iter_fields(node)})

    def _of(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._of(one) for one in value]
        return self.visit(value) if isinstance(value, ast.expr) else value


class _Numbers(Rewrite):
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


class _Indices(Rewrite):
    """Puts numbers in the place of indices that are fixed."""

    def __init__(self, indices: Mapping[str, Any]) -> None:
        self.indices = indices

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        found: list[ast.expr] = []
        for part in parts(node):
            name = index_of(part)
            value = self.indices.get(str(name))
            if value is None:
                found.append(part)
            else:
                found += [ast.Constant(int(i)) for i in (value if name == "..." else (value,))]
        inside = found[0] if len(found) == 1 else ast.Tuple(found, ast.Load())
        return ast.Subscript(node.value, inside, ast.Load()) if found else node.value

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
    return unparsed(_Numbers(scope).visit(parse(formula)))


def bound(formula: str, indices: Mapping[str, Any]) -> str:
    """The formula with its fixed indices written as numbers.

    >>> bound("x[...]*w[i,n]", {"...": (4, 2), "i": 2})
    'x[4, 2] * w[2, n]'
    """
    return unparsed(_Indices(indices).visit(parse(formula)))


class _Rounded(Rewrite):
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
    return unparsed(_Rounded(digits).visit(parse(formula)))
