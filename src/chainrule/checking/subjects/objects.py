"""What an object holds: its arrays and random generators, in attributes, dicts, lists and objects inside."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import random
import re
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .names import TRAINING

__all__ = [
    "BOXES",
    "arrays_of",
    "attributes_of",
    "copied",
    "from_lists",
    "generators_of",
    "gradient_path",
    "growing",
    "lists_in",
    "parts_of",
    "read",
    "switched_on",
    "write",
]

_DEPTH = 4
_MOST = 64  # items of a list or dict that are looked into
_CLOSED = np.ndarray | np.random.Generator | np.random.RandomState | random.Random | type | types.ModuleType
_PATH = re.compile(r"\.?([^.\[\]]+)|\[([^\]]+)\]")


def _held(item: Any) -> Iterator[tuple[str, Any]]:
    """What an object, a dict or a list holds, in order, each with its part of a path."""
    if isinstance(item, dict):
        yield from ((f"[{key!r}]", value) for key, value in list(item.items())[:_MOST] if isinstance(key, str))
    elif isinstance(item, list | tuple):
        yield from ((f"[{position}]", value) for position, value in enumerate(item[:_MOST]))
    else:
        yield from ((f".{name}", value) for name, value in attributes_of(item))
        if getattr(item, "__dict__", None) is not None and not isinstance(item, type):
            own = getattr(item, "__dict__", {})
            shared = {n: v for kind in reversed(type(item).__mro__) for n, v in vars(kind).items() if n not in own}
            yield from ((f".{name}", value) for name, value in shared.items() if isinstance(value, np.ndarray))


def attributes_of(item: Any) -> Iterator[tuple[str, Any]]:
    """What an object holds under names of its own, in its slots too."""
    yield from ((str(name), value) for name, value in list(getattr(item, "__dict__", {}).items()))
    slots = [name for kind in type(item).__mro__ for name in _slots_of(kind)]
    yield from ((name, getattr(item, name)) for name in slots if hasattr(item, name))


def _slots_of(kind: type) -> tuple[str, ...]:
    named = vars(kind).get("__slots__", ())
    return (named,) if isinstance(named, str) else tuple(named)


def _walk(item: Any, depth: int, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if id(item) in seen:
        return
    seen.add(id(item))
    for part, value in _held(item):
        yield path + part, value
        known = inspect.isroutine(value) or isinstance(value, _CLOSED)
        inside = isinstance(value, dict | list | tuple) or hasattr(value, "__dict__") or hasattr(value, "__slots__")
        if depth > 1 and inside and not known:
            yield from _walk(value, depth - 1, path + part, seen)


def arrays_of(item: Any, scalars: bool = False) -> Iterator[tuple[str, NDArray[Any]]]:
    """Every array that an object holds, by its path: `weights`, `params['W']`, `layers[0].weights`.

    With `scalars` plain floats are in it too, as arrays without an axis.

    >>> class Holder: pass
    >>> holder = Holder()
    >>> holder.params = {"W": np.ones(2)}
    >>> [path for path, _ in arrays_of(holder)]
    ["params['W']"]
    """
    inside, lists = "-", dict[int, Any]()
    for path, value in _walk(item, _DEPTH, "", set()):
        if path.startswith(inside):
            continue
        found = lists.setdefault(id(value), from_lists(value)) if isinstance(value, list) else value
        if isinstance(found, np.ndarray):
            inside = f"{path}[" if isinstance(value, list) else inside
            yield path.removeprefix("."), found
        elif scalars and isinstance(value, float):
            yield path.removeprefix("."), np.array(float(value))


def from_lists(value: Any) -> Any:
    """A list of floats, or of equally long lists of them, as an array; anything else as it is.

    >>> from_lists([[0.5, 1.0], [2.0, 0.0]]).shape, from_lists([[0.5], [1.0, 2.0]]), from_lists([4, 3])
    ((2, 2), [[0.5], [1.0, 2.0]], [4, 3])
    """
    first = value
    while isinstance(first, list) and first:
        first = first[0]
    if first is value or not isinstance(first, int | float | complex | np.number):
        return value
    try:
        array = np.array(value)
    except ValueError:  # of different lengths
        return value
    return array if array.dtype.kind in "fc" else value


def parts_of(item: Any) -> list[Any]:
    """The objects inside an object whose classes are of the same file, such as the layers of a network."""
    found = [value for _, value in _walk(item, _DEPTH, "", set()) if type(value).__module__ == type(item).__module__]
    return [value for value in found if hasattr(value, "__dict__") and not isinstance(value, type)]


def growing(item: Any) -> Iterator[tuple[str, Any]]:
    """Every list and every whole number that an object holds, by its path: what grows from step to step."""
    for path, value in _walk(item, _DEPTH, "", set()):
        if isinstance(value, list | int) and not isinstance(value, bool):
            yield path.removeprefix("."), value


def lists_in(item: Any) -> int:
    """How many items all lists that an object holds have together."""
    return sum(len(value) for _, value in _walk(item, _DEPTH, "", set()) if isinstance(value, list))


def switched_on(item: Any) -> Iterator[str]:
    """Where an object holds, and the objects inside it, that it is in training."""
    for path, value in _walk(item, _DEPTH, "", set()):
        if value is True and path.rpartition(".")[2].lower().lstrip("_") in TRAINING:
            yield path.removeprefix(".")


def generators_of(item: Any) -> Iterator[tuple[str, Any]]:
    """Every random generator that an object holds, by its path."""
    for path, value in _walk(item, _DEPTH, "", set()):
        if isinstance(value, np.random.Generator | np.random.RandomState | random.Random):
            yield path.removeprefix("."), value


@functools.cache
def _steps(path: str) -> tuple[tuple[bool, Any], ...]:
    return tuple(
        (False, attribute) if attribute else (True, key[1:-1] if key[0] in "'\"" else int(key))
        for attribute, key in _PATH.findall(path)
    )


def _step(holder: Any, step: tuple[bool, Any]) -> Any:
    is_key, name = step
    return holder[name] if is_key else getattr(holder, name)


def read(item: Any, path: str) -> Any:
    """What lies at a path. Raises what reading it raises."""
    for step in _steps(path):
        item = _step(item, step)
    return item


def write(item: Any, path: str, value: Any) -> None:
    """Put a value at a path; an array that takes the place of a list of numbers as such a list, in place."""
    *around, (is_key, name) = _steps(path)
    for step in around:
        item = _step(item, step)
    if isinstance(value, np.ndarray) and value.ndim:
        with contextlib.suppress(AttributeError, LookupError):
            held = _step(item, (is_key, name))
            if isinstance(held, list):
                held[:] = value.tolist()
                return
    if is_key:
        item[name] = value
    else:
        setattr(item, name, value)


def gradient_path(item: Any, path: str) -> str | None:
    """Where an object stores the gradient for the parameter at a path, under one of the usual names.

    `dweights`, `grad_weights`, `gradweights` or `weights_grad` beside `weights`; `grads['W']` beside `params['W']` or
    `W`, `grads[0]` beside `params[0]`; `W.grad` beside `W.data`.
    """
    for candidate in _gradient_names(path):
        try:
            found = read(item, candidate)
        except (AttributeError, KeyError, IndexError, TypeError):
            continue
        found = from_lists(found)
        if found is not None and not isinstance(found, dict | list | tuple) and not callable(found):
            return candidate
    return None


BOXES = (".data", ".value", ".val", ".values", ".params", ".param", ".array")  # what a box holds, its gradient beside
_CONTAINERS = ("grads", "gradients", "grad", "gradient", "dparams", "derivatives", "_grads", "_gradients", "d")


def _gradient_names(path: str) -> Iterator[str]:
    for box in BOXES:
        if path.endswith(box):
            yield from (path.removesuffix(box) + tail for tail in (".grad", ".gradient", ".g", ".d", ".grads"))
    holder, dot, name = path.rpartition(".")
    front = holder + dot
    if name.endswith("]"):
        inside, bracket, key = name.partition("[")
        others = (*_CONTAINERS, f"d{inside}", f"{inside}_grad", f"grad_{inside}", f"{inside}_grads", f"g{inside}")
        for other in others:
            yield f"{front}{other}{bracket}{key}"
            if key[0] in "'\"":
                yield from (f"{front}{other}[{word + key.strip(chr(39) + ']')!r}]" for word in ("d", "grad_", "grad"))
    else:
        for other in (f"d{name}", f"grad_{name}", f"{name}_grad", f"d_{name}", f"grad{name}", f"{name}_gradient",
                      f"{name}grad", f"grad{name.capitalize()}", f"gradient_{name}", f"{name}_d", f"delta_{name}",
                      f"nabla_{name}", f"{name}_grads", f"grads_{name}", f"g_{name}", f"_d{name}"):  # fmt: skip
            yield front + other
        for other in _CONTAINERS:
            yield from (f"{front}{other}[{word + name!r}]" for word in ("", "d", "grad_", "grad"))
        short = name[0] if name in ("weights", "weight", "bias", "biases") else ""
        for letter in dict.fromkeys((short, short.upper())) if short else ():
            for form in ("d{}", "grad_{}", "{}_grad", "{}_gradient", "d_{}", "grad{}", "{}grad", "gradient_{}"):
                yield front + form.format(letter)


def copied(item: Any) -> Any:
    """A copy that shares no array with the object; a module, a lock or an open file that it holds stays the same one.

    >>> class Holder: pass
    >>> holder = Holder()
    >>> holder.xp, holder.weights = np, np.ones(2)
    >>> twin = copied(holder)
    >>> twin.xp is np, twin.weights is holder.weights
    (True, False)
    """
    with contextlib.suppress(Exception):  # anything may be in there
        return copy.deepcopy(item)
    held = [value for _, value in _walk(item, 2 * _DEPTH, "", set())]
    with contextlib.suppress(Exception):
        return copy.deepcopy(item, {id(value): value for value in held if not _can_be_copied(value)})
    twin = copy.copy(item)
    for path, value in list(arrays_of(item)):
        if "." not in path and "[" not in path:
            write(twin, path, np.array(value))
    return twin


def _can_be_copied(value: Any) -> bool:
    """Whether a thing of Python's own library, which is no container, can be: a module and a lock cannot."""
    if isinstance(value, types.ModuleType):
        return False
    own = type(value).__module__.partition(".")[0] in sys.stdlib_module_names
    if not own or isinstance(value, dict | list | tuple):
        return True
    try:
        copy.deepcopy(value)
    except Exception:  # whatever its own protocol raises
        return False
    return True
