"""Plots of numbers inside a network: histograms, a Jacobian, the loss along one weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..backprop import entry_of, loss_and_gradients
from ..display.palette import BLACK, BLUE, LIGHT_GREY, VERMILLION
from ..errors import ConfigurationError, DataError, ShapeError, UnknownNameError
from .canvas import (
    colormap_of,
    label_axes,
    make_panels,
    name_cells,
    names_of,
    require_at_least,
    require_matplotlib,
    shortened,
    unformatted,
    write_cells,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..trained import Trained


def plot_histograms(
    arrays: Mapping[str, ArrayLike],
    title: str | None = None,
    *,
    bins: int = 50,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """A histogram of each array, such as those of `model.parameters` or `model.gradients(X, y)`, one panel per array.

    The title of a panel has name, mean and standard deviation, and counts numbers that are not finite and left out.
    `ax` holds one Axes per panel. Raises `DataError` if there are no arrays, `ShapeError` for the wrong number of `ax`.

    >>> figure = plot_histograms({"weights": [[0.0, 1.0], [1.0, 1.0]]}, bins=2)
    >>> [int(bar.get_height()) for bar in figure.axes[0].patches]
    [1, 3]
    """
    if not arrays:
        raise DataError("There are no arrays to draw; pass model.parameters or model.gradients(X, y).")
    require_at_least("bins", bins, 1)
    require_matplotlib()
    from matplotlib.ticker import MaxNLocator

    columns = min(len(arrays), 4 if len(arrays) > 6 else 3 if len(arrays) > 4 else 2)
    axes = make_panels(ax, len(arrays), columns, (3.3, 2.5))
    for i, (panel, (name, array)) in enumerate(zip(axes, arrays.items(), strict=True)):
        numbers = np.asarray(array, dtype=np.float64).reshape(-1)
        finite = numbers[np.isfinite(numbers)]
        panel.hist(finite, bins=bins, range=_range(finite), color=BLUE)
        lost = f", {len(numbers) - len(finite)} not finite" if len(finite) < len(numbers) else ""
        spread = f"mean {finite.mean():.2g}, std {finite.std():.2g}" if len(finite) else "empty"
        across = "value" if i >= len(arrays) - columns else ""
        label_axes(panel, f"{shortened(name, 36)}\n{spread}{lost}", across, "count" if i % columns == 0 else "")
        panel.title.set_fontsize("medium")
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        panel.ticklabel_format(axis="x", style="sci", scilimits=(-2, 4), useMathText=True)
    figure: Figure = axes[0].figure  # type: ignore[assignment]
    if title:
        unformatted([figure.suptitle(title)])
    return figure


def plot_jacobian(
    jacobian: ArrayLike,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """One sample's Jacobian (N, I) as a heat map: row n, column i is d(output n) / d(input i), white is 0.

    Small ones show their numbers in the cells; entries that are not finite are grey. Raises `ShapeError` for a wrong
    shape or number of names.

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
    outputs, inputs = names_of(output_names, rows, "{}"), names_of(input_names, columns, "{}")
    width, height = min(2.6 + 0.5 * columns, 12.0), min(1.6 + 0.5 * rows, 9.0)
    (panel,) = make_panels(ax, 1, 1, (max(width, 4.2), max(height, 2.8)))
    largest = np.max(np.abs(J), where=np.isfinite(J), initial=0.0) or 1.0
    colors = colormap_of(BLUE, "white", VERMILLION).with_extremes(bad=LIGHT_GREY)
    image = panel.imshow(np.ma.masked_invalid(J), cmap=colors, vmin=-largest, vmax=largest, aspect="auto")
    if rows <= 16 and columns <= 16:
        write_cells(panel, image, [[f"{number:.2g}" for number in row] for row in J + 0.0])
    name_cells(panel, [shortened(n) for n in inputs], [shortened(n) for n in outputs])
    label_axes(panel, "Jacobian", "input", "output")
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
    """The loss as a function of one parameter, all others fixed, with its tangent at the current value.

    The tangent's slope is the gradient, dL/dw. Every point is one pass over all samples in float64 and inference
    mode; the model is not changed. `name` and `index` choose the parameter: "dense_0.weights", (1, 2). `span` is the
    distance to each side, by default the larger of 1 and twice the current size. Raises `UnknownNameError` for an
    unknown name, `ShapeError` for an index out of range, `ConfigurationError` for an invalid `span` or `points`.

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
    place = entry_of(name, parameters[name].shape, index)
    require_at_least("points", points, 2)
    current = float(parameters[name][place])
    reach = max(1.0, 2 * abs(current)) if span is None else span
    if not 0 < reach < math.inf:
        raise ConfigurationError(f"span must be a finite number above 0, not {span!r}.")
    (panel,) = make_panels(ax, 1, 1, (6.4, 4.2))
    inputs, state = model.inputs(X).astype(np.float64), model.state

    def at(value: float) -> tuple[float, float]:
        parameters[name][place] = value
        options: dict[str, Any] = {"state": state, "training": False}
        with np.errstate(all="ignore"):
            loss, gradients = loss_and_gradients(model.network, model.loss, parameters, inputs, y, **options)
        return loss, float(gradients[name][place])

    values = current + np.linspace(-reach, reach, points)
    losses = np.array([at(float(value))[0] for value in values])
    loss, slope = at(current)
    panel.plot(values, losses, color=BLUE, label="loss")
    tangent = panel.axline((current, loss), slope=slope, color=VERMILLION, linestyle="--")
    tangent.set_label(f"tangent, dL/dw = {slope:.4g}")
    panel.plot([current], [loss], "o", color=BLACK, label=f"now: w = {current:.4g}, L = {loss:.4g}")
    finite = [loss, *losses[np.isfinite(losses)]]
    flat = max(finite) - min(finite) <= 1e-9 * abs(loss)  # no more than rounding
    margin = 0.1 * abs(loss) or 1.0 if flat else 0.08 * (max(finite) - min(finite))
    panel.set_xlim(values[0], values[-1])
    panel.set_ylim(min(finite) - margin, max(finite) + margin)
    panel.ticklabel_format(useOffset=False)
    panel.grid(alpha=0.25)
    label_axes(panel, f"Loss along {name}[{', '.join(map(str, place))}]", "value of w", "loss")
    panel.legend()
    return panel


def _range(numbers: NDArray[np.float64]) -> tuple[float, float] | None:
    """The range of a histogram: None for the default, or a wider one if the numbers are too close together to bin."""
    if not len(numbers) or np.ptp(numbers) > 1e-9 * np.abs(numbers).max():
        return None
    middle = float(numbers[0])
    return middle - abs(middle) / 2 - (middle == 0), middle + abs(middle) / 2 + (middle == 0)
