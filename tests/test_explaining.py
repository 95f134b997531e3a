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
    SGD,
    Adagrad,
    Adam,
    AdamW,
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
    HalfSquaredError,
    Huber,
    Layer,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    Model,
    Multiply,
    Normal,
    ReLU,
    RMSprop,
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
    explain_rule,
    loss_and_gradients,
    trace,
)
from chainrule.errors import (
    ConfigurationError,
    DataError,
    DerivationError,
    NonFiniteError,
    ShapeError,
    UnknownNameError,
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


def without_biases() -> Graph:
    return Sequential(Dense(3, 4, bias=False), Tanh(), Dense(4, 2, bias=False))


NETWORKS: dict[str, tuple[Callable[[], Graph], Loss]] = {
    "dense classifier": (classifier, SoftmaxCrossentropy(label_smoothing=0.1)),
    "residual graph": (residual, MeanSquaredError()),
    "without biases": (without_biases, HalfSquaredError()),
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
        assert one.agrees and one.current == node.output[place]


FUNCTIONS = {
    "σ": lambda x: 1 / (1 + math.exp(-x)),
    "sign": np.sign,
    **{name: getattr(math, name) for name in ("exp", "log", "tanh", "sqrt")},
}


def calculated(numbers: str) -> float:
    """What a reader gets who types the printed numbers into Python."""
    for written, typed in (("·", "*"), ("²", "**2"), ("^", "**"), ("√", "sqrt"), ("−", "-")):
        numbers = numbers.replace(written, typed)
    return float(eval(numbers, dict(FUNCTIONS)))


def shown_numbers(text: str) -> Iterator[tuple[float, float, float]]:
    """(calculated, printed, unit of the last printed digit) of every step of a printed explanation."""
    terms: list[str] = []
    for line in re.split("\n\nThe same gradient|\n\nWitnesses", text)[0].splitlines():
        match = re.fullmatch(r"    ([=+]) (\S.*?)(?:   +\S.*)?", line)
        if match is None:
            terms = terms if line.startswith("        ") else []
            continue
        *numbers, last = match[2].split(" = ")
        if match[1] == "+" or not (numbers or terms):
            terms.append(last)
            continue
        printed = float(last)
        digits = last.lstrip("-0.").split("e")[0].replace(".", "")
        unit = 10.0 ** (math.floor(math.log10(abs(printed))) - max(len(digits), 6) + 1) if printed else 1e-12
        yield math.fsum(map(calculated, numbers or terms)), printed, unit
        terms = []


@pytest.mark.parametrize(("make", "loss"), NETWORKS.values(), ids=NETWORKS)
def test_a_reader_who_adds_the_printed_numbers_gets_the_printed_value(make: Any, loss: Loss) -> None:
    network = make()
    case = prepared(network, loss, samples=9)
    count = 0
    for name, place in [("inputs", (2, 1)), *list(entries(case["parameters"]))[::5]]:
        one = explain(network, loss, name=name, index=place, training=True, max_terms=3, points=0, **case)
        for added, printed, unit in shown_numbers(one.to_text(200, full=True)):
            count += 1
            assert abs(added - printed) <= 1.01 * unit, (added, printed, str(one))
    assert count > 60


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
    assert [w.agrees for w in one.witnesses] == [True] * 4


LOSSES: dict[str, tuple[Loss, Callable[[], list[Layer]]]] = {
    "crossentropy": (CategoricalCrossentropy(class_weights=(1.0, 2.0)), lambda: [Softmax()]),
    "softmax crossentropy": (SoftmaxCrossentropy(), list),
    "binary crossentropy": (BinaryCrossentropy(label_smoothing=0.1), lambda: [Sigmoid()]),
    "sigmoid crossentropy": (SigmoidCrossentropy(), list),
    "squared": (MeanSquaredError(), list),
    "absolute": (MeanAbsoluteError(), list),
    "huber": (Huber(delta=0.5), list),
    "half-squared": (HalfSquaredError(), list),
}


@pytest.mark.parametrize(("loss", "last"), LOSSES.values(), ids=LOSSES)
def test_every_loss_is_explained_by_its_rule(loss: Loss, last: Callable[[], list[Layer]]) -> None:
    network = Sequential(Dense(3, 2), *last())
    case = prepared(network, loss)
    if isinstance(loss, BinaryCrossentropy | SigmoidCrossentropy):
        case["y"] = np.eye(2)[case["y"]]
    weights = [1.0, 0.0, 2.0, 3.0]
    one = explain(network, loss, name="dense_0.biases", index=1, sample_weights=weights, points=0, **case)
    assert one.agrees and one.quantity.index == (0, 1)
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


def test_the_optimizers_formulas_give_the_optimizers_step() -> None:
    """The step itself raises where formulas and update disagree; here it is compared with training."""
    optimizers = [
        SGD(0.1, weight_decay=0.1),
        SGD(0.1, momentum=0.9),
        SGD(0.1, momentum=0.9, nesterov=True),
        Adagrad(),
        RMSprop(),
        Adam(clip_norm=0.01),
        AdamW(weight_decay=0.3),
        Adam(clip_value=0.001, weight_decay=0.1),
    ]
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(8, 3)), rng.integers(0, 3, 8)
    for optimizer in optimizers:
        model = Model([Dense(3, 4), Tanh(), Dense(4, 3)], SoftmaxCrossentropy(), optimizer, dtype="float64")
        model.fit(X, y, epochs=3, batch_size=8, verbose=False)
        one = model.explain(X, y, "dense_0.weights", (1, 2), training=True)
        model.fit(X, y, epochs=1, batch_size=8, verbose=False)
        assert one.step is not None
        assert one.step.after == pytest.approx(model.parameters["dense_0.weights"][1, 2], rel=1e-12)
        assert one.step.measured == pytest.approx(one.step.predicted, rel=0.2)
        assert one.step.lines[-1].value == pytest.approx(one.step.after, rel=1e-9)


def test_the_batch_view_adds_up_also_where_samples_are_mixed() -> None:
    for make, loss in NETWORKS.values():
        network = make()
        case = prepared(network, loss)
        name = next(iter(network.parameters))
        one = explain(network, loss, name=name, index=(0, 1), training=True, **case)
        assert one.batch is not None
        assert sum(one.batch.contributions) + one.batch.penalty == pytest.approx(one.value, rel=1e-10, abs=1e-12)
        assert one.batch.mixed == network.mixes_samples


def test_too_many_paths_are_counted_and_refused() -> None:
    network = Sequential(Dense(10, 20), ReLU(), Dense(20, 30), ReLU(), Dense(30, 5))
    one = explain(
        network,
        SoftmaxCrossentropy(),
        name="dense_0.weights",
        index=(0, 0),
        **prepared(network, SoftmaxCrossentropy(), samples=7),
    )
    assert one.paths.count == 7 * 30 * 5 and one.paths.paths == ()
    assert "there would be 1,050 paths" in one.to_text(full=True)


def test_one_sample_alone_is_that_sample_by_itself() -> None:
    network = classifier()
    case = prepared(network, SoftmaxCrossentropy())
    alone = explain(network, SoftmaxCrossentropy(), name="dense_1.weights", index=(1, 1), sample=2, **case)
    by_itself = explain(
        network,
        SoftmaxCrossentropy(),
        case["X"][2:3],
        case["y"][2:3],
        "dense_1.weights",
        (1, 1),
        parameters=case["parameters"],
    )
    assert alone.value == pytest.approx(by_itself.value, rel=1e-12) and alone.batch is None


# What is wrong is noticed


class WrongBackward(Layer):
    """A backward pass that forgets a factor 2, linear all the same."""

    def pure_forward(self, xp, inputs):
        return inputs * inputs

    def pure_backward(self, xp, dvalues, inputs):
        return dict(dinputs=dvalues * inputs)


class NotLinear(WrongBackward):
    def pure_backward(self, xp, dvalues, inputs):
        return dict(dinputs=2 * dvalues * dvalues * inputs)


class WrongRule(ReLU):
    rule = Rule("y[...]", "max(x[...], 0)", {"inputs": "x[...]"}, {"inputs": "0.5"})


class Mixing(Layer):
    """Mixes samples and does not say so."""

    def pure_forward(self, xp, inputs):
        return inputs - xp.mean(inputs, axis=0, keepdims=True)

    def pure_backward(self, xp, dvalues):
        return dict(dinputs=dvalues - xp.mean(dvalues, axis=0, keepdims=True))


class HiddenKink(Layer):
    """A kink that no rule declares."""

    def pure_forward(self, xp, inputs):
        return xp.maximum(inputs, 0)

    def pure_backward(self, xp, dvalues, inputs):
        return dict(dinputs=xp.where(inputs > 0, dvalues, 0))


def with_layer(layer: Layer, **options: Any) -> Explanation:
    network = Sequential(Dense(3, 4), ("it", layer), Dense(4, 2))
    return explain(
        network,
        MeanSquaredError(),
        name="dense_0.weights",
        index=(0, 0),
        **(prepared(network, MeanSquaredError(), samples=6) | options),
    )


def test_a_wrong_backward_is_contradicted_by_the_central_difference() -> None:
    one = with_layer(WrongBackward())
    assert not one.agrees and one.witnesses[2].agrees is False and one.witnesses[3].agrees is False
    assert "DISAGREE (central difference and Value" in str(one) and "DISAGREES" in one.to_text(full=True)
    assert "disagrees" in one.to_html()


class HalfBackward(Layer):
    """The gradient of something else, by a factor of 2."""

    def pure_forward(self, xp, inputs):
        return inputs * 1.0

    def pure_backward(self, xp, dvalues):
        return dict(dinputs=0.5 * dvalues)


@pytest.mark.parametrize("size", [1e-2, 1e-5, 1e-8, 1e-10, 1e-12])
def test_a_wrong_gradient_is_noticed_however_small_it_is_beside_the_loss(size: float) -> None:
    network = Sequential(Dense(1, 1), HalfBackward())
    parameters = {"dense_0.weights": np.array([[0.3]]), "dense_0.biases": np.array([[0.0]])}
    one = explain(network, MeanSquaredError(), [[size]], [2.0], "dense_0.weights", (0, 0), parameters=parameters)
    assert abs(one.value) < 3 * size and not one.agrees, one.witnesses


@pytest.mark.parametrize("layer", [NotLinear(), WrongRule(), Mixing()], ids=lambda layer: type(layer).__name__)
def test_a_layer_that_contradicts_itself_is_refused_by_name(layer: Layer) -> None:
    with pytest.raises(DerivationError, match=r"backward|rule"):
        with_layer(layer)


def test_a_kink_at_todays_value_is_said() -> None:
    network = Sequential(Dense(1, 1), ReLU())
    zero = {"dense_0.weights": np.array([[0.0]]), "dense_0.biases": np.array([[0.0]])}
    one = explain(network, MeanSquaredError(), [[1.0]], [1.0], "dense_0.weights", (0, 0), parameters=zero)
    assert one.value == 0 and one.witnesses[2].agrees is None and "kink" in one.witnesses[2].note
    hidden = Sequential(Dense(1, 1), HiddenKink())
    one = explain(hidden, MeanSquaredError(), [[1.0]], [1.0], "dense_0.weights", (0, 0), parameters=zero)
    assert one.witnesses[2].agrees is None and "kink" in one.witnesses[2].note


def test_what_does_not_exist_is_refused_with_what_does() -> None:
    network = classifier()
    case = prepared(network, SoftmaxCrossentropy())

    def ask(name: Any = "dense_0.weights", index: Any = (0, 0), **changed: Any) -> Explanation:
        return explain(network, SoftmaxCrossentropy(), name=name, index=index, **(case | changed))

    with pytest.raises(UnknownNameError, match=r"Did you mean 'dense_0.weights'.*'inputs', 'dense_0', 'relu_0'"):
        ask("dense_0.weight")
    for index in ((3, 0), (0,), (0, 0, 0), 5, (0.5, 0)):
        with pytest.raises(ShapeError, match=r"shape \(3, 4\).*\(0, 0\) to \(2, 3\)"):
            ask(index=index)
    assert ask(index=(-1, -1)).quantity.index == (2, 3)
    with pytest.raises(DataError, match="0 to 3"):
        ask(sample=4)
    with pytest.raises(DataError, match="empty"):
        ask(X=np.zeros((0, 3)), y=np.zeros(0, dtype=int))
    with pytest.raises(NonFiniteError, match=r"dense_1.biases holds nan at \(0, 2\)"):
        biases = case["parameters"]["dense_1.biases"].copy()
        biases[0, 2] = np.nan
        ask(parameters=case["parameters"] | {"dense_1.biases": biases})
    for option in ({"max_terms": 0}, {"points": -1}, {"max_paths": 1.5}):
        with pytest.raises(ConfigurationError, match="whole number"):
            ask(**option)
    with pytest.raises(ConfigurationError, match="Sequential"):
        explain(Dense(1, 1), MeanSquaredError(), [[1.0]], [1.0], "weights", (0, 0))


def test_the_very_name_that_is_printed_can_be_asked_for() -> None:
    network = residual()
    case = prepared(network, MeanSquaredError()) | {"points": 0, "max_paths": 0}
    asked = [
        ("first.weights", (1, 2)),
        ("inputs", (3, 0)),
        ("sum", (2, 1)),
        ("block.tanh_0", (0, 3)),
        ("last.biases", 1),
    ]
    for name, index in asked:
        one = explain(network, MeanSquaredError(), name=name, index=index, **case)
        for written in (one.name, one.name.replace(",", " , "), f" {one.name} "):
            assert explain(network, MeanSquaredError(), name=written, **case) == one
    assert explain(network, MeanSquaredError(), name="block.output[0,3]", **case).quantity.name == "block.layer_norm_0"
    single = Sequential(("odd[0]", Dense(1, 1)))
    for name in ("odd[0].biases", "odd[0].biases[0]", "odd[0].output[1,0]"):
        one = explain(single, MeanSquaredError(), [[1.0], [2.0]], [1.0, 2.0], name)
        assert one.name in ("odd[0].biases[0,0]", "odd[0][1,0]")


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("dense_0.weights", {}, ShapeError, r"shape \(3, 4\): say which entry, such as dense_0.weights\[0,0\]"),
        ("inputs", {}, ShapeError, r"say which entry, such as inputs\[0,0\]"),
        ("dense_0.weights[0,1]", {"index": (0, 1)}, ConfigurationError, "holds an index already"),
        ("dense_0.weights[3,0]", {}, ShapeError, r"\(0, 0\) to \(2, 3\)"),
        ("dense_0.weights[0,1", {}, ConfigurationError, r"write a name and an index, such as dense_0.weights\[20,5\]"),
        ("dense_0.weights[a,b]", {}, ConfigurationError, "write a name and an index"),
        ("dense_0.weights[0.5,1]", {}, ConfigurationError, "write a name and an index"),
        ("dense_0.weights[]", {}, ConfigurationError, "write a name and an index"),
        ("[0,1]", {}, ConfigurationError, "write a name and an index"),
        ("", {}, ConfigurationError, "write a name and an index"),
        ("dense_0.weight[0,1]", {}, UnknownNameError, "Did you mean 'dense_0.weights'"),
    ],
)
def test_a_name_that_cannot_be_read_is_refused_with_what_to_write(
    name: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    network = classifier()
    with pytest.raises(error, match=message):
        explain(network, SoftmaxCrossentropy(), name=name, **prepared(network, SoftmaxCrossentropy()), **options)


def test_a_frozen_layer_takes_no_step_and_a_tie_is_said() -> None:
    network = residual()
    case = prepared(network, MeanSquaredError())
    frozen = explain(network, MeanSquaredError(), name="still.weights", index=(0, 0), optimizer=Adam(), **case)
    assert frozen.step is None and "frozen" in str(frozen)
    tied = explain(network, MeanSquaredError(), name="second.weights", index=(0, 0), **case)
    assert tied.quantity.name == "first.weights" and "tied" in str(tied)
    assert {term.node for term in tied.lines[-1].terms} == {"first", "second"}


def test_a_weight_without_influence_has_gradient_zero() -> None:
    network = Sequential(Dense(2, 2), ReLU(), Dense(2, 1))
    parameters = {
        "dense_0.weights": -np.ones((2, 2)),
        "dense_0.biases": -np.ones((1, 2)),
        "dense_1.weights": np.ones((2, 1)),
        "dense_1.biases": np.zeros((1, 1)),
    }
    one = explain(network, MeanSquaredError(), [[1.0, 1.0]], [3.0], "dense_0.weights", (0, 1), parameters=parameters)
    assert one.value == 0 and one.agrees and "∂L/∂dense_0.weights[0,1]" in one.to_text(notation="calculus")
    assert one.to_html() and one.to_latex() and Explanation.from_json(one.to_json()) == one


def test_inputs_of_several_dimensions() -> None:
    network = Sequential(Tanh(), Flatten(), Dense(6, 2))
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(3, 2, 3)), rng.normal(size=(3, 2))
    one = explain(network, MeanSquaredError(), X, y, "inputs", (1, 1, 2), parameters=network.initial_parameters(0))
    assert one.agrees and [w.value is not None for w in one.witnesses] == [True] * 4
    one = explain(network, MeanSquaredError(), X, y, "tanh_0", (1, 1, 2), parameters=network.initial_parameters(0))
    assert one.agrees


