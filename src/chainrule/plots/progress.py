"""Plots of training: the history, gradient norms, the learning-rate search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..columns import EPOCH, GRADIENT_NORM, Column, measured
from ..display.palette import BLUE, VERMILLION
from ..errors import DataError, UnknownNameError
from .canvas import (
    as_shown,
    colors_of,
    draw_curve,
    label_axes,
    make_logarithmic,
    make_panels,
    unformatted,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Recorded(Protocol):
    """The part of `History` that plots use."""

    def __len__(self) -> int:
        """The number of epochs."""

    @property
    def records(self) -> list[dict[str, float]]:
        """A dict for each epoch."""

    @property
    def names(self) -> list[str]:
        """The names of what was measured."""


class Found(Protocol):
    """The part of `LearningRateFinder` that plots use."""

    rates: list[float]
    losses: list[float]
    suggestion: float | None


def plot_history(
    history: Recorded,
    names: Sequence[str] | None = None,
    *,
    log: bool = False,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Loss and metrics over the epochs: a panel for each, with training and validation curves.

    `names` chooses other columns of the history; `x` and `val_x` share a panel. `log=True` puts losses, errors and
    rates on a logarithmic scale. `ax` holds one Axes per panel. Raises `UnknownNameError` for a column that does not
    exist, `DataError` for an empty history, `ShapeError` for the wrong number of `ax`.

    >>> from chainrule import History
    >>> figure = plot_history(History([{"epoch": 1, "loss": 0.5, "val_loss": 0.75}, {"epoch": 2, "loss": 0.25}]))
    >>> [(line.get_label(), line.get_ydata().tolist()) for line in figure.axes[0].lines]
    [('training', [0.5, 0.25]), ('validation', [0.75])]
    """
    if not len(history):
        raise DataError("The history is empty; call model.fit(X, y) first.")
    for name in names or ():
        if name not in history.names:
            raise UnknownNameError("column of the history", name, history.names)
    panels: dict[str, list[str]] = {}
    for name in measured(history.names) if names is None else names:
        panels.setdefault(replace(Column.of(name), validation=False).name, []).append(name)
    if not panels:
        raise DataError(f"The history holds no loss or metric, only {', '.join(history.names)}; pass names=[...].")
    axes = make_panels(ax, len(panels), len(panels), (5.2, 3.8))
    for panel, (title, columns) in zip(axes, panels.items(), strict=True):
        for name in columns:
            held_out = Column.of(name).validation
            style: dict[str, Any] = {"color": VERMILLION, "linestyle": "--"} if held_out else {"color": BLUE}
            draw_curve(panel, *_column(history, name), label="validation" if held_out else "training", **style)
        label_axes(panel, title.replace("_", " ").capitalize(), "epoch", title.replace("_", " "))
        if log and Column.of(title).known.logarithmic:
            make_logarithmic(panel)
        if any(Column.of(name).validation for name in columns):
            panel.legend()
    return axes[0].figure  # type: ignore[return-value]


def plot_gradient_norms(history: Recorded, *, ax: Axes | None = None) -> Axes:
    """The norm of each layer's gradient over the epochs, √Σg² over its parameters, on a logarithmic scale.

    Lines that are powers of ten apart show that gradients vanish or explode on the way down. Reads the columns
    `gradient_norm.<node>`; epochs without one and norms of 0 are left out. Raises `DataError` if there are no such
    columns.

    >>> from chainrule import History
    >>> ax = plot_gradient_norms(History([{"epoch": 1, "gradient_norm.dense_0": 0.5}]))
    >>> [line.get_label() for line in ax.lines], ax.get_yscale()
    (['dense_0'], 'log')
    """
    columns = [column for column in map(Column.of, history.names) if column.quantity == GRADIENT_NORM]
    if not columns:
        raise DataError(f"The history has no columns {GRADIENT_NORM}.<node>; model.fit(X, y) records them.")
    (panel,) = make_panels(ax, 1, 1, (6.8, 4.0))
    for column, color in zip(columns, colors_of(len(columns)), strict=True):
        epochs, norms = _column(history, column.name)
        zero = "" if (norms > 0).any() else " (always 0)"
        draw_curve(panel, epochs, np.where(norms > 0, norms, np.nan), label=as_shown(column.node) + zero, color=color)
    make_logarithmic(panel)
    label_axes(panel, "Gradient norm of each layer", "epoch", "gradient norm √Σg²")
    unformatted(panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False).get_texts())
    return panel


def plot_learning_rates(finder: Found, *, ax: Axes | None = None) -> Axes:
    """The loss that a `LearningRateFinder` measured at each learning rate (logarithmic scale), with its suggestion.

    Raises `DataError` if it has not searched yet.

    >>> from types import SimpleNamespace
    >>> ax = plot_learning_rates(SimpleNamespace(rates=[0.01, 0.1, 1.0], losses=[2.0, 1.0, 3.0], suggestion=0.1))
    >>> ax.lines[0].get_ydata().tolist(), [text.get_text() for text in ax.get_legend().get_texts()]
    ([2.0, 1.0, 3.0], ['suggestion 0.1'])
    """
    if not finder.rates:
        raise DataError("The finder has tried no learning rate yet; let it search first.")
    (panel,) = make_panels(ax, 1, 1, (6.0, 4.0))
    panel.plot(finder.rates, finder.losses, color=BLUE)
    panel.set_xscale("log")
    if finder.suggestion is not None:
        panel.axvline(finder.suggestion, color=VERMILLION, linestyle="--", label=f"suggestion {finder.suggestion:.2g}")
        panel.legend()
    panel.grid(alpha=0.25)
    label_axes(panel, "Loss while the learning rate grows", "learning rate", "smoothed loss")
    return panel


def _column(history: Recorded, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """The epochs at which a column was measured, and its values."""
    numbered = enumerate(history.records, start=1)
    pairs = [(record.get(EPOCH, i), record[name]) for i, record in numbered if name in record]
    epochs, values = np.array(pairs, dtype=np.float64).T
    return epochs, values
