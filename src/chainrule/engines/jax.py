"""The JAX engine: any network, layers of yours included, as one compiled loop over the steps of a block.

The loop of `jaxprogram` runs on JAX's default device. A block is carried out in parts of one length, the last filled
up with steps that are not taken, so that one compilation serves every block and a run has the same bits however it is
cut. An epoch's smaller last batch is a second shape, compiled by itself. Float64 is switched on for the calls alone,
never for the whole process.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError
from ..layer import Arrays
from .contract import Block, Outcome, Task
from .jaxprogram import program_of
from .numpy import inferred
from .recorder import Recorder
from .records import Records

__all__ = ["JaxSession"]

_STEPS = 2**12  # of a part, at most
_ROWS, _PREDICTIONS = 2**18, 2**16  # rows of a part, and numbers that it predicts, at most
_MOST = 2**31 - 1  # the largest step of its 32-bit integers


class JaxSession:
    """The pure pairs, compiled by JAX."""

    def __init__(self, task: Task, values: Arrays, slots: Arrays) -> None:
        import jax

        self.jax, self.task = jax, task
        self.names = task.network.trainable_names()
        self.double = task.X.dtype == np.float64
        self.seed = np.uint32(task.seed % 2**32)
        encoded = task.targets(slice(None)) if task.encoded is None else task.encoded
        with self._precision():
            put = jax.numpy.asarray
            weights = None if task.weights is None else put(task.weights, dtype=task.X.dtype)
            self.data = (put(task.X), put(encoded), weights)
            self.loop = program_of(task)
        self.carry: Any = None
        self.load(values, slots)

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

    def _capacity(self, size: int, record: bool) -> int:
        """Steps of a part whose batches have `size` rows: the same for every block, so that each is compiled once."""
        most = _PREDICTIONS // (size * self.task.outputs) if record else _ROWS // size
        return max(1, min(most, _STEPS))

    def _parts(self, block: Block, record: bool) -> Iterator[tuple[int, int, Any]]:
        """What `_runs` yields, in parts that are not longer than their capacity."""
        for start, count, rows in self._runs(block):
            capacity = self._capacity(self.task.samples if rows is None else rows.shape[1], record)
            for first in range(0, count, capacity):
                own = slice(first, min(first + capacity, count))
                yield start + first, own.stop - first, None if rows is None else rows[own]

    def _carry_out(self, block: Block, checked: bool) -> tuple[list[list[Any]], bool]:
        """The steps from where the session stands: what each met, part by part, and whether the end is finite."""
        if block.step + block.steps > _MOST:
            raise ConfigurationError(f'engine "jax" counts to {_MOST:,} steps; write engine="numpy" to go on.')
        parts, ends, record = [], [], block.record
        for start, count, rows in self._parts(block, record):
            capacity = self._capacity(self.task.samples if rows is None else rows.shape[1], record)
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
            if not (finite and all(np.isfinite(part[0]).all() for part in parts)):
                self.carry = begin  # once more, to see in which step it happened
                parts, _ = self._carry_out(block, checked=True)
        numbers = np.concatenate([part[0] for part in parts])  # (steps, 3)
        with np.errstate(all="ignore"):
            good = np.isfinite(numbers.sum(axis=1))
        done = block.steps if good.all() else int(np.argmin(good))
        losses, penalties = numbers[:done, :2].T.astype(np.float64)
        records = self._records(block, parts) if block.record and done == block.steps else None
        return Outcome(done, losses, penalties, records)

    def _records(self, block: Block, parts: list[list[Any]]) -> Records:
        recorder, steps = Recorder(self.task, block), itertools.chain.from_iterable(zip(*p, strict=True) for p in parts)
        for index, ((rows, _), step) in enumerate(zip(block.batches(self.task), steps, strict=True)):
            (loss, penalty, _), predictions, squares, *alive = step
            looks = recorder.looks(index)
            recorder.add(rows, float(loss), float(penalty), predictions, squares if looks else None, alive)
        return recorder.finished()

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
