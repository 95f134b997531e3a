"""The book's layers and activations: the library's pairs with the book's arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import layers
from ..layer import Layer
from ..penalties import L1, L2, Penalty
from .world import binomial, current, randn

__all__ = [
    "Activation_Linear",
    "Activation_ReLU",
    "Activation_Sigmoid",
    "Activation_Softmax",
    "Layer_Dense",
    "Layer_Dropout",
    "Layer_Input",
    "penalties_of",
]


class _BookLayer(Layer):
    @property
    def xp(self) -> Any:
        return current.xp

    def predictions(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """The predictions that the outputs stand for: the outputs themselves."""
        return outputs


class _BookL1(L1):
    def pure_backward(self, xp, dvalues, parameter):  # the book takes the derivative of |w| at 0 to be 1
        return dict(dparameter=dvalues * self.rate * xp.where(parameter < 0, -1, 1))


def penalties_of(layer: Any) -> Iterator[tuple[str, Penalty]]:
    """The penalties that a layer's attributes `weight_regularizer_l1`, ... ask for, and the arrays that they are on."""
    for name, prefix in (("weights", "weight"), ("biases", "bias")):
        for kind, suffix in ((_BookL1, "l1"), (L2, "l2")):
            rate = getattr(layer, f"{prefix}_regularizer_{suffix}", 0)
            if rate:
                yield name, kind(rate)


