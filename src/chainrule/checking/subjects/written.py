"""Code written elsewhere, in any style: readings of how it may be meant are run, and the one that fits is checked."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..patience import one_search
from ..streams import seed_streams
from .arguments import SEED
from .axes import find_groups, resized
from .base import Arrays, Group, Point, Style, Subject, is_shape
from .calls import called_by, whole_source
from .choosing import chosen
from .compared import redrawn_like
from .costs import WithCost
from .declared import declared_by
from .names import LIKE_WEIGHTS, role_of
from .objects import attributes_of, parts_of
from .optimized import PlainSteps
from .plans import Passes, Recipe, leaf
from .reading import Reading, is_needed
from .running import WrittenInstance
from .signatures import parameters_of, source_of
from .sources import small_in_logarithm
from .stepping import Round
from .steps import rates_of
from .switches import switches_that_matter, undefined_in_inference
from .targets import Redraw, counts_classes

__all__ = ["written_subject"]


def written_subject(call: Passes, inputs: Any = None, targets: Any = None, *, reduction: str = "mean") -> Subject:
    """The subject of a pair of functions or methods. Raises `ConfigurationError` where nothing runs."""
    with one_search():
        return _subject(chosen(call, inputs, targets, reduction), inputs, targets)


def _subject(reading: Reading, inputs: Any, targets: Any) -> Subject:
    plan, draft, point = reading.plan, reading.draft, reading.point
    unmatched = [w for w in reading.wanted if w.key not in plan.sources]
    held = {group[0] for group in plan.parameters}
    dropped = [w for w in unmatched if not is_needed(plan, w)]
    data = [w.key for w in dropped if not w.paths]
    plan.parameters = tuple(g for g in plan.parameters if g[0] not in {w.key for w in dropped})
    values = {k: v for k, v in point.values.items() if k not in {w.key for w in dropped}}
    fixed = {**draft.fixed, **{key: point.values[key] for key in data}}
    functions = plan.call.functions
    own = {k: v for k, v in values.items() if k not in held and not (role_of(leaf(k)) in LIKE_WEIGHTS and functions)}
    parameters = {k: v for k, v in values.items() if k not in own}
    if not own and not fixed:
        own, parameters = dict(list(values.items())[:1]), dict(list(values.items())[1:])
    groups = _groups(
        reading, {**own, **{k: v for k, v in parameters.items() if functions and k not in held}}, fixed, point
    )
    if plan.shared and not (groups and groups[0][0][1] == 1):
        plan.shared = frozenset()
    redraw = Redraw(reading, targets, groups, point)
    plan.switches = switches_that_matter(plan, replace(point, values=values))
    training = bool(draft.training or plan.switches)
    undefined = training and undefined_in_inference(plan, replace(point, values=values))
    slack, small = _slack(plan.call)
    stepped = () if plan.updates or functions else _stepped(plan)
    batches = [value for key, value in own.items() if role_of(leaf(key)) not in LIKE_WEIGHTS]
    one = not groups and any(v.ndim in (2, 3) and 1 in v.shape[:2] for v in batches)
    gradient = plan.call.of(plan.call.gradient or plan.call.value, plan.call.item)
    return Subject(
        title=_title(plan.call),
        create=lambda: WrittenInstance(plan),
        inputs=own,
        parameters=parameters,
        targets=() if point.targets is None else redraw.first(),
        redraw_targets=redraw if draft.target else None,
        modes=(True, False) if training and not undefined else (True,),
        is_loss=plan.kind == "loss" and bool(draft.target) and len(own) == 1 and not parameters,
        uncompared=(
            *(w.key for w in dropped if w.paths and reading.error is None and plan.kind != "loss"),
            *stepped,
        ),
        steps=bool(stepped),
        upstream=plan.kind != "loss",
        domain=reading.domain,
        style=_style(plan, gradient, functions),
        given=inputs is not None and not is_shape(inputs),
        fixed=fixed,
        groups=groups,
        redraw_fixed=lambda rng, name, shape: redrawn_like(rng, fixed[name], shape),
        updates=plan.updates,
        any_rank=_any_rank(plan, own, fixed, point, reading.output),
        undefined=undefined,
        slack=slack,
        plain=bool(plan.call.way),
        broken=reading.error is not None,
        fit=2 if reading.whole else int(reading.coherent),
        on_purpose=declared_by(gradient) or ("" if functions else declared_by(plan.call.item)),
        notes=tuple(_notes(reading, values, undefined, small, one)),
    )


def _stepped(plan: Recipe) -> tuple[str, ...]:
    """What backward, or that of a layer inside, moves by its learning rate and what no gradient was found for."""
    name = plan.call.gradient
    if not isinstance(name, str) or isinstance(plan.call.item, type):
        return ()
    known = {leaf(path) for group in plan.parameters for path in group}
    found = []
    for part in [plan.call.item, *parts_of(plan.call.item)]:
        method = getattr(part, name, None)
        rates = rates_of(method) if inspect.ismethod(method) else set()
        words = "|".join(map(re.escape, rates))
        moved = re.findall(rf"self\.(\w+) *-= *[^\n]*\b(?:{words})\b", source_of(method)) if method and rates else []
        found += [each for each in moved if each not in known]
    return tuple(dict.fromkeys(found))


def _title(call: Passes) -> str:
    if not call.functions:
        return call.item.__name__ if isinstance(call.item, type) else type(call.item).__name__
    value = str(call.of(call.value, call.item).__name__)
    gradient = "" if call.gradient is None else str(call.of(call.gradient, call.item).__name__)
    return value if not gradient or gradient.startswith("_by") else f"{value} and {gradient}"


def _style(plan: Recipe, gradient: Callable[..., Any], functions: bool) -> Style:
    slots = dict(zip(plan.slots, list(parameters_of(gradient)), strict=False))
    ups = [name for slot, name in slots.items() if slot.partition(":")[0] in ("upstream", "upstreams", "list", "one")]
    compared = [n for slot, n in slots.items() if slot in ("activated",) or slot.startswith("argument")]
    dvalues = (ups or compared or ["dvalues"])[0]
    target = slots.get("target", plan.target or "y_true")
    if functions:
        first = next((name for name in plan.names if name not in ("xp", plan.target)), "inputs")
        return Style(own="", assign="d{name} = {code}", dvalues=dvalues, inputs=first, targets=target)
    return Style(dvalues=dvalues, targets=target)


def _groups(reading: Reading, arrays: Arrays, fixed: dict[str, Any], point: Point) -> tuple[Group, ...]:
    """The axes that change together, found on an instance of its own."""
    instance = WrittenInstance(reading.plan)
    held = {key: value for key, value in point.values.items() if key not in arrays and key not in fixed}
    every = {**arrays, **{k: v for k, v in fixed.items() if isinstance(v, np.ndarray) and v.ndim}}
    if isinstance(point.targets, np.ndarray) and point.targets.ndim:
        every["targets"] = point.targets
    likely = [k for k in every if role_of(leaf(k)) not in LIKE_WEIGHTS]
    first = next((k for k in every if k in likely and k != "targets"), "")
    if not first:
        return ()

    def run(changed: dict[str, Any]) -> NDArray[Any]:
        seed_streams(SEED)
        instance.restart()
        targets = changed.get("targets", point.targets)
        if reading.form[:1] == ("classes",) and first in changed and changed[first].ndim > 1:
            targets = np.array(targets)
            targets.flat[0] = changed[first].shape[-1] - 1 if counts_classes(reading, first) else targets.flat[0]
        known = {**held, **{k: v.copy() for k, v in changed.items() if k in arrays}}
        others = {**copy.deepcopy(fixed), **{k: v for k, v in changed.items() if k in fixed}}
        return instance.forward(Point(known, targets, True, fixed=others))

    def both(changed: dict[str, Any]) -> NDArray[Any]:
        output = run(changed)
        instance.backward(np.ones(output.shape))
        return output

    groups = find_groups(every, run, first, likely, both)
    groups = groups[:1] if reading.draft.meant else groups
    if groups and reading.error is None and every[groups[0][0][0]].shape[groups[0][0][1]] == 1:
        many = {name: np.repeat(every[name], 3, axis=axis) for name, axis in groups[0]}
        try:
            both({**every, **many})
        except (Exception, SystemExit):  # written for one sample, whatever forward takes
            return ()
    return () if groups and _takes_one(reading, groups[0], every, instance, run) else groups


def _takes_one(
    reading: Reading, batch: Group, every: Arrays, instance: WrittenInstance, run: Callable[[dict[str, Any]], Any]
) -> bool:
    """Whether a network of one sample, which names but the slope of its loss, adds nothing up over several."""
    name, axis = batch[0]
    cost = getattr(reading.plan.call.value, "cost", "")
    if not reading.whole or (isinstance(cost, str) and "." not in cost) or every[name].shape[axis] != 1:
        return False
    axes = dict(batch)
    output = run({key: resized(a, axes[key], 2) if key in axes else a for key, a in every.items()})
    gradients = instance.backward(np.ones(output.shape))
    return any(np.shape(gradients.get(key, 0)) != reading.point.values[key].shape for key in reading.plan.sources)


def _slack(call: Passes) -> tuple[float, str]:
    """The relative error that a small number inside a logarithm makes, and how that is written."""
    value = call.of(call.value, call.item)
    helpers: list[Callable[..., Any]] = [each for each in called_by(value) if inspect.isfunction(each)]
    defaults = {n: d for each in [*helpers, value] for n, d in parameters_of(each).items() if isinstance(d, float)}
    names = {**getattr(value, "__globals__", {}), **defaults, **getattr(call.item, "__dict__", {})}
    inside = [] if call.item is None or isinstance(call.item, type) else parts_of(call.item)
    sources = [(source, names) for source in (whole_source(call), *map(source_of, helpers))]
    sources += [(source_of(type(part)), vars(part)) for part in inside]
    found = (small_in_logarithm(source, known) for source, known in sources)
    small, written = next((each for each in found if each[0]), (0.0, ""))
    return min(300 * small, 0.01), written


def _any_rank(plan: Recipe, own: Arrays, fixed: dict[str, Any], point: Point, output: NDArray[Any]) -> bool:
    """Whether each entry is a matter of its own, and inputs with another axis run as well."""
    if (
        plan.kind == "loss"
        or len(own) != 1
        or plan.parameters
        or any(isinstance(v, np.ndarray) for v in fixed.values())
    ):
        return False
    ((key, value),) = own.items()
    if len(point.values) != 1 or value.ndim < 1 or output.shape != value.shape or point.targets is not None:
        return False
    instance = WrittenInstance(plan)
    moved = value.copy()
    moved.flat[0] += 0.37
    try:
        outputs = []
        for array in (value, moved, np.stack([value, value])):
            seed_streams(SEED)
            instance.restart()
            outputs.append(np.array(instance.forward(replace(point.copied(), values={key: array.copy()}))))
    except (Exception, SystemExit):  # the code is not ours: anything may come
        return False
    alone = np.array_equal(outputs[0].reshape(-1)[1:], outputs[1].reshape(-1)[1:])
    return alone and outputs[2].shape == (2, *value.shape) and np.array_equal(outputs[2][0], outputs[0])


def _notes(reading: Reading, values: Arrays, undefined: bool, small: str, one: bool) -> Iterator[str]:
    plan, draft = reading.plan, reading.draft
    many = len([name for name in plan.names if name not in (plan.training, "xp", "ctx")])
    known = {**reading.point.values, **draft.fixed}
    if draft.guessed and many > 1 and plan.call.functions:
        listed = [f"{n} {_said(known.get(draft.keys.get(n, n)))}" for n in draft.guessed]
        yield f"Arguments were found by running it: {', '.join(listed)}. Pass others if it is meant otherwise."
    known_by_name = {*plan.keys.values()} - plan.still
    data = [k for k in reading.point.values if k not in values and k in known_by_name]
    if data:
        yield f"It gives no gradient for {', '.join(data)}, which was not compared."
    if plan.still:
        yield f"What was compared does not depend on {', '.join(sorted(plan.still))}, which gets no gradient."
    if isinstance(plan.call.value, WithCost):
        cost, target = plan.call.value.cost, plan.call.value.target
        if not target:
            yield f"It holds its targets: its gradients were compared with the derivative of {cost}."
        elif isinstance(cost, str):
            yield f"Its backward pass takes {target}: it was compared with the derivative of {cost}, beside it."
        elif cost.slope:
            yield f"Its backward pass takes {target}: it was compared with the derivative of {cost.called}."
        else:
            step = plan.call.gradient
            own = isinstance(step, Round) and step.mentions_loss(plan.call.item)
            what = "the loss that is written in it was not compared" if own else "no loss is written beside it"
            yield f"Its backward pass takes {target}, and {what}: it was taken to be {cost.called}, which fits best."
        if without := plan.call.value.without:
            yield f"It was compared with {', '.join(without)} = 0: the penalty that it adds was not."
    if plan.shared:
        yield (
            "The samples are columns, and every gradient of a parameter is divided by their number: the mean of the "
            "loss is taken in the layer. It was compared so; the loss must not divide once more."
        )
    if plan.each:
        yield (
            "The gradients of its parameters come one for each sample, and were compared added up: add them up over "
            "the samples before a step is taken."
        )
    if plan.penalty:
        yield f"Its backward pass adds the gradient of {plan.penalty}, and was compared so."
    yield from _of_steps(plan)
    if plan.kind == "derivative" and "output" in plan.slots:
        yield "Its derivative is written for what the function gives, not for what it takes: it was handed the output."
    if small:
        yield (
            f"Inside the logarithm stands + {small}, for safety, and its derivative leaves it out: compared to within "
            "what that makes of probabilities that are not small."
        )
    if one:
        yield "Its backward pass runs on one sample alone, as a column or a row: it was compared so."
    held_now = [] if plan.call.functions else list(attributes_of(plan.call.item))
    if any(isinstance(value, PlainSteps) for _, value in held_now):
        yield "Plain steps took the place of the optimizer that it holds, which was not looked at itself."
    if undefined:
        yield "After a forward pass in inference backward has no meaning here: it was compared in training alone."
    if plan.fresh and not plan.watches:
        goes_on = "Its steps have a momentum" if plan.updates else "It adds up from step to step and cannot begin anew"
        yield f"{goes_on}: every comparison began with a new object."
    if plan.state:
        yield f"It carries {', '.join(plan.state)} on from call to call: every comparison began from the same."


def _of_steps(plan: Recipe) -> Iterator[str]:
    if plan.decay:
        shrunk = ", ".join(f"{leaf(path)} by {part:g} of it" for path, part in plan.decay.items())
        yield f"Its step also shrinks {shrunk}, a decay of weights: that was taken out of what was compared."
    if plan.scale != 1:
        yield "It limits its gradients: it was compared with upstream gradients so small that nothing is cut off."
    if plan.watches:
        seen = ", ".join(place.shown for place in plan.sources.values() if place.kind == "seen")
        yield (
            f"It takes steps whose length is not that of the gradient, as RMSProp and Adam do: compared was what "
            f"{seen} held, and that the first step goes down. Each comparison began with a new object; "
            "the rule of the step was not looked at."
        )


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_said(each)}' for key, each in value.items())}}}"
    return str(np.shape(value)) if isinstance(value, np.ndarray) else repr(value)
