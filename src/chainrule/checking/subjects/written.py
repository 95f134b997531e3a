"""Code written elsewhere, in any style: readings of how it may be meant are run, and the one that fits is checked."""

from __future__ import annotations

import contextlib
import copy
import inspect
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigurationError
from ..patience import is_over, one_search
from ..streams import seed_streams
from .axes import find_groups, resized
from .base import Arrays, Group, Point, Style, Subject, is_shape
from .calls import called_by, whole_source
from .compared import redrawn_like
from .costs import WithCost, target_of, usual_losses
from .declared import declared_by
from .drafts import drafts
from .held import made_by
from .names import LIKE_WEIGHTS, RATES, TRAINING, role_of
from .objects import parts_of
from .plans import Passes, Recipe, leaf
from .reading import Reading, is_needed
from .readings import readings_of
from .running import WrittenInstance
from .slopes import Slopes
from .slots import unknown_to
from .sources import (
    indexes_with,
    mentions,
    parameters_of,
    required_of,
    returned_names,
    small_in_logarithm,
    source_of,
    subtracted_in,
)
from .targets import Redraw, counts_classes

__all__ = ["written_subject"]

_SEED = 1
_LIMITS = ((10, 240), (80, 80))  # readings of each draft, and of all drafts: a few of each at first
_FEW, _FEWEST = 4, 16  # likewise, with a loss that is guessed
_ALIKE = 6  # arguments of the same ranks among them


def written_subject(call: Passes, inputs: Any = None, targets: Any = None, *, reduction: str = "mean") -> Subject:
    """The subject of a pair of functions or methods. Raises `ConfigurationError` where nothing runs."""
    with one_search():
        return _written_subject(call, inputs, targets, reduction)


def _written_subject(call: Passes, inputs: Any, targets: Any, reduction: str) -> Subject:
    guessed = _by_the_difference(call, inputs, reduction)
    if guessed is not None and guessed.whole:
        return _subject(guessed, inputs, targets)
    call, best = _best(call, inputs, targets, reduction)
    if best is None and guessed is not None:
        return _subject(guessed, inputs, targets)
    missing = _left_at_none(call) if best is not None and best.error is not None else ""
    if best is not None and missing:
        raise ConfigurationError(
            f"check: the backward pass of {call.title} fails without {missing}, which is None by default "
            f"({type(best.error).__name__}: {best.error}), and check does not know what to pass there."
        )
    if best is not None and best.error is not None and is_over():
        raise ConfigurationError(
            f"check: {call.title} runs, but its backward pass raised {type(best.error).__name__} ({best.error}) in "
            "every way to call it that was tried, and the search for another took too long. Pass inputs that it "
            "takes: check(layer, inputs)."
        )
    if best is None:
        raise ConfigurationError(
            f"check: {call.title} runs, but its backward pass could not be called: no way was found to give it what "
            "it takes."
        )
    target = "" if best.whole or best.draft.target or call.gradient is None else _loss_wanted(call)
    guessed = guessed or (_of_usual_loss(call, target, "", inputs, reduction) if target else None)
    if target and guessed is not None:
        best = guessed
    elif target:
        raise ConfigurationError(
            f"check: the backward pass of {call.title} takes {target}, which its forward pass does not: it is the "
            f"gradient of a loss, and no loss was found. Write it beside them, such as def loss(output, {target})."
        )
    unsure = [] if best.whole or best.mostly else unknown_to(call, best.draft.names, best.plan.slots)
    if unsure:
        raise ConfigurationError(
            f"check: {call.title} runs, but its backward pass wants {', '.join(unsure)}, and check does not know what "
            "to pass there."
        )
    if best.error is not None and not best.plan.sources and not any(is_needed(best.plan, w) for w in best.wanted):
        raise ConfigurationError(
            f"check: {call.title} runs, but its backward pass raises {type(best.error).__name__} ({best.error}), and "
            "nothing was found that a gradient could be taken by. Pass inputs that it takes: check(layer, inputs)."
        )
    if not best.plan.sources and best.error is None and not (best.plan.kind == "layer" and best.point.values):
        raise ConfigurationError(
            f"check: {call.title} runs, but nothing that its backward pass returns or stores could be matched with "
            f"what a gradient can be taken by ({', '.join(best.point.values) or 'no array of numbers'})."
        )
    return _subject(best, inputs, targets)


def _left_at_none(call: Passes) -> str:
    """The arguments of the backward pass that are None by default and are no other name for those of forward."""
    if call.gradient is None:
        return ""
    known = parameters_of(call.of(call.gradient, call.item))
    return ", ".join(name for name, default in known.items() if default is None)


def _best(
    call: Passes, inputs: Any, targets: Any, reduction: str, limits: Sequence[tuple[int, int]] = _LIMITS
) -> tuple[Passes, Reading | None]:
    """The reading that fits best, with the call as it was made for it: a few of each draft, then all of each."""
    best: Reading | None = None
    for each, most in limits:
        tries, seen = 0, Counter[Any]()
        for draft in drafts(call, inputs, targets):
            shapes = [*map(np.shape, draft.values.values()), np.shape(draft.like_target)]
            ranks = tuple(tuple(size == 1 for size in shape) for shape in shapes)
            seen.update((ranks, ranks[:-1]))
            if best is not None and (seen[ranks] > (1 if best.coherent else _ALIKE) or seen[ranks[:-1]] > 2 * _ALIKE):
                continue
            call = call._replace(item=made_by(call, draft))
            for reading in itertools.islice(readings_of(call, draft, inputs, targets, reduction), each):
                tries += 1
                if best is None or reading.whole or (not best.coherent and reading.score > best.score):
                    best = reading
                elif reading.coherent and _may_have_other_ranks(best) and reading.fitting > best.fitting:
                    best = reading if reading.domain == best.domain else best
                if reading.whole or tries >= most or is_over():
                    break
            settled = best is not None and best.coherent and not _may_have_other_ranks(best)
            if is_over() or (best is not None and (best.whole or settled or tries >= most)):
                break  # what fits no better elsewhere must not be helped by inputs on which a mistake does not show
        if is_over() or (best is not None and best.coherent):
            break
    return call, best


