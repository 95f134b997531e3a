"""`chainrule train`: trains a dense network on any data set and tests it on held-out data."""

from __future__ import annotations

import itertools
import json as jsons
import math
import os
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import datasets, metrics, optimizers
from ..datasets import Dataset, Start, start_for
from ..engines import require_known
from ..errors import ConfigurationError, UnknownNameError
from ..files import save_figure, write_atomically
from ..initializers import He
from ..loss import Loss
from ..losses import MeanSquaredError, SoftmaxCrossentropy
from ..model import Model
from ..recipe import activation, dense_network
from ..training.callbacks import Callback, Fit
from ..training.history import INTERRUPTED, History
from ..training.symptoms import UNEVEN
from .console import in_the_shell, say
from .ending import print_ending
from .explain import MOST as EXPLAINED
from .recipe import recipe
from .regime import Regime

_OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda **rate: optimizers.SGD(momentum=0.9, **rate),
    "adagrad": optimizers.Adagrad,
    "rmsprop": optimizers.RMSprop,
    "adam": optimizers.Adam,
    "adamw": optimizers.AdamW,
}
_STEPS = 2000  # the least number of steps, however small the data set
SHARES = ("accuracy", "f1", "balanced_accuracy")  # printed in percent
_LEARNED = 0.7  # accuracy or R² on the training data below which a hint is printed


@dataclass(frozen=True)
class Settings:
    """The options of `chainrule train` for the network and its training; None is what the data set begins with."""

    layers: str | None
    activation: str | None
    epochs: int | None
    optimizer: str
    lr: float | None
    batch_size: int
    engine: str
    seed: int
    regime: Regime = field(default_factory=Regime)

    def beginning(self, start: Start) -> Settings:
        """The same with what was not asked for as the data set begins; a network of one's own has the usual rate."""
        own = self.layers is not None or self.activation is not None or self.optimizer != "adam" or self.lr is not None
        falls = start.decays and not own and self.regime.schedule is None
        return replace(
            self,
            layers=start.layers if self.layers is None else self.layers,
            activation=start.activation if self.activation is None else self.activation,
            epochs=start.epochs if self.epochs is None else self.epochs,
            lr=self.lr if own else start.learning_rate,
            regime=replace(self.regime, schedule="cosine") if falls else self.regime,
        )

    def sizes(self) -> list[int]:
        """The neurons of the hidden layers."""
        try:
            sizes = [int(part) for part in (self.layers or "").split(",") if part.strip()]
        except ValueError:
            sizes = [0]
        if any(size < 1 for size in sizes):
            raise ConfigurationError(f"--layers: write whole numbers with commas, such as 128,64; not {self.layers!r}.")
        return sizes

    def passes(self, data: Dataset) -> int:
        """The epochs, enough for the usual number of steps where none are given."""
        return self.epochs or max(40, math.ceil(_STEPS / math.ceil(len(data.X_train) / self.batch_size)))

    def fitting(self, data: Dataset) -> dict[str, Any]:
        """The arguments of `fit` beside the samples."""
        options = {"epochs": self.passes(data), "batch_size": self.batch_size, "engine": require_known(self.engine)}
        return options | dict(self.regime.options(data))

    def model(self, data: Dataset) -> Model:
        """A new model for the data."""
        require_known(self.engine)
        if self.optimizer not in _OPTIMIZERS:
            raise UnknownNameError("optimizer", self.optimizer, _OPTIMIZERS)
        outputs = len(data.class_names) or data.y_train.shape[1]
        sizes = [data.X_train.shape[1], *self.sizes(), outputs]
        _require_memory(sizes, min(max(self.batch_size, 1024), len(data.X_train)))
        loss: Loss = SoftmaxCrossentropy() if data.class_names else MeanSquaredError()
        rate = _OPTIMIZERS[self.optimizer]().learning_rate if self.lr is None else self.lr
        schedule = self.regime.rate(rate, len(data.X_train), self.passes(data), self.batch_size)
        return Model(
            dense_network(sizes, activation(str(self.activation)), dropout=self.regime.dropout, initializer=He()),
            loss,
            _OPTIMIZERS[self.optimizer](learning_rate=schedule),
            seed=self.seed,
            preprocessing=data.preprocessing,
            class_names=data.class_names,
        )


