"""explain: the derivation of every gradient of any network, its arithmetic, its witnesses, and what it refuses."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import (
    ELU,
    GELU,
    L1,
    L2,
    Adam,
    Add,
    BatchNorm,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Concatenate,
    Declared,
    Dense,
    Dropout,
    Explanation,
    Flatten,
    Graph,
    Huber,
    Layer,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    Multiply,
    Normal,
    ReLU,
    Rule,
    Sequential,
    Sigmoid,
    SigmoidCrossentropy,
    SiLU,
    Softmax,
    SoftmaxCrossentropy,
    Softplus,
    Tanh,
    explain,
    loss_and_gradients,
    trace,
)
from chainrule.layer import Context
from support import compiled, random_values


class Quadratic(Layer):
    """A user's layer without a rule: a·x² + c·x, one a and one c for all neurons."""

    parameters = ("curve", "slope")

    def declare(self) -> dict[str, Declared]:
        return {"curve": Declared((1, 1), Normal(0.3)), "slope": Declared((1, 1), Normal(1.0))}

    def pure_forward(self, xp, inputs, curve, slope):
        return curve * inputs * inputs + slope * inputs

    def pure_backward(self, xp, dvalues, inputs, curve, slope):
        def total(array):
            return xp.sum(xp.sum(array, axis=1, keepdims=True), axis=0, keepdims=True)

        return dict(
            dinputs=dvalues * (2 * curve * inputs + slope),
            dcurve=total(dvalues * inputs * inputs),
            dslope=total(dvalues * inputs),
        )


class RuledQuadratic(Quadratic):
    """The same with a rule."""

    rule = Rule(
        "y[b,n]",
        "a[0,0]*x[b,n]**2 + c[0,0]*x[b,n]",
        {"inputs": "x[b,n]", "curve": "a[0,0]", "slope": "c[0,0]"},
        {"inputs": "2*a[0,0]*x[b,n] + c[0,0]", "curve": "x[b,n]**2", "slope": "x[b,n]"},
    )


def classifier() -> Graph:
    return Sequential(Dense(3, 4, penalties={"weights": L2(0.01)}), ReLU(), Dense(4, 5), ReLU(), Dense(5, 3))


def residual() -> Graph:
    """Forks, joins, a tie, a graph inside, normalizations, a frozen layer."""
    return Graph(
        [
            ("first", Dense(3, 4), "inputs"),
            ("norm", BatchNorm(4), "first"),
            ("block", Sequential(Dense(4, 4), Tanh(), LayerNorm(4)), "norm"),
            ("sum", Add(), ("block", "norm", "first")),
            ("second", Dense(3, 4), "inputs"),
            ("product", Multiply(), ("sum", "second")),
            ("still", Dense(4, 2).freeze(), "product"),
            ("both", Concatenate(), ("still", "inputs")),
            ("last", Dense(5, 3), "both"),
        ],
        ties={"second.weights": "first.weights"},
    )


def written() -> Graph:
    return Sequential(Dense(3, 4), Quadratic(), Dropout(0.3), Dense(4, 3), RuledQuadratic())


NETWORKS: dict[str, tuple[Callable[[], Graph], Loss]] = {
    "dense classifier": (classifier, SoftmaxCrossentropy(label_smoothing=0.1)),
    "residual graph": (residual, MeanSquaredError()),
    "layers of one's own": (written, MeanSquaredError(reduction="sum")),
}


def prepared(network: Graph, loss: Loss, samples: int = 4, seed: int = 0) -> dict[str, Any]:
    """Arguments of explain: parameters, state, X and y at no special place."""
    rng = np.random.default_rng(seed)
    values = random_values(network, rng)
    X = rng.normal(size=(samples, *(network.input_shape() or (3,))))
    outputs = network.output_shape(X.shape[1:])[-1]
    y = rng.integers(0, outputs, samples) if loss.metric == "accuracy" else rng.normal(size=(samples, outputs))
    parameters = {name: values.pop(name) for name in network.parameters}
    return {"X": X, "y": y, "parameters": parameters, "state": values}


