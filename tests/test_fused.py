"""What only the fused engine has: pieces and threads, records made inside, single predictions and gradients."""

from __future__ import annotations

import copy
import ctypes
import itertools
import platform
import re
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import (
    ELU,
    GELU,
    L2,
    SGD,
    Adam,
    AdamW,
    Add,
    BatchNorm,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Dense,
    Dropout,
    Graph,
    Huber,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    MeanSquaredError,
    Model,
    ReLU,
    Sequential,
    Sigmoid,
    SigmoidCrossentropy,
    SiLU,
    Softmax,
    SoftmaxCrossentropy,
    Softplus,
    Tanh,
)
from chainrule.backprop import advance
from chainrule.engines import loss_gradient, predictor, start
from chainrule.engines.contract import Block, Task
from chainrule.engines.fused import adam, layout, library
from chainrule.engines.fused import session as fused_session
from chainrule.engines.fused.gradient import Gradient
from chainrule.engines.fused.prediction import FEW, Prediction
from chainrule.engines.fused.session import FusedSession
from chainrule.engines.recorder import Recorder, relu_units
from chainrule.engines.records import Records
from chainrule.errors import DataError, ShapeError
from chainrule.layer import Context, Layer
from chainrule.optimizers import Optimizer

RNG = np.random.default_rng(0)


# Threads

LARGE: dict[str, tuple[Graph, int, int]] = {  # batch, samples
    "all samples before the gradients": (
        Sequential(Dense(40, 130), ReLU(), Dense(130, 150), Tanh(), Dense(150, 3)),
        96,
        100,
    ),
    "normalized": (Sequential(Dense(40, 130), LayerNorm(130), Dropout(0.3), ReLU(), Dense(130, 3)), 220, 230),
    "gradients in pieces": (
        Sequential(Dense(5, 60), ReLU(), Dropout(0.2), Dense(60, 60), ReLU(), Dense(60, 3)),
        600,
        1000,
    ),
    "one layer": (Sequential(Dense(300, 40)), 96, 100),
    "large weights": (Sequential(Dense(150, 260), ReLU(), Dense(260, 270), ReLU(), Dense(270, 3)), 70, 150),
    "a batch of less than a vector at the end": (Sequential(Dense(40, 300), ReLU(), Dense(300, 3)), 96, 101),
    "tied": (
        Graph(
            [
                ("a", Dense(90, 90, penalties={"weights": L2(1e-3)}), "inputs"),
                ("b", Tanh(), "a"),
                ("c", Dense(90, 90), "b"),
                ("d", Dense(90, 3), "c"),
            ],
            ties={"c.weights": "a.weights"},
        ),
        96,
        100,
    ),
}


def run_of(
    engine: str, name: str, optimizer: Any, steps: int = 12, weighted: bool = True, wanted: int = 1
) -> dict[str, Any]:
    network, batch, samples = LARGE[name]
    features, outputs = network.input_shape()[0], network.output_shape(network.input_shape())[0]
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(samples, features)), rng.integers(0, outputs, samples)
    weights = rng.uniform(0.5, 2, samples) if weighted else None
    task = Task.of(network, SoftmaxCrossentropy(), optimizer, 3, X, y, weights, batch)
    values = network.initial_parameters(0)
    session = start(engine)(task, values, optimizer.initial_slots(np, values))
    order = np.stack([rng.permutation(samples) for _ in range(steps)])
    outcome = session.run(Block(0, steps, 0, order, np.full((steps, len(values)), 0.01), record=True))
    assert outcome.steps == steps
    if engine == "fused":
        assert isinstance(session, FusedSession) and session.threads == wanted and session.pieces.count(batch) >= 3
    return session.values() | session.slots() | outcome.records._asdict() | {"losses": outcome.data_losses}


