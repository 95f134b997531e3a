"""Everything that can be checked, each behind the same `Subject`: what a gradient is compared for, and how it runs."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConfigurationError
from ...graph import Graph
from ...layer import Layer
from ...loss import Loss
from ...model import Model
from ...penalties import Penalty
from .base import (
    NATIVE,
    Brought,
    Group,
    Instance,
    Point,
    Style,
    Subject,
    batch_of,
    fresh_targets,
    groups_of,
    samples_axis,
    sizes_of,
)
from .native import graph_subjects, layer_subject, loss_subject, model_subjects, penalty_subject

if TYPE_CHECKING:
    from .plans import Passes

__all__ = [
    "NATIVE",
    "Group",
    "Instance",
    "Point",
    "Style",
    "Subject",
    "batch_of",
    "checkable",
    "fresh_targets",
    "groups_of",
    "samples_axis",
    "sizes_of",
    "subjects_of",
]


def subjects_of(
    item: Any,
    inputs: Any = None,
    targets: Any = None,
    *,
    arguments: tuple[Any, ...] = (),
    reduction: str = "mean",
    on_purpose: bool | str | None = None,
) -> Iterator[Subject]:
    """What there is to check in an item: one subject, or for a graph or a model one for each node and the whole.

    `on_purpose` says that gradients are not meant to be derivatives; None leaves it to what the item declares.

    Raises `ConfigurationError` for an item that is none of the kinds, and where no inputs can be found.
    """
    for subject in _subjects_of(item, inputs, targets, arguments, reduction):
        declared = subject.on_purpose if on_purpose is None else "" if on_purpose is False else on_purpose
        yield replace(subject, on_purpose="as it was called" if declared is True else declared)


def _varied(
    item: Any, inputs: Any, targets: Any, arguments: tuple[Any, ...], reduction: str, fixed: Mapping[str, Any]
) -> Iterator[Subject]:
    """The item with other values for the settings that have a default; what does not run so is left out."""
    from .varied import varied

    def subjects(other: Any, given: Any, changed: Mapping[str, Any]) -> Iterator[Subject]:
        return _written(other, given, targets, arguments, reduction, changed)

    yield from varied(item, inputs, fixed, subjects)


def _subjects_of(item: Any, inputs: Any, targets: Any, arguments: tuple[Any, ...], reduction: str) -> Iterator[Subject]:
    item, inputs = _in_place(item, inputs)
    if isinstance(item, type) and issubclass(item, Layer | Loss | Penalty):
        from .construct import construct

        item = construct(item, arguments, inputs)
    if isinstance(item, Brought):
        yield from item.subjects(inputs=inputs, targets=targets, arguments=arguments, reduction=reduction)
    elif isinstance(item, Model):
        yield from model_subjects(item, inputs, targets)
    elif isinstance(item, Graph):
        yield from graph_subjects(item, inputs)
    elif isinstance(item, Layer) and not _has_its_own_shell(item):
        yield _declared(layer_subject(item, inputs), item)
    elif isinstance(item, Loss):
        yield _declared(loss_subject(item, inputs, targets), item)
    elif isinstance(item, Penalty):
        yield penalty_subject(item, inputs)
    elif _is_torch(item):
        from .torch import torch_subject

        yield _declared(torch_subject(item, inputs), item)
    else:
        for subject in _written(item, inputs, targets, arguments, reduction):
            settings = item, inputs, targets, arguments, reduction, subject.fixed
            yield replace(subject, variations=functools.partial(_varied, *settings))


def _in_place(item: Any, inputs: Any) -> tuple[Any, Any]:
    """Functions that write into what they are handed as a pair that returns it, with arrays on which they run."""
    from .plans import Passes

    several = isinstance(item, tuple | list) and type(item) in (tuple, list) and len(item) == 2
    pair = (item.value, item.gradient) if isinstance(item, Passes) else tuple(item) if several else ()
    if len(pair) != 2 or inputs is not None or not all(hasattr(each, "__code__") for each in pair):
        return item, inputs
    from .inplace import in_place

    found = in_place(*pair)
    return (item, inputs) if found is None else (found.pair(), found.drawn(np.random.default_rng(0)))


def _declared(subject: Subject, item: Any) -> Subject:
    from .declared import declared_by

    return replace(subject, on_purpose=declared_by(item))


def _written(
    item: Any,
    inputs: Any,
    targets: Any,
    arguments: tuple[Any, ...],
    reduction: str,
    changed: Mapping[str, Any] | None = None,
) -> Iterator[Subject]:
    """What is no kind of ours: functions, objects and classes. The machinery for these is imported when it is used.

    `changed` are values for settings that have a default.
    """
    from ..patience import Deadline, one_search
    from .construct import keeps_data

    first: ConfigurationError | None = None
    broken: list[Subject] = []
    until = Deadline()
    least = 2 if isinstance(item, type) and keeps_data(item) else 0
    for call in _calls(item, arguments, inputs, changed):
        for way in _ways(call):
            try:
                subjects = _by_word(call._replace(way=way), inputs, targets, reduction)
                if not isinstance(item, type) or arguments:
                    yield from subjects
                    return
                with one_search(until):
                    known = list(subjects)
                if not any(subject.broken or subject.fit < least for subject in known):
                    yield from known
                    return
                if not broken or known[0].fit > broken[0].fit:
                    broken = known  # the arguments of its constructor were guessed: others may be meant
            except ConfigurationError as error:
                first = first or error
            if until.over:
                break
    if broken:
        yield from broken
        return
    if first is not None and (boxes := _wants_boxes(item)):
        raise ConfigurationError(boxes) from first
    if first is not None:
        raise first
    operations = _operations(item)
    for each in operations:
        yield from each.subjects(inputs=inputs)
    if operations:
        return
    raise ConfigurationError(
        f"check: {item!r:.80} has no backward pass that can be checked. It can be a layer, loss, penalty, graph or "
        "model of this library; an object or class with forward(inputs) and backward(dvalues), or a value and a "
        "gradient under other names; a loss with forward(y_pred, y_true) and backward(dvalues, y_true); a pair of "
        "functions (forward, backward); a function that returns a loss and its gradients; a torch.nn.Module or "
        "torch.autograd.Function."
    )


def _ways(call: Passes) -> list[str]:
    """How the passes of a call may want to be handed arrays."""
    from .calls import whole_source
    from .handing import ways_of

    value = call.of(call.value, call.item)
    return list(ways_of(value, whole_source(call), call.item is None))


def _wants_boxes(item: Any) -> str:
    """What to say of a class whose inputs must be objects with their own `.data` and `.grad`; "" of any other."""
    from .calls import whole_source
    from .plans import Passes

    if not isinstance(item, type):
        return ""
    source = whole_source(Passes(item.__name__, item, "", None))
    if not re.search(r"\w\.data\b", source) or not re.search(
        r"[\w\]]\.grad *\+?= ", re.sub(r"self\.grad\b", "", source)
    ):
        return ""
    return (
        f"check: {item.__name__} takes objects that hold .data and .grad, to which its backward pass adds, and check "
        "hands over arrays. Write a pair of functions of arrays around it, forward(x) and backward(dout), which make "
        "such objects of x and return their .grad: check((forward, backward))."
    )


def _operations(item: Any) -> list[Any]:
    """The operations of a class of boxes that record what is done with them."""
    from .tape import operations_of

    return list(operations_of(item)) if isinstance(item, type) else []


def _by_word(call: Passes, inputs: Any, targets: Any, reduction: str) -> Iterator[Subject]:
    """The subject of a call; where it asks for a word, as in `if activation == "relu":`, one for each of the words."""
    from .sources import words_for
    from .written import written_subject

    call = _with_what_belongs_to_it(call)
    words = words_for(call.of(call.value, call.item)) if inputs is None or isinstance(inputs, dict) else {}
    asked = [name for name in words if name not in {**(inputs or {}), **dict(call.words)}]
    if not asked:
        yield written_subject(call, inputs, targets, reduction=reduction)
        return
    first, *others = asked
    for word in words[first]:
        one = call._replace(words=(*call.words, (first, word), *((other, words[other][0]) for other in others)))
        subject = written_subject(one, inputs, targets, reduction=reduction)
        yield replace(subject, title=f"{subject.title} with {first}={word!r}")


def _with_what_belongs_to_it(call: Passes) -> Passes:
    """Functions with the globals of their file that they use, and a forward pass with the loss that backward is of."""
    from .costs import WithCost, cost_among, methods_of, slope_among, target_of
    from .spaces import space_of

    if call.gradient is None or isinstance(call.item, type) or not (call.item is None or isinstance(call.value, str)):
        return call._replace(**_moved(call, space_of([call.value]))) if call.item is None else call
    forward, backward = (call.of(which, call.item) for which in (call.value, call.gradient))
    target = target_of(forward, backward)
    beside = methods_of(call.item, forward) if target else {}
    cost: Any = cost_among(beside, forward.__name__, backward.__name__, target) if target else ""
    cost = cost or (slope_among(beside, target) if target else "")
    named = cost if isinstance(cost, str) or cost is None else cost.slope
    if call.item is None:
        call = call._replace(
            **_moved(call, space_of([forward, backward, *([beside[named]] if named else [])], bool(target)))
        )
    return call._replace(value=WithCost(str(call.value), cost, target)) if cost and call.item is not None else call


def _moved(call: Passes, space: Any) -> dict[str, Any]:
    """What changes where functions are looked up in their space."""
    if space is None:
        return {}
    return {"item": space, "value": call.value.__name__, "gradient": call.gradient and call.gradient.__name__}


def _calls(
    item: Any, arguments: tuple[Any, ...], inputs: Any, changed: Mapping[str, Any] | None = None
) -> Iterator[Passes]:
    from .calls import calls_of, is_loss_with_gradient, is_static, pair_of, returns_backward
    from .construct import constructed
    from .costs import behind_activation
    from .optimized import with_plain_steps
    from .plans import Passes

    if isinstance(item, Passes):
        yield item._replace(words=tuple((changed or {}).items()))
    elif isinstance(item, tuple | list) and len(item) == 2 and all(callable(each) for each in item):
        yield pair_of(item[0], item[1])._replace(words=tuple((changed or {}).items()))
    elif isinstance(item, type):
        calls = list(calls_of(item))
        behind = (behind_activation(item, c.value, c.gradient) for c in calls if isinstance(c.gradient, str))
        if (pair := next(filter(None, behind), None)) is not None:
            yield pair_of(*pair)
        elif any(is_static(item, call) for call in calls):
            yield from (call for call in calls if is_static(item, call))
        elif calls:
            for made in constructed(item, arguments, inputs, changed):
                yield from calls_of(made)
    elif callable(item) and hasattr(item, "__code__"):
        if is_loss_with_gradient(item) or returns_backward(item) or inputs is not None:
            yield pair_of(item)._replace(words=tuple((changed or {}).items()))
    else:
        yield from calls_of(with_plain_steps(item))


def checkable(item: Any) -> bool:
    """Whether `check` takes the item: for finding what a file holds."""
    kinds = (Model, Layer, Loss, Penalty)
    if isinstance(item, kinds) or (isinstance(item, type) and issubclass(item, kinds)):
        return True
    from .calls import is_written
    from .plans import Passes

    return isinstance(item, Passes) or _is_torch(item) or is_written(item)


def _has_its_own_shell(layer: Layer) -> bool:
    """Whether forward or backward is written anew, as in the book's layers: then it is those that run."""
    return type(layer).forward is not Layer.forward or type(layer).backward is not Layer.backward


def _is_torch(item: Any) -> bool:
    """Whether the item is PyTorch's, which is asked only where PyTorch is in use."""
    if "torch" not in sys.modules:
        return False
    from .torch import is_torch

    return is_torch(item)
