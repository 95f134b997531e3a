"""Where forward is wrong rather than backward: a minimum for a maximum, statistics over the samples for the classes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

import numpy as np

from ..measuring.bench import Bench
from ..measuring.cases import Case
from ..patience import Deadline
from .changes import Written
from .rewriting import expression, inside, put, told
from .search import Mended
from .usercode import compiled, copied_tree, functions_of, lines_of, swapped, traced, tree_of

__all__ = ["mended_forward"]

_SUMS = ("sum", "mean", "max", "min")
_SECONDS = 4.0  # of the processor's time, after which no other change of forward is tried
_MOST = 60  # places that are tried for a logarithm
_OPPOSITE = {"minimum": "maximum"}  # a maximum is what is usual: there backward is wrong


def mended_forward(bench: Bench, case: Case, accepts: Callable[[], bool]) -> Mended | None:
    """A change of forward that makes the gradients right as they are, in a function that backward does not run."""
    instance = bench.subject.create()
    ran = traced(lambda: bench.forward(instance, case.point.copied()))
    in_backward = traced(lambda: instance.backward(case.dvalues.copy()))
    until = Deadline(_SECONDS)
    for twins in functions_of([code for code in ran if code not in in_backward]).values():
        own = tree_of(twins[0])
        if own is None:
            continue
        for tree, says in (*_opposite(own), *_other_axis(own), *(_logarithms(own) if bench.subject.is_loss else ())):
            code = compiled(twins[0], tree)
            if code is None:
                continue
            if until.over:
                return None
            with swapped(twins, code):
                enough = _runs(bench, case) and accepts()
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


def _runs(bench: Bench, case: Case) -> bool:
    """Whether forward runs as it is now."""
    try:
        with np.errstate(all="ignore"):
            output = bench.forward(bench.subject.create(), case.point.copied())
    except (Exception, SystemExit):  # the object is not ours: anything may come
        return False
    return bool(np.isfinite(output).all())


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


def _logarithms(own: ast.FunctionDef) -> Iterator[tuple[ast.FunctionDef, str]]:
    """The logarithm of each thing that a loss is made of, where it is left out."""
    statements = [(i, node) for i, node in enumerate(ast.walk(own)) if isinstance(node, ast.Assign | ast.Return)]
    places = [(i, *place) for i, node in statements for place in inside(node)]
    for i, number, e, parent in places[:_MOST]:
        called = isinstance(parent, ast.Call | ast.Attribute | ast.Subscript) and e is getattr(parent, "func", e)
        if called or not isinstance(e, ast.Name | ast.Call | ast.BinOp | ast.Subscript):
            continue
        tree = copied_tree(own)
        statement = list(ast.walk(tree))[i]
        assert isinstance(statement, ast.stmt)
        put(number, expression(f"np.log({ast.unparse(e)})"))(statement, tree)
        yield (
            tree,
            f"Forward is wrong, not backward: the logarithm of {told(e)} is left out, and backward is the gradient of "
            "the loss with it.",
        )
