"""`chainrule train`: trains a dense network on any data set and tests it on held-out data."""

from __future__ import annotations

import json as jsons
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import datasets, metrics
from ..datasets import Dataset, Start, start_for
from ..display.terminal import terminal
from ..ensemble import Ensemble, member_path, members_of
from ..errors import ConfigurationError
from ..files import save_figure, write_atomically
from ..interrupt import ignore_leaving
from ..model import Model
from ..ranks import Team, working
from ..training.callback import Callback, Fit
from ..training.history import INTERRUPTED, History
from .console import in_the_shell, say
from .ending import print_ending
from .explain import MOST as EXPLAINED
from .recipe import recipe
from .results import measure, print_metrics, uneven
from .settings import Settings
from .streamed import fit, predicted, streamed

_LEARNED = 0.7  # accuracy or R² on the training data below which a hint is printed


class InTheShell(Callback):
    """Has the notes on a run advise what can be typed in the shell."""

    def end(self, fit: Fit) -> None:
        """After the run, before the notes are printed."""
        fit.history.notes = [getattr(note, "shell", note) for note in fit.history.notes]


def _leaves_at_once(team: Team, in_pieces: bool) -> bool:
    """Whether an interrupted run ends without all that follows: whoever sent the signal may not wait for it."""
    if team.size > 1:
        ignore_leaving()  # srun sends it again when the first of the ranks has left
    return in_pieces or team.size > 1


def _checkpoints(path: Path, model: Model | Ensemble) -> list[Path]:
    """The files that an interrupted run has left: of several networks each has one, once it has begun."""
    if not isinstance(model, Ensemble):
        return [path]
    written = (Path(member_path(path, i)) for i in range(len(model.models)))
    return [each for each in written if each.exists()]


def train(
    name: str,
    reading: dict[str, Any],
    settings: Settings,
    out: Path | None,
    resume: bool,
    json: bool,
    as_recipe: bool = False,
) -> bool:
    """Train, test, save and report, or print the run as Python; returns whether Ctrl-C ended the run.

    Of several ranks all train, and rank 0 does the rest.
    """
    with working(settings.distributed and not as_recipe) as team:
        console = terminal(quiet=json or not team.leads)
        is_table = name not in datasets.NAMES and (os.path.isfile(name) or reading.get("memory") is not None)
        given = _given(reading) | ({"seed": settings.seed} if is_table else {})
        in_pieces = is_table and "memory" in given
        settings = settings.for_pieces() if in_pieces else settings
        data = (
            streamed(name, settings.regime.split(1), settings.distributed, **given)
            if in_pieces
            else datasets.resolve(name, **given)
        )
        settings = settings.beginning(Start() if is_table else start_for(name))
        model = settings.model(data)
        fitting = settings.fitting(data)
        folder = out if out is not None else Path("runs") / Path(name).name.split(".")[0]
        path = folder / "model.safetensors"
        if as_recipe:
            print(recipe(name, given, model, fitting, path, data), end="")
            return False
        if team.leads:
            folder.mkdir(parents=True, exist_ok=True)

        _announce(console, data, settings, model)
        _say_where_it_begins(console, path, settings.members, resume)
        callbacks = [*fitting.get("callbacks", ()), InTheShell()]
        where: dict[str, Any] = dict(verbose=not json and team.leads, checkpoint=path, resume=resume)
        fit(data, model, fitting | where | {"callbacks": callbacks})
        members = members_of(model)
        interrupted = any(each.history.stopped == INTERRUPTED for each in members)
        leaves = interrupted and _leaves_at_once(team, in_pieces)
        measured = _measured(data, model) if not leaves and (team.leads or in_pieces) else {}  # all ranks read pieces
    if not team.leads:
        return interrupted
    notes = list(dict.fromkeys(note for each in members for note in each.history.notes))
    epochs = [each.run.epoch for each in members]
    if leaves:
        files = _checkpoints(path, model)
        say(
            console,
            f"Saved {', '.join(file.name for file in files)} in {folder}; go on: the same command with --resume",
        )
    else:
        if isinstance(model, Ensemble):
            model.save(path)
        files = [path, *_histories(folder, members), *_plots(folder, model, data, members[0].history, console)]
    if json:
        print(
            jsons.dumps(
                {
                    "data": data.name,
                    "notes": [in_the_shell(note) for note in data.notes],
                    "training_notes": notes,
                    "epochs": epochs if len(epochs) > 1 else epochs[0],
                    "interrupted": interrupted,
                }
                | measured
                | {"files": [str(file) for file in files]}
            )
        )
    if json or leaves:
        return interrupted
    print_metrics(console, measured)
    print_ending(console, data, model)
    say(console, f"Saved {', '.join(file.name for file in files)} in {folder}")
    _say_what_is_next(console, path, name, is_table, _busiest(members[0], data))
    if interrupted:
        say(console, "  go on: the same command with --resume")
    elif not notes and measured["train"].get("accuracy", measured["train"].get("r2", 1.0)) < _LEARNED:
        say(console, "  hint: the training data are not learned yet; try --lr 0.02 --layers 64,64, or more --epochs")
    return interrupted


