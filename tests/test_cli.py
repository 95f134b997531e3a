"""The shell, as a person runs it: its output, its files, its exit code.

One run of each kind is a process of its own; the others are carried out in this one, in a twentieth of the time.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import Dense, Model, SoftmaxCrossentropy, datasets
from support import shell as run


def in_a_process(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chainrule", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_train_digits_reports_97_percent_and_saves_what_it_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = in_a_process("train", "digits", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    test = next(line for line in result.stdout.splitlines() if line.startswith("│ test"))
    assert float(test.split("│")[3].strip().rstrip("%")) >= 97.0
    history = (tmp_path / "runs/digits/history.csv").read_text().splitlines()
    assert history[0].startswith("epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,")
    assert "gradient_norm.dense_0" in history[0]
    assert len(history) > 40
    assert "next: chainrule predict runs/digits/model.safetensors digits" in result.stdout
    explain = re.search(r'next: chainrule (explain \S+ digits --weight "(.*)")', result.stdout)
    assert explain is not None
    shown = run(*shlex.split(explain[1]), folder=tmp_path)
    assert shown.returncode == 0 and "Why is dense_0.dweights[" in shown.stdout
    assert_shown_in_readme(result.stdout, "digits: Optical")
    monkeypatch.setenv("COLUMNS", "100")
    asked = ["--weight", "dense_0.weights[20,5]"]
    shown = run("explain", "runs/digits/model.safetensors", "digits", *asked, folder=tmp_path)
    assert_shown_in_readme(shown.stdout, "Why is dense_0.dweights")


def assert_shown_in_readme(printed: str, first: str) -> None:
    """README shows lines of this output in their order; numbers, bars and pictures may differ between machines."""

    def words(text: str) -> list[str]:
        lines = (re.sub(r"[-(]*\d[\d.,]*(e-?\d+)?\)*", "#", line) for line in text.splitlines())
        return [" ".join(re.sub(r"[░▒▓█]+|, \w+\.png", " ", line).split()) for line in lines]

    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    (block,) = (text for text in re.findall(r"```text\n(.*?)```", readme, flags=re.S) if text.startswith(first))
    found = iter(words(printed))
    for line in words(block):
        if line not in ("", "…") and "No plots:" not in line:
            assert line in found, line


def test_train_ends_with_the_misread_digits_and_the_accuracy_of_each_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for width in (80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = run("train", "digits", "--epochs", "2", "--layers", "16", folder=tmp_path).stdout.splitlines()
        start = lines.index("Accuracy by class, held out:")
        of = [re.search(r"^  (\d)  (█* *) +([\d.]+)% of (\d+)", line) for line in lines[start + 1 : start + 11]]
        assert [match and match[1] for match in of] == list("0123456789")
        right = sum(float(match[3]) / 100 * int(match[4]) for match in of if match)
        digits, model = datasets.load("digits"), Model.load(tmp_path / "runs/digits/model.safetensors")
        predicted = model.predict(digits.X_test)
        assert right == pytest.approx((predicted == digits.y_test).sum(), abs=0.5)
        wrong = np.flatnonzero(predicted != digits.y_test)
        assert lines[start + 11] == f"{len(wrong)} of 360 held-out images were misread, among them:"
        each = 4 if width == 80 else 6
        titles = lines[start + 12].split("   ")
        assert [t.strip() for t in titles if t.strip()] == [
            f"{digits.y_test[i]} read as {predicted[i]}" for i in wrong[:each]
        ]
        image = digits.X_test[wrong[0]].reshape(8, 8)
        drawn = [line[2:18].ljust(16)[::2] for line in lines[start + 13 : start + 21]]
        assert [[c == " " for c in row] for row in drawn] == [[v < 0.2 for v in row] for row in image]
        assert max(len(line) for line in lines[start : start + 30]) <= width


@pytest.mark.parametrize(("name", "measure", "least"), [("spiral", "accuracy", 0.95), ("sine", "r2", 0.995)])
def test_what_the_usual_network_does_not_learn_begins_with_another(
    name: str, measure: str, least: float, tmp_path: Path
) -> None:
    report = json.loads(run("train", name, "--json", folder=tmp_path).stdout)
    assert min(report["train"][measure], report["test"][measure]) >= least
    own = json.loads(run("train", name, "--json", "--layers", "8", "--epochs", "2", folder=tmp_path).stdout)
    model = Model.load(tmp_path / f"runs/{name}/model.safetensors")
    assert own["epochs"] == 2 and model.optimizer.learning_rate == {"spiral": 0.001, "sine": 0.002}[name]
    assert next(shape[1] for shape in model.network.parameter_shapes().values()) == 8


def write(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """Two kinds of flowers in a table with a number, a word and the kind."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 2, 120)
    rows = [f"{5 + 2 * k + rng.normal(0, 0.3):.3f},{('red', 'blue')[k]},{('rose', 'iris')[k]}" for k in kinds]
    return write(tmp_path / "flowers.csv", "length,colour,kind", *rows)


