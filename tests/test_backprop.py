"""Backpropagation through whole networks, against four oracles: JAX, scalar Values, SymPy, and sums over samples."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
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
    Constant,
    Dense,
    Dropout,
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
    Multiply,
    ReLU,
    RMSprop,
    Sequential,
    Sigmoid,
    SigmoidCrossentropy,
    SiLU,
    Softmax,
    SoftmaxCrossentropy,
    Softplus,
    Tanh,
    Trace,
    Value,
    explain,
    loss_and_gradients,
    per_sample_gradients,
    trace,
    train_step,
)
from chainrule.backprop import entry_of
from chainrule.errors import ShapeError, UnknownNameError
from chainrule.layer import Context
from chainrule.noise import node_key, uniform
from chainrule.traces import per_sample_gradient_chunks
from support import assert_close, compiled, leaves, random_values, read_only


class Problem(NamedTuple):
    """Everything that `loss_and_gradients` is called with."""

    network: Layer
    loss: Loss
    values: dict[str, Any]
    X: Any
    y: Any
    weights: Any = None
    seed: int = 11
    step: int = 4

    @property
    def parameters(self) -> dict[str, Any]:
        return {name: self.values[name] for name in self.network.parameters}

    @property
    def state(self) -> dict[str, Any]:
        return {name: self.values[name] for name in self.network.state}

    def call(self, function: Callable[..., Any], **options: Any) -> Any:
        given = dict(state=self.state, sample_weights=self.weights, seed=self.seed, step=self.step) | options
        return function(self.network, self.loss, self.parameters, self.X, self.y, **given)


# Random networks against JAX

ACTIVATIONS = (ReLU, LeakyReLU, ELU, GELU, SiLU, Softplus, Sigmoid, Tanh, Softmax, LogSoftmax)
PENALTIES = ({}, {"weights": L2(0.05)}, {"weights": (L1(0.02), L2(0.1)), "biases": L1(0.03)})
CLASSES = (CategoricalCrossentropy, SoftmaxCrossentropy)
BINARY = (BinaryCrossentropy, SigmoidCrossentropy)
LOSSES = (*CLASSES, *BINARY, MeanSquaredError, MeanAbsoluteError, HalfSquaredError, Huber)
BOUNDED = {CategoricalCrossentropy: Softmax, BinaryCrossentropy: Sigmoid}  # losses that read probabilities


KINDS = ("activation", "dense", "tied", "inner", "dropout", "layer norm", "batch norm", "join", "concatenate")


class Drawing:
    """A network that grows node by node from what Hypothesis draws."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.widths = {"inputs": draw(st.integers(1, 4))}
        self.nodes: list[tuple[str, Layer, Any]] = []
        self.read: set[str] = set()
        self.ties: dict[str, str] = {}

    def pick(self, options: Any) -> Any:
        return self.draw(st.sampled_from(tuple(options)))

    def add(self, layer: Layer, sources: Any) -> str:
        name = f"n{len(self.nodes)}"
        joined = isinstance(sources, tuple)
        self.read |= set(sources) if joined else {sources}
        shape = tuple((self.widths[s],) for s in sources) if joined else (self.widths[sources],)
        self.widths[name] = layer.output_shape(shape)[0]
        self.nodes.append((name, layer, sources))
        return name

    def dense(self, width: int, neurons: int) -> Dense:
        return Dense(width, neurons, penalties=self.pick(PENALTIES))

    def grow(self, kind: str) -> None:
        """One more node, which reads any of those before it."""
        source = self.pick(self.widths)
        width = self.widths[source]
        match kind:
            case "activation":
                self.add(self.pick(ACTIVATIONS)(), source)
            case "dense":
                self.add(self.dense(width, self.draw(st.integers(1, 4))), source)
            case "tied":
                first = self.add(self.dense(width, width), source)
                self.ties[f"{self.add(self.dense(width, width), first)}.weights"] = f"{first}.weights"
            case "inner":
                self.add(Sequential(self.dense(width, 3), Tanh(), Dropout(0.25), self.dense(3, 2)), source)
            case "dropout":
                self.add(self.frozen_or_not(Dropout(0.3)), source)
            case "layer norm":
                self.add(self.frozen_or_not(LayerNorm(width, epsilon=0.1)), source)
            case "batch norm":
                self.add(self.frozen_or_not(BatchNorm(width, epsilon=0.1)), source)
            case "join":
                equal = [name for name in self.widths if self.widths[name] == width]
                others = self.draw(st.lists(st.sampled_from(equal), max_size=2))
                self.add(self.pick([Add, Multiply])(), (source, *others))
            case "concatenate":
                self.add(Concatenate(), (source, self.pick(self.widths)))

    def frozen_or_not(self, layer: Layer) -> Layer:
        return layer.freeze() if self.draw(st.booleans()) else layer

    def finish(self, outputs: int, last: type[Layer] | None) -> Graph:
        """Join what nothing reads into `outputs` neurons; bounded, so that probabilities stay away from the clip."""
        unread = tuple(name for name in self.widths if name not in self.read)
        joined = self.add(Concatenate(), unread)
        end = self.add(Tanh(), self.add(self.dense(self.widths[joined], outputs), joined))
        if last is not None:
            self.add(last(), end)
        return Graph(self.nodes, ties=self.ties)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """A random network in a line or with branches, a loss, data and perhaps sample weights."""
    drawing, kind = Drawing(draw), draw(st.sampled_from(LOSSES))
    outputs = draw(st.integers(2 if kind in CLASSES else 1, 3))  # one class alone has p = 1, beyond the clip
    for part in draw(st.lists(st.sampled_from(KINDS), min_size=2, max_size=6)):
        drawing.grow(part)
    network = drawing.finish(outputs, BOUNDED.get(kind))
    rng, samples = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), draw(st.integers(3, 6))
    if kind in CLASSES:
        y = rng.integers(0, outputs, samples)
    else:
        y = rng.integers(0, 2, (samples, outputs)) if kind in BINARY else rng.normal(size=(samples, outputs))
    return Problem(
        network,
        kind(reduction=draw(st.sampled_from(["mean", "sum"]))),
        random_values(network, rng),
        rng.normal(size=(samples, drawing.widths["inputs"])),
        y,
        rng.uniform(0.1, 2.0, samples) if draw(st.booleans()) else None,
        seed=draw(st.integers(0, 2**32 - 1)),
        step=draw(st.integers(0, 1000)),
    )


