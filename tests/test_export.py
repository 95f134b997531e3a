"""Models that leave: ONNX files compute what the library computes, whatever runs them."""

from __future__ import annotations

import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from chainrule import (
    ELU,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Dense,
    Flatten,
    Graph,
    Layer,
    MeanSquaredError,
    Model,
    ReLU,
    Sequential,
    Sigmoid,
    SigmoidCrossentropy,
    Softmax,
    SoftmaxCrossentropy,
    Tanh,
)
from chainrule.datasets import Preprocessing, Table, read_table
from chainrule.datasets.datecolumn import Date
from chainrule.errors import ConfigurationError
from chainrule.exchange import to_onnx
from chainrule.exchange.onnx import PROBABILITIES, exported
from chainrule.exchange.onnxcolumns import COLUMNS
from chainrule.exchange.onnxlayers import LAYERS
from chainrule.loss import Loss
from chainrule.sklearn import ChainruleClassifier, ChainruleRegressor
from support import public, random_values, set_values
from test_exchange import graph_of
from test_layers import CASES

onnx = pytest.importorskip("onnx")
reference = pytest.importorskip("onnx.reference")

BATCHES = (1, 7, 256)


def outputs_of(file: bytes, feed: dict[str, Any]) -> list[dict[str, Any]]:
    """What onnx.reference gives, and what onnxruntime gives where it is installed, by name."""
    model = onnx.load_from_string(file)
    onnx.checker.check_model(model, full_check=True)
    names = [output.name for output in model.graph.output]
    with np.errstate(over="ignore", invalid="ignore"):
        found = [dict(zip(names, reference.ReferenceEvaluator(model).run(None, feed), strict=True))]
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return [*found, dict(zip(names, session.run(None, feed), strict=True))]


def assert_runs_alike(file: bytes, feed: dict[str, Any], expected: dict[str, Any]) -> None:
    """Numbers within 1e-6 of the largest in onnx.reference and 1e-5 in onnxruntime; classes exactly."""
    for found, tolerance in zip(outputs_of(file, feed), (1e-6, 1e-5), strict=True):
        assert found.keys() == expected.keys()
        for name, wanted in expected.items():
            assert found[name].shape == wanted.shape
            if wanted.dtype.kind == "f":
                np.testing.assert_allclose(found[name], wanted, rtol=tolerance, atol=tolerance * np.abs(wanted).max())
            else:
                assert found[name].tolist() == wanted.tolist()


def onnx_of(model: Model, logits: bool = False, shape: Any = None) -> bytes:
    return to_onnx(exported(model.network, model.loss, model.dtype, None, model.names(), shape), logits=logits)


# Layers


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_a_layer_computes_the_same_in_onnx(name: str, dtype: str) -> None:
    network, sample = graph_of(CASES[name].make(), CASES[name].shapes[0])
    rng = np.random.default_rng(3)
    set_values(network, random_values(network, rng, dtype))
    model = Model(network, MeanSquaredError(), dtype=dtype)
    file = onnx_of(model, logits=True, shape=sample)
    for batch in BATCHES:
        X = (3 * rng.normal(size=(batch, *sample))).astype(model.dtype)
        assert_runs_alike(file, {"inputs": X}, {"logits": model.logits(X)})


def test_no_public_layer_is_missing() -> None:
    layers = public(lambda cls: issubclass(cls, Layer) and not issubclass(cls, Graph)) - {"Layer"}
    assert {cls.__name__ for cls in LAYERS} == layers
    assert {type(leaf.layer) for case in CASES.values() for leaf in Sequential(("x", case.make())).flat} == {*LAYERS}


def test_a_layer_of_ones_own_is_named_and_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    class Half(Layer):
        def pure_forward(self, xp: Any, inputs: Any) -> Any:
            return inputs / 2

        def pure_backward(self, xp: Any, dvalues: Any) -> Any:
            return dict(dinputs=dvalues / 2)

    model = Model([Dense(2, 2), Half()], MeanSquaredError())
    with pytest.raises(ConfigurationError, match=r"half_0: chainrule does not know what Half is in ONNX"):
        onnx_of(model)
    monkeypatch.setitem(LAYERS, Half, lambda write, layer, inputs, arrays: write.op("Mul", inputs, write.number(0.5)))
    X = np.ones((3, 2), dtype=np.float32)
    assert_runs_alike(onnx_of(model, logits=True), {"inputs": X}, {"logits": model.logits(X)})


def test_a_tied_parameter_is_in_the_file_once() -> None:
    model = Model(CASES["graph"].make(), MeanSquaredError())
    names = [tensor.name for tensor in onnx.load_from_string(onnx_of(model)).graph.initializer]
    assert "left.weights" in names and "right.weights" not in names


