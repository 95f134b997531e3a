"""Every engine computes the run of the pure pairs: one table of networks, losses and optimizers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

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
    Callback,
    CategoricalCrossentropy,
    Concatenate,
    CosineDecay,
    Dense,
    Dropout,
    Flatten,
    Graph,
    HalfSquaredError,
    Huber,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    Model,
    Multiply,
    Optimizer,
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
)
from chainrule.engines import start
from chainrule.engines.contract import Block, Outcome, Task
from chainrule.engines.fused.program import why_not
from chainrule.errors import ConfigurationError, NonFiniteError, UnknownNameError
from support import public

MET = ("data_losses", "penalties")
SAMPLES, INPUTS, OUTPUTS, BATCH, STEPS = 44, 4, 3, 16, 100  # the last batch of an epoch has 12 samples
RNG = np.random.default_rng(0)
X, CLASSES = RNG.normal(size=(SAMPLES, INPUTS)), RNG.integers(0, OUTPUTS, SAMPLES)
VALUES, WEIGHTS = RNG.uniform(0.1, 0.9, (SAMPLES, OUTPUTS)), RNG.uniform(0.5, 2, SAMPLES)


def around(*layers: Layer) -> Sequential:
    """The layers between two dense ones."""
    return Sequential(Dense(INPUTS, 6), *layers, Dense(6, OUTPUTS))


def branching() -> Graph:
    return Graph(
        [
            ("left", Dense(INPUTS, 5), "inputs"),
            ("right", Dense(INPUTS, 5), "inputs"),
            ("third", Tanh(), "left"),
            ("product", Multiply(), ("left", "right", "third")),
            ("sum", Add(), ("product", "right", "left")),
            ("inner", Sequential(Dense(5, 4), ReLU(), Dropout(0.3)), "sum"),
            ("all", Concatenate(), ("inner", "inputs", "sum")),
            ("last", Dense(13, OUTPUTS), "all"),
        ]
    )


NETWORKS: dict[str, Callable[[], Graph]] = {
    "dense": lambda: Sequential(Dense(INPUTS, OUTPUTS)),
    "dense without bias": lambda: Sequential(Dense(INPUTS, 5, bias=False), Tanh(), Dense(5, OUTPUTS)),
    "relu": lambda: around(ReLU()),
    "leaky_relu": lambda: around(LeakyReLU(0.1)),
    "elu": lambda: around(ELU(0.7)),
    "gelu": lambda: around(GELU()),
    "gelu-tanh": lambda: around(GELU(approximate=True)),
    "silu": lambda: around(SiLU()),
    "softplus": lambda: around(Softplus()),
    "sigmoid": lambda: around(Sigmoid()),
    "tanh": lambda: around(Tanh()),
    "linear": lambda: around(Linear(), Flatten()),
    "softmax": lambda: around(Softmax()),
    "log_softmax": lambda: around(LogSoftmax()),
    "dropout": lambda: around(ReLU(), Dropout(0.4)),
    "layer_norm": lambda: around(LayerNorm(6), ReLU()),
    # not on a dense layer's output: the gradient of its biases would be 0, and Adam would blow up what rounding leaves
    "batch_norm": lambda: around(ReLU(), BatchNorm(6)),
    "batch_norm-frozen": lambda: around(Tanh(), BatchNorm(6).freeze()),
    "two": lambda: around(Sigmoid(), ReLU(), Dropout(0.2), Tanh()),
    "wide": lambda: Sequential(Dense(INPUTS, 80), ReLU(), Dense(80, 70), Tanh(), Dense(70, OUTPUTS)),
    "frozen": lambda: Sequential(Dense(INPUTS, 6), ReLU(), Dense(6, 6).freeze(), ReLU(), Dense(6, OUTPUTS)),
    "penalties": lambda: Sequential(
        Dense(INPUTS, 6, penalties={"weights": (L1(1e-3), L2(1e-2)), "biases": L2(0.1)}), ReLU(), Dense(6, OUTPUTS)
    ),
    "branching": branching,
    "tied": lambda: Graph(
        [
            ("scaled", LayerNorm(INPUTS), "inputs"),
            ("first", Dense(INPUTS, INPUTS, penalties={"weights": L2(1e-2)}), "scaled"),
            ("inner", Sequential(Tanh(), Dense(INPUTS, INPUTS, penalties={"weights": L1(1e-3)}), Tanh()), "first"),
            ("third", Dense(INPUTS, INPUTS), "inner"),
            ("sum", Add(), ("third", "inputs")),
            ("again", LayerNorm(INPUTS), "sum"),
            ("last", Dense(INPUTS, OUTPUTS), "again"),
        ],
        ties={
            "inner.dense_0.weights": "first.weights",
            "third.weights": "first.weights",
            "third.biases": "first.biases",
            "again.gamma": "scaled.gamma",
        },
    ),
}
LOSSES: dict[str, Loss] = {
    "softmax_crossentropy": SoftmaxCrossentropy(),
    "softmax_crossentropy-all": SoftmaxCrossentropy(label_smoothing=0.1, class_weights=[1, 2, 0.5]),
    "softmax_crossentropy-sum": SoftmaxCrossentropy(reduction="sum"),
    "categorical": CategoricalCrossentropy(),
    "sigmoid_crossentropy": SigmoidCrossentropy(),
    "binary": BinaryCrossentropy(label_smoothing=0.1),
    "mean_squared": MeanSquaredError(),
    "mean_absolute": MeanAbsoluteError(),
    "huber": Huber(delta=0.3),
    "half_squared": HalfSquaredError(),
}
PROBABILITIES = {"categorical": Softmax, "binary": Sigmoid}  # the last layer that these losses need
OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": SGD(0.02),
    "momentum": SGD(0.02, momentum=0.9, weight_decay=1e-3),
    "nesterov": SGD(CosineDecay(0.02, steps=90, warmup=10), momentum=0.8, nesterov=True),
    "adagrad": Adagrad(0.02),
    "rmsprop": RMSprop(0.002),
    "adam": Adam(0.005, clip_norm=0.5, clip_value=0.2),
    "adamw": AdamW(0.005, weight_decay=0.1, groups={"*.biases": {"weight_decay": 0.0, "learning_rate": 0.01}}),
}


def task_of(network: Graph, loss: Loss, optimizer: Optimizer, dtype: str = "float64", weighted: bool = False) -> Task:
    y = (
        CLASSES
        if loss.metric == "accuracy" and isinstance(loss, SoftmaxCrossentropy | CategoricalCrossentropy)
        else VALUES
    )
    weights = WEIGHTS if weighted else None
    return Task.of(network, loss, optimizer, 3, X.astype(dtype), y, weights, BATCH)


def carry_out(engine: str, task: Task, steps: int, cuts: tuple[int, ...] = ()) -> tuple[Outcome, dict[str, Any]]:
    """What some steps on an engine met, in blocks that end at `cuts`, and all that the session holds after them."""
    dtype = task.X.dtype
    parameters = task.network.initial_parameters(0, dtype)
    trainable = {name: parameters[name] for name in task.network.trainable_names()}
    slots = task.optimizer.initial_slots(np, trainable)
    session = start(engine)(task, parameters | task.network.initial_state(dtype), slots)
    order = np.stack([np.random.default_rng(e).permutation(SAMPLES) for e in range(-(-steps // task.steps_per_epoch))])
    rates = np.array([[task.optimizer.rate(step, name) for name in trainable] for step in range(steps)])
    parts = []
    for begin, end in zip((0, *cuts), (*cuts, steps), strict=True):
        epoch, first = divmod(begin, task.steps_per_epoch)
        parts.append(session.run(Block(begin, end - begin, first, order[epoch:], rates[begin:end], record=True)))
    joined = [np.concatenate([getattr(part, name) for part in parts]) for name in MET]
    held = session.values() | session.slots() | {"squares": parts[-1].records.squares[-1]}
    return Outcome(sum(part.steps for part in parts), *joined), held


def assert_same_run(engine: str, task: Task) -> None:
    double = task.X.dtype == np.float64
    steps = STEPS if double else 10
    expected, held = carry_out("numpy", task, steps)
    actual, found = carry_out(engine, task, steps)
    assert actual.steps == expected.steps == steps
    tolerance = 1e-10 if double else 1e-4
    for name in MET:
        one, other = getattr(actual, name), getattr(expected, name)
        assert one.shape == other.shape
        assert np.max(np.abs(one - other) / np.maximum(np.abs(other), 1), initial=0) <= tolerance, name
    assert found.keys() == held.keys()
    for name in held if double else ():
        assert np.max(np.abs(found[name] - held[name]) / np.maximum(np.abs(held[name]), 1)) <= tolerance, name


def calm(optimizer: Optimizer, loss: Loss) -> Optimizer:
    """A rate at which the run converges: where it explodes, rounding grows with it."""
    return optimizer if loss.reduction == "mean" else replace(optimizer, learning_rate=5e-4, groups={})


def network_for(name: str, loss: str) -> Graph:
    network = NETWORKS[name]()
    if loss not in PROBABILITIES:
        return network
    return Graph([("network", network, "inputs"), ("probabilities", PROBABILITIES[loss](), "network")])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("loss", LOSSES)
def test_fused_computes_the_run_of_the_reference(name: str, loss: str) -> None:
    """Every network with every loss and every optimizer, in float64: 1e-10 after 100 steps.

    The absolute error has weights always: gradients of equal size and both signs add up to 0, or to what rounding
    leaves, and Adagrad's epsilon of 1e-10 makes a visible step of that.
    """
    for index, optimizer in enumerate(OPTIMIZERS.values()):
        chosen = calm(optimizer, LOSSES[loss])
        weighted = index % 2 == 0 or loss == "mean_absolute"
        assert_same_run("fused", task_of(network_for(name, loss), LOSSES[loss], chosen, weighted=weighted))


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_in_inference_are_those_of_the_reference(name: str) -> None:
    task = task_of(NETWORKS[name](), LOSSES["huber"], OPTIMIZERS["sgd"])
    values = task.network.initial_parameters(0, X.dtype) | task.network.initial_state(X.dtype)
    slots = task.optimizer.initial_slots(np, {n: values[n] for n in task.network.trainable_names()})
    expected, actual = (start(engine)(task, values, slots).outputs(X) for engine in ("numpy", "fused"))
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_fused_agrees_in_float32(name: str) -> None:
    for loss, optimizer in product(("softmax_crossentropy", "huber"), ("nesterov", "adam")):
        assert_same_run("fused", task_of(network_for(name, loss), LOSSES[loss], OPTIMIZERS[optimizer], "float32"))


def in_turn(count: int, names: dict[str, Any]) -> list[str]:
    """`count` names, each in its turn."""
    return [list(names)[i % len(names)] for i in range(count)]


JAX = list(zip(NETWORKS, in_turn(len(NETWORKS), LOSSES), in_turn(len(NETWORKS), OPTIMIZERS), strict=True))


@pytest.mark.parametrize(("name", "loss", "optimizer"), JAX)
def test_jax_computes_the_run_of_the_reference(name: str, loss: str, optimizer: str) -> None:
    """Every network, loss and optimizer: 9 losses and 7 optimizers meet 22 networks in turn."""
    chosen = calm(OPTIMIZERS[optimizer], LOSSES[loss])
    assert_same_run("jax", task_of(network_for(name, loss), LOSSES[loss], chosen, weighted=True))


def test_jax_agrees_in_float32_and_leaves_its_global_precision_alone() -> None:
    import jax

    before = jax.config.jax_enable_x64
    assert_same_run("jax", task_of(NETWORKS["relu"](), LOSSES["huber"], OPTIMIZERS["adam"], "float32"))
    assert jax.config.jax_enable_x64 == before


def test_jax_computes_the_same_run_where_updates_wait_for_the_last_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.engines.jaxprogram._LARGE", 0)
    monkeypatch.setattr("chainrule.engines.jaxprogram._kept", OrderedDict())  # none that was compiled before
    assert_same_run("jax", task_of(NETWORKS["two"](), LOSSES["huber"], OPTIMIZERS["adam"]))


class Cube(Layer):
    """A layer of one's own."""

    def pure_forward(self, xp: Any, inputs: Any) -> Any:
        return inputs * inputs * inputs

    def pure_backward(self, xp: Any, dvalues: Any, inputs: Any) -> Any:
        return dict(dinputs=3 * inputs * inputs * dvalues)