def total_loss(problem: Problem, parameters: Any) -> Any:
    """Data loss plus penalties in jax.numpy: forward passes only, the reduction written out."""
    network, loss = problem.network, problem.loss
    context = Context(training=True, seed=problem.seed, step=problem.step)
    predictions = network.forward_pass(jnp, problem.X, parameters | problem.state, context)[0]
    targets = np.eye(predictions.shape[1])[problem.y] if isinstance(loss, CLASSES) else problem.y.astype(float)
    losses = loss.forward_pass(jnp, predictions, targets)[0]
    weights = np.ones(len(problem.X)) if problem.weights is None else problem.weights
    data = jnp.sum(losses * weights) / (weights.sum() if loss.reduction == "mean" else 1.0)
    terms = network.penalty_terms().items()
    return data + sum(term.pure_forward(jnp, parameters[name]) for name, several in terms for term in several)


def test_random_networks_are_of_every_kind() -> None:
    """What the two tests below see: joins, ties, forks, frozen layers, penalties, most activations and losses."""
    seen: set[Any] = set()

    @given(problems())
    @settings(max_examples=100)
    def look(problem: Problem) -> None:
        nodes = list(problem.network)
        sources = [source for node in nodes for source in node.sources]
        traits = {
            "tie": bool(problem.network.ties),
            "fork": len(sources) > len(set(sources)),
            "frozen": any(node.layer.frozen for node in nodes),
            "penalty": bool(problem.network.penalty_terms()),
            "weights": problem.weights is not None,
        }
        seen.update({type(node.layer) for node in nodes} | {type(problem.loss), problem.loss.reduction})
        seen.update(name for name, holds in traits.items() if holds)

    look()
    assert {"mean", "sum", "tie", "fork", "frozen", "penalty", "weights"} <= seen
    assert {Dense, Dropout, LayerNorm, BatchNorm, Add, Multiply, Concatenate, Sequential} <= seen
    assert len(seen.intersection(ACTIVATIONS)) >= 6 and len(seen.intersection(LOSSES)) >= 5


