"""Small changes to a backward pass, each of which would mend a usual mistake: what a search tries in turn."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import numpy as np

from .activated import activated
from .arrangements import rearranged
from .derived import derived, inner_factors, of_two_factors
from .exchanged import carried, exchanged, in_comparisons, loop_ends, overwriting, slid
from .left_out import added_forms, divisions, factors, given_forms, softmax_products, softmax_sums, terms
from .remainders import by_ratio, missing_terms, product_factors, products_of, statistics_of, terms_left
from .rewriting import Repair, SourceScope, is_array, is_number
from .statements import at_other_places, divided, moved, of_statement, subtracted
from .turned import axes, numbers, renamed, reshaped, sizes, taken_out, turned
from .windows import cropped, largest, windows

__all__ = ["Repair", "SourceScope", "repairs"]

_SIMPLE = (ast.Assign, ast.AugAssign, ast.Return)
_FEW = 14  # arrays of which factors and terms are made
_MORE = 24  # of which terms are made that equal what is missing
_OF_INFERENCE = ("running", "moving")  # parts of the names of statistics that training does not use
_UNREAD = 4  # arrays of the object that backward never reads, among them a parameter that it forgot


def repairs(tree: ast.FunctionDef, scope: SourceScope) -> list[Iterator[Repair]]:
    """The repairs of a function in groups, the simplest and the most usual first."""
    statements = [(i, node) for i, node in enumerate(ast.walk(tree)) if isinstance(node, ast.stmt)]
    simple = [(i, node) for i, node in statements if isinstance(node, _SIMPLE) and node.value is not None]
    placed = [(i, node) for i, node in statements if isinstance(node, (*_SIMPLE, ast.For, ast.Expr))]
    unused = _unused(tree)
    idle = [*(name for name in scope.known if name in unused), *_unread(tree)]
    every = [name for name, value in scope.known.items() if is_array(value)]
    arrays = every[:_FEW]
    counts_up = [each for node in ast.walk(tree) if isinstance(node, ast.For) for each in ast.walk(node.target)]
    counted = {each.id for each in counts_up if isinstance(each, ast.Name)}
    scalars = [name for name, value in scope.known.items() if is_number(value) and name not in counted][:_FEW]
    written = ast.unparse(tree)
    unread = [name for name in arrays if name.startswith("self.") and name not in written][:_UNREAD]
    counts = [code for code in _counts(arrays) if scope.evaluate(code) is not None]
    inner = [code for code in scope.factors if code not in scope.known]
    numbers_too = [repr(number) for number in scope.constants]
    slopes = _slopes(arrays, scope)
    scales = [code for code in inner if is_number(scope.evaluate(code))]
    pool = [*inner, *scalars, *arrays, *numbers_too, *counts]
    means, pairs = statistics_of(arrays, scope) if scope.sums else [], products_of(arrays, scope)
    return [
        (r for i, node in statements for r in of_statement(tree, i, node)),
        (r for i, node in placed for r in taken_out(i, node)),
        (r for i, node in simple for r in (*windows(tree, i, node, scope), *cropped(i, node, scope))),
        (r for i, node in simple for r in (*rearranged(i, node, scope), *largest(i, node, scope))),
        (r for i, node in simple for r in factors(i, node, [*_masks(scope), *_gates(scope), *idle], scope)),
        (r for i, node in simple for r in terms(i, node, [*idle, *_own(node, scope)], idle, scope)),
        (
            r
            for i, node in simple
            for r in (*softmax_sums(i, node, arrays, scope), *softmax_products(i, node, arrays, scope))
        ),
        (r for i, node in simple for r in renamed(i, node, scope, _OF_INFERENCE)),
        (r for i, node in simple for r in factors(i, node, unread, scope)),
        (r for i, node in placed for r in loop_ends(tree, i, node)),
        (r for i, node in statements for r in (*overwriting(tree, i, node), *carried(tree, i, node, scope))),
        (r for i, node in simple for r in (*exchanged(i, node, scope), *in_comparisons(i, node, scope))),
        (r for i, node in simple for r in (*slid(tree, i, node, scope), *of_two_factors(i, node, scope))),
        (r for i, node in simple for r in axes(i, node)),
        (r for i, node in simple for r in sizes(i, node, [*scalars, *counts, *scales])),
        (r for i, node in simple for r in divisions(i, node, [*scalars, *counts, *_areas(scalars, scope)])),
        (r for i, node in statements for r in (*moved(tree, i, node), *divided(i, node, _few_counts(counts, scope)))),
        (r for i, node in placed for r in numbers(i, node, scope)),
        (r for i, node in statements for r in at_other_places(tree, i, node)),
        (r for i, node in statements for r in subtracted(i, node, scope)),
        (r for i, node in simple for r in turned(i, node)),
        (r for i, node in simple for r in factors(i, node, ["2", "0.5"], scope)),
        (r for i, node in simple for r in factors(i, node, scales, scope)),
        (r for i, node in simple for r in reshaped(i, node, scope, names=True)),
        (r for i, node in simple for r in given_forms(i, node, scope)),
        (r for i, node in simple for r in factors(i, node, slopes, scope)),
        (r for i, node in simple for r in inner_factors(i, node, scope)),
        activated(tree, arrays, scope),
        (r for i, node in simple for r in reshaped(i, node, scope, names=False)),
        _missing(simple, every[:_MORE], scalars, scope),
        (r for i, node in simple for r in renamed(i, node, scope)),
        (r for i, node in simple for r in product_factors(i, node, arrays, scope)),
        added_forms(tree, scope),
        (r for i, node in simple for r in terms(i, node, arrays, idle, scope)),
        (r for i, node in simple for r in terms(i, node, means, idle, scope)),
        (r for i, node in simple for r in factors(i, node, pool, scope)),
        (r for i, node in simple for r in (*derived(i, node, scope), *of_two_factors(i, node, scope, 200))),
        (r for i, node in simple for r in by_ratio(i, node, scope)),
        (r for i, node in simple for r in terms(i, node, pairs, idle, scope)),
    ]


def _missing(
    simple: Sequence[tuple[int, ast.stmt]], arrays: list[str], scalars: list[str], scope: SourceScope
) -> Iterator[Repair]:
    found = terms_left(arrays, scalars, scope)
    for i, node in simple:
        yield from missing_terms(i, node, found)


def _own(node: ast.stmt, scope: SourceScope) -> list[str]:
    """The array that a statement writes anew, which it may have to add to."""
    names = [each.id for each in getattr(node, "targets", ()) if isinstance(each, ast.Name)]
    return [name for name in names if is_array(scope.known.get(name))]


def _unused(tree: ast.FunctionDef) -> set[str]:
    """Names that are set to what a statement computes and never read."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    return {node.id for node in names if isinstance(node.ctx, ast.Store)} - read


