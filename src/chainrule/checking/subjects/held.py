"""What an object holds: the parameters, which move the output, and the state that it carries from call to call."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..equality import equal
from ..streams import seed_streams
from .base import Arrays, Point
from .names import is_gradient_name, role_of
from .objects import arrays_of, copied, gradient_path, growing, read, write
from .plans import Passes, Recipe, leaf
from .running import WrittenInstance

__all__ = ["OwnArrays", "held_by", "made_by", "state_of"]

_PASSES = {"inputs", "output", "dinputs", "out", "input", "x", "X"}
_STATE = re.compile(r"(?i)^_?((h|c|hidden|cell|state|s)(_?(prev|state|t|0|last))?|(prev|last)_?\w*|\w*_?state)$")
_SEED = 1


class OwnArrays(NamedTuple):
    """Arrays of an object that are parameters: each under all its paths, and its values."""

    groups: list[tuple[str, ...]]
    values: Arrays


def held_by(plan: Recipe, point: Point) -> OwnArrays:
    """Every array of floats that the output moves with, and that forward leaves as it is."""
    item = plan.call.item
    if item is None or isinstance(item, type):
        return OwnArrays([], {})
    groups: dict[int, list[str]] = {}
    arrays: dict[int, NDArray[Any]] = {}
    for path, value in arrays_of(item):
        if value.dtype.kind == "f" and value.size and not _passes(path, plan):
            groups.setdefault(id(value), []).append(path)
            arrays[id(value)] = value
    found, values = [], {}
    output, after = _output(plan, point, {})
    for key, held in groups.items():
        paths = sorted(held, key=lambda path: re.search(r"\[\d+\]$", path) is not None)  # self.w before self.params[0]
        like_weights = role_of(leaf(paths[0])) in ("weights", "bias")
        if not like_weights and not np.array_equal(after.get(paths[0], arrays[key]), arrays[key]):
            continue  # a running mean, a mask: forward sets it
        if any(is_gradient(item, path, groups) for path in paths):
            continue
        if _is_mask(arrays[key]) and equal(_output(plan, point, dict.fromkeys(paths, arrays[key] * 1.5))[0], output):
            continue  # all that counts is where it is 0
        moved, _ = _output(plan, point, dict.fromkeys(paths, arrays[key] * 1.5 + 0.25))
        if moved is None or output is None or not equal(moved, output) or like_weights:
            found.append(tuple(paths))
            values[paths[0]] = np.array(arrays[key], dtype=np.float64)
    for path, value in arrays_of(item, scalars=True):
        if not value.ndim and path not in values and _has_gradient(plan, point, path):
            found.append((path,))
            values[path] = np.array(value, dtype=np.float64)
    return OwnArrays(found, values)


def _is_mask(array: NDArray[Any]) -> bool:
    """Whether an array holds zeros and ones, of both some, in the square of the steps that see each other."""
    square = array.ndim > 1 and array.shape[-1] == array.shape[-2]
    return square and bool(np.isin(array, (0, 1)).all() and 0 < array.sum() < array.size)


def _passes(path: str, plan: Recipe) -> bool:
    return leaf(path) in _PASSES or leaf(path) in plan.names


def is_gradient(item: Any, path: str, groups: dict[int, list[str]]) -> bool:
    """Whether a path is that of the gradient of another array, by its name."""
    every = [p for paths in groups.values() for p in paths]
    if {*re.split(r"[\[.\]]+", path)} & {"grads", "gradients", "grad", "gradient", "_grads", "_gradients"}:
        return True
    return is_gradient_name(leaf(path)) and any(gradient_path(item, other) == path for other in every if other != path)


def _output(plan: Recipe, point: Point, changed: dict[str, Any]) -> tuple[Any, dict[str, NDArray[Any]]]:
    instance = WrittenInstance(plan)
    try:
        for path, value in changed.items():
            write(instance.item, path, value)
        seed_streams(_SEED)
        instance.restart()
        output = np.array(instance.forward(point.copied()))
    except (Exception, SystemExit):  # the code is not ours: anything may come
        return None, {}
    return output, {} if changed else dict(arrays_of(instance.item))


def _has_gradient(plan: Recipe, point: Point, path: str) -> bool:
    """Whether backward stores a gradient for a plain number of the object, or returns one for what is named so."""
    instance = WrittenInstance(plan)
    try:
        seed_streams(_SEED)
        output = instance.forward(point.copied())
        before = read(instance.item, path)
        returned = instance.run_backward(np.ones(output.shape))
        after = read(instance.item, path)
        stepped = role_of(leaf(path)) in ("weights", "bias") and not np.ndim(after) and after != before
    except (Exception, SystemExit):
        return False
    if gradient_path(instance.item, path) is not None:
        return True
    if stepped and "." not in path and "[" not in path and _moves(plan, point, path):
        return True
    several = returned if isinstance(returned, tuple | list) and role_of(leaf(path)) in ("weights", "bias") else ()
    numbers = [each for each in several if isinstance(each, float | np.floating) and not np.ndim(each)]
    return len(numbers) == 1 and "." not in path and "[" not in path and _moves(plan, point, path)


def _moves(plan: Recipe, point: Point, path: str) -> bool:
    output, _ = _output(plan, point, {})
    moved, _ = _output(plan, point, {path: float(read(plan.call.item, path)) * 1.5 + 0.25})
    return output is not None and moved is not None and not equal(moved, output)


def made_by(call: Passes, draft: Any) -> Any:
    """The object with the parameters that only a first forward pass makes, where it has none before."""
    item = call.item
    if item is None or isinstance(item, type) or any(v.dtype.kind == "f" for _, v in arrays_of(item)):
        return item
    plan = Recipe(call, draft.names, draft.keys, joined=draft.joined, target=draft.target, training=draft.training,
                keywords=draft.keywords)  # fmt: skip
    instance = WrittenInstance(plan)
    try:
        seed_streams(_SEED)
        instance.run_forward(Point(draft.values, draft.like_target, True, fixed=draft.fixed).copied())
    except (Exception, SystemExit):  # the code is not ours: anything may come
        return item
    made = [path for path, value in arrays_of(instance.item) if value.dtype.kind == "f" and not _passes(path, plan)]
    likely = [path for path in made if role_of(leaf(path)) in ("weights", "bias", "scale")]
    if not likely or not _stay(instance, likely):
        return item
    _put_back(instance)
    return instance.item


def _stay(instance: WrittenInstance, paths: list[str]) -> bool:
    """Whether arrays that the first pass made outlast a second one on other inputs, as parameters do."""
    before = {path: read(instance.item, path).copy() for path in paths}
    later = WrittenInstance(replace(instance.plan, call=instance.plan.call._replace(item=instance.item)))
    other = {key: 1.5 * value + 0.25 for key, value in instance.point.values.items()}
    try:
        later.run_forward(instance.point.copied().with_values(other))
        return any(equal(read(later.item, path), value) for path, value in before.items())
    except (Exception, SystemExit):  # the code is not ours: anything may come
        return True


def _put_back(instance: WrittenInstance) -> None:
    """What the first pass added to lists and counters is taken out, as far as a second pass shows it."""
    later = WrittenInstance(replace(instance.plan, call=instance.plan.call._replace(item=instance.item)))
    try:
        later.run_forward(instance.point.copied())
    except (Exception, SystemExit):  # the code is not ours: anything may come
        return
    grown = dict(growing(later.item))
    for path, value in list(growing(instance.item)):
        if isinstance(value, list) and len(grown.get(path, value)) > len(value):
            value.clear()
        elif isinstance(value, int) and isinstance(grown.get(path), int) and grown[path] > value:
            write(instance.item, path, 2 * value - grown[path])


def state_of(plan: Recipe, point: Point) -> tuple[str, ...]:
    """What the object carries on: attributes named like a state without which a second pass gives the same."""
    if plan.call.item is None or isinstance(plan.call.item, type):
        return ()
    instance = WrittenInstance(plan)
    outputs = []
    try:
        before = {name: copied(value) for name, value in vars(instance.item).items() if _STATE.match(name)}
        for _ in range(2):
            seed_streams(_SEED)
            instance.restart()
            outputs.append(np.array(instance.forward(point.copied())))
    except (Exception, SystemExit, TypeError):
        return ()
    if equal(outputs[0], outputs[1]):
        return ()
    after = {name: value for name, value in vars(instance.item).items() if _STATE.match(name)}
    return tuple(name for name, value in after.items() if name in before and not equal(before[name], value))