@given(problems())
@settings(max_examples=30)
def test_random_networks_have_the_loss_and_the_gradients_that_jax_finds(problem: Problem) -> None:
    loss, gradients = problem.call(loss_and_gradients)
    expected_loss, expected = compiled(jax.value_and_grad(lambda p: total_loss(problem, p)), problem.parameters)
    assert_close(loss, expected_loss, 1e-12)
    # Some gradients are 0 but for rounding (a bias before BatchNorm): rounding is measured by the largest of all. Where
    # all are tiny the fit is nearly perfect, and a probability near 1 less its target of 1 is rounded at 1e-16.
    largest = max(np.max(np.abs(array)) for array in expected.values())
    assert_close(gradients, expected, 1e-12, floor=max(0.1 * largest, 1e-3))


@given(problems())
@settings(max_examples=100)
def test_the_per_sample_gradients_of_random_networks_add_up(problem: Problem) -> None:
    each_sample = problem.call(per_sample_gradients, chunk_size=2)
    _, gradients = problem.call(loss_and_gradients)
    largest = max(np.max(np.abs(array)) for array in gradients.values())
    summed = {name: array.sum(axis=0) for name, array in each_sample.items()}
    assert_close(summed, without_penalties(problem, gradients), 1e-12, floor=0.1 * largest)


def without_penalties(problem: Problem, gradients: dict[str, Any]) -> dict[str, Any]:
    """The gradients less those of the penalties, 2λw and λ·sign(w)."""
    rest = dict(gradients)
    for name, terms in problem.network.penalty_terms().items():
        for term in terms:
            w = problem.parameters[name]
            rest[name] = rest[name] - (2 * term.rate * w if isinstance(term, L2) else term.rate * np.sign(w))
    return rest


# Scalar values and symbols


def test_a_classifier_made_of_scalar_values_has_the_same_gradients() -> None:
    """Dense, ReLU, Dense and softmax cross-entropy, every multiplication a Value of its own."""
    rng = np.random.default_rng(0)
    network = Sequential(Dense(2, 4), ReLU(), Dense(4, 3))
    problem = Problem(
        network, SoftmaxCrossentropy(), random_values(network, rng), rng.normal(size=(5, 2)), [0, 2, 1, 1, 0]
    )
    values = {name: np.vectorize(Value, otypes=[object])(array) for name, array in problem.parameters.items()}
    inputs = np.vectorize(Value, otypes=[object])(problem.X)

    def dense(row: list[Value], name: str) -> list[Value]:
        weights, biases = values[f"{name}.weights"], values[f"{name}.biases"]
        return [
            sum((x * w for x, w in zip(row, column, strict=True)), start=b)
            for column, b in zip(weights.T, biases[0], strict=True)
        ]

    total = Value(0.0)
    for row, label in zip(inputs, problem.y, strict=True):
        scores = dense([h.relu() for h in dense(list(row), "dense_0")], "dense_1")
        exponentials = [score.exp() for score in scores]
        total = total - (exponentials[label] / sum(exponentials, start=Value(0.0))).log()
    mean = total / len(inputs)
    mean.backward()

    one = problem.call(trace)
    grads = {name: np.vectorize(lambda v: v.grad)(array) for name, array in values.items()}
    assert_close(one.loss, mean.data, 1e-12)
    assert_close(one.gradients, grads, 1e-12)
    assert_close(one["dense_0"].dinputs, np.vectorize(lambda v: v.grad)(inputs), 1e-12)


