"""Layers that hand their gradients to an optimizer that they hold: plain steps take its place, which can be undone."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from .objects import copied
from .sources import source_of

__all__ = ["RATE", "PlainSteps", "with_plain_steps"]

RATE = 0.5  # a power of two is not rounded
_CALLS = re.compile(r"(?m)^ *(.*?)self\.(\w*opt\w*)\.(\w+)\(([^()]*(?:\([^()]*\)[^()]*)*)\)")


class PlainSteps:
    """An optimizer that takes plain steps, in place where its caller takes nothing back."""

    def __init__(self, method: str, in_place: bool = False) -> None:
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
        vars(twin).update({name: steps for name, value in vars(twin).items() if value is theirs})  # behind a property
        with contextlib.suppress(AttributeError, TypeError):  # a property that cannot be set
            setattr(twin, attribute, steps)
        with contextlib.suppress(AttributeError, TypeError):
            twin.learning_rate = RATE  # that of the steps that backward takes
    return twin


def _held(item: Any) -> Iterator[tuple[str, str, bool]]:
    """The optimizers that the methods of an object call, the method, and whether it works in place."""
    for base in type(item).__mro__[:-1]:
        for name, method in vars(base).items():
            text = source_of(method) if inspect.isfunction(method) and name != "__init__" else ""
            for before, attribute, called, handed in _CALLS.findall(text):
                if "," in handed and hasattr(item, attribute) and not inspect.ismethod(getattr(item, attribute)):
                    yield attribute, called, "=" not in before and "return" not in before
