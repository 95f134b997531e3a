"""A loss reads what the network gives: probabilities are not taken for scores, nor scores for probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule import (
    SGD,
    Add,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Concatenate,
    Dense,
    Dropout,
    Flatten,
    Graph,
    HalfSquaredError,
    Huber,
    Layer,
    LayerNorm,
    Linear,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    Model,
    Multiply,
    ReLU,
    Sequential,
    Sigmoid,
    SigmoidCrossentropy,
    Softmax,
    SoftmaxCrossentropy,
    Tanh,
    datasets,
    loss_and_gradients,
    trace,
    train_step,
)
from chainrule.errors import ConfigurationError, DataError, DefinitionError
from chainrule.layer import KINDS
from chainrule.layers import LogSoftmax
from chainrule.training.ratefinder import LearningRateFinder

RNG = np.random.default_rng(0)
X, Y, YES = RNG.normal(size=(12, 4)), RNG.integers(0, 3, size=12), RNG.integers(0, 2, size=(12, 3))


def join(layer: Layer, *ends: Layer) -> Graph:
    nodes: list[Any] = [("dense", Dense(4, 3), "inputs")]
    nodes += [(f"end_{i}", end, "dense") for i, end in enumerate(ends)]
    return Graph([*nodes, ("join", layer, tuple(f"end_{i}" for i in range(len(ends))))])


ENDS: dict[str, Callable[[], Any]] = {
    "dense": lambda: [Dense(4, 3)],
    "relu": lambda: [Dense(4, 3), ReLU()],
    "tanh": lambda: [Dense(4, 3), Tanh()],
    "layer norm": lambda: [Dense(4, 3), LayerNorm(3)],
    "scores, dropped": lambda: [Dense(4, 3), Dropout(0.5)],
    "scores after softmax": lambda: [Dense(4, 3), Softmax(), Dense(3, 3)],
    "sum of scores": lambda: join(Add(), Tanh(), Linear()),
    "gated scores": lambda: join(Multiply(), Sigmoid(), Tanh()),
    "softmax": lambda: [Dense(4, 3), Softmax()],
    "softmax, flat": lambda: [Dense(4, 3), Softmax(), Linear(), Flatten(), Dropout(0.0)],
    "softmax, nested": lambda: [Dense(4, 3), Sequential(Linear(), Sequential(Softmax(), Flatten()))],
    "sigmoid": lambda: [Dense(4, 3), Sigmoid()],
    "sigmoid, nested": lambda: [Sequential(Dense(4, 3), Sequential(Sigmoid())), Linear()],
    "sigmoids side by side": lambda: [join(Concatenate(), Sigmoid(), Sigmoid())],
    "product of sigmoids": lambda: join(Multiply(), Sigmoid(), Sigmoid()),
    "log softmax": lambda: [Dense(4, 3), LogSoftmax()],
    "softmax, dropped": lambda: [Dense(4, 3), Softmax(), Dropout(0.5)],
    "sigmoid, dropped": lambda: [Dense(4, 3), Sigmoid(), Dropout(0.5), Linear()],
    "sum of softmaxes": lambda: join(Add(), Softmax(), Softmax()),
}
SCORES = ("dense", "relu", "tanh", "layer norm", *(name for name in ENDS if "scores" in name))
CLASSES = ("softmax", "softmax, flat", "softmax, nested")
ANSWERS = ("sigmoid", "sigmoid, nested", "sigmoids side by side", "product of sigmoids")
FITS: dict[type[Loss], tuple[str, ...]] = {
    SoftmaxCrossentropy: (*SCORES, "log softmax"),
    SigmoidCrossentropy: SCORES,
    CategoricalCrossentropy: CLASSES,
    BinaryCrossentropy: (*ANSWERS, *CLASSES),
    MeanSquaredError: tuple(ENDS),
    MeanAbsoluteError: tuple(ENDS),
    HalfSquaredError: tuple(ENDS),
    Huber: tuple(ENDS),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("loss", FITS)
def test_a_model_is_made_exactly_where_the_loss_reads_what_the_network_gives(loss: type[Loss], end: str) -> None:
    if end in FITS[loss]:
        Model(ENDS[end](), loss())
        return
    with pytest.raises(ConfigurationError, match=f"{loss.__name__} reads .*: .*(End|Add|Write|Put|Let)"):
        Model(ENDS[end](), loss())


@pytest.mark.parametrize(
    ("layers", "loss", "written"),
    [
        ([Dense(4, 3)], CategoricalCrossentropy(), r"dense_0, Dense.*Add Softmax\(\).*SoftmaxCrossentropy\(\)"),
        ([Dense(4, 3), Softmax(), Flatten()], SoftmaxCrossentropy(), r"before softmax_0, or use CategoricalCrossent"),
        ([Sequential(Dense(4, 3), Sigmoid())], SigmoidCrossentropy(), r"before sequential_0\.sigmoid_0"),
        ([Dense(4, 1)], BinaryCrossentropy(), r"Add Sigmoid\(\).*SigmoidCrossentropy\(\)"),
        ([Dense(4, 3), Softmax(), Dropout(0.1)], CategoricalCrossentropy(), r"Put dropout_0 before the last Dense"),
        ([Dense(4, 1), Softmax()], BinaryCrossentropy(), r"one column, whose softmax is always 1. Write Sigmoid\(\)"),
    ],
)
def test_the_message_says_what_to_write(layers: Any, loss: Loss, written: str) -> None:
    with pytest.raises(ConfigurationError, match=written):
        Model(layers, loss)


def test_what_the_message_suggests_learns_the_spiral() -> None:
    spiral = datasets.resolve("spiral")
    hidden = [Dense(2, 64), ReLU()]
    with pytest.raises(ConfigurationError, match="Add Softmax"):
        Model([*hidden, Dense(64, 3)], CategoricalCrossentropy(), SGD(1.0))
    model = Model([*hidden, Dense(64, 3), Softmax()], CategoricalCrossentropy(), SGD(1.0))
    model.fit(spiral.X_train, spiral.y_train, epochs=20, verbose=False)
    p = model.predict_proba(spiral.X_test)
    assert p.min() >= 0 and np.abs(p.sum(axis=1) - 1).max() < 1e-5


class Identity(Layer):
    """A layer of a user's own, which says nothing of what it gives."""

    def pure_forward(self, xp: Any, inputs: Any) -> Any:
        return inputs

    def pure_backward(self, xp: Any, dvalues: Any) -> Any:
        return dict(dinputs=dvalues)