def test_symbolic_differentiation_gives_the_same_gradients() -> None:
    """mean over two samples of (w₂·σ(w₁x + b₁) + b₂ - y)² + 0.3·w₂²; SymPy differentiates, 30 digits."""
    network = Sequential(Dense(1, 2), Sigmoid(), Dense(2, 1, penalties={"weights": L2(0.3)}))
    problem = Problem(
        network, MeanSquaredError(), random_values(network, np.random.default_rng(1)), [[0.5], [-1.5]], [1.0, 0.25]
    )
    symbols = {
        name: sympy.Matrix(*shape, sympy.symbols(f"{name}_:{shape[0] * shape[1]}"))
        for name, shape in network.parameter_shapes().items()
    }
    total = sympy.Integer(0)
    for (x,), y in zip(problem.X, problem.y, strict=True):
        hidden = (symbols["dense_0.weights"] * x + symbols["dense_0.biases"]).applyfunc(
            lambda z: 1 / (1 + sympy.exp(-z))
        )
        error = (hidden * symbols["dense_1.weights"] + symbols["dense_1.biases"])[0] - y
        total += error**2 / 2
    total += sympy.Rational(3, 10) * sum(w**2 for w in symbols["dense_1.weights"])
    numbers = {
        symbol: sympy.Float(value, 30)
        for name, matrix in symbols.items()
        for symbol, value in zip(matrix, problem.parameters[name].ravel(), strict=True)
    }

    def evaluated(expression: Any) -> float:
        return float(expression.evalf(30, subs=numbers))

    loss, gradients = problem.call(loss_and_gradients)
    expected = {
        name: np.array([evaluated(sympy.diff(total, symbol)) for symbol in matrix]).reshape(matrix.shape)
        for name, matrix in symbols.items()
    }
    assert_close(loss, evaluated(total), 1e-14)
    assert_close(gradients, expected, 1e-13)


# Fixed problems


def problem_of(*layers: Any, samples: int = 7, dtype: Any = np.float64, weights: bool = True) -> Problem:
    rng = np.random.default_rng(8)
    network = Sequential(*layers)
    (classes,) = network.output_shape(network.input_shape())
    X = rng.normal(size=(samples, *network.input_shape())).astype(dtype)
    chosen = rng.uniform(0.5, 2.0, samples) if weights else None
    values = random_values(network, rng, dtype)
    return Problem(network, SoftmaxCrossentropy(), values, X, rng.integers(0, classes, samples), chosen)


def plain() -> Problem:
    return problem_of(Dense(3, 4, penalties={"weights": (L1(0.1), L2(0.2))}), Tanh(), Dense(4, 3))


def noisy() -> Problem:
    return problem_of(Dense(3, 4), Dropout(0.4), Dense(4, 5), Dropout(0.3), Dense(5, 3))


def normalized(dtype: Any = np.float64) -> Problem:
    return problem_of(
        Dense(3, 4, penalties={"weights": L2(0.2), "biases": L1(0.1)}),
        BatchNorm(4),
        ReLU(),
        Dropout(0.3),
        LayerNorm(4),
        Dense(4, 3),
        dtype=dtype,
    )


PROBLEMS = {"plain": plain, "noisy": noisy, "normalized": normalized}
every_problem = pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)


# Gradients of single samples


@every_problem
@pytest.mark.parametrize("chunk_size", [1, 2, 7, 100])
def test_per_sample_gradients_do_not_depend_on_the_chunk_size(make: Callable[[], Problem], chunk_size: int) -> None:
    """Noise included: a sample in a chunk meets the noise of its place in the batch."""
    problem = make()
    chunks = list(problem.call(per_sample_gradient_chunks, chunk_size=chunk_size))
    assert [rows.stop - rows.start for rows, _ in chunks] == [
        min(chunk_size, 7 - start) for start in range(0, 7, chunk_size)
    ]
    together = {name: np.concatenate([part[name] for _, part in chunks]) for name in problem.parameters}
    assert_close(together, problem.call(per_sample_gradients, chunk_size=7), 0.0)


@every_problem
@pytest.mark.parametrize("training", [True, False])
def test_per_sample_gradients_and_penalties_add_up_to_the_gradient(make: Callable[[], Problem], training: bool) -> None:
    problem = make()
    each_sample = problem.call(per_sample_gradients, training=training)
    _, gradients = problem.call(loss_and_gradients, training=training)
    summed = {name: array.sum(axis=0) for name, array in each_sample.items()}
    assert_close(summed, without_penalties(problem, gradients), 1e-13, floor=0.1)


