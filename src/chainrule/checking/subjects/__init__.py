"""Everything that can be checked, each behind the same `Subject`: what a gradient is compared for, and how it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import ConfigurationError
from ...graph import Graph
from ...layer import Layer
from ...losses import Loss
from ...model import Model
from ...penalties import Penalty
from .base import NATIVE, Instance, Point, Style, Subject, batch_of, fresh_targets
from .book import book_subject, is_book_style
from .functions import function_subject
from .native import graph_subjects, layer_subject, loss_subject, model_subjects, penalty_subject
from .torch import is_torch, torch_subject

__all__ = [
    "NATIVE",
    "Instance",
    "Point",
    "Style",
    "Subject",
    "batch_of",
    "checkable",
    "fresh_targets",
    "subjects_of",
]


def subjects_of(
    item: Any, inputs: Any = None, targets: Any = None, *, arguments: tuple[Any, ...] = (), reduction: str = "mean"
) -> Iterator[Subject]:
    """What there is to check in an item: one subject, or for a graph or a model one for each node and the whole.

    Raises `ConfigurationError` for an item that is none of the kinds, and where no inputs can be found.
    """
    if isinstance(item, type) and issubclass(item, Layer | Loss | Penalty):
        from .construct import construct

        item = construct(item, arguments, inputs)
    if isinstance(item, Model):
        yield from model_subjects(item, inputs, targets)
    elif isinstance(item, Graph):
        yield from graph_subjects(item, inputs)
    elif isinstance(item, Layer) and not _has_its_own_shell(item):
        yield layer_subject(item, inputs)
    elif isinstance(item, Loss):
        yield loss_subject(item, inputs, targets)
    elif isinstance(item, Penalty):
        yield penalty_subject(item, inputs)
    elif is_torch(item):
        yield torch_subject(item, inputs)
    elif isinstance(item, tuple | list) and len(item) == 2 and all(callable(each) for each in item):
        yield function_subject((item[0], item[1]), inputs)
    elif is_book_style(item):
        yield book_subject(item, inputs, targets, arguments=arguments, reduction=reduction)
    else:
        raise ConfigurationError(
            f"check: {item!r} has no backward pass that can be checked. It can be a layer, loss, penalty, graph or "
            "model of this library; an object or class with forward(inputs) and backward(dvalues); a loss with "
            "forward(y_pred, y_true) and backward(dvalues, y_true); a pair of functions (forward, backward); a "
            "torch.nn.Module or torch.autograd.Function."
        )


def checkable(item: Any) -> bool:
    """Whether `check` takes the item: for finding what a file holds."""
    kinds = (Model, Layer, Loss, Penalty)
    if isinstance(item, kinds) or (isinstance(item, type) and issubclass(item, kinds)):
        return True
    return is_torch(item) or is_book_style(item)


def _has_its_own_shell(layer: Layer) -> bool:
    """Whether forward or backward is written anew, as in the book's layers: then it is those that run."""
    return type(layer).forward is not Layer.forward or type(layer).backward is not Layer.backward
