"""Setups made of what the reader chose: other controls, a CSV file, a data set or a model from the command line."""

from __future__ import annotations

import base64
import copy
import dataclasses
import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from .. import datasets
from ..ensemble import load, members_of
from ..errors import ChainruleError, ConfigurationError, DataError
from ..graph import snake_case
from ..layers import Dropout, Softmax
from ..loss import Loss
from ..model import Model
from ..optimizers import Optimizer
from ..penalties import L2
from ..recipe import ACTIVATIONS, dense_network
from ..registry import named
from .caps import EPOCHS, LAYERS, NEURONS, PARAMETERS, TABLE
from .lessons import LESSONS, Setup, of_dataset

__all__ = [
    "DATASETS",
    "changed",
    "chosen",
    "controls_of",
    "of_argument",
    "of_lesson",
    "of_model",
    "of_name",
    "of_table",
    "reduce",
]

DATASETS = tuple(name for name in datasets.NAMES if name != "fashion-mnist")  # that one needs files
_FOR_CLASSES = ("softmax_crossentropy", "categorical_crossentropy")
_FOR_VALUES = ("mean_squared_error", "half_squared_error", "mean_absolute_error", "huber")
_TABLES = (".tsv", ".txt", ".xlsx", ".parquet", ".csv.gz")  # beside .csv


def of_argument(given: str | None, rows: str | None = None) -> tuple[Setup, str | None]:
    """What `chainrule play` was called with, and the lesson it opens on: nothing, a data set, a table, or a model."""
    if rows is not None and (given is None or not given.endswith(".safetensors")):
        shown = "the lessons bring their own data" if given is None else f"{given} is none"
        raise ConfigurationError(f"--data goes with a model file, MODEL.safetensors; {shown}.")
    if given is None:
        return LESSONS[0].build(), LESSONS[0].name
    path = Path(given)
    if path.suffix == ".safetensors":
        return of_model(members_of(load(path))[0], rows), None
    lesson = next((lesson for lesson in LESSONS if lesson.name == given), None)
    if lesson is not None:
        return lesson.build(), lesson.name
    if path.is_file():
        setup = of_dataset(datasets.read(path, missing="impute"), sizes=(16,))
        return dataclasses.replace(setup, title=path.name, data="", table=given), "table"
    return of_dataset(datasets.resolve(given), sizes=(32,)), None


def of_lesson(name: str) -> Setup:
    """What a lesson works on. Raises `ConfigurationError` for one that there is not."""
    lesson = next((lesson for lesson in LESSONS if lesson.name == name), None)
    if lesson is None:
        raise ConfigurationError(f"There is no lesson named {name!r}.")
    return lesson.build()


def of_name(name: str) -> Setup:
    """A data set that the reader chose on the page. Raises `ConfigurationError` for another name than those shown."""
    if name not in DATASETS:
        raise ConfigurationError(f"The page has no data set named {name!r}; it has {', '.join(DATASETS)}.")
    return of_dataset(datasets.resolve(name), sizes=(32,))


def of_model(model: Model, data: Any) -> Setup:
    """A page on a copy of the reader's own model, with data (X, y) or a name or file of them."""
    model = copy.deepcopy(model)
    X: Any
    y: Any
    if data is None:
        shape = model.network.input_shape()
        if shape is None or len(shape) != 1:
            raise ConfigurationError("play: say which data to show: chainrule play MODEL --data TABLE.csv.")
        X = np.random.default_rng(0).standard_normal((30, *shape))
        y = model.predict(X)
    elif isinstance(data, tuple):
        X, y = model.checked(*data)
    else:
        found = datasets.resolve(data)
        if model.preprocessing is not None:
            table = model.preprocessing.read(data)
            X, y = model.preprocessing.transform(table), model.preprocessing.encode_target(table)
        else:
            X, y = found.X_train, found.y_train
    names = () if model.preprocessing is None else tuple(model.preprocessing.feature_names)
    X = np.asarray(X, dtype=np.float64)
    return Setup("Your network", model, X.reshape(len(X), -1), y, feature_names=names, class_names=tuple(model.names()))


def of_table(name: str, content: str, target: str | None) -> Setup:
    """A table that the reader opened on the page, in base64; it is read from a file of our own naming."""
    try:
        found = base64.b64decode(content, validate=True)
    except ValueError:
        raise DataError(f"{name}: it did not arrive whole; open it again.") from None
    with tempfile.TemporaryDirectory(prefix="chainrule-play-") as folder:
        path = Path(folder) / f"table{next((end for end in _TABLES if name.lower().endswith(end)), '.csv')}"
        path.write_bytes(found)
        try:
            data = datasets.read(path, target=target, missing="impute")
        except ChainruleError as error:
            raise DataError(str(error).replace(str(path), name).replace(path.name, name)) from None
    setup = of_dataset(data, sizes=(16,))
    return dataclasses.replace(setup, title=name, data="", table=name)