@pytest.mark.parametrize("make", [plain, noisy])
def test_each_per_sample_gradient_is_that_of_the_loss_with_all_weight_on_its_sample(
    make: Callable[[], Problem],
) -> None:
    problem = make()
    parts = problem.call(per_sample_gradients)
    share = problem.weights / problem.weights.sum()
    for row in range(7):
        _, alone = problem.call(loss_and_gradients, sample_weights=np.eye(7)[row])
        expected = {name: share[row] * g for name, g in without_penalties(problem, alone).items()}
        assert_close({name: part[row] for name, part in parts.items()}, expected, 1e-13)


def test_per_sample_gradients_can_be_had_for_some_names() -> None:
    problem = plain()
    everything = problem.call(per_sample_gradients)
    some = problem.call(per_sample_gradients, names=["dense_1.biases", "dense_0.weights"])
    assert list(some) == ["dense_1.biases", "dense_0.weights"]
    assert_close(some, {name: everything[name] for name in some}, 0.0)


# The trace of one pass


def test_a_trace_agrees_with_loss_and_gradients() -> None:
    problem = normalized()
    one = problem.call(trace)
    loss, gradients = problem.call(loss_and_gradients)
    assert isinstance(one, Trace) and one.loss == loss
    assert_close(one.gradients, gradients, 0.0)
    assert one.loss == pytest.approx(one.data_loss + one.penalty) and one.penalty > 0
    assert one.state.keys() == problem.state.keys()


def test_in_a_chain_what_leaves_one_node_arrives_at_the_next() -> None:
    problem = normalized()
    one = problem.call(trace)
    names = list(one)
    assert names == [*problem.network.nodes, "loss"] and len(one) == 7
    assert_close(one[names[0]].inputs, problem.X, 0.0)
    for name, following in itertools.pairwise(names):
        assert_close(one[following].inputs, one[name].output, 0.0)
        assert_close(one[name].dvalues, one[following].dinputs, 0.0)


def test_each_node_of_a_trace_replays_alone() -> None:
    problem = normalized()
    one = problem.call(trace)
    for node in problem.network:
        context = Context(True, problem.seed, problem.step).enter(node.name, node.layer)
        values = {n: problem.values[f"{node.name}.{n}"] for n in (*node.layer.parameters, *node.layer.state)}
        output, kept, _ = node.layer.forward_pass(np, one[node.name].inputs, values, context)
        dinputs, gradients = node.layer.backward_pass(np, one[node.name].dvalues, kept, values, context)
        assert_close(
            (output, dinputs, gradients), (one[node.name].output, one[node.name].dinputs, one[node.name].gradients), 0.0
        )


def test_the_loss_of_a_trace_holds_one_loss_and_one_share_for_each_sample() -> None:
    problem = plain()
    one = problem.call(trace)
    loss = one["loss"]
    assert_close(loss.inputs, one.predictions, 0.0)
    assert_close(loss.dvalues, (problem.weights / problem.weights.sum()).reshape(-1, 1), 1e-15)
    assert loss.output.shape == (7,) and loss.gradients == {}
    assert one.data_loss == pytest.approx(np.sum(loss.output * loss.dvalues[:, 0]), rel=1e-14)


def test_at_a_fork_the_gradients_that_arrive_are_summed() -> None:
    network = Graph(
        [
            ("h", Dense(2, 3), "inputs"),
            ("left", Tanh(), "h"),
            ("right", Dense(3, 3), "h"),
            ("product", Multiply(), ("left", "right", "h")),
        ]
    )
    rng = np.random.default_rng(0)
    values = random_values(network, rng)
    one = trace(network, MeanSquaredError(), values, rng.normal(size=(4, 2)), rng.normal(size=(4, 3)))
    assert len(one["product"].dinputs) == 3
    assert_close(one["left"].dvalues, one["product"].dinputs[0], 0.0)
    summed = one["left"].dinputs + one["right"].dinputs + one["product"].dinputs[2]
    assert_close(one["h"].dvalues, summed, 1e-15)


def test_a_trace_names_the_nodes_of_a_graph_inside_by_their_path() -> None:
    network = Sequential(("block", Sequential(Dense(2, 2), Tanh())))
    values = random_values(network, np.random.default_rng(0))
    one = trace(network, MeanSquaredError(), values, [[1.0, 2.0]], [[0.0, 0.0]])
    assert list(one) == ["block.dense_0", "block.tanh_0", "block", "loss"]
    assert_close(one["block"].output, one["block.tanh_0"].output, 0.0)
    assert_close(one["block"].gradients["dense_0.weights"], one["block.dense_0"].gradients["weights"], 0.0)


