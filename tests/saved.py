"""The models behind the files in tests/saved, which an earlier version wrote: what each is made of, and its data.

    python tests/saved.py FOLDER

writes such files with the code as it is. The ones that are there stay as they are: a new version must read them.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import (
    L1,
    L2,
    SGD,
    Adam,
    Add,
    BatchNorm,
    Callback,
    Concatenate,
    Dense,
    Dropout,
    EarlyStopping,
    Graph,
    Huber,
    Layer,
    LayerNorm,
    LeakyReLU,
    Model,
    Normal,
    ReduceLROnPlateau,
    ReLU,
    RMSprop,
    Sequential,
    SoftmaxCrossentropy,
    StepDecay,
    Tanh,
    book,
    datasets,
    register,
)
from chainrule.training.callback import Fit

FOLDER = Path(__file__).parent / "saved"
EPOCHS = 8  # of the checkpoint's run, which was stopped after half of them


@register
@dataclass(eq=False)
class Shifted(Layer):
    """A user's own layer, with a parameter and a setting."""

    parameters = ("shift",)
    size: int
    factor: float = 2.0

    def declare(self):
        from chainrule import Declared

        return {"shift": Declared((1, self.size), Normal(0.1))}

    def pure_forward(self, xp, inputs, shift):
        return self.factor * inputs + shift  # (B,N) + (1,N) -> (B,N)

    def pure_backward(self, xp, dvalues):
        return dict(dinputs=self.factor * dvalues, dshift=xp.sum(dvalues, axis=0, keepdims=True))  # (B,N), (1,N)


def points(features: int = 4) -> np.ndarray:
    """48 samples without a random number, the same on every machine."""
    return ((np.arange(48 * features).reshape(48, features) * 37) % 101) / 50.0 - 1.0


def classes() -> np.ndarray:
    X = points()
    return (X[:, 0] > X[:, 1]).astype(int) + (X[:, 2] > 0)


def table() -> dict[str, list[Any]]:
    """Columns of numbers and text with holes."""
    X = points(2)
    size = [None if i % 11 == 0 else float(value) for i, value in enumerate(X[:, 0])]
    colour = [None if i % 13 == 0 else ("red", "green", "=blue")[i % 3] for i in range(48)]
    return {"size": size, "colour": colour, "age": X[:, 1].round(2).tolist()}


def of_a_table() -> Model:
    """Preprocessing with imputed values, class names, metrics."""
    kind = ["yes" if value is None or value > 0 else "no" for value in table()["size"]]
    data = datasets.read({**table(), "kind": kind}, missing="impute")
    model = Model(
        [Dense(data.X_train.shape[1], 6), Tanh(), Dense(6, 2)],
        SoftmaxCrossentropy(class_weights=[1.0, 2.0]),
        Adam(StepDecay(0.02, every=10, factor=0.5)),
        seed=3,
        preprocessing=data.preprocessing,
        class_names=data.class_names,
        metrics=["f1", "recall"],
    )
    model.fit(data.X_train, data.y_train, epochs=4, batch_size=16, record_every=1, verbose=False)
    return model


def of_values() -> Model:
    """A target of values, standardized."""
    price = [
        3.0 * age + (0 if size is None else size) for size, age in zip(table()["size"], table()["age"], strict=True)
    ]
    data = datasets.read({**table(), "price": price}, missing="impute", task="values", drop=["colour"])
    model = Model(
        [Dense(2, 5, initializer=Normal(0.5)), LeakyReLU(0.1), LayerNorm(5), Dense(5, 1)],
        Huber(delta=0.7),
        RMSprop(0.01, clip_value=1.0),
        preprocessing=data.preprocessing,
        dtype="float64",
    )
    model.fit(data.X_train, data.y_train, epochs=3, batch_size=16, record_every=1, verbose=False)
    return model


