"""`chainrule train --recipe`: the same run as a program in Python."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..datasets import Dataset
from ..ensemble import Ensemble, members_of
from ..layers import Dense
from ..model import Model
from .streamed import ROWS, Streamed

__all__ = ["recipe"]


def recipe(
    name: str,
    reading: Mapping[str, Any],
    model: Model | Ensemble,
    fitting: Mapping[str, Any],
    path: Path,
    data: Dataset,
) -> str:
    """The program: `fitting` are the arguments of `fit`."""
    layers = [node.layer for node in model.network]
    starts = [layer.initializer for layer in layers if isinstance(layer, Dense)]
    parts = [*layers, *starts, model.loss, model.optimizer, *_inner(model.optimizer), *fitting.get("callbacks", ())]
    several = isinstance(model, Ensemble)
    kind = "Ensemble" if several else "Model"
    imported = sorted({kind, *(type(part).__name__ for part in parts)})
    read, samples, test, fitting = _data(name, reading, data, fitting)
    options = [f"{option}={_code(value)}" for option, value in fitting.items()]
    lines = [
        f"from chainrule import {', '.join(imported)}, datasets",
        "",
        f"data = {read}",
        f"model = {kind}(",
        "    [",
        *(f"        {_code(layer)}," for layer in layers),
        "    ],",
        f"    {_code(model.loss)},",
        f"    {_code(model.optimizer)},",
        *([f"    members={len(members_of(model))},"] if several else []),
        f"    seed={members_of(model)[0].run.seed},",
        "    preprocessing=data.preprocessing,",
        "    class_names=data.class_names,",
        ")",
        f"{'histories' if several else 'history'} = model.fit(",
        *(f"    {given}," for given in samples),
        *(f"    {option}," for option in options),
        ")",
        f"print(model.evaluate({test}))",
        f"model.save({path.name!r})",
    ]
    return "\n".join(lines) + "\n"


def _data(
    name: str, reading: Mapping[str, Any], data: Dataset, fitting: Mapping[str, Any]
) -> tuple[str, list[str], str, Mapping[str, Any]]:
    """How the data are read, what of them `fit` is given and `evaluate`, and the other arguments of `fit`."""
    if not isinstance(data, Streamed):
        given = "".join(f", {option}={value!r}" for option, value in reading.items())
        return (
            f"datasets.resolve({name!r}{given})",
            ["data.X_train", "data.y_train"],
            "data.X_test, data.y_test",
            fitting,
        )
    reading = {**reading, "validation": data.validates} | ({"distributed": True} if "distributed" in fitting else {})
    given = "".join(f", {option}={value!r}" for option, value in reading.items())
    samples = [f"data.train.batches({fitting['batch_size']})"]
    held = f"validation_data=data.validation.batches({ROWS}, shuffle=False)"
    samples += [held] if data.validates else []
    return f"datasets.stream({name!r}{given})", samples, f"data.test.batches({ROWS})", data.fitting(fitting)


def _code(value: Any) -> str:
    """A value as Python, without the settings that are the defaults."""
    if isinstance(value, list):
        return f"[{', '.join(map(_code, value))}]"
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return repr(value)
    default = _default(type(value), value)
    given = [
        f"{field.name}={_code(getattr(value, field.name))}"
        for field in dataclasses.fields(value)
        if field.init and (default is None or repr(getattr(default, field.name)) != repr(getattr(value, field.name)))
    ]
    return f"{type(value).__name__}({', '.join(given)})"


def _default(kind: Any, value: Any) -> Any:
    """The object with the settings it must have and no others, or None."""
    needed = {
        field.name: getattr(value, field.name)
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING and field.init
    }
    made = kind(**needed)
    for name in needed:  # these are always written
        object.__setattr__(made, name, None)
    return made


def _inner(optimizer: Any) -> list[Any]:
    """The schedule, where the rate has one."""
    return [optimizer.learning_rate] if dataclasses.is_dataclass(optimizer.learning_rate) else []