class InTheShell(Callback):
    """Has the notes on a run advise what can be typed in the shell."""

    def end(self, fit: Fit) -> None:
        """After the run, before the notes are printed."""
        fit.history.notes = [getattr(note, "shell", note) for note in fit.history.notes]


def _require_memory(sizes: list[int], rows: int) -> None:
    """That parameters, gradients and slots, and the outputs of `rows` samples, fit into the machine's memory."""
    parameters = sum((n_inputs + 1) * n_neurons for n_inputs, n_neurons in itertools.pairwise(sizes))
    needed = 4 * (5 * parameters + 4 * rows * sum(sizes))  # bytes, float32
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not known on this system
        return
    if needed > there:
        raise ConfigurationError(
            f"--layers: this network has {parameters:,} parameters and needs some {needed / 1e9:,.0f} GB to train; the "
            f"machine has {there / 1e9:,.0f} GB. Write fewer neurons, such as 128,64."
        )


def train(
    name: str,
    reading: dict[str, Any],
    settings: Settings,
    out: Path | None,
    resume: bool,
    json: bool,
    as_recipe: bool = False,
) -> bool:
    """Train, test, save and report, or print the run as Python; returns whether Ctrl-C ended the run."""
    from rich.console import Console

    console = Console(quiet=json)
    is_table = name not in datasets.NAMES and os.path.isfile(name)
    given = _given(reading) | ({"seed": settings.seed} if is_table else {})
    data = datasets.resolve(name, **given)
    settings = settings.beginning(Start() if is_table else start_for(name))
    model = settings.model(data)
    fitting = settings.fitting(data)
    folder = out if out is not None else Path("runs") / Path(name).name.split(".")[0]
    path = folder / "model.safetensors"
    if as_recipe:
        print(recipe(name, given, model, fitting, path), end="")
        return False
    folder.mkdir(parents=True, exist_ok=True)

    sizes = [data.X_train.shape[1], *settings.sizes(), model.network.output_shape(data.X_train.shape[1:])[0]]
    target = "" if data.preprocessing is None else f" of the column {data.preprocessing.target!r}"
    say(console, f"{data.name}: {data.title or data.task + target}")
    for note in data.notes:
        say(console, f"  {in_the_shell(note)}")
    part = round(settings.regime.split(len(data.X_train)) * len(data.X_train))
    among = f" ({part} of them for val_loss)" if part else ""
    layers = "-".join(map(str, sizes))
    say(
        console,
        f"{len(data.X_train)} samples to train on{among}, {len(data.X_test)} held out; network {layers}, "
        f"{model.summary().parameters:,} parameters; {settings.optimizer}, engine {settings.engine}",
    )
    if data.task == "values" and data.preprocessing is not None:
        unit = f"standard deviations of {data.preprocessing.target!r}; the table at the end has its own unit"
        say(console, f"While training, losses and errors are in {unit}.")
    if resume:
        say(console, f"Going on from {path}." if path.exists() else f"No checkpoint in {folder}: starting anew.")
    elif path.exists():
        say(console, f"Replacing the model in {folder}.")
    history = model.fit(
        data.X_train,
        data.y_train,
        verbose=not json,
        checkpoint=path,
        resume=resume,
        **fitting | {"callbacks": [*fitting.get("callbacks", ()), InTheShell()]},
    )
    files = [path, folder / "history.csv"]
    write_atomically(files[1], history.to_csv().encode())
    files += _plots(folder, model, data, history, console)
    measured = {
        part: measure(data, model, X, y)
        for part, X, y in (("train", data.X_train, data.y_train), ("test", data.X_test, data.y_test))
    }
    interrupted = history.stopped == INTERRUPTED
    if json:
        print(
            jsons.dumps(
                {
                    "data": data.name,
                    "notes": [in_the_shell(note) for note in data.notes],
                    "training_notes": history.notes,
                    "epochs": model.run.epoch,
                    "interrupted": interrupted,
                }
                | measured
                | {"files": [str(file) for file in files]}
            )
        )
        return interrupted
    _print_metrics(console, measured)
    print_ending(console, data, model)
    say(console, f"Saved {', '.join(file.name for file in files)} in {folder}")
    example = name if is_table or name in datasets.NAMES else "TABLE.csv"
    quoted = shlex.quote(str(path))
    example = shlex.quote(example)
    weight = f'--weight "{_busiest(model, data)}"'
    for command in (f"info {quoted}", f"predict {quoted} {example}", f"explain {quoted} {example} {weight}"):
        say(console, f"  next: chainrule {command}")
    if interrupted:
        say(console, "  go on: the same command with --resume")
    elif not history.notes and measured["train"].get("accuracy", measured["train"].get("r2", 1.0)) < _LEARNED:
        say(console, "  hint: the training data are not learned yet; try --lr 0.02 --layers 64,64, or more --epochs")
    return interrupted


