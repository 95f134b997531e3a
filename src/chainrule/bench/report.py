"""Results as plain data, as text and as a plot."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..files import save_figure
from .fits import WholeRun
from .floor import bandwidth, sgemm_peak
from .gpu import gpu
from .memory import bound
from .ours import OURS
from .timing import Measured, Timing
from .workloads import Training

__all__ = ["as_data", "machine", "notes", "plot", "table", "title"]

_PACKAGES = ("numpy", "jax", "torch", "keras", "scikit-learn")


def machine() -> dict[str, Any]:
    """Versions, processor, cores, the BLAS in use, and the machine's measured rates."""
    from threadpoolctl import threadpool_info

    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    blas = [f"{b['internal_api']} {b['version']} {b.get('architecture', '')}".strip() for b in threadpool_info()
            if b["user_api"] == "blas"]  # fmt: skip
    return {
        "chainrule": __version__,
        "python": platform.python_version(),
        "processor": _processor(),
        "gpu": gpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "versions": versions,
        "blas": sorted(set(blas)),
        "settings": {n: v for n, v in os.environ.items() if n.startswith(("OPENBLAS_", "OMP_", "MKL_", "XLA_FLAGS"))},
        "sgemm_peak": sgemm_peak(),
        "bandwidth": bandwidth(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def as_data(measured: list[Measured], skipped: list[str], interrupted: bool) -> dict[str, Any]:
    """Everything as JSON-compatible data; times in seconds, memory in bytes."""
    return {
        "machine": machine(),
        "skipped": skipped,
        "interrupted": interrupted,
        "workloads": [_as_data(each) for each in measured],
    }


def _as_data(each: Measured) -> dict[str, Any]:
    run = each.workload if isinstance(each.workload, WholeRun) else None
    return {
        "name": each.workload.name,
        "what": each.workload.what,
        "fit": None if run is None else {"epochs": run.epochs, "steps": run.steps, "engine": each.engine},
        "floor": each.floor,
        "auto": each.auto,
        "problems": each.problems,
        "ratios": each.ratios(),
        "memory": {"bound": _bound(each), "peaks": each.memory} if each.memory else None,
        "timings": [
            {"name": t.name, "median": t.median, "spread": t.spread, "threads": t.threads, "loss": t.loss,
             "part": t.part, "seconds": t.seconds}
            for t in each.timings
        ],
        "session": None if each.session is None else _as_data(each.session),
    }  # fmt: skip


def duration(seconds: float) -> str:
    """A time in a suitable unit: `duration(2.5e-6)` is "2.5 µs"."""
    for unit, factor in (("µs", 1e6), ("ms", 1e3)):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def title(measured: Measured) -> str:
    """The title of a workload's table."""
    return f"{measured.workload.name}: {measured.workload.what}"


def table(measured: Measured) -> Any:
    """The timings of a workload, fastest first, as a rich table of at most 80 columns."""
    from rich.table import Table

    timings, peer = sorted(measured.timings, key=lambda t: t.median), measured.best()
    columns = {"": [_label(t, measured) for t in timings], "median": [duration(t.median) for t in timings]}
    if isinstance(measured.workload, WholeRun):
        columns["a step"] = [duration(t.median / measured.workload.steps) for t in timings]
    columns["spread"] = [f"{t.spread:.0%}" if len(t.seconds) > 1 else "-" for t in timings]
    if peer is not None:
        columns["speed"] = [times(peer.median / t.median) for t in timings]
    if any(t.threads is not None for t in timings):
        columns["threads"] = ["own" if t.threads is None else str(t.threads) for t in timings]
    if any(t.loss is not None for t in timings):
        columns["loss"] = ["-" if t.loss is None else _loss(t.loss, measured) for t in timings]
    shown = Table()
    for name in columns:
        shown.add_column(name, justify="right" if name else "left", no_wrap=True)
    for row in zip(*columns.values(), strict=True):
        shown.add_row(*row)
    return shown


def notes(measured: Measured) -> list[str]:
    """The notes under the table, line by line."""
    timings = sorted(measured.timings, key=lambda t: t.median)
    peer = measured.best()
    about = [] if peer is None else [f"speed: {peer.name} is 1"]
    about += ["threads: own where it decides itself"] if any(t.threads for t in measured.timings) else []
    about += ["*: what auto takes"] if "auto" in measured.ours() else []
    ratios = {own["name"]: own["times"] for own in measured.ratios().values()}
    lines = ["; ".join(about)] if about else []
    for name, others in ratios.items():
        lines += [f"{name}: " + ", ".join(f"{times(n)} × {other}" for other, n in others.items())] if others else []
    floor = "not measured" if measured.floor is None else duration(measured.floor)
    lines.append(f"floor of this machine: {floor}")
    if measured.engine is not None:
        lines.append(f"auto takes {measured.engine}")
    lines += [f"{t.name}: {t.part:.1%} of the run was timed, the rest is reckoned" for t in timings if t.part < 1]
    if measured.session is not None:
        lines.append(f"the session alone: {_session(measured.session)}")
    if measured.memory:
        peaks = ", ".join(f"{engine} {peak / 1e6:.0f} MB" for engine, peak in measured.memory.items())
        lines.append(f"memory at most: {peaks}; bound {_bound(measured) / 1e6:.0f} MB")
    return lines


def _session(measured: Measured) -> str:
    """A step of the engine without what `fit` does around it, beside the peer's own steps."""
    own, peer = measured.best(OURS), measured.best()
    parts = [f"{t.name} {duration(t.median)} a step" for t in (own, peer) if t is not None]
    ratio = [] if own is None or peer is None else [f"{times(peer.median / own.median)} ×"]
    return ", ".join(parts + ratio) or "; ".join(measured.problems)


def times(ratio: float) -> str:
    """A ratio: `times(172.4)` is "172", `times(17.24)` is "17.2", `times(0.8934)` is "0.89"."""
    return f"{ratio:.0f}" if ratio >= 99.95 else f"{ratio:.1f}" if ratio >= 9.995 else f"{ratio:.2f}"


def _bound(measured: Measured) -> int:
    workload = measured.workload.training if isinstance(measured.workload, WholeRun) else measured.workload
    assert isinstance(workload, Training)
    return bound(workload)


def _loss(loss: float, measured: Measured) -> str:
    return f"{loss:.4f}" if isinstance(measured.workload, WholeRun) else f"{loss:.6f}"


def _label(timing: Timing, measured: Measured) -> str:
    return f"{timing.name} *" if timing.name == f"{OURS} {measured.auto}" else timing.name


def plot(measured: list[Measured], path: Path) -> None:
    """Bars of every contender on every workload, on a logarithmic scale; a line marks the floor."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    measured = [each for each in measured if each.timings]
    if not measured:
        return
    columns = min(2, len(measured))
    rows = -(-len(measured) // columns)
    figure = Figure(figsize=(6.5 * columns, 0.5 + 2.7 * rows), layout="constrained")
    axes = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for ax, each in zip(axes, measured, strict=False):
        _bars(ax, each)
    for ax in axes[len(measured) :]:
        ax.remove()
    figure.supxlabel(
        "time of each, of a whole run where it says epochs; shorter is better; *: what auto takes", fontsize=8
    )
    save_figure(path, figure)


def _bars(ax: Any, measured: Measured) -> None:
    """The bars of one workload, the fastest on top, each labelled with its time."""
    timings = sorted(measured.timings, key=lambda t: -t.median)
    seconds = [t.median for t in timings]
    colours = ["tab:orange" if t.group == OURS else "tab:blue" for t in timings]
    bars = ax.barh([_label(t, measured) for t in timings], seconds, color=colours, height=0.7)
    ax.bar_label(bars, [duration(t.median) for t in timings], padding=3, fontsize=8)
    low, high = min(seconds), max(seconds)
    if measured.floor is not None:
        low = min(low, measured.floor)
        ax.axvline(measured.floor, color="black", linestyle="--", linewidth=1)
        ax.text(measured.floor, 1.0, "floor ", transform=ax.get_xaxis_transform(), ha="center", va="bottom", fontsize=8)
    ax.set_xscale("log")
    ax.set_xlim(10 ** np.floor(np.log10(low / 1.2)), high * (high / low) ** 0.2 * 1.5)
    ax.xaxis.set_major_formatter(lambda value, _: duration(value))
    ax.xaxis.set_minor_formatter("")
    ax.tick_params(labelsize=8)
    ax.set_title(title(measured), fontsize=9, pad=14, loc="left")
    ax.spines[["top", "right"]].set_visible(False)
