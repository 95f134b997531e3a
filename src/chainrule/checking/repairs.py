"""Small changes to a backward pass, each of which would mend a usual mistake: what a search tries in turn."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .left_out import added_forms, factors, given_forms, terms
from .rewriting import Repair, SourceScope, is_array, is_number
from .statements import of_statement
from .turned import axes, numbers, renamed, taken_out, turned

__all__ = ["Repair", "SourceScope", "repairs"]

_SIMPLE = (ast.Assign, ast.AugAssign, ast.Return)
_FEW = 14  # arrays of which factors and terms are made


def repairs(tree: ast.FunctionDef, scope: SourceScope) -> list[Iterator[Repair]]:
    """The repairs of a function in groups, the simplest and the most usual first."""
    statements = [(i, node) for i, node in enumerate(ast.walk(tree)) if isinstance(node, ast.stmt)]
    simple = [(i, node) for i, node in statements if isinstance(node, _SIMPLE) and node.value is not None]
    unused = _unused(tree)
    idle = [name for name in scope.known if name in unused]
    arrays = [name for name, value in scope.known.items() if is_array(value)][:_FEW]
    scalars = [name for name, value in scope.known.items() if is_number(value)][:_FEW]
    pool = [*scope.factors, *scalars, *arrays, *_slopes(arrays), "2", "0.5", *_counts(arrays)]
    return [
        (r for i, node in statements for r in of_statement(tree, i, node)),
        (r for i, node in simple for r in taken_out(i, node)),
        (r for i, node in simple for r in (*factors(i, node, idle, scope), *terms(i, node, idle, idle, scope))),
        (r for i, node in simple for r in axes(i, node)),
        (r for i, node in simple for r in given_forms(i, node, scope)),
        (r for i, node in simple for r in turned(i, node)),
        (r for i, node in simple for r in numbers(i, node, scope)),
        added_forms(tree, scope),
        (r for i, node in simple for r in terms(i, node, arrays, idle, scope)),
        (r for i, node in simple for r in factors(i, node, pool, scope)),
        (r for i, node in simple for r in renamed(i, node, scope)),
        (r for i, node in simple for r in terms(i, node, _products(arrays, scope), idle, scope)),
    ]


def _unused(tree: ast.FunctionDef) -> set[str]:
    """Names that are set to what a statement computes and never read."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    return {node.id for node in names if isinstance(node.ctx, ast.Store)} - read


def _slopes(arrays: list[str]) -> list[str]:
    """The derivatives of activations by their outputs, of arrays that may be such outputs."""
    forms = ("1 - {0} ** 2", "{0} * (1 - {0})", "{0} > 0", "1 - {0}")
    return [form.format(name) for name in arrays for form in forms]


def _counts(arrays: list[str]) -> list[str]:
    return [count for name in arrays[:6] for count in (f"len({name})", f"{name}.shape[-1]", f"{name}.size")]


def _products(arrays: list[str], scope: SourceScope) -> list[str]:
    """Terms of a product rule, and those of the derivative of a normalization."""
    few = [name for name in arrays if getattr(scope.known[name], "ndim", 0) > 1][:8]
    means = [f"{q}.mean(axis={axis}, keepdims=True)" for q in few for axis in (-1, 0)]
    parts = [f"{x} * ({q} * {x}).mean(axis={axis}, keepdims=True)" for q in few for x in few for axis in (-1, 0)]
    pairs = [f"{a} * {b}" for k, a in enumerate(few) for b in few[k + 1 :]]
    return [*pairs, *means, *parts]