def _by_the_difference(call: Passes, inputs: Any, reduction: str) -> Reading | None:
    """The reading with a usual loss, where backward begins with the difference of an output and the targets."""
    if call.item is None or call.gradient is None or not isinstance(call.value, str) or not (t := _loss_wanted(call)):
        return None
    forward, backward = (call.of(each, call.item) for each in (call.value, call.gradient))
    output = subtracted_in(source_of(backward), t, (*returned_names(forward), *required_of(backward)))
    return _of_usual_loss(call, t, output, inputs, reduction) if output else None


def _of_usual_loss(call: Passes, target: str, output: str, inputs: Any, reduction: str) -> Reading | None:
    """The reading with a usual loss behind forward: that of which all gradients are, or most of them; or None."""
    if call.item is None or not isinstance(call.value, str):
        return None
    mostly: Reading | None = None
    classes = indexes_with(source_of(call.of(call.gradient, call.item)), target)
    for loss in usual_losses(whole_source(call), classes):
        value = WithCost(call.value, loss, target, output)
        with contextlib.suppress(ConfigurationError):
            _, found = _best(call._replace(value=value), inputs, None, reduction, ((_FEW, _FEWEST),))
            if found is not None and found.whole:
                return found
            if found is None or not found.coherent:
                continue
            half = found.fitting > 1 and 2 * found.fitting >= found.matched
            if (half or (output and found.fitting)) and (mostly is None or found.fitting > mostly.fitting):
                mostly = found  # the last layer's gradients may be all that are right
    return mostly


def _loss_wanted(call: Passes) -> str:
    return target_of(call.of(call.value, call.item), call.of(call.gradient, call.item))


def _may_have_other_ranks(reading: Reading) -> bool:
    """Whether a loss of weights and data, all of them guessed, may be meant for a vector of weights."""
    weights = [key for key in reading.draft.values if role_of(leaf(key)) == "weights"]
    return bool(weights and reading.draft.guessed and reading.plan.kind == "loss") and len(reading.draft.values) > 1


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
    training = bool(draft.training)
    undefined = training and _undefined_after_inference(plan, replace(point, values=values))
    slack, small = _slack(plan.call)
    stepped = () if plan.updates or functions else _stepped(plan)
    batches = [value for key, value in own.items() if role_of(leaf(key)) not in LIKE_WEIGHTS]
    one = not groups and any(v.ndim == 2 and 1 in v.shape for v in batches)
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
        rates = [p for p in parameters_of(method) if p.lower() in RATES] if inspect.ismethod(method) else []
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
        seed_streams(_SEED)
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


def _undefined_after_inference(plan: Recipe, point: Point) -> bool:
    """Whether backward is for training alone: it fails after a forward pass in inference, or knows nothing of it."""
    point = replace(point, training=False)
    instance = WrittenInstance(plan)
    try:
        seed_streams(_SEED)
        output = instance.forward(point.copied())
        dvalues = np.random.default_rng(_SEED).normal(size=output.shape)
        gradients = instance.backward(dvalues.copy())
    except (Exception, SystemExit):  # the code is not ours: anything may come
        return True
    gradient = plan.call.of(plan.call.gradient or plan.call.value, plan.call.item)
    if mentions(source_of(gradient), (*TRAINING, "mode")):
        return False
    slope = Slopes(plan, point, dvalues, np.random.default_rng(_SEED))
    return not all(slope.fits(key, gradients.get(key)) for key in plan.sources)


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
            seed_streams(_SEED)
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
    data = [k for k in reading.point.values if k not in values and k in plan.keys.values()]
    if data:
        yield f"It gives no gradient for {', '.join(data)}, which was not compared."
    if isinstance(plan.call.value, WithCost):
        cost, target = plan.call.value.cost, plan.call.value.target
        if not target:
            yield f"It holds its targets: its gradients were compared with the derivative of {cost}."
        elif isinstance(cost, str):
            yield f"Its backward pass takes {target}: it was compared with the derivative of {cost}, beside it."
        elif cost.slope:
            yield f"Its backward pass takes {target}: it was compared with the derivative of {cost.called}."
        else:
            yield (
                f"Its backward pass takes {target}, and no loss is written beside it: it was taken to be "
                f"{cost.called}, which fits best."
            )
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
    if plan.kind == "derivative" and "output" in plan.slots:
        yield "Its derivative is written for what the function gives, not for what it takes: it was handed the output."
    if small:
        yield (
            f"Inside the logarithm stands + {small}, for safety, and its derivative leaves it out: compared to within "
            "what that makes of probabilities that are not small."
        )
    if one:
        yield "Its backward pass runs on one sample alone, as a column or a row: it was compared so."
    if undefined:
        yield "After a forward pass in inference backward has no meaning here: it was compared in training alone."
    if plan.fresh:
        yield "It adds up from step to step and has no way to begin anew: every comparison began with a new object."
    if plan.state:
        yield f"It carries {', '.join(plan.state)} on from call to call: every comparison began from the same."


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_said(each)}' for key, each in value.items())}}}"
    return str(np.shape(value)) if isinstance(value, np.ndarray) else repr(value)
