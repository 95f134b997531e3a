"""Settings as plain data: the one way in which objects become text in a file, and text becomes objects.

`describe` turns an object into numbers, text, lists and dicts; `build` turns them back, through constructors and
nothing else. An object of a registered class is a dict with its "type": every class of the library is registered,
`register` adds a user's own. A record (`record`) has no "type": the place where it stands says what it is.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from numbers import Integral, Real
from typing import Any, TypeVar

from . import initializers, layers, losses, optimizers, penalties, schedules
from .errors import ConfigurationError, DefinitionError, FileFormatError, UnknownNameError
from .graph import Graph, snake_case
from .layer import Layer
from .limits import DEPTH, LAYERS

__all__ = ["LIBRARY", "build", "describe", "named", "record", "register"]

T = TypeVar("T", bound=type)
K = TypeVar("K")
Path = tuple[str | int, ...]

_CLASSES: dict[str, type] = {
    name: getattr(module, name)
    for module in (initializers, layers, losses, optimizers, penalties, schedules)
    for name in module.__all__
    if name not in ("Optimizer", "Penalty")  # the abstract ones
    if dataclasses.is_dataclass(getattr(module, name))
    or (isinstance(getattr(module, name), type) and issubclass(getattr(module, name), Layer))
}
LIBRARY: Mapping[str, type] = types.MappingProxyType(dict(_CLASSES))  # without what users register
_RECORDS: set[type] = set()
_LARGE = 2**1023  # a float holds every whole number below it, if not exactly


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


def record(cls: T) -> T:
    """Let a dataclass be described without its name: it is built where a field or a reader expects this class.

    >>> @record
    ... @dataclasses.dataclass
    ... class Point:
    ...     x: float
    ...     label: str | None = None
    >>> describe(Point(0.5)), build({"x": 1.5, "label": "a"}, Point)
    ({'x': 0.5, 'label': None}, Point(x=1.5, label='a'))
    """
    _RECORDS.add(cls)
    return cls


def describe(value: Any, classes: Mapping[str, type] = _CLASSES, depth: int = 1) -> Any:
    """The value as JSON could hold it. Raises `ConfigurationError` for what cannot be built again.

    >>> from chainrule import Adam, StepDecay
    >>> describe(StepDecay(0.1, every=10))
    {'type': 'StepDecay', 'rate': 0.1, 'every': 10, 'factor': 0.1}
    """
    if depth > DEPTH:
        raise ConfigurationError(
            f"A file holds at most {DEPTH} lists and objects inside one another; nest fewer graphs."
        )

    def inner(items: Mapping[str, Any]) -> dict[str, Any]:
        return {str(name): describe(item, classes, depth + 1) for name, item in items.items()}

    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, list | tuple):
        return [describe(item, classes, depth + 1) for item in value]
    if isinstance(value, Mapping):
        return inner(value)
    kind: Any = type(value)
    name: str = kind.__name__
    if kind in _RECORDS:
        described = inner({name: getattr(value, name) for name in _settings(kind)})
    elif isinstance(value, Graph):
        nodes = [(n.name, n.layer, n.sources if n.joins else n.sources[0]) for n in value]
        described = {"type": "Graph"} | inner({"nodes": nodes, "output": value.output_node, "ties": value.ties})
        _require_few_layers(described)
    elif classes.get(name) is kind:
        described = {"type": name} | inner({name: getattr(value, name) for name in _settings(kind)})
    else:
        what = getattr(value, "__qualname__", name)
        raise ConfigurationError(
            f"{what} cannot be written to a file: use a class of the library, or register your own with "
            "@chainrule.register."
        )
    if getattr(value, "frozen", False):
        described["frozen"] = True
    return described


def build(described: Any, expected: Any = Any, classes: Mapping[str, type] = _CLASSES, path: Path = ()) -> Any:
    """The object that `describe` described; lists become tuples.

    `expected` is what it must be: a class, or a type such as `tuple[float, ...]` or `str | None`. Raises
    `FileFormatError` with the place for anything else, `UnknownNameError` for a class that is not registered, and what
    the constructors raise.

    >>> build({'type': 'StepDecay', 'rate': 1.0, 'every': 10, 'factor': 0.5})(25)
    0.25
    >>> build([1, "2"], tuple[float, ...])
    Traceback (most recent call last):
        ...
    chainrule.errors.FileFormatError: [1] must be a number, not '2'
    """
    if len(path) > DEPTH:
        raise FileFormatError(f"it has more than {DEPTH} lists and objects inside one another")
    if _is_union(expected):
        expected = _member(described, expected)
    if expected in _RECORDS:
        return expected(**_fields(described, expected, classes, path))
    made = described
    if isinstance(described, list):
        kinds = _items(expected, len(described), path)
        items = [build(item, next(kinds), classes, (*path, i)) for i, item in enumerate(described)]
        made = items if typing.get_origin(expected) is list else tuple(items)
    elif isinstance(described, dict) and "type" in described:
        made = _tagged(described, classes, path)
    elif isinstance(described, dict):
        kind = (*typing.get_args(expected), Any, Any)[1]
        made = {name: build(item, kind, classes, (*path, name)) for name, item in described.items()}
    if not _fits(made, expected):
        raise FileFormatError(f"{_place(path)} must be {_named(expected)}, not {_shown(described)}")
    return made


_ALSO = {
    "mse": "mean_squared_error",
    "squared_error": "mean_squared_error",
    "mae": "mean_absolute_error",
    "absolute_error": "mean_absolute_error",
    "cross_entropy": "softmax_crossentropy",
    "crossentropy": "softmax_crossentropy",
    "log_loss": "softmax_crossentropy",
    "sparse_categorical_crossentropy": "categorical_crossentropy",
    "categorical_cross_entropy": "categorical_crossentropy",
    "binary_cross_entropy": "binary_crossentropy",
    "bce": "binary_crossentropy",
    "bce_with_logits": "sigmoid_crossentropy",
}


def named(given: Any, kind: type[K], what: str) -> K:
    """An object of the kind as it is, and a name as a new object of the registered class, with its usual settings.

    Raises `UnknownNameError` for a name that there is not, and `ConfigurationError` for anything else.

    >>> from chainrule import Loss
    >>> named("mean_absolute_error", Loss, "loss")
    MeanAbsoluteError(reduction='mean')
    """
    if isinstance(given, kind):
        return given
    known = {snake_case(name): cls for name, cls in _CLASSES.items() if issubclass(cls, kind)}
    example = next(iter(known.values())).__name__
    if not isinstance(given, str):
        write = f"{given.__name__}()" if isinstance(given, type) and issubclass(given, kind) else f"{example}()"
        raise ConfigurationError(f"{what} must be a name or an object such as {write}, not {given!r}.")
    name = given.lower().replace("-", "_").replace(" ", "_")
    name = _ALSO.get(name, name)
    found = known.get(name) or next((cls for cls in known.values() if cls.__name__.lower() == name), None)
    if found is None:
        raise UnknownNameError(what, given, known)
    return found()


def _tagged(described: dict[str, Any], classes: Mapping[str, type], path: Path) -> Any:
    """An object of the registered class that the description names."""
    name, frozen = described["type"], described.get("frozen", False)
    if not isinstance(frozen, bool):
        raise FileFormatError(f"{_place((*path, 'frozen'))} must be true or false, not {_shown(frozen)}")
    settings = {setting: item for setting, item in described.items() if setting not in ("type", "frozen")}
    if name == "Graph":
        _require_few_layers(described)
        _require_keys(settings, ("nodes", "output", "ties"), path)
        nodes = build(settings["nodes"], tuple[Any, ...], classes, (*path, "nodes"))
        ties = build(settings["ties"], Mapping[str, str], classes, (*path, "ties"))
        made: Any = Graph(nodes, output=settings["output"], ties=ties)
    elif isinstance(name, str) and name in classes:
        kinds = _settings(classes[name])
        unknown = next((setting for setting in settings if setting not in kinds), None)
        if unknown is not None:
            raise UnknownNameError(f"setting of {name}", unknown, kinds)
        made = classes[name](
            **{setting: build(item, kinds[setting], classes, (*path, setting)) for setting, item in settings.items()}
        )
    else:
        raise UnknownNameError("registered class", name, classes)
    if frozen:
        made.freeze()
    return made


def _fields(described: Any, cls: Any, classes: Mapping[str, type], path: Path) -> dict[str, Any]:
    """The fields of a record: every one, and no others."""
    kinds = _settings(cls)
    _require_keys(described, kinds, path)
    return {name: build(described[name], kind, classes, (*path, name)) for name, kind in kinds.items()}


def _is_union(expected: Any) -> bool:
    return typing.get_origin(expected) in (types.UnionType, typing.Union)


def _member(described: Any, union: Any) -> Any:
    """The member of a union that a list, or the fields of a record, can only mean; else the union."""
    members = typing.get_args(union)
    if isinstance(described, list):
        return next((kind for kind in members if typing.get_origin(kind) in (tuple, list, Sequence)), union)
    records = [kind for kind in members if kind in _RECORDS]
    if isinstance(described, dict) and records:
        return min(records, key=lambda kind: len(_settings(kind).keys() ^ described.keys()))
    return union


def _items(expected: Any, count: int, path: Path) -> Iterator[Any]:
    """What each item of a list must be."""
    kinds = typing.get_args(expected) if typing.get_origin(expected) in (tuple, list, Sequence) else ()
    if typing.get_origin(expected) is tuple and kinds[-1:] != (Ellipsis,):
        if len(kinds) != count:
            raise FileFormatError(f"{_place(path)} must be a list of {len(kinds)}, not of {count}")
        return iter(kinds)
    return itertools.repeat(kinds[0] if kinds else Any)


@cache
def _settings(cls: Any) -> dict[str, Any]:
    """What a constructor takes, by name, and what each must be, where the annotations can be read."""
    hints: dict[str, Any] = {}
    for annotated in (cls.__init__, cls):
        try:
            hints |= typing.get_type_hints(annotated)
        except (NameError, TypeError, SyntaxError):  # names that only a type checker imports
            continue
    return {name: hints.get(name, Any) for name in inspect.signature(cls).parameters}


def _fits(value: Any, expected: Any) -> bool:
    if expected is Any:
        return True
    if _is_union(expected):
        return any(_fits(value, kind) for kind in typing.get_args(expected))
    origin = typing.get_origin(expected) or expected
    if origin is typing.Literal:
        return value in typing.get_args(expected)
    if origin is Callable:
        return callable(value)
    if origin in (int, float):  # which of the two is up to the constructor
        return isinstance(value, float) or (
            isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGE
        )
    return not isinstance(origin, type) or isinstance(value, origin)


def _require_few_layers(described: Any) -> None:
    count = _layers(described)
    if count > LAYERS:
        raise ConfigurationError(f"A file holds networks of at most {LAYERS:,} layers; this one has {count:,}.")


def _layers(described: Any) -> int:
    """How many layers a described graph has, with those of the graphs inside it."""
    nodes = described.get("nodes") if isinstance(described, dict) else None
    if not isinstance(nodes, list):
        return 0
    return len(nodes) + sum(_layers(node[1]) for node in nodes if isinstance(node, list) and len(node) > 1)


def _require_keys(described: Any, names: Sequence[str] | Mapping[str, Any], path: Path) -> None:
    if not isinstance(described, dict) or described.keys() != set(names):
        found = sorted(described) if isinstance(described, dict) else _shown(described)
        raise FileFormatError(f"{_place(path)} must have the keys {sorted(names)}, not {found}")


def _place(path: Path) -> str:
    """Where something stands: columns[0].center."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "the whole"


def _named(expected: Any) -> str:
    if _is_union(expected):
        return " or ".join(_named(kind) for kind in typing.get_args(expected))
    words = {float: "a number", int: "a number", str: "a text", bool: "true or false", type(None): "null"}
    if typing.get_origin(expected) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(expected)))
    return words.get(expected) or str(getattr(expected, "__name__", expected))


def _shown(described: Any) -> str:
    text = repr(described)
    return text if len(text) < 60 else f"{text[:57]}..."
