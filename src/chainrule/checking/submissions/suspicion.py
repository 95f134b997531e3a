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
    reached = [name for name in functions if _GRADIENT.search(name) and not _TRIED.search(name)]
    for name in reached:
        for function in functions[name]:
            called = {_called(node) for node in ast.walk(function) if isinstance(node, ast.Call)}
            if called & _DIFFERENCES and not called & set(functions) & _DIFFERENCES:
                yield f"{name} calls {min(called & _DIFFERENCES)}: differences, and no derivative."
            if _takes_differences(function):
                yield f"{name} takes differences, and no derivative."
            reached += sorted(called & set(functions) - set(reached))


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _takes_differences(function: ast.FunctionDef) -> bool:
    """Whether a difference of two calls of one function, with different arguments, is divided."""
    values: dict[str, ast.AST] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            values[node.targets[0].id] = node.value

    def expanded(node: ast.AST) -> ast.AST:
        return values.get(node.id, node) if isinstance(node, ast.Name) else node

    def calls(node: ast.AST) -> set[tuple[str, str]]:
        """The functions of one's own that are called, each with what its first argument is made of."""
        every = [inner for each in ast.walk(node) for inner in ast.walk(expanded(each))]
        found = [call for call in every if isinstance(call, ast.Call) and _called(call) not in _PLAIN]
        return {(_called(call), _base(expanded(call.args[0])) if call.args else "") for call in found}

    def is_difference(node: ast.AST) -> bool:
        every = [inner for each in ast.walk(node) for inner in ast.walk(expanded(each))]
        differences = [each for each in every if isinstance(each, ast.BinOp) and isinstance(each.op, ast.Sub)]
        return any(
            calls(each.left) & calls(each.right) and ast.dump(each.left) != ast.dump(each.right) for each in differences
        )

    quotients = (node for node in ast.walk(function) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
    return any(is_difference(node.left) for node in quotients)


def _base(node: ast.AST) -> str:
    """What an argument is made of: `self.x` in `self.x.copy() + h`."""
    if isinstance(node, ast.BinOp):
        return _base(node.left)
    if isinstance(node, ast.Call):
        return _base(node.func.value if isinstance(node.func, ast.Attribute) else (node.args or [node.func])[0])
    return _base(node.value) if isinstance(node, ast.Subscript) else ast.unparse(node)


_PLAIN = {"copy", "astype",
          "sum", "mean", "exp", "log", "dot", "matmul", "sqrt", "abs", "max", "min", "maximum", "minimum", "outer",
          "where", "array", "asarray", "square", "power", "tanh", "cosh", "sinh", "len", "float", "int", "einsum",
          "reshape", "transpose", "multiply", "sign", "var", "std", "range", "clip", "sin", "cos", "expand_dims",
          "ones_like", "zeros_like", "eye", "repeat", "tile"}  # fmt: skip


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