def test_a_table_is_trained_on_saved_and_predicted_from(flowers: Path, tmp_path: Path) -> None:
    trained = run(
        "train", "flowers.csv", "--target", "kind", "--layers", "8", "--epochs", "30", "--json", folder=tmp_path
    )
    assert trained.returncode == 0, trained.stderr
    report = json.loads(trained.stdout)
    assert report["test"]["accuracy"] == 1.0
    assert set(report["test"]) == {"loss", "accuracy", "f1"}
    model = "runs/flowers/model.safetensors"
    assert (tmp_path / model).exists()

    predicted = run("predict", model, "flowers.csv", folder=tmp_path)
    rows = list(csv.DictReader(predicted.stdout.splitlines()))
    wanted = [line.split(",")[2] for line in flowers.read_text().splitlines()[1:]]
    assert [row["prediction"] for row in rows] == wanted
    assert all(0.5 < float(row["probability"]) <= 1 for row in rows)
    assert "120 rows: accuracy 1" in predicted.stderr

    write(tmp_path / "new.csv", "colour,length", "red,5.0", "blue,7.0")
    new = run("predict", model, "new.csv", "--out", "answers.csv", folder=tmp_path)
    assert new.returncode == 0, new.stderr
    answers = list(csv.DictReader((tmp_path / "answers.csv").read_text().splitlines()))
    assert [row["prediction"] for row in answers] == ["rose", "iris"]

    known = json.loads(run("info", model, "--json", folder=tmp_path).stdout)
    assert known["classes"] == ["iris", "rose"]
    assert known["features"] == ["length", "colour=blue", "colour=red"]
    assert known["columns"] == {"length": "number", "colour": "text of 2 categories"}
    shown = run("info", model, folder=tmp_path).stdout
    assert "dense_0" in shown
    assert "iris, rose" in shown


def test_values_are_reported_and_predicted_in_the_tables_own_unit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{x:.4f},{1000 + 50 * x:.3f}" for x in rng.normal(size=200)]
    write(tmp_path / "prices.csv", "size,price", *rows)
    report = json.loads(
        run("train", "prices.csv", "--layers", "8", "--epochs", "300", "--json", folder=tmp_path).stdout
    )
    assert report["test"]["mae"] < 10
    assert report["test"]["r2"] > 0.95
    answers = run("predict", "runs/prices/model.safetensors", "prices.csv", "--json", folder=tmp_path)
    assert abs(np.mean(json.loads(answers.stdout)["prediction"]) - 1000) < 20


def test_points_of_two_numbers_are_generated_and_learned(tmp_path: Path) -> None:
    report = json.loads(run("train", "moons", "--json", folder=tmp_path).stdout)
    assert report["test"]["accuracy"] >= 0.95
    assert {Path(file).name for file in report["files"]} >= {"model.safetensors", "history.csv"}


def without_seconds(path: Path) -> list[Any]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(path.read_text().splitlines())]