def test_the_shape_of_a_sample_is_asked_for_where_the_network_does_not_say_it() -> None:
    model = Model([Flatten(), Dense(6, 2)], SoftmaxCrossentropy())
    with pytest.raises(ConfigurationError, match=r"pass that of one sample, such as shape=\(28, 28\)"):
        onnx_of(model)
    X = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    assert_runs_alike(onnx_of(model, True, (2, 3)), {"inputs": X}, {"logits": model.logits(X)})
    with pytest.raises(ConfigurationError, match=r"shape=\(3,\) does not fit: the network reads \(B, 2\)"):
        onnx_of(Model([Dense(2, 1)], MeanSquaredError()), shape=(3,))


# What the outputs mean

HEADS = {
    "softmax": (SoftmaxCrossentropy, [Dense(3, 4)], ()),
    "softmax-named": (SoftmaxCrossentropy, [Dense(3, 3)], ("low", "middle", "high")),
    "probabilities": (CategoricalCrossentropy, [Dense(3, 4), Softmax()], ()),
    "yes-or-no": (SigmoidCrossentropy, [Dense(3, 1)], ()),
    "yes-or-no-named": (SigmoidCrossentropy, [Dense(3, 1)], ("no", "yes")),
    "labels": (BinaryCrossentropy, [Dense(3, 4), Sigmoid()], ()),
}


@pytest.mark.parametrize("name", HEADS)
def test_classes_and_probabilities_are_those_of_predict(name: str) -> None:
    loss, layers, class_names = HEADS[name]
    model = Model([type(layers[0])(3, layers[0].n_neurons), *layers[1:]], loss(), class_names=class_names)
    file = onnx_of(model)
    for batch in BATCHES:
        X = np.random.default_rng(batch).normal(size=(batch, 3)).astype(np.float32)
        decided = model.predict(X)
        expected = {"class": np.array(class_names)[decided] if class_names else decided}
        assert_runs_alike(file, {"inputs": X}, expected | {"probabilities": model.predict_proba(X)})


def test_of_equal_probabilities_the_first_class_is_taken() -> None:
    model, X = Model([Dense(2, 3)], SoftmaxCrossentropy()), np.zeros((1, 2), dtype=np.float32)
    assert model.predict(X).tolist() == [0]
    assert [found["class"].tolist() for found in outputs_of(onnx_of(model), {"inputs": X})] == [[0], [0]]


def test_no_loss_of_classes_is_missing() -> None:
    of_classes = public(lambda cls: issubclass(cls, Loss) and cls is not Loss and cls().classifies)
    assert {cls.__name__ for cls in PROBABILITIES} == of_classes
    assert {loss for loss, _, _ in HEADS.values()} == {*PROBABILITIES}


# Tables


def the_table(rows: int = 600) -> dict[str, Any]:
    """A column of every kind, with gaps."""
    rng = np.random.default_rng(1)
    names = np.array(["red", "green", "blue", "a, b"], dtype=object)
    many = np.array([f"code{i:03d}" for i in range(150)], dtype=object)
    years = rng.integers(1800, 2200, rows) - 1970
    dates = years.astype("datetime64[Y]").astype("datetime64[s]") + rng.integers(0, 366 * 86400, rows)
    size = rng.normal(1e6, 3, rows)
    size[3], dates[4] = np.nan, np.datetime64("NaT")
    colour = names[rng.integers(0, 4, rows)]
    colour[5] = None
    code = many[np.where(rng.random(rows) < 0.5, rng.integers(0, 5, rows), rng.integers(0, 150, rows))]
    answer = np.array([["yes", "no"][i] for i in rng.integers(0, 2, rows)], dtype=object)
    return {"size": size, "colour": colour, "code": code, "day": dates, "inputs": size * 2, "answer": answer}


def feed_of(table: Table, preprocessing: Preprocessing) -> dict[str, Any]:
    """What the documentation says to pass: numbers, text with "" for missing, seconds since 1970."""
    found = {}
    for column in preprocessing.columns:
        values = table[column.name]
        if values.dtype == object:
            values = np.array([value or "" for value in values], dtype=object)
        elif values.dtype.kind == "M":
            values = values.astype("datetime64[s]").astype(np.int64)
        found[column.name] = values
    return found


def table_model(
    table: Any,
    target: Any,
    tmp_path: Path,
    outputs: int,
    loss: Loss,
    hidden: type[Layer] = ReLU,
    **options: Any,
) -> tuple[Model, bytes]:
    fitted = Preprocessing.fit(read_table(table), target, **options)
    layers = [Dense(len(fitted.feature_names), 16), hidden(), Dense(16, outputs)]
    model = Model(layers, loss, preprocessing=fitted, seed=2)
    model.export_onnx(tmp_path / "model.onnx")
    return model, (tmp_path / "model.onnx").read_bytes()


