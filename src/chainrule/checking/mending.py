"""Finds the line to write: repairs are tried in a copy of the user's code until its gradients are right."""

from __future__ import annotations

import ast
import contextlib
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bench import Bench
from .measure import Setting, Tolerance, measure
from .repairs import Repair, SourceScope, repairs
from .subjects import Point
from .trials import points
from .usercode import compiled, copied_tree, function_of, names_in, swapped, traced, tree_of, twins_of

__all__ = ["Mended", "Written", "copied_first", "has_source", "mend"]

_NUMBERS = (np.ndarray, np.generic, int, float)
_STEPS = 4  # repairs of one backward pass
_MOST, _LEAST = 5000, 300  # repairs that are tried
_CALLS = 2_000_000  # in a search: what calls more in one pass is given fewer tries, the same in each run
_POINTS = 3  # batches, of different lengths, in which a repair must be right


@dataclass(frozen=True)
class Written:
    """One repair: what it mends, and the line."""

    mistake: str
    says: str
    arrays: frozenset[str]
    line: int
    was: str
    write: str


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


@dataclass
class _Case:
    """A batch, and what every gradient must be there: positions, values, and how far off one may be."""

    point: Point
    dvalues: NDArray[Any]
    output: NDArray[Any]
    wanted: dict[str, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]


@dataclass
class _Part:
    """A function of the user's backward pass."""

    function: types.FunctionType
    twins: tuple[types.FunctionType, ...]
    tree: ast.FunctionDef
    known: dict[str, Any]
    names: dict[str, Any]  # the locals where it ends
    values: dict[str, Any] = field(default_factory=dict)  # of expressions, as they are asked for

    def value_of(self, code: str) -> Any:
        """What an expression is where the function ends; None where it has no value there."""
        if code not in self.values:
            try:
                with np.errstate(all="ignore"):
                    value = eval(code, self.function.__globals__, self.names)  # the user's own expression
                self.values[code] = value if isinstance(value, _NUMBERS) else None
            except Exception:  # it is not ours
                self.values[code] = None
        return self.values[code]


