"""The NumPy engine: the reference that every other engine is held to."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backprop import Pass, propagate, update
from ..graph import Graph
from ..layer import Arrays, Context
from ..rows import Samples
from .contract import Block, Outcome, Task
from .flat import LIBRARY, FlatUpdate, Rule, as_written, covers
from .quick import QUICK
from .recorder import Recorder

__all__ = ["NumpySession", "Updates", "UpdatesSession", "inferred", "sum_of_squares"]

_ROWS = 1024  # samples that are inferred together


class Updates:
    """Parameters, state and slots as they stand, and the optimizer's step on them.

    From the second step on an optimizer of the library works on flat vectors, with the same bits.
    """

    def __init__(self, task: Task, values: Arrays, slots: Arrays, rule: Rule = as_written) -> None:
        self.task, self.xp, self.names, self.rule = task, QUICK, task.network.trainable_names(), rule
        self.load(values, slots)

    def load(self, values: Arrays, slots: Arrays) -> None:
        """Go on from other values and slots."""
        self.values, self._slots, self._first = dict(values), dict(slots), True
        self._again = False  # whether the next step is the second
        self._flat: FlatUpdate | None = None

    def keeps_no_gradient(self) -> bool:
        """Whether the gradients of a step may be overwritten after it: a rule of one's own may carry them on."""
        return type(self.task.optimizer) in LIBRARY

    def slots(self) -> Arrays:
        """The slots by name."""
        return self._slots if self._flat is None else self._slots | self._flat.slots()

    def step(self, step: int, result: Pass, rates: list[float]) -> bool:
        """Go on to the next values and slots; where they are not finite, stay and say so."""
        if self._again and self._flat is None and covers(self.task, self.values, self._slots, result):
            self._flat = FlatUpdate(self.task, self.values, self._slots, self.rule)
        self._again = False
        if self._flat is not None:
            return self._step_vectors(self._flat, step, result, rates)
        task, named = self.task, dict(zip(self.names, rates, strict=True))
        values, slots = update(self.xp, task.network, task.optimizer, self.values, result, step, self._slots, named)
        if not _finite(values.values()):
            return False
        self.values, self._slots, self._again = values, slots, self._first
        self._first = False
        return True

    def _step_vectors(self, flat: FlatUpdate, step: int, result: Pass, rates: list[float]) -> bool:
        vectors = flat.updated(self.xp, step, result.gradients, rates)
        if not _finite([*result.state.values(), *(parameter for parameter, _ in vectors)]):
            return False
        flat.vectors = vectors
        self.values = {**self.values, **result.state, **flat.parameters()}
        return True


class UpdatesSession:
    """What sessions have in common that step by `Updates`."""

    updates: Updates

    def load(self, values: Arrays, slots: Arrays) -> None:
        self.updates.load(values, slots)

    def values(self) -> Arrays:
        return self.updates.values

    def slots(self) -> Arrays:
        return self.updates.slots()

    def feed(self) -> None:
        """Every step reads the task's arrays."""

    def close(self) -> None:
        """Nothing is kept."""


class NumpySession(UpdatesSession):
    """The pure pairs, step by step: every step makes new arrays and changes none.

    The numbers are those of `advance`, bit for bit.
    """

    def __init__(self, task: Task, values: Arrays, slots: Arrays) -> None:
        self.task, self.updates = task, Updates(task, values, slots)
        self._equal_shares: dict[int, NDArray[Any]] = {}

    def run(self, block: Block) -> Outcome:
        task, network, updates = self.task, self.task.network, self.updates
        data_losses, penalties = [], []
        recorder = Recorder(task, block) if block.record else None
        training, terms, rates = not network.frozen, network.penalty_terms(), block.rates.tolist()
        with np.errstate(all="ignore"):
            for index, (rows, size) in enumerate(block.batches(task)):
                outputs: dict[str, Arrays] = {}
                looked_at = recorder is not None and recorder.units
                context = Context(training, task.seed, block.step + index, record=outputs if looked_at else None)
                result = propagate(
                    updates.xp, network, task.loss, updates.values, task.X[rows], task.targets(rows),
                    self._shares(rows, size), context, terms,
                )  # fmt: skip
                if not (math.isfinite(result.loss) and updates.step(context.step, result, rates[index])):
                    break
                data_losses.append(float(result.data_loss))
                penalties.append(float(result.penalty))
                if recorder is not None:
                    gradients = result.gradients
                    looked = updates.names if recorder.looks(index) else None
                    squares = None if looked is None else [sum_of_squares(gradients[name]) for name in looked]
                    alive = [outputs[name]["output"].max(axis=0) > 0 for name in recorder.units]
                    recorder.add(rows, data_losses[-1], penalties[-1], result.predictions, squares, alive)
        whole = recorder is not None and len(data_losses) == block.steps
        records = recorder.finished() if recorder is not None and whole else None
        return Outcome(len(data_losses), np.array(data_losses), np.array(penalties), records)

    def _shares(self, rows: Any, size: int) -> NDArray[Any]:
        if self.task.weights is not None:
            return self.task.shares(rows, size)
        if size not in self._equal_shares:
            self._equal_shares[size] = self.task.shares(rows, size)
        return self._equal_shares[size]

    def outputs(self, X: NDArray[Any]) -> NDArray[Any]:
        return inferred(self.task.network, self.updates.values, X)


def inferred(network: Graph, values: Arrays, X: Samples) -> NDArray[Any]:
    """The network's outputs in inference, computed batch by batch."""
    context, starts = Context(training=False), range(0, len(X), _ROWS) or [0]
    parts = [network.forward_pass(np, X[start : start + _ROWS], values, context)[0] for start in starts]
    return np.concatenate(parts)


def sum_of_squares(gradient: NDArray[Any]) -> float:
    """Σg², also of float32 numbers whose squares are too large for float32."""
    vector = gradient.reshape(-1)
    square = float(np.dot(vector, vector))
    return square if math.isfinite(square) else float(np.sum(np.square(vector, dtype=np.float64)))


def _finite(arrays: Iterable[NDArray[Any]]) -> bool:
    return all(math.isfinite(np.add.reduce(array, None)) for array in arrays)
