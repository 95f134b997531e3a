"""Other libraries as contenders, each written as in its documentation, from the same start."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..errors import UnknownNameError
from . import pytorch
from .contender import Contender, Opened, repeated
from .gpu import gpu
from .workloads import Gradient, Prediction, Training, Workload

__all__ = ["PEERS", "contenders"]


# JAX


def _jax_loss(jax: Any, weights: Any, x: Any, y: Any) -> Any:
    for w, b in weights[:-1]:
        x = jax.nn.relu(x @ w + b)
    z = x @ weights[-1][0] + weights[-1][1]
    return -jax.numpy.mean(jax.numpy.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1))


def jax_step(jax: Any, workload: Training) -> Callable[[Any, Any, Any, Any], Any]:
    """One step with JAX's own gradient: from one carry (weights, two slots, step number) to the next."""
    jnp, tree, rate = jax.numpy, jax.tree.map, workload.rate

    def step(carry: Any, X: Any, y: Any, rows: Any) -> Any:
        weights, m, v, t = carry
        x, target = (X, y) if workload.per_epoch == 1 else (X[rows], y[rows])
        g = jax.grad(lambda w: _jax_loss(jax, w, x, target))(weights)
        if not workload.adam:
            return tree(lambda w, g: w - rate * g, weights, g), m, v, t
        t = t + 1
        m = tree(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = tree(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        one, two = 1 - 0.9**t, 1 - 0.999**t
        weights = tree(lambda w, m, v: w - rate * (m / one) / (jnp.sqrt(v / two) + 1e-8), weights, m, v)
        return weights, m, v, t

    return step


def _jax_training(workload: Training, scan: bool) -> Opened:
    jax: Any = import_module("jax")
    jnp = jax.numpy
    step = jax_step(jax, workload)
    weights = jax.tree.map(jnp.asarray, workload.weights)
    m, v = (jax.tree.map(jnp.zeros_like, weights) for _ in range(2))
    carry, done = (weights, m, v, jnp.float32(0)), 0
    X, y = (jnp.asarray(array) for array in workload.data)
    rows = jnp.asarray(workload.order.reshape(workload.per_epoch, -1))
    single = jax.jit(step, donate_argnums=0)
    block = jax.jit(
        lambda carry, X, y, index: jax.lax.scan(lambda c, i: (step(c, X, y, rows[i]), None), carry, index)[0]
    )

    def run(steps: int) -> None:
        nonlocal carry, done
        if scan:
            index = np.arange(done, done + workload.block) % workload.per_epoch
            for _ in range(0, steps, workload.block):
                carry = block(carry, X, y, index)
        else:
            for number in range(done, done + steps):
                carry = single(carry, X, y, rows[number % workload.per_epoch] if workload.per_epoch > 1 else rows)
        jax.block_until_ready(carry)
        done += steps

    def answer() -> float:
        nonlocal carry, done
        for number in range(workload.checked):
            carry = single(carry, X, y, rows[number % workload.per_epoch])
        done = workload.checked
        return workload.loss(jax.tree.map(np.asarray, carry[0]))

    return Opened(run, answer, workload.block if scan else 1)


def _jax_jit(workload: Workload) -> Opened:
    jax: Any = import_module("jax")
    if isinstance(workload, Training):
        return _jax_training(workload, scan=False)
    jnp = jax.numpy
    if isinstance(workload, Gradient):
        z, y = (jnp.asarray(array) for array in workload.data)

        def loss(z: Any, y: Any) -> Any:
            return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1))

        gradient = jax.jit(jax.grad(loss))
        return repeated(lambda: gradient(z, y).block_until_ready())
    assert isinstance(workload, Prediction)
    weights = jax.tree.map(jnp.asarray, workload.training.weights)

    def outputs(weights: Any, x: Any) -> Any:
        for w, b in weights[:-1]:
            x = jax.nn.relu(x @ w + b)
        return x @ weights[-1][0] + weights[-1][1]

    compiled = jax.jit(outputs)
    return repeated(lambda: np.asarray(compiled(weights, workload.sample)))


def _jax_scan(workload: Workload) -> Opened | None:
    return _jax_training(workload, scan=True) if isinstance(workload, Training) else None