# Rules and formulas


def rule_of_everything() -> list[Any]:
    from chainrule.explaining.derivatives import STEPS
    from chainrule.explaining.rules import rule_of
    from chainrule.explaining.tables import RULES
    from chainrule.explaining.teaching import an_object

    made = [pytest.param(rule_of(GELU(approximate=True)), id="GELU-tanh")]
    for cls in (*RULES, *STEPS, Add, Multiply):
        for training in (True, False):
            made.append(pytest.param(rule_of(an_object(cls), training, 2), id=f"{cls.__name__}-{training}"))
    return made


SYMPY_SIZE = 3


def sympy_scope(rule: Any, point: np.random.Generator) -> tuple[Any, dict[Any, Any]]:
    """The symbols of a rule as SymPy's, their meaning by forward and `where`, and a point to compare at."""
    import sympy

    from chainrule.explaining.formula import Scope, evaluate, fixed, pattern

    point_of: dict[Any, Any] = {}
    sources = {pattern(rule.arrays[s])[0] for s in rule.derivatives}
    definitions = {pattern(left)[0]: (pattern(left)[1], right) for left, right in rule.where.items()}
    if rule.forward:
        definitions.setdefault(pattern(rule.output)[0], (pattern(rule.output)[1], rule.forward))

    def number(name: str, place: Any) -> Any:
        if name in ("p", "u"):
            return sympy.Rational(int(point.integers(20, 80)), 101)
        if name == "a":  # where probabilities are clipped, and a slope
            return sympy.Rational(1, 1000)
        if name in rule.settings or name in ("var",):
            return sympy.Rational(int(point.integers(1, 30)), 97)
        return sympy.Rational(int(point.integers(-150, 150)) * 2 + 1, 97)

    def arithmetic() -> dict[str, Any]:
        functions = {n: getattr(sympy, n) for n in ("exp", "log", "sqrt", "tanh", "sign")}
        functions |= {
            "abs": sympy.Abs,
            "max": sympy.Max,
            "sum": lambda terms: sympy.Add(*terms),
            "sigma": lambda x: 1 / (1 + sympy.exp(-x)),
            "phi": lambda x: sympy.exp(-(x**2) / 2) / sympy.sqrt(2 * sympy.pi),
            "Phi": lambda x: (1 + sympy.erf(x / sympy.sqrt(2))) / 2,
            "where": lambda c, a, b: sympy.Piecewise((a(), c), (b(), True)),
            "D": sympy.diff,
        }
        return functions

    def look_up(name: str, place: Any) -> Any:
        if name in definitions and name not in sources:
            letters, formula = definitions[name]
            return evaluate(formula, scope.fixing(**fixed(letters, place)))
        symbol = sympy.Symbol(f"{name}_{'_'.join(map(str, place))}", real=True)
        if symbol not in point_of:
            point_of[symbol] = number(name, place)
        return symbol

    letters = "bcijkmno"
    scope = Scope(look_up, {"...": (0,)}, dict.fromkeys(letters, sympy.Integer(SYMPY_SIZE)), arithmetic())
    return scope, point_of


