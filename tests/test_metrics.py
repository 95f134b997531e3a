"""Metrics: against numbers computed by hand and against scikit-learn, and what is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import support  # noqa: F401  (the Hypothesis profile)
from chainrule import metrics
from chainrule.errors import ConfigurationError, DataError, NonFiniteError, ShapeError

# Worked by hand: rows true, columns predicted
#        0 1 2
#    0 [ 2 1 0 ]
#    1 [ 0 3 1 ]
#    2 [ 2 0 0 ]
#    3 never occurs
TARGETS = [0, 0, 0, 1, 1, 1, 1, 2, 2]
PREDICTIONS = [0, 0, 1, 1, 1, 1, 2, 0, 0]
PER_CLASS = {"precision": [2 / 4, 3 / 4, 0 / 1], "recall": [2 / 3, 3 / 4, 0 / 2], "f1": [4 / 7, 6 / 8, 0 / 3]}


@st.composite
def labels(draw: st.DrawFn, kind: str = "integers") -> tuple[Any, Any]:
    """Targets and predictions of 1 to 40 samples of up to 6 classes, not all of which need occur."""
    size = draw(st.integers(1, 40))
    index = arrays.arrays(np.int64, size, elements=st.integers(0, draw(st.integers(0, 5))))
    pair = draw(index), draw(index)
    names = np.array(["ant", "bee", "cat", "dog", "eel", "fox"])
    return (names[pair[0]], names[pair[1]]) if kind == "texts" else pair


@st.composite
def values(draw: st.DrawFn) -> tuple[Any, Any]:
    """Targets and predictions of 2 to 20 samples and 1 to 3 outputs; no column of targets is constant."""
    shape = draw(st.integers(2, 20)), draw(st.integers(1, 3))
    numbers = arrays.arrays(np.float64, shape, elements=st.integers(-1000, 1000).map(lambda n: n / 8))
    targets, predictions = draw(numbers), draw(numbers)
    targets[0] = targets.max(axis=0) + 1
    return targets, predictions


# Classes


def test_accuracy_counts_equal_classes() -> None:
    assert metrics.accuracy(TARGETS, PREDICTIONS) == 5 / 9
    assert metrics.accuracy(["a", "b"], ["a", "a"]) == 0.5


def test_accuracy_takes_one_hot_targets_and_columns() -> None:
    assert metrics.accuracy(np.eye(3)[[0, 1, 2]], [0, 1, 1]) == 2 / 3
    assert metrics.accuracy([[0], [1]], [0, 0]) == 0.5
    assert metrics.accuracy([0, 1], [[0], [0]]) == 0.5


def test_accuracy_counts_several_answers_one_by_one() -> None:
    assert metrics.accuracy([[0, 1], [1, 1]], [[0, 1], [1, 0]]) == 0.75


def test_the_confusion_matrix_has_true_rows_and_predicted_columns() -> None:
    matrix = metrics.confusion_matrix(TARGETS, PREDICTIONS)
    assert matrix.tolist() == [[2, 1, 0], [0, 3, 1], [2, 0, 0]]
    assert matrix.dtype == np.int64


def test_the_confusion_matrix_holds_the_classes_that_are_asked_for_in_their_order() -> None:
    assert metrics.confusion_matrix([1], [1], classes=3).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert metrics.confusion_matrix(["a", "b"], ["b", "b"], classes=["c", "b", "a"]).tolist() == [
        [0, 0, 0],
        [0, 1, 0],
        [0, 1, 0],
    ]
    assert metrics.confusion_matrix([3, 7], [7, 7]).tolist() == [[0, 1], [0, 1]]


def test_objects_as_tables_give_them_are_labels() -> None:
    names = np.array(["no", "yes", "no"], dtype=object)
    assert metrics.confusion_matrix(names, ["no", "no", "no"]).tolist() == [[2, 0], [1, 0]]


def test_one_hot_targets_are_classes_everywhere() -> None:
    one_hot = np.eye(3)[TARGETS]
    assert metrics.confusion_matrix(one_hot, PREDICTIONS).tolist() == [[2, 1, 0], [0, 3, 1], [2, 0, 0]]
    assert metrics.f1(one_hot, PREDICTIONS) == metrics.f1(TARGETS, PREDICTIONS)


@pytest.mark.parametrize("name", PER_CLASS)
def test_precision_recall_and_f1_are_those_worked_by_hand(name: str) -> None:
    function, each = getattr(metrics, name), PER_CLASS[name]
    np.testing.assert_allclose(function(TARGETS, PREDICTIONS, None), each, rtol=1e-15)
    assert function(TARGETS, PREDICTIONS) == pytest.approx(sum(each) / 3, rel=1e-15)
    assert function(TARGETS, PREDICTIONS, "weighted") == pytest.approx((3 * each[0] + 4 * each[1]) / 9, rel=1e-15)
    assert function(TARGETS, PREDICTIONS, "micro") == pytest.approx(5 / 9, rel=1e-15)


@pytest.mark.parametrize("name", PER_CLASS)
def test_a_class_that_never_occurs_counts_as_0(name: str) -> None:
    function = getattr(metrics, name)
    assert function([0, 1], [0, 1], None, classes=3).tolist() == [1, 1, 0]
    assert function([0, 1], [0, 1], classes=3) == pytest.approx(2 / 3)
    assert function([0, 1], [0, 1], "weighted", classes=3) == 1


@pytest.mark.parametrize("kind", ["integers", "texts"])
@given(data=st.data())
def test_the_confusion_matrix_is_that_of_scikit_learn(kind: str, data: st.DataObject) -> None:
    targets, predictions = data.draw(labels(kind))
    every = list(range(6)) if kind == "integers" else ["ant", "bee", "cat", "dog", "eel", "fox"]
    expected = reference.confusion_matrix(targets, predictions, labels=every)
    np.testing.assert_array_equal(metrics.confusion_matrix(targets, predictions, classes=every), expected)
    occur = np.flatnonzero(expected.sum(axis=0) + expected.sum(axis=1))
    np.testing.assert_array_equal(metrics.confusion_matrix(targets, predictions), expected[np.ix_(occur, occur)])


@pytest.mark.parametrize("average", ["macro", "micro", "weighted", None])
@pytest.mark.parametrize("name", PER_CLASS)
@given(pair=labels(), every=st.booleans())
def test_precision_recall_and_f1_are_those_of_scikit_learn(name: str, average: Any, pair: Any, every: bool) -> None:
    oracle: Callable[..., Any] = getattr(reference, f"{name}_score")
    expected = oracle(*pair, average=average, labels=range(6) if every else None, zero_division=0)
    actual = getattr(metrics, name)(*pair, average, classes=6 if every else None)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)
    assert isinstance(actual, np.ndarray if average is None else float)


@given(pair=labels())
def test_accuracy_is_that_of_scikit_learn(pair: Any) -> None:
    assert metrics.accuracy(*pair) == pytest.approx(reference.accuracy_score(*pair), rel=1e-15)


@given(seed=st.integers(0, 1000), samples=st.integers(1, 20), classes=st.integers(3, 6), data=st.data())
def test_top_k_accuracy_is_that_of_scikit_learn(seed: int, samples: int, classes: int, data: st.DataObject) -> None:
    rng, k = np.random.default_rng(seed), data.draw(st.integers(1, classes))
    targets, scores = rng.integers(0, classes, samples), rng.normal(size=(samples, classes))  # no two are equal
    every = np.arange(classes)
    with warnings.catch_warnings(action="ignore"):  # of k = C, where its answer is 1
        expected = reference.top_k_accuracy_score(targets, scores, k=k, labels=every)
    assert metrics.top_k_accuracy(targets, scores, k) == pytest.approx(expected, rel=1e-15)
    assert metrics.top_k_accuracy(np.eye(classes)[targets], scores, k) == metrics.top_k_accuracy(targets, scores, k)


def test_of_equal_probabilities_the_lower_class_comes_first() -> None:
    even = np.full((3, 3), 1 / 3)
    assert [metrics.top_k_accuracy([0, 1, 2], even, k) for k in (1, 2, 3)] == [1 / 3, 2 / 3, 1]
    assert metrics.top_k_accuracy([0, 1, 2], even, 1) == metrics.accuracy([0, 1, 2], even.argmax(axis=1))


# Values


def test_errors_of_values_are_those_worked_by_hand() -> None:
    assert metrics.mean_absolute_error([[1.0, 2.0], [3.0, 4.0]], [[2.0, 2.0], [3.0, 1.0]]) == 1
    assert metrics.root_mean_squared_error([[1.0, 2.0], [3.0, 4.0]], [[2.0, 2.0], [3.0, 7.0]]) == np.sqrt(10 / 4)
    assert metrics.r2([1.0, 2.0, 3.0, 6.0], [1.0, 2.0, 4.0, 4.0]) == 1 - 5 / 14


def test_a_column_pairs_up_with_a_row_of_numbers() -> None:
    for metric in (metrics.mean_absolute_error, metrics.root_mean_squared_error):
        assert metric([1.0, 2.0], [[2.0], [3.0]]) == metric([[1.0], [2.0]], [2.0, 3.0]) == 1


def test_whole_numbers_without_a_sign_do_not_wrap_around() -> None:
    one, two = np.array([1], dtype=np.uint8), np.array([2], dtype=np.uint8)
    assert metrics.mean_absolute_error(one, two) == metrics.root_mean_squared_error(one, two) == 1
    assert metrics.mean_absolute_error([True, False], [False, False]) == 0.5


@given(pair=values())
def test_errors_of_values_are_those_of_scikit_learn(pair: Any) -> None:
    close = {"rel": 1e-12, "abs": 1e-12}
    assert metrics.mean_absolute_error(*pair) == pytest.approx(reference.mean_absolute_error(*pair), **close)
    squared = reference.mean_squared_error(*pair)
    assert metrics.root_mean_squared_error(*pair) == pytest.approx(np.sqrt(squared), **close)
    assert metrics.r2(*pair) == pytest.approx(reference.r2_score(*pair), **close)


def test_r2_of_constant_targets_is_1_where_all_is_exact_and_else_0() -> None:
    assert metrics.r2([2.0, 2.0], [2.0, 2.0]) == 1
    assert metrics.r2([2.0, 2.0], [2.0, 2.1]) == 0
    assert metrics.r2([5.0], [4.0]) == 0
    assert metrics.r2([0.1] * 3, [0.1, 0.1, 0.2]) == 0  # though the mean of three 0.1 is not 0.1
    assert metrics.r2([[1.0, 2.0], [1.0, 4.0]], [[1.0, 2.0], [1.0, 3.0]]) == (1 + 0.5) / 2


def test_r2_of_the_mean_is_0_and_of_worse_is_below_it() -> None:
    assert metrics.r2([1.0, 3.0], [2.0, 2.0]) == 0
    assert metrics.r2([1.0, 3.0], [3.0, 1.0]) == -3


# What is refused

VALUES = (metrics.mean_absolute_error, metrics.root_mean_squared_error, metrics.r2)
CLASSES = (metrics.accuracy, metrics.confusion_matrix, metrics.precision, metrics.recall, metrics.f1)


@pytest.mark.parametrize("metric", CLASSES + VALUES, ids=lambda m: m.__name__)
def test_lengths_that_differ_and_empty_batches_are_refused(metric: Callable[..., Any]) -> None:
    with pytest.raises(ShapeError, match=r"\(2,\) and predictions of shape \(3,\)"):
        metric([1, 2], [1, 2, 3])
    with pytest.raises(DataError, match="no samples"):
        metric([], [])


@pytest.mark.parametrize("metric", CLASSES, ids=lambda m: m.__name__)
def test_probabilities_in_the_place_of_classes_are_refused_with_what_to_write(metric: Callable[..., Any]) -> None:
    with pytest.raises(ShapeError, match=r"write probabilities\.argmax\(axis=1\)"):
        metric([0, 1], [[0.2, 0.8], [0.6, 0.4]])


@pytest.mark.parametrize("metric", CLASSES, ids=lambda m: m.__name__)
def test_texts_are_not_compared_with_numbers(metric: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match=r"class_names\[predictions\]"):
        metric(["0", "1"], [0, 1])


@pytest.mark.parametrize("metric", VALUES, ids=lambda m: m.__name__)
def test_values_that_are_no_numbers_or_do_not_pair_up_are_refused(metric: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match=r"write np\.asarray\(targets, dtype=float\)"):
        metric(["a"], [1.0])
    with pytest.raises(ShapeError):
        metric([[1.0, 2.0], [3.0, 4.0]], [1.0, 2.0])


def test_classes_out_of_what_is_known_are_refused() -> None:
    with pytest.raises(DataError, match=r"predictions\[1\] is 3, which is not among the classes 0, 1, 2"):
        metrics.confusion_matrix([0, 1], [0, 3], classes=3)
    with pytest.raises(DataError, match=r"targets\[0\] is -1"):
        metrics.confusion_matrix([-1, 1], [0, 1], classes=3)
    with pytest.raises(DataError, match=r"targets\[0\] is 'a'"):
        metrics.confusion_matrix(["a"], ["b"], classes=2)
    with pytest.raises(DataError, match="no"):
        metrics.confusion_matrix(["a"], ["b"], classes=["b"])


@pytest.mark.parametrize("classes", [0, -1, True, [], [1, 1], "ab", [[1, 2]]])
def test_classes_that_cannot_be_are_refused(classes: Any) -> None:
    with pytest.raises(ConfigurationError, match="classes must be"):
        metrics.confusion_matrix([0], [0], classes=classes)


def test_labels_that_are_no_classes_are_refused() -> None:
    with pytest.raises(NonFiniteError, match="predictions hold NaN at index 1"):
        metrics.confusion_matrix([0.0, 1.0], [0.0, np.nan])
    with pytest.raises(DataError, match=r"astype\(str\)"):
        metrics.confusion_matrix(np.array([None, 1], dtype=object), [0, 1])
    with pytest.raises(ShapeError, match=r"\(B,\)"):
        metrics.recall([[0, 1], [1, 0]], [[0, 1], [1, 0]])


@pytest.mark.parametrize("average", ["binary", "", 1])
@pytest.mark.parametrize("name", PER_CLASS)
def test_an_unknown_average_is_refused(name: str, average: Any) -> None:
    with pytest.raises(ConfigurationError, match="'macro', 'micro', 'weighted' or None"):
        getattr(metrics, name)([0], [0], average)


def test_top_k_accuracy_refuses_what_cannot_be() -> None:
    p = np.full((2, 3), 1 / 3)
    for k in (0, 4, 1.0, True):
        with pytest.raises(ConfigurationError, match="whole number from 1 to 3"):
            metrics.top_k_accuracy([0, 1], p, k)  # type: ignore[arg-type]
    for wrong in ([0, 3], [-1, 0], [0.0, 1.0], ["a", "b"]):
        with pytest.raises(DataError, match="from 0 to 2"):
            metrics.top_k_accuracy(wrong, p, 1)
    with pytest.raises(ShapeError, match="3 targets but 2 rows"):
        metrics.top_k_accuracy([0, 1, 2], p, 1)
    with pytest.raises(ShapeError, match=r"shape \(B, 3\)"):
        metrics.top_k_accuracy(np.eye(2), p, 1)
    with pytest.raises(ShapeError, match="predict_proba"):
        metrics.top_k_accuracy([0, 1], [0, 1], 1)
    with pytest.raises(NonFiniteError, match="row 1"):
        metrics.top_k_accuracy([0, 1], [[0, 1], [np.nan, 1]], 1)
    with pytest.raises(DataError, match="no samples"):
        metrics.top_k_accuracy([], np.zeros((0, 3)), 1)


# Ranks and probabilities


@st.composite
def ranked(draw: st.DrawFn) -> tuple[Any, Any]:
    """Targets of 2 to 4 classes, each of which occurs, and probabilities (B, C) with ties."""
    classes = draw(st.integers(2, 4))
    size = draw(st.integers(classes, 30))
    y = np.concatenate(
        [np.arange(classes), draw(arrays.arrays(np.int64, size - classes, elements=st.integers(0, classes - 1)))]
    )
    counts = draw(arrays.arrays(np.float64, (size, classes), elements=st.integers(1, 6)))
    return y, counts / counts.sum(axis=1, keepdims=True)


@given(ranked())
def test_auc_and_log_loss_equal_those_of_scikit_learn(pair: tuple[Any, Any]) -> None:
    y, p = pair
    close = {"rel": 1e-12, "abs": 1e-12}
    assert metrics.log_loss(y, p) == pytest.approx(reference.log_loss(y, p), **close)
    assert metrics.log_loss(np.eye(p.shape[1])[y], p) == metrics.log_loss(y, p)
    each = [reference.roc_auc_score(y == k, p[:, k]) for k in range(p.shape[1])]
    np.testing.assert_allclose(metrics.roc_auc(y, p, None), each, rtol=1e-12)
    if p.shape[1] == 2:
        assert metrics.roc_auc(y, p[:, 1]) == pytest.approx(each[1], **close)
        assert metrics.log_loss(y, p[:, 1:]) == pytest.approx(metrics.log_loss(y, p), **close)
    else:
        for average in ("macro", "weighted"):
            expected = reference.roc_auc_score(y, p, multi_class="ovr", average=average)
            assert metrics.roc_auc(y, p, average) == pytest.approx(expected, **close)


@given(labels())
def test_balanced_accuracy_equals_that_of_scikit_learn(pair: tuple[Any, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = reference.balanced_accuracy_score(*pair)
    assert metrics.balanced_accuracy(*pair) == pytest.approx(expected, rel=1e-12)


def test_what_has_no_rank_or_is_no_probability_is_refused() -> None:
    with pytest.raises(DataError, match="AUC: all of the samples are of class 1"):
        metrics.roc_auc([1, 1], [0.2, 0.3])
    with pytest.raises(DataError, match=r"add up to 1 in each row; write model\.predict_proba"):
        metrics.log_loss([0, 1], [[2.0, 1.0], [0.5, 0.5]])
    with pytest.raises(ConfigurationError, match="average must be"):
        metrics.roc_auc([0, 1], [0.2, 0.3], "micro")
    with pytest.raises(NonFiniteError, match="row 1"):
        metrics.roc_auc([0, 1], [0.2, np.nan])


def test_a_model_measures_metrics_by_name_and_functions_of_ones_own(tmp_path: Any) -> None:
    from chainrule import Dense, Model, SoftmaxCrossentropy

    def missed(targets: Any, predictions: Any) -> float:
        return float(np.sum(targets != predictions))

    X = np.random.default_rng(0).normal(size=(60, 3))
    y = (X[:, 0] > 0).astype(int)
    model = Model([Dense(3, 2)], SoftmaxCrossentropy(), metrics=["auc", "log_loss", "balanced_accuracy", missed])
    history = model.fit(X, y, epochs=3, validation_split=0.3, verbose=False)
    assert {"val_roc_auc", "val_log_loss", "val_balanced_accuracy", "val_missed"} <= set(history.names)
    measured = model.evaluate(X, y)
    assert measured["log_loss"] == pytest.approx(measured["loss"], rel=1e-6)
    assert measured["roc_auc"] == metrics.roc_auc(y, model.predict_proba(X))
    assert measured["missed"] == (model.predict(X) != y).sum()
    model.save(tmp_path / "m.safetensors")
    assert set(Model.load(tmp_path / "m.safetensors").evaluate(X, y)) == set(measured) - {"missed"}
    with pytest.raises(ConfigurationError, match="needs a name for its column"):
        Model([Dense(3, 2)], SoftmaxCrossentropy(), metrics=[lambda y, p: 0.0])
