"""Code written elsewhere, in any style: readings of how it may be meant are run, and the one that fits is checked."""

from __future__ import annotations

import contextlib
import copy
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigurationError
from ..streams import seed_streams
from .axes import find_groups
from .base import Arrays, Group, Point, Style, Subject, is_shape
from .compared import draw, forms_of, predictions, redrawn_like
from .drafts import Draft, drafts
from .held import held_by, made_by, state_of
from .matching import Wanted, candidates, matched
from .names import RATES, TRAINING, role_of
from .objects import arrays_of
from .plans import Call, Plan, Source, WrittenInstance, leaf
from .slots import readings, unknown_to
from .sources import mentions, parameters_of, remark_in, returned_names, small_in_logarithm, source_of

__all__ = ["written_subject"]

_SEED = 1
_TRIES = 80  # readings that are run before the best of them is taken
_ALIKE = 6  # arguments of the same ranks among them
_CLOSE = 1e-3  # how well a gradient fits a slope, for choosing a reading
_NOTHING = compile("", "", "exec")
_LIKE_WEIGHTS = ("weights", "bias", "scale")


@dataclass
class Reading:
    """A plan, where it was run, and how much of it fits."""

    plan: Plan
    draft: Draft
    point: Point
    form: tuple[str, ...]
    domain: str
    output: NDArray[Any]
    wanted: list[Wanted]
    fitting: int = -1  # gradients that fit
    matched: int = 0
    shaped: int = 0  # gradients of the right shape
    error: BaseException | None = None

    @property
    def whole(self) -> bool:
        """Whether every array has a gradient, and every gradient fits."""
        missing = [w for w in self.wanted if w.key not in self.plan.sources and _is_needed(self.plan, w)]
        return self.matched > 0 and self.fitting == self.matched and not missing

    @property
    def coherent(self) -> bool:
        """Whether backward runs and gives every array a gradient of its shape: then the arguments are as meant."""
        missing = [w for w in self.wanted if w.key not in self.plan.sources and _is_needed(self.plan, w)]
        return self.error is None and self.matched > 0 and not missing and self.shaped == self.matched

    @property
    def score(self) -> tuple[float, int, int]:
        """For choosing among readings none of which fits whole."""
        return (self.fitting / max(len(self.wanted), 1), self.matched, self.shaped)


def _is_needed(plan: Plan, wanted: Wanted) -> bool:
    if plan.kind == "loss" and not plan.sources and not wanted.paths and plan.target:
        return True  # its backward pass failed
    if wanted.paths:
        own = {group[0] for group in plan.parameters} & {*plan.sources}
        return role_of(leaf(wanted.key)) in _LIKE_WEIGHTS and (plan.kind != "loss" or bool(own))
    return plan.kind == "layer" and role_of(wanted.key) not in ("mask", "target")


def written_subject(
    call: Call, inputs: Any = None, targets: Any = None, *, reduction: str = "mean", on_purpose: bool = False
) -> Subject:
    """The subject of a pair of functions or methods. Raises `ConfigurationError` where nothing runs."""
    best: Reading | None = None
    tries, seen = 0, Counter[Any]()
    for draft in drafts(call, inputs, targets):
        ranks = tuple(np.ndim(value) for value in draft.values.values())
        seen[ranks] += 1
        if best is not None and seen[ranks] > (1 if best.coherent else _ALIKE):
            continue
        call = call._replace(item=made_by(call, draft))
        for reading in _readings(call, draft, inputs, targets, reduction):
            tries += 1
            if best is None or reading.whole or (not best.coherent and reading.score > best.score):
                best = reading
            if reading.whole or tries >= _TRIES:
                break
        settled = best is not None and best.coherent and not _may_have_other_ranks(best)
        if best is not None and (best.whole or settled or tries >= _TRIES):
            break  # what fits no better elsewhere must not be helped by inputs on which a mistake does not show
    if best is None:
        raise ConfigurationError(
            f"check: {call.title} runs, but its backward pass could not be called: no way was found to give it what "
            "it takes."
        )
    unsure = unknown_to(call, best.draft.names) if best.error is not None else []
    if unsure:
        raise ConfigurationError(
            f"check: {call.title} runs, but its backward pass wants {', '.join(unsure)}, and check does not know what "
            f"to pass there ({type(best.error).__name__}: {best.error})."
        )
    if not best.plan.sources and best.error is None and not (best.plan.kind == "layer" and best.point.values):
        raise ConfigurationError(
            f"check: {call.title} runs, but nothing that its backward pass returns or stores could be matched with "
            f"what a gradient can be taken by ({', '.join(best.point.values) or 'no array of numbers'})."
        )
    return _subject(best, inputs, targets, on_purpose)


