"""Callbacks, what is watched in training, and the table of a network."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import (
    SGD,
    Adam,
    Add,
    BinaryCrossentropy,
    Callback,
    CSVLogger,
    Dense,
    EarlyStopping,
    Graph,
    LearningRateFinder,
    MeanSquaredError,
    MLflow,
    Model,
    ModelCheckpoint,
    Normal,
    ReduceLROnPlateau,
    ReLU,
    Sequential,
    Settling,
    Sigmoid,
    SoftmaxCrossentropy,
    StepDecay,
    TensorBoard,
    TerminateOnNaN,
    datasets,
)
from chainrule.errors import ChainruleError, ConfigurationError, NonFiniteError, UnknownNameError
from chainrule.training.callback import Fit

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4))
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)


def model(rate: Any = 0.01, **options: Any) -> Model:
    return Model([Dense(4, 16), ReLU(), Dense(16, 3)], SoftmaxCrossentropy(), Adam(rate), **options)


def fit(one: Model, epochs: int = 5, **options: Any) -> Any:
    return one.fit(X, Y, epochs=epochs, batch_size=16, verbose=False, **({"record_every": 1} | options))


class Scripted(Callback):
    """Writes its own numbers into the record, so that a run has the course that a test needs."""

    def __init__(self, name: str, numbers: list[float]) -> None:
        self.name, self.numbers = name, numbers

    def epoch(self, fit: Fit) -> None:
        fit.record[self.name] = self.numbers[int(fit.record["epoch"]) - 1]


def test_early_stopping_waits_and_brings_the_best_parameters_back() -> None:
    one, seen = model(), []

    class Remember(Callback):
        def epoch(self, fit: Fit) -> None:
            seen.append(fit.run.values)

    losses = [3.0, 2.0, 1.0, 1.5, 1.2, 1.1, 0.5]
    history = fit(one, 7, callbacks=[Scripted("loss", losses), Remember(), EarlyStopping("loss", patience=3)])
    assert len(history) == 6
    assert history.stopped == "loss has not improved for 3 epochs (best 1)"
    for name, value in one.run.values.items():
        np.testing.assert_array_equal(value, seen[2][name])


@pytest.mark.parametrize(
    ("monitor", "mode", "numbers", "stops_after"),
    [
        ("accuracy", "auto", [0.1, 0.2, 0.2, 0.2, 0.9], 4),
        ("loss", "auto", [0.4, 0.3, 0.3, 0.3, 0.1], 4),
        ("loss", "max", [0.4, 0.3, 0.3, 0.3, 0.1], 3),
    ],
)
def test_what_counts_as_better_follows_the_number_or_the_mode(
    monitor: str, mode: str, numbers: list[float], stops_after: int
) -> None:
    stopping = EarlyStopping(monitor, mode=mode, patience=2)
    assert len(fit(model(), 5, callbacks=[Scripted(monitor, numbers), stopping])) == stops_after


def test_an_improvement_below_min_delta_does_not_count() -> None:
    stopping = EarlyStopping("loss", patience=2, min_delta=0.1)
    assert len(fit(model(), 5, callbacks=[Scripted("loss", [1.0, 0.95, 0.92, 0.91, 0.0]), stopping])) == 3


def test_a_number_that_is_not_measured_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match=r"'val_loss' is not measured; give fit\(\) validation_data"):
        fit(model(), callbacks=[EarlyStopping("val_loss")])
    with pytest.raises(UnknownNameError, match=r"'los'.*Did you mean 'loss'"):
        fit(model(), callbacks=[EarlyStopping("los")])


def test_a_plateau_multiplies_the_schedules_rate_and_never_goes_below_the_least() -> None:
    one = model(StepDecay(0.1, every=10, factor=0.5))
    plateau = ReduceLROnPlateau("loss", patience=1, factor=0.1, min_rate=1e-3)
    history = fit(one, 5, callbacks=[Scripted("loss", [1.0, 1.0, 0.5, 0.5, 0.5]), plateau])
    # epochs of 5 steps: the schedule says .1 .1 .05 .05 .025; the plateau strikes after the 2nd, 4th and 5th
    np.testing.assert_allclose(history["learning_rate"], [0.1, 0.1, 0.005, 0.005, 0.001])


def test_model_checkpoint_keeps_the_best_or_every_record(tmp_path: Path) -> None:
    best, every = tmp_path / "best", tmp_path / "{epoch:02.0f}"
    callbacks = [
        Scripted("loss", [3.0, 1.0, 2.0]),
        ModelCheckpoint("loss", path=best),
        ModelCheckpoint(path=every, best_only=False),
    ]
    fit(model(), 3, callbacks=callbacks)
    assert Model.load(best).run.epoch == 2
    assert [Model.load(tmp_path / f"{epoch:02}").run.epoch for epoch in (1, 2, 3)] == [1, 2, 3]
    with pytest.raises(UnknownNameError, match="'val_loss'"):
        fit(model(), 1, callbacks=[ModelCheckpoint(path="{val_loss}", best_only=False)])


def test_the_csv_file_holds_every_record(tmp_path: Path) -> None:
    one = model()
    fit(one, 3, callbacks=[CSVLogger(tmp_path / "history.csv")])
    rows = list(csv.DictReader((tmp_path / "history.csv").read_text().splitlines()))
    assert [float(row["loss"]) for row in rows] == one.history["loss"]


def test_tensorboard_itself_reads_the_event_file(tmp_path: Path) -> None:
    loading = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader", reason="needs tensorboard")
    history = fit(model(), 3, callbacks=[TensorBoard(tmp_path / "log")])
    (path,) = (tmp_path / "log").iterdir()
    read: dict[str, list[tuple[int, float]]] = {}
    for event in loading.EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            number = value.tensor.float_val[0] if value.HasField("tensor") else value.simple_value
            read.setdefault(value.tag, []).append((event.step, number))
    assert [step for step, _ in read["loss"]] == [1, 2, 3]
    np.testing.assert_allclose([number for _, number in read["loss"]], history["loss"], rtol=1e-6)
    assert {"accuracy", "learning_rate", "gradient_norm.dense_0"} <= set(read)


class EveryStep(Callback):
    """Notes what each step came to."""

    def begin(self, fit: Fit) -> None:
        self.begun: list[int] = []
        self.ended: list[dict[str, float]] = []

    def batch_begin(self, fit: Fit) -> None:
        self.begun.append(fit.run.step)

    def batch_end(self, fit: Fit) -> None:
        self.ended.append(fit.batch)


@pytest.mark.parametrize("engine", ["numpy", "fused"])
def test_a_callback_for_batches_sees_every_step_and_changes_no_number(engine: str) -> None:
    seen, one, other = EveryStep(), model(StepDecay(0.01, every=3)), model(StepDecay(0.01, every=3))
    options: dict[str, Any] = {"epochs": 3, "batch_size": 32, "engine": engine, "verbose": False}
    history, plain = one.fit(X, Y, callbacks=[seen], **options), other.fit(X, Y, **options)
    assert seen.begun == list(range(9)) and [each["step"] for each in seen.ended] == list(range(1, 10))
    for name in ("loss", "accuracy"):
        assert history[name] == plain[name]
        means = [np.average([each[name] for each in seen.ended[i : i + 3]], weights=[32, 32, 16]) for i in (0, 3, 6)]
        np.testing.assert_allclose(means, history[name], rtol=1e-6)
    assert [each["learning_rate"] for each in seen.ended[::3]] == history["learning_rate"]
    for name, array in other.parameters.items():
        np.testing.assert_array_equal(one.parameters[name], array)


def test_a_callback_for_batches_ends_the_run_within_an_epoch_and_changes_the_next_step() -> None:
    class Third(Callback):
        def batch_end(self, fit: Fit) -> None:
            if fit.run.step == 2:
                fit.model.parameters["dense_0.weights"] = np.zeros((4, 16))
            if fit.run.step == 3:
                fit.stop("enough")

    one = model(0.0)
    history = fit(one, 5, callbacks=[Third()])
    assert (one.run.step, one.run.epoch, len(history), one.history.stopped) == (3, 0, 0, "enough")
    np.testing.assert_array_equal(one.parameters["dense_0.weights"], 0.0)


def test_mlflow_is_given_the_settings_and_every_number(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import SimpleNamespace

    calls: list[Any] = []
    active: list[str] = []
    fake = SimpleNamespace(
        active_run=lambda: active[-1] if active else None,
        start_run=lambda *, run_name: active.append(run_name),
        end_run=lambda status: calls.append((active.pop(), status)),
        log_params=calls.append,
        log_metrics=lambda numbers, step: calls.append((step, numbers)),
    )
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    history = fit(model(), 2, callbacks=[MLflow("trial")])
    settings, *epochs, end = calls
    assert settings["optimizer"] == repr(Adam(0.01)) and settings["layers"] == "Dense ReLU Dense"
    assert [step for step, _ in epochs] == [1, 2] and end == ("trial", "FINISHED")
    assert [numbers["loss"] for _, numbers in epochs] == history["loss"]
    active.append("the user's own")
    fit(model(), 1, callbacks=[MLflow()])
    assert active == ["the user's own"]  # which goes on
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ChainruleError, match="pip install mlflow"):
        fit(model(), 1, callbacks=[MLflow()])


def test_a_loss_that_is_not_finite_raises_and_names_the_array_or_ends_the_run_quietly() -> None:
    def explode(**options: Any) -> tuple[Model, Any]:
        one = Model([Dense(4, 4), ReLU(), Dense(4, 1)], MeanSquaredError(), SGD(1e15))
        return one, lambda: one.fit(X, X[:, 0], epochs=20, verbose=False, **options)

    _, raising = explode()
    with pytest.raises(NonFiniteError, match=r"stopped at step \d+ .* are in the (output of dense|loss|gradient)"):
        raising()
    one, quiet = explode(callbacks=[TerminateOnNaN()])
    assert "not finite" in quiet().stopped
    assert all(np.isfinite(value).all() for value in one.parameters.values())


PLACES: dict[str, tuple[Callable[[], Model], Any, str]] = {
    "an activation that overflows": (
        lambda: Model([("up", Dense(4, 4, initializer=Normal(1e30))), ("again", Dense(4, 1))], MeanSquaredError()),
        1e10 * X,
        "the output of up",
    ),
    "a loss that overflows": (
        lambda: Model([("up", Dense(4, 1, initializer=Normal(1e15)))], MeanSquaredError()),
        1e8 * X,
        "the loss",
    ),
    "a gradient that overflows": (
        lambda: Model([("up", Dense(4, 1, initializer=Normal(1e-30)))], MeanSquaredError()),
        1e38 * np.sign(X),
        "dweights",
    ),
}


@pytest.mark.parametrize("case", PLACES)
def test_the_first_array_that_is_not_finite_is_named(case: str) -> None:
    build, inputs, place = PLACES[case]
    one = build()
    before = dict(one.parameters)
    with pytest.raises(NonFiniteError, match=place):
        one.fit(inputs, 10 * X[:, 0], epochs=3, verbose=False)
    for name, value in one.parameters.items():
        np.testing.assert_array_equal(value, before[name])


def test_the_finder_suggests_a_rate_that_trains_and_leaves_the_model_alone() -> None:
    digits = datasets.load("digits")
    one = Model([Dense(64, 32), ReLU(), Dense(32, 10)], SoftmaxCrossentropy(), Adam())
    before, finder = dict(one.parameters), LearningRateFinder()
    rate = finder.find(one, digits.X_train, digits.y_train)
    assert 1e-4 < rate < 0.5
    assert one.run.step == 0
    for name, value in one.parameters.items():
        np.testing.assert_array_equal(value, before[name])
    assert finder.losses[-1] > min(finder.losses)
    trained = Model([Dense(64, 32), ReLU(), Dense(32, 10)], SoftmaxCrossentropy(), Adam(rate))
    trained.fit(digits.X_train, digits.y_train, epochs=3, verbose=False)
    assert trained.evaluate(digits.X_train, digits.y_train)["accuracy"] > 0.9


# What is watched


def test_gradient_norms_of_each_layer_and_dead_units_are_in_the_history() -> None:
    one = model()
    history = fit(one, 8)
    norms = history["gradient_norm.dense_0"]
    assert len(norms) == 8 and all(norm > 0 for norm in norms)
    assert set(history["dead.relu_0"]) <= {i / 16 for i in range(17)}
    assert one.history.notes == []


def test_dead_units_and_vanishing_gradients_are_reported_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    dead = Model([Dense(4, 8), ReLU(), Dense(8, 3)], SoftmaxCrossentropy(), SGD(0.1))
    dead.parameters = dead.parameters | {"dense_0.biases": np.full((1, 8), -100.0)}
    dead.fit(X, Y, epochs=1)
    assert "Note: relu_0: 100 % of its units are dead" in capsys.readouterr().out
    layers: list[Any] = [part for _ in range(6) for part in (Dense(4, 4, initializer=Normal(0.01)), Sigmoid())]
    deep = Model([*layers, Dense(4, 1), Sigmoid()], BinaryCrossentropy(), SGD(0.1))
    history = deep.fit(X, Y > 0, epochs=1, verbose=False)
    assert len(history.notes) == 1
    assert history.notes[0].startswith("dense_0: its gradient is")
    assert "vanishes on the way down" in history.notes[0]


def test_the_history_has_a_row_for_each_epoch_or_as_told() -> None:
    assert model().fit(X, Y, epochs=3, batch_size=2, verbose=False)["epoch"] == [1, 2, 3]
    assert fit(model(), 7, record_every=3)["epoch"] == [1, 3, 6, 7]
    one_step = model().fit(X, Y, epochs=10, batch_size=80, verbose=False)
    assert one_step["epoch"] == list(range(1, 11))
    with pytest.raises(ConfigurationError, match="record_every must be a whole number of at least 1"):
        fit(model(), record_every=0)


def test_a_history_shows_itself() -> None:
    history = fit(model(), 30)
    assert repr(history).startswith("History of 30 epochs, loss, accuracy")
    assert "<caption>20 of 30 epochs</caption>" in history._repr_html_()
    with pytest.raises(UnknownNameError, match="Did you mean 'loss'"):
        history["los"]


# Weights of classes and parts held out


def test_balanced_class_weights_are_copies_of_the_rare_class() -> None:
    rare = np.where(np.arange(80) % 4 == 0, 1, 0)
    copies = np.concatenate([np.arange(80), np.flatnonzero(rare), np.flatnonzero(rare)])
    weighted, copied = (Model([Dense(4, 2)], SoftmaxCrossentropy(), SGD(0.1), dtype="float64") for _ in range(2))
    weighted.fit(X, rare, epochs=5, batch_size=80, class_weights="balanced", verbose=False)
    copied.fit(X[copies], rare[copies], epochs=5, batch_size=len(copies), verbose=False)
    np.testing.assert_allclose(weighted.logits(X), copied.logits(X), rtol=1e-10, atol=1e-12)
    by_number = Model([Dense(4, 2)], SoftmaxCrossentropy(), SGD(0.1), dtype="float64")
    by_number.fit(X, rare, epochs=5, batch_size=80, class_weights={0: 1, 1: 3}, verbose=False)
    np.testing.assert_allclose(weighted.logits(X), by_number.logits(X), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(class_weights={0: 1.0}), r"lack the classes \[1, 2\]"),
        (dict(class_weights="equal"), "numbers or 'balanced'"),
        (dict(class_weights={0: 1.0, 1: -1.0, 2: 1.0}), "that of class 1 is -1.0"),
        (dict(class_weights=[1.0, float("nan"), 1.0]), "that of class 1 is nan"),
        (dict(validation_split="x"), "must be a number between 0 and 1"),
        (dict(validation_data=(X,)), "must be a pair"),
        (dict(validation_split=1.0), "must leave samples on both sides"),
        (dict(validation_split=0.001), "must leave samples on both sides"),
        (dict(validation_split=0.5, validation_data=(X, Y)), "not both"),
    ],
)
def test_weights_and_splits_that_cannot_work_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        fit(model(), **options)


def test_a_split_holds_out_the_same_part_for_the_same_seed() -> None:
    first, second, third = (fit(model(seed=seed), 2, validation_split=0.25)["val_loss"] for seed in (0, 0, 1))
    assert first == second != third


# The table of a network


def test_the_summary_shows_graphs_inside_and_what_is_frozen() -> None:
    block = Sequential(Dense(3, 3).freeze(), ReLU())
    network = Graph([("in", Dense(2, 3), "inputs"), ("block", block, "in"), ("sum", Add(), ("block", "in"))])
    summary = Model(network, MeanSquaredError()).summary()
    assert [row.name for row in summary.rows] == ["in", "block.dense_0", "block.relu_0", "sum"]
    assert [row.output for row in summary.rows] == ["(B, 3)"] * 4
    assert (summary.parameters, summary.trainable) == (21, 9)
    assert "12 of them frozen" in str(summary)
    assert summary._repr_html_().count("<tr>") == 5


def test_a_plateau_never_raises_the_rate() -> None:
    history = fit(model(1e-8), 4, callbacks=[ReduceLROnPlateau("loss", patience=1, min_delta=9.0)])
    assert history["learning_rate"] == [1e-8] * 4


def test_every_callback_that_began_is_ended_whatever_another_raises() -> None:
    ended = []

    class Tidy(Callback):
        def end(self, fit: Fit) -> None:
            ended.append(self)

    class Broken(Callback):
        def begin(self, fit: Fit) -> None:
            raise RuntimeError("begin")

    class Brittle(Tidy):
        def end(self, fit: Fit) -> None:
            super().end(fit)
            raise RuntimeError("end")

    with pytest.raises(RuntimeError, match="begin"):
        fit(model(), callbacks=[Tidy(), Broken()])
    assert len(ended) == 1
    with pytest.raises(RuntimeError, match="end"):
        fit(model(), callbacks=[Tidy(), Brittle(), Tidy()])
    assert len(ended) == 4


@pytest.mark.parametrize("wrong", [LearningRateFinder(), EarlyStopping])
def test_what_is_no_callback_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="callbacks must be a list of callbacks"):
        fit(model(), callbacks=[wrong])


@pytest.mark.parametrize("path", ["a{b", "{}", "{epoch.x}", "{loss:d}"])
def test_a_path_that_cannot_be_filled_in_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises((ConfigurationError, UnknownNameError), match=r"path"):
        fit(model(), 1, callbacks=[ModelCheckpoint("loss", path=tmp_path / path)])


@pytest.mark.parametrize("patience", [0, -3, 2.5, "a"])
def test_a_patience_that_is_no_count_is_refused(patience: Any) -> None:
    with pytest.raises(ConfigurationError, match="patience must be a whole number"):
        EarlyStopping("loss", patience=patience)


def test_healthy_units_are_not_called_dead_after_a_short_last_batch() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(65, 4))
    one = Model([Dense(4, 64), ReLU(), Dense(64, 2)], SoftmaxCrossentropy(), Adam(1e-4))
    history = one.fit(inputs, (inputs[:, 0] > 0).astype(int), epochs=1, batch_size=32, verbose=False)
    assert history["dead.relu_0"][0] < 0.1


# Losses and metrics of weighted samples


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_history_holds_the_loss_that_evaluate_finds_where_nothing_moves(reduction: str) -> None:
    weights = RNG.uniform(0, 3, 80)
    one = Model([Dense(4, 3)], SoftmaxCrossentropy(reduction=reduction, class_weights=[1, 2, 3]), SGD(0.0))
    history = one.fit(X, Y, epochs=1, batch_size=16, sample_weights=weights, verbose=False)
    expected = one.evaluate(X, Y, sample_weights=weights)
    assert history["loss"][0] == pytest.approx(expected["loss"], rel=1e-5)
    assert history["accuracy"][0] == pytest.approx(expected["accuracy"])
    right = (one.predict(X) == Y).astype(float)
    assert one.evaluate(X, Y, sample_weights=right)["accuracy"] == 1.0


def test_a_batch_without_weight_moves_nothing_and_stops_nothing() -> None:
    one = Model([Dense(4, 3)], SoftmaxCrossentropy(), SGD(0.1))
    one.fit(X, Y, epochs=2, batch_size=1, class_weights={0: 0.0, 1: 1.0, 2: 1.0}, verbose=False)
    before = one.parameters["dense_0.weights"]
    only_last = np.where(np.arange(80) < 64, 0.0, 1.0)
    one.fit(X, Y, epochs=1, batch_size=16, shuffle=False, sample_weights=only_last, verbose=False)
    assert np.isfinite(one.parameters["dense_0.weights"]).all()
    assert (one.parameters["dense_0.weights"] != before).any()


def test_more_metrics_are_measured_monitored_and_saved(tmp_path: Path) -> None:
    one = Model([Dense(4, 3)], SoftmaxCrossentropy(), Adam(0.05), metrics=["f1"])
    history = fit(one, 3, validation_data=(X, Y), callbacks=[EarlyStopping("val_f1")])
    assert history["val_f1"][-1] == pytest.approx(one.evaluate(X, Y)["f1"], abs=0.2)
    one.save(tmp_path / "model")
    assert Model.load(tmp_path / "model").evaluate(X, Y) == one.evaluate(X, Y)
    with pytest.raises(UnknownNameError, match="Known: 'precision', 'recall', 'f1'"):
        Model([Dense(4, 3)], SoftmaxCrossentropy(), metrics=["r2"])


def test_the_limit_on_threads_ends_with_the_last_run_that_needs_it() -> None:
    from threadpoolctl import threadpool_info

    from chainrule import blasthreads
    from chainrule.training.threads import blas_threads

    blasthreads.pools.cache_clear()  # another test may have loaded a BLAS since they were looked for

    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before, small = threads(), Sequential(Dense(2, 2))
    first, second = blas_threads("numpy", small, 32), blas_threads("fused", small, 32)
    with first:
        second.__enter__()
    assert threads() == [1] * len(before)
    second.__exit__(None, None, None)
    assert threads() == before


def settling(epochs: int = 40, **options: Any) -> Model:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(80, 3))
    y = X[:, :1] * X[:, 1:2]
    one = Model([Dense(3, 8), ReLU(), Dense(8, 1)], MeanSquaredError(), Adam(0.01), seed=1)
    callbacks = [*options.pop("callbacks", ()), EarlyStopping(patience=3), Settling(0.5)]
    options = {"validation_split": 0.2, "engine": "numpy", "verbose": False} | options
    one.fit(X, y, epochs=epochs, callbacks=callbacks, **options)
    return one


def test_a_network_settles_after_its_best_epoch_on_all_samples_within_its_epochs() -> None:
    history = settling().history
    held = history["val_loss"]
    after = len(history) - len(held)
    assert after == min(40 - len(held), max(3, round(0.5 * (int(np.argmin(held)) + 1)))) and len(history) <= 40
    assert (
        history["learning_rate"][0] == history["learning_rate"][len(held)] == 0.01 > 10 * history["learning_rate"][-1]
    )


def test_a_settled_run_resumed_from_its_end_and_from_an_interrupt_ends_the_same(tmp_path: Path) -> None:
    wanted = settling()
    path = tmp_path / "run.safetensors"
    for _ in range(2):
        again = settling(checkpoint=path, resume=True)
        for model in (again, Model.load(path)):
            assert model.run.epoch == wanted.run.epoch and model.history["loss"] == wanted.history["loss"]
            for name, array in wanted.parameters.items():
                np.testing.assert_array_equal(model.parameters[name], array)
    path.unlink()
    stopped = settling(checkpoint=path, epochs=7)
    longer = settling(checkpoint=path, resume=True)
    assert stopped.run.epoch == 7 and longer.history["loss"] == wanted.history["loss"]


@pytest.mark.parametrize("stop", range(28, 36))
def test_patience_goes_on_where_an_interrupted_run_stood(tmp_path: Path, stop: int) -> None:
    def run(epochs: int = 40, **options: Any) -> Model:
        rng = np.random.default_rng(3)
        X = rng.normal(size=(80, 3))
        one = Model([Dense(3, 8), ReLU(), Dense(8, 1)], MeanSquaredError(), Adam(0.05), seed=1)
        watching = [ReduceLROnPlateau(patience=2), EarlyStopping(patience=6)]
        one.fit(
            X, X[:, :1] * X[:, 1:2], epochs=epochs, validation_split=0.2, callbacks=watching, verbose=False, **options
        )
        return one

    wanted = run()
    path = tmp_path / "run.safetensors"
    run(checkpoint=path, epochs=stop)
    again = run(checkpoint=path, resume=True)
    assert stop < again.run.epoch == wanted.run.epoch < 40 and again.history["loss"] == wanted.history["loss"]
    assert again.history["learning_rate"] == wanted.history["learning_rate"]


def test_a_run_that_something_else_ended_does_not_settle(capsys: pytest.CaptureFixture[str]) -> None:
    class Enough(Callback):
        def epoch(self, fit: Fit) -> None:
            fit.stop("enough")

    history = settling(callbacks=[Enough()], verbose=True).history
    assert (history["epoch"], history.stopped) == ([1], "enough")
    capsys.readouterr()
    settling(verbose=True)
    said = capsys.readouterr().out
    assert (said.count("Settling: "), said.count("Engine ")) == (1, 1)


def test_notes_on_a_run_that_settles_are_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    X = np.random.default_rng(3).normal(1e4, 1e3, (80, 3))
    one = Model([Dense(3, 8), ReLU(), Dense(8, 1)], MeanSquaredError(), Adam(0.01))
    one.fit(X, X[:, :1], epochs=8, validation_split=0.2, callbacks=[EarlyStopping(patience=2), Settling()])
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Note: ")]
    assert notes and notes == [f"Note: {note}" for note in one.history.notes]


def test_settling_needs_samples_that_were_held_out() -> None:
    with pytest.raises(ConfigurationError, match="write validation_split"):
        fit(model(), callbacks=[Settling()])
    with pytest.raises(ConfigurationError, match="part must be"):
        Settling(0.0)
