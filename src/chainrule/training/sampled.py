"""What the training data say of a run: looked at once, after it, on so few rows that it costs next to nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..engines.quick import QUICK
from ..forking import cached_property
from .measuring import Held, forward
from .plan import Plan
from .run import Run

__all__ = ["Sampled"]

LEAST_ROWS, LEAST_EPOCHS = 20, 5  # a smaller data set or a shorter run is not looked at
_FEWEST, _MOST = 128, 1000  # rows
_COLUMNS = 4096
_OF_A_CLASS = 50  # rows for the recall of a class


@dataclass(frozen=True)
class Sampled:
    """Some rows of what a run was trained on, and what the network makes of them. R = rows, I = inputs, C = classes."""

    run: Run
    plan: Plan
    rows: NDArray[np.intp]  # (R,)

    @classmethod
    def of(cls, run: Run, plan: Plan, epochs: int) -> Self | None:
        """Some random rows, at most a hundredth of those that the run has met, but enough.

        None for a short run, and for batches.
        """
        samples = len(plan.X)
        if plan.batches is not None or samples < LEAST_ROWS or epochs < LEAST_EPOCHS:
            return None
        count = min(samples, _MOST, max(_FEWEST, samples * epochs // 100))
        if count == samples:
            return cls(run, plan, np.arange(samples))
        return cls(run, plan, np.sort(np.random.default_rng([run.seed, 2**33]).integers(0, samples, count)))

    @cached_property
    def X(self) -> NDArray[np.float64]:
        """The inputs of the rows, flat, (R, I)."""
        return self.plan.X[self.rows].reshape(len(self.rows), -1)[:, :_COLUMNS].astype(np.float64)

    @cached_property
    def labels(self) -> NDArray[np.intp] | None:
        """The class of every sample of the run, (S,); None where it has not exactly one."""
        if not self.run.loss.classifies:
            return None
        labels = self.run.loss.labels(self.plan.y)
        return labels.astype(np.intp) if labels.ndim == 1 and labels.min() >= 0 else None

    @cached_property
    def counts(self) -> NDArray[np.intp]:
        """How many samples of the run each class has, (C,); empty where there are no classes."""
        return np.zeros(0, np.intp) if self.labels is None else np.bincount(self.labels)

    @cached_property
    def targets(self) -> NDArray[np.float64]:
        """The targets of the rows as the loss reads them, (R, C)."""
        plan, loss = self.plan, self.run.loss
        if plan.encoded is not None:
            return plan.encoded[self.rows].astype(np.float64)
        y, shape = plan.y[self.rows], (len(self.rows), *self.run.network.output_shape(plan.X.shape[1:]))
        return loss.prepare(y, shape, None, np.float64, weightless=True)[0].astype(np.float64)

    @cached_property
    def outputs(self) -> NDArray[np.float64]:
        """What the network gives for the rows, (R, C)."""
        return forward(self.run, self.plan.X[self.rows]).astype(np.float64)

    @cached_property
    def decided(self) -> NDArray[Any]:
        """The classes, or values, that the outputs stand for."""
        return np.asarray(self.run.loss.decide(np, self.outputs))

    @cached_property
    def loss(self) -> float:
        """The mean loss of the rows, in inference and without penalties."""
        return self._mean_loss(self.outputs, self.targets, self._weights)

    @cached_property
    def baseline(self) -> float:
        """The mean loss of the best constant answer: how often each class occurs, or the mean; log C for even classes.

        NaN for a loss that does not say what it reads.
        """
        return self._mean_loss(self._constant(len(self.rows)), self.targets, self._weights)

    @cached_property
    def held_baseline(self) -> float:
        """The mean loss of the same constant answer on the validation samples; NaN without any, and for batches."""
        held = self.plan.validation
        if not isinstance(held, Held):
            return math.nan
        return self._mean_loss(self._constant(len(held.X)), held.targets.astype(np.float64), held.shares[:, 0])

    def _constant(self, samples: int) -> NDArray[np.float64]:
        """The best constant answer, so many times, (B, C)."""
        takes, mean = self.run.loss.takes, np.average(self.targets, axis=0, weights=self._weights)  # (C,)
        if self.run.loss.classifies and takes is None:
            mean = np.full_like(mean, math.nan)
        if takes is not None and "scores" in takes:
            p = np.clip(mean, 1e-12, 1 - 1e-12)
            mean = np.log(p) - (np.log1p(-p) if "independent" in takes else 0.0)
        return np.broadcast_to(mean, (samples, len(mean)))

    @cached_property
    def skill(self) -> float:
        """What part of the constant answer's loss the network has taken away: 0 is guessing, 1 is perfect, or NaN."""
        return 1 - self.loss / self.baseline if self.baseline > 0 else math.nan

    @cached_property
    def learned(self) -> bool:
        """Whether there is little left to be learned."""
        return self.skill >= 0.9 or (self.labels is not None and self._accuracy >= 0.97)

    @cached_property
    def recalls(self) -> NDArray[np.float64]:
        """The part of each class's samples that is recognized, (C,), NaN for a class without any."""
        labels = self.labels
        if labels is None:
            return np.zeros(0)
        found = []
        for k in range(len(self.counts)):
            own = np.flatnonzero(labels == k)[:_OF_A_CLASS]
            found.append(float(np.mean(self.decide(own) == k)) if len(own) else math.nan)
        return np.array(found)

    def decide(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """The classes that the network sees in some samples of the run."""
        return np.asarray(self.run.loss.decide(np, forward(self.run, self.plan.X[rows]))).reshape(len(rows))

    @property
    def _accuracy(self) -> float:
        assert self.labels is not None
        return float(np.mean(self.decided.reshape(-1) == self.labels[self.rows]))

    @property
    def _weights(self) -> NDArray[np.float64] | None:
        weights = self.plan.sample_weights
        chosen = None if weights is None else weights[self.rows]
        return chosen if chosen is not None and chosen.sum() > 0 else None

    def _mean_loss(self, outputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any] | None) -> float:
        losses, _ = self.run.loss.forward_pass(QUICK, outputs, targets)  # (B,)
        return float(np.average(losses, weights=weights))
