"""What a teacher should look at although the numbers are right: the library itself, differences, the interpreter."""

from __future__ import annotations

import ast
import re
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ...errors import ConfigurationError
from ..definitions import text_of

__all__ = ["OFTEN", "calls_more", "suspicions"]

OFTEN = 10  # times as often as forward: backward that calls it so often takes differences
_BASES = {"Layer", "Loss", "Penalty"}  # what one derives from
_DIFFERENTIATES = {"jax", "autograd", "tensorflow", "tinygrad", "numdifftools", "pytensor", "casadi", "mygrad"}
_DIFFERENCES = {"approx_fprime", "approx_derivative", "derivative", "numerical_gradient", "numeric_gradient"}
_INTERPRETER = {"_getframe", "_current_frames", "settrace", "setprofile", "get_objects", "get_referrers"}
_GRADIENT = re.compile(r"(?i)back|bprop|grad|deriv|prime|delta|vjp")
_TRIED = re.compile(r"(?i)num|check|approx|finite|test|verify|estimate")


def suspicions(path: Path) -> list[str]:
    """Sentences about the text of a submission, none of which runs for it."""
    try:
        tree = ast.parse(text_of(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError, ConfigurationError):
        return []  # it does not run, and that is what will be said of it
    return list(dict.fromkeys((*_imported(tree), *_reached(tree), *_differences(tree))))


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            bases = node.module == "chainrule" and all(alias.name in _BASES for alias in node.names)
            names = [] if bases else [node.module or ""]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("chainrule"):
            names = [node.value] if re.fullmatch(r"chainrule(\.\w+)*", node.value) else []
        for name in names:
            root = name.partition(".")[0]
            if root == "chainrule":
                yield "It imports chainrule, whose layers are right."
            elif root in _DIFFERENTIATES:
                yield f"It imports {root}, which differentiates by itself."


def _reached(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if name in _INTERPRETER:
            yield f"It reaches into the interpreter ({name})."


# Differences in place of a derivative


def _differences(tree: ast.AST) -> Iterator[str]:
    functions: dict[str, list[ast.FunctionDef]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            functions.setdefault(node.name, []).append(node)
    own = {*functions, *_bound(tree)}
    reached = [name for name in functions if _GRADIENT.search(name) and not _TRIED.search(name)]
    for name in reached:
        for function in functions[name]:
            called = {_called(node) for node in ast.walk(function) if isinstance(node, ast.Call)}
            if called & _DIFFERENCES and not called & set(functions) & _DIFFERENCES:
                yield f"{name} calls {min(called & _DIFFERENCES)}: differences, and no derivative."
            if _takes_differences(function, own):
                yield f"{name} takes differences, and no derivative."
            reached += sorted(called & set(functions) - set(reached))


def _bound(tree: ast.AST) -> Iterator[str]:
    """The names of functions that are given or made here: arguments, and lambdas with a name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _takes_differences(function: ast.FunctionDef, own: set[str]) -> bool:
    """Whether a function is called at two points, and the difference of what it gives divided.

    Two points differ by a step: `f(x + h) - f(x - h)`, a small one where f is not of one's own, or an entry of x was
    changed in place. What is computed once and used on both sides is no difference of two.
    """
    values: dict[str, ast.AST] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            values[node.targets[0].id] = node.value

    def expanded(node: ast.AST) -> ast.AST:
        return values.get(node.id, node) if isinstance(node, ast.Name) else node

    changed = {_base(each) for node in ast.walk(function) for each in _written_into(node)}
    changed |= {_base(values[name]) for name in changed & {*values}}

    def calls(node: ast.AST) -> list[ast.Call]:
        every = (inner for each in ast.walk(node) for inner in ast.walk(expanded(each)))
        return [each for each in every if isinstance(each, ast.Call) and each.args]

    def at_two_points(one: ast.Call, other: ast.Call) -> bool:
        if one is other or _called(one) != _called(other):
            return False
        first, second = (expanded(call.args[0]) for call in (one, other))
        if _base(first) != _base(second):
            return False
        steps = [e.right for e in (first, second) if isinstance(e, ast.BinOp) and isinstance(e.op, ast.Add | ast.Sub)]
        small = _called(one) in own or any(_is_small(step, values) for step in steps)
        return bool(steps and small) or _base(first) in changed

    def is_difference(node: ast.AST) -> bool:
        every = [inner for each in ast.walk(node) for inner in ast.walk(expanded(each))]
        return any(
            at_two_points(one, other)
            for each in every
            if isinstance(each, ast.BinOp) and isinstance(each.op, ast.Sub)
            for one in calls(each.left)
            for other in calls(each.right)
        )

    quotients = (node for node in ast.walk(function) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
    return any(is_difference(node.left) for node in quotients)


def _written_into(node: ast.AST) -> list[ast.AST]:
    """The arrays in which a statement sets an entry, or which it changes: `x[i] = ...`, `x += ...`."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
    return [each for each in targets if isinstance(each, ast.Subscript) or isinstance(node, ast.AugAssign)]


def _is_small(node: ast.AST, values: dict[str, ast.AST]) -> bool:
    """Whether a step is small: a number below 1/100, one times an array, or a name that is set to one or means one."""
    for each in ast.walk(node):
        set_to = values.get(each.id, each) if isinstance(each, ast.Name) else each
        if isinstance(set_to, ast.Constant) and isinstance(set_to.value, float | complex):
            return 0 < abs(set_to.value) < 0.01
        name = each.id if isinstance(each, ast.Name) else each.attr if isinstance(each, ast.Attribute) else ""
        if re.fullmatch(r"(?i)_?(h|dx|eps(ilon)?|delta|step|tiny|small)", name):
            return True
    return False


def _base(node: ast.AST) -> str:
    """What an argument is made of: `self.x` in `self.x.copy() + h`."""
    if isinstance(node, ast.BinOp):
        return _base(node.left)
    if isinstance(node, ast.Call):
        return _base(node.func.value if isinstance(node.func, ast.Attribute) else (node.args or [node.func])[0])
    return _base(node.value) if isinstance(node, ast.Subscript) else ast.unparse(node)


def calls_more(forward: Callable[[], Any], backward: Callable[[], Any]) -> tuple[Any, float]:
    """What backward gives, and how many times as often as forward it calls a function that forward calls, at most."""
    apart = str(Path(__file__).parents[2]), sys.prefix, sys.base_prefix, "<frozen"
    counts: Counter[types.CodeType] = Counter()

    def watch(frame: types.FrameType, event: str, _: Any) -> None:
        if event == "call" and not frame.f_code.co_filename.startswith(apart) and frame.f_code.co_name[0] != "<":
            counts[frame.f_code] += 1

    def counted(run: Callable[[], Any]) -> tuple[Any, Counter[types.CodeType]]:
        counts.clear()
        sys.setprofile(watch)
        try:
            return run(), counts.copy()
        finally:
            sys.setprofile(None)

    _, first = counted(forward)
    found, second = counted(backward)
    return found, max((second[code] / first[code] for code in first), default=0.0)
