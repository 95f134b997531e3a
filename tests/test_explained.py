"""Whole explanations as a reader sees them, kept as text: each was read, and its numbers redone, when it was kept.

`python tests/test_explained.py` writes them anew; read the difference before you keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import (
    L2,
    SGD,
    Add,
    CategoricalCrossentropy,
    Concatenate,
    Dense,
    Dropout,
    Explanation,
    Flatten,
    Graph,
    MeanAbsoluteError,
    MeanSquaredError,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCrossentropy,
    Tanh,
    explain,
)
from chainrule.datasets import Preprocessing, read_table

FOLDER = Path(__file__).parent / "explained"
TABLE = {"age_years": [10.0, 20, 30, 60], "height": [1.0, 1.5, 2.0, 1.5], "grown_up": ["no", "no", "yes", "yes"]}
FITTED = Preprocessing.fit(read_table(TABLE), "grown_up")
X, Y = FITTED.transform(read_table(TABLE)), FITTED.encode_target(read_table(TABLE))


def with_weights(network: Graph, loss: Any, X: Any, y: Any, asked: str, *weights: Any, **options: Any) -> Explanation:
    values = {n: np.reshape(w, s) for (n, s), w in zip(network.parameter_shapes().items(), weights, strict=True)}
    floats = {name: np.asarray(value, dtype=float) for name, value in values.items()}
    return explain(network, loss, X, y, asked, parameters=floats, points=0, **options)


def the_neuron_of_the_notes(asked: str = "dense_0.weights[0,0]") -> Explanation:
    network = Sequential(Dense(3, 1), ReLU())
    return with_weights(network, MeanSquaredError(), [[1.0, -2.0, 3.0]], [5.5], asked, [-3, -1, 2], [1])


def table(asked: str, loss: Any = None, **options: Any) -> Explanation:
    network = Sequential(Dropout(0.5), Dense(2, 3), ReLU(), Dense(3, 2))
    weights = ([[1, -1, 0.5], [0, 2, 0.25]], [0.5, 0, -3], [[1, 0], [-1, 0.5], [2, 1]], [0, 0.25])
    return with_weights(network, loss or SoftmaxCrossentropy(), X, Y, asked, *weights, preprocessing=FITTED, **options)


def probabilities() -> Explanation:
    network = Sequential(("one", Dense(2, 2)), ("two", Softmax()))
    loss = CategoricalCrossentropy(label_smoothing=0.1, class_weights=(1.0, 3.0))
    weights = ([[1, -1], [0.5, 2]], [0, 0.5])
    return with_weights(network, loss, X, Y, "one.weights[height,yes]", *weights, preprocessing=FITTED, max_terms=2)


def joined() -> Explanation:
    nodes = [
        ("a", Dense(2, 2, penalties={"weights": L2(0.5)}), "inputs"),
        ("t", Tanh(), "a"),
        ("sum", Add(), ("a", "t")),
        ("both", Concatenate(), ("sum", "inputs")),
        ("flat", Flatten(), "both"),
        ("last", Dense(4, 2), "flat"),
    ]
    weights = ([[1, -0.5], [0.25, 0]], [0, 0.1], [[1, 0], [0, 1], [2, 0], [0, 3]], [0, 0])
    options: dict[str, Any] = {"optimizer": SGD(0.1, momentum=0.9), "feature_names": ["first", "second"]}
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


def shown(one: Explanation) -> str:
    steps = "\n".join(f"{s.id} | {s.title} | {s.folded} | {s.numpy}" for s in one.steps)
    both = (one.to_text(80), one.to_text(100, full=True, notation="calculus"))
    return "\n\n=====\n\n".join([*both, steps]) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_an_explanation_reads_as_it_was_kept(name: str) -> None:
    assert shown(CASES[name]()) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    for name, make in CASES.items():
        (FOLDER / f"{name}.txt").write_text(shown(make()), encoding="utf-8")
