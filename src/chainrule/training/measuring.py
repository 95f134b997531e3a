"""What a run measures on data that it does not train on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..engines.numpy import inferred
from ..errors import DataError
from ..loss import Loss
from ..metrics.naming import OF_PROBABILITIES, Metric, beside, name_of
from ..ranks import ALONE, Team
from ..rows import Samples
from .batches import Batches, ReadBatch, checksum
from .run import Run

__all__ = ["Held", "HeldBatches", "evaluate", "forward", "known_metrics"]


def forward(run: Run, X: Samples) -> NDArray[Any]:
    """The network's output in inference."""
    return inferred(run.network, run.values, X)


class Held(NamedTuple):
    """Samples that a run is measured on: checked, with the targets encoded once."""

    X: Samples  # (S, ...)
    y: NDArray[Any]
    targets: NDArray[Any]  # (S, C), as the loss reads them
    shares: NDArray[Any]  # (S, 1), of the loss
    weights: NDArray[Any] | None

    @classmethod
    def of(cls, run: Run, X: Samples, y: NDArray[Any], weights: NDArray[Any] | None = None) -> Held:
        """Raises `DataError` and its kinds."""
        shape = (len(X), *run.network.output_shape(X.shape[1:]))
        return cls(X, y, *run.loss.prepare(y, shape, weights, X.dtype), weights)

    def __len__(self) -> int:
        return len(self.y)


class HeldBatches:
    """Batches that a run is measured on, read again each time: of each only outputs and targets stay."""

    def __init__(self, batches: Batches) -> None:
        self.batches, self.samples = batches, 0

    def __len__(self) -> int:
        return self.samples

    def read(
        self, run: Run, infer: Callable[[NDArray[Any]], NDArray[Any]], team: Team = ALONE
    ) -> tuple[Held, NDArray[Any]]:
        """All batches but for their X, and the network's outputs (S, C). The loss is the mean over all samples.

        The ranks of a team must read the same.
        """
        batches, outputs, read = self.batches, [], list[ReadBatch]()
        batches.begin(run.epoch)
        while (batch := self._next(team)) is not None:
            outputs.append(infer(batch.X))
            read.append(batch._replace(X=batch.X[:0]))
        if not read:
            raise DataError(
                f"{batches.name}: the batches have been read to their end; pass a function that returns them, or "
                "something that can be read again."
            )
        y = np.concatenate([batch.y for batch in read])
        weights = (
            None if read[0].weights is None else np.concatenate([b.weights for b in read if b.weights is not None])
        )
        self.samples, found = len(y), np.concatenate(outputs)
        prepared = run.loss.prepare(y, found.shape, weights, found.dtype)
        return Held(read[0].X, y, *prepared, weights), found

    def _next(self, team: Team) -> ReadBatch | None:
        batch = self.batches.read()
        if team.size > 1:
            arrays = [] if batch is None else [batch.X, batch.y, *([] if batch.weights is None else [batch.weights])]
            team.require_alike({f"{self.batches.place} in {self.batches.name}": checksum(arrays)})
        return batch


def evaluate(run: Run, held: Held, outputs: NDArray[Any]) -> dict[str, float]:
    """The loss, penalties left out, and the metrics on other data, from the outputs for them, (S, C)."""
    losses, _ = run.loss.forward_pass(np, outputs, held.targets)
    decided = run.loss.decide(np, outputs)
    measured = {
        "loss": float(np.sum(losses * held.shares[:, 0])),
        run.loss.metric: _metric(run.loss, held.y, decided, held.weights),
    }
    return measured | {name_of(m): _beside(run.loss, m, held.y, outputs, decided) for m in run.metrics}


def _beside(loss: Loss, metric: Metric, y: NDArray[Any], outputs: NDArray[Any], decided: NDArray[Any]) -> float:
    """A metric beside the loss's own."""
    measure = getattr(metrics, metric) if isinstance(metric, str) else metric
    read = loss.probabilities(np, outputs) if metric in OF_PROBABILITIES else decided
    return float(measure(loss.labels(y), read))


def _metric(loss: Loss, y: NDArray[Any], decided: NDArray[Any], weights: NDArray[Any] | None) -> float:
    """The loss's own metric of what the predictions stand for."""
    return float(getattr(metrics, loss.metric)(loss.labels(y), decided, sample_weights=weights))


def known_metrics(names: Any, loss: Loss) -> tuple[Metric, ...]:
    """The metrics that can be measured for this loss. Raises `UnknownNameError` for another."""
    return beside(names, loss.metric)
