"""What only the fused engine has: threads, machine code on disk, single predictions and gradients."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import (
    ELU,
    GELU,
    SGD,
    Adam,
    Add,
    Dense,
    Dropout,
    Graph,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    MeanSquaredError,
    Model,
    ReLU,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    SoftmaxCrossentropy,
    Softplus,
    Tanh,
)
from chainrule.engines import loss_gradient, predictor, start
from chainrule.engines.contract import Block, Task
from chainrule.engines.fused.cache import cache_folder, missing
from chainrule.engines.fused.gradient import Gradient
from chainrule.engines.fused.prediction import FEW, Prediction
from chainrule.engines.fused.session import FusedSession
from chainrule.errors import DataError, ShapeError
from chainrule.layer import Context

RNG = np.random.default_rng(0)


# Two threads

LARGE = {
    "blas": (Sequential(Dense(40, 130), ReLU(), Dense(130, 70), Tanh(), Dense(70, 3)), 96, 100),
    "blas-normalized": (Sequential(Dense(40, 130), LayerNorm(130), Dropout(0.3), ReLU(), Dense(130, 3)), 220, 230),
    "loops": (Sequential(Dense(5, 60), ReLU(), Dropout(0.2), Dense(60, 60), ReLU(), Dense(60, 3)), 600, 1000),
    "one layer": (Sequential(Dense(300, 40)), 96, 100),
    "a batch of less than a vector at the end": (Sequential(Dense(40, 300), ReLU(), Dense(300, 3)), 96, 101),
}


def run_of(engine: str, name: str, optimizer: Any, steps: int = 12, weighted: bool = True) -> dict[str, Any]:
    network, batch, samples = LARGE[name]
    features, outputs = network.input_shape()[0], network.output_shape(network.input_shape())[0]
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(samples, features)), rng.integers(0, outputs, samples)
    weights = rng.uniform(0.5, 2, samples) if weighted else None
    task = Task.of(network, SoftmaxCrossentropy(), optimizer, 3, X, y, weights, batch)
    values = network.initial_parameters(0)
    session = start(engine)(task, values, optimizer.initial_slots(np, values))
    order = np.stack([rng.permutation(samples) for _ in range(steps)])
    outcome = session.run(Block(0, steps, 0, order, np.full((steps, len(values)), 0.01), True))
    assert outcome.steps == steps
    if engine == "fused":
        assert isinstance(session, FusedSession) and session.threads == min(2, len(os.sched_getaffinity(0)))
    return session.values() | session.slots() | {"losses": outcome.data_losses, "predictions": outcome.predictions}


@pytest.mark.parametrize("optimizer", [SGD(0.01), Adam(0.01, clip_norm=0.3, weight_decay=0.01)], ids=["sgd", "adam"])
@pytest.mark.parametrize("name", LARGE)
def test_two_threads_compute_the_run_of_the_reference_and_the_same_bits_each_time(name: str, optimizer: Any) -> None:
    expected, one, two = (run_of(engine, name, optimizer) for engine in ("numpy", "fused", "fused"))
    for key, array in expected.items():
        np.testing.assert_allclose(one[key], array, rtol=1e-10, atol=1e-10)
        np.testing.assert_array_equal(one[key], two[key])


def test_samples_without_weights_count_alike() -> None:
    expected, actual = (run_of(engine, "blas", SGD(0.01), weighted=False) for engine in ("numpy", "fused"))
    np.testing.assert_allclose(actual["losses"], expected["losses"], rtol=1e-12)


def test_the_logarithm_of_softmax_is_as_exact_for_large_inputs() -> None:
    X = np.array([[30000.25, 30000.0, 29999.0], [-5e5, -5e5, -5e5]], np.float32)
    task = Task.of(Sequential(LogSoftmax()), MeanSquaredError(), SGD(), 0, X, np.zeros((2, 3)), None, 2)
    block = Block(0, 1, 0, None, np.zeros((1, 0)), True)
    expected, actual = (start(engine)(task, {}, {}).run(block).predictions for engine in ("numpy", "fused"))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


# Machine code on disk

SCRIPT = """
import sys, numpy as np
from chainrule import Dense, MeanSquaredError, Model, SGD
model = Model([Dense(2, 1)], MeanSquaredError(), SGD(0.1))
X = np.arange(8.0).reshape(4, 2)
model.fit(X, X[:, :1], epochs=3, verbose=False, engine="fused")
print(float(model.parameters["dense_0.weights"][0, 0]), "numba" in sys.modules)
"""
NAMES = ["block", "dense", "dense.gradients", "gather", "mean_squared", "sgd"]
ZEROS = """
import sys, numpy as np
if sys.argv[1] == "numba":
    import numba
