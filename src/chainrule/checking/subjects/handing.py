"""How functions that do not take arrays are handed them: as nested lists, one number after the other, or in boxes."""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .boxing import box_of_arguments, of_boxes
from .objects import from_lists

__all__ = ["BOXES", "ENTRIES", "LISTS", "handed", "ways_of"]

LISTS, ENTRIES = "lists", "entries"
BOXES = "in boxes of "  # and the name of their class

_LOOPS = re.compile(r"\bfor\b|\bzip\(|\blen\(|\bsum\(")
_ONE_NUMBER = re.compile(r"\bmath\.|\bfrom math\b|\bif\b|\bfloat\(|\bmax\(|\bmin\(|\bexp\(|\blog\(|\btanh\(")

_OF_ARRAYS = re.compile(r"\.shape\b|\.T\b|\.dot\(|@|\[[^\]]*:|\.sum\(|np\.sum")


def handed(function: Callable[..., Any], way: str) -> Callable[..., Any]:
    """A function that takes and gives arrays, made of one that takes lists, or single numbers.

    >>> double = handed(lambda row: [2 * x for x in row], LISTS)
    >>> double(np.array([1.0, 2.0]))
    array([2., 4.])
    >>> handed(lambda x: x if x > 0 else 0.0, ENTRIES)(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    if way.startswith(BOXES):
        wrapped = of_boxes(function, way.removeprefix(BOXES))
    else:
        wrapped = _of_lists(function) if way == LISTS else _of_entries(function)
    return functools.wraps(function)(wrapped)


def _of_lists(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:
        returned = function(*map(_as_lists, arguments), **{name: _as_lists(value) for name, value in named.items()})
        return tuple(map(from_lists, returned)) if type(returned) is tuple else from_lists(returned)

    return run


def _of_entries(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:
        arrays = np.broadcast_arrays(*map(np.asarray, arguments))
        entries = zip(*(array.ravel().tolist() for array in arrays), strict=True)
        return np.array([function(*each, **named) for each in entries]).reshape(arrays[0].shape)

    return run


def _as_lists(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if type(value) in (tuple, list):
        return type(value)(_as_lists(each) for each in value)
    return {key: _as_lists(each) for key, each in value.items()} if type(value) is dict else value


def ways_of(function: Callable[..., Any], source: str, alone: bool) -> Iterator[str]:
    """How a function may want to be handed arrays: "" as they are. The likeliest first.

    `source` is its own with that of what it calls, `alone` whether it is no method of an object.
    """
    if box := box_of_arguments(function):
        yield from (BOXES + box, "")
        return
    known = getattr(inspect_unwrapped(function), "__globals__", {})
    numpy = any(isinstance(value, types.ModuleType) and value.__name__ == "numpy" for value in known.values())
    lists = _LOOPS.search(source) is not None and not _OF_ARRAYS.search(source)
    yield from (LISTS, "") if lists and not numpy else ("", LISTS) if lists else ("",)
    yield from (ENTRIES,) if alone and _ONE_NUMBER.search(source) and not _OF_ARRAYS.search(source) else ()


def inspect_unwrapped(function: Callable[..., Any]) -> Any:
    """The function of the author, of a method or of a wrapped one."""
    plain: Any = getattr(function, "__func__", function)
    return getattr(plain, "__wrapped__", plain)
