"""The book's optimizers: hooks before, for each layer, and after the update."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import optimizers
from ..errors import ConfigurationError
from .learned import learned_names

__all__ = [
    "Optimizer_Adagrad",
    "Optimizer_Adam",
    "Optimizer_RMSprop",
    "Optimizer_SGD",
]


class _BookSGD(optimizers.SGD):
    """Momentum whose velocity includes the learning rate of its step, as in the book."""

    def pure_update(self, xp, step, rate, parameter, gradient, velocity=None):
        if not self.momentum:
            return parameter - rate * gradient, dict()
        velocity = self.momentum * velocity - rate * gradient
        return parameter + velocity, dict(velocity=velocity)


class BookOptimizer:
    """An update rule as the book uses it: before, once per layer, after; the slots are attributes of the layers."""

    rule: optimizers.Optimizer
    learning_rate: float
    decay: float
    slot_names: ClassVar[dict[str, str]] = {"velocity": "momentums", "momentum": "momentums", "cache": "cache"}

    def _start(self, rule: optimizers.Optimizer, learning_rate: float, decay: float) -> None:
        self.rule, self.learning_rate, self.decay = rule, learning_rate, decay
        self.current_learning_rate = learning_rate
        self.iterations = 0

    def pre_update_params(self) -> None:
        """Call once before the updates: computes the decayed learning rate."""
        if self.decay:
            self.current_learning_rate = self.learning_rate * (1.0 / (1.0 + self.decay * self.iterations))

    def update_params(self, layer: Any) -> None:
        """Update everything that a layer learns, from the gradients that its backward pass left.

        Raises `ConfigurationError` where there is nothing to learn, or no gradient.
        """
        names = learned_names(layer)
        if getattr(layer, "frozen", False):
            return
        if not names:
            raise ConfigurationError(f"{type(self).__name__}: {type(layer).__name__} has no weights to update.")
        for name in names:
            parameter, gradient = getattr(layer, name), getattr(layer, f"d{name}", None)
            if gradient is None:
                raise ConfigurationError(
                    f"{type(self).__name__}: {type(layer).__name__} has {name} and no d{name}: call its backward "
                    f"before the update, and let that set self.d{name}, to zeros where {name} shall stay."
                )
            prefix = {"weights": "weight", "biases": "bias"}.get(name, name)
            attributes = {slot: f"{prefix}_{self.slot_names[slot]}" for slot in self.rule.carried()}
            slots = [vars(layer).get(attribute, np.zeros_like(parameter)) for attribute in attributes.values()]
            updated, moved = self.rule.pure_update(
                np, self.iterations, self.current_learning_rate, parameter, gradient, *slots
            )
            setattr(layer, name, updated.astype(parameter.dtype, copy=False))
            for slot, attribute in attributes.items():
                vars(layer)[attribute] = moved[slot]

    def post_update_params(self) -> None:
        """Call once after the updates."""
        self.iterations += 1


class Optimizer_SGD(BookOptimizer):
    """Gradient descent with the book's momentum, velocity ← momentum · velocity - rate · gradient.

    >>> from chainrule.book import *
    >>> layer, optimizer = Layer_Dense(1, 1), Optimizer_SGD(learning_rate=0.5)
    >>> layer.weights, layer.dweights, layer.dbiases = np.array([[1.0]]), np.array([[4.0]]), np.array([[0.0]])
    >>> optimizer.pre_update_params(); optimizer.update_params(layer); optimizer.post_update_params()
    >>> layer.weights
    array([[-1.]])
    """

    def __init__(self, learning_rate: float = 1.0, decay: float = 0.0, momentum: float = 0.0) -> None:
        self.momentum = momentum
        self._start(_BookSGD(learning_rate, momentum=momentum), learning_rate, decay)


class Optimizer_Adagrad(BookOptimizer):
    """`Adagrad` with the book's defaults."""

    def __init__(self, learning_rate: float = 1.0, decay: float = 0.0, epsilon: float = 1e-7) -> None:
        self.epsilon = epsilon
        self._start(optimizers.Adagrad(learning_rate, epsilon=epsilon), learning_rate, decay)


class Optimizer_RMSprop(BookOptimizer):
    """`RMSprop` with the book's defaults."""

    def __init__(
        self, learning_rate: float = 0.001, decay: float = 0.0, epsilon: float = 1e-7, rho: float = 0.9
    ) -> None:
        self.epsilon, self.rho = epsilon, rho
        self._start(optimizers.RMSprop(learning_rate, epsilon=epsilon, rho=rho), learning_rate, decay)


class Optimizer_Adam(BookOptimizer):
    """`Adam` with the book's defaults."""

    def __init__(
        self,
        learning_rate: float = 0.001,
        decay: float = 0.0,
        epsilon: float = 1e-7,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
    ) -> None:
        self.epsilon, self.beta_1, self.beta_2 = epsilon, beta_1, beta_2
        rule = optimizers.Adam(learning_rate, epsilon=epsilon, beta_1=beta_1, beta_2=beta_2)
        self._start(rule, learning_rate, decay)
