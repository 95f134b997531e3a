"""Checkpoints: a model file kept at the last whole epoch, from which a stopped run goes on bit for bit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import ConfigurationError, FileFormatError
from ..layer import Arrays
from ..registry import describe
from . import modelfile
from .callbacks import Callback, Fit
from .history import INTERRUPTED
from .steps import Run

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Checkpoint"]

_SECONDS_BETWEEN = 1.0


class Fingerprinted(Protocol):
    """A plan as a checkpoint sees it: what a resumed run must have in common with the stopped one."""

    def fingerprint(self) -> dict[str, Any]:
        """Settings and a checksum of the data."""


class Checkpoint:
    """The file at `path`, written at most once a second and at the end of the run.

    What it needs of an epoch is cheap to note down (arrays are replaced in training, never changed), so every whole
    epoch is noted, and written when it is time.
    """

    def __init__(self, path: str | Path, plan: Fingerprinted, callbacks: Sequence[Callback], fit: Fit) -> None:
        self.path, self.callbacks, self.fit = path, callbacks, fit
        self.common = plan.fingerprint() | {"callbacks": [type(callback).__name__ for callback in callbacks]}
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
        contents = modelfile.read(self.path)
        stored, model = contents.extras.get("fit"), self.fit.model
        if not isinstance(stored, dict):
            raise FileFormatError(f"{self.path} is a model, but not the checkpoint of a run: nothing to resume.")
        for name, value in self.common.items():
            if stored.get(name) != value:
                what = "other data" if name == "data" else f"{name}={stored.get(name)!r} (now {value!r})"
                raise ConfigurationError(f"{self.path} cannot be resumed: it belongs to a run with {what}.")
        if _architecture(contents.run) != _architecture(model.run):
            raise ConfigurationError(f"{self.path} cannot be resumed: its network, loss or optimizer is another one.")
        model.take(contents)
        if model.history.stopped == INTERRUPTED:
            model.history.stopped = None
        self.fit.first, self.fit.looked = int(stored["first"]), int(stored["looked"])
        for index, (callback, numbers) in enumerate(zip(self.callbacks, stored["states"], strict=True)):
            prefix = f"{index}/"
            arrays = {n[len(prefix) :]: a for n, a in contents.extra_arrays.items() if n.startswith(prefix)}
            callback.restore(numbers, arrays)
        self.mark()

    def mark(self) -> None:
        """After a whole epoch: note the state down, and write it if the last time is long enough ago."""
        model = self.fit.model
        self.run: Run = replace(model.run)
        self.records, self.looked = len(model.history), self.fit.looked
        self.states = [callback.state() for callback in self.callbacks]
        self.fit.marked = model.run.step
        if time.monotonic() - self.written >= _SECONDS_BETWEEN and self.run.epoch > self.fit.first:
            self._write()

    def finish(self, whole: bool) -> None:
        """At the end of the run: the model as it stands after a `whole` epoch, else the last whole epoch."""
        if whole:
            self.mark()
        self._write()

    def _write(self) -> None:
        contents = self.fit.model.contents()
        history = replace(contents.history, records=contents.history.records[: self.records])
        described = self.common | {
            "first": self.fit.first,
            "looked": self.looked,
            "states": [numbers for numbers, _ in self.states],
        }
        arrays: Arrays = {f"{i}/{name}": a for i, (_, own) in enumerate(self.states) for name, a in own.items()}
        extras = {**contents.extras, "fit": described}
        modelfile.write(self.path, modelfile.Contents(self.run, history, extras, arrays))
        self.written = time.monotonic()


def _architecture(run: Run) -> list[Any]:
    return [describe(part) for part in (run.network, run.loss, run.optimizer)]
