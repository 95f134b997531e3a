"""`chainrule bench`: the engines beside other libraries, in one run on this machine."""

from __future__ import annotations

import json as jsons
import os
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from .console import say


def bench(peers: str, workloads: str, repeats: int, json: bool, plot: Path | None) -> None:
    """Measure and print; the names of peers and workloads are separated by commas, "" for all."""
    from rich.console import Console

    from ..bench import ours, report, timing
    from ..bench.peers import PEERS, contenders
    from ..bench.workloads import WORKLOADS, named

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    console, progress = Console(quiet=json), Console(stderr=True)
    names = [name.strip() for name in peers.split(",") if name.strip()]
    others, skipped = contenders(names if peers else list(PEERS))
    chosen = [named(name.strip()) for name in workloads.split(",") if name.strip()] or list(WORKLOADS.values())
    if plot is not None and not plot.parent.is_dir():
        raise ConfigurationError(f"There is no folder {plot.parent} for the plot.")
    for name in skipped:
        say(console, f"Skipped: {name} is not installed.")
    about = report.machine()
    _print_machine(console, about)
    measured = []
    for workload in chosen:
        with progress.status("") as status:
            each = timing.measure(workload, [*ours.contenders(), *others], repeats, status.update)
        measured.append(each)
        console.print(report.table(each))
        for problem in each.problems:
            say(console, problem)
    if json:
        print(jsons.dumps(report.as_data(measured, skipped)))
    if plot is not None:
        report.plot(measured, plot)
        say(console, f"Saved {plot}")


def _print_machine(console: Any, about: dict[str, Any]) -> None:
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    say(console, f"{about['processor']}, {about['cores']} cores; Python {about['python']}; {versions}")
    settings = "".join(f"; {name}={value}" for name, value in about["settings"].items())
    say(console, f"BLAS: {', '.join(about['blas'])}{settings}")
    say(
        console,
        f"The machine: {about['sgemm_peak'] / 1e9:.0f} billion operations a second in float32 matrix products, "
        f"{about['bandwidth'] / 1e9:.1f} GB/s of memory",
    )
