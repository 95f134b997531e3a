"""Whole runs beside other libraries: they learn the same, in turn, and what was reckoned is not passed off as timed."""

from __future__ import annotations

import gc
import json
import signal
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from chainrule.bench import fits, fittiming, floor, grid, ours, report, timing
from chainrule.bench.busy import busy_core
from chainrule.bench.contender import Contender
from chainrule.bench.fits import FitContender, WholeRun
from chainrule.bench.fittiming import measure_fits
from chainrule.bench.workloads import WORKLOADS, Training
from chainrule.cli import app
from chainrule.commands import bench as command

FULL = Training("full", "2-3-3", (2, 3, 3), 30, 30, False, 0.1, 4, 12, epochs=20)
TINY = Training("tiny", "4-5-3", (4, 5, 3), 32, 8, True, 0.01, 4, 12, epochs=4, fitted=64)
INSTALLED = [name for name in fits.PEERS if find_spec(name) is not None]


@pytest.fixture(autouse=True)
def _light_collections() -> Iterator[None]:
    """The collection before each timing does not go through the thousands of tests that this process holds."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("training", [FULL, TINY], ids=["full batch", "batches"])
def test_every_library_learns_the_same_in_its_own_run(training: Training) -> None:
    contenders = [fits.ours(), *fits.fitters(INSTALLED)]
    measured = measure_fits(WholeRun.of(training), contenders, 1)
    assert measured.problems == [] and len(measured.timings) == len(contenders) >= 4
    assert all(len(timed.seconds) == 1 and timed.median > 0 for timed in measured.timings)
    assert measured.engine == "numpy"


def test_our_run_is_the_call_that_a_user_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []
    fit = fits.Model.fit

    def watched(model: Any, X: Any, y: Any, **options: Any) -> Any:
        calls.append(options)
        return fit(model, X, y, **options)

    monkeypatch.setattr(fits.Model, "fit", watched)
    weights = fits.ours().begin(TINY, 3)()()
    assert calls == [{"epochs": 3, "batch_size": 8, "verbose": False, "engine": "auto"}]
    assert TINY.loss(weights) < TINY.loss(TINY.weights)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_each_run_begins_anew() -> None:
    for fit in (fits.ours(), *fits.fitters([name for name in INSTALLED if name in ("jax", "sklearn")])):
        one, two = (FULL.loss(fit.begin(FULL, 5)()()) for _ in range(2))
        assert one == pytest.approx(two, rel=1e-6), fit.name


def test_whole_runs_take_whole_batches() -> None:
    for name in ("notes", "spiral", "dense", "wide"):
        run = WholeRun.of(WORKLOADS[name])  # type: ignore[arg-type]
        assert run.training.samples % run.training.batch == 0
        assert run.steps == run.epochs * run.training.samples // run.training.batch
    assert WholeRun.of(FULL, part=100).epochs == 1


def fake(name: str, seconds: float, calls: list[tuple[str, int]] | None = None, **options: Any) -> FitContender:
    """A contender that learns what ours learns and takes a time for each epoch."""
    real = fits.ours("numpy")

    def begin(training: Training, epochs: int) -> Any:
        def go() -> Any:
            if calls is not None:
                calls.append((name, epochs))
            time.sleep(seconds * epochs)
            return real.begin(training, epochs)()

        return go

    return FitContender("torch", name, begin, **options)


def test_repeats_are_interleaved() -> None:
    calls: list[tuple[str, int]] = []
    measure_fits(WholeRun.of(TINY), [fake("a", 0, calls), fake("b", 0, calls)], 3)
    assert [name for name, _ in calls[-6:]] == ["a", "b"] * 3


def test_a_run_that_is_too_long_is_timed_in_part_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fittiming, "_SECONDS", 0.2)
    calls: list[tuple[str, int]] = []
    run = WholeRun("x", "x", TINY, 50)
    measured = measure_fits(run, [fake("slow", 0.05, calls), fake("compiles", 0.01, entire=True)], 1)
    slow, compiles = measured.timings
    assert calls[-1][1] < 10 and slow.part == calls[-1][1] / 50
    assert 2.0 < slow.median < 10  # 50 epochs of 0.05 s
    assert compiles.part == 1
    assert f"slow: {slow.part:.1%} of the run was timed, the rest is reckoned" in report.notes(measured)


def test_a_contender_that_learns_something_else_or_breaks_is_left_out_and_named() -> None:
    wrong = FitContender("torch", "Wrong", lambda training, epochs: lambda: lambda: training.weights)
    broken = FitContender("torch", "Broken", lambda training, epochs: 1 / 0)  # type: ignore[arg-type,return-value]
    measured = measure_fits(WholeRun("x", "x", FULL, 2000), [fits.ours("numpy"), wrong, broken], 1)
    assert [timed.name for timed in measured.timings] == ["chainrule fit, numpy"]
    assert measured.problems[0].startswith("Wrong is left out: its loss after 100 epochs is ")
    assert measured.problems[1] == "Broken is left out: ZeroDivisionError: division by zero."


def test_the_number_of_threads_is_the_faster_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0]
    monkeypatch.setattr(timing.os, "cpu_count", lambda: 2)

    def begin(training: Training, epochs: int) -> Any:
        def go() -> Any:
            time.sleep(0.005 if now[0] == 2 else 0.05)
            return lambda: training.weights

        return go

    measured = measure_fits(
        WholeRun.of(TINY), [FitContender("torch", "x", begin, lambda count: now.__setitem__(0, count))], 1
    )
    assert measured.timings[0].threads == 2


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One tiny workload, the NumPy engine and no measuring of the machine."""
    monkeypatch.setitem(WORKLOADS, "tiny", TINY)
    monkeypatch.setattr(ours, "contenders", lambda: [Contender("chainrule", "numpy", ours._in_numpy)])
    monkeypatch.setattr(timing, "_SECONDS", 1e-3)
    monkeypatch.setattr(fittiming, "_SECONDS", 0.1)
    monkeypatch.setattr(report, "sgemm_peak", lambda: 1e11)
    monkeypatch.setattr(report, "bandwidth", lambda: 1e10)
    for module in (timing, fittiming, grid):
        monkeypatch.setattr(module, "floor", lambda workload: 1e-6)