def _may_have_other_ranks(reading: Reading) -> bool:
    """Whether a loss of weights and data, all of them guessed, may be meant for a vector of weights."""
    weights = [key for key in reading.draft.values if role_of(key) == "weights"]
    return bool(weights and reading.draft.guessed and reading.plan.kind == "loss") and len(reading.draft.values) > 1


# Readings


def _readings(call: Call, draft: Draft, inputs: Any, targets: Any, reduction: str) -> Iterator[Reading]:
    """Every way to read a call on these arguments that runs."""
    rng = np.random.default_rng(_SEED)
    coherent = False
    for domain, values in _domains(call, draft, inputs, rng):
        if coherent and not (draft.target and _takes_logarithms(call)):
            return
        for form in _forms(call, draft, values, targets):
            plan = Plan(call, draft.names, draft.keys, joined=draft.joined, target=draft.target,
                        training=draft.training, reduction=reduction, keywords=draft.keywords)  # fmt: skip
            target = _drawn(form, draft, values, targets)
            point = Point(values, target, True, fixed=draft.fixed)
            try:
                instance = WrittenInstance(plan)
                seed_streams(_SEED)
                value = _first_output(instance, point)
                if value is None or not np.isfinite(value).all():
                    continue
            except (Exception, SystemExit):  # the code is not ours: anything may come
                continue
            for kind, slots, outputs in readings(call, draft.names, draft.target, instance.returned, value):
                plan = replace(plan, kind=kind, slots=slots, outputs=outputs)
                reading = _fitted(plan, draft, point, form, domain)
                if reading is not None:
                    coherent |= reading.coherent
                    yield reading


def _takes_logarithms(call: Call) -> bool:
    """Whether predictions may have to be probabilities."""
    return re.search(r"\blog|clip", _whole_source(call)) is not None


def _whole_source(call: Call) -> str:
    """The source of an object's class, or of the function and the functions that it calls."""
    if call.item is not None:
        kind = call.item if isinstance(call.item, type) else type(call.item)
        return "\n".join(source_of(base) for base in kind.__mro__[:-1])
    known = getattr(call.value, "__globals__", {})
    called = [known[name] for name in getattr(call.value, "__code__", _NOTHING).co_names if name in known]
    return "\n".join(source_of(function) for function in (call.value, *called) if callable(function))


def _first_output(instance: WrittenInstance, point: Point) -> NDArray[Any] | None:
    """The first thing that forward returns, or stores, as an array of numbers."""
    returned = instance.run_forward(point.copied())
    if isinstance(returned, tuple | list) and returned and not isinstance(returned[0], tuple | list | dict):
        returned = returned[0]
    instance.returned, whole = returned, instance.returned
    parts = instance.outputs()
    instance.returned = whole
    return parts[0] if parts[0].dtype.kind in "fciub" else None


