"""The steps of training: epochs, shuffled batches, one step after another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..backprop import Pass, advance, propagate
from ..errors import NonFiniteError, UnknownNameError
from ..layer import Arrays, Context, Layer
from ..losses import Loss
from ..optimizers import Optimizer

__all__ = ["Epoch", "Run", "batch_rows", "evaluate", "find_non_finite", "forward", "run_epoch"]


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
    metrics: tuple[str, ...] = ()  # what is measured beside the loss and its own metric

    def rates(self) -> dict[str, float]:
        """The learning rate of every parameter at this step."""
        return {name: self.optimizer.rate(self.step, name) * self.rate_scale for name in self.network.trainable_names()}


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to: means over its samples, and the last step for a closer look."""

    loss: float
    metric: float
    rate: float
    last: Pass


def batch_rows(samples: int, batch_size: int, seed: int, epoch: int, shuffle: bool = True) -> Iterator[NDArray[Any]]:
    """The rows of each batch of an epoch: a permutation that depends on (seed, epoch) only, cut into batches.

    >>> [rows.tolist() for rows in batch_rows(5, 2, seed=0, epoch=0, shuffle=False)]
    [[0, 1], [2, 3], [4]]
    """
    mixed = shuffle and batch_size < samples  # the mean over a full batch does not depend on the order
    order = np.random.default_rng([seed, epoch]).permutation(samples) if mixed else np.arange(samples)
    for start in range(0, samples, batch_size):
        yield order[start : start + batch_size]


def run_epoch(
    run: Run,
    X: NDArray[Any],
    y: NDArray[Any],
    *,
    batch_size: int,
    shuffle: bool = True,
    sample_weights: NDArray[Any] | None = None,
    measured: bool = True,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> Epoch:
    """Train for one epoch; `run` moves along with every step, and `on_batch(done, total)` is called after each.

    The loss of the epoch is the mean over its samples (the sum, with `reduction="sum"`) of the losses that its steps
    met, plus the mean of the penalties; the metric, NaN unless `measured`, is that of the predictions they met. Raises
    `NonFiniteError` where numbers stop being finite, naming the first array in which it happened; the run then stands
    before the step that caused it.
    """
    total = -(-len(X) // batch_size)
    rate = run.optimizer.rate(run.step) * run.rate_scale
    data_loss = penalties = weight = 0.0
    metric = _RunningMetric(run.loss, y, sample_weights)
    for done, rows in enumerate(batch_rows(len(X), batch_size, run.seed, run.epoch, shuffle), start=1):
        own = None if sample_weights is None else sample_weights[rows]
        last = _step(run, X[rows], y[rows], own)
        share = run.loss.total_weight(y[rows], own)
        data_loss += float(last.data_loss) * (share if run.loss.reduction == "mean" else 1.0)
        penalties += float(last.penalty)
        weight += share
        if measured:
            metric.add(rows, last.predictions)
        on_batch(done, total)
    run.epoch += 1
    loss = (data_loss / weight if run.loss.reduction == "mean" else data_loss) + penalties / total
    return Epoch(loss, metric.mean() if measured else math.nan, rate, last)


class _RunningMetric:
    """The metric of the predictions of many batches, taken a few thousand samples at a time: a batch costs little."""

    def __init__(self, loss: Loss, y: NDArray[Any], weights: NDArray[Any] | None) -> None:
        self.loss, self.y, self.weights = loss, y, weights
        self.rows: list[NDArray[Any]] = []
        self.predictions: list[NDArray[Any]] = []
        self.waiting, self.total, self.weight = 0, 0.0, 0.0

    def add(self, rows: NDArray[Any], predictions: NDArray[Any]) -> None:
        """The predictions (B, C) for the samples `rows` (B,)."""
        self.rows.append(rows)
        self.predictions.append(predictions)
        self.waiting += len(rows)
        if self.waiting >= 4096:
            self._measure()

    def mean(self) -> float:
        """The mean over all samples so far."""
        if self.waiting:
            self._measure()
        return self.total / self.weight if self.weight else math.nan

    def _measure(self) -> None:
        rows = np.concatenate(self.rows)
        own = None if self.weights is None else self.weights[rows]
        decided = self.loss.decide(np, np.concatenate(self.predictions))
        weight = float(len(rows) if own is None else own.sum())
        self.total += weight * _metric(self.loss, self.y[rows], decided, own)
        self.weight += weight
        self.rows, self.predictions, self.waiting = [], [], 0


def _step(run: Run, X: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None) -> Pass:
    shape = (len(X), *run.network.output_shape(X.shape[1:]))
    targets, shares = run.loss.prepare(y, shape, weights, X.dtype, weightless=True)
    context = Context(not run.network.frozen, run.seed, run.step)
    with np.errstate(all="ignore"):  # what is not finite is looked for below, and named
        result, values, slots = advance(
            np, run.network, run.loss, run.optimizer, run.values, X, targets, shares, context, run.slots, run.rates()
        )
        finite = math.isfinite(result.loss) and all(math.isfinite(np.sum(p)) for p in values.values())
    if not finite:
        place = find_non_finite(run, X, targets, shares) or "the update of the parameters"
        raise NonFiniteError(
            f"Training stopped at step {run.step} (epoch {run.epoch + 1}): the first numbers that are not finite "
            f"are in {place}. Lower the learning rate ({run.optimizer.rate(run.step) * run.rate_scale:g} now), clip "
            "the gradients with clip_norm=1.0, or scale the inputs. The parameters are those before this step."
        )
    run.values, run.slots, run.step = values, slots, run.step + 1
    return result


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
