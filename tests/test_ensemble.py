"""Ensembles: several networks whose answers are averaged, in one file; and the recipe that all ways in share."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from chainrule import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Dense,
    EarlyStopping,
    Ensemble,
    Loss,
    MeanSquaredError,
    Model,
    ReLU,
    Settling,
    Sigmoid,
    SigmoidCrossentropy,
    Softmax,
    SoftmaxCrossentropy,
    metrics,
    recipe,
)
from chainrule.cli import app
from chainrule.ensemble import member_path
from chainrule.errors import ChainruleError, ConfigurationError, FileFormatError, NonFiniteError
from chainrule.files import load_arrays, save_arrays
from chainrule.training.history import INTERRUPTED

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype(np.float32)
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
YES = (X[:, :1] > X[:, 1:2]).astype(np.float32)

# A loss, the layers after the last dense one, targets, and outputs.
KINDS: dict[str, tuple[Loss, list[Any], Any, int]] = {
    "classes": (SoftmaxCrossentropy(), [], CLASSES, 3),
    "classes, smoothed": (SoftmaxCrossentropy(label_smoothing=0.1), [], CLASSES, 3),
    "classes by probabilities": (CategoricalCrossentropy(), [Softmax()], CLASSES, 3),
    "yes or no": (SigmoidCrossentropy(), [], YES, 1),
    "several yes or no": (SigmoidCrossentropy(), [], np.hstack([YES, 1 - YES]), 2),
    "yes or no by probabilities": (BinaryCrossentropy(), [Sigmoid()], YES, 1),
    "values": (MeanSquaredError(), [], X[:, :1] - X[:, 1:2], 1),
}


def ensemble(kind: str = "classes", members: int = 3, **options: Any) -> Ensemble:
    loss, after, y, outputs = KINDS[kind]
    layers = [Dense(3, 8), ReLU(), Dense(8, outputs), *after]
    made = Ensemble(layers, loss, "adam", members=members, seed=4, **options)
    made.fit(X, y, epochs=8, batch_size=20, verbose=False)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_an_ensemble_answers_the_mean_and_is_measured_by_it(kind: str, tmp_path: Path) -> None:
    loss, _, y, _ = KINDS[kind]
    one = ensemble(kind)
    assert len({model.run.seed for model in one.models}) == 3
    measured = one.evaluate(X, y)
    if loss.classifies:
        p = np.mean([model.predict_proba(X).astype(float) for model in one.models], axis=0)  # (B,C)
        np.testing.assert_allclose(one.predict_proba(X), p, atol=2e-7)
        decided = np.argmax(p, axis=1) if p.shape[1] == 3 else (p > 0.5).astype(int)
        np.testing.assert_array_equal(one.predict(X).reshape(decided.shape), decided)
        assert measured["accuracy"] == metrics.accuracy(y, one.predict(X))
        if kind in ("classes", "classes by probabilities"):
            assert measured["loss"] == pytest.approx(-np.log(p[np.arange(60), CLASSES]).mean(), abs=1e-5)
        elif "smoothed" not in kind:
            assert measured["loss"] == pytest.approx(-np.log(np.where(y > 0.5, p, 1 - p)).mean(), abs=1e-5)
    else:
        mean = np.mean([model.predict(X) for model in one.models], axis=0)
        np.testing.assert_allclose(one.predict(X), mean, atol=1e-6)
        assert measured["loss"] == pytest.approx(np.mean((mean - y) ** 2), rel=1e-5)
    one.save(tmp_path / "several")
    again = Ensemble.load(tmp_path / "several")
    np.testing.assert_array_equal(again.logits(X), one.logits(X))
    assert again.evaluate(X, y) == measured
    assert [each.run.epoch for each in again.models] == [8, 8, 8]
    again.fit(X, y, epochs=1, batch_size=20, verbose=False)
    one.fit(X, y, epochs=1, batch_size=20, verbose=False)
    np.testing.assert_array_equal(again.logits(X), one.logits(X))  # with the optimizer's slots


def test_a_sure_no_and_a_sure_yes_stay_what_they_are() -> None:
    pair = Ensemble([Dense(1, 1)], SigmoidCrossentropy(), members=2, dtype="float64")
    for model in pair.models:
        model.parameters = {"dense_0.weights": [[1.0]], "dense_0.biases": [[0.0]]}
    np.testing.assert_allclose(pair.logits([[40.0], [-40.0], [700.0]]), [[40.0], [-40.0], [700.0]])


def test_the_first_member_is_the_model_of_that_seed_and_the_users_layers_stay_untouched() -> None:
    layers = [Dense(3, 8), ReLU(), Dense(8, 3)]
    several = Ensemble(layers, "softmax_crossentropy", members=2, seed=7)
    alone = Model([Dense(3, 8), ReLU(), Dense(8, 3)], "softmax_crossentropy", seed=7)
    for name, array in alone.parameters.items():
        np.testing.assert_array_equal(several.models[0].parameters[name], array)
    assert (several.parameters["member_0.dense_0.weights"] != several.parameters["member_1.dense_0.weights"]).any()
    several.fit(X, CLASSES, epochs=1, verbose=False)
    fresh = Model(layers, "softmax_crossentropy", seed=7)
    np.testing.assert_array_equal(fresh.parameters["dense_0.weights"], alone.parameters["dense_0.weights"])


def test_each_member_holds_samples_of_its_own_out_and_stops_by_itself() -> None:
    one = Ensemble([Dense(3, 8), ReLU(), Dense(8, 3)], "softmax_crossentropy", members=3)
    stopping = EarlyStopping(patience=1, min_delta=0.05)
    histories = one.fit(
        X,
        CLASSES,
        epochs=60,
        verbose=False,
        validation_split=0.3,
        callbacks=[stopping],
        batch_size=8,
        class_weights=None,
    )
    assert len({history["val_loss"][0] for history in histories}) == 3
    assert all("has not improved" in str(history.stopped) for history in histories)


def test_models_that_are_there_make_an_ensemble_if_they_are_alike() -> None:
    alike = [Model([Dense(3, 2)], "softmax_crossentropy", seed=seed) for seed in (1, 2)]
    p = np.mean([model.predict_proba(X) for model in alike], axis=0)
    np.testing.assert_allclose(Ensemble.of(alike).predict_proba(X), p, atol=1e-6)
    for other in (Model([Dense(3, 3)], "softmax_crossentropy"), Model([Dense(3, 2)], "mse")):
        with pytest.raises(ConfigurationError, match="model 1 has another network, loss"):
            Ensemble.of([alike[0], other])
    with pytest.raises(ConfigurationError, match="pass a list of models"):
        Ensemble.of([])


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    for members in (0, 2.0, True, "5"):
        with pytest.raises(ConfigurationError, match="members must be a whole number of at least 1"):
            Ensemble([Dense(3, 2)], "softmax_crossentropy", members=members)  # type: ignore[arg-type]
    one = ensemble(members=2)
    with pytest.raises(ConfigurationError, match="member must be a number from 0 to 1, not 2"):
        one.explain(X, CLASSES, "dense_0.weights", (0, 0), member=2)
    one.save(tmp_path / "two")
    with pytest.raises(
        FileFormatError, match=re.escape(f"holds an ensemble; write Ensemble.load({str(tmp_path)!r}"[:-1])
    ):
        Model.load(tmp_path / "two")
    one.models[0].save(tmp_path / "one")
    alone = Ensemble.load(tmp_path / "one")
    assert len(alone.models) == 1
    np.testing.assert_allclose(alone.predict_proba(X), one.models[0].predict_proba(X), atol=1e-6)


def spoil(content: dict[str, Any], arrays: dict[str, Any], how: str) -> None:
    if how == "no members":
        content["members"] = []
    elif how == "a member less":
        content["members"].pop()
    elif how == "an array of no member":
        arrays["5/value/dense_0.weights"] = arrays["0/value/dense_0.weights"]
    elif how == "another loss":
        content["members"][1]["loss"] = {"type": "SoftmaxCrossentropy", "reduction": "sum", "label_smoothing": 0.0}
    elif how == "NaN":
        arrays["1/value/dense_0.weights"] = arrays["1/value/dense_0.weights"] * np.nan
    elif how == "text":
        content["members"] = "two"


@pytest.mark.parametrize("how", ["no members", "a member less", "an array of no member", "another loss", "NaN", "text"])
def test_a_file_that_is_no_ensemble_is_refused_with_its_name(how: str, tmp_path: Path) -> None:
    ensemble(members=2).save(tmp_path / "f")
    arrays, metadata = load_arrays(tmp_path / "f")
    content = json.loads(metadata["content"])
    spoil(content, arrays, how)
    save_arrays(tmp_path / "f", arrays, metadata | {"content": json.dumps(content)})
    with pytest.raises(FileFormatError, match=re.escape(str(tmp_path / "f"))):
        Ensemble.load(tmp_path / "f")


def test_explain_writes_the_gradient_of_one_member_out() -> None:
    one = ensemble(members=2)
    for member in (0, 1):
        explained = one.explain(X, CLASSES, "dense_0.weights", (0, 1), member=member)
        gradient = one.models[member].gradients(X, CLASSES)["dense_0.weights"][0, 1]
        assert explained.value == pytest.approx(float(gradient), abs=1e-6)


def test_an_ensemble_leaves_as_one_onnx_file_that_answers_the_mean(tmp_path: Path) -> None:
    reference = pytest.importorskip("onnx.reference")
    one = ensemble(members=2)
    one.export_onnx(tmp_path / "f.onnx")
    _, p = reference.ReferenceEvaluator(str(tmp_path / "f.onnx")).run(None, {"inputs": X})
    np.testing.assert_allclose(p, one.predict_proba(X), atol=1e-6)


def test_a_member_that_has_not_begun_when_ctrl_c_comes_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Ensemble([Dense(3, 8), ReLU(), Dense(8, 3)], "softmax_crossentropy", members=3)
    fit = Model.fit

    def interrupted(model: Model, *given: Any, **options: Any) -> Any:
        history = fit(model, *given, **options)
        model.history.stopped = "Ctrl-C" if model is one.models[1] else None
        return history

    monkeypatch.setattr(Model, "fit", interrupted)
    monkeypatch.setattr("chainrule.ensemble.INTERRUPTED", "Ctrl-C")
    one.fit(X, CLASSES, epochs=2, verbose=False)
    assert [model.run.epoch for model in one.models] == [2, 2, 0]
    p = np.mean([model.predict_proba(X) for model in one.models[:2]], axis=0)
    np.testing.assert_allclose(one.predict_proba(X), p, atol=1e-6)


@pytest.mark.skipif(os.name != "posix", reason="SIGUSR1 is one of POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGUSR1"])
def test_a_signal_between_two_members_ends_the_next_one_and_the_whole(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Ensemble([Dense(3, 8), ReLU(), Dense(8, 3)], "softmax_crossentropy", members=3)
    fit = Model.fit
    number = getattr(signal, name)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def signalled(model: Model, *given: Any, distributed: bool, **options: Any) -> Any:
        history = fit(model, *given, **options, epochs=2 if model is one.models[0] else 10**7)
        if model is one.models[0]:
            signal.raise_signal(number)
        return history

    monkeypatch.setattr(Model, "fit", signalled)
    try:
        one.fit(X, CLASSES, verbose=False, distributed=name != "SIGINT")
    finally:
        signal.signal(signal.SIGINT, before)
    assert [model.history.stopped for model in one.models[:2]] == [None, INTERRUPTED]
    assert one.models[1].run.epoch < 10**7 and one.models[2].run.epoch == 0
    assert signal.getsignal(number) in (before, signal.SIG_DFL)


# The shell


def shell(*arguments: str, folder: Path) -> Any:
    old = os.getcwd()
    os.chdir(folder)
    try:
        return CliRunner().invoke(app, list(arguments))
    finally:
        os.chdir(old)


def test_the_shell_trains_predicts_shows_explains_and_goes_on_with_several_networks(tmp_path: Path) -> None:
    few = ("--members", "3", "--layers", "6", "--epochs", "4")
    report = json.loads(shell("train", "iris", *few, "--json", folder=tmp_path).stdout)
    path = "runs/iris/model.safetensors"
    one = Ensemble.load(tmp_path / path)
    assert report["epochs"] == [4, 4, 4] and len(one.models) == 3
    assert all((tmp_path / file).is_file() for file in report["files"])
    predicted = json.loads(shell("predict", path, "iris", "--json", folder=tmp_path).stdout)
    assert predicted["accuracy"] == pytest.approx(report["test"]["accuracy"])
    told = json.loads(shell("info", path, "--json", folder=tmp_path).stdout)
    assert (told["members"], told["epochs"], len(set(told["seed"]))) == (3, [4, 4, 4], 3)
    assert "members  3" in shell("info", path, folder=tmp_path).stdout
    explained = shell("explain", path, "iris", "--member", "2", folder=tmp_path).stdout
    assert "Member 2 of 0 to 2: each has learned alone, by its own loss." in explained
    refused = shell("explain", path, "iris", "--member", "3", folder=tmp_path).exception
    assert isinstance(refused, ChainruleError) and "--member must be from 0 to 2, not 3" in str(refused)
    refused = shell("train", "iris", "--layers", "6", "--resume", folder=tmp_path).exception
    assert isinstance(refused, ChainruleError) and "go on with --members 3 --resume" in str(refused)
    longer = shell("train", "iris", *few[:-1], "6", "--resume", folder=tmp_path)
    assert longer.exit_code == 0, longer.output
    assert f"Going on from {path.replace('model.', 'model.member_0.')}" in longer.stdout
    whole = json.loads(shell("train", "iris", *few[:-1], "6", "--json", "--out", "at-once", folder=tmp_path).stdout)
    again, once = Ensemble.load(tmp_path / path), Ensemble.load(tmp_path / "at-once/model.safetensors")
    assert whole["epochs"] == [6, 6, 6]
    for name, array in once.parameters.items():
        np.testing.assert_array_equal(again.parameters[name], array)


def test_every_command_that_train_ends_with_runs_for_several_networks(tmp_path: Path) -> None:
    ended = shell("train", "iris", "--members", "2", "--layers", "4", "--epochs", "2", folder=tmp_path)
    commands = re.findall(r"next: chainrule (.*)", ended.stdout)
    assert len(commands) == 3
    for command in commands:
        assert shell(*shlex.split(command), folder=tmp_path).exit_code == 0, command


# The recipe


def test_shell_estimators_and_fit_read_one_recipe() -> None:
    pytest.importorskip("sklearn")
    from chainrule import datasets
    from chainrule.commands import Settings
    from chainrule.sklearn import ChainruleClassifier, ChainruleRegressor

    for name, kind, hidden in (
        ("iris", ChainruleClassifier, recipe.HIDDEN_FOR_CLASSES),
        ("diabetes", ChainruleRegressor, recipe.HIDDEN_FOR_VALUES),
    ):
        data = datasets.load(name)
        settings = Settings(None, None, None, None, None, None, "numpy", 0).beginning(datasets.Start())
        shown, fitting = settings.model(data), settings.fitting(data)
        usual = kind()
        usual.max_iter, usual.early_stopping = 1, False
        with pytest.warns(Warning, match="max_iter=1"):
            usual.fit(data.X_train, data.y_train if data.class_names else data.y_train[:, 0])
        estimated = usual.model_
        kinds = [
            [repr(leaf.layer.initializer) for leaf in each.network.flat if hasattr(leaf.layer, "initializer")]
            for each in (shown, estimated)
        ]
        assert kinds[0] == kinds[1]
        assert [a.shape for a in shown.parameters.values()] == [a.shape for a in estimated.parameters.values()]
        assert shown.parameters["dense_0.weights"].shape[1] == hidden[0]
        assert shown.optimizer.learning_rate == kind().learning_rate_init
        assert type(shown.optimizer) is type(estimated.optimizer)
        assert fitting["batch_size"] == recipe.batch_size_for(round(0.9 * len(data.X_train)))
        assert fitting["validation_split"] == kind().validation_fraction == recipe.HELD_OUT
        assert fitting["callbacks"] == [EarlyStopping("val_loss", patience=kind().n_iter_no_change), Settling()]
        assert fitting["epochs"] >= kind().max_iter


@pytest.mark.parametrize("samples", [60, 200])
def test_fit_with_automatic_epochs_follows_the_recipe(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "PATIENCE", 3)
    monkeypatch.setattr(recipe, "_STEPS", 40)
    monkeypatch.setattr(recipe, "EPOCHS", 12)
    inputs = RNG.normal(size=(samples, 3))
    y = (inputs[:, 0] > 0).astype(int)
    one = Model([Dense(3, 8), ReLU(), Dense(8, 2)], "softmax_crossentropy")
    history = one.fit(inputs, y, epochs="auto", batch_size="auto", verbose=False)
    assert ("val_loss" in history.names) == (samples >= recipe.ENOUGH)
    if samples >= recipe.ENOUGH:  # the network settled, on the samples held out too
        assert 3 <= len(history) - len(history["val_loss"]) <= 0.4 * 12 and history["learning_rate"][-1] < 0.001
    assert len(history) <= recipe.epochs_for(samples, 32)
    given = one.fit(inputs, y, epochs="auto", validation_data=(inputs[:9], y[:9]), verbose=False)
    assert len(given["val_loss"]) == len(given)


def test_batches_are_read_again_by_each_member_and_an_iterator_is_refused() -> None:
    pair = Ensemble([Dense(2, 1)], MeanSquaredError(), members=2)
    batches = [(np.ones((4, 2)), np.ones((4, 1)))] * 3
    one, two = pair.fit(batches, epochs=2, verbose=False)
    assert len(one["loss"]) == len(two["loss"]) == 2
    with pytest.raises(ConfigurationError, match="pass a list of batches, or a function"):
        pair.fit(iter(batches), epochs=1, steps_per_epoch=3, verbose=False)


def test_a_member_that_holds_nan_is_named_and_answers_nothing() -> None:
    pair = Ensemble([Dense(2, 3)], "softmax_crossentropy", members=2)
    pair.models[1].parameters = {"dense_0.weights": np.full((2, 3), 1.0), "dense_0.biases": np.zeros((1, 3))}
    pair.models[1].run.values["dense_0.weights"][0, 0] = np.nan
    with pytest.raises(NonFiniteError, match=r"dense_0\.weights"):
        pair.predict([[1.0, 2.0]])


def test_a_run_that_leaves_at_once_names_the_files_of_the_networks_that_had_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(data: Any, model: Ensemble, options: dict[str, Any]) -> None:
        Path(member_path(options["checkpoint"], 0)).touch()
        model.models[0].history.stopped = INTERRUPTED

    train = importlib.import_module("chainrule.commands.train")  # the package has a function of this name
    monkeypatch.setattr(train, "fit", interrupted)
    monkeypatch.setattr(train, "_leaves_at_once", lambda team, in_pieces: True)
    said = CliRunner().invoke(app, ["train", "iris", "--members", "2", "--out", str(tmp_path)]).output
    assert "Saved model.member_0.safetensors in" in " ".join(said.split())
