"""Grading a folder of strangers' work: nothing that a submission does makes it right, or ends the grading of others."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from chainrule.checking import submissions
from chainrule.checking.files import check_file
from chainrule.checking.submissions import Isolation, Limits, SubmissionResult, check_folder
from hostile import HOSTILE, LAYER, WRONG

LIMITS = Limits(seconds=120, megabytes=1024)
SHORT = Limits(seconds=2, megabytes=1024)
ENDLESS = tuple(name for name, (_, _, word) in HOSTILE.items() if word == "time_limit")
MARK = f"chainrule-survivor-{os.getpid()}"
# Those that get at the process itself are also graded without bubblewrap and without other rights.
OPEN = ("exits", "forks", "survivor", "outlived", "hangs", "stops", "closes", "kills", "garbage")
NEED_WALLS = ("neighbour",)  # with the rights of the teacher it can rewrite what the teacher can
CASES = [("best", name) for name in HOSTILE] + [("process", name) for name in OPEN]

Rows = dict[str, list[SubmissionResult]]


def grade(folder: Path, names: Iterable[str]) -> Rows:
    """The rows of hostile submissions, by file, between those of two right ones; what has no end has less time."""
    (folder / "endless").mkdir()
    for name in names:
        around = folder / "endless" if name in ENDLESS else folder
        text = HOSTILE[name][0].replace("{folder}", str(folder)).replace("{mark}", MARK)
        (around / f"{name}.py").write_text(text)
    (folder / "ada.py").write_text(LAYER)
    (folder / "zoe.py").write_text(LAYER)
    (folder / "link.py").symlink_to(folder / "ada.py")
    rows: Rows = {}
    slow = list(check_folder(folder / "endless", SHORT))
    shutil.rmtree(folder / "endless")
    for row in [*check_folder(folder, LIMITS), *slow]:
        rows.setdefault(row.file.removesuffix(".py"), []).append(row)
    return rows


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Rows]]:
    """The folders, and the rows, under the best isolation of this machine and under none."""
    best, process = tmp_path_factory.mktemp("best"), tmp_path_factory.mktemp("process")
    shut_in = submissions.isolation().kind != "process"
    found = {"best": (best, grade(best, [name for name in HOSTILE if shut_in or name not in NEED_WALLS]))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(submissions, "isolation", lambda: Isolation("process", ""))
        return found | {"process": (process, grade(process, OPEN))}


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_hostile_submission_gets_the_row_that_it_deserves(
    kind: str, name: str, graded: dict[str, tuple[Path, Rows]]
) -> None:
    _, result, word = HOSTILE[name]
    if name not in graded[kind][1]:
        pytest.skip("neither bubblewrap nor another user's rights are to be had here")
    row = next(row for row in graded[kind][1][name] if row.name in ("Layer", ""))
    assert row.result in result.split(" or "), row
    assert word in row.mistakes + row.flags, row
    assert row.says.isprintable()
    assert len(row.says) < 2000


@pytest.mark.parametrize("kind", ["best", "process"])
def test_all_others_are_graded_and_their_files_are_as_before(kind: str, graded: dict[str, tuple[Path, Rows]]) -> None:
    folder, rows = graded[kind]
    assert {*(HOSTILE if kind == "best" else OPEN)} - {*NEED_WALLS} <= {*rows}
    assert [row.result for name in ("ada", "zoe") for row in rows[name]] == ["right", "right"]
    assert (folder / "zoe.py").read_text() == LAYER
    assert rows["link"][0].mistakes == "cannot_be_read"


def test_nothing_that_a_submission_started_lives_on(graded: dict[str, tuple[Path, Rows]]) -> None:
    assert graded
    assert not [pid for pid in _pids() if MARK.encode() in _command_of(pid)]


def _pids() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()] if os.path.isdir("/proc") else []


def _command_of(pid: str) -> bytes:
    try:
        return Path("/proc", pid, "cmdline").read_bytes()
    except OSError:
        return b""


def test_under_bubblewrap_the_teachers_files_and_the_network_are_are_not_there(tmp_path: Path) -> None:
    if submissions.isolation().kind != "bubblewrap":
        pytest.skip("bubblewrap does not work here")
    (tmp_path / "class").mkdir()
    (tmp_path / "solution.py").write_text(LAYER)
    (tmp_path / "class" / "reads.py").write_text(
        f"import io\nclass Reads:\n    exec(io.open({str(tmp_path / 'solution.py')!r}).read(), globals())\n"
    )
    (tmp_path / "class" / "calls.py").write_text(
        "import socket\nclass Calls:\n    socket.create_connection(('127.0.0.1', 1), 1)\n"
    )
    (tmp_path / "class" / "lists.py").write_text(
        f"import os\nclass Lists:\n    assert os.path.exists({str(tmp_path)!r}), 'not there'\n"
    )
    rows = {row.file: row for row in check_folder(tmp_path / "class", LIMITS)}
    assert {row.mistakes for row in rows.values()} == {"does_not_run"}
    assert "FileNotFoundError" in rows["reads.py"].says
    assert "not there" in rows["lists.py"].says


def test_a_submission_sees_nothing_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHERS_PASSWORD", "secret")
    (tmp_path / "spy.py").write_text("import os\nclass Spy:\n    raise ValueError(sorted(os.environ))\n")
    (row,) = check_folder(tmp_path, LIMITS)
    assert "HOME" in row.says and "TEACHERS_PASSWORD" not in row.says


def test_a_row_comes_when_its_class_is_judged_and_not_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(LAYER)
    (tmp_path / "b.py").write_text(HOSTILE["endless"][0])
    rows = check_folder(tmp_path, LIMITS)
    started = time.monotonic()
    assert next(rows).result == "right"
    assert time.monotonic() - started < LIMITS.seconds
    rows.close()  # as Ctrl-C does


def test_each_student_has_a_folder_with_helpers_and_data_of_their_own(tmp_path: Path) -> None:
    for name, gate in (("ada", "x > 0"), ("bob", "x < 0")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper.py").write_text(f"def gate(x): return {gate}\n")
        (tmp_path / name / "relu.py").write_text(
            "import numpy as np\nfrom helper import gate\ndef relu_forward(x): return np.maximum(x, 0), x\n"
            "def relu_backward(dout, cache): return dout * gate(cache)\n"
        )
    rows = [(row.file, row.result) for row in check_folder(tmp_path, LIMITS)]
    assert rows == [("ada/relu.py", "right"), ("bob/relu.py", "wrong")]


def test_the_work_of_another_student_that_is_imported_is_named(tmp_path: Path) -> None:
    (tmp_path / "ada.py").write_text(LAYER)
    (tmp_path / "bob.py").write_text("from ada import Layer\nclass Mine(Layer): pass\n")
    rows = {row.file: row for row in check_folder(tmp_path, LIMITS)}
    assert rows["ada.py"].result == "right"
    assert rows["bob.py"].result == "flagged"
    assert "ada.py" in rows["bob.py"].flags


RIGHT = {
    "distillation": "def backward(self, d):\n        return (softmax(self.s) - softmax(self.t)) / 3",
    "a mean of losses": "def backward(self, d):\n        return (self.f(self.x) - self.y) / len(d)",
    "one array used on both sides": (
        "def backward(self, d):\n        a = d @ self.v.swapaxes(-1, -2)\n"
        "        return self.a * (a - (a * self.a).sum(-1)) / 2"
    ),
    "two columns of one array": "def backward(self, d):\n        return (ease(self.x[:, 1]) - ease(self.x[:, 0])) / 3",
    "one array turned twice": (
        "def backward(self, d):\n        return (self.v.swapaxes(1, 2) - np.flip(self.v.swapaxes(1, 2))) / 2"
    ),
    "a check of one's own": "def numerical_gradient(f, x, h):\n        return (f(x + h) - f(x - h)) / (2 * h)",
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_what_is_no_difference_quotient_of_backward_is_not_flagged(text: str, tmp_path: Path) -> None:
    from chainrule.checking.submissions.suspicion import suspicions

    (tmp_path / "a.py").write_text(f"class A:\n    {text}\n")
    assert suspicions(tmp_path / "a.py") == []


DIFFERENCES = {
    "in place": "x[i] = old + h; up = f(x)\n        x[i] = old - h; down = f(x)\n        return (up - down) / h",
    "one-sided": "y = self.forward(x)\n        return d * ((self.forward(x + h) - y) / h)",
    "in a helper": "return helper(x)\ndef helper(x):\n        return (f(x + 1e-6) - f(x)) / 1e-6",
    "of NumPy": "return d * (np.tanh(x + 1e-5) - np.tanh(x - 1e-5)) / 2e-5",
    "of another object": "h = 1e-6; return d * (self.layer.forward(x + h) - self.layer.forward(x - h)) / (2 * h)",
    "in a copy": "m = x.copy(); m[i] += h; return (self.net(m) - self.net(x)) / h",
    "of SciPy": "return approx_fprime(x, f)",
}


@pytest.mark.parametrize("text", DIFFERENCES.values(), ids=DIFFERENCES)
def test_differences_in_backward_are_flagged_however_they_are_written(text: str, tmp_path: Path) -> None:
    from chainrule.checking.submissions.suspicion import suspicions

    (tmp_path / "a.py").write_text(f"def backward(self, d, x, h, i, old):\n        {text}\n")
    assert suspicions(tmp_path / "a.py"), text


def test_what_was_not_compared_is_not_right(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(WRONG.replace("self.dweights =", "hidden ="))
    (row,) = check_folder(tmp_path, LIMITS)
    assert row.result in ("wrong", "not checked")


STYLES = """
import numpy as np

