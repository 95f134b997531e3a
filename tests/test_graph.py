"""Graphs: forks, joins, ties, frozen layers, graphs inside graphs, names, and everything that is refused."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule import (
    L2,
    SGD,
    Add,
    BatchNorm,
    Concatenate,
    Constant,
    Dense,
    Dropout,
    Flatten,
    Graph,
    Layer,
    MeanSquaredError,
    Multiply,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
    loss_and_gradients,
    train_step,
)
from chainrule.errors import ChainruleError, GraphError, ShapeError, UnknownNameError
from chainrule.graph import snake_case
from chainrule.layer import Context
from support import assert_close, attribute, central_difference, leaves, random_values, set_values

INFERENCE = Context(training=False)


def gradients_of(network: Layer, values: Any, inputs: Any, dvalues: Any, context: Context = INFERENCE) -> Any:
    """(dinputs, gradients by name) of one backward pass."""
    _, kept, _ = network.forward_pass(np, inputs, values, context)
    return network.backward_pass(np, dvalues, kept, values, context)


def by_nudging(network: Layer, values: Any, inputs: Any, dvalues: Any, context: Context = INFERENCE) -> Any:
    """The same by central differences."""

    def objective(inputs: Any, values: Any) -> Any:
        return np.sum(dvalues * network.forward_pass(np, inputs, values, context)[0])

    dinputs = central_difference(lambda x: objective(x, values), inputs)
    names = network.parameters
    return dinputs, {n: central_difference(lambda w, n=n: objective(inputs, values | {n: w}), values[n]) for n in names}


# Forks and joins


def test_a_value_that_several_nodes_read_receives_the_sum_of_their_gradients() -> None:
    """y = x·x + 3x + x, so dy/dx = 2x + 4."""
    triple = Dense(1, 1)
    triple.weights, triple.biases = np.array([[3.0]]), np.zeros((1, 1))
    network = Graph(
        [
            ("square", Multiply(), ("inputs", "inputs")),
            ("triple", triple, "inputs"),
            ("sum", Add(), ("square", "triple", "inputs")),
        ]
    )
    assert_close(network.forward(np.array([[5.0]])), np.array([[45.0]]), 0.0)
    assert_close(network.backward(np.array([[2.0]])), np.array([[2.0 * 14.0]]), 0.0)


def test_a_fork_in_the_middle_sums_before_it_goes_on_downwards() -> None:
    """h = w·x is read three times: h·h + h. dL/dw = (2h + 1)·x."""
    network = Graph(
        [
            ("h", Dense(1, 1, initializer=Constant(2.0)), "inputs"),
            ("square", Multiply(), ("h", "h")),
            ("sum", Add(), ("square", "h")),
        ]
    )
    network.forward(np.array([[3.0]]))
    network.backward(np.array([[1.0]]))
    assert network["h"].dweights.item() == (2 * 6 + 1) * 3


def residual() -> Graph:
    return Graph(
        [
            ("first", Dense(3, 4), "inputs"),
            ("active", Tanh(), "first"),
            ("second", Dense(4, 4), "active"),
            ("sum", Add(), ("second", "first")),
            ("gate", Sigmoid(), "first"),
            ("product", Multiply(), ("sum", "gate")),
            ("all", Concatenate(), ("product", "inputs", "active")),
            ("last", Dense(11, 2), "all"),
        ]
    )


def test_a_branching_network_has_the_derivative_that_nudging_finds() -> None:
    rng = np.random.default_rng(0)
    network, inputs, dvalues = residual(), rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    values = random_values(network, rng)
    expected = by_nudging(network, values, inputs, dvalues)
    assert_close(gradients_of(network, values, inputs, dvalues), expected, 1e-7)


def test_the_order_in_which_nodes_are_listed_is_free() -> None:
    rng = np.random.default_rng(0)
    listed = [(node.name, node.layer, node.sources if node.joins else node.sources[0]) for node in residual()]
    inputs, dvalues = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    values = random_values(residual(), rng)
    expected = gradients_of(Graph(listed), values, inputs, dvalues)
    for order in (listed[::-1], listed[3:] + listed[:3], listed[1::2] + listed[::2]):
        network = Graph(order)
        assert network.output_node == "last"
        assert network.parameter_shapes().keys() == values.keys()
        assert_close(gradients_of(network, values, inputs, dvalues), expected, 1e-14)


def test_a_join_may_read_one_node_only() -> None:
    network = Graph([("sum", Add(), ("inputs",))])
    assert_close(network.forward(np.array([[2.0]])), np.array([[2.0]]), 0.0)


def test_the_output_can_be_named() -> None:
    nodes = [("a", ReLU(), "inputs"), ("b", Tanh(), "a")]
    assert Graph(nodes, output="b").output_node == Graph(nodes).output_node == "b"


# Names


def test_inserting_an_activation_renames_no_parameter() -> None:
    before = Sequential(Dense(2, 3), Dense(3, 3), Dense(3, 1))
    after = Sequential(Dense(2, 3), ReLU(), Dense(3, 3), Softmax(), ReLU(), Dense(3, 1))
    assert before.parameter_shapes() == after.parameter_shapes()
    assert list(after.nodes) == ["dense_0", "relu_0", "dense_1", "softmax_0", "relu_1", "dense_2"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Dense", "dense"),
        ("ReLU", "relu"),
        ("LeakyReLU", "leaky_relu"),
        ("ELU", "elu"),
        ("SiLU", "silu"),
        ("BatchNorm", "batch_norm"),
        ("LogSoftmax", "log_softmax"),
    ],
)
def test_nodes_are_named_after_their_type(name: str, expected: str) -> None:
    assert snake_case(name) == expected


def test_graphs_inside_graphs_have_dotted_names() -> None:
    block = Sequential(Dense(3, 3), BatchNorm(3))
    network = Graph([("block", block, "inputs"), ("sum", Add(), ("block", "inputs")), ("last", Dense(3, 1), "sum")])
    assert list(network.parameter_shapes()) == [
        "block.dense_0.weights",
        "block.dense_0.biases",
        "block.batch_norm_0.gamma",
        "block.batch_norm_0.beta",
        "last.weights",
        "last.biases",
    ]
    assert list(network.initial_state()) == ["block.batch_norm_0.running_mean", "block.batch_norm_0.running_variance"]
    assert network["block.dense_0"] is block["dense_0"] and network["block"] is block


def test_a_graph_inside_a_graph_computes_as_if_written_out() -> None:
    rng = np.random.default_rng(1)
    inside = Sequential(Dense(2, 3), ("block", Sequential(Tanh(), ("d", Dense(3, 3)), BatchNorm(3))), Dense(3, 1))
    flat = Sequential(Dense(2, 3), Tanh(), ("d", Dense(3, 3)), BatchNorm(3), Dense(3, 1))
    values = random_values(inside, rng)
    renamed = {name.removeprefix("block."): array for name, array in values.items()}
    inputs, dvalues = rng.normal(size=(4, 2)), rng.normal(size=(4, 1))
    dinputs, gradients = gradients_of(inside, values, inputs, dvalues, Context())
    expected = gradients_of(flat, renamed, inputs, dvalues, Context())
    assert_close((dinputs, {n.removeprefix("block."): g for n, g in gradients.items()}), expected, 1e-15)


def test_a_network_can_be_looked_into() -> None:
    network = Sequential(Dense(2, 3), ReLU())
    assert len(network) == 2 and [node.name for node in network] == ["dense_0", "relu_0"]
    assert network.shapes((2,)) == {"dense_0": (3,), "relu_0": (3,)}
    assert network.input_shape() == (2,) and Sequential(ReLU()).input_shape() is None
    assert "relu_0: " in repr(network) and "<- dense_0" in repr(network)


def test_parameters_are_drawn_node_by_node_from_one_generator() -> None:
    network, rng = Sequential(Dense(2, 3), Dense(3, 1)), np.random.default_rng(4)
    drawn = network.initial_parameters(4)
    for name, layer in (("dense_0", Dense(2, 3)), ("dense_1", Dense(3, 1))):
        assert_close(drawn[f"{name}.weights"], layer.initial_parameters(rng)["weights"], 0.0)
    assert {array.dtype for array in leaves(network.initial_parameters(4, np.float32))} == {np.dtype(np.float32)}


# Ties


def tied(ties: dict[str, str]) -> Sequential:
    return Sequential(Dense(3, 3), Tanh(), Dense(3, 3), Tanh(), Dense(3, 3), ties=ties)


TIES = {"dense_1.weights": "dense_0.weights", "dense_2.weights": "dense_0.weights"}


def test_a_tied_parameter_appears_once_and_its_gradient_is_the_sum_over_its_uses() -> None:
    rng = np.random.default_rng(0)
    network, free = tied(TIES), tied({})
    inputs, dvalues, values = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), random_values(tied(TIES), rng)
    assert set(free.parameter_shapes()) - set(network.parameter_shapes()) == set(TIES)
    apart = gradients_of(free, values | {alias: values[owner] for alias, owner in TIES.items()}, inputs, dvalues)[1]
    dinputs, gradients = gradients_of(network, values, inputs, dvalues)
    uses = ["dense_0.weights", *TIES]
    assert_close(gradients["dense_0.weights"], sum(apart[name] for name in uses), 1e-14)
    assert_close((dinputs, gradients), by_nudging(network, values, inputs, dvalues), 1e-7)


def test_parameters_inside_graphs_can_be_tied() -> None:
    rng = np.random.default_rng(0)
    network = Sequential(
        ("a", Sequential(Dense(2, 2))), ("b", Sequential(Dense(2, 2))), ties={"b.dense_0.weights": "a.dense_0.weights"}
    )
    values, inputs, dvalues = random_values(network, rng), rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    expected = by_nudging(network, values, inputs, dvalues)
    assert_close(gradients_of(network, values, inputs, dvalues), expected, 1e-7)


def test_a_penalty_on_a_tied_parameter_counts_once_for_each_use() -> None:
    network = Sequential(
        Dense(1, 1, penalties={"weights": L2(0.1)}),
        Dense(1, 1, penalties={"weights": L2(0.2)}),
        ties={"dense_1.weights": "dense_0.weights"},
    )
    assert network.penalty_terms() == {"dense_0.weights": (L2(0.1), L2(0.2))}


def test_the_stateful_view_gives_the_owner_of_a_tie_the_summed_gradient() -> None:
    network = Sequential(Dense(1, 1), Dense(1, 1), ties={"dense_1.weights": "dense_0.weights"})
    set_values(network, {"dense_0.weights": np.array([[3.0]])})
    network.forward(np.array([[2.0]]))  # 3·(3·2): d/dw w²x = 2wx
    network.backward(np.array([[1.0]]))
    assert attribute(network, "dense_0.weights", "d").item() == 2 * 3 * 2


# Frozen layers


def step_of(network: Layer, values: Any = None) -> Any:
    """(parameters and state before, after) one training step."""
    rng = np.random.default_rng(2)
    values = random_values(network, rng) if values is None else values
    parameters = {name: values[name] for name in network.parameters}
    state = {name: values[name] for name in network.state}
    inputs = rng.normal(size=(5, 2))
    targets = rng.normal(size=(5, *network.output_shape((2,))))
    after = train_step(network, MeanSquaredError(), SGD(0.1), parameters, {}, inputs, targets, state=state)
    return parameters | state, after.parameters | after.state


def moved(before: Any, after: Any) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if np.any(before[name] != after[name])}


def test_a_training_step_leaves_the_parameters_of_a_frozen_layer() -> None:
    network = Sequential(Dense(2, 3).freeze(), Tanh(), Dense(3, 1))
    assert network.trainable_names() == ("dense_1.weights", "dense_1.biases")
    assert moved(*step_of(network)) == {"dense_1.weights", "dense_1.biases"}
    network["dense_0"].unfreeze()
    assert moved(*step_of(network)) == set(network.parameters)


def test_a_frozen_batch_norm_keeps_parameters_and_state_and_runs_as_in_inference() -> None:
    network = Sequential(Dense(2, 3), BatchNorm(3).freeze(), Dense(3, 1))
    assert not any("batch_norm" in name for name in moved(*step_of(network)))
    values, inputs = random_values(network, np.random.default_rng(0)), np.array([[1.0, 2.0], [3.0, -1.0]])
    training, inference = (network.forward_pass(np, inputs, values, Context(mode))[0] for mode in (True, False))
    assert_close(training, inference, 0.0)


def test_a_frozen_graph_inside_freezes_everything_in_it() -> None:
    block = Sequential(Dense(2, 3), BatchNorm(3), Dropout(0.5)).freeze()
    network = Sequential(("block", block), Dense(3, 1))
    assert moved(*step_of(network)) == {"dense_0.weights", "dense_0.biases"}
    values, inputs = random_values(network, np.random.default_rng(0)), np.array([[1.0, 2.0], [3.0, -1.0]])
    training, inference = (network.forward_pass(np, inputs, values, Context(mode))[0] for mode in (True, False))
    assert_close(training, inference, 0.0)


@pytest.mark.parametrize("make", [lambda: Sequential(Dense(2, 3), BatchNorm(3), Dropout(0.5)), lambda: BatchNorm(2)])
def test_a_frozen_network_is_left_alone_by_a_training_step(make: Callable[[], Layer]) -> None:
    network = make().freeze()
    assert network.trainable_names() == ()
    assert moved(*step_of(network)) == set()


def test_a_frozen_layer_still_passes_gradients_on() -> None:
    rng = np.random.default_rng(0)
    network = Sequential(Dense(2, 3), BatchNorm(3).freeze(), Tanh())
    inputs, dvalues, values = rng.normal(size=(4, 2)), rng.normal(size=(4, 3)), random_values(network, rng)
    expected = by_nudging(network, values, inputs, dvalues, Context())
    assert_close(gradients_of(network, values, inputs, dvalues, Context()), expected, 1e-7)


# The stateful view


def test_a_graph_trains_in_the_book_s_way() -> None:
    """Forward, backward and an update by hand, on the layers' own attributes."""
    network = Sequential(Dense(2, 4), Tanh(), Dense(4, 1)).initialize(0)
    inputs = np.random.default_rng(0).normal(size=(20, 2))
    targets, losses = inputs[:, :1] * inputs[:, 1:], []
    for _ in range(60):
        error = network.forward(inputs) - targets
        losses.append(np.mean(error**2))
        network.backward(2 * error / len(inputs))
        for name in network.parameters:
            set_values(network, {name: attribute(network, name) - 0.2 * attribute(network, name, "d")})
    assert losses[-1] < 0.5 * losses[0]


