"""The shell with absurd numbers and in odd terminals: one line that says what is wrong, or output that can be read."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import chainrule_shell
from chainrule import Dense, Model, ReLU, SoftmaxCrossentropy, check
from chainrule.errors import ConfigurationError

BIG = "9" * 20
LAYER = """
from chainrule import Layer
class Twice(Layer):
    def pure_forward(self, xp, inputs): return 2 * inputs
    def pure_backward(self, xp, dvalues): return dict(dinputs=2 * dvalues)
"""


def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "TERM", "NO_COLOR")}
    return subprocess.run(
        [sys.executable, "-m", "chainrule", *arguments],
        cwd=folder, env=kept | environment, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model file and a layer to check."""
    place = tmp_path_factory.mktemp("shell")
    Model([Dense(2, 3), ReLU(), Dense(3, 2)], SoftmaxCrossentropy(), class_names=("a", "b")).save(place / "model")
    (place / "again").symlink_to("model")
    (place / "rows.csv").write_text("a,b\n1,2\n")
    (place / "layer.py").write_text(LAYER)
    (place / "sheets").mkdir()
    (place / "sheets" / "layer.py").write_text(LAYER)
    return place


EXPLAIN = ("explain", "model", "xor", "--weight", "dense_0.weights[0,0]")
REFUSED = {
    "neurons": (("train", "xor", "--layers", BIG), "--layers"),
    "neurons beyond the memory": (("train", "xor", "--layers", "16000000,16000000"), "the machine has"),
    "negative neurons": (("train", "xor", "--layers", "-1"), "--layers"),
    "neurons that are no number": (("train", "xor", "--layers", "nan"), "--layers"),
    "no rate": (("train", "xor", "--lr", "nan"), "learning rate"),
    "an infinite rate": (("train", "xor", "--lr", "1e400"), "learning rate"),
    "a seed": (("train", "xor", "--seed", BIG), "seed"),
    "no epochs": (("train", "xor", "--epochs", "0"), "--epochs"),
    "half a batch": (("train", "xor", "--batch-size", "1.5"), "--batch-size"),
    "a sample": ((*EXPLAIN, "--sample", BIG), "--sample"),
    "an entry": (("explain", "model", "xor", "--weight", f"dense_0.weights[{BIG},0]"), "no entry"),
    "predictions over the table": (("predict", "model", "rows.csv", "--out", "rows.csv"), "is the table itself"),
    "predictions over the model": (("predict", "model", "rows.csv", "--out", "again"), "is the model itself"),
    "an explanation over the model": ((*EXPLAIN, "--html", "./model"), "is the model itself"),
    "a tolerance that passes all": (("check", "layer.py", "--rtol", "inf"), "--rtol must be finite"),
    "a tolerance that is no number": (("check", "layer.py", "--rtol", "nan"), "--rtol"),
    "seconds": (("check", "sheets", "--seconds", "nan"), "--seconds"),
    "repeats": (("bench", "--repeats", "-3"), "--repeats"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_absurd_number_is_refused_with_the_name_of_the_option(name: str, folder: Path) -> None:
    arguments, named = REFUSED[name]
    result = run(*arguments, folder=folder)
    assert result.returncode == 2, result.stdout
    assert named in result.stderr and "Traceback" not in result.stderr


TAKEN = {
    "samples": (*EXPLAIN, "--samples", BIG),
    "terms": (*EXPLAIN, "--max-terms", BIG),
    "a batch": ("train", "xor", "--epochs", "1", "--batch-size", BIG),
    "memory": ("check", "sheets", "--megabytes", BIG),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_number_larger_than_all_there_is_means_all_there_is(name: str, folder: Path) -> None:
    result = run(*TAKEN[name], folder=folder)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("rtol", [float("inf"), float("nan"), -1.0])
def test_check_takes_no_tolerance_that_would_pass_everything(rtol: float) -> None:
    with pytest.raises(ConfigurationError, match="rtol and atol must be finite"):
        check(ReLU(), rtol=rtol)


COMMANDS = {
    "help": (("train", "--help"), "--layers"),
    "info": (("info", "model"), "SoftmaxCrossentropy"),
    "explain": (EXPLAIN, "Why is dense_0.dweights["),
    "check": (("check", "layer.py"), "Twice"),
    "folder": (("check", "sheets"), "layer.py"),
}
TERMINALS = {
    "COLUMNS=0": {"COLUMNS": "0"},
    "COLUMNS=1": {"COLUMNS": "1"},
    "COLUMNS=wide": {"COLUMNS": "100000000"},
    "COLUMNS=text": {"COLUMNS": "abc"},
    "dumb": {"TERM": "dumb"},
    "no colour": {"NO_COLOR": "1"},
    "C": {"LC_ALL": "C"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
}


@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("command", ["help", "folder"])
def test_output_can_be_read_in_an_odd_terminal(command: str, terminal: str, folder: Path) -> None:
    arguments, shown = COMMANDS[command]
    result = run(*arguments, folder=folder, **TERMINALS[terminal])
    assert result.returncode == 0, result.stderr
    assert shown in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 400


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_prints_at_a_width_of_0(command: str, folder: Path) -> None:
    arguments, shown = COMMANDS[command]
    result = run(*arguments, folder=folder, COLUMNS="0")
    assert result.returncode == 0 and shown in result.stdout


class Interrupted:
    """An import of the shell during which Ctrl-C is pressed."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "chainrule.cli":
            raise KeyboardInterrupt


def test_ctrl_c_while_the_command_is_imported_ends_it_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "chainrule.cli", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        chainrule_shell.main()
    assert ended.value.code == 130 and capfd.readouterr() == ("", "")
    settings = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["project"]["scripts"] == {"chainrule": "chainrule_shell:main"}


class Leaving(io.FileIO):
    """The end of a pipe whose reader goes away when it has read a word."""

    def __init__(self, word: str) -> None:
        super().__init__(os.devnull, "w")
        self.word, self.read = word.encode(), b""

    def write(self, content: Any) -> int:
        self.read += bytes(content)
        if self.word in self.read:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        return len(content)


LEFT = {
    "at once": (("datasets",), "digits"),
    "in the middle of a run": (("train", "moons", "--epochs", "1000", "--layers", "4", "--out", "run"), "epoch 50:"),
    "at the end": (("train", "moons", "--epochs", "2", "--layers", "4", "--out", "run", "--json"), "}"),
}


@pytest.mark.parametrize("when", LEFT)
def test_a_reader_that_leaves_ends_the_command_as_sigpipe_does(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, word = LEFT[when]
    monkeypatch.setattr(sys, "argv", ["chainrule", *arguments])
    monkeypatch.chdir(tmp_path)
    pipe = Leaving(word)
    with io.TextIOWrapper(io.BufferedWriter(pipe)) as out, open("errors", "w") as errors:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors), pytest.raises(SystemExit) as ended:
            chainrule_shell.main()
        pipe.word = b"nothing"  # its number has become that of /dev/null
        pipe.read = b""
    assert ended.value.code == 141 and (tmp_path / "errors").read_text() == ""
    if "run" in arguments:
        assert Model.load("run/model.safetensors").run.epoch in range(1, 51)
        assert not list(tmp_path.glob("run/.*"))
