"""A neuron or a layer alone: `explain` with the gradient that arrives at the output, and `explain_neuron`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import (
    ELU,
    GELU,
    ChainruleError,
    Dense,
    Explanation,
    Layer,
    LeakyReLU,
    Linear,
    MeanSquaredError,
    ReLU,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
    explain,
    explain_neuron,
)
from chainrule.errors import ConfigurationError, DataError, NonFiniteError, ShapeError

NOTES = """\
z = x0·w0 + x1·w1 + x2·w2 + b = 1·(-3) + (-2)·(-1) + 3·2 + 1 = 6
y = max(z, 0) = max(6, 0) = 6
drelu_dz = dvalue·(1 if z > 0 else 0) = 1·(1 if 6 > 0 else 0) = 1
drelu_dx0, drelu_dx1, drelu_dx2 = drelu_dz·(w0, w1, w2) = 1·(-3, -1, 2) = -3, -1, 2
drelu_dw0, drelu_dw1, drelu_dw2, drelu_db = drelu_dz·(x0, x1, x2, 1) = 1·(1, -2, 3, 1) = 1, -2, 3, 1"""


def test_the_notes_first_cell_is_one_call_and_five_lines() -> None:
    one = explain_neuron([1.0, -2.0, 3.0], [-3.0, -1.0, 2.0], 1.0, ReLU(), dvalue=1.0)
    assert str(one) == NOTES
    assert one.gradients["drelu_dw1"] == -2.0 and one.gradients["drelu_db"] == 1.0
    assert all(len(line) <= 80 for line in one.to_text(80).splitlines())
    assert one.to_text(80).replace("\n    ", " ") == NOTES
    assert all(str(line.values[0]).removesuffix(".0") in one._repr_html_() for line in one.lines)


ACTIVATIONS = [None, ReLU(), LeakyReLU(0.1), ELU(), GELU(), SiLU(), Sigmoid(), Tanh(), Softplus(), Linear()]
numbers = st.floats(-3, 3).map(lambda x: round(x, 3))


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a).__name__)
@given(row=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=4), bias=numbers, dvalue=numbers)
def test_a_neuron_has_the_gradients_of_its_layers(
    activation: Layer | None, row: list[tuple[float, float]], bias: float, dvalue: float
) -> None:
    inputs, weights = ([pair[k] for pair in row] for k in (0, 1))
    dense = Dense(len(row), 1)
    dense.weights, dense.biases = np.array(weights).reshape(-1, 1), np.array([[bias]])
    network = Sequential(dense, *([] if activation is None else [activation]))
    y = network.forward(np.array([inputs]))
    network.backward(np.array([[dvalue]]))
    one = explain_neuron(inputs, weights, bias, activation, dvalue=dvalue)
    found = {name.rpartition("_")[2]: value for name, value in one.gradients.items()}
    assert one.lines[0 if activation is None else 1].values[0] == pytest.approx(y[0, 0], abs=1e-12)
    for i in range(len(row)):
        assert found[f"dx{i}"] == pytest.approx(network.dinputs[0, i], abs=1e-12)
        assert found[f"dw{i}"] == pytest.approx(dense.dweights[i, 0], abs=1e-12)
    assert found["db"] == pytest.approx(dense.dbiases[0, 0], abs=1e-12)


def neuron(**options: Any) -> Explanation:
    parameters = {"dense_0.weights": [[-3.0], [-1.0], [2.0]], "dense_0.biases": [[1.0]]}
    arrays = {name: np.array(value) for name, value in parameters.items()}
    asked = {"X": [[1.0, -2.0, 3.0]], "name": "dense_0.weights[1,0]", "dvalue": 1.0, "parameters": arrays} | options
    return explain(Sequential(Dense(3, 1), ReLU()), **asked)


def test_the_chain_begins_at_the_gradient_that_is_given() -> None:
    one = neuron(dvalue=10.0)
    assert [(str(line.quantity), line.value) for line in one.lines] == [
        ("relu_0[0,0]", 10.0),
        ("dense_0[0,0]", 10.0),
        ("dense_0.weights[1,0]", -20.0),
    ]
    assert one.lines[0].formula == "dvalues[0,0]" and all(witness.agrees for witness in one.witnesses)
    assert "loss" not in {node.name for node in one.nodes} and one.paths.total == -20.0
    assert "This gradient arrives from the layers that follow" in str(one) and "ℓ" not in str(one)
    for text in (one.to_html(), one.to_latex(), one.to_json()):
        assert "dvalues" in text
    assert Explanation.from_json(one.to_json()) == one


def test_a_layer_of_the_notes_bundles_its_neurons_for_each_sample() -> None:
    layer = Dense(4, 3)
    layer.weights = np.array([[0.2, 0.8, -0.5, 1], [0.5, -0.91, 0.26, -0.5], [-0.26, -0.27, 0.17, 0.87]]).T
    dvalues = [[1.0, 1, 1], [2, 2, 2], [3, 3, 3]]
    network, ones = Sequential(layer), np.ones((3, 4))
    found = [explain(network, X=ones, name="inputs", index=place, dvalue=dvalues) for place in np.ndindex(3, 4)]
    wanted = np.outer([1, 2, 3], [0.44, -0.38, -0.07, 1.37])
    assert np.reshape([one.value for one in found], (3, 4)) == pytest.approx(wanted)
    weight = explain(network, X=[[1.0, 2, 3, 4], [5, 6, 7, 8]], name="dense_0.weights[2,1]", dvalue=[[1] * 3, [2] * 3])
    assert weight.value == 3 * 1 + 7 * 2 and weight.batch is not None and weight.batch.contributions == (3.0, 14.0)


def test_the_gradient_may_arrive_at_a_layer_that_mixes_its_entries() -> None:
    one = explain(Sequential(Softmax()), X=[[1.0, 2.0, 0.5]], name="inputs[0,1]", dvalue=[[1.0, 0.0, -1.0]])
    s = np.exp([1.0, 2.0, 0.5]) / np.exp([1.0, 2.0, 0.5]).sum()
    assert one.value == pytest.approx(s[1] * (0 - (s[0] - s[2]))) and one.agrees


REFUSED: dict[str, tuple[Callable[[], Any], type[ChainruleError], str]] = {
    "neither a loss nor a gradient": (lambda: neuron(dvalue=None), ConfigurationError, r"dvalue=1\.0"),
    "both": (lambda: neuron(loss=MeanSquaredError(), y=[1.0]), ConfigurationError, "leave those out"),
    "no inputs": (lambda: neuron(X=None), ConfigurationError, "write X"),
    "no name": (lambda: neuron(name=None), ConfigurationError, "explain_neuron"),
    "a gradient of another shape": (lambda: neuron(dvalue=[[1.0, 2.0]]), ShapeError, r"\(1, 2\), the output \(1, 1\)"),
    "a gradient that is not finite": (lambda: neuron(dvalue=np.nan), DataError, "finite"),
    "a gradient in words": (lambda: neuron(dvalue="one"), DataError, "finite numbers"),
    "a weight too few": (lambda: explain_neuron([1, 2], [1]), ShapeError, "2 inputs and 1 weights"),
    "an input that is not finite": (lambda: explain_neuron([np.inf], [1]), NonFiniteError, "inputs"),
    "a weight in words": (lambda: explain_neuron([1], ["w"]), DataError, "weights"),  # type: ignore[list-item]
    "an activation of many": (lambda: explain_neuron([1], [1], 0, Softmax()), ConfigurationError, "one number"),
    "an activation by name": (lambda: explain_neuron([1], [1], 0, "relu"), ConfigurationError, "ReLU"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_explained_is_refused(case: str) -> None:
    act, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        act()