class OwnSoftmax(Softmax):
    """A softmax written anew."""

    def pure_forward(self, xp: Any, inputs: Any) -> Any:
        e = xp.exp(inputs)
        return e / xp.sum(e, axis=-1, keepdims=True)

    def pure_backward(self, xp: Any, dvalues: Any, output: Any) -> Any:
        return dict(dinputs=output * (dvalues - xp.sum(dvalues * output, axis=-1, keepdims=True)))


class Scores(Identity):
    """The same with a word on what it gives."""

    gives = "scores"


class DenseSoftmax(Dense):
    """Gives probabilities although its base gives scores."""

    def pure_forward(self, xp: Any, inputs: Any, weights: Any, biases: Any) -> Any:
        z = xp.matmul(inputs, weights) + biases
        e = xp.exp(z - xp.max(z, axis=1, keepdims=True))
        p = e / xp.sum(e, axis=1, keepdims=True)
        return p

    def pure_backward(self, xp: Any, dvalues: Any, inputs: Any, weights: Any, output: Any) -> Any:
        dz = output * (dvalues - xp.sum(dvalues * output, axis=1, keepdims=True))
        return dict(
            dinputs=xp.matmul(dz, weights.T),
            dweights=xp.matmul(inputs.T, dz),
            dbiases=xp.sum(dz, axis=0, keepdims=True),
        )


