"""The NumPy engine computes what `advance` computes, step by step and bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from chainrule import (
    L1,
    L2,
    SGD,
    Adam,
    AdamW,
    Add,
    BatchNorm,
    Declared,
    Dense,
    Dropout,
    Graph,
    Layer,
    LayerNorm,
    MeanSquaredError,
    Multiply,
    Optimizer,
    ReLU,
    Sequential,
    Softmax,
    SoftmaxCrossentropy,
    Tanh,
)
from chainrule.backprop import advance
from chainrule.engines import start
from chainrule.engines.contract import Block, Outcome, Task
from chainrule.engines.quick import QuickNumpy
from chainrule.errors import DefinitionError
from chainrule.layer import Context
from test_engines import BATCH, CLASSES, INPUTS, NETWORKS, OPTIMIZERS, OUTPUTS, SAMPLES, VALUES, WEIGHTS, X, around

STEPS = 13  # more than four epochs of three batches, the last of 12 samples


class Drift(Layer):
    """A layer of one's own: parameters of three sizes, a state that is the parameter of the step before, and noise."""

    parameters = ("scale", "shift")
    state = ("before", "calls")

    def declare(self) -> dict[str, Declared]:
        def half(rng: Any, shape: tuple[int, ...]) -> Any:
            return np.full(shape, 0.5)

        return {
            "scale": Declared((1, 6), half), "shift": Declared((), half), "before": Declared((1, 6), half),
            "calls": Declared((1,), half),
        }  # fmt: skip

    def pure_forward(self, xp: Any, inputs: Any, scale: Any, shift: Any, before: Any, calls: Any, noise: Any) -> Any:
        moved = inputs * scale + before * shift + (0 if noise is None else noise)
        return moved, {"next_before": scale, "next_calls": calls + 1}

    def pure_backward(self, xp: Any, dvalues: Any, inputs: Any, scale: Any, before: Any) -> Any:
        return dict(
            dinputs=dvalues * scale,
            dscale=xp.sum(dvalues * inputs, axis=0, keepdims=True),
            dshift=xp.sum(dvalues * before),
        )


class Careless(Layer):
    """Its gradient is one number for all entries, or float64 whatever the network computes in."""

    parameters = ("shift",)

    def __init__(self, axis: int | None, dtype: Any) -> None:
        self.axis, self.dtype = axis, dtype

    def declare(self) -> dict[str, Declared]:
        return {"shift": Declared((1, 6), lambda rng, shape: np.zeros(shape))}

    def pure_forward(self, xp: Any, inputs: Any, shift: Any) -> Any:
        return inputs + shift

    def pure_backward(self, xp: Any, dvalues: Any) -> Any:
        return dict(dinputs=dvalues, dshift=np.sum(dvalues, axis=self.axis, dtype=self.dtype, keepdims=self.axis == 0))


class Doubled(Dense):
    """A layer that does more than its pair."""

    def forward_pass(self, xp: Any, inputs: Any, values: Any, context: Context) -> Any:
        output, kept, following = super().forward_pass(xp, inputs, values, context)
        return 2 * output, kept, following


def tied() -> Graph:
    ties = {"two.weights": "one.weights", "one.biases": "two.biases"}
    nodes = [("in", Dense(INPUTS, 6), "inputs"), ("one", Dense(6, 6, penalties={"weights": L2(0.1)}), "in")]
    nodes += [("two", Dense(6, 6, penalties={"weights": L1(0.1)}), "one"), ("out", Dense(6, OUTPUTS), "two")]
    return Graph(nodes, ties=ties)


def nested() -> Graph:
    inner = Sequential(Dense(6, 6), BatchNorm(6), ReLU(), Dropout(0.3), Sequential(Dense(6, 6), Tanh()).freeze())
    return around(Sequential(inner, LayerNorm(6), BatchNorm(6).freeze()), Softmax())


def frayed() -> Graph:
    """A value that nodes inside a graph and outside of it read, so that the order of adding gradients shows."""
    inner = [("a", Dense(6, 6), "inputs"), ("b", Tanh(), "inputs"), ("c", Multiply(), ("inputs", "a", "b", "inputs"))]
    nodes = [("in", Dense(INPUTS, 6), "inputs"), ("g", Graph(inner), "in"), ("h", ReLU(), "in"), ("i", Tanh(), "in")]
    return Graph([*nodes, ("sum", Add(), ("in", "g", "h", "i", "g")), ("out", Dense(6, OUTPUTS), "sum")])