class Mish(Layer):
    """x · tanh(softplus(x)), written with whatever a user might take."""

    keeps = ("curve",)

    def __init__(self, bend: float = 1.0) -> None:
        self.bend = bend

    def pure_forward(self, xp: Any, inputs: Any) -> Any:
        curve = xp.tanh(self.bend * xp.log1p(xp.exp(-xp.abs(inputs))) + xp.maximum(inputs, 0.0))
        return inputs * curve, {"curve": curve}

    def pure_backward(self, xp: Any, dvalues: Any, inputs: Any, curve: Any) -> Any:
        small = xp.exp(-xp.abs(inputs))
        inner = xp.where(inputs > 0, 1 - self.bend * small / (1 + small), self.bend * small / (1 + small))
        return dict(dinputs=dvalues * (curve + inputs * (1 - curve * curve) * inner))


class Everything(Layer):
    """Every function that a trace knows, and its output, which backward reads."""

    def pure_forward(self, xp: Any, inputs: Any) -> Any:
        x, inside = inputs, xp.minimum(xp.maximum(inputs, -2.0), 2.0)
        total = xp.sin(x) + 0.5 * xp.cos(x) + xp.sinh(inside) + xp.cosh(inside) + xp.atan(x) + xp.expm1(inside)
        total = total + xp.sqrt(x * x + 1) + xp.log(x * x + 1.5) + xp.log1p(x * x) + xp.exp(inside) + (x * x + 1) ** 0.5
        chosen = xp.where((x > 0.5) & (x <= 3.0) | ~(x >= -1.0), total, -total / 2)
        return 0.1 * (chosen + xp.sign(x) * (x != 0.25) + (x < 0.1) * 1.0 + (x == 7.0) * 1.0)

    def pure_backward(self, xp: Any, dvalues: Any, inputs: Any, output: Any) -> Any:
        return dict(dinputs=dvalues * (xp.cos(inputs) - 0.1 * output))


