"""Checkpoints: a model file kept at the last whole epoch, from which a stopped run goes on bit for bit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from ..columns import EPOCH
from ..errors import ConfigurationError, FileFormatError
from ..layer import Arrays
from ..limits import STEPS, require_number
from ..registry import build, describe, record
from . import modelfile
from .callback import Callback, Fit
from .history import INTERRUPTED
from .learner import Learner
from .run import Run

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Checkpoint", "write_settled"]

_SECONDS_BETWEEN = 1.0
_LAST, _SETTLED = "last/", "settled"
_PARTS = ("network", "loss", "optimizer")


class Fingerprinted(Protocol):
    """A plan as a checkpoint sees it: what a resumed run must have in common with the stopped one."""

    def fingerprint(self) -> dict[str, Any]:
        """Settings and a checksum of the data."""

    def due(self, epoch: int) -> bool:
        """Whether an epoch is recorded."""


@record
@dataclass
class _Stored:
    """What a checkpoint holds beside the model: what the run was, where it began, the numbers of its callbacks."""

    batch_size: int
    shuffle: bool
    record_every: int | None
    samples: int
    data: int
    seed: int
    callbacks: list[str]
    epochs: int
    first: int
    states: list[dict[str, Any]]

    def __post_init__(self) -> None:
        for name in ("epochs", "first"):
            require_number(self, name, at_least=0, below=STEPS, whole=True)
        if len(self.states) != len(self.callbacks):
            raise ConfigurationError(f"it holds {len(self.states)} states of {len(self.callbacks)} callbacks")


class Checkpoint:
    """The file at `path`, written at most once a second and at the end of the run.

    What it needs of an epoch is cheap to note down (arrays are replaced in training, never changed), so every whole
    epoch is noted, and written when it is time.
    """

    def __init__(self, path: str | Path, plan: Fingerprinted, callbacks: Sequence[Callback], fit: Fit) -> None:
        self.path, self.plan, self.callbacks, self.fit = path, plan, callbacks, fit
        self.common = plan.fingerprint() | {
            "seed": int(fit.run.seed),
            "callbacks": [repr(c) if is_dataclass(c) else type(c).__name__ for c in callbacks],
        }
        self.written = -float("inf")
        _architecture(fit.run)  # what cannot be written fails before the first step
        self.mark()

    def resume(self) -> None:
        """Put model and callbacks where the file says; without a file the run starts from its beginning.

        Raises `ConfigurationError` where the file belongs to another run, `FileFormatError` where it is no checkpoint.
        """
        import os

        if not os.path.exists(self.path):
            return
        contents = _before_settling(modelfile.read(self.path))
        model, described = self.fit.model, contents.extras.get("fit")
        if described is None:
            raise FileFormatError(f"{self.path} is a model, but not the checkpoint of a run: nothing to resume.")
        with modelfile.refusing(self.path, "the checkpoint of a run"):
            described.pop("looked", None)  # an older version's
            stored = build(described, _Stored)
            last, arrays = self._arrays(contents, stored)
        for name, value in self.common.items():
            if getattr(stored, name) != value:
                what = _other(name, getattr(stored, name), value)
                raise ConfigurationError(f"{self.path} cannot be resumed: it belongs to a run with {what}.")
        parts = zip(_PARTS, _architecture(contents.run), _architecture(model.run), strict=True)
        for part, theirs, ours in parts:
            if theirs != ours:
                raise ConfigurationError(
                    f"{self.path} cannot be resumed: it has another {part}, {_difference(theirs, ours)}."
                )
        with modelfile.refusing(self.path, "the checkpoint of a run"):
            for callback, numbers, own in zip(self.callbacks, stored.states, arrays, strict=True):
                callback.restore(numbers, own)
        model.go_on(contents)
        if model.history.stopped == INTERRUPTED:
            model.history.stopped = None
        self.fit.first = stored.first
        model.run.values = last or contents.values
        self._forget_the_end(stored.epochs)
        self.mark()

    def _arrays(self, contents: modelfile.Contents, stored: _Stored) -> tuple[Arrays, list[Arrays]]:
        """The last parameters, where they are not those of the model, and the arrays of each callback."""
        if stored.first > contents.run.epoch:
            raise ConfigurationError(f"a run of {contents.run.epoch} epochs cannot have begun after {stored.first}")
        last, *own = (
            {name[len(prefix) :]: a for name, a in contents.extra_arrays.items() if name.startswith(prefix)}
            for prefix in (_LAST, *(f"{i}/" for i in range(len(stored.states))))
        )
        if last:
            modelfile.require_values(contents.run.network, last)
        return last, own

    def mark(self) -> None:
        """After a whole epoch: note the state down, and write it if the last time is long enough ago."""
        model = self.fit.model
        self.run: Run = replace(model.run)
        self.values = model.run.values
        self.epochs = len(model.history)
        self.states = [callback.state() for callback in self.callbacks]
        self.fit.marked = model.run.step
        if time.monotonic() - self.written >= _SECONDS_BETWEEN and self.run.epoch > self.fit.first:
            self._write()

    def finish(self) -> None:
        """At the end of the run: write the last whole epoch.

        Where the run came to its end and a callback then put other parameters in place (the best ones), those are the
        model of the file, and the last ones stand beside them for a longer run to go on from. A run that ends before
        its first whole epoch leaves the file of an earlier run as it is.
        """
        if self.run.epoch == self.fit.first:
            return
        model, last = self.fit.model, self.values
        values = model.run.values
        if model.run.step == self.fit.marked and any(values[name] is not array for name, array in last.items()):
            self.values = values
            self._write({f"{_LAST}{name}": array for name, array in last.items()})
        else:
            self._write({})

    def _forget_the_end(self, epochs: int) -> None:
        """Take out of the history what was recorded only because a shorter run ended there."""
        history, first = self.fit.history, self.fit.first
        ended_there = history.last.get(EPOCH, -1) - first == epochs != self.fit.epochs
        if ended_there and not self.plan.due(epochs):
            self.fit.model.history = history.cut(len(history) - 1)

    def _write(self, extra: Arrays | None = None) -> None:
        contents = self.fit.model.contents()
        history = contents.history.cut(self.epochs)
        described = self.common | {
            "epochs": int(self.fit.epochs),
            "first": self.fit.first,
            "states": [numbers for numbers, _ in self.states],
        }
        arrays: Arrays = {f"{i}/{name}": a for i, (_, own) in enumerate(self.states) for name, a in own.items()}
        extras = {**contents.extras, "fit": described}
        modelfile.write(self.path, modelfile.Contents(self.run, self.values, history, extras, arrays | (extra or {})))
        self.written = time.monotonic()


def write_settled(path: str | Path, model: Learner) -> None:
    """Put the settled model in place of the one in a checkpoint, beside the state from which that went on."""
    before = modelfile.read(path)
    run = before.run
    arrays: Arrays = before.extra_arrays
    if not any(name.startswith(_LAST) for name in arrays):
        arrays = arrays | {f"{_LAST}{name}": array for name, array in before.values.items()}
    state = {"step": run.step, "epoch": run.epoch, "records": len(before.history)}
    settled = replace(run, step=model.run.step, epoch=model.run.epoch)
    extras = {**before.extras, _SETTLED: state}
    modelfile.write(path, modelfile.Contents(settled, model.run.values, model.history, extras, arrays))


def _before_settling(contents: modelfile.Contents) -> modelfile.Contents:
    """What a file held before its model settled."""
    state = contents.extras.get(_SETTLED)
    if state is None:
        return contents
    extras = {name: value for name, value in contents.extras.items() if name != _SETTLED}
    run = replace(contents.run, step=int(state["step"]), epoch=int(state["epoch"]))
    return replace(contents, run=run, history=contents.history.cut(int(state["records"])), extras=extras)


def _architecture(run: Run) -> list[Any]:
    return [describe(getattr(run, part)) for part in _PARTS]


def _other(name: str, theirs: Any, ours: Any) -> str:
    """What a run of a file had other than the one now, in words."""
    if name == "data":
        return "other data"
    if name != "callbacks":
        return f"{name}={theirs!r} (now {ours!r})"
    alone = [[one for one in these if one not in those] for these, those in ((theirs, ours), (ours, theirs))]
    if not any(alone):
        return f"the same callbacks in another order: callbacks=[{', '.join(theirs)}]"
    had, has = (", ".join(each) or "none of them" for each in alone)
    return f"other callbacks: {had} (now {has})"


def _difference(theirs: Any, ours: Any) -> str:
    """The first setting that differs."""
    if isinstance(theirs, dict) and isinstance(ours, dict) and theirs.keys() == ours.keys():
        name = next(name for name in theirs if theirs[name] != ours[name])
        if not isinstance(theirs[name], dict | list):
            return f"{name} {theirs[name]!r} in the file and {ours[name]!r} now"
    return "of another kind or size"
