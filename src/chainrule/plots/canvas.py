"""Shared parts of all plots: figures without pyplot, colours, labels, text in cells."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..display.palette import BLACK, GREY, OKABE_ITO
from ..errors import ConfigurationError, ShapeError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

MARKERS = "osD^vP*X"
MISSING = 'plots need matplotlib: pip install "chainrule[plots]"'


def make_panels(ax: Axes | Sequence[Axes] | None, count: int, columns: int, size: tuple[float, float]) -> list[Axes]:
    """The Axes to draw on: those given, or new ones in rows of `columns`, each of `size` in inches."""
    require_matplotlib()
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
        vars(shows)["_repr_png_"] = functools.partial(as_png, figure)  # what notebooks ask for
    return axes


def require_matplotlib() -> None:
    """Raises `ConfigurationError` with the line to install where matplotlib is missing."""
    import importlib

    try:
        importlib.import_module("matplotlib")
    except ModuleNotFoundError:
        raise ConfigurationError(MISSING) from None


def as_png(figure: Figure) -> bytes:
    """The figure as a PNG, for notebooks."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def colors_of(count: int) -> list[str]:
    """A colour for each class or layer: the palette, or a gradient from dark to light if there are too many."""
    if count <= len(OKABE_ITO):
        return list(OKABE_ITO[:count])
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(color) for color in colormaps["viridis"](np.linspace(0, 0.95, count))]


def colormap_of(*colors: str) -> Colormap:
    """A colormap that interpolates between the colours."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(" to ".join(colors), colors)


def write_cells(ax: Axes, image: Any, texts: Sequence[Sequence[str]], faint: Any = False) -> None:
    """Write a text into each cell of an image, in black or white for contrast, as large as fits; none if too small."""
    width, height = cell_size(ax, len(texts), len(texts[0]))
    size = min(10.0, 0.85 * width / (0.64 * max(len(text) for row in texts for text in row)), 0.6 * height)
    if size < 4:
        return
    rgb = np.asarray(image.to_rgba(image.get_array()))[:, :, :3]  # (N,I,3)
    light = rgb**2.2 @ np.array([0.2126, 0.7152, 0.0722]) > 0.18  # (N,I), where black has the higher contrast
    grey = np.broadcast_to(faint, light.shape)  # (N,I)
    for (i, j), bright in np.ndenumerate(light):
        color = GREY if grey[i, j] else BLACK if bright else "white"
        ax.text(j, i, texts[i][j], ha="center", va="center", fontsize=size, color=color)


def cell_size(ax: Axes, rows: int, columns: int) -> tuple[float, float]:
    """The approximate width and height of a cell in points."""
    box = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())  # inches
    width, height = 72 * box.width / columns, 72 * box.height / rows
    return (min(width, height),) * 2 if ax.get_aspect() == 1 else (width, height)


def name_cells(ax: Axes, columns: Sequence[str], rows: Sequence[str]) -> None:
    """Label the columns and rows of an image: long names are slanted, and some left out where there are too many."""
    width, height = cell_size(ax, len(rows), len(columns))
    needed = 6.5 * max(len(name) for name in columns) + 4  # points
    slanted = needed > max(width, 30)
    across, down = math.ceil((13 if slanted else needed) / width), math.ceil(11 / height)
    style: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    ax.set_xticks(range(0, len(columns), across), columns[::across], **style)
    ax.set_yticks(range(0, len(rows), down), rows[::down])
    unformatted([*ax.get_xticklabels(), *ax.get_yticklabels()])


def label_axes(ax: Axes, title: str, across: str, up: str) -> None:
    """Set title and axis labels, none of them parsed as a formula."""
    unformatted([ax.set_title(title)])
    ax.set_xlabel(across)
    ax.set_ylabel(up)


def names_of(names: Sequence[str] | None, count: int, otherwise: str) -> list[str]:
    """The names, checked to be as many as needed, or numbers if there are none."""
    if names is None or not len(names):
        return [otherwise.format(i) for i in range(count)]
    if len(names) != count:
        raise ShapeError(f"Received {len(names)} names for {count} rows or classes; pass one for each.")
    return [str(name) for name in names]


def shortened(name: str, longest: int = 24) -> str:
    """The name, cut to a length with an ellipsis."""
    return name if len(name) <= longest else name[: longest - 1] + "…"


def as_shown(name: str) -> str:
    """A name for a legend, where matplotlib would drop one that begins with an underscore."""
    return f" {name}" if name.startswith("_") else shortened(name)


def unformatted(texts: Sequence[Any]) -> None:
    """Show texts as they are: "$10-$20" is not a formula."""
    for text in texts:
        text.set_parse_math(False)


def require_at_least(name: str, value: int, smallest: int) -> None:
    """Raises `ConfigurationError` unless the value is a whole number of at least the smallest."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < smallest:
        raise ConfigurationError(f"{name} must be a whole number of at least {smallest}, not {value!r}.")


def draw_curve(ax: Axes, epochs: NDArray[Any], values: NDArray[Any], **style: Any) -> None:
    """Draw a line over the epochs, with markers if there are few."""
    from matplotlib.ticker import MaxNLocator

    ax.plot(epochs, values, marker="o" if len(epochs) <= 25 else "", markersize=3.5, **style)
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    ax.grid(alpha=0.25)


def make_logarithmic(ax: Axes) -> None:
    """Use a logarithmic scale if any number is above 0; the others are left out."""
    if any((np.asarray(line.get_ydata()) > 0).any() for line in ax.lines):
        ax.set_yscale("log", nonpositive="mask")


def share_text(share: float) -> str:
    """A fraction as a short percentage that never rounds to 0% or 100% unless exact.

    >>> [share_text(share) for share in (0.0, 0.001, 0.28, 0.999, 1.0)]
    ['0%', '<1%', '28%', '>99%', '100%']
    """
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"
