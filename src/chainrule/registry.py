"""Settings as plain data: what a file says of a network, and which classes may be built from it.

`describe` turns an object into numbers, text, lists and dicts; `build` turns them back, through the constructors of
registered classes and nothing else. Every class of the library is registered; `register` adds a user's own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from . import initializers, layers, losses, optimizers, penalties, schedules
from .errors import ConfigurationError, DefinitionError, UnknownNameError
from .graph import Graph
from .layer import Layer

__all__ = ["build", "describe", "register"]

T = TypeVar("T", bound=type)

_CLASSES: dict[str, type] = {
    name: getattr(module, name)
    for module in (initializers, layers, losses, optimizers, penalties, schedules)
    for name in module.__all__
    if name not in ("Loss", "Optimizer", "Penalty")  # the abstract ones
    if dataclasses.is_dataclass(getattr(module, name))
    or (isinstance(getattr(module, name), type) and issubclass(getattr(module, name), Layer))
}


def register(cls: T) -> T:
    """Let files name this class: a layer, loss, optimizer, penalty, schedule or initializer of your own.

    It must be a dataclass, or take no arguments, because its fields are what the file holds. Use it as a decorator.

    >>> @register
    ... class Twice(Layer):
    ...     def pure_forward(self, xp, inputs): return 2 * inputs
    ...     def pure_backward(self, xp, dvalues): return dict(dinputs=2 * dvalues)
    >>> build(describe(Twice()))
    Twice()
    """
    known = _CLASSES.get(cls.__name__, cls)
    if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        raise DefinitionError(f"There is another registered class named {cls.__name__!r}; choose a different name.")
    if not dataclasses.is_dataclass(cls) and cls.__init__ is not object.__init__:  # type: ignore[misc]
        raise DefinitionError(f"{cls.__name__} has a constructor of its own: make it a dataclass to register it.")
    _CLASSES[cls.__name__] = cls
    return cls


def describe(value: Any) -> Any:
    """The value as JSON could hold it. Raises `ConfigurationError` for what cannot be built again.

    >>> from chainrule import Adam, StepDecay
    >>> describe(StepDecay(0.1, every=10))
    {'type': 'StepDecay', 'rate': 0.1, 'every': 10, 'factor': 0.1}
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    name = type(value).__name__
    if isinstance(value, Graph):
        described: dict[str, Any] = {
            "type": "Graph",
            "nodes": [[n.name, describe(n.layer), list(n.sources) if n.joins else n.sources[0]] for n in value],
            "output": value.output_node,
            "ties": value.ties,
        }
    elif _CLASSES.get(name) is type(value):
        settings = dataclasses.fields(value) if dataclasses.is_dataclass(value) else ()
        described = {"type": name} | {field.name: describe(getattr(value, field.name)) for field in settings}
    else:
        what = getattr(value, "__qualname__", name)
        raise ConfigurationError(
            f"{what} cannot be written to a file: use a class of the library, or register your own with "
            "@chainrule.register."
        )
    if getattr(value, "frozen", False):
        described["frozen"] = True
    return described


def build(described: Any) -> Any:
    """The object that `describe` described; lists become tuples.

    Raises `UnknownNameError` for a class that is not registered, and what its constructor raises.

    >>> build({'type': 'StepDecay', 'rate': 1.0, 'every': 10, 'factor': 0.5})(25)
    0.25
    """
    if isinstance(described, list):
        return tuple(build(item) for item in described)
    if not isinstance(described, dict):
        return described
    if "type" not in described:
        return {name: build(item) for name, item in described.items()}
    settings = {name: build(item) for name, item in described.items() if name not in ("type", "frozen")}
    name = described["type"]
    if name == "Graph":
        made = Graph(settings["nodes"], output=settings["output"], ties=settings["ties"])
    elif name in _CLASSES:
        made = _CLASSES[name](**settings)
    else:
        raise UnknownNameError("registered class", name, _CLASSES)
    if described.get("frozen"):
        made.freeze()
    return made
