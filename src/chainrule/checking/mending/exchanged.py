"""Repairs of loops and orders: parts exchanged, an index for a loop's own, a step that is not carried, a stray line."""

from __future__ import annotations

import ast
import contextlib
import copy
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .rewriting import Repair, SourceScope, expression, inside, is_array, put, told

__all__ = ["carried", "exchanged", "in_comparisons", "loop_ends", "overwriting", "slid"]

_MOST_PARTS = 6  # of a list whose order is tried


def exchanged(i: int, node: ast.stmt, scope: SourceScope) -> Iterator[Repair]:
    """Two parts of what is put together, as the gates of a cell, the other way round."""
    for number, e, parent in inside(node):
        if not isinstance(e, ast.List | ast.Tuple) or not isinstance(parent, ast.Call) or len(e.elts) > _MOST_PARTS:
            continue
        shapes = [np.shape(scope.evaluate(ast.unparse(each))) for each in e.elts]
        for a, b in itertools.combinations(range(len(e.elts)), 2):
            if shapes[a] == shapes[b] != ():
                parts = list(e.elts)
                parts[a], parts[b] = parts[b], parts[a]
                says = (
                    f"The parts of {told(e)} are in another order than in forward: {told(e.elts[a])} and "
                    f"{told(e.elts[b])} are the wrong way round."
                )
                yield Repair(i, put(number, type(e)(parts, ast.Load())), "wrong_order", says)


def slid(tree: ast.FunctionDef, i: int, node: ast.stmt, scope: SourceScope) -> Iterator[Repair]:
    """Where a window begins: what a loop counts times the stride, as in `h, w = i * stride, j * stride`."""
    value = getattr(node, "value", None)
    if not isinstance(node, ast.Assign):
        return
    loops = _loops(tree)
    parts = value.elts if isinstance(value, ast.Tuple) else [node.value]
    if not all(isinstance(each, ast.Name) and each.id in loops for each in parts):
        return
    numbers = sorted((n for n, v in scope.known.items() if type(v) is int and v > 1), key=_unlike_a_stride)
    for name in numbers[:4]:
        new: list[ast.expr] = [ast.BinOp(each, ast.Mult(), expression(name)) for each in parts]
        number = next(k for k, each in enumerate(ast.walk(node)) if each is value)
        whole = ast.Tuple(new, ast.Load()) if isinstance(value, ast.Tuple) else new[0]
        says = f"The stride is left out of {told(node)}: windows start at multiples of {name}."
        yield Repair(i, put(number, whole), "stride_missing", says)


def _unlike_a_stride(name: str) -> tuple[bool, bool]:
    return "str" not in name.lower() and name not in ("s", "self.s"), not name.isidentifier()


def _loops(tree: ast.FunctionDef) -> list[str]:
    return [n.target.id for n in ast.walk(tree) if isinstance(n, ast.For) and isinstance(n.target, ast.Name)]


def overwriting(tree: ast.FunctionDef, i: int, node: ast.stmt) -> Iterator[Repair]:
    """Without a line that puts something else in the place of what was computed before it."""
    if not isinstance(node, ast.Assign) or node not in tree.body or len(node.targets) != 1:
        return
    target = ast.unparse(node.targets[0])
    earlier = tree.body[: tree.body.index(node)]
    before = [each for each in earlier if isinstance(each, ast.Assign) and target in map(ast.unparse, each.targets)]
    read = {ast.unparse(each) for each in ast.walk(node.value) if isinstance(each, ast.expr)}
    if before and target not in read:
        says = (
            f"{target} is computed in line {before[-1].lineno}, and {told(node)} puts something else in its place, "
            "which is no derivative."
        )
        yield Repair(i, _left_out, "overwritten_gradient", says)


def _left_out(node: ast.stmt, tree: ast.FunctionDef) -> None:
    tree.body[tree.body.index(node)] = ast.copy_location(ast.Pass(), node)


