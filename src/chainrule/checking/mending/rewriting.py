"""A repair of a statement, what the code around it can name, and how an expression is put in the place of another."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Derived",
    "Repair",
    "SourceScope",
    "expression",
    "index_of",
    "inside",
    "is_array",
    "is_number",
    "put",
    "told",
]


class Repair(NamedTuple):
    """A statement of a function, by its number in the walk over it, and what takes its place."""

    place: int
    change: Callable[[Any, ast.FunctionDef], None]  # made in a copy of the function
    mistake: str
    says: str


class Derived(NamedTuple):
    """The derivative of an expression of forward, both as code."""

    code: str
    of: str


class SourceScope(NamedTuple):
    """What the code of a function can name where it ends, by the expression, and the lines that forms suggest."""

    known: Mapping[str, Any]
    forms: tuple[str, ...]  # lines that set a gradient right
    constants: tuple[float, ...]  # numbers that stand in forward
    factors: tuple[str, ...]  # expressions of forward that can be named here
    evaluate: Callable[[str], Any]  # the value of an expression, None where it has none
    left: Mapping[str, NDArray[Any]]  # what is missing in each wrong gradient, expected - received
    ratios: tuple[float, ...]  # by which wrong gradients are too large or too small
    sums: bool = True  # whether forward takes sums or means, as a normalization does
    windows: tuple[str, ...] = ()  # the indices of several parts that stand in forward
    slopes: tuple[Derived, ...] = ()  # derivatives of what stands in forward


def is_array(value: Any) -> bool:
    """Whether this is an array of numbers, which may be a factor or a term."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fb" and value.ndim > 0


def is_number(value: Any) -> bool:
    """Whether this is one number."""
    return isinstance(value, int | float | np.floating | np.integer) and not isinstance(value, bool)


def expression(code: str) -> ast.expr:
    """The tree of an expression."""
    return ast.parse(code, mode="eval").body


def index_of(place: ast.Subscript) -> str:
    """What stands between the brackets.

    >>> index_of(expression("x[n, :, i:i + 2]"))
    'n, :, i:i + 2'
    """
    return ast.unparse(ast.Subscript(ast.Name("a", ast.Load()), place.slice, ast.Load()))[2:-1]


def inside(node: ast.stmt, places: bool = False) -> Iterator[tuple[int, ast.expr, ast.AST]]:
    """The expressions that a statement reads, each with its number in the walk and its parent.

    With `places` also what a loop goes through, and the places that an assignment writes to.
    """
    roots = [getattr(node, "value", None)]
    if places:
        roots += [getattr(node, "iter", None), *(t.slice for t in _targets(node) if isinstance(t, ast.Subscript))]
    parents = {id(child): parent for parent in ast.walk(node) for child in ast.iter_child_nodes(parent)}
    inner = {id(each) for root in roots if root is not None for each in ast.walk(root)}
    for number, each in enumerate(ast.walk(node)):
        if getattr(each, "closed", False):  # a repair there would move what is right
            continue
        if isinstance(each, ast.expr) and id(each) in inner and not isinstance(parents[id(each)], ast.keyword):
            yield number, each, parents[id(each)]


def _targets(node: ast.stmt) -> list[ast.expr]:
    return list(getattr(node, "targets", ())) or [t for t in (getattr(node, "target", None),) if t is not None]


def put(number: int, new: ast.expr) -> Callable[[ast.stmt, ast.FunctionDef], None]:
    """Puts an expression in the place of another, by its number in the walk over its statement."""

    def change(node: ast.stmt, tree: ast.FunctionDef) -> None:
        old = list(ast.walk(node))[number]
        for parent in ast.walk(node):
            for name, held in ast.iter_fields(parent):
                if held is old:
                    setattr(parent, name, copy.deepcopy(new))
                elif isinstance(held, list):
                    held[:] = [copy.deepcopy(new) if each is old else each for each in held]

    return change


def told(node: ast.AST) -> str:
    """An expression as a sentence shows it, cut where it is long."""
    text = ast.unparse(node)
    return text if len(text) <= 90 else f"{text[:87]}..."
