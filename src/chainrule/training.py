"""The training loop, written once: epochs, shuffled batches, one step after another, and the History of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import metrics
from .backprop import advance
from .errors import NonFiniteError, UnknownNameError
from .layer import Arrays, Context, Layer
from .losses import Loss
from .optimizers import Optimizer

__all__ = ["History", "Run", "batch_rows", "evaluate", "run_epochs"]


@dataclass
class History:
    """What was measured, one record for each epoch: `history["loss"]` is a list, `history.records` all of it.

    >>> history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    >>> history["loss"], len(history)
    ([0.5, 0.25], 2)
    """

    records: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.names:
            raise UnknownNameError("column of the history", name, self.names)
        return [record[name] for record in self.records if name in record]

    @property
    def names(self) -> list[str]:
        """The names of what was measured."""
        return list(dict.fromkeys(name for record in self.records for name in record))

    def to_csv(self) -> str:
        """The records as a table with a header, one line for each epoch."""
        import csv
        import io

        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=self.names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.records)
        return text.getvalue()


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


def batch_rows(samples: int, batch_size: int, seed: int, epoch: int, shuffle: bool = True) -> Iterator[NDArray[Any]]:
    """The rows of each batch of an epoch: a permutation that depends on (seed, epoch) only, cut into batches.

    >>> [rows.tolist() for rows in batch_rows(5, 2, seed=0, epoch=0, shuffle=False)]
    [[0, 1], [2, 3], [4]]
    """
    whole = shuffle and batch_size < samples  # the mean over a full batch does not depend on the order
    order = np.random.default_rng([seed, epoch]).permutation(samples) if whole else np.arange(samples)
    for start in range(0, samples, batch_size):
        yield order[start : start + batch_size]


def run_epochs(
    run: Run,
    X: NDArray[Any],
    y: NDArray[Any],
    *,
    epochs: int,
    batch_size: int,
    shuffle: bool = True,
    sample_weights: NDArray[Any] | None = None,
    validation_data: tuple[NDArray[Any], NDArray[Any]] | None = None,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[dict[str, float]]:
    """Train for some epochs, yielding the record of each; `run` moves along with every step.

    `on_batch(done, total)` is called after each step. Raises `NonFiniteError` where the loss stops being a number.
    """
    total = -(-len(X) // batch_size)
    for _ in range(epochs):
        begin, sums, weight = time.perf_counter(), np.zeros(2), 0
        rate = run.optimizer.rate(run.step)
        for done, rows in enumerate(batch_rows(len(X), batch_size, run.seed, run.epoch, shuffle), start=1):
            part = X[rows]
            predictions, loss = _step(run, part, y[rows], None if sample_weights is None else sample_weights[rows])
            measured = _measure(run.loss, y[rows], predictions)
            sums += np.array([loss, measured]) * len(rows)
            weight += len(rows)
            on_batch(done, total)
        run.epoch += 1
        record = {"epoch": run.epoch, "loss": sums[0] / weight, run.loss.metric: sums[1] / weight}
        if validation_data is not None:
            record |= {f"val_{k}": v for k, v in evaluate(run, *validation_data).items()}
        record |= {"learning_rate": rate, "seconds": time.perf_counter() - begin}
        yield {name: float(value) if name != "epoch" else int(value) for name, value in record.items()}


def _step(run: Run, X: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None) -> tuple[NDArray[Any], float]:
    shape = (len(X), *run.network.output_shape(X.shape[1:]))
    targets, shares = run.loss.prepare(y, shape, weights, X.dtype)
    context = Context(True, run.seed, run.step)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # reported below, by name
        result, values, slots = advance(
            np, run.network, run.loss, run.optimizer, run.values, X, targets, shares, context, run.slots
        )
    loss = float(result.loss)
    if not np.isfinite(loss):
        raise NonFiniteError(
            f"The loss became {loss} at step {run.step} (epoch {run.epoch + 1}): the steps are too large. Lower the "
            f"learning rate ({run.optimizer.rate(run.step):g} now), or clip the gradients with clip_norm=1.0. "
            "The parameters are those before this step."
        )
    run.values, run.slots, run.step = values, slots, run.step + 1
    return result.predictions, loss


def forward(run: Run, X: NDArray[Any], batch_size: int = 1024) -> Iterator[tuple[slice, NDArray[Any]]]:
    """The network's output in inference, batch by batch."""
    context = Context(training=False)
    for start in range(0, len(X), batch_size) or [0]:
        rows = slice(start, start + batch_size)
        yield rows, run.network.forward_pass(np, X[rows], run.values, context)[0]


def evaluate(
    run: Run, X: NDArray[Any], y: NDArray[Any], sample_weights: NDArray[Any] | None = None
) -> dict[str, float]:
    """The loss, penalties left out, and the metric on other data, in inference."""
    outputs = np.concatenate([output for _, output in forward(run, X)])
    targets, shares = run.loss.prepare(y, outputs.shape, sample_weights, outputs.dtype)
    losses, _ = run.loss.forward_pass(np, outputs, targets)
    return {"loss": float(np.sum(losses * shares[:, 0])), run.loss.metric: _measure(run.loss, y, outputs)}


def _measure(loss: Loss, y: NDArray[Any], predictions: NDArray[Any]) -> float:
    return float(getattr(metrics, loss.metric)(y, loss.decide(np, predictions)))


def summary_line(record: Mapping[str, float], names: Sequence[str]) -> str:
    """One epoch on one line.

    >>> summary_line({"epoch": 3, "loss": 0.51234}, ["loss"])
    'epoch 3: loss 0.5123'
    """
    shown = ", ".join(f"{name} {record[name]:.4f}" for name in names if name in record)
    return f"epoch {record['epoch']}: {shown}"