def _domains(call: Call, draft: Draft, inputs: Any, rng: np.random.Generator) -> Iterator[tuple[str, Arrays]]:
    """The values themselves, then others of the same shapes from narrower domains."""
    given = inputs is not None and not is_shape(inputs)
    first = next((k for k in draft.values if role_of(k) not in _LIKE_WEIGHTS), next(iter(draft.values), ""))
    compares = bool(draft.target) and call.gradient is not None and len(draft.values) == 1
    if given or not first:
        yield _domain_of(draft.values.get(first), compares), draft.values
        return
    if compares:
        for domain, array in predictions(_name(call), draft.values[first], rng):
            yield domain, {**draft.values, first: array}
        return
    yield "numbers", draft.values
    for domain, low, high in (("positive", 0.5, 2.0), ("probabilities", 0.1, 0.9)):
        drawn = {k: rng.uniform(low, high, v.shape) for k, v in draft.values.items() if role_of(k) not in _LIKE_WEIGHTS}
        yield domain, {**draft.values, **drawn}


def _domain_of(array: NDArray[Any] | None, loss: bool) -> str:
    if array is None or not array.size:
        return "numbers"
    if loss and array.min() >= 0 and array.max() <= 1:
        return "probabilities"
    return "positive" if array.min() > 0 else "numbers"


def _name(call: Call) -> str:
    return call.title if call.item is None or isinstance(call.item, type) else type(call.item).__name__


def _forms(call: Call, draft: Draft, values: Arrays, targets: Any) -> Sequence[tuple[str, ...]]:
    if not draft.target:
        return [()]
    if targets is not None or draft.like_target is None:
        return [("given",)]
    compared = _compared(draft, values)
    return forms_of(_name(call), draft.like_target, draft.below, compared)


def _compared(draft: Draft, values: Arrays) -> tuple[int, ...]:
    """The shape of what the targets are compared with."""
    like = np.shape(draft.like_target)
    if len(like) > 1 and not draft.below:
        return like
    first = next((v.shape for k, v in values.items() if role_of(k) not in _LIKE_WEIGHTS), like)
    return first if len(values) == 1 and not draft.fixed else like


def _drawn(form: tuple[str, ...], draft: Draft, values: Arrays, targets: Any) -> Any:
    if not form:
        return None
    if form == ("given",):
        return np.asarray(targets if targets is not None else draft.like_target)
    shape = _compared(draft, values)
    classes = draft.below or (shape[-1] if len(shape) > 1 else 2)
    of = np.shape(draft.like_target) if draft.below else ()
    return draw(form[0], np.random.default_rng(_SEED + 7), shape, classes, of)


# How well a reading fits


def _fitted(plan: Plan, draft: Draft, point: Point, form: tuple[str, ...], domain: str) -> Reading | None:
    """The reading with its gradients found; None where it cannot be called that way."""
    held = held_by(plan, point)
    plan = replace(plan, parameters=tuple(held.groups), state=state_of(plan, point))
    point = point.with_values(held.values)
    wanted = [Wanted(key, v.shape, (), _aliases(plan, key)) for key, v in point.values.items() if key not in held.values]
    wanted += [Wanted(group[0], point.values[group[0]].shape, group) for group in held.groups]
    rng = np.random.default_rng(_SEED + 1)
    instance = WrittenInstance(plan)
    seed_streams(_SEED)
    instance.restart()
    output = np.asarray(instance.forward(point.copied()))
    if plan.kind == "loss" and plan.call.gradient is not None and instance.parts[0].ndim > 1:
        return None  # an array of errors, entry by entry, is no loss
    dvalues = np.ones(()) if plan.kind == "loss" else np.asarray(rng.normal(size=output.shape))
    reading = Reading(plan, draft, point, form, domain, output, wanted)
    before = dict(arrays_of(instance.item, scalars=True)) if instance.item is not None else {}
    before = {path: value.copy() for path, value in before.items()}
    plan.find = lambda used, result: _sources(plan, used, result, wanted, before, dvalues, None)
    try:
        returned = instance.run_backward(dvalues)
    except (Exception, SystemExit) as error:  # the code is not ours: anything may come
        reading.error = error
        return reading if not isinstance(error, TypeError) or "argument" not in str(error) else None
    slope = _Slopes(plan, point, dvalues, rng)
    plan.sources = _sources(plan, instance, returned, wanted, before, dvalues, slope)
    reading.matched = len(plan.sources)
    plan.clears = instance.can_clear() and _piles_up(plan, point, dvalues)
    gradients = {}
    with contextlib.suppress(Exception, SystemExit):
        again = WrittenInstance(plan)
        seed_streams(_SEED)
        again.restart()
        again.forward(point.copied())
        gradients = again.backward(dvalues.copy())
    reading.shaped = sum(np.shape(g) == point.values[key].shape for key, g in gradients.items() if key in plan.sources)
    reading.fitting = sum(slope.fits(key, gradient) for key, gradient in gradients.items() if key in plan.sources)
    if reading.fitting < reading.matched:
        _share(reading, gradients, slope)
    return reading


