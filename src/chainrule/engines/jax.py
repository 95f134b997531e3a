"""The JAX engine: any network, layers of yours included, as one compiled loop over the steps of a block.

The loop of `jaxprogram` runs on JAX's default device. A block is carried out in parts of one length, the last filled
up with steps that are not taken, so that one compilation serves every block and a run has the same bits however it is
cut. An epoch's smaller last batch is a second shape, compiled by itself. Float64 is switched on for the calls alone,
never for the whole process.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError
from ..layer import Arrays
from ..limits import SEEDS
from .contract import Block, Outcome, Task
from .jaxprogram import program_of
from .numpy import inferred
from .recorder import add_losses, counted, epochs_of
from .records import Records

__all__ = ["JaxSession"]

_STEPS = 2**12  # of a part, at most
_ROWS = 2**18  # of a part, at most
_MOST = 2**31 - 1  # the largest step of its 32-bit integers


class JaxSession:
    """The pure pairs, compiled by JAX."""

    def __init__(self, task: Task, values: Arrays, slots: Arrays) -> None:
        import jax

        self.jax, self.task = jax, task
        self.names = task.network.trainable_names()
        self.double = task.X.dtype == np.float64
        self.seed = np.uint32(task.seed % SEEDS)
        with self._precision():
            self.loop = program_of(task)
        self.carry: Any = None
        self.feed()
        self.load(values, slots)

    def feed(self) -> None:
        task, put = self.task, self.jax.numpy.asarray
        encoded = task.targets(slice(None)) if task.encoded is None else task.encoded
        with self._precision():
            weights, counts = (
                None if given is None else put(given, dtype=task.X.dtype)
                for given in (task.weights, task.metric_weights)
            )
            self.data = (put(task.X), put(encoded), weights, put(task.loss.labels(task.y)), counts)

    def _precision(self) -> Any:
        jax = self.jax
        switch = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
        return switch(self.double)

    def _runs(self, block: Block) -> Iterator[tuple[int, int, Any]]:
        """The block cut where the size of its batches changes: first index, steps, rows (steps, size) of each part."""
        if block.order is None and self.task.steps_per_epoch == 1:
            yield 0, block.steps, None
            return
        start = 0
        for _, group in groupby(block.batches(self.task), key=itemgetter(1)):
            rows = [np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows for rows, _ in group]
            yield start, len(rows), np.array(rows, np.int32)
            start += len(rows)

    def _capacity(self, size: int) -> int:
        """Steps of a part whose batches have `size` rows: the same for every block, so that each is compiled once."""
        return max(1, min(_ROWS // size, _STEPS))

    def _parts(self, block: Block) -> Iterator[tuple[int, int, Any]]:
        """What `_runs` yields, in parts that are not longer than their capacity."""
        for start, count, rows in self._runs(block):
            capacity = self._capacity(self.task.samples if rows is None else rows.shape[1])
            for first in range(0, count, capacity):
                own = slice(first, min(first + capacity, count))
                yield start + first, own.stop - first, None if rows is None else rows[own]

    def _carry_out(self, block: Block, checked: bool) -> tuple[list[list[Any]], bool]:
        """The steps from where the session stands: what each met, part by part, and whether the end is finite."""
        if block.step + block.steps > _MOST:
            raise ConfigurationError(f'engine "jax" counts to {_MOST:,} steps; write engine="numpy" to go on.')
        parts, ends, record = [], [], block.record
        for start, count, rows in self._parts(block):
            capacity = self._capacity(self.task.samples if rows is None else rows.shape[1])
            rates = block.rates[start : start + count].astype(self.task.X.dtype)
            self.carry, met, end = self.loop(
                self.data, self.carry, self.seed, np.int32(block.step + start), np.int32(count),
                _padded(rows, capacity), _padded(rates, capacity), record=record, checked=checked,
            )  # fmt: skip
            parts.append([np.asarray(array)[:count] for array in met])
            ends.append(end)
        return parts, bool(np.isfinite(ends).all())

    def run(self, block: Block) -> Outcome:
        begin = self.carry
        with self._precision():
            parts, finite = self._carry_out(block, checked=False)
            if not (finite and all(np.isfinite(part[0][:, :3]).all() for part in parts)):
                self.carry = begin  # once more, to see in which step it happened
                parts, _ = self._carry_out(block, checked=True)
        numbers, *alive = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        with np.errstate(all="ignore"):
            good = np.isfinite(numbers[:, :3].sum(axis=1))  # loss, penalty, 0 or NaN
        done = block.steps if good.all() else int(np.argmin(good))
        losses, penalties = numbers[:done, :2].T.astype(np.float64)
        records = None
        if block.record and done == block.steps:
            records = self._records(block, numbers[:, 3:].astype(np.float64), *alive)
            add_losses(records, self.task, block, losses, penalties)
        return Outcome(done, losses, penalties, records)

    def _records(self, block: Block, numbers: NDArray[np.float64], alive: NDArray[np.bool_]) -> Records:
        """The records of a block without its losses: of each step the metric, then Σg² (steps, 1 + T), and its living
        units (steps, U)."""
        task, epochs = self.task, epochs_of(self.task, block)
        starts = np.flatnonzero(np.diff(epochs, prepend=-1))  # (E,), the first step of each epoch
        records = Records.empty(len(starts), len(self.names), alive.shape[1], block.begun)
        np.add.at(records.metrics, epochs, numbers[:, 0])
        np.add.at(records.weights, epochs, counted(task, block, task.metric_weights))
        records.squares[:] = numbers[np.append(starts[1:], block.steps) - 1, 1:]
        records.alive[:] |= np.logical_or.reduceat(alive, starts, axis=0)
        return records

    def outputs(self, X: NDArray[Any]) -> NDArray[Any]:
        return inferred(self.task.network, self.values(), X)

    def values(self) -> Arrays:
        return {name: np.array(value) for name, value in self.carry[0].items()}

    def slots(self) -> Arrays:
        return {name: np.array(value) for name, value in self.carry[1].items()}

    def load(self, values: Arrays, slots: Arrays) -> None:
        with self._precision():
            put = self.jax.numpy.asarray
            self.carry = ({n: put(v) for n, v in values.items()}, {n: put(v) for n, v in slots.items()})

    def close(self) -> None:
        """Nothing is kept: programs are, elsewhere."""


def _padded(array: Any, length: int) -> Any:
    """The array with rows of zeros up to a length."""
    if array is None:
        return None
    padded = np.zeros((length, *array.shape[1:]), array.dtype)
    padded[: len(array)] = array
    return padded
