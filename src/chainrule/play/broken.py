"""Backward passes that are wrong on purpose: the network trains badly, and `check` names the mistake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..checking import check
from ..errors import ConfigurationError
from ..layer import Layer
from ..layers import Dense, ReLU
from ..model import Model

__all__ = ["WAYS", "change"]


class UnmaskedReLU(ReLU):
    """ReLU whose backward lets every gradient through."""

    def pure_backward(self, xp: Any, dvalues: Any, inputs: Any) -> Any:
        return dict(dinputs=dvalues)  # (B,N): the mask inputs > 0 is missing


class MeanDense(Dense):
    """A dense layer whose bias takes the mean over the batch where the sum belongs."""

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


WAYS: Mapping[str, tuple[str, type[Layer], type[Layer]]] = {
    "relu": ("Take ReLU's mask away", ReLU, UnmaskedReLU),
    "mean": ("Mean for sum in the dense layers", Dense, MeanDense),
    "transpose": ("Forget the transpose in square layers", Dense, UnturnedDense),
}


def change(model: Model, how: str | None) -> str | None:
    """Break the layers of a model, or mend them with None; returns what `check` says of the first broken layer.

    Raises `ConfigurationError` for a way that there is not, and where no layer can be broken so.
    """
    for leaf in model.network.flat:
        for _, right, wrong in WAYS.values():
            if isinstance(leaf.layer, wrong):
                leaf.layer.__class__ = right
    if how is None:
        return None
    if how not in WAYS:
        raise ConfigurationError(f"There is no way to break a network named {how!r}; there are {', '.join(WAYS)}.")
    _, right, wrong = WAYS[how]
    layers = [leaf.layer for leaf in model.network.flat if _fits(leaf.layer, how, right)]
    if not layers:
        raise ConfigurationError(
            "This network has no square layer, where a forgotten transpose would not be seen at once; "
            "choose two hidden layers of one size."
            if how == "transpose"
            else f"This network has no {right.__name__} to break."
        )
    for layer in layers:
        layer.__class__ = wrong
    example: Layer = Dense(2, 2) if right is Dense else ReLU()
    example.__class__ = wrong
    return str(check(example, np.random.default_rng(0).standard_normal((4, 2))))


def _fits(layer: Any, how: str, right: type[Layer]) -> bool:
    return type(layer) is right and (how != "transpose" or layer.n_inputs == layer.n_neurons)
