"""BatchNorm and the sizes of batches: right running statistics on every engine, a last batch of one, batches of one."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from chainrule import (
    SGD,
    BatchNorm,
    Dense,
    Dropout,
    Graph,
    Layer,
    LayerNorm,
    MeanSquaredError,
    Model,
    ReLU,
    Sequential,
    SoftmaxCrossentropy,
    loss_and_gradients,
)
from chainrule.errors import ConfigurationError
from chainrule.training.ratefinder import LearningRateFinder

ENGINES = [
    "numpy",
    "fused",
    pytest.param("jax", marks=pytest.mark.skipif(find_spec("jax") is None, reason="needs jax")),
]
RNG = np.random.default_rng(3)
X = RNG.normal([2.0, -1.0], [1.14, 0.5], size=(33, 2))
Y = X @ [[1.0], [2.0]]


def normalizing(*layers: Layer, momentum: float = 0.9) -> Model:
    network = [BatchNorm(2, momentum=momentum), *layers, Dense(2, 1)]
    return Model(network, MeanSquaredError(), SGD(0.01), dtype="float64")


def running(model: Model) -> tuple[Any, Any]:
    state = model.state
    return state["batch_norm_0.running_mean"][0], state["batch_norm_0.running_variance"][0]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_last_batch_of_one_moves_no_running_statistics(engine: str) -> None:
    """33 samples in batches of 32, by hand: an epoch is one step of the average, over the 32."""
    model, mean, variance = normalizing(), np.zeros(2), np.ones(2)
    model.fit(X, Y, epochs=3, shuffle=False, engine=engine, verbose=False)
    for _ in range(3):
        mean = 0.9 * mean + 0.1 * X[:32].sum(axis=0) / 32
        variance = 0.9 * variance + 0.1 * ((X[:32] - X[:32].sum(axis=0) / 32) ** 2).sum(axis=0) / 31
    np.testing.assert_allclose(running(model), (mean, variance), rtol=1e-12)
    assert model.run.step == 6  # the single sample is a step of its own


@pytest.mark.parametrize("engine", ENGINES)
def test_the_single_sample_trains_the_layers_around_as_in_inference(engine: str) -> None:
    """Two steps: the batch of 32, at a learning rate of 0, moves the statistics alone; the single sample trains."""
    optimizer = SGD(lambda step: 0.01 * (step % 2))
    one = Model([BatchNorm(2), Dense(2, 1)], MeanSquaredError(), optimizer, dtype="float64")
    before = dict(one.parameters)
    one.fit(X, Y, epochs=1, batch_size=32, shuffle=False, engine=engine, verbose=False)
    _, expected = loss_and_gradients(one.network, one.loss, before, X[32:], Y[32:], state=one.state, training=False)
    assert all(np.abs(gradient).max() > 1e-6 for gradient in expected.values())
    for name, gradient in expected.items():
        np.testing.assert_allclose(one.parameters[name], before[name] - 0.01 * gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("samples", [33, 34, 40])
def test_a_small_last_batch_does_not_pull_the_running_variance_down(samples: int) -> None:
    """The biased variance of a last batch of two is half as large on average, and counts as much as one of 32."""
    data = np.random.default_rng(samples).normal(0.0, 1.14, size=(samples, 2))
    model = normalizing(momentum=0.998)
    model.fit(data, data[:, :1], epochs=1500, engine="numpy", verbose=False)
    np.testing.assert_allclose(running(model)[1], data.var(axis=0, ddof=1), rtol=0.12)


def test_the_running_variance_is_the_unbiased_one_by_hand() -> None:
    """(1, 3, 5): mean 3, squares 4 + 0 + 4; the batch is divided by √(8/3), and 8/2 is carried."""
    layer = BatchNorm(1, momentum=0.5, epsilon=1e-15)
    output = layer.forward(np.array([[1.0], [3.0], [5.0]]))
    np.testing.assert_allclose(output[:, 0], np.array([-2.0, 0.0, 2.0]) / np.sqrt(8 / 3), rtol=1e-12)
    assert layer.running_variance.item() == 0.5 * 1 + 0.5 * 4 and layer.running_mean.item() == 1.5


def test_one_sample_alone_passes_as_in_inference_and_is_explained() -> None:
    network = Sequential(Dense(2, 3), BatchNorm(3), ReLU(), Dense(3, 1))
    model = Model(network, MeanSquaredError(), dtype="float64")
    as_trained, as_used = (model.trace(X[:1], Y[:1], training=training) for training in (True, False))
    np.testing.assert_array_equal(as_trained.predictions, as_used.predictions)
    assert as_trained.state == {}
    one = model.explain(X[:1], Y[:1], "dense_0.weights", (0, 1), training=True)
    np.testing.assert_allclose(one.value, model.gradients(X[:1], Y[:1])["dense_0.weights"][0, 1], rtol=1e-9)


SMALL = {
    "batches of one": dict(batch_size=1),
    "one sample": dict(batch_size=32, validation_split=32 / 33),
}


@pytest.mark.parametrize("name", SMALL)
def test_batches_of_one_sample_are_refused_before_the_first_step(name: str) -> None:
    block = Graph([("norm", BatchNorm(2), "inputs"), ("dense", Dense(2, 1), "norm")])
    model = Model(Sequential(block), MeanSquaredError())
    with pytest.raises(ConfigurationError, match=r"BatchNorm needs batches of 2 .*batch_size of 2.*LayerNorm"):
        model.fit(X, Y, epochs=1, verbose=False, **SMALL[name])  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="BatchNorm needs batches of 2"):
        LearningRateFinder(batch_size=1).find(model, X, Y)
    assert model.run.step == 0


@pytest.mark.parametrize("layers", [[BatchNorm(2).freeze()], [LayerNorm(2)], [Dropout(0.1)]])
def test_other_layers_take_batches_of_one(layers: list[Layer]) -> None:
    Model([*layers, Dense(2, 1)], MeanSquaredError()).fit(X, Y, epochs=1, batch_size=1, verbose=False)


def test_fit_says_in_one_line_what_becomes_of_the_single_sample(capsys: pytest.CaptureFixture[str]) -> None:
    model = Model([Dense(2, 8), BatchNorm(8), ReLU(), Dense(8, 2)], SoftmaxCrossentropy(), SGD(0.1))
    history = model.fit(X, (Y[:, 0] > 0).astype(int), epochs=30, engine="numpy")
    line = "The last batch of each epoch has 1 sample: BatchNorm takes its running statistics for it, and leaves them."
    assert capsys.readouterr().out.splitlines().count(line) == 1
    assert not [note for note in history.notes if "vanishes" in note]
    model.fit(X[:32], (Y[:32, 0] > 0).astype(int), epochs=1, engine="numpy")
    assert line not in capsys.readouterr().out


@pytest.mark.beyond_dev
def test_the_running_statistics_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    theirs, ours = torch.nn.BatchNorm1d(2, momentum=0.1).double(), BatchNorm(2, momentum=0.9)
    for rows in (X[:10], X[10:12], X[12:]):
        theirs(torch.tensor(rows))
        ours.forward(rows)
    np.testing.assert_allclose(ours.running_variance[0], theirs.running_var.numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours.running_mean[0], theirs.running_mean.numpy(), rtol=1e-12)
