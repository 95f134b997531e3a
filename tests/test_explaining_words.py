"""explain in the reader's words: steps, names, notations, questions; what a page and a terminal show of them."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

import numpy as np
import pytest

from chainrule import (
    SGD,
    Adam,
    BatchNorm,
    CategoricalCrossentropy,
    Concatenate,
    Dense,
    Dropout,
    Explanation,
    Flatten,
    Graph,
    Layer,
    LeakyReLU,
    Loss,
    MeanSquaredError,
    Model,
    ReLU,
    Sequential,
    Sigmoid,
    SigmoidCrossentropy,
    SiLU,
    Softmax,
    SoftmaxCrossentropy,
    Softplus,
    Tanh,
    WeightHistory,
    datasets,
    explain,
    explain_prediction,
    explain_rule,
)
from chainrule import layers as all_layers
from chainrule import losses as all_losses
from chainrule.datasets import Preprocessing, read_table
from chainrule.display.palette import ink, shade
from chainrule.errors import ConfigurationError, DataError, NonFiniteError, ShapeError, UnknownNameError
from chainrule.explaining.notations import NOTATIONS
from chainrule.explaining.render.spans import cells
from chainrule.explaining.rules import rule_of
from chainrule.explaining.teaching import an_object
from chainrule.pair import Pair

IRIS = datasets.load("iris")
WEIGHT = "dense_0.weights[petal length,1]"


@pytest.fixture(scope="module")
def model() -> Model:
    layers = [Dense(4, 3), ReLU(), Dense(3, 3)]
    one = Model(
        layers,
        SoftmaxCrossentropy(),
        Adam(0.02),
        dtype="float64",
        preprocessing=IRIS.preprocessing,
        class_names=IRIS.class_names,
    )
    one.fit(IRIS.X_train, IRIS.y_train, epochs=5, batch_size=32, verbose=False)
    return one


@pytest.fixture(scope="module")
def why(model: Model) -> Explanation:
    return model.explain(IRIS.X_test, IRIS.y_test, WEIGHT)


def by_hand(weights: Any, X: Any, y: Any, name: str, loss: Any = None, **options: Any) -> Explanation:
    """A line of Dense, ReLU, Dense with two neurons, and its weights written down."""
    network = Sequential(Dense(2, 2), ReLU(), Dense(2, 1))
    names = ("dense_0.weights", "dense_0.biases", "dense_1.weights", "dense_1.biases")
    parameters = {n: np.array(w, dtype=float) for n, w in zip(names, weights, strict=True)}
    return explain(network, loss or MeanSquaredError(), X, y, name, parameters=parameters, points=0, **options)


ALIVE = ([[1, -1], [0, -1]], [[0, 0]], [[2], [3]], [[0]])


# The steps


def test_the_steps_go_forward_then_back() -> None:
    one = by_hand(ALIVE, [[3.0, 1.0]], [4.0], "dense_0.weights[0,0]")
    assert [step.part for step in one.steps] == ["forward"] * 4 + ["loss"] + ["backward"] * 5
    assert [(s.title, s.value) for s in one.steps if s.part == "forward"] == [
        ("dense_0[0,0]", 3.0),
        ("relu_0[0,0]", 3.0),
        ("dense_1[0,0]", 6.0),
        ("loss of sample 0", 4.0),
    ]
    assert [s.value for s in one.steps if s.part == "backward"] == [1.0, 4.0, 8.0, 8.0, 24.0]
    assert [s.title for s in one.steps if s.folded] == ["L", "loss of sample 0", "dense_0[0,0]"]  # one sample; on


def test_every_step_adds_up_and_has_its_sentence(why: Explanation) -> None:
    for step in why.steps:
        assert sum(t.product for t in step.terms) + step.rest_sum == pytest.approx(step.value, rel=1e-9, abs=1e-15)
        assert step.sentence.endswith(".") and step.numpy, step.id
    assert len({step.id for step in why.steps}) == len(why.steps)


def test_the_sentences_say_what_happens(why: Explanation) -> None:
    said = " ".join(step.sentence for step in why.steps)
    assert "Neuron 1 feeds 3 neurons, so 3 wires are bundled into one" in said
    assert "the probability minus the target, which is 1 for" in said
    assert "The loss is the mean over 30 samples" in said
    assert "The weight multiplies petal length cm" in said


def test_scaling_is_the_first_link_in_the_units_of_the_table(why: Explanation) -> None:
    first = why.steps[0]
    row = int(first.title.split("[")[1].split(",")[0])
    column = IRIS.preprocessing.columns[2]  # type: ignore[union-attr]
    assert first.node == "inputs" and first.value == IRIS.X_test[row, 2]
    original = round(float(IRIS.X_test[row, 2]) * column.scale + column.center, 4)
    assert f"petal length cm of sample {row} is {original:g} in the table" in first.sentence


def test_lines_of_numpy_compute_what_the_layers_compute() -> None:
    """Each line that a step shows is run on the arrays of the pass."""
    rng = np.random.default_rng(0)
    for layer in (ReLU(), LeakyReLU(0.1), Tanh(), Sigmoid(), SiLU(), Softplus(), Softmax()):
        network = Sequential(Dense(3, 4), ("it", layer), Dense(4, 2))
        parameters = network.initial_parameters(0)
        X, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
        one = explain(network, MeanSquaredError(), X, y, "dense_0.weights[1,2]", parameters=parameters, parts=())
        model = Model(network, MeanSquaredError(), dtype="float64")
        model.parameters = parameters
        trace = model.trace(X, y)
        run = set()
        for step in (s for s in one.steps if s.part in ("forward", "backward") and s.node != "loss"):
            node, names = trace[step.node], {"np": np}
            names |= {"inputs": node.inputs, "output": node.output, "dvalues": node.dvalues}
            names |= {word: parameters.get(f"{step.node}.{word}") for word in ("weights", "biases")}
            exec(step.numpy, names)
            made = step.numpy.split("; ")[-1].split(" = ")[0]
            expected = {"dweights": node.gradients.get("weights"), "dinputs": node.dinputs, "output": node.output}
            np.testing.assert_allclose(names[made], expected[made], rtol=1e-12, atol=1e-15)
            run.add((step.node, made))
        assert run >= {("it", "output"), ("it", "dinputs"), ("dense_0", "output"), ("dense_0", "dweights")}


# Names


def test_columns_and_classes_can_be_asked_for_by_name(model: Model, why: Explanation) -> None:
    X, y = IRIS.X_test, IRIS.y_test
    assert why.quantity.index == (2, 1) and why.title == "dense_0.weights[petal length cm,1]"
    for written in ("dense_0.weights[petal_length_cm,1]", "dense_0.weights[ PETAL LENGTH , 1 ]", why.title):
        assert model.explain(X, y, written, parts=()).quantity == why.quantity
    assert model.explain(X, y, "dense_1.biases[0,versicolor]", parts=()).quantity.index == (0, 1)
    assert model.explain(X, y, "inputs[3,sepal width]", parts=()).quantity.index == (3, 1)
    assert model.explain(X, y, "dense_1[3,virginica]", parts=()).quantity.index == (3, 2)
    with pytest.raises(ConfigurationError, match=r"several.*: write one of 'petal length cm', 'petal width cm'"):
        model.explain(X, y, "dense_0.weights[petal,1]")
    with pytest.raises(UnknownNameError, match="petal width cm"):
        model.explain(X, y, "dense_0.weights[stem,1]")
    with pytest.raises(ConfigurationError, match="no index of relu_0"):
        model.explain(X, y, "relu_0[3,petal length]")
    with pytest.raises(ShapeError):
        model.explain(X, y, "dense_0.weights[petal length,9]")


def test_terms_say_whose_they_are(why: Explanation) -> None:
    text = why.to_text(120)
    row = why.batch.down[0] if abs(why.value) and why.batch is not None and why.value < 0 else why.batch.up[0]  # type: ignore[union-attr]
    assert f"dvalues[{row},1]·x[{row},petal length cm]" in text
    assert "w[1,versicolor]" in text and "ŷ[" in text


@pytest.mark.parametrize("notation", NOTATIONS)
def test_each_notation_has_its_words(why: Explanation, notation: str) -> None:
    text, page = why.to_text(120, notation=notation), why.to_html(notation=notation)
    assert ("∂L/∂dense_0.weights[petal length cm,1]" in text) == (notation == "calculus")
    assert ("np.dot(inputs.T, dvalues)" in text) == (notation == "numpy")
    assert ("dweights[petal length cm,1]" in text) == (notation != "calculus")
    assert ("np.dot(inputs.T, dvalues)" in page) == (notation == "numpy")
    with pytest.raises(UnknownNameError, match="'book', 'calculus', 'numpy'"):
        why.to_text(notation="bookish")


# How it is shown


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("full", [False, True])
def test_no_line_is_longer_than_the_width(why: Explanation, width: int, full: bool) -> None:
    for notation in NOTATIONS:
        assert max(map(cells, why.to_text(width, full=full, notation=notation).splitlines())) <= width


def test_what_is_folded_takes_a_line_and_unfolds(why: Explanation) -> None:
    short, full = why.to_text(), why.to_text(200, full=True)
    assert "4 ways agree: chain rule" in short and "central difference  " not in short
    assert "Witnesses" in full and "running mean of the gradient" in full and "running mean" not in short
    assert len(short) < len(full) and "from it to the loss" in short


def test_the_page_folds_with_details_and_says_formulas_in_words(why: Explanation) -> None:
    page = why.to_html()
    assert page.count("<details>") >= 4 and "4 ways agree" in page
    assert all('alttext="' in tag for tag in re.findall(r"<math[^>]*>", page))
    assert page.index("Forward: what the network computed") < page.index("The loss</h2>") < page.index("Backward: from")
    assert 'role="img"' in page and "aria-label" in page


def test_a_dictionary_holds_what_a_page_needs_and_comes_back(why: Explanation) -> None:
    stored = json.loads(why.to_json())
    assert stored["schema"] == 2 and Explanation.from_json(why.to_json()) == why
    step = stored["steps"][-1]
    assert {"id", "part", "title", "sentence", "numpy", "folded", "value", "terms", "text", "mathml"} <= set(step)
    assert step["id"] == "backward-dense_0.weights-2-1" and step["numpy"] == "dweights = np.dot(inputs.T, dvalues)"
    assert step["text"]["terms"][0]["name"].startswith("dvalues[") and "·" in step["text"]["terms"][0]["numbers"]
    assert step["mathml"]["symbol"].startswith("<msub>")


def test_parts_are_worked_out_only_where_they_are_asked_for(model: Model) -> None:
    one = model.explain(IRIS.X_test, IRIS.y_test, WEIGHT, parts=())
    assert one.witnesses == () and one.batch is None and one.step is None and one.paths.total is None
    assert one.loss_curve == () and one.steps and one.agrees and one.to_text() and one.to_html()
    only = model.explain(IRIS.X_test, IRIS.y_test, WEIGHT, parts=["batch"])
    assert only.batch is not None and only.witnesses == ()
    with pytest.raises(UnknownNameError, match="'witnesses'"):
        model.explain(IRIS.X_test, IRIS.y_test, WEIGHT, parts=["witness"])


# Weights and smoothing


def test_weights_of_samples_and_classes_are_explained() -> None:
    network = Sequential(Dense(2, 2))
    loss = SoftmaxCrossentropy(class_weights=(1.0, 3.0))
    one = explain(network, loss, [[1.0, 2.0], [3.0, 1.0]], [0, 1], "dense_0.biases[1]", parts=())
    said = " ".join(step.sentence for step in one.steps)
    row, weight = ("1", "3") if "sample 1 has" in said else ("0", "1")
    assert f"sample {row} has the weight {weight} (that of its class), all samples together 4, so" in said
    both = explain(network, loss, [[1.0, 2.0]] * 2, [0, 1], "dense_0[1,1]", parts=(), sample_weights=[0.5, 2.0])
    said = " ".join(step.sentence for step in both.steps)
    assert "has the weight 6 (that of its class, 3, times its own, 2), all samples together 6.5, so its share" in said
    smooth = explain(
        network, SoftmaxCrossentropy(label_smoothing=0.2), [[1.0, 2.0]], [1], "dense_0.biases[1]", parts=()
    )
    said = " ".join(step.sentence for step in smooth.steps)
    assert "with smoothing 0.2" in said and "0.9" in said and "0.1" in said
    probabilities = Sequential(Dense(2, 2), Sigmoid())
    smooth = CategoricalCrossentropy(label_smoothing=0.2)
    one = explain(probabilities, smooth, [[1.0, 2.0]], [1], "dense_0.biases[1]", parts=())
    assert "has the target 0.9" in " ".join(step.sentence for step in one.steps)


# Why is it zero


def test_a_dead_unit_is_named() -> None:
    one = by_hand(
        ([[-1, 1], [-1, 1]], [[-1, 0]], [[1], [1]], [[0]]), [[1.0, 1.0], [2.0, 1.0]], [3.0, 1.0], "dense_0.weights[0,0]"
    )
    assert one.value == 0 and "neuron 0 of relu_0 is off in every sample" in one.answer
    assert "the largest number it reads is -3" in one.answer and escape(one.answer) in one.to_html()


def test_of_one_sample_alone_that_sample_is_followed_where_its_gradient_is_zero() -> None:
    one = by_hand(
        ([[-1, 1], [1, 1]], [[0, 0]], [[1], [1]], [[0]]),
        [[1.0, 2.0], [2.0, 1.0], [1.0, 3.0]],
        [9.0, 9.0, 9.0],
        "dense_0.weights[1,0]",
        sample=1,
    )
    assert one.value == 0 and "neuron 0 of relu_0 is off for sample 1 (it reads -1" in one.answer
    assert "what the network computed for sample 1\n" in str(one) and "the loss of sample 1 alone is L = " in str(one)


def test_an_input_that_is_always_zero_is_named() -> None:
    one = by_hand(ALIVE, [[1.0, 0.0], [2.0, 0.0]], [0.0, 0.0], "dense_0.weights[1,0]")
    assert one.value == 0 and "is 0 in every sample" in one.answer


def test_a_perfect_fit_is_named() -> None:
    one = by_hand(ALIVE, [[3.0, 1.0]], [6.0], "dense_0.weights[0,0]")
    assert one.value == 0 and "the fit is perfect" in one.answer and one.agrees


def test_a_sample_without_a_share_is_named() -> None:
    options: dict[str, Any] = {"sample_weights": [1.0, 0.0]}
    one = by_hand(ALIVE, [[3.0, 1.0], [2.0, 1.0]], [4.0, 1.0], "relu_0[1,0]", **options)
    assert one.value == 0 and "its weight is 0" in one.answer


def test_a_dead_unit_is_named_though_the_first_sample_does_not_count() -> None:
    weights = ([[-1, 1], [-1, 1]], [[-1, 0]], [[1], [1]], [[0]])
    options: dict[str, Any] = {"sample_weights": [0.0, 1.0]}
    one = by_hand(weights, [[1.0, 1.0], [2.0, 1.0]], [3.0, 1.0], "dense_0.weights[0,0]", **options)
    assert "neuron 0 of relu_0 is off" in one.answer and one.kind == "parameter"
    assert by_hand(weights, [[1.0, 1.0]], [3.0], "relu_0[0,1]").kind == "output"
    assert by_hand(weights, [[1.0, 1.0]], [3.0], "inputs[0,1]").kind == "inputs"


def test_contributions_that_cancel_are_named() -> None:
    one = by_hand(ALIVE, [[3.0, 1.0], [3.0, 1.0]], [5.0, 7.0], "dense_0.weights[0,0]")
    assert one.value == 0 and "the contributions of 2 samples cancel each other" in one.answer


def saturated(weight: float) -> Explanation:
    network = Sequential(Dense(1, 1), Sigmoid(), Dense(1, 1))
    names = ("dense_0.weights", "dense_0.biases", "dense_1.weights", "dense_1.biases")
    parameters = {name: np.full((1, 1), w) for name, w in zip(names, (weight, 0.0, 1.0, 0.0), strict=True)}
    return explain(network, MeanSquaredError(), [[1.0]], [0.0], "dense_0.weights[0,0]", parameters=parameters, points=0)


def test_saturation_and_vanishing_are_named_with_the_layer() -> None:
    one = saturated(30.0)
    assert "saturated in every sample" in one.answer and "sigmoid_0" in one.answer
    assert saturated(1.0).answer == ""
    deep = Sequential(*[layer for _ in range(14) for layer in (Dense(2, 2), Sigmoid())], Dense(2, 1))
    one = explain(deep, MeanSquaredError(), [[1.0, 2.0]], [5.0], "dense_0.weights[0,0]", parts=())
    assert "vanishes on the way down" in one.answer and "from the loss down: loss" in one.answer


def test_layers_that_move_entries_accuse_nobody_where_no_gradient_arrives() -> None:
    dead = ([[-1, -1], [-1, -1]], [[-1, -1]])
    parameters = {"dense_0.weights": np.array(dead[0], float), "dense_0.biases": np.array(dead[1], float)}
    flat = Sequential(Dense(2, 2), Flatten(), ReLU())
    one = explain(flat, MeanSquaredError(), [[1.0, 1.0]], [[0.0, 0.0]], "dense_0[0,1]", parameters=parameters)
    assert one.value == 0 and one.lines[-1].terms[0].upstream.index == (0, 1)  # type: ignore[union-attr]
    nodes = [("a", Dense(2, 2), "inputs"), ("both", Concatenate(), ("inputs", "a")), ("off", ReLU(), "both")]
    values = {"a.weights": np.array(dead[0], float), "a.biases": np.array(dead[1], float)}
    one = explain(Graph(nodes), MeanSquaredError(), [[-1.0, -1.0]], np.full((1, 4), 0.0), "a[0,0]", parameters=values)
    assert one.agrees and one.lines[-1].terms[0].upstream is not None


def test_a_tiny_loss_accuses_nobody(model: Model) -> None:
    sure = Model([Dense(4, 3)], SoftmaxCrossentropy(), Adam(), dtype="float64")
    sure.parameters = {"dense_0.weights": 40 * np.ones((4, 3)) * [1, 0, -1], "dense_0.biases": np.zeros((1, 3))}
    for row in range(8):
        X = np.abs(IRIS.X_test[row : row + 1]) + 0.1
        one = sure.explain(X, [0], "dense_0.weights[0,1]", points=0)
        assert one.loss < 1e-6 and one.agrees, one.witnesses
        assert one.witnesses[2].agrees is None and "rounding of the loss" in one.witnesses[2].note


def test_a_flat_curve_is_drawn() -> None:
    for w in (0.0, 1e-200):
        network = Sequential(Dense(1, 1))
        values = {"dense_0.weights": np.array([[w]]), "dense_0.biases": np.array([[1e9]])}
        one = explain(network, MeanSquaredError(), [[0.0]], [1.0], "dense_0.weights[0,0]", parameters=values)
        assert "nan" not in one.to_html() and one.loss_curve[0][1] == one.loss_curve[-1][1]


# Other questions


def test_a_number_that_is_not_finite_is_traced_to_its_layer() -> None:
    with pytest.raises(
        NonFiniteError, match=r"dense_1\[1,0\] = inf: Dense gives it where relu_0 reaches 1e\+200"
    ) as error:
        by_hand(([[1, 0], [0, 0]], [[0, 0]], [[1e200], [0]], [[0]]), [[1.0, 0], [1e200, 0]], [0.0, 0.0], "inputs[0,0]")
    assert "clip_norm" in str(error.value)
    with pytest.raises(NonFiniteError, match=r"dense_0.biases holds nan at \(0, 1\).*fit\(\) names the step"):
        by_hand((ALIVE[0], [[0, np.nan]], *ALIVE[2:]), [[1.0, 0]], [0.0], "inputs[0,0]")


def test_a_prediction_is_explained_by_its_inputs(model: Model) -> None:
    one = explain_prediction(model, IRIS.X_test[0])
    said = IRIS.class_names[int(model.predict(IRIS.X_test[:1])[0])]
    assert one.said == one.output == said and [share.name for share in one.inputs][2] == "petal length cm"
    h = 1e-6
    for share in one.inputs:
        moved = IRIS.X_test[:1].astype(float)
        moved[0, share.place] += h
        place = IRIS.class_names.index(said)
        slope = (model.logits(moved)[0, place] - model.logits(IRIS.X_test[:1].astype(float))[0, place]) / h
        assert share.slope == pytest.approx(slope, rel=1e-4, abs=1e-7)
    assert one.chain.value == pytest.approx(max(one.inputs, key=lambda s: abs(s.share)).slope)
    other = explain_prediction(model, IRIS.X_test[:1], "virginica")
    assert other.output == "virginica" and other.score == pytest.approx(float(model.logits(IRIS.X_test[:1])[0, 2]))
    text = one.to_text(80)
    assert "inputs raise it" in text and "the output for setosa is L" in text and "1 input lowers it" in text
    assert "  dense_1[0,setosa] = " in text and "dlosses" not in text and "to the output for setosa" in text
    assert "Why did the network say" in one.to_html() and max(map(len, text.splitlines())) <= 80
    for wrong, match in ((IRIS.X_test[:2], "one sample"), (IRIS.X_test[0], "no output 'rose'")):
        with pytest.raises(DataError, match=match):
            explain_prediction(model, wrong, "rose" if match.startswith("no") else None)


def test_a_network_with_one_output_answers_with_one_of_two_classes() -> None:
    net = Model([Dense(1, 1)], SigmoidCrossentropy(), class_names=("off", "on"))
    net.parameters = {"dense_0.weights": [[2.0]], "dense_0.biases": [[0.0]]}
    on, off = explain_prediction(net, [1.0]), explain_prediction(net, [-1.0])
    assert (on.said, off.said) == ("on", "off") and on.output == off.output == "on"
    assert dict(off.outputs) == pytest.approx({"on": 1 / (1 + np.exp(2)), "off": 1 / (1 + np.exp(-2))})
    assert "No input raises it" in str(off) and "1 input raises it, together 2" in str(on)
    several = Model([Dense(1, 2)], SigmoidCrossentropy(), class_names=("left", "right"))
    several.parameters = {"dense_0.weights": [[2.0, 1.0]], "dense_0.biases": [[0.0, 0.0]]}
    assert explain_prediction(several, [1.0]).said == "left, right"
    assert explain_prediction(several, [-1.0]).said == "none of the classes"


def test_a_regression_answers_in_the_units_of_its_table() -> None:
    table = read_table({"rooms": [1.0, 2.0, 3.0], "price": [100.0, 200.0, 600.0]})
    fitted = Preprocessing.fit(table, "price", task="values")
    net = Model([Dense(1, 1)], MeanSquaredError(), preprocessing=fitted)
    net.parameters = {"dense_0.weights": [[0.5]], "dense_0.biases": [[0.0]]}
    X, y = fitted.transform(table), fitted.encode_target(table)
    said = float(np.ravel(fitted.decode_target(net.logits(X[:1])))[0])
    one = explain_prediction(net, X[:1])
    assert float(one.said) == pytest.approx(said, rel=1e-5) and one.outputs[0][0] == "price"
    text = net.explain(X, y, "dense_0.weights[rooms,price]", sample=0).to_text(200)
    assert f"In the table price is 100 and the prediction means {said:.6g}; minus the mean 300" in text


def test_an_image_too_wide_for_the_lines_stands_above_its_shares() -> None:
    net = Model([Dense(784, 2)], SoftmaxCrossentropy())
    lines = explain_prediction(net, np.ones(784)).to_text(80).splitlines()
    assert sum("█" * 56 in line for line in lines) == 28 and max(map(len, lines)) <= 80


def test_an_image_is_drawn_beside_its_shares() -> None:
    digits = datasets.load("digits")
    net = Model([Dense(64, 8), ReLU(), Dense(8, 10)], SoftmaxCrossentropy(), class_names=digits.class_names)
    one = explain_prediction(net, digits.X_test[0], 3, feature_names=digits.feature_names)
    assert one.shape == (8, 8) and one.to_html().count("<rect") >= 128 and "█" in str(one)


def test_an_output_that_does_not_exist_is_refused(model: Model) -> None:
    for asked in (3, -1, True, "rose"):
        with pytest.raises(DataError, match=r"there is no output .* setosa, versicolor, virginica"):
            explain_prediction(model, IRIS.X_test[0], asked)
    assert explain_prediction(model, IRIS.X_test[0], 2).output == "virginica"


def test_a_pixel_has_the_colour_of_its_value_and_of_its_share() -> None:
    net = Model([Dense(64, 1)], "mean_squared_error")
    net.parameters = {"dense_0.weights": [[1.0], [-3.0]] + [[0.0]] * 62, "dense_0.biases": [[0.0]]}
    page = explain_prediction(net, np.array([2.0, 1.0] + [0.0] * 62)).to_html()
    first, second = (re.findall(rf'fill="(#\w+)"><title>pixel 0 {i}: ', page) for i in (0, 1))
    assert (first, second) == ([ink(1, 1), shade(2, 3)], [ink(1, 2), shade(-1, 1)])
    below = explain_prediction(net, np.array([2.0, -1.0] + [0.0] * 62)).to_html()
    assert re.findall(r'fill="(#\w+)"><title>pixel 0 1: ', below)[0] == shade(-1, 2)


def test_inputs_without_a_share_say_why() -> None:
    net = Model([Dense(2, 1), ReLU(), Dense(1, 1)], "mean_squared_error")
    net.parameters = {
        "dense_0.weights": [[1.0], [1.0]],
        "dense_0.biases": [[-5.0]],
        "dense_1.weights": [[2.0]],
        "dense_1.biases": [[3.0]],
    }
    empty, off = explain_prediction(net, [0.0, 0.0]), explain_prediction(net, [1.0, 2.0])
    for shown in (str(empty), empty.to_html()):
        assert "Every input is 0, so none has a share: the score is what the biases make of it." in shown
        assert "No input raises it" not in shown
    for shown in (off.to_text(200), off.to_html()):
        assert "No input has a share. The gradient is 0: every neuron of relu_0 is off for sample 0" in shown


def test_inputs_of_a_table_stand_in_its_own_units(model: Model) -> None:
    one = explain_prediction(model, IRIS.X_test[0])
    share = next(one for one in one.inputs if one.name == "petal length cm")
    assert share.original == pytest.approx(1.4) and "petal length cm (1.4 in the table): " in str(one)
    assert "<th>in the table</th>" in re.sub(r' class="\w+"', "", one.to_html())
    assert "before it becomes a probability" in str(one)


def test_the_history_of_a_weight_says_who_moved_it() -> None:
    X, y = np.array([[1.0], [2.0]]), np.array([[4.0], [-1.0]])
    net = Model([Dense(1, 1)], MeanSquaredError(), SGD(0.01), dtype="float64")
    net.parameters = {"dense_0.weights": [[1.0]], "dense_0.biases": [[0.0]]}
    way = WeightHistory("dense_0.weights[0,0]", X, y)
    net.fit(X, y, epochs=3, batch_size=2, callbacks=[way], verbose=False)
    values = [moment.value for moment in way.moments]
    assert [m.epoch for m in way.moments] == [0, 1, 2, 3] and values[-1] == net.parameters["dense_0.weights"][0, 0]
    np.testing.assert_allclose(way.moments[0].contributions, [2 * (1 - 4) * 1 / 2, 2 * (2 + 1) * 2 / 2])
    for before, after in zip(way.moments, way.moments[1:], strict=False):  # a step of SGD is all that moved it
        assert after.value - before.value == pytest.approx(-0.01 * before.gradient)
    np.testing.assert_allclose(0.01 * way.pushes.sum(), values[-1] - values[0])
    assert "up: sample 0" in str(way) and "down: sample 1" in str(way) and "in 3 epochs" in str(way)
    assert repr(way) == "WeightHistory(weight='dense_0.weights[0,0]')"
    shown = way._repr_html_()
    assert all(f">{line.strip()}<" in shown for line in (str(way).splitlines()[0], *str(way).splitlines()[-3:]))
    assert f'<td class="n">{values[-1]:.5g}</td>' in shown and "nothing is kept" not in shown
    assert "nothing is kept yet" in WeightHistory("dense_0.weights[0,0]", X, y)._repr_html_()
    again = WeightHistory("dense_0.weights[0,0]", X, y)
    again.restore(*way.state())
    assert [m.value for m in again.moments] == values and again.moments[1].gradient == way.moments[1].gradient
    with pytest.raises(ConfigurationError, match="no weight or bias"):
        net.fit(X, y, epochs=1, callbacks=[WeightHistory("inputs[0,0]", X, y)], verbose=False)


def test_a_rule_is_found_by_name() -> None:
    assert str(explain_rule("Softmax")).startswith("Softmax\n  S[j] =")
    assert str(explain_rule("MeanSquaredError")) == str(explain_rule(MeanSquaredError))
    with pytest.raises(UnknownNameError, match="Did you mean 'Softmax'"):
        explain_rule("Softmx")


def test_the_rule_of_an_optimizer_is_its_update() -> None:
    for asked in ("Adam", Adam, Adam(0.1)):
        said = str(explain_rule(asked))
        assert "m' = β₁·m + (1 - β₁)·g" in said and "w' = w - η·m̂ / (√(ĉ) + ε)   the new weight" in said
        assert ("Adam() has them" in said) == (not isinstance(asked, Adam))
    assert "λ" in str(explain_rule(SGD(0.1, momentum=0.9, weight_decay=0.1))) and "λ" not in str(explain_rule(SGD))
    assert "w' = w - η·g" in str(explain_rule(SGD)) and r"\eta" in explain_rule(SGD).to_latex()
    assert "the new weight" in explain_rule(SGD)._repr_html_()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("CosineDecay", r"learning rate by the step.*ConstantRate\(0.1\)\(5\)"),
        (Sequential(Dense(1, 1)), r"explain_rule\(network\['dense_0'\]\)"),
        (3, "a class, an object or a name such as 'Softmax', not 3"),
    ],
)
def test_what_has_no_rule_says_what_to_write(asked: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        explain_rule(asked)


def test_wide_characters_take_two_columns() -> None:
    assert cells("漢字") == 4 and cells("Ａ") == 2 and cells("m\u0302·w") == 3


def test_three_samples_stand_on_each_side_in_short_and_five_in_full() -> None:
    X, y = np.arange(1.0, 13.0)[:, None], [0.0] * 6 + [99.0] * 6
    network = Sequential(Dense(1, 1))
    values = {"dense_0.weights": np.ones((1, 1)), "dense_0.biases": np.zeros((1, 1))}
    one = explain(network, MeanSquaredError(), X, y, "dense_0.weights[0,0]", parameters=values, parts=["batch"])
    for full, shown in ((False, 3), (True, 5)):
        text = one.to_text(full=full)
        assert len(re.findall(r"^    sample \d+ ", text, re.M)) == 2 * shown and text.count(f"{6 - shown} more:") == 2


def test_every_letter_and_index_of_the_formulas_is_told_where_they_begin() -> None:
    network = Sequential(Dense(2, 2), Tanh(), Dense(2, 2))
    values = {n: np.ones(s) for n, s in network.parameter_shapes().items()}
    given = {"X": [[1.0, 2.0], [3.0, 1.0]], "parameters": values, "parts": ()}
    scores = explain(network, SoftmaxCrossentropy(), y=[0, 1], name="dense_0.weights[0,0]", **given)
    numbers = explain(network, MeanSquaredError(), y=[[1.0, 2]] * 2, name="dense_0.weights[0,0]", **given)
    alone = explain(network, dvalue=1.0, name="dense_1[0,1]", **given)
    for one, letters in (
        (scores, "x w z out ŷ y ℓ b i n c B"),
        (numbers, "x w z out p y ℓ b i n o B O"),
        (alone, "x w z b i n"),
    ):
        key = re.search(r"In the formulas [^.]*\.( An index[^.]*\.)?", " ".join(one.to_text(10**4).split()))
        assert key is not None
        told = re.findall(r"(?:formulas|,|:|are) (\S+)(?= )", key[0])
        assert told == letters.split() and key[0] in " ".join(one.to_html().split())


@pytest.mark.parametrize(
    ("layer", "loss", "given", "told"),
    [
        (Softmax(), CategoricalCrossentropy(), {}, "q the probability, kept from a to 1 - a"),
        (
            Dropout(0.5),
            SoftmaxCrossentropy(),
            {"training": True},
            "q the part that dropout sets to 0, u a random number",
        ),
        (LeakyReLU(), SoftmaxCrossentropy(), {}, "a the slope below 0"),
        (Tanh(), SoftmaxCrossentropy(), {"sample_weights": [1.0, 3.0]}, "s the share of a sample in the loss"),
    ],
    ids=["clipped", "dropout", "leaky", "weighted"],
)
def test_a_letter_that_stands_in_some_formulas_alone_is_told_with_them(
    layer: Layer, loss: Loss, given: dict[str, Any], told: str
) -> None:
    network = Sequential(Dense(2, 2), layer)
    values = {n: np.array([[0.5, -1.0], [0.3, 0.7]])[: s[0]] for n, s in network.parameter_shapes().items()}
    one = explain(network, loss, [[1.0, 2.0], [3.0, 1.0]], [0, 1], "dense_0.weights[0,0]", parameters=values, **given)
    assert told in " ".join(one.to_text(10**4).split())


def test_a_neuron_that_feeds_weights_of_0_alone_says_so() -> None:
    model = Model([Dense(2, 3), Tanh(), Dense(3, 2)], SoftmaxCrossentropy(), seed=1)
    model.parameters["dense_1.weights"] = [[1.0, 2.0], [0.0, 0.0], [0.5, -1.0]]
    for name, index in (("dense_0.weights", (0, 1)), ("dense_0.biases", (0, 1))):
        one = model.explain([[1.0, 2.0], [3.0, 1.0]], [0, 1], name, index)
        assert "neuron 1 of dense_0: every weight from it to the neurons of dense_1 is 0." in one.answer


def test_the_sample_that_counts_most_is_the_first_of_the_sum_over_the_samples() -> None:
    X, y = np.random.default_rng(0).normal(size=(6, 3)), [0, 1, 1, 0, 1, 0]
    model = Model([Dense(3, 4), BatchNorm(4), ReLU(), Dense(4, 2)], SoftmaxCrossentropy(), seed=1)
    for neuron in range(4):
        for training in (True, False):
            text = model.explain(X, y, "dense_0.weights", (0, neuron), training=training).to_text(100)
            most = re.findall(r"for sample (\d), which counts most", text)
            bars = {row: len(bar) for row, bar in re.findall(r"^    sample (\d) .*?(█+)", text, re.MULTILINE)}
            assert not most or bars[most[0]] == max(bars.values())


def test_no_rule_calls_anything_y_but_its_targets() -> None:
    named = (vars(module)[name] for module in (all_layers, all_losses) for name in module.__all__)
    pairs = [an_object(pair) for pair in named if isinstance(pair, type) and issubclass(pair, Pair)]
    rules = [rule for pair in (*pairs, Dense(2, 3, bias=False)) for rule in [rule_of(pair, True, 2)] if rule]
    assert len(rules) > 20
    for rule in rules:
        assert not rule.output.startswith("y[") and rule.arrays.get("targets", "y[").startswith("y[")
        assert not any(shown.startswith("y[") for entry, shown in rule.arrays.items() if entry != "targets")


def test_a_rule_keeps_to_the_width_of_a_page() -> None:
    for name in ("Softmax", "BatchNorm", "Dense", "GELU", "SoftmaxCrossentropy", "RMSprop"):
        assert max(map(cells, str(explain_rule(name)).splitlines())) <= 100, name


def test_a_gradient_that_is_given_for_a_batch_names_the_sample_it_follows() -> None:
    network = Sequential(Dense(2, 2), ReLU())
    values = {"dense_0.weights": np.eye(2), "dense_0.biases": np.ones((1, 2))}
    one = explain(
        network, X=[[1.0, 2.0], [3.0, 1.0]], dvalue=1.0, name="dense_0.weights[0,0]", parameters=values, points=0
    )
    assert "what the network computed for sample 1, which counts most" in str(one)
    assert "relu_0[1,0] = max(x[1,0], 0)" in str(one) and "L = Σ dvalues·output = 11" in str(one)
    assert "All paths to L that carry" in one.to_text(full=True) and "Backward: from the output down" in str(one)


def test_a_gradient_of_zero_counts_no_sample_and_moves_no_weight() -> None:
    network = Sequential(Dense(1, 1), ReLU(), Dense(1, 1))
    values = {n: np.full(s, -1.0) for n, s in network.parameter_shapes().items()}
    one = explain(
        network, MeanSquaredError(), [[1.0], [2.0]], [1.0, 2.0], "dense_0.weights[0,0]", parameters=values,
        optimizer=SGD(0.1), points=0,
    )  # fmt: skip
    assert "which counts most" not in str(one) and "Every sample gives 0." in str(one)
    assert "One step of SGD would leave it as it is, at -1." in str(one)


def test_y_is_the_target_and_nothing_else() -> None:
    for name in ("Dense", "ReLU", "Sigmoid", "Tanh", "LayerNorm", "BatchNorm", "LogSoftmax", "Flatten", "GELU", "Add"):
        assert not re.search(r"\by\b", str(explain_rule(name))), name


def test_a_batch_that_is_normalized_is_explained_in_words() -> None:
    network = Sequential(Dense(2, 3), BatchNorm(3), Dense(3, 1))
    X, y = np.random.default_rng(0).normal(size=(4, 2)), np.ones((4, 1))
    one = explain(network, MeanSquaredError(), X, y, "dense_0.weights[0,0]", training=True, points=0)
    assert "Mean and variance move with this number" in str(one) and one.agrees


def test_the_term_of_the_weight_and_of_the_neuron_on_its_way_stand_in_their_sums_however_small() -> None:
    rng = np.random.default_rng(5)
    model = Model([Dense(30, 20), ReLU(), Dense(20, 3)], SoftmaxCrossentropy(), seed=2)
    X, y = rng.normal(size=(4, 30)), np.array([0, 1, 2, 1])
    weights = model.parameters["dense_0.weights"].copy()
    weights[7, 3] = 1e-4
    model.parameters["dense_0.weights"] = weights
    text = model.explain(X, y, "dense_0.weights[7,3]").to_text()
    forward, _, backward = text.partition("Backward: ")
    row = re.search(r"dense_0\[(\d),3\] = Σ", forward)
    assert row is not None and f"x[{row[1]},7]·w[7,3]" in forward and f"x[{row[1]},3]·w[3," in forward
    assert backward and forward.count(" more terms") == 2


def test_a_step_against_the_gradient_says_what_else_the_optimizer_follows() -> None:
    X = np.array([[1.0]])
    model = Model([Dense(1, 1)], MeanSquaredError(), Adam(0.01))
    model.fit(X, np.array([[10.0]]), epochs=5, verbose=False)
    ahead, back, none = (
        model.explain(inputs, np.array([[target]]), "dense_0.weights[0,0]").to_text()
        for inputs, target in ((X, 10.0), (X, -10.0), (0 * X, 10.0))
    )
    assert "also follows" not in ahead
    assert "That is against this gradient: Adam also follows the gradients of the batches before." in back
    assert "This gradient is 0: Adam follows the gradients of the batches before." in none