def _piles_up(plan: Plan, point: Point, dvalues: NDArray[Any]) -> bool:
    """Whether a second pass on the same object gives other gradients, as where they are added up."""
    instance = WrittenInstance(plan)
    passes = []
    try:
        for forwards in (1, 1, 2):
            for _ in range(forwards):
                seed_streams(_SEED)
                instance.restart()
                instance.forward(point.copied())
            passes.append({k: np.array(v, dtype=np.float64) for k, v in instance.backward(dvalues.copy()).items()})
    except (Exception, SystemExit):  # the code is not ours: anything may come
        return True
    first, *others = passes
    return any(not _alike(first[key], other.get(key)) for key in first for other in others)


def _alike(one: NDArray[Any], other: Any) -> bool:
    return np.shape(other) == one.shape and np.allclose(one, other, rtol=1e-6)


def _aliases(plan: Plan, key: str) -> tuple[str, ...]:
    names = [name for name, known in plan.keys.items() if known == key]
    if key == "inputs":
        return (*names, "inputs", "input", "in", "x", "X", "A_prev", "prev")
    return tuple(names) or (leaf(key),)


def _sources(
    plan: Plan,
    instance: WrittenInstance,
    returned: Any,
    wanted: list[Wanted],
    before: dict[str, Any],
    dvalues: NDArray[Any],
    slope: _Slopes | None,
) -> dict[str, Source]:
    fits = slope.fits if slope is not None else lambda key, array: True
    function = plan.call.of(plan.call.gradient or plan.call.value, instance.item)
    found = candidates(returned, returned_names(function), instance.item, before)
    if plan.call.gradient is None:
        found = [c for c in found if c.source.kind != "returned" or c.source.path[:1] != (0,)]
    if plan.kind == "derivative":
        key = _local(plan, wanted)
        return {key: Source("local", ())} if key and np.ndim(returned) <= dvalues.ndim + 1 else {}
    if plan.kind == "loss" and len(found) == 1 and len(wanted) == 1:
        return {wanted[0].key: found[0].source}
    sources = matched(wanted, found, instance.item, fits)
    moves = "rate" in plan.slots or _own_rate(instance.item)
    for each in wanted:
        path = each.paths[0] if each.paths else ""
        after = dict(arrays_of(instance.item)).get(path) if path and moves else None
        if each.key not in sources and after is not None and not np.array_equal(after, before.get(path, after)):
            sources[each.key] = Source("moved", path)
            plan.rate = plan.rate if "rate" in plan.slots else _own_rate(instance.item)
    return sources


def _own_rate(item: Any) -> float:
    """The learning rate that an object holds; 0 without one."""
    held = [getattr(item, name, None) for name in RATES]
    return next((float(rate) for rate in held if isinstance(rate, float | int) and rate > 0), 0.0)


def _local(plan: Plan, wanted: list[Wanted]) -> str:
    keys = [each.key for each in wanted if not each.paths]
    handed = [plan.keys.get(slot[9:], "") for slot in plan.slots if slot.startswith("argument:")]
    return next((key for key in handed if key in keys), keys[0] if keys else "")