@pytest.mark.parametrize("rows", BATCHES)
def test_a_model_of_a_table_takes_its_columns_and_names_its_classes(rows: int, tmp_path: Path) -> None:
    model, file = table_model(the_table(), "answer", tmp_path, 2, SoftmaxCrossentropy(), missing="impute")
    assert any(name.endswith("(other)") for name in model.preprocessing.feature_names)
    assert {type(column) for column in model.preprocessing.columns} == {*COLUMNS}
    table = read_table({name: values[:rows] for name, values in the_table().items()})
    expected = {
        "class": model.predict(table),
        "probabilities": model.predict_proba(table),
    }
    assert_runs_alike(file, feed_of(table, model.preprocessing), expected)


def test_values_come_out_in_the_unit_of_the_target(tmp_path: Path) -> None:
    table = the_table()
    table["price"] = np.arange(600.0) * 1e5
    model, file = table_model(table, "price", tmp_path, 1, MeanSquaredError(), missing="impute")
    expected = {"values": model.predict(read_table(table))}
    assert_runs_alike(file, feed_of(read_table(table), model.preprocessing), expected)


def test_several_targets_have_a_unit_each(tmp_path: Path) -> None:
    table = {"size": np.arange(50.0), "low": np.arange(50.0) * 0.5, "high": 1e4 * np.arange(50.0) ** 2}
    model, file = table_model(table, ["low", "high"], tmp_path, 2, MeanSquaredError())
    expected = {"values": model.predict(read_table(table))}
    assert_runs_alike(file, {"size": table["size"]}, expected)


def test_every_kind_of_column_can_be_exported_or_is_listed_here() -> None:
    kinds = typing.get_args(typing.get_args(typing.get_type_hints(Preprocessing)["columns"])[0])
    assert {*kinds} == {*COLUMNS}


def test_the_column_that_cannot_be_exported_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(COLUMNS, Date)
    with pytest.raises(ConfigurationError, match=r"'day' is a Date, .* drop=\[\"day\"\], or .* preprocessing=False"):
        table_model(the_table(), "answer", tmp_path, 2, SoftmaxCrossentropy(), missing="impute")


@pytest.mark.parametrize("year", [1, 4, 100, 400, 1582, 1899, 1900, 1969, 1970, 2000, 2023, 2024, 2100, 9999])
def test_every_day_of_a_year_has_its_place(year: int, tmp_path: Path) -> None:
    first = np.datetime64(f"{year:04d}-01-01", "s")
    last = np.datetime64(f"{year:04d}-12-31T23:59:59", "s")
    days = np.append(np.arange(first, last, np.timedelta64(86399, "s")), last)
    table = {"day": days, "y": np.arange(float(len(days)))}
    model, file = table_model(table, "y", tmp_path, 1, MeanSquaredError())
    assert model.preprocessing.columns[0].parts == ("trend", "year", "week", "day")
    expected = {"values": model.predict(read_table(table))}
    assert_runs_alike(file, {"day": days.astype(np.int64)}, expected)


def test_a_text_that_training_did_not_have_is_none_of_those_that_it_had(tmp_path: Path) -> None:
    table = {"colour": ["red", "blue"] * 10, "size": np.arange(20.0), "sold": ["no", "yes"] * 10}
    model, file = table_model(table, "sold", tmp_path, 2, SoftmaxCrossentropy())
    new = {"colour": np.array(["red", "green"], dtype=object), "size": np.array([1.0, 2.0])}
    with pytest.warns(UserWarning, match="'green'"):
        chances = model.predict_proba(read_table(new))
    for found in outputs_of(file, new):
        np.testing.assert_allclose(found["probabilities"], chances, rtol=1e-5)


@pytest.mark.parametrize(
    "change",
    [{"size": np.nan}, {"size": np.inf}, {"colour": ""}, {"day": np.datetime64("NaT")}, {"size": 1e300}],
    ids=str,
)
@pytest.mark.parametrize("hidden", [ReLU, ELU, Tanh, Sigmoid])  # some programs lose a NaN in one of them
def test_a_row_that_python_refuses_gives_no_number_and_no_class(
    change: dict[str, Any], hidden: type[Layer], tmp_path: Path
) -> None:
    days = np.datetime64("2024-01-01", "s") + np.arange(20) * np.timedelta64(86400 * 7, "s")
    table = {"colour": ["red", "blue"] * 10, "size": np.arange(20.0), "day": days, "sold": ["no", "yes"] * 10}
    model, file = table_model(table, "sold", tmp_path, 2, SoftmaxCrossentropy(), hidden)
    feed = feed_of(read_table(table), model.preprocessing)
    fine = model.predict_proba(read_table(table))
    (name, value), *_ = change.items()
    feed[name][1] = value.astype("datetime64[s]").astype(np.int64) if name == "day" else value
    for found in outputs_of(file, feed):
        assert np.isnan(found["probabilities"][1]).all() and found["class"][1] == ""
        np.testing.assert_allclose(np.delete(found["probabilities"], 1, 0), np.delete(fine, 1, 0), rtol=1e-5)
        assert {*np.delete(found["class"], 1)} <= {"no", "yes"}


