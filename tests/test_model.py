"""Model: fit, evaluate, predict, and what happens when something goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule import (
    L2,
    SGD,
    Adam,
    BatchNorm,
    BinaryCrossentropy,
    Callback,
    CategoricalCrossentropy,
    Dense,
    Dropout,
    Flatten,
    History,
    Layer,
    LayerNorm,
    MeanSquaredError,
    Model,
    ReLU,
    Sequential,
    Sigmoid,
    SigmoidCrossentropy,
    Softmax,
    SoftmaxCrossentropy,
    datasets,
    loss_and_gradients,
)
from chainrule.errors import ChainruleError, ConfigurationError, DataError, NonFiniteError
from chainrule.rows import validation_order

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
YES = CLASSES > 0
VALUES = X @ np.array([[1.0], [-2.0], [0.5], [0.0]])


def classifier(**options: Any) -> Model:
    layers = [Dense(4, 16), BatchNorm(16), ReLU(), Dropout(0.1), Dense(16, 3)]
    return Model(layers, SoftmaxCrossentropy(), Adam(0.01), **options)


def test_digits_are_learned_to_97_percent_on_the_part_held_out() -> None:
    digits = datasets.load("digits")
    model = Model([Dense(64, 128), ReLU(), Dense(128, 10)], SoftmaxCrossentropy(), Adam(1e-3))
    history = model.fit(digits.X_train, digits.y_train, epochs=40, verbose=False)
    assert model.evaluate(digits.X_test, digits.y_test)["accuracy"] >= 0.97
    assert history["loss"][-1] < history["loss"][0] / 10
    assert len(history) == 40


KINDS: dict[str, tuple[Callable[[], Model], Any, tuple[int, ...]]] = {
    "classes from logits": (lambda: Model([Dense(4, 3)], SoftmaxCrossentropy(), Adam(0.05)), CLASSES, (60,)),
    "classes": (lambda: Model([Dense(4, 3), Softmax()], CategoricalCrossentropy(), Adam(0.05)), CLASSES, (60,)),
    "yes or no from logits": (lambda: Model([Dense(4, 1)], SigmoidCrossentropy(), Adam(0.05)), YES, (60,)),
    "yes or no": (lambda: Model([Dense(4, 1), Sigmoid()], BinaryCrossentropy(), Adam(0.05)), YES, (60,)),
    "values": (lambda: Model([Dense(4, 1)], MeanSquaredError(), Adam(0.05)), VALUES, (60, 1)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_target_is_learned_measured_and_predicted(kind: str) -> None:
    build, y, shape = KINDS[kind]
    model = build()
    before = model.evaluate(X, y)
    history = model.fit(X, y, epochs=60, batch_size=16, validation_data=(X, y), verbose=False)
    after = model.evaluate(X, y)
    metric = "mean_absolute_error" if kind == "values" else "accuracy"
    assert list(after) == ["loss", metric]
    assert after["loss"] < before["loss"] / 2
    assert history["val_loss"][-1] == pytest.approx(after["loss"])
    assert model.predict(X).shape == shape
    assert model.logits(X).dtype == np.float32
    if kind == "values":
        with pytest.raises(ConfigurationError, match="no probabilities"):
            model.predict_proba(X)
    else:
        assert after["accuracy"] == pytest.approx(np.mean(model.predict(X) == np.asarray(y)))
        probabilities = model.predict_proba(X)
        assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    def trained(seed: int) -> Any:
        model = classifier(seed=seed)
        model.fit(X, CLASSES, epochs=3, batch_size=16, verbose=False)
        return model.logits(X)

    np.testing.assert_array_equal(trained(1), trained(1))
    assert (trained(1) != trained(2)).any()


def test_two_short_fits_are_one_long_fit() -> None:
    once, twice = classifier(), classifier()
    once.fit(X, CLASSES, epochs=5, batch_size=16, record_every=1, verbose=False)
    twice.fit(X, CLASSES, epochs=2, batch_size=16, record_every=1, verbose=False)
    twice.fit(X, CLASSES, epochs=3, batch_size=16, record_every=1, verbose=False)
    np.testing.assert_array_equal(once.logits(X), twice.logits(X))
    assert once.history["epoch"] == twice.history["epoch"] == [1, 2, 3, 4, 5]


def test_training_touches_no_global_random_state() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    classifier().fit(X, CLASSES, epochs=1, verbose=False)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_every_sample_comes_once_in_each_epoch_and_in_another_order_in_the_next() -> None:
    seen = []

    class Seen(Layer):
        def pure_forward(self, xp, inputs):
            seen.append(inputs[:, 0].tolist())
            return inputs

        def pure_backward(self, xp, dvalues):
            return {"dinputs": dvalues}

    model = Model([Seen(), Dense(1, 1)], MeanSquaredError())
    column = np.arange(50.0).reshape(50, 1)
    model.fit(column, column, epochs=2, batch_size=16, verbose=False, engine="numpy")
    assert [len(batch) for batch in seen] == [16, 16, 16, 2] * 2
    first, second = ([row for batch in seen[start : start + 4] for row in batch] for start in (0, 4))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second


def test_a_fit_of_no_epochs_changes_nothing() -> None:
    model = classifier()
    before = model.logits(X)
    assert len(model.fit(X, CLASSES, epochs=0, verbose=False)) == 0
    np.testing.assert_array_equal(model.logits(X), before)


def test_an_empty_batch_has_empty_predictions() -> None:
    assert classifier().predict(np.zeros((0, 4))).shape == (0,)
    assert classifier().predict_proba(np.zeros((0, 4))).shape == (0, 3)


def test_ctrl_c_ends_the_run_with_the_model_after_the_last_whole_step(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.training.steps.BLOCK_SECONDS", 0.0)  # one step in a block
    model = classifier()
    calls = 0

    def schedule(step: int) -> float:
        nonlocal calls
        calls += 1
        if step == 7:
            raise KeyboardInterrupt
        return 0.01

    model.run.optimizer = Adam(schedule)
    history = model.fit(X, CLASSES, epochs=50, batch_size=16)
    assert history.stopped == "interrupted"
    assert model.run.step == 7
    assert "Stopped at step 7, after 1 whole epochs" in capsys.readouterr().out
    assert np.isfinite(model.logits(X)).all()


def test_a_loss_that_explodes_stops_the_run_and_keeps_the_last_finite_parameters() -> None:
    model = Model([Dense(4, 1)], MeanSquaredError(), SGD(1e6))
    with pytest.raises(NonFiniteError, match=r"stopped at step \d+ .* not finite are in the .*learning rate"):
        model.fit(X, VALUES, epochs=100, verbose=False)
    assert np.isfinite(model.parameters["dense_0.weights"]).all()
    assert model.history.stopped is not None


def test_one_line_is_printed_for_each_epoch_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    classifier().fit(X, CLASSES, epochs=2, validation_data=(X, CLASSES))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["Engine numpy", "epoch 1", "epoch 2"]
    assert all(name in lines[1] for name in ("loss", "accuracy", "val_loss", "val_accuracy"))


def test_sample_weights_are_copies_of_samples() -> None:
    weights = RNG.integers(0, 3, 60)
    rows = np.repeat(np.arange(60), weights)
    weighted = Model([Dense(4, 3)], SoftmaxCrossentropy(), SGD(0.1), dtype="float64")
    repeated = Model([Dense(4, 3)], SoftmaxCrossentropy(), SGD(0.1), dtype="float64")
    weighted.fit(X, CLASSES, epochs=5, batch_size=60, sample_weights=weights, verbose=False)
    repeated.fit(X[rows], CLASSES[rows], epochs=5, batch_size=len(rows), verbose=False)
    np.testing.assert_allclose(weighted.logits(X), repeated.logits(X), rtol=1e-12, atol=1e-12)
    assert weighted.evaluate(X, CLASSES, sample_weights=weights)["loss"] == pytest.approx(
        repeated.evaluate(X[rows], CLASSES[rows])["loss"]
    )


def test_frozen_layers_stay_as_they_are() -> None:
    model = Model([Dense(4, 8).freeze(), ReLU(), Dense(8, 3)], SoftmaxCrossentropy(), Adam(0.05))
    before = dict(model.parameters)
    model.fit(X, CLASSES, epochs=2, verbose=False)
    np.testing.assert_array_equal(model.parameters["dense_0.weights"], before["dense_0.weights"])
    assert (model.parameters["dense_1.weights"] != before["dense_1.weights"]).any()


def test_gradients_and_trace_are_those_of_backprop() -> None:
    model = classifier(dtype="float64")
    gradients = model.gradients(X, CLASSES)
    _, expected = loss_and_gradients(
        model.network, model.loss, model.parameters, X, CLASSES, state=model.state, training=False
    )
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(gradient, expected[name])
        np.testing.assert_array_equal(model.trace(X, CLASSES).gradients[name], gradient)


def test_parameters_can_be_set_by_name() -> None:
    model = Model([Dense(4, 1)], MeanSquaredError())
    model.parameters = {"dense_0.weights": np.ones((4, 1)), "dense_0.biases": np.zeros((1, 1))}
    np.testing.assert_allclose(model.predict(np.ones((1, 4))), [[4.0]])


WRONG: dict[str, tuple[Callable[[], Any], type[ChainruleError], str]] = {
    "epochs": (
        lambda: classifier().fit(X, CLASSES, epochs=-1),
        ConfigurationError,
        "epochs must be a whole number of at least 0",
    ),
    "batch_size": (
        lambda: classifier().fit(X, CLASSES, batch_size=0),
        ConfigurationError,
        "batch_size must be a whole number of at least 1",
    ),
    "dtype": (lambda: classifier(dtype="int32"), ConfigurationError, "float32 or float64"),
    "seed": (lambda: classifier(seed=-1), ConfigurationError, "seed must be an integer from 0"),
    "loss class": (
        lambda: Model([Dense(4, 3)], SoftmaxCrossentropy),
        ConfigurationError,
        "loss must be a name or an object such as",
    ),
    "no samples": (lambda: classifier().fit(X[:0], CLASSES[:0]), DataError, "X is empty"),
    "lengths": (lambda: classifier().fit(X, CLASSES[:-1]), DataError, "60 samples of X but 59 targets in y"),
    "weights": (
        lambda: classifier().fit(X, CLASSES, sample_weights=[1.0]),
        DataError,
        "X has 60 samples, sample_weights 1",
    ),
    "features": (lambda: classifier().predict(X[:, :3]), DataError, r"dense_0: Dense\(4, 16\)"),
    "one late label": (
        lambda: classifier().fit(X, np.where(np.arange(60) == 59, 7, CLASSES)),
        DataError,
        r"must lie in 0\.\.2",
    ),
    "the row of a late label": (
        lambda: Model([Dense(1, 2)], SoftmaxCrossentropy()).fit(
            np.zeros((6000, 1)), np.where(np.arange(6000) == 5000, 7, 0)
        ),
        DataError,
        r"y\[5000\] is 7 \(1 of 6000",
    ),
    "more outputs than classes": (
        lambda: classifier(class_names=["a", "b"]),
        ConfigurationError,
        "3 outputs and there are 2 class names",
    ),
    "weights of nothing": (lambda: classifier().fit(X, CLASSES, sample_weights=np.zeros(60)), DataError, "all 0"),
    "a layer alone": (lambda: Model(Dense(4, 3), SoftmaxCrossentropy()), ConfigurationError, "layers must be a list"),
    "seed of text": (lambda: classifier(seed="a"), ConfigurationError, "seed must be an integer"),
    "dtype of text": (lambda: classifier(dtype="foo"), ConfigurationError, "float32 or float64"),
    "validation": (
        lambda: classifier().fit(X, CLASSES, validation_data=(X, CLASSES + 9)),
        DataError,
        r"must lie in 0\.\.2",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_work_is_refused_before_the_first_step(case: str) -> None:
    action, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        action()


def test_held_out_samples_count_what_their_weights_say() -> None:
    rng = np.random.default_rng(3)
    X, y, weights = rng.normal(size=(40, 3)), rng.integers(0, 2, 40), rng.uniform(0, 5, 40)

    def fitted(**settings: Any) -> tuple[Model, History]:
        model = Model([Dense(3, 2)], SoftmaxCrossentropy(), SGD(0.1))
        return model, model.fit(X, y, epochs=1, validation_split=0.5, sample_weights=weights, verbose=False, **settings)

    test = np.sort(validation_order(40, 0)[:20])
    for settings in ({}, {"class_weights": {0: 1.0, 1: 9.0}}):  # classes weigh in training alone
        model, history = fitted(**settings)
        expected = model.evaluate(X[test], y[test], sample_weights=weights[test])
        assert history["val_loss"][-1] == pytest.approx(expected["loss"], rel=1e-6)
        assert history["val_accuracy"][-1] == pytest.approx(expected["accuracy"])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("layers", [[Dense(2, 1)], [Dense(2, 1), LayerNorm(1)]], ids=["compiled", "numpy"])
def test_a_predictor_takes_numbers_only(layers: list[Layer]) -> None:
    predict = Model(layers, MeanSquaredError()).predictor()
    for X, message in (
        ([[1j, 2.0]], "X must hold numbers, received dtype complex128"),
        ([["a", "b"]], "X must hold numbers, received dtype <U1"),
        ([[1.0, 2.0], [3.0]], "its rows have different lengths"),
        ([[1.0, 2.0, 3.0]], "expected"),
    ):
        with pytest.raises(DataError, match=message):
            predict(X)
    assert np.isnan(predict([[np.nan, 1.0]])).all() and predict([[True, False]]).shape == (1, 1)


def test_settings_that_cannot_be_meant_are_refused() -> None:
    scores = [Dense(4, 3)]
    with pytest.raises(ConfigurationError, match="class_names has 'a' twice"):
        Model(scores, SoftmaxCrossentropy(), class_names=["a", "a", "b"])
    with pytest.raises(ConfigurationError, match=r"softmax is always 1\. Write SigmoidCrossentropy"):
        Model([ReLU(), Dense(4, 1)], SoftmaxCrossentropy())
    with pytest.raises(ConfigurationError, match="shuffle must be True or False, not 'yes'"):
        Model(scores, SoftmaxCrossentropy()).fit(np.ones((2, 4)), [0, 1], shuffle="yes", verbose=False)  # type: ignore
    with pytest.raises(ConfigurationError, match="name of a file must be text or a Path, not None"):
        Model.load(None)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="name of a file must be text or a Path, not None"):
        Model(scores, SoftmaxCrossentropy()).save(None)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="penalties maps names to penalties"):
        Dense(4, 3, penalties=L2(0.1))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="cannot be changed in place"):
        Dense(4, 3, penalties={"weights": L2(0.1)}).penalties["weights"] = L2(0.2)  # type: ignore[index]


def test_a_layer_that_keeps_shapes_hides_no_input_shape() -> None:
    assert Sequential(ReLU(), Dense(4, 3)).input_shape() == (4,)
    assert Sequential(Flatten(), Dense(4, 3)).input_shape() is None


def test_a_callback_that_changes_a_parameter_in_place_is_told_what_to_write() -> None:
    class Writes(Callback):
        def epoch(self, fit: Any) -> None:
            fit.model.parameters["dense_0.weights"][0, 0] = 5

    with pytest.raises(ConfigurationError, match=r"in place.*fit\.model\.parameters = \{\.\.\.\}"):
        Model([Dense(2, 1)], MeanSquaredError()).fit(
            np.ones((4, 2)), np.ones((4, 1)), callbacks=[Writes()], verbose=False
        )