class Overwrites:
    def forward(self, inputs):
        self.inputs = inputs
        return np.maximum(inputs, 0)
    def backward(self, dvalues):
        dvalues[self.inputs <= 0] = 0
        return dvalues

class Scales:
    def forward(self, inputs):
        inputs *= 2
        return inputs
    def backward(self, dvalues):
        return 2 * dvalues

class Accumulates:
    def __init__(self, n_inputs, n_neurons):
        self.weights = np.random.randn(n_inputs, n_neurons)
        self.dweights = np.zeros_like(self.weights)
    def forward(self, inputs):
        self.inputs = inputs
        return inputs @ self.weights
    def backward(self, dvalues):
        self.dweights += self.inputs.T @ dvalues
        return dvalues @ self.weights.T

class Regularized:
    def __init__(self, n_inputs, n_neurons):
        self.weights = np.random.randn(n_inputs, n_neurons)
        self.weight_regularizer_l1, self.weight_regularizer_l2 = 0.1, 0.2
    def forward(self, inputs):
        self.inputs = inputs
        self.output = inputs @ self.weights
    def backward(self, dvalues):
        signs = np.where(self.weights < 0, -1, 1)
        self.dweights = self.inputs.T @ dvalues + 0.1 * signs + 0.4 * self.weights
        self.dinputs = dvalues @ self.weights.T

