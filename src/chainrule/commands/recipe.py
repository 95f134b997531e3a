"""`chainrule train --recipe`: the same run as a program in Python."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..ensemble import Ensemble, members_of
from ..layers import Dense
from ..model import Model

__all__ = ["recipe"]


def recipe(
    name: str, reading: Mapping[str, Any], model: Model | Ensemble, fitting: Mapping[str, Any], path: Path
) -> str:
    """The program: `fitting` are the arguments of `fit`."""
    layers = [node.layer for node in model.network]
    starts = [layer.initializer for layer in layers if isinstance(layer, Dense)]
    parts = [*layers, *starts, model.loss, model.optimizer, *_inner(model.optimizer), *fitting.get("callbacks", ())]
    several = isinstance(model, Ensemble)
    kind = "Ensemble" if several else "Model"
    imported = sorted({kind, *(type(part).__name__ for part in parts)})
    given = "".join(f", {option}={value!r}" for option, value in reading.items())
    options = [f"{option}={_code(value)}" for option, value in fitting.items()]
    lines = [
        f"from chainrule import {', '.join(imported)}, datasets",
        "",
        f"data = datasets.resolve({name!r}{given})",
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
        "    data.X_train,",
        "    data.y_train,",
        *(f"    {option}," for option in options),
        ")",
        "print(model.evaluate(data.X_test, data.y_test))",
        f"model.save({path.name!r})",
    ]
    return "\n".join(lines) + "\n"


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
