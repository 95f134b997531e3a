"""The names of metrics: what people call them, and which can be measured for a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from ..errors import ConfigurationError, UnknownNameError

__all__ = ["ALIASES", "BESIDE", "OF_PROBABILITIES", "Metric", "beside", "canonical", "name_of"]

# What can be measured beside a loss, by the loss's own metric, and how people write it elsewhere.
BESIDE = {
    "accuracy": ("precision", "recall", "f1", "balanced_accuracy", "roc_auc", "log_loss"),
    "mean_absolute_error": ("mean_squared_error", "root_mean_squared_error", "r2"),
}
ALIASES = {
    "acc": "accuracy",
    "auc": "roc_auc",
    "bal_acc": "balanced_accuracy",
    "logloss": "log_loss",
    "f1_score": "f1",
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
    "rmse": "root_mean_squared_error",
    "r2_score": "r2",
}
OF_PROBABILITIES = ("roc_auc", "log_loss")  # they read `predict_proba`, the others `predict`

Metric = str | Callable[[NDArray[Any], NDArray[Any]], float]  # by its name, or a function of one's own


def canonical(name: str) -> str:
    """The name under which a number is measured: "acc" is "accuracy", "val_mae" "val_mean_absolute_error".

    >>> canonical("val_acc"), canonical("RMSE"), canonical("loss")
    ('val_accuracy', 'root_mean_squared_error', 'loss')
    """
    held_out, own = ("val_", name[4:]) if name.startswith("val_") else ("", name)
    return held_out + ALIASES[own.lower()] if own.lower() in ALIASES else name


def beside(names: Metric | Sequence[Metric], own: str) -> tuple[Metric, ...]:
    """The metrics that `names` ask for beside a loss's `own`, which is measured anyway; functions stay what they are.

    Raises `UnknownNameError` for one that does not exist, or that cannot be measured for such a loss, and
    `ConfigurationError` for a function without a name of its own.

    >>> beside(["acc", "f1"], "accuracy"), beside("RMSE", "mean_absolute_error")
    (('f1',), ('root_mean_squared_error',))
    """
    known = BESIDE.get(own, ())
    asked = [names] if isinstance(names, str) or callable(names) else list(names)
    chosen = dict.fromkeys(canonical(name) if isinstance(name, str) else name for name in asked)
    for name in chosen:
        if callable(name):
            name_of(name)
        elif name != own and name not in known:
            raise UnknownNameError(f"metric for a loss that is measured by its {own}", name, (*known, own))
    return tuple(name for name in chosen if name != own)


def name_of(metric: Metric) -> str:
    """The column of the history that a metric has."""
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", "")
    if not name.isidentifier() or name.startswith("val_") or name == "loss":
        raise ConfigurationError(
            f"metrics: the function {metric!r} needs a name for its column in the history; write it with def name(...)."
        )
    return name
