"""Whole runs as users start them: one call of `fit` from the first weights to the end, ours and each library's own.

The order of the samples is drawn anew in every epoch by every library, as is its habit. What is made once before (the
network, the data where a library keeps them) is not timed; neither is a short run before, in which some compile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from ..engines import Engine
from ..engines.contract import Task
from ..losses import SoftmaxCrossentropy
from ..model import Model
from . import pytorch
from .ours import OURS, network_of, optimizer_of
from .peers import jax_step, keras_model, sklearn_model
from .workloads import Training, Weights, Workload

__all__ = ["FitContender", "WholeRun", "fitters", "ours"]


@dataclass(frozen=True)
class WholeRun(Workload):
    """A network trained for some epochs."""

    training: Training
    epochs: int

    @classmethod
    def of(cls, training: Training, part: int = 1) -> WholeRun:
        """The whole run of a workload, or one of `part` parts of its epochs."""
        samples = training.samples if training.fitted is None else training.fitted
        epochs = max(1, training.epochs // part)
        what = f"{training.what}: {epochs:,} {'epoch' if epochs == 1 else 'epochs'} of {samples:,} samples"
        return cls(training.name, what, replace(training, samples=samples), epochs)

    @property
    def steps(self) -> int:
        """Steps of the run."""
        return self.epochs * self.training.per_epoch


Going = Callable[[], Callable[[], Weights]]  # the timed call, and the weights that it came to


@dataclass(frozen=True)
class FitContender:
    """A library's whole run: `begin(training, epochs)` makes a new network and returns what is to be timed."""

    group: str
    name: str
    begin: Callable[[Training, int], Going]
    threads: Callable[[int], object] | None = None
    entire: bool = False  # whether a part of it says nothing of the whole


def ours(engine: Engine = "auto") -> FitContender:
    """`Model.fit` with its records."""

    def begin(training: Training, epochs: int) -> Going:
        network, values = network_of(training)
        model = Model(network, SoftmaxCrossentropy(), optimizer_of(training), seed=0)
        for name, value in values.items():
            node, _, own = name.rpartition(".")
            setattr(model.network[node], own, value)
        X, y = training.data

        def go() -> Callable[[], Weights]:
            model.fit(X, y, epochs=epochs, batch_size=training.batch, verbose=False, engine=engine)
            return lambda: _pairs([model.parameters[name] for name in values])

        return go

    return FitContender(OURS, f"{OURS} fit" if engine == "auto" else f"{OURS} fit, {engine}", begin)


def engine_of(run: WholeRun) -> str:
    """The engine that `auto` takes for a run."""
    from .. import engines

    network, _ = network_of(run.training)
    model = Model(network, SoftmaxCrossentropy(), optimizer_of(run.training), seed=0)
    task = Task.of(model.network, model.loss, model.optimizer, 0, *run.training.data, None, run.training.batch)
    return engines.prepare("auto", task, run.steps).engine


def _pairs(arrays: list[Any]) -> Weights:
    return list(zip(arrays[::2], arrays[1::2], strict=True))


def _torch(training: Training, epochs: int) -> Going:
    torch: Any = import_module("torch")
    network = pytorch.network_of(torch, training)
    optimizer = pytorch.optimizer_of(torch, network, training)
    X, y = pytorch.tensors(torch, *training.data)
    loss_of, whole, size = torch.nn.CrossEntropyLoss(), training.per_epoch == 1, training.batch

    def step(x: Any, target: Any) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss_of(network(x), target).backward()
        optimizer.step()

    def go() -> Callable[[], Weights]:
        for _ in range(epochs):
            for rows in () if whole else torch.randperm(len(X), device=X.device).split(size):
                step(X[rows], y[rows])
            if whole:
                step(X, y)
        pytorch.wait(torch)
        return lambda: pytorch.weights_of(network)

    return go


def _jax_loop(training: Training, epochs: int) -> Any:
    """All epochs in one compiled scan over the steps of each."""
    jax, random = import_module("jax"), import_module("jax.random")
    step = jax_step(jax, training)

    def epoch(state: Any, key: Any) -> Any:
        carry, X, y = state
        if training.per_epoch == 1:
            return (step(carry, X, y, None), X, y), None
        rows = random.permutation(key, training.samples).reshape(training.per_epoch, -1)
        return (jax.lax.scan(lambda c, r: (step(c, X, y, r), None), carry, rows)[0], X, y), None

    def run(carry: Any, X: Any, y: Any, key: Any) -> Any:
        keys = random.split(key, epochs) if training.per_epoch > 1 else None
        return jax.lax.scan(epoch, (carry, X, y), keys, length=epochs)[0][0]

    return jax.jit(run)


_jax_compiled = cache(_jax_loop)


def _jax(loop: Callable[[Training, int], Any]) -> Callable[[Training, int], Going]:
    def begin(training: Training, epochs: int) -> Going:
        jax: Any = import_module("jax")
        weights = jax.tree.map(jax.numpy.asarray, training.weights)
        m, v = (jax.tree.map(jax.numpy.zeros_like, weights) for _ in range(2))
        X, y = training.data
        run, key = loop(training, epochs), import_module("jax.random").key(0)

        def go() -> Callable[[], Weights]:
            carry = run((weights, m, v, jax.numpy.float32(0)), jax.numpy.asarray(X), jax.numpy.asarray(y), key)
            jax.block_until_ready(carry)
            return lambda: [(np.asarray(w), np.asarray(b)) for w, b in carry[0]]

        return go

    return begin


def _keras(training: Training, epochs: int) -> Going:
    model = keras_model(training)
    X, y = training.data
    options = {"batch_size": training.batch, "verbose": 0, "shuffle": training.per_epoch > 1}
    model.fit(X[: 2 * training.batch], y[: 2 * training.batch], epochs=1, **options)  # it compiles
    model.set_weights([array for pair in training.weights for array in pair])

    def go() -> Callable[[], Weights]:
        model.fit(X, y, epochs=epochs, **options)
        return lambda: _pairs(model.get_weights())

    return go


def _sklearn(training: Training, epochs: int) -> Going:
    X, y = training.data
    model = sklearn_model(training, X, y, shuffle=training.per_epoch > 1)
    model.max_iter = epochs

    def go() -> Callable[[], Weights]:
        model.fit(X, y)
        return lambda: list(zip(model.coefs_, model.intercepts_, strict=True))

    return go


PEERS: dict[str, list[FitContender]] = {
    "torch": [FitContender("torch", "PyTorch loop", _torch, pytorch.threads)],
    "jax": [
        FitContender("jax", "JAX scan", _jax(_jax_compiled)),
        FitContender("jax", "JAX scan, compiling", _jax(_jax_loop), entire=True),
    ],
    "keras": [FitContender("keras", "Keras fit", _keras)],
    "sklearn": [FitContender("sklearn", "scikit-learn fit", _sklearn)],
}


def fitters(names: list[str]) -> list[FitContender]:
    """The whole runs of the peers named, which are installed."""
    return [fit for name in names for fit in PEERS[name]]
