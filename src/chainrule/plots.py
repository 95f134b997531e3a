"""Pictures of networks and their training, drawn with matplotlib: pip install "chainrule[plots]".

A function that draws one panel returns its `Axes`, one that draws several returns the `Figure`. Given `ax` it draws
there. Otherwise it makes a figure of its own, without pyplot: nothing global changes, no window opens, and it works in
threads and without a screen. Such a picture shows itself at the end of a notebook cell; elsewhere
`ax.figure.savefig("picture.png")` keeps it. Colours are those of Okabe and Ito (2008), apart for colour-blind readers
too. B = samples, I = inputs, N = neurons, C = classes.
"""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .backprop import loss_and_gradients
from .errors import ConfigurationError, DataError, ShapeError, UnknownNameError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from .graph import Graph
    from .layer import Arrays
    from .losses import Loss

__all__ = [
    "plot_confusion_matrix",
    "plot_decision_boundary",
    "plot_gradient_norms",
    "plot_histograms",
    "plot_history",
    "plot_jacobian",
    "plot_learning_rates",
    "plot_loss_along",
]

BLUE, VERMILLION, BLACK, GREY = "#0072B2", "#D55E00", "#000000", "#999999"
OKABE_ITO = (BLUE, VERMILLION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", BLACK, "#F0E442")
MARKERS = "osD^vP*X"
MISSING = 'plots need matplotlib: pip install "chainrule[plots]"'
NORM = "gradient_norm."


class Recorded(Protocol):
    """What is drawn of a `History`."""

    records: list[dict[str, float]]

    @property
    def names(self) -> list[str]:
        """The names of what was measured."""


class Found(Protocol):
    """What is drawn of a `LearningRateFinder`."""

    rates: list[float]
    losses: list[float]
    suggestion: float | None


class Trained(Protocol):
    """What is drawn of a `Model`."""

    class_names: tuple[str, ...]

    @property
    def network(self) -> Graph:
        """The network."""

    @property
    def loss(self) -> Loss:
        """The loss."""

    @property
    def parameters(self) -> Arrays:
        """The parameters by dotted name."""

    @property
    def state(self) -> Arrays:
        """The state by dotted name."""

    def inputs(self, X: Any) -> NDArray[Any]:
        """X as the network reads it."""

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each sample, (B,)."""

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """The probability of each class, (B, C), or of "yes", (B, 1)."""


# Training


def plot_history(
    history: Recorded,
    names: Sequence[str] | None = None,
    *,
    log: bool = False,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """What was measured over the epochs: one panel for the loss, one for the metric, training beside validation.

    `names` chooses columns of the history instead; `x` and `val_x` share a panel. `log=True` puts losses, errors and
    rates on a logarithmic scale. `ax` holds one Axes for each panel. Raises `UnknownNameError` for a name that was not
    measured, `DataError` for an empty history, `ShapeError` for another number of `ax`.

    >>> from chainrule import History
    >>> figure = plot_history(History([{"epoch": 1, "loss": 0.5, "val_loss": 0.75}, {"epoch": 2, "loss": 0.25}]))
    >>> [(line.get_label(), line.get_ydata().tolist()) for line in figure.axes[0].lines]
    [('training', [0.5, 0.25]), ('validation', [0.75])]
    """
    if not history.records:
        raise DataError("The history is empty; call model.fit(X, y) first.")
    for name in names or ():
        if name not in history.names:
            raise UnknownNameError("column of the history", name, history.names)
    panels: dict[str, list[str]] = {}
    for name in _measured(history) if names is None else names:
        panels.setdefault(name.removeprefix("val_"), []).append(name)
    if not panels:
        raise DataError(f"The history holds no loss or metric, only {', '.join(history.names)}; pass names=[...].")
    axes = _panels(ax, len(panels), len(panels), (5.2, 3.8))
    for panel, (title, columns) in zip(axes, panels.items(), strict=True):
        for name in columns:
            held_out = name.startswith("val_")
            style: dict[str, Any] = {"color": VERMILLION, "linestyle": "--"} if held_out else {"color": BLUE}
            _curve(panel, *_column(history, name), label="validation" if held_out else "training", **style)
        _label(panel, title.replace("_", " ").capitalize(), "epoch", title.replace("_", " "))
        if log and title.rpartition("_")[2] in ("loss", "error", "rate"):
            _logarithmic(panel)
        if any(name.startswith("val_") for name in columns):
            panel.legend()
    return axes[0].figure  # type: ignore[return-value]


def plot_gradient_norms(history: Recorded, *, ax: Axes | None = None) -> Axes:
    """The size of each layer's gradient over the epochs, √Σg² over its parameters, on a logarithmic scale.

    Lines that drift apart by powers of ten say that gradients vanish or explode on the way down. Reads the columns
    `gradient_norm.<node>`; an epoch without one is left out, and so is a norm of 0. Raises `DataError` where there are
    none.

    >>> from chainrule import History
    >>> ax = plot_gradient_norms(History([{"epoch": 1, "gradient_norm.dense_0": 0.5}]))
    >>> [line.get_label() for line in ax.lines], ax.get_yscale()
    (['dense_0'], 'log')
    """
    columns = [name for name in history.names if name.startswith(NORM)]
    if not columns:
        raise DataError(
            f"The history has no columns {NORM}<node>; model.fit(X, y) records them from its last epoch on."
        )
    (panel,) = _panels(ax, 1, 1, (6.8, 4.0))
    for column, color in zip(columns, _colors(len(columns)), strict=True):
        epochs, norms = _column(history, column)
        zero = "" if (norms > 0).any() else " (always 0)"
        _curve(panel, epochs, np.where(norms > 0, norms, np.nan), label=_shown(column[len(NORM) :]) + zero, color=color)
    _logarithmic(panel)
    _label(panel, "Gradient norm of each layer", "epoch", "gradient norm √Σg²")
    _unformatted(panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False).get_texts())
    return panel


def plot_learning_rates(finder: Found, *, ax: Axes | None = None) -> Axes:
    """The loss that a `LearningRateFinder` saw at each learning rate, on a logarithmic scale, with its suggestion.

    Raises `DataError` where it has not searched yet.

    >>> from types import SimpleNamespace
    >>> ax = plot_learning_rates(SimpleNamespace(rates=[0.01, 0.1, 1.0], losses=[2.0, 1.0, 3.0], suggestion=0.1))
    >>> ax.lines[0].get_ydata().tolist(), [text.get_text() for text in ax.get_legend().get_texts()]
    ([2.0, 1.0, 3.0], ['suggestion 0.1'])
    """
    if not finder.rates:
        raise DataError("The finder has tried no learning rate yet; let it search first.")
    (panel,) = _panels(ax, 1, 1, (6.0, 4.0))
    panel.plot(finder.rates, finder.losses, color=BLUE)
    panel.set_xscale("log")
    if finder.suggestion is not None:
        panel.axvline(finder.suggestion, color=VERMILLION, linestyle="--", label=f"suggestion {finder.suggestion:.2g}")
        panel.legend()
    panel.grid(alpha=0.25)
    _label(panel, "Loss while the learning rate grows", "learning rate", "smoothed loss")
    return panel


def _measured(history: Recorded) -> list[str]:
    """The columns of losses and metrics."""
    return [n for n in history.names if n not in ("epoch", "learning_rate", "seconds") and "." not in n]


def _column(history: Recorded, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """The epochs in which something was measured, and what."""
    numbered = enumerate(history.records, start=1)
    pairs = [(record.get("epoch", i), record[name]) for i, record in numbered if name in record]
    epochs, values = np.array(pairs, dtype=np.float64).T
    return epochs, values


def _curve(ax: Axes, epochs: NDArray[Any], values: NDArray[Any], **style: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.plot(epochs, values, marker="o" if len(epochs) <= 25 else "", markersize=3.5, **style)
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    ax.grid(alpha=0.25)


def _logarithmic(ax: Axes) -> None:
    """A logarithmic scale where there is something to put on it; numbers that are not above 0 are left out."""
    if any((np.asarray(line.get_ydata()) > 0).any() for line in ax.lines):
        ax.set_yscale("log", nonpositive="mask")


# What a network decides


def plot_decision_boundary(
    model: Trained,
    X: Any,
    y: ArrayLike,
    class_names: Sequence[str] | None = None,
    steps: int = 200,
    *,
    ax: Axes | None = None,
) -> Axes:
    """The plane of two features, coloured by the class that the model chooses, with the samples on top.

    The stronger the colour, the higher the probability; lines are where two classes are equally probable. Shapes: X
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
    _at_least("steps", steps, 2)
    (panel,) = _panels(ax, 1, 1, (6.4, 5.0))
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)  # (2,)
    margin = np.where(high > low, 0.08 * (high - low), 1.0)  # (2,)
    x0, x1 = (np.linspace(low[i] - margin[i], high[i] + margin[i], steps) for i in (0, 1))  # (S,)
    plane = np.stack(np.meshgrid(x0, x1), axis=-1).reshape(-1, 2)  # (S·S,2)
    p = _all_classes(model.predict_proba(plane)).reshape(steps, steps, -1)  # (S,S,C)
    classes = p.shape[2]
    labels = _class_indices(y, len(points), classes)
    shown = _names(model.class_names if class_names is None else class_names, classes, "class {}")
    colors = _colors(classes)
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
        panel.scatter(own[:, 0], own[:, 1], marker=marker, label=_shown(shown[c]), **style)
    panel.locator_params(nbins=6)
    _label(panel, "Decision boundary", "feature 0", "feature 1")
    legend = panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    _unformatted(legend.get_texts())
    return panel


