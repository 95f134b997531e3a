"""A whole model in one file: architecture, parameters, optimizer slots, history, and what a resumed run needs.

The architecture is plain data (see `registry`), so that loading runs no code and builds registered classes only.
Everything that is wrong with a file is a `FileFormatError` that names the file and the place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ChainruleError, FileFormatError
from ..files import load_arrays, save_arrays
from ..graph import Graph
from ..layer import Arrays
from ..losses import Loss
from ..optimizers import Optimizer
from ..registry import build, describe
from .history import History
from .measuring import known_metrics
from .run import Run

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Contents", "read", "write"]

_FORMAT = "chainrule model 1"


@dataclass
class Contents:
    """What a model file holds; `extras` are plain data and arrays of whoever wrote it (class names, callbacks, ...)."""

    run: Run
    values: Arrays  # parameters and state
    history: History
    extras: Mapping[str, Any] = field(default_factory=dict)
    extra_arrays: Arrays = field(default_factory=dict)


def write(path: str | Path, contents: Contents) -> None:
    """Write the file, whole or not at all. Raises `ConfigurationError` for a class that is not registered."""
    import json

    run, history = contents.run, contents.history
    arrays = (
        _prefixed("value", contents.values) | _prefixed("slot", run.slots) | _prefixed("extra", contents.extra_arrays)
    )
    content = {
        "network": describe(run.network),
        "loss": describe(run.loss),
        "optimizer": describe(run.optimizer),
        "run": {
            "seed": run.seed,
            "step": run.step,
            "epoch": run.epoch,
            "rate_scale": run.rate_scale,
            "metrics": list(run.metrics),
            "engine": run.engine,
        },
        "history": {"records": history.records, "stopped": history.stopped, "notes": history.notes},
        "extras": contents.extras,
    }
    save_arrays(path, arrays, {"format": _FORMAT, "content": json.dumps(content)})


def read(path: str | Path) -> Contents:
    """Read what `write` wrote. Raises `FileFormatError` for anything else."""
    import json

    arrays, metadata = load_arrays(path)
    if metadata.get("format") != _FORMAT:
        raise FileFormatError(f"{path} holds {metadata.get('format', 'something else')!r}, expected {_FORMAT!r}.")
    with refusing(path):
        content = json.loads(metadata["content"])
        network, loss, optimizer = (build(content[name]) for name in ("network", "loss", "optimizer"))
        if not (isinstance(network, Graph) and isinstance(loss, Loss) and isinstance(optimizer, Optimizer)):
            raise FileFormatError("network, loss or optimizer is of another kind")
        values = _part("value", arrays)
        dtype = _require_values(network, values)
        network.take(values, dtype)
        slots = _part("slot", arrays)
        trainable = {name: values[name] for name in network.trainable_names()}
        _require_shapes("slot", slots, {n: s.shape for n, s in optimizer.initial_slots(np, trainable).items()}, dtype)
        state = content["run"]
        run = Run(
            network,
            loss,
            optimizer,
            slots,
            seed=_whole(state["seed"]),
            step=_whole(state["step"]),
            epoch=_whole(state["epoch"]),
            rate_scale=float(state["rate_scale"]),
            metrics=known_metrics(state["metrics"], loss),
            engine=str(state.get("engine", "numpy")),
        )
        history = History(
            [{str(k): v if k == "epoch" else float(v) for k, v in r.items()} for r in content["history"]["records"]],
            content["history"]["stopped"],
            [str(note) for note in content["history"]["notes"]],
        )
        return Contents(run, values, history, dict(content["extras"]), _part("extra", arrays))


@contextlib.contextmanager
def refusing(path: str | Path) -> Iterator[None]:
    """Whatever goes wrong inside is a file that does not describe a model: a `FileFormatError` that says what."""
    try:
        yield
    except (
        ChainruleError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        reason = f"{error.args[0]!r} is missing" if type(error) is KeyError else str(error).rstrip(".")
        raise FileFormatError(f"{path} does not describe a model: {reason}.") from None


def _prefixed(prefix: str, arrays: Mapping[str, Any]) -> Arrays:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def _part(prefix: str, arrays: Mapping[str, Any]) -> Arrays:
    return {name[len(prefix) + 1 :]: array for name, array in arrays.items() if name.startswith(f"{prefix}/")}


def _whole(number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise FileFormatError(f"{number!r} is not a whole number of at least 0")
    return number


def _require_values(network: Graph, values: Arrays) -> np.dtype[Any]:
    dtypes = {array.dtype for array in values.values()} or {np.dtype("float32")}
    if len(dtypes) != 1 or not dtypes <= {np.dtype("float32"), np.dtype("float64")}:
        raise FileFormatError(f"the parameters must all be float32 or all float64, not {sorted(map(str, dtypes))}")
    dtype: np.dtype[Any] = dtypes.pop()
    _require_shapes("parameter", values, network.parameter_shapes() | network.state_shapes(), dtype)
    return dtype


def _require_shapes(kind: str, arrays: Arrays, shapes: Mapping[str, Any], dtype: np.dtype[Any]) -> None:
    if arrays.keys() != shapes.keys():
        raise FileFormatError(f"it holds the {kind}s {sorted(arrays)}, its network has {sorted(shapes)}")
    for name, array in arrays.items():
        if array.shape != shapes[name] or array.dtype != dtype:
            raise FileFormatError(
                f"{kind} {name} is {array.dtype} of shape {array.shape}, expected {dtype} of {tuple(shapes[name])}"
            )
