"""Whole explanations as a reader sees them, kept as text and as pages: each was read when it was kept.

`python tests/test_explained.py` writes them anew; read the difference before you keep it. Pages are kept without their
style, an element a line, their numbers to six digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import (
    L1,
    L2,
    SGD,
    Add,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Concatenate,
    Dense,
    Dropout,
    Explanation,
    Flatten,
    Graph,
    Layer,
    LayerNorm,
    MeanAbsoluteError,
    MeanSquaredError,
    Model,
    ReLU,
    Sequential,
    Sigmoid,
    SigmoidCrossentropy,
    Softmax,
    SoftmaxCrossentropy,
    Softplus,
    Tanh,
    Value,
    draw,
    explain,
    explain_neuron,
    explain_prediction,
    explain_rule,
)
from chainrule.datasets import Preprocessing, read_table
from chainrule.explaining.notation import latex as latex_of
from chainrule.explaining.notation import mathml, number, text
from chainrule.explaining.rules import rule_of
from chainrule.loss import Loss
from chainrule.optimizers import Optimizer
from chainrule.pair import Pair
from chainrule.penalties import Penalty
from chainrule.recipe import ACTIVATIONS
from chainrule.registry import LIBRARY

FOLDER = Path(__file__).parent / "explained"
TABLE = {"age_years": [10.0, 20, 30, 60], "height": [1.0, 1.5, 2.0, 1.5], "grown_up": ["no", "no", "yes", "yes"]}
FITTED = Preprocessing.fit(read_table(TABLE), "grown_up")
X, Y = FITTED.transform(read_table(TABLE)), FITTED.encode_target(read_table(TABLE))


def with_weights(network: Graph, loss: Any, X: Any, y: Any, asked: str, *weights: Any, **options: Any) -> Explanation:
    values = {n: np.reshape(w, s) for (n, s), w in zip(network.parameter_shapes().items(), weights, strict=True)}
    floats = {name: np.asarray(value, dtype=float) for name, value in values.items()}
    return explain(network, loss, X, y, asked, parameters=floats, **{"points": 0} | options)


def the_neuron_of_the_notes(asked: str = "dense_0.weights[0,0]", **options: Any) -> Explanation:
    network = Sequential(Dense(3, 1), ReLU())
    return with_weights(network, MeanSquaredError(), [[1.0, -2.0, 3.0]], [5.5], asked, [-3, -1, 2], [1], **options)


def table(asked: str, loss: Any = None, **options: Any) -> Explanation:
    network = Sequential(Dropout(0.5), Dense(2, 3), ReLU(), Dense(3, 2))
    weights = ([[1, -1, 0.5], [0, 2, 0.25]], [0.5, 0, -3], [[1, 0], [-1, 0.5], [2, 1]], [0, 0.25])
    return with_weights(network, loss or SoftmaxCrossentropy(), X, Y, asked, *weights, preprocessing=FITTED, **options)


def probabilities() -> Explanation:
    network = Sequential(("one", Dense(2, 2)), ("two", Softmax()))
    loss = CategoricalCrossentropy(label_smoothing=0.1, class_weights=(1.0, 3.0))
    weights = ([[1, -1], [0.5, 2]], [0, 0.5])
    return with_weights(network, loss, X, Y, "one.weights[height,yes]", *weights, preprocessing=FITTED, max_terms=2)


def joined(**more: Any) -> Explanation:
    nodes = [
        ("a", Dense(2, 2, penalties={"weights": L2(0.5)}), "inputs"),
        ("t", Tanh(), "a"),
        ("sum", Add(), ("a", "t")),
        ("both", Concatenate(), ("sum", "inputs")),
        ("flat", Flatten(), "both"),
        ("last", Dense(4, 2), "flat"),
    ]
    weights = ([[1, -0.5], [0.25, 0]], [0, 0.1], [[1, 0], [0, 1], [2, 0], [0, 3]], [0, 0])
    options: dict[str, Any] = {"optimizer": SGD(0.1, momentum=0.9), "feature_names": ["first", "second"]} | more
    loss = MeanAbsoluteError(reduction="sum")
    return with_weights(
        Graph(nodes), loss, [[1.0, 2.0], [-1.0, 0.5]], np.zeros((2, 2)), "a.weights[0,0]", *weights, **options
    )


def dead() -> Explanation:
    network = Sequential(Dense(1, 2), Sigmoid(), Dense(2, 1), ReLU(), Dense(1, 1))
    weights = ([1, 40], [0, 0], [-1, -1], [-1], [2], [0])
    return with_weights(network, MeanSquaredError(), [[1.0], [2.0]], [1.0, 2.0], "dense_0.weights[0,1]", *weights)


CASES: dict[str, Callable[[], Explanation]] = {
    "neuron": the_neuron_of_the_notes,
    "neuron input": lambda: the_neuron_of_the_notes("inputs[0,1]"),
    "neuron bias": lambda: the_neuron_of_the_notes("dense_0.biases[0]"),
    "table weight": lambda: table("dense_0.weights[age,1]"),
    "table weight few terms": lambda: table("dense_0.weights[height,1]", max_terms=1),
    "table input": lambda: table("inputs[3,age years]"),
    "table last bias": lambda: table("dense_1.biases[yes]", sample_weights=[1.0, 2.0, 0.0, 1.0]),
    "table sample": lambda: table("dense_1.weights[1,no]", sample=2),
    "table smoothed": lambda: table("relu_0[0,1]", SoftmaxCrossentropy(label_smoothing=0.2)),
    "table training": lambda: table("dropout_0[1,height]", training=True, seed=3),
    "probabilities": probabilities,
    "joined": joined,
    "dead": dead,
}


class Wrong(Layer):
    """A square whose backward pass forgets the factor 2."""

    def pure_forward(self, xp: Any, inputs: Any) -> Any:
        return inputs * inputs

    def pure_backward(self, xp: Any, dvalues: Any, inputs: Any) -> Any:
        return dict(dinputs=dvalues * inputs)


def wrong() -> Explanation:
    network = Sequential(Dense(1, 1), ("square", Wrong()))
    return with_weights(network, MeanSquaredError(), [[1.0], [2.0]], [1.0, 2.0], "dense_0.weights[0,0]", [3], [0.5])


def network_of(layers: Any, loss: str, *weights: Any, **options: Any) -> Model:
    model = Model(layers, loss, dtype="float64", **options)
    shapes = model.network.parameter_shapes()
    model.parameters = {n: np.reshape(w, s).tolist() for (n, s), w in zip(shapes.items(), weights, strict=True)}
    return model


def of_a_table() -> Model:
    weights = ([[1, -1, 0.5], [0, 2, 0.25]], [0.5, 0, -3], [[1, 0], [-1, 0.5], [2, 1]], [0, 0.25])
    layers: list[Layer] = [Dense(2, 3), ReLU(), Dense(3, 2)]
    names = FITTED.class_names
    return network_of(layers, "softmax_crossentropy", *weights, preprocessing=FITTED, class_names=names)


def of_an_image() -> tuple[Model, Any]:
    weights = (np.arange(72).reshape(36, 2) % 7 - 3, [0, 1], [[1, 0.5], [-1, 0.25]], [0, 0])
    layers: list[Layer] = [Dense(36, 2), ReLU(), Dense(2, 2)]
    return network_of(layers, "softmax_crossentropy", *weights), np.arange(36).reshape(1, 36) % 5 / 4


def drawn_of_an_image(**options: Any) -> str:
    model, X = of_an_image()
    return draw(model, X=X, y=[1], **options).svg


def a_value() -> Value:
    x, w, b = Value(-2.0, "x"), Value(3.0, "w"), Value(0.5, "b")
    y = (x * w + b).tanh() + 2**x * x
    y.backward()
    return y


def many_neurons() -> str:
    weights = (np.arange(40).reshape(2, 20) % 9 - 4, np.arange(20) % 3, np.arange(20) % 4 - 1, [0])
    model = network_of([Dense(2, 20), Tanh(), Dense(20, 1)], "mean_squared_error", *weights)
    return draw(model, X=[[1.0, 0.5], [0.25, 0.0]], y=[1.0, 2.0], sample=1, max_neurons=4).svg


def drawn_joined() -> str:
    nodes = [("a", Dense(2, 2), "inputs"), ("t", Tanh(), "a"), ("s", Add(), ("a", "t"))]
    network = Graph([*nodes, ("both", Concatenate(), ("s", "inputs")), ("last", Dense(4, 1), "both")])
    weights = ([[1, -0.5], [0.25, 0]], [0, 0.1], [1, 0, 2, -3], [0.5])
    model = network_of(network, "mean_squared_error", *weights)
    return draw(model, X=[[1.0, 2.0]], y=[1.0]).svg


def drawn_channels() -> str:
    weights = (np.arange(98) % 5 - 2, [0])
    model = network_of([Flatten(), Dense(98, 1)], "mean_squared_error", *weights)
    X = (np.arange(98).reshape(1, 2, 7, 7) % 4 == 0) * (np.arange(98).reshape(1, 2, 7, 7) % 9 - 3)
    return draw(model, X=X / 2, y=[1.0]).svg


PAGES: dict[str, Callable[[], str]] = {
    "neuron": lambda: the_neuron_of_the_notes(points=5).to_html(),
    "table weight": lambda: table("dense_0.weights[age,1]", optimizer=SGD(0.5), points=5).to_html(notation="numpy"),
    "table input": lambda: table("inputs[3,age years]", max_terms=1, max_paths=1).to_html(notation="calculus"),
    "joined": lambda: joined(points=5)._repr_html_(),
    "dead": lambda: dead().to_html(),
    "wrong": lambda: wrong().to_html(),
    "prediction of a table": lambda: explain_prediction(of_a_table(), X[3]).to_html(),
    "prediction of an image": lambda: explain_prediction(of_an_image()[0], of_an_image()[1][0], 1).to_html(),
    "one neuron": lambda: explain_neuron([1.0, -2.0, 3.0], [-3.0, -1.0, 2.0], 1.0, ReLU(), dvalue=1.0)._repr_html_(),
    "one neuron of halves": lambda: explain_neuron([0.5, 2], [-0.25, 0.75], -0.5, Tanh(), dvalue=-2.0)._repr_html_(),
    "softmax": lambda: explain_rule("Softmax")._repr_html_(),
    "adam": lambda: explain_rule("Adam")._repr_html_(),
    "huber": lambda: explain_rule("Huber")._repr_html_(),
    "drawn table": lambda: draw(of_a_table(), X=X, y=Y, sample=3).svg,
    "drawn image": drawn_of_an_image,
    "drawn few": lambda: drawn_of_an_image(max_neurons=1, image=False),
    "drawn many": many_neurons,
    "drawn joined": drawn_joined,
    "drawn channels": drawn_channels,
    "drawn value": lambda: draw(a_value()).svg,
}


def bare(html: str) -> str:
    """A page without its style: an element a line, numbers to six digits."""
    inside = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL).replace("><", ">\n<")
    number = re.compile(r"(?<![\w.])\d+\.\d{6,}(?:e[-+]\d+)?")
    return number.sub(lambda found: f"{float(found[0]):.6g}", inside) + "\n"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_or_a_picture_is_as_it_was_kept(name: str) -> None:
    assert bare(PAGES[name]()) == (FOLDER / f"{name}.html").read_text(encoding="utf-8")


def rules() -> str:
    """Of every layer, loss, penalty and optimizer: what is told of it, and the rule as it is written."""
    kinds = (Layer, Loss, Penalty, Optimizer)
    classes = [cls for _, cls in sorted(LIBRARY.items()) if issubclass(cls, kinds) and cls is not Graph]
    return "\n\n".join(f"{explain_rule(cls)}\n{_rule(cls)}" for cls in classes)


def _rule(cls: type) -> str:
    try:
        pair = cls()
    except TypeError:
        return ""
    return repr(rule_of(pair, parts=2)) if isinstance(pair, Pair) else ""


def code() -> str:
    """What is told of each activation, forward and backward, with its line of NumPy, and who agrees."""
    said = []
    for name, kind in ACTIVATIONS.items():
        network = Sequential(Dense(1, 2), kind(), Dense(2, 1))
        weights = ([1, -1], [0, 0.5], [1, 2], [0])
        one = with_weights(network, MeanSquaredError(), [[0.75], [-2.0]], [1.0, 2.0], "inputs[1,0]", *weights)
        own = [step for step in one.steps if not step.node.startswith(("dense", "loss"))]
        said += [f"{name}: {s.part} | {s.sentence} | {s.formula} | {s.numpy}" for s in own]
        said.append("; ".join(f"{w.name} {w.agrees}" for w in one.witnesses))
    return "\n".join(said)


def saturated(kind: type[Layer], weight: float) -> Explanation:
    network = Sequential(Dense(1, 1), kind(), Dense(1, 1))
    weights = ([weight], [0], [2], [0])
    return with_weights(network, MeanSquaredError(), [[1.0], [2.0]], [1.0, 2.0], "dense_0.weights[0,0]", *weights)


def normalized(asked: str) -> Explanation:
    network = Sequential(Dense(2, 2), LayerNorm(2), Dense(2, 1))
    weights = ([[1, 2], [0.5, -1]], [0, 0], [1, 1], [0, 0], [1, -1], [0])
    return with_weights(network, MeanSquaredError(), [[1.0, 2.0], [0.5, 0.25]], [1.0, 2.0], asked, *weights)


def answers() -> str:
    """What is said of gradients next to zero, of numbers too small for a witness, and of a normalization."""
    shown = [saturated(Sigmoid, 20.0), saturated(Tanh, 15.0), saturated(Tanh, 1e-120), saturated(ReLU, -1.0), dead()]
    shown += [normalized(f"layer_norm_0.{name}[1]") for name in ("gamma", "beta")] + [normalized("inputs[0,1]")]
    return "\n\n".join("\n".join([one.answer, *_ways(one), *(s.numpy for s in one.steps)]) for one in shown)


def given(network: Graph, X: Any, dvalue: Any, asked: str, *weights: Any, **options: Any) -> Explanation:
    """A gradient that is given at the output."""
    values = {n: np.reshape(w, s) for (n, s), w in zip(network.parameter_shapes().items(), weights, strict=True)}
    floats = {name: np.asarray(value, dtype=float) for name, value in values.items()}
    return explain(network, X=X, dvalue=dvalue, name=asked, parameters=floats, points=0, **options)


def deep(layers: int, asked: str = "dense_0.weights[0,0]") -> Explanation:
    network = Sequential(*[layer for _ in range(layers) for layer in (Dense(1, 1), Sigmoid())], Dense(1, 1))
    return with_weights(network, MeanSquaredError(), [[1.0]], [9.0], asked, *[0.1, 0.0] * layers, 0.1, 0.0)


def reasons() -> str:
    """Why a gradient is 0, each reason once."""
    two, relu = Dense(2, 2), Sequential(Dense(2, 2), ReLU())
    off, half = ([[-1, 1], [-1, 1]], [-1, 0]), ([[-1, 2], [-1, -3]], [0, 0])
    line = Sequential(("a", Dense(1, 1)), ("b", Dense(1, 1)))
    net = Sequential(Dense(2, 2), ReLU(), Dense(2, 1))
    rows = [[1.0, 2.0], [2.0, 1.0]]
    shown = [
        given(Sequential(ReLU()), [[1, 2, -3, -4], [2, -7, -1, 3]], [[1, 2, 3, 4], [5, 6, 7, 8]], "inputs[0,2]"),
        given(relu, rows, 1.0, "dense_0.weights[0,0]", *off),
        given(relu, rows, 1.0, "dense_0.biases[0]", *off),
        given(relu, rows[:1], 1.0, "dense_0.weights[0,0]", *off),
        given(relu, rows, 1.0, "dense_0[1,0]", *off),
        given(relu, rows, 1.0, "inputs[0,1]", *half),
        given(Sequential(Dense(1, 3)), [[1.0], [2.0]], 1.0, "inputs[1,0]", [1, -3, 2], [0, 0, 0]),
        given(Sequential(two), rows, 1.0, "inputs[1,0]", [[0, 0], [1, 1]], [0, 0]),
        given(Sequential(two), rows, [[0.0, 1.0]], "inputs[1,0]", [[1, 0], [1, 1]], [0, 0]),
        given(net, rows, 1.0, "inputs[1,0]", [[0, -2], [1, 1]], [0, 0], [1, 1], [0]),
        given(Sequential(two), rows, [[0.0, 1.0]], "dense_0.weights[1,0]", [[1, 0], [1, 1]], [0, 0]),
        given(net, rows, 1.0, "dense_0.weights[0,0]", np.eye(2), [0, 0], [0, 0], [0]),
        given(Sequential(two, Dense(2, 1), ReLU()), rows, 1.0, "dense_0.weights[0,0]", np.eye(2), [0, 0], [-1, 0], [0]),
        given(net, rows, 1.0, "dense_0.weights[0,0]", [[-1, 1], [1, 1]], [0, 0], [1, 1], [0], sample=1),
        given(net, [[0, 1], [2, 1]], 1.0, "dense_0.weights[0,0]", np.eye(2), [0, 1], [1, 1], [0], sample=0),
        given(Sequential(two), rows, 0.0, "dense_0.weights[1,0]", [[1, 0], [1, 1]], [0, 0]),
        given(
            Sequential(two), [[1.0, 0.0], [-0.5, 0.0]], [[1.0, 0], [2.0, 0]], "dense_0.weights[0,0]", np.eye(2), [0, 0]
        ),
        given(
            Sequential(two), [[1.0, 0.0], [-0.5, 0.0]], [[1.0, 0], [2.0, 0]], "dense_0.weights[1,0]", np.eye(2), [0, 0]
        ),
        given(
            Sequential(two), [[1.0, 0.0], [0.0, 1.0]], [[0.0, 1], [2.0, 1]], "dense_0.weights[0,0]", np.eye(2), [0, 0]
        ),
        given(net, rows, 1.0, "dense_1.weights[0,0]", *off, [1, 1], [0]),
        with_weights(line, MeanSquaredError(), [[1.0]], [1.0], "a.weights[0,0]", 1, 0, 1, 0),
        with_weights(line, MeanSquaredError(), [[1e-8]], [1e-8], "a.weights[0,0]", 1, 1e-12, 1, 0),
        with_weights(line, MeanSquaredError(), [[1.0], [2.0]], [1, 1], "a[1,0]", 1, 0, 1, 0, sample=0),
        deep(5),
        deep(6),
        deep(7, "inputs[0,0]"),
        deep(8, "dense_0.biases[0]"),
    ]
    shown += [saturated(kind, weight) for kind in (Sigmoid, Tanh) for weight in (3.0, 5.3, 7.0, 12.0)]
    return "\n".join(f"{one.name}: {number(one.value, 4)} {one.answer}" for one in shown)


class Kinked(Layer):
    """A kink that no rule declares, at 0."""

    def pure_forward(self, xp: Any, inputs: Any) -> Any:
        return xp.maximum(inputs, 0.25 * inputs)

    def pure_backward(self, xp: Any, dvalues: Any, inputs: Any) -> Any:
        return dict(dinputs=xp.where(inputs > 0, dvalues, 0.25 * dvalues))


class Sorted(Layer):
    """No formula says what it does, and `Value` cannot follow it."""

    def pure_forward(self, xp: Any, inputs: Any) -> Any:
        return xp.sort(inputs, axis=1)

    def pure_backward(self, xp: Any, dvalues: Any, inputs: Any) -> Any:
        places = xp.argsort(xp.argsort(inputs, axis=1), axis=1)
        return dict(dinputs=xp.take_along_axis(dvalues, places, axis=1))


class Parts(Kinked):
    """Three times its input, in one piece for `Value`, in a shape that no rule has."""

    def pure_forward(self, xp: Any, inputs: Any) -> Any:
        return inputs + inputs + inputs

    def pure_backward(self, xp: Any, dvalues: Any) -> Any:
        return dict(dinputs=dvalues * 3.0)


def witnesses() -> str:
    """What the independent ways say: agreement, kinks, clips, what is left out and what cannot tell."""
    first, one = "dense_0.weights[0,0]", MeanSquaredError()
    sure = Sequential(Dense(1, 2), Softmax())
    yes = Sequential(Dense(1, 1), Sigmoid())
    nodes = [("a", Dense(1, 1), "inputs"), ("t", Tanh(), "a"), ("b", Dense(1, 1), "t")]
    tied = Graph(nodes, ties={"b.weights": "a.weights"})
    tables = [
        with_weights(Sequential(Dense(1, 1), ReLU()), one, [[1.0]], [1], first, 0, 0),
        with_weights(Sequential(Dense(1, 2), ReLU()), one, [[1.0]], [[1, 1]], "inputs[0,0]", [1, 1], [-1, -1]),
        with_weights(Sequential(Dense(1, 1), Kinked()), one, [[1.0]], [1], first, 0, 0),
        with_weights(Sequential(Dense(1, 1), Kinked()), one, [[1.0]], [1], first, 0.5, 0),
        with_weights(Sequential(Dense(1, 3), Sorted()), one, [[1.0]], [[1, 2, 3]], first, [0.5, 2, -1], [0, 0, 0]),
        with_weights(Sequential(Dense(1, 1), Parts()), one, [[1.0], [2.0]], [1, 2], first, 0.5, 0),
        with_weights(sure, CategoricalCrossentropy(), [[1.0]], [1], first, [30, -30], [0, 0]),
        with_weights(sure, CategoricalCrossentropy(), [[1.0], [2]], [1, 1], first, [30, -30], [0, 0]),
        with_weights(sure, CategoricalCrossentropy(), [[1.0]], [0], first, [30, -30], [0, 0]),
        with_weights(yes, BinaryCrossentropy(), [[1.0]], [0], first, [40], [0]),
        with_weights(yes, SigmoidCrossentropy(), [[1.0]], [1], first, [3], [0]),
        with_weights(Sequential(Dense(1, 1), Softplus()), one, [[1.0]], [1], first, [-30], [0]),
        with_weights(Sequential(Dense(1, 1), Tanh()), one, [[1.0]], [1], first, [1e-120], [0]),
        with_weights(Sequential(Dense(1, 1)), one, [[1.0]], [2], first, [0.5], [0]),
        with_weights(Sequential(Dense(1, 1)), one, [[1.0]], [1e8], first, [0.5], [0]),
        with_weights(Sequential(Dense(1, 1)), one, [[1e-9]], [1e4], first, [0.5], [0]),
        with_weights(
            Sequential(Dense(300, 300)), one, np.ones((1, 300)), np.ones((1, 300)), first, np.ones(90000), np.ones(300)
        ),
        with_weights(Sequential(Dense(1, 1, penalties={"weights": L1(0.5)})), one, [[1.0]], [1], first, [0], [0]),
        with_weights(Sequential(Dense(1, 1, penalties={"weights": L2(0.5)})), one, [[1.0]], [1], first, [3], [0]),
        with_weights(tied, one, [[1.0], [2.0]], [1, 2], "a.weights[0,0]", 0.5, 0.25, 0.75),
        with_weights(tied, one, [[1.0], [2.0]], [1, 2], "b.weights[0,0]", 0.5, 0.25, 0.75),
        wrong(),
    ]
    said = [f"{t.value:.6g}: " + "; ".join([*_ways(t), *t.notes]) for t in tables]
    return "\n".join(said)


def _ways(one: Explanation) -> list[str]:
    """Who agrees, and what else is said; how far a difference went depends on the machine."""
    notes = [re.sub(r"± [\d.e-]+", "± …", w.note) if "down to" not in w.note else "" for w in one.witnesses]
    return [
        f"{w.name}: {w.agrees}" + (f", {note}" if note else "") for w, note in zip(one.witnesses, notes, strict=True)
    ]


def latex() -> str:
    """As LaTeX: explanations and rules."""
    shown = [make().to_latex() for name, make in CASES.items() if name in ("neuron", "table weight", "probabilities")]
    return "\n\n".join([*shown, *(explain_rule(name).to_latex() for name in ("Softmax", "Huber", "Adam"))])


FORMULAS = """
a + b - (c - d)|-(a + b)*c|a/(b*c)/d|(a - b)**2|a**(n + 1)|x**t|a if x > 0 else b|a if x >= 0 else (b if x < -1 else c)
sum(n, w[n]*x[b,n])/N|D(L, 'dense_0.weights'[2,5])*w[i,n]|D(a + b, c)|delta(j,k) - delta(2,k)|delta(jj,k)|'net_50%'[0]
sqrt(x)|abs(x)|exp(x)|log(x)|sin(x)|cos(x)|sinh(x)|cosh(x)|tanh(x)|arctan(x)|max(x, 0)|min(x, y)|sigma(x)|Phi(x)|phi(x)
erf(x)|gamma*xhat + beta|w_new|g_new*beta1**2|yhat[b,c]|mhat/(sqrt(chat) + eps)|ell[b]|x == y|x != y|x <= 1e-7|2.5e10*x
-1.5*x|lam*rho*alpha*pi*mu*var*eta|wdec - gclip - gdec|x[...,k]
"""


def notation() -> str:
    """Every piece that formulas are made of, as text, as LaTeX and as MathML."""
    formulas = FORMULAS.strip().replace("\n", "|").split("|")
    return "\n".join(f"{text(one)}   {latex_of(one)}   {mathml(one)}" for one in formulas)


LISTS: dict[str, Callable[[], str]] = {
    "rules": rules,
    "code": code,
    "answers": answers,
    "latex": latex,
    "notation": notation,
    "reasons": reasons,
    "witnesses": witnesses,
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_as_it_was_kept(name: str) -> None:
    assert LISTS[name]() + "\n" == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def shown(one: Explanation) -> str:
    steps = "\n".join(f"{s.id} | {s.title} | {s.folded} | {s.numpy}" for s in one.steps)
    both = (one.to_text(80), one.to_text(100, full=True, notation="calculus"), one.to_text(46, notation="numpy"))
    return "\n\n=====\n\n".join([*both, steps]) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_an_explanation_reads_as_it_was_kept(name: str) -> None:
    assert shown(CASES[name]()) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    for name, make in CASES.items():
        (FOLDER / f"{name}.txt").write_text(shown(make()), encoding="utf-8")
    for name, make_list in LISTS.items():
        (FOLDER / f"{name}.txt").write_text(make_list() + "\n", encoding="utf-8")
    for name, page in PAGES.items():
        (FOLDER / f"{name}.html").write_text(bare(page()), encoding="utf-8")