def _say_what_is_next(console: Any, path: Path, name: str, is_table: bool, busiest: str) -> None:
    """The commands that read the model, and what each is for; `busiest` is the weight to explain."""
    example = name if is_table or name in datasets.NAMES else "TABLE.csv"
    quoted = shlex.quote(str(path))
    example = shlex.quote(example)
    weight = f'--weight "{busiest}"'
    rows = "row (it was trained on most of these: judge it by new ones)" if is_table else "row that was held out"
    for command, what in (
        (f"info {quoted}", "its layers, and how it was trained"),
        (f"predict {quoted} {example}", f"what it says of each {rows}"),
        (f"explain {quoted} {example} {weight}", "why the gradient of this weight is what it is, step by step"),
    ):
        say(console, f"  next: chainrule {command}\n        {what}")


def _announce(console: Any, data: Dataset, settings: Settings, model: Model | Ensemble) -> None:
    """The data, what was decided about them, and the network."""
    sizes = [data.X_train.shape[1], *settings.sizes(data), model.network.output_shape(data.X_train.shape[1:])[0]]
    target = "" if data.preprocessing is None else f" of the column {data.preprocessing.target!r}"
    say(console, f"{data.name}: {data.title or data.task + target}")
    for note in data.notes:
        say(console, f"  {in_the_shell(note)}")
    part = len(data.X_train) - settings.regime.trained(len(data.X_train))
    among = f" ({part} of them for val_loss)" if part else ""
    network = f"{settings.members} networks " if settings.members > 1 else "network "
    say(
        console,
        f"{len(data.X_train)} samples to train on{among}, {len(data.X_test)} held out; "
        f"{network}{'-'.join(map(str, sizes))}, {model.summary().parameters:,} parameters; "
        f"{type(model.optimizer).__name__.lower()}, engine {settings.engine}",
    )
    if data.task == "values" and data.preprocessing is not None:
        unit = f"standard deviations of {data.preprocessing.target!r}; the table at the end has its own unit"
        say(console, f"While training, losses and errors are in {unit}.")


def _say_where_it_begins(console: Any, path: Path, members: int, resume: bool) -> None:
    """From which checkpoint, or whose place the model takes.

    Raises `ConfigurationError` where a checkpoint is that of another number of networks.
    """
    if not resume:
        if path.exists():
            say(console, f"Replacing the model in {path.parent}.")
        return
    checkpoint = path if members == 1 else Path(member_path(path, 0))
    if members == 1 and path.exists() and (there := len(Ensemble.load(path).models)) > 1:
        raise ConfigurationError(f"{path} holds {there} networks; go on with --members {there} --resume.")
    there_is = (
        f"Going on from {checkpoint}." if checkpoint.exists() else f"No checkpoint in {path.parent}: starting anew."
    )
    say(console, there_is)


def _histories(folder: Path, members: Sequence[Model]) -> list[Path]:
    """Write the history of each network."""
    file = folder / "history.csv"
    files = [file] if len(members) == 1 else [Path(member_path(file, i)) for i in range(len(members))]
    for each, model in zip(files, members, strict=True):
        write_atomically(each, model.history.to_csv().encode())
    return files


def _busiest(model: Model, data: Dataset) -> str:
    """The first layer's weight with the largest gradient on the rows that `chainrule explain` takes."""
    from ..explaining.labels import readable_name
    from ..explaining.question import largest

    name = f"{model.network.flat.leaves[0].name}.weights"
    found = largest({name: model.gradients(data.X_test[:EXPLAINED], data.y_test[:EXPLAINED])[name]})
    column, neuron = found.removeprefix(f"{name}[").removesuffix("]").split(",")
    names = () if model.preprocessing is None else model.preprocessing.feature_names
    said = readable_name(names[int(column)]) if names else column
    return f"{name}[{said},{neuron}]" if re.fullmatch(r"[\w .=-]+", said) else found


def _measured(data: Dataset, model: Model | Ensemble) -> dict[str, dict[str, Any]]:
    """The metrics on both parts."""
    parts = (("train", data.X_train, data.y_train), ("test", data.X_test, data.y_test))
    balanced = uneven(data.y_train) if data.class_names else False
    return {part: measure(model, X, y, balanced=balanced) for part, X, y in parts}


def _given(reading: dict[str, Any]) -> dict[str, Any]:
    """The options that differ from their defaults, so that built-in data sets receive none."""
    return {
        name: value
        for name, value in reading.items()
        if value not in (None, "", []) and (name, value) != ("missing", "error")
    }


def _plots(folder: Path, model: Model | Ensemble, data: Dataset, history: History, console: Any) -> list[Path]:
    """Save the plots that apply to these data, if matplotlib is installed."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        say(console, 'No plots: pip install "chainrule[plots]" draws them.')
        return []
    from .. import plots

    drawn: dict[str, Any] = {"loss.png": plots.plot_history(history)} if len(history) else {}
    if data.class_names:
        matrix = metrics.confusion_matrix(data.y_test, predicted(model, data.X_test), classes=len(data.class_names))
        drawn["confusion.png"] = plots.plot_confusion_matrix(matrix, data.class_names)
        if data.X_train.shape[1:] == (2,) and isinstance(data.X_train, np.ndarray):
            drawn["boundary.png"] = plots.plot_decision_boundary(model, data.X_train, data.y_train, data.class_names)
    for name, axes in drawn.items():
        save_figure(folder / name, getattr(axes, "figure", axes))
    return [folder / name for name in drawn]
