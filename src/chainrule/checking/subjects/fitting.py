"""One reading run forward and back: where its gradients lie, and how many of them fit."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..streams import seed_streams
from .base import Point
from .held import held_by, state_of
from .matching import Wanted, candidates, matched
from .moved import with_steps
from .names import LIKE_WEIGHTS, is_gradient_name, role_of, same_stem
from .objects import arrays_of, lists_in
from .persample import come_for_each_sample
from .plans import Place, Recipe, leaf
from .reading import Reading
from .regularized import penalties_in
from .running import WrittenInstance, added_up, times
from .runs import Draft
from .signatures import returned_names
from .slopes import Slopes
from .steps import emptied_elsewhere, limits_gradients

__all__ = ["fitted"]

_SEED = 1
_SMALL = 2.0**-12  # of upstream gradients, where a backward pass limits its own: a power of two is not rounded
_PARTS = (1.0, 0.5, 2.0, -1.0)  # of the gradient of a penalty that a backward pass may add by mistake


def fitted(
    plan: Recipe, draft: Draft, point: Point, form: tuple[str, ...], domain: str, may_clear: bool = True
) -> Reading | None:
    """The reading with its gradients found; None where it cannot be called that way."""
    held = held_by(plan, point)
    plan = replace(plan, parameters=tuple(held.groups), state=state_of(plan, point))
    point = point.with_values(held.values)
    wanted = [
        Wanted(key, v.shape, (), _aliases(plan, key)) for key, v in point.values.items() if key not in held.values
    ]
    wanted += [Wanted(group[0], point.values[group[0]].shape, group) for group in held.groups]
    rng = np.random.default_rng(_SEED + 1)
    grows, goes_on = _lists_grow(plan, point)
    plan.clears = clears = may_clear and grows and bool(WrittenInstance(plan).clearing())
    plan.fresh = grows and goes_on and not clears
    instance = WrittenInstance(plan)
    seed_streams(_SEED)
    instance.restart()
    try:
        output = np.asarray(instance.forward(point.copied()))
    except ValueError:  # several outputs of different shapes, which are no one array
        return None
    if plan.kind == "loss" and plan.call.gradient is not None and instance.parts[0].ndim > 1:
        return None  # an array of errors, entry by entry, is no loss
    dvalues = np.ones(()) if plan.kind == "loss" else np.asarray(rng.normal(size=output.shape))
    reading = Reading(plan, draft, point, form, domain, output, wanted)
    before: dict[str, Any] = {}
    if instance.item is not None:
        before = {path: value.copy() for path, value in arrays_of(instance.item, scalars=True)}
    plan.find = lambda used, result: _sources(plan, used, result, wanted, before, dvalues, None, point)
    try:
        returned = instance.run_backward(dvalues)
    except (Exception, SystemExit) as error:  # the code is not ours: anything may come
        if plan.clears and may_clear:  # its own way of clearing may be what breaks it
            return fitted(replace(plan, clears=False), draft, point, form, domain, may_clear=False)
        reading.error = error
        return reading if not isinstance(error, TypeError) or "argument" not in str(error) else None
    wanted[:] = [each._replace(free=_is_none_for(plan, returned, each.key)) for each in wanted]
    slope = Slopes(plan, point, dvalues, rng)
    plan.sources = _sources(plan, instance, returned, wanted, before, dvalues, slope, point)
    without = [w.key for w in wanted if w.key not in plan.sources and not w.paths]
    plan.still = frozenset(key for key in without if _moves_nothing(slope, key))
    reading.matched = len(plan.sources)
    reading.spare = _spare(plan, draft, returned)
    steps = any(role_of(name) == "state" for name in plan.names)  # of a recurrent network: gradients are a sum of them
    anew = steps or _emptied(plan, instance)
    if not clears and instance.item is not None and (anew or instance.clearing()) and _piles_up(plan, point, dvalues):
        plan.clears = may_clear and bool(instance.clearing())
        plan.fresh |= anew and not plan.clears
    if plan.updates and not plan.clears and not plan.fresh:
        plan.fresh = _has_momentum(plan, point, dvalues)
    _count(reading, _once_more(plan, point, dvalues), slope)
    if plan.kind == "layer" and limits_gradients(plan):
        limited, reading.plan = plan, replace(plan, scale=_SMALL)
        before_that = reading.fitting
        _count(reading, _once_more(reading.plan, point, dvalues), slope)
        if reading.fitting < before_that or not reading.fitting:
            reading.plan, reading.fitting = limited, before_that
    return reading


def _emptied(plan: Recipe, instance: WrittenInstance) -> bool:
    """Whether gradients are set to 0 by a method that is called after a step."""
    if instance.item is None or isinstance(instance.item, type) or not isinstance(plan.call.gradient, str):
        return False
    stored = [str(place.path) for place in plan.sources.values() if place.kind == "stored"]
    return emptied_elsewhere(instance.item, plan.call.gradient, stored)


def _moves_nothing(slope: Slopes, key: str) -> bool:
    """Whether the output does not depend on an array, as a first output on the weights of the second."""
    return all(slope.of(key, which, 1e-3)[1] == 0 for which in range(2))


def _once_more(plan: Recipe, point: Point, dvalues: NDArray[Any]) -> dict[str, Any]:
    """The gradients of another object; none where it fails."""
    with contextlib.suppress(Exception, SystemExit):
        again = WrittenInstance(plan)
        seed_streams(_SEED)
        again.restart()
        again.forward(point.copied())
        return again.backward(dvalues.copy())
    return {}


def _count(reading: Reading, gradients: dict[str, Any], slope: Slopes) -> None:
    """How many of the gradients have the right shape, and how many the right numbers."""
    plan, point = reading.plan, reading.point
    moved = {key for key, place in plan.sources.items() if place.kind == "moved"}  # a step has any shape that fits,
    moved |= set(plan.sources) if any(slot.startswith("buffer") for slot in plan.slots) else set()  # and so have sums
    known = [key for key in gradients if key in plan.sources]
    right = [key for key in moved if slope.fits(key, gradients.get(key))]
    taken = moved if 2 * len(right) >= len(moved) else right  # half of them tell that it is called as it is meant
    reading.shaped = sum(k in taken if k in moved else np.shape(gradients[k]) == point.values[k].shape for k in known)
    reading.fitting = sum(slope.fits(key, gradient) for key, gradient in gradients.items() if key in plan.sources)
    reading.nearly = sum(slope.fits(key, _as(point, key, gradient)) for key, gradient in gradients.items())
    if moved and not reading.fitting:
        sizes = [len(value) for value in point.values.values() if value.ndim]
        factors = [-1.0, 2.0, 0.5, *map(float, sizes), *(1 / size for size in sizes)]
        reading.proportional = any(all(slope.fits(k, gradients.get(k), c) for k in plan.sources) for c in factors)
    if reading.fitting < reading.matched:
        _taken_together(reading, gradients, slope)


def _taken_together(reading: Reading, gradients: dict[str, Any], slope: Slopes) -> None:
    """Conventions by which gradients of parameters are not what they are of themselves: one a sample, or a mean."""
    if not come_for_each_sample(reading, gradients, slope):
        _share(reading, gradients, slope)
        _penalize(reading, gradients, slope)
        return
    reading.plan.each, reading.shaped = True, reading.matched
    summed = {key: added_up(g, reading.point.values[key].shape) for key, g in gradients.items()}
    reading.fitting = sum(slope.fits(key, summed[key]) for key in summed if key in reading.plan.sources)


def _is_none_for(plan: Recipe, returned: Any, key: str) -> bool:
    """Whether a function of a context returns None in the place of an argument, as its manner is."""
    names = [name for name in plan.names if name not in ("ctx", "xp")]
    places = [i for i, name in enumerate(names) if plan.keys.get(name) == key]
    several = "ctx" in plan.names and isinstance(returned, tuple) and len(returned) >= len(names) > 1
    return several and any(returned[i] is None for i in places)


def _spare(plan: Recipe, draft: Draft, returned: Any) -> int:
    """How many arrays were returned that are no gradient, where an argument was guessed to be a number."""
    keys = [draft.keys[name] for name in draft.guessed if draft.keys.get(name) in draft.fixed]
    if not any(isinstance(draft.fixed[key], np.ndarray) and not np.ndim(draft.fixed[key]) for key in keys):
        return 0
    places = [source.path for source in plan.sources.values() if source.kind == "returned"]
    found = [c for c in candidates(returned, (), None, {}) if isinstance(c.value, np.ndarray) and c.value.ndim]
    return sum(c.source.path not in places for c in found)


def _as(point: Point, key: str, gradient: Any) -> Any:
    """A gradient in the shape of its array, where axes of length 1 are all that tells them apart."""
    shape, found = point.values[key].shape, np.shape(gradient)
    alike = [n for n in shape if n != 1] == [n for n in found if n != 1]
    return np.reshape(gradient, shape) if alike else gradient


def _lists_grow(plan: Recipe, point: Point) -> tuple[bool, bool]:
    """Whether every forward pass adds to a list, and whether the next pass goes on from there: gives another output."""
    if plan.call.item is None or isinstance(plan.call.item, type):
        return False, False
    instance, lengths, outputs = WrittenInstance(plan), [], []
    try:
        for _ in range(2):
            seed_streams(_SEED)
            outputs.append(np.array(instance.forward(point.copied())))
            lengths.append(lists_in(instance.item))
    except (Exception, SystemExit):  # the code is not ours: anything may come
        return False, False
    return lengths[0] != lengths[1], not _alike(*outputs)


def _piles_up(plan: Recipe, point: Point, dvalues: NDArray[Any]) -> bool:
    """Whether a second pass on the same object gives other gradients, as where they are added up."""
    passes = _two_passes(plan, point, dvalues)
    return not passes or any(not _alike(first, passes[1].get(key)) for key, first in passes[0].items())


def _has_momentum(plan: Recipe, point: Point, dvalues: NDArray[Any]) -> bool:
    """Whether the second of two equal steps that backward takes is longer by a part of the first, and by less than all.

    By all of it means that the gradients of earlier calls are added up, a mistake.
    """
    first, second = _two_passes(plan, point, dvalues) or ({}, {})
    moved = [key for key, place in plan.sources.items() if place.kind == "moved" and key in first and key in second]
    moved = [key for key in moved if plan.sources[key].path not in plan.decay] or moved  # a decay is no multiple
    longer = [float(np.vdot(second[k], first[k]) / (np.vdot(first[k], first[k]) or 1)) for k in moved]
    fits = all(_alike(c * first[k], second[k]) for k, c in zip(moved, longer, strict=True))
    return bool(moved) and fits and all(1.001 < c < 1.999 for c in longer)


def _two_passes(plan: Recipe, point: Point, dvalues: NDArray[Any]) -> list[dict[str, NDArray[Any]]]:
    """The gradients of two passes on the same object, where both run."""
    instance, passes = WrittenInstance(plan), []
    try:
        for _ in range(2):
            seed_streams(_SEED)
            instance.restart()
            instance.forward(point.copied())
            passes.append({k: np.array(v, dtype=np.float64) for k, v in instance.backward(dvalues.copy()).items()})
    except (Exception, SystemExit):  # the code is not ours: anything may come
        return []
    return passes


def _alike(one: NDArray[Any], other: Any) -> bool:
    return np.shape(other) == one.shape and np.allclose(one, other, rtol=1e-6)


def _aliases(plan: Recipe, key: str) -> tuple[str, ...]:
    names = [name for name, known in plan.keys.items() if known == key]
    if key == "inputs":
        return (*names, "inputs", "input", "in", "x", "X", "A_prev", "prev")
    return tuple(names) or (leaf(key),)


def _sources(
    plan: Recipe,
    instance: WrittenInstance,
    returned: Any,
    wanted: list[Wanted],
    before: dict[str, Any],
    dvalues: NDArray[Any],
    slope: Slopes | None,
    point: Point,
) -> dict[str, Place]:
    fits = slope.fits if slope is not None else lambda key, array: True
    function = plan.call.of(plan.call.gradient or plan.call.value, instance.item)
    found = candidates(returned, returned_names(function), instance.item, before)
    if plan.call.gradient is None:
        found = [c for c in found if c.source.kind != "returned" or c.source.path[:1] != plan.outputs[:1]]
        beside = [c for c in found if c.source.kind == "returned"]
        named = any(is_gradient_name(c.name) or len(c.source.path) > 1 for c in beside)
        found = [c for c in found if not named or not c.name or len(c.source.path) > 1 or is_gradient_name(c.name)]
    if plan.kind == "derivative":
        key = _local(plan, wanted)
        objects = returned is None or (hasattr(returned, "__dict__") and not isinstance(returned, np.ndarray))
        one = not objects and not isinstance(returned, tuple | dict) and np.ndim(returned) <= dvalues.ndim + 1
        if one and slope is not None and len(wanted) > 1:
            whole = times(dvalues, returned, instance.shapes)
            key = next((w.key for w in wanted if not w.paths and fits(w.key, whole)), key)
        return {key: Place("local", ())} if key and one else {}
    if plan.kind == "loss" and len(found) == 1 and len(wanted) == 1:
        return {wanted[0].key: found[0].source}
    sources = matched(wanted, found, instance.item, fits)
    if plan.kind == "loss" and slope is not None:
        strange = [w.key for w in wanted if w.key in sources and _is_another_s(w, sources[w.key])]
        values = {c.source: c.value for c in found}
        sources = {k: p for k, p in sources.items() if k not in strange or fits(k, values[p])}
    return with_steps(sources, plan, instance, wanted, before, (point, dvalues, slope))


def _is_another_s(each: Wanted, place: Place) -> bool:
    """Whether a key of what was returned names the gradient of another array than these data."""
    keys = [key for key in place.path if isinstance(key, str)] if place.kind == "returned" else []
    data = role_of(leaf(each.key)) == "input" and not each.paths
    return bool(keys) and data and not any(same_stem(keys[-1], name) for name in each.aliases)


def _local(plan: Recipe, wanted: list[Wanted]) -> str:
    keys = [each.key for each in wanted if not each.paths]
    handed = [plan.keys.get(slot[9:], "") for slot in plan.slots if slot.startswith("argument:")]
    return next((key for key in handed if key in keys), keys[0] if keys else "")


def _share(reading: Reading, gradients: dict[str, Any], slope: Slopes) -> None:
    """A course's convention: with the samples in columns the gradients of parameters are means over them."""
    plan, values = reading.plan, reading.point.values
    inputs = [k for k in plan.keys.values() if k in values and role_of(k) not in LIKE_WEIGHTS and values[k].ndim == 2]
    if not inputs or plan.kind != "layer":
        return
    m = values[inputs[0]].shape[-1]
    data = [k for k in plan.sources if k in inputs or m in values[k].shape[1:]]
    rest = [k for k in plan.sources if k not in data and not slope.fits(k, gradients.get(k))]
    columns = reading.output.shape[-1] == m and all(m in values[k].shape[1:] for k in data) and inputs[0] in data
    means = [k for k in rest if slope.fits(k, gradients.get(k), m)]
    sums = [k for k in plan.sources if k not in data and k not in rest]
    if not columns or m < 2 or values[inputs[0]].shape[0] == m or len(means) <= len(sums):
        return
    # what fits neither way, and a gradient of the data that is a mean too, is compared as it should be
    plan.shared, plan.samples = frozenset(rest + sums), (inputs[0], 1)
    reading.fitting += len(means)


def _penalize(reading: Reading, gradients: dict[str, Any], slope: Slopes) -> None:
    """A method for a penalty beside forward, where a gradient is off by that of the penalty, or a simple part of it."""
    plan = reading.plan
    item = plan.call.item
    off = [key for key in plan.sources if key in gradients and not slope.fits(key, gradients[key])]
    for name in penalties_in(type(item)) if off and item is not None and not isinstance(item, type) else ():
        with contextlib.suppress(Exception, SystemExit):  # the code is not ours: anything may come
            own = WrittenInstance(replace(plan, penalty=name))
            own.forward(reading.point.copied())
            terms = own.penalty()[1]
            if any(slope.fits(k, gradients[k] - part * terms[k]) for k in off if k in terms for part in _PARTS):
                plan.penalty = name
                reading.fitting += sum(slope.fits(k, gradients[k] - terms[k]) for k in off if k in terms)
                return