# Modes, weights, dtypes


def test_loss_and_gradients_by_hand() -> None:
    """Two samples, one neuron: errors 1 and -2, so the loss is (1 + 4)/2 and dL/dw = (2·1·3 + 2·(-2)·1)/2."""
    network = Sequential(Dense(1, 1, penalties={"weights": L2(0.5)}))
    parameters = {"dense_0.weights": np.array([[2.0]]), "dense_0.biases": np.array([[0.0]])}
    loss, gradients = loss_and_gradients(network, MeanSquaredError(), parameters, [[3.0], [1.0]], [5.0, 4.0])
    assert loss == 2.5 + 0.5 * 4
    assert gradients["dense_0.weights"].item() == 1.0 + 2 * 0.5 * 2 and gradients["dense_0.biases"].item() == -1.0


def test_a_whole_sample_weight_counts_as_repeating_the_sample() -> None:
    problem = plain()
    counts = np.array([1, 2, 0, 3, 1, 1, 2])
    rows = np.repeat(np.arange(7), counts)
    weighted = problem.call(loss_and_gradients, sample_weights=counts)
    repeated = problem._replace(X=problem.X[rows], y=problem.y[rows], weights=None).call(loss_and_gradients)
    assert_close(weighted, repeated, 1e-13)


def test_in_inference_there_is_no_noise_and_the_state_is_used() -> None:
    problem = normalized()
    first, second = (problem.call(trace, training=False, seed=seed) for seed in (0, 1))
    assert first.loss == second.loss and first.state == {}
    assert first.loss != problem.call(trace).loss


def test_state_left_out_is_the_initial_state() -> None:
    problem = normalized()
    expected = problem.call(trace, training=False, state=problem.network.initial_state())
    assert problem.call(trace, training=False, state=None).loss == expected.loss


@every_problem
def test_nothing_is_mutated(make: Callable[[], Problem]) -> None:
    problem = make()
    locked = problem._replace(
        values=read_only(problem.values),
        X=read_only(problem.X),
        y=read_only(problem.y),
        weights=read_only(problem.weights),
    )
    for function in (loss_and_gradients, per_sample_gradients):
        assert_close(locked.call(function), problem.call(function), 0.0)
    assert_close(
        (locked.values, locked.X, locked.y, locked.weights),
        (problem.values, problem.X, problem.y, problem.weights),
        0.0,
    )
    assert not any(set(vars(node.layer)) & {"inputs", "output", "dinputs"} for node in problem.network)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool, np.float32])
def test_inputs_are_cast_to_the_dtype_of_the_parameters(dtype: Any) -> None:
    problem = plain()
    X = np.array([[0, 1, 2], [1, 1, 0]]).astype(dtype)
    result = problem._replace(X=X, y=[0, 1], weights=None).call(loss_and_gradients)
    expected = problem._replace(X=X.astype(float), y=[0, 1], weights=None).call(loss_and_gradients)
    assert_close(result, expected, 0.0)


def test_whole_numbers_as_parameters_do_not_cut_the_inputs_to_whole_numbers() -> None:
    """2 · 0.5 = 1 is the target: with the input cut to 0 the loss would be 1."""
    parameters = {"dense_0.weights": np.array([[2]]), "dense_0.biases": np.array([[0]])}
    loss, _ = loss_and_gradients(Sequential(Dense(1, 1)), MeanSquaredError(), parameters, [[0.5]], [1.0])
    assert loss == 0.0