def joining() -> Graph:
    """A graph inside that joins."""
    inside = [("sum", Add(), "inputs"), ("a", Dense(6, 6), "sum"), ("b", Dense(6, 6), "a")]
    nodes = [("left", Dense(INPUTS, 6), "inputs"), ("right", Dense(INPUTS, 6), "inputs")]
    nodes += [("g", Graph(inside), ("left", "right")), ("out", Dense(6, OUTPUTS), "g")]
    return Graph(nodes, ties={"left.weights": "right.weights"})


def tied_twice() -> Graph:
    """A parameter that is used twice inside a graph and once outside of it."""
    inside = Sequential(Dense(6, 6), Tanh(), Dense(6, 6), ties={"dense_1.weights": "dense_0.weights"})
    nodes = [("in", Dense(INPUTS, 6), "inputs"), ("g", inside, "in"), ("after", Dense(6, 6), "g")]
    return Graph([*nodes, ("out", Dense(6, OUTPUTS), "after")], ties={"after.weights": "g.dense_0.weights"})


MINE: dict[str, Callable[[], Graph]] = {
    name: NETWORKS[name] for name in ("relu", "leaky_relu", "dropout", "batch_norm", "penalties", "branching", "frozen")
} | {
    "tied": tied,
    "frayed": frayed,
    "joining": joining,
    "tied twice": tied_twice,
    "a pass of one's own": lambda: Sequential(("dense_0", Doubled(INPUTS, 6)), Tanh(), ("dense_1", Dense(6, OUTPUTS))),
    "nested": nested,
    "of one's own": lambda: around(Drift(), Tanh()),
    "careless of shape": lambda: around(Careless(None, None)),
    "careless of dtype": lambda: around(Careless(0, np.float64)),
    "large": lambda: Sequential(Dense(INPUTS, 150), ReLU(), Dense(150, 130), ReLU(), Dense(130, OUTPUTS)),
    "penalty on a frozen layer": lambda: around(Dense(6, 6, penalties={"weights": L2(0.1)}).freeze(), ReLU()),
}


@dataclass(frozen=True)
class Normalized(Optimizer):
    """Not entry by entry: every step has the length of the rate."""

    def pure_update(self, xp: Any, step: Any, rate: Any, parameter: Any, gradient: Any, count: Any) -> Any:
        return parameter - rate * gradient / xp.sqrt(xp.sum(gradient * gradient) + 1e-3), dict(count=count + 1)


@dataclass(frozen=True)
class Centered(Adam):
    """One of the library's with another decay, which is not entry by entry either."""

    def _decayed(self, rate: Any, parameter: Any, gradient: Any) -> Any:
        return parameter, gradient - gradient.mean()


ALL = OPTIMIZERS | {
    "groups": SGD(
        0.02,
        momentum=0.5,
        groups={"*.biases": {"momentum": 0.0}, "dense_0.*": {"learning_rate": lambda step: 0.1 / (step + 1)}},
    ),
    "clip_norm": SGD(0.1, clip_norm=0.05, weight_decay=0.01),
    "adamw everywhere": AdamW(0.01),
    "normalized": Normalized(0.01),
    "centered": Centered(0.01),
}  # fmt: skip


def task_of(network: Graph, optimizer: Optimizer, dtype: Any, weighted: bool = False) -> Task:
    known = {
        pattern: s for pattern, s in optimizer.groups.items() if pattern == "*.biases" or "dense_0" in network.nodes
    }
    optimizer = replace(optimizer, groups=known)
    values, weights = X.astype(dtype), WEIGHTS if weighted else None
    return Task.of(network, SoftmaxCrossentropy(), optimizer, 3, values, CLASSES, weights, BATCH)


