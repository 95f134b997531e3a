"""What switches code between training and inference, and whether its backward pass knows of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..equality import equal
from ..streams import seed_streams
from .arguments import SEED
from .base import Point
from .costs import WithCost
from .names import TRAINING
from .objects import parts_of, switched_on
from .plans import Recipe
from .running import WrittenInstance
from .signatures import source_of
from .slopes import Slopes
from .sources import mentions

__all__ = ["switches_that_matter", "undefined_in_inference"]


def switches_that_matter(plan: Recipe, point: Point) -> tuple[str, ...]:
    """What switches the object between training and inference, where no argument does and it makes a difference."""
    if plan.call.functions or plan.training or isinstance(plan.call.item, type):
        return ()
    plan.switches = tuple(switched_on(plan.call.item))
    results: list[dict[str, Any]] = []
    for training in (True, False) if plan.switches else ():
        instance = WrittenInstance(plan)
        instance.seed(SEED)
        try:
            output = instance.forward(replace(point.copied(), training=training))
            results.append({"output": output, **instance.backward(np.ones(output.shape))})
        except (Exception, SystemExit):  # the code is not ours: anything may come
            results.append({})
    names = {name for found in results for name in found}
    different = any(not equal(*(found.get(name) for found in results)) for name in names)
    return plan.switches if different else ()


def undefined_in_inference(plan: Recipe, point: Point) -> bool:
    """Whether backward is for training alone: it fails after a forward pass in inference, or knows nothing of it."""
    point = replace(point, training=False)
    instance = WrittenInstance(plan)
    try:
        seed_streams(SEED)
        output = instance.forward(point.copied())
        dvalues = np.random.default_rng(SEED).normal(size=output.shape)
        gradients = instance.backward(dvalues.copy())
    except (Exception, SystemExit):  # the code is not ours: anything may come
        return True
    if _knows_the_switch(plan):
        return False
    slope = Slopes(plan, point, dvalues, np.random.default_rng(SEED))
    return not all(slope.fits(key, gradients.get(key)) for key in plan.sources)


def _knows_the_switch(plan: Recipe) -> bool:
    """Whether backward asks for the switch; where objects hold it, that of each whose forward pass asks for it."""
    call = plan.call
    method = call.gradient or call.value
    if not plan.switches:
        return mentions(source_of(call.of(method, call.item)), (*TRAINING, "mode"))
    words = {path.rpartition(".")[2] for path in plan.switches}
    names = [each.forward if isinstance(each, WithCost) else str(each) for each in (call.value, method)]
    passes = [[getattr(each, name, None) for name in names] for each in (call.item, *parts_of(call.item))]
    asking = [after for before, after in passes if before is not None and mentions(source_of(before), words)]
    return bool(asking) and all(after is not None and mentions(source_of(after), words) for after in asking)