class Swapped(Layer):
    """It mixes features, and no trace of entries describes it."""

    def pure_forward(self, xp: Any, inputs: Any) -> Any:
        return xp.flip(inputs, axis=1)

    def pure_backward(self, xp: Any, dvalues: Any) -> Any:
        return dict(dinputs=xp.flip(dvalues, axis=1))


@pytest.mark.parametrize("layer", [Cube, Mish, Everything], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_function_of_ones_own_runs_on_fused(layer: Callable[[], Layer], dtype: str) -> None:
    task = task_of(around(Tanh(), layer()), LOSSES["huber"], OPTIMIZERS["adam"], dtype)
    assert why_not(task) is None
    assert_same_run("fused", task)


def test_a_layer_of_ones_own_that_mixes_features_runs_on_jax_and_falls_back_to_numpy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert_same_run("jax", task_of(around(Swapped()), LOSSES["huber"], OPTIMIZERS["sgd"]))
    model = Model(around(Swapped()), MeanSquaredError(), SGD(0.01))
    model.fit(X, VALUES, epochs=1, engine="fused")
    said = capsys.readouterr().out.splitlines()[0]
    assert said == "Engine numpy: the fused engine does not cover the layer Swapped."


@pytest.mark.parametrize("engine", ["numpy", "fused", "jax"])
def test_how_a_run_is_cut_into_blocks_changes_no_bit(engine: str) -> None:
    task = task_of(NETWORKS["dropout"](), LOSSES["softmax_crossentropy"], OPTIMIZERS["adam"], "float32")
    (whole, held), (cut, found) = (carry_out(engine, task, 40, cuts) for cuts in ((), (1, 7, 30)))
    np.testing.assert_array_equal(whole.data_losses, cut.data_losses)
    for name, array in held.items():
        np.testing.assert_array_equal(array, found[name])


@pytest.mark.parametrize("engine", ["numpy", "fused", "jax"])
def test_a_run_that_explodes_stands_before_the_step_and_names_the_array(engine: str) -> None:
    runs = [Model([Dense(INPUTS, 5), ReLU(), Dense(5, OUTPUTS)], MeanSquaredError(), SGD(3e3)) for _ in range(2)]
    messages = []
    for one, name in zip(runs, ("numpy", engine), strict=True):
        with pytest.raises(NonFiniteError) as caught:
            one.fit(X, VALUES, epochs=200, batch_size=BATCH, verbose=False, engine=name)
        messages.append(str(caught.value))
    assert runs[0].run.step == runs[1].run.step
    assert messages[0] == messages[1]
    assert all(np.isfinite(value).all() for value in runs[1].run.values.values())


@pytest.mark.parametrize("engine", ["numpy", "fused", "jax"])
def test_weights_that_overflow_behind_a_dead_relu_stop_the_run_although_every_loss_is_finite(engine: str) -> None:
    network = Sequential(Dense(2, 1), ReLU(), Dense(1, 1))
    ones, zeros = np.ones((8, 2), np.float32), np.zeros((8, 1), np.float32)
    task = Task.of(network, MeanSquaredError(), SGD(), 0, ones, zeros, None, 8)
    values = {name: np.full(shape, 3, np.float32) for name, shape in network.parameter_shapes().items()}
    rates = np.zeros((6, 4))
    rates[3, network.trainable_names().index("dense_0.weights")] = 3e38  # the weights become -inf, the outputs 3
    session = start(engine)(task, values, {})
    for steps, done in ((6, 3), (3, 3), (4, 3)):
        session.load(values, {})
        outcome = session.run(Block(0, steps, 0, None, rates[:steps]))
        assert outcome.steps == done
        np.testing.assert_array_equal(outcome.data_losses, [30.0**2] * done)
    session.load(values, {})
    session.run(Block(0, 3, 0, None, rates[:3]))
    assert all(np.isfinite(value).all() for value in session.values().values())


@pytest.mark.parametrize("engine", ["fused", "jax"])
def test_a_checkpoint_keeps_its_engine_and_goes_on_bit_for_bit(engine: str, tmp_path: Any, capsys: Any) -> None:
    def train(epochs: int, **options: Any) -> Model:
        one = Model([Dense(INPUTS, 5), Tanh(), Dropout(0.2), Dense(5, OUTPUTS)], SoftmaxCrossentropy(), Adam(0.01))
        one.fit(X, CLASSES, epochs=epochs, batch_size=BATCH, validation_split=0.2, **options)
        return one

    whole = train(9, engine=engine, verbose=False)
    train(4, engine=engine, verbose=False, checkpoint=tmp_path / "c")
    capsys.readouterr()
    resumed = train(9, checkpoint=tmp_path / "c", resume=True)
    assert f"Engine {engine}: as in the checkpoint." in capsys.readouterr().out
    for name, array in whole.run.values.items():
        np.testing.assert_array_equal(array, resumed.run.values[name])
    assert whole.history["loss"] == resumed.history["loss"]


class Settings(Callback):
    """Changes the settings of layers after the first epoch."""

    def epoch(self, fit: Any) -> None:
        network = fit.model.network
        network["dropout_0"].rate = 0.5
        network["layer_norm_0"].epsilon = 0.1
        network["dense_0"].penalties = {"weights": (L2(0.1),)}


@pytest.mark.parametrize("engine", ["fused", "jax"])
def test_a_callback_that_changes_a_layers_settings_changes_the_run_on_every_engine(engine: str) -> None:
    def train(name: str) -> Model:
        layers = [Dense(INPUTS, 5), LayerNorm(5), Dropout(0.2), Dense(5, OUTPUTS)]
        one = Model(layers, SoftmaxCrossentropy(), SGD(0.1), dtype="float64")
        one.fit(
            X, CLASSES, epochs=4, batch_size=BATCH, verbose=False, engine=name, callbacks=[Settings()], record_every=1
        )
        return one

    expected, actual = train("numpy"), train(engine)
    for name, array in expected.run.values.items():
        np.testing.assert_allclose(actual.run.values[name], array, rtol=1e-10, atol=1e-10)


def test_unknown_and_missing_engines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model([Dense(INPUTS, OUTPUTS)], MeanSquaredError())
    with pytest.raises(UnknownNameError, match="Did you mean 'fused'"):
        model.fit(X, VALUES, engine="fusd")
    monkeypatch.setattr("chainrule.engines.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install \"chainrule\[jax\]\""):
        model.fit(X, VALUES, engine="jax")


def test_auto_takes_numpy_for_a_short_run_and_otherwise_what_suits_the_network() -> None:
    from chainrule.engines import prepare

    task = task_of(NETWORKS["relu"](), LOSSES["huber"], OPTIMIZERS["adam"], "float32")
    assert prepare("auto", task, 10).engine == "numpy"
    assert prepare("auto", task, 10**8).engine == "fused"
    own = task_of(around(Swapped()), LOSSES["huber"], OPTIMIZERS["adam"], "float32")
    assert prepare("auto", own, 10**8).engine == "jax"


def test_auto_counts_the_steps_that_lie_behind_a_model() -> None:
    """Who calls `fit` for one step again and again waits once for the machine code, and not for NumPy every time."""
    from chainrule.engines import prepare

    task = task_of(NETWORKS["relu"](), LOSSES["huber"], OPTIMIZERS["adam"], "float32")
    assert prepare("auto", task, 1, behind=10**6).engine == "fused"
    model = Model([Dense(INPUTS, OUTPUTS)], MeanSquaredError())
    taken = []
    for _ in range(100):
        model.fit(X, VALUES, epochs=1, batch_size=len(X), verbose=False)
        taken.append(model.run.engine)
    first = taken.index("fused")
    assert taken == ["numpy"] * first + ["fused"] * (100 - first) and 0 < first < 60


def test_auto_takes_a_gpu_for_large_networks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.engines import costs, prepare

    monkeypatch.setattr(costs, "has_gpu", lambda: True)
    small = task_of(NETWORKS["relu"](), LOSSES["huber"], OPTIMIZERS["adam"], "float32")
    wide = Sequential(Dense(INPUTS, 2000), ReLU(), Dense(2000, 2000), ReLU(), Dense(2000, OUTPUTS))
    large = task_of(wide, LOSSES["huber"], OPTIMIZERS["adam"], "float32")
    assert prepare("auto", small, 10**8).engine == "fused"
    assert prepare("auto", large, 10**6) == ("jax", "on the GPU")


def test_every_public_layer_loss_and_optimizer_has_its_row() -> None:
    used = {type(node.layer).__name__ for make in NETWORKS.values() for node in make()}
    used |= {type(node.layer).__name__ for node in NETWORKS["branching"]()["inner"]}  # type: ignore[attr-defined]
    named = public(lambda kind: issubclass(kind, Layer) and kind.__module__.startswith("chainrule.layers"))
    assert named <= used
    assert public(lambda k: issubclass(k, Loss) and k is not Loss) <= {type(loss).__name__ for loss in LOSSES.values()}
    assert public(lambda k: issubclass(k, Optimizer) and k is not Optimizer) <= {
        type(optimizer).__name__ for optimizer in OPTIMIZERS.values()
    }


def test_what_is_not_covered_is_said() -> None:
    task = task_of(NETWORKS["relu"](), LOSSES["huber"], OPTIMIZERS["sgd"])
    tied = Graph([("a", Dense(4, 4).freeze(), "inputs"), ("b", Dense(4, 4), "a")], ties={"b.weights": "a.weights"})
    assert why_not(task) is None
    assert why_not(replace(task, network=tied)) == "a, a frozen layer with tied parameters"
