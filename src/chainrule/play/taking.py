"""What the reader takes away: the model, the picture, the code that does the same, one file that works offline."""

from __future__ import annotations

import base64
import re
import tempfile
from pathlib import Path
from typing import Any

from .. import explaining
from ..errors import ConfigurationError
from ..explaining.upstream import Upstream
from ..layers import Dense, ReLU
from ..nodes import INPUTS
from . import offline, setups
from .work import Work

__all__ = ["code", "taken"]


def taken(session: Any, what: str) -> dict[str, Any]:
    """A file for the reader: its name, its type and its content, base64."""
    work = session.work
    name = re.sub(r"[^a-z0-9]+", "-", Path(work.setup.title.lower()).stem).strip("-") or "network"
    if what == "model":
        return _file(f"{name}.safetensors", "application/octet-stream", _saved(work))
    if what == "picture":
        drawing = explaining.draw(work.model, work.trace(), sample=work.place())
        return _file(f"{name}.svg", "image/svg+xml", str(drawing.svg).encode())
    if what == "code":
        return _file(f"{name}.py", "text/x-python", code(work).encode())
    if what == "cell":
        return _file(f"{name}-cell.txt", "text/plain", (code(work) + "\nmodel.widget(X, y)\n").encode())
    return _file(f"{name}.html", "text/html", offline.page(session).encode())


def _file(name: str, kind: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "kind": kind, "content": base64.b64encode(content).decode("ascii")}


def _saved(work: Work) -> bytes:
    if work.broken:
        raise ConfigurationError("The network is broken on purpose; mend it before you save it.")
    with tempfile.TemporaryDirectory(prefix="chainrule-play-") as folder:
        path = Path(folder) / "model.safetensors"
        work.model.save(path)
        return path.read_bytes()


def code(work: Work) -> str:
    """A program that trains the same network: same data, same seed, same steps. Raises `ConfigurationError`."""
    setup, made = work.setup, work.frames.now.made
    lines = _given(work) if setup.fixed else _network(work)
    if setup.noise:
        lines.append(
            f"X = X + {setup.noise!r} * np.random.default_rng({work.model.run.seed})"
            ".standard_normal(X.shape) * X.std(axis=0)"
        )
    if any("batch]" in line or "(batch," in line for line, _ in made):
        order = f"np.random.default_rng({work.model.run.seed}).permutation(len(X))"
        lines.append(f"batch = np.sort({order}[:{setup.samples}])")
    lines += [line.replace("{}", str(times)) for line, times in made]
    if work.edits > sum(line.startswith(("X[", "y[")) for line, _ in made):
        lines.append("# a sample was changed by hand, and this program has the one before")
    lines.append("print(model.trace(X, y).loss)" if setup.upstream else "print(model.evaluate(X, y))")
    return "\n".join(lines) + "\n"


def _network(work: Work) -> list[str]:
    """The network that the controls describe, and its data."""
    setup, model = work.setup, work.model
    controls = setups.controls_of(setup)
    sizes = [setup.X.shape[1], *setup.sizes, len(setup.class_names) or setup.y.shape[1]]
    penalty = f", penalty=L2({setup.penalty!r})" if setup.penalty else ""
    dropout = f", dropout={controls['dropout']!r}" if controls["dropout"] else ""
    layers = f"dense_network({sizes!r}, {setup.activation!r}{dropout}{penalty})"
    probable = model.loss.takes == "probabilities"
    names = {"Model", type(model.optimizer).__name__, type(model.loss).__name__}
    names |= ({"Softmax"} if probable else set()) | ({"L2"} if penalty else set())
    return [
        "import numpy as np",
        "",
        f"from chainrule import {', '.join(sorted(names))}, datasets",
        "from chainrule.recipe import dense_network",
        "",
        f"data = datasets.read({setup.table!r}, missing='impute')"
        if setup.table
        else f"data = datasets.resolve({setup.data!r})",
        "X, y = np.array(data.X_train, dtype=np.float64).reshape(len(data.X_train), -1), data.y_train",
        "model = Model(",
        f"    {f'[*{layers}, Softmax()]' if probable else layers},",
        f"    {type(model.loss).__name__}(reduction={model.loss.reduction!r}),",
        f"    {type(model.optimizer).__name__}({controls['rate']!r}),",
        f"    seed={model.run.seed},",
        '    dtype="float64",',
        "    class_names=data.class_names,",
        ")",
    ]


def _given(work: Work) -> list[str]:
    """A small network, such as that of a lesson, whose numbers are written out as they were at first."""
    model, first = work.model, work.given
    leaves = list(model.network.flat)
    layers = [leaf.layer for leaf in leaves]
    in_line = [leaf.reads for leaf in leaves] == [INPUTS, *(leaf.name for leaf in leaves[:-1])]
    plain = in_line and all(isinstance(layer, Dense | ReLU) for layer in layers)
    if not (plain and first and type(model.loss)(reduction=model.loss.reduction) == model.loss):
        raise ConfigurationError(
            "There is code for lessons and for networks that were built on the page; take yours as a model, and load "
            "it with Model.load."
        )
    written = [
        f"Dense({layer.n_inputs}, {layer.n_neurons})" if isinstance(layer, Dense) else "ReLU()" for layer in layers
    ]
    loss, optimizer = type(model.loss).__name__, model.optimizer
    upstream = isinstance(model.loss, Upstream)
    names = {type(one).__name__ for one in (*layers, model, optimizer, model.loss)} - ({loss} if upstream else set())
    return [
        "import numpy as np",
        "",
        f"from chainrule import {', '.join(sorted(names))}",
        *(["from chainrule.explaining.upstream import Upstream"] if upstream else []),
        "",
        f"X, y = np.array({first['X'].tolist()!r}), np.array({first['y'].tolist()!r})",
        "model = Model(",
        f"    [{', '.join(written)}],",
        f"    {loss}(reduction={model.loss.reduction!r}),",
        f"    {optimizer!r},",
        '    dtype="float64",',
        ")",
        "model.parameters = {",
        *(f"    {name!r}: {value.tolist()!r}," for name, value in first.items() if name not in ("X", "y")),
        "}",
    ]