@pytest.mark.parametrize("rule", rule_of_everything())
def test_each_step_of_a_derivation_is_checked_by_sympy(rule: Any) -> None:
    import itertools

    import sympy

    from chainrule.explaining.formula import evaluate

    assert rule is not None
    for source, steps in rule.steps.items():
        assert steps[-1][1].replace(" ", "") == rule.derivatives[source].replace(" ", "")
        scope, point = sympy_scope(rule, np.random.default_rng(1))
        used = [x for x in "bcijkmno" if any(f"[{x}" in s or f",{x}" in s or f"({x}," in s for _, s in steps)]
        for values in itertools.islice(itertools.product(range(2), repeat=len(used)), 8):
            place = scope.fixing(**dict(zip(used, values, strict=True)))
            numbers = []
            for _, formula in steps:
                expression = sympy.sympify(evaluate(formula, place))
                if "The targets" in rule.note:
                    total = sum(v for s, v in point.items() if str(s).startswith(f"y_{place.indices.get('b', 0)}_"))
                    last = sympy.Symbol(f"y_{place.indices.get('b', 0)}_{SYMPY_SIZE - 1}", real=True)
                    if last in point:
                        point[last] = 1 - (total - point[last])
                numbers.append(sympy.N(expression.subs(point).doit(), 30))
            assert all(abs(n - numbers[0]) < 1e-25 for n in numbers), (source, steps, values, numbers)


