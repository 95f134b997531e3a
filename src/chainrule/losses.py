"""Losses: pairs that turn predictions and targets into one loss for each sample.

In every shape comment B = samples, C = classes, O = outputs. What all of them share, the weights of samples and the
reading of targets, is in `loss`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .layer import Array
from .limits import require_number
from .loss import BinaryLoss, ClassLoss, Clipped, Loss
from .special import logistic

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "HalfSquaredError",
    "Huber",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SigmoidCrossentropy",
    "SoftmaxCrossentropy",
]


@dataclass(frozen=True, kw_only=True)
class CategoricalCrossentropy(Clipped, ClassLoss):
    """ℓ_b = -Σ_c y_bc · log p_bc, for predictions that are probabilities; dℓ_b/dp_bc = -y_bc / p_bc.

    Shapes: predictions p (B, C); targets are class indices (B,) or one-hot rows (B, C). Logarithms are natural.
    p is clipped to [clip, 1 - clip] in forward and in backward, so that p = 0 gives a large gradient and never an
    infinite one. It is the gradient of -log at the clipped value: a convention, not the derivative of the clip. Prefer
    `SoftmaxCrossentropy`, which takes logits and needs no clip.

    >>> import numpy as np
    >>> loss = CategoricalCrossentropy()
    >>> p, (y, shares) = np.array([[0.5, 0.25, 0.25]]), loss.prepare([1], (1, 3))
    >>> loss.pure_forward(np, p, y)                             # -log(1/4)
    array([1.38629436])
    >>> loss.pure_backward(np, shares, p, y)["dpredictions"]    # -1 / (1/4)
    array([[-0., -4., -0.]])

    Source: book, chapters 5 and 9.
    """

    takes = "probabilities"

    def pure_forward(self, xp, predictions, targets):
        return -xp.sum(targets * xp.log(self.clipped(xp, predictions)), axis=1)  # (B,C) -> (B,)

    def pure_backward(self, xp, dvalues, predictions, targets):  # losses = -sum(targets * log(predictions))
        return dict(dpredictions=-targets / self.clipped(xp, predictions) * dvalues)  # (B,C) * (B,1) -> (B,C)


class SoftmaxCrossentropy(ClassLoss):
    """Softmax and categorical cross-entropy in one, from logits z: ℓ_b = log Σ_c exp(z_bc) - Σ_c y_bc · z_bc.

    Its gradient is the short one: dℓ_b/dz_bc = p_bc - y_bc, p = softmax(z). Nothing overflows and nothing is clipped.
    Shapes: predictions z (B, C); targets are class indices (B,) or one-hot rows (B, C).

    >>> import numpy as np
    >>> loss = SoftmaxCrossentropy()
    >>> z, (y, shares) = np.log([[0.7, 0.1, 0.2]]), loss.prepare([0], (1, 3))
    >>> losses, kept = loss.forward_pass(np, z, y)
    >>> losses, loss.backward_pass(np, shares, kept)            # -log 0.7; 0.7 - 1, 0.1, 0.2
    (array([0.35667494]), array([[-0.3,  0.1,  0.2]]))

    Source: book, chapter 9.
    """

    takes = "scores"
    keeps = ("probabilities",)

    def pure_forward(self, xp, predictions, targets):
        shifted = predictions - xp.max(predictions, axis=1, keepdims=True)  # (B,C) - (B,1) -> (B,C)
        e = xp.exp(shifted)  # (B,C)
        total = xp.sum(e, axis=1, keepdims=True)  # (B,1)
        losses = xp.sum(targets * (xp.log(total) - shifted), axis=1)  # (B,C) -> (B,)
        return losses, {"probabilities": e / total}  # (B,C)

    def pure_backward(self, xp, dvalues, probabilities, targets):  # losses = -sum(targets * log(softmax(predictions)))
        return dict(dpredictions=(probabilities - targets) * dvalues)  # (B,C) * (B,1) -> (B,C)

    def probabilities(self, xp: Any, predictions: Array) -> Array:
        e = xp.exp(predictions - xp.max(predictions, axis=1, keepdims=True))  # (B,C)
        return e / xp.sum(e, axis=1, keepdims=True)  # (B,C)


@dataclass(frozen=True, kw_only=True)
class BinaryCrossentropy(Clipped, BinaryLoss):
    """ℓ_b = mean over O of -(y·log p + (1 - y)·log(1 - p)); dℓ/dp = -(y/p - (1 - y)/(1 - p)) / O.

    Shapes: predictions p (B, O), probabilities; targets (B, O) from 0 to 1, or (B,) where O is 1. p is clipped as in
    `CategoricalCrossentropy`. Prefer `SigmoidCrossentropy`, which takes logits.

    >>> import numpy as np
    >>> loss = BinaryCrossentropy()
    >>> p, (y, shares) = np.array([[0.25]]), loss.prepare([1], (1, 1))
    >>> loss.pure_forward(np, p, y), loss.pure_backward(np, shares, p, y)["dpredictions"]
    (array([1.38629436]), array([[-4.]]))

    Source: book, chapter 16.
    """

    takes = "independent probabilities"

    def pure_forward(self, xp, predictions, targets):
        p = self.clipped(xp, predictions)  # (B,O)
        return xp.mean(-(targets * xp.log(p) + (1 - targets) * xp.log(1 - p)), axis=-1)  # (B,O) -> (B,)

    def pure_backward(self, xp, dvalues, predictions, targets):  # losses = mean(-(y log p + (1-y) log(1-p)))
        p = self.clipped(xp, predictions)  # (B,O)
        local = -(targets / p - (1 - targets) / (1 - p)) / predictions.shape[-1]  # (B,O)
        return dict(dpredictions=local * dvalues)  # (B,O) * (B,1) -> (B,O)


class SigmoidCrossentropy(BinaryLoss):
    """Sigmoid and binary cross-entropy in one, from logits z: mean over O of log(1 + exp(z)) - y·z.

    Its gradient is (σ(z) - y) / O. Shapes: predictions z (B, O); targets (B, O) from 0 to 1, or (B,) where O is 1.

    >>> import numpy as np
    >>> loss = SigmoidCrossentropy()
    >>> z, (y, shares) = np.array([[0.0]]), loss.prepare([1], (1, 1))
    >>> loss.pure_forward(np, z, y), loss.pure_backward(np, shares, z, y)["dpredictions"]
    (array([0.69314718]), array([[-0.5]]))
    """

    takes = "independent scores"

    def pure_forward(self, xp, predictions, targets):
        above = xp.where(predictions > 0, predictions, 0)  # (B,O)
        small = xp.exp(xp.where(predictions > 0, -predictions, predictions))  # (B,O), exp(-|z|)
        return xp.mean(above - predictions * targets + xp.log1p(small), axis=-1)  # (B,O) -> (B,)

    def pure_backward(self, xp, dvalues, predictions, targets):  # losses = mean(log(1 + exp(z)) - targets * z)
        local = (logistic(xp, predictions) - targets) / predictions.shape[-1]  # (B,O)
        return dict(dpredictions=local * dvalues)  # (B,O) * (B,1) -> (B,O)

    def probabilities(self, xp: Any, predictions: Array) -> Array:
        return logistic(xp, predictions)  # (B,O)


class MeanSquaredError(Loss):
    """ℓ_b = mean over O of (y - p)²; dℓ/dp = 2·(p - y) / O. Shapes: predictions (B, O), targets (B, O) or (B,).

    >>> import numpy as np
    >>> loss = MeanSquaredError()
    >>> p, (y, shares) = np.array([[3.0, 1.0]]), loss.prepare([[1.0, 1.0]], (1, 2))
    >>> loss.pure_forward(np, p, y), loss.pure_backward(np, shares, p, y)["dpredictions"]
    (array([2.]), array([[2., 0.]]))

    Source: book, chapter 17.
    """

    def pure_forward(self, xp, predictions, targets):
        return xp.mean((targets - predictions) * (targets - predictions), axis=-1)  # (B,O) -> (B,)

    def pure_backward(self, xp, dvalues, predictions, targets):  # losses = mean((targets - predictions)**2)
        return dict(dpredictions=2 * (predictions - targets) / predictions.shape[-1] * dvalues)  # (B,O)


class HalfSquaredError(Loss):
    """ℓ_b = ½ Σ_o (y - p)², the squared error of textbooks: a sum over the outputs, halved; dℓ/dp = p - y.

    It is O/2 times `MeanSquaredError`. Of many samples it is the mean, as with every loss; a textbook that adds them up
    instead has `HalfSquaredError(reduction="sum")`. Shapes: predictions (B, O), targets (B, O) or (B,).

    >>> import numpy as np
    >>> loss = HalfSquaredError()
    >>> p, (y, shares) = np.array([[3.0, 1.0]]), loss.prepare([[1.0, 2.0]], (1, 2))
    >>> loss.pure_forward(np, p, y), loss.pure_backward(np, shares, p, y)["dpredictions"]   # (4 + 1) / 2
    (array([2.5]), array([[ 2., -1.]]))

    Source: Rumelhart, Hinton and Williams 1986.
    """

    def pure_forward(self, xp, predictions, targets):
        return 0.5 * xp.sum((targets - predictions) * (targets - predictions), axis=-1)  # (B,O) -> (B,)

    def pure_backward(self, xp, dvalues, predictions, targets):  # losses = sum((targets - predictions)**2) / 2
        return dict(dpredictions=(predictions - targets) * dvalues)  # (B,O) * (B,1) -> (B,O)


class MeanAbsoluteError(Loss):
    """ℓ_b = mean over O of |y - p|; dℓ/dp = sign(p - y) / O, 0 where p = y.

    The book's class has sign(y - p), the gradient of the opposite function: with it a network runs away from its
    targets. Shapes: predictions (B, O), targets (B, O) or (B,).

    >>> import numpy as np
    >>> loss = MeanAbsoluteError()
    >>> p, (y, shares) = np.array([[3.0, 1.0]]), loss.prepare([[1.0, 5.0]], (1, 2))
    >>> loss.pure_forward(np, p, y), loss.pure_backward(np, shares, p, y)["dpredictions"]
    (array([3.]), array([[ 0.5, -0.5]]))

    Source: book, chapter 17, with the sign mended.
    """

    def pure_forward(self, xp, predictions, targets):
        return xp.mean(xp.abs(targets - predictions), axis=-1)  # (B,O) -> (B,)

    def pure_backward(self, xp, dvalues, predictions, targets):  # losses = mean(abs(targets - predictions))
        return dict(dpredictions=xp.sign(predictions - targets) / predictions.shape[-1] * dvalues)  # (B,O)


@dataclass(frozen=True, kw_only=True)
class Huber(Loss):
    """Squared near the target, linear far from it: with e = p - y, the mean over O of e²/2 or delta·(|e| - delta/2).

    The change is at |e| = delta; dℓ/dp = e clipped to [-delta, delta], divided by O. Shapes as `MeanSquaredError`.

    >>> import numpy as np
    >>> loss = Huber()
    >>> p, (y, shares) = np.array([[0.5, 3.0]]), loss.prepare([[0.0, 0.0]], (1, 2))
    >>> loss.pure_forward(np, p, y), loss.pure_backward(np, shares, p, y)["dpredictions"]   # (1/8 + 5/2) / 2
    (array([1.3125]), array([[0.25, 0.5 ]]))

    Source: Huber 1964.
    """

    letters: ClassVar[Mapping[str, str]] = {"delta": "d"}

    delta: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number(self, "delta", above=0)

    def pure_forward(self, xp, predictions, targets):
        e = predictions - targets  # (B,O)
        size = xp.abs(e)  # (B,O)
        far = self.delta * (size - 0.5 * self.delta)  # (B,O)
        return xp.mean(xp.where(size > self.delta, far, 0.5 * e * e), axis=-1)  # (B,O) -> (B,)

    def pure_backward(self, xp, dvalues, predictions, targets):  # losses = mean(e*e/2 or delta*(|e| - delta/2))
        e = predictions - targets  # (B,O)
        e = xp.where(e > self.delta, self.delta, xp.where(e < -self.delta, -self.delta, e))  # (B,O)
        return dict(dpredictions=e / predictions.shape[-1] * dvalues)  # (B,O)
