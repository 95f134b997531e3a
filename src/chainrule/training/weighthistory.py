"""WeightHistory: how one weight got from where it began to where it is, and which samples moved it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..display import Html, article, fragment, table, tag
from ..display.spelling import printable
from ..errors import ConfigurationError
from ..layer import Arrays
from ..traces import per_sample_gradient_chunks
from .callback import Callback, Fit

__all__ = ["Moment", "WeightHistory"]

MOST = 512  # samples, by default the first ones
SHOWN, ROWS = 4, 12
_HEAD = ("epoch", "value", "change", "gradient")


@dataclass(frozen=True)
class Moment:
    """The weight after an epoch: its value, its gradient, and what each sample adds to that."""

    epoch: int
    value: float
    gradient: float
    contributions: NDArray[np.float64]  # (B,)


@dataclass
class WeightHistory(Callback):
    """Keeps the way of one weight: its value and each sample's part of its gradient, at the start and every epoch.

    `weight` is written as in `explain`, "dense_0.weights[20,5]" or "dense_0.weights[petal length,5]"; `X` and `y` are
    the samples to watch, of which the first 512 count. Printed, it says from where to where the weight went, and which
    samples pushed it: a sample whose part is above 0 pushes the weight down, as a step goes against the gradient.
    Raises `UnknownNameError` and `ShapeError` for a weight that does not exist, `ConfigurationError` for what is no
    weight.

    >>> from chainrule import SGD, Dense, MeanSquaredError, Model
    >>> model = Model([Dense(1, 1)], MeanSquaredError(), SGD(0.1), dtype="float64")
    >>> model.parameters = {"dense_0.weights": [[2.0]], "dense_0.biases": [[0.0]]}
    >>> way = WeightHistory("dense_0.weights[0,0]", [[3.0]], [5.0])
    >>> _ = model.fit([[3.0]], [5.0], epochs=1, callbacks=[way], verbose=False)
    >>> way.moments[0].gradient                                     # 2·(6 - 5)·3
    6.0
    >>> print(way)
    dense_0.weights[0,0] went from 2 to 1.4 in 1 epoch
      epoch       value      change    gradient
          0           2           -           6
          1         1.4        -0.6          -6
    Sample by sample: added up over the epochs, these pushed it most
      none up
      down: sample 0 (-6)
    """

    weight: str
    X: Any = field(repr=False)
    y: Any = field(repr=False)
    moments: list[Moment] = field(default_factory=list, init=False, repr=False)
    title: str = field(default="", init=False, repr=False)

    def begin(self, fit: Fit) -> None:
        """Finds the weight and keeps where it stands."""
        from ..explaining import explain

        model: Any = fit.model
        X, y = model.checked(self.X, self.y)
        self._inputs, self._targets = X[:MOST], y[:MOST]
        words = {"preprocessing": getattr(model, "preprocessing", None), "class_names": model.class_names}
        found = explain(
            model.network,
            fit.run.loss,
            self._inputs[:1],
            self._targets[:1],
            self.weight,
            parameters=dict(model.parameters),
            state=dict(model.state),
            parts=(),
            **words,
        )
        if found.kind != "parameter":
            raise ConfigurationError(f"WeightHistory: {self.weight} is no weight or bias, but one of the {found.kind}.")
        self.title, self._quantity = found.title, found.quantity
        if not self.moments:
            self._keep(fit)

    def epoch(self, fit: Fit) -> None:
        """Keeps the weight as it is after the epoch."""
        self._keep(fit)

    def _keep(self, fit: Fit) -> None:
        model: Any = fit.model
        name, index = self._quantity.name, self._quantity.index
        parts = []
        for _, arrays in per_sample_gradient_chunks(
            model.network,
            fit.run.loss,
            dict(model.parameters),
            self._inputs,
            self._targets,
            names=[name],
            state=dict(model.state),
            training=False,
        ):
            parts.append(arrays[name][(slice(None), *index)].astype(np.float64))
        contributions = np.concatenate(parts)
        value = float(model.parameters[name][index])
        self.moments.append(Moment(fit.run.epoch, value, float(contributions.sum()), contributions))

    @property
    def pushes(self) -> NDArray[np.float64]:
        """How much each sample pushed the weight up, (B,): minus its parts of the gradients, over all epochs."""
        kept = [moment.contributions for moment in self.moments[:-1]] or [np.zeros(0)]
        return np.asarray(-np.sum(kept, axis=0))

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """The moments so far."""
        numbers = {"epochs": [m.epoch for m in self.moments], "values": [m.value for m in self.moments]}
        kept = [m.contributions for m in self.moments]
        return numbers, {"contributions": np.array(kept)} if kept else {}

    def restore(self, numbers: Mapping[str, Any], arrays: Arrays) -> None:
        """Takes back what `state` returned."""
        rows = arrays.get("contributions", np.zeros((0, 0)))
        self.moments = [
            Moment(int(epoch), float(value), float(row.sum()), np.asarray(row, dtype=np.float64))
            for epoch, value, row in zip(numbers["epochs"], numbers["values"], rows, strict=True)
        ]

    def __str__(self) -> str:
        return printable("\n".join(self._lines()))

    def _repr_html_(self) -> str:
        title, *rest = self._lines()
        if not self.moments:
            return fragment(article(tag("p", title)))
        above, *pushed = rest[len(self._rows()) + 1 :]
        shown = table(_HEAD, self._rows(), numeric=range(len(_HEAD)))
        said: list[Html] = [tag("p", line.strip()) for line in (above, *pushed)]
        return fragment(article(tag("p", title, cls="strong"), shown, *said))

    def _rows(self) -> list[tuple[str, ...]]:
        """Some epochs: the weight, its change since the row above, its gradient."""
        chosen = [self.moments[i] for i in np.unique(np.linspace(0, len(self.moments) - 1, ROWS).astype(int))]
        changes = ["-", *(f"{after.value - before.value:.4g}" for before, after in itertools.pairwise(chosen))]
        return [
            (str(moment.epoch), f"{moment.value:.5g}", change, f"{moment.gradient:.4g}")
            for moment, change in zip(chosen, changes, strict=True)
        ]

    def _lines(self) -> Iterator[str]:
        if not self.moments:
            yield f"{self.weight}: nothing is kept yet; pass this to fit(callbacks=[...])."
            return
        first, last = self.moments[0], self.moments[-1]
        epochs = last.epoch - first.epoch
        yield f"{self.title or self.weight} went from {first.value:.6g} to {last.value:.6g} in " + (
            f"{epochs} epoch{'s' if epochs != 1 else ''}"
        )
        for epoch, *numbers in (_HEAD, *self._rows()):
            yield f"  {epoch:>5}" + "".join(f"{one:>12}" for one in numbers)
        pushes = self.pushes
        yield "Sample by sample: added up over the epochs, these pushed it most"
        for word, order in (("up", np.argsort(-pushes)), ("down", np.argsort(pushes))):
            sign = 1 if word == "up" else -1
            rows = [int(b) for b in order[:SHOWN] if sign * pushes[b] > 0]
            told = ", ".join(f"sample {b} ({pushes[b]:+.3g})" for b in rows)
            yield f"  {word}: {told}" if rows else f"  none {word}"
