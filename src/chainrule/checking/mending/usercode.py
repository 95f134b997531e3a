"""The functions of others: which of them run, what they can name, their trees, and a changed one in their place."""

from __future__ import annotations

import ast
import contextlib
import functools
import gc
import inspect
import sys
import textwrap
import types
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "NUMBERS",
    "compiled",
    "copied_tree",
    "functions_of",
    "lines_of",
    "names_in",
    "swapped",
    "traced",
    "tree_of",
]

NUMBERS = (np.ndarray, np.generic, int, float)
_INSIDE = ("<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>", "<module>")  # code that is part of another's
_OURS = str(Path(__file__).parents[2])  # the package


def traced(run: Callable[[], Any]) -> dict[types.CodeType, dict[str, Any]]:
    """The code of others that runs, with the names that it knows where it ends."""
    seen: dict[types.CodeType, dict[str, Any]] = {}
    functions = str(Path(np.__file__).parent), _OURS, sys.prefix, sys.base_prefix, "<"

    def watch(frame: types.FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and not code.co_filename.startswith(functions) and code.co_name not in _INSIDE:
            seen.setdefault(code, {})
        elif event == "return" and code in seen:
            seen[code] = dict(frame.f_locals)

    if sys.getprofile() is not None:  # somebody else watches: no line is tried then
        return seen
    sys.setprofile(watch)
    try:
        run()
    except (Exception, SystemExit):  # what ran until then counts
        pass
    finally:
        sys.setprofile(None)
    return seen


def names_in(held: dict[str, Any]) -> dict[str, Any]:
    """Arrays and numbers by the expressions that name them: locals, attributes of `self`, entries of dicts."""
    found: dict[str, Any] = {}
    for name, value in held.items():
        found[name] = value
        if isinstance(value, dict):
            found |= {f"{name}[{key!r}]": each for key, each in value.items() if isinstance(key, str)}
        elif hasattr(value, "__dict__") and not isinstance(value, type | types.ModuleType | types.FunctionType):
            for key, each in ((key, each) for key, each in vars(value).items() if key.isidentifier()):
                found[f"{name}.{key}"] = each
                if isinstance(each, dict) and all(each is not other for other in held.values()):
                    found |= {f"{name}.{key}[{word!r}]": v for word, v in each.items() if isinstance(word, str)}
    return {name: value for name, value in found.items() if isinstance(value, NUMBERS)}


def functions_of(codes: Collection[types.CodeType]) -> dict[types.CodeType, tuple[types.FunctionType, ...]]:
    """For each code the functions that run it: one that is defined inside of another is made anew at each call.

    All are looked for at once, as the collector goes through everything that the process holds.
    """
    found: dict[types.CodeType, list[types.FunctionType]] = {code: [] for code in codes}
    for each in gc.get_referrers(*found) if found else ():
        if isinstance(each, types.FunctionType) and each.__code__ in found:
            found[each.__code__].append(each)
    return {code: tuple(functions) for code, functions in found.items() if functions}


def tree_of(function: types.FunctionType) -> ast.FunctionDef | None:
    """The definition of a function with its lines as in the file; None without source, and where a loop may not end."""
    try:
        source, first = _source_of(function.__code__)
        tree = ast.parse(source).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return None
    if not isinstance(tree, ast.FunctionDef) or any(isinstance(node, ast.While) for node in ast.walk(tree)):
        return None
    tree.decorator_list = []
    ast.increment_lineno(tree, first - 1)
    return tree


@functools.lru_cache(maxsize=64)
def _source_of(code: types.CodeType) -> tuple[str, int]:
    lines, first = inspect.getsourcelines(code)
    return textwrap.dedent("".join(lines)), first


def compiled(function: types.FunctionType, tree: ast.FunctionDef) -> types.CodeType | None:
    """The code of a changed definition, with the closure that the function has."""
    old = function.__code__
    body: ast.stmt = tree
    kind = function.__qualname__.rpartition(".")[0].rpartition(".")[2]
    if kind.isidentifier():
        body = ast.parse(f"class {kind}: pass").body[0]
        assert isinstance(body, ast.ClassDef)
        body.body = [tree]
    outer = ast.parse(f"def outer({', '.join(n for n in old.co_freevars if n != '__class__')}): pass")
    assert isinstance(outer.body[0], ast.FunctionDef)
    outer.body[0].body = [body]
    try:
        code = compile(ast.fix_missing_locations(outer), old.co_filename, "exec")
    except (SyntaxError, ValueError, TypeError):
        return None
    new = _code_in(code, tree.name)
    if new is None or set(new.co_freevars) != set(old.co_freevars):
        return None
    return new.replace(co_firstlineno=old.co_firstlineno)


def _code_in(code: types.CodeType, name: str) -> types.CodeType | None:
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            found = each if each.co_name == name else _code_in(each, name)
            if found is not None:
                return found
    return None


@contextlib.contextmanager
def swapped(functions: tuple[types.FunctionType, ...], code: types.CodeType) -> Iterator[None]:
    """Functions run other code inside, and their own afterwards, whatever happens."""
    before = [function.__code__ for function in functions]
    try:
        for function in functions:
            function.__code__ = code
        yield
    finally:
        for function, own in zip(functions, before, strict=True):
            function.__code__ = own


def lines_of(tree: ast.FunctionDef) -> list[ast.stmt]:
    """The statements of a function that hold no others."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not hasattr(node, "body")]


def copied_tree(node: Any) -> Any:
    """A syntax tree anew: what `copy.deepcopy` does, in a fifth of the time."""
    if isinstance(node, list):
        return [copied_tree(each) for each in node]
    if not isinstance(node, ast.AST) or isinstance(node, ast.expr_context | ast.operator | ast.cmpop):
        return node
    new = type(node).__new__(type(node))
    vars(new).update({name: copied_tree(value) for name, value in vars(node).items()})
    return new
