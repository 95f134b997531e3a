"""The benchmark compares like with like: one start, one order, one loss; and it says what it leaves out."""

from __future__ import annotations

import dataclasses
import json
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from chainrule.bench import floor, memory, ours, peers, report, timing
from chainrule.bench.contender import Contender, Opened
from chainrule.bench.workloads import WORKLOADS, Gradient, Prediction, Training, usual
from chainrule.cli import app
from chainrule.commands import bench as command
from chainrule.errors import DataError, UnknownNameError

TINY = Training("tiny", "4-5-3", (4, 5, 3), 32, 8, True, 0.01, 4, 12)
ALL = {
    "full batch": Training("full", "2-3-3", (2, 3, 3), 30, 30, False, 0.1, 4, 12),
    "batches": TINY,
    "gradient": Gradient("gradient", "(5, 3)", 5, 3),
    "prediction": Prediction("predict", "4-5-3", TINY),
}
SLOW_TO_COMPILE = ("fused", "PyTorch compiled")
TRAINING, PREDICTING = ("full batch", "batches"), ("full batch", "batches", "prediction")
# What each library offers: under which names, for which workloads.
OFFERED = {
    "chainrule": {"chainrule numpy": ALL, "chainrule jax": ALL},
    "torch": {"PyTorch eager": ALL},
    "jax": {"JAX jit": ALL, "JAX scan": TRAINING},
    "keras": {"Keras on JAX": PREDICTING},
    "sklearn": {"scikit-learn": PREDICTING},
}


def contenders(library: str) -> list[Contender]:
    """Those of a library and, first, the reference. Skips the test where the library is not installed."""
    reference, *others = ours.contenders()
    if library != "chainrule":
        others, absent = peers.contenders([library])
        if absent:
            pytest.skip(f"{library} is not installed: it is not compared")
    return [reference, *(each for each in others if each.name not in SLOW_TO_COMPILE)]


@pytest.mark.parametrize(
    ("library", "name"),
    [
        pytest.param(library, name, marks=[pytest.mark.beyond_dev] if library == "torch" else [])
        for library, offered in OFFERED.items()
        for name in ALL
        if any(name in workloads for workloads in offered.values())
    ],
)
def test_a_library_reaches_the_result_of_the_reference(library: str, name: str) -> None:
    measured = timing.measure(ALL[name], contenders(library), 1, lambda text: None, seconds=1e-4)
    expected = {contender for contender, workloads in OFFERED[library].items() if name in workloads}
    assert measured.problems == []
    assert {timed.name for timed in measured.timings} == {"chainrule numpy"} | expected
    assert all(timed.median > 0 for timed in measured.timings)


def test_no_library_is_without_a_row_above() -> None:
    assert set(OFFERED) == {"chainrule", *peers.PEERS}


def test_training_lowers_the_loss_that_is_compared() -> None:
    assert ours.contenders()[0].open(TINY).answer() < TINY.loss(TINY.weights) - 1e-3


def test_a_contender_that_computes_something_else_is_left_out_and_named() -> None:
    wrong = Contender("torch", "Wrong", lambda workload: Opened(lambda times: None, lambda: 0.5))
    broken = Contender("torch", "Broken", lambda workload: 1 / 0)  # type: ignore[arg-type,return-value]
    measured = timing.measure(TINY, [ours.contenders()[0], wrong, broken], 1, lambda text: None, seconds=1e-4)
    assert [timed.name for timed in measured.timings] == ["chainrule numpy"]
    assert measured.problems[0].startswith("Wrong is left out: its loss after 12 steps is 0.5, that of the reference")
    assert measured.problems[1] == "Broken is left out: ZeroDivisionError: division by zero."


def test_repeats_are_interleaved() -> None:
    calls: list[str] = []

    def contender(name: str) -> Contender:
        def run(times: int) -> None:
            calls.append(name)
            time.sleep(0.001)

        return Contender("torch", name, lambda workload: Opened(run, lambda: 1.0))

    timing.measure(TINY, [contender("a"), contender("b")], 3, lambda text: None, seconds=1e-4)
    assert calls[-6:] == ["a", "b"] * 3