def _busiest(model: Model, data: Dataset) -> str:
    """The first layer's weight with the largest gradient on the rows that `chainrule explain` takes."""
    name = f"{model.network.flat.leaves[0].name}.weights"
    gradient = model.gradients(data.X_test[:EXPLAINED], data.y_test[:EXPLAINED])[name]
    return f"{name}[{','.join(map(str, np.unravel_index(int(np.argmax(np.abs(gradient))), gradient.shape)))}]"


def measure(data: Dataset, model: Model, X: NDArray[Any], y: NDArray[Any]) -> dict[str, Any]:
    """The metrics on one part of the data, in the table's own unit."""
    measured: dict[str, Any]
    if data.class_names:
        predicted, counts = model.predict(X), np.bincount(data.y_train)
        measured = model.evaluate(X, y) | {"f1": float(metrics.f1(y, predicted, average="macro"))}
        if counts.max() >= UNEVEN * counts[counts > 0].min():
            measured["balanced_accuracy"] = metrics.balanced_accuracy(y, predicted)
        return measured
    decode = np.asarray if data.preprocessing is None else data.preprocessing.decode_target
    wanted, given = decode(y), decode(model.predict(X))
    names = () if data.preprocessing is None else data.preprocessing.targets
    measured = {"loss": model.evaluate(X, y)["loss"]}
    if len(names) < 2:
        return measured | _of_values(wanted, given)
    each = {name: _of_values(wanted[:, i], given[:, i]) for i, name in enumerate(names)}  # in its own unit
    return measured | {"r2": float(np.mean([one["r2"] for one in each.values()])), "targets": each}


def _of_values(wanted: NDArray[Any], given: NDArray[Any]) -> dict[str, float]:
    return {
        "mae": metrics.mean_absolute_error(wanted, given),
        "rmse": metrics.root_mean_squared_error(wanted, given),
        "r2": metrics.r2(wanted, given),
    }


def _given(reading: dict[str, Any]) -> dict[str, Any]:
    """The options that differ from their defaults, so that built-in data sets receive none."""
    return {
        name: value
        for name, value in reading.items()
        if value not in (None, "", []) and (name, value) != ("missing", "error")
    }


def _print_metrics(console: Any, measured: dict[str, dict[str, Any]]) -> None:
    from rich.table import Table

    if "targets" in measured["test"]:
        parts = {part: numbers["targets"].items() for part, numbers in measured.items()}
        measured = {f"{part}, {name}": one for part, each in parts.items() for name, one in each}
    names = list(next(iter(measured.values())))
    table = Table("", *names)
    for part, numbers in measured.items():
        table.add_row(part, *(f"{numbers[n]:.2%}" if n in SHARES else f"{numbers[n]:.4g}" for n in names))
    console.print(table)


def _plots(folder: Path, model: Model, data: Dataset, history: History, console: Any) -> list[Path]:
    """Save the plots that apply to these data, if matplotlib is installed."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        say(console, 'No plots: pip install "chainrule[plots]" draws them.')
        return []
    from .. import plots

    drawn: dict[str, Any] = {"loss.png": plots.plot_history(history)} if len(history) else {}
    if data.class_names:
        matrix = metrics.confusion_matrix(data.y_test, model.predict(data.X_test), classes=len(data.class_names))
        drawn["confusion.png"] = plots.plot_confusion_matrix(matrix, data.class_names)
        if data.X_train.shape[1:] == (2,):
            drawn["boundary.png"] = plots.plot_decision_boundary(model, data.X_train, data.y_train, data.class_names)
    for name, axes in drawn.items():
        save_figure(folder / name, getattr(axes, "figure", axes))
    return [folder / name for name in drawn]
