"""How a call may be meant: kinds of inputs, forms of targets and ways of calling backward, the likeliest first."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..patience import is_over
from ..streams import seed_streams
from .base import Arrays, Point, is_shape
from .compared import draw, forms_of, predictions
from .fitting import fitted
from .names import LIKE_WEIGHTS, role_of
from .plans import Passes, Recipe
from .reading import Reading, compared_shape, name_of, takes_logarithms
from .running import WrittenInstance
from .runs import Draft
from .slots import manners

__all__ = ["readings_of"]

_SEED = 1
_PREDICTED = re.compile(r"(?i)^(\w+_?(pred|hat)|pred(iction)?s?|p|prob(abilitie)?s?|recon\w*|\w+_recon\w*)$")


def readings_of(call: Passes, draft: Draft, inputs: Any, targets: Any, reduction: str) -> Iterator[Reading]:
    """Every way to read a call on these arguments that runs."""
    rng = np.random.default_rng(_SEED)
    coherent, most = False, 0
    for domain, values in _domains(call, draft, inputs, rng):
        if coherent and not (draft.target and takes_logarithms(call)):
            return
        for form in _forms(call, draft, values, targets):
            plan = Recipe(call, draft.names, draft.keys, joined=draft.joined, target=draft.target,
                        training=draft.training, reduction=reduction, keywords=draft.keywords)  # fmt: skip
            draft, point, instance, value = _run(plan, draft, values, form, targets)
            if value is None or not np.isfinite(value).all():
                continue
            for kind, slots, outputs in manners(call, draft.names, draft.target, instance.returned, value):
                if is_over():
                    return
                plan = replace(plan, kind=kind, slots=slots, outputs=outputs)
                reading = fitted(plan, draft, point, form, domain)
                if reading is not None and len(reading.wanted) >= most:  # on narrower inputs some do not move it
                    coherent, most = coherent or reading.coherent, len(reading.wanted)
                    yield reading


def _run(
    plan: Recipe, draft: Draft, values: Arrays, form: tuple[str, ...], targets: Any
) -> tuple[Draft, Point, WrittenInstance, NDArray[Any] | None]:
    """The first output; where the class numbers are too large, as of outputs that are kept in a dict, with 0 and 1."""
    instance = WrittenInstance(plan)
    classes = (draft.below,) if draft.below or form[:1] != ("classes",) else (0, 2)
    for below in classes:
        draft = replace(draft, below=below)
        point = Point(values, _drawn(form, draft, values, targets), True, fixed=draft.fixed)
        with contextlib.suppress(Exception, SystemExit):  # the code is not ours: anything may come
            seed_streams(_SEED)
            return draft, point, instance, _first_output(instance, point)
    return draft, point, instance, None


def _first_output(instance: WrittenInstance, point: Point) -> NDArray[Any] | None:
    """The first thing that forward returns, or stores, as an array of numbers."""
    returned = instance.run_forward(point.copied())
    if isinstance(returned, tuple | list) and returned and isinstance(returned[0], dict):
        returned = returned[1:]  # gradients, and then their loss
    if isinstance(returned, tuple | list) and returned and not isinstance(returned[0], tuple | list | dict):
        returned = returned[0]
    instance.returned, whole = returned, instance.returned
    parts = instance.outputs()
    instance.returned = whole
    return parts[0] if parts[0].dtype.kind in "fciub" else None


def _domains(call: Passes, draft: Draft, inputs: Any, rng: np.random.Generator) -> Iterator[tuple[str, Arrays]]:
    """The values themselves, then others of the same shapes from narrower domains."""
    given = inputs is not None and not is_shape(inputs)
    first = next((k for k in draft.values if role_of(k) not in LIKE_WEIGHTS), next(iter(draft.values), ""))
    compares = bool(draft.target) and call.gradient is not None and len(draft.values) == 1
    if given or not first:
        yield _domain_of(draft.values.get(first), compares), draft.values
        return
    if compares:
        for domain, array in predictions(name_of(call), draft.values[first], rng, takes_logarithms(call)):
            yield domain, {**draft.values, first: array}
        return
    domains: list[tuple[str, float, float]] = [("positive", 0.5, 2.0), ("probabilities", 0.1, 0.9)]
    predicts = draft.target and any(_PREDICTED.match(key) for key in draft.values) and takes_logarithms(call)
    if not predicts:
        yield "numbers", draft.values
    for domain, low, high in reversed(domains) if predicts else domains:
        drawn = {k: rng.uniform(low, high, v.shape) for k, v in draft.values.items() if role_of(k) not in LIKE_WEIGHTS}
        yield domain, {**draft.values, **drawn}
    if predicts:
        yield "numbers", draft.values


def _domain_of(array: NDArray[Any] | None, loss: bool) -> str:
    if array is None or not array.size:
        return "numbers"
    if loss and array.min() >= 0 and array.max() <= 1:
        return "probabilities"
    return "positive" if array.min() > 0 else "numbers"


def _forms(call: Passes, draft: Draft, values: Arrays, targets: Any) -> Sequence[tuple[str, ...]]:
    if not draft.target:
        return [()]
    if targets is not None or draft.like_target is None:
        return [("given",)]
    compared = compared_shape(draft, values)
    return forms_of(name_of(call), draft.like_target, draft.below, compared)


def _drawn(form: tuple[str, ...], draft: Draft, values: Arrays, targets: Any) -> Any:
    if not form:
        return None
    if form == ("given",):
        return np.asarray(targets if targets is not None else draft.like_target)
    shape = compared_shape(draft, values)
    classes = draft.below or (shape[-1] if len(shape) > 1 else 2)
    of = np.shape(draft.like_target) if draft.below else ()
    return draw(form[0], np.random.default_rng(_SEED + 7), shape, classes, of)