def bench(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["bench", *arguments], catch_exceptions=False)


@pytest.mark.usefixtures("quick")
def test_the_command_prints_whole_runs_then_the_session_alone(tmp_path: Path) -> None:
    result = bench("--workload", "tiny", "--peers", "sklearn", "--repeats", "1", "--plot", str(tmp_path / "bench.png"))
    assert result.exit_code == 0
    assert "tiny: 4-5-3: 4 epochs of 64 samples" in result.stdout
    assert "chainrule fit" in result.stdout and "scikit-learn fit" in result.stdout
    assert "auto takes numpy" in result.stdout and "the session alone: chainrule numpy " in result.stdout
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("quick")
def test_the_command_prints_one_json_object() -> None:
    result = bench("--workload", "tiny,gradient-small", "--peers", "sklearn", "--repeats", "2", "--json", "--quick")
    data = json.loads(result.stdout)
    whole, gradient = data["workloads"]
    assert whole["fit"] == {"epochs": 1, "steps": 8, "engine": "numpy"} and gradient["fit"] is None
    assert {timed["name"] for timed in whole["timings"]} == {"chainrule fit", "scikit-learn fit"}
    assert whole["session"]["timings"][0]["name"] == "chainrule numpy"
    assert data["busy"] is False


@pytest.mark.usefixtures("quick")
def test_ctrl_c_prints_what_was_measured_and_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [0]

    def begin(training: Training, epochs: int) -> Any:
        def go() -> Any:
            runs[0] += 1
            if runs[0] == 6:  # in the second repeat: four runs come before the first
                signal.raise_signal(signal.SIGINT)
            return fits.ours("numpy").begin(training, epochs)()

        return go

    monkeypatch.setitem(fits.PEERS, "sklearn", [FitContender("sklearn", "Other", begin)])
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        result = bench("--workload", "tiny,spiral", "--peers", "sklearn", "--json")
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.exit_code == 130
    data = json.loads(result.stdout)
    (workload,) = data["workloads"]
    assert data["interrupted"] is True and workload["session"] is None
    assert {timed["name"]: len(timed["seconds"]) for timed in workload["timings"]} == {"chainrule fit": 2, "Other": 1}


def test_no_line_of_a_full_table_is_wider_than_80_columns() -> None:
    timings = [timing.Timing("jax", f"JAX scan, compiling{i}", [1.234e-6, 1e-3], 2, 1.0987654) for i in range(3)]
    console = Console(width=80)
    with console.capture() as captured:
        console.print(report.table(timing.Measured(WholeRun.of(TINY), timings, [], None, None)))
    lines = captured.get().splitlines()
    assert len(lines) == len(timings) + 4 and "…" not in captured.get()


# The grid


def measured_of(cell: grid.GridCell, own: float, peer: float) -> timing.Measured:
    run = cell.run()
    timings = [timing.Timing("chainrule", "chainrule fit", [own]), timing.Timing("jax", "JAX scan", [peer])]
    return timing.Measured(run, timings, [], None, None, engine="fused")


