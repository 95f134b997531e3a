"""What was measured, as plain data, as text and as a plot."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from .floor import bandwidth, sgemm_peak
from .ours import OURS
from .timing import Measured, Timing

__all__ = ["as_data", "machine", "plot", "table"]

_PACKAGES = ("numpy", "numba", "jax", "torch", "keras", "scikit-learn")


def machine() -> dict[str, Any]:
    """Versions, processor, cores, the BLAS that ran, and what the machine reaches."""
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
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "versions": versions,
        "blas": sorted(set(blas)),
        "settings": {n: v for n, v in os.environ.items() if n.startswith(("OPENBLAS_", "OMP_", "MKL_", "XLA_"))},
        "sgemm_peak": sgemm_peak(),
        "bandwidth": bandwidth(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def as_data(measured: list[Measured], skipped: list[str]) -> dict[str, Any]:
    """Everything as JSON can hold it; times in seconds."""
    return {
        "machine": machine(),
        "skipped": skipped,
        "workloads": [
            {
                "name": each.workload.name,
                "what": each.workload.what,
                "floor": each.floor,
                "auto": each.auto,
                "problems": each.problems,
                "timings": [
                    {"name": t.name, "median": t.median, "spread": t.spread, "threads": t.threads, "loss": t.loss,
                     "seconds": t.seconds}
                    for t in each.timings
                ],
            }
            for each in measured
        ],
    }  # fmt: skip


def duration(seconds: float) -> str:
    """A time in the unit that fits: `duration(2.5e-6)` is "2.5 µs"."""
    for unit, factor in (("µs", 1e6), ("ms", 1e3)):
        if seconds * factor < 1000:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def table(measured: Measured) -> Any:
    """The timings of a workload, fastest first, as a table for rich."""
    from rich.table import Table

    shown = Table("", "median", "spread", "against the best peer", "loss", title=_title(measured), title_justify="left")
    peer = measured.best_peer()
    for timing in sorted(measured.timings, key=lambda t: t.median):
        against = "" if peer is None else f"{peer.median / timing.median:.2f}"
        loss = "" if timing.loss is None else f"{timing.loss:.6f}"
        shown.add_row(_label(timing, measured), duration(timing.median), f"{timing.spread:.0%}", against, loss)
    shown.add_row("floor of this machine", duration(measured.floor), "", "", "", style="dim")
    return shown


def _title(measured: Measured) -> str:
    return f"{measured.workload.name}: {measured.workload.what}"


def _label(timing: Timing, measured: Measured) -> str:
    threads = "" if timing.threads is None else f", threads: {timing.threads}"
    auto = ", what auto takes" if timing.name == f"{OURS} {measured.auto}" else ""
    return f"{timing.name}{threads}{auto}"


def plot(measured: list[Measured], path: Path) -> None:
    """Bars of every contender on every workload, on a logarithmic scale; a line marks the floor."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    rows = -(-len(measured) // 2)
    figure = Figure(figsize=(12, 1 + 2.6 * rows), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, min(2, len(measured)), squeeze=False)).ravel()
    for ax, each in zip(axes, measured, strict=False):
        timings = sorted(each.timings, key=lambda t: -t.median)
        colours = ["tab:orange" if t.group == OURS else "tab:blue" for t in timings]
        bars = ax.barh([t.name for t in timings], [t.median * 1e6 for t in timings], color=colours)
        ax.bar_label(bars, [duration(t.median) for t in timings], padding=3, fontsize=8)
        ax.axvline(each.floor * 1e6, color="black", linestyle="--", linewidth=1)
        ax.set(xscale="log", title=_title(each), xlabel="µs each time; dashed: floor of the machine")
        ax.margins(x=0.18)
        ax.tick_params(labelsize=8)
        ax.title.set_fontsize(9)
    for ax in axes[len(measured) :]:
        ax.remove()
    figure.savefig(path, dpi=120)
