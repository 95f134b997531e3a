"""How good a model is, in numbers and as the shell shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..ensemble import Ensemble
from ..model import Model
from ..training.symptoms import UNEVEN
from .streamed import evaluated, predicted

__all__ = ["confusion", "measure", "print_metrics", "uneven"]

SHARES = ("accuracy", "f1", "balanced_accuracy")  # printed in percent
_CLASSES = 12  # in a confusion matrix at most


def uneven(y: NDArray[Any]) -> bool:
    """Whether some class has several times the samples of another, so that accuracy alone misleads."""
    counts = np.bincount(y)
    return bool(counts.max() >= UNEVEN * counts[counts > 0].min())


def measure(model: Model | Ensemble, X: NDArray[Any], y: NDArray[Any], balanced: bool) -> dict[str, Any]:
    """The metrics on some samples, in the table's own unit; of classes also the balanced accuracy where asked for."""
    measured: dict[str, Any]
    if model.loss.classifies:
        found = predicted(model, X)
        measured = evaluated(model, X, y) | {"f1": float(metrics.f1(y, found, average="macro"))}
        return measured | ({"balanced_accuracy": metrics.balanced_accuracy(y, found)} if balanced else {})
    decode = np.asarray if model.preprocessing is None else model.preprocessing.decode_target
    wanted, given = decode(y), decode(predicted(model, X))
    names = () if model.preprocessing is None else model.preprocessing.targets
    measured = {"loss": evaluated(model, X, y)["loss"]}
    if len(names) < 2:
        return measured | _of_values(wanted, given)
    each = {name: _of_values(wanted[:, i], given[:, i]) for i, name in enumerate(names)}  # in its own unit
    return measured | {"r2": float(np.mean([one["r2"] for one in each.values()])), "targets": each}


def _of_values(wanted: NDArray[Any], given: NDArray[Any]) -> dict[str, float]:
    return {
        "mae": metrics.mean_absolute_error(wanted, given),
        "rmse": metrics.root_mean_squared_error(wanted, given),
        "r2": metrics.r2(wanted, given),
    }


def print_metrics(console: Any, measured: dict[str, dict[str, Any]]) -> None:
    """A table with a row for each part of the data."""
    from rich.table import Table

    if any("targets" in numbers for numbers in measured.values()):
        parts = {part: numbers["targets"].items() for part, numbers in measured.items()}
        measured = {f"{part}, {name}": one for part, each in parts.items() for name, one in each}
    names = list(next(iter(measured.values())))
    table = Table("", *names)
    for part, numbers in measured.items():
        table.add_row(part, *(f"{numbers[n]:.2%}" if n in SHARES else f"{numbers[n]:.4g}" for n in names))
    console.print(table)


def confusion(wanted: NDArray[Any], found: NDArray[Any], names: Sequence[str]) -> Any:
    """How often each class was taken for each other, as a table of rich; None for more than a dozen classes."""
    from rich.table import Table
    from rich.text import Text

    present = sorted({*wanted.tolist(), *found.tolist()})
    if len(present) > _CLASSES:
        return None
    table = Table()
    for name in ("is", *(names[k] for k in present)):
        table.add_column(Text(name))
    counts = metrics.confusion_matrix(wanted, found, classes=len(names))  # (C,C)
    for k in present:
        table.add_row(Text(names[k]), *(str(int(counts[k, other])) for other in present))
    return table
