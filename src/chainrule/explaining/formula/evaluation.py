"""Calculating formulas."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import DefinitionError
from .arithmetic import OPERATORS, SCALARS, Arithmetic
from .language import Index, index_of, parse, parts

__all__ = ["NO_NAMES", "Scope", "evaluate"]


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
        name = index_of(part) if not isinstance(part, ast.BinOp) else None
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
        return OPERATORS[type(node.op)](evaluate(node.left, scope), evaluate(node.right, scope))
    if isinstance(node, ast.UnaryOp):
        return -evaluate(node.operand, scope)
    if isinstance(node, ast.Compare):
        return OPERATORS[type(node.ops[0])](evaluate(node.left, scope), evaluate(node.comparators[0], scope))
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
        return scope.look_up(node.value.id, sum((scope.index(part) for part in parts(node)), ()))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _called(node.func.id, node.args, scope)
    raise DefinitionError(f"{ast.unparse(node)!r} cannot stand in a formula.")


def _called(name: str, arguments: list[ast.expr], scope: Scope) -> Any:
    if name == "delta":
        first, second = (evaluate(argument, scope) for argument in arguments)
        equal = first == second
        return np.asarray(equal, dtype=np.float64) if isinstance(equal, np.ndarray) else int(equal)
    if name == "sum":
        index = str(index_of(arguments[0]))
        if index not in scope.sizes:
            raise DefinitionError(f"The sum runs over {index!r}, whose size no array of the rule tells.")
        terms = [evaluate(arguments[1], scope.fixing(**{index: i})) for i in range(scope.sizes[index])]
        return scope.arithmetic["sum"](terms)
    if name not in scope.arithmetic:
        raise DefinitionError(f"{name} cannot be calculated here.")
    return scope.arithmetic[name](*(evaluate(argument, scope) for argument in arguments))