def test_the_grid_has_24_networks_of_about_the_same_time() -> None:
    assert len(set(grid.GRID)) == 24
    for cell in grid.GRID:
        run = cell.run()
        assert run.training.sizes == (64, *[cell.width] * cell.depth, 10)
        assert run.training.samples % cell.batch == 0
        assert 1 <= run.epochs <= 200
    assert {cell.samples for cell in grid.SAMPLES} == {1024, 16384, 65536}


def test_the_grid_says_ratios_their_geometric_mean_and_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {cell: measured_of(cell, 1.0, 2.0) for cell in grid.GRID}
    worst = grid.GridCell(2048, 1, 64)
    found[worst] = measured_of(worst, 4.0, 2.0)
    found[grid.GridCell(32, 1, 16)] = measured_of(grid.GridCell(32, 1, 16), 1.0, 8.0)
    mean, line = grid.summary(found)
    assert mean == "geometric mean of 24 networks: 2.00"
    assert line.startswith("worst: 0.50 (batch 2048, 1 hidden, width 64: chainrule fit ")
    console = Console(width=80)
    with console.capture() as captured:
        console.print(grid.table(found))
    rows = [line.split("│")[1:-1] for line in captured.get().splitlines() if line.startswith("│")]
    assert [cell.strip() for cell in rows[0]] == ["32", "1", "8.00", "2.00", "2.00", "2.00"]
    assert [cell.strip() for cell in rows[4]] == ["2048", "1", "2.00", "0.50", "2.00", "2.00"]
    assert len(rows) == 6


def test_growth_is_shown_beside_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "floor", lambda training: 1e-3)
    found = {cell: measured_of(cell, 2e-3 * cell.run().steps, 1.0) for cell in (*grid.GRID, *grid.SAMPLES)}
    tables = grid.growth(found)
    assert [name for name, _ in tables] == ["width", "hidden layers", "batch", "samples"]
    assert [table.row_count for _, table in tables] == [4, 2, 3, 4]
    console = Console(width=80)
    with console.capture() as captured:
        console.print(tables[0][1])
    rows = [[cell.strip() for cell in line.split("│")[1:4]] for line in captured.get().splitlines() if "│" in line]
    assert [row[1:] for row in rows] == [["2 ms", "1 ms"]] * 4
    assert [table.row_count for _, table in grid.growth({})] == [0, 0, 0, 0]


@pytest.mark.usefixtures("quick")
def test_the_command_prints_the_grid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cells = [grid.GridCell(32, 1, 16), grid.GridCell(256, 3, 16)]
    monkeypatch.setattr(grid.measure, "__defaults__", (cells, 1))
    monkeypatch.setattr(grid, "GRID", cells)
    arguments = ("--grid", "--quick", "--peers", "sklearn", "--repeats", "1", "--plot", str(tmp_path / "grid.png"))
    result = bench(*arguments)
    assert result.exit_code == 0
    assert "geometric mean of 2 networks: " in result.stdout and "times the floor" in result.stdout
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")
    data = json.loads(bench(*arguments, "--json").stdout)
    assert [cell["batch"] for cell in data["grid"]] == [32, 256]
    assert all(cell["ratio"] > 0 and cell["engine"] in ("numpy", "fused") for cell in data["grid"])


def test_a_grid_without_a_peer_says_so() -> None:
    assert grid.summary({}) == ["No network has a peer to compare with."]


# A shared machine


def test_a_core_is_taken_inside_and_given_back_whatever_happens() -> None:
    with busy_core() as other:
        assert other.poll() is None
    assert other.poll() is not None
    with pytest.raises(ZeroDivisionError), busy_core() as other:
        _ = 1 / 0
    assert other.poll() is not None


@pytest.mark.usefixtures("quick")
def test_busy_is_said_and_kept() -> None:
    arguments = ("--workload", "tiny", "--peers", "sklearn", "--repeats", "1", "--busy")
    assert "One core is taken by another process, for every contender alike." in bench(*arguments).stdout
    assert json.loads(bench(*arguments, "--json").stdout)["busy"] is True


def test_the_floor_of_a_run_is_that_of_its_steps() -> None:
    measured = measure_fits(WholeRun.of(TINY), [fits.ours("numpy")], 1)
    assert measured.floor == pytest.approx(floor.floor(WholeRun.of(TINY).training) * 4 * 8, rel=1e-6)
    assert callable(command) and np.isfinite(measured.timings[0].loss)
