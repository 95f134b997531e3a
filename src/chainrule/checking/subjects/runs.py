"""Runs of a function on arguments whose shapes are unknown, until it goes through."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..patience import is_over
from ..streams import seed_streams
from .arguments import SEED
from .base import Arrays
from .boxing import context_for
from .handing import BOXES
from .names import LIKE_WEIGHTS, RATES, attended, rank_of, role_of, setting
from .objects import arrays_of, copied, write
from .outputs import stored_output
from .plans import Passes
from .signatures import parameters_of, source_of
from .sources import axes_in, ranks_in, ranks_told, rows_in
from .unknown import AnySettings, TracedArray, Unknown, plain
from .world import MULTIPLES, SAMPLES, Choices, World

__all__ = ["Draft", "NoEntries", "every_run", "require_entries", "run_once"]

_WIDEST = 64  # a whole number that an object holds may be a width up to this
_ENOUGH = 60  # runs that all fail for want of whole numbers
_RUNS = 400  # how often a function is run in the search for shapes


@dataclass
class Draft:
    """Arguments on which the value runs."""

    names: tuple[str, ...]
    keys: dict[str, str]
    values: Arrays  # arrays of floats
    fixed: dict[str, Any] = field(default_factory=dict)  # everything else
    target: str = ""
    like_target: Any = None  # what the target was in the run that succeeded
    below: int = 0  # of class numbers
    training: str = ""
    joined: bool = False
    guessed: tuple[str, ...] = ()
    keywords: frozenset[str] = frozenset()
    roles: Mapping[str, str] = field(default_factory=dict)  # where the source says more than the name
    meant: bool = False  # whether the file itself makes parameters of these shapes
    layered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # numbered names in dicts whose length counts


def every_run(call: Passes, base: Draft, arrays: list[str], given: dict[str, Any]) -> Iterator[Draft | BaseException]:
    """The runs; where all of them fail for want of whole numbers, those with whole numbers for one argument, or all."""
    found, wanted = False, 0
    for number, attempt in enumerate(_runs(call, base, arrays, given), 1):
        found |= isinstance(attempt, Draft)
        wanted += not isinstance(attempt, Draft) and _wants_integers(attempt)
        yield attempt
        if number == wanted == _ENOUGH:
            break  # no shape changes that
    roles = dict(base.roles)
    floats = [n for n in arrays if n not in given and (roles.get(n) or role_of(n)) == "input"]
    classes = [[base.target]] if base.target and base.target not in given else []
    ways = [*classes, *([name] for name in floats), *([floats] if len(floats) > 1 else [])]
    for names in ways if wanted and not found else []:
        base.roles = {**roles, **dict.fromkeys(names, "integers")}
        for attempt in _runs(call, base, arrays, given):
            found |= isinstance(attempt, Draft)
            yield attempt
        if found:
            return


def _wants_integers(error: BaseException) -> bool:
    """Whether something failed because it indexed, counted or looked up with a number that is not whole."""
    says = str(error)
    return isinstance(error, IndexError | TypeError) and any(
        words in says
        for words in ("must be of integer", "valid indices", "interpreted as an integer", "must be integers")
    )


def _runs(call: Passes, base: Draft, arrays: list[str], given: dict[str, Any]) -> Iterator[Draft | BaseException]:
    """A draft from each combination of shapes with which the value runs, the exception from each other."""
    ranks = _ranks(call)
    sizes, told, hidden = _sizes(call.item), _shapes_told(call.item), _hidden(call.item)
    axes = axes_in(base.names, *(call.of(each, call.item) for each in (call.value, call.gradient) if each is not None))
    rows = rows_in(source_of(call.of(call.gradient or call.value, call.item)), base.names)
    source = source_of(call.of(call.value, call.item))
    upright = re.search(r"assert\b.*\bshape\b.*, *1\)|\.zeros\(\([\w.\[\]]+, *1\)\)", source) is not None
    products = re.search(r"matmul|@ ", source) is not None
    choices, eager = Choices(), False  # eager: arrays at once, for code that takes nothing else
    for _ in range(_RUNS):
        rng = np.random.default_rng(SEED)
        world = World(choices, rng, ranks, sizes)
        world.compares, world.told, world.hidden = bool(base.target), told, hidden
        world.products = call.way.startswith(BOXES) and products
        world.single = 1 in (rank_of(name) for name in base.names)
        world.axes, world.rows, world.upright = axes, rows, upright
        world.predicts = world.compares and not any(role_of(name) in LIKE_WEIGHTS for name in arrays)
        handed = {name: _first(name, given, base, world) for name in base.names}
        try:
            given_now = {n: v.made() if eager and isinstance(v, Unknown) else v for n, v in handed.items()}
            require_entries(run_once(call, base, given_now))
        except (Exception, SystemExit) as error:  # the code is not ours: anything may come
            yield error
        else:
            yield _drafted(base, handed, given, arrays)
        if is_over():
            return
        if not choices.next():
            if eager or not any(isinstance(value, Unknown) for value in handed.values()):
                break
            choices, eager = Choices(), True


class NoEntries(ValueError):
    """Raised for an output without entries: with these shapes nothing can be compared."""


def require_entries(returned: Any) -> None:
    """Raise `NoEntries` where the first thing returned has none."""
    first = returned[0] if isinstance(returned, tuple) and returned else returned
    if isinstance(first, np.ndarray | list) and not np.size(first):
        raise NoEntries(f"an output of shape {np.shape(first)}")


def _ranks(call: Passes) -> dict[str, int]:
    functions = [call.of(which, call.item) for which in (call.value, call.gradient) if which is not None]
    named = {name: rank for name in parameters_of(functions[0]) if (rank := rank_of(name)) is not None}
    ranks = {**named, **ranks_in(*functions), **ranks_told(functions[0])}
    attending = attended(parameters_of(functions[0]))
    most = max((ranks.get(name, 0) for name in attending), default=0)
    return {**ranks, **dict.fromkeys(attending, most)} if most else ranks


def _sizes(item: Any) -> list[int]:
    """How wide the inputs of an object may be, from what it holds: rows of its matrices first, then columns."""
    held = [value for _, value in arrays_of(item)] if item is not None and not isinstance(item, type) else []
    rows = [a.shape[0] for a in held if a.ndim == 2 and a.shape[0] > 1]
    columns = [a.shape[1] for a in held if a.ndim >= 2]
    parts = [abs(row - column) for row in rows for column in columns if row != column]  # inputs beside a state
    told = [v for v in getattr(item, "__dict__", {}).values() if type(v) is int and 1 < v < _WIDEST]
    return list(dict.fromkeys([*rows, *columns, *(a.shape[0] for a in held if a.ndim == 1), *parts, *told]))


def _hidden(item: Any) -> tuple[int, ...]:
    """How wide the state of a recurrent object may be: its matrices are square, or one for each gate side by side."""
    held = [a for _, a in arrays_of(item)] if item is not None and not isinstance(item, type) else []
    shapes = [a.shape for a in held if a.ndim == 2 and min(a.shape) > 1]
    return tuple(dict.fromkeys(min(s) for s in shapes if max(s) in (k * min(s) for k in MULTIPLES)))


def _shapes_told(item: Any) -> tuple[tuple[int, ...], ...]:
    """What an object holds as the shape of its inputs."""
    held = {n: v for n, v in getattr(item, "__dict__", {}).items() if re.search(r"(?i)in(put)?s?_?(shape|dims?)$", n)}
    plain = [v for v in held.values() if isinstance(v, tuple) and v and all(type(size) is int for size in v)]
    return tuple(dict.fromkeys([*plain, *_columns_told(item)]))


def _columns_told(item: Any) -> Iterator[tuple[int, ...]]:
    """The inputs of matrices that go before columns, one for each sample: W of (1, N, I) with a bias of (1, N, 1)."""
    arrays = [a for _, a in arrays_of(item)] if item is not None and not isinstance(item, type) else []
    single = [a.shape for a in arrays if a.ndim == 3 and a.shape[0] == 1]
    biases = {shape[1] for shape in single if shape[2] == 1}
    yield from ((SAMPLES, shape[2], 1) for shape in single if shape[1] in biases and shape[2] > 1)


def _first(name: str, given: dict[str, Any], base: Draft, world: World) -> Any:
    if name in given:
        value = given[name]
        samples = isinstance(value, np.ndarray) and value.ndim and role_of(name) not in LIKE_WEIGHTS
        world.samples = len(value) if samples else world.samples
        world.measured |= dict(zip(world.axes.get(name, ()), np.shape(value), strict=False))
        return value.copy().view(TracedArray) if isinstance(value, np.ndarray) else value
    role = base.roles.get(name) or role_of(name)
    if name == base.training or role == "training":
        return True
    if name == "xp":
        return np
    if name == "ctx":
        return None  # made for each run
    if role == "settings":
        return AnySettings(name, world, base.layered.get(name, ()))
    if name.lower() in RATES:
        return 0.5
    skipped = (base.target, base.training, "xp", "ctx", name)
    others = [n for n in base.names if n not in skipped and role_of(n) != "number"]
    if role == "number" and name != base.target and name != base.names[0] and others:
        return setting(name)
    if name == base.target and base.roles.get(name) == "integers":
        return Unknown(name, world, "classes")
    role = "target" if name == base.target else "input" if role == "number" else base.roles.get(name, "")
    return Unknown(name, world, role)


def run_once(call: Passes, base: Draft, handed: dict[str, Any]) -> Any:
    """What the value returns or stores, of a copy of the item, so that nothing is left of the run."""
    item = call.item
    if item is not None and not isinstance(item, type):
        item = copied(item)
        for path, value in list(arrays_of(item)):
            with contextlib.suppress(Exception):
                write(item, path, value.view(TracedArray))
    seed_streams(SEED)
    function = call.of(call.value, item)
    leading = [context_for(function, len(base.names) - 1)] if "ctx" in handed else []
    positional = [v for n, v in handed.items() if n not in base.keywords and n != "ctx"]
    named = {n: v for n, v in handed.items() if n in base.keywords}
    returned = function(*leading, *positional, **named)
    return stored_output(item) if returned is None else returned


def _drafted(base: Draft, handed: dict[str, Any], given: dict[str, Any], arrays: list[str]) -> Draft:
    values: Arrays = {}
    fixed: dict[str, Any] = {}
    guessed, below, like = [], 0, None
    single = len(arrays) == 1
    keys = {}
    for name, value in handed.items():
        if name in (base.training, "xp", "ctx"):
            continue
        key = keys[name] = "inputs" if single and name == arrays[0] else name
        if isinstance(value, Unknown | AnySettings) and name != base.target:
            guessed.append(name)
        if isinstance(value, Unknown) and name == base.target:
            below = value.below or 2 * (value.role == "classes")
        made = plain(given[name]) if name in given else _made(value, key, values)
        if name == base.target:
            like = made
        elif isinstance(made, np.ndarray) and made.dtype.kind == "f" and (made.ndim or role_of(name) == "bias"):
            values[key] = np.array(made, dtype=np.float64)
        else:
            fixed[key] = made
    return Draft(
        base.names, keys, values, fixed, base.target, like, below, base.training, False, tuple(guessed), base.keywords,
        meant=base.meant,
    )  # fmt: skip


def _made(value: Any, key: str, values: Arrays) -> Any:
    """An argument as it was handed over; the arrays inside of a dict are put with the other values."""
    if isinstance(value, Unknown):
        return value.made()
    return _dict_of(value, key, values) if isinstance(value, AnySettings) else plain(value)


def _dict_of(settings: AnySettings, key: str, values: Arrays) -> dict[str, Any]:
    """The settings that were asked for, arrays among them put with the other values."""
    plainly: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Unknown):
            plainly[name] = values[f"{key}[{name!r}]"] = np.array(value.made(), dtype=np.float64)
        elif not callable(value):
            plainly[name] = plain(value)
    return plainly
