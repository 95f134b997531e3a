"""`chainrule bench`: compares the engines with other libraries in one run on this machine."""

from __future__ import annotations

import contextlib
import json as jsons
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..display.terminal import terminal
from ..engines import require_known
from ..errors import ConfigurationError, DataError
from .console import say

if TYPE_CHECKING:
    from ..bench.contender import Contender
    from ..bench.timing import Measured
    from ..bench.workloads import Training, Workload


@dataclass(frozen=True)
class Asked:
    """What `chainrule bench` is asked for; peers and workloads are names separated by commas, "" for all.

    `session` times single steps instead of whole runs, `grid` the 24 networks; `busy` takes one core away, `part` is
    how much shorter than usual the runs are.
    """

    peers: str = ""
    workloads: str = ""
    repeats: int = 7
    engine: str = "auto"
    session: bool = False
    grid: bool = False
    busy: bool = False
    memory: bool = False
    part: int = 1
    json: bool = False
    plot: Path | None = None

    @property
    def seconds(self) -> float | None:
        """Of a timed run of single steps; None for the usual."""
        return None if self.part == 1 else 0.01


def bench(asked: Asked) -> bool:
    """Measure and print. Returns whether Ctrl-C ended it: what was measured until then is printed and drawn."""
    from ..bench import report
    from ..bench.busy import busy_core
    from ..bench.peers import PEERS, contenders

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # a GPU is shared with PyTorch
    console = terminal(quiet=asked.json)
    require_known(asked.engine)
    others, skipped = contenders(_names(asked.peers) or (["jax"] if asked.grid else list(PEERS)))
    if asked.plot is not None and not asked.plot.parent.is_dir():
        raise ConfigurationError(f"There is no folder {asked.plot.parent} for the plot.")
    for name in skipped:
        say(console, f"Skipped: {name} is not installed.")
    _print_machine(console, report.machine())
    if asked.busy:
        say(console, "One core is taken by another process, for every contender alike.")
    with busy_core() if asked.busy else contextlib.nullcontext():
        run = _grid if asked.grid else _workloads
        return run(asked, console, others, skipped)


def _workloads(asked: Asked, console: Any, others: list[Contender], skipped: list[str]) -> bool:
    from ..bench import gpu, report
    from ..bench.workloads import named, usual

    chosen = [named(name) for name in _names(asked.workloads)] or usual(gpu.gpu() is not None)
    measured: list[Measured] = []

    def each(check: Callable[[], object]) -> None:
        for found in _measured(chosen, asked, others, check):
            measured.append(found)
            _print(console, found)
            check()

    interrupted = _until_ctrl_c(console, each)
    if asked.json:
        print(jsons.dumps(report.as_data(measured, skipped, interrupted) | {"busy": asked.busy}))
    if asked.plot is not None and measured:
        report.plot(measured, asked.plot)
        say(console, f"Saved {asked.plot}")
    return interrupted


def _grid(asked: Asked, console: Any, others: list[Contender], skipped: list[str]) -> bool:
    from ..bench import fits, grid, report

    found: grid.Found = {}
    contenders = [fits.ours(require_known(asked.engine)), *fits.fitters(_groups(others))]

    def each(check: Callable[[], object]) -> None:
        with terminal(stderr=True).status("") as status:
            for cell, measured in grid.measure(contenders, asked.repeats, status.update, check, part=asked.part):
                found[cell] = measured
                for problem in measured.problems:
                    say(console, problem)

    interrupted = _until_ctrl_c(console, each)
    console.print(grid.table(found))
    for line in grid.summary(found):
        say(console, line)
    for _, table in grid.growth(found):
        console.print(table)
    if asked.json:
        about = {"machine": report.machine(), "skipped": skipped, "interrupted": interrupted, "busy": asked.busy}
        print(jsons.dumps(about | {"grid": grid.as_data(found)}))
    if asked.plot is not None and found:
        grid.plot(found, asked.plot)
        say(console, f"Saved {asked.plot}")
    return interrupted


def _until_ctrl_c(console: Any, measure: Callable[[Callable[[], object]], None]) -> bool:
    """Measure; whether Ctrl-C ended it."""
    from ..interrupt import CtrlC

    with CtrlC() as ctrl_c:
        try:
            measure(ctrl_c.check)
        except KeyboardInterrupt:
            say(console, "Stopped: these are the timings so far.")
            return True
    return False


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _groups(contenders: Sequence[Contender]) -> list[str]:
    return list(dict.fromkeys(contender.group for contender in contenders))


def _measured(
    workloads: list[Workload], asked: Asked, others: Sequence[Contender], check: Callable[[], object]
) -> Iterator[Measured]:
    """Measure each workload in turn, with its progress on standard error."""
    from ..bench import fits, ours, timing
    from ..bench.fittiming import measure_fits
    from ..bench.workloads import Training

    progress = terminal(stderr=True)
    for workload in workloads:
        with progress.status("") as status:
            if isinstance(workload, Training) and not asked.session:
                contenders = [fits.ours(require_known(asked.engine)), *fits.fitters(_groups(others))]
                run = fits.WholeRun.of(workload, asked.part)
                each = measure_fits(run, contenders, asked.repeats, status.update, check)
                if not each.interrupted:
                    each.session = _session(workload, each.engine, others, asked, status.update, check)
            else:
                both = [*ours.contenders(), *others]
                each = timing.measure(workload, both, asked.repeats, status.update, asked.seconds, check)
            if each.interrupted or (each.session is not None and each.session.interrupted):
                yield each
                raise KeyboardInterrupt
            if asked.memory and isinstance(workload, Training):
                engines = [contender.name for contender in ours.contenders()]
                _add_memory(each, workload, engines, status.update)
        yield each


def _session(
    workload: Training,
    engine: str | None,
    others: Sequence[Contender],
    asked: Asked,
    update: Callable[[str], object],
    check: Callable[[], object],
) -> Measured:
    """The engine's own steps, beside those of the peer that is best at them."""
    from ..bench import ours, timing

    own = [contender for contender in ours.contenders() if contender.name == engine]
    peer = [contender for contender in others if contender.name == "JAX scan"]
    return timing.measure(workload, own + peer, asked.repeats, update, asked.seconds, check)


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
