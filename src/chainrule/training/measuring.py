"""What a run measures: the loss and the metric of an epoch's own batches, and those of other data."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..engines.contract import Block, Outcome, Task
from ..layer import Context
from ..losses import Loss
from .run import Run

__all__ = ["EpochReport", "Held", "RunningMetric", "evaluate", "forward", "known_metrics"]


class EpochReport:
    """The loss and the metric of one epoch, from the outcomes of its blocks."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.losses: list[NDArray[Any]] = []
        self.penalties: list[NDArray[Any]] = []
        self.shares: list[float] = []
        self.measured = RunningMetric(task.loss, task.y, task.metric_weights)

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


class RunningMetric:
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


def forward(run: Run, X: NDArray[Any], batch_size: int = 1024) -> NDArray[Any]:
    """The network's output in inference, computed batch by batch."""
    context, values = Context(training=False), run.values
    parts = [
        run.network.forward_pass(np, X[start : start + batch_size], values, context)[0]
        for start in range(0, len(X), batch_size) or [0]
    ]
    return np.concatenate(parts)


class Held(NamedTuple):
    """Samples that a run is measured on: checked, with the targets encoded once."""

    X: NDArray[Any]  # (S, ...)
    y: NDArray[Any]
    targets: NDArray[Any]  # (S, C), as the loss reads them
    shares: NDArray[Any]  # (S, 1), of the loss
    weights: NDArray[Any] | None

    @classmethod
    def of(cls, run: Run, X: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None = None) -> Held:
        """Raises `DataError` and its kinds."""
        shape = (len(X), *run.network.output_shape(X.shape[1:]))
        return cls(X, y, *run.loss.prepare(y, shape, weights, X.dtype), weights)


def evaluate(run: Run, held: Held) -> dict[str, float]:
    """The loss, penalties left out, and the metrics on other data, in inference."""
    outputs = forward(run, held.X)
    losses, _ = run.loss.forward_pass(np, outputs, held.targets)
    decided = run.loss.decide(np, outputs)
    measured = {
        "loss": float(np.sum(losses * held.shares[:, 0])),
        run.loss.metric: _metric(run.loss, held.y, decided, held.weights),
    }
    return measured | {name: float(getattr(metrics, name)(run.loss.labels(held.y), decided)) for name in run.metrics}


def _metric(loss: Loss, y: NDArray[Any], decided: NDArray[Any], weights: NDArray[Any] | None) -> float:
    """The loss's own metric of what the predictions stand for."""
    return float(getattr(metrics, loss.metric)(loss.labels(y), decided, sample_weights=weights))


def known_metrics(names: Any, loss: Loss) -> tuple[str, ...]:
    """The names of metrics that can be measured for this loss. Raises `UnknownNameError` for another."""
    return metrics.beside(names, loss.metric)
