"""`chainrule check`: files and folders of backward passes, as a person runs it."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.checking.submissions import Limits, as_csv, check_folder
from support import shell as run

DENSE = """
import numpy as np

class Layer_Dense:
    def __init__(self, n_inputs, n_neurons):
        self.weights = 0.01 * np.random.randn(n_inputs, n_neurons)
        self.biases = np.zeros((1, n_neurons))
    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases
    def backward(self, dvalues):
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = {dbiases}
        self.dinputs = np.dot(dvalues, self.weights.T)
"""
RIGHT = DENSE.format(dbiases="np.sum(dvalues, axis=0, keepdims=True)")
WRONG = DENSE.format(dbiases="np.mean(dvalues, axis=0, keepdims=True)")
RELU = """
import numpy as np
from helper import gate

def relu_forward(x):
    return np.maximum(x, 0), x

def relu_backward(dout, cache):
    return gate(dout, cache)

class Base:
    def calculate(self, output, y): return np.mean(self.forward(output, y))
"""

FILES = {
    "ada.py": RIGHT,
    "bob.py": WRONG,
    "endless.py": "import time\nclass Endless:\n    while True: time.sleep(0.1)",
    "huge.py": "class Huge:\n    x = bytearray(10**11)",
    "broken.py": "def f(:",
    "leaves.py": "import sys; sys.exit(3)",
    "dies.py": "import os\nclass Dies:\n    os._exit(4)",
    "asks.py": "print('hello'); input()",
    "empty.py": "x = 1",
}
EXPECTED = {
    "ada.py": ("right", ""),
    "bob.py": ("wrong", "mean_for_sum"),
    "endless.py": ("not checked", "time_limit"),
    "huge.py": ("not checked", "memory_limit"),
    "broken.py": ("not checked", "does_not_run"),
    "leaves.py": ("not checked", "nothing_to_check"),
    "dies.py": ("not checked", "no_answer"),
    "asks.py": ("not checked", "nothing_to_check"),
    "empty.py": ("not checked", "nothing_to_check"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_folder_of_submissions_is_a_csv_with_a_row_for_each_whatever_they_do(folder: Path) -> None:
    result = run("check", str(folder), "--csv", "--seconds", "8", folder=folder)
    assert result.returncode == 1
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["file"]: (row["result"], row["mistakes"]) for row in rows} == EXPECTED
    wrong = next(row for row in rows if row["file"] == "bob.py")
    assert wrong["write"] == "self.dbiases = np.sum(dvalues, axis=0, keepdims=True)"


def test_the_table_fits_into_80_columns_and_tells_wrong_from_not_checked(tmp_path: Path) -> None:
    (tmp_path / "bob_with_a_name_as_long_as_the_learning_platform_makes_it_1234567890_submission.py").write_text(WRONG)
    (tmp_path / "ada.py").write_text(RIGHT.replace("Layer_Dense", "A_Class_Whose_Name_Is_Longer_Than_Anybody_Needs_It"))
    (tmp_path / "eve.py").write_text("import chainrule\n" + RIGHT)
    (tmp_path / "kim.py").write_text("x = 1")
    result = run("check", str(tmp_path), folder=tmp_path)
    assert result.returncode == 1
    shown = result.stdout.splitlines()
    assert max(map(len, shown)) <= 80
    rows = [(line[0], line[67:].strip()) for line in shown if line[:1] in tuple("✓✗!?") and not line[2].isdigit()]
    assert rows == [("✓", "right"), ("✗", "wrong"), ("!", "flagged"), ("?", "not checked")]
    assert shown[-1] == "✓ 1 right, ✗ 1 wrong, ! 1 flagged, ? 1 not checked"
    assert "    write  self.dbiases = np.sum(dvalues, axis=0, keepdims=True)" in shown


CODES = {
    "right": ({"ada.py": RIGHT}, 0),
    "wrong": ({"ada.py": RIGHT, "bob.py": WRONG, "kim.py": "x = 1"}, 1),
    "not checked": ({"ada.py": RIGHT, "kim.py": "x = 1"}, 3),
    "flagged": ({"eve.py": "import chainrule\n" + RIGHT}, 3),
    "none": ({"notes.txt": ""}, 2),
}


@pytest.mark.parametrize(("files", "code"), CODES.values(), ids=CODES)
def test_the_exit_code_tells_wrong_from_what_could_not_be_checked(
    files: dict[str, str], code: int, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert run("check", str(tmp_path), folder=tmp_path).returncode == code


def test_of_a_single_file_too_what_could_not_be_checked_has_a_sign_and_a_code_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(
        "class Odd:\n    def forward(self, x): raise OSError('no')\n    def backward(self, d): return d\n"
    )
    result = run("check", "odd.py", folder=tmp_path)
    assert result.returncode == 3
    assert result.stdout.startswith("? ")


def test_after_ctrl_c_the_rows_until_then_and_their_sums_are_there(tmp_path: Path) -> None:
    (tmp_path / "ada.py").write_text(RIGHT)
    (tmp_path / "endless.py").write_text(FILES["endless.py"])
    process = subprocess.Popen(
        [sys.executable, "-m", "chainrule", "check", str(tmp_path), "--csv"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().startswith("file,")
    assert process.stdout.readline().startswith("ada.py,Layer_Dense,right")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "Stopped before the end: what is not listed was not checked."


def test_what_does_not_fit_is_a_row_and_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "mixed.py").write_text(
        RIGHT + "class Tanh:\n"
        "    def forward(self, x): return np.tanh(x), x\n"
        "    def backward(self, d, cache, more): return d\n"
        "class Base:\n"
        "    def forward(self, inputs): raise NotImplementedError\n"
        "    def backward(self, dvalues): raise NotImplementedError\n"
        "def cube(x): return x * x * x\n"
        "def cube_backward(d, x): return 2 * x * d\n"
    )
    rows = {row.name: row.result for row in check_folder(tmp_path)}
    assert rows == {"Layer_Dense": "right", "Tanh": "not checked", "cube": "wrong"}


def test_an_endless_class_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    endless = (
        "import time\nclass Endless:\n"
        "    def forward(self, x):\n        while True: time.sleep(0.1)\n    def backward(self, d): return d\n"
    )
    (tmp_path / "some.py").write_text(RIGHT + endless)
    rows = {row.name: row.mistakes or row.result for row in check_folder(tmp_path, Limits(seconds=6))}
    assert rows == {"Layer_Dense": "right", "Endless": "time_limit"}


def test_a_submission_reads_a_file_beside_itself_and_its_folder_may_be_hidden(tmp_path: Path) -> None:
    folder = tmp_path / ".hidden" / "ada"
    folder.mkdir(parents=True)
    (folder / "data.csv").write_text("1,2")
    (folder / "mine.py").write_text("import numpy as np\nnp.loadtxt('data.csv', delimiter=',')\n" + RIGHT)
    assert [row.result for row in check_folder(tmp_path / ".hidden")] == ["right"]


def test_json_is_all_there_is_on_standard_output_although_the_file_prints(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text("print('hello')\n" + RIGHT)
    result = run("check", "loud.py", "--json", folder=tmp_path)
    assert json.loads(result.stdout)[0]["passed"]


def test_a_cell_is_no_formula(tmp_path: Path) -> None:
    (tmp_path / "=1+1.py").write_text("x = 1")
    text = as_csv(check_folder(tmp_path))
    assert "\n'=1+1.py," in text


def test_a_file_is_reported_class_by_class(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(WRONG)
    result = run("check", "mine.py", folder=tmp_path)
    assert result.returncode == 1
    assert "Layer_Dense: 1 thing is wrong." in result.stdout
    assert "self.dbiases = np.sum(dvalues, axis=0, keepdims=True)" in result.stdout
    one = run("check", "mine.py:Layer_Dense", "--inputs", "6x7", "--json", folder=tmp_path)
    (report,) = json.loads(one.stdout)
    assert next(array["shape"] for array in report["arrays"] if array["array"] == "dinputs") == [6, 7]
    assert report["findings"][0]["diagnoses"][0]["mistake"] == "mean_for_sum"


def test_functions_of_a_file_and_what_it_imports_from_beside_it(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("def gate(d, x): return d * (x > 0)")
    (tmp_path / "layers.py").write_text(RELU)
    result = run("check", "layers.py", folder=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "relu_forward and relu_backward: 1 gradient is right." in result.stdout


def test_a_report_is_written_as_a_page(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(WRONG)
    result = run("check", "mine.py", "--html", "report.html", folder=tmp_path)
    assert "Saved report.html" in result.stdout
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


BAD = {
    "no such file": (["check", "none.py"], "none.py is no file"),
    "no such class": (["check", "mine.py:Layer_Dens"], "Did you mean 'Layer_Dense'?"),
    "a shape that is none": (["check", "mine.py", "--inputs", "5xq"], "--inputs: write samples and features"),
    "arguments that are code": (["check", "mine.py", "--arguments", "open('x')"], "--arguments: write plain values"),
    "csv of a file": (["check", "mine.py", "--csv"], "--csv is for a folder"),
    "a folder without files": (["check", "nothing"], "nothing holds no .py file"),
    "unknown kinks": (["check", "mine.py", "--at-kinks", "left"], "at_kinks must be"),
}


@pytest.mark.parametrize(("arguments", "says"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], says: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(RIGHT)
    (tmp_path / "nothing").mkdir()
    result = run(*arguments, folder=tmp_path)
    assert result.returncode == 2, result.stdout + result.stderr
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1
