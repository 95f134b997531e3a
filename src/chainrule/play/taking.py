"""What the reader takes away: the model, the picture, the code that does the same, one file that works offline."""

from __future__ import annotations

import base64
import re
import tempfile
from pathlib import Path
from typing import Any

from .. import explaining
from ..errors import ConfigurationError
from . import offline, setups
from .work import Work

__all__ = ["code", "taken"]


def taken(session: Any, what: str) -> dict[str, Any]:
    """A file for the reader: its name, its type and its content, base64."""
    work = session.work
    name = re.sub(r"[^a-z0-9]+", "-", work.setup.title.lower()).strip("-") or "network"
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
    """A program that trains the same network: same data, same seed, same steps."""
    setup, model = work.setup, work.model
    controls = setups.controls_of(setup)
    if not setup.sizes or not setup.data:
        raise ConfigurationError("There is code for networks on data sets only: the spiral and the digits have it.")
    sizes = [setup.X.shape[1], *setup.sizes, len(setup.class_names) or 1]
    penalty = f", penalty=L2({setup.penalty!r})" if setup.penalty else ""
    dropout = f", dropout={controls['dropout']!r}" if controls["dropout"] else ""
    layers = f"dense_network({sizes!r}, {setup.activation!r}{dropout}{penalty})"
    probable = model.loss.takes == "probabilities"
    if probable:
        layers = f"[*{layers}, Softmax()]"
    names = {"Model", type(model.optimizer).__name__, type(model.loss).__name__}
    names |= ({"Softmax"} if probable else set()) | ({"L2"} if penalty else set())
    lines = [
        "import numpy as np",
        "",
        f"from chainrule import {', '.join(sorted(names))}, datasets",
        "from chainrule.recipe import dense_network",
        "",
        f"data = datasets.resolve({setup.data!r})",
        "X, y = np.asarray(data.X_train, dtype=np.float64).reshape(len(data.X_train), -1), data.y_train",
        "model = Model(",
        f"    {layers},",
        f"    {type(model.loss).__name__}(reduction={model.loss.reduction!r}),",
        f"    {type(model.optimizer).__name__}({controls['rate']!r}),",
        f"    seed={model.run.seed},",
        '    dtype="float64",',
        "    class_names=data.class_names,",
        ")",
        f"model.fit(X, y, epochs={model.run.epoch}, batch_size={setup.batch_size})",
        "print(model.evaluate(X, y))",
    ]
    return "\n".join(lines) + "\n"
