"""The JAX engine: any network, layers of yours included, as one compiled loop over the steps of a block.

The pure pair runs inside `jax.jit`, with the step's number, rates and rows as traced arrays; JAX places it on its
default device. The number of steps is an argument of the loop, so that one compilation serves blocks of many lengths
and a run has the same bits however it is cut. An epoch's smaller last batch is a second shape, compiled by itself.
Float64 is switched on for the calls alone, never for the whole process.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backprop import propagate
from ..errors import ConfigurationError
from ..layer import Arrays, Context
from .contract import Block, Outcome, Task

__all__ = ["JaxSession"]

_STEPS = 2**31 - 1  # the largest number of its 32-bit integers
_LARGE = 2**18  # parameters, from which copies of them cost more than a few operations on numbers


class JaxSession:
    """The pure pairs, compiled by JAX."""

    def __init__(self, task: Task, values: Arrays, slots: Arrays) -> None:
        import jax

        self.jax, self.task = jax, task
        self.names = task.network.trainable_names()
        self.double = task.X.dtype == np.float64
        encoded = task.targets(slice(None)) if task.encoded is None else task.encoded
        with self._precision():
            put = jax.numpy.asarray
            weights = None if task.weights is None else put(task.weights, dtype=task.X.dtype)
            self.data = (put(task.X), put(encoded), weights)
            self.loop = jax.jit(self._loop, static_argnames=("predict", "checked"))
        self.carry: Any = None
        self.load(values, slots)

    def _precision(self) -> Any:
        jax = self.jax
        switch = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
        return switch(self.double)

    def _step(self, data: Any, carry: Any, step: Any, rows: Any, rates: Any) -> tuple[Any, Any]:
        """One step: its pass, then the next values and slots; without `rows` a batch is all samples as they lie."""
        jnp, task = self.jax.numpy, self.task
        if rows is not None:
            data = self.jax.tree.map(lambda array: array.at[rows].get(mode="promise_in_bounds"), data)
        (X, targets, weights), (values, slots) = data, carry
        mean = task.loss.reduction == "mean"
        if weights is None:
            shares = jnp.full((len(X), 1), 1 / len(X) if mean else 1.0, dtype=X.dtype)
        else:
            total = jnp.sum(weights)
            shares = (weights / jnp.where(total > 0, total, 1) if mean else weights)[:, None]
        context = Context(not task.network.frozen, task.seed, step)
        result = propagate(jnp, task.network, task.loss, values, X, targets, shares, context)
        rates = self._held_back(rates, result.gradients)
        named = {name: rates[i] for i, name in enumerate(self.names)}
        trainable = {name: values[name] for name in self.names}
        updated, slots = task.optimizer.update(jnp, step, trainable, result.gradients, slots, named)
        return result, ({**values, **result.state, **updated}, slots)

    def _held_back(self, rates: Any, gradients: Arrays) -> Any:
        """The rates plus 0 times an entry of each gradient: no update may come before the last backward pass.

        Else XLA copies a large matrix in each step, to update it while `dvalues @ weights.T` may still read it.
        """
        jnp = self.jax.numpy
        entries = [gradients[name].ravel()[0] for name in self.names]
        if sum(gradients[name].size for name in self.names) < _LARGE:
            return rates
        return rates + sum(jnp.where(jnp.isfinite(entry), entry, 0) * 0 for entry in entries)

    def _loop(
        self, data: Any, carry: Any, first: Any, count: Any, rows: Any, rates: Any, *, predict: bool, checked: bool
    ) -> tuple[Any, Any, Any, Any]:
        """`count` steps, of the rows and rates that each finds in its place.

        Returns the carry; Σg² of each gradient in the last step; of each step (loss, penalty, 0) and predictions; and
        0. Where a number is not finite, NaN stands for 0. Only a `checked` loop looks at the values after each step,
        which is one more way through the memory: infinity and NaN are still there at the end.
        """
        jax, jnp, kind = self.jax, self.jax.numpy, self.task.X.dtype
        capacity, size = len(rates), self.task.samples if rows is None else rows.shape[1]
        met = (jnp.zeros((capacity, 3), kind),)
        met += (jnp.zeros((capacity, size, self.task.outputs), kind),) if predict else ()

        def body(i: Any, state: Any) -> Any:
            carry, _, met = state
            own = None if rows is None else jax.lax.dynamic_index_in_dim(rows, i, keepdims=False)
            rate = jax.lax.dynamic_index_in_dim(rates, i, keepdims=False)
            result, carry = self._step(data, carry, first + i, own, rate)
            numbers = [result.data_loss, result.penalty, self._zero(carry[0] if checked else result.state)]
            pairs = zip(met, (jnp.stack([jnp.asarray(n, kind) for n in numbers]), result.predictions), strict=False)
            met = tuple(jax.lax.dynamic_update_index_in_dim(into, number, i, 0) for into, number in pairs)
            return carry, [result.gradients[name] for name in self.names], met

        none = [jnp.zeros_like(carry[0][name]) for name in self.names]
        carry, gradients, met = jax.lax.fori_loop(0, count, body, (carry, none, met))
        return carry, [jnp.sum(g * g) for g in gradients], met, self._zero(carry[0])

    def _zero(self, arrays: Arrays) -> Any:
        """0, or NaN where a number is not finite."""
        return sum(self.jax.numpy.sum(array * 0) for array in arrays.values())

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

    def _carry_out(self, block: Block, checked: bool) -> tuple[NDArray[Any], NDArray[Any] | None, bool]:
        """The steps from where the session stands: numbers (steps, 3), predictions, whether the end is finite."""
        if block.step + block.steps > _STEPS:
            raise ConfigurationError(f'engine "jax" counts to {_STEPS:,} steps; write engine="numpy" to go on.')
        parts, counts, ends = [], [], []
        for start, count, rows in self._runs(block):
            capacity = 1 << (count - 1).bit_length()  # a few shapes instead of one for each length
            rates = block.rates[start : start + count].astype(self.task.X.dtype)
            self.carry, self.squares, met, end = self.loop(
                self.data, self.carry, np.int32(block.step + start), np.int32(count), _padded(rows, capacity),
                _padded(rates, capacity), predict=block.predict, checked=checked,
            )  # fmt: skip
            parts.append(met)
            counts.append(count)
            ends.append(end)
        numbers, *predictions = (
            np.concatenate([np.asarray(a)[:n].reshape(-1, a.shape[-1]) for a, n in zip(arrays, counts, strict=True)])
            for arrays in zip(*parts, strict=True)
        )
        return numbers, predictions[0] if predictions else None, bool(np.isfinite(ends).all())

    def run(self, block: Block) -> Outcome:
        begin = self.carry
        with self._precision():
            numbers, predictions, finite = self._carry_out(block, checked=False)
            if not (finite and np.isfinite(numbers).all()):  # once more, to see in which step it happened
                self.carry = begin
                numbers, predictions, _ = self._carry_out(block, checked=True)
        with np.errstate(all="ignore"):
            good = np.isfinite(numbers.sum(axis=1))
        done = block.steps if good.all() else int(np.argmin(good))
        losses, penalties = numbers[:done, :2].T.astype(np.float64)
        return Outcome(done, losses, penalties, predictions)

    def values(self) -> Arrays:
        return {name: np.array(value) for name, value in self.carry[0].items()}

    def slots(self) -> Arrays:
        return {name: np.array(value) for name, value in self.carry[1].items()}

    def load(self, values: Arrays, slots: Arrays) -> None:
        with self._precision():
            put = self.jax.numpy.asarray
            self.carry = ({n: put(v) for n, v in values.items()}, {n: put(v) for n, v in slots.items()})

    def gradient_squares(self) -> dict[str, float]:
        return {name: float(square) for name, square in zip(self.names, self.squares, strict=True)}


def _padded(array: Any, length: int) -> Any:
    """The array with rows of zeros up to a length."""
    if array is None:
        return None
    padded = np.zeros((length, *array.shape[1:]), array.dtype)
    padded[: len(array)] = array
    return padded