def carried(tree: ast.FunctionDef, i: int, node: ast.stmt, scope: SourceScope) -> Iterator[Repair]:
    """A line at the end of a loop over time that sets what is read in it and stays as it was before it."""
    if not isinstance(node, ast.For) or node not in tree.body:
        return
    inner = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
    stored = {each.id for each in inner if isinstance(each.ctx, ast.Store)}
    names = dict.fromkeys(each.id for each in inner if each.id not in stored)
    waiting = [name for name in names if is_array(scope.known.get(name)) and not np.any(scope.known[name])]
    squares = [n for n, v in scope.known.items() if np.ndim(v) == 2 and v.shape[0] == v.shape[1] and is_array(v)]
    for name in waiting:
        shape = np.shape(scope.known[name])
        for array in sorted(n for n in stored if n in scope.known and np.shape(scope.known[n]) == shape):
            for matrix in (f"{square}{turn}" for square in squares for turn in (".T", "")):
                says = (
                    f"{name} is added in each step and never set: what flows back from the later steps, {array} times "
                    f"{matrix}, is not carried to the earlier ones."
                )
                yield Repair(i, _at_the_end(f"{name} = {array} @ {matrix}"), "time_not_carried", says)


def _at_the_end(code: str) -> Callable[[Any, ast.FunctionDef], None]:
    def change(node: Any, _: ast.FunctionDef) -> None:
        node.body.append(ast.copy_location(ast.parse(code).body[0], node.body[-1]))

    return change


def in_comparisons(i: int, node: ast.stmt, scope: SourceScope) -> Iterator[Repair]:
    """Another array of its shape in a comparison, as in a gate that asks for the sign of the wrong one."""
    for number, e in enumerate(ast.walk(node)):
        if not isinstance(e, ast.Compare) or not isinstance(e.left, ast.Name | ast.Attribute):
            continue
        own = ast.unparse(e.left)
        shape = np.shape(scope.known[own]) if own in scope.known else ()
        for name in (n for n, v in scope.known.items() if n != own and shape and is_array(v) and np.shape(v) == shape):
            new = copy.deepcopy(e)
            new.left = expression(name)
            says = f"{told(e)} asks {own}, and it must ask {name}."
            yield Repair(i, put(number, new), "wrong_array", says)


def loop_ends(tree: ast.FunctionDef, i: int, node: ast.stmt) -> Iterator[Repair]:
    """A loop that begins or ends a step earlier or later; in a place, the index that the loop counts."""
    if isinstance(node, ast.For) and isinstance(node.iter, ast.Call) and ast.unparse(node.iter.func) == "range":
        for place, e in enumerate(node.iter.args[:2]):
            own = ast.unparse(e)
            for new in (_stepped(own, -1), _stepped(own, 1)):
                says = f"{told(node.iter)} leaves a step out, or has one too many: {new}, and not {own}."
                yield Repair(i, _bound(place, new), "loop_too_short", says)
    loops = _loops(tree)
    for number, each in enumerate(ast.walk(node)) if not isinstance(node, ast.For) else ():
        if isinstance(each, ast.Subscript) and not isinstance(each.slice, ast.Tuple | ast.Slice | ast.Constant):
            for name in (n for n in dict.fromkeys(loops) if n != ast.unparse(each.slice)):
                says = f"The index in {told(each)} is wrong: {name} belongs in the place of {told(each.slice)}."
                yield Repair(i, _at(number, name), "wrong_index", says)


def _stepped(code: str, by: int) -> str:
    """A bound of a loop, one less or one more.

    >>> _stepped("0", -1), _stepped("T - 1", 1), _stepped("T", 1)
    ('-1', 'T', 'T + 1')
    """
    with contextlib.suppress(ValueError):
        return repr(int(code) + by)
    back = " - 1" if by > 0 else " + 1"
    return code.removesuffix(back) if code.endswith(back) else f"{code} {'+' if by > 0 else '-'} 1"


def _bound(place: int, code: str) -> Callable[[Any, ast.FunctionDef], None]:
    def change(node: Any, _: ast.FunctionDef) -> None:
        node.iter.args[place] = expression(code)

    return change


def _at(number: int, name: str) -> Callable[[ast.stmt, ast.FunctionDef], None]:
    def change(node: ast.stmt, _: ast.FunctionDef) -> None:
        place = list(ast.walk(node))[number]
        assert isinstance(place, ast.Subscript)
        place.slice = expression(name)

    return change
