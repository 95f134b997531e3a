"""Finds the line to write: repairs are tried in a copy of the user's code until its gradients are right."""

from __future__ import annotations

import ast
import contextlib
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .bench import Bench
from .cases import Case, cases_of, missing_in, ratios_in, wrong_in
from .changes import Written, as_written, latest
from .parts import Part, calls_in, parts_of, written_in_forward
from .repairs import Repair, SourceScope, repairs
from .usercode import compiled, copied_tree, function_of, swapped, traced, tree_of, twins_of

__all__ = ["Mended", "Written", "copied_first", "has_source", "mend"]

_STEPS = 4  # repairs of one backward pass
_MOST, _LEAST = 5000, 300  # repairs that are tried
_CALLS = 2_000_000  # in a search: what calls more in one pass is given fewer tries, the same in each run


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


def mend(bench: Bench, forms: Sequence[str]) -> Mended | None:
    """The repairs that make the wrong gradients of a subject right, as many as were found; None without any."""
    cases = cases_of(bench)
    parts = parts_of(bench, cases[0]) if cases else []
    wrong = wrong_in(bench, cases) if parts else frozenset()
    if not wrong:
        return None
    tries = iter(range(min(max(_CALLS // calls_in(bench, cases[0]), _LEAST), _MOST)))
    written: list[Written] = []
    with contextlib.ExitStack() as stack:
        for part in parts:
            stack.enter_context(swapped(part.twins, part.function.__code__))
        while wrong and len(written) < _STEPS:
            found = _best(bench, cases, parts, wrong, tuple(forms), tries)
            if found is None:
                break
            part, tree, code, repair, left = found
            written.append(as_written(part.function.__qualname__, part.tree, tree, repair, wrong - left))
            part.tree, wrong = tree, left
            for function in part.twins:
                function.__code__ = code
        functions = tuple((part.twins, part.function.__code__) for part in parts)
    return Mended(latest(written), not wrong, functions) if written else None


def copied_first(bench: Bench, backward: bool) -> Mended | None:
    """A first line that copies what forward, or backward, is handed and overwrites."""
    cases = cases_of(bench)
    if not cases:
        return None
    instance = bench.subject.create()
    ran = traced(lambda: bench.forward(instance, cases[0].point.copied()))
    if backward:
        ran = traced(lambda: instance.backward(cases[0].dvalues.copy()))
    function = next((f for f in map(function_of, ran) if f is not None), None)
    tree = None if function is None else tree_of(function)
    if function is None or tree is None:
        return None
    name = next((each.arg for each in tree.args.args if each.arg not in ("self", "ctx")), "")
    line = f"{name} = {name}.copy()"
    first = tree.body[0]
    tree.body.insert(0, ast.copy_location(ast.parse(line).body[0], first))
    code = compiled(function, tree)
    if code is None:
        return None
    says = f"{name} belongs to the layer that made it: work on a copy."
    written = Written("overwritten", says, frozenset(), first.lineno, "", line)
    return Mended((written,), True, ((twins_of(function), code),))


def has_source(bench: Bench) -> bool:
    """Whether all of the user's backward pass can be read, so that any line could be tried in it."""
    cases = cases_of(bench)
    if not cases:
        return False
    instance = bench.subject.create()
    bench.forward(instance, cases[0].point.copied())
    functions = [function_of(code) for code in traced(lambda: instance.backward(cases[0].dvalues.copy()))]
    return bool(functions) and all(f is not None and tree_of(f) is not None for f in functions)


def _best(
    bench: Bench,
    cases: Sequence[Case],
    parts: Sequence[Part],
    wrong: frozenset[str],
    forms: tuple[str, ...],
    tries: Iterator[int],
) -> tuple[Part, ast.FunctionDef, types.CodeType, Repair, frozenset[str]] | None:
    """The first repair that leaves nothing wrong, or else the one that leaves least."""
    best: tuple[Part, ast.FunctionDef, types.CodeType, Repair, frozenset[str]] | None = None
    constants, expressions = written_in_forward(bench, cases[0])
    left_out, ratios = missing_in(bench, cases[0], wrong), ratios_in(bench, cases, wrong)
    groups = []
    for part in parts:
        factors = tuple(code for code in expressions if part.value_of(code) is not None)
        groups.append(
            repairs(part.tree, SourceScope(part.known, forms, constants, factors, part.value_of, left_out, ratios))
        )
    for same in zip(*groups, strict=True):
        for part, group in zip(parts, same, strict=True):
            for repair in group:
                if next(tries, None) is None:
                    return best
                tree = copied_tree(part.tree)
                code = _changed(part.function, tree, repair)
                if code is None:
                    continue
                with swapped(part.twins, code):
                    left = wrong_in(bench, cases, wrong)
                if left < (wrong if best is None else best[4]):
                    best = part, tree, code, repair, left
                if not left:
                    return best
        if best is not None:
            return best
    return None


def _changed(function: types.FunctionType, tree: ast.FunctionDef, repair: Repair) -> types.CodeType | None:
    repair.change(list(ast.walk(tree))[repair.place], tree)
    return compiled(function, tree)