def graph() -> Model:
    """Joins, ties, a frozen layer, a graph inside, a user's layer, penalties, groups."""
    inner = Sequential(Dense(6, 6, penalties={"weights": (L1(1e-4), L2(1e-3))}), ReLU(), ("drop", Dropout(0.25)))
    network = Graph(
        [
            ("first", Dense(4, 6), "inputs"),
            ("norm", BatchNorm(6, momentum=0.8), "first"),
            ("inner", inner, "norm"),
            ("kept", Dense(6, 6).freeze(), "norm"),
            ("sum", Add(), ("inner", "kept")),
            ("own", Shifted(6, factor=0.5), "sum"),
            ("both", Concatenate(), ("own", "inputs")),
            ("last", Dense(10, 3), "both"),
        ],
        ties={"kept.biases": "first.biases"},
    )
    groups = {"*.biases": {"weight_decay": 0.0, "learning_rate": 0.05}, "last.*": {"momentum": 0.5}}
    optimizer = SGD(0.02, momentum=0.9, nesterov=True, weight_decay=1e-3, clip_norm=4.0, groups=groups)
    return Model(network, SoftmaxCrossentropy(label_smoothing=0.1), optimizer, seed=7, class_names=["a", "b", "c"])


def of_a_graph() -> Model:
    model = graph()
    fit(model, 5)
    return model


def fit(model: Model, epochs: int, **options: Any) -> Any:
    return model.fit(points(), classes(), epochs=epochs, batch_size=16, record_every=1, verbose=False, **options)


class Stopping(Callback):
    """Ends the run after an epoch as Ctrl-C does; 0 never."""

    def __init__(self, after: int) -> None:
        self.after = after

    def epoch(self, fit: Fit) -> None:
        if fit.record["epoch"] == self.after:
            raise KeyboardInterrupt


def of_a_run(path: Path, stop: int = 0, epochs: int = EPOCHS, resume: bool = False) -> Model:
    """A run with callbacks, which brings the best parameters back at its end, and keeps a checkpoint at `path`."""
    model = graph()
    callbacks: list[Any] = [
        EarlyStopping("val_loss", patience=50),
        ReduceLROnPlateau("loss", patience=1, min_delta=0.1),
        Stopping(stop),
    ]
    options: dict[str, Any] = dict(checkpoint=path, validation_split=0.25, resume=resume, engine="numpy")
    fit(model, epochs, callbacks=callbacks, **options)
    return model


def of_the_book() -> book.Model:
    book.init()
    model = book.Model()
    parts = (
        book.Layer_Dense(4, 5, weight_regularizer_l2=5e-4),
        book.Activation_ReLU(),
        book.Layer_Dropout(0.1),
        book.Layer_Dense(5, 3),
        book.Activation_Softmax(),
    )
    for part in parts:
        model.add(part)
    optimizer = book.Optimizer_Adam(learning_rate=0.05, decay=5e-5)
    model.set(loss=book.Loss_CategoricalCrossentropy(), optimizer=optimizer, accuracy=book.Accuracy_Categorical())
    model.finalize()
    with contextlib.redirect_stdout(io.StringIO()):
        model.train(points().astype(np.float32), classes(), epochs=3, batch_size=16)
    return model


MODELS = {"table": of_a_table, "values": of_values, "graph": of_a_graph}


def inputs(model: Model) -> Any:
    """What each model predicts for: a table where it has a preprocessing."""
    return points() if model.preprocessing is None else {c.name: table()[c.name] for c in model.preprocessing.columns}


def write(folder: Path) -> None:
    """Write every file, and beside them the numbers that a reader must find again."""
    folder.mkdir(parents=True, exist_ok=True)
    expected: dict[str, Any] = {}
    for name, make in MODELS.items():
        model = make()
        model.save(folder / f"{name}.safetensors")
        expected[name] = model.logits(inputs(model)).tolist()
    of_a_run(folder / "stopped.safetensors", stop=4)
    of_a_run(folder / "ended.safetensors", epochs=4)
    trained = of_the_book()
    trained.save(str(folder / "book.safetensors"))
    expected["book"] = trained.predict(points().astype(np.float32)).tolist()
    (folder / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