def test_the_stateful_view_moves_the_state_in_training_only() -> None:
    network = Sequential(BatchNorm(1)).initialize()
    network.forward(np.array([[1.0], [3.0]]), training=False)
    assert network["batch_norm_0"].running_mean.item() == 0.0
    network.forward(np.array([[1.0], [3.0]]))
    assert network["batch_norm_0"].running_mean.item() == pytest.approx(0.2)


def test_loss_and_gradients_take_a_single_layer_for_a_network() -> None:
    loss, gradients = loss_and_gradients(
        Dense(1, 1), MeanSquaredError(), {"weights": np.array([[2.0]]), "biases": np.zeros((1, 1))}, [[3.0]], [5.0]
    )
    assert loss == 1.0 and gradients["weights"].item() == 6.0


# What is refused

shared = Dense(2, 2)
REFUSED: dict[str, tuple[Callable[[], Any], type[ChainruleError], tuple[str, ...]]] = {
    "a cycle": (
        lambda: Graph([("a", Add(), ("inputs", "b")), ("b", ReLU(), "a"), ("c", ReLU(), "b")]),
        GraphError,
        ("cycle", "a", "b", "->"),
    ),
    "a node that reads itself": (lambda: Graph([("a", Add(), ("inputs", "a"))]), GraphError, ("cycle", "a -> a")),
    "an unknown source": (
        lambda: Graph([("first", Dense(2, 2), "inputs"), ("b", ReLU(), "frist")]),
        GraphError,
        ("b", "'frist'", "Did you mean 'first'?"),
    ),
    "a node that nothing reads": (
        lambda: Graph([("lost", ReLU(), "inputs"), ("end", Tanh(), "inputs")]),
        GraphError,
        ("'lost'", "output is 'end'", "output="),
    ),
    "an output in the middle": (
        lambda: Graph([("a", ReLU(), "inputs"), ("b", Tanh(), "a")], output="a"),
        GraphError,
        ("'b'", "output is 'a'"),
    ),
    "an unknown output": (lambda: Graph([("a", ReLU(), "inputs")], output="z"), GraphError, ("output", "'z'", "'a'")),
    "inputs that nothing reads": (
        lambda: Graph([("a", Add(), ("b",)), ("b", ReLU(), "a")]),
        GraphError,
        ("cycle",),
    ),
    "a duplicate name": (
        lambda: Graph([("a", ReLU(), "inputs"), ("a", Tanh(), "a")]),
        GraphError,
        ("Two nodes", "'a'"),
    ),
    "the same layer object twice": (
        lambda: Sequential(("one", shared), ("two", shared)),
        GraphError,
        ("'one'", "'two'", "same layer object", "ties="),
    ),
    "a class instead of a layer": (lambda: Sequential(Dense(2, 2), ReLU), GraphError, ("ReLU", "write ReLU(...)")),
    "no layer at all": (lambda: Graph([("a", 3, "inputs")]), GraphError, ("a", "expected a layer", "3")),
    "an entry that is no node": (lambda: Graph([("a", ReLU())]), GraphError, ("(name, layer, source)",)),
    "a name with a dot": (lambda: Graph([("a.b", ReLU(), "inputs")]), GraphError, ("'a.b'", "without dots")),
    "a node named inputs": (lambda: Graph([("inputs", ReLU(), "inputs")]), GraphError, ("'inputs'",)),
    "an empty name": (lambda: Graph([("", ReLU(), "inputs")]), GraphError, ("''",)),
    "no nodes": (Sequential, GraphError, ("at least one node",)),
    "a node without sources": (lambda: Graph([("a", Add(), ())]), GraphError, ("a", "no source")),
    "layers that do not fit": (
        lambda: Sequential(Dense(3, 4), ReLU(), Dense(5, 2)),
        ShapeError,
        ("dense_1", "Dense(5, 2)", "(B, 5)", "(B, 4)", "Dense(4, 2)"),
    ),
    "layers that do not fit inside": (
        lambda: Sequential(Dense(3, 4), ("block", Sequential(Tanh(), Dense(5, 2)))),
        ShapeError,
        ("block", "dense_0", "(B, 5)", "(B, 4)"),
    ),
    "a sum of different shapes": (
        lambda: Graph([("a", Dense(2, 3), "inputs"), ("sum", Add(), ("a", "inputs"))]),
        ShapeError,
        ("sum", "Add", "(B, 3)", "(B, 2)"),
    ),
    "a join without a tuple": (
        lambda: Graph([("a", Dense(2, 3), "inputs"), ("all", Concatenate(), "a")]),
        ShapeError,
        ("all", "Concatenate", "tuple"),
    ),
    "a layer that is no join with a tuple": (
        lambda: Graph([("a", Dense(2, 3), "inputs"), ("b", Dense(2, 3), "inputs"), ("c", Dense(3, 1), ("a", "b"))]),
        ShapeError,
        ("c", "Dense(3, 1)"),
    ),
    "images without Flatten": (
        lambda: Sequential(Dense(4, 2)).shapes((2, 2)),
        ShapeError,
        ("dense_0", "(B, 4)", "(B, 2, 2)", "Flatten()"),
    ),
    "normalization of another width": (
        lambda: Sequential(Dense(3, 4), BatchNorm(3)),
        ShapeError,
        ("batch_norm_0", "(B, 3)", "(B, 4)", "BatchNorm(4)"),
    ),
    "a tie across shapes": (
        lambda: Sequential(Dense(2, 3), Dense(3, 2), ties={"dense_1.weights": "dense_0.weights"}),
        GraphError,
        ("'dense_1.weights'", "(3, 2)", "'dense_0.weights'", "(2, 3)"),
    ),
    "a tie to an unknown name": (
        lambda: Sequential(Dense(2, 2), Dense(2, 2), ties={"dense_1.weights": "dense_0.weight"}),
        UnknownNameError,
        ("'dense_0.weight'", "Did you mean 'dense_0.weights'?"),
    ),
    "a tie to itself": (
        lambda: Sequential(Dense(2, 2), ties={"dense_0.weights": "dense_0.weights"}),
        GraphError,
        ("ties", "'dense_0.weights'"),
    ),
    "a tie to a tied one": (
        lambda: tied({"dense_1.weights": "dense_0.weights", "dense_2.weights": "dense_1.weights"}),
        GraphError,
        ("'dense_2.weights'", "parameter of its own"),
    ),
    "a look at an unknown node": (
        lambda: Sequential(Dense(2, 2))["dense_1"],
        UnknownNameError,
        ("'dense_1'", "Did you mean 'dense_0'?"),
    ),
    "a look at an unknown node inside": (
        lambda: Sequential(("block", Sequential(Dense(2, 2))))["block.relu_0"],
        UnknownNameError,
        ("'relu_0'", "'dense_0'"),
    ),
    "a look into a layer": (lambda: Sequential(Dense(2, 2))["dense_0.weights"], UnknownNameError, ("weights",)),
    "backward before forward": (lambda: Sequential(ReLU()).backward(np.ones((1, 1))), GraphError, ("forward first",)),
}


