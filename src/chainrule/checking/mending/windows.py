"""Repairs of windows and of what is cut out of arrays: strides, paddings, indices, the largest of each window."""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Callable, Iterator

import numpy as np

from .rewriting import Repair, SourceScope, expression, index_of, inside, is_array, put, told
from .usercode import copied_tree

__all__ = ["cropped", "largest", "windows"]

_SPATIAL = {4: ((2, 3), (1, 2)), 3: ((2,), (1,))}  # axes of pictures and rows, channels before them or after
_MOST = 6  # numbers that are tried as strides, or paddings


def windows(tree: ast.FunctionDef, i: int, node: ast.stmt, scope: SourceScope) -> Iterator[Repair]:
    """The index of another array in the place of one, loop variables times a stride, two names swapped."""
    every = [index_of(each) for each in ast.walk(tree) if isinstance(each, ast.Subscript)]
    for number, place, own in _tuples(node):
        for code in dict.fromkeys([*every, *scope.windows]):
            other = expression(f"a[{code}]")
            assert isinstance(other, ast.Subscript)
            if code != index_of(place) and _length(other.slice) == _length(own):
                says = f"The window {told(place)} is not the one that forward reads: [{code}] belongs in its place."
                yield Repair(i, _indexed(number, other.slice), "wrong_index", says)
        yield from _by_rows(i, number, place, own, scope)
        loops = _loops(tree)
        used = [n for n in dict.fromkeys(e.id for e in ast.walk(own) if isinstance(e, ast.Name)) if n in loops]
        for stride in _numbers(scope, 1):
            slid = [name for name in used[-2:] if name != stride]
            new = _Times(slid, stride).visit(copied_tree(own))
            says = f"The stride is left out of {told(place)}: windows start at multiples of {stride}."
            yield Repair(i, _indexed(number, new), "stride_missing", says)
        names = list(dict.fromkeys(e.id for e in ast.walk(own) if isinstance(e, ast.Name)))
        for a, b in itertools.combinations(names, 2):
            says = f"{a} and {b} are the wrong way round in {told(place)}."
            yield Repair(i, _indexed(number, _Swapped(a, b).visit(copied_tree(own))), "wrong_index", says)


def _by_rows(i: int, number: int, place: ast.Subscript, own: ast.Tuple, scope: SourceScope) -> Iterator[Repair]:
    """One entry of each row, where whole columns are taken: x[range(len(x)), y] for x[:, y]."""
    classes = scope.evaluate(ast.unparse(own.elts[-1])) if len(own.elts) == 2 else None
    if ast.unparse(own.elts[0]) == ":" and isinstance(classes, np.ndarray) and classes.dtype.kind in "iu":
        rows = expression(f"range(len({ast.unparse(own.elts[-1])}))")
        says = (
            f"{told(place)} is whole columns, for every class that occurs: one entry of each row is meant, "
            f"[{ast.unparse(rows)}, {ast.unparse(own.elts[-1])}]."
        )
        yield Repair(i, _indexed(number, ast.Tuple([rows, own.elts[-1]], ast.Load())), "whole_columns", says)


def _tuples(node: ast.stmt) -> Iterator[tuple[int, ast.Subscript, ast.Tuple]]:
    for number, each in enumerate(ast.walk(node)):
        if isinstance(each, ast.Subscript) and isinstance(each.slice, ast.Tuple) and not getattr(each, "closed", False):
            yield number, each, each.slice


def _length(index: ast.expr) -> int:
    return len(index.elts) if isinstance(index, ast.Tuple) else 1


def _loops(tree: ast.FunctionDef) -> list[str]:
    """The variables of loops."""
    return [n.target.id for n in ast.walk(tree) if isinstance(n, ast.For) and isinstance(n.target, ast.Name)]


def _numbers(scope: SourceScope, above: int = 0) -> list[str]:
    """The whole numbers above a bound that the code can name, each value once; those called like strides first."""
    found: dict[int, str] = {}
    names = [n for n, v in scope.known.items() if type(v) is int and v > above]
    for name in sorted(
        names, key=lambda n: (not n.isidentifier(), "str" not in n.lower() and n not in ("s", "self.s"))
    ):
        found.setdefault(scope.known[name], name)
    return list(found.values())[:_MOST]


def _indexed(number: int, index: ast.expr) -> Callable[[ast.stmt, ast.FunctionDef], None]:
    def change(node: ast.stmt, tree: ast.FunctionDef) -> None:
        place = list(ast.walk(node))[number]
        assert isinstance(place, ast.Subscript)
        place.slice = copy.deepcopy(index)

    return change


class _Times(ast.NodeTransformer):
    """Multiplies names by a number."""

    def __init__(self, names: list[str], by: str) -> None:
        self.names, self.by = names, by

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return expression(f"{node.id} * {self.by}") if node.id in self.names else node