class _Slopes:
    """The slope of the loss along random directions for each array, found when it is asked for."""

    def __init__(self, plan: Plan, point: Point, dvalues: NDArray[Any], rng: np.random.Generator) -> None:
        self.plan, self.point, self.dvalues, self.rng = plan, point, dvalues, rng
        self.known: dict[tuple[str, int], tuple[NDArray[Any], list[float]]] = {}
        self.instance = WrittenInstance(replace(plan, sources={}))

    def of(self, key: str, which: int) -> tuple[NDArray[Any], list[float]]:
        """A direction, and the slope along it with a narrow and a wide step."""
        if (key, which) not in self.known:
            value = self.point.values[key]
            direction = self.rng.normal(size=value.shape)
            slopes = [self._along(key, value, direction, step) for step in (1e-6, 1e-3)]
            self.known[key, which] = direction, slopes
        return self.known[key, which]

    def _along(self, key: str, value: NDArray[Any], direction: NDArray[Any], step: float) -> float:
        ends = []
        for sign in (1, -1):
            seed_streams(_SEED)
            self.instance.restart()
            moved = self.point.copied().with_values({key: value + sign * step * direction})
            try:
                ends.append(float(np.sum(self.dvalues * self.instance.forward(moved))))
            except (Exception, SystemExit):  # the code is not ours: anything may come
                return float("nan")
        return (ends[0] - ends[1]) / (2 * step)

    def fits(self, key: str, gradient: Any, factor: float = 1.0) -> bool:
        """Whether an array is the gradient, as far as two directions tell."""
        try:
            array = factor * np.asarray(gradient, dtype=np.float64)
        except (TypeError, ValueError):
            return False
        if array.shape != self.point.values[key].shape or not np.isfinite(array).all():
            return False
        return all(self._close(array, *self.of(key, which)) for which in range(2))  # one alone may agree by chance

    def _close(self, array: NDArray[Any], direction: NDArray[Any], slopes: list[float]) -> bool:
        terms = array * direction
        size = float(np.linalg.norm(terms)) + 1e-7
        return any(abs(float(terms.sum()) - slope) <= _CLOSE * size for slope in slopes)


def _share(reading: Reading, gradients: dict[str, Any], slope: _Slopes) -> None:
    """A course's convention: with the samples in columns every gradient of a parameter is a mean over them."""
    plan, values = reading.plan, reading.point.values
    inputs = [key for key in plan.keys.values() if role_of(key) not in _LIKE_WEIGHTS and key in values]
    if not inputs or values[inputs[0]].ndim != 2 or plan.kind != "layer":
        return
    m = values[inputs[0]].shape[-1]
    rest = [key for key in plan.sources if key not in inputs]
    fits_means = all(slope.fits(key, gradients.get(key), m) for key in rest)
    if rest and m > 1 and fits_means and all(slope.fits(k, gradients.get(k)) for k in inputs if k in plan.sources):
        shapes = [reading.output.shape[-1] == m, values[inputs[0]].shape[0] != m]
        if all(shapes):
            plan.shared, plan.samples = True, (inputs[0], 1)
            reading.fitting = reading.matched


# The subject