def _unread(tree: ast.FunctionDef) -> list[str]:
    """What a function is handed and never reads, as an upstream gradient that is left out."""
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return [each.arg for each in tree.args.args if each.arg not in (*read, "self", "ctx")]


def _slopes(arrays: list[str], scope: SourceScope) -> list[str]:
    """The derivatives of activations by their outputs, of arrays that may be such outputs."""
    found = []
    for name in arrays:
        value = scope.known[name]
        if (np.abs(value) <= 1).all():
            found.append(f"1 - {name} ** 2")
        if ((value >= 0) & (value <= 1)).all():
            found += [f"{name} * (1 - {name})", f"1 - {name}"]
        found.append(f"{name} > 0")
    return found


def _counts(arrays: list[str]) -> list[str]:
    return [count for name in arrays[:6] for count in (f"len({name})", f"{name}.shape[-1]", f"{name}.size")]


def _masks(scope: SourceScope) -> list[str]:
    """Masks of samples, as factors of arrays with a row for each."""
    return [f"{n}[:, None]" for n, v in scope.known.items() if is_array(v) and v.dtype.kind == "b" and v.ndim == 1]


def _gates(scope: SourceScope) -> list[str]:
    """The derivatives of max(x, 0) by what it gave: arrays that are nowhere negative, and 0 in places."""
    found = [n for n, v in scope.known.items() if is_array(v) and v.dtype.kind == "f" and v.ndim > 1 and (v >= 0).all()]
    return [f"{name} > 0" for name in found if not scope.known[name].all() and scope.known[name].any()]


def _areas(scalars: Sequence[str], scope: SourceScope) -> list[str]:
    """The areas of windows: products of two whole numbers that the code can name, each value once."""
    names: dict[int, str] = {}
    for name in sorted(scalars, key=lambda name: "." in name):
        if type(scope.known[name]) is int and 1 < scope.known[name] < 10:
            names.setdefault(scope.known[name], name)
    few = list(names.values())[:4]
    return [f"({a} * {b})" for k, a in enumerate(few) for b in few[k:]]


def _few_counts(counts: list[str], scope: SourceScope) -> list[str]:
    """One expression for each size."""
    by_value: dict[float, str] = {}
    for code in counts:
        by_value.setdefault(scope.evaluate(code), code)
    return list(by_value.values())