# Keras


def keras_model(training: Training) -> Any:
    """A compiled model with the first weights."""
    os.environ["KERAS_BACKEND"] = "jax"
    keras: Any = import_module("keras")
    if keras.backend.backend() != "jax":  # it was imported before, with another one
        raise RuntimeError(f"Keras runs on {keras.backend.backend()}")
    layers: list[Any] = [keras.layers.Input((training.sizes[0],))]
    last = len(training.sizes) - 2
    for index, units in enumerate(training.sizes[1:]):
        layers.append(keras.layers.Dense(units, activation=None if index == last else "relu"))
    model = keras.Sequential(layers)
    model.set_weights([array for pair in training.weights for array in pair])
    kind = keras.optimizers.Adam if training.adam else keras.optimizers.SGD
    options = {"epsilon": 1e-8} if training.adam else {}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=kind(training.rate, **options), loss=loss)
    return model


def _keras(workload: Workload) -> Opened | None:
    if isinstance(workload, Gradient):
        return None
    training = workload if isinstance(workload, Training) else workload.training  # type: ignore[attr-defined]
    model = keras_model(training)
    if isinstance(workload, Prediction):
        return repeated(lambda: np.asarray(model(workload.sample)))
    put: Any = np.asarray if gpu() is None else import_module("jax").numpy.asarray
    X, y, order = (put(array) for array in (*training.data, training.order))
    done = 0

    def run(steps: int) -> None:
        nonlocal done
        for step in range(done, done + steps):
            start = step % training.per_epoch * training.batch
            rows = order[start : start + training.batch]
            model.train_on_batch(*((X, y) if training.per_epoch == 1 else (X[rows], y[rows])))
        done += steps

    def answer() -> float:
        run(training.checked)
        arrays = model.get_weights()
        return training.loss(list(zip(arrays[::2], arrays[1::2], strict=True)))

    return Opened(run, answer)


# scikit-learn


def sklearn_model(training: Training, X: Any, y: Any, shuffle: bool) -> Any:
    """A classifier that goes on from the first weights."""
    network: Any = import_module("sklearn.neural_network")
    model = network.MLPClassifier(
        training.sizes[1:-1], solver="adam" if training.adam else "sgd", learning_rate_init=training.rate, alpha=0.0,
        batch_size=training.batch, shuffle=shuffle, momentum=0.0, nesterovs_momentum=False, warm_start=True, tol=0.0,
        n_iter_no_change=10**9, max_iter=1,
    )  # fmt: skip
    model.fit(X, y)
    model.coefs_, model.intercepts_ = (list(arrays) for arrays in zip(*training.weights, strict=True))
    return model


def _sklearn(workload: Workload) -> Opened | None:
    if isinstance(workload, Gradient):
        return None
    training = workload if isinstance(workload, Training) else workload.training  # type: ignore[attr-defined]
    X, y = (array[training.order] for array in training.data)
    model = sklearn_model(training, X, y, shuffle=False)
    if isinstance(workload, Prediction):
        return Opened(repeated(lambda: model.predict_proba(workload.sample)).run, lambda: None)

    def run(steps: int) -> None:
        model.max_iter = -(-steps // training.per_epoch)
        model.fit(X, y)

    def answer() -> float:
        run(training.checked)
        return training.loss(list(zip(model.coefs_, model.intercepts_, strict=True)))

    return Opened(run, answer, training.per_epoch)


PEERS: dict[str, list[Contender]] = {
    "torch": pytorch.CONTENDERS,
    "jax": [Contender("jax", "JAX jit", _jax_jit), Contender("jax", "JAX scan", _jax_scan)],
    "keras": [Contender("keras", "Keras on JAX", _keras)],
    "sklearn": [Contender("sklearn", "scikit-learn", _sklearn)],
}


def contenders(names: list[str]) -> tuple[list[Contender], list[str]]:
    """The requested peers that are installed, and the names of those that are not. Raises `UnknownNameError`."""
    for name in names:
        if name not in PEERS:
            raise UnknownNameError("peer", name, PEERS)
    there = [name for name in names if find_spec(name) is not None]
    return [c for name in there for c in PEERS[name]], [name for name in names if name not in there]
