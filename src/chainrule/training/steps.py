"""The steps of training: epochs, shuffled batches, one step after another."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import engines, metrics
from ..backprop import propagate
from ..engines.contract import Block, Outcome, Task
from ..errors import NonFiniteError, UnknownNameError
from ..graph import Graph
from ..layer import Arrays, Context, Layer
from ..losses import Loss
from ..optimizers import Optimizer

__all__ = ["Epoch", "Run", "Steps", "batch_rows", "evaluate", "find_non_finite", "forward", "run_epoch"]

BLOCK_SECONDS = 0.15
_ENTRIES = 2**21  # the most numbers of an order, or of predictions, that a block holds


@dataclass
class Run:
    """A training run as it stands: what the next step needs, and nothing else."""

    network: Layer
    loss: Loss
    optimizer: Optimizer
    values: Arrays  # parameters and state
    slots: Arrays
    seed: int
    step: int = 0
    epoch: int = 0
    rate_scale: float = 1.0  # what callbacks multiply the learning rate by
    engine: str = "auto"  # what carries out the steps; a name once it is chosen
    metrics: tuple[str, ...] = ()  # what is measured beside the loss and its own metric

    def rates(self) -> dict[str, float]:
        """The learning rate of every trainable parameter at this step."""
        return dict(zip(self.network.trainable_names(), self.rate_table(1)[0].tolist(), strict=True))

    def rate_table(self, steps: int) -> NDArray[np.float64]:
        """The learning rate of every trainable parameter at each of the next `steps` steps, (steps, T)."""
        rates = [self.optimizer.member(name).learning_rate for name in self.network.trainable_names()]
        found: dict[int, Any] = {}
        for rate in rates:
            if id(rate) not in found:
                ahead = range(self.step, self.step + steps)
                found[id(rate)] = [float(rate(step)) for step in ahead] if callable(rate) else float(rate)
        table = np.empty((steps, len(rates)))
        for column, rate in enumerate(rates):
            table[:, column] = found[id(rate)]
        return table * self.rate_scale


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

    def __init__(
        self,
        run: Run,
        X: NDArray[Any],
        y: NDArray[Any],
        *,
        batch_size: int,
        shuffle: bool = True,
        sample_weights: NDArray[Any] | None = None,
        engine: str = "numpy",
    ) -> None:
        self.run, self.start = run, engines.start(engine)
        self.data = (X, y, sample_weights, int(batch_size))
        self.shuffled = shuffle and batch_size < len(X)
        self.size = 1.0  # steps in the next block, before rounding
        self._open()

    def _open(self) -> None:
        run = self.run
        self.task = Task.of(run.network, run.loss, run.optimizer, run.seed, *self.data)
        self.session = self.start(self.task, run.values, run.slots)
        self.opened, self.values, self.slots = _settings(run), run.values, run.slots

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
        report = _Report(self.task, self.data[2])
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
        if run.values is not self.values or run.slots is not self.slots:  # a callback has put others in place
            self.session.load(run.values, run.slots)
        outcome = self.session.run(block)
        if outcome.steps < block.steps:
            self.session.load(run.values, run.slots)
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
        values, slots = (self.session.values(), self.session.slots()) if steps else (run.values, run.slots)
        run.values, run.slots, run.step = values, slots, run.step + steps
        self.values, self.slots = values, slots

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


def _settings(run: Run) -> tuple[Any, ...]:
    """What a session has taken in when it was opened; where it changes, another one is needed."""
    return run.loss, run.optimizer, run.seed, run.network.trainable_names(), _layers(run.network)


def _layers(layer: Layer) -> tuple[Any, ...]:
    """What is frozen, and every layer's own settings."""
    own = tuple(_layers(node.layer) for node in layer) if isinstance(layer, Graph) else (repr(layer),)
    return layer.frozen, own


def run_epoch(run: Run, X: NDArray[Any], y: NDArray[Any], *, batch_size: int, shuffle: bool = True) -> Epoch:
    """Train for one epoch on the NumPy engine."""
    return Steps(run, X, y, batch_size=batch_size, shuffle=shuffle).train(run.epoch + 1)


