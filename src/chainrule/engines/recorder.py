"""Filling the records of a block on an engine whose steps give back what they met."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..graph import Graph
from ..layers import ReLU
from .contract import Block, Task
from .records import Records

__all__ = ["Recorder", "relu_units"]


def relu_units(network: Graph, shape: Any) -> dict[str, int]:
    """The number of units of each ReLU, by dotted name, for samples of `shape`.

    >>> from chainrule import Dense, Sequential
    >>> relu_units(Sequential(Dense(2, 4), ReLU(), Dense(4, 1)), (2,))
    {'relu_0': 4}
    """
    shapes = network.flat.shapes(shape)
    return {leaf.name: math.prod(shapes[leaf.name]) for leaf in network.flat if isinstance(leaf.layer, ReLU)}


class Recorder:
    """Fills `Records` on any engine whose steps give back predictions, gradients and the outputs of ReLUs."""

    def __init__(self, task: Task, block: Block) -> None:
        last = block.first + block.steps - 1
        epochs = last // task.steps_per_epoch + 1
        self.task, self.block = task, block
        self.names, self.units = task.network.trainable_names(), relu_units(task.network, task.X.shape[1:])
        self.records = Records.empty(epochs, len(self.names), sum(self.units.values()))

    def add(
        self,
        index: int,
        rows: Any,
        data_loss: float,
        penalty: float,
        predictions: NDArray[Any],
        squares: Mapping[str, float],
        outputs: Mapping[str, NDArray[Any]],
    ) -> None:
        """The `index`-th step of the block, on the samples `rows`; `outputs` holds those of ReLUs, by dotted name."""
        task, records, epoch = self.task, self.records, (self.block.first + index) // self.task.steps_per_epoch
        size = len(predictions)
        count = float(size if task.weights is None else task.weights[rows].sum())
        weight = float(size if task.metric_weights is None else task.metric_weights[rows].sum())
        records.steps[epoch] += 1
        records.data_losses[epoch] += data_loss * (count if task.loss.reduction == "mean" else 1.0)
        records.counts[epoch] += count
        records.penalties[epoch] += penalty
        records.weights[epoch] += weight
        if weight:
            own = None if task.metric_weights is None else task.metric_weights[rows]
            labels, decided = task.loss.labels(task.y[rows]), task.loss.decide(np, predictions)
            found = getattr(metrics, task.loss.metric)(labels, decided, sample_weights=own)
            records.metrics[epoch] += weight * found
        records.squares[epoch] = [squares[name] for name in self.names]
        if self.units:
            above = [(outputs[name] > 0).any(axis=0).ravel() for name in self.units]
            records.alive[epoch] |= np.concatenate(above)
