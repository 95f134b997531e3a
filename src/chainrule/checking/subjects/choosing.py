"""Which reading of a pair of functions or methods is taken: the one that fits best, or none, with the reason."""

from __future__ import annotations

import contextlib
import itertools
import re
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
from .regularized import without_penalty
from .signatures import parameters_of, required_of, returned_names, source_of
from .slots import unknown_to
from .sources import indexes_with, subtracted_in
from .stepping import Round, RoundLoss
from .steps import BACK_IN_TIME

__all__ = ["chosen"]

_LOSS = re.compile(r"(?i)(^|_)(loss|cost)$")
_LIMITS = ((10, 240), (80, 80))  # readings of each draft, and of all drafts: a few of each at first
_FEW, _FEWEST = 4, 16  # likewise, with a loss that is guessed,
_IDLE = 3  # and how many of these may run and fit nowhere: other targets change nothing
_RAISING = 40  # drafts on which backward only raises, and which count as none
_ALIKE = 6  # arguments of the same ranks among them


def chosen(call: Passes, inputs: Any, targets: Any, reduction: str) -> Reading:
    """The reading by which a call is compared. Raises `ConfigurationError` where none is found that can be trusted."""
    guessed = _by_the_difference(call, inputs, reduction)
    if guessed is not None and (guessed.whole or 2 * guessed.fitting >= guessed.matched):
        return guessed
    try:
        few = isinstance(call.value, RoundLoss)
        call, best = _best(call, inputs, targets, reduction, ((_FEW, _FEWEST),) if few else _LIMITS)
    except ConfigurationError:  # what forward gives is no one array, such as a list of activations
        if guessed is None:
            raise
        return guessed
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
    beside = "" if 2 * best.fitting > best.matched else _loss_beside(best)
    if beside:
        raise ConfigurationError(
            f"check: {call.title} returns {beside} beside its output, and its backward pass takes an upstream gradient "
            "for the output alone: what it is the gradient of is not known. Let it take one for each, or return the "
            "loss elsewhere."
        )
    if isinstance(call.gradient, Round) and not best.whole and not _is_of_its_loss(best):
        raise ConfigurationError(
            f"check: {call.title}.{call.gradient.method} takes a step that is the gradient of no loss that was found. "
            "Write the loss beside it, as a method of the same arguments, or the gradients as a method of their own."
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
    if _inputs_were_guessed_wrong(best):
        raise ConfigurationError(
            f"check: {call.title} runs on inputs of shapes that were found by running it, but its backward pass, which "
            f"goes back in time, does not ({best.error}). Pass inputs that it takes: check(layer, inputs)."
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


def _loss_beside(reading: Reading) -> str:
    """A loss that forward returns behind its outputs, and that has no upstream gradient."""
    plan = reading.plan
    if plan.kind != "layer" or not plan.call.functions or reading.error is not None:
        return ""
    names = returned_names(plan.call.of(plan.call.value, plan.call.item))
    return next((n for i, n in enumerate(names) if i and i not in plan.outputs and _LOSS.search(n)), "")


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
        raised = idle = 0
        raising: set[Any] = set()  # shapes of what a network takes on which its backward pass only raises
        for draft in drafts(call, inputs, targets):
            shapes = [*map(np.shape, draft.values.values()), np.shape(draft.like_target)]
            if tuple(shapes[:-1]) in raising:
                continue
            ranks = tuple(tuple(size == 1 for size in shape) for shape in shapes)
            seen.update((ranks, ranks[:-1]))
            if best is not None and (seen[ranks] > (1 if best.coherent else _ALIKE) or seen[ranks[:-1]] > 2 * _ALIKE):
                continue
            call = call._replace(item=made_by(call, draft))
            errors = []
            for reading in itertools.islice(readings_of(call, draft, inputs, targets, reduction), each):
                tries += 1
                errors.append(reading.error)
                if best is None or reading.whole or (not best.coherent and reading.score > best.score):
                    best = reading
                elif reading.coherent and _may_have_other_ranks(best) and reading.fitting > best.fitting:
                    best = reading if reading.domain == best.domain else best
                if _of_guessed_loss(call) and reading.error is None and not reading.fitting:
                    idle += 1
                    tries = most if idle >= _IDLE else tries
                if reading.whole or tries >= most or is_over():
                    break
            if _of_guessed_loss(call) and errors and None not in errors:
                raising.add(tuple(shapes[:-1]))
                tries -= len(errors)
            if errors and None not in errors and (raised := raised + 1) < _RAISING:
                seen.subtract((ranks, ranks[:-1]))  # other sizes may be meant
            settled = best is not None and best.coherent and not _may_have_other_ranks(best)
            if is_over() or (best is not None and (best.whole or settled or tries >= most)):
                break  # what fits no better elsewhere must not be helped by inputs on which a mistake does not show
        if is_over() or (best is not None and best.coherent):
            break
    return call, best


def _of_guessed_loss(call: Passes) -> bool:
    return isinstance(call.value, WithCost) and not isinstance(call.value.cost, str)


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
    twin, without = without_penalty(call.item)
    classes = indexes_with(source_of(call.of(call.gradient, call.item)), target)
    losses = usual_losses(whole_source(call), classes)

    def found_with(loss: Any, item: Any, left: tuple[str, ...]) -> Reading | None:
        value = WithCost(call.value, loss, target, output, left)
        with contextlib.suppress(ConfigurationError):
            return _best(call._replace(value=value, item=item), inputs, None, reduction, ((_FEW, _FEWEST),))[1]
        return None

    for item, left in ((call.item, ()), (twin, without))[: 1 + bool(without)]:
        for loss in losses if mostly is None else ():
            found = found_with(loss, item, left)
            if found is not None and without and not left and not found.whole and _tells(found, output):
                other = found_with(loss, twin, without)
                found = other if other is not None and other.fitting > found.fitting else found
            if found is not None and found.whole:
                return found
            if found is not None and found.coherent and (mostly is None or found.fitting > mostly.fitting):
                mostly = found if _tells(found, output) else mostly  # perhaps the last layer's alone are right
    return mostly


def _inputs_were_guessed_wrong(best: Reading) -> bool:
    """Whether a backward pass through time adds up arrays that do not fit: as with other inputs than are meant."""
    call = best.plan.call
    says = str(best.error)
    misfits = "non-broadcastable output operand" in says or "setting an array element with a sequence" in says
    if not (best.draft.guessed and isinstance(best.error, ValueError) and misfits):
        return False
    return BACK_IN_TIME.search(source_of(call.of(call.gradient, call.item))) is not None


def _is_of_its_loss(reading: Reading) -> bool:
    """Whether a step is so near to the gradient of the loss that is written that it must be meant for it."""
    value = reading.plan.call.value
    told = isinstance(value, str) or (isinstance(value, RoundLoss) and value.of_one_step)
    return _tells(reading, "") or (told and reading.proportional)


def _tells(reading: Reading, output: str) -> bool:
    """Whether so many gradients are those of a loss that is guessed that it must be the one."""
    half = 2 * reading.fitting >= reading.matched
    several = reading.fitting > 1 or isinstance(reading.plan.call.gradient, Round)
    return bool(reading.fitting) and ((half and several) or bool(output))


def _loss_wanted(call: Passes) -> str:
    return target_of(call.of(call.value, call.item), call.of(call.gradient, call.item))


def _may_have_other_ranks(reading: Reading) -> bool:
    """Whether a loss of weights and data, all of them guessed, may be meant for a vector of weights."""
    weights = [key for key in reading.draft.values if role_of(leaf(key)) == "weights"]
    return bool(weights and reading.draft.guessed and reading.plan.kind == "loss") and len(reading.draft.values) > 1
