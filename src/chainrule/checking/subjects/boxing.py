"""Operations of a small engine of autograd: their arguments lie in boxes with `.data`, a context keeps the rest."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from .signatures import parameters_of, source_of

__all__ = ["SavingContext", "box_of_arguments", "context_for", "of_boxes"]

_HELD = "data|value|val|array|numpy"
_BACKWARD = re.compile(r"(?i)back|grad|bprop")


class SavingContext:
    """What `forward(ctx, ...)` saves for `backward(ctx, ...)`: attributes of any name."""

    def __init__(self, arguments: int) -> None:
        self.needs_input_grad = (True,) * arguments
        self.saved: tuple[Any, ...] = ()

    def save_for_backward(self, *values: Any) -> None:
        """Keep values; they come back as `saved_tensors`, `saved_values` and whatever else begins with `saved`."""
        self.saved = values

    def __getattr__(self, name: str) -> Any:
        if name.startswith("saved") and "saved" in self.__dict__:
            return self.saved
        raise AttributeError(name)


def context_for(forward: Callable[..., Any], arguments: int) -> Any:
    """A context as the file itself makes them, where it has a class with the methods that forward calls; or ours."""
    called = set(re.findall(r"\bctx\.(\w+)\(", source_of(forward)))
    if called <= {"save_for_backward"}:
        return SavingContext(arguments)
    for kind in _kinds_beside(forward):
        if all(inspect.isfunction(getattr(kind, name, None)) for name in called):
            try:
                return kind()
            except Exception:  # the code is not ours: it may want anything
                continue
    return SavingContext(arguments)


def _kinds_beside(function: Callable[..., Any]) -> list[type]:
    """The classes among the globals of the file of a function that are no part of Python or NumPy."""
    plain = inspect.unwrap(getattr(function, "__func__", function))
    known = getattr(plain, "__globals__", {})
    strange = [value for value in known.values() if isinstance(value, type)]
    return [kind for kind in strange if kind.__module__.partition(".")[0] not in ("builtins", "numpy", "typing", "abc")]


def box_of_arguments(function: Callable[..., Any]) -> str:
    """The name of the class in which a function of a context wants its arguments, "" where it takes arrays.

    >>> box_of_arguments(lambda ctx, a: 2 * a)
    ''
    """
    try:
        names = list(parameters_of(function))
    except (TypeError, ValueError):
        return ""
    source = source_of(function)
    if names[:1] != ["ctx"] or not any(re.search(rf"\b{name}\.({_HELD})\b", source) for name in names[1:]):
        return ""
    return next((kind.__name__ for kind in _kinds_beside(function) if _is_box(kind)), "")


@functools.lru_cache(maxsize=64)
def _is_box(kind: type) -> bool:
    try:
        return _held_in(kind(np.ones(2))) is not None
    except Exception:  # the code is not ours: it may want anything
        return False


def _held_in(box: Any) -> Any:
    """The array in a box, None where there is none."""
    for name in _HELD.split("|"):
        value = None if isinstance(box, np.ndarray) else getattr(box, name, None)
        if isinstance(value, np.ndarray):
            return value
    return None


def of_boxes(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A function of boxes as one that takes and gives arrays; a backward pass is handed what its source asks for."""
    kind = next(each for each in _kinds_beside(function) if each.__name__ == name)
    source, known = source_of(function), list(parameters_of(function))
    back = _BACKWARD.search(getattr(function, "__name__", "")) is not None

    def boxed(value: Any, called: str) -> Any:
        value = value.made() if hasattr(value, "world") else value
        read = re.search(rf"\b{called}\.({_HELD})\b", source) is not None
        wanted = isinstance(value, np.ndarray) and (read or (value.dtype.kind == "f" and not back))
        return kind(np.array(value)) if wanted else value

    def run(*arguments: Any, **named: Any) -> Any:
        given = [boxed(value, called) for value, called in zip(arguments, known, strict=False)]
        returned = function(*given, **{called: boxed(value, called) for called, value in named.items()})
        several = isinstance(returned, tuple | list)
        return tuple(map(_unboxed, returned)) if several else _unboxed(returned)

    return run


def _unboxed(value: Any) -> Any:
    held = _held_in(value)
    return value if held is None else held
