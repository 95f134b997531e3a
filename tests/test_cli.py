"""The shell, as a person runs it: another process, its output, its exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chainrule", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_train_digits_reports_97_percent_and_saves_what_it_learned(tmp_path: Path) -> None:
    result = run("train", "digits", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    test = next(line for line in result.stdout.splitlines() if line.startswith("│ test"))
    assert float(test.split("│")[3].strip().rstrip("%")) >= 97.0
    assert (tmp_path / "runs/digits/parameters.safetensors").stat().st_size > 30_000
    history = (tmp_path / "runs/digits/history.csv").read_text().splitlines()
    assert history[0] == "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds"
    assert len(history) == 41
    again = run("train", "digits", "--out", "second", folder=tmp_path)
    assert (tmp_path / "second/parameters.safetensors").read_bytes() == (
        tmp_path / "runs/digits/parameters.safetensors"
    ).read_bytes(), again.stdout


def test_datasets_lists_the_shipped_sets(tmp_path: Path) -> None:
    result = run("datasets", folder=tmp_path)
    assert result.returncode == 0
    assert "digits" in result.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], []])
def test_help_says_what_there_is(arguments: list[str], tmp_path: Path) -> None:
    result = run(*arguments, folder=tmp_path)
    assert "train" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "digit"], "There is no data set named 'digit'. Did you mean 'digits'?"),
        (["train", "digits", "--layers", "12,x"], "--layers: write whole numbers with commas"),
        (["train", "digits", "--layers", "0"], "--layers: write whole numbers with commas"),
        (["train", "digits", "--lr", "nan"], "learning rate"),
        (["train", "digits", "--seed", str(2**40)], "seed must be an integer"),
        (["train", "digits", "--lr", "1e30"], "The loss became"),
        (["train", "digits", "--out", "file/inside"], "file"),
    ],
)
def test_bad_input_gives_one_line_and_exit_code_2(arguments: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = run(*arguments, folder=tmp_path)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
