"""The columns of a history: their names, and which of them are better when they are higher."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Dense,
    EarlyStopping,
    History,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    ReLU,
    Sequential,
    SigmoidCrossentropy,
    SoftmaxCrossentropy,
    metrics,
    plots,
)
from chainrule.columns import QUANTITIES, Column, measured
from chainrule.training.watching import notes

LOSSES = (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    SigmoidCrossentropy,
    SoftmaxCrossentropy,
)
METRICS = [name for name, known in QUANTITIES.items() if known.result and name != "loss"]


@given(st.sampled_from(list(QUANTITIES)), st.booleans(), st.sampled_from(["", "relu_0", "body.dense_0", "val_x"]))
def test_a_name_taken_apart_and_put_together_is_the_same(quantity: str, validation: bool, node: str) -> None:
    column = Column(quantity, validation, node)
    assert Column.of(column.name) == column


@pytest.mark.parametrize("name", METRICS)
def test_higher_is_better_where_right_predictions_score_higher(name: str) -> None:
    metric = getattr(metrics, name)
    right, wrong = metric([0, 1, 1, 0], [0, 1, 1, 0]), metric([0, 1, 1, 0], [1, 0, 1, 0])
    assert (right > wrong) == QUANTITIES[name].higher_is_better


@pytest.mark.parametrize("loss", LOSSES)
def test_the_metric_of_every_loss_is_known(loss: type) -> None:
    assert loss.metric in METRICS  # type: ignore[attr-defined]


def test_a_node_may_have_any_name_without_being_taken_for_a_metric() -> None:
    """Names are read by their parts, not by words that occur in them."""
    assert not Column.of("gradient_norm.accuracy").known.higher_is_better
    assert EarlyStopping("gradient_norm.f1")._sign == -1.0 and EarlyStopping("val_f1")._sign == 1.0
    assert measured(["gradient_norm.val_loss", "dead.accuracy", "accuracy"]) == ["accuracy"]


def test_dead_units_and_vanishing_gradients_are_told_by_the_name_of_their_node() -> None:
    network = Sequential(("dead", Dense(2, 2)), ("gradient_norm", ReLU()))
    last = {"epoch": 3, "gradient_norm.dead": 0.5, "dead.gradient_norm": 0.75}
    (note,) = notes(History([last]), network)
    assert note.startswith("gradient_norm: 75 % of its units are dead")


def test_a_node_has_a_panel_of_its_own() -> None:
    record = {"epoch": 1, "gradient_norm.a": 0.5, "gradient_norm.b": 0.25, "val_loss": 1.0, "loss": 2.0}
    figure = plots.plot_history(History([record]), ["gradient_norm.a", "gradient_norm.b", "loss", "val_loss"])
    assert [len(axes.lines) for axes in figure.axes] == [1, 1, 2]


@given(st.lists(st.tuples(st.integers(1, 90), st.booleans(), st.booleans()), max_size=5), st.integers(0, 200))
def test_a_history_is_the_same_whether_epochs_come_as_arrays_or_as_lists(
    blocks: list[tuple[int, bool, bool]], epoch: int
) -> None:
    """Of a block: its epochs, whether it is an array, whether it has a number that others may not have."""
    plain, mixed = History(), History()
    for count, as_array, has_more in blocks:
        epochs = range(len(plain) + 1, len(plain) + count + 1)
        columns = {"epoch": list(epochs), "loss": [1 / e for e in epochs]}
        columns |= {"val_loss": [2 / e for e in epochs]} if has_more else {}
        plain.extend(columns)
        mixed.extend({name: np.array(column) for name, column in columns.items()} if as_array else columns)
    assert (len(mixed), mixed.names, dict(mixed.last)) == (len(plain), plain.names, dict(plain.last))
    assert mixed.since(epoch) == plain.since(epoch) and mixed.cut(epoch) == plain.cut(epoch)
    assert all(mixed.curve(name).tolist() == plain[name] for name in plain.names)
    if blocks:
        before = mixed.since(0).records
        kept = mixed.since(0)
        mixed.last["loss"] = 7.0
        assert kept.records == before and mixed["loss"][-1] == 7.0
        assert [type(value) for value in mixed.records[0].values()] == [type(v) for v in plain.records[0].values()]
