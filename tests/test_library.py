"""The library of kernels: the right level, a reason where there is none, and no code but that of the package."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule import SGD, Dense, MeanSquaredError, Sequential
from chainrule.engines import prepare
from chainrule.engines.contract import Task
from chainrule.engines.fused import library
from chainrule.errors import ConfigurationError

built = pytest.mark.skipif(library.why_missing() is not None, reason="needs the library: python hatch_build.py")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what was built, for the module to look at instead."""
    for source in library._PLACE.glob("*"):
        if source.suffix in (library._SUFFIX, ".json"):
            shutil.copy(source, tmp_path)
    shutil.copytree(library._PLACE / "c", tmp_path / "c")
    monkeypatch.setattr(library, "_PLACE", tmp_path)
    for function in (library._opened, library._record):
        function.cache_clear()
        monkeypatch.setattr(library, function.__name__, function.__wrapped__)
    return tmp_path


@built
def test_the_best_level_that_the_processor_can_run_is_loaded() -> None:
    assert isinstance(library.load(), ctypes.CDLL)
    about = library.about()
    assert about["level"] == library._RUNS[library.processor_level()][0]
    assert about["compiler"] and about["problem"] is None


@built
def test_the_level_agrees_with_what_the_system_says() -> None:
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        pytest.skip("needs /proc/cpuinfo")
    if library.processor_level().startswith("x86"):
        v3 = {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"} <= flags
        v4 = v3 and {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= flags
        assert library.processor_level() == ("x86-64-v4" if v4 else "x86-64-v3" if v3 else "x86-64")


@built
def test_a_processor_without_avx512_is_given_none(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "processor_level", lambda: "x86-64-v3")
    opened: list[str] = []
    monkeypatch.setattr(library.ctypes, "CDLL", lambda path: opened.append(Path(path).name))
    if (place / f"kernels-x86-64-v3{library._SUFFIX}").is_file():
        library._opened()
        assert opened == [f"kernels-x86-64-v3{library._SUFFIX}"]


@built
def test_an_older_processor_is_told_so(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "processor_level", lambda: "x86-64")
    with pytest.raises(ConfigurationError, match="no machine code here: this processor is of level x86-64, and there"):
        library.load()


def test_sources_that_were_never_built_are_told_so(place: Path) -> None:
    (place / "built.json").unlink(missing_ok=True)
    assert "which were not built: pip install them, or python hatch_build.py" in str(library.why_missing())


@pytest.mark.parametrize("content", ["", "[", "{}", '{"problem": null}', '{"problem": null, "sources": 3}'])
def test_a_damaged_record_is_a_reason_and_no_error(place: Path, content: str) -> None:
    (place / "built.json").write_text(content)
    assert library.why_missing()


def test_why_nothing_was_built_is_said_with_what_to_do(place: Path) -> None:
    record = {"problem": "no C compiler was found that works", "tried": ["cc: not found", "gcc: not found"]}
    (place / "built.json").write_text(json.dumps(record | {"advice": "Install one (apt install gcc)"}))
    assert str(library.why_missing()) == (
        "when chainrule was built, no C compiler was found that works (cc: not found; gcc: not found). Install one "
        "(apt install gcc), then install chainrule again: pip install --force-reinstall --no-deps --no-cache-dir."
    )
    (place / "built.json").write_text(json.dumps({"problem": "there are no kernels for 32-bit arm processors"}))
    assert library.why_missing() == "when chainrule was built, there are no kernels for 32-bit arm processors."


def test_auto_says_why_there_is_no_machine_code_and_what_to_do(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"problem": "no C compiler ended in time", "advice": "Wait until the machine is less busy"}
    (place / "built.json").write_text(json.dumps(record))
    monkeypatch.setattr("chainrule.engines.costs._has_jax", lambda: False)
    network = Sequential(Dense(2, 2))
    task = Task.of(network, MeanSquaredError(), SGD(), 0, np.zeros((64, 2)), np.zeros((64, 2)), None, 64)
    engine, reason = prepare("auto", task, 10**6)
    assert engine == "numpy"
    assert reason.startswith("the fused engine has no machine code here: when chainrule was built, no C compiler ended")
    assert "Wait until the machine is less busy, then install chainrule again" in reason


@built
def test_sources_that_changed_since_are_not_run_as_the_old_ones(place: Path) -> None:
    (place / "c" / "processor.c").write_text("/* another */")
    assert "are not those that were compiled" in str(library.why_missing())


@built
@pytest.mark.parametrize("content", [None, b"", b"\x7fELF" + bytes(60)])
def test_a_library_that_is_missing_or_damaged_is_a_reason(place: Path, content: bytes | None) -> None:
    for path in place.glob(f"kernels-*{library._SUFFIX}"):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
    reason = str(library.why_missing())
    assert "cannot be opened" in reason if content is not None else "there is code for" in reason


# No stranger's code: a process that trains, with files planted in every place that others may write to.

_TRAIN = """
import json, sys
opened = []
def watch(event, arguments):
    if event in ("ctypes.dlopen", "open") and arguments and isinstance(arguments[0], (str, bytes)):
        name = arguments[0]
        opened.append((event, name if isinstance(name, str) else name.decode(errors="replace")))
sys.addaudithook(watch)
from chainrule import Adam, Dense, Model, ReLU, SoftmaxCrossentropy
from chainrule.datasets.generators import spiral
X, y = spiral(20, 3, seed=0)
model = Model([Dense(2, 8), ReLU(), Dense(8, 3)], SoftmaxCrossentropy(), Adam(1e-3), seed=0)
model.fit(X, y, epochs=3, batch_size=60, verbose=False, engine=sys.argv[1])
model.predict(X)
print(json.dumps([model.run.engine, opened]))
"""


def plant(folder: Path) -> None:
    """Everything that an engine of any day could take for its own, each of which would end the process."""
    names = [*(f"kernels-{level}" for level in ("x86-64-v3", "x86-64-v4", "aarch64")), "processor"]
    for place in (folder, folder / "chainrule", folder / "chainrule" / "fused-0123456789abcdef"):
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            (place / f"{name}{library._SUFFIX}").write_bytes(b"not yours")
        (place / "built.json").write_text("{}")


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX")
@pytest.mark.parametrize("engine", ["numpy", "auto", "fused"])
def test_only_the_library_of_the_package_is_opened(engine: str, tmp_path: Path) -> None:
    places = {name: tmp_path / name for name in ("temporary", "home", "relative", "cache", "here", "libraries")}
    for folder in places.values():
        plant(folder)
    environment = {
        name: value for name, value in os.environ.items() if name not in ("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME")
    }
    environment |= {
        "TMPDIR": str(places["temporary"]),
        "XDG_CACHE_HOME": "relative",
        "CHAINRULE_CACHE": str(places["cache"]),
        "LD_LIBRARY_PATH": str(places["libraries"]),
        "PYTHONPATH": os.pathsep.join([str(Path(chainrule.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run([sys.executable, "-P", "-c", _TRAIN, engine], cwd=tmp_path, env=environment, text=True,
                          capture_output=True, check=False, timeout=600)  # fmt: skip
    assert done.returncode == 0, done.stderr
    ran, opened = json.loads(done.stdout.splitlines()[-1])
    planted = [name for _, name in opened if any(name.startswith(str(folder)) for folder in places.values())]
    assert planted == []
    libraries = [name for event, name in opened if event == "ctypes.dlopen" and "chainrule" in Path(name).parts]
    assert all(Path(name).parent == library._PLACE for name in libraries)
    assert all(Path(name).is_absolute() for event, name in opened if event == "ctypes.dlopen" and "kernels" in name)
    if ran == "fused":
        assert {Path(name).stem for name in libraries} == {"processor", f"kernels-{library.about()['level']}"}
