"""Where the samples of the next steps come from: arrays that lie ready, rows that are converted, batches of a stream.

An engine is given a task whose arrays lie in memory. `Whole` gives it everything at once. The other two give it a
`Window`: arrays of a few megabytes with the samples of the next steps, in the order of the steps, filled anew for each
block. The steps are the same to the last bit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..engines.contract import Task
from ..engines.recorder import relu_units
from ..errors import DataError
from ..ranks import ALONE, Team
from ..rows import Rows
from .batches import Batches, ReadBatch, checksum
from .run import Run
from .window import Window, own_rows

__all__ = ["Next", "RowSupply", "StreamSupply", "Supply", "Whole"]

_ENTRIES = 2**21  # the most numbers of an order, or of records, that a block holds
_PART_BYTES = 2**20


class Next(NamedTuple):
    """The steps of a block: how many, the number of the first in its epoch, the order of the samples."""

    steps: int
    first: int
    order: NDArray[np.int64] | None


class Supply(Protocol):
    """What gives a run its samples; where a session has to be opened anew, `task` is another object."""

    refills: bool  # whether the arrays of the task hold other samples after `next`

    @property
    def task(self) -> Task:
        """What a session is opened on."""

    @property
    def steps_per_epoch(self) -> int | None:
        """None as long as nobody knows."""

    def next(self, run: Run, done: int, epoch: int, most: int) -> Next:
        """At most so many steps on, `done` steps into an epoch, up to the end of `epoch` at most."""

    def ended(self, total: int) -> tuple[int, int]:
        """Of so many steps since the last whole epoch: the epochs that are over, and the steps into the next."""

    def renew(self, run: Run) -> None:
        """Take in the loss, the optimizer and the seed of now."""

    def complete(self) -> None:
        """Have all samples of the steps that `next` gave, also those that other ranks compute."""


class _Counted:
    """Every epoch has the same number of steps."""

    steps_per_epoch: int

    def ended(self, total: int) -> tuple[int, int]:
        """By the number of steps."""
        return divmod(total, self.steps_per_epoch)


class Whole(_Counted):
    """All samples lie in arrays as the engine reads them: a block may span many epochs."""

    refills = False

    def __init__(self, task: Task, shuffle: bool = True) -> None:
        self.task, self.steps_per_epoch = task, task.steps_per_epoch
        self.shuffled = shuffle and task.batch_size < task.samples
        units = sum(relu_units(task.network, task.X.shape[1:]).values())
        self.entries = (task.samples if self.shuffled else 0) + len(task.network.trainable_names()) + units + 8

    def next(self, run: Run, done: int, epoch: int, most: int) -> Next:
        """Whole epochs where the block spans more than one, no too long order or table of records."""
        per_epoch = self.steps_per_epoch
        left = (epoch - run.epoch) * per_epoch - done
        steps = min(left, most, max(1, _ENTRIES // self.entries) * per_epoch)
        if done + steps > per_epoch:
            steps = (done + steps) // per_epoch * per_epoch - done
        order = None
        if self.shuffled:
            epochs = range(run.epoch, run.epoch - (-(done + steps) // per_epoch))
            order = np.stack([_order(self.task.samples, self.task.batch_size, run.seed, e) for e in epochs])
        return Next(steps, done, order)

    def complete(self) -> None:
        """All are there."""

    def renew(self, run: Run) -> None:
        """The task with the settings of now."""
        self.task = self.task.of_run(run.loss, run.optimizer, run.seed)


def _order(samples: int, batch_size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The samples of an epoch: a permutation that depends on (seed, epoch) only."""
    if batch_size >= samples:
        return np.arange(samples)  # the mean over a full batch does not depend on the order
    return np.random.default_rng([seed, epoch]).permutation(samples)


