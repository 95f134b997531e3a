"""The records of a block: every rank collects what its pieces meet, and at the end of the block all hear of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..engines.contract import Block, Task
from ..engines.recorder import add_losses, epochs_of, relu_units
from ..engines.records import Records
from ..layer import Arrays
from ..ranks import Team
from .pieces import pieces_of

__all__ = ["PieceRecorder"]

_SAMPLES = 4096  # predictions that are measured together


class PieceRecorder:
    """Fills `Records`. A number of each step and piece is kept, so that the order of adding is that of the pieces."""

    def __init__(self, team: Team, task: Task, block: Block) -> None:
        self.team, self.task, self.block, self.steps = team, task, block, 0
        self.epochs = (block.first + block.steps - 1) // task.steps_per_epoch + 1
        self.units = relu_units(task.network, task.X.shape[1:])
        sizes = len(task.network.trainable_names()), sum(self.units.values())
        self.records = Records.empty(self.epochs, *sizes, block.begun)
        self.most = len(pieces_of(task.batch_size))
        # Of each step and piece: what it adds to the loss, Σ weight · score, Σ weight
        self.numbers = np.zeros((3, block.steps, self.most))
        self.rows: list[Any] = []  # of each piece that waits to be measured
        self.predictions: list[NDArray[Any]] = []
        self.places: list[int] = []  # step · most + piece

    def looks(self, index: int) -> bool:
        """Whether the gradients of the `index`-th step are asked for: the last step of an epoch, or of the block."""
        return (self.block.first + index + 1) % self.task.steps_per_epoch == 0 or index == self.block.steps - 1

    def add(
        self,
        first: int,
        rows: Sequence[Any],
        losses: Sequence[Any],
        predictions: Sequence[NDArray[Any]],
        outputs: Sequence[Arrays],
    ) -> None:
        """The rank's pieces of the next step, `first` and those after it; `outputs` are those of every leaf."""
        self.numbers[0, self.steps, first : first + len(losses)] = losses
        begin = self.steps * self.most + first
        self.places += range(begin, begin + len(losses))
        self.rows += rows
        self.predictions += predictions
        epoch, begin = self._epoch(self.steps), 0
        for name, size in self.units.items():
            alive = self.records.alive[epoch, begin : begin + size]
            for piece in outputs:
                alive |= (piece[name].max(axis=0) > 0).reshape(-1)
            begin += size
        self.steps += 1
        if sum(map(len, self.predictions)) >= _SAMPLES:
            self._measure()

    def squares(self, squares: Sequence[float]) -> None:
        """Σg² of each parameter in the step that was added last."""
        self.records.squares[self._epoch(self.steps - 1)] = squares

    def _epoch(self, step: int) -> int:
        return (self.block.first + step) // self.task.steps_per_epoch

    def _measure(self) -> None:
        """The metric of the predictions that have been collected."""
        task, whole = self.task, np.arange(self.task.samples)
        samples = np.concatenate([whole[each] for each in self.rows])
        places = np.repeat(self.places, [len(each) for each in self.predictions])  # (samples,)
        decided = task.loss.decide(np, np.concatenate(self.predictions))
        scores = metrics.scores(task.loss.metric, task.loss.labels(task.y[samples]), decided)
        weights = np.ones(len(samples)) if task.metric_weights is None else task.metric_weights[samples]
        size = self.block.steps * self.most
        self.numbers[1] += np.bincount(places, weights * scores, size).reshape(-1, self.most)
        self.numbers[2] += np.bincount(places, weights, size).reshape(-1, self.most)
        self.rows, self.predictions, self.places = [], [], []

    def finished(self, penalties: Sequence[float]) -> Records:
        """What the epochs came to, on all ranks together."""
        if self.predictions:
            self._measure()
        task, records = self.task, self.records
        self.numbers, alive = self.team.merged(self.numbers, records.alive)
        records.alive[:] = alive
        losses, scores, weights = self.numbers.sum(axis=2)  # (steps,)
        add_losses(records, task, self.block, losses, np.array(penalties))
        epochs = epochs_of(task, self.block)  # (steps,)
        np.add.at(records.metrics, epochs, scores)
        np.add.at(records.weights, epochs, weights)
        return records