def test_a_layer_without_formulas_says_why() -> None:
    class Sorted(Layer):
        def pure_forward(self, xp, inputs):
            return xp.sort(inputs)

        def pure_backward(self, xp, dvalues):
            return dict(dinputs=dvalues)

    with pytest.raises(ConfigurationError, match=r"Sorted: xp\.sort is not a function of one entry.*Rule\(\.\.\.\)"):
        explain_rule(Sorted)
    with pytest.raises(ConfigurationError, match=r"a layer, a loss, a penalty or an optimizer, as a class.*'Softmax'"):
        explain_rule(int)
    assert "out = x if x > 0 else a·x" in str(explain_rule(LeakyReLU)) and "x·(1 + g) / 2" in str(
        explain_rule(GELU(True))
    )


def test_a_wrong_step_would_be_seen() -> None:
    from dataclasses import replace

    from chainrule.explaining.tables import SOFTMAX

    steps = SOFTMAX.steps["inputs"]
    wrong = (*steps[:1], ("wrong", steps[1][1].replace("**2", "**3")), *steps[2:])
    with pytest.raises(AssertionError):
        test_each_step_of_a_derivation_is_checked_by_sympy(replace(SOFTMAX, steps={"inputs": wrong}))


def test_every_formula_parses_as_latex_and_as_mathml() -> None:
    from xml.etree import ElementTree

    from latex2mathml.converter import convert
    from matplotlib.mathtext import MathTextParser

    from chainrule.explaining.notation import latex, mathml
    from chainrule.explaining.render.tex import formulas

    written_formulas: list[str] = []
    for parameter in rule_of_everything():
        (rule,) = parameter.values
        both = [*rule.statements(), *((s, f) for steps in rule.steps.values() for _, f in steps for s in ("x",))]
        for left, right in both:
            written_formulas += [latex(left), latex(right)]
            ElementTree.fromstring(f"<math>{mathml(left)}{mathml(right)}</math>")
    for make, loss in NETWORKS.values():
        network = make()
        one = explain(network, loss, name="inputs", index=(1, 1), **prepared(network, loss))
        written_formulas += formulas(one)
    parser = MathTextParser("path")
    for formula in written_formulas:
        convert(formula)
        simpler = re.sub(r"\\underbrace\{(.*)\}_\{\d+\\,\\mathrm\{more\}\}", r"\1", formula)
        parser.parse(f"${simpler}$")
    assert len(written_formulas) > 200