def beginning(task: Task) -> tuple[dict[str, Any], dict[str, Any], Block]:
    dtype = task.X.dtype
    parameters = task.network.initial_parameters(0, dtype)
    trainable = {name: parameters[name] for name in task.network.trainable_names()}
    order = np.stack([np.random.default_rng(e).permutation(SAMPLES) for e in range(-(-STEPS // task.steps_per_epoch))])
    rates = np.array([[task.optimizer.rate(step, name) for name in trainable] for step in range(STEPS)])
    values = parameters | task.network.initial_state(dtype)
    return values, task.optimizer.initial_slots(np, trainable), Block(0, STEPS, 0, order, rates, record=True)


def by_advance(task: Task, values: Any, slots: Any, block: Block) -> tuple[Outcome, Any, Any, Any]:
    """The block by `advance` alone: its outcome, values, slots and last gradients."""
    losses, penalties = [], []
    for index, (rows, size) in enumerate(block.batches(task)):
        context = Context(not task.network.frozen, task.seed, block.step + index)
        named = dict(zip(task.network.trainable_names(), block.rates[index].tolist(), strict=True))
        result, values, slots = advance(
            np, task.network, task.optimizer, task.loss, values, task.X[rows], task.targets(rows),
            task.shares(rows, size), context, slots, named,
        )  # fmt: skip
        losses.append(result.data_loss)
        penalties.append(result.penalty)
    return (
        Outcome(block.steps, np.array(losses, float), np.array(penalties, float)),
        values,
        slots,
        result.gradients,
    )


def assert_same_bits(actual: dict[str, Any], expected: dict[str, Any]) -> None:
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        assert (actual[name].dtype, actual[name].shape) == (array.dtype, array.shape), name
        assert actual[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MINE)
def test_every_bit_is_that_of_advance(name: str, dtype: str) -> None:
    for weighted, (kind, optimizer) in enumerate(ALL.items()):
        task = task_of(MINE[name](), optimizer, dtype, bool(weighted % 2))
        values, slots, block = beginning(task)
        session = start("numpy")(task, values, slots)
        outcome = session.run(block)
        expected, values, slots, gradients = by_advance(task, values, slots, block)
        for field in ("data_losses", "penalties"):
            assert getattr(outcome, field).tobytes() == getattr(expected, field).tobytes(), (kind, field)
        assert outcome.steps == STEPS
        assert_same_bits(session.values(), values)
        assert_same_bits(session.slots(), slots)
        squares = [float(np.sum(np.square(gradients[name], dtype=np.float64))) for name in session.updates.names]
        assert outcome.records.squares[-1] == pytest.approx(squares, rel=1e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parametrize("name", ["batch_norm", "of one's own", "careless of dtype"])
def test_what_a_session_has_given_out_or_taken_in_stays_as_it_is(name: str) -> None:
    task = task_of(MINE[name](), Adam(0.01), "float32")
    values, slots, block = beginning(task)
    session = start("numpy")(task, values, slots)
    taken = [values, slots]
    session.run(block)
    taken += [session.values(), session.slots()]
    copies = [{key: array.copy() for key, array in arrays.items()} for arrays in taken]
    session.run(replace(block, step=STEPS))
    for arrays, copy in zip(taken, copies, strict=True):
        assert_same_bits(arrays, copy)
    assert session.values()["dense_0.weights"].tobytes() != taken[2]["dense_0.weights"].tobytes()


def test_a_session_goes_on_from_what_it_is_given() -> None:
    task = task_of(MINE["nested"](), OPTIMIZERS["adam"], "float64")
    values, slots, block = beginning(task)
    session = start("numpy")(task, values, slots)
    session.run(block)
    session.load(values, slots)
    again = session.run(block)
    expected, values, slots, _ = by_advance(task, values, slots, block)
    assert again.data_losses.tobytes() == expected.data_losses.tobytes()
    assert_same_bits(session.values(), values)
    assert_same_bits(session.slots(), slots)


def test_what_is_changed_between_two_blocks_counts_from_there_on() -> None:
    task = task_of(around(Dense(6, 6), Dropout(0.2)), SGD(0.1), "float64")
    network: Any = task.network
    values, slots, block = beginning(task)
    session = start("numpy")(task, values, slots)
    session.run(block.head(3))
    values, slots = session.values(), session.slots()
    network["dropout_0"].rate, network["dense_1"].penalties = 0.6, {"weights": L2(0.1)}
    session.run(replace(block, step=3))
    _, expected, _, _ = by_advance(task, values, slots, replace(block, step=3))
    assert_same_bits(session.values(), expected)


class Wrong(Layer):
    """Its backward pass names no gradient that there is."""

    def pure_forward(self, xp: Any, inputs: Any) -> Any:
        return inputs

    def pure_backward(self, xp: Any, dvalues: Any) -> Any:
        return dict(dinput=dvalues)


def test_a_layer_that_returns_the_wrong_names_is_refused() -> None:
    task = task_of(around(Wrong()), SGD(0.1), "float64")
    values, slots, block = beginning(task)
    with pytest.raises(DefinitionError, match=r"write return dict\(dinputs=\.\.\.\)"):
        start("numpy")(task, values, slots).run(block)


@pytest.mark.parametrize("optimizer", [SGD(1.0, momentum=0.9), Normalized(1.0)])
def test_a_step_that_is_not_finite_is_not_taken(optimizer: Optimizer) -> None:
    """The rate becomes infinite at the fifth step: its pass is finite, its update is not."""
    task = replace(
        task_of(MINE["batch_norm"](), optimizer, "float64"), loss=MeanSquaredError(), y=VALUES, encoded=VALUES
    )
    values, slots, block = beginning(task)
    rates = block.rates.copy()
    rates[4] = np.inf
    session = start("numpy")(task, values, slots)
    outcome = session.run(replace(block, rates=rates * 1e-3))
    expected, values, slots, _ = by_advance(task, values, slots, replace(block.head(4), rates=rates[:4] * 1e-3))
    assert outcome.steps == 4
    assert outcome.data_losses.tobytes() == expected.data_losses.tobytes()
    assert_same_bits(session.values(), values)
    assert_same_bits(session.slots(), slots)


@pytest.mark.parametrize("place", ["dense_1.weights", "relu_0"])
def test_numbers_that_are_not_finite_from_the_start_are_met_in_the_first_step(place: str) -> None:
    task = task_of(around(ReLU(), Dense(6, 6).freeze()), SGD(0.1), "float32")
    values, slots, block = beginning(task)
    if place == "relu_0":
        task = replace(task, X=np.full_like(task.X, np.nan))
    else:
        values[place] = np.full_like(values[place], np.inf)
    assert start("numpy")(task, values, slots).run(block).steps == 0


SHAPES = [(1, 3), (16, 1), (300, 3), (33, 7), (33, 8), (40, 9), (90, 17), (90, 25), (70, 33), (64, 64), (0, 3)]
AXES: list[dict[str, Any]] = [{}, {"axis": 0}, {"axis": 1}, {"axis": -1, "keepdims": True}, {"axis": (0, 1)}]


def specimen(shape: tuple[int, int], dtype: Any) -> Any:
    """Numbers, what is not finite, and rows of nothing but both zeros."""
    rng = np.random.default_rng(shape[0])
    array = rng.normal(size=shape).astype(dtype)
    odd = rng.choice(np.array([0.0, -0.0, np.inf, -np.inf, np.nan, np.finfo(dtype).tiny], dtype), size=shape)
    zeros = rng.choice(np.array([0.0, -0.0], dtype), size=shape)
    return np.where(rng.random((shape[0], 1)) < 0.3, zeros, np.where(rng.random(shape) < 0.3, odd, array))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_quick_functions_give_numpys_bits(shape: tuple[int, int], dtype: str) -> None:
    quick = QuickNumpy()
    for x in (specimen(shape, dtype), np.asfortranarray(specimen(shape, dtype)), specimen(shape, dtype)[::2]):
        with np.errstate(all="ignore"):
            pairs: list[tuple[Any, Any]] = []
            for options in AXES:
                pairs.append((quick.sum(x, **options), np.sum(x, **options)))
                if x.size:
                    pairs.append((quick.max(x, **options), np.max(x, **options)))
            for condition in (x > 0, np.asfortranarray(x > 0), x[:1] > 0):
                for chosen in ((x, 0), (x, 0.0), (x, x + 1), (0, x), (x[:1], 0)):
                    pairs.append((quick.where(condition, *chosen), np.where(condition, *chosen)))
                    assert pairs[-1][0].flags.c_contiguous == pairs[-1][1].flags.c_contiguous
        for actual, expected in pairs:
            assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
            nan = np.isnan(expected)  # of several, the one that is met depends on the order
            np.testing.assert_array_equal(np.isnan(actual), nan)
            assert np.where(nan, 0, actual).tobytes() == np.where(nan, 0, expected).tobytes()


def test_the_quick_functions_take_all_that_numpys_take() -> None:
    quick, x = QuickNumpy(), np.arange(60, dtype=np.float32).reshape(20, 3)
    assert quick.sum([1, 2]) == 3
    assert quick.max([1, 2]) == 2
    assert quick.sum(x, 1, np.float64).dtype == np.float64
    assert quick.sum(x > 3, axis=1).dtype == np.sum(x > 3, axis=1).dtype
    assert quick.max(x, axis=1, initial=30.0).min() == 30
    assert quick.where(x > 3)[0].shape == np.where(x > 3)[0].shape
    assert quick.where(True, np.ones(5000), 0).sum() == 5000
    assert quick.linalg is np.linalg
    with pytest.raises(AttributeError, match="sums"):
        _ = quick.sums