@pytest.mark.parametrize("optimizer", [SGD(0.01), Adam(0.01, clip_norm=0.3, weight_decay=0.01)], ids=["sgd", "adam"])
@pytest.mark.parametrize("name", LARGE)
def test_any_number_of_threads_computes_the_run_of_the_reference_with_the_same_bits(
    name: str, optimizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run_of("numpy", name, optimizer)
    found = []
    for threads in (1, 2, 3, 2):
        monkeypatch.setattr(fused_session, "cores", lambda threads=threads: threads)
        found.append(run_of("fused", name, optimizer, wanted=threads))
    for key, array in expected.items():
        np.testing.assert_allclose(found[0][key], array, rtol=1e-10, atol=1e-10)
        for other in found[1:]:
            np.testing.assert_array_equal(found[0][key], other[key])


def test_samples_without_weights_count_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_session, "cores", lambda: 1)
    expected, actual = (run_of(engine, "one layer", SGD(0.01), weighted=False) for engine in ("numpy", "fused"))
    np.testing.assert_allclose(actual["losses"], expected["losses"], rtol=1e-12)


def test_the_logarithm_of_softmax_is_as_exact_for_large_inputs() -> None:
    X = np.array([[30000.25, 30000.0, 29999.0], [-5e5, -5e5, -5e5]], np.float32)
    task = Task.of(Sequential(LogSoftmax()), MeanSquaredError(), SGD(), 0, X, np.zeros((2, 3)), None, 2)
    block = Block(0, 1, 0, None, np.zeros((1, 0)))
    expected, actual = (start(engine)(task, {}, {}).run(block).data_losses for engine in ("numpy", "fused"))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


# Outputs in inference


