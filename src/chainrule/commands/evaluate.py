"""`chainrule evaluate`: measures a trained model on a table whose targets are known."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Any

import numpy as np

from .. import metrics
from ..display.terminal import terminal
from ..ensemble import load
from .console import say
from .ending import by_class
from .reading import labelled_rows_for, warned
from .results import confusion, measure, print_metrics


def evaluate(path: Path, name: str, json: bool) -> None:
    """Print the metrics of `chainrule train` on all rows of a table, or on the held-out part of a data set."""
    model = load(path)
    with warned() as notes:
        X, y, class_names = labelled_rows_for(model, name)
    measured = measure(model, X, y, balanced=True)
    predicted = model.predict(X) if model.loss.classifies else np.empty(0, dtype=np.int64)
    if json:
        print(jsons.dumps(_plain(measured, y, predicted, class_names, len(X)) | ({"notes": notes} if notes else {})))
        return
    console = terminal()
    for note in notes:
        say(console, note)
    print_metrics(console, {f"{len(X)} rows": measured})
    if not model.loss.classifies or predicted.ndim > 1:
        return
    most = int(np.bincount(y).argmax())
    say(console, f"Always guessing {class_names[most]} is right in {np.mean(y == most):.2%}.")
    for line in by_class(predicted, y, class_names, console.width, "Accuracy by class"):
        say(console, line)
    table = confusion(y, predicted, class_names)
    if table is not None:
        say(console, "What the rows of each class were taken for:")
        console.print(table)


def _plain(measured: dict[str, Any], y: Any, predicted: Any, names: tuple[str, ...], rows: int) -> dict[str, Any]:
    """What is printed, as one object."""
    if not len(predicted) or predicted.ndim > 1:
        return {"rows": rows} | measured
    matrix = metrics.confusion_matrix(y, predicted, classes=len(names))  # (C,C)
    recalls = {name: matrix[k, k] / matrix[k].sum() for k, name in enumerate(names) if matrix[k].sum()}
    return {
        "rows": rows,
        **measured,
        "classes": list(names),
        "recall": {name: float(share) for name, share in recalls.items()},
        "confusion": matrix.astype(int).tolist(),
    }
