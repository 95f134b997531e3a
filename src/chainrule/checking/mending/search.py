"""Finds the line to write: repairs are tried in a copy of the user's code until its gradients are right."""

from __future__ import annotations

import ast
import contextlib
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..measuring.bench import Bench
from ..measuring.cases import Case, cases_of, missing_in, ratios_in, wrong_in
from ..patience import Deadline
from .changes import Written, as_written, latest
from .derived import slopes_in
from .parts import Part, calls_in, forward_functions, parts_of, written_in_forward
from .reach import open_places, reach_of
from .repairs import Repair, SourceScope, repairs
from .usercode import compiled, copied_tree, functions_of, lines_of, names_in, swapped, traced, tree_of

__all__ = ["Mended", "Search", "Written", "clipped_first", "copied_first", "has_source", "mend"]

_PLACES = 4  # lines before which a copy may be made
_REFUSED = 2  # repairs that make the gradients right and not the whole check
_STEPS = 4  # repairs of one backward pass
_MOST, _LEAST = 8000, 300  # repairs that are tried
_CALLS = 8_000_000  # in a search: what calls more in one pass is given fewer tries, the same in each run
_SECONDS = 8.0  # of the processor's time, after which a search ends
_SHARE = 0.5  # of what is left of a search, for the places that move all that is wrong

_Found = tuple[Part, ast.FunctionDef, types.CodeType, Repair, frozenset[str]]


class Search:
    """How long repairs are tried: a number of them, and a time."""

    def __init__(self) -> None:
        self.left, self.until, self.kept = 0, Deadline(_SECONDS), 0

    @property
    def ended(self) -> bool:
        """Whether it ended before all repairs were tried."""
        return self.left <= 0 or self.until.over

    def next(self) -> bool:
        """Whether one more may be tried."""
        self.left -= 1
        return self.left >= self.kept and not self.until.over


@dataclass(frozen=True)
class Mended:
    """Repairs that make gradients right, and a way to run something with all of them in place."""

    written: tuple[Written, ...]
    whole: bool  # whether every gradient is right with them
    functions: tuple[tuple[tuple[types.FunctionType, ...], types.CodeType], ...]

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The user's functions run with the new lines, and as they were afterwards."""
        with contextlib.ExitStack() as stack:
            for functions, code in self.functions:
                stack.enter_context(swapped(functions, code))
            yield


