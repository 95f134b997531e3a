"""Repairs that follow from the numbers: terms that equal what is missing, factors by which it is too large."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import numpy as np

from .rewriting import Repair, SourceScope, expression, inside, put, told

__all__ = ["by_ratio", "missing_terms", "product_factors", "products_of", "statistics_of", "terms_left"]

_FACTORS = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5)


def product_factors(i: int, node: ast.stmt, names: list[str], scope: SourceScope) -> Iterator[Repair]:
    """Each of these matrices as a factor of a matrix product, transposed or not."""
    for number, e, parent in inside(node):
        if not isinstance(e, ast.Name | ast.Attribute | ast.Subscript) or isinstance(parent, ast.Attribute):
            continue
        value = scope.evaluate(ast.unparse(e))
        if np.ndim(value) < 2:
            continue
        for name in names:
            for new in (f"{ast.unparse(e)} @ {name}.T", f"{ast.unparse(e)} @ {name}"):
                if scope.evaluate(new) is not None:
                    says = f"{told(e)} must be multiplied by {new.partition(' @ ')[2]}: it passes through {name}."
                    yield Repair(i, put(number, expression(new)), "missing_product", says)


def missing_terms(i: int, node: ast.stmt, found: list[tuple[str, str]]) -> Iterator[Repair]:
    """Expressions that equal what is missing, added to what a statement computes as a whole."""
    value = getattr(node, "value", None)
    for number, e, parent in inside(node):
        if e is value or (isinstance(parent, ast.Tuple | ast.List | ast.Dict) and parent is value):
            for code, says in found:
                if isinstance(e, ast.Tuple | ast.List | ast.Dict | ast.Starred):
                    continue
                minus = code.startswith("-")
                op = ast.Sub() if minus else ast.Add()
                new = ast.BinOp(e, op, expression(code[1:] if minus else code))
                yield Repair(i, put(number, new), _kind_of(code), says)


def _kind_of(code: str) -> str:
    return "product_rule" if " * " in code and " @ " not in code and "reg" not in code else "branch_missing"


def terms_left(arrays: list[str], scalars: list[str], scope: SourceScope) -> list[tuple[str, str]]:
    """Expressions, with - or without, that equal what is missing in a wrong gradient, and how to say it."""
    found: dict[str, str] = {}
    for missing in scope.left.values():
        size = float(np.max(np.abs(missing), initial=0.0))
        for code in _expressions(arrays, missing.shape, scope):
            value = scope.evaluate(code)
            if value is None or np.shape(value) != missing.shape or not size:
                continue
            for factor, text in [(c, _times(c)) for c in _FACTORS] + _by_scalars(scalars, scope):
                if np.abs(missing - factor * np.asarray(value, dtype=np.float64)).max() <= 1e-6 * size:
                    term = f"{text}{code}" if " * " not in text or " @ " not in code else f"{text}({code})"
                    found.setdefault(term, _left_out(term))
    return sorted(found.items(), key=lambda item: len(item[0]))[:6]


def _left_out(term: str) -> str:
    if _kind_of(term) == "product_rule":
        why = "in a product every factor must be differentiated (the product rule), and each use adds a gradient"
    else:
        why = "every use of a value adds a gradient of its own, and what flows back through this one is left out"
    return f"The term {term.lstrip('-')} is missing: {why}."


def _times(factor: float) -> str:
    return {1.0: "", -1.0: "-"}.get(factor, f"{factor:g} * ")


def _by_scalars(scalars: list[str], scope: SourceScope) -> list[tuple[float, str]]:
    found = []
    for name in scalars:
        value = scope.evaluate(name)
        if isinstance(value, int | float) and value:
            found += [(value, f"{name} * "), (-value, f"-{name} * "), (2 * value, f"2 * {name} * ")]
            found += [(-2 * value, f"-2 * {name} * ")]
    return found


def _expressions(arrays: list[str], shape: tuple[int, ...], scope: SourceScope) -> Iterator[str]:
    """Arrays, products entry by entry and of matrices, and sums over the samples, that may have a shape."""
    yield from arrays
    for a in arrays:
        x = np.shape(scope.known[a])
        if len(x) > len(shape):
            yield f"{a}.sum(axis=0)"
        for b in arrays:
            y = np.shape(scope.known[b])
            if a < b and np.broadcast_shapes(*_fitting(x, y)) == shape:
                yield f"{a} * {b}"
            if len(x) == len(y) == len(shape) >= 2:
                turn = ".T" if len(shape) == 2 else ".swapaxes(-1, -2)"
                for left, p in ((a, x[-2:]), (f"{a}{turn}", x[:-3:-1])):
                    for right, q in ((b, y[-2:]), (f"{b}{turn}", y[:-3:-1])):
                        if p[1] == q[0] and (p[0], q[1]) == shape[-2:]:
                            yield f"{left} @ {right}"
            elif len(x) >= 2 and len(y) == 2 and len(x) == len(shape):
                yield from (f"{a} @ {b}", f"{a} @ {b}.T")


def _fitting(x: tuple[int, ...], y: tuple[int, ...]) -> tuple[Any, Any]:
    try:
        np.broadcast_shapes(x, y)
    except ValueError:
        return (), ()
    return x, y


def by_ratio(i: int, node: ast.stmt, scope: SourceScope) -> Iterator[Repair]:
    """What a statement computes as a whole, times the number by which it is too small, or divided by it."""
    value = getattr(node, "value", None)
    for number, e, parent in inside(node):
        whole = e is value or (isinstance(parent, ast.Tuple | ast.List | ast.Dict) and parent is value)
        if not whole or isinstance(e, ast.Tuple | ast.List | ast.Dict | ast.Constant | ast.Starred):
            continue
        for ratio in scope.ratios:
            for by, op, word in ((ratio, ast.Div(), "divided"), (1 / ratio, ast.Mult(), "multiplied")):
                near = round(by, 6)
                if near > 1 and near == int(near):
                    other = expression(repr(int(near)))
                    new = ast.BinOp(e, op, other) if word == "divided" else ast.BinOp(other, op, e)
                    says = f"{told(e)} must be {word} by {int(near)}."
                    yield Repair(i, put(number, new), "constant_factor", says)


def statistics_of(arrays: list[str], scope: SourceScope) -> list[str]:
    """Terms of the derivative of a normalization: what flows back through the mean, and through the variance."""
    few = [name for name in arrays if np.ndim(scope.known[name]) > 1][:8]
    axes = ["-1", "0"] + (["(2, 3)", "(0, 2, 3)"] if any(np.ndim(scope.known[name]) == 4 for name in few) else [])
    means = [f"{q}.mean(axis={axis}, keepdims=True)" for q in few for axis in axes]
    parts = [f"{x} * ({q} * {x}).mean(axis={axis}, keepdims=True)" for q in few for x in few if q != x for axis in axes]
    units = [x for x in few if np.allclose(np.sum(scope.known[x] ** 2, axis=-1), 1)]  # divided by their norm
    norms = [f"{x} * ({q} * {x}).sum(axis=-1, keepdims=True)" for x in units for q in few if q != x]
    return [*norms, *means, *parts]


def products_of(arrays: list[str], scope: SourceScope) -> list[str]:
    """Terms of a product rule."""
    few = [name for name in arrays if np.ndim(scope.known[name]) > 1][:8]
    return [f"{a} * {b}" for k, a in enumerate(few) for b in few[k + 1 :]]