def plot_confusion_matrix(
    matrix: ArrayLike,
    class_names: Sequence[str] | None = None,
    normalize: bool = False,
    *,
    ax: Axes | None = None,
) -> Axes:
    """The counts of `metrics.confusion_matrix`, (C, C): true classes down, predicted ones across.

    The colour is the share of the row, so that rare classes show as well as frequent ones, on a square-root scale, so
    that few mistakes show beside many hits; `normalize=True` writes the shares in place of the counts. Raises
    `ShapeError` for another shape or number of names, `DataError` for negative counts.

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
    _require_matplotlib()
    from matplotlib.colors import PowerNorm

    counts = given.astype(np.float64)  # (C,C)
    classes = len(counts)
    shown = [_short(name) for name in _names(class_names, classes, "{}")]
    totals = counts.sum(axis=1, keepdims=True)  # (C,1)
    shares = counts / np.where(totals > 0, totals, 1.0)  # (C,C)
    side = min(max(0.42 * classes, 2.4), 12.0)  # inches
    names = 0.085 * max(len(name) for name in shown)
    (panel,) = _panels(ax, 1, 1, (side + names + 1.9, side + min(names, 1.4) + 0.8))
    image = panel.imshow(shares, cmap=_colormap("white", BLUE), norm=PowerNorm(0.5, 0, 1))
    texts = [
        [_share(s) if normalize else f"{n:.0f}" if n == round(n) else f"{n:.2g}" for n, s in zip(*rows, strict=True)]
        for rows in zip(counts, shares, strict=True)
    ]
    _write_cells(panel, image, texts, faint=counts == 0)
    _name_cells(panel, shown, shown)
    _label(panel, "Confusion matrix", "predicted class", "true class")
    bar = panel.figure.colorbar(image, ax=panel, label="share of the true class", fraction=0.046, pad=0.03)
    bar.set_ticks([0, 0.02, 0.1, 0.25, 0.5, 0.75, 1], labels=["0%", "2%", "10%", "25%", "50%", "75%", "100%"])
    return panel


def _share(share: float) -> str:
    """A share as a short percentage that does not round a mistake away.

    >>> [_share(share) for share in (0.0, 0.001, 0.28, 0.999, 1.0)]
    ['0%', '<1%', '28%', '>99%', '100%']
    """
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"


def _all_classes(p: NDArray[Any]) -> NDArray[np.float64]:
    """The probability of every class, (B, C), also where the model gives that of "yes" alone, (B, 1)."""
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
    """The colour of the most probable class, paler where it is less sure: (S, S, C) -> (S, S, 3)."""
    from matplotlib.colors import to_rgb

    classes = p.shape[2]
    sure = (p.max(axis=2, keepdims=True) - 1 / classes) / (1 - 1 / classes) if classes > 1 else p  # (S,S,1)
    rgb = np.array([to_rgb(color) for color in colors])[p.argmax(axis=2)]  # (S,S,3)
    return np.asarray(1 - (0.15 + 0.45 * sure.clip(0, 1)) * (1 - rgb))


# Numbers inside


def plot_histograms(
    arrays: Mapping[str, ArrayLike],
    title: str | None = None,
    *,
    bins: int = 50,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """How the numbers of each array are spread, one panel for each: `model.parameters`, or `model.gradients(X, y)`.

    Above a panel stand name, mean and standard deviation; numbers that are not finite are counted there and left out.
    `ax` holds one Axes for each panel. Raises `DataError` where there is no array, `ShapeError` for another number of
    `ax`.

    >>> figure = plot_histograms({"weights": [[0.0, 1.0], [1.0, 1.0]]}, bins=2)
    >>> [int(bar.get_height()) for bar in figure.axes[0].patches]
    [1, 3]
    """
    if not arrays:
        raise DataError("There are no arrays to draw; pass model.parameters or model.gradients(X, y).")
    _at_least("bins", bins, 1)
    _require_matplotlib()
    from matplotlib.ticker import MaxNLocator

    columns = min(len(arrays), 4 if len(arrays) > 6 else 3 if len(arrays) > 4 else 2)
    axes = _panels(ax, len(arrays), columns, (3.3, 2.5))
    for i, (panel, (name, array)) in enumerate(zip(axes, arrays.items(), strict=True)):
        numbers = np.asarray(array, dtype=np.float64).reshape(-1)
        finite = numbers[np.isfinite(numbers)]
        panel.hist(finite, bins=bins, range=_range(finite), color=BLUE)
        lost = f", {len(numbers) - len(finite)} not finite" if len(finite) < len(numbers) else ""
        spread = f"mean {finite.mean():.2g}, std {finite.std():.2g}" if len(finite) else "empty"
        across = "value" if i >= len(arrays) - columns else ""
        _label(panel, f"{_short(name, 36)}\n{spread}{lost}", across, "count" if i % columns == 0 else "")
        panel.title.set_fontsize("medium")
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        panel.ticklabel_format(axis="x", style="sci", scilimits=(-2, 4), useMathText=True)
    figure: Figure = axes[0].figure  # type: ignore[assignment]
    if title:
        _unformatted([figure.suptitle(title)])
    return figure


def _range(numbers: NDArray[np.float64]) -> tuple[float, float] | None:
    """From where to where to count: None, all of them, unless they lie too close together to be told apart."""
    if not len(numbers) or np.ptp(numbers) > 1e-9 * np.abs(numbers).max():
        return None
    middle = float(numbers[0])
    return middle - abs(middle) / 2 - (middle == 0), middle + abs(middle) / 2 + (middle == 0)


def plot_jacobian(
    jacobian: ArrayLike,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """One sample's Jacobian (N, I) as a map: row n, column i is d(output n) / d(input i), white is 0.

    Small ones have their numbers in the cells; what is not finite is grey. Raises `ShapeError` for another shape or
    number of names.

    >>> from chainrule import softmax_jacobian
    >>> ax = plot_jacobian(softmax_jacobian([0.7, 0.1, 0.2]))
    >>> [text.get_text() for text in ax.texts[:3]]
    ['0.21', '-0.07', '-0.14']
    """
    J = np.asarray(jacobian, dtype=np.float64)  # (N,I)
    if J.ndim != 2 or not J.size:
        hint = "; pass one sample's, jacobian[0]" if J.ndim == 3 else ""
        raise ShapeError(f"A Jacobian has shape (N, I), not {J.shape}{hint}.")
    rows, columns = J.shape
    outputs, inputs = _names(output_names, rows, "{}"), _names(input_names, columns, "{}")
    width, height = min(2.6 + 0.5 * columns, 12.0), min(1.6 + 0.5 * rows, 9.0)
    (panel,) = _panels(ax, 1, 1, (max(width, 4.2), max(height, 2.8)))
    largest = np.max(np.abs(J), where=np.isfinite(J), initial=0.0) or 1.0
    colors = _colormap(BLUE, "white", VERMILLION).with_extremes(bad="#DDDDDD")
    image = panel.imshow(np.ma.masked_invalid(J), cmap=colors, vmin=-largest, vmax=largest, aspect="auto")
    if rows <= 16 and columns <= 16:
        _write_cells(panel, image, [[f"{number:.2g}" for number in row] for row in J + 0.0])
    _name_cells(panel, [_short(n) for n in inputs], [_short(n) for n in outputs])
    _label(panel, "Jacobian", "input", "output")
    panel.figure.colorbar(image, ax=panel, label="d(output) / d(input)")
    return panel


def plot_loss_along(
    model: Trained,
    X: Any,
    y: ArrayLike,
    name: str,
    index: int | Sequence[int],
    span: float | None = None,
    points: int = 201,
    *,
    ax: Axes | None = None,
) -> Axes:
    """The loss as a function of one parameter, all others as they are, with its tangent at today's value.

    The tangent's slope is the gradient, dL/dw. Every point is a whole pass over the samples in float64 and in inference
    mode; the model stays as it is. `name` and `index` choose the parameter: "dense_0.weights", (1, 2). `span` is how
    far to go to each side, without it the larger of 1 and twice today's size. Raises `UnknownNameError` for another
    name, `ShapeError` for an index outside, `ConfigurationError` for a span or a number of points that cannot be.

    >>> from chainrule import Dense, MeanSquaredError, Model
    >>> model = Model([Dense(1, 1)], loss=MeanSquaredError())
    >>> model.parameters = {"dense_0.weights": [[2.0]], "dense_0.biases": [[0.0]]}
    >>> ax = plot_loss_along(model, [[3.0]], [5.0], "dense_0.weights", (0, 0), span=1, points=3)
    >>> ax.lines[0].get_xdata(), ax.lines[0].get_ydata()                  # (3w - 5)²
    (array([1., 2., 3.]), array([ 4.,  1., 16.]))
    >>> ax.lines[1].get_slope()                                            # 2·(3w - 5)·3
    6.0
    """
    parameters = {key: np.array(value, dtype=np.float64) for key, value in model.parameters.items()}
    if name not in parameters:
        raise UnknownNameError("parameter", name, parameters)
    place = _place(name, parameters[name].shape, index)
    _at_least("points", points, 2)
    today = float(parameters[name][place])
    reach = max(1.0, 2 * abs(today)) if span is None else span
    if not 0 < reach < math.inf:
        raise ConfigurationError(f"span must be a finite number above 0, not {span!r}.")
    (panel,) = _panels(ax, 1, 1, (6.4, 4.2))
    inputs, state = model.inputs(X).astype(np.float64), model.state

    def at(value: float) -> tuple[float, float]:
        parameters[name][place] = value
        options: dict[str, Any] = {"state": state, "training": False}
        with np.errstate(all="ignore"):
            loss, gradients = loss_and_gradients(model.network, model.loss, parameters, inputs, y, **options)
        return loss, float(gradients[name][place])

    values = today + np.linspace(-reach, reach, points)
    losses = np.array([at(float(value))[0] for value in values])
    loss, slope = at(today)
    panel.plot(values, losses, color=BLUE, label="loss")
    tangent = panel.axline((today, loss), slope=slope, color=VERMILLION, linestyle="--")
    tangent.set_label(f"tangent, dL/dw = {slope:.4g}")
    panel.plot([today], [loss], "o", color=BLACK, label=f"today, w = {today:.4g}, L = {loss:.4g}")
    finite = [loss, *losses[np.isfinite(losses)]]
    flat = max(finite) - min(finite) <= 1e-9 * abs(loss)  # no more than rounding
    margin = 0.1 * abs(loss) or 1.0 if flat else 0.08 * (max(finite) - min(finite))
    panel.set_xlim(values[0], values[-1])
    panel.set_ylim(min(finite) - margin, max(finite) + margin)
    panel.ticklabel_format(useOffset=False)
    panel.grid(alpha=0.25)
    _label(panel, f"Loss along {name}[{', '.join(map(str, place))}]", "value of w", "loss")
    panel.legend()
    return panel


def _place(name: str, shape: tuple[int, ...], index: int | Sequence[int]) -> tuple[int, ...]:
    """The index as a tuple, if the array has such an entry."""
    place = tuple(index) if isinstance(index, Sequence | np.ndarray) else (index,)
    whole = all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in place)
    if not whole or len(place) != len(shape) or not all(-n <= i < n for i, n in zip(place, shape, strict=True)):
        last = tuple(n - 1 for n in shape)
        raise ShapeError(f"{name} has shape {shape} and no entry {index!r}; its last one is {last}.")
    return tuple(int(i) % n for i, n in zip(place, shape, strict=True))


# Figures, colours and texts


def _panels(ax: Axes | Sequence[Axes] | None, count: int, columns: int, size: tuple[float, float]) -> list[Axes]:
    """The Axes to draw on: those given, or new ones in rows of `columns`, each of `size` in inches."""
    _require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if ax is not None:
        given: list[Axes] = np.asarray(ax, dtype=object).reshape(-1).tolist()
        if len(given) != count:
            raise ShapeError(
                f"There are {count} panels to draw and {len(given)} Axes in ax; "
                f"write ax=figure.subplots(1, {count}), or leave ax out."
            )
        return given
    rows = -(-count // columns)
    figure = Figure(
        figsize=(size[0] * columns, size[1] * rows),
        dpi=100,
        layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08, compress=True),
    )
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(rows, columns, i + 1) for i in range(count)]
    for shows in (figure, *axes):
        vars(shows)["_repr_png_"] = functools.partial(_png, figure)  # what notebooks ask for
    return axes


def _require_matplotlib() -> None:
    import importlib

    try:
        importlib.import_module("matplotlib")
    except ModuleNotFoundError:
        raise ConfigurationError(MISSING) from None


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _colors(count: int) -> list[str]:
    """A colour for each of some classes or layers; more than there are in the palette run from dark to light."""
    if count <= len(OKABE_ITO):
        return list(OKABE_ITO[:count])
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(color) for color in colormaps["viridis"](np.linspace(0, 0.95, count))]


def _colormap(*colors: str) -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(" to ".join(colors), colors)


def _write_cells(ax: Axes, image: Any, texts: Sequence[Sequence[str]], faint: Any = False) -> None:
    """A text in each cell of an image, black or white, whichever stands out, as large as fits; none where too small."""
    width, height = _cell(ax, len(texts), len(texts[0]))
    size = min(10.0, 0.85 * width / (0.64 * max(len(text) for row in texts for text in row)), 0.6 * height)
    if size < 4:
        return
    rgb = np.asarray(image.to_rgba(image.get_array()))[:, :, :3]  # (N,I,3)
    light = rgb**2.2 @ np.array([0.2126, 0.7152, 0.0722]) > 0.18  # (N,I), where black has the higher contrast
    grey = np.broadcast_to(faint, light.shape)  # (N,I)
    for (i, j), bright in np.ndenumerate(light):
        color = GREY if grey[i, j] else BLACK if bright else "white"
        ax.text(j, i, texts[i][j], ha="center", va="center", fontsize=size, color=color)


def _cell(ax: Axes, rows: int, columns: int) -> tuple[float, float]:
    """Width and height of a cell in points, about."""
    box = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())  # inches
    width, height = 72 * box.width / columns, 72 * box.height / rows
    return (min(width, height),) * 2 if ax.get_aspect() == 1 else (width, height)


def _name_cells(ax: Axes, columns: Sequence[str], rows: Sequence[str]) -> None:
    """Names under the columns and beside the rows of an image: slanted where they are long, thinned where many."""
    width, height = _cell(ax, len(rows), len(columns))
    needed = 6.5 * max(len(name) for name in columns) + 4  # points
    slanted = needed > max(width, 30)
    across, down = math.ceil((13 if slanted else needed) / width), math.ceil(11 / height)
    style: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    ax.set_xticks(range(0, len(columns), across), columns[::across], **style)
    ax.set_yticks(range(0, len(rows), down), rows[::down])
    _unformatted([*ax.get_xticklabels(), *ax.get_yticklabels()])


def _label(ax: Axes, title: str, across: str, up: str) -> None:
    _unformatted([ax.set_title(title)])
    ax.set_xlabel(across)
    ax.set_ylabel(up)


def _names(names: Sequence[str] | None, count: int, otherwise: str) -> list[str]:
    """The names if there are as many as needed, or numbers."""
    if names is None or not len(names):
        return [otherwise.format(i) for i in range(count)]
    if len(names) != count:
        raise ShapeError(f"Received {len(names)} names for {count} rows or classes; pass one for each.")
    return [str(name) for name in names]


def _short(name: str, longest: int = 24) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"


def _shown(name: str) -> str:
    """A name for a legend, which would leave out one that begins with an underscore."""
    return f" {name}" if name.startswith("_") else _short(name)


def _unformatted(texts: Sequence[Any]) -> None:
    """Show names as they are: "$10-$20" is no formula."""
    for text in texts:
        text.set_parse_math(False)


def _at_least(name: str, value: int, smallest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < smallest:
        raise ConfigurationError(f"{name} must be a whole number of at least {smallest}, not {value!r}.")
