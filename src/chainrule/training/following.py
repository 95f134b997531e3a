"""What the other ranks take over from rank 0 after its callbacks, or after a resume: everything that has changed."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..layer import Arrays, Layer
from ..ranks import Team
from .callback import Fit
from .plan import Plan
from .run import Run

__all__ = ["Standing", "facts_of", "followed"]

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # of a function, in a repr
_NUMBERS = ("seed", "step", "epoch", "rate_scale", "engine")
_ALONE = contextlib.nullcontext()
_PARTS = ("loss", "optimizer")  # objects, sent where another has taken their place


@dataclasses.dataclass(frozen=True)
class Standing:
    """A run before its callbacks: arrays and objects by identity, since arrays of a run are replaced, never changed."""

    values: dict[str, Any]
    slots: dict[str, Any]
    parts: dict[str, Any]
    layers: dict[str, dict[str, Any]]
    epochs: int

    @classmethod
    def of(cls, fit: Fit) -> Standing:
        """The run as it stands."""
        run = fit.run
        layers = {leaf.name: _settings(leaf.layer) for leaf in run.network.flat}
        return cls(run.values, run.slots, {n: getattr(run, n) for n in _PARTS}, layers, len(fit.history))


def followed(team: Team, fit: Fit) -> contextlib.AbstractContextManager[None]:
    """What changes on rank 0 inside, the others take over at the end; all must come to it together."""
    return _ALONE if team.size == 1 else _followed(team, fit)


@contextlib.contextmanager
def _followed(team: Team, fit: Fit) -> Iterator[None]:
    before = Standing.of(fit)
    yield
    said = team.heard(_changes(fit, before) if team.leads else None)
    if not team.leads:
        _take(fit, said)


def _changes(fit: Fit, before: Standing) -> dict[str, Any]:
    run, history = fit.run, fit.history
    now = Standing.of(fit)
    return {
        "numbers": {name: getattr(run, name) for name in _NUMBERS},
        "values": _changed(now.values, before.values),
        "slots": None if now.slots is before.slots else now.slots,
        "parts": _changed(now.parts, before.parts),
        "layers": {name: _changed(own, before.layers[name]) for name, own in now.layers.items()},
        "history": None if now.epochs == before.epochs else history,
        "row": dict(history.last),
        "stopped": history.stopped,
        "first": fit.first,
    }


def _take(fit: Fit, said: dict[str, Any]) -> None:
    run = fit.run
    for name, value in (said["numbers"] | said["parts"]).items():
        setattr(run, name, value)
    for name, settings in said["layers"].items():
        for setting, value in settings.items():
            setattr(run.network[name], setting, value)
    if said["values"]:
        run.values = run.values | said["values"]
    if said["slots"] is not None:
        run.slots = said["slots"]
    if said["history"] is not None:
        fit.model.history = said["history"]
    for name, value in said["row"].items():
        fit.record[name] = value
    fit.history.stopped, fit.first = said["stopped"], said["first"]


def _settings(layer: Layer) -> dict[str, Any]:
    """What a callback may set on a layer: its settings, and whether it is frozen."""
    fields: tuple[dataclasses.Field[Any], ...] = dataclasses.fields(layer) if dataclasses.is_dataclass(layer) else ()
    kept = [field.name for field in fields if field.name in vars(layer)]
    return {name: getattr(layer, name) for name in kept} | {"frozen": layer.frozen}


def _changed(now: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in now.items() if value is not before[name]}


def facts_of(run: Run, plan: Plan) -> dict[str, Any]:
    """What all ranks must have in common before the first step, by what it is called."""
    fingerprint = plan.fingerprint()
    samples, data = fingerprint.pop("samples"), fingerprint.pop("data")
    parts = {"network": run.network, "loss": run.loss, "optimizer": run.optimizer}
    described = {name: _ADDRESS.sub("", repr(part)) for name, part in parts.items()}
    numbers = {"number of samples": samples, "set of data": data, "number of epochs": plan.epochs, "seed": run.seed}
    arrays = {"set of parameters": _checksum(run.values), "set of slots": _checksum(run.slots)}
    return described | numbers | fingerprint | {"step": run.step} | arrays


def _checksum(arrays: Arrays) -> int:
    found = 0
    for name, array in sorted(arrays.items()):
        found = zlib.crc32(np.ascontiguousarray(array).tobytes(), zlib.crc32(name.encode(), found))
    return found
