"""The workloads: training steps of dense networks, a single gradient, a single prediction, each with its data.

Everything that contenders start from is made here, once: data, initial weights, the order of the samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datasets.generators import spiral
from ..errors import UnknownNameError
from ..forking import cached_property

__all__ = ["WORKLOADS", "Gradient", "Prediction", "Training", "Workload", "named", "usual"]

Weights = list[tuple[NDArray[Any], NDArray[Any]]]  # of each layer: (I, N) and (N,)


@dataclass(frozen=True)
class Workload:
    """A piece of work that can be repeated."""

    name: str
    what: str


@dataclass(frozen=True)
class Training(Workload):
    """Steps of a dense network with ReLU between its layers: forward, backward and update, softmax cross-entropy."""

    sizes: tuple[int, ...]
    samples: int
    batch: int
    adam: bool
    rate: float
    block: int  # steps of one timed run, for contenders that compile the whole run
    checked: int  # steps after which all contenders must have the same loss
    epochs: int = 10  # of a whole run, and its samples where they are others
    fitted: int | None = None

    @property
    def per_epoch(self) -> int:
        """Steps per epoch; all batches are full."""
        return self.samples // self.batch

    @cached_property
    def data(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """X (S, I) and classes y (S,): the spiral for two features, else random numbers."""
        if self.sizes[0] == 2:
            made = spiral(self.samples // self.sizes[-1], self.sizes[-1], seed=0)
            return np.ascontiguousarray(made[0], np.float32), np.asarray(made[1], np.int64)
        rng = np.random.default_rng(1)
        X = rng.normal(size=(self.samples, self.sizes[0])).astype(np.float32)
        return X, rng.integers(0, self.sizes[-1], self.samples)

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The order of the samples, the same in every epoch."""
        rows = np.arange(self.samples)
        return rows if self.per_epoch == 1 else np.random.default_rng(2).permutation(rows)

    @property
    def weights(self) -> Weights:
        """Fresh copies of the initial weights."""
        rng, pairs = np.random.default_rng(0), zip(self.sizes, self.sizes[1:], strict=False)
        return [
            ((rng.normal(size=(i, n)) * np.sqrt(2 / i)).astype(np.float32), np.zeros(n, np.float32)) for i, n in pairs
        ]

    def loss(self, weights: Weights) -> float:
        """The mean loss over all samples, in float64."""
        X, y = self.data
        z = X.astype(np.float64)
        for index, (w, b) in enumerate(weights):
            z = np.asarray(z, np.float64) @ np.asarray(w, np.float64) + np.asarray(b, np.float64)
            z = z if index == len(weights) - 1 else np.maximum(z, 0)
        z = z - z.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]))

    @property
    def parameters(self) -> int:
        """The number of weights and biases."""
        return sum(i * n + n for i, n in zip(self.sizes, self.sizes[1:], strict=False))

    @property
    def flops(self) -> float:
        """Multiplications and additions in the matrix products of one step; X needs no gradient."""
        products = [i * n for i, n in zip(self.sizes, self.sizes[1:], strict=False)]
        return 2.0 * self.batch * (3 * sum(products) - products[0])

    @property
    def traffic(self) -> float:
        """Bytes of memory traffic of an update: gradient read, parameters and slots read and written."""
        return 4.0 * self.parameters * (7 if self.adam else 3)


@dataclass(frozen=True)
class Gradient(Workload):
    """dL/d(predictions) of softmax and the mean cross-entropy, from predictions (B, C) and classes."""

    samples: int
    classes: int

    @cached_property
    def data(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Predictions and classes."""
        rng = np.random.default_rng(3)
        predictions = rng.normal(size=(self.samples, self.classes)).astype(np.float32)
        return predictions, rng.integers(0, self.classes, self.samples)


@dataclass(frozen=True)
class Prediction(Workload):
    """The prediction of a network for one sample, from array to array."""

    training: Training

    @cached_property
    def sample(self) -> NDArray[np.float32]:
        """X (1, I)."""
        return self.training.data[0][:1]


_W2 = Training("dense", "784-128-128-10, batch 128, Adam", (784, 128, 128, 10), 4096, 128, True, 1e-3, 64, 64, 10, 5888)
WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Training("notes", "2-3-3, 300 samples, SGD", (2, 3, 3), 300, 300, False, 0.1, 4000, 100, 10_000),
        Training("spiral", "2-64-3, 300 samples, Adam", (2, 64, 3), 300, 300, True, 1e-3, 2000, 100, 10_000),
        _W2,
        Training(
            "wide",
            "784-1024-1024-10, batch 256, Adam",
            (784, 1024, 1024, 10),
            2048,
            256,
            True,
            1e-3,
            8,
            8,
            10,
            5888,
        ),
        Training(
            "huge",
            "784-4096-4096-4096-10, batch 8192, Adam",
            (784, 4096, 4096, 4096, 10),
            16384,
            8192,
            True,
            1e-4,
            4,
            4,
        ),
        Gradient("gradient-large", "softmax + cross-entropy gradient, (4096, 1000)", 4096, 1000),
        Gradient("gradient-small", "softmax + cross-entropy gradient, (128, 10)", 128, 10),
        Prediction("predict", "one sample through 784-128-128-10", _W2),
    )
}


def usual(gpu: bool) -> list[Workload]:
    """The default workloads; "huge" takes minutes without a GPU."""
    return [workload for workload in WORKLOADS.values() if gpu or workload.name != "huge"]


def named(name: str) -> Workload:
    """A workload by its name. Raises `UnknownNameError`."""
    if name not in WORKLOADS:
        raise UnknownNameError("workload", name, WORKLOADS)
    return WORKLOADS[name]
