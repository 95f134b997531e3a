"""How a network is trained beside the plain call: dropout, class weights, a schedule, early stopping."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import schedules
from ..datasets import Dataset
from ..errors import ConfigurationError, UnknownNameError
from ..recipe import PATIENCE, held_out_of, stopping
from ..training.settling import Settling

__all__ = ["Regime", "listed", "yes_or_no"]

_SCHEDULES: dict[str, Any] = {
    "constant": lambda rate, steps: rate,
    "cosine": lambda rate, steps: schedules.CosineDecay(rate, steps=steps),
    "onecycle": lambda rate, steps: schedules.OneCycle(rate, steps=steps),
    "step": lambda rate, steps: schedules.StepDecay(rate, every=max(1, steps // 3)),
    "exponential": lambda rate, steps: schedules.ExponentialDecay(rate, every=max(1, steps // 2)),
    "inverse": lambda rate, steps: schedules.InverseTimeDecay(rate, decay=10 / steps),
}


@dataclass(frozen=True)
class Regime:
    """The options of `chainrule train` for these."""

    dropout: float = 0.0
    class_weights: str = ""
    schedule: str | None = None  # constant
    early_stopping: int | None = None  # epochs of patience; 0 is none
    validation: float | None = None

    def split(self, samples: int) -> float:
        """The part of so many training samples that validates; the part held out to test advises nothing."""
        return held_out_of(samples) if self.validation is None else self.validation

    def trained(self, samples: int) -> int:
        """How many of so many training samples are trained on."""
        return samples - round(self.split(samples) * samples)

    def rate(self, rate: float, samples: int, epochs: int, batch_size: int) -> Any:
        """A learning rate, or its schedule over the whole run."""
        schedule = self.schedule or "constant"
        if schedule not in _SCHEDULES:
            raise UnknownNameError("schedule", schedule, _SCHEDULES)
        return _SCHEDULES[schedule](rate, epochs * -(-self.trained(samples) // batch_size))

    def weights(self, class_names: Sequence[str]) -> str | dict[str, float] | None:
        """Class weights as `fit` takes them: those of classes that are not named are 1."""
        if not self.class_weights or self.class_weights == "balanced":
            return self.class_weights or None
        weights: dict[str, float] = dict.fromkeys(class_names, 1.0)
        for part in listed(self.class_weights):
            name, _, weight = part.rpartition(":")
            if name not in weights:
                raise UnknownNameError("class for --class-weights", name or part, class_names)
            try:
                weights[name] = float(weight)
            except ValueError:
                raise ConfigurationError(
                    f"--class-weights: write balanced, or classes with weights such as no:1,yes:20; not {part!r}."
                ) from None
        return weights

    def options(self, data: Dataset, epochs: int) -> Mapping[str, Any]:
        """What `fit` is given beside the data."""
        chosen: dict[str, Any] = {}
        if part := self.split(len(data.X_train)):
            chosen["validation_split"] = part
        usual = PATIENCE if self.schedule in (None, "constant") else epochs  # a schedule comes to its end
        patience = usual if self.early_stopping is None else self.early_stopping
        if patience:
            chosen["callbacks"] = [stopping(validates=bool(part), patience=patience)]
            if part and usual == PATIENCE:
                chosen["callbacks"].append(Settling())
        weights = self.weights(data.class_names)
        if weights is not None:
            chosen["class_weights"] = weights
        return chosen


def listed(text: str) -> list[str]:
    """Names with commas; one that holds a comma stands in quotation marks.

    >>> listed('a, b'), listed('"x,y",z'), listed("")
    (['a', 'b'], ['x,y', 'z'], [])
    """
    return [name.strip() for row in csv.reader([text], skipinitialspace=True) for name in row if name.strip()]


def yes_or_no(option: str, text: str | None) -> bool | None:
    """What a word says. Raises `ConfigurationError` for another word."""
    if text is not None and text.lower() not in ("yes", "no"):
        raise ConfigurationError(f"{option}: write yes or no, not {text!r}.")
    return None if text is None else text.lower() == "yes"
