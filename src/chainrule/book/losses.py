"""The book's losses: losses per sample, their mean, running totals and regularization."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import loss, losses
from .layers import Activation_Softmax, penalties_of
from .totals import Totals
from .world import current

__all__ = [
    "Activation_Softmax_Loss_CategoricalCrossentropy",
    "Loss",
    "Loss_BinaryCrossentropy",
    "Loss_CategoricalCrossentropy",
    "Loss_MeanAbsoluteError",
    "Loss_MeanSquaredError",
]


class Loss(Totals):
    """Base of the losses: the batch's loss from the losses per sample, running totals for an epoch, regularization."""

    pair: ClassVar[loss.Loss]

    def __init__(self) -> None:
        self.trainable_layers: list[Any] = []
        self.new_pass()

    def forward(self, y_pred: NDArray[Any], y_true: NDArray[Any]) -> Any:
        """One loss for each sample, (B,)."""
        targets = self._targets(y_pred, y_true)
        return self.pair.forward_pass(current.xp, y_pred, targets)[0]

    def backward(self, dvalues: NDArray[Any], y_true: NDArray[Any]) -> None:
        """Set `.dinputs` = dL/d(predictions) for the batch mean; `dvalues` are the predictions."""
        targets = self._targets(dvalues, y_true)
        available = {"predictions": dvalues, "targets": targets}
        self.dinputs = self.pair.run_backward(current.xp, 1, available)["predictions"] / len(dvalues)

    def calculate(self, output: NDArray[Any], y: NDArray[Any], *, include_regularization: bool = False) -> Any:
        """The mean of the sample losses; with `include_regularization` also returns the regularization loss."""
        sample_losses = self.forward(output, y)
        data_loss = np.mean(sample_losses)
        self.accumulated_sum += np.sum(sample_losses)
        self.accumulated_count += len(sample_losses)
        return (data_loss, self.regularization_loss()) if include_regularization else data_loss

    def calculate_accumulated(self, *, include_regularization: bool = False) -> Any:
        """The mean of all sample losses since `new_pass`."""
        data_loss = self.accumulated_sum / self.accumulated_count
        return (data_loss, self.regularization_loss()) if include_regularization else data_loss

    def remember_trainable_layers(self, trainable_layers: list[Any]) -> None:
        """Set the layers whose penalties `regularization_loss()` adds up."""
        self.trainable_layers = trainable_layers

    def regularization_loss(self, layer: Any = None) -> Any:
        """The penalties of one layer, or of all layers that were set."""
        chosen = self.trainable_layers if layer is None else [layer]
        terms = ((each, name, penalty) for each in chosen for name, penalty in penalties_of(each))
        return sum(penalty.pure_forward(current.xp, getattr(each, name)) for each, name, penalty in terms)

    def _targets(self, y_pred: NDArray[Any], y_true: NDArray[Any]) -> NDArray[Any]:
        y_true = np.asarray(y_true)
        indices = isinstance(self.pair, losses.CategoricalCrossentropy) and y_true.ndim == 1
        dtype = current.dtype if indices else np.result_type(y_true, y_pred)
        return self.pair.prepare(y_true, y_pred.shape, dtype=dtype)[0]


class Loss_CategoricalCrossentropy(Loss):
    """`CategoricalCrossentropy`, clipped in both passes, so that a probability of 0 gives a finite gradient.

    >>> from chainrule.book import *
    >>> loss = Loss_CategoricalCrossentropy()
    >>> loss.backward(np.array([[0.5, 0.0], [0.25, 0.75]]), np.array([0, 0]))
    >>> loss.dinputs
    array([[-1., -0.],
           [-2., -0.]])
    """

    pair = losses.CategoricalCrossentropy()


class Loss_BinaryCrossentropy(Loss):
    """`BinaryCrossentropy`.

    >>> from chainrule.book import *
    >>> float(Loss_BinaryCrossentropy().calculate(np.array([[0.5]]), np.array([[1]])).round(6))
    0.693147
    """

    pair = losses.BinaryCrossentropy()


class Loss_MeanSquaredError(Loss):
    """`MeanSquaredError`.

    >>> from chainrule.book import *
    >>> float(Loss_MeanSquaredError().calculate(np.array([[3.0]]), np.array([[1.0]])))
    4.0
    """

    pair = losses.MeanSquaredError()


class Loss_MeanAbsoluteError(Loss):
    """`MeanAbsoluteError` with the right sign, which the book gets wrong: dL/dp = sign(p - y).

    >>> from chainrule.book import *
    >>> loss = Loss_MeanAbsoluteError()
    >>> loss.backward(np.array([[3.0]]), np.array([[1.0]]))
    >>> loss.dinputs                                            # a larger prediction is a larger loss
    array([[1.]])
    """

    pair = losses.MeanAbsoluteError()


class Activation_Softmax_Loss_CategoricalCrossentropy:
    """Softmax and cross-entropy combined: the gradient with respect to the softmax's inputs is (p - y) / B.

    >>> from chainrule.book import *
    >>> both = Activation_Softmax_Loss_CategoricalCrossentropy()
    >>> both.backward(np.array([[0.75, 0.25]]), np.array([0]))
    >>> both.dinputs
    array([[-0.25,  0.25]])
    """

    def __init__(self) -> None:
        self.activation = Activation_Softmax()
        self.loss = Loss_CategoricalCrossentropy()

    def forward(self, inputs: NDArray[Any], y_true: NDArray[Any]) -> Any:
        """Set `.output` to the probabilities; returns the loss of the batch."""
        self.output = self.activation.forward(inputs)
        return self.loss.calculate(self.output, y_true)

    def backward(self, dvalues: NDArray[Any], y_true: NDArray[Any]) -> None:
        """Set `.dinputs` from the probabilities, which the book passes as `dvalues`."""
        targets = self.loss._targets(dvalues, y_true)
        available = {"probabilities": dvalues, "targets": targets}
        fused = losses.SoftmaxCrossentropy().run_backward(current.xp, 1, available)
        self.dinputs = fused["predictions"] / len(dvalues)