class Layer_Dense(_BookLayer, layers.Dense):
    """`Dense` with weights 0.01 · normal from the book's random stream; backward includes the regularization.

    The book's chapter 17 has 0.1 and the video series 0.10 in the place of 0.01: `Layer_Dense.weight_scale = 0.10` is
    that line, for every layer made after it.

    >>> from chainrule.book import *
    >>> init()
    >>> Layer_Dense(1, 2).weights
    array([[0.01764052, 0.00400157]], dtype=float32)
    """

    weight_scale: ClassVar[float] = 0.01
    weight_regularizer_l1: float = 0
    weight_regularizer_l2: float = 0
    bias_regularizer_l1: float = 0
    bias_regularizer_l2: float = 0

    def __init__(
        self,
        n_inputs: int,
        n_neurons: int,
        weight_regularizer_l1: float = 0,
        weight_regularizer_l2: float = 0,
        bias_regularizer_l1: float = 0,
        bias_regularizer_l2: float = 0,
    ) -> None:
        self.weight_regularizer_l1 = weight_regularizer_l1
        self.weight_regularizer_l2 = weight_regularizer_l2
        self.bias_regularizer_l1 = bias_regularizer_l1
        self.bias_regularizer_l2 = bias_regularizer_l2
        super().__init__(n_inputs, n_neurons)
        self.weights = self.weight_scale * randn(n_inputs, n_neurons)  # (I,N)
        self.biases = np.zeros((1, n_neurons), dtype=current.dtype)  # (1,N)

    def backward(self, dvalues: NDArray[Any]) -> NDArray[Any]:
        """Set `.dweights`, `.dbiases` and `.dinputs`, including the gradients of the penalties."""
        super().backward(dvalues)
        for name, penalty in penalties_of(self):
            gradient = penalty.pure_backward(self.xp, 1, getattr(self, name))["dparameter"]
            setattr(self, f"d{name}", getattr(self, f"d{name}") + gradient)
        return self.dinputs  # type: ignore[no-any-return]

    def penalty_terms(self) -> dict[str, tuple[Penalty, ...]]:
        """The penalties on each parameter, by name, as the attributes say now."""
        terms: dict[str, tuple[Penalty, ...]] = {}
        for name, penalty in penalties_of(self):
            terms[name] = (*terms.get(name, ()), penalty)
        return terms

    def hold(self, name: str, value: Any) -> None:
        """Take over weights or biases; in a subclass whose `__init__` only sets them, the sizes too."""
        if name == "weights" and "n_inputs" not in vars(self):
            self.n_inputs, self.n_neurons = np.shape(value)
        if "n_inputs" in vars(self):
            super().hold(name, value)
        else:
            vars(self)[name] = value

    def get_parameters(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Weights and biases."""
        return self.weights, self.biases

    def set_parameters(self, weights: NDArray[Any], biases: NDArray[Any]) -> None:
        """Replace weights and biases."""
        self.weights, self.biases = weights, biases


class Layer_Dropout(_BookLayer, layers.Dropout):
    """Dropout with the book's mask: binomial numbers from its random stream, divided by the keep rate.

    >>> from chainrule.book import *
    >>> init()
    >>> layer = Layer_Dropout(0.5)
    >>> layer.forward(np.array([[1.0, 2.0, 3.0, 4.0]]), training=True)
    array([[2., 4., 6., 8.]])
    """

    def forward(self, inputs: NDArray[Any], training: bool = True) -> NDArray[Any]:
        """The inputs times `.binary_mask`; in inference the inputs themselves."""
        kept = 1 - self.rate
        self.inputs, self.training = inputs, training
        self.binary_mask = binomial(kept, inputs.shape) / kept if training else None
        self.output: NDArray[Any] = inputs * self.binary_mask if training else inputs.copy()
        return self.output

    def backward(self, dvalues: NDArray[Any]) -> NDArray[Any]:
        """Set `.dinputs`: the gradient times the same mask."""
        self.dinputs: NDArray[Any] = dvalues * self.binary_mask if self.training else dvalues.copy()
        return self.dinputs


class Layer_Input(_BookLayer, layers.Linear):
    """The data, as the first layer of a `Model`."""


class Activation_ReLU(_BookLayer, layers.ReLU):
    """`ReLU`.

    >>> from chainrule.book import *
    >>> layer = Activation_ReLU()
    >>> layer.forward(np.array([[1, -2]])), layer.backward(np.array([[5, 6]]))
    (array([[1, 0]]), array([[5, 0]]))
    """


class Activation_Softmax(_BookLayer, layers.Softmax):
    """`Softmax` with the book's backward pass: for each sample its Jacobian times its gradient.

    >>> from chainrule.book import *
    >>> init(dot_precision_workaround=False)
    >>> layer = Activation_Softmax()
    >>> layer.output = np.array([[0.7, 0.1, 0.2]])
    >>> layer.backward(np.array([[1.0, 0.0, 0.0]]))
    array([[ 0.21, -0.07, -0.14]])
    """

    def pure_backward(self, xp, dvalues, output):  # output = exp(inputs) / sum(exp(inputs))
        dinputs = np.empty_like(dvalues)  # (B,C)
        for index, (single_output, single_dvalues) in enumerate(zip(output, dvalues, strict=True)):
            column = single_output.reshape(-1, 1)  # (C,1)
            jacobian = np.diagflat(column) - xp.matmul(column, column.T)  # (C,C)
            dinputs[index] = xp.matmul(jacobian, single_dvalues)  # (C,C)(C,) -> (C,)
        return dict(dinputs=dinputs)

    def predictions(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """The class with the largest output."""
        return np.asarray(np.argmax(outputs, axis=1))


class Activation_Sigmoid(_BookLayer, layers.Sigmoid):
    """`Sigmoid`.

    >>> from chainrule.book import *
    >>> Activation_Sigmoid().forward(np.array([[0.0]]))
    array([[0.5]])
    """

    def pure_forward(self, xp, inputs):
        return 1 / (1 + xp.exp(-inputs))  # ... -> ..., the book's form

    def predictions(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """1 where the output is above one half, else 0."""
        return (outputs > 0.5) * 1


class Activation_Linear(_BookLayer, layers.Linear):
    """The identity.

    >>> from chainrule.book import *
    >>> Activation_Linear().forward(np.array([[2.0]]))
    array([[2.]])
    """
