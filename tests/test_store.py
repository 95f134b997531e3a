"""Parameters have one home: whatever shows them reads and writes the arrays of the layers."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable as Function
from typing import Any

import numpy as np
import pytest

from chainrule import (
    Adam,
    BatchNorm,
    Callback,
    ChainruleError,
    Dense,
    Graph,
    LeakyReLU,
    LearningRateFinder,
    MeanSquaredError,
    Model,
    ReLU,
    Sequential,
    SoftmaxCrossentropy,
    check,
    draw,
    explain,
)
from chainrule.errors import ConfigurationError, DataError, ShapeError, UnknownNameError
from chainrule.layer import Layer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)
ENGINES = ["numpy", "fused", "jax"]


def model(seed: int = 0, **options: Any) -> Model:
    return Model([Dense(3, 4), ReLU(), Dense(4, 2)], SoftmaxCrossentropy(), Adam(0.01), seed=seed, **options)


def trained() -> Model:
    one = model(dtype="float64")
    one.fit(X, Y, epochs=30, verbose=False)
    return one


# Everything shows the same arrays


def test_after_training_the_layers_and_the_network_hold_what_was_learned() -> None:
    one = trained()
    for name, array in one.parameters.items():
        node, _, local = name.rpartition(".")
        assert getattr(one.network[node], local) is array
    np.testing.assert_array_equal(one.network.forward(X, training=False), one.logits(X))


def test_the_public_explain_explains_the_network_that_was_trained() -> None:
    one = trained()
    public = explain(one.network, one.loss, X, Y, "dense_0.weights", (1, 2))
    assert public.value == one.explain(X, Y, "dense_0.weights", (1, 2)).value
    assert public.value == pytest.approx(one.gradients(X, Y)["dense_0.weights"][1, 2], rel=1e-12)


WAYS: dict[str, Function[[Model, Any], None]] = {
    "attribute": lambda one, value: setattr(one.network["dense_0"], "weights", value),
    "mapping": lambda one, value: one.parameters.__setitem__("dense_0.weights", value),
    "whole mapping": lambda one, value: setattr(one, "parameters", one.parameters | {"dense_0.weights": value}),
    "update": lambda one, value: one.parameters.update({"dense_0.weights": value}),
    "in place": lambda one, value: one.parameters["dense_0.weights"].__setitem__(slice(None), value),
    "entry by entry": lambda one, value: np.copyto(one.network["dense_0"].weights, value),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_assignment_reaches_everything(way: str) -> None:
    one, value = trained(), RNG.normal(size=(3, 4))
    drawn = draw(one, one.trace(X, Y)).svg
    WAYS[way](one, value)
    expected = model(dtype="float64")
    expected.parameters = {**one.parameters, "dense_0.weights": value}
    np.testing.assert_array_equal(one.network["dense_0"].weights, value)
    np.testing.assert_array_equal(one.logits(X), expected.logits(X))
    np.testing.assert_array_equal(one.predictor()(X[:3]), expected.predictor()(X[:3]))
    assert one.explain(X, Y, "dense_0.weights", (0, 0)).loss == expected.evaluate(X, Y)["loss"]
    assert one.trace(X, Y).loss == expected.trace(X, Y).loss
    assert draw(one, one.trace(X, Y)).svg != drawn
    assert check(one, X, Y).passed


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", ["attribute", "mapping", "whole mapping"])
def test_an_assignment_in_a_callback_reaches_the_next_step_on_every_engine(engine: str, way: str) -> None:
    class Assigns(Callback):
        def epoch(self, fit: Any) -> None:
            if fit.run.epoch == 2:
                WAYS[way](fit.model, np.full((3, 4), 0.5))

    one, other = model(dtype="float64"), model(dtype="float64")
    one.fit(X, Y, epochs=4, callbacks=[Assigns()], record_every=1, engine=engine, verbose=False)
    other.fit(X, Y, epochs=2, verbose=False, engine="numpy")
    other.parameters["dense_0.weights"] = np.full((3, 4), 0.5)
    other.fit(X, Y, epochs=2, verbose=False, engine="numpy")
    for name, array in one.parameters.items():
        np.testing.assert_allclose(array, other.parameters[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_during_a_run_no_array_can_be_changed_in_place(engine: str) -> None:
    class Changes(Callback):
        def epoch(self, fit: Any) -> None:
            fit.model.network["dense_0"].weights[0, 0] = 1.0

    one = model()
    with pytest.raises(ValueError, match="read-only"):
        one.fit(X, Y, epochs=4, callbacks=[Changes()], engine=engine, verbose=False)
    one.network["dense_0"].weights[0, 0] = 1.0  # afterwards it can
    assert one.parameters["dense_0.weights"][0, 0] == 1.0


def test_what_a_user_assigns_is_copied() -> None:
    given = np.ones((3, 4))
    one = model(dtype="float64")
    one.parameters["dense_0.weights"] = given
    one.fit(X, Y, epochs=1, verbose=False)
    given[:] = 7.0
    assert (given == 7.0).all() and not (one.parameters["dense_0.weights"] == 7.0).any()


# What is set stays, the rest is drawn


def test_what_was_set_before_a_layer_joins_a_model_stays_and_the_rest_is_drawn_from_its_seed() -> None:
    layer = Dense(3, 4)
    layer.weights = np.ones((3, 4))
    one = Model([layer, ReLU(), Dense(4, 2)], SoftmaxCrossentropy(), seed=5)
    assert (one.parameters["dense_0.weights"] == 1.0).all() and layer.weights.dtype == np.float32
    np.testing.assert_array_equal(one.parameters["dense_1.weights"], model(5).parameters["dense_1.weights"])


def test_reading_before_has_no_influence_on_what_a_model_draws() -> None:
    layers = [Dense(3, 4), ReLU(), Dense(4, 2)]
    assert hasattr(layers[0], "weights") and layers[2].biases.shape == (1, 2)
    layers[0].forward(X)
    one = Model(layers, SoftmaxCrossentropy(), seed=5)
    for name, array in model(5).parameters.items():
        np.testing.assert_array_equal(one.parameters[name], array)


def test_what_was_drawn_by_reading_and_then_changed_in_place_stays() -> None:
    layer = Dense(3, 2)
    layer.weights[0, 0] = 100.0
    one = Model([layer], SoftmaxCrossentropy(), seed=5)
    assert one.parameters["dense_0.weights"][0, 0] == 100.0


def test_the_order_of_reading_changes_no_number() -> None:
    first, second = Sequential(Dense(2, 2), Dense(2, 2)), Sequential(Dense(2, 2), Dense(2, 2))
    for name in ("dense_0", "dense_1"):
        assert first[name].weights is not None
    for name in ("dense_1", "dense_0"):
        assert second[name].weights is not None
    for name in ("dense_0", "dense_1"):
        np.testing.assert_array_equal(first[name].weights, second[name].weights)
    assert (first["dense_0"].weights != first["dense_1"].weights).any()


def test_what_is_read_first_is_the_same_in_every_process() -> None:
    program = "from chainrule import Dense; print(Dense(2, 2).weights.tolist())"
    found = {subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout for _ in range(2)}
    assert found == {f"{Dense(2, 2).weights.tolist()}\n".encode()}


def test_a_layer_outlives_the_graph_around_it() -> None:
    layer = Dense(2, 2)
    Sequential(layer, Dense(2, 2))
    gc.collect()
    assert layer.weights.shape == (2, 2)


# Sharing


def test_one_layer_in_two_models_shares_its_parameters() -> None:
    shared = Dense(3, 4)
    one = Model([shared, ReLU(), Dense(4, 2)], SoftmaxCrossentropy())
    other = Model([shared, LeakyReLU(), Dense(4, 1)], MeanSquaredError())
    one.fit(X, Y, epochs=3, verbose=False)
    assert other.parameters["dense_0.weights"] is one.parameters["dense_0.weights"]
    np.testing.assert_array_equal(other.network["dense_0"].forward(X[:1]), one.network["dense_0"].forward(X[:1]))


def test_models_of_two_dtypes_cannot_share_a_layer() -> None:
    shared = Dense(3, 4)
    Model([shared], MeanSquaredError())
    with pytest.raises(ConfigurationError, match="belongs to a float32 model, and this one is float64"):
        Model([shared], MeanSquaredError(), dtype="float64")


def test_tied_parameters_are_one_array_for_every_layer() -> None:
    network = Graph([("a", Dense(2, 2), "inputs"), ("b", Dense(2, 2), "a")], ties={"b.weights": "a.weights"})
    network["b"].weights = np.eye(2)
    np.testing.assert_array_equal(network["a"].weights, np.eye(2))
    one = Model(network, MeanSquaredError(), dtype="float64")
    one.parameters["a.weights"] = 2 * np.eye(2)
    np.testing.assert_array_equal(network["b"].weights, 2 * np.eye(2))
    one.fit(X[:, :2], X[:, :2], epochs=2, verbose=False)
    assert network["b"].weights is network["a"].weights is one.parameters["a.weights"]
    assert pickle.loads(pickle.dumps(one)).network["b"].weights[0, 0] == network["a"].weights[0, 0]


def test_a_tie_through_graphs_reaches_the_same_array() -> None:
    inner = Graph([("a", Dense(2, 2), "inputs"), ("b", Dense(2, 2), "a")], ties={"b.weights": "a.weights"})
    outer = Sequential(("in", inner), Dense(2, 2), ties={"in.a.weights": "dense_0.weights"})
    outer["dense_0"].weights = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert inner["b"].weights is inner["a"].weights is outer["dense_0"].weights
    assert outer.flat.ties == {"in.a.weights": "dense_0.weights", "in.b.weights": "dense_0.weights"}
    inner.put({"a.weights": np.eye(2)})
    np.testing.assert_array_equal(outer["dense_0"].weights, np.eye(2))


def test_ties_of_two_set_arrays_that_differ_are_refused() -> None:
    a, b = Dense(2, 2), Dense(2, 2)
    a.weights, b.weights = np.eye(2), np.ones((2, 2))
    with pytest.raises(ConfigurationError, match="were set to different numbers"):
        Graph([("a", a, "inputs"), ("b", b, "a")], ties={"b.weights": "a.weights"})


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_has_arrays_of_its_own(duplicate: Any) -> None:
    one = trained()
    other = duplicate(one)
    before = {name: array.copy() for name, array in one.parameters.items()}
    other.fit(X, Y, epochs=2, verbose=False)
    for name, array in one.parameters.items():
        np.testing.assert_array_equal(array, before[name])
    assert (other.parameters["dense_0.weights"] != before["dense_0.weights"]).any()


def test_the_search_for_a_learning_rate_leaves_the_layers_alone() -> None:
    one = trained()
    before = dict(one.parameters)
    LearningRateFinder(steps=20).find(one, X, Y)
    assert all(array is before[name] for name, array in one.parameters.items())


def test_resuming_keeps_the_layers_that_a_user_holds(tmp_path: Any) -> None:
    path, layer = tmp_path / "run.safetensors", Dense(3, 2)
    Model([Dense(3, 2)], SoftmaxCrossentropy()).fit(X, Y, epochs=3, checkpoint=path, verbose=False)
    one = Model([layer], SoftmaxCrossentropy())
    one.fit(X, Y, epochs=5, checkpoint=path, resume=True, verbose=False)
    assert one.network["dense_0"] is layer and one.parameters["dense_0.weights"] is layer.weights


# One run at a time


def test_a_model_fitted_from_two_threads_at_once_is_a_clear_error() -> None:
    one, errors, begun = model(), [], threading.Event()

    class Begins(Callback):
        def epoch(self, fit: Any) -> None:
            begun.set()

    def fit() -> None:
        try:
            one.fit(X, Y, epochs=400, callbacks=[Begins()], record_every=1, engine="numpy", verbose=False)
        except ConfigurationError as error:
            errors.append(str(error))

    first = threading.Thread(target=fit)
    first.start()
    begun.wait(20)
    fit()
    first.join()
    assert len(errors) == 1 and "is being trained by another call of fit" in errors[0]
    assert one.run.epoch == 400
    one.fit(X, Y, epochs=1, verbose=False)


def test_a_fit_inside_a_callback_of_the_same_model_is_refused() -> None:
    class Again(Callback):
        def epoch(self, fit: Any) -> None:
            fit.model.fit(X, Y, epochs=1, verbose=False)

    with pytest.raises(ConfigurationError, match="being trained"):
        model().fit(X, Y, epochs=2, callbacks=[Again()], verbose=False)


def test_two_models_that_share_a_layer_cannot_be_fitted_at_once() -> None:
    shared = Dense(3, 2)
    one, other = Model([shared], SoftmaxCrossentropy()), Model([shared, ReLU()], SoftmaxCrossentropy())

    class Other(Callback):
        def epoch(self, fit: Any) -> None:
            other.fit(X, Y, epochs=1, verbose=False)

    with pytest.raises(ConfigurationError, match=r"dense_0\..* is being trained"):
        one.fit(X, Y, epochs=2, callbacks=[Other()], verbose=False)


def test_predictions_during_a_run_are_of_one_moment() -> None:
    """Weights and biases of one layer always move together: by a rule that keeps them equal, they are equal."""
    network = Sequential(Dense(1, 1), Dense(1, 1))
    one = Model(network, MeanSquaredError(), Adam(0.01))
    one.parameters = {name: np.zeros((1, 1)) for name in one.parameters}
    stop, torn = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            values = network.values()
            if len({float(array[0, 0]) for array in values.values()}) != 1:
                torn.append(values)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(3000):
        network.put({name: np.full((1, 1), float(number)) for name in one.parameters})
    stop.set()
    reader.join()
    assert not torn


# What does not fit is said


BAD: dict[str, tuple[Any, Any, type[ChainruleError], str]] = {
    "unknown name": ("dense_0.weight", 1.0, UnknownNameError, "Did you mean 'dense_0.weights'"),
    "state as parameter": ("batch_norm_0.running_mean", 1.0, UnknownNameError, "no parameter named"),
    "shape": ("dense_0.weights", np.ones((4, 3)), ShapeError, r"dense_0.weights: expected shape \(3, 4\), received"),
    "text": ("dense_0.biases", [["a"] * 4], DataError, "dense_0.biases must hold numbers, received dtype <U1"),
    "complex": ("dense_0.biases", np.full((1, 4), 1j), DataError, "received complex ones"),
    "ragged": ("dense_0.weights", [[1.0, 2.0], [3.0]], ShapeError, "the rows have different lengths"),
}


@pytest.mark.parametrize("case", BAD)
def test_assigning_what_does_not_fit_names_the_parameter(case: str) -> None:
    name, value, kind, message = BAD[case]
    one = model()
    before = dict(one.parameters)
    with pytest.raises(kind, match=message):
        one.parameters[name] = value
    assert all(array is before[name] for name, array in one.parameters.items())


def test_an_update_that_fails_changes_nothing() -> None:
    one = model()
    before = dict(one.parameters)
    with pytest.raises(ShapeError):
        one.parameters.update({"dense_0.biases": np.ones((1, 4)), "dense_1.biases": np.ones(3)})
    assert all(array is before[name] for name, array in one.parameters.items())


def test_whole_numbers_are_cast() -> None:
    layer = Dense(1, 2)
    layer.weights = [[1, 2]]
    assert layer.weights.dtype == np.float64


@pytest.mark.parametrize(
    ("name", "meant"),
    [("wieghts", "weights"), ("requires_grad", "trainable"), ("bias", "biases"), ("kernel", "weights")],
)
def test_a_misspelt_name_on_a_layer_of_the_library_is_an_error_that_names_the_right_one(name: str, meant: str) -> None:
    with pytest.raises(UnknownNameError, match=f"Dense named '{name}'. Did you mean '{meant}'"):
        setattr(Dense(2, 2), name, 1.0)
    with pytest.raises(UnknownNameError, match="Sequential named 'layers'"):
        Sequential(Dense(2, 2)).layers = []  # type: ignore[attr-defined]


def test_attributes_of_a_class_of_ones_own_stay_free() -> None:
    class Mine(Dense):
        pass

    class Own(Layer):
        def pure_forward(self, xp: Any, inputs: Any) -> Any:
            return inputs

        def pure_backward(self, xp: Any, dvalues: Any) -> Any:
            return dict(dinputs=dvalues)

    mine, own = Mine(2, 2), Own()
    mine.wieghts, own.anything = 1, 2
    assert (mine.wieghts, own.anything) == (1, 2)


def test_trainable_is_the_opposite_of_frozen() -> None:
    one = model()
    one.network["dense_0"].trainable = False
    before = dict(one.parameters)
    one.fit(X, Y, epochs=2, verbose=False)
    assert one.network["dense_0"].frozen and not one.network["dense_0"].trainable
    np.testing.assert_array_equal(one.parameters["dense_0.weights"], before["dense_0.weights"])
    assert (one.parameters["dense_1.weights"] != before["dense_1.weights"]).any()


def test_state_has_the_same_home() -> None:
    one = Model([BatchNorm(3), Dense(3, 2)], SoftmaxCrossentropy())
    one.fit(X, Y, epochs=2, verbose=False)
    assert one.network["batch_norm_0"].running_mean is one.state["batch_norm_0.running_mean"]
    one.state["batch_norm_0.running_mean"] = np.full((1, 3), 9.0)
    np.testing.assert_allclose(one.network.forward(X.astype("f4"), training=False), one.logits(X), rtol=1e-6)


def test_a_copy_of_the_parameters_stays_as_it_is_and_can_be_put_back() -> None:
    one = trained()
    before = one.parameters.copy()
    for array in one.parameters.values():
        np.multiply(array, 2.0, out=array)  # in place, outside of a run
    assert (one.parameters["dense_0.weights"] == 2 * before["dense_0.weights"]).all()
    one.parameters = before
    np.testing.assert_array_equal(one.network["dense_0"].weights, before["dense_0.weights"])
    assert {**one.parameters}.keys() == before.keys() == dict(one.parameters).keys()


# Worth reading


def test_model_parameters_and_trace_say_what_they_are() -> None:
    one = trained()
    head, *table = repr(one).splitlines()
    assert head == "Model of SoftmaxCrossentropy(), Adam(learning_rate=0.01), float64, 30 epochs trained"
    assert "dense_1  Dense  relu_0   (B, 2)          10" in table
    assert repr(one.parameters).splitlines()[:2] == ["4 parameters {", "  'dense_0.weights': float64 (3, 4),"]
    title, *rows = repr(one.trace(X, Y)).splitlines()
    assert title.startswith("Trace of 40 samples: loss 0.") and max(map(len, rows)) <= 80
    assert any(row.startswith("  relu_0            (40, 4)  0 to ") for row in rows)
    assert any(row.startswith("  dense_1.dweights  (4, 2)") for row in rows)
