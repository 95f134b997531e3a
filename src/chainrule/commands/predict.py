"""`chainrule predict`: runs a trained model on the rows of a table."""

from __future__ import annotations

import json as jsons
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..datasets.csvfile import to_csv
from ..display.terminal import terminal, visible
from ..ensemble import Ensemble, load
from ..files import write_atomically
from ..model import Model
from .console import say
from .reading import rows_for, warned
from .writing import require_another_file


def predict(path: Path, name: str, out: Path | None, json: bool) -> None:
    """Predict for the rows of a table, or for the held-out part of a built-in data set."""
    require_another_file("--out", out, model=path, table=name)
    model = load(path)
    with warned() as notes:
        X, _, wanted = rows_for(model, name)
    predicted = _decoded(model, model.predict(X))
    targets = () if model.preprocessing is None else model.preprocessing.targets
    table: dict[str, Any] = {"prediction": [_plain(value) for value in predicted]}
    if len(targets) > 1:
        table = {name: predicted[:, i].tolist() for i, name in enumerate(targets)}
    if model.loss.classifies:
        table["probability"] = [round(float(p), 6) for p in model.predict_proba(X).max(axis=1)]
    score = None if wanted is None else _score(model, wanted, predicted)
    if json:
        print(jsons.dumps(table | ({} if score is None else score) | ({"notes": notes} if notes else {})))
        return
    text = to_csv(list(table), (dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)))
    if out is None:
        print(visible(text) if sys.stdout.isatty() else text, end="")
    else:
        write_atomically(out, text.encode())
    console = terminal(stderr=out is None)
    for note in notes:
        say(console, note)
    if score is not None:
        shown = ", ".join(f"{key} {value:.4g}" for key, value in score.items())
        say(console, f"{len(predicted)} rows: {shown}")
    if out is not None:
        say(console, f"Saved {len(predicted)} predictions in {out}")


def _decoded(model: Model | Ensemble, predictions: NDArray[Any]) -> NDArray[Any]:
    if model.preprocessing is not None:
        return np.asarray(model.preprocessing.decode_target(predictions))
    if model.class_names and predictions.ndim == 1:
        return np.asarray(np.array(model.class_names)[predictions])
    return predictions


def _score(model: Model | Ensemble, wanted: NDArray[Any], predicted: NDArray[Any]) -> dict[str, float]:
    if model.loss.classifies:
        return {"accuracy": metrics.accuracy(wanted, predicted)}
    names = () if model.preprocessing is None else model.preprocessing.targets
    if len(names) > 1:
        columns = zip(names, wanted.T, predicted.T, strict=True)
        return {f"mae {name}": metrics.mean_absolute_error(one, other) for name, one, other in columns}
    return {"mae": metrics.mean_absolute_error(wanted, predicted), "r2": metrics.r2(wanted, predicted)}


def _plain(value: Any) -> Any:
    flat = np.asarray(value).reshape(-1)
    return flat[0].item() if flat.size == 1 else flat.tolist()