from chainrule import BatchNorm, Dense, MeanSquaredError, Model, SGD
X, losses = np.linspace(-1, 1, 1030 * 40).reshape(1030, 40), []
for layers in ([Dense(40, 50), Dense(50, 1)], [Dense(40, 5), BatchNorm(5), Dense(5, 1)]):
    model = Model(layers, MeanSquaredError(), SGD(0.01))
    losses += model.fit(X, X[:, 0], epochs=1, batch_size=1024, verbose=False, engine="fused")["loss"]
print(losses, "numba" in sys.modules)
"""


def begin(folder: Path, *script: str) -> subprocess.Popen[str]:
    environment, command = os.environ | {"CHAINRULE_CACHE": str(folder)}, script or (SCRIPT,)
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", *command], stdout=pipe, stderr=pipe, text=True, env=environment)


def end(process: subprocess.Popen[str]) -> list[str]:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0 and errors == ""
    return output.split()


def test_two_processes_compile_at_once_a_third_one_needs_no_numba_and_a_damaged_file_is_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    assert missing(NAMES, "float32") == NAMES
    both = [begin(tmp_path / "cache") for _ in range(2)]
    first, second = (end(process) for process in both)
    assert first == second and first[1] == "True"
    assert missing(NAMES, "float32") == []
    assert end(begin(tmp_path / "cache")) == [first[0], "False"]
    (file,) = (tmp_path / "cache").rglob("sgd-float32.o")
    file.write_bytes(file.read_bytes()[:-100])
    assert end(begin(tmp_path / "cache")) == first
    assert end(begin(tmp_path / "cache")) == [first[0], "False"]


def test_code_from_the_disk_calls_the_systems_functions_with_numba_or_without(tmp_path: Path) -> None:
    """A last batch that leaves a thread nothing to do, and BatchNorm's, fill arrays with zeros by `memset`."""
    compiled = end(begin(tmp_path, ZEROS, ""))
    assert compiled[-1] == "True"
    assert end(begin(tmp_path, ZEROS, "")) == [*compiled[:-1], "False"]
    assert end(begin(tmp_path, ZEROS, "numba")) == compiled


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.engines.fused import cache

    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "file"))
    assert missing(NAMES, "float32") == NAMES
    cache.address.cache_clear()
    model = Model([Dense(2, 1)], MeanSquaredError(), SGD(0.1))
    model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=1, verbose=False, engine="fused")
    assert (tmp_path / "file").read_text() == "no folder"


def test_where_nothing_can_be_compiled_a_run_goes_on_with_numpy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(name: str, dtype: str) -> int:
        raise RuntimeError("no such target\nand more")

    monkeypatch.setattr("chainrule.engines.fused.cache.address", fails)
    model = Model([Dense(2, 1)], MeanSquaredError(), SGD(0.1))
    model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=1, engine="fused")
    line = capsys.readouterr().out.splitlines()[1]
    assert line == "Engine numpy: the fused engine cannot be compiled here (RuntimeError: no such target)."
    assert model.run.engine == "numpy" and model.run.step == 1
    monkeypatch.setattr("chainrule.engines.fused.prediction.address", fails)
    monkeypatch.setattr("chainrule.engines.fused.gradient.address", fails)
    with pytest.warns(UserWarning, match="NumPy computes instead of compiled code: RuntimeError: no such target"):
        predict, gradient = model.predictor(), loss_gradient(SoftmaxCrossentropy())
    np.testing.assert_array_equal(predict([[1.0, 2.0]]), model.logits([[1.0, 2.0]]))
    np.testing.assert_allclose(gradient(np.zeros((1, 2)), np.array([0])), [[-0.5, 0.5]])


def test_a_user_without_a_home_has_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("CHAINRULE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", fails)
    assert cache_folder().name == "chainrule" and missing(["no such function"], "float32") == ["no such function"]


# A prediction, a gradient

