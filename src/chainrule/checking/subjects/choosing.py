"""Which reading of a pair of functions or methods is taken: the one that fits best, or none, with the reason."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ConfigurationError
from ..patience import is_over
from .calls import whole_source
from .costs import WithCost, target_of, usual_losses
from .drafts import drafts
from .held import made_by
from .names import role_of
from .optimized import beyond
from .plans import Passes, leaf
from .reading import Reading, is_needed
from .readings import readings_of
from .signatures import parameters_of, required_of, returned_names, source_of
from .slots import unknown_to
from .sources import indexes_with, subtracted_in

__all__ = ["chosen"]

_LIMITS = ((10, 240), (80, 80))  # readings of each draft, and of all drafts: a few of each at first
_FEW, _FEWEST = 4, 16  # likewise, with a loss that is guessed
_ALIKE = 6  # arguments of the same ranks among them


def chosen(call: Passes, inputs: Any, targets: Any, reduction: str) -> Reading:
    """The reading by which a call is compared. Raises `ConfigurationError` where none is found that can be trusted."""
    guessed = _by_the_difference(call, inputs, reduction)
    if guessed is not None and guessed.whole:
        return guessed
    call, best = _best(call, inputs, targets, reduction)
    if best is None and guessed is not None:
        return guessed
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
    unsure = (
        [] if best.whole or best.mostly else unknown_to(call, best.draft.names, best.plan.slots, not best.draft.target)
    )
    if unsure:
        raise ConfigurationError(
            f"check: {call.title} runs, but its backward pass wants {', '.join(unsure)}, and check does not know what "
            "to pass there."
        )
    handed = "" if best.whole or call.functions else _to_an_optimizer(call)
    if handed:
        raise ConfigurationError(
            f"check: the backward pass of {call.title} hands its gradients to {handed}, which takes no plain step that "
            "check could take in its place. Store them, as in self.dW, or return them, and take the step elsewhere."
        )
    if best.plan.hidden:
        raise ConfigurationError(
            f"check: the backward pass of {call.title} moves {', '.join(best.plan.hidden)} by steps whose length is "
            "not that of a gradient, as RMSProp or Adam does, and no variable holds their gradient under its name. "
            "Store it, as in self.dW."
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
    return best


def _to_an_optimizer(call: Passes) -> str:
    return "" if call.gradient is None else beyond(call.item, source_of(call.of(call.gradient, call.item)))


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
