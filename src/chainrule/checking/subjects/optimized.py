"""Layers that hand their gradients to an optimizer that they hold: plain steps take its place, which can be undone."""

from __future__ import annotations

import ast
import contextlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .objects import attributes_of, copied
from .signatures import source_of

__all__ = ["RATE", "PlainSteps", "beyond", "with_plain_steps"]

RATE = 0.5  # a power of two is not rounded
_OPTIMIZER = re.compile(r"(?i)\w*(opt|solver|updater|adam|sgd)\w*")


class PlainSteps:
    """An optimizer that takes plain steps, in place or as what it gives, as the one that it stands for."""

    def __init__(self, method: str, in_place: bool) -> None:
        self.in_place = in_place
        setattr(self, method, self._update)

    def _update(self, parameters: Any, gradients: Any) -> Any:
        """The parameter, or the parameters of a list or a dict, after a step."""
        if isinstance(parameters, dict):
            for name in parameters:
                self._one(parameters, name, gradients)
        elif isinstance(parameters, list):
            for position in range(len(parameters)):
                self._one(parameters, position, gradients)
        elif self.in_place:
            np.subtract(parameters, RATE * np.asarray(gradients), out=parameters)
        else:
            return parameters - RATE * gradients
        return parameters

    def _one(self, parameters: Any, key: Any, gradients: Any) -> None:
        moved = parameters[key] - RATE * np.asarray(gradients[key])
        if self.in_place and isinstance(parameters[key], np.ndarray):
            parameters[key][...] = moved
        else:
            parameters[key] = moved


def with_plain_steps(item: Any) -> Any:
    """A copy of an object with plain steps where it calls `self.optimizer.update(parameters, gradients)`, or itself."""
    held = {attribute: (method, in_place) for attribute, method, in_place in _held(item)}
    twin = copied(item) if held else item
    for attribute, (method, in_place) in held.items():
        steps, theirs = PlainSteps(method, in_place), getattr(twin, attribute)
        behind = [name for name, value in attributes_of(twin) if value is theirs]  # where attribute is a property
        for name in (*behind, attribute):
            with contextlib.suppress(AttributeError, TypeError):  # a property that cannot be set
                setattr(twin, name, steps)
    return twin


def beyond(item: Any, text: str) -> str:
    """The call by which a method of this source hands gradients to an optimizer that no plain steps can stand for."""
    named = ((a, c) for a, c in _calls(text) if _OPTIMIZER.fullmatch(a))
    return next((f"self.{a}.{c}" for a, c in named if _is_theirs(getattr(item, a, None), c)), "")


def _calls(text: str) -> Iterator[tuple[str, str]]:
    """The attributes, and their methods, that a source calls with more than one thing."""
    try:
        tree = ast.parse(textwrap.dedent(text))
    except SyntaxError:
        return
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Attribute(value=ast.Name("self"), attr=held), attr=called)):
                if "," in ast.unparse(node).partition("(")[2]:
                    yield held, called


def _held(item: Any) -> Iterator[tuple[str, str, bool]]:
    """The optimizers that the methods of an object call, the method, and whether it works in place."""
    for base in type(item).__mro__[:-1]:
        for name, method in vars(base).items():
            text = source_of(method) if inspect.isfunction(method) and name != "__init__" else ""
            for attribute, called in _calls(text):
                theirs = getattr(item, attribute, None)
                in_place = _works_in_place(theirs, called) if _is_theirs(theirs, called) else None
                if in_place is not None:
                    yield attribute, called, in_place


def _is_theirs(value: Any, called: str) -> bool:
    """Whether a value is an object of a class of the author's that has such a method."""
    return not isinstance(value, type | PlainSteps) and inspect.isfunction(getattr(type(value), called, None))


def _works_in_place(theirs: Any, called: str) -> bool | None:
    """Whether `called(parameters, gradients)` takes its steps in place or gives what they lead to; None for neither.

    It must take an array, or a list or a dict of arrays, go down where the gradient is above 0, and stay where it is 0.
    """
    required = [
        p for p in inspect.signature(getattr(theirs, called)).parameters.values()
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]  # fmt: skip
    if len(required) != 2:
        return None
    for held in (lambda array: array, lambda array: [array], lambda array: {"W": array}):
        with contextlib.suppress(Exception, SystemExit):  # the code is not ours: anything may come
            down, still = _after(theirs, called, held, 0.25), _after(theirs, called, held, 0.0)
            for in_place in (True, False):
                if (down[in_place] < 1).all() and (still[in_place] == 1).all():
                    return in_place
    return None


def _after(theirs: Any, called: str, held: Callable[[Any], Any], gradient: float) -> dict[bool, NDArray[Any]]:
    """Parameters of 1 after a step, in place and as what is returned; NaN where nothing is."""
    parameters, gradients = held(np.ones((2, 3))), held(np.full((2, 3), gradient))
    returned = getattr(copied(theirs), called)(parameters, gradients)
    return {in_place: _array(parameters if in_place else returned) for in_place in (True, False)}


def _array(value: Any) -> NDArray[Any]:
    inside = next(iter(value.values())) if isinstance(value, dict) else value[0] if isinstance(value, list) else value
    return inside if isinstance(inside, np.ndarray) and inside.shape == (2, 3) else np.full((2, 3), np.nan)
