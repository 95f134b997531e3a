"""What the page opens on, from one neuron to the digits, each with a goal that it sees reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import datasets
from ..datasets import Dataset, Preprocessing
from ..explaining.upstream import Upstream
from ..layer import Layer
from ..layers import Dense, ReLU
from ..loss import Loss
from ..losses import MeanSquaredError, SoftmaxCrossentropy
from ..model import Model
from ..optimizers import SGD, Adam, Optimizer
from ..recipe import dense_network

__all__ = ["LESSONS", "Lesson", "Setup", "of_dataset"]


@dataclass
class Setup:
    """What one page works on: a model, its samples, and what they are called."""

    title: str
    model: Model
    X: NDArray[Any]  # (S, I)
    y: Any  # what the loss reads; the upstream gradient where there is no loss
    samples: int = 300  # in a batch of the page, at most
    feature_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None
    image: tuple[int, ...] | None = None
    sizes: tuple[int, ...] = ()  # of the hidden layers
    activation: str = "relu"
    data: str = ""  # the data set by name, for the code that does the same
    table: str = ""  # or the reader's own file
    batch_size: int = 32  # of training
    penalty: float = 0.0
    noise: float = 0.0
    clean: NDArray[Any] | None = None  # X without noise
    divided: int = 1  # what the learning rate has been divided by, beside a sum over the samples

    @property
    def fixed(self) -> bool:
        """Whether the network is given, so that only how it learns can be chosen."""
        return not (self.data or self.table)

    @property
    def upstream(self) -> bool:
        """Whether a gradient arrives from outside in place of a loss."""
        return isinstance(self.model.loss, Upstream)


@dataclass(frozen=True)
class Lesson:
    """One step of the way: what to look at, and what to do there."""

    name: str
    title: str
    text: str
    goal: str
    done: Mapping[str, Any]  # what the session must have seen
    build: Callable[[], Setup]
    before: str = ""  # of the text, what is so until a table of the reader's own is open
    after: str = ""  # the goal from then on


def _given(layers: list[Layer], arrays: dict[str, Any], loss: Loss, optimizer: Optimizer) -> Model:
    model = Model(layers, loss, optimizer, dtype="float64")
    model.parameters = {name: np.asarray(value, dtype=np.float64) for name, value in arrays.items()}
    return model


def _neuron() -> Setup:
    arrays = {"dense_0.weights": [[-3.0], [-1.0], [2.0]], "dense_0.biases": [[1.0]]}
    model = _given([Dense(3, 1), ReLU()], arrays, Upstream(reduction="sum"), SGD(0.001))
    return Setup("One neuron", model, np.array([[1.0, -2.0, 3.0]]), np.array([[1.0]]))


_WEIGHTS = np.array([[0.2, 0.8, -0.5, 1.0], [0.5, -0.91, 0.26, -0.5], [-0.26, -0.27, 0.17, 0.87]]).T  # (4,3)


def _layer(samples: int) -> Setup:
    X = np.array([[1.0, 2.0, 3.0, 2.5], [2.0, 5.0, -1.0, 2.0], [-1.5, 2.7, 3.3, -0.8]])[:samples]
    dvalues = np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [3.0, 3.0, 3.0]])[:samples]
    arrays = {"dense_0.weights": _WEIGHTS, "dense_0.biases": [[2.0, 3.0, 0.5]]}
    model = _given([Dense(4, 3), ReLU()], arrays, Upstream(reduction="sum"), SGD(0.001))
    return Setup("A layer of three neurons" if samples == 1 else "A batch of three", model, X, dvalues)


def _softmax() -> Setup:
    scores = np.log(np.array([[0.7, 0.1, 0.2], [0.1, 0.5, 0.4], [0.02, 0.9, 0.08]]))
    arrays = {"dense_0.weights": np.eye(3), "dense_0.biases": np.zeros((1, 3))}
    model = _given([Dense(3, 3)], arrays, SoftmaxCrossentropy(), SGD(1.0))
    names = ("cat", "dog", "human")
    return Setup("Softmax and its loss", model, scores, np.array([0, 1, 1]), class_names=names)


def of_dataset(
    data: Dataset,
    *,
    sizes: tuple[int, ...],
    activation: str = "relu",
    optimizer: Optimizer | None = None,
    dropout: float = 0.0,
    penalty: Any = None,
    seed: int = 0,
) -> Setup:
    """A dense network for a data set."""
    inputs = int(np.prod(data.X_train.shape[1:]))
    outputs = len(data.class_names) or data.y_train.shape[1]
    loss: Loss = SoftmaxCrossentropy() if data.class_names else MeanSquaredError()
    model = Model(
        dense_network([inputs, *sizes, outputs], activation, dropout=dropout, penalty=penalty),
        loss,
        Adam(0.01) if optimizer is None else optimizer,
        seed=seed,
        dtype="float64",
        preprocessing=data.preprocessing,
        class_names=data.class_names,
    )
    names = () if data.preprocessing is None else tuple(data.preprocessing.feature_names)
    return Setup(
        data.name.capitalize(),
        model,
        np.asarray(data.X_train, dtype=np.float64).reshape(-1, inputs),
        data.y_train,
        feature_names=names or tuple(data.feature_names),
        class_names=tuple(data.class_names),
        preprocessing=data.preprocessing,
        image=data.image_shape,
        samples=300 if inputs < 100 else 64,
        sizes=tuple(sizes),
        activation=activation,
        data=data.name,
    )


LESSONS = (
    Lesson(
        "neuron",
        "One neuron",
        "A neuron multiplies each input by a weight, adds the products and a bias; ReLU lets through what is above 0. "
        "Then the way back: by how much would the result rise if a number did? That is the number's gradient, ∂.",
        "Step through it once, forward and back, to the update.",
        {"walked": 1},
        _neuron,
    ),
    Lesson(
        "layer",
        "A layer",
        "Each input feeds three neurons, so three gradients come back to it and are added up.",
        "Click an input and read why its gradient is a sum.",
        {"chosen inputs": 1},
        lambda: _layer(1),
    ),
    Lesson(
        "batch",
        "A batch of three",
        "Every sample pulls at every weight. The weight's gradient is the sum of the pulls.",
        "Take one sample out and watch the sum change.",
        {"removed": 1},
        lambda: _layer(3),
    ),
    Lesson(
        "softmax",
        "Softmax and its loss",
        "Scores become probabilities, and the loss asks for the probability of the right class.",
        "Predict the gradient of one score: its probability minus its target, divided by the number of samples.",
        {"guessed": 1},
        _softmax,
    ),
    Lesson(
        "spiral",
        "The spiral",
        "Three arms that no straight line parts. 64 neurons each draw a line of their own through the plane, and "
        "together they bend.",
        "Train until nine in ten points are right.",
        {"accuracy": 0.9},
        lambda: of_dataset(datasets.resolve("spiral"), sizes=(64,), optimizer=Adam(0.02)),
    ),
    Lesson(
        "digits",
        "Digits",
        "Real handwriting, 8 by 8 pixels. Draw one, with the mouse or with arrow keys and space bar, and see what the "
        "network makes of it.",
        "Train until 95 in 100 are right, then draw a digit and see what it reads.",
        {"accuracy": 0.95, "drawn": 1},
        lambda: of_dataset(datasets.load("digits"), sizes=(32,), optimizer=Adam(0.005)),
    ),
    Lesson(
        "table",
        "Your table",
        "Any table will do: one row for each sample, names in the first line. The last column is what the network "
        "learns to say; text, dates and gaps are turned into numbers.",
        "Open a table of your own, below, and train on it.",
        {"table": 1, "updates": 1},
        lambda: of_dataset(datasets.load("iris"), sizes=(16,)),
        "Until one is open, iris flowers stand in for it.",
        "Train on your table.",
    ),
)