class RowSupply(_Counted):
    """Samples that lie in another dtype, or on disk: gathered and converted a window at a time.

    A rank of a team reads the inputs of those samples alone that it computes.
    """

    refills = True

    def __init__(self, task: Task, rows: Rows, shuffle: bool = True, team: Team = ALONE) -> None:
        """`task` is that of the whole, but for its X, which holds the first sample alone."""
        self.team, self.given = team, slice(0, 0)  # the places of the window's samples in the order of the epoch
        self.whole, self.rows, self.batch_size = task, rows, min(task.batch_size, len(rows))
        self.shuffled = shuffle and self.batch_size < len(rows)
        self.steps_per_epoch = -(-len(rows) // self.batch_size)
        self.part = max(1, _PART_BYTES // max(task.X.nbytes, 1))  # samples that are converted at once
        self.window = self._window()
        self.epoch = -1  # whose order it is
        self.order: NDArray[np.int64] | None = None

    def _window(self) -> Window:
        return Window(self.whole, self.batch_size, self.whole.encoded is not None)

    @property
    def task(self) -> Task:
        """The task of the window."""
        return self.window.task

    def next(self, run: Run, done: int, epoch: int, most: int) -> Next:
        """As many as the window takes, up to the end of the epoch."""
        steps = min(most, self.window.steps, self.steps_per_epoch - done)
        if self.shuffled and self.epoch != run.epoch:
            self.epoch, self.order = run.epoch, _order(len(self.rows), self.batch_size, run.seed, run.epoch)
        begin = done * self.batch_size
        end = min(begin + steps * self.batch_size, len(self.rows))
        self.given, whole, own = slice(begin, end), self.whole, self._samples(slice(begin, end))
        arrays = [None if a is None else a[own] for a in (whole.weights, whole.metric_weights, whole.encoded)]
        self.window.put(end - begin, whole.y[own], *arrays)
        for rows in own_rows(self.team, end - begin, self.batch_size):
            self._read(rows)
        return Next(steps, 0, np.arange(end - begin)[None])

    def _samples(self, places: slice) -> Any:
        """By their places in the order of the epoch."""
        return places if self.order is None else self.order[places]

    def _read(self, rows: slice) -> None:
        """The inputs of some rows of the window, some samples at a time."""
        begin = self.given.start
        for start in range(rows.start, rows.stop, self.part):
            stop = min(start + self.part, rows.stop)
            self.task.X[start:stop] = self.rows[self._samples(slice(begin + start, begin + stop))]

    def complete(self) -> None:
        """Read the inputs of the other ranks' samples too."""
        self._read(slice(0, self.given.stop - self.given.start))

    def renew(self, run: Run) -> None:
        """The task with the settings of now."""
        of_now = self.whole.of_run(run.loss, run.optimizer, run.seed)
        self.whole = replace(of_now, batch_size=self.batch_size)
        self.window = self._window()


class StreamSupply:
    """Batches of a user's own, each of which is a step; the ranks of a team must read the same."""

    refills = True

    def __init__(self, run: Run, batches: Batches, steps_per_epoch: int | None = None, team: Team = ALONE) -> None:
        first = batches.peek()
        self.batches, self.limit, self.sample, self.team = batches, steps_per_epoch, first, team
        self.steps_per_epoch = steps_per_epoch or batches.length
        self.over = False  # whether the epoch is
        self.window = self._window(run, first, len(first.X))

    def _window(self, run: Run, batch: ReadBatch, batch_size: int) -> Window:
        """Room for batches of up to that size."""
        weights = None if batch.weights is None else batch.weights[:1]
        task = Task.of(run.network, run.loss, run.optimizer, run.seed, batch.X[:1], batch.y[:1], weights, 1)
        return Window(task, batch_size)

    @property
    def task(self) -> Task:
        """The task of the window."""
        return self.window.task

    def next(self, run: Run, done: int, epoch: int, most: int) -> Next:
        """Batches of one size, and one smaller at most; none where the batches are at their end."""
        if not done:
            self.batches.begin(run.epoch)
        left = self.limit - done if self.limit else most
        steps, filled = 0, 0
        while steps < min(most, left, self.window.steps):
            batch = self.batches.read()
            if batch is None or (steps and not self._has_room(batch)):
                self.batches.keep(batch)
                break
            if not self._has_room(batch):
                self.window = self._window(run, self._joined(batch), max(self.task.batch_size, len(batch.X)))
            totals = run.loss.sample_totals(batch.y, batch.weights)
            self.task.X[filled : filled + len(batch.X)] = batch.X
            filled += len(batch.X)
            self.window.put(filled, batch.y, totals, batch.weights)
            steps += 1
            if len(batch.X) < self.task.batch_size:
                break
        if not steps:
            raise self._exhausted(run, done)
        self.over = steps == left
        if not self.limit:
            self.batches.keep(self.batches.read())
            self.over = self.batches.waiting is None
        if self.team.size > 1:
            self._require_alike(run.step + 1, steps, filled)
        return Next(steps, 0, np.arange(filled)[None])

    def _require_alike(self, first: int, steps: int, filled: int) -> None:
        """That the next steps are the same on every rank."""
        task, over = self.task, " at the end of an epoch" if self.over else ""
        arrays = [task.X[:filled], task.y[:filled], *([] if task.weights is None else [task.weights[:filled]])]
        where = f"steps {first} to {first + steps - 1}{over}"
        self.team.require_alike({f"batch in {where}": checksum(arrays)})

    def _has_room(self, batch: ReadBatch) -> bool:
        """Whether the window can hold a batch of its size, and targets of its dtype."""
        return len(batch.X) <= self.task.batch_size and np.can_cast(batch.y.dtype, self.task.y.dtype, "safe")

    def _joined(self, batch: ReadBatch) -> ReadBatch:
        return batch._replace(y=batch.y.astype(np.result_type(batch.y.dtype, self.task.y.dtype)))

    def _exhausted(self, run: Run, done: int) -> DataError:
        known = f"after {done} steps of epoch {run.epoch + 1}"
        wanted = "" if self.limit is None else f", before steps_per_epoch={self.limit}"
        return DataError(
            f"fit: the batches ended {known}{wanted}. The model is as it stands after them. Pass a function that "
            "returns the batches of an epoch, or something that can be read again, or fewer steps or epochs."
        )

    def complete(self) -> None:
        """All are there."""

    def ended(self, total: int) -> tuple[int, int]:
        """By what the batches said."""
        return (1, 0) if self.over else (0, total)

    def renew(self, run: Run) -> None:
        """The task with the settings of now."""
        self.window = self._window(run, self.sample, self.task.batch_size)
