"""The grid: 24 networks, `fit` beside the best peer in each, and how cost grows beside the floor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..files import save_figure
from .fits import FitContender, WholeRun
from .fittiming import measure_fits
from .floor import floor
from .ours import OURS
from .report import duration, times
from .timing import Measured
from .workloads import Training

__all__ = ["GRID", "SAMPLES", "GridCell", "as_data", "growth", "measure", "plot", "ratio", "summary", "table"]

BATCHES, DEPTHS, WIDTHS = (32, 256, 2048), (1, 3), (16, 64, 256, 1024)
_SAMPLES, _SECONDS = 4096, 0.4  # of a run, roughly
_RATE, _STEP = 1e11, 1e-5  # by which the length of a run is set, the same on every machine


class GridCell(NamedTuple):
    """A network of the grid: 64 inputs, hidden layers, 10 classes, Adam."""

    batch: int
    depth: int
    width: int
    samples: int = _SAMPLES

    def run(self, part: int = 1) -> WholeRun:
        """Its run, of as many epochs as take about as long for every network."""
        sizes = (64, *[self.width] * self.depth, 10)
        name = f"batch {self.batch}, {self.depth} hidden, width {self.width}"
        training = Training(name, name, sizes, self.samples, self.batch, True, 1e-3, 1, 1)
        epoch = training.per_epoch * (_STEP + training.flops / _RATE)
        return WholeRun(name, name, training, max(1, min(200, round(_SECONDS / epoch)) // part))


GRID = [GridCell(batch, depth, width) for batch in BATCHES for depth in DEPTHS for width in WIDTHS]
_MIDDLE = GridCell(256, 1, 256)  # from here one number is changed at a time
SAMPLES = [_MIDDLE._replace(samples=samples) for samples in (1024, 16384, 65536)]  # beside the grid's own
Found = dict[GridCell, Measured]


def measure(
    fits: Sequence[FitContender],
    repeats: int,
    say: Callable[[str], object],
    check: Callable[[], object],
    cells: Sequence[GridCell] = (*GRID, *SAMPLES),
    part: int = 1,
) -> Iterator[tuple[GridCell, Measured]]:
    """Each network in turn, and what was measured."""
    for cell in cells:
        measured = measure_fits(cell.run(part), fits, repeats, say, check)
        yield cell, measured
        if measured.interrupted:
            return


def ratio(measured: Measured) -> float | None:
    """How many times as fast `fit` is as the best peer."""
    own, peer = measured.best(OURS), measured.best()
    return None if own is None or peer is None else peer.median / own.median


def _ratios(found: Found) -> dict[GridCell, float]:
    known = {cell: ratio(measured) for cell, measured in found.items() if cell in GRID}
    return {cell: number for cell, number in known.items() if number is not None}


def table(found: Found) -> Any:
    """The ratios as a table for rich: a row for each batch and depth, a column for each width."""
    from rich.table import Table

    shown, ratios = Table(title="fit / best peer"), _ratios(found)
    for name in ("batch", "hidden layers", *(f"width {width}" for width in WIDTHS)):
        shown.add_column(name, justify="right", no_wrap=True)
    for batch in BATCHES:
        for depth in DEPTHS:
            row = [ratios.get(GridCell(batch, depth, width)) for width in WIDTHS]
            shown.add_row(str(batch), str(depth), *("-" if number is None else times(number) for number in row))
    return shown


def summary(found: Found) -> list[str]:
    """The geometric mean and the worst network."""
    ratios = _ratios(found)
    if not ratios:
        return ["No network has a peer to compare with."]
    mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
    worst = min(ratios, key=lambda cell: ratios[cell])
    return [
        f"geometric mean of {len(ratios)} networks: {times(mean)}",
        f"worst: {times(ratios[worst])} ({found[worst].workload.what}: {_times_of(found[worst])})",
    ]


def _times_of(measured: Measured) -> str:
    run = measured.workload
    assert isinstance(run, WholeRun)
    return ", ".join(f"{t.name} {duration(t.median / run.steps)} a step" for t in measured.timings)


def growth(found: Found) -> list[tuple[str, Any]]:
    """A table for each of width, depth, batch and samples: cost beside the floor, the others held in the middle."""
    from rich.table import Table

    middle = _MIDDLE
    series = {
        "width": [(middle._replace(width=width), width) for width in WIDTHS],
        "hidden layers": [(middle._replace(depth=depth), depth) for depth in DEPTHS],
        "batch": [(middle._replace(batch=batch), batch) for batch in BATCHES],
        "samples": [(cell, cell.samples) for cell in sorted([*SAMPLES, middle], key=lambda cell: cell.samples)],
    }
    tables = []
    for name, cells in series.items():
        shown = Table(title=f"{name} (else batch {middle.batch}, {middle.depth} hidden, width {middle.width})")
        for column in (name, "a step", "floor", "times the floor", "an epoch"):
            shown.add_column(column, justify="right", no_wrap=True)
        for cell, value in cells:
            row = _row(found.get(cell))
            if row is not None:
                shown.add_row(str(value), *row)
        tables.append((name, shown))
    return tables


def _row(measured: Measured | None) -> list[str] | None:
    own = None if measured is None else measured.best(OURS)
    if measured is None or own is None:
        return None
    run = measured.workload
    assert isinstance(run, WholeRun)
    step, least = own.median / run.steps, floor(run.training)
    beside = ["-", "-"] if least is None else [duration(least), times(step / least)]
    return [duration(step), *beside, duration(own.median / run.epochs)]


def plot(found: Found, path: Path) -> None:
    """The ratio over the width, a line for each batch and depth. Draws nothing without a ratio."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    ratios = _ratios(found)
    if not ratios:
        return
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    ax = figure.subplots()
    for batch in BATCHES:
        for depth in DEPTHS:
            there = [width for width in WIDTHS if GridCell(batch, depth, width) in ratios]
            numbers = [ratios[GridCell(batch, depth, width)] for width in there]
            ax.plot(there, numbers, marker="o", linestyle="-" if depth == 1 else "--", label=f"{batch}, {depth} hidden")
    ax.axhline(1, color="black", linewidth=1)
    ax.set_xscale("log", base=2)
    ax.set_xticks(WIDTHS, [str(width) for width in WIDTHS])
    ax.set_xlabel("width of the hidden layers")
    ax.set_ylabel("fit / best peer, higher is faster")
    ax.legend(title="batch", fontsize=8)
    save_figure(path, figure)


def as_data(found: Found) -> list[dict[str, Any]]:
    """Every network as JSON can hold it, times in seconds of the whole run."""
    cells = []
    for cell, measured in found.items():
        run = measured.workload
        assert isinstance(run, WholeRun)
        cells.append(
            {"batch": cell.batch, "hidden_layers": cell.depth, "width": cell.width, "samples": cell.samples,
             "epochs": run.epochs, "steps": run.steps, "floor": measured.floor, "engine": measured.engine,
             "ratio": ratio(measured), "problems": measured.problems,
             "timings": [{"name": t.name, "median": t.median, "seconds": t.seconds, "threads": t.threads}
                         for t in measured.timings]}
        )  # fmt: skip
    return cells
