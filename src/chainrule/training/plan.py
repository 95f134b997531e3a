"""What one call of `fit` trains on, and how."""

from __future__ import annotations

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
from ..ranks import ALONE, Team
from ..rows import Rows, Samples, chosen, in_parts, validation_order
from ..weighting import class_factors
from .batches import Batches
from .learner import Learner
from .measuring import Held, HeldBatches
from .run import Run
from .supply import RowSupply, StreamSupply, Supply, Whole

__all__ = ["Plan", "weighed"]

# Settings that are whole numbers: the least, and whether they may be left out
_WHOLE = (("epochs", 0, False), ("batch_size", 1, False), ("record_every", 1, True), ("steps_per_epoch", 1, True))
_MANY = 1000  # steps of an epoch whose length nobody knows


@dataclass(frozen=True)
class Plan:
    """What is to be trained on, and how; checked when it is made."""

    X: Samples
    y: NDArray[Any]
    encoded: NDArray[Any] | None  # y as the loss reads it, see `encode`
    epochs: int
    batch_size: int
    shuffle: bool
    sample_weights: NDArray[Any] | None
    validation: Held | HeldBatches | None
    record_every: int | None
    batches: Batches | None = None  # what is trained on in place of X and y, which are the first of them
    steps_per_epoch: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.shuffle, bool | np.bool_):
            raise ConfigurationError(f"fit: shuffle must be True or False, not {self.shuffle!r}.")
        for name, smallest, left_out in _WHOLE:
            value = getattr(self, name)
            if value is None and left_out:
                continue
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < smallest:
                raise ConfigurationError(f"fit: {name} must be a whole number of at least {smallest}, not {value!r}.")

    @classmethod
    def of_batches(cls, model: Learner, given: Any, class_weights: Any = None, **settings: Any) -> Plan:
        """The plan for batches of a user's own. Raises `ConfigurationError` for settings that need all samples."""
        if isinstance(class_weights, str):
            raise ConfigurationError(
                "fit: class_weights='balanced' needs all targets, and batches come one by one; give a weight for each "
                "class, such as {0: 1.0, 1: 3.0}."
            )
        run, names = model.run, model.names()

        def weigh(y: NDArray[Any], weights: Any, outputs: int) -> Any:
            if class_weights is None:
                return weights
            return weighed(y, weights, class_weights, run.loss, outputs, names)

        batches = Batches(given, model, weigh)
        X, y, weights = batches.peek()
        own: dict[str, Any] = dict(batch_size=len(X), shuffle=False, sample_weights=weights, batches=batches)
        plan = cls(X, y, None, **own, **settings)
        if batches.once and plan.steps_per_epoch is None and plan.epochs > 1:
            raise ConfigurationError(
                f"fit: an iterator is read once, and there are {plan.epochs} epochs. Pass the function that makes it, "
                "fit(make, ...), or something that can be read again, such as a list; or say with steps_per_epoch how "
                "many of its batches are an epoch."
            )
        return plan

    @property
    def steps(self) -> int:
        """Steps in an epoch, a guess where nobody knows."""
        if self.batches is not None:
            return self.steps_per_epoch or self.batches.length or _MANY
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

    def recorded(self, columns: Mapping[str, Any], first: int) -> dict[str, Any]:
        """Of the epochs that ended those that are recorded, where the plan began after epoch `first`."""
        if self.every == 1:
            return dict(columns)
        due = [self.due(epoch - first) for epoch in columns.get(EPOCH, ())]
        return {name: np.asarray(column)[due] for name, column in columns.items()} if any(due) else {}

    def supply(self, run: Run, team: Team = ALONE) -> Supply:
        """What gives an engine its samples."""
        if self.batches is not None:
            return StreamSupply(run, self.batches, self.steps_per_epoch, team)
        network, weights = run.network, self.sample_weights
        X = self.X[:1] if isinstance(self.X, Rows) else self.X
        task = Task.of(network, run.loss, run.optimizer, run.seed, X, self.y, weights, self.batch_size, self.encoded)
        if isinstance(self.X, Rows):
            return RowSupply(replace(task, batch_size=self.batch_size), self.X, self.shuffle, team)
        return Whole(task, self.shuffle)

    def weighted(self, class_weights: Any, loss: Loss, outputs: int, names: Sequence[str] = ()) -> Plan:
        """The plan with class weights multiplied into the sample weights; `names` are those of the classes."""
        if class_weights is None:
            return self
        return replace(self, sample_weights=weighed(self.y, self.sample_weights, class_weights, loss, outputs, names))

    def split(self, part: float, run: Run, own_weights: NDArray[Any] | None = None) -> Plan:
        """The plan with a random part of its samples held out for validation, where `own_weights` count, (S,)."""
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
        order = validation_order(len(self.X), run.seed)
        test, rest = np.sort(order[:held_out]), np.sort(order[held_out:])
        weights = None if self.sample_weights is None else self.sample_weights[rest]
        encoded = None if self.encoded is None else self.encoded[rest]
        held = Held.of(run, chosen(self.X, test), self.y[test], None if own_weights is None else own_weights[test])
        return replace(
            self, X=chosen(self.X, rest), y=self.y[rest], encoded=encoded, sample_weights=weights, validation=held
        )

    def fingerprint(self) -> dict[str, Any]:
        """What a resumed run must have in common with the stopped one."""
        import zlib

        data = [self.X, self.y] + ([] if self.sample_weights is None else [self.sample_weights])
        if isinstance(self.validation, Held):
            held = self.validation
            data += [held.X, held.y] + ([] if held.weights is None else [held.weights])
        checksum = 0
        for array in data:
            for part in in_parts(array):
                checksum = zlib.crc32(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data, checksum)
        settings = {
            "batch_size": int(self.batch_size),
            "shuffle": bool(self.shuffle),
            "record_every": self.record_every,
        }
        return settings | {"samples": len(self.X), "data": checksum}


def weighed(
    y: NDArray[Any], sample_weights: Any, class_weights: Any, loss: Loss, outputs: int, names: Sequence[str]
) -> NDArray[np.float64]:
    """Sample weights times class weights, (S,)."""
    if not loss.classifies:
        raise ConfigurationError(f"fit: class_weights need classes, and {loss.name} compares values.")
    labels = loss.labels(y)
    if labels.ndim != 1:
        raise ConfigurationError("fit: class_weights need one class for each sample; use sample_weights instead.")
    if y.ndim == 2 and y.shape[1] > 1:
        labels = y  # rows of probabilities
    elif (labels != y.reshape(-1)).any():
        raise ConfigurationError("fit: class_weights need whole classes, 0 or 1; use sample_weights instead.")
    factors = class_factors(class_weights, labels, max(outputs, 2), names)
    return factors if sample_weights is None else factors * sample_weights