@pytest.mark.parametrize(("attempt", "kind", "fragments"), REFUSED.values(), ids=REFUSED)
def test_a_network_that_cannot_be_is_refused(attempt: Any, kind: type, fragments: tuple[str, ...]) -> None:
    with pytest.raises(kind) as caught:
        attempt()
    message = str(caught.value)
    assert [f for f in fragments if f not in message] == [], message
    assert "\n" not in message


def test_a_chain_of_flatten_and_dense_takes_images() -> None:
    network = Sequential(Flatten(), Dense(4, 2)).initialize(0)
    assert network.forward(np.ones((3, 2, 2))).shape == (3, 2)
    assert network.backward(np.ones((3, 2))).shape == (3, 2, 2)


def test_every_permutation_of_a_chain_is_the_same_chain() -> None:
    chain = [("a", Dense(1, 2), "inputs"), ("b", Tanh(), "a"), ("c", Dense(2, 1), "b")]
    orders = {tuple(Graph(order).nodes) for order in itertools.permutations(chain)}
    assert orders == {("a", "b", "c")}


def test_a_join_inside_a_graph_that_joins_adds_the_gradients_of_each_input() -> None:
    """sum + product + ... of two branches, read twice inside: each branch receives its own sum."""
    inner = Graph([("s", Add(), "inputs"), ("m", Multiply(), "inputs"), ("j", Concatenate(), ("s", "m"))])
    outer = Graph([("a", Dense(2, 2), "inputs"), ("b", Dense(2, 2), "inputs"), ("g", inner, ("a", "b"))])
    rng = np.random.default_rng(0)
    values, inputs = random_values(outer, rng), rng.normal(size=(3, 2))
    upstream = rng.normal(size=(3, 4))
    _, kept, _ = outer.forward_pass(np, inputs, values, Context())
    dinputs, gradients = outer.backward_pass(np, upstream, kept, values, Context())

    def total(changed: Any) -> float:
        return float(np.sum(upstream * outer.forward_pass(np, changed, values, Context())[0]))

    h = 1e-6
    for index in np.ndindex(3, 2):
        step = np.zeros((3, 2))
        step[index] = h
        assert dinputs[index] == pytest.approx((total(inputs + step) - total(inputs - step)) / (2 * h), rel=1e-6)
    assert set(gradients) == set(outer.parameters)
    left, right = rng.normal(size=(2, 2)), rng.normal(size=(2, 2))
    np.testing.assert_allclose(inner.forward((left, right)), np.concatenate([left + right, left * right], axis=1))
    back = inner.backward(np.ones((2, 4)))
    np.testing.assert_allclose(back[0], 1 + right)
    np.testing.assert_allclose(back[1], 1 + left)


