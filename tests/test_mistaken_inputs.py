"""Inputs that used to train on wrong numbers, or to fail half-way: each is refused before the first step, in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import (
    SGD,
    BinaryCrossentropy,
    CSVLogger,
    Dense,
    EarlyStopping,
    LearningRateFinder,
    MeanSquaredError,
    Model,
    ModelCheckpoint,
    ReduceLROnPlateau,
    Sigmoid,
    SigmoidCrossentropy,
    SoftmaxCrossentropy,
    datasets,
    explain,
    loss_and_gradients,
    metrics,
)
from chainrule.errors import ChainruleError, ConfigurationError, DataError, ShapeError, UnknownNameError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(30, 4)), np.arange(30) % 3
YES, VALUES = (Y > 0).astype(int), X[:, :1] * 2
MASK = np.arange(30) == 7
HELD_OUT = np.isin(np.arange(30), np.random.default_rng([0, 2**32]).permutation(30)[:15]) * 1.0  # by validation_split


def classes(**options: Any) -> Model:
    return Model([Dense(4, 3)], SoftmaxCrossentropy(**options), SGD(0.1))


def answers() -> Model:
    return Model([Dense(4, 1)], SigmoidCrossentropy(), SGD(0.1))


def values() -> Model:
    return Model([Dense(4, 1)], MeanSquaredError(), SGD(0.1))


def fit(model: Model, y: Any = Y, **options: Any) -> Any:
    options.setdefault("epochs", 1)
    return model.fit(options.pop("X", X), y, verbose=False, **options)


def at(index: int, value: float) -> np.ndarray[Any, Any]:
    weights = np.ones(30)
    weights[index] = value
    return weights


REFUSED: dict[str, tuple[Callable[[], Any], type[ChainruleError], str]] = {
    # weights
    "class weights that are all zero": (
        lambda: fit(classes(), class_weights={0: 0, 1: 0, 2: 0}), DataError, "all 0 .*nothing counts"
    ),
    "a loss's class weights that are all zero": (
        lambda: classes(class_weights=[0, 0, 0]), ConfigurationError, "class_weights are all 0"
    ),
    "class weights of the classes that occur": (
        lambda: fit(classes(class_weights=[0, 1, 1]), np.zeros(30, int)), DataError, "all 0"
    ),
    "class weights that undo the sample weights": (
        lambda: fit(classes(), class_weights={0: 0, 1: 1, 2: 1}, sample_weights=(Y == 0) * 1.0), DataError, "all 0"
    ),
    "a split that leaves no weight": (
        lambda: fit(answers(), YES, validation_split=0.5, sample_weights=HELD_OUT), DataError, "all 0"
    ),
    "validation data that do not count": (
        lambda: fit(classes(class_weights=[0, 1, 1]), validation_data=(X, np.zeros(30, int))), DataError, "add up to 0"
    ),
    "sample weights of 1e308": (
        lambda: fit(classes(), sample_weights=np.full(30, 1e308)), DataError, "1e\\+308.*divide all by the largest"
    ),
    "sample weights beyond float32": (
        lambda: fit(classes(), sample_weights=at(4, 1e39)), DataError, "entry 4 is 1e\\+39.*weights.max"
    ),
    "sample weights below float32": (
        lambda: classes().evaluate(X, Y, sample_weights=np.full(30, 1e-50)), DataError, "entry 0 is 1e-50"
    ),
    "one number as sample weights": (lambda: fit(classes(), sample_weights=2.0), DataError, "one for each sample"),
    "a class weight of 1e308": (
        lambda: fit(classes(), class_weights=[1, 1e308, 1]), ConfigurationError, "of 1 is 1e\\+308"
    ),
    "class and sample weights whose product is too large": (
        lambda: fit(classes(), class_weights=[1, 1e29, 1], sample_weights=np.full(30, 1e29)), DataError, "1e\\+58"
    ),
    "a class that does not exist": (
        lambda: fit(classes(), class_weights={0: 1, 1: 1, 2: 1, 7: 5}), ConfigurationError,
        "class 7, which does not exist; the 3 classes are 0 to 2",
    ),
    "a class that does not exist for yes or no": (
        lambda: fit(answers(), YES, class_weights={0: 1, 1: 1, 2: 1}), ConfigurationError, "2 classes are 0 to 1"
    ),
    "a negative class": (
        lambda: fit(classes(), class_weights={-1: 1, 0: 1, 1: 1, 2: 1}), ConfigurationError, "class -1, which does not"
    ),
    "a class weight by a name where there are none": (
        lambda: fit(classes(), class_weights={"a": 1}), ConfigurationError, "'a', which does not exist"
    ),
    "too many class weights": (
        lambda: fit(classes(), class_weights=[1, 1, 1, 1]), ConfigurationError, "4 class_weights for 3 classes"
    ),
    "one number as class weights": (lambda: fit(classes(), class_weights=2.0), ConfigurationError, "must be a dict"),
    "a text as a class weight": (
        lambda: fit(classes(), class_weights={0: "1", 1: 1, 2: 1}), ConfigurationError, "that of class 0 is '1'"
    ),
    "class weights of answers in between": (
        lambda: fit(answers(), YES * 0.8 + 0.1, class_weights=[1, 2]), ConfigurationError, "whole classes"
    ),
    "metrics with weights that are all zero": (
        lambda: metrics.accuracy([0, 1], [0, 0], sample_weights=[0, 0]), DataError, "all 0"
    ),
    "metrics with negative weights": (
        lambda: metrics.accuracy([0, 1], [0, 0], sample_weights=[-1, -1]), DataError, "at least 0"
    ),
    "metrics with weights of 1e308": (
        lambda: metrics.mean_absolute_error([0, 1], [0, 0], sample_weights=[1e308, 1e308]), DataError, "1e\\+308"
    ),
    # labels
    "labels below 0": (lambda: fit(classes(), np.full(30, -3)), DataError, r"y\[0\] is -3 .*as in y \+ 3"),
    "a label of -1 for no label": (lambda: fit(classes(), np.where(MASK, -1, Y)), DataError, "np.unique"),
    "years as labels": (lambda: fit(classes(), Y * 10 + 1990), DataError, "Number the classes from 0: .*np.unique"),
    "the largest and the smallest whole number": (
        lambda: fit(classes(), np.where(MASK, 2**63 - 1, -(2**63))), DataError, "np.unique"
    ),
    "labels with fractions": (
        lambda: fit(classes(), Y + 0.5), DataError, r"y\[0\] is 0.5; predict values with .*, or number"
    ),
    "labels with a NaN": (lambda: fit(classes(), np.where(MASK, np.nan, Y)), DataError, r"y\[7\] is nan"),
    "whole labels as floats": (lambda: fit(classes(), Y * 1.0), DataError, r"float64; write y.astype\(int\)"),
    "no columns of labels": (lambda: fit(classes(), np.zeros((30, 0))), ShapeError, "no columns"),
    "no columns of values": (lambda: fit(values(), np.zeros((30, 0))), ShapeError, r"\(30, 0\); reshape y"),
    "values beyond float32": (lambda: values().evaluate(X, VALUES * 1e300), DataError, "large for float32; scale y"),
    "inputs beyond float32": (lambda: values().predict(X * 1e300), DataError, "inf in float32; scale it"),
    # masked arrays
    "masked X": (lambda: fit(classes(), X=np.ma.array(X, mask=X > 2)), DataError, r"X is a masked .*X.filled\(0\)"),
    "masked y": (lambda: fit(classes(), np.ma.array(Y, mask=MASK)), DataError, r"y is a masked array.*\(7,\)"),
    "a list of masked rows": (
        lambda: classes().predict([np.ma.array(row, mask=row > 1) for row in X]), DataError, "X is a masked array"
    ),
    "masked sample weights": (
        lambda: fit(classes(), sample_weights=np.ma.array(np.ones(30), mask=MASK)), DataError, "sample_weights is a"
    ),
    "masked validation data": (
        lambda: fit(classes(), validation_data=(X, np.ma.array(Y, mask=MASK))), DataError, "y is a masked"
    ),
    "masked X in predict": (lambda: classes().predict(np.ma.array(X, mask=X > 2)), DataError, "X is a masked"),
    "masked X in predict_proba": (lambda: classes().predict_proba(np.ma.array(X, mask=X > 2)), DataError, "X is a mas"),
    "masked y in evaluate": (lambda: values().evaluate(X, np.ma.array(VALUES, mask=X[:, :1] > 1)), DataError, "y is a"),
    "masked y in explain": (
        lambda: classes().explain(X, np.ma.array(Y, mask=MASK), "dense_0.weights", (0, 0)), DataError, "y is a masked"
    ),
    "masked y in the function explain": (
        lambda: explain(classes().network, SoftmaxCrossentropy(), X, np.ma.array(Y, mask=MASK), "dense_0.biases", 0),
        DataError, "y is a masked",
    ),
    "masked y in loss_and_gradients": (
        lambda: loss_and_gradients(classes().network, SoftmaxCrossentropy(), classes().parameters, X,
                                   np.ma.array(Y, mask=MASK)), DataError, "y is a masked",
    ),
    "masked targets of a metric": (
        lambda: metrics.accuracy(np.ma.array(Y, mask=MASK), Y), DataError, "targets is a masked"
    ),
    "masked values of a metric": (
        lambda: metrics.r2(VALUES[:, 0], np.ma.array(VALUES[:, 0], mask=MASK)), DataError, "predictions is a masked"
    ),
    "a masked confusion matrix": (
        lambda: metrics.confusion_matrix(np.ma.array(Y, mask=MASK), Y), DataError, "targets is a masked"
    ),
    # callbacks and their like
    "one callback alone": (
        lambda: fit(classes(), callbacks=EarlyStopping()), ConfigurationError, r"write callbacks=\[EarlyStopping"
    ),
    "validation data that are no pair": (lambda: fit(classes(), validation_data=5), ConfigurationError, "a pair"),
    "a folder that is not there": (
        lambda: fit(classes(), callbacks=[ModelCheckpoint("nowhere/best.safetensors", "loss")]), ConfigurationError,
        "no folder nowhere",
    ),
    "a log in a folder that is not there": (
        lambda: fit(classes(), callbacks=[CSVLogger("nowhere/log.csv")]), ConfigurationError, "no folder nowhere"
    ),
    "what is watched in place of the path": (
        lambda: ModelCheckpoint("val_loss"), ConfigurationError, 'ModelCheckpoint\\("best.safetensors", \'val_loss\''
    ),
    "two paths": (lambda: ModelCheckpoint("a", "loss", path="b"), ConfigurationError, "two paths"),
    "what is watched as a number": (lambda: EarlyStopping(5), ConfigurationError, "monitor must be the name"),  # type: ignore[arg-type]
    "a least improvement of NaN": (lambda: EarlyStopping(min_delta=np.nan), ConfigurationError, "min_delta"),
    "a least improvement below 0": (lambda: EarlyStopping(min_delta=-1), ConfigurationError, "min_delta"),
    "a least rate of NaN": (lambda: ReduceLROnPlateau(min_rate=np.nan), ConfigurationError, "min_rate"),
    "a finder up to infinity": (lambda: LearningRateFinder(high=np.inf), ConfigurationError, "low < high"),
    "a finder of half a step": (lambda: LearningRateFinder(steps=20.5), ConfigurationError, "20.5"),  # type: ignore[arg-type]
    "a finder with empty batches": (lambda: LearningRateFinder(batch_size=0), ConfigurationError, "batch_size"),
    "a metric that does not exist": (
        lambda: Model([Dense(4, 3)], SoftmaxCrossentropy(), metrics=["accurracy"]), UnknownNameError, "mean 'accuracy'"
    ),
    "a metric of values for classes": (
        lambda: Model([Dense(4, 3)], SoftmaxCrossentropy(), metrics=["mse"]), UnknownNameError, "mean_squared_error"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused_in_words(name: str) -> None:
    attempt, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message) as caught:
        attempt()
    assert isinstance(caught.value, ChainruleError) and "\n" not in str(caught.value)


def test_a_mask_that_hides_nothing_loses_nothing() -> None:
    plain, masked = classes(), classes()
    fit(plain)
    fit(masked, np.ma.array(Y), X=np.ma.array(X, mask=False), sample_weights=np.ma.array(np.ones(30)))
    np.testing.assert_array_equal(plain.logits(X), masked.logits(X))


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_only_the_ratios_of_weights_count(scale: float) -> None:
    weights = np.linspace(0.0, 1.0, 30)
    one, other = classes(), classes()
    fit(one, sample_weights=weights, epochs=3)
    fit(other, sample_weights=weights * scale, epochs=3)
    np.testing.assert_allclose(one.logits(X), other.logits(X), rtol=1e-4, atol=1e-6)


def test_class_weights_go_by_names_where_the_classes_have_names() -> None:
    named = Model([Dense(4, 3)], SoftmaxCrossentropy(), SGD(0.1), class_names=("a", "b", "c"))
    numbered = classes()
    fit(named, class_weights={"c": 3.0, "a": 1.0, "b": 2.0})
    fit(numbered, class_weights=[1, 2, 3])
    np.testing.assert_array_equal(named.logits(X), numbered.logits(X))
    with pytest.raises(UnknownNameError, match=r"'d'.*Known: 'a', 'b', 'c'"):
        fit(named, class_weights={"d": 1.0})


def test_rows_of_probabilities_count_their_classes_in_proportion() -> None:
    rows = RNG.dirichlet(np.ones(3), size=30)
    inside, outside = classes(class_weights=[1, 2, 3]), classes()
    fit(inside, rows, batch_size=30)
    fit(outside, rows, class_weights=[1, 2, 3], batch_size=30)
    np.testing.assert_allclose(inside.logits(X), outside.logits(X), rtol=1e-5)


def test_the_accuracy_of_answers_in_between_is_that_of_the_answers_they_lean_to() -> None:
    model = Model([Dense(1, 1), Sigmoid()], BinaryCrossentropy(), SGD(0.1))
    model.parameters = {"dense_0.weights": np.array([[10.0]]), "dense_0.biases": np.array([[0.0]])}
    assert model.evaluate([[1.0], [-1.0], [2.0]], [0.9, 0.1, 0.2])["accuracy"] == pytest.approx(2 / 3)


# Names of metrics


def test_the_own_metric_may_be_asked_for_and_others_have_their_usual_names() -> None:
    for names in (["accuracy"], ["acc"], "accuracy", ("Acc", "accuracy")):
        model = Model([Dense(4, 3)], SoftmaxCrossentropy(), metrics=names)
        assert list(model.evaluate(X, Y)) == ["loss", "accuracy"]
    model = Model([Dense(4, 1)], MeanSquaredError(), metrics=["mae", "mse", "rmse", "r2"])
    found = model.evaluate(X, VALUES)
    assert list(found) == ["loss", "mean_absolute_error", "mean_squared_error", "root_mean_squared_error", "r2"]
    assert found["mean_squared_error"] == pytest.approx(found["loss"], rel=1e-5)
    assert found["root_mean_squared_error"] ** 2 == pytest.approx(found["loss"], rel=1e-5)


def test_callbacks_watch_the_usual_names() -> None:
    stopping = EarlyStopping("val_acc", patience=1)
    fit(classes(), epochs=2, validation_data=(X, Y), callbacks=[stopping])
    assert stopping.monitor == "val_accuracy"


def test_model_checkpoint_takes_the_path_first(tmp_path: Path) -> None:
    best, lowest = tmp_path / "best.safetensors", tmp_path / "lowest.safetensors"
    callbacks = [ModelCheckpoint(str(best)), ModelCheckpoint(lowest, "loss")]
    fit(classes(), epochs=2, validation_data=(X, Y), callbacks=callbacks)
    assert [callback.monitor for callback in callbacks] == ["val_loss", "loss"]
    assert Model.load(best).run.epoch and Model.load(lowest).run.epoch == 2


# Names of classes as targets

TABLE = datasets.read_table(
    {"size": X[:, 0].tolist(), "colour": [("red", "blue")[i % 2] for i in range(30)], "kind": ["abc"[y] for y in Y]}
)
NAMES = np.array(list("abc"))[Y]


def prepared(target: str = "kind") -> Model:
    fitted = datasets.Preprocessing.fit(TABLE, target)
    loss = SoftmaxCrossentropy() if fitted.task == "classes" else MeanSquaredError()
    outputs = len(fitted.class_names) or 1
    return Model([Dense(len(fitted.feature_names), outputs)], loss, SGD(0.1), preprocessing=fitted)


@pytest.mark.parametrize("words", [NAMES, NAMES.tolist(), NAMES.astype(object), NAMES.reshape(-1, 1)])
def test_class_names_are_encoded_as_the_preprocessing_encodes_them(words: Any) -> None:
    by_name, by_number = prepared(), prepared()
    fit(by_name, words, X=TABLE, epochs=2, validation_data=(TABLE, words), class_weights={"a": 1, "b": 2, "c": 3})
    fit(by_number, Y, X=TABLE, epochs=2, validation_data=(TABLE, Y), class_weights=[1, 2, 3])
    np.testing.assert_array_equal(by_name.logits(TABLE), by_number.logits(TABLE))
    assert by_name.evaluate(TABLE, words) == by_number.evaluate(TABLE, Y)
    asked = [
        model.explain(TABLE, y, "dense_0.weights", (0, 0)).value for model, y in ((by_name, words), (by_number, Y))
    ]
    assert asked[0] == asked[1]


def test_an_unknown_or_missing_class_name_is_refused_with_its_row_and_the_known_ones() -> None:
    with pytest.raises(DataError, match="'kind' has the unknown class 'z' in row 8; known are 'a', 'b', 'c'"):
        prepared().evaluate(TABLE, np.where(MASK, "z", NAMES))
    with pytest.raises(DataError, match="'kind' has 1 missing values, the first in row 8"):
        prepared().evaluate(TABLE, [None if masked else name for name, masked in zip(NAMES, MASK, strict=True)])


def test_class_names_of_the_model_do_without_a_preprocessing() -> None:
    model = Model([Dense(4, 3)], SoftmaxCrossentropy(), SGD(0.1), class_names=("a", "b", "c"))
    assert model.evaluate(X, NAMES) == model.evaluate(X, Y)
    with pytest.raises(DataError, match="number the classes"):
        classes().evaluate(X, NAMES)


def test_a_data_frames_column_is_encoded_in_its_own_unit() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(TABLE.columns)
    model = prepared("size")
    fit(model, model.preprocessing.encode_target(TABLE), X=TABLE, epochs=2)  # type: ignore[union-attr]
    expected = model.evaluate(TABLE, model.preprocessing.encode_target(TABLE))  # type: ignore[union-attr]
    assert model.evaluate(frame, frame["size"]) == expected
    by_kind = prepared()
    assert by_kind.evaluate(frame, frame["kind"]) == by_kind.evaluate(TABLE, Y)
