"""What one call of `fit` trains on, and how."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import EPOCH
from ..engines.contract import Task
from ..errors import ConfigurationError
from ..loss import Loss
from ..weighting import class_factors
from .measuring import Held
from .run import Run

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """What is to be trained on, and how; checked when it is made."""

    X: NDArray[Any]
    y: NDArray[Any]
    encoded: NDArray[Any] | None  # y as the loss reads it, see `encode`
    epochs: int
    batch_size: int
    shuffle: bool
    sample_weights: NDArray[Any] | None
    validation: Held | None
    record_every: int | None

    def __post_init__(self) -> None:
        least = {"epochs": 0, "batch_size": 1} | ({} if self.record_every is None else {"record_every": 1})
        for name, smallest in least.items():
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < smallest:
                raise ConfigurationError(f"fit: {name} must be a whole number of at least {smallest}, not {value!r}.")

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return -(-len(self.X) // self.batch_size)

    def due(self, epoch: int) -> bool:
        """Whether the `epoch`-th epoch of the plan, counted from 1, is recorded."""
        return epoch % self.every == 0 or epoch in (1, self.epochs)

    def next_due(self, done: int) -> int:
        """The next epoch that is recorded, where `done` are over."""
        return 1 if not done else min(self.epochs, (done // self.every + 1) * self.every)

    @property
    def every(self) -> int:
        """The number of epochs from one record to the next."""
        return int(self.record_every or 1)

    def recorded(self, columns: Mapping[str, list[Any]], first: int) -> dict[str, list[Any]]:
        """Of the epochs that ended those that are recorded, where the plan began after epoch `first`."""
        if self.every == 1:
            return dict(columns)
        due = [self.due(epoch - first) for epoch in columns.get(EPOCH, ())]
        return {name: list(itertools.compress(column, due)) for name, column in columns.items()} if any(due) else {}

    def task(self, run: Run) -> Task:
        """What an engine is given."""
        network, weights = run.network, self.sample_weights
        return Task.of(
            network, run.loss, run.optimizer, run.seed, self.X, self.y, weights, self.batch_size, self.encoded
        )

    def weighted(self, class_weights: Any, loss: Loss, outputs: int, names: Sequence[str] = ()) -> Plan:
        """The plan with class weights multiplied into the sample weights; `names` are those of the classes."""
        if class_weights is None:
            return self
        if not loss.classifies:
            raise ConfigurationError(f"fit: class_weights need classes, and {loss.name} compares values.")
        labels = loss.labels(self.y)
        if labels.ndim != 1:
            raise ConfigurationError("fit: class_weights need one class for each sample; use sample_weights instead.")
        if self.y.ndim == 2 and self.y.shape[1] > 1:
            labels = self.y  # rows of probabilities
        elif (labels != self.y.reshape(-1)).any():
            raise ConfigurationError("fit: class_weights need whole classes, 0 or 1; use sample_weights instead.")
        factors = class_factors(class_weights, labels, max(outputs, 2), names)
        weights = factors if self.sample_weights is None else factors * self.sample_weights
        return replace(self, sample_weights=weights)

    def split(self, part: float, run: Run) -> Plan:
        """The plan with a random part of its samples held out for validation."""
        if not part:
            return self
        if self.validation is not None:
            raise ConfigurationError("fit: give validation_data or validation_split, not both.")
        if not isinstance(part, Real):
            raise ConfigurationError(f"fit: validation_split must be a number between 0 and 1, not {part!r}.")
        held_out = round(float(part) * len(self.X)) if 0 < part < 1 else 0
        if not 0 < held_out < len(self.X):
            raise ConfigurationError(
                f"fit: validation_split must leave samples on both sides, received {part!r} of {len(self.X)} samples."
            )
        order = np.random.default_rng([run.seed, 2**32]).permutation(len(self.X))
        test, rest = np.sort(order[:held_out]), np.sort(order[held_out:])
        weights = None if self.sample_weights is None else self.sample_weights[rest]
        encoded = None if self.encoded is None else self.encoded[rest]
        held = Held.of(run, self.X[test], self.y[test])
        return replace(self, X=self.X[rest], y=self.y[rest], encoded=encoded, sample_weights=weights, validation=held)

    def fingerprint(self) -> dict[str, Any]:
        """What a resumed run must have in common with the stopped one."""
        import zlib

        data = [self.X, self.y] + ([] if self.sample_weights is None else [self.sample_weights])
        data += [] if self.validation is None else [self.validation.X, self.validation.y]
        checksum = 0
        for array in data:
            checksum = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, checksum)
        settings = {
            "batch_size": int(self.batch_size),
            "shuffle": bool(self.shuffle),
            "record_every": self.record_every,
        }
        return settings | {"samples": len(self.X), "data": checksum}