class Dropout:
    def __init__(self, rate):
        self.rate = 1 - rate
    def forward(self, inputs):
        self.mask = np.random.binomial(1, self.rate, size=inputs.shape) / self.rate
        self.output = inputs * self.mask
    def backward(self, dvalues):
        self.dinputs = dvalues * self.mask

class Learns:
    def __init__(self, n_inputs, n_neurons):
        self.weights = np.random.randn(n_inputs, n_neurons)
    def forward(self, x):
        self.x = x
        return x @ self.weights
    def backward(self, output_gradient, learning_rate):
        self.weights -= learning_rate * self.x.T @ output_gradient
        return output_gradient @ self.weights.T

class Embedding:
    def __init__(self, words=6, size=3):
        self.table = np.random.randn(words, size)
    def forward(self, index):
        self.index = index
        return self.table[index]
    def backward(self, dout):
        self.dtable = np.zeros_like(self.table)
        self.dtable[self.index] += dout

class Lists:
    def forward(self, x):
        return np.tanh(x)
    def backward(self, d):
        return "no gradient"

class Unstored:
    def __init__(self, n_inputs, n_neurons):
        self.weights = np.random.randn(n_inputs, n_neurons)
    def forward(self, x):
        return x @ self.weights
    def backward(self, d):
        return d @ self.weights.T

def leaky_forward(x, options):
    return np.where(x > 0, x, options["slope"] * x), (x, options)
def leaky_backward(dout, cache):
    x, options = cache
    return np.where(x > 0, dout, options["slope"] * dout)

def mse(y_true, y_pred): return np.mean((y_true - y_pred) ** 2)
def mse_prime(y_true, y_pred): return 2 * (y_pred - y_true) / 4

def softmax_loss(W, X, y, reg):
    scores = X @ W
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    n = len(y)
    loss = -np.log(p[np.arange(n), y]).mean() + reg * np.sum(W * W)
    p[np.arange(n), y] -= 1
    return loss, X.T @ p / n + 2 * reg * W
"""


def test_code_of_every_style_is_judged_over_the_channel_as_it_is_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "styles.py").write_text(STYLES)
    here = {
        name: ("not checked", ()) if isinstance(report, str) else (report.passed, report.mistakes)
        for name, report in check_file(tmp_path / "styles.py")
    }
    there = {row.name: row for row in check_folder(tmp_path, LIMITS)}
    assert {*here} == {*there}
    for name, (passed, mistakes) in here.items():
        row = there[name]
        if passed is True and row.result == "not checked":
            assert row.mistakes == "not_compared"  # a warning there, and no grade here
        else:
            assert row.result == {True: "right", False: "wrong"}.get(passed, passed), row
        assert passed is not False or row.mistakes == "; ".join(mistakes)
    results = [row.result for row in there.values()]
    assert results.count("wrong") >= 6
    assert results.count("right") >= 4
