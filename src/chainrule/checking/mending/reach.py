"""Which gradients an expression of a backward pass moves: repairs belong where all wrong ones move and no right one."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from ..equality import equal
from ..measuring.bench import Bench
from ..measuring.cases import Case
from .parts import Part
from .rewriting import expression, inside, put
from .usercode import compiled, copied_tree, swapped

__all__ = ["open_places", "reach_of"]

Reach = dict[ast.expr, frozenset[str]]  # expressions whose reach is not known are left out


def reach_of(bench: Bench, case: Case, part: Part) -> Reach:
    """The gradients that move where an expression is a little off, for those where it can be told."""
    before = _gradients(bench, case)
    found: Reach = {}
    if before is None:
        return found
    for i, node in enumerate(ast.walk(part.tree)):
        if not isinstance(node, ast.Assign | ast.AugAssign | ast.Return):
            continue
        for number, e, parent in inside(node):
            if isinstance(e, ast.Tuple | ast.List | ast.Starred | ast.Slice):
                continue
            if isinstance(e, ast.Constant) and not isinstance(parent, ast.BinOp):
                continue
            if isinstance(parent, ast.Call) and e is parent.func:
                continue
            tree = copied_tree(part.tree)
            put(number, expression(f"({ast.unparse(e)}) * 1.0625 + 0.015625"))(_statement(tree, i), tree)
            code = compiled(part.function, tree)
            if code is None:
                continue
            with swapped(part.twins, code):
                after = _gradients(bench, case)
            if after is not None:
                found[e] = frozenset(n for n in before if not equal(before[n], after.get(n)))
    return found


def _statement(tree: ast.FunctionDef, i: int) -> ast.stmt:
    node = list(ast.walk(tree))[i]
    assert isinstance(node, ast.stmt)
    return node


def open_places(reach: Reach, wrong: frozenset[str], first: bool) -> None:
    """Mark the expressions at which repairs are tried: those that move all that is wrong, then some of it."""
    for e, moved in reach.items():
        e.closed = not (moved == wrong if first else moved < wrong)  # type: ignore[attr-defined]


def _gradients(bench: Bench, case: Case) -> dict[str, Any] | None:
    """What backward gives, and what forward gave, copied; None where it fails."""
    try:
        with np.errstate(all="ignore"):
            instance = bench.subject.create()
            output = np.array(bench.forward(instance, case.point.copied()))
            gradients = {n: np.array(g, dtype=np.float64) for n, g in instance.backward(case.dvalues.copy()).items()}
    except (Exception, SystemExit):  # the object is not ours: anything may come
        return None
    return {**gradients, "": output}
