"""The training doctor: a mistake planted in a run is named with the line that mends it; healthy runs have no note."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import (
    SGD,
    Adam,
    BatchNorm,
    Dense,
    Dropout,
    EarlyStopping,
    He,
    MeanAbsoluteError,
    MeanSquaredError,
    Model,
    ReLU,
    Sigmoid,
    SigmoidCrossentropy,
    SoftmaxCrossentropy,
    Tanh,
    datasets,
)
from chainrule.training.symptoms import SYMPTOMS
from support import shell

Samples = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def blobs(samples: int = 300, classes: int = 3, features: int = 6, seed: int = 0, apart: float = 2.0) -> Samples:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, samples)
    centres = apart * rng.normal(size=(classes, features))
    return centres[y] + rng.normal(size=(samples, features)), y


def values(samples: int = 300, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(samples, 4))
    return X, np.tanh(X[:, :1]) + 0.5 * X[:, 1:2] + 0.1 * rng.normal(size=(samples, 1))


def wine() -> Samples:
    from sklearn.datasets import load_wine

    bunch = load_wine()
    return bunch.data, bunch.target


def network(inputs: int, outputs: int, hidden: int = 32) -> list[Any]:
    return [Dense(inputs, hidden, initializer=He()), ReLU(), Dense(hidden, outputs)]


def fitted(X: Any, y: Any, *, layers: Any = None, loss: Any = None, optimizer: Any = None, **options: Any) -> list[str]:
    loss = loss or (SoftmaxCrossentropy() if np.ndim(y) == 1 else MeanSquaredError())
    outputs = int(np.max(y)) + 1 if np.ndim(y) == 1 else np.shape(y)[1]
    model = Model(layers or network(X.shape[1], outputs), loss, optimizer or Adam(0.01), seed=options.pop("seed", 0))
    options = {"epochs": 40, "batch_size": 32, "verbose": False} | options
    return model.fit(X, y, **options).notes


# Planted cases


def unscaled(seed: int) -> list[str]:
    return fitted(*wine(), optimizer=Adam(0.001), seed=seed)


def unscaled_with_sgd(seed: int) -> list[str]:
    return fitted(*wine(), optimizer=SGD(0.001), seed=seed)


def unscaled_values(seed: int) -> list[str]:
    X, y = values(seed=seed)
    return fitted(X, 5000 + 900 * y, optimizer=Adam(0.001), seed=seed)


def predicted_for_all(seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(400, 5)), (rng.random(400) < 0.06).astype(int)
    return fitted(X, y, layers=[Dense(5, 2)], epochs=30, seed=seed)


def rare_missed(seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2000, 5))
    y = (X[:, 0] + 0.7 * rng.normal(size=2000) > 2.1).astype(int)
    return fitted(X, y, epochs=20, optimizer=Adam(0.003), seed=seed)


def dead(seed: int) -> list[str]:
    X, y = blobs(seed=seed)
    first = Dense(6, 32)
    model = Model([first, ReLU(), Dense(32, 3)], SoftmaxCrossentropy(), Adam(0.01), seed=seed)
    model.parameters = dict(model.parameters) | {"dense_0.biases": np.full((1, 32), -60.0)}
    return model.fit(X, y, epochs=20, verbose=False).notes


def tanh_network() -> list[Any]:
    return [Dense(6, 32), Tanh(), Dense(32, 3)]


def too_high(seed: int) -> list[str]:
    return fitted(
        *blobs(seed=seed, apart=0.7),
        optimizer=SGD(3.0, momentum=0.9),
        layers=tanh_network(),
        seed=seed,
    )


def too_high_for_adam(seed: int) -> list[str]:
    return fitted(*blobs(seed=seed, apart=0.7), optimizer=Adam(1.0), layers=tanh_network(), seed=seed)


def too_high_at_first(seed: int) -> list[str]:
    """One step throws the weights far away, and what is left of the network learns quietly next to nothing."""
    return fitted(*blobs(seed=seed, apart=0.7), optimizer=SGD(5.0), seed=seed)


def too_low(seed: int) -> list[str]:
    return fitted(*blobs(seed=seed), optimizer=SGD(0.0001), epochs=20, seed=seed)


def too_low_for_adam(seed: int) -> list[str]:
    X, y = values(seed=seed)
    return fitted(X, y, optimizer=Adam(1e-5), epochs=20, seed=seed)


def too_low_after_a_bad_start(seed: int) -> list[str]:
    """The loss has halved, and is still above that of a constant answer."""
    start = 1 + 5 * seed
    return fitted(*values(seed=start), optimizer=SGD(1e-4), epochs=40, seed=start)


def overfitted(seed: int) -> list[str]:
    X, y = blobs(samples=160, seed=seed, apart=0.7)
    return fitted(X[:80], y[:80], layers=network(6, 3, 128), epochs=150, validation_data=(X[80:], y[80:]), seed=seed)


def guessed(seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return fitted(rng.normal(size=(3000, 4)), rng.integers(0, 3, 3000), layers=network(4, 3, 8), epochs=10, seed=seed)


def guessed_values(seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return fitted(rng.normal(size=(3000, 4)), rng.normal(size=(3000, 1)), layers=network(4, 1, 4), epochs=10, seed=seed)


def labels_shuffled(seed: int) -> list[str]:
    data = datasets.load("digits")
    y = np.random.default_rng(seed).permutation(data.y_train)
    layers = network(64, 10, 128)
    held_out = (data.X_test, data.y_test)
    return fitted(data.X_train, y, layers=layers, optimizer=Adam(0.003), epochs=60, validation_data=held_out, seed=seed)


def rows_sorted(seed: int) -> list[str]:
    """X was sorted alone."""
    X, y = values(600, seed)
    X = X[np.argsort(X[:, 0])]
    return fitted(X, y, layers=network(4, 1, 64), epochs=60, validation_split=0.2, seed=seed)


def leaking(seed: int) -> list[str]:
    X, y = blobs(seed=seed, apart=0.7)
    return fitted(np.column_stack([X, 2.0 * y - 1]), y, seed=seed)


def leaking_values(seed: int) -> list[str]:
    X, y = values(seed=seed)
    return fitted(np.column_stack([X[:, :2], 3 * y[:, 0] + 1, X[:, 2:]]), y, seed=seed)


def leaking_together(seed: int) -> list[str]:
    """Three columns of which each tells one class from the others."""
    X, y = blobs(seed=seed, apart=0.7)
    return fitted(np.column_stack([X, np.eye(3)[y]]), y, seed=seed)


def constant(seed: int) -> list[str]:
    X, y = blobs(seed=seed)
    X[:, 2] = 7.0
    return fitted(X, y, seed=seed)


def constant_zero(seed: int) -> list[str]:
    X, y = blobs(seed=seed)
    X[:, 4] = 0.0
    return fitted(X, y, seed=seed)


def vanishing(seed: int) -> list[str]:
    X, y = blobs(seed=seed)
    layers = [layer for size in (6, *[16] * 9) for layer in (Dense(size, 16), Sigmoid())]
    return fitted(X, y, layers=[*layers, Dense(16, 3)], optimizer=SGD(0.1), seed=seed)


def learned_by_heart_a_little(seed: int) -> list[str]:
    rng = np.random.default_rng(seed + 2)
    X, y = rng.normal(size=(500, 4)), rng.integers(0, 3, 500)
    return fitted(X, y, validation_split=0.2, epochs=30, seed=seed)


def still(seed: int) -> list[str]:
    return fitted(*blobs(seed=seed), optimizer=SGD(0.0), seed=seed)


PLANTED: dict[str, tuple[Callable[[int], list[str]], str, str]] = {
    "unscaled inputs": (unscaled, "The inputs are not scaled: column 12 of X", "(X - mean) / std"),
    "unscaled inputs, SGD": (unscaled_with_sgd, "The inputs are not scaled: column 12 of X", "(X - mean) / std"),
    "unscaled targets": (unscaled_values, "The targets are not scaled", "predict(X) * std + mean"),
    "one class for all": (predicted_for_all, "class 0 is predicted for all samples", 'class_weights="balanced"'),
    "a rare class missed": (rare_missed, "The classes are uneven: always guessing class 0", 'class_weights="balanced"'),
    "dead units": (dead, "relu_0: 100 % of its units are dead", "Adam(learning_rate=0.001)"),
    "rate too high": (too_high, "The learning rate is too high", "SGD(learning_rate=0.3)"),
    "rate too high, Adam": (too_high_for_adam, "The learning rate is too high", "Adam(learning_rate=0.1)"),
    "rate too high, at first": (too_high_at_first, "The learning rate is too high: the loss was", "rate=0.5)"),
    "rate zero": (still, "Nothing was learned: the learning rate is 0", "SGD()"),
    "rate too low": (too_low, "The learning rate is too low", "SGD(learning_rate=0.001)"),
    "rate too low, SGD": (too_low_after_a_bad_start, "The learning rate is too low", "SGD(learning_rate=0.001)"),
    "rate too low, Adam": (too_low_for_adam, "The learning rate is too low", "Adam(learning_rate=0.0001)"),
    "overfitting": (overfitted, "Overfitting: val_loss was lowest at epoch", "EarlyStopping(patience=5)"),
    "a random class": (guessed, "Nothing was learned: the loss stays at 1.1", "print(X[:5], y[:5])"),
    "a random value": (guessed_values, "Nothing was learned", "print(X[:5], y[:5])"),
    "labels shuffled": (labels_shuffled, "Learned by heart", "X[order], y[order]"),
    "inputs sorted alone": (rows_sorted, "Learned by heart", "X[order], y[order]"),
    "targets of chance": (learned_by_heart_a_little, "Learned by heart", "X[order], y[order]"),
    "gradients that vanish": (vanishing, "dense_0: its gradient is", "He() weights"),
    "a column that is the class": (leaking, "Column 6 of X says the target exactly", "np.delete(X, 6, axis=1)"),
    "a column that is the value": (leaking_values, "Column 2 of X says the target", "np.delete(X, 2, axis=1)"),
    "columns that are the class": (leaking_together, "Column 6 of X and 2 more together say", "(X, [6, 7, 8], axis=1)"),
    "a constant column": (constant, "Column 2 of X is 7 in every row", "np.delete(X, 2, axis=1)"),
    "a column of zeros": (constant_zero, "Column 4 of X is 0 in every row", "np.delete(X, 4, axis=1)"),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_the_only_one_named_and_with_the_line_that_mends_it(name: str, seed: int) -> None:
    run, says, line = PLANTED[name]
    found = run(seed)
    assert len(found) == 1, found
    assert found[0].startswith(says)
    assert line in found[0]


# Healthy runs


def digits(seed: int, **options: Any) -> list[str]:
    data = datasets.load("digits")
    return fitted(data.X_train, data.y_train, optimizer=Adam(0.003), epochs=15, seed=seed, **options)


def binary(seed: int) -> list[str]:
    X, y = blobs(classes=2, seed=seed, apart=1.5)
    return fitted(X, y[:, None], layers=[Dense(6, 16), Tanh(), Dense(16, 1)], loss=SigmoidCrossentropy(), seed=seed)


def scaled_wine(seed: int) -> list[str]:
    X, y = wine()
    return fitted((X - X.mean(axis=0)) / X.std(axis=0), y, seed=seed)


def spiral(seed: int) -> list[str]:
    X, y = datasets.spiral(100, 3, seed=seed)
    return fitted(X, y, layers=network(2, 3, 64), optimizer=Adam(0.02), epochs=200, seed=seed)


def noisy_values(seed: int) -> list[str]:
    X, y = values(seed=seed)
    return fitted(X, y + 0.5 * np.random.default_rng(seed).normal(size=y.shape), optimizer=Adam(0.003), seed=seed)


def uneven_but_known(seed: int) -> list[str]:
    X, _ = blobs(1000, seed=seed)
    return fitted(X, (X[:, 0] > np.quantile(X[:, 0], 0.9)).astype(int), seed=seed)


def with_validation(seed: int) -> list[str]:
    X, y = blobs(600, seed=seed, apart=1.0)
    return fitted(X, y, optimizer=Adam(0.003), epochs=25, validation_split=0.2, seed=seed)


def tabled(rows: dict[str, Any], seed: int) -> list[str]:
    """Of a table in which some inputs of a column, a category or a day, do not occur."""
    data = datasets.read(rows, target="y")
    layers = network(data.X_train.shape[1], len(data.class_names))
    model = Model(layers, "softmax_crossentropy", Adam(0.003), seed=seed, preprocessing=data.preprocessing)
    return model.fit(data.X_train, data.y_train, epochs="auto", batch_size="auto", verbose=False).notes


def days_of_work(seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    days = np.arange("2021-01-04", "2021-12-31", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    late = np.is_busday(days, weekmask="Thu Fri") ^ (rng.random(len(days)) < 0.1)
    return tabled({"day": days, "x": rng.normal(size=len(days)), "y": np.where(late, "late", "early").tolist()}, seed)


def a_category_held_out(seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=200)
    kinds = [f"rare {i}" if i % 20 == 0 else "abc"[i % 3] for i in range(200)]
    return tabled({"kind": kinds, "x": x, "y": ["high" if v > 0 else "low" for v in x]}, seed)


def powers(seed: int) -> list[str]:
    """A curve that rises, from the powers of one number."""
    x = np.random.default_rng(seed).uniform(-1, 1, (300, 1))
    return fitted(np.column_stack([x, x**2, x**3]), np.exp(x), seed=seed)


def rising(seed: int) -> list[str]:
    """Values that rise with one of three numbers in every row, as a price does with a size, and are not told by it."""
    rng = np.random.default_rng(seed)
    size = np.sort(rng.uniform(-1, 1, 200)) + 0.02 * np.arange(200)
    X = np.column_stack([size - size.mean(), rng.normal(size=(200, 2))])
    return fitted(X / X.std(axis=0), np.exp(0.8 * X[:, :1]), seed=seed)


def stopped_in_time(seed: int) -> list[str]:
    X, y = blobs(400, seed=seed, apart=1.0)
    return fitted(X, y, epochs=200, validation_split=0.2, callbacks=[EarlyStopping("val_loss", patience=30)], seed=seed)


HEALTHY: dict[str, Callable[[int], list[str]]] = {
    "digits": digits,
    "digits, SGD": lambda seed: fitted(*_digits(), optimizer=SGD(0.1, momentum=0.9), epochs=15, seed=seed),
    "digits, normalized, from 0 to 16": lambda seed: fitted(
        *_digits(16.0), layers=[BatchNorm(64), *network(64, 10)], epochs=10, seed=seed
    ),
    "two classes": binary,
    "wine, scaled": scaled_wine,
    "a spiral": spiral,
    "values": lambda seed: fitted(*values(seed=seed), seed=seed),
    "noisy values": noisy_values,
    "mean absolute error": lambda seed: fitted(*values(seed=seed), loss=MeanAbsoluteError(), seed=seed),
    "uneven classes that are known": uneven_but_known,
    "overlapping classes": lambda seed: fitted(*blobs(600, seed=seed, apart=0.7), optimizer=Adam(0.003), seed=seed),
    "a validation part": with_validation,
    "dropout": lambda seed: fitted(
        *blobs(600, seed=seed), layers=[Dense(6, 64), ReLU(), Dropout(0.3), Dense(64, 3)], seed=seed
    ),
    "days of work alone": days_of_work,
    "categories that were held out": a_category_held_out,
    "a run that was stopped in time": stopped_in_time,
    "powers": powers,
    "values that rise with a number": rising,
    "a line": lambda seed: fitted(*values(seed=seed), layers=[Dense(4, 1)], seed=seed),
    "sigmoids": lambda seed: fitted(
        *blobs(600, seed=seed), layers=[Dense(6, 16), Sigmoid(), Dense(16, 3)], optimizer=Adam(0.02), seed=seed
    ),
}


def _digits(factor: float = 1.0) -> Samples:
    data = datasets.load("digits")
    return data.X_train * factor, data.y_train


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_has_no_note(name: str, seed: int) -> None:
    assert HEALTHY[name](seed) == []


def test_every_symptom_of_the_table_has_a_planted_case_or_a_test_of_its_own() -> None:
    said = {symptom.find.__name__ for symptom in SYMPTOMS}
    planted = {
        "leakage", "constant_columns", "unscaled_inputs", "unscaled_targets", "shuffled", "dead_units", "rate_zero",
        "rate_too_high", "rate_too_low", "one_class", "guessing", "overfitting", "uneven_classes",
    }  # fmt: skip
    assert said == planted | {"vanishing"}  # which is in test_callbacks


# What it costs, and what it reads


def test_short_runs_and_small_data_are_not_looked_at() -> None:
    X, y = blobs()
    X[:, 2] = 7.0
    assert fitted(X, y, epochs=4) == []
    assert fitted(X[:19], y[:19]) == []
    assert len(fitted(X, y, epochs=5)) == len(fitted(X[:20], y[:20])) == 1


def test_a_first_fit_does_not_wait_for_the_import_of_masked_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(np, "ma")  # asking whether it is there imports it
    monkeypatch.delitem(sys.modules, "numpy.ma")
    fitted(*blobs(samples=40))
    assert "numpy.ma" not in sys.modules


def test_names_of_columns_and_classes_are_used_where_a_model_has_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [(rng.normal(), rng.normal(), "yes" if rng.random() < 0.5 else "no") for _ in range(200)]
    lines = [f"{a:.4f},{b:.4f},{3 if y == 'yes' else 5},{y}" for a, b, y in rows]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,paid back,churn", *lines]) + "\n")
    shown = shell("train", "t.csv", "--target", "churn", "--layers", "8", folder=tmp_path)
    assert "Note: 'paid back' says the target exactly" in shown.stdout
    assert 'Leave it out: --drop "paid back".' in shown.stdout
    again = shell("train", "t.csv", "--target", "churn", "--layers", "8", "--drop", "paid back", folder=tmp_path)
    assert "says the target exactly" not in again.stdout


def test_the_shell_advises_by_a_part_of_the_training_rows_and_never_by_the_test_part(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(160, 6))
    y = np.where(X[:, 0] + 1.5 * rng.normal(size=160) > 0, "yes", "no")
    lines = [",".join([*(f"{v:.4f}" for v in row), label]) for row, label in zip(X, y, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c,d,e,f,y", *lines]) + "\n")
    through = ("--layers", "128", "--epochs", "150", "--lr", "0.01", "--early-stopping", "0")
    shown = shell("train", "t.csv", *through, folder=tmp_path).stdout
    assert "(13 of them for val_loss)" in shown and "Note: Overfitting" in shown and "Try --epochs" in shown
    recipe = shell("train", "t.csv", "--recipe", folder=tmp_path).stdout
    assert "validation_split=0.1" in recipe and "validation_data" not in recipe
    none = shell("train", "t.csv", "--validation", "0", *through, folder=tmp_path).stdout
    assert "val_loss" not in none and "Overfitting" not in none


def test_uneven_classes_have_a_balanced_accuracy_and_the_option_that_mends_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 3))
    y = np.where(X[:, 0] + 0.9 * rng.normal(size=1200) > 1.7, "yes", "no")
    lines = [",".join([*(f"{v:.4f}" for v in row), label]) for row, label in zip(X, y, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c,y", *lines]) + "\n")
    command = ("train", "t.csv", "--layers", "8", "--epochs", "60", "--json")
    report = json.loads(shell(*command, folder=tmp_path).stdout)
    (note,) = report["training_notes"]
    assert note.startswith("The classes are uneven: always guessing 'no' is right in") and "'yes'" in note
    assert note.endswith("Write --class-weights balanced.")
    mended = json.loads(shell(*command, "--class-weights", "balanced", folder=tmp_path).stdout)
    assert mended["test"]["balanced_accuracy"] > report["test"]["balanced_accuracy"] + 0.1
