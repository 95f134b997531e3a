"""Repairs of the order of numbers: a transpose before a reshape or in its place, other axes, repeat for tile."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

import numpy as np

from .rewriting import Repair, SourceScope, expression, inside, put, told

__all__ = ["rearranged"]

_RANKS = (4, 3)  # that are tried where the number of axes is not known


def rearranged(i: int, node: ast.stmt, scope: SourceScope) -> Iterator[Repair]:
    """Every order of the axes, where a call reshapes or transposes; repeated entries for repeated blocks."""
    for number, e, _ in inside(node):
        name, array, rest = _method(e)
        if name in ("transpose", "permute") and len(rest) > 1:
            now = tuple(each.value for each in rest if isinstance(each, ast.Constant))
            for order in itertools.permutations(range(len(rest))):
                if order != now:
                    yield _ordered(i, number, e, f"{array}.transpose{order}", "the axes are put in another order")
        elif name == "reshape" and _method(expression(array))[0] not in ("transpose", "permute"):
            known = scope.evaluate(array)
            anew = array in [ast.unparse(each) for each in getattr(node, "targets", ())]  # it was another one before
            for rank in (np.ndim(known),) if np.ndim(known) > 1 and not anew else _RANKS:
                for order in list(itertools.permutations(range(rank)))[1:] if rank < 5 else ():
                    after = ast.unparse(e)[len(array) :] if ast.unparse(e).startswith(array) else ""
                    for tail in (after, "") if after else ("",):
                        why = "reshape only counts on, and moves no axis"
                        yield _ordered(i, number, e, f"{array}.transpose{order}{tail}", why)
        elif name == "tile" and rest and isinstance(rest[0], ast.Tuple):
            code = array
            for axis, times in enumerate(rest[0].elts):
                code += "" if ast.unparse(times) == "1" else f".repeat({ast.unparse(times)}, axis={axis})"
            yield _ordered(i, number, e, code, "tile repeats the whole, and repeat each entry")


def _method(e: ast.expr) -> tuple[str, str, list[ast.expr]]:
    """What is called, on which array, with what; of np.reshape(x, ...) as of x.reshape(...)."""
    if not isinstance(e, ast.Call) or not isinstance(e.func, ast.Attribute):
        return "", "", []
    numpys = ast.unparse(e.func.value) in ("np", "numpy")
    array = ast.unparse(e.args[0] if numpys and e.args else e.func.value)
    rest = e.args[1:] if numpys else e.args
    if e.func.attr == "transpose" and len(rest) == 1 and isinstance(rest[0], ast.Tuple | ast.List):
        rest = list(rest[0].elts)
    return e.func.attr, array, rest


def _ordered(i: int, number: int, e: ast.expr, code: str, why: str) -> Repair:
    says = f"The numbers are in the wrong order in {told(e)}: {why}. It is {code}."
    return Repair(i, put(number, expression(code)), "wrong_order", says)
