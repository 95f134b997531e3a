"""The steps of training: epochs, shuffled batches, one step after another."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import engines
from ..backprop import propagate
from ..engines.contract import Block, Outcome, Task
from ..errors import NonFiniteError
from ..layer import Arrays, Context
from ..store import set_writeable
from .measuring import EpochReport
from .run import Run

__all__ = ["Epoch", "Steps", "batch_rows", "find_non_finite", "run_epoch"]

BLOCK_SECONDS = 0.15
_ENTRIES = 2**21  # the most numbers of an order, or of predictions, that a block holds


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to: means over its samples, and the gradients of its last step for a closer look."""

    loss: float
    metric: float
    rate: float
    gradient_squares: Callable[[], dict[str, float]]  # Σg² of each parameter, by dotted name


def batch_rows(samples: int, batch_size: int, seed: int, epoch: int, shuffle: bool = True) -> Iterator[NDArray[Any]]:
    """The rows of each batch of an epoch: a permutation that depends on (seed, epoch) only, cut into batches.

    >>> [rows.tolist() for rows in batch_rows(5, 2, seed=0, epoch=0, shuffle=False)]
    [[0, 1], [2, 3], [4]]
    """
    order = _order(samples, batch_size, seed, epoch) if shuffle else np.arange(samples)
    for start in range(0, samples, batch_size):
        yield order[start : start + batch_size]


def _order(samples: int, batch_size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    if batch_size >= samples:
        return np.arange(samples)  # the mean over a full batch does not depend on the order
    return np.random.default_rng([seed, epoch]).permutation(samples)


class Steps:
    """The steps of a run on one engine, a block of them at a time; `run` moves along with every block.

    A block lasts about `BLOCK_SECONDS`, so that Ctrl-C and the progress bar answer; how the steps are cut into blocks
    changes no number.
    """

    def __init__(self, run: Run, task: Task, *, shuffle: bool = True, engine: str = "numpy") -> None:
        self.run, self.task, self.start = run, task, engines.start(engine)
        self.shuffled = shuffle and task.batch_size < task.samples
        self.size = 1.0  # steps in the next block, before rounding
        self._open()

    def _open(self) -> None:
        run = self.run
        self.task = self.task.of_run(run.loss, run.optimizer, run.seed)
        self.values, self.slots = run.values, run.slots
        _hold_still(self.values)
        self.session = self.start(self.task, self.values, self.slots)
        self.opened = _settings(run)

    def train(self, epoch: int, on_block: Callable[[int, int, int], None] = lambda epoch, done, total: None) -> Epoch:
        """Train up to `epoch`, an absolute number, and say what the last epoch came to.

        `on_block(epoch, done, total)` is called after each block, `done` of `total` steps into the epoch that it ended
        in. The loss of the epoch is the mean over its samples (the sum, with `reduction="sum"`) of the losses that its
        steps met, plus the mean of the penalties; the metric is that of the predictions they met. Raises
        `NonFiniteError` where numbers stop being finite, naming the first array in which it happened; the run then
        stands before the step that caused it.
        """
        if self.opened != _settings(self.run):  # a callback has changed a layer or the optimizer
            self._open()
        run, per_epoch, done = self.run, self.task.steps_per_epoch, 0
        report = EpochReport(self.task)
        while run.epoch < epoch:
            last = run.epoch == epoch - 1
            left = per_epoch - done if last else (epoch - 1 - run.epoch) * per_epoch - done
            if last and not done:
                rate = run.optimizer.rate(run.step) * run.rate_scale
            block = self._block(done, left, last)
            outcome = self._carry_out(block)
            epochs, done = divmod(done + block.steps, per_epoch)
            run.epoch += epochs
            if last:
                report.add(block, outcome)
            on_block(run.epoch, done, per_epoch)
        return Epoch(report.loss(), report.metric(), rate, self.session.gradient_squares)

    def _block(self, first: int, left: int, predict: bool) -> Block:
        """The next block: whole epochs where it spans more than one, no too long order or list of predictions."""
        task, run = self.task, self.run
        steps, per_epoch = min(left, max(1, int(self.size))), task.steps_per_epoch
        if predict:
            steps = min(steps, max(1, _ENTRIES // (task.batch_size * task.outputs)))
        elif self.shuffled:
            steps = min(steps, max(1, _ENTRIES // task.samples) * per_epoch)
        if first + steps > per_epoch:
            steps = (first + steps) // per_epoch * per_epoch - first
        order = None
        if self.shuffled:
            epochs = range(run.epoch, run.epoch - (-(first + steps) // per_epoch))
            order = np.stack([_order(task.samples, task.batch_size, run.seed, e) for e in epochs])
        return Block(run.step, steps, first, order, run.rate_table(steps), predict)

    def _carry_out(self, block: Block) -> Outcome:
        run, begin = self.run, time.perf_counter()
        values = run.values
        changed = any(values[name] is not array for name, array in self.values.items())
        if changed or run.slots is not self.slots:  # by a callback
            self.session.load(values, run.slots)
        outcome = self.session.run(block)
        if outcome.steps < block.steps:
            self.session.load(values, run.slots)
            if outcome.steps:
                self.session.run(block.head(outcome.steps))
            self._stand(outcome.steps)
            self._explain(block, outcome.steps)
        self._stand(block.steps)
        seconds = max(time.perf_counter() - begin, 1e-9)
        self.size = min(block.steps * BLOCK_SECONDS / seconds, 8.0 * max(self.size, 1.0))
        return outcome

    def _stand(self, steps: int) -> None:
        run = self.run
        if steps:
            values, run.slots = self.session.values(), self.session.slots()
            _hold_still(values)
            run.values, run.step = values, run.step + steps
        self.values, self.slots = run.values, run.slots

    def _explain(self, block: Block, steps: int) -> None:
        """Raise the error that names what stopped being finite, found by the reference in the step that failed."""
        run, task = self.run, self.task
        rows, size = next(itertools.islice(block.batches(task), steps, None))
        place = find_non_finite(run, task.X[rows], task.targets(rows), task.shares(rows, size))
        epoch = run.epoch + (block.first + steps) // task.steps_per_epoch
        raise NonFiniteError(
            f"Training stopped at step {run.step} (epoch {epoch + 1}): the first numbers that are not finite "
            f"are in {place or 'the update of the parameters'}. Lower the learning rate "
            f"({run.optimizer.rate(run.step) * run.rate_scale:g} now), clip the gradients with clip_norm=1.0, or scale "
            "the inputs. The parameters are those before this step."
        )


def _hold_still(values: Arrays) -> None:
    """No array of a run is changed in place: a callback assigns another, which every engine sees."""
    for array in values.values():
        set_writeable(array, False)


def _settings(run: Run) -> tuple[Any, ...]:
    """What a session has taken in when it was opened; where it changes, another one is needed."""
    layers = tuple((repr(leaf.layer), leaf.frozen) for leaf in run.network.flat)
    return run.loss, run.optimizer, run.seed, run.network.trainable_names(), layers


def run_epoch(run: Run, X: NDArray[Any], y: NDArray[Any], *, batch_size: int, shuffle: bool = True) -> Epoch:
    """Train for one epoch on the NumPy engine."""
    task = Task.of(run.network, run.loss, run.optimizer, run.seed, X, y, None, batch_size)
    return Steps(run, task, shuffle=shuffle).train(run.epoch + 1)


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
