"""The learning rate that suits a model, found by a short trial."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np

from ..compatibility import require_batches
from ..errors import ConfigurationError
from .learner import Learner

__all__ = ["LearningRateFinder"]


@dataclass
class LearningRateFinder:
    """Tries growing learning rates on a copy of the model, one step each, and suggests one.

    After `find(model, X, y)`: `rates` and `losses` (smoothed) hold the trial, `suggestion` the rate at which the loss
    falls fastest; the model stays as it is (Smith 2017).

    >>> from chainrule import Dense, Model, ReLU, SoftmaxCrossentropy, datasets
    >>> digits = datasets.load("digits")
    >>> model = Model([Dense(64, 32), ReLU(), Dense(32, 10)], SoftmaxCrossentropy())
    >>> finder = LearningRateFinder()
    >>> 1e-4 < finder.find(model, digits.X_train, digits.y_train) < 1.0
    True
    """

    low: float = 1e-6
    high: float = 10.0
    steps: int = 100
    batch_size: int = 64
    rates: list[float] = field(default_factory=list, init=False, repr=False)
    losses: list[float] = field(default_factory=list, init=False, repr=False)
    suggestion: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in (self.steps, self.batch_size))
        if not (0 < self.low < self.high < math.inf and whole and self.steps >= 10 and self.batch_size >= 1):
            raise ConfigurationError(
                f"LearningRateFinder: needs 0 < low < high, at least 10 steps and a batch_size of at least 1, not "
                f"{self.low!r}, {self.high!r}, {self.steps!r} and {self.batch_size!r}."
            )

    def find(self, model: Learner, X: Any, y: Any) -> float:
        """Run the trial and return the suggestion."""
        from copy import deepcopy
        from dataclasses import replace

        from ..engines.contract import Task
        from .steps import Steps
        from .supply import Whole

        inputs, targets = model.checked(X, y)
        require_batches(model.network, self.batch_size, len(inputs))
        self.rates, self.losses, average = [], [], 0.0
        optimizer = replace(model.optimizer, learning_rate=1.0, groups={})
        run = replace(model.run, network=deepcopy(model.network), optimizer=optimizer)
        run.slots = optimizer.initial_slots(np, run.trained)
        rng = np.random.default_rng(run.seed)
        for trial in range(self.steps):
            run.rate_scale = self.low * (self.high / self.low) ** (trial / (self.steps - 1))
            rows = rng.choice(len(inputs), size=min(self.batch_size, len(inputs)), replace=False)
            data = inputs[rows], targets[rows], None, len(rows)
            steps = Steps(run, Whole(Task.of(run.network, run.loss, optimizer, run.seed, *data)))
            columns = steps.train(run.epoch + 1)
            if steps.failure is not None:
                break
            average = 0.9 * average + 0.1 * float(columns["loss"][0])
            self.rates.append(run.rate_scale)
            self.losses.append(average / (1 - 0.9 ** (trial + 1)))
            if self.losses[-1] > 4 * min(self.losses):
                break
        slopes = np.gradient(self.losses, np.log(self.rates)) if len(self.rates) > 2 else np.zeros(1)
        self.suggestion = self.rates[int(np.argmin(slopes))] if self.rates else self.low
        return self.suggestion

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss against the rate with the suggestion marked; needs matplotlib."""
        from ..plots import plot_learning_rates

        return plot_learning_rates(self, ax=ax)
