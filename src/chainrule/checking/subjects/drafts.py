"""Arguments on which a function or a method runs: those given, and for the others shapes found by running it."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import ConfigurationError
from ..patience import is_over
from ..streams import seed_streams
from .base import Arrays, is_shape
from .calls import whole_source
from .initializers import initialized
from .names import LIKE_WEIGHTS, RATES, TARGETS, TRAINING, is_gradient_name, rank_of, role_of, same_stem, setting
from .objects import arrays_of, copied, write
from .outputs import stored_output
from .plans import Passes, SavingContext
from .sources import (
    axes_in,
    layered_in,
    parameters_of,
    ranks_in,
    ranks_told,
    required_of,
    returned_names,
    role_in,
    rows_in,
    source_of,
)
from .unknown import AnySettings, TracedArray, Unknown, plain
from .world import SAMPLES, Choices, World

__all__ = ["Draft", "arguments_of", "drafts"]

_SEED = 1
_KEEPS = re.compile(r"(?i)cache|save|store|keep|retain|remember|grad")  # a switch without which backward has nothing
_WIDEST = 64  # a whole number that an object holds may be a width up to this
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


def arguments_of(call: Passes) -> tuple[tuple[str, ...], str, str, frozenset[str]]:
    """The arguments that the value is handed, its target, its switch, and those that go by name."""
    known = parameters_of(call.of(call.value, call.item))
    required = [name for name, default in known.items() if default is inspect.Parameter.empty]
    training = next((name for name in known if name.lower() in TRAINING), "") or next(
        (name for name, default in known.items() if default is False and _KEEPS.search(name)), ""
    )
    target = next((name for name in required if name.lower() in TARGETS), "")
    also = {training} - {""}
    if not target and (call.gradient is None or (len(required) == 1 and call.value != "forward")):
        text = "" if call.gradient is not None else source_of(call.of(call.value, call.item))
        without = [name for name, d in known.items() if d is None]  # without targets a loss gives the scores alone
        target = next((n for n in without if n.lower() in TARGETS or re.search(rf"\bif {n} is None\b", text)), "")
        also |= {target} - {""}
    if target and call.gradient is not None and (required == [target] or _has_gradient(call, required, target)):
        target = ""  # y is the only argument, or has a gradient as well: it is an input
    names = tuple(name for name in known if name in required or name in also)
    return names, target, training, frozenset(name for name in names if name not in required)


def _has_gradient(call: Passes, required: list[str], target: str) -> bool:
    """Whether the backward pass gives an argument named like targets a gradient: by name, or one for each argument."""
    backward = call.of(call.gradient, call.item)
    returned = returned_names(backward)
    each = len(returned) == len([name for name in required if name != "ctx"]) > 1 and "None" not in source_of(backward)
    return any(is_gradient_name(n) and same_stem(n, target) for n in returned) or (each and not any(returned))


def drafts(call: Passes, inputs: Any, targets: Any) -> Iterator[Draft]:
    """Arguments on which the value runs, the likeliest first. Raises `ConfigurationError` where there are none."""
    names, target, training, keywords = arguments_of(call)
    arrays = [n for n in names if n not in (target, training, "xp", "ctx")]
    given, joined = _given(call, inputs, arrays)
    given |= {name: word for name, word in (*call.words, *_settings_of_both(call)) if name not in given}
    keywords |= {n for n in given if n not in names}
    names += tuple(n for n in given if n not in names and not joined)
    if targets is not None and not target and len(arrays) > 1:
        target = arrays[-1] if len(given) < len(arrays) else ""
    if targets is not None and target:
        given[target] = np.asarray(targets)
    made = {} if joined or inputs is not None else initialized(call.of(call.value, call.item), names)
    given |= {name: value for name, value in made.items() if name not in given}
    base = Draft(names, {}, {}, {}, target, None, 0, training, joined, keywords=keywords, meant=bool(made))
    source = whole_source(call)
    base.roles = {name: role for name in names if (role := role_in(source, name))}
    base.layered = {name: layered_in(source, name) for name in names}
    if "a" in names and "b" in names and all(role_of(name) != "weights" for name in names):
        base.roles["b"] = "input"  # the second of two, where nothing else is a parameter
    if joined:
        base.keys = {name: name for name in given}
        base.values = given
        yield base
        return
    first: BaseException | None = None
    found = False
    for attempt in _every_run(call, base, arrays, given):
        if isinstance(attempt, Draft):
            found = True
            yield attempt
        else:
            first = attempt if first is None or isinstance(attempt, _NoEntries) else first
    if not found and not call.functions and len(arrays) == 1 and not given:
        rng = np.random.default_rng(_SEED)  # a join takes its inputs as one tuple
        base.values = {f"inputs[{i}]": rng.normal(size=(5, 4)) for i in range(2)}
        base.keys, base.joined, found = {name: name for name in base.values}, True, True
        with contextlib.suppress(Exception, SystemExit):
            _require_entries(_run(call, base, {arrays[0]: tuple(base.values.values())}))
            yield base
            return
        found = False
    if not found:
        raise ConfigurationError(_refusal(call, arrays, given, first))


def _settings_of_both(call: Passes) -> list[tuple[str, Any]]:
    """The settings that forward has by default and backward must be handed."""
    if call.gradient is None:
        return []
    wanted = required_of(call.of(call.gradient, call.item))
    defaults = parameters_of(call.of(call.value, call.item)).items()
    return [(n, d) for n, d in defaults if n in wanted and isinstance(d, int | float | str | tuple)]


def _given(call: Passes, inputs: Any, arrays: list[str]) -> tuple[dict[str, Any], bool]:
    """The arguments that were passed, by name; and whether they go in as one tuple."""
    if inputs is None or is_shape(inputs):
        made = {} if inputs is None or not arrays else {arrays[0]: np.random.default_rng(_SEED).normal(size=inputs)}
        return made, False
    if isinstance(inputs, Mapping):
        known = parameters_of(call.of(call.value, call.item))
        strange = [name for name in inputs if name not in known]
        if strange or not inputs:
            raise ConfigurationError(
                f"check: {call.title} takes {', '.join(known)}, not {', '.join(map(repr, strange)) or 'an empty dict'}."
            )
        return {name: _as_argument(value) for name, value in inputs.items()}, False
    several = isinstance(inputs, tuple | list) and len(inputs) > 0 and not np.isscalar(inputs[0])
    if several and isinstance(inputs[0], np.ndarray) and len(arrays) == 1 and not call.functions:
        return {f"inputs[{i}]": np.array(each, dtype=np.float64) for i, each in enumerate(inputs)}, True
    if isinstance(inputs, tuple | list) and len(arrays) > 1 and several:
        return dict(zip(arrays, (_as_argument(each) for each in inputs), strict=False)), False
    array = np.array(inputs) if not hasattr(inputs, "numpy") else inputs.numpy()
    if array.dtype.kind not in "fiub":
        raise ConfigurationError(f"check: inputs must be an array of numbers, not {inputs!r:.60}.")
    return {arrays[0]: array.astype(np.float64) if isinstance(inputs, list) else _as_argument(array)}, False


def _as_argument(value: Any) -> Any:
    """An array of floats in float64; lists of numbers as arrays; anything else as it is."""
    if isinstance(value, list):
        value = np.array(value)
    return value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value


# Runs


def _every_run(call: Passes, base: Draft, arrays: list[str], given: dict[str, Any]) -> Iterator[Draft | BaseException]:
    """The runs; where all of them fail for want of whole numbers, those with whole numbers for one argument, or all."""
    found = wanted = False
    for attempt in _runs(call, base, arrays, given):
        found |= isinstance(attempt, Draft)
        wanted |= not isinstance(attempt, Draft) and _wants_integers(attempt)
        yield attempt
    roles = dict(base.roles)
    floats = [n for n in arrays if n not in given and (roles.get(n) or role_of(n)) == "input"]
    for names in [[name] for name in floats] + [floats] * (len(floats) > 1) if wanted and not found else []:
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
    sizes, told = _sizes(call.item), _shapes_told(call.item)
    axes = axes_in(base.names, *(call.of(each, call.item) for each in (call.value, call.gradient) if each is not None))
    rows = rows_in(source_of(call.of(call.gradient or call.value, call.item)), base.names)
    upright = re.search(r"assert\b.*\bshape\b.*, *1\)", source_of(call.of(call.value, call.item))) is not None
    choices, eager = Choices(), False  # eager: arrays at once, for code that takes nothing else
    for _ in range(_RUNS):
        rng = np.random.default_rng(_SEED)
        world = World(choices, rng, ranks, sizes)
        world.compares, world.told = bool(base.target), told
        world.single = 1 in (rank_of(name) for name in base.names)
        world.axes, world.rows, world.upright = axes, rows, upright
        world.predicts = world.compares and not any(role_of(name) in LIKE_WEIGHTS for name in arrays)
        handed = {name: _first(name, given, base, world) for name in base.names}
        try:
            given_now = {n: v.made() if eager and isinstance(v, Unknown) else v for n, v in handed.items()}
            _require_entries(_run(call, base, given_now))
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


class _NoEntries(ValueError):
    """Raised for an output without entries: with these shapes nothing can be compared."""


def _require_entries(returned: Any) -> None:
    first = returned[0] if isinstance(returned, tuple) and returned else returned
    if isinstance(first, np.ndarray | list) and not np.size(first):
        raise _NoEntries(f"an output of shape {np.shape(first)}")


def _ranks(call: Passes) -> dict[str, int]:
    functions = [call.of(which, call.item) for which in (call.value, call.gradient) if which is not None]
    named = {name: rank for name in parameters_of(functions[0]) if (rank := rank_of(name)) is not None}
    return {**named, **ranks_in(*functions), **ranks_told(functions[0])}


def _sizes(item: Any) -> list[int]:
    """How wide the inputs of an object may be, from what it holds: rows of its matrices first, then columns."""
    held = [value for _, value in arrays_of(item)] if item is not None and not isinstance(item, type) else []
    rows = [a.shape[0] for a in held if a.ndim == 2 and a.shape[0] > 1]
    columns = [a.shape[1] for a in held if a.ndim >= 2]
    parts = [abs(row - column) for row in rows for column in columns if row != column]  # inputs beside a state
    told = [v for v in getattr(item, "__dict__", {}).values() if type(v) is int and 1 < v < _WIDEST]
    return list(dict.fromkeys([*rows, *columns, *(a.shape[0] for a in held if a.ndim == 1), *parts, *told]))


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
        return SavingContext(len(base.names) - 1)
    if role == "settings":
        return AnySettings(name, world, base.layered.get(name, ()))
    if name.lower() in RATES:
        return 0.5
    skipped = (base.target, base.training, "xp", "ctx", name)
    others = [n for n in base.names if n not in skipped and role_of(n) != "number"]
    if role == "number" and name != base.target and name != base.names[0] and others:
        return setting(name)
    role = "target" if name == base.target else "input" if role == "number" else base.roles.get(name, "")
    return Unknown(name, world, role)


def _run(call: Passes, base: Draft, handed: dict[str, Any]) -> Any:
    item = call.item
    if item is not None and not isinstance(item, type):
        item = copied(item)
        for path, value in list(arrays_of(item)):
            with contextlib.suppress(Exception):
                write(item, path, value.view(TracedArray))
    seed_streams(_SEED)
    leading = [handed["ctx"]] if "ctx" in handed else []
    positional = [v for n, v in handed.items() if n not in base.keywords and n != "ctx"]
    named = {n: v for n, v in handed.items() if n in base.keywords}
    returned = call.of(call.value, item)(*leading, *positional, **named)
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
            below = value.below
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


def _refusal(call: Passes, arrays: list[str], given: dict[str, Any], error: BaseException | None) -> str:
    reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}" if error else "nothing ran"
    if call.functions:
        missing = ", ".join(f"{name!r}: ..." for name in arrays if name not in given)
        how = f"check({call.title}, {{{missing}}})" if missing else "other arrays"
        return f"check: {call.title} fails on every shape tried ({reason}). Pass arrays that it takes: {how}."
    method = call.of(call.value, call.item).__name__
    if isinstance(error, _NoEntries):
        return (
            f"check: {call.title}.{method} gives {error}, without entries, so that nothing can be compared. Pass "
            "larger inputs: check(layer, inputs)."
        )
    kind = call.item.__name__ if isinstance(call.item, type) else type(call.item).__name__
    return (
        f"check: {kind}.{method} fails on every input tried ({reason}). Pass inputs that it takes: "
        "check(layer, inputs)."
    )
