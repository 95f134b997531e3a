"""The NumPy engine: the reference that every other engine is held to."""

from __future__ import annotations

import math

import numpy as np

from ..backprop import advance
from ..layer import Arrays, Context
from .contract import Block, Outcome, Task

__all__ = ["NumpySession"]


class NumpySession:
    """The pure pairs, step by step."""

    def __init__(self, task: Task, values: Arrays, slots: Arrays) -> None:
        self.task = task
        self.names = task.network.trainable_names()
        self._values: Arrays = {}
        self._slots: Arrays = {}
        self.load(values, slots)

    def run(self, block: Block) -> Outcome:
        data_losses, penalties, predictions = [], [], []
        task, training = self.task, not self.task.network.frozen
        for index, (rows, size) in enumerate(block.batches(task)):
            context = Context(training, task.seed, block.step + index)
            rates = dict(zip(self.names, block.rates[index].tolist(), strict=True))
            with np.errstate(all="ignore"):
                result, values, slots = advance(
                    np, task.network, task.loss, task.optimizer, self._values, task.X[rows], task.targets(rows),
                    task.shares(rows, size), context, self._slots, rates,
                )  # fmt: skip
                finite = math.isfinite(result.loss) and all(math.isfinite(np.sum(p)) for p in values.values())
            if not finite:
                break
            self._values, self._slots, self._gradients = values, slots, result.gradients
            data_losses.append(float(result.data_loss))
            penalties.append(float(result.penalty))
            if block.predict:
                predictions.append(result.predictions)
        met = np.concatenate(predictions) if predictions else None
        return Outcome(len(data_losses), np.array(data_losses), np.array(penalties), met)

    def values(self) -> Arrays:
        return self._values

    def slots(self) -> Arrays:
        return self._slots

    def load(self, values: Arrays, slots: Arrays) -> None:
        self._values, self._slots = dict(values), dict(slots)

    def gradient_squares(self) -> dict[str, float]:
        return {n: float(np.sum(np.square(self._gradients[n], dtype=np.float64))) for n in self.names}
