"""The benchmark compares like with like: one start, one order, one loss; and it says what it leaves out."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from chainrule.bench import ours, peers, report, timing
from chainrule.bench.contender import Contender, Opened
from chainrule.bench.workloads import WORKLOADS, Gradient, Prediction, Training
from chainrule.cli import app
from chainrule.commands import bench as command
from chainrule.errors import UnknownNameError

TINY = Training("tiny", "4-5-3", (4, 5, 3), 32, 8, True, 0.01, 4, 12)
ALL = {
    "full batch": Training("full", "2-3-3", (2, 3, 3), 30, 30, False, 0.1, 4, 12),
    "batches": TINY,
    "gradient": Gradient("gradient", "(5, 3)", 5, 3),
    "prediction": Prediction("predict", "4-5-3", TINY),
}
OTHERS, _ = peers.contenders(["jax", "torch", "keras", "sklearn"])
EVERYONE = [c for c in (*ours.contenders(), *OTHERS) if c.name not in ("fused", "PyTorch compiled")]  # slow to compile


@pytest.mark.parametrize("name", ALL)
def test_all_contenders_agree(name: str) -> None:
    measured = timing.measure(ALL[name], EVERYONE, 1, lambda text: None, seconds=1e-4)
    assert measured.problems == []
    assert len(measured.timings) >= 4
    assert all(timed.median > 0 for timed in measured.timings)


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


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["bench", *arguments], catch_exceptions=False)


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