def _subject(reading: Reading, inputs: Any, targets: Any, on_purpose: bool) -> Subject:
    plan, draft, point = reading.plan, reading.draft, reading.point
    unmatched = [w for w in reading.wanted if w.key not in plan.sources]
    held = {group[0] for group in plan.parameters}
    dropped = [w for w in unmatched if not _is_needed(plan, w)]
    data = [w.key for w in dropped if not w.paths]
    plan.parameters = tuple(g for g in plan.parameters if g[0] not in {w.key for w in dropped})
    values = {k: v for k, v in point.values.items() if k not in {w.key for w in dropped}}
    fixed = {**draft.fixed, **{key: point.values[key] for key in data}}
    functions = plan.call.item is None
    own = {k: v for k, v in values.items() if k not in held and not (role_of(leaf(k)) in _LIKE_WEIGHTS and functions)}
    parameters = {k: v for k, v in values.items() if k not in own}
    if not own and not fixed:
        own, parameters = dict(list(values.items())[:1]), dict(list(values.items())[1:])
    groups = _groups(reading, {**own, **(parameters if functions else {})}, fixed, point)
    if plan.shared and not (groups and groups[0][0][1] == 1):
        plan.shared = False
    redraw = _Redraw(reading, targets, groups, point)
    training = bool(draft.training)
    undefined = training and _undefined_after_inference(plan, replace(point, values=values))
    slack, small = _slack(plan.call)
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
        uncompared=tuple(w.key for w in dropped if w.paths and reading.error is None and plan.kind != "loss"),
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
        on_purpose=on_purpose or remark_in(gradient),
        notes=tuple(_notes(reading, values, undefined, small)),
    )


def _title(call: Call) -> str:
    if call.item is not None:
        return call.item.__name__ if isinstance(call.item, type) else type(call.item).__name__
    if call.gradient is None:
        return str(call.value.__name__)
    return f"{call.value.__name__} and {call.gradient.__name__}"


def _style(plan: Plan, gradient: Callable[..., Any], functions: bool) -> Style:
    slots = dict(zip(plan.slots, [n for n in parameters_of(gradient)], strict=False))
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
    likely = [k for k in every if role_of(leaf(k)) not in _LIKE_WEIGHTS]
    first = next((k for k in every if k in likely and k != "targets"), "")
    if not first:
        return ()

    def run(changed: dict[str, Any]) -> NDArray[Any]:
        seed_streams(_SEED)
        instance.restart()
        targets = changed.get("targets", point.targets)
        if reading.form[:1] == ("classes",) and first in changed and changed[first].ndim > 1:
            targets = np.array(targets)
            targets.flat[0] = changed[first].shape[-1] - 1 if _counts(reading, first) else targets.flat[0]
        known = {**held, **{k: v.copy() for k, v in changed.items() if k in arrays}}
        others = {**copy.deepcopy(fixed), **{k: v for k, v in changed.items() if k in fixed}}
        return instance.forward(Point(known, targets, True, fixed=others))

    return find_groups(every, run, first, likely)


def _counts(reading: Reading, first: str) -> bool:
    """Whether the last axis of the predictions counts the classes."""
    value = reading.point.values.get(first, reading.draft.fixed.get(first))
    return reading.plan.call.gradient is not None and np.shape(value)[-1:] == (reading.draft.below,)


class _Redraw:
    """Targets for other inputs, in every form that the loss takes alike."""

    def __init__(self, reading: Reading, targets: Any, groups: tuple[Group, ...], point: Point) -> None:
        self.reading, self.groups, self.point = reading, groups, point
        self.given = targets is not None or reading.form == ("given",)
        forms = reading.form
        self.forms = forms[:1] if self.given or not forms else (*forms[:1], *self._alike(forms))

    def _alike(self, forms: tuple[str, ...]) -> list[str]:
        """The other forms, where the loss of the same targets is the same."""
        found, first = [], self.point.targets
        for form in forms[1:]:
            shape = _compared(self.reading.draft, self.point.values)
            other = first.argmax(-1) if form == "classes" else np.eye(shape[-1])[first] if first.ndim == 1 else None
            with contextlib.suppress(Exception, SystemExit):
                losses = [self._loss(t) for t in (first, other)]
                if other is not None and np.isclose(losses[0], losses[1], rtol=1e-9):
                    found.append(form)
        return found

    def _loss(self, targets: Any) -> float:
        instance = WrittenInstance(self.reading.plan)
        seed_streams(_SEED)
        return float(np.sum(instance.forward(replace(self.point.copied(), targets=targets))))

    def first(self) -> tuple[Any, ...]:
        """The targets of the subject's own batch, in each form."""
        targets = self.point.targets
        shape = _compared(self.reading.draft, self.point.values)
        others = [targets.argmax(-1) if f == "classes" else np.eye(shape[-1])[targets] for f in self.forms[1:]]
        return (targets, *others)

    def __call__(self, rng: np.random.Generator, point: Point) -> tuple[Any, ...]:
        sizes = point.sizes
        new = {p: size for group, size in zip(self.groups, sizes, strict=False) for p in group}
        own = self.point.targets
        if own is None:
            return ()
        like = tuple(new.get(("targets", axis), size) for axis, size in enumerate(np.shape(own)))
        if self.given:
            return (redrawn_like(rng, own, like),) if np.ndim(own) else (own,)
        compared = _compared(self.reading.draft, self.point.values)
        classes = self.reading.draft.below or (compared[-1] if len(compared) > 1 else 2)
        shape = compared
        predicted = next((v for k, v in point.values.items() if self.point.values[k].shape == compared), None)
        if predicted is not None:
            shape = predicted.shape
            classes = shape[-1] if classes == compared[-1] else classes
        elif self.forms[0] != "classes":
            shape = like
        of = like if self.forms[0] == "classes" else ()
        return tuple(draw(form, rng, shape, classes, of if form == self.forms[0] else shape[:-1]) for form in self.forms)


