"""The library's own engines as contenders."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from .. import engines
from ..engines.contract import Block, Task
from ..graph import Graph, Sequential
from ..layer import Arrays, Context
from ..layers import Dense, ReLU
from ..losses import SoftmaxCrossentropy
from ..optimizers import SGD, Adam, Optimizer
from .contender import Contender, Opened, repeated
from .workloads import Gradient, Prediction, Training, Weights, Workload

__all__ = ["OURS", "chosen", "contenders", "train"]

OURS = "chainrule"


def network_of(workload: Training) -> tuple[Graph, Arrays]:
    """The network and its initial parameters."""
    layers: list[Any] = []
    for i, n in zip(workload.sizes, workload.sizes[1:], strict=False):
        layers += [Dense(i, n), ReLU()]
    values: Arrays = {}
    for index, (w, b) in enumerate(workload.weights):
        values |= {f"dense_{index}.weights": w, f"dense_{index}.biases": b.reshape(1, -1)}
    return Sequential(*layers[:-1]), values


def optimizer_of(workload: Training) -> Optimizer:
    """The network's optimizer."""
    return Adam(workload.rate) if workload.adam else SGD(workload.rate)


def task_of(workload: Training) -> tuple[Task, Arrays, Arrays]:
    """The input of an engine: the task, the initial parameters, the empty slots."""
    network, values = network_of(workload)
    optimizer = optimizer_of(workload)
    task = Task.of(network, SoftmaxCrossentropy(), optimizer, 0, *workload.data, None, workload.batch)
    return task, values, optimizer.initial_slots(np, values)


def chosen(workload: Workload) -> str | None:
    """The engine that `auto` chooses for a long run."""
    return engines.prepare("auto", task_of(workload)[0], 10**7).engine if isinstance(workload, Training) else None


def train(engine: str, workload: Training, steps: int) -> None:
    """Train for some steps."""
    _training(engine, workload).run(steps)


def _training(engine: str, workload: Training) -> Opened:
    task, values, slots = task_of(workload)
    session, done = engines.start(engine)(task, values, slots), 0

    def run(steps: int) -> None:
        nonlocal done
        first = done % workload.per_epoch
        epochs = -(-(first + steps) // workload.per_epoch)
        order = np.tile(workload.order, (epochs, 1)) if workload.per_epoch > 1 else None
        session.run(Block(done, steps, first, order, np.full((steps, len(values)), workload.rate)))
        done += steps

    def answer() -> float:
        run(workload.checked)
        found, layers = session.values(), range(len(workload.sizes) - 1)
        weights: Weights = [(found[f"dense_{i}.weights"], found[f"dense_{i}.biases"]) for i in layers]
        return workload.loss(weights)

    return Opened(run, answer)


def _pair(workload: Gradient) -> tuple[Callable[[Any, Any, Any, Any], Any], Any, Any, Any]:
    loss, (predictions, y) = SoftmaxCrossentropy(), workload.data
    targets, shares = loss.prepare(y, predictions.shape, None, predictions.dtype)

    def gradient(xp: Any, predictions: Any, targets: Any, shares: Any) -> Any:
        return loss.backward_pass(xp, shares, loss.forward_pass(xp, predictions, targets)[1])

    return gradient, predictions, targets, shares


def _in_numpy(workload: Workload) -> Opened:
    if isinstance(workload, Training):
        return _training("numpy", workload)
    if isinstance(workload, Gradient):
        function, *arrays = _pair(workload)
        return repeated(lambda: function(np, *arrays))
    assert isinstance(workload, Prediction)
    network, values = network_of(workload.training)
    return repeated(lambda: network.forward_pass(np, workload.sample, values, Context(training=False))[0])


def _in_jax(workload: Workload) -> Opened:
    if isinstance(workload, Training):
        return _training("jax", workload)
    import jax

    if isinstance(workload, Gradient):
        function, *given = _pair(workload)
        arrays = [jax.numpy.asarray(array) for array in given]
        compiled = jax.jit(lambda *arrays: function(jax.numpy, *arrays))
        return repeated(lambda: compiled(*arrays).block_until_ready())
    assert isinstance(workload, Prediction)
    network, given_values = network_of(workload.training)
    values = {name: jax.numpy.asarray(value) for name, value in given_values.items()}
    predict = jax.jit(lambda x, values: network.forward_pass(jax.numpy, x, values, Context(training=False))[0])
    return repeated(lambda: np.asarray(predict(workload.sample, values)))


def _fused(workload: Workload) -> Opened:
    if isinstance(workload, Training):
        return _training("fused", workload)
    if isinstance(workload, Gradient):
        gradient = engines.loss_gradient(SoftmaxCrossentropy())
        return repeated(lambda: gradient(*workload.data))
    assert isinstance(workload, Prediction)
    predict = engines.predictor(*network_of(workload.training))
    return repeated(lambda: predict(workload.sample))


def contenders() -> list[Contender]:
    """The engines that are installed."""
    found = [Contender(OURS, "numpy", _in_numpy)]
    if engines.trouble("fused") is None:
        found.append(Contender(OURS, "fused", _fused))
    if find_spec("jax") is not None:
        found.append(Contender(OURS, "jax", _in_jax))
    return found
