"""What a backward pass has moved by a step: by which rate, and where the gradients are if the step does not tell."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from ..streams import seed_streams
from .base import Point
from .matching import Wanted
from .names import RATES, is_gradient_name, same_stem
from .objects import arrays_of, attributes_of
from .optimized import RATE, PlainSteps
from .plans import Place, Recipe, leaf
from .running import WrittenInstance
from .slopes import Slopes
from .steps import has_any_length, numbers_of_steps

__all__ = ["with_steps"]

_SEED = 1
_OF_MEANS = re.compile(r"(?i)^_?(beta\d?|momentum|mu|rho|decay(_rate)?|mom)$")  # of a velocity that is a moving mean


def with_steps(
    sources: dict[str, Place],
    plan: Recipe,
    instance: WrittenInstance,
    wanted: list[Wanted],
    before: dict[str, Any],
    at: tuple[Point, Any, Slopes | None],
) -> dict[str, Place]:
    """The places of the gradients, with those of parameters that backward has moved."""
    point, dvalues, slope = at
    fits = slope.fits if slope is not None else lambda key, array: True
    own = _own_rate(instance, wanted, before, slope)
    written = 0.0 if own or slope is None else _written_rate(instance, wanted, before, slope, sources)
    own = own or written
    rate = plan.rate if "rate" in plan.slots else own
    held = dict(arrays_of(instance.item, scalars=True)) if rate else {}
    shrunk = _at_rest(plan, point, dvalues, before, rate) if rate and slope is not None else {}
    for each in wanted:
        path = each.paths[0] if each.paths else ""
        after = held.get(path) if path and rate else None
        if after is None or np.array_equal(after, before.get(path, after)) or (written and each.key in sources):
            continue  # of what gives its gradient elsewhere a rate that is only written in the source tells nothing
        step = (before[path] - after) / rate
        part = shrunk.get(path, 0.0)
        if each.key in sources and not fits(each.key, step - part * before[path]):
            continue
        plan.decay |= {path: part} if part else {}
        if each.key not in sources or slope is not None:  # a step of that rate: what else fits may be its velocity
            sources[each.key] = Place("moved", path)
            plan.rate = rate
    return _behind_any_length(plan, point, dvalues, sources, before, instance)


def _at_rest(plan: Recipe, point: Point, dvalues: Any, before: dict[str, Any], rate: float) -> dict[str, float]:
    """By which part of itself a step of a layer shrinks each array where nothing comes from above: a decay of weights.

    Of a loss that is written nothing is asked: there the gradient of the penalty is compared.
    """
    if plan.kind != "layer" or plan.call.gradient is None:
        return {}
    instance = WrittenInstance(replace(plan, sources={}))
    try:
        seed_streams(_SEED)
        instance.restart()
        instance.forward(point.copied())
        instance.run_backward(np.zeros_like(dvalues))
    except (Exception, SystemExit):  # the code is not ours: anything may come
        return {}
    found = {}
    for path, after in arrays_of(instance.item, scalars=True):
        value = np.asarray(before.get(path, 0.0))
        if value.shape != np.shape(after) or not value.any():
            continue
        step = (value - after) / rate
        part = float(np.vdot(step, value) / np.vdot(value, value))
        if 0 < part < 1 and np.allclose(step, part * value, rtol=1e-6, atol=1e-9 * float(np.abs(value).max())):
            found[path] = float(f"{part:.9g}")
    return found


def _behind_any_length(
    plan: Recipe, point: Point, dvalues: Any, sources: dict[str, Place], before: Any, instance: WrittenInstance
) -> dict[str, Place]:
    """The gradients behind steps that do not tell them, as those of RMSProp: what the variables of the passes hold."""
    moved = [key for key, place in sources.items() if place.kind == "moved"]
    after = dict(arrays_of(instance.item, scalars=True)) if moved else {}
    steps = {key: before[sources[key].path] - after[sources[key].path] for key in moved}
    free = [key for key, step in steps.items() if has_any_length(step)]
    if not free or not isinstance(plan.call.gradient, str):
        return sources
    watched = WrittenInstance(replace(plan, sources={free[0]: Place("seen", "")}))
    seed_streams(_SEED)
    watched.restart()
    watched.forward(point.copied())
    watched.run_backward(dvalues.copy())
    for key in free:
        alike = {n: a for n, a in watched.watched.arrays.items() if a.shape == steps[key].shape}
        name = next((n for n in alike if is_gradient_name(n) and same_stem(n, leaf(sources[key].path))), "")
        if not name:
            plan.hidden = (*plan.hidden, leaf(sources.pop(key).path))
        elif (alike[name] * steps[key] >= 0).all():
            sources[key] = Place("seen", name, name)
        elif (alike[name] * steps[key] <= 0).all():  # it steps up
            sources[key] = Place("seen", f"-{name}", name)
    plan.fresh = True
    return sources


def _own_rate(instance: WrittenInstance, wanted: list[Wanted], before: dict[str, Any], slope: Slopes | None) -> float:
    """The learning rate that an object holds, by its name or because a step of that rate fits; 0 without one."""
    if any(isinstance(value, PlainSteps) for _, value in attributes_of(instance.item)):
        return RATE
    held = {
        n: v for n, v in getattr(instance.item, "__dict__", {}).items() if isinstance(v, float | int) and 0 < v < 10
    }
    named = next((float(held[name]) for name in (*RATES, "alpha") if name in held), 0.0)
    told = any(name in held for name in RATES)
    means = [float(v) for n, v in held.items() if v < 1 and _OF_MEANS.search(n)]
    if slope is None or (told and not means):
        return named
    after = dict(arrays_of(instance.item)) if held else {}
    steps = {w.key: before[p] - after[p] for w in wanted for p in w.paths[:1] if p in before and p in after}
    rates = (
        [named, *(named * factor for m in means for factor in (1 - m, 1 + m))] if told else map(float, held.values())
    )
    return _fitting([*rates], steps, instance, slope) or named


def _fitting(rates: list[float], steps: dict[str, Any], instance: WrittenInstance, slope: Slopes) -> float:
    """The first rate of which a step fits; 0 without one."""
    m = np.shape(instance.parts[0])[-1:] or (1,)  # samples may be columns, of which a mean is taken
    found = (r for r in dict.fromkeys(rates) for key, step in steps.items()
             if step.any() and any(slope.fits(key, step / r, factor) for factor in (1.0, *m)))  # fmt: skip
    return next(found, 0.0)


def _written_rate(
    instance: WrittenInstance, wanted: list[Wanted], before: dict[str, Any], slope: Slopes, sources: dict[str, Place]
) -> float:
    """The rate written in the source of a step whose gradient is kept nowhere; 0 where there is no such step."""
    plan = instance.plan
    if instance.item is None or plan.call.gradient is None or "rate" in plan.slots:
        return 0.0
    after = dict(arrays_of(instance.item))
    free = {w.key: w.paths[0] for w in wanted if w.paths and w.key not in sources}
    steps = {key: before[path] - after[path] for key, path in free.items() if path in before and path in after}
    if not any(step.any() for step in steps.values()):
        return 0.0
    numbers = numbers_of_steps(instance.item, plan.call.of(plan.call.gradient, instance.item))
    return _fitting(numbers, steps, instance, slope) or (numbers[0] if numbers else 0.0)