LINE = Sequential(
    *(Dense(9, 37), Tanh(), Dense(37, 70), ReLU(), Dense(70, 133), SiLU(), Dropout(0.5), Dense(133, 20), ELU(0.7)),
    Sequential(Dense(20, 17), GELU(), Dense(17, 16), LeakyReLU(0.1), Softplus(), Dense(16, 5), Sigmoid()),
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("samples", [1, 3, FEW, FEW + 1, 0])
def test_few_samples_are_predicted_as_by_the_reference(samples: int, dtype: str) -> None:
    values, X = LINE.initial_parameters(0, dtype), RNG.normal(size=(samples, 9)).astype(dtype)
    expected = LINE.forward_pass(np, X, values, Context(training=False))[0]
    actual = predictor(LINE, values)(X)
    assert actual.dtype == dtype and actual.shape == (samples, 5)
    np.testing.assert_allclose(actual, expected, rtol=1e-12 if dtype == "float64" else 2e-6)


def test_a_predictor_keeps_its_parameters_takes_lists_and_falls_back_for_other_networks() -> None:
    model = Model([Dense(2, 3), ReLU(), Dense(3, 2)], SoftmaxCrossentropy(), dtype="float64")
    predict, x = model.predictor(), [[1.0, -2.0]]
    before = model.logits(x)
    model.parameters = {name: value + 1 for name, value in model.parameters.items()}
    np.testing.assert_allclose(predict(x), before, rtol=1e-14)
    model = Model([Dense(2, 3), LayerNorm(3), Softmax()], MeanSquaredError(), dtype="float64")
    np.testing.assert_array_equal(model.predictor()(x), model.logits(x))
    branching = Graph([("a", Dense(2, 2), "inputs"), ("b", Add(), ("a", "inputs"))])
    values = branching.initial_parameters(0)
    expected = branching.forward_pass(np, np.array(x), values, Context(training=False))[0]
    np.testing.assert_array_equal(predictor(branching, values)(x), expected)


def test_a_predictor_says_which_shape_it_expects() -> None:
    with pytest.raises(ShapeError, match=r"expected X of shape \(B, 9\), received \(2, 3\)"):
        Prediction(LINE, LINE.initial_parameters(0))(np.ones((2, 3)))
    predict = predictor(LINE, LINE.initial_parameters(0))
    for X in (np.ones((20, 3)), np.ones(9), np.ones(90), np.ones((20, 2, 9)), [], 1.0):
        with pytest.raises(ShapeError, match=r"expected X of shape \(B, 9\)"):
            predict(X)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 2), (3, 3), (128, 10), (7, 16), (5, 33), (700, 100), (30000, 3), (2, 40000)])
def test_the_gradient_of_softmax_crossentropy_is_that_of_the_pair(
    shape: tuple[int, int], dtype: str, reduction: str
) -> None:
    loss = SoftmaxCrossentropy(reduction=reduction)
    z, y = (RNG.normal(size=shape) * 5).astype(dtype), RNG.integers(0, shape[1], shape[0])
    targets, shares = loss.prepare(y, shape, None, dtype)
    expected = loss.backward_pass(np, shares, loss.forward_pass(np, z, targets)[1])
    actual = loss_gradient(loss, dtype)(z, y)
    assert actual.dtype == dtype
    scale = shares.max() * np.finfo(dtype).eps * 8
    np.testing.assert_allclose(actual, expected, rtol=0, atol=scale)


def test_the_gradient_of_large_numbers_is_finite_and_other_targets_go_to_the_reference() -> None:
    gradient = loss_gradient(SoftmaxCrossentropy(), "float64")
    np.testing.assert_allclose(gradient(np.array([[1e300, 0.0, -1e300]]), np.array([1])), [[1, -1, 0]], atol=1e-12)
    rows = np.array([[0.25, 0.75]])
    np.testing.assert_allclose(gradient(np.zeros((1, 2)), rows), [[0.25, -0.25]])
    smooth = loss_gradient(SoftmaxCrossentropy(label_smoothing=0.2), "float64")
    np.testing.assert_allclose(smooth(np.zeros((1, 2)), np.array([0])), [[-0.4, 0.4]])


@pytest.mark.parametrize(("dtype", "logit"), [("float32", -3.3e38), ("float64", -1e100)])
@pytest.mark.parametrize("classes", [3, 9, 33])
def test_the_gradient_of_very_negative_numbers_is_that_of_the_pair(dtype: str, logit: float, classes: int) -> None:
    expected = np.full((2, classes), 0.5 / classes)
    expected[:, 1] -= 0.5
    actual = loss_gradient(SoftmaxCrossentropy(), dtype)(np.full((2, classes), logit, dtype), np.array([1, 1]))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_a_gradient_takes_lists() -> None:
    gradient = loss_gradient(SoftmaxCrossentropy(), "float64")
    np.testing.assert_allclose(gradient([[0.0, 0.0]], [0]), [[-0.5, 0.5]])
    np.testing.assert_allclose(gradient([[0.0, 0.0]], [[1.0, 0.0]]), [[-0.5, 0.5]])


@pytest.mark.parametrize("samples", [3, 70000])
def test_an_index_that_is_no_class_is_refused(samples: int) -> None:
    y = np.zeros(samples, int)
    y[-1] = 2
    with pytest.raises(DataError, match="2"):
        Gradient(SoftmaxCrossentropy())(np.zeros((samples, 2), np.float32), y)
    with pytest.raises(DataError):
        loss_gradient(SoftmaxCrossentropy())(np.zeros((0, 2), np.float32), np.zeros(0, int))