def _undefined_after_inference(plan: Plan, point: Point) -> bool:
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
    slope = _Slopes(plan, point, dvalues, np.random.default_rng(_SEED))
    return not all(slope.fits(key, gradients.get(key)) for key in plan.sources)


def _slack(call: Call) -> tuple[float, str]:
    """The relative error that a small number inside a logarithm makes, and how that is written."""
    defaults = {n: d for n, d in parameters_of(call.of(call.value, call.item)).items() if isinstance(d, float)}
    names = {**getattr(call.value, "__globals__", {}), **defaults, **getattr(call.item, "__dict__", {})}
    small, written = small_in_logarithm(_whole_source(call), names)
    return min(300 * small, 0.01), written


def _any_rank(plan: Plan, own: Arrays, fixed: dict[str, Any], point: Point, output: NDArray[Any]) -> bool:
    """Whether each entry is a matter of its own, and inputs with another axis run as well."""
    if plan.kind == "loss" or len(own) != 1 or plan.parameters or any(isinstance(v, np.ndarray) for v in fixed.values()):
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


def _notes(reading: Reading, values: Arrays, undefined: bool, small: str) -> Iterator[str]:
    plan, draft = reading.plan, reading.draft
    many = len([name for name in plan.names if name not in (plan.training, "xp", "ctx")])
    known = {**reading.point.values, **draft.fixed}
    if draft.guessed and many > 1 and plan.call.item is None:
        listed = [f"{n} {_said(known.get(draft.keys.get(n, n)))}" for n in draft.guessed]
        yield f"Arguments were found by running it: {', '.join(listed)}. Pass others if it is meant otherwise."
    data = [k for k in reading.point.values if k not in values and k in plan.keys.values()]
    if data:
        yield f"It gives no gradient for {', '.join(data)}, which was not compared."
    if plan.shared:
        yield (
            "The samples are columns, and every gradient of a parameter is divided by their number: the mean of the "
            "loss is taken in the layer. It was compared so; the loss must not divide once more."
        )
    if plan.kind == "derivative" and "output" in plan.slots:
        yield "Its derivative is written for what the function gives, not for what it takes: it was handed the output."
    if small:
        yield (
            f"Inside the logarithm stands + {small}, for safety, and its derivative leaves it out: compared to within "
            "what that makes of probabilities that are not small."
        )
    if undefined:
        yield "After a forward pass in inference backward has no meaning here: it was compared in training alone."
    if plan.state:
        yield f"It carries {', '.join(plan.state)} on from call to call: every comparison began from the same."


def _said(value: Any) -> str:
    return str(np.shape(value)) if isinstance(value, np.ndarray) else repr(value)
