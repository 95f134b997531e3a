"""A whole model in one file: architecture, parameters, optimizer slots, history, and what a resumed run needs.

The architecture is plain data (see `registry`), so that loading runs no code and builds registered classes only.
Everything that is wrong with a file is a `FileFormatError` that names the file and the place, raised when it is read.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engines import ENGINES
from ..errors import ConfigurationError, DataError, FileFormatError, NonFiniteError, UnknownNameError
from ..files import load_arrays, refusing, save_arrays
from ..graph import Graph
from ..jsontext import parse_json, to_json
from ..layer import Arrays
from ..limits import SEEDS, STEPS, require_number
from ..loss import Loss
from ..optimizers import Optimizer
from ..registry import build, describe, record
from .history import History
from .measuring import known_metrics
from .run import Run

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Contents", "read", "read_members", "refusing", "require_values", "write", "write_members"]

_FORMAT, _SEVERAL = "chainrule model 1", "chainrule ensemble 1"


@dataclass
class Contents:
    """What a model file holds; `extras` are plain data and arrays of whoever wrote it (class names, callbacks, ...)."""

    run: Run
    values: Arrays  # parameters and state
    history: History
    extras: Mapping[str, Any] = field(default_factory=dict)
    extra_arrays: Arrays = field(default_factory=dict)


@record
@dataclass(frozen=True)
class RunState:
    """The numbers of a run as a file holds them."""

    seed: int
    step: int
    epoch: int
    rate_scale: float
    metrics: tuple[str, ...]
    engine: str

    def __post_init__(self) -> None:
        require_number(self, "seed", at_least=0, below=SEEDS, whole=True)
        require_number(self, "step", at_least=0, below=STEPS, whole=True)
        require_number(self, "epoch", at_least=0, below=STEPS, whole=True)
        require_number(self, "rate_scale", at_least=0)
        if self.engine not in ENGINES:
            raise UnknownNameError("engine", self.engine, ENGINES)


def write(path: str | Path, contents: Contents) -> None:
    """Write the file, whole or not at all.

    Raises `ConfigurationError` for a class that is not registered and for numbers that `read` would refuse.
    """
    content, arrays = _described(contents)
    save_arrays(path, arrays, {"format": _FORMAT, "content": to_json(content)})


def write_members(path: str | Path, members: Sequence[Contents]) -> None:
    """Write several models of one architecture into one file, as `write` does; their `extras` are those of the first.

    Every array has the member's number before its name.
    """
    described = [_described(replace(member, extras={} if i else member.extras)) for i, member in enumerate(members)]
    arrays = {f"{i}/{name}": array for i, (_, own) in enumerate(described) for name, array in own.items()}
    content = {"members": [content for content, _ in described]}
    save_arrays(path, arrays, {"format": _SEVERAL, "content": to_json(content)})


def read(path: str | Path) -> Contents:
    """Read what `write` wrote. Raises `FileFormatError` for anything else."""
    arrays, metadata = load_arrays(path)
    if metadata.get("format") == _SEVERAL:
        raise FileFormatError(f"{path} holds an ensemble; write Ensemble.load({os.fspath(path)!r}).")
    return _single(path, arrays, metadata)


def read_members(path: str | Path) -> list[Contents]:
    """Read what `write_members` wrote, or the one model that `write` wrote. Raises `FileFormatError`."""
    arrays, metadata = load_arrays(path)
    if metadata.get("format") != _SEVERAL:
        return [_single(path, arrays, metadata)]
    with refusing(path, "an ensemble"):
        described = parse_json(metadata["content"])["members"]
        if not isinstance(described, list) or not all(isinstance(one, dict) for one in described) or not described:
            raise FileFormatError("its members must be a list of models")
        strays = [name for name in arrays if name.partition("/")[0] not in set(map(str, range(len(described))))]
        if strays:
            raise FileFormatError(f"it holds arrays of no member, such as {strays[0]!r}")
        extras = described[0]["extras"]
        members = [_built(one | {"extras": extras}, _part(str(i), arrays)) for i, one in enumerate(described)]
        for i, one in enumerate(described):
            if any(one[part] != described[0][part] for part in ("network", "loss")):
                raise FileFormatError(f"member {i} has another network or loss than member 0")
        return members


def _single(path: str | Path, arrays: Arrays, metadata: Mapping[str, str]) -> Contents:
    if metadata.get("format") != _FORMAT:
        raise FileFormatError(f"{path} holds {metadata.get('format', 'something else')!r}, expected {_FORMAT!r}.")
    with refusing(path):
        return _built(parse_json(metadata["content"]), arrays)


def _described(contents: Contents) -> tuple[dict[str, Any], Arrays]:
    """A model as plain data, and its arrays by name."""
    run = contents.run
    require_values(run.network, contents.values)
    arrays = (
        _prefixed("value", contents.values) | _prefixed("slot", run.slots) | _prefixed("extra", contents.extra_arrays)
    )
    named = tuple(metric for metric in run.metrics if isinstance(metric, str))  # functions are code, and stay behind
    content = {
        "network": describe(run.network),
        "loss": describe(run.loss),
        "optimizer": describe(run.optimizer),
        "run": describe(RunState(run.seed, run.step, run.epoch, run.rate_scale, named, run.engine)),
        "history": describe(contents.history),
        "extras": describe(contents.extras),
    }
    return content, arrays


def _built(content: Mapping[str, Any], arrays: Arrays) -> Contents:
    """What `_described` described."""
    kinds = {"network": Graph, "loss": Loss, "optimizer": Optimizer}
    network, loss, optimizer = (build(content[name], kind, path=(name,)) for name, kind in kinds.items())
    values = _part("value", arrays)
    dtype = require_values(network, values)
    network.take(values, dtype)
    slots = _part("slot", arrays)
    trainable = {name: values[name] for name in network.trainable_names()}
    _require_shapes("slot", slots, {n: s.shape for n, s in optimizer.initial_slots(np, trainable).items()}, dtype)
    state = build({"engine": "numpy"} | content["run"], RunState, path=("run",))
    known_metrics(state.metrics, loss)
    run = Run(network, loss, optimizer, slots, **vars(state))
    history = build(content["history"], History, path=("history",))
    extras = dict(content["extras"])
    build(extras.get("class_names", []), list[str], path=("extras", "class_names"))
    _require_use(run, build(extras.get("preprocessing"), str | None, path=("extras", "preprocessing")))
    others = [name for name in arrays if name.partition("/")[0] not in ("value", "slot", "extra")]
    if others:
        raise FileFormatError(f"it holds arrays that no model has, such as {others[0]!r}")
    return Contents(run, values, history, extras, _part("extra", arrays))


def _prefixed(prefix: str, arrays: Mapping[str, Any]) -> Arrays:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def _part(prefix: str, arrays: Mapping[str, Any]) -> Arrays:
    return {name[len(prefix) + 1 :]: array for name, array in arrays.items() if name.startswith(f"{prefix}/")}


def _require_use(run: Run, preprocessing: str | None) -> None:
    """Raise where the parts of a model are each right and do not work together."""
    from ..datasets import Preprocessing

    shape = run.network.input_shape()
    if preprocessing is not None:
        table = Preprocessing.from_json(preprocessing)
        shape = (len(table.feature_names),)
        outputs = run.network.output_shape(shape)[-1]
        if table.class_names and outputs not in (1, len(table.class_names)):
            raise ConfigurationError(f"the table has {len(table.class_names)} classes, the network {outputs} outputs")
    if shape is not None and len(run.network.output_shape(shape)) == 1:
        outputs = run.network.output_shape(shape)[0]
        with contextlib.suppress(DataError):  # a loss of one's own may want targets of another kind
            run.loss.prepare(np.eye(1, outputs), (1, outputs), weightless=True)
    rates, ones = run.rates(), {name: np.ones_like(array) for name, array in run.trained.items()}
    with np.errstate(all="ignore"):  # a step that follows from the slots of a run leaves numbers finite
        updated, _ = run.optimizer.update(np, run.step, run.trained, ones, run.slots, rates)
    for name, array in updated.items():
        if not np.isfinite(array).all():
            raise NonFiniteError(f"the next step would make {name} NaN or infinite")
    for name, rate in rates.items():
        if not 0 <= rate < np.inf:
            raise ConfigurationError(f"the learning rate of {name} at step {run.step} is {rate!r}")


def require_values(network: Graph, values: Arrays) -> np.dtype[Any]:
    """Raise unless these are the network's parameters and state, all of one dtype, all finite; return the dtype."""
    dtypes = {array.dtype for array in values.values()} or {np.dtype("float32")}
    if len(dtypes) != 1 or not dtypes <= {np.dtype("float32"), np.dtype("float64")}:
        raise FileFormatError(f"the parameters must all be float32 or all float64, not {sorted(map(str, dtypes))}")
    dtype: np.dtype[Any] = dtypes.pop()
    _require_shapes("parameter", values, network.parameter_shapes() | network.state_shapes(), dtype)
    for name, array in values.items():
        if not np.isfinite(array).all():
            raise NonFiniteError(f"{name} holds NaN or infinity, which no step of training leaves behind")
    return dtype


def _require_shapes(kind: str, arrays: Arrays, shapes: Mapping[str, Any], dtype: np.dtype[Any]) -> None:
    if arrays.keys() != shapes.keys():
        raise FileFormatError(f"it holds the {kind}s {sorted(arrays)}, its network has {sorted(shapes)}")
    for name, array in arrays.items():
        if array.shape != shapes[name] or array.dtype != dtype:
            raise FileFormatError(
                f"{kind} {name} is {array.dtype} of shape {array.shape}, expected {dtype} of {tuple(shapes[name])}"
            )
