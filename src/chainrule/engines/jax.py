"""The JAX engine: any network, layers of yours included, as one compiled loop over the steps of a block.

The pure pair runs inside `jax.jit`, with the step's number, rates and rows as traced arrays; JAX places it on its
default device. The number of steps is an argument of the loop, so that one compilation serves blocks of many lengths
and a run has the same bits however it is cut. An epoch's smaller last batch is a second shape, compiled by itself.
Float64 is switched on for the calls alone, never for the whole process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..backprop import advance
from ..layer import Arrays, Context
from .contract import Block, Outcome, Task

__all__ = ["JaxSession"]


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
            self.loop = jax.jit(self._loop, static_argnames=("size", "slots_out"))
        self.carry: Any = None
        self.load(values, slots)

    def _precision(self) -> Any:
        jax = self.jax
        switch = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
        return switch(self.double)

    def _step(self, data: Any, carry: Any, step: Any, rows: Any, rates: Any) -> Any:
        """One step: the next carry, what it met, and Σg² of each gradient."""
        jnp, task = self.jax.numpy, self.task
        X, targets, weights = data
        values, slots = carry
        size = rows.shape[0]
        mean = task.loss.reduction == "mean"
        if weights is None:
            shares = jnp.full((size, 1), 1 / size if mean else 1.0, dtype=X.dtype)
        else:
            own, total = weights[rows], jnp.sum(weights[rows])
            shares = (own / jnp.where(total > 0, total, 1) if mean else own)[:, None]
        context = Context(not task.network.frozen, task.seed, step)
        named = {name: rates[i] for i, name in enumerate(self.names)}
        result, values, slots = advance(
            jnp, task.network, task.loss, task.optimizer, values, X[rows], targets[rows], shares, context, slots, named
        )
        squares = jnp.stack([jnp.sum(result.gradients[n] ** 2) for n in self.names] or [jnp.zeros(())])
        penalty = jnp.asarray(result.penalty, dtype=X.dtype)
        bad = result.loss + penalty + sum(jnp.sum(value * 0) for value in values.values())
        return (values, slots), (result.data_loss, penalty, jnp.isfinite(bad)), result.predictions, squares

    def _loop(
        self, data: Any, carry: Any, first: Any, count: Any, rows: Any, rates: Any, *, size: int, slots_out: int
    ) -> Any:
        """`count` steps, of the rows and rates that each finds in its place."""
        jax, jnp, task = self.jax, self.jax.numpy, self.task
        capacity, kind = rows.shape[0], task.X.dtype
        out = (jnp.zeros(capacity, kind), jnp.zeros(capacity, kind), jnp.ones(capacity, bool))
        met = jnp.zeros((slots_out, size, task.outputs), kind)

        def body(i: Any, state: Any) -> Any:
            carry, out, met, _ = state
            carry, numbers, predictions, squares = self._step(data, carry, first + i, rows[i], rates[i])
            out = tuple(array.at[i].set(number) for array, number in zip(out, numbers, strict=True))
            if slots_out:
                met = met.at[i].set(predictions)
            return carry, out, met, squares

        squares = jnp.zeros(max(1, len(self.names)), kind)
        return jax.lax.fori_loop(0, count, body, (carry, out, met, squares))

    def _runs(self, block: Block) -> Iterator[tuple[int, list[Any]]]:
        """The block cut where the size of its batches changes, as (first index, rows of each)."""
        part: list[Any] = []
        start, last = 0, 0
        for index, (rows, size) in enumerate(block.batches(self.task)):
            if part and size != last:
                yield start, part
                start, part = index, []
            part.append(np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows)
            last = size
        yield start, part

    def run(self, block: Block) -> Outcome:
        jnp = self.jax.numpy
        losses: list[Any] = []
        penalties: list[Any] = []
        finite: list[Any] = []
        predictions: list[Any] = []
        with self._precision():
            for start, part in self._runs(block):
                count, size = len(part), len(part[0])
                capacity = 1 << (count - 1).bit_length()  # a few shapes instead of one for each length
                rows = np.zeros((capacity, size), np.int32)
                rows[:count] = part
                rates = np.zeros((capacity, max(1, block.rates.shape[1])), self.task.X.dtype)
                rates[:count, : block.rates.shape[1]] = block.rates[start : start + count]
                state = self.loop(
                    self.data, self.carry, jnp.asarray(block.step + start, dtype=jnp.int32), count, rows, rates,
                    size=size, slots_out=capacity if block.predict else 0,
                )  # fmt: skip
                self.carry, out, met, self.squares = state
                for into, array in zip((losses, penalties, finite), out, strict=True):
                    into.append(np.asarray(array)[:count])
                if block.predict:
                    predictions.append(np.asarray(met)[:count].reshape(-1, self.task.outputs))
        good = np.concatenate(finite)
        done = block.steps if good.all() else int(np.argmin(good))
        return Outcome(
            done,
            np.concatenate(losses)[:done].astype(np.float64),
            np.concatenate(penalties)[:done].astype(np.float64),
            np.concatenate(predictions) if predictions else None,
        )

    def values(self) -> Arrays:
        return {name: np.array(value) for name, value in self.carry[0].items()}

    def slots(self) -> Arrays:
        return {name: np.array(value) for name, value in self.carry[1].items()}

    def load(self, values: Arrays, slots: Arrays) -> None:
        with self._precision():
            put = self.jax.numpy.asarray
            self.carry = ({n: put(v) for n, v in values.items()}, {n: put(v) for n, v in slots.items()})

    def gradient_squares(self) -> dict[str, float]:
        return {name: float(square) for name, square in zip(self.names, np.asarray(self.squares), strict=False)}