@pytest.fixture
def ctrl_c_counts() -> Iterator[None]:
    """What a shell without job control starts in the background ignores SIGINT, and so does all that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_counts")
def test_an_interrupted_run_resumes_to_the_bits_of_one_that_never_stopped(tmp_path: Path) -> None:
    command = ["train", "digits", "--layers", "256", "--engine", "numpy"]
    with subprocess.Popen(
        [sys.executable, "-m", "chainrule", *command, "--epochs", "100000", "--out", "cut"],  # does not end by itself
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch 5:"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()
    assert process.returncode == 130
    assert "Stopped at step" in rest
    assert "--resume" in rest
    command += ["--epochs", str(Model.load(tmp_path / "cut/model.safetensors").run.epoch + 20)]
    for folder, options in (("whole", []), ("cut", ["--resume"])):
        ended = in_a_process(*command, "--out", folder, *options, folder=tmp_path)
        assert ended.returncode == 0, ended.stderr
    one, other = Model.load(tmp_path / "whole/model.safetensors"), Model.load(tmp_path / "cut/model.safetensors")
    assert one.run.step == other.run.step
    for name, value in one.run.values.items():
        np.testing.assert_array_equal(value, other.run.values[name])
    assert without_seconds(tmp_path / "whole/history.csv") == without_seconds(tmp_path / "cut/history.csv")


def test_a_run_that_has_ended_says_that_nothing_is_left_to_train(tmp_path: Path) -> None:
    command = ["train", "moons", "--layers", "4", "--early-stopping", "0", "--epochs"]
    run(*command, "3", folder=tmp_path)
    assert "Nothing is left to train: the run of" in run(*command, "3", "--resume", folder=tmp_path).stdout
    assert "Nothing is left" not in run(*command, "4", "--resume", folder=tmp_path).stdout


def test_datasets_lists_the_shipped_sets_with_their_licences(tmp_path: Path) -> None:
    result = run("datasets", folder=tmp_path)
    assert result.returncode == 0
    for name in ("digits", "iris", "wine", "breast_cancer", "penguins", "diabetes", "fashion-mnist"):
        assert name in result.stdout.replace("\n", "")
    assert "CC BY" in result.stdout


def test_a_process_ends_with_the_code_and_the_output_of_the_shell(tmp_path: Path) -> None:
    for arguments in (["train", "moons", "--layers", "x"], ["train", "digit"], ["info", "none"], ["datasets"]):
        ended, here = in_a_process(*arguments, folder=tmp_path), run(*arguments, folder=tmp_path)
        assert (ended.returncode, ended.stdout, ended.stderr) == (here.returncode, here.stdout, here.stderr)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["predict", "-h"], []])
def test_help_says_what_there_is(arguments: list[str], tmp_path: Path) -> None:
    result = run(*arguments, folder=tmp_path)
    assert "train" in result.stdout + result.stderr


BAD: dict[str, tuple[list[str], str]] = {
    "an unknown name": (["train", "digit"], "There is no data set named 'digit'. Did you mean 'digits'?"),
    "a missing file": (["train", "missing.csv"], "There is no file or data set named 'missing.csv'"),
    "an empty file": (["train", "empty.csv"], "empty.csv"),
    "a header alone": (["train", "header.csv"], "header.csv"),
    "an unknown column": (["train", "good.csv", "--target", "knid"], "'knid'. Did you mean 'kind'?"),
    "one class only": (["train", "one.csv"], "one class only"),
    "text where numbers belong": (["train", "good.csv", "--target", "kind", "--task", "values"], "'kind'"),
    "missing values": (["train", "holes.csv"], "--missing impute"),
    "a stray word among numbers": (["train", "stray.csv"], "'oops' in line 9"),
    "too many neurons": (["train", "digits", "--layers", "100000000000"], "GB to train; the machine has"),
    "ragged lines": (["train", "ragged.csv"], "ragged.csv"),
    "an option of a table for points": (["train", "moons", "--target", "x"], "no option 'target'"),
    "layers of words": (["train", "digits", "--layers", "12,x"], "--layers: write whole numbers with commas"),
    "no neurons": (["train", "digits", "--layers", "0"], "--layers: write whole numbers with commas"),
    "a rate of nan": (["train", "digits", "--lr", "nan"], "learning rate"),
    "a rate that explodes": (["train", "digits", "--lr", "1e30"], "not finite are in"),
    "a large seed": (["train", "digits", "--seed", str(2**40)], "seed must be an integer"),
    "an unknown optimizer": (["train", "digits", "--optimizer", "adm"], "Did you mean 'adam'?"),
    "an unknown activation": (["train", "digits", "--activation", "rleu"], "Did you mean 'relu'?"),
    "an unknown engine": (["train", "digits", "--engine", "warp"], "There is no engine named 'warp'"),
    "a file for a folder": (["train", "digits", "--out", "good.csv/inside"], "good.csv"),
    "a model that is not there": (["predict", "none", "good.csv"], "none: there is no such file"),
    "a table with a mistyped name": (["train", "god.csv"], "Did you mean 'good.csv'?"),
    "a model with a mistyped name": (["predict", "tables/on.csv", "good.csv"], "Did you mean 'tables/one.csv'?"),
    "a model in a mistyped folder": (["explain", "tabels/one.csv", "digits"], "Did you mean 'tables/one.csv'?"),
    "a mistyped model to export": (["export", "god.csv"], "Did you mean 'good.csv'?"),
    "a mistyped file to check": (["check", "god.csv"], "Did you mean 'good.csv'?"),
    "a mistyped program": (["compare", "god.csv"], "Did you mean 'good.csv'?"),
    "a mistyped file to play on": (["play", "god.csv"], "Did you mean 'good.csv'?"),
    "a name with # that is no link": (["play", "sales#1.csv"], "no file or data set named 'sales#1.csv'"),
    "a link with data beside it": (
        ["play", "http://x/#%7B", "--data", "good.csv"],
        "--data goes with a model",
    ),
    "a table with data beside it": (["play", "good.csv", "--data", "good.csv"], "--data goes with a model"),
    "a folder for a table": (["train", "tables"], "tables is a folder; name a file, such as tables/one.csv."),
    "a folder for a model": (["explain", "tables", "digits"], "tables is a folder; name a file."),
    "a model that is none": (["info", "good.csv"], "not a readable safetensors file"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gives_one_line_and_exit_code_2(case: str, tmp_path: Path) -> None:
    arguments, message = BAD[case]
    write(tmp_path / "good.csv", "length,kind", *(f"{i},{'ab'[i % 2]}" for i in range(40)))
    write(tmp_path / "one.csv", "length,kind", *(f"{i},a" for i in range(40)))
    write(tmp_path / "holes.csv", "length,kind", *(f"{i if i else ''},{'ab'[i % 2]}" for i in range(40)))
    write(tmp_path / "ragged.csv", "length,kind", "1,a", "2,b,c", "3,a")
    write(tmp_path / "header.csv", "length,kind")
    write(tmp_path / "stray.csv", "length,kind", *(f"{'oops' if i == 7 else i},{'ab'[i % 2]}" for i in range(40)))
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "tables").mkdir()
    write(tmp_path / "tables/one.csv", "length,kind", "1,a")
    result = run(*arguments, folder=tmp_path)
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr


def test_a_table_that_lacks_a_column_of_the_model_is_refused(flowers: Path, tmp_path: Path) -> None:
    run("train", "flowers.csv", "--target", "kind", "--epochs", "1", folder=tmp_path)
    write(tmp_path / "new.csv", "length", "5.0")
    result = run("predict", "runs/flowers/model.safetensors", "new.csv", folder=tmp_path)
    assert result.returncode == 2
    assert "colour" in result.stderr
    write(tmp_path / "new.csv", "length,colour", "5.0,green")
    result = run("predict", "runs/flowers/model.safetensors", "new.csv", folder=tmp_path)
    assert result.returncode == 0
    assert "'green' in line 2" in result.stderr and len(result.stdout.splitlines()) == 2


def test_a_table_with_more_columns_and_an_unknown_target_is_predicted_without_a_score(
    flowers: Path, tmp_path: Path
) -> None:
    run("train", "flowers.csv", "--target", "kind", "--epochs", "40", folder=tmp_path)
    write(tmp_path / "new.csv", "id,length,colour,kind", "1,5.0,red,", "2,7.0,blue,tulip")
    result = run("predict", "runs/flowers/model.safetensors", "new.csv", folder=tmp_path)
    assert [line.split(",")[0] for line in result.stdout.splitlines()] == ["prediction", "rose", "iris"]
    assert result.stderr == ""


RECIPES: dict[str, list[str]] = {
    "plain": [],
    "dropout and a schedule": ["--dropout", "0.2", "--schedule", "cosine", "--activation", "gelu"],
    "early stopping": ["--early-stopping", "3", "--optimizer", "sgd", "--lr", "0.05", "--schedule", "onecycle"],
    "class weights": ["--class-weights", "iris:1,rose:3", "--drop", "colour", "--layers", "8,4"],
    "balanced": ["--class-weights", "balanced", "--validation", "0.2", "--optimizer", "adamw", "--schedule", "step"],
}


@pytest.mark.parametrize("options", RECIPES.values(), ids=RECIPES)
def test_the_recipe_is_a_program_that_ends_with_the_same_numbers(
    options: list[str], flowers: Path, tmp_path: Path
) -> None:
    command = ["train", "flowers.csv", "--epochs", "12", "--seed", "3", *options]
    printed = run(*command, "--recipe", folder=tmp_path)
    assert printed.returncode == 0, printed.stderr
    (tmp_path / "recipe.py").write_text(printed.stdout)
    ended = subprocess.run([sys.executable, "recipe.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(run(*command, "--json", folder=tmp_path).stdout)
    measured = {name: report["test"][name] for name in ("loss", "accuracy")}
    assert ended.stdout.splitlines()[-1] == str(measured)
    one, other = Model.load(tmp_path / "model.safetensors"), Model.load(tmp_path / "runs/flowers/model.safetensors")
    for name, value in one.run.values.items():
        np.testing.assert_array_equal(value, other.run.values[name])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--schedule", "cosin"], "Did you mean 'cosine'?"),
        (["--dropout", "1.5"], "rate"),
        (["--class-weights", "tulip:2"], "There is no class for --class-weights named 'tulip'"),
        (["--class-weights", "rose:x"], "--class-weights: write balanced, or"),
        (["--validation", "0.001"], "validation_split must leave samples on both sides"),
        (["--text", "colr"], "Did you mean 'colour'?"),
        (["--encoding", "cp99"], "no encoding named 'cp99'"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options: list[str], message: str, flowers: Path, tmp_path: Path) -> None:
    result = run("train", "flowers.csv", *options, folder=tmp_path)
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert message in result.stderr


def test_what_a_note_advises_can_be_typed(tmp_path: Path) -> None:
    rows = (f"{i},{i % 4},{1000 + i % 30},s{i % 30},{'ab'[i % 2]}" for i in range(90))
    write(tmp_path / "t.csv", "n,the code,zip,street,y", *rows)
    shown = run("train", "t.csv", "--epochs", "1", "--target", "the code", folder=tmp_path)
    assert "pass --task values" in shown.stdout and "--drop street leaves it out" in shown.stdout
    advised = ["--task", "values", "--drop", "street,n", "--text", "zip", "--target", "the code"]
    again = run("train", "t.csv", "--epochs", "1", *advised, "--json", folder=tmp_path)
    assert "rmse" in json.loads(again.stdout)["test"]
    features = json.loads(run("info", "runs/t/model.safetensors", "--json", folder=tmp_path).stdout)["features"]
    assert len(features) == 32 and features[0] == "zip=1000"


def test_several_targets_are_reported_and_predicted_side_by_side(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", "x,heat,cool", *(f"{i},{i}.5,{2 * i}.25" for i in range(60)))
    options = ["--target", "heat,cool", "--layers", "8", "--epochs", "5"]
    report = json.loads(run("train", "t.csv", *options, "--json", folder=tmp_path).stdout)
    assert set(report["test"]["targets"]) == {"heat", "cool"}
    shown = run("train", "t.csv", *options, folder=tmp_path).stdout
    assert "test, cool" in shown
    predicted = run("predict", "runs/t/model.safetensors", "t.csv", folder=tmp_path)
    assert predicted.stdout.splitlines()[0] == "heat,cool" and len(predicted.stdout.splitlines()) == 61
    assert "mae heat" in predicted.stderr


def test_explain_writes_a_gradient_out_in_every_form(tmp_path: Path) -> None:
    trained = run("train", "iris", "--layers", "4", "--epochs", "3", folder=tmp_path)
    assert re.search(
        r'explain \S+ iris --weight "dense_0\.weights\[[sp]e[pt]al (length|width) cm,\d\]"', trained.stdout
    )
    model = "runs/iris/model.safetensors"
    asked = ("explain", model, "iris", "--weight", "dense_0.weights[1,2]")
    plain = run(*asked, "--html", "why.html", folder=tmp_path)
    assert plain.returncode == 0, plain.stderr
    assert "All 30 held-out rows of iris." in plain.stdout
    assert "Why is dense_0.dweights[sepal width cm,2]" in plain.stdout
    assert "4 ways agree" in plain.stdout
    assert "<math" in (tmp_path / "why.html").read_text()
    stored = json.loads(run(*asked, "--json", "--sample", "3", folder=tmp_path).stdout)
    assert stored["sample"] == 3 and len(stored["witnesses"]) == 4
    assert run(*asked, "--latex", folder=tmp_path).stdout.startswith("\\begin{align*}")


@pytest.mark.parametrize(
    ("weight", "options", "message"),
    [
        ("dense_0.weight[1,2]", (), "Did you mean 'dense_0.weights'?"),
        ("dense_0.weights[9,9]", (), "(0, 0) to (3, 3)"),
        ("dense_0.weights", (), "say which entry, such as dense_0.weights[0,0]"),
        ("dense_0.weights[1,", (), "write a name and an index, such as dense_0.weights[20,5]"),
        ("dense_0.weights[1,2]", ("--sample", "999"), "--sample must be from 0 to"),
        ("dense_0.weights[1,2]", ("--json", "--latex"), "choose one"),
    ],
)
def test_explain_refuses_in_one_line(tmp_path: Path, weight: str, options: tuple[str, ...], message: str) -> None:
    run("train", "iris", "--layers", "4", "--epochs", "1", "--json", folder=tmp_path)
    result = run("explain", "runs/iris/model.safetensors", "iris", "--weight", weight, *options, folder=tmp_path)
    assert result.returncode == 2 and message in result.stderr and len(result.stderr.splitlines()) == 1


def test_explain_needs_targets(flowers: Path, tmp_path: Path) -> None:
    run("train", "flowers.csv", "--target", "kind", "--layers", "4", "--epochs", "1", "--json", folder=tmp_path)
    model = "runs/flowers/model.safetensors"
    asked = ("--weight", "inputs[3,0]", "--sample", "3")
    assert run("explain", model, "flowers.csv", *asked, folder=tmp_path).returncode == 0
    write(tmp_path / "new.csv", "length,colour", "5,red", "7,blue")
    result = run("explain", model, "new.csv", *asked, folder=tmp_path)
    assert result.returncode == 2 and "'kind'" in result.stderr


@pytest.fixture
def formulas(tmp_path: Path) -> Path:
    """A model whose classes are named like formulas, and a table for it."""
    kinds = ["=1+1", "-2"] * 6
    data = datasets.read({"size": [float(i % 2) for i in range(12)], "kind": kinds})
    model = Model([Dense(1, 2)], SoftmaxCrossentropy(), preprocessing=data.preprocessing, class_names=data.class_names)
    model.save(tmp_path / "model")
    write(tmp_path / "new.csv", "size", "0", "1")
    return tmp_path


def test_predictions_that_a_spreadsheet_would_run_are_guarded_and_read_back(formulas: Path) -> None:
    result = run("predict", "model", "new.csv", "--out", "answers.csv", folder=formulas)
    assert result.returncode == 0, result.stderr
    cells = [line.split(",")[0] for line in (formulas / "answers.csv").read_text().splitlines()[1:]]
    assert set(cells) <= {"'=1+1", "'-2"}
    assert set(datasets.read_table(formulas / "answers.csv")["prediction"]) <= {"=1+1", "-2"}


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are those of POSIX")
def test_out_writes_into_what_is_no_file_and_never_replaces_it(formulas: Path) -> None:
    (formulas / "loop").symlink_to("loop")
    os.mkfifo(formulas / "pipe")
    refused = {
        "loop": "loop: Too many levels of symbolic links.",
        "pipe": "pipe: nothing reads from this pipe.",
        ".": ".: this is a folder, not a file to write.",
        "/dev/full": "/dev/full: No space left on device.",
    }
    for out, message in refused.items():
        result = run("predict", "model", "new.csv", "--out", out, folder=formulas)
        assert (result.returncode, result.stderr) == (2, f"chainrule: {message}\n")
    assert run("predict", "model", "new.csv", "--out", "/dev/null", folder=formulas).returncode == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    result = in_a_process("predict", "model", "new.csv", "--out", "/dev/stdout", folder=formulas)
    assert result.stdout.splitlines()[0] == "prediction,probability"
    assert sorted(path.name for path in formulas.iterdir()) == ["loop", "model", "new.csv", "pipe"]