def controls_of(setup: Setup) -> dict[str, Any]:
    """The controls as they stand."""
    model = setup.model
    rate = model.optimizer.learning_rate
    leaves = [leaf.layer for leaf in model.network.flat]
    return {
        "data": setup.data,
        "sizes": list(setup.sizes),
        "activation": setup.activation,
        "loss": snake_case(type(model.loss).__name__),
        "optimizer": snake_case(type(model.optimizer).__name__),
        "rate": float(rate) if isinstance(rate, int | float) else None,
        "batch_size": setup.batch_size,
        "penalty": setup.penalty,
        "dropout": max((layer.rate for layer in leaves if isinstance(layer, Dropout)), default=0.0),
        "noise": setup.noise,
        "seed": model.run.seed,
        "datasets": list(DATASETS),
        "activations": list(ACTIVATIONS),
        "losses": list(_losses(setup)),
        "fixed": setup.fixed,
        "caps": {"parameters": PARAMETERS, "layers": LAYERS, "neurons": NEURONS, "epochs": EPOCHS, "bytes": TABLE},
    }


def chosen(setup: Setup) -> dict[str, Any]:
    """Those controls that `changed` reads, with the learning rate as it was chosen."""
    now = controls_of(setup)
    given = {"rate": now["rate"] and now["rate"] * setup.divided, "optimizer": now["optimizer"]}
    names = ("sizes", "activation", "loss", "penalty", "dropout", "noise", "seed")
    return given | {name: now[name] for name in ("batch_size", *(() if setup.fixed else names))}


def changed(setup: Setup, controls: dict[str, Any]) -> Setup:
    """The setup with other controls, its network new. Raises `ConfigurationError` for one that is too large."""
    now = controls_of(setup) | controls
    optimizer = type(named(now["optimizer"], Optimizer, "optimizer"))
    if now["rate"] is None:
        raise ConfigurationError("The learning rate follows a schedule here; give a number to replace it.")
    if setup.fixed:  # the network of a lesson, or the reader's own: only how it learns is open
        model = setup.model
        model.run.optimizer = optimizer(float(now["rate"]))
        model.run.slots = model.run.optimizer.initial_slots(np, model.run.trained)
        return dataclasses.replace(setup, batch_size=now["batch_size"], divided=1)
    inputs = setup.X.shape[1]
    outputs = len(setup.class_names) or np.asarray(setup.y).shape[1]
    sizes = [inputs, *now["sizes"], outputs]
    parameters = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    if parameters > PARAMETERS:
        raise ConfigurationError(
            f"That network has {parameters:,} parameters; this page draws up to {PARAMETERS:,}. "
            "Train larger ones with fit."
        )
    if now["loss"] not in _losses(setup):
        raise ConfigurationError(f"The loss can be {' or '.join(_losses(setup))} here, not {now['loss']!r}.")
    network = dense_network(
        sizes,
        now["activation"],
        dropout=now["dropout"],
        penalty=L2(now["penalty"]) if now["penalty"] else None,
    )
    loss = named(now["loss"], Loss, "loss")
    model = Model(
        [*network, Softmax()] if loss.takes == "probabilities" else network,
        dataclasses.replace(loss, reduction=setup.model.loss.reduction),
        optimizer(float(now["rate"])),
        seed=now["seed"],
        dtype="float64",
        preprocessing=setup.preprocessing,
        class_names=setup.class_names,
    )
    clean = setup.X if setup.clean is None else setup.clean
    noisy = clean + now["noise"] * np.random.default_rng(now["seed"]).standard_normal(clean.shape) * clean.std(axis=0)
    return dataclasses.replace(
        setup,
        model=model,
        X=noisy if now["noise"] else clean.copy(),
        clean=clean,
        sizes=tuple(now["sizes"]),
        activation=now["activation"],
        batch_size=now["batch_size"],
        penalty=now["penalty"],
        noise=now["noise"],
        divided=1,
    )


def _losses(setup: Setup) -> tuple[str, ...]:
    """What can be chosen for this data."""
    return _FOR_CLASSES if setup.class_names else _FOR_VALUES


def reduce(setup: Setup, to: str, divided: int) -> None:
    """Let the loss be a sum over the samples, or their mean, and the learning rate a part of what it was at first."""
    run = setup.model.run
    run.loss = dataclasses.replace(run.loss, reduction=to)
    if divided != setup.divided:
        rate = run.optimizer.learning_rate
        if callable(rate):
            raise ConfigurationError("The learning rate follows a schedule here; give a number to divide it.")
        run.optimizer = dataclasses.replace(run.optimizer, learning_rate=rate * setup.divided / divided)
        setup.divided = divided
