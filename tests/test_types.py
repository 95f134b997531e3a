"""Type checkers are quiet on what users write, and mark what is wrong in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule
import users_code

SOURCE = Path(chainrule.__file__).parent.parent
CODE = Path(users_code.__file__)
WRONG = """\
import numpy as np

from chainrule import Dense, Model, MeanSquaredError

model = Model([Dense(2, 1)], loss=MeanSquaredError())
model.fit(np.zeros((4, 2)), np.zeros(4), epochs=1, engine="numpy")
model.fit(np.zeros((4, 2)), np.zeros(4), epochs=1, engine="cuda")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The users' code and a file with one error, in line 7."""
    shutil.copy(CODE, tmp_path / "good.py")
    (tmp_path / "wrong.py").write_text(WRONG)
    return tmp_path


def test_mypy_marks_the_unknown_engine_and_nothing_else(folder: Path) -> None:
    options = ["--config-file=", "--follow-imports=silent", "--strict", "--allow-untyped-defs", "--allow-untyped-calls"]
    command = [sys.executable, "-m", "mypy", *options, "good.py", "wrong.py"]
    cache = os.environ.get("MYPY_CACHE_DIR", str(CODE.parent.parent / ".mypy_cache" / "users"))
    environment = os.environ | {"MYPYPATH": str(SOURCE), "MYPY_CACHE_DIR": cache}
    found = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    errors = [line for line in found.stdout.splitlines() if ": error:" in line]
    assert [error.split(" error:")[0] for error in errors] == ["wrong.py:7:"], found.stdout + found.stderr
    assert 'Literal["auto", "numpy", "fused", "jax"]' in re.sub(r"'", '"', errors[0])


@pytest.mark.beyond_dev
def test_pyright_marks_the_unknown_engine_and_nothing_else(folder: Path) -> None:
    pyright = shutil.which("pyright") or shutil.which("basedpyright")
    if pyright is None:
        pytest.skip("pyright is not installed")
    settings = {"typeCheckingMode": "standard", "extraPaths": [str(SOURCE)], "include": ["good.py", "wrong.py"]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [pyright, "--outputjson", "--pythonpath", sys.executable]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    errors = json.loads(found.stdout)["generalDiagnostics"]
    places = [(Path(error["file"]).name, error["range"]["start"]["line"] + 1) for error in errors]
    assert places == [("wrong.py", 7)], errors


def test_what_the_type_checkers_read_also_runs(capsys: pytest.CaptureFixture[str]) -> None:
    users_code.use()
    assert "epoch 2" in capsys.readouterr().out
