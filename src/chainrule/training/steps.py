"""The steps of training: epochs, shuffled batches, one step after another."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import engines
from ..backprop import propagate
from ..columns import DEAD, EPOCH, GRADIENT_NORM, LEARNING_RATE, SECONDS, Column
from ..engines.contract import Block, NotCovered, Session, Task
from ..engines.recorder import relu_units
from ..engines.records import Records
from ..errors import NonFiniteError
from ..layer import Arrays, Context
from ..rows import Rows, Samples
from ..store import let_change
from .measuring import forward
from .run import Run
from .supply import Supply

__all__ = ["Columns", "Steps", "find_non_finite"]

BLOCK_SECONDS = 0.08
_ROWS = 1024  # that are converted together where the network's outputs are asked for

Columns = dict[str, Any]  # by the name of what was measured: a list or an array, with a number of each epoch


class Steps:
    """The steps of a run on one engine, a block of them at a time; `run` moves along with every block.

    A block lasts less than `BLOCK_SECONDS`, so that Ctrl-C and the progress bar answer; how the steps are cut into
    blocks changes no number. A session of its own, from `start`, gets blocks of one size, so that its ranks cut alike
    and add up the records of an epoch alike.
    """

    def __init__(
        self,
        run: Run,
        supply: Supply,
        engine: str = "numpy",
        start: Callable[[Task, Arrays, Arrays], Session] | None = None,
    ) -> None:
        self.run, self.supply, self.start = run, supply, start or engines.start(engine)
        self.timed = start is None
        task = supply.task
        self.units = relu_units(task.network, task.X.shape[1:])
        seconds = BLOCK_SECONDS / 4 if self.timed else BLOCK_SECONDS  # the first block shows what a step takes
        self.size = max(1.0, seconds / engines.seconds_per_step(engine, task))  # steps in the next block
        self.done = 0  # steps into the epoch that has begun
        self.begun: Records | None = None  # what they came to
        self.newest: Records | None = None  # those of the last block, whose last epoch is that one,
        self.before: Records | None = None  # and what it had come to before
        self.clock = time.perf_counter()  # when that epoch began
        self.failure: NonFiniteError | None = None
        self.session: Session | None = None
        self.opened: _Settings | None = None

    def _open(self, settings: _Settings) -> Session:
        run = self.run
        self.values, self.slots, self.opened = run.values, run.slots, settings
        let_change(self.values, False)  # a callback assigns another, which every engine sees
        self.task = self.supply.task
        return self.start(self.task, self.values, self.slots)

    def close(self) -> None:
        """After the last step."""
        if self.session is not None:
            self.session.close()

    def outputs(self, X: Samples) -> NDArray[Any]:
        """The network's outputs (S, C) in inference after the steps so far, by the engine that carries them out."""
        assert self.session is not None
        try:
            if isinstance(X, Rows):
                parts = [self.session.outputs(X[start : start + _ROWS]) for start in range(0, len(X), _ROWS)]
                return np.concatenate(parts)
            return self.session.outputs(X)
        except NotCovered:
            return forward(self.run, X)

    def train(self, epoch: int) -> Columns:
        """Carry out the next block, up to the end of `epoch` (an absolute number) at most.

        Returns a column for each number that is measured, with a row for each epoch that ended. The loss of an epoch is
        the mean over its samples (the sum, with `reduction="sum"`) of the losses that its steps met, plus the mean of
        the penalties; the metric is that of the predictions they met; gradients are those of its last step.

        Where numbers stop being finite, `failure` holds the error that names the first array in which it happened, and
        the run stands before the step that caused it.
        """
        run, settings = self.run, _settings(self.run)
        first, began = run.step - self.done, self.clock
        if self.session is not None and self.opened != settings:
            self.supply.renew(run)
        steps, begins, order = self.supply.next(run, self.done, epoch, max(1, int(self.size)))
        block = Block(run.step, steps, begins, order, run.rate_table(steps), True, self.begun)
        session, values = self._up_to_date(settings)
        begin = time.perf_counter()
        outcome = session.run(block)
        if outcome.steps < block.steps:
            records = self._fail(session, block, outcome.steps, values)
        else:
            records = outcome.records
            self._stand(session, block.steps)
        if self.timed:
            self.size = min(
                block.steps * BLOCK_SECONDS / max(time.perf_counter() - begin, 1e-9), 8.0 * max(self.size, 1.0)
            )
        if records is None:
            return {}
        self.before, self.newest = self.begun, records
        total = int(np.add.reduce(records.steps))
        ended, self.done = self.supply.ended(total)
        self.begun = records.last() if self.done else None
        now = time.perf_counter()
        self.clock = now - (now - began) * self.done / total
        columns = self._columns(records, first, ended, settings.trainable) if ended else {}
        run.epoch += ended
        return columns | {SECONDS: np.full(ended, (self.clock - began) / ended)} if ended else {}

    def one(self) -> dict[str, float]:
        """What the last step came to, where the block was one step long."""
        run, records = self.run, self.newest
        if records is None:
            return {}
        step = records.last() if self.before is None else records.last().less(self.before)
        return {
            "step": run.step,
            "loss": float(step.losses(run.loss.reduction == "mean")[0]),
            run.loss.metric: float(step.metric()[0]),
            LEARNING_RATE: float(run.learning_rates([run.step - 1])[0]),
        }

    def _columns(self, records: Records, first: int, ended: int, trainable: tuple[str, ...]) -> Columns:
        """The records of the epochs that ended; `first` is the first step of the first one."""
        run, task = self.run, self.task
        starts = first + records.steps[:ended].cumsum() - records.steps[:ended]
        columns: Columns = {
            EPOCH: np.arange(run.epoch + 1, run.epoch + ended + 1),
            "loss": records.losses(task.loss.reduction == "mean")[:ended],
            task.loss.metric: records.metric()[:ended],
            LEARNING_RATE: run.learning_rates(starts),
        }
        spans = run.network.derived(("columns", tuple(self.units)), lambda: _columns_of(trainable, self.units))
        squares, alive = records.squares[:ended], records.alive[:ended]
        for name, begin, end in spans[GRADIENT_NORM]:
            total = squares[:, begin]
            for column in range(begin + 1, end):
                total = total + squares[:, column]
            columns[name] = np.sqrt(total)
        for name, begin, end in spans[DEAD]:
            of_units = np.ascontiguousarray(alive[:, begin:end].T)  # (units, E): a sum of rows is the quicker one
            columns[name] = 1 - np.add.reduce(of_units, 0) / (end - begin)
        return columns

    def _up_to_date(self, settings: _Settings) -> tuple[Session, Arrays]:
        """The session, and the parameters, which it holds too: also where a callback has changed them, a layer or a
        setting."""
        if self.session is None or self.opened != settings or self.task is not self.supply.task:
            self.session = self._open(settings)
            return self.session, self.values
        run, values = self.run, self.run.values
        if self.supply.refills:
            self.session.feed()
        if run.slots is not self.slots or any(values[name] is not array for name, array in self.values.items()):
            self.session.load(values, run.slots)
        return self.session, values

    def _fail(self, session: Session, block: Block, steps: int, values: Arrays) -> Records | None:
        """Stand before the step that fails, the one after so many of the block; what the steps before it came to."""
        session.load(values, self.run.slots)
        records = session.run(block.head(steps)).records if steps else None
        self._stand(session, steps)
        self.failure = self._explain(block, steps)
        return records

    def _stand(self, session: Session, steps: int) -> None:
        run = self.run
        if steps:
            self.values, run.slots = session.values(), session.slots()
            let_change(self.values, False)
            run.values, run.step = self.values, run.step + steps
        self.slots = run.slots

    def _explain(self, block: Block, steps: int) -> NonFiniteError:
        """The error that names what stopped being finite, found by the reference in the step that failed."""
        run, task = self.run, self.task
        self.supply.complete()
        rows, size = next(itertools.islice(block.batches(task), steps, None))
        place = find_non_finite(run, task.X[rows], task.targets(rows), task.shares(rows, size))
        epoch = run.epoch + (block.first + steps) // task.steps_per_epoch  # of a window 0: it ends within an epoch
        return NonFiniteError(
            f"Training stopped at step {run.step} (epoch {epoch + 1}): the first numbers that are not finite "
            f"are in {place or 'the update of the parameters'}. Lower the learning rate "
            f"({run.optimizer.rate(run.step) * run.rate_scale:g} now), clip the gradients with clip_norm=1.0, or scale "
            "the inputs. The parameters are those before this step."
        )


