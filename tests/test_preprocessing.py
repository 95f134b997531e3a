"""Preprocessing of tables: standardized numbers, one-hot texts, missing values, targets, and its JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import Dense, Ensemble, Model
from chainrule.datasets import Preprocessing, read, read_table
from chainrule.datasets.target import is_classes
from chainrule.errors import ConfigurationError, DataError, FileFormatError, NonFiniteError, UnknownNameError

PEOPLE = {
    "age": [20, 30, 40, 50],
    "city": ["Rome", "Oslo", "Rome", "Bern"],
    "kind": ["b", "a", "b", "a"],
}
GAPS = {"age": [20, None, 40, 90], "city": ["Rome", None, "Oslo", "Oslo"], "kind": ["b", "a", "b", "a"]}


def fitted(columns: Any = None, target: str = "kind", **options: Any) -> Preprocessing:
    return Preprocessing.fit(read_table(PEOPLE if columns is None else columns), target, **options)


def test_numbers_are_standardized_and_texts_one_hot_in_the_order_of_the_table() -> None:
    preprocessing = fitted()
    assert preprocessing.feature_names == ("age", "city=Bern", "city=Oslo", "city=Rome")
    assert (preprocessing.target, preprocessing.task, preprocessing.class_names) == ("kind", "classes", ("a", "b"))
    X = preprocessing.transform(PEOPLE)
    root = 1 / np.sqrt(125)
    expected = [[-15 * root, 0, 0, 1], [-5 * root, 0, 1, 0], [5 * root, 0, 0, 1], [15 * root, 1, 0, 0]]
    assert X.dtype == np.float32
    np.testing.assert_allclose(X, expected, rtol=1e-6)
    np.testing.assert_array_equal(preprocessing.encode_target(PEOPLE), [1, 0, 1, 0])
    assert preprocessing.encode_target(PEOPLE).dtype == np.int64
    assert preprocessing.decode_target([1, 0]).tolist() == ["b", "a"]


def test_numbers_are_learned_from_the_training_rows_alone_and_names_from_all() -> None:
    preprocessing = fitted(rows=np.array([0, 1]))
    assert (preprocessing.columns[0].center, preprocessing.columns[0].scale) == (25.0, 5.0)
    assert "city=Bern" in preprocessing.feature_names
    values = fitted({"x": [1, 2, 3], "y": [0.5, 1.5, 70]}, "y", rows=np.array([0, 1]))
    assert (values.outcome.center, values.outcome.scale) == (1.0, 0.5)
    filled = fitted(
        {"x": [1, 3, 80, None], "t": ["u", "v", "v", "v"], "y": PEOPLE["kind"]},
        "y",
        rows=np.array([0, 1]),
        missing="impute",
    )
    assert [column.fill for column in filled.columns] == [2.0, "u"]


@given(
    st.lists(
        st.lists(st.floats(-1e300, 1e300), min_size=3, max_size=3).filter(
            lambda v: len({float(f"{x:.6g}") for x in v}) > 1
        ),
        min_size=1,
        max_size=4,
    ),
    st.floats(-1e6, 1e6),
)
def test_standardized_columns_have_mean_0_and_deviation_1_and_json_keeps_every_bit(
    columns: list[list[float]], shift: float
) -> None:
    table = read_table({f"c{i}": values for i, values in enumerate(columns)} | {"y": ["a", "b", "a"]})
    preprocessing = Preprocessing.fit(table, "y")
    X = preprocessing.transform(table)
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(X.std(axis=0), 1, rtol=1e-4)
    again = Preprocessing.from_json(preprocessing.to_json())
    assert again == preprocessing
    assert again.to_json() == preprocessing.to_json()
    assert again.transform(table).tobytes() == X.tobytes()


def test_a_constant_column_becomes_zero_even_where_its_mean_is_rounded() -> None:
    table = {"x": [0.1] * 10, "y": ["a", "b"] * 5}
    np.testing.assert_array_equal(fitted(table, "y").transform(table), np.zeros((10, 1)))


def test_without_standardize_numbers_stay_as_they_are() -> None:
    preprocessing = fitted({"x": [1, 2, 3], "y": [0.5, 1.5, 70]}, "y", standardize=False)
    np.testing.assert_array_equal(preprocessing.transform({"x": [7]}), [[7]])
    np.testing.assert_array_equal(preprocessing.encode_target({"y": [7]}), np.array([[7]], dtype=np.float32))


def test_imputed_are_the_median_and_the_most_frequent_text() -> None:
    preprocessing = fitted(GAPS, missing="impute")
    assert [column.fill for column in preprocessing.columns] == [40.0, "Oslo"]
    X = preprocessing.transform(GAPS)
    np.testing.assert_array_equal(X[1], [(40 - 47.5) / np.float32(np.std([20, 40, 40, 90])), 1, 0])
    np.testing.assert_allclose(X[:, 0].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(X[:, 0].std(), 1, rtol=1e-6)
    ties = fitted({"t": ["v", "u", None, None], "y": PEOPLE["kind"]}, "y", missing="impute")
    assert ties.columns[0].fill == "u"


def test_missing_values_are_counted_by_column_in_the_error() -> None:
    with pytest.raises(DataError) as raised:
        fitted(GAPS)
    assert str(raised.value) == (
        "the table has missing values: 1 in 'age', 1 in 'city'; "
        'fit with missing="impute" to fill them, or leave the rows out.'
    )
    with pytest.raises(DataError, match="missing values: 1 in 'city'"):
        fitted().transform({"age": [1.0], "city": [None]})


def test_what_imputes_fills_new_rows_too_whatever_the_type_of_an_empty_column(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("age,city\n,\n40,NA\n")
    np.testing.assert_array_equal(*fitted(GAPS, missing="impute").transform(tmp_path / "new.csv"))


def test_a_category_that_looks_like_a_number_or_a_truth_is_found_again_in_a_file(tmp_path: Path) -> None:
    preprocessing = fitted({"code": ["01", "true", "x"], "y": ["1.0", "NO", "yes"]}, "y")
    (tmp_path / "new.csv").write_text("code,y\n01,1.0\n01,1.0\n")
    np.testing.assert_array_equal(preprocessing.transform(tmp_path / "new.csv"), [[1, 0, 0]] * 2)
    np.testing.assert_array_equal(preprocessing.encode_target(tmp_path / "new.csv"), [0, 0])
    numbers = fitted({"x": [1, 2, 3, 4], "y": [3, 10, 3, 10]}, "y")
    assert numbers.class_names == ("3", "10")
    (tmp_path / "numbers.csv").write_text("x,y\n1,10.0\n1,3\n")
    np.testing.assert_array_equal(numbers.encode_target(tmp_path / "numbers.csv"), [1, 0])


def test_transform_takes_columns_in_any_order_with_or_without_the_target_and_no_rows() -> None:
    preprocessing = fitted()
    turned = {name: PEOPLE[name] for name in reversed(PEOPLE)}
    np.testing.assert_array_equal(preprocessing.transform(turned), preprocessing.transform(PEOPLE))
    assert preprocessing.transform({"age": [], "city": []}).shape == (0, 4)


@pytest.mark.parametrize(
    ("new", "error", "message"),
    [
        ({"age": [1]}, UnknownNameError, "There is no column of the table named 'city'. Known: 'age'."),
        (
            {"age": [1], "city": ["Rome"], "town": ["x"]},
            UnknownNameError,
            "There is no column in this preprocessing named 'town'. Known: 'age', 'city', 'kind'.",
        ),
        (
            {"age": [None, "old"], "city": ["Rome", "Rome"]},
            DataError,
            "the table has missing values: 1 in 'age'",
        ),
        (
            {"age": ["old"], "city": ["Rome"]},
            DataError,
            "the table: the column 'age' holds text where numbers belong: 'old' in row 1.",
        ),
        (
            {"age": [1, np.inf], "city": ["Rome", "Rome"]},
            NonFiniteError,
            "the table: the column 'age' holds inf in row 2; write a finite number or leave it empty.",
        ),
        ({"age": [1e300], "city": ["Rome"]}, NonFiniteError, "the table, row 1: 'age' is too large for float32."),
    ],
)
def test_a_new_table_that_does_not_fit_says_where(new: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        fitted().transform(new)
    assert message in str(raised.value)


def test_a_new_target_that_does_not_fit_says_where() -> None:
    with pytest.raises(DataError, match="target column 'kind' has the unknown class 'c' in row 2; known are 'a', 'b'"):
        fitted().encode_target({"kind": ["a", "c"]})
    with pytest.raises(DataError, match="target column 'kind' has 1 missing values, the first in row 2"):
        fitted().encode_target({"kind": ["a", None]})
    with pytest.raises(UnknownNameError, match="no column of the table named 'kind'"):
        fitted().encode_target({"age": [1]})
    with pytest.raises(DataError, match="numbered from 0 to 1, not from 0 to 2"):
        fitted().decode_target([0, 2])
    with pytest.raises(DataError, match="whole numbers of shape"):
        fitted().decode_target([[0.5, 0.5]])
    with pytest.raises(DataError, match="target column 'y' holds a number too large for float32"):
        fitted({"x": [1, 2], "y": [0.5, 1.5]}, "y").encode_target({"y": [1e300]})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", "b"], True),
        ([0, 1], True),
        ([True, False, True], True),
        ([1, 2, 3], False),
        ([1, 2, 3] * 10, True),
        ([1, 2, 3] * 9 + [1, 2], False),
        ([*range(20)] * 10, True),
        ([*range(21)] * 10, False),
        ([0.5, 1.0] * 50, False),
    ],
)
def test_text_and_few_whole_numbers_are_classes(values: list[Any], expected: bool) -> None:
    table = read_table({"x": list(range(len(values))), "y": values})
    assert is_classes(table["y"]) is expected
    assert Preprocessing.fit(table, "y").task == ("classes" if expected else "values")


def test_the_task_can_be_said() -> None:
    assert fitted({"x": [1, 2, 3], "y": [0.5, 2, 2]}, "y", task="classes").class_names == ("0.5", "2")
    assert fitted({"x": [1, 2, 3, 4], "y": [0, 1, 0, 1]}, "y", task="values").class_names == ()


@pytest.mark.parametrize(
    ("columns", "options", "error", "message"),
    [
        ({}, {"target": "sort"}, UnknownNameError, "no column of the table named 'sort'"),
        ({}, {"drop": ["town"]}, UnknownNameError, "no column of the table named 'town'"),
        ({}, {"drop": "age"}, ConfigurationError, "drop takes a list of names; write drop=['age']."),
        ({}, {"drop": ["kind"]}, ConfigurationError, "The target 'kind' is among the dropped columns."),
        ({}, {"drop": ["age", "city"]}, DataError, "no column to learn from besides the target 'kind'"),
        ({}, {"missing": "drop"}, ConfigurationError, 'missing must be "error" or "impute", not \'drop\'.'),
        ({}, {"task": "class"}, ConfigurationError, 'task must be "classes" or "values", not \'class\'.'),
        ({"kind": ["a"] * 4}, {}, DataError, "the target column 'kind' has one class only, 'a'."),
        ({"kind": [3] * 4}, {}, DataError, "the target column 'kind' has one class only, '3'."),
        ({"kind": [0.5] * 4}, {}, DataError, "the target column 'kind' has one value only, 0.5."),
        ({"kind": ["a", None, "b", None]}, {}, DataError, "'kind' has 2 missing values, the first in row 2; leave"),
        ({}, {"task": "values"}, DataError, "'kind' holds text where numbers belong: 'b' in row 1."),
        ({"age": [1, 2, 3, -np.inf]}, {}, NonFiniteError, "the column 'age' holds -inf in row 4"),
        ({"age": [1.7e308, 1.7e308, 1, 2]}, {}, DataError, "the column 'age' cannot be standardized in float64"),
        ({"age": [None] * 4}, {"missing": "impute"}, DataError, "'age' has no value in the training part; add drop=["),
        ({"city": [None] * 4}, {"missing": "impute"}, DataError, "'city' has no value in the training part"),
        (
            {"city": ["Rome", None, None, None]},
            {"missing": "impute", "rows": np.array([1, 2])},
            DataError,
            "'city' has no value in the training part",
        ),
    ],
)
def test_a_table_that_cannot_be_learned_from_says_why(
    columns: Any, options: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        fitted(PEOPLE | columns, **options)
    assert message in str(raised.value)


def test_a_column_of_names_is_refused_with_the_way_out() -> None:
    names = [f"person {i}" for i in range(30)]
    with pytest.raises(DataError, match=r"'who' holds 30 different texts in 30 rows.*; add drop=\[\"who\"\]\."):
        fitted({"who": names, "x": list(range(30)), "y": [0, 1] * 15}, "y")
    with pytest.raises(DataError, match=r"'who' holds 30 different texts in 30 rows; choose another with target="):
        fitted({"x": list(range(30)), "who": names}, "who")


def test_dropped_columns_may_stand_in_new_tables() -> None:
    preprocessing = fitted(drop=["age"])
    assert preprocessing.feature_names == ("city=Bern", "city=Oslo", "city=Rome")
    assert preprocessing.transform(PEOPLE).shape == (4, 3)
    assert Preprocessing.from_json(preprocessing.to_json()).transform(PEOPLE).shape == (4, 3)


def test_values_come_back_in_their_own_unit() -> None:
    table = {"x": [1, 2, 3], "y": [100.0, 150.5, 170.25]}
    preprocessing = fitted(table, "y")
    y = preprocessing.encode_target(table)
    assert (y.shape, y.dtype) == ((3, 1), np.float32)
    np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=1e-6)
    np.testing.assert_allclose(preprocessing.decode_target(y).ravel(), table["y"], rtol=1e-6)


def test_a_model_answers_a_table_in_its_own_words_and_an_array_as_it_was_trained() -> None:
    table = {"x": [1.0, 2.0, 3.0], "y": [100.0, 150.5, 170.25]}
    model = Model([Dense(1, 1)], "mean_squared_error", preprocessing=fitted(table, "y"))
    model.parameters = {"dense_0.weights": [[0.0]], "dense_0.biases": [[1.0]]}  # one standard deviation above the mean
    array = model.predict(model.inputs(table))
    np.testing.assert_array_equal(array, np.ones((3, 1)))
    in_unit = np.full((3, 1), np.mean(table["y"]) + np.std(table["y"]))
    np.testing.assert_allclose(model.predict(table), in_unit, rtol=1e-6)
    np.testing.assert_allclose(Ensemble.of([model, model]).predict(table), in_unit, rtol=1e-6)
    people = fitted()
    model = Model(
        [Dense(len(people.feature_names), len(people.class_names))], "softmax_crossentropy", preprocessing=people
    )
    assert {*model.predict(PEOPLE)} <= {*people.class_names}
    assert model.predict(people.transform(PEOPLE)).dtype == np.int64


# JSON: whatever is not exactly what `to_json` writes is refused.

CHANGES: dict[str, Any] = {
    "another format": (lambda j: j.update(format="chainrule preprocessing 4"), "its format is 'chainrule prep"),
    "a key too many": (lambda j: j.update(extra=1), "the whole must have the keys"),
    "a key too few": (lambda j: j.pop("ignored"), "the whole must have the keys"),
    "a column's key too many": (lambda j: j["columns"][0].update(code="print()"), "columns[0] must have the keys"),
    "a column that is no object": (
        lambda j: j["columns"].append(3),
        "columns[2] must be Numeric or Categorical or Date, not 3",
    ),
    "no columns": (lambda j: j.update(columns=[]), "There is no column besides the target"),
    "a text for a number": (
        lambda j: j["columns"][0].update(center="1"),
        "columns[0].center must be a number, not '1'",
    ),
    "a truth for a number": (
        lambda j: j["columns"][0].update(scale=True),
        "columns[0].scale must be a number, not True",
    ),
    "a scale of zero": (lambda j: j["columns"][0].update(scale=0.0), "a positive scale"),
    "a scale that is not finite": (lambda j: j["columns"][0].update(scale=1e400), "is not a number of JSON"),
    "a fill where nothing is imputed": (lambda j: j["columns"][0].update(fill=1.0), "has fill=1.0, missing='error'"),
    "categories out of order": (lambda j: j["columns"][1]["categories"].reverse(), "needs sorted, different"),
    "a category twice": (lambda j: j["columns"][1]["categories"].insert(0, "Bern"), "needs sorted, different"),
    "a category that is a number": (
        lambda j: j["columns"][1].update(categories=[1]),
        "columns[1].categories[0] must be a text, not 1",
    ),
    "no categories": (lambda j: j["columns"][1].update(categories=[]), "needs categories"),
    "an unknown fill": (lambda j: j["columns"][1].update(fill="Paris"), "with 'Paris' among them"),
    "a column twice": (lambda j: j["columns"].append(j["columns"][0]), "need different, non-empty names"),
    "a column that is the target": (lambda j: j["columns"][0].update(name="kind"), "need different"),
    "an unknown task": (lambda j: j["outcome"].update(task="both"), 'task must be "classes" or "values"'),
    "one class": (lambda j: j["outcome"].update(class_names=["a"]), "has 1 class names; classes need two"),
    "a class twice": (lambda j: j["outcome"].update(class_names=["a", "a"]), "needs different, non-empty class names"),
    "values with classes": (lambda j: j["outcome"].update(task="values"), "has 2 class names"),
    "classes with a scale": (lambda j: j["outcome"].update(scale=2.0), "cannot have center=0.0 and scale=2.0"),
    "an unknown way with missing values": (
        lambda j: j.update(missing="drop"),
        "missing must be 'error' or 'impute', not 'drop'",
    ),
    "ignored that are no names": (lambda j: j.update(ignored=[3]), "ignored[0] must be a text, not 3"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_json_that_was_altered_is_refused(change: str) -> None:
    alter, message = CHANGES[change]
    read = json.loads(fitted().to_json())
    alter(read)
    with pytest.raises(FileFormatError) as raised:
        Preprocessing.from_json(json.dumps(read))
    assert str(raised.value).startswith("This is not the JSON of a preprocessing: ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{", "3", '{"format": "chainrule preprocessing 1"}', '{"a": NaN}', "[" * 100_000]
)
def test_text_that_is_no_such_json_is_refused(text: str) -> None:
    with pytest.raises(FileFormatError, match="This is not the JSON of a preprocessing"):
        Preprocessing.from_json(text)


def test_json_with_a_key_twice_is_refused() -> None:
    text = fitted().to_json()
    with pytest.raises(FileFormatError, match="a key stands twice"):
        Preprocessing.from_json(text.replace('"missing": "error"', '"missing": "impute", "missing": "error"'))


# read: the whole way from a table to a data set


def grades(rows: int = 50) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {
        "hours": rng.uniform(0, 10, rows).tolist(),
        "school": rng.choice(["north", "south"], rows).tolist(),
        "grade": (["A"] * (rows // 2) + ["B"] * (rows - rows // 2 - 3) + ["C"] * 2 + ["D"]),
    }


def test_read_holds_out_a_part_of_every_class_that_has_two_samples() -> None:
    data = read(grades(), target="grade")
    assert data.class_names == ("A", "B", "C", "D")
    assert np.bincount(data.y_test, minlength=4).tolist() == [5, 4, 1, 0]
    assert np.bincount(data.y_train, minlength=4).tolist() == [20, 18, 1, 1]
    assert data.preprocessing is not None
    np.testing.assert_allclose(data.X_train[:, 0].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(data.X_train[:, 0].std(), 1, rtol=1e-6)
    assert abs(data.X_test[:, 0].mean()) > 1e-3


def test_read_puts_every_row_on_one_side_and_by_the_seed_alone() -> None:
    table = grades() | {"hours": list(range(50))}
    one, same, other = (read(table, standardize=False, seed=seed, test=0.3) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.X_test, same.X_test)
    assert one.X_test[:, 0].tolist() != other.X_test[:, 0].tolist()
    assert sorted([*one.X_train[:, 0], *one.X_test[:, 0]]) == list(range(50))
    assert len(one.X_test) == 15


@given(st.lists(st.integers(2, 30), min_size=2, max_size=6), st.floats(0.05, 0.95), st.integers(0, 100))
def test_the_split_is_balanced_to_one_sample_of_each_class(counts: list[int], test: float, seed: int) -> None:
    labels = [f"class {c}" for c, count in enumerate(counts) for _ in range(count)]
    data = read({"x": list(range(len(labels))), "y": labels}, test=test, seed=seed, standardize=False)
    for c, count in enumerate(counts):
        held_out = int((data.y_test == c).sum())
        assert abs(held_out - count * test) <= 1
        assert 1 <= held_out < count
    assert sorted([*data.X_train[:, 0], *data.X_test[:, 0]]) == list(range(len(labels)))


def test_values_are_held_out_evenly_over_their_range() -> None:
    values = np.random.default_rng(0).permutation(100) + 0.5
    data = read({"x": list(range(100)), "y": values.tolist()}, standardize=False)
    assert data.task == "values"
    assert np.histogram(data.y_test, bins=10, range=(0, 100))[0].tolist() == [2] * 10


def test_the_target_is_the_last_column_unless_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "grades.2024.csv"
    table = grades()
    path.write_text(
        "\n".join([",".join(table), *(",".join(map(str, row)) for row in zip(*table.values(), strict=True))])
    )
    data = read(path)
    assert data.title == "grades.2024.csv, target column 'grade' (the last)"
    assert repr(data) == "Dataset('grades': 40 samples to train on, 10 held out, 3 features, 4 classes of 'grade')"
    assert (data.source, data.licence) == (str(path), "not stated")
    assert read(path, drop=["grade"]).class_names == ("north", "south")
    named = read(path, target="hours", drop=["grade"])
    assert named.title == "grades.2024.csv, target column 'hours'"
    assert (named.task, named.feature_names) == ("values", ("school=north", "school=south"))


def test_the_task_that_was_said_holds_for_the_split_and_for_the_target() -> None:
    table = {"x": list(range(12)), "y": [1, 2, 3] * 4}
    data = read(table, task="classes", test=0.25)
    assert data.class_names == ("1", "2", "3")
    assert np.bincount(data.y_test).tolist() == [1, 1, 1]
    assert read(table, test=0.25).task == "values"


def test_numbers_named_in_text_become_categories() -> None:
    data = read({"class": [1, 2, 3, 1], "y": ["a", "b", "a", "b"]}, text=["class"])
    assert data.feature_names == ("class=1", "class=2", "class=3")


@pytest.mark.parametrize(
    ("columns", "options", "error", "message"),
    [
        ({}, {"target": "grades"}, UnknownNameError, "named 'grades'. Did you mean 'grade'?"),
        ({}, {"text": ["scool"]}, UnknownNameError, "named 'scool'. Did you mean 'school'?"),
        ({}, {"text": "school"}, ConfigurationError, "text takes a list of names; write text=['school']."),
        ({}, {"drop": "school"}, ConfigurationError, "drop takes a list of names; write drop=['school']."),
        ({}, {"test": 0}, ConfigurationError, "test is the part to hold out, between 0 and 1, not 0."),
        ({}, {"test": 1.0}, ConfigurationError, "between 0 and 1, not 1.0."),
        ({}, {"seed": -1}, ConfigurationError, "seed must be a whole number from 0 up, not -1."),
        ({"hours": [None, *[1.0, 2.0] * 24, 1.0]}, {}, DataError, "the table has missing values: 1 in 'hours'"),
        ({"hours": [None] * 50, "school": ["x"] * 50}, {}, DataError, "'hours' has no value, 'school' has one value"),
    ],
)
def test_what_read_cannot_do_says_why(columns: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        read(grades() | columns, **options)
    assert message in str(raised.value)


@pytest.mark.parametrize("rows", [{"x": [1], "y": ["a"]}, {"x": [], "y": []}, {"x": [1, 2], "y": ["a", "b"]}])
def test_too_few_rows_to_hold_any_out_says_so(rows: Any) -> None:
    with pytest.raises(DataError, match="the table has too few rows to hold any out"):
        read(rows)


def test_what_was_read_is_transformed_alike_after_json(tmp_path: Path) -> None:
    data = read(grades() | {"hours": [None, *grades()["hours"][1:]]}, missing="impute")
    assert data.preprocessing is not None
    again = Preprocessing.from_json(data.preprocessing.to_json())
    new = {"hours": [1.0, None], "school": [None, "south"]}
    assert again.transform(new).tobytes() == data.preprocessing.transform(new).tobytes()


# Tables as they come


def test_a_category_that_training_did_not_have_is_none_of_those_that_it_had_and_spoils_no_other_row() -> None:
    new = {"age": [20, 20, 20], "city": ["Rome", "Roma", "Oslo"]}
    with pytest.warns(
        UserWarning, match=r"'city': 1 row has a category that training did not have \('Roma' in row 2\)"
    ):
        X = fitted().transform(new)
    np.testing.assert_array_equal(X[:, 1:], [[0, 0, 1], [0, 0, 0], [0, 1, 0]])


def test_of_many_texts_the_frequent_have_an_input_and_the_others_share_one() -> None:
    common = [f"common {i % 3}" for i in range(600)]
    rare = [f"rare {i}" for i in range(200)]
    data = read({"x": list(range(800)), "town": common + rare, "y": ["a", "b"] * 400})
    assert data.feature_names == ("x", "town=common 0", "town=common 1", "town=common 2", "town=(other)")
    assert any(
        "town: the 3 most frequent of 203 texts have an input each, the other 200 share one" in n for n in data.notes
    )
    assert data.preprocessing is not None
    np.testing.assert_array_equal(data.preprocessing.transform({"x": [0], "town": ["new"]})[0, 1:], [0, 0, 0, 1])


def test_columns_that_nothing_can_be_learned_from_are_left_out_in_one_line() -> None:
    rows = 60
    table = {
        "site": ["hall"] * rows,
        "drift": [None] * rows,
        "who": [f"person {i}" for i in range(rows)],
        "x": list(range(rows)),
        "y": ["a", "b"] * 30,
    }
    data = read(table)
    assert data.feature_names == ("x",)
    assert data.notes == ("left out: site (one value), drift (no value), who (60 different texts in 60 rows)",)
    assert data.preprocessing is not None and data.preprocessing.ignored == ("site", "drift", "who")


@pytest.mark.parametrize(
    ("name", "out"), [("id", True), ("patient_id", True), ("userID", True), ("grid", False), ("year", False)]
)
def test_a_column_that_numbers_the_rows_is_left_out_by_its_name(name: str, out: bool) -> None:
    columns = {name: np.arange(40.0) + 100, "x": np.arange(40.0) % 7, "y": np.arange(40.0) % 5}
    data = read(columns, target="y")
    assert (name not in data.feature_names) == out == (f"left out: {name} (numbers the rows)" in data.notes)


def test_what_stands_for_missing_cells_is_said() -> None:
    columns = {"x": [1.0, None, 3.0, 4.0] * 10, "city": ["Rome", "Bern", None, "Rome"] * 10, "y": np.arange(40.0)}
    notes = read(columns, target="y", missing="impute").notes
    assert "missing cells filled in: x (10: 3, the median), city (10: 'Rome', the most frequent)" in notes


def test_dates_become_a_trend_and_the_places_in_year_and_week(tmp_path: Path) -> None:
    days = np.arange("2023-01-01", "2024-01-01", dtype="datetime64[D]")
    (tmp_path / "d.csv").write_text("day,n,y\n" + "".join(f"{d},{i % 5},{i}.5\n" for i, d in enumerate(days)))
    data = read(tmp_path / "d.csv", target="y")
    assert data.feature_names[:4] == ("day, days", "day, sine of the year", "day, cosine of the year", "day=Mon")
    assert data.preprocessing is not None
    again = Preprocessing.from_json(data.preprocessing.to_json())
    assert again == data.preprocessing
    (tmp_path / "new.csv").write_text("day,n\n2023-01-02,0\n")  # a Monday, one day into the year
    X = again.transform(tmp_path / "new.csv")[0]
    np.testing.assert_allclose(X[1:3], [np.sin(2 * np.pi / 365.25), np.cos(2 * np.pi / 365.25)], rtol=1e-6)
    assert X[3:10].tolist() == [1, 0, 0, 0, 0, 0, 0]
    np.testing.assert_array_equal(again.transform({"day": np.array(["2023-01-02"], dtype="M8[D]"), "n": [0]})[0], X)


def test_a_later_file_is_read_as_the_first_one_was(tmp_path: Path) -> None:
    first = "".join(f"1.{i:03d},5;{i % 28 + 1:02d}/{i % 12 + 1:02d}/2023;{'ab'[i % 2]}\n" for i in range(40))
    (tmp_path / "a.csv").write_text("v;d;y\n" + first)
    preprocessing = Preprocessing.fit(read_table(tmp_path / "a.csv"), "y", standardize=False)
    (tmp_path / "b.csv").write_text("v;d\n1.060;03/04/2023\n")
    X = preprocessing.transform(tmp_path / "b.csv")[0]
    assert X[0] == 1060.0
    assert X[1] == (np.datetime64("2023-04-03") - np.datetime64("1970-01-01")).astype(int)


def test_targets_of_yes_and_no_keep_their_names_in_any_spelling(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,leak\n" + "".join(f"{i},{('Yes', ' no', 'YES', 'no ', 'yes')[i % 5]}\n" for i in range(50)))
    data = read(path)
    assert data.class_names == ("no", "yes")
    assert data.preprocessing is not None
    path.write_text("x,leak\n1,TRUE\n2,n\n")
    assert data.preprocessing.encode_target(path).tolist() == [1, 0]


def test_several_targets_are_values_side_by_side_each_in_its_unit() -> None:
    table = {"x": list(range(40)), "a": [10.5 * i for i in range(40)], "b": [0.25 * i for i in range(40)]}
    data = read(table, target="a,b")
    assert data.y_train.shape == (32, 2)
    assert data.preprocessing is not None and data.preprocessing.targets == ("a", "b")
    again = Preprocessing.from_json(data.preprocessing.to_json())
    np.testing.assert_allclose(
        again.decode_target(data.y_test)[:, 0] / again.decode_target(data.y_test)[:, 1], 42, rtol=1e-3
    )
    with pytest.raises(ConfigurationError, match=r"'k' has classes; train a model for each, leaving .* drop=\[\"k\"\]"):
        read(table | {"k": ["u", "v"] * 20}, target=["a", "k"])


def test_without_a_header_a_new_file_may_lack_the_target_at_the_end_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("".join(f"{i % 9}.5,{i % 7}.25,{'uv'[i % 2]}\n" for i in range(40)))
    data = read(tmp_path / "a.csv", standardize=False)
    assert data.feature_names == ("column_1", "column_2") and len(data.X_train) + len(data.X_test) == 40
    assert data.preprocessing is not None
    (tmp_path / "new.csv").write_text("3.5,4.5\n")
    np.testing.assert_array_equal(data.preprocessing.transform(tmp_path / "new.csv"), [[3.5, 4.5]])
    first = read(tmp_path / "a.csv", target="column_1", standardize=False, drop=["column_3"])
    assert first.preprocessing is not None
    with pytest.raises(DataError, match=r"new\.csv has 2 columns and no header; the model was trained on 3"):
        first.preprocessing.transform(tmp_path / "new.csv")


def test_counts_and_rare_classes_are_said_with_the_way_to_choose() -> None:
    counts = read({"x": list(range(200)), "stops": [i % 9 for i in range(200)]})
    assert counts.notes[0].startswith("stops: 9 whole numbers from 0 to 8 are taken as classes; where")
    assert 'pass task="values"' in counts.notes[0]
    rare = read({"x": list(range(200)), "fault": ["yes"] * 5 + ["no"] * 195})
    assert any("always guessing 'no' is right in 97.5%" in note and "class_weights" in note for note in rare.notes)


def test_infinite_values_are_refused_with_their_rows_or_count_as_missing() -> None:
    table = {"x": [1.0, np.inf, 2.0, -np.inf, np.inf, *range(15)], "y": ["a", "b"] * 10}
    with pytest.raises(NonFiniteError, match=r"holds inf in row 2 and -inf in row 4 \(3 infinite values in all\)"):
        read(table)
    assert "x: 3 infinite values count as missing" in read(table, missing="impute").notes
