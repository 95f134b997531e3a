"""The options of `chainrule train` for a network and its training, and the model that they make."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field, replace
from typing import Any

from .. import optimizers
from ..datasets import Dataset, Start
from ..engines import require_known
from ..ensemble import Ensemble
from ..errors import ConfigurationError
from ..loss import Loss
from ..losses import MeanSquaredError, SoftmaxCrossentropy
from ..model import Model
from ..recipe import (
    ENOUGH,
    HIDDEN_FOR_CLASSES,
    HIDDEN_FOR_VALUES,
    RATE,
    RATE_FOR_VALUES,
    activation,
    batch_size_for,
    dense_network,
    epochs_for,
    optimizer_for,
)
from ..registry import named
from .regime import Regime

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """The options of `chainrule train` for the network and its training; None is what the data set begins with."""

    layers: str | None
    activation: str | None
    epochs: int | None
    optimizer: str | None
    lr: float | None
    batch_size: int | None
    engine: str
    seed: int
    regime: Regime = field(default_factory=Regime)
    members: int = 1
    distributed: bool = False

    def beginning(self, start: Start) -> Settings:
        """The same with what was not asked for as the data set begins; a network of one's own has the usual rate."""
        own = (
            self.layers is not None
            or self.activation is not None
            or self.optimizer not in (None, "adam")
            or self.lr is not None
        )
        regime = self.regime
        if start.decays and not own and regime.schedule is None:  # the rate falls to 0, and the last epoch is the best
            patience = 0 if regime.early_stopping is None else regime.early_stopping
            regime = replace(regime, schedule="cosine", early_stopping=patience)
        return replace(
            self,
            layers=start.layers if self.layers is None else self.layers,
            activation=start.activation if self.activation is None else self.activation,
            epochs=start.epochs if self.epochs is None else self.epochs,
            batch_size=start.batch_size if self.batch_size is None else self.batch_size,
            lr=self.lr if own else start.learning_rate,
            optimizer="adam" if self.optimizer is None and start.decays else self.optimizer,
            regime=regime,
        )

    def for_pieces(self) -> Settings:
        """The same for a table that is read in pieces: what validates is settled before the samples are counted."""
        if self.members > 1:
            raise ConfigurationError("--members needs the whole table in memory; leave --memory or --members out.")
        regime = self.regime
        return replace(self, regime=replace(regime, validation=regime.split(ENOUGH)))

    def sizes(self, data: Dataset) -> list[int]:
        """The neurons of the hidden layers."""
        if self.layers is None:
            return list(HIDDEN_FOR_CLASSES if data.class_names else HIDDEN_FOR_VALUES)
        try:
            sizes = [int(part) for part in self.layers.split(",") if part.strip()]
        except ValueError:
            sizes = [0]
        if any(size < 1 for size in sizes):
            raise ConfigurationError(f"--layers: write whole numbers with commas, such as 128,64; not {self.layers!r}.")
        return sizes

    def batch(self, data: Dataset) -> int:
        """The samples in a step."""
        return self.batch_size or batch_size_for(self.regime.trained(len(data.X_train)))

    def passes(self, data: Dataset) -> int:
        """The epochs at most."""
        return self.epochs or epochs_for(self.regime.trained(len(data.X_train)), self.batch(data))

    def fitting(self, data: Dataset) -> dict[str, Any]:
        """The arguments of `fit` beside the samples."""
        options = {"epochs": self.passes(data), "batch_size": self.batch(data), "engine": require_known(self.engine)}
        shared = {"distributed": True} if self.distributed else {}
        return options | shared | dict(self.regime.options(data, self.passes(data)))

    def model(self, data: Dataset) -> Model | Ensemble:
        """A new model for the data, or several that answer together."""
        require_known(self.engine)
        outputs = len(data.class_names) or data.y_train.shape[1]
        sizes = [data.X_train.shape[1], *self.sizes(data), outputs]
        _require_memory(sizes, min(max(self.batch(data), 1024), len(data.X_train)))
        loss: Loss = SoftmaxCrossentropy() if data.class_names else MeanSquaredError()
        layers = dense_network(sizes, activation(str(self.activation)), dropout=self.regime.dropout)
        settings: dict[str, Any] = {
            "seed": self.seed,
            "preprocessing": data.preprocessing,
            "class_names": data.class_names,
        }
        if self.members > 1:
            return Ensemble(layers, loss, self._optimizer(data), members=self.members, **settings)
        return Model(layers, loss, self._optimizer(data), **settings)

    def _optimizer(self, data: Dataset) -> optimizers.Optimizer:
        """The optimizer with its rate, or the schedule of it."""
        samples = self.regime.trained(len(data.X_train))
        usual = optimizer_for(bool(data.class_names), samples)
        chosen = usual if self.optimizer is None else named(self.optimizer, optimizers.Optimizer, "optimizer")
        rate = self.lr
        if rate is None:
            usual_rate = RATE if data.class_names else RATE_FOR_VALUES
            rate = usual_rate if isinstance(chosen, optimizers.Adam) else chosen.rate(0)
        schedule = self.regime.rate(rate, len(data.X_train), self.passes(data), self.batch(data))
        if isinstance(chosen, optimizers.SGD):
            return replace(chosen, learning_rate=schedule, momentum=0.9)
        return replace(chosen, learning_rate=schedule)


def _require_memory(sizes: list[int], rows: int) -> None:
    """That parameters, gradients and slots, and the outputs of `rows` samples, fit into the machine's memory."""
    parameters = sum((n_inputs + 1) * n_neurons for n_inputs, n_neurons in itertools.pairwise(sizes))
    needed = 4 * (5 * parameters + 4 * rows * sum(sizes))  # bytes, float32
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not known on this system
        return
    if needed > there:
        raise ConfigurationError(
            f"--layers: this network has {parameters:,} parameters and needs some {needed / 1e9:,.0f} GB to train; the "
            f"machine has {there / 1e9:,.0f} GB. Write fewer neurons, such as 128,64."
        )