OPTIMIZERS = [SGD(0.05, momentum=0.9), Adagrad(), RMSprop(), Adam(clip_norm=1.0), AdamW(clip_value=0.1)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_float32_parameters_keep_everything_float32(optimizer: Any) -> None:
    """Data, weights and the initial state come as float64: the parameters decide."""
    problem = normalized(np.float32)._replace(X=normalized().X)
    problem.network["layer_norm_0"].freeze()
    one = problem.call(trace, state=None)
    nodes = [(n.inputs, n.output, n.dvalues, n.dinputs, n.gradients) for n in one.nodes.values()]
    slots = optimizer.initial_slots(np, problem.parameters)
    after = train_step(problem.network, problem.loss, optimizer, problem.parameters, slots, problem.X, problem.y)
    results = leaves(
        (one.predictions, one.gradients, one.state, tuple(nodes), after.parameters, after.state, after.slots)
    )
    assert {array.dtype for array in results} == {np.dtype(np.float32)}
    assert isinstance(after.loss, float)


def test_the_state_of_a_frozen_layer_has_the_dtype_of_the_parameters_too() -> None:
    problem = normalized(np.float32)
    problem.network["batch_norm_0"].freeze()
    after = train_step(problem.network, problem.loss, SGD(), problem.parameters, {}, problem.X, problem.y)
    assert {array.dtype for array in after.state.values()} == {np.dtype(np.float32)}


# Training steps


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
@every_problem
def test_a_training_step_is_the_gradient_and_then_the_update(make: Callable[[], Problem], optimizer: Any) -> None:
    problem = make()
    problem.network["dense_0"].freeze()
    slots = optimizer.initial_slots(np, problem.parameters)
    after = train_step(
        problem.network, problem.loss, optimizer, problem.parameters, slots, problem.X, problem.y,
        state=problem.state, sample_weights=problem.weights, seed=problem.seed, step=problem.step,
    )  # fmt: skip
    one = problem.call(trace)
    gradients = {name: g for name, g in one.gradients.items() if not name.startswith("dense_0.")}
    expected = optimizer.update(np, problem.step, problem.parameters, gradients, slots)
    assert after.loss == one.loss
    assert_close((after.parameters, after.slots), expected, 0.0)
    assert_close(after.state, problem.state | one.state, 0.0)


def test_training_moves_the_running_statistics_towards_those_of_the_data() -> None:
    network = Sequential(BatchNorm(2, momentum=0.5), Dense(2, 1))
    rng = np.random.default_rng(0)
    X = rng.normal([3.0, -2.0], [2.0, 0.5], size=(50, 2))
    parameters, state = network.initial_parameters(0), network.initial_state()
    for step in range(60):
        after = train_step(network, MeanSquaredError(), SGD(0.01), parameters, {}, X, X[:, :1], state=state, step=step)
        parameters, state = after.parameters, after.state
    assert_close(state["batch_norm_0.running_mean"], X.mean(axis=0, keepdims=True), 1e-12)
    assert_close(state["batch_norm_0.running_variance"], X.var(axis=0, ddof=1, keepdims=True), 1e-12)


@every_problem
def test_the_loss_decreases_over_training_steps(make: Callable[[], Problem]) -> None:
    """Measured without noise, before and after."""
    problem, optimizer = make(), Adam(0.05)
    values, slots = problem.values, optimizer.initial_slots(np, problem.parameters)
    for step in range(80):
        now = problem._replace(values=values)
        after = train_step(
            now.network, now.loss, optimizer, now.parameters, slots, now.X, now.y, state=now.state, step=step
        )
        values, slots = after.parameters | after.state, after.slots
    losses = [problem._replace(values=v).call(trace, training=False).loss for v in (problem.values, values)]
    assert losses[1] < 0.6 * losses[0]


# Noise inside a network


def dropped(name: str = "dropout_0", *, rate: float = 0.5, **options: Any) -> Any:
    """Which entries of a batch of ones the named dropout layer zeroes."""
    network = Sequential(
        Dense(4, 4, initializer=Constant(1.0)), ("dropout_0", Dropout(rate)), ("dropout_1", Dropout(rate))
    )
    one = trace(network, MeanSquaredError(), network.initial_parameters(), np.ones((6, 4)), np.zeros((6, 4)), **options)
    return one[name].output == 0 if name == "dropout_0" else one[name].output[one["dropout_0"].output > 0] == 0


def test_dropout_depends_on_seed_step_and_node_only() -> None:
    reference = dropped(seed=1, step=2)
    assert np.array_equal(reference, dropped(seed=1, step=2))
    for other in (dropped(seed=2, step=2), dropped(seed=1, step=3)):
        assert np.any(other != reference)
    assert np.any(dropped("dropout_1", seed=1, step=2) != reference[~reference])


def test_dropout_in_a_network_is_the_noise_of_its_path() -> None:
    """Also inside a graph inside: the path is the dotted name."""
    network = Sequential(("block", Sequential(("drop", Dropout(0.4)))))
    one = trace(network, MeanSquaredError(), {}, np.ones((3, 5)), np.ones((3, 5)), seed=6, step=9)
    noise = uniform(np, 6, 9, node_key("block.drop"), (3, 5))
    assert_close(one["block.drop"].output, np.where(noise >= 0.4, 1 / 0.6, 0.0), 1e-15)


def test_inserting_a_layer_before_a_dropout_leaves_its_noise() -> None:
    masks = []
    for layers in ([Dropout(0.5)], [ReLU(), Dropout(0.5)]):
        one = trace(Sequential(*layers), MeanSquaredError(), {}, np.ones((4, 4)), np.ones((4, 4)))
        masks.append(one["dropout_0"].output)
    assert_close(masks[1], masks[0], 0.0)


@pytest.mark.parametrize("layer", [lambda: Dropout(0.5), lambda: BatchNorm(8)], ids=["dropout", "batch norm"])
def test_per_sample_gradients_of_a_frozen_network_add_up_to_its_gradient(layer: Any) -> None:
    network = Sequential(Dense(4, 8), layer(), Dense(8, 2)).freeze()
    rng = np.random.default_rng(0)
    parameters, inputs, targets = network.initial_parameters(0), rng.normal(size=(6, 4)), rng.integers(0, 2, 6)
    _, gradients = loss_and_gradients(network, SoftmaxCrossentropy(), parameters, inputs, targets)
    each = per_sample_gradients(network, SoftmaxCrossentropy(), parameters, inputs, targets)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(each[name].sum(axis=0), gradient, atol=1e-14)


@pytest.mark.parametrize(
    ("index", "place"),
    [((1, 2), (1, 2)), ((-2, -3), (0, 0)), ((np.int64(0), 1), (0, 1)), ([1, 0], (1, 0)), (np.array([1, 1]), (1, 1))],
)
def test_an_entry_is_named_from_either_end(index: Any, place: tuple[int, int]) -> None:
    assert entry_of("w", (2, 3), index) == place


@pytest.mark.parametrize("index", [(2, 0), (0, 3), (-3, 0), (0, -4), 1, (1,), (0, 0, 0), (0.0, 1), (True, 1)])
def test_an_entry_outside_is_refused_with_the_first_and_the_last(index: Any) -> None:
    with pytest.raises(ShapeError, match=r"w has shape \(2, 3\) and no entry .* from \(0, 0\) to \(1, 2\)\."):
        entry_of("w", (2, 3), index)


def test_leading_axes_of_size_one_are_left_out() -> None:
    assert entry_of("b", (1, 3), 2) == entry_of("b", (1, 3), (2,)) == entry_of("b", (1, 1, 3), -1)[1:] == (0, 2)


def test_a_loss_and_an_optimizer_are_taken_by_name() -> None:
    network = Sequential(Dense(1, 1))
    values = {"dense_0.weights": np.array([[2.0]]), "dense_0.biases": np.array([[0.0]])}
    data: tuple[Any, ...] = (values, [[3.0]], [5.0])
    assert loss_and_gradients(network, "mse", *data) == loss_and_gradients(network, MeanSquaredError(), *data)
    assert trace(network, "mean_squared_error", *data).loss == 1.0
    assert per_sample_gradients(network, "mae", *data)["dense_0.weights"].tolist() == [[[3.0]]]
    after = train_step(network, "mse", "sgd", values, SGD().initial_slots(np, values), [[3.0]], [5.0])
    assert after.loss == 1.0
    network["dense_0"].weights, network["dense_0"].biases = values.values()
    assert explain(network, "mse", [[3.0]], [5.0], "dense_0.weights[0,0]", optimizer="adam").value == 6.0
    with pytest.raises(UnknownNameError, match="Did you mean 'huber'"):
        loss_and_gradients(network, "hubr", *data)
