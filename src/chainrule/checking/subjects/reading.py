"""A reading: a plan for running a call, the arguments that it was run on, and how much of it fits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Arrays, Point
from .calls import whole_source
from .matching import Wanted
from .names import LIKE_WEIGHTS, role_of
from .objects import BOXES
from .plans import Passes, Recipe, leaf
from .runs import Draft
from .signatures import source_of
from .steps import BACK_IN_TIME

__all__ = ["Reading", "compared_shape", "is_needed", "name_of", "takes_logarithms"]


@dataclass
class Reading:
    """A plan, where it was run, and how much of it fits."""

    plan: Recipe
    draft: Draft
    point: Point
    form: tuple[str, ...]
    domain: str
    output: NDArray[Any]
    wanted: list[Wanted]
    fitting: int = -1  # gradients that fit
    matched: int = 0
    shaped: int = 0  # gradients of the right shape
    nearly: int = 0  # gradients that fit but for axes of length 1
    spare: int = 0  # arrays that backward gave and that are the gradient of nothing, where a guess was a mere number
    proportional: bool = False  # whether all of a step fit but for one factor
    error: BaseException | None = None

    @property
    def whole(self) -> bool:
        """Whether every array has a gradient, and every gradient fits."""
        missing = [w for w in self.wanted if w.key not in self.plan.sources and is_needed(self.plan, w)]
        return self.matched > 0 and self.fitting == self.matched and not missing and not self.spare

    @property
    def coherent(self) -> bool:
        """Whether backward runs and gives every array a gradient of its shape: then the arguments are as meant."""
        missing = [w for w in self.wanted if w.key not in self.plan.sources and is_needed(self.plan, w)]
        shaped = self.matched > 0 and self.shaped == self.matched and not self.spare
        return self.error is None and shaped and not missing

    @property
    def mostly(self) -> bool:
        """Whether so many gradients fit that what backward was handed must be what it is meant to get."""
        return self.coherent and self.fitting > 1 and 2 * self.fitting > self.matched

    @property
    def score(self) -> tuple[float, int, int]:
        """For choosing among readings none of which fits whole."""
        wanted = max(len(self.wanted) + self.spare, 1)
        return (max(self.fitting, self.nearly) / wanted, self.matched, self.shaped)


def is_needed(plan: Recipe, wanted: Wanted) -> bool:
    """Whether an array must have a gradient: the inputs of a layer, and what is named like a parameter."""
    if wanted.free:
        return False
    if plan.kind == "loss" and not plan.sources and not wanted.paths and plan.target:
        return True  # its backward pass failed
    if wanted.paths:
        own = {group[0] for group in plan.parameters} & {*plan.sources}
        return role_of(leaf(wanted.key)) in LIKE_WEIGHTS and (plan.kind != "loss" or bool(own))
    if plan.kind != "layer" or role_of(wanted.key) in ("mask", "target") or wanted.key in plan.still:
        return False
    hands_nothing_on = _is_network(plan) or _is_made_of_layers(plan) or _is_first_in_time(plan)
    return not (role_of(wanted.key) in ("input", "integers") and hands_nothing_on)


def _is_made_of_layers(plan: Recipe) -> bool:
    """Whether an object with layers inside hands nothing on: it is a whole network, and its inputs are data."""
    if plan.call.functions or plan.call.gradient is None or not plan.parameters:
        return False
    inside = all("." in _unboxed(path) for group in plan.parameters for path in group)
    returned = re.search(r"\breturn\b *[^\s#]", source_of(plan.call.of(plan.call.gradient, plan.call.item)))
    return inside and returned is None


def _is_first_in_time(plan: Recipe) -> bool:
    """Whether an object goes back through its steps in time and hands nothing on: its inputs are data."""
    if plan.call.functions or plan.call.gradient is None or not plan.parameters:
        return False
    source = source_of(plan.call.of(plan.call.gradient, plan.call.item))
    named = re.search(r"self\.(d|grad_?|delta_?)_?(x|xs|X|inputs?)\b", source)
    return bool(BACK_IN_TIME.search(source)) and not re.search(r"\breturn\b *[^\s#]", source) and not named


def _unboxed(path: str) -> str:
    for tail in BOXES:
        path = path.removesuffix(tail)
    return path


def _is_network(plan: Recipe) -> bool:
    """Whether functions of several numbered matrices, W1 and W2, are a whole network: its inputs are data."""
    weights = [key for key in plan.keys.values() if role_of(key) == "weights" and re.search(r"\d$", key)]
    inputs = [key for key in plan.keys.values() if role_of(key) == "input"]
    return plan.call.functions and len({key[:-1] for key in weights}) < len(weights) and len(inputs) == 1


def name_of(call: Passes) -> str:
    """The name of the class, or of the function: what kind of loss it is may stand in it."""
    return call.title if call.functions or isinstance(call.item, type) else type(call.item).__name__


def takes_logarithms(call: Passes) -> bool:
    """Whether predictions may have to be probabilities."""
    return re.search(r"log(?!g)|clip", whole_source(call)) is not None or "entropy" in name_of(call).lower()


def compared_shape(draft: Draft, values: Arrays) -> tuple[int, ...]:
    """The shape of what the targets are compared with."""
    like: tuple[int, ...] = np.shape(draft.like_target)
    if len(like) > 1 and not draft.below:
        return like
    first = next((v.shape for k, v in values.items() if role_of(k) not in LIKE_WEIGHTS), like)
    if len(like) == len(first) == 1:  # one sample: what a network gives need not be as long as what it takes
        return like
    return first if len(values) == 1 and not draft.fixed else like
