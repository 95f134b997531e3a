"""Plots of a model's decisions: the boundary between classes, the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..display.palette import BLACK, BLUE
from ..errors import ConfigurationError, DataError, ShapeError
from .canvas import (
    MARKERS,
    as_shown,
    colormap_of,
    colors_of,
    label_axes,
    make_panels,
    name_cells,
    names_of,
    require_at_least,
    require_matplotlib,
    share_text,
    shortened,
    unformatted,
    write_cells,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..trained import Trained


def plot_decision_boundary(
    model: Trained,
    X: Any,
    y: ArrayLike,
    class_names: Sequence[str] | None = None,
    steps: int = 200,
    *,
    ax: Axes | None = None,
) -> Axes:
    """The plane of two features coloured by the predicted class, with the samples on top.

    The stronger the colour, the higher the probability; on the lines two classes are equally probable. Shapes: X
    (B, 2), y (B,) class indices or (B, C) one-hot. The plane is computed at steps × steps points. Raises `ShapeError`
    for other than two features, `ConfigurationError` for a model that does not choose one class, `DataError` for
    targets that are no class of the model.

    >>> from chainrule import Dense, Model, SoftmaxCrossentropy
    >>> model = Model([Dense(2, 3)], loss=SoftmaxCrossentropy())
    >>> ax = plot_decision_boundary(model, [[0.0, 0.0], [1.0, 2.0]], [0, 2], steps=10)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['class 0', 'class 1', 'class 2']
    """
    points = model.inputs(X)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ShapeError(
            f"plot_decision_boundary draws two features, X of shape (B, 2), not {points.shape}; train a model on two "
            "columns, X[:, [0, 1]]."
        )
    if model.predict(points).ndim != 1:
        raise ConfigurationError(f"plot_decision_boundary draws classes, and {model.loss.name} gives no single class.")
    require_at_least("steps", steps, 2)
    (panel,) = make_panels(ax, 1, 1, (6.4, 5.0))
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)  # (2,)
    margin = np.where(high > low, 0.08 * (high - low), 1.0)  # (2,)
    x0, x1 = (np.linspace(low[i] - margin[i], high[i] + margin[i], steps) for i in (0, 1))  # (S,)
    plane = np.stack(np.meshgrid(x0, x1), axis=-1).reshape(-1, 2)  # (S·S,2)
    p = _all_classes(model.predict_proba(plane)).reshape(steps, steps, -1)  # (S,S,C)
    classes = p.shape[2]
    labels = _class_indices(y, len(points), classes)
    shown = names_of(model.class_names if class_names is None else class_names, classes, "class {}")
    colors = colors_of(classes)
    half0, half1 = (x0[1] - x0[0]) / 2, (x1[1] - x1[0]) / 2
    extent = (x0[0] - half0, x0[-1] + half0, x1[0] - half1, x1[-1] + half1)
    panel.imshow(_shades(p, colors), origin="lower", extent=extent, aspect="auto")
    for c in range(classes if classes > 2 else 1):
        lead = p[:, :, c] - np.delete(p, c, axis=2).max(axis=2)  # (S,S), 0 where class c is as probable as another
        if lead.min() < 0 < lead.max():
            panel.contour(x0, x1, lead, levels=[0.0], colors=BLACK, linewidths=0.8, alpha=0.6)
    size = 26 if len(points) <= 400 else 16
    for c in range(classes):
        own, marker = points[labels == c], MARKERS[c % len(MARKERS)]
        style: dict[str, Any] = {"s": size, "color": colors[c], "edgecolors": BLACK, "linewidths": 0.5}
        panel.scatter(own[:, 0], own[:, 1], marker=marker, label=as_shown(shown[c]), **style)
    panel.locator_params(nbins=6)
    label_axes(panel, "Decision boundary", "feature 0", "feature 1")
    legend = panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    unformatted(legend.get_texts())
    return panel


def plot_confusion_matrix(
    matrix: ArrayLike,
    class_names: Sequence[str] | None = None,
    normalize: bool = False,
    *,
    ax: Axes | None = None,
) -> Axes:
    """The counts of `metrics.confusion_matrix`, (C, C): true classes down, predicted ones across.

    Cells are coloured by their fraction of the row, so that rare classes are as visible as frequent ones, on a
    square-root scale, so that a few mistakes are visible beside many hits; `normalize=True` shows the fractions instead
    of the counts. Raises `ShapeError` for a wrong shape or number of names, `DataError` for negative counts.

    >>> ax = plot_confusion_matrix([[2, 1], [0, 3]], ["cat", "dog"])
    >>> [text.get_text() for text in ax.texts]
    ['2', '1', '0', '3']
    """
    given = np.asarray(matrix)
    if given.ndim != 2 or given.shape[0] != given.shape[1] or not len(given):
        raise ShapeError(
            f"A confusion matrix has shape (C, C), not {given.shape}; write confusion_matrix(targets, predictions)."
        )
    if given.dtype.kind not in "fiub" or not (given >= 0).all():
        raise DataError("A confusion matrix holds counts of at least 0; write confusion_matrix(targets, predictions).")
    require_matplotlib()
    from matplotlib.colors import PowerNorm

    counts = given.astype(np.float64)  # (C,C)
    classes = len(counts)
    shown = [shortened(name) for name in names_of(class_names, classes, "{}")]
    totals = counts.sum(axis=1, keepdims=True)  # (C,1)
    shares = counts / np.where(totals > 0, totals, 1.0)  # (C,C)
    side = min(max(0.42 * classes, 2.4), 12.0)  # inches
    names = 0.085 * max(len(name) for name in shown)
    (panel,) = make_panels(ax, 1, 1, (side + names + 1.9, side + min(names, 1.4) + 0.8))
    image = panel.imshow(shares, cmap=colormap_of("white", BLUE), norm=PowerNorm(0.5, 0, 1))
    texts = [
        [
            share_text(s) if normalize else f"{n:.0f}" if n == round(n) else f"{n:.2g}"
            for n, s in zip(*rows, strict=True)
        ]
        for rows in zip(counts, shares, strict=True)
    ]
    write_cells(panel, image, texts, faint=counts == 0)
    name_cells(panel, shown, shown)
    label_axes(panel, "Confusion matrix", "predicted class", "true class")
    bar = panel.figure.colorbar(image, ax=panel, label="share of the true class", fraction=0.046, pad=0.03)
    bar.set_ticks([0, 0.02, 0.1, 0.25, 0.5, 0.75, 1], labels=["0%", "2%", "10%", "25%", "50%", "75%", "100%"])
    return panel


def _all_classes(p: NDArray[Any]) -> NDArray[np.float64]:
    """The probability of every class, (B, C), also if the model returns only that of "yes", (B, 1)."""
    p = p.astype(np.float64)
    return np.concatenate([1 - p, p], axis=1) if p.shape[1] == 1 else p


def _class_indices(y: ArrayLike, samples: int, classes: int) -> NDArray[np.int64]:
    labels = np.asarray(y)
    labels = labels.argmax(axis=1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(-1)
    if len(labels) != samples:
        raise ShapeError(f"X has {samples} samples and y {len(labels)}; pass one class for each sample.")
    if labels.dtype.kind not in "fiub" or not np.isin(labels, np.arange(classes)).all():
        raise DataError(f"y must hold class indices from 0 to {classes - 1}; number the classes from 0.")
    return labels.astype(np.int64)


def _shades(p: NDArray[np.float64], colors: Sequence[str]) -> NDArray[np.float64]:
    """The colour of the most probable class, paler where it is less certain: (S, S, C) -> (S, S, 3)."""
    from matplotlib.colors import to_rgb

    classes = p.shape[2]
    sure = (p.max(axis=2, keepdims=True) - 1 / classes) / (1 - 1 / classes) if classes > 1 else p  # (S,S,1)
    rgb = np.array([to_rgb(color) for color in colors])[p.argmax(axis=2)]  # (S,S,3)
    return np.asarray(1 - (0.15 + 0.45 * sure.clip(0, 1)) * (1 - rgb))
