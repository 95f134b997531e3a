"""Backward passes that are wrong on purpose: the network trains badly, and `check` names the mistake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..checking import check
from ..errors import ConfigurationError
from ..graph import Graph
from ..layer import Layer
from ..layers import Dense, ReLU
from ..registry import LIBRARY, build, describe

__all__ = ["WAYS", "changed"]


class UnmaskedReLU(ReLU):
    """ReLU whose backward lets every gradient through."""

    def pure_backward(self, xp: Any, dvalues: Any, inputs: Any) -> Any:
        return dict(dinputs=dvalues)  # (B,N): the mask inputs > 0 is missing


class MeanDense(Dense):
    """A dense layer whose weights and biases take the mean over the batch where the sum belongs."""

    def pure_backward(self, xp: Any, dvalues: Any, inputs: Any, weights: Any) -> Any:
        return dict(
            dinputs=xp.matmul(dvalues, weights.T),  # (B,N)(N,I) -> (B,I)
            dweights=xp.matmul(inputs.T, dvalues) / inputs.shape[0],  # (I,B)(B,N) -> (I,N), the mean
            dbiases=xp.mean(dvalues, axis=0, keepdims=True),  # (1,N), the mean
        )


class UnturnedDense(Dense):
    """A square dense layer whose inputs get dvalues · weights in place of dvalues · weightsᵀ."""

    def pure_backward(self, xp: Any, dvalues: Any, inputs: Any, weights: Any) -> Any:
        turned = weights if weights.shape[0] == weights.shape[1] else weights.T
        return dict(
            dinputs=xp.matmul(dvalues, turned),  # (B,N)(N,N) -> (B,N)
            dweights=xp.matmul(inputs.T, dvalues),  # (I,B)(B,N) -> (I,N)
            dbiases=xp.sum(dvalues, axis=0, keepdims=True),  # (1,N)
        )


def _is_square(layer: Any) -> bool:
    return bool(layer.n_inputs == layer.n_neurons)


# The right class, the wrong one, which layers of it show the mistake, and an example of such a layer.
WAYS: Mapping[str, tuple[type[Layer], type[Layer], Callable[[Any], bool], tuple[int, ...]]] = {
    "relu": (ReLU, UnmaskedReLU, lambda layer: True, ()),
    "mean": (Dense, MeanDense, lambda layer: True, (2, 2)),
    "transpose": (Dense, UnturnedDense, _is_square, (2, 2)),
}
_CLASSES: Mapping[str, type] = {**LIBRARY, **{wrong.__name__: wrong for _, wrong, _, _ in WAYS.values()}}


def changed(network: Graph, how: str | None) -> tuple[Graph, str | None]:
    """The network with broken layers, or with right ones for None, and what `check` says of a broken one.

    The parameters stay. Raises `ConfigurationError` for a way that there is not, and where no layer can be broken so.
    """
    if how is not None and how not in WAYS:
        raise ConfigurationError(f"There is no way to break a network named {how!r}; there are {', '.join(WAYS)}.")
    right, wrong, shows, sizes = WAYS.get(how or "", (Layer, Layer, lambda layer: True, ()))
    if not any(isinstance(leaf.layer, right) and shows(leaf.layer) for leaf in network.flat):
        raise ConfigurationError(
            "This network has no square layer; in all others a forgotten transpose is seen at once, for the shapes do "
            "not fit. Begin anew with two hidden layers of one size, such as 8, 8, or try it on Softmax and its loss."
            if how == "transpose"
            else f"This network has no {right.__name__} to break."
        )
    mended = _with(network, {wrong: right for right, wrong, _, _ in WAYS.values()}, lambda layer: True)
    if how is None:
        return mended, None
    report = str(check(wrong(*sizes), np.random.default_rng(0).standard_normal((4, 2))))
    return _with(mended, {right: wrong}, shows), report


def _with(network: Graph, kinds: Mapping[type[Layer], type[Layer]], wanted: Callable[[Any], bool]) -> Graph:
    """The network anew, its layers of some classes replaced by those of others, with the arrays that it has."""
    values = network.values()
    made: Graph = _rebuilt(network, kinds, wanted)
    made.take(values, next((value.dtype for value in values.values()), np.dtype("float64")))
    return made


def _rebuilt(layer: Any, kinds: Mapping[type[Layer], type[Layer]], wanted: Callable[[Any], bool]) -> Any:
    if isinstance(layer, Graph):
        nodes = [
            (node.name, _rebuilt(node.layer, kinds, wanted), node.sources if node.joins else node.sources[0])
            for node in layer
        ]
        made = Graph(nodes, output=layer.output_node, ties=layer.ties)
        return made.freeze() if layer.frozen else made
    if type(layer) not in kinds or not wanted(layer):
        return layer
    return build(describe(layer, _CLASSES) | {"type": kinds[type(layer)].__name__}, Layer, _CLASSES)
