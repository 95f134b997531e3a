"""`chainrule bench`: compares the engines with other libraries in one run on this machine."""

from __future__ import annotations

import json as jsons
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, DataError
from .console import say

if TYPE_CHECKING:
    from ..bench.contender import Contender
    from ..bench.timing import Measured
    from ..bench.workloads import Training, Workload


def bench(peers: str, workloads: str, repeats: int, memory: bool, json: bool, plot: Path | None) -> bool:
    """Measure and print; names of peers and workloads are separated by commas, "" means all.

    Returns whether Ctrl-C ended it; what was measured until then is still printed and plotted.
    """
    from rich.console import Console

    from ..bench import gpu, ours, report
    from ..bench.peers import PEERS, contenders
    from ..bench.workloads import named, usual
    from ..interrupt import CtrlC

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # a GPU is shared with PyTorch
    console = Console(quiet=json)
    others, skipped = contenders(_names(peers) or list(PEERS))
    chosen = [named(name) for name in _names(workloads)] or usual(gpu.gpu() is not None)
    if plot is not None and not plot.parent.is_dir():
        raise ConfigurationError(f"There is no folder {plot.parent} for the plot.")
    for name in skipped:
        say(console, f"Skipped: {name} is not installed.")
    _print_machine(console, report.machine())
    measured: list[Measured] = []
    interrupted = False
    with CtrlC() as ctrl_c:
        try:
            for each in _measured(chosen, [*ours.contenders(), *others], repeats, memory, ctrl_c.check):
                measured.append(each)
                _print(console, each)
                ctrl_c.check()
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        say(console, "Stopped: these are the timings so far.")
    if json:
        print(jsons.dumps(report.as_data(measured, skipped, interrupted)))
    if plot is not None and measured:
        report.plot(measured, plot)
        say(console, f"Saved {plot}")
    return interrupted


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _measured(
    workloads: list[Workload],
    contenders: Sequence[Contender],
    repeats: int,
    memory: bool,
    check: Callable[[], object],
) -> Iterator[Measured]:
    """Measure each workload in turn, with its progress on standard error."""
    from rich.console import Console

    from ..bench import timing
    from ..bench.ours import OURS
    from ..bench.workloads import Training

    progress = Console(stderr=True)
    for workload in workloads:
        with progress.status("") as status:
            each = timing.measure(workload, contenders, repeats, status.update, check=check)
            if each.interrupted:
                yield each
                raise KeyboardInterrupt
            if memory and isinstance(workload, Training):
                _add_memory(each, workload, [c.name for c in contenders if c.group == OURS], status.update)
        yield each


def _add_memory(each: Measured, workload: Training, engines: list[str], update: Callable[[str], object]) -> None:
    from ..bench.memory import peak

    for engine in engines:
        update(f"{workload.name}: memory of {engine}")
        try:
            each.memory[engine] = peak(workload, engine)
        except DataError as error:
            each.problems.append(str(error))
        except KeyboardInterrupt:
            break  # the timings are there


def _print(console: Any, each: Measured) -> None:
    from ..bench import report

    say(console, report.title(each))
    if each.timings:
        console.print(report.table(each))
    for line in [*report.notes(each), *each.problems, ""]:
        say(console, line)


def _print_machine(console: Any, about: dict[str, Any]) -> None:
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    gpu = "" if about["gpu"] is None else f", {about['gpu']}"
    say(console, f"{about['processor']}, {about['cores']} cores{gpu}; Python {about['python']}; {versions}")
    settings = "".join(f"; {name}={value}" for name, value in about["settings"].items())
    say(console, f"BLAS: {', '.join(about['blas'])}{settings}")
    say(
        console,
        f"The machine: {about['sgemm_peak'] / 1e9:.0f} billion operations a second in float32 matrix products, "
        f"{about['bandwidth'] / 1e9:.1f} GB/s of memory",
    )