def entries(arrays: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name, array in arrays.items():
        for place in np.ndindex(array.shape):
            yield name, place


def by_jax(network: Graph, loss: Loss, case: dict[str, Any], training: bool, seed: int) -> dict[str, Any]:
    """The gradients as JAX has them, from the forward passes alone."""
    X, parameters, state = case["X"], case["parameters"], case["state"]
    targets, shares = loss.prepare(case["y"], (len(X), *network.output_shape(X.shape[1:])))

    def objective(arrays: dict[str, Any]) -> Any:
        output, _, _ = network.forward_pass(jnp, arrays["inputs"], {**arrays, **state}, Context(training, seed))
        total = jnp.sum(loss.forward_pass(jnp, output, targets)[0] * shares[:, 0])
        for name, terms in network.penalty_terms().items():
            total = total + sum(term.run_forward(jnp, {"parameter": arrays[name]})[0] for term in terms)
        return total

    return compiled(jax.grad(objective), {**parameters, "inputs": X})


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize(("make", "loss"), NETWORKS.values(), ids=NETWORKS)
def test_the_derivation_of_every_number_is_its_gradient(make: Any, loss: Loss, training: bool) -> None:
    network = make()
    case = prepared(network, loss)
    options = {"training": training, "seed": 3, "max_paths": 0, "points": 0}
    exact = by_jax(network, loss, case, training, 3)
    _, gradients = loss_and_gradients(
        network, loss, case["parameters"], case["X"], case["y"], state=case["state"], training=training, seed=3
    )
    for name, place in entries({**case["parameters"], "inputs": case["X"]}):
        one = explain(network, loss, name=name, index=place, **case, **options)
        largest = np.max(np.abs(exact[name]))
        derived = one.lines[-1].value
        if name != "inputs":
            assert abs(derived - gradients[name][place]) <= 1e-12 * largest, (name, place)
        assert abs(derived - exact[name][place]) <= 1e-10 * largest, (name, place)
        assert one.agrees, (one.name, one.witnesses)
        assert one.witnesses[3].value is not None, one.witnesses[3].note


@pytest.mark.parametrize(("make", "loss"), NETWORKS.values(), ids=NETWORKS)
def test_every_value_between_the_layers_can_be_asked_for(make: Any, loss: Loss) -> None:
    network = make()
    case = prepared(network, loss)
    one_pass = trace(network, loss, case["parameters"], case["X"], case["y"], state=case["state"], training=False)
    for name, node in one_pass.nodes.items():
        if name == "loss":
            continue
        place = tuple(size - 1 for size in node.output.shape)
        one = explain(network, loss, name=f"{name}.output", index=place, points=0, **case)
        assert one.lines[-1].value == pytest.approx(node.dvalues[place], rel=1e-12)
        assert one.agrees and one.today == node.output[place]


def shown_numbers(text: str) -> Iterator[tuple[float, float, float]]:
    """(calculated, printed, unit of the last printed digit) of every line of a printed derivation."""
    body = text.split("\n\nWitnesses", maxsplit=1)[0]
    statements = re.split(r"\n(?=  [∂L])", body)
    for statement in statements[1:]:
        flat = re.sub(r"\([\d,]+ (?:more )?terms?\)", "", " ".join(statement.split("\n\n")[0].split()))
        *_, numbers, value = flat.split(" = ")
        expression = numbers.replace("·", "*").replace("²", "**2").replace("^", "**")
        printed = float(value)
        digits = value.lstrip("-0.").split("e")[0].replace(".", "")
        unit = 10.0 ** (math.floor(math.log10(abs(printed))) - max(len(digits), 6) + 1) if printed else 1e-12
        yield float(eval(expression, {"σ": lambda x: 1 / (1 + math.exp(-x)), "sign": np.sign})), printed, unit


@pytest.mark.parametrize(("make", "loss"), NETWORKS.values(), ids=NETWORKS)
def test_a_reader_who_adds_the_printed_numbers_gets_the_printed_value(make: Any, loss: Loss) -> None:
    network = make()
    case = prepared(network, loss, samples=9)
    count = 0
    for name, place in [("inputs", (2, 1)), *list(entries(case["parameters"]))[::5]]:
        one = explain(network, loss, name=name, index=place, training=True, max_terms=3, points=0, **case)
        for calculated, printed, unit in shown_numbers(str(one)):
            count += 1
            assert abs(calculated - printed) <= 1.01 * unit, str(one)
    assert count > 30


def test_nothing_is_left_out_of_the_arithmetic() -> None:
    network = Sequential(Dense(3, 40), Tanh(), Dense(40, 30), Sigmoid(), Dense(30, 2))
    case = prepared(network, MeanSquaredError(), samples=50)
    one = explain(network, MeanSquaredError(), name="dense_0.weights", index=(1, 7), max_terms=4, points=0, **case)
    last = one.lines[-1]
    assert len(last.terms) == 4 and last.rest_count == 46 and last.zeros == 0
    assert [abs(t.product) for t in last.terms] == sorted((abs(t.product) for t in last.terms), reverse=True)
    assert abs(last.terms[-1].product) >= abs(last.rest_sum / last.rest_count)
    for line in one.lines:
        assert math.fsum([*(t.product for t in line.terms), line.rest_sum]) == pytest.approx(line.value, rel=1e-12)
        assert eval(line.numbers) == pytest.approx(line.value, rel=1e-9)
    sums = [line for line in one.lines if line.quantity.name == "tanh_0"]
    assert sums[0].rest_count == 26 and sums[0].formula.startswith("sum(n, D(L, 'dense_1'[")


# Every layer and loss

LAYERS: dict[str, Callable[[], Layer]] = {
    "leaky relu": lambda: LeakyReLU(0.1),
    "elu": ELU,
    "gelu": GELU,
    "gelu tanh": lambda: GELU(approximate=True),
    "silu": SiLU,
    "softplus": Softplus,
    "sigmoid": Sigmoid,
    "softmax": Softmax,
    "log softmax": LogSoftmax,
    "dropout": lambda: Dropout(0.4),
    "layer norm": lambda: LayerNorm(4),
    "batch norm": lambda: BatchNorm(4),
    "flatten": Flatten,
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_every_layer_is_explained_by_its_rule(make: Callable[[], Layer]) -> None:
    network = Sequential(Dense(3, 4), ("it", make()), Dense(4, 2))
    case = prepared(network, MeanSquaredError())
    one = explain(network, MeanSquaredError(), name="dense_0.weights", index=(2, 1), training=True, points=0, **case)
    through = next(line for line in one.lines if line.nodes == ("it",))
    assert all(term.formula for term in through.terms)
    assert [w.agrees for w in one.witnesses] == [
        True,
        True,
        True,
        None if isinstance(make(), GELU) and not make().approximate else True,
    ]


LOSSES: dict[str, tuple[Loss, Callable[[], list[Layer]]]] = {
    "crossentropy": (CategoricalCrossentropy(class_weights=(1.0, 2.0)), lambda: [Softmax()]),
    "softmax crossentropy": (SoftmaxCrossentropy(), list),
    "binary crossentropy": (BinaryCrossentropy(label_smoothing=0.1), lambda: [Sigmoid()]),
    "sigmoid crossentropy": (SigmoidCrossentropy(), list),
    "squared": (MeanSquaredError(), list),
    "absolute": (MeanAbsoluteError(), list),
    "huber": (Huber(delta=0.5), list),
}


@pytest.mark.parametrize(("loss", "last"), LOSSES.values(), ids=LOSSES)
def test_every_loss_is_explained_by_its_rule(loss: Loss, last: Callable[[], list[Layer]]) -> None:
    network = Sequential(Dense(3, 2), *last())
    case = prepared(network, loss)
    if isinstance(loss, BinaryCrossentropy | SigmoidCrossentropy):
        case["y"] = np.eye(2)[case["y"]]
    weights = [1.0, 0.0, 2.0, 3.0]
    one = explain(network, loss, name="dense_0.biases", index=1, sample_weights=weights, points=0, **case)
    assert one.agrees and one.quantity.place == (0, 1)
    assert [w.value is not None for w in one.witnesses] == [True] * 4
    line = next(line for line in one.lines if line.quantity.name == list(network.nodes)[-1])
    assert line.terms[0].formula


# Hypothesis: graphs at random


@st.composite
def graphs(draw: Any) -> Graph:
    """A line of layers with forks to earlier nodes of the same width, joined again."""
    nodes: list[tuple[str, Layer, Any]] = [("n0", Dense(2, 3), "inputs")]
    for i in range(1, draw(st.integers(2, 6))):
        kind = draw(
            st.sampled_from(["dense", "relu", "tanh", "norm", "batch", "softmax", "add", "multiply", "own", "deep"])
        )
        before = nodes[-1][0]
        other = draw(st.sampled_from([name for name, _, _ in nodes]))
        made: dict[str, tuple[Layer, Any]] = {
            "dense": (Dense(3, 3, penalties={"weights": L1(0.01)}), before),
            "relu": (ReLU(), before),
            "tanh": (Tanh(), before),
            "norm": (LayerNorm(3), before),
            "batch": (BatchNorm(3), before),
            "softmax": (Softmax(), before),
            "add": (Add(), (before, other)),
            "multiply": (Multiply(), (before, other)),
            "own": (Quadratic(), before),
            "deep": (Sequential(Dense(3, 3), Sigmoid()), before),
        }
        nodes.append((f"n{i}", *made[kind]))
    read = {s for _, _, sources in nodes for s in ([sources] if isinstance(sources, str) else sources)}
    assert all(name in read for name, _, _ in nodes[:-1])
    return Graph([*nodes, ("last", Dense(3, 2), nodes[-1][0])])


@settings(max_examples=40)
@given(graphs(), st.integers(0, 1000), st.booleans())
def test_any_graph_is_explained(network: Graph, seed: int, training: bool) -> None:
    loss = SoftmaxCrossentropy()
    case = prepared(network, loss, samples=3, seed=seed)
    exact = by_jax(network, loss, case, training, 0)
    rng = np.random.default_rng(seed)
    for name in rng.choice([*network.parameters, "inputs"], 2):
        place = tuple(int(rng.integers(size)) for size in exact[name].shape)
        one = explain(network, loss, name=str(name), index=place, training=training, points=0, **case)
        assert abs(one.lines[-1].value - exact[name][place]) <= 1e-10 * max(np.max(np.abs(exact[name])), 1e-3)
        assert one.agrees, one.witnesses
        if one.paths.total is not None:
            assert one.paths.total == pytest.approx(
                one.value - sum(t.product for t in one.lines[-1].terms if t.upstream is None), rel=1e-9, abs=1e-12
            )


# Views


def test_json_holds_everything() -> None:
    network = classifier()
    one = explain(
        network,
        SoftmaxCrossentropy(),
        name="dense_1.weights",
        index=(0, 1),
        optimizer=Adam(),
        **prepared(network, SoftmaxCrossentropy()),
    )
    stored = json.loads(one.to_json())
    assert stored["symbol"] == "'dense_1.weights'[0,1]" and stored["value"] == one.value
    assert Explanation.from_json(one.to_json()) == one