# What mutants of this file once survived


def test_a_tie_to_itself_is_refused() -> None:
    with pytest.raises(GraphError, match="must be a parameter of its own"):
        Sequential(Dense(2, 2), ties={"dense_0.weights": "dense_0.weights"})


def test_the_first_reader_that_fixes_the_inputs_shape_says_it() -> None:
    network = Graph([("a", ReLU(), "inputs"), ("b", Dense(3, 3), "inputs"), ("c", Add(), ("a", "b"))])
    assert network.input_shape() == (3,)
    assert Sequential(ReLU()).input_shape() is None


def test_a_network_mixes_samples_where_a_layer_that_is_not_frozen_does() -> None:
    assert not Sequential(Dense(2, 2)).mixes_samples
    assert Sequential(Dense(2, 2), BatchNorm(2)).mixes_samples
    assert not Sequential(Dense(2, 2), BatchNorm(2).freeze()).mixes_samples


def test_every_stateful_pass_in_training_has_noise_of_its_own() -> None:
    network, x = Sequential(Dropout(0.5)), np.ones((4, 16))
    context = [Context(True, step=step) for step in range(2)]
    expected = [network.forward_pass(np, x, {}, one)[0] for one in context]
    first = network.forward(x)
    np.testing.assert_array_equal(network.forward(x, training=False), x)  # it takes no noise, and counts as none
    second = network.forward(x)
    np.testing.assert_array_equal([first, second], expected)
    assert (first != second).any()


