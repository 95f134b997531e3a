"""The scripts of benchmarks/: they run, and say what they measured."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import chainrule

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the sources")


def script(name: str, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(Path(chainrule.__file__).parents[1]), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(FOLDER / name), *arguments], capture_output=True, text=True,
                          check=False, env=environment, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(FOLDER))  # as for a script: they share a module
    try:
        spec.loader.exec_module(found)
    finally:
        sys.path.remove(str(FOLDER))
    return found


def test_small_tables_beside_scikit_learn() -> None:
    pytest.importorskip("sklearn")
    (line,) = json.loads(script("small_tables.py", "--tables", "iris", "--repeats", "1", "--json"))
    assert line["epochs"] == 500 and line["aim"] == 5.0
    assert line["times"] == line["scikit-learn"] / line["chainrule"]
    assert min(line["accuracies"]) > 0.9  # both sides have learned


def test_fits_together_and_in_turn() -> None:
    arguments = ("--processes", "2", "--repeats", "1", "--workload", "notes", "--quick", "--json")
    (line,) = json.loads(script("together.py", *arguments))
    assert line["processes"] == 2 and line["together"] > 0 and line["in_turn"] > 0


def test_what_a_call_of_fit_costs_is_printed_for_both_engines() -> None:
    lines = json.loads(script("one_step.py", "--repeats", "1", "--quick", "--json"))
    assert [line["engine"] for line in lines].count("fused") == len(lines) / 2 == 8
    assert all(line["seconds"] > 0 for line in lines)


def test_the_grid_of_auto_has_at_least_60_tasks_and_says_the_share() -> None:
    auto = module("auto")
    assert len(set(auto.TASKS)) == len(auto.TASKS) >= 60
    assert auto.share([{"right": True}, {"right": True}, {"right": False}]).endswith("2 of 3, 67%")


def test_auto_is_right_where_its_engine_is_near_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    auto = module("auto")
    took = {"numpy": (1.0, 1.0), "fused": (0.95, 0.5), "auto": (1.3, 1.0)}
    monkeypatch.setattr(auto, "seconds", lambda task, engine: (*took[engine], "numpy"))
    new, warm = auto.compare(auto.TASKS[0], ["numpy", "fused"], 1)
    assert (new["best"], new["chosen"], new["right"]) == ("fused", "numpy", True)
    assert (warm["best"], warm["right"]) == ("fused", False)


def test_one_task_of_auto_is_measured_in_a_new_process_and_a_warm_one() -> None:
    auto = module("auto")
    first, later, engine = auto.seconds(auto.Task(4, 8, 1, 32, 64, 2), "numpy")
    assert first > 0 and later > 0 and engine == "numpy"


def test_a_mixture_chosen_by_the_test_part_is_never_behind_the_best_of_its_parts() -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("pandas")
    reach, random = module("reach"), np.random.default_rng(0)
    wanted = random.integers(0, 3, 40)
    each = [random.dirichlet(np.ones(3), 40) for _ in range(5)]
    for which in (0, 1):
        best = min(reach.measures(one, wanted, True)[which] for one in each)
        assert reach.mixture(each, wanted, True, which) < best
    right, opposite = np.eye(3)[wanted], np.eye(3)[(wanted + 1) % 3]
    assert reach.mixture([opposite, right], wanted, True, 1) == 0
    assert reach.mixture([wanted + 1.0, wanted - 1.0], wanted.astype(float), False, 0) == 0