def _columns_of(trainable: Sequence[str], units: Mapping[str, int]) -> dict[str, list[tuple[str, int, int]]]:
    """What the records of each node are called, of which columns they are the sum: from the first up to the last."""
    parameters = Counter(name.rpartition(".")[0] for name in trainable)  # those of a node lie side by side
    found: dict[str, list[tuple[str, int, int]]] = {}
    for quantity, sizes in ((GRADIENT_NORM, parameters), (DEAD, units)):
        ends = itertools.accumulate(sizes.values())
        named = zip(sizes.items(), ends, strict=True)
        found[quantity] = [(Column(quantity, node=node).name, end - size, end) for (node, size), end in named]
    return found


class _Settings(NamedTuple):
    """What a session has taken in when it was opened; where it changes, another one is needed."""

    loss: Any
    optimizer: Any
    seed: int
    trainable: tuple[str, ...]
    layers: tuple[Any, ...]


def _settings(run: Run) -> _Settings:
    return _Settings(run.loss, run.optimizer, run.seed, run.network.trainable_names(), run.network.settings())


def find_non_finite(run: Run, X: NDArray[Any], targets: NDArray[Any], shares: NDArray[Any]) -> str | None:
    """The first array of the next step that holds NaN or infinity, in the order of computing: parameters, outputs, the
    loss, then gradients from the loss down. None where all are finite."""
    for name, value in run.values.items():
        if not np.isfinite(value).all():
            return f"the parameter {name}"
    record: dict[str, Arrays] = {}
    context = Context(not run.network.frozen, run.seed, run.step, record=record)
    with np.errstate(all="ignore"):
        result = propagate(np, run.network, run.loss, run.values, X, targets, shares, context)
    for name, arrays in record.items():
        if not np.isfinite(arrays["output"]).all():
            return f"the output of {name}"
    if not np.isfinite(result.losses).all():
        return "the loss"
    if not np.isfinite(result.dpredictions).all():
        return "the gradient of the loss, dpredictions"
    for name, arrays in reversed(record.items()):
        for own, gradient in arrays["gradients"].items():
            if not np.isfinite(gradient).all():
                return f"the gradient of {name}, d{own}"
        dinputs = arrays["dinputs"] if isinstance(arrays["dinputs"], tuple) else (arrays["dinputs"],)
        if not all(np.isfinite(d).all() for d in dinputs):
            return f"the gradient of {name}, dinputs"
    return None
