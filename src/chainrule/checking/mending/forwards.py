"""Where forward is wrong rather than backward: a minimum for a maximum, statistics over the samples for the classes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from ..measuring.bench import Bench
from ..measuring.cases import Case
from .changes import Written
from .search import Mended
from .usercode import compiled, copied_tree, functions_of, lines_of, swapped, traced, tree_of

__all__ = ["mended_forward"]

_SUMS = ("sum", "mean", "max", "min")
_OPPOSITE = {"minimum": "maximum"}  # a maximum is what is usual: there backward is wrong


def mended_forward(bench: Bench, case: Case, accepts: Callable[[], bool]) -> Mended | None:
    """A change of forward that makes the gradients right as they are, in a function that backward does not run."""
    instance = bench.subject.create()
    ran = traced(lambda: bench.forward(instance, case.point.copied()))
    in_backward = traced(lambda: instance.backward(case.dvalues.copy()))
    for twins in functions_of([code for code in ran if code not in in_backward]).values():
        own = tree_of(twins[0])
        if own is None:
            continue
        for tree, says in (*_opposite(own), *_other_axis(own)):
            code = compiled(twins[0], tree)
            if code is None:
                continue
            with swapped(twins, code):
                enough = accepts()
            if enough:
                changed = [
                    (old, new)
                    for old, new in zip(lines_of(own), lines_of(tree), strict=True)
                    if ast.unparse(old) != ast.unparse(new)
                ]
                was, write = ("\n".join(ast.unparse(pair[k]) for pair in changed) for k in (0, 1))
                written = Written("forward_wrong", says, frozenset(), changed[0][0].lineno, was, write)
                return Mended((written,), True, ((twins, code),))
    return None


def _opposite(own: ast.FunctionDef) -> Iterator[tuple[ast.FunctionDef, str]]:
    for i, node in enumerate(ast.walk(own)):
        if isinstance(node, ast.Attribute) and node.attr in _OPPOSITE:
            tree = copied_tree(own)
            other = list(ast.walk(tree))[i]
            assert isinstance(other, ast.Attribute)
            other.attr = _OPPOSITE[node.attr]
            yield (
                tree,
                f"Forward is wrong, not backward: it takes {ast.unparse(node)} where {ast.unparse(other)} belongs, of "
                "which backward is the derivative.",
            )


def _other_axis(own: ast.FunctionDef) -> Iterator[tuple[ast.FunctionDef, str]]:
    """All sums over the samples made over the last axis."""
    tree = copied_tree(own)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _SUMS:
            for word in node.keywords:
                if word.arg == "axis" and ast.unparse(word.value) == "0":
                    word.value = ast.Constant(1)
                    found.append(node.func.attr)
                    if all(each.arg != "keepdims" for each in node.keywords):
                        node.keywords.append(ast.keyword("keepdims", ast.Constant(value=True)))
    if found:
        yield (
            tree,
            "Forward is wrong, not backward: its sum over axis=0 mixes the samples, so that each output depends on the "
            "whole batch. Backward is right for axis=1, along which one sample lies.",
        )
