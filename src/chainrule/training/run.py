"""A training run as it stands, from which the next step follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph
from ..layer import Arrays
from ..loss import Loss
from ..metrics.naming import Metric
from ..optimizers import Optimizer
from ..schedules import rate_at

__all__ = ["Run"]


@dataclass
class Run:
    """A training run as it stands: what the next step needs, and nothing else. The network holds the parameters."""

    network: Graph
    loss: Loss
    optimizer: Optimizer
    slots: Arrays
    seed: int
    step: int = 0
    epoch: int = 0
    rate_scale: float = 1.0  # what callbacks multiply the learning rate by
    engine: str = "auto"  # what carries out the steps; a name once it is chosen
    metrics: tuple[Metric, ...] = ()  # what is measured beside the loss and its own metric

    @property
    def values(self) -> Arrays:
        """Parameters and state as the network holds them now, by dotted name; assign to replace all of them."""
        return self.network.values()

    @values.setter
    def values(self, values: Arrays) -> None:
        self.network.put(values)

    @property
    def trained(self) -> Arrays:
        """The parameters that the optimizer updates."""
        values = self.values
        return {name: values[name] for name in self.network.trainable_names()}

    def rates(self) -> dict[str, float]:
        """The learning rate of every trainable parameter at this step."""
        return dict(zip(self.network.trainable_names(), self.rate_table(1)[0].tolist(), strict=True))

    def learning_rates(self, steps: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float64]:
        """The learning rate at some steps, for parameters without a group of their own."""
        rate = self.optimizer.rate
        if callable(self.optimizer.learning_rate):
            return np.array([rate(int(step)) * self.rate_scale for step in steps])
        return np.full(len(steps), rate(0) * self.rate_scale)

    def rate_table(self, steps: int) -> NDArray[np.float64]:
        """The learning rate of every trainable parameter at each of the next `steps` steps, (steps, T)."""
        names, optimizer = self.network.trainable_names(), self.optimizer
        rates = [optimizer.member(name).learning_rate for name in names]
        table = np.empty((steps, len(rates)))
        if not any(map(callable, rates)):
            table[:] = [float(rate) * self.rate_scale for rate in rates]  # type: ignore[arg-type]
            return table
        found: dict[int, Any] = {}
        for rate in rates:
            if id(rate) not in found:
                ahead = range(self.step, self.step + steps)
                found[id(rate)] = [rate_at(rate, step) for step in ahead] if callable(rate) else float(rate)
        for column, rate in enumerate(rates):
            table[:, column] = found[id(rate)]
        return table * self.rate_scale