def test_a_pickled_network_leaves_the_arrays_of_its_passes_behind() -> None:
    network = Sequential(Dense(2, 2), Dropout(0.5))
    network.forward(np.ones((3, 2)))
    network.backward(np.ones((3, 2)))
    left = vars(pickle.loads(pickle.dumps(network)))
    assert not left.keys() & {"inputs", "output", "dinputs", "_kept", "_context", "_calls", "flat", "_derived"}
    assert network.flat is network.flat and "flat" in vars(network)


def test_a_misspelt_setting_of_a_graph_is_an_error() -> None:
    network = Graph([("a", Dense(2, 2), "inputs")])
    with pytest.raises(UnknownNameError, match="parameter or setting of Graph named 'node'"):
        network.node = {}  # type: ignore[attr-defined]


class Growing(Layer):
    """A layer of a user's own, which changes without an assignment."""

    def __init__(self) -> None:
        self.sizes = [3]

    def output_shape(self, shape: Any) -> Any:
        return (self.sizes[-1],)

    def pure_forward(self, xp: Any, inputs: Any) -> Any:
        return inputs

    def pure_backward(self, xp: Any, dvalues: Any) -> Any:
        return {"dinputs": dvalues}


def test_what_follows_from_settings_follows_from_those_of_now() -> None:
    inner, growing = Sequential(Dense(2, 2), Dropout(0.5)), Growing()
    network = Sequential(("inner", inner), Dense(2, 2))
    before = network.settings()
    assert network.settings() == before and len(network.trainable_names()) == 4
    inner["dropout_0"].rate = 0.25  # type: ignore[attr-defined]
    assert network.settings()[1] == ("Dropout(rate=0.25)", False)
    inner.freeze()
    assert network.trainable_names() == ("dense_0.weights", "dense_0.biases")
    assert [frozen for _, frozen in network.settings()] == [True, True, False]
    del inner.frozen  # that of the class comes back
    assert network.settings() == (before[0], ("Dropout(rate=0.25)", False), before[2])

    open_network = Sequential(Dense(2, 2), growing)
    assert open_network.output_shape((2,)) == (3,)
    growing.sizes.append(4)
    assert open_network.output_shape((2,)) == (4,)
