"""explain where numbers cancel, clip, vanish or are not there: no false alarm, and no fault that hides behind one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import (
    L1,
    Adam,
    Add,
    BatchNorm,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Dense,
    Explanation,
    Graph,
    Layer,
    LayerNorm,
    Loss,
    MeanSquaredError,
    Model,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCrossentropy,
    Tanh,
    draw,
    explain,
)
from chainrule.errors import DataError, NonFiniteError, UnknownNameError

X = np.random.default_rng(0).normal(size=(6, 3))
Y = np.array([0, 1, 1, 0, 1, 0])


def ask(network: Any, loss: Loss, name: str = "dense_0.weights", index: Any = (0, 0), **options: Any) -> Explanation:
    own = {"parameters": network.initial_parameters(0), "state": network.initial_state(), "points": 0}
    return explain(network, loss, options.pop("X", X), options.pop("y", Y), name, index, **(own | options))


def clipped(layer: Layer | None = None) -> dict[str, Any]:
    """A softmax so sure of the wrong class that cross-entropy clips its probability in some samples."""
    network = Sequential(Dense(3, 2), *([] if layer is None else [layer]), Softmax())
    parameters = network.initial_parameters(0)
    parameters["dense_0.weights"] = parameters["dense_0.weights"] * 30
    return {"network": network, "loss": CategoricalCrossentropy(), "parameters": parameters}


class Doubled(Layer):
    """A backward pass that is wrong by a factor of 2."""

    def pure_forward(self, xp, inputs):
        return inputs

    def pure_backward(self, xp, dvalues):
        return dict(dinputs=2 * dvalues)


class NotFinite(Doubled):
    def pure_backward(self, xp, dvalues):
        return dict(dinputs=dvalues * np.nan)


def test_a_bias_before_a_normalization_has_no_gradient_and_no_witness_objects() -> None:
    for normalization in (BatchNorm(4), LayerNorm(4)):
        network = Sequential(Dense(3, 4), normalization, Tanh(), Dense(4, 2))
        for neuron in range(4):
            one = ask(network, SoftmaxCrossentropy(), "dense_0.biases", neuron, training=True)
            assert one.agrees, one.witnesses
            if normalization.mixes_samples:
                assert abs(one.value) < 1e-15


def test_samples_that_are_all_equal_cancel_and_are_explained() -> None:
    network = Sequential(Dense(3, 4), BatchNorm(4), LayerNorm(4), Dense(4, 2))
    one = ask(network, SoftmaxCrossentropy(), X=np.full((6, 3), 30.0), training=True)
    assert one.agrees, one.witnesses


def test_an_absolute_penalty_at_zero_contradicts_nothing() -> None:
    network = Sequential(Dense(3, 2, penalties={"biases": L1(0.1)}))
    one = ask(network, SoftmaxCrossentropy(), "dense_0.biases", 0)
    assert one.current == 0 and one.value != 0
    assert one.agrees and one.witnesses[3].agrees


def test_a_clipped_probability_is_said_and_is_no_contradiction() -> None:
    case = clipped()
    one = ask(**case)
    assert [w.agrees for w in one.witnesses] == [True, True, None, None]
    assert "clipped prediction" in one.witnesses[2].note and "clipped prediction" in one.to_text(full=True)


def test_a_wrong_backward_does_not_hide_behind_a_clipped_probability() -> None:
    case = clipped(Doubled())
    one = ask(**case)
    assert [w.agrees for w in one.witnesses] == [True, True, False, False]


def test_a_prediction_clipped_at_one_is_printed() -> None:
    """1 - 0.9999999 is no division by 0, however few digits the other numbers need."""
    network = Sequential(Dense(1, 1), Sigmoid())
    parameters = {"dense_0.weights": np.array([[40.0]]), "dense_0.biases": np.array([[0.0]])}
    rows = {"X": [[1.0], [-1.0]], "y": [[0.0], [0.0]]}
    one = ask(network, BinaryCrossentropy(), "sigmoid_0", (0, 0), parameters=parameters, **rows)
    assert "0.9999999" in str(one) and one.to_html() and one.to_latex()


def test_one_sample_keeps_its_weight() -> None:
    network, weights = Sequential(Dense(3, 2)), np.array([1.0, 1.0, 1.0, 5.0, 1.0, 0.0])
    for reduction, factor in (("sum", 5.0), ("mean", 1.0)):
        loss = SoftmaxCrossentropy(reduction=reduction)
        heavy = ask(network, loss, sample=3, sample_weights=weights)
        assert heavy.value == pytest.approx(factor * ask(network, loss, sample=3).value, rel=1e-12)
        assert heavy.agrees
    with pytest.raises(DataError, match="add up to 0"):
        ask(network, SoftmaxCrossentropy(), sample=5, sample_weights=weights)


def test_a_backward_pass_without_a_number_is_named() -> None:
    with pytest.raises(NonFiniteError, match="backward pass of it gives"):
        ask(Sequential(Dense(3, 2), ("it", NotFinite())), SoftmaxCrossentropy())


def test_a_name_that_is_no_text_is_refused_with_the_names() -> None:
    with pytest.raises(UnknownNameError, match=r"dense_0\.weights"):
        ask(Sequential(Dense(3, 2)), SoftmaxCrossentropy(), name=5)  # type: ignore[arg-type]


def test_slots_that_lack_an_array_are_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"dense_0\.weights\.momentum"):
        ask(Sequential(Dense(3, 2)), MeanSquaredError(), y=np.eye(6)[:, :2], optimizer=Adam(), slots={})


def test_an_edge_past_a_layer_is_drawn_around_it() -> None:
    nodes = [("first", Dense(3, 2), "inputs"), ("deep", Tanh(), "first"), ("sum", Add(), ("deep", "first"))]
    model = Model(Graph(nodes), MeanSquaredError(), Adam())
    picture = draw(model, model.trace(X, np.eye(6)[:, :2]))
    assert picture.svg.count('class="wire passing"') == 2  # one for each neuron of `first`
    with pytest.raises(DataError, match="0 to 5"):
        draw(model, model.trace(X, np.eye(6)[:, :2]), sample="first")  # type: ignore[arg-type]


def test_why_a_witness_was_left_out_ends_in_one_full_stop() -> None:
    layers = [Dense(1, 1), ReLU(), Dense(1, 2)]
    model = Model(layers, SoftmaxCrossentropy(), dtype="float64")
    ones, zero = [[1.0, 0.0]], [[0.0]]
    model.parameters = {
        "dense_0.weights": [[1e200]], "dense_0.biases": zero, "dense_1.weights": ones, "dense_1.biases": [[0.0, 0.0]]
    }  # fmt: skip
    text = model.explain([[1.25925]], [0], "dense_0.weights", (0, 0)).to_text(width=200)
    assert "beyond all floats." in text and "floats.." not in text