def mend(bench: Bench, forms: Sequence[str]) -> Mended | None:
    """The repairs that make the wrong gradients of a subject right, as many as were found; None without any."""
    cases = _cases(bench)
    parts = _parts(bench, cases[0]) if cases else []
    wrong = _wrong(bench, cases) if parts else frozenset()
    if not wrong:
        return None
    constants, factors = _of_forward(bench, cases[0])
    tries = iter(range(min(max(_CALLS // _calls(bench, cases[0]), _LEAST), _MOST)))
    written: list[Written] = []
    with contextlib.ExitStack() as stack:
        for part in parts:
            stack.enter_context(swapped(part.twins, part.function.__code__))
        while wrong and len(written) < _STEPS:
            found = _best(bench, cases, parts, wrong, (tuple(forms), constants, factors), tries)
            if found is None:
                break
            part, tree, code, repair, left = found
            written.append(_told(part, tree, repair, wrong - left))
            part.tree, wrong = tree, left
            for function in part.twins:
                function.__code__ = code
        functions = tuple((part.twins, part.function.__code__) for part in parts)
    return Mended(_latest(written), not wrong, functions) if written else None


def copied_first(bench: Bench, backward: bool) -> Mended | None:
    """A first line that copies what forward, or backward, is handed and overwrites."""
    cases = _cases(bench)
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
    cases = _cases(bench)
    if not cases:
        return False
    instance = bench.subject.create()
    bench.forward(instance, cases[0].point.copied())
    functions = [function_of(code) for code in traced(lambda: instance.backward(cases[0].dvalues.copy()))]
    return bool(functions) and all(f is not None and tree_of(f) is not None for f in functions)


def _best(
    bench: Bench,
    cases: Sequence[_Case],
    parts: Sequence[_Part],
    wrong: frozenset[str],
    told: tuple[tuple[str, ...], tuple[float, ...], tuple[str, ...]],
    tries: Iterator[int],
) -> tuple[_Part, ast.FunctionDef, types.CodeType, Repair, frozenset[str]] | None:
    """The first repair that leaves nothing wrong, or else the one that leaves least."""
    best: tuple[_Part, ast.FunctionDef, types.CodeType, Repair, frozenset[str]] | None = None
    groups = [repairs(part.tree, SourceScope(part.known, *told, part.value_of)) for part in parts]
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
                    left = _wrong(bench, cases, wrong)
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


# The numbers that must come out


def _cases(bench: Bench) -> list[_Case]:
    """A few batches of different lengths with what every gradient must be in them."""
    found: list[_Case] = []
    try:
        for point in points(bench.subject, bench.rng, bench.subject.modes[0], _POINTS + 1):
            instance = bench.subject.create()
            output = bench.forward(instance, point.copied())
            if not np.isfinite(output).all() or (found and point.sizes == (1,)):
                continue
            dvalues = bench.dvalues(output)
            zeros = {name: np.zeros(value.shape) for name, value in point.values.items()}
            penalty = instance.penalty()[1]
            setting = Setting(bench.subject, bench.runner, point, bench.noise, dvalues, output, zeros, {}, penalty)
            wanted = {}
            for name in zeros:
                m = measure(setting, name, Tolerance(1.0, 1.0), bench.rng, every=True)
                size = float(np.max(np.abs(m.expected), initial=0.0, where=np.isfinite(m.expected)))
                wanted[name] = m.flats, m.expected, 1e-5 * np.abs(m.expected) + 1e-6 * size + 1e-12
            found.append(_Case(point, dvalues, output.copy(), wanted))
            if len(found) == _POINTS:
                break
    except (Exception, SystemExit):  # the object is not ours: anything may come
        return found
    return found


def _wrong(bench: Bench, cases: Sequence[_Case], among: frozenset[str] | None = None) -> frozenset[str]:
    """The arrays whose gradients are wrong in some batch; stops where one is wrong that is not `among` these."""
    wrong: set[str] = set()
    for case in cases:
        try:
            with np.errstate(all="ignore"):
                instance = bench.subject.create()
                output = bench.forward(instance, case.point.copied())
                if not np.array_equal(output, case.output, equal_nan=True):
                    return frozenset(case.wanted)
                gradients = instance.backward(case.dvalues.copy())
        except (Exception, SystemExit):  # what does not run gives no gradient at all
            return frozenset(case.wanted)
        wrong |= {name for name in case.wanted if not _is_right(case, name, gradients.get(name))}
        if among is not None and not wrong < among:
            return frozenset(wrong)
    return frozenset(wrong)


def _is_right(case: _Case, name: str, received: Any) -> bool:
    flats, expected, allowed = case.wanted[name]
    try:
        array = np.asarray(received, dtype=np.float64)
    except (TypeError, ValueError, np.exceptions.ComplexWarning):
        return False
    if array.shape != case.point.values[name].shape:
        return False
    known = np.isfinite(expected)
    return bool((np.abs(array.reshape(-1)[flats] - expected) <= allowed)[known].all())


# The user's functions


def _parts(bench: Bench, case: _Case) -> list[_Part]:
    """The user's functions that run in backward and not in forward, the outermost first."""
    instance = bench.subject.create()
    in_forward = traced(lambda: bench.forward(instance, case.point.copied()))
    in_backward = traced(lambda: instance.backward(case.dvalues.copy()))
    alone = {code: names for code, names in in_backward.items() if code not in in_forward}
    found = []
    for code, names in (alone or in_backward or in_forward).items():  # a loss with its gradients is both in one
        function = function_of(code)
        tree = None if function is None else tree_of(function)
        if function is not None and tree is not None:
            found.append(_Part(function, twins_of(function), tree, names_in(names), names))
    return found


def _calls(bench: Bench, case: _Case) -> int:
    """How many calls one pass makes: what it costs, the same in every run."""
    count = 0

    def watch(*_: Any) -> None:
        nonlocal count
        count += 1

    if sys.getprofile() is None:
        sys.setprofile(watch)
        try:
            _wrong(bench, [case])
        finally:
            sys.setprofile(None)
    return max(count, 1)


def _of_forward(bench: Bench, case: _Case) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """The numbers that stand in forward, and its expressions of attributes alone, which backward can name as well."""
    instance = bench.subject.create()
    numbers: dict[float, None] = {}
    factors: dict[str, None] = {}
    for code in traced(lambda: bench.forward(instance, case.point.copied())):
        function = function_of(code)
        tree = None if function is None else tree_of(function)
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value not in (0, True):
                numbers[node.value] = None
            if isinstance(node, ast.BinOp) and all(
                isinstance(n, ast.BinOp | ast.Constant | ast.Attribute | ast.operator | ast.expr_context)
                or (isinstance(n, ast.Name) and n.id == "self")
                for n in ast.walk(node)
            ):
                factors[ast.unparse(node)] = None
    return tuple(numbers)[:8], tuple(factors)[:6]


# How it is told


def _told(part: _Part, tree: ast.FunctionDef, repair: Repair, arrays: frozenset[str]) -> Written:
    old = list(ast.walk(part.tree))[repair.place]
    before = {ast.unparse(node) for node in _simple(part.tree)}
    new = [node for node in _simple(tree) if ast.unparse(node) not in before]
    was, write = "" if old is part.tree else ast.unparse(old), ast.unparse(new[0]) if new else ast.unparse(old)
    line = old.lineno if isinstance(old, ast.stmt) and was else new[0].lineno if new else 0
    if was == write:  # the same, further out
        was = f"    {was}"
    return Written(repair.mistake, repair.says, arrays, line, _bare(was), _bare(write))


def _simple(tree: ast.FunctionDef) -> list[ast.stmt]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not hasattr(node, "body")]


def _bare(code: str) -> str:
    """A return, or an assignment of several, without the brackets around what it lists."""
    if code.startswith(" "):
        return code
    start, _, rest = code.partition("return (") if code.startswith("return (") else code.partition(" = (")
    node = ast.parse(code).body[0] if rest and not code.startswith("return") else None
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
        return f"{start} = {rest[:-1]}"
    if code.startswith("return (") and isinstance(ast.parse(code[7:], mode="eval").body, ast.Tuple):
        return f"return {rest[:-1]}"
    return code


def _latest(written: Sequence[Written]) -> tuple[Written, ...]:
    """Repairs of one line as one, with the line as it is after all of them."""
    found: dict[int, Written] = {}
    for each in written:
        if each.line in found:
            first = found[each.line]
            arrays = first.arrays | each.arrays
            says = first.says if each.says in first.says else f"{first.says} {each.says}"
            found[each.line] = Written(first.mistake, says, arrays, each.line, first.was, each.write)
        else:
            found[each.line] = each
    return tuple(found.values())