def mend(bench: Bench, forms: Sequence[str], accepts: Callable[[], bool], search: Search) -> Mended | None:
    """The repairs that make the wrong gradients of a subject right, as many as were found; None without any.

    `accepts` runs the whole check, with a repair in place that makes all gradients right: whether that is enough.
    """
    cases = cases_of(bench)
    parts = parts_of(bench, cases[0]) if cases else []
    wrong = wrong_in(bench, cases) if parts else frozenset()
    if not wrong:
        return None
    search.left = min(max(_CALLS // calls_in(bench, cases[0]), _LEAST), _MOST)
    written: list[Written] = []
    own = {id(part): len(lines_of(part.tree)) for part in parts}
    with contextlib.ExitStack() as stack:
        for part in parts:
            stack.enter_context(swapped(part.twins, part.function.__code__))
        while wrong and len(written) < _STEPS:
            found = _best(bench, cases, parts, wrong, tuple(forms), (search, accepts))
            if found is None or _in_new_line(found, own):
                break
            part, tree, code, repair, left = found
            written.append(as_written(part.function.__qualname__, part.tree, tree, repair, wrong - left))
            part.tree, wrong = tree, left
            for function in part.twins:
                function.__code__ = code
        functions = tuple((part.twins, part.function.__code__) for part in parts)
    return Mended(latest(written), not wrong, functions) if written else None


def _in_new_line(found: _Found, own: dict[int, int]) -> bool:
    """Whether a repair would change a line that another one added, which cannot be shown as a change of the source."""
    part, tree, *_ = found
    before, after = ([ast.unparse(node) for node in lines_of(each)] for each in (part.tree, tree))
    return len(before) > own[id(part)] and len(after) == len(before)


def copied_first(bench: Bench, backward: bool) -> Iterator[Mended]:
    """A line that copies what forward, or backward, is handed and overwrites: as the first, or a later one."""
    cases = cases_of(bench)
    if not cases:
        return
    instance = bench.subject.create()
    ran = traced(lambda: bench.forward(instance, cases[0].point.copied()))
    if backward:
        ran = traced(lambda: instance.backward(cases[0].dvalues.copy()))
    twins = next(iter(functions_of(ran).values()), ())
    own = tree_of(twins[0]) if twins else None
    if own is None:
        return
    name = next((each.arg for each in own.args.args if each.arg not in ("self", "ctx")), "")
    if not name:  # *arguments: nothing that a line could name
        return
    line = f"{name} = {name}.copy()"
    for at in range(min(len(own.body), _PLACES)):
        tree = copied_tree(own)
        before = tree.body[at]
        tree.body.insert(at, ast.copy_location(ast.parse(line).body[0], before))
        code = compiled(twins[0], tree)
        if code is not None:
            says = f"{name} belongs to the layer that made it: work on a copy."
            written = Written("overwritten", says, frozenset(), before.lineno, "", line)
            yield Mended((written,), True, ((twins, code),))


def clipped_first(bench: Bench) -> Iterator[Mended]:
    """A line that clips in backward what forward clips: an argument, or what the object keeps."""
    cases = cases_of(bench)
    if not cases:
        return
    instance = bench.subject.create()
    in_forward = traced(lambda: bench.forward(instance, cases[0].point.copied()))
    limits = [limit for twins in functions_of(in_forward).values() for limit in _limits(tree_of(twins[0]))]
    ran = traced(lambda: instance.backward(cases[0].dvalues.copy()))
    twins = next(iter(functions_of(ran).values()), ())
    own = tree_of(twins[0]) if twins else None
    if own is None:
        return
    shapes = [value.shape for value in cases[0].point.values.values()]
    arrays = [n for n, v in names_in(ran[twins[0].__code__]).items() if np.shape(v) in shapes and n in ast.unparse(own)]
    first = next((at for at, node in enumerate(own.body) if not _is_text(node)), 0)
    for limit in dict.fromkeys(limits):
        for name in arrays:
            line = f"{name} = np.clip({name}, {limit})"
            tree = copied_tree(own)
            tree.body.insert(first, ast.copy_location(ast.parse(line).body[0], tree.body[first]))
            code = compiled(twins[0], tree)
            if code is not None:
                says = f"Forward clips {name} and backward does not: at 0 and 1 it divides by 0."
                written = Written("clip_in_forward_only", says, frozenset(), own.body[first].lineno, "", line)
                yield Mended((written,), True, ((twins, code),))


def _limits(tree: ast.FunctionDef | None) -> Iterator[str]:
    """The limits of every clip in a function, as they are written."""
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "clip":
            limits = node.args[-2:]
            if len(limits) == 2:
                yield ", ".join(map(ast.unparse, limits))


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def has_source(bench: Bench) -> bool:
    """Whether all of the user's backward pass can be read, so that any line could be tried in it."""
    cases = cases_of(bench)
    if not cases:
        return False
    instance = bench.subject.create()
    bench.forward(instance, cases[0].point.copied())
    ran = traced(lambda: instance.backward(cases[0].dvalues.copy()))
    found = functions_of(ran)
    return bool(ran) and len(found) == len(ran) and all(tree_of(twins[0]) is not None for twins in found.values())


def _best(
    bench: Bench,
    cases: Sequence[Case],
    parts: Sequence[Part],
    wrong: frozenset[str],
    forms: tuple[str, ...],
    limits: tuple[Search, Callable[[], bool]],
) -> _Found | None:
    """The first repair that leaves nothing wrong, or else the one that leaves least."""
    constants, expressions, sums, indices = written_in_forward(bench, cases[0])
    forward = forward_functions(bench, cases[0])
    left_out, ratios = missing_in(bench, cases[0], wrong), ratios_in(bench, cases, wrong)
    for part in parts:
        for node in ast.walk(part.tree):
            if isinstance(node, ast.expr):
                named = isinstance(node, ast.Name | ast.Attribute)
                node.closed = named and part.is_no_number(ast.unparse(node))  # type: ignore[attr-defined]
    reaches = [reach_of(bench, cases[0], part) for part in parts]
    kinds: dict[bool, list[list[Iterator[Repair]]]] = {}  # those of places that move all that is wrong, and some of it
    for first in (True, False, True):  # what was left over at first comes last
        for reach in reaches:
            open_places(reach, wrong, first)
        if first not in kinds:
            whole = () if first and len(wrong) > 1 else forms  # a form makes one gradient right
            kinds[first] = []
            for part in parts:
                factors = tuple(code for code in expressions if part.value_of(code) is not None)
                slopes = tuple(slope for own in forward for slope in slopes_in(*own, part.known))
                scope = SourceScope(
                    part.known, whole, constants, factors, part.value_of, left_out, ratios, sums, indices, slopes
                )
                kinds[first].append(repairs(part.tree, scope))
            limits[0].kept = int(limits[0].left * (1 - _SHARE)) if first else 0
        found = _first_of(bench, cases, parts, kinds[first], wrong, limits)
        if found is not None:
            return found
    return None


def _first_of(
    bench: Bench,
    cases: Sequence[Case],
    parts: Sequence[Part],
    groups: Sequence[Sequence[Iterator[Repair]]],
    wrong: frozenset[str],
    limits: tuple[Search, Callable[[], bool]],
) -> _Found | None:
    search, accepts = limits
    cases = sorted(cases, key=lambda case: case.output.size)
    best: _Found | None = None
    refused = 0
    for same in zip(*groups, strict=True):
        for part, group in zip(parts, same, strict=True):
            while search.next():
                repair = next(group, None)
                if repair is None:
                    break
                tree = copied_tree(part.tree)
                code = _changed(part.function, tree, repair)
                if code is None:
                    continue
                with swapped(part.twins, code):
                    left = wrong_in(bench, cases, wrong)
                    enough = not left and (refused == _REFUSED or accepts())
                if left < (wrong if best is None else best[4]) or enough:
                    best = part, tree, code, repair, left
                if enough:
                    return best
                refused += not left
            else:
                return best
        if best is not None and (best[4] or refused == _REFUSED):
            return best
    return best


def _changed(function: types.FunctionType, tree: ast.FunctionDef, repair: Repair) -> types.CodeType | None:
    try:
        repair.change(list(ast.walk(tree))[repair.place], tree)
    except (ValueError, IndexError, StopIteration):  # no such place in this code
        return None
    return compiled(function, tree)