class _Report:
    """The loss and the metric of one epoch, from the outcomes of its blocks."""

    def __init__(self, task: Task, sample_weights: NDArray[Any] | None) -> None:
        self.task = task
        self.losses: list[NDArray[Any]] = []
        self.penalties: list[NDArray[Any]] = []
        self.shares: list[float] = []
        self.measured = _RunningMetric(task.loss, task.y, sample_weights)

    def add(self, block: Block, outcome: Outcome) -> None:
        """A block of the epoch."""
        task, start = self.task, 0
        self.losses.append(outcome.data_losses)
        self.penalties.append(outcome.penalties)
        for rows, size in block.batches(task):
            self.shares.append(float(size if task.weights is None else task.weights[rows].sum()))
            if outcome.predictions is not None:
                self.measured.add(rows, outcome.predictions[start : start + size])
            start += size

    def loss(self) -> float:
        """Data loss and penalties."""
        losses, shares = np.concatenate(self.losses), np.array(self.shares)
        mean = self.task.loss.reduction == "mean"
        data_loss = np.sum(losses * shares) / np.sum(shares) if mean else np.sum(losses)
        return float(data_loss + np.mean(np.concatenate(self.penalties)))

    def metric(self) -> float:
        """The metric over all samples."""
        return self.measured.mean()


class _RunningMetric:
    """The metric of the predictions of many batches, taken a few thousand samples at a time: a batch costs little."""

    def __init__(self, loss: Loss, y: NDArray[Any], weights: NDArray[Any] | None) -> None:
        self.loss, self.y, self.weights = loss, y, weights
        self.parts: list[tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any]]] = []
        self.waiting, self.total, self.weight = 0, 0.0, 0.0

    def add(self, rows: Any, predictions: NDArray[Any]) -> None:
        """The predictions (B, C) for the samples `rows`, indices or a slice."""
        self.parts.append((self.y[rows], None if self.weights is None else self.weights[rows], predictions))
        self.waiting += len(predictions)
        if self.waiting >= 4096:
            self._measure()

    def mean(self) -> float:
        """The mean over all samples so far."""
        if self.waiting:
            self._measure()
        return self.total / self.weight if self.weight else math.nan

    def _measure(self) -> None:
        y, weights, predictions = zip(*self.parts, strict=True)
        own = None if self.weights is None else np.concatenate(weights)
        decided = self.loss.decide(np, np.concatenate(predictions))
        weight = float(len(decided) if own is None else own.sum())
        if weight:
            self.total += weight * _metric(self.loss, np.concatenate(y), decided, own)
        self.weight += weight
        self.parts, self.waiting = [], 0


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


def forward(run: Run, X: NDArray[Any], batch_size: int = 1024) -> NDArray[Any]:
    """The network's output in inference, computed batch by batch."""
    context = Context(training=False)
    parts = [
        run.network.forward_pass(np, X[start : start + batch_size], run.values, context)[0]
        for start in range(0, len(X), batch_size) or [0]
    ]
    return np.concatenate(parts)


def evaluate(
    run: Run, X: NDArray[Any], y: NDArray[Any], sample_weights: NDArray[Any] | None = None
) -> dict[str, float]:
    """The loss, penalties left out, and the metrics on other data, in inference."""
    outputs = forward(run, X)
    targets, shares = run.loss.prepare(y, outputs.shape, sample_weights, outputs.dtype)
    losses, _ = run.loss.forward_pass(np, outputs, targets)
    decided = run.loss.decide(np, outputs)
    measured = {
        "loss": float(np.sum(losses * shares[:, 0])),
        run.loss.metric: _metric(run.loss, y, decided, sample_weights),
    }
    return measured | {name: float(getattr(metrics, name)(run.loss.labels(y), decided)) for name in run.metrics}


def _metric(loss: Loss, y: NDArray[Any], decided: NDArray[Any], weights: NDArray[Any] | None) -> float:
    """The loss's own metric of what the predictions stand for."""
    return float(getattr(metrics, loss.metric)(loss.labels(y), decided, sample_weights=weights))


def known_metrics(names: Any, loss: Loss) -> tuple[str, ...]:
    """The names of metrics that can be measured for this loss. Raises `UnknownNameError` for another."""
    known = ("precision", "recall", "f1") if loss.metric == "accuracy" else ("root_mean_squared_error", "r2")
    for name in names:
        if name not in known:
            raise UnknownNameError(f"metric beside {loss.metric}", name, known)
    return tuple(names)
