"""Filling the records of a block on an engine whose steps give back what they met."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..graph import Graph
from ..layers import ReLU
from .contract import Block, Task
from .records import Records

__all__ = ["Recorder", "add_losses", "counted", "epochs_of", "relu_units"]

_SAMPLES = 4096  # predictions that are measured together


def relu_units(network: Graph, shape: Any) -> dict[str, int]:
    """The number of units of each ReLU, by dotted name, for samples of `shape`.

    >>> from chainrule import Dense, Sequential
    >>> relu_units(Sequential(Dense(2, 4), ReLU(), Dense(4, 1)), (2,))
    {'relu_0': 4}
    """

    def made() -> dict[str, int]:
        shapes = network.flat.shapes(shape)
        return {leaf.name: math.prod(shapes[leaf.name]) for leaf in network.flat if isinstance(leaf.layer, ReLU)}

    return network.derived(("relu units", shape), made)


def epochs_of(task: Task, block: Block) -> NDArray[np.int64]:
    """The epoch of each step of a block, counted from the first that the block touches, (steps,)."""
    return (block.first + np.arange(block.steps)) // task.steps_per_epoch


def counted(task: Task, block: Block, weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """What the samples of each step count, (steps,): their number, or the sum of their weights."""
    if weights is not None:
        return np.array([weights[rows].sum() for rows, _ in block.batches(task)])
    batches = (block.first + np.arange(block.steps)) % task.steps_per_epoch
    samples = task.samples if block.order is None else block.order.shape[1]
    return np.minimum(task.batch_size, samples - batches * task.batch_size).astype(np.float64)


def add_losses(
    records: Records, task: Task, block: Block, losses: NDArray[np.float64], penalties: NDArray[np.float64]
) -> None:
    """Count the steps of a block, and what each of them met (steps,), in the records of its epochs."""
    epochs, counts = epochs_of(task, block), counted(task, block, task.weights)
    for total, numbers in (
        (records.steps, np.ones(block.steps, np.int64)),
        (records.data_losses, losses * counts if task.loss.reduction == "mean" else losses),
        (records.counts, counts),
        (records.penalties, penalties),
    ):
        np.add.at(total, epochs, numbers)


class Recorder:
    """Fills `Records` on any engine whose steps give back predictions, gradients and the outputs of ReLUs.

    Steps are only collected as they come; what they amount to is counted for many of them at once.
    """

    def __init__(self, task: Task, block: Block) -> None:
        self.task, self.block, self.steps, self.measured = task, block, 0, 0
        self.epochs = (block.first + block.steps - 1) // task.steps_per_epoch + 1
        self.units = relu_units(task.network, task.X.shape[1:])
        sizes = len(task.network.trainable_names()), sum(self.units.values())
        self.records = Records.empty(self.epochs, *sizes, block.begun)
        self.losses: list[float] = []
        self.penalties: list[float] = []
        self.rows: list[Any] = []
        self.predictions: list[NDArray[Any]] = []

    def looks(self, index: int) -> bool:
        """Whether the gradients of the `index`-th step are asked for: the last step of an epoch, or of the block."""
        done = self.block.first + index + 1
        return done % self.task.steps_per_epoch == 0 or index == self.block.steps - 1

    def add(
        self,
        rows: Any,
        data_loss: float,
        penalty: float,
        predictions: NDArray[Any],
        squares: Iterable[float] | None,
        alive: Iterable[NDArray[Any]],
    ) -> None:
        """The next step of the block, on the samples `rows`: Σg² by parameter where `looks`, living units by ReLU."""
        epoch = (self.block.first + self.steps) // self.task.steps_per_epoch
        self.steps += 1
        self.losses.append(data_loss)
        self.penalties.append(penalty)
        self.rows.append(rows)
        self.predictions.append(predictions)
        if squares is not None:
            self.records.squares[epoch] = list(squares)
        begin = 0
        for units in alive:
            self.records.alive[epoch, begin : begin + units.size] |= units.reshape(-1)
            begin += units.size
        if sum(map(len, self.predictions)) >= _SAMPLES:
            self._measure()

    def finished(self) -> Records:
        """What the epochs came to."""
        if self.predictions:
            self._measure()
        add_losses(self.records, self.task, self.block, np.array(self.losses), np.array(self.penalties))
        return self.records

    def _measure(self) -> None:
        """The metric of the predictions that have been collected."""
        task, first = self.task, self.block.first + self.measured
        rows, whole = self.rows[self.measured :], np.arange(task.samples)
        starts = np.cumsum([0] + [len(each) for each in self.predictions[:-1]])  # (steps,)
        epochs = (first + np.arange(len(rows))) // task.steps_per_epoch  # (steps,)
        places = np.concatenate([whole[each] for each in rows])
        decided = task.loss.decide(np, np.concatenate(self.predictions))
        scores = metrics.scores(task.loss.metric, task.loss.labels(task.y[places]), decided)
        weights = np.ones(len(places)) if task.metric_weights is None else task.metric_weights[places]
        np.add.at(self.records.metrics, epochs, np.add.reduceat(weights * scores, starts))
        np.add.at(self.records.weights, epochs, np.add.reduceat(weights, starts))
        self.measured, self.predictions = self.steps, []
