"""Whether a network fits what trains it: a loss that reads what it gives, and batches that it can learn from.

A layer declares what it `gives` and a loss what it `takes`, in the same words. Where a layer of a user's own declares
nothing, its first output is looked at before the first step.

    "scores"                      numbers of any size
    "probabilities"               rows of one class out of C, at least 0 and adding up to 1
    "independent probabilities"   O answers to yes-or-no questions, each from 0 to 1
    "log probabilities"           logarithms of such rows
    "altered probabilities"       probabilities that dropout or a sum has changed
    "inputs"                      the same as the layer reads
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import ConfigurationError, DataError, DefinitionError
from .graph import Graph
from .layer import KINDS, Context
from .loss import ClassLoss, Loss
from .nodes import INPUTS, parts_of
from .rows import Samples

__all__ = ["require_batches", "require_compatible", "require_fitting_output"]

_SCORES = {
    "probabilities": "it would take the softmax twice. End with the scores before {last}, or use "
    "CategoricalCrossentropy()",
    "independent probabilities": "it would squash them twice. End with the scores before {last}, or use "
    "BinaryCrossentropy() for yes-or-no answers",
    "altered probabilities": "it would squash them twice. Let the network end in a Dense layer, with {last} before it",
}
# What each kind of loss cannot read, why, and what to write.
_REFUSED: dict[str, dict[str, str]] = {
    "probabilities": {
        "scores": "it would call them probabilities. Add Softmax() at the end, or use SoftmaxCrossentropy(), which "
        "reads scores",
        "independent probabilities": "its rows do not add up to 1. Write Softmax() in place of {last}, or use "
        "BinaryCrossentropy() for yes-or-no answers",
        "log probabilities": "it would take the logarithm twice. Write Softmax() in place of {last}, or use "
        "SoftmaxCrossentropy(), which reads these too",
        "altered probabilities": "its rows do not add up to 1. Put {last} before the last Dense layer, and "
        "Softmax() at the end",
    },
    "independent probabilities": {
        "scores": "it would call them probabilities. Add Sigmoid() at the end, or use SigmoidCrossentropy(), which "
        "reads scores",
        "log probabilities": "they are below 0. Write Sigmoid() in place of {last}, or use SoftmaxCrossentropy() for "
        "one class out of several",
        "altered probabilities": "they may be above 1. Put {last} before the last Dense layer, and Sigmoid() at "
        "the end",
    },
    "scores": _SCORES,
    "independent scores": _SCORES
    | {
        "probabilities": "it would squash them twice. End with the scores before {last}, or use "
        "CategoricalCrossentropy() for one class out of several",
        "log probabilities": "they are no scores of yes-or-no answers. End with the scores before {last}, or use "
        "SoftmaxCrossentropy() for one class out of several",
    },
}
_READS = {"scores": "raw scores", "independent scores": "raw scores"}
_GIVES = {"scores": "numbers of any size", "altered probabilities": "probabilities that {last} has changed"}
_DECLARE = "; if these are scores all the same, declare it in the layer's class: gives = 'scores'"
_PROBABILITIES = ("probabilities", "independent probabilities")
_ROUNDING = 1e-4  # how far a row of probabilities may be from 1


def require_compatible(network: Graph, loss: Loss) -> None:
    """That the loss can read what the network's last layer declares.

    Raises `ConfigurationError` with what to write, `DefinitionError` for a word that is not in the list above.

    >>> from chainrule import CategoricalCrossentropy, Dense, Sequential
    >>> require_compatible(Sequential(Dense(2, 3)), CategoricalCrossentropy())
    Traceback (most recent call last):
    chainrule.errors.ConfigurationError: CategoricalCrossentropy reads probabilities, and the network's output (dense_0,
    Dense) is numbers of any size: it would call them probabilities. Add Softmax() at the end, or use
    SoftmaxCrossentropy(), which reads scores.
    """
    kind = network.output_kind(None)
    last = _last(network, kind)
    if kind is not None and kind not in KINDS:
        raise DefinitionError(f"{last}: gives must be one of {', '.join(map(repr, KINDS))}, not {kind!r}.")
    if loss.takes is None:
        return
    if loss.takes not in _REFUSED:
        known = ", ".join(map(repr, _REFUSED))
        raise DefinitionError(f"{loss.name}: takes must be one of {known}, not {loss.takes!r}.")
    if kind in _REFUSED[loss.takes]:
        raise ConfigurationError(_sentence(loss, last, _GIVES.get(kind, kind), _REFUSED[loss.takes][kind]))
    if loss.takes == "scores" and isinstance(loss, ClassLoss) and _width(network) == 1:
        raise ConfigurationError(
            f"{loss.name}: the network's output ({last}) is one column, whose softmax is always 1. Write "
            "SigmoidCrossentropy() for yes or no, or give the last Dense layer 2 neurons."
        )
    if kind == "probabilities" and _width(network) == 1:
        raise ConfigurationError(
            f"{loss.name}: the network's output ({last}) is one column, whose softmax is always 1. Write Sigmoid() "
            "with BinaryCrossentropy(), or give the last Dense layer 2 neurons."
        )


def require_fitting_output(network: Graph, loss: Loss, X: Samples) -> None:
    """The same by what the network gives for the first samples of X, for layers that declare nothing.

    Raises `DataError` with what was found, and what to write or to declare.
    """
    unsure = network.derived(("unsure", type(loss), loss.takes), lambda: _is_unsure(network, loss))
    if loss.takes is None or not len(X) or not unsure:
        return
    with np.errstate(all="ignore"):
        output = network.forward_pass(np, X[:256], network.values(), Context(training=False))[0]
    found = _judge(loss.takes, output)
    if found is not None:
        last = _last(network, None)
        why = _REFUSED[loss.takes][found.kind].format(last=last.node)
        raise DataError(
            f"{loss.name} reads {_READS.get(loss.takes, loss.takes)}, and {found.what} ({last}): {why}{found.or_else}."
        )


def _is_unsure(network: Graph, loss: Loss) -> bool:
    """Whether the layers do not say enough. Raises the errors of `require_compatible`."""
    require_compatible(network, loss)
    return loss.takes in _PROBABILITIES or network.output_kind(None) is None


def require_batches(network: Graph, batch_size: int, samples: int) -> str | None:
    """A line on a last batch that is too small for a layer to learn from; None where all batches are large enough.

    Raises `ConfigurationError` where none is.

    >>> from chainrule import BatchNorm, Dense, Sequential
    >>> require_batches(Sequential(Dense(2, 3), BatchNorm(3)), 32, 33)
    'The last batch of each epoch has 1 sample: BatchNorm takes its running statistics for it, and leaves them.'
    """
    least, size = network.derived("least batch", lambda: network.least_batch), min(batch_size, samples)
    if network.frozen or least == 1:
        return None
    names = _needing(network)
    if size < least:
        here = f"batch_size is {batch_size}" if batch_size < least else f"there are {samples} samples"
        many = "sample has no variance" if size == 1 else "samples are too few"
        raise ConfigurationError(
            f"{names} needs batches of {least} samples or more to learn from, and {here}: {size} {many}. Write a "
            f"batch_size of {least} or more (32 is usual), or LayerNorm, which looks at each sample by itself."
        )
    left = samples % size
    if not 0 < left < least:
        return None
    count = f"{left} sample" if left == 1 else f"{left} samples"
    return f"The last batch of each epoch has {count}: {names} takes its running statistics for it, and leaves them."


def _needing(network: Graph) -> str:
    """The types of the layers that need more than one sample."""
    kinds = [type(leaf.layer).__name__ for leaf in network.flat if not leaf.frozen and leaf.layer.least_batch > 1]
    return ", ".join(dict.fromkeys(kinds))


class _Last(NamedTuple):
    node: str
    kind: str

    def __str__(self) -> str:
        return f"{self.node}, {self.kind}" if self.node else self.kind


class _Found(NamedTuple):
    kind: str
    what: str
    or_else: str = ""


def _judge(takes: str, output: NDArray[Any]) -> _Found | None:
    """What is wrong with the output (B, C) of a layer that declares nothing; NaN is left to the first step."""
    if not np.isfinite(output).all():
        return None
    rows, low, high = output.sum(axis=-1), output.min(), output.max()
    between = low >= -_ROUNDING and high <= 1 + _ROUNDING
    whole = between and bool((np.abs(rows - 1) <= _ROUNDING).all())
    if takes in _PROBABILITIES and not between:
        return _Found("scores", f"the network's first output has numbers from {low:.4g} to {high:.4g}")
    if takes == "probabilities" and not whole:
        row = int(np.argmax(np.abs(rows - 1)))
        what = f"row {row} of the network's first output adds up to {rows[row]:.4g}"
        return _Found("independent probabilities", what)
    if takes == "scores" and whole and output.shape[-1] > 1:
        return _Found("probabilities", "every row of the network's first output adds up to 1", _DECLARE)
    return None


def _sentence(loss: Loss, last: _Last, gives: str, why: str) -> str:
    reads, node = _READS.get(str(loss.takes), loss.takes), last.node
    gives, why = gives.format(last=node), why.format(last=node)
    return f"{loss.name} reads {reads}, and the network's output ({last}) is {gives}: {why}."


def _last(network: Graph, kind: str | None) -> _Last:
    """The layer that made the output what it is: its dotted name, and its type."""
    flat = network.flat
    leaf = flat[next(name for _, name in parts_of(flat.output))]
    while leaf.layer.gives == "inputs" and kind != "altered probabilities" and leaf.sources[0] != INPUTS:
        leaf = flat[leaf.sources[0]]
    return _Last(leaf.name, type(leaf.layer).__name__)


def _width(network: Graph) -> int | None:
    shape = network.input_shape()
    return None if shape is None else int(network.output_shape(shape)[-1])
