"""The process in which a submission runs: it answers what it is asked over the channel, and judges nothing."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ChainruleError, ConfigurationError
from ..checker import check
from ..definitions import load
from ..equality import equal
from ..files import found_in
from ..measuring.bench import refuse_ours
from ..streams import seed_streams
from ..subjects import Instance, Point, Subject, subjects_of
from ..subjects.running import WrittenInstance
from .frames import Channel, decoded, encoded
from .limiting import limit, limit_processes
from .suspicion import calls_more, suspicions

__all__: list[str] = []

_SEED = 1


class Worker:
    """What a submission holds, and the questions about it."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.names: dict[str, Any] = {}
        self.items: dict[str, Any] = {}
        self.subjects: dict[str, list[Subject]] = {}
        self.instances: dict[int, Instance] = {}
        self.points: dict[int, tuple[Point, Point]] = {}
        self.counted: set[tuple[str, int]] = set()

    def keep(self, thing: Any) -> int:
        """The number under which something stays here."""
        self.kept.append(thing)
        return len(self.kept) - 1

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """The answer to a message, whatever happens."""
        for number in message.pop("unused"):
            self.instances.pop(number, None)
            self.points.pop(number, None)
        try:
            return {"answer": getattr(self, f"on_{message.pop('ask')}")(**message)}
        except ChainruleError as error:
            return {"refused": str(error)}
        except BaseException as error:  # a submission may raise anything
            return {"raised": _told(error)}

    # Before anything of the submission runs

    def on_read(self, path: str) -> list[str]:
        """What its text looks suspicious for."""
        self.path = Path(path)
        return suspicions(self.path)

    # The submission

    def on_load(self, limits: dict[str, int]) -> dict[str, Any]:
        """Run its definitions: the names of what can be checked, and which of them are only filled in by others."""
        limit_processes(limits["processes"])
        sys.argv = [str(self.path)]
        self.names = names = load(self.path)
        self.items = found_in(names)
        kinds = [item for item in self.items.values() if isinstance(item, type)]
        return {
            "names": list(self.items),
            "bases": [
                name
                for name, item in self.items.items()
                if isinstance(item, type) and any(issubclass(kind, item) for kind in kinds if kind is not item)
            ],
            "note": names.note,
        }

    def on_call(self, function: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
        """What one of its functions returns; nothing where there is no such function."""
        found = self.names.get(function)
        return {"returned": found(*arguments)} if callable(found) else {}

    def on_subjects(self, name: str, options: dict[str, Any]) -> list[dict[str, Any]]:
        """What there is to check in one of them."""
        self.instances.clear()
        try:
            self.subjects[name] = list(subjects_of(self.items[name], **options))
        except (TypeError, ValueError, IndexError, AttributeError, KeyError) as error:
            if isinstance(error, ChainruleError):
                raise
            raise ConfigurationError(
                f"check: {name} cannot be run on what was passed ({type(error).__name__}: {error})."
            ) from error
        return [_described(subject) for subject in self.subjects[name]]

    def on_advice(self, name: str, options: dict[str, Any]) -> dict[str, Any]:
        """What `check` says of it in here, where lines can be tried in its source. It is told, not believed."""
        report = check(self.items[name], **options)
        first = report.causes[0] if report.causes else None
        best = first.diagnoses[0] if first is not None and first.diagnoses else None
        return {
            "mistakes": list(report.mistakes),
            "says": "" if first is None else first.says,
            "diagnosis": "" if best is None else best.says,
            "write": "" if best is None else best.write,
            "line": 0 if best is None else best.line,
        }

    def _subject(self, which: Sequence[Any]) -> Subject:
        found: Subject = self.subjects[which[0]][which[1]]
        return found

    def on_targets(self, which: Sequence[Any], seed: int, point: dict[str, Any]) -> tuple[Any, ...]:
        """Other targets for a point."""
        redraw = self._subject(which).redraw_targets
        return () if redraw is None else tuple(redraw(np.random.default_rng(seed), Point(**point)))

    def on_fixed(self, which: Sequence[Any], seed: int, name: str, shape: tuple[int, ...]) -> Any:
        """Another value of what has no gradient."""
        redraw = self._subject(which).redraw_fixed
        return None if redraw is None else redraw(np.random.default_rng(seed), name, shape)

    # Instances

    def _instance(self, which: Sequence[Any], instance: int) -> Instance:
        if instance not in self.instances:
            self.instances[instance] = self._subject(which).create()
        return self.instances[instance]

    def on_forward(
        self, which: Sequence[Any], instance: int, point: dict[str, Any], restarts: bool, seeded: bool
    ) -> dict[str, Any]:
        """The output, and the arrays of the point that forward overwrote."""
        item, here = self._instance(which, instance), Point(**point)
        before = here.copied()
        if seeded:
            seed_streams(_SEED)
        if restarts:
            item.restart()
        output = np.asarray(item.forward(here))
        self.points[instance] = here, before
        return {"output": output, "overwritten": _overwritten(here, before)}

    def on_backward(self, which: Sequence[Any], instance: int, dvalues: Any) -> dict[str, Any]:
        """The gradients, what backward overwrote, and once how often it calls what forward calls."""
        item, calls = self._instance(which, instance), 0.0
        here, before = self.points[instance]
        handed = dvalues.copy()
        if tuple(which) in self.counted:
            gradients = item.backward(dvalues)
        else:
            self.counted.add((which[0], which[1]))
            gradients, calls = calls_more(
                lambda: self._subject(which).create().forward(before.copied()), lambda: item.backward(dvalues)
            )
        return {
            "gradients": {name: _sendable(value) for name, value in gradients.items()},
            "overwritten": _overwritten(here, before),
            "dvalues": None if equal(handed, dvalues) else dvalues,
            "calls": calls,
        }

    def on_parameters(self, which: Sequence[Any], instance: int) -> dict[str, Any]:
        """Its parameters."""
        return dict(self._instance(which, instance).parameters())

    def on_memory(self, which: Sequence[Any], instance: int) -> dict[str, Any]:
        """Its other arrays of numbers."""
        found = self._instance(which, instance).memory()
        return {name: np.asarray(value) for name, value in found.items() if np.asarray(value).dtype.kind in "biufc"}

    def on_regularized(self, which: Sequence[Any], instance: int) -> dict[str, Any]:
        """How strong the regularization is that it adds in backward."""
        item = self._instance(which, instance)
        strengths = item.strengths() if isinstance(item, WrittenInstance) else {}
        return {name: (float(l1), float(l2)) for name, (l1, l2) in strengths.items()}


def _described(subject: Subject) -> dict[str, Any]:
    known = ("title", "inputs", "parameters", "targets", "modes", "is_loss", "uncompared", "settings", "upstream",
             "domain", "given", "fixed", "groups", "updates", "any_rank", "undefined", "on_purpose", "slack", "notes",
             "mixes")  # fmt: skip
    told = {name: getattr(subject, name) for name in known}
    arrays = {name: {n: np.asarray(v, np.float64) for n, v in told[name].items()} for name in ("inputs", "parameters")}
    return told | arrays | {
        "style": asdict(subject.style),
        "redraws_targets": subject.redraw_targets is not None,
        "redraws_fixed": subject.redraw_fixed is not None,
    }  # fmt: skip


def _overwritten(here: Point, before: Point) -> dict[str, dict[str, Any]]:
    pairs: dict[str, tuple[Any, Any]] = {
        "values": (here.values, before.values),
        "fixed": (here.fixed, before.fixed),
        "": ({"targets": here.targets}, {"targets": before.targets}),
    }
    found = {
        group: {n: v for n, v in now.items() if isinstance(v, np.ndarray) and not equal(v, then[n])}
        for group, (now, then) in pairs.items()
    }
    return {group: changed for group, changed in found.items() if changed}


def _sendable(value: Any) -> Any:
    if isinstance(value, float | int):
        return value
    with contextlib.suppress(Exception):
        array = np.asarray(value)
        array = array if array.dtype.kind in "biufc" else np.asarray(value, np.float64)
        return array
    return {"of type": type(value).__name__}


def _told(error: BaseException) -> dict[str, Any]:
    """An error in words, and whether it came up in a line of the submission."""
    try:
        refuse_ours(error, "")
        theirs = True
    except ConfigurationError:
        theirs = False
    text = ""
    with contextlib.suppress(Exception):
        text = str(error)[:2000]
    return {"type": type(error).__name__, "text": text, "theirs": theirs}


# The process


def _channel() -> Channel:
    """The channel, which the process is started with in place of standard input."""
    end = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    return Channel(end)


def main() -> None:
    """Answer until nobody asks any more."""
    channel, worker = _channel(), Worker()
    limits = decoded(*channel.receive())
    limit(limits["megabytes"], limits["file_megabytes"], limits["seconds"])
    with np.errstate(all="ignore"):
        while True:
            answer = worker.answer(decoded(*channel.receive(), kept=lambda number: worker.kept[number]))
            try:
                message = encoded(answer, worker.keep)
            except (ValueError, TypeError) as error:
                message = encoded({"refused": f"check: {error}."})
            channel.send(message)


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    warnings.simplefilter("error", np.exceptions.ComplexWarning)
    main()