def test_the_network_alone_takes_what_it_reads(tmp_path: Path) -> None:
    model, _ = table_model(the_table(), "answer", tmp_path, 2, SoftmaxCrossentropy(), missing="impute")
    model.export_onnx(tmp_path / "alone.onnx", preprocessing=False, logits=True)
    X = model.preprocessing.transform(read_table(the_table()))
    assert_runs_alike((tmp_path / "alone.onnx").read_bytes(), {"inputs": X}, {"logits": model.logits(X)})


# Estimators


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("labels", [[3, 7, 9], ["a", "b", "c"]], ids=["numbers", "names"])
def test_a_classifier_leaves_with_its_classes(labels: list[Any], members: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), np.array(labels)[rng.integers(0, 3, 60)]
    estimator = ChainruleClassifier((5,), max_iter=3, random_state=0, members=members, early_stopping=False)
    with pytest.warns(ConvergenceWarning):
        estimator.fit(X, y)
    estimator.export_onnx(tmp_path / "model.onnx")
    expected = {"class": estimator.predict(X), "probabilities": estimator.predict_proba(X)}
    assert_runs_alike((tmp_path / "model.onnx").read_bytes(), {"inputs": X}, expected)


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("outputs", [1, 2])
def test_a_regressor_leaves_with_the_unit_of_y(outputs: int, members: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)).astype(np.float32), 1e4 + 500 * rng.normal(size=(60, outputs))
    estimator = ChainruleRegressor((5,), max_iter=3, random_state=0, members=members, early_stopping=False)
    with pytest.warns(ConvergenceWarning):
        estimator.fit(X, y[:, 0] if outputs == 1 else y)
    estimator.export_onnx(tmp_path / "model.onnx")
    expected = {"values": estimator.predict(X).reshape(60, outputs)}
    assert_runs_alike((tmp_path / "model.onnx").read_bytes(), {"inputs": X}, expected)


def test_several_networks_have_no_logits(tmp_path: Path) -> None:
    estimator = ChainruleRegressor((2,), max_iter=1, members=2, early_stopping=False)
    with pytest.warns(ConvergenceWarning):
        estimator.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 3.0])
    with pytest.raises(ConfigurationError, match="no common logits"):
        estimator.export_onnx(tmp_path / "model.onnx", logits=True)


# The shell


def shell(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "chainrule", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_shell_says_what_the_file_takes_and_gives(tmp_path: Path) -> None:
    model, _ = table_model(the_table(), "answer", tmp_path, 2, SoftmaxCrossentropy(), missing="impute")
    model.save(tmp_path / "model.safetensors")
    done = shell("export", "model.safetensors", "--to", "onnx", "--out", "b.onnx", folder=tmp_path)
    assert done.stdout.splitlines() == [
        "Saved b.onnx",
        "  takes  size  float64 (batch): a number; NaN is missing",
        '         colour  text (batch): a text; "" is missing',
        '         code  text (batch): a text; "" is missing',
        "         day  int64 (batch): seconds since 1970; -2**63, NumPy's NaT, is missing",
        "         inputs  float64 (batch): a number; NaN is missing",
        "  gives  class  text (batch): the most likely class, or 1 for yes",
        "         probabilities  float32 (batch, 2): of each class, or of yes",
    ]
    assert (tmp_path / "b.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()


def test_the_shell_answers_mistakes_in_one_line_with_its_own_options(tmp_path: Path) -> None:
    Model([Flatten(), Dense(6, 2)], SoftmaxCrossentropy()).save(tmp_path / "m.safetensors")
    done = shell("export", "m.safetensors", folder=tmp_path)
    assert done.returncode == 2 and done.stderr.strip().endswith("such as --shape 28x28.")
    assert shell("export", "m.safetensors", "--shape", "2x3", folder=tmp_path).returncode == 0
    assert (tmp_path / "m.onnx").is_file()
    for wrong in (["--shape", "2-3"], ["--to", "pickle"], ["--shape", "5"], ["--shape", "6", "--out", "m.safetensors"]):
        done = shell("export", "m.safetensors", *wrong, folder=tmp_path)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr


def test_without_onnx_the_message_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigurationError, match=r'Export to ONNX needs onnx: pip install "chainrule\[onnx\]"'):
        onnx_of(Model([Dense(2, 1)], MeanSquaredError()))