def test_the_page_needs_nothing_else_and_is_well_formed() -> None:
    from xml.etree import ElementTree

    network = classifier()
    case = prepared(network, SoftmaxCrossentropy(), samples=30)
    one = explain(network, SoftmaxCrossentropy(), name="dense_1.weights", index=(0, 1), optimizer=Adam(), **case)
    page = one.to_html()
    assert "<script" not in page and "src=" not in page and "href=" not in page and "url(" not in page
    assert page.replace("http://www.w3.org/2000/svg", "").count("http") == 0
    for element in re.findall(r"<(?:math|svg).*?</(?:math|svg)>", page, flags=re.S):
        ElementTree.fromstring(element)
    shown = one._repr_html_()
    assert shown[shown.index("<article") :] in page and page.count("<style>") == 1
    assert one._repr_latex_().startswith("\\begin{align*}")


def test_the_terminal_keeps_to_its_width_and_has_colours() -> None:
    from rich.console import Console

    network = classifier()
    one = explain(
        network, SoftmaxCrossentropy(), name="dense_1.weights", index=(0, 1), **prepared(network, SoftmaxCrossentropy())
    )
    console = Console(width=70, force_terminal=True, color_system="truecolor", record=True)
    with console.capture() as captured:
        console.print(one)
    assert "\x1b[" in captured.get()
    plain = re.sub(r"\x1b\[[\d;]*m", "", captured.get())
    assert max(map(len, plain.splitlines())) <= 70


def test_names_with_any_characters_are_printed_as_they_are() -> None:
    network = Sequential(("a <b> & _$", Dense(2, 2)), ("'it\\n'", Tanh()))
    one = explain(network, MeanSquaredError(), [[1.0, 2.0]], [[0.0, 1.0]], "a <b> & _$.weights", (0, 1))
    assert "a <b> & _$" in str(one) and "a &lt;b&gt; &amp; _$" in one.to_html() and one.to_latex()
    assert one.agrees
