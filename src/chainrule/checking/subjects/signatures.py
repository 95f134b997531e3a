"""The parameters of a function, its source, and the names of what it returns."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType, MethodType
from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["inside", "name_in", "parameters_of", "parsed", "required_of", "returned_names", "source_of"]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def parameters_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The positional parameters, each with its default or `inspect.Parameter.empty`; raises what `signature` raises.

    Where there is nothing but `*arguments`, that is one parameter.
    """
    every = inspect.signature(inside(function)).parameters.values()
    any_number = [p for p in every if p.kind is inspect.Parameter.VAR_POSITIONAL]
    named = {p.name: p.default for p in every if p.kind in _POSITIONAL}
    return named or {p.name: inspect.Parameter.empty for p in any_number}


def inside(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a decorator that does not say so has wrapped: the one function that it keeps and hands everything to.

    >>> def timed(function):
    ...     def wrap(*args, **kwargs): return function(*args, **kwargs)
    ...     return wrap
    >>> @timed
    ... def double(x): return 2 * x
    >>> inside(double).__name__, inside(len).__name__
    ('double', 'len')
    """
    plain = getattr(function, "__func__", function)
    code, cells = getattr(plain, "__code__", None), getattr(plain, "__closure__", None) or ()
    told = hasattr(plain, "__wrapped__") or hasattr(plain, "__signature__")
    if code is None or told or code.co_argcount or not code.co_flags & inspect.CO_VARARGS:
        return function
    kept = [held for held in map(_held_in, cells) if isinstance(held, FunctionType)]
    bound = getattr(function, "__self__", None)
    if len(kept) != 1:
        return function
    return inside(kept[0] if bound is None else MethodType(kept[0], bound))


def _held_in(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing yet
        return None


def required_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """The positional parameters without a default."""
    return tuple(n for n, default in parameters_of(function).items() if default is inspect.Parameter.empty)


def source_of(function: Callable[..., Any]) -> str:
    """The source, without indentation; empty where there is none."""
    plain = getattr(inside(function), "__func__", inside(function))
    if not isinstance(plain, FunctionType | type):
        return _read(function)
    if plain not in _KNOWN:
        _KNOWN[plain] = _read(plain)
    return _KNOWN[plain]


_KNOWN: WeakKeyDictionary[Any, str] = WeakKeyDictionary()  # hundreds of readings ask for the same few


def _read(item: Callable[..., Any]) -> str:
    try:
        return textwrap.dedent(inspect.getsource(item))
    except (OSError, TypeError, IndentationError):
        if not isinstance(item, type):
            return ""
    methods = [each for each in vars(item).values() if isinstance(each, FunctionType)]
    return "\n".join(map(source_of, methods))  # of a class in a notebook only these can be read


@lru_cache(maxsize=64)
def parsed(source: str) -> ast.AST | None:
    """The tree of a source; None where it is no Python."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


def returned_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of what the last return of a function lists, "" for one without a name; () where it lists nothing.

    >>> returned_names(parameters_of)
    ('',)
    """
    told: tuple[str, ...] | None = getattr(function, "returns", None)
    return told if isinstance(told, tuple) else _returned_in(source_of(function))


@lru_cache(maxsize=64)
def _returned_in(source: str) -> tuple[str, ...]:
    tree = parsed(source)
    last = [node for node in ast.walk(tree) if isinstance(node, ast.Return)] if tree is not None else []
    if not last:
        return ()
    value = max(last, key=lambda node: node.lineno).value
    return tuple(_flat_names(value)) if isinstance(value, ast.Tuple | ast.List) else (_told(value or ast.Pass()),)


def _flat_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Tuple | ast.List):
        return [name for each in node.elts for name in _flat_names(each)]
    return [_told(node)]


def _told(node: ast.AST) -> str:
    """The name of what is returned, where it is a part of it, a mean of it, or only made a plain number as well."""
    if isinstance(node, ast.Call) and len(node.args) == 1 and name_in(node.func) in ("float", "squeeze", "array"):
        return _told(node.args[0])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return name_in(node.left)
    if isinstance(node, ast.Subscript):
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return key if isinstance(key, str) else name_in(node.value)
    return name_in(node)


def name_in(node: ast.AST) -> str:
    """The name of an array: `x` and `self.x` alike."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
