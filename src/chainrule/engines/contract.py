"""What an engine is: something that carries out a block of training steps in one call.

A `Task` says what is trained, a `Block` which steps come next, an `Outcome` what they met. A `Session` is one engine
at work on one task: it holds parameters, state and slots in the form that it likes best. The order of the batches, the
learning rates and the seed of the noise are given from outside, so that every engine computes the same run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..forking import cached_property
from ..graph import Graph
from ..layer import Arrays
from ..loss import Loss
from ..optimizers import Optimizer
from .records import Records

__all__ = ["Block", "NotCovered", "Outcome", "Session", "Task", "encode"]

_ENCODED_BYTES = 2**25  # targets above this size are encoded batch by batch
_CHECKED_ROWS = 4096


@dataclass(frozen=True)
class Task:
    """A network, what trains it, and the data: S samples of inputs `X` (S, ...) and targets `y`.

    `weights` (S,) holds what each sample counts, class weights included, or is None where all count the same.
    """

    network: Graph
    loss: Loss
    optimizer: Optimizer
    seed: int
    X: NDArray[Any]
    y: NDArray[Any]
    weights: NDArray[np.float64] | None
    batch_size: int
    encoded: NDArray[Any] | None = None  # the targets (S, C) as the loss reads them, where they are small
    metric_weights: NDArray[np.float64] | None = None  # (S,), what each sample counts in the metric

    @classmethod
    def of(
        cls,
        network: Graph,
        loss: Loss,
        optimizer: Optimizer,
        seed: int,
        X: NDArray[Any],
        y: NDArray[Any],
        sample_weights: NDArray[Any] | None,
        batch_size: int,
        encoded: NDArray[Any] | None = None,
    ) -> Task:
        """The task, with what does not change from step to step computed once.

        `encoded` comes from `encode` where a caller has it at hand. Raises `DataError` and its kinds for targets that
        do not fit.
        """
        if encoded is None:
            encoded = encode(loss, y, int(network.output_shape(X.shape[1:])[0]), X.dtype)
        weights, size = loss.sample_totals(y, sample_weights), min(batch_size, len(X))
        return cls(network, loss, optimizer, int(seed), X, y, weights, size, encoded, sample_weights)

    def of_run(self, loss: Loss, optimizer: Optimizer, seed: int) -> Task:
        """The same data with the loss, the optimizer and the seed of now."""
        if loss is self.loss:
            return replace(self, optimizer=optimizer, seed=int(seed))
        return Task.of(self.network, loss, optimizer, seed, self.X, self.y, self.metric_weights, self.batch_size)

    @cached_property
    def outputs(self) -> int:
        """The number of columns of the predictions."""
        return int(self.network.output_shape(self.X.shape[1:])[0])

    @property
    def samples(self) -> int:
        """The number of samples."""
        return len(self.X)

    @cached_property
    def steps_per_epoch(self) -> int:
        """Steps in an epoch; the last batch may be smaller."""
        return -(-self.samples // self.batch_size)

    def targets(self, rows: Any) -> NDArray[Any]:
        """The targets of some rows as the loss reads them, (B, C)."""
        if self.encoded is not None:
            chosen: NDArray[Any] = self.encoded[rows]
            return chosen
        y = self.y[rows]
        prepared: NDArray[Any] = self.loss.prepare(y, (len(y), self.outputs), None, self.X.dtype, weightless=True)[0]
        return prepared

    def shares(self, rows: Any, size: int) -> NDArray[Any]:
        """dL/d(losses) of a batch of `size` rows, (B, 1): what each sample counts in the batch's loss."""
        mean = self.loss.reduction == "mean"
        if self.weights is None:
            return np.full((size, 1), 1 / size if mean else 1.0, dtype=self.X.dtype)
        weights = self.weights[rows]
        shares = weights / (weights.sum() or 1.0) if mean else weights
        column: NDArray[Any] = shares.reshape(-1, 1).astype(self.X.dtype)
        return column


def encode(
    loss: Loss, y: NDArray[Any], outputs: int, dtype: np.dtype[Any], sample_weights: NDArray[Any] | None = None
) -> NDArray[Any] | None:
    """The targets (S, C) as the loss reads them; None where they are large, because a class becomes a row of C numbers.

    All of them are checked, and the weights. Raises `DataError` and its kinds, naming the row.
    """

    def part(rows: slice) -> NDArray[Any]:
        own, shape = y[rows], (len(y[rows]), outputs)
        if sample_weights is None:
            return loss.encoded(own, shape, dtype)
        found: NDArray[Any] = loss.prepare(own, shape, sample_weights[rows], dtype, weightless=True)[0]
        return found

    if y.ndim and len(y) * outputs * dtype.itemsize <= _ENCODED_BYTES:
        return np.ascontiguousarray(part(slice(None)))
    for start in range(0, len(y), _CHECKED_ROWS):
        try:
            part(slice(start, start + _CHECKED_ROWS))
        except DataError:
            part(slice(None))  # it names the right row
            raise
    return None


@dataclass(frozen=True)
class Block:
    """Steps that follow one another: `steps` of them from step number `step` on.

    The first is batch number `first` of its epoch. `order` (E, S) is the order of the samples in each epoch that the
    block touches, or None where every epoch takes them as they lie; it may name fewer samples than the task has.
    `rates` (steps, T) holds the learning rate of each trainable parameter at each step. `record` asks for what the
    epochs came to; `begun` is what the first came to before the block.
    """

    step: int
    steps: int
    first: int
    order: NDArray[np.int64] | None
    rates: NDArray[np.float64]
    record: bool = False
    begun: Records | None = None

    def head(self, steps: int) -> Block:
        """The block's first steps alone."""
        return replace(self, steps=steps, rates=self.rates[:steps])

    def batches(self, task: Task) -> Iterator[tuple[Any, int]]:
        """The rows of each step, a slice where they lie side by side, and how many they are."""
        samples = task.samples if self.order is None else self.order.shape[1]
        for index in range(self.first, self.first + self.steps):
            epoch, batch = divmod(index, task.steps_per_epoch)
            start = batch * task.batch_size
            stop = min(start + task.batch_size, samples)
            rows = slice(start, stop)
            yield (rows if self.order is None else self.order[epoch, rows]), stop - start


class Outcome(NamedTuple):
    """What a block's steps met; `steps` is less than asked for where the next would meet numbers that are not finite.

    Such a session is not to be used before `load`.
    """

    steps: int
    data_losses: NDArray[np.float64]  # (steps,)
    penalties: NDArray[np.float64]  # (steps,)
    records: Records | None = None  # where the block asks for it and every step was carried out


class NotCovered(Exception):
    """What an engine has no code for; the message says what."""


class Session(Protocol):
    """An engine at work on a task."""

    def run(self, block: Block) -> Outcome:
        """Carry a block out."""

    def outputs(self, X: NDArray[Any]) -> NDArray[Any]:
        """The network's outputs (S, C) in inference for other samples, with the values as they stand."""

    def values(self) -> Arrays:
        """Parameters and state as they stand, by dotted name, in arrays that no later step changes."""

    def slots(self) -> Arrays:
        """The optimizer's slots as they stand, by dotted name, in arrays that no later step changes."""

    def load(self, values: Arrays, slots: Arrays) -> None:
        """Go on from other values and slots."""

    def feed(self) -> None:
        """The arrays of the task hold other samples from now on."""

    def close(self) -> None:
        """After the last step of a run that went well; the session is not used by this run again."""