@pytest.mark.parametrize("name", LARGE)
def test_outputs_have_the_same_bits_beside_any_others_and_with_any_threads(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = LARGE[name][0]
    X = np.random.default_rng(2).normal(size=(1009, network.input_shape()[0])).astype(np.float32)
    values = network.initial_parameters(0, "float32") | network.initial_state("float32")
    expected = network.forward_pass(np, X, values, Context(training=False))[0]
    task = Task.of(network, MeanSquaredError(), SGD(), 0, X, np.zeros_like(expected), None, 64)
    session, found = FusedSession(task, values, {}), []
    for threads in (1, 3):
        monkeypatch.setattr("chainrule.engines.fused.inference.cores", lambda threads=threads: threads)
        found.append(session.outputs(X))
    np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(*found)
    for rows in (slice(0, 1), slice(3, 5), slice(0, 17), slice(100, 400), slice(0, 0)):
        np.testing.assert_array_equal(session.outputs(X[rows]), found[0][rows])


class Shifted(Layer):
    """Another function in training."""

    def pure_forward(self, xp: Any, inputs: Any, training: Any) -> Any:
        return inputs + 1.0 if training else xp.flip(inputs, axis=1)

    def pure_backward(self, xp: Any, dvalues: Any) -> Any:
        return dict(dinputs=dvalues)


def test_validation_in_a_fused_run_is_that_of_numpy_and_calls_no_product_of_numpys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, y = RNG.normal(size=(60, 3)), RNG.integers(0, 3, 60)
    given: dict[str, Any] = {"epochs": 3, "batch_size": 20, "verbose": False, "validation_data": (X[:30], y[:30])}

    def validated(engine: str, layer: Layer) -> list[float]:
        network = [Dense(3, 8), layer, Dropout(0.3), Dense(8, 3)]
        model = Model(network, SoftmaxCrossentropy(), Adam(0.05), dtype="float64")
        return model.fit(X, y, engine=engine, **given)["val_loss"]

    makers: list[Callable[[], Layer]] = [Shifted, ReLU, lambda: BatchNorm(8)]
    expected = [validated("numpy", make()) for make in makers]
    np.testing.assert_allclose(validated("fused", Shifted()), expected[0], rtol=1e-10)
    monkeypatch.setattr(np, "matmul", lambda *operands: pytest.fail("a product of NumPy's"))
    for make, losses in zip(makers[1:], expected[1:], strict=True):
        np.testing.assert_allclose(validated("fused", make()), losses, rtol=1e-10)


# Records


def reference_records(task: Task, block: Block, values: dict[str, Any]) -> Records:
    """What the pure pairs meet, step by step, counted by `Recorder`."""
    network, optimizer = task.network, task.optimizer
    slots = optimizer.initial_slots(np, {name: values[name] for name in network.trainable_names()})
    recorder = Recorder(task, block)
    for index, (rows, size) in enumerate(block.batches(task)):
        seen: dict[str, Any] = {}
        context = Context(True, task.seed, block.step + index, record=seen)
        rates = dict(zip(network.trainable_names(), block.rates[index], strict=True))
        given = task.X[rows], task.targets(rows), task.shares(rows, size)
        found, values, slots = advance(np, network, optimizer, task.loss, values, *given, context, slots, rates)
        squares = [float(np.sum(np.square(found.gradients[name]))) for name in network.trainable_names()]
        alive = [(seen[name]["output"] > 0).any(axis=0) for name in relu_units(network, task.X.shape[1:])]
        recorder.add(rows, found.data_loss, found.penalty, found.predictions, squares, alive)
    return recorder.finished()


RNG_RECORDS = np.random.default_rng(4)
RECORDED: dict[str, tuple[Any, Any]] = {
    "classes": (SoftmaxCrossentropy(class_weights=[1, 2, 0.5]), RNG_RECORDS.integers(0, 3, 50)),
    "rows of probabilities": (CategoricalCrossentropy(), RNG_RECORDS.dirichlet([1, 1, 1], 50)),
    "answers": (SigmoidCrossentropy(label_smoothing=0.1), RNG_RECORDS.integers(0, 2, (50, 3))),
    "probable answers": (BinaryCrossentropy(), RNG_RECORDS.integers(0, 2, (50, 3))),
    "values": (Huber(), RNG_RECORDS.normal(size=(50, 3))),
    "a sum": (MeanSquaredError(reduction="sum"), RNG_RECORDS.normal(size=(50, 3))),
}


@pytest.mark.parametrize("engine", ["numpy", "fused", "jax"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", RECORDED)
def test_records_of_a_block_are_those_of_the_reference(name: str, weighted: bool, engine: str) -> None:
    """Two and a half epochs of four batches, begun within an epoch, with a unit that is dead from the start."""
    loss, y = RECORDED[name]
    last = {"rows of probabilities": [Softmax()], "probable answers": [Sigmoid()]}.get(name, [])
    network = Sequential(Dense(4, 9, penalties={"weights": L2(0.1)}), ReLU(), Dense(9, 7), ReLU(), Dense(7, 3), *last)
    weights = RNG_RECORDS.uniform(0.5, 2, 50) if weighted else None
    task = Task.of(network, loss, SGD(1e-3), 3, RNG_RECORDS.normal(size=(50, 4)), y, weights, 16)
    order = np.stack([RNG_RECORDS.permutation(50) for _ in range(4)])
    block = Block(1, 10, 1, order, np.full((10, 6), 1e-3), record=True)
    values = network.initial_parameters(0)
    values["dense_1.biases"][0, 2] = -100
    expected = reference_records(task, block, values)
    found = start(engine)(task, values, {}).run(block).records
    assert found is not None and not expected.alive[:, 9 + 2].any() and expected.alive.any()
    for member in Records._fields:
        np.testing.assert_allclose(getattr(found, member), getattr(expected, member), rtol=1e-10, err_msg=member)


def test_records_of_blocks_that_meet_within_an_epoch_add_up() -> None:
    loss, y = RECORDED["classes"]
    network = Sequential(Dense(4, 9), ReLU(), Dense(9, 3))
    task = Task.of(network, loss, SGD(1e-3), 3, RNG_RECORDS.normal(size=(50, 4)), y, None, 16)
    order, values = np.stack([RNG_RECORDS.permutation(50) for _ in range(3)]), network.initial_parameters(0)
    whole = Block(0, 10, 0, order, np.full((10, 4), 1e-3), record=True)
    parts = replace(whole, steps=6, rates=whole.rates[:6]), Block(6, 4, 2, order[1:], whole.rates[6:], record=True)
    expected = FusedSession(task, values, {}).run(whole).records
    one = FusedSession(task, values, {})
    first = one.run(parts[0]).records
    assert expected is not None and first is not None
    second = one.run(replace(parts[1], begun=first.last())).records
    assert second is not None
    for member in Records._fields:
        joined = np.concatenate([getattr(first, member)[:-1], getattr(second, member)])
        np.testing.assert_array_equal(joined, getattr(expected, member), err_msg=member)


# What both sides read


def test_every_member_of_the_structures_is_read_as_the_compiler_lays_it_out() -> None:
    text = (Path(layout.__file__).parent / "c" / "run.h").read_text()
    members = re.findall(
        r"^    (?:const )?(?:int64_t|double|void|uint8_t|Operation|Line|Segment|Part|Watched|Tie) \**(\w+);", text, re.M
    )
    kinds = layout.OPERATION, layout.LINE_OF_CODE, layout.SEGMENT, layout.PART, layout.TIE, layout.WATCHED
    read = [name for kind in kinds for name in kind.names or ()] + [name for name, _ in layout.Call._fields_]
    assert read == members
    for kind in kinds:
        assert kind.itemsize == 8 * len(kind.names or ())
    sizes = library.load().sizes
    sizes.restype = ctypes.POINTER(ctypes.c_int64)
    assert sizes()[:7] == [kind.itemsize for kind in kinds] + [ctypes.sizeof(layout.Call)]


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


# What one call of fit leaves for the next

X_KEPT = np.random.default_rng(5).normal(size=(48, 3)).astype(np.float32)
Y_KEPT = np.random.default_rng(6).integers(0, 3, 48)


def of_three() -> Model:
    hidden = Dense(3, 8, penalties={"weights": L2(1e-3)})
    return Model([hidden, LeakyReLU(0.1), Dropout(0.2), Dense(8, 3)], SoftmaxCrossentropy(), Adam(0.05), seed=2)


def with_optimizer(optimizer: Optimizer) -> Callable[[Model], None]:
    def change(model: Model) -> None:
        model.run.optimizer = optimizer
        model.run.slots = optimizer.initial_slots(np, model.run.trained)

    return change


def setting(node: str, name: str, value: Any) -> Callable[[Model], None]:
    return lambda model: setattr(model.network[node], name, value)


CHANGES: dict[str, tuple[Callable[[Model], object], dict[str, Any]]] = {
    "nothing": (lambda model: None, {}),
    "parameters": (lambda model: model.parameters.update({"dense_1.biases": np.ones((1, 3))}), {}),
    "a layer's setting": (setting("leaky_relu_0", "slope", 0.3), {}),
    "the rate of dropout": (setting("dropout_0", "rate", 0.5), {}),
    "a penalty": (setting("dense_0", "penalties", {"weights": L2(0.5)}), {}),
    "a frozen layer": (lambda model: model.network["dense_0"].freeze(), {}),
    "the optimizer": (with_optimizer(SGD(0.1)), {}),
    "its settings": (with_optimizer(Adam(0.05, beta_1=0.5, clip_norm=0.1)), {}),
    "its slots": (with_optimizer(SGD(0.1, momentum=0.9)), {}),
    "the loss": (lambda model: setattr(model.run, "loss", SoftmaxCrossentropy(label_smoothing=0.2)), {}),
    "the seed": (lambda model: setattr(model.run, "seed", 9), {}),
    "the data": (lambda model: None, {"X": X_KEPT * 2, "y": (Y_KEPT + 1) % 3}),
    "fewer samples": (lambda model: None, {"X": X_KEPT[:31], "y": Y_KEPT[:31]}),
    "more samples": (lambda model: None, {"X": np.tile(X_KEPT, (9, 1)), "y": np.tile(Y_KEPT, 9)}),
    "samples beyond the batch": (lambda model: None, {"X": np.tile(X_KEPT, (2, 1)), "y": np.tile(Y_KEPT, 2)}),
    "the batch": (lambda model: None, {"batch_size": 11}),
    "all in a batch": (lambda model: None, {"batch_size": 48}),
    "sample weights": (lambda model: None, {"sample_weights": np.linspace(0.1, 2, 48)}),
    "rows of probabilities": (lambda model: None, {"y": np.eye(3)[Y_KEPT]}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_second_fit_is_that_of_a_model_that_has_kept_nothing(change: str) -> None:
    apply, options = CHANGES[change]
    size = 48 if change == "samples beyond the batch" else 16
    given: dict[str, Any] = {"X": X_KEPT, "y": Y_KEPT, "batch_size": size, "epochs": 2, "verbose": False}
    found = []
    for alone in (False, True):
        model = of_three()
        model.fit(**given, engine="fused", sample_weights=np.linspace(2, 0.1, 48))
        model.fit(**given, engine="fused")
        model = copy.deepcopy(model) if alone else model  # a copy keeps no session
        apply(model)
        history = model.fit(**given | options, engine="fused")
        rows = [{name: row[name] for name in row if name != "seconds"} for row in history.records]
        found.append((rows, {name: value.tobytes() for name, value in model.run.values.items()}))
        found[-1] += ({name: value.tobytes() for name, value in model.run.slots.items()},)
    assert found[0] == found[1]


def test_a_session_is_kept_for_the_same_layout_and_holds_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    made, areas = [], FusedSession._areas
    monkeypatch.setattr(FusedSession, "_areas", lambda self, task: (made.append(self), areas(self, task))[1])
    model, X = of_three(), X_KEPT.copy()
    given: dict[str, Any] = {"epochs": 1, "verbose": False, "engine": "fused"}
    for _ in range(3):
        model.fit(X, Y_KEPT, batch_size=16, **given)
    assert len(made) == 1
    kept, (session,) = weakref.ref(X), made
    del X
    assert kept() is None and not any(np.shares_memory(array, Y_KEPT) for array in session.held.values())
    model.fit(X_KEPT, Y_KEPT, batch_size=24, **given)
    assert len(made) == 2


def test_two_sessions_of_one_network_at_once_do_not_share_a_layout() -> None:
    network = Sequential(Dense(3, 160), ReLU(), Dense(160, 160), ReLU(), Dense(160, 3))
    Model(network, SoftmaxCrossentropy(), seed=1)
    rng, found = np.random.default_rng(0), []
    X, y = rng.normal(size=(512, 3)).astype(np.float32), rng.integers(0, 3, 512)
    for others in (False, True):
        optimizer = Adam(0.01)
        tasks = [Task.of(network, SoftmaxCrossentropy(), optimizer, 0, X, y, None, size) for size in (32, 512)]
        values = network.values()
        sessions = [start("fused")(task, values, optimizer.initial_slots(np, values)) for task in tasks[: 1 + others]]
        sessions[0].run(Block(0, 3, 0, None, np.full((3, 6), 0.01)))
        found.append({name: value.tobytes() for name, value in sessions[0].values().items()})
    assert found[0] == found[1]


def test_a_layer_of_ones_own_is_read_anew_by_each_fit() -> None:
    class Scaled(Layer):
        factor = 2.0  # its repr does not say it

        def pure_forward(self, xp: Any, inputs: Any) -> Any:
            return inputs * self.factor

        def pure_backward(self, xp: Any, dvalues: Any) -> Any:
            return dict(dinputs=dvalues * self.factor)

    found = []
    for engine in ("fused", "numpy"):
        layer = Scaled()
        model = Model([Dense(3, 4), layer, Dense(4, 3)], SoftmaxCrossentropy(), SGD(0.1), dtype="float64")
        for factor in (2.0, -0.5):
            layer.factor = factor
            model.fit(X_KEPT, Y_KEPT, epochs=2, batch_size=48, verbose=False, engine=engine)
        found.append(model.parameters["dense_0.weights"])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", [Adam(), AdamW(0.01, beta_1=0.3, epsilon=1e-3)], ids=["adam", "adamw"])
def test_adams_step_in_one_pass_has_the_bits_of_its_pair(
    optimizer: Adam, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adam, "_LARGE", 0)
    assert adam._function(dtype) is not None or platform.machine() != "x86_64"
    rng = np.random.default_rng(0)
    for size, step, exponent in itertools.product((1, 7, 16, 33, 203), (0, 5, 10**6), (-35, 0, 25)):
        p, g, m, v = (rng.normal(size=(4, size)) * 10.0**exponent).astype(dtype)
        with np.errstate(all="ignore"):
            moved, slots = optimizer.pure_update(np, step, 0.01, p, g, m, abs(v))
            found, own = adam.step_in_one_pass(optimizer, np, step, 0.01, p, g, m, abs(v))
        for expected, array in zip((moved, *slots.values()), (found, *own.values()), strict=True):
            assert not np.isnan(expected).any() and expected.tobytes() == array.tobytes(), (size, step, exponent)