class _Swapped(ast.NodeTransformer):
    """Puts one name in the place of another, and the other way round."""

    def __init__(self, one: str, other: str) -> None:
        self.names = {one: other, other: one}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Name(self.names.get(node.id, node.id), node.ctx)


def cropped(i: int, node: ast.stmt, scope: SourceScope) -> Iterator[Repair]:
    """What is cut out of an array that was padded: as many on each side as forward has put there."""
    pads = sorted((n for n in scope.known if _is_padding(n, scope)), key=lambda n: not n.isidentifier())
    pads = pads[:2] or _numbers(scope)
    for number, e, parent in inside(node):
        if isinstance(parent, ast.Subscript) and e is parent.value:
            continue
        base = e.value if isinstance(e, ast.Subscript) else e
        if not isinstance(base, ast.Name | ast.Attribute):
            continue
        array = scope.evaluate(ast.unparse(base))
        if not is_array(array) or array.ndim not in _SPATIAL:
            continue
        for pad, axes in itertools.product(pads, _SPATIAL[array.ndim]):
            for code in (*_shifted(e, pad), *_crops(ast.unparse(base), array.shape, axes, pad, scope)):
                says = (
                    f"{told(e)} does not take the padding off as forward has put it on: {pad} on each side, "
                    f"which leaves {code}."
                )
                yield Repair(i, put(number, expression(code)), "padding_not_removed", says)


def _is_padding(name: str, scope: SourceScope) -> bool:
    last = name.rpartition(".")[2].strip("]'\"").lower()
    value = scope.known[name]
    return type(value) is int and value > 0 and ("pad" in last or last == "p")


def _shifted(e: ast.expr, pad: str) -> Iterator[str]:
    """The same cut begun after the padding, as x[pad:pad + n] for x[:n]."""
    new = copied_tree(e)
    slices = [(each, each.upper) for each in ast.walk(new) if isinstance(each, ast.Slice) and each.upper is not None]
    for each, upper in slices:
        each.lower, each.upper = expression(pad), expression(f"{pad} + {ast.unparse(upper)}")
    if slices and all("-" not in ast.unparse(upper) for _, upper in slices):
        yield ast.unparse(new)


def _crops(base: str, shape: tuple[int, ...], axes: tuple[int, ...], pad: str, scope: SourceScope) -> Iterator[str]:
    by = scope.evaluate(pad)
    inner = [size - 2 * by * (axis in axes) for axis, size in enumerate(shape)]
    unpadded = [n for n, v in scope.known.items() if is_array(v) and list(np.shape(v)) == inner]
    if min(inner) < 1:
        return
    for name in unpadded[:2]:
        parts = [f"{pad}:{pad} + {name}.shape[{axis}]" if axis in axes else ":" for axis in range(len(shape))]
        yield f"{base}[{', '.join(parts)}]"
    parts = [f"{pad}:-{pad}" if axis in axes else ":" for axis in range(len(shape))]
    yield f"{base}[{', '.join(parts)}]"


def largest(i: int, node: ast.stmt, scope: SourceScope) -> Iterator[Repair]:
    """The mask of the largest of a window, in the place of another mask, or of none."""
    few = [n for n, v in scope.known.items() if is_array(v) and v.dtype.kind == "f" and "." not in n and v.ndim > 1][:6]
    for number, e, parent in inside(node):
        if isinstance(parent, ast.Attribute) or not isinstance(e, ast.Call | ast.Compare):
            continue
        if isinstance(node, ast.Assign) and e is node.value and len(node.targets) == 1:
            mask = scope.evaluate(ast.unparse(node.targets[0]))
            if np.ndim(mask) > 1 and set(np.unique(np.asarray(mask))) <= {0, 1}:
                for name in (n for n in few if np.shape(scope.known[n]) == np.shape(mask)):
                    new = f"{name} == np.max({name})"
                    says = (
                        f"{told(e)} lets the gradient through where it does not belong: only the largest entry of each "
                        f"window moved the output, {new}."
                    )
                    yield Repair(i, put(number, expression(new)), "not_the_largest", says)
    for number, e, parent in inside(node):
        target = getattr(node, "target", None)
        whole = isinstance(target, ast.Subscript) and e is getattr(node, "value", None)
        if whole and not isinstance(parent, ast.BinOp):
            for name in few:
                new = f"({name} == np.max({name})) * {ast.unparse(e)}"
                says = (
                    f"{told(e)} goes to every entry of the window: only the largest one moved the output, {name} == "
                    f"np.max({name})."
                )
                yield Repair(i, put(number, expression(new)), "not_the_largest", says)