def test_a_short_run_that_is_not_timed_comes_before_each_timed_one() -> None:
    calls: list[int] = []

    def run(times: int) -> None:
        calls.append(times)
        time.sleep(0.002 * times)

    only = Contender("torch", "a", lambda workload: Opened(run, lambda: 1.0))
    measured = timing.measure(TINY, [only], 2, lambda text: None, seconds=0.05)
    warming, timed = calls[-2:]
    assert calls[-4:] == [warming, timed] * 2 and warming < timed
    assert len(measured.timings[0].seconds) == 2


class Stops:
    """A contender in whose third timed repeat Ctrl-C is pressed; like scikit-learn it may catch the exception."""

    def __init__(self, catches: bool) -> None:
        self.catches, self.runs = catches, 0

    def open(self, workload: Any) -> Opened:
        return Opened(self.run, lambda: 1.0)

    def run(self, times: int) -> None:
        time.sleep(0.001)
        self.runs += 1
        if self.runs == 6:  # three in preparation, then one in each repeat
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                if not self.catches:
                    raise


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One tiny workload, the NumPy engine and no measuring of the machine."""
    monkeypatch.setitem(WORKLOADS, "tiny", dataclasses.replace(TINY))
    monkeypatch.setattr(ours, "contenders", lambda: [Contender("chainrule", "numpy", ours._in_numpy)])
    monkeypatch.setattr(timing, "_SECONDS", 1e-3)
    for module in (report, timing):
        monkeypatch.setattr(module, "sgemm_peak", lambda: 1e11, raising=False)
        monkeypatch.setattr(module, "bandwidth", lambda: 1e10, raising=False)
        monkeypatch.setattr(module, "floor", lambda workload: 1e-6, raising=False)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("catches", [False, True])
def test_ctrl_c_prints_what_was_measured_and_ends_with_130(
    catches: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    contenders = [Contender("chainrule", "numpy", lambda workload: Opened(lambda times: time.sleep(1e-3), lambda: 1.0))]
    contenders.append(Contender("torch", "Other", Stops(catches).open))
    monkeypatch.setattr(ours, "contenders", lambda: contenders)
    monkeypatch.setattr(timing, "_SECONDS", 1e-4)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        result = run(
            "--workload", "tiny,spiral", "--peers", "sklearn", "--json", "--plot", str(tmp_path / "so_far.png")
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.exit_code == 130
    data = json.loads(result.stdout)
    (workload,) = data["workloads"]
    assert data["interrupted"] is True
    seconds = {timed["name"]: len(timed["seconds"]) for timed in workload["timings"]}
    assert seconds["chainrule numpy"] == 3 and seconds["Other"] == 2
    assert (tmp_path / "so_far.png").exists()


def test_median_and_spread() -> None:
    timed = timing.Timing("torch", "x", [4.0, 1.0, 3.0, 2.0])
    assert timed.median == 2.5
    assert timed.spread == pytest.approx((3.75 - 1.25) / 2.5)


def test_the_floor_of_a_step_counts_its_products() -> None:
    assert TINY.flops == 2 * 8 * (3 * (4 * 5 + 5 * 3) - 4 * 5)


def test_peers_that_do_not_exist_are_refused_and_others_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="no peer named 'tensorflow'"):
        peers.contenders(["tensorflow"])
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    assert peers.contenders(["torch", "jax"]) == ([], ["torch", "jax"])


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["bench", "--session", *arguments], catch_exceptions=False)


@pytest.mark.usefixtures("quick")
def test_the_command_prints_one_json_object() -> None:
    result = run("--workload", "tiny", "--peers", "sklearn", "--repeats", "2", "--json")
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    (workload,) = data["workloads"]
    assert workload["name"] == "tiny" and workload["problems"] == []
    by_name = {timed["name"]: timed for timed in workload["timings"]}
    assert by_name["chainrule numpy"]["loss"] == pytest.approx(by_name["scikit-learn"]["loss"], rel=1e-3)
    assert all(len(timed["seconds"]) == 2 for timed in by_name.values())
    assert data["machine"]["versions"]["numpy"] == np.__version__


def measured_of(**medians: float) -> timing.Measured:
    groups = {"numpy": "chainrule", "fused": "chainrule", "eager": "torch", "scan": "jax"}
    timings = [
        timing.Timing(groups[name], f"chainrule {name}" if groups[name] == "chainrule" else name, [median])
        for name, median in medians.items()
    ]
    return timing.Measured(TINY, timings, [], None, "numpy")


def test_ratios_are_those_of_the_fastest_and_of_auto_to_the_best_peer_and_to_pytorch() -> None:
    assert measured_of(numpy=4.0, fused=1.0, eager=20.0, scan=8.0).ratios() == {
        "best": {"name": "chainrule fused", "times": {"scan": 8.0, "eager": 20.0}},
        "auto": {"name": "chainrule numpy", "times": {"scan": 2.0, "eager": 5.0}},
    }
    assert measured_of(numpy=4.0, eager=2.0).ratios()["auto"]["times"] == {"eager": 0.5}
    assert measured_of(eager=2.0).ratios() == {}


def test_the_notes_under_a_table_say_the_ratios_and_that_no_floor_was_measured() -> None:
    lines = report.notes(measured_of(numpy=4.0, fused=1.0, eager=20.0, scan=8.0))
    assert "chainrule fused: 8.00 × scan, 20.0 × eager" in lines
    assert "chainrule numpy: 2.00 × scan, 5.00 × eager" in lines
    assert "floor of this machine: not measured" in lines


def test_no_line_of_a_full_table_is_wider_than_80_columns() -> None:
    from rich.console import Console

    measured = timing.measure(TINY, contenders("jax"), 2, lambda text: None, seconds=1e-4)
    for timed in measured.timings:
        timed.name, timed.loss = timed.name.ljust(20, "x"), 10.123456
    console = Console(width=80)
    with console.capture() as captured:
        console.print(report.table(measured))
    lines = captured.get().splitlines()
    assert len(lines) == len(measured.timings) + 4  # nothing wraps
    assert all(len(line) <= 80 for line in lines) and "…" not in captured.get()


def test_where_a_gpu_takes_part_huge_is_measured_and_no_floor_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "huge" not in [workload.name for workload in usual(gpu=False)]
    assert "huge" in [workload.name for workload in usual(gpu=True)]
    monkeypatch.setattr(floor, "gpu", lambda: "Some GPU")
    assert floor.floor(TINY) is None


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_the_memory_of_an_engine_grows_with_the_network(engine: str) -> None:
    small, wide = (memory.peak(WORKLOADS[name], engine) for name in ("notes", "wide"))  # type: ignore[arg-type]
    parameters, data = 4 * WORKLOADS["wide"].parameters, WORKLOADS["wide"].data[0].nbytes  # type: ignore[attr-defined]
    assert wide - small > 3 * parameters + data  # parameters, two slots of each, the data


def test_the_bound_of_memory_counts_data_parameters_and_a_batch() -> None:
    assert memory.bound(TINY) == 32 * (4 * 4 + 8) + 16 * TINY.parameters + 4 * 8 * (4 + 5 + 3) + 100_000_000


def test_an_engine_whose_memory_is_not_measured_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="the memory of nothing was not measured: KeyError: 'nothing'"):
        memory.peak(WORKLOADS["notes"], "nothing")  # type: ignore[arg-type]


@pytest.mark.parametrize("library", ["keras", "sklearn"])
def test_keras_runs_on_jax_and_no_library_warns(library: str, recwarn: pytest.WarningsRecorder) -> None:
    _, contender = contenders(library)
    measured = timing.measure(TINY, [contender], 1, lambda text: None, seconds=1e-4)
    assert [timed.name for timed in measured.timings] == [contender.name] and not measured.problems
    assert not [w for w in recwarn if "ConvergenceWarning" in str(w.category)]
    if library == "keras":
        import keras

        assert keras.backend.backend() == "jax"


@pytest.mark.usefixtures("quick")
def test_the_command_prints_a_table_and_draws_a_plot(tmp_path: Path) -> None:
    result = run("--workload", "tiny", "--peers", "sklearn", "--repeats", "1", "--plot", str(tmp_path / "bench.png"))
    assert result.exit_code == 0
    assert "chainrule numpy" in result.stdout and "scikit-learn" in result.stdout and "floor" in result.stdout
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("quick")
def test_a_peer_that_is_not_installed_is_named_and_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    result = run("--workload", "tiny", "--repeats", "1")
    assert "Skipped: torch is not installed." in result.stdout and result.exit_code == 0


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("arguments", [("--workload", "tinny"), ("--peers", "torhc")])
def test_unknown_names_are_refused(arguments: tuple[str, str]) -> None:
    with pytest.raises(UnknownNameError):
        run(*arguments)


def test_the_command_is_exported() -> None:
    assert callable(command)