OWN: dict[str, tuple[Callable[[], list[Layer]], Callable[[], Loss], Any, str | None]] = {
    "scores for probabilities": (lambda: [Dense(4, 3), Identity()], CategoricalCrossentropy, Y, "numbers from -"),
    "rows that add up to more": (
        lambda: [Dense(4, 3), Sigmoid(), Identity()], CategoricalCrossentropy, Y, "adds up to .*Softmax",
    ),
    "scores for answers": (lambda: [Dense(4, 3), Identity()], BinaryCrossentropy, YES, "numbers from .*Sigmoid"),
    "softmax twice": (
        lambda: [Dense(4, 3), OwnSoftmax()], SoftmaxCrossentropy, Y, "own_softmax_0, OwnSoftmax.*gives = 'scores'",
    ),
    "a dense softmax twice": (lambda: [DenseSoftmax(4, 3)], SoftmaxCrossentropy, Y, "softmax twice"),
    "own softmax": (lambda: [Dense(4, 3), OwnSoftmax()], CategoricalCrossentropy, Y, None),
    "own dense softmax": (lambda: [DenseSoftmax(4, 3)], CategoricalCrossentropy, Y, None),
    "own scores": (lambda: [Dense(4, 3), Identity()], SoftmaxCrossentropy, Y, None),
    "own answers": (lambda: [Dense(4, 3), Sigmoid(), Identity()], BinaryCrossentropy, YES, None),
    "declared scores": (lambda: [Dense(4, 3), Softmax(), Scores()], SoftmaxCrossentropy, Y, None),
    "values": (lambda: [Dense(4, 3), Identity()], MeanSquaredError, YES, None),
}  # fmt: skip


@pytest.mark.parametrize("name", OWN)
def test_a_layer_of_ones_own_is_judged_by_its_first_output(name: str) -> None:
    layers, loss, y, complaint = OWN[name]
    model = Model(layers(), loss(), SGD(0.1))
    attempts: list[Callable[[], Any]] = [
        lambda: model.evaluate(X, y),
        lambda: LearningRateFinder(steps=10).find(model, X, y),
        lambda: model.fit(X, y, epochs=1, verbose=False),
    ]
    for attempt in attempts:
        if complaint is None:
            attempt()
        else:
            with pytest.raises(DataError, match=complaint):
                attempt()
    assert model.run.step == (1 if complaint is None else 0)


def test_a_softmax_over_another_axis_than_the_flat_output_is_seen() -> None:
    model = Model([Softmax(), Flatten()], CategoricalCrossentropy())
    with pytest.raises(DataError, match="row 0 of the network's first output adds up to 2"):
        model.evaluate(RNG.normal(size=(5, 2, 3)), np.zeros(5, int))


def test_every_layer_of_the_library_says_what_it_gives() -> None:
    public = [getattr(chainrule, name) for name in chainrule.__all__]
    layers = [each for each in public if isinstance(each, type) and issubclass(each, Layer)]
    open_ones = {Layer, Graph, Sequential}
    assert {each for each in layers if each.gives not in KINDS} == open_ones


def test_an_unknown_word_is_refused_with_the_known_ones() -> None:
    class Misspelt(Identity):
        gives = "probabilitys"

    with pytest.raises(DefinitionError, match=r"misspelt_0.*'probabilities'.*'probabilitys'"):
        Model([Dense(4, 3), Misspelt()], MeanSquaredError())


def test_the_functions_for_the_blackboard_take_any_pair() -> None:
    network, loss = Sequential(Dense(4, 3)), CategoricalCrossentropy()
    parameters = {"dense_0.weights": np.full((4, 3), 0.1), "dense_0.biases": np.full((1, 3), 1 / 3)}
    loss_and_gradients(network, loss, parameters, X, Y)
    trace(network, loss, parameters, X, Y)
    train_step(network, loss, SGD(0.1), parameters, {}, X, Y)
    chainrule.explain(network, loss, X, Y, "dense_0.weights", (0, 0), parameters=parameters, points=0)
