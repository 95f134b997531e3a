"""check: code as strangers write it. The right one passes with every gradient compared, every wrong twin fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import customs  # noqa: F401, more rows of the table
import habits  # noqa: F401, and more
import networks  # noqa: F401, and more
import newcomers  # noqa: F401, and more
import passersby  # noqa: F401, and more
import surroundings  # noqa: F401, and more
import timekeepers  # noqa: F401, and more
import travellers  # noqa: F401, and more
import visitors  # noqa: F401, and more
from chainrule import Layer, check
from chainrule.checking import on_purpose
from chainrule.checking.files import check_file, load
from chainrule.errors import ConfigurationError
from records import assert_recorded, lines_shown, right_said
from strangers import STRANGERS
from test_teacher import WORDS

UNNAMED = {  # of the others' twins `test_teacher` asserts what is said
    name: stranger for name, stranger in STRANGERS.items() if stranger.twins and name not in WORDS
}
every_stranger = pytest.mark.parametrize("name", STRANGERS)


def reports_of(path: Path, text: str) -> dict[str, Any]:
    path.write_text(text)
    return dict(check_file(path))


@every_stranger
def test_a_right_file_passes_with_every_gradient_compared(name: str, tmp_path: Path) -> None:
    stranger = STRANGERS[name]
    reports = reports_of(tmp_path / "right.py", stranger.source)
    assert reports and all(not isinstance(report, str) and report.passed for report in reports.values()), reports
    assert sum(len(report.arrays) for report in reports.values()) >= stranger.gradients
    assert_recorded("right", name, right_said(reports))


@pytest.mark.usefixtures("brief_search")
@pytest.mark.parametrize("name", UNNAMED)
def test_every_wrong_twin_of_it_fails(name: str, tmp_path: Path) -> None:
    stranger = UNNAMED[name]
    for number, (right, wrong) in enumerate(stranger.twins):
        reports = reports_of(tmp_path / f"wrong{number}.py", stranger.source.replace(right, wrong))
        failed = [report for report in reports.values() if not isinstance(report, str) and not report.passed]
        assert failed, f"{right} -> {wrong}"
        shown = [line for report in failed for line in lines_shown(report.causes)]
        assert_recorded("wrong", f"{name} {number}", shown, more=True)


def test_the_table_is_as_large_as_promised() -> None:
    assert len(STRANGERS) >= 110
    assert sum(len(stranger.twins) for stranger in STRANGERS.values()) >= 135


@pytest.mark.usefixtures("brief_search")
def test_a_mistake_that_the_defaults_hide_is_told_with_the_setting_that_shows_it(tmp_path: Path) -> None:
    source = STRANGERS["convolution of each channel: stride and padding by default"].source
    wrong = source.replace("p:p+h, p:p+w", ":h, :w")
    report = next(iter(reports_of(tmp_path / "crop.py", wrong).values()))
    assert report.errors[0].where == "DepthwiseConv2D with padding=1"
    assert report.errors[0].mistake == "setting_not_followed"
    kind = load(tmp_path / "crop.py")["DepthwiseConv2D"]
    assert not check(kind(2, 3)).passed and check(kind(2, 3), only=("gradients",)).passed


def test_what_is_right_where_the_windows_fit_is_not_accused_of_a_row_that_is_left_over() -> None:
    class Halving:
        def __init__(self, size=2, stride=1):
            self.size, self.stride = size, stride

        def forward(self, x):
            self.shape = x.shape
            return sum(x[:, :, i : x.shape[2] - self.size + 1 + i : self.stride] for i in range(self.size))

        def backward(self, d):
            dx = np.zeros((*self.shape[:2], (d.shape[2] - 1) * self.stride + self.size))
            for i in range(self.size):
                dx[:, :, i : i + (d.shape[2] - 1) * self.stride + 1 : self.stride] += d
            return dx

    assert check(Halving, (2, 3, 7)).passed


# What is told of a guess


def affine_forward(x, w, b):
    return x @ w + b, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)


def test_shapes_that_were_guessed_are_told() -> None:
    report = check((affine_forward, affine_backward))
    assert report.passed and [a.array for a in report.arrays] == ["dx", "dw", "db"]
    assert [f.says for f in report.findings if f.kind == "guess"] == [
        "Arguments were found by running it: x (5, 4), w (4, 3), b (3,). Pass others if it is meant otherwise."
    ]


def test_shapes_that_a_docstring_tells_are_taken() -> None:
    def bn_forward(x, gamma):
        """x has shape (N, D), gamma has shape (D,)."""
        return x * gamma, (x, gamma)

    def bn_backward(dout, cache):
        x, gamma = cache
        return dout * gamma, (dout * x).sum(axis=0, keepdims=True)

    assert "dgamma" in {f.array for f in check((bn_forward, bn_backward)).errors}


def test_arguments_may_be_given_in_part() -> None:
    report = check((affine_forward, affine_backward), {"x": np.ones((2, 7))})
    assert report.passed
    assert report.arrays[1].shape[0] == 7


def test_a_mean_over_columns_is_told_and_one_in_rows_is_wrong() -> None:
    def columns(A, W):
        return W @ A, (A, W)

    def columns_backward(dZ, cache):
        A, W = cache
        return W.T @ dZ, dZ @ A.T / A.shape[1]

    def rows(x, W):
        return x @ W, (x, W)

    def rows_backward(dZ, cache):
        x, W = cache
        return dZ @ W.T, x.T @ dZ / len(x)

    accepted = check((columns, columns_backward))
    assert accepted.passed and any("columns" in f.says for f in accepted.findings)
    assert not check((rows, rows_backward)).passed


def test_what_is_meant_so_is_no_error_and_is_told() -> None:
    class Reverse:
        def forward(self, x):
            return 1.0 * x

        def backward(self, d):
            return -d

    assert not check(Reverse()).passed
    meant = check(Reverse(), on_purpose=True)
    assert meant.passed and meant.arrays == () and meant.declared == ("dinputs",)
    assert "declared on purpose and not judged" in str(meant)
    assert not check(on_purpose("reversal")(Reverse)(), on_purpose=False).passed


def test_a_declaration_counts_for_layers_of_the_library_and_names_its_reason() -> None:
    class Through(Layer):
        def pure_forward(self, xp, inputs):
            return xp.sign(inputs)

        @on_purpose("straight through")
        def pure_backward(self, xp, dvalues, inputs):
            return dict(dinputs=dvalues)

    report = check(Through())
    assert report.declared == ("dinputs",) and "straight through" in str(report)


def test_a_declaration_covers_no_other_mistake() -> None:
    @on_purpose("reversal")
    class Overwrites:
        def forward(self, x):
            return 1.0 * x

        def backward(self, d):
            d *= -1
            return d

    assert check(Overwrites()).mistakes == ("dvalues_overwritten",)


def test_a_size_written_into_a_formula_is_found() -> None:
    class Mean:
        def forward(self, y_pred, y_true):
            return ((y_pred - y_true) ** 2).mean()

        def backward(self, y_pred, y_true):
            return 2 * (y_pred - y_true) / 4 / len(y_pred)

    assert not check(Mean()).passed


def test_a_mistake_that_positive_inputs_hide_is_found() -> None:
    class Leaky:
        def forward(self, x):
            self.x = x
            return np.where(x > 0, x, 0.1 * x)

        def backward(self, d):
            return d

    assert not check(Leaky()).passed


def test_nothing_passes_that_was_not_compared() -> None:
    class Silent:
        def forward(self, x):
            return 2 * x

        def backward(self, d):
            return None

    assert not check(Silent()).passed


def test_a_backward_pass_that_wants_what_nobody_knows_is_refused_and_not_accused() -> None:
    class Odd:
        def loss(self, y, y_pred):
            return ((y - y_pred) ** 2).sum()

        def grad(self, y, y_pred, z, act_fn):
            return (y_pred - y) * act_fn.grad(z)

    with pytest.raises(ConfigurationError, match="z, act_fn"):
        check(Odd())


# Files


def test_only_definitions_of_a_file_run(tmp_path: Path) -> None:
    (tmp_path / "trains.py").write_text(
        "import numpy as np\nimport not_here\nfrom .nowhere_beside import thing\nA = 2.0\nB = A * 1.5\n"
        "C = open('nothing').read()\n"
        "@not_here.decorated\ndef cube(x): return B * x ** 3\ndef cube_prime(x): return 3 * B * x ** 2\n"
        "while True: pass\n"
    )
    names = load(tmp_path / "trains.py")
    assert names["B"] == 3.0 and "C" not in names
    assert names.missing == ("not_here", ".nowhere_beside")
    ((name, report),) = check_file(tmp_path / "trains.py")
    assert name == "cube" and report.passed
    assert "not_here" in str(report)


def test_an_assignment_that_a_definition_reads_and_that_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "reads.py").write_text(
        "TABLE = {}['nothing']\ndef double(x): return 2 * x if TABLE is None else 2 * x\n"
    )
    assert load(tmp_path / "reads.py").skipped == ("TABLE",)


def test_neighbours_in_a_package_are_imported_and_what_they_lack_is_named(tmp_path: Path) -> None:
    package = tmp_path / "mine"
    (package / "parts").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "parts" / "__init__.py").write_text("")
    (package / "base.py").write_text("import nowhere_at_all\nclass Base:\n    def keep(self, x): self.x = x\n")
    (package / "parts" / "layer.py").write_text(
        "from ..base import Base\nclass Square(Base):\n"
        "    def forward(self, x):\n        self.keep(x)\n        return x * x\n"
        "    def backward(self, d): return 2 * self.x * d\n"
    )
    ((name, report),) = check_file(package / "parts" / "layer.py")
    assert name == "Square" and report.passed
    assert load(package / "parts" / "layer.py").missing in (("nowhere_at_all",), ())


def test_a_folder_around_a_package_that_is_none_itself_and_a_module_of_the_same_name_do_not_hide_it(
    tmp_path: Path,
) -> None:
    package = tmp_path / "my-clone" / "ownnet"
    (package / "parts").mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "__init__.py").write_text("from .parts import *\n")
    (package / "ownnet.py").write_text("from .base import Base\n")
    (package / "base.py").write_text("class Base:\n    def keep(self, x): self.x = x\n")
    (package / "parts" / "__init__.py").write_text("from .layer import Cube\n")
    (package / "parts" / "layer.py").write_text(
        "from ownnet.base import Base\nclass Cube(Base):\n"
        "    def forward(self, x):\n        self.keep(x)\n        return x**3\n"
        "    def backward(self, d): return 3 * self.x**2 * d\n"
    )
    ((name, report),) = check_file(package / "parts" / "layer.py")
    assert name == "Cube" and report.passed
    assert not load(package / "parts" / "layer.py").missing


def test_what_cannot_be_checked_in_training_is_checked_as_it_was_made_and_nothing_is_left_out_in_silence(
    tmp_path: Path,
) -> None:
    path = tmp_path / "later.py"
    path.write_text(
        "class Scale:\n    def __init__(self):\n        self.training = False\n"
        "    def forward(self, x):\n        if self.training:\n            raise NotImplementedError\n"
        "        return 3 * x\n"
        "    def backward(self, d): return 2 * d\n"
    )
    ((_, report),) = check_file(path)
    assert not isinstance(report, str) and not report.passed
    path.write_text(path.read_text().replace("if self.training:", "if True:"))
    ((_, refused),) = check_file(path)
    assert "NotImplementedError" in str(refused)


def test_an_optimizer_that_no_plain_step_can_stand_for_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(
        "import numpy as np\nclass Other:\n    def step(self, pairs, rate):\n        for w, g in pairs: w -= rate * g\n"
        "class Scale:\n    def __init__(self):\n        self.w, self.optimizer = np.ones(4), Other()\n"
        "    def forward(self, x):\n        self.x = x\n        return self.w * x\n"
        "    def backward(self, d):\n        down = self.w * d\n"
        "        self.optimizer.step([(self.w, (self.x * d).sum(axis=0))], 0.1)\n        return down\n"
    )
    ((_, refused),) = check_file(path)
    assert "hands its gradients to self.optimizer.step" in str(refused)


def test_where_check_itself_fails_the_rest_of_the_file_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chainrule.checking import checker

    def failing(bench: Any, findings: Any, errors: Any) -> Any:
        raise IndentationError("unexpected")

    monkeypatch.setattr(checker, "explained", failing)
    path = tmp_path / "two.py"
    path.write_text(
        "class Wrong:\n    def forward(self, x):\n        return 2 * x\n    def backward(self, d): return 3 * d\n"
        "class Right:\n    def forward(self, x):\n        return 2 * x\n    def backward(self, d): return 2 * d\n"
    )
    (_, wrong), (_, right) = check_file(path)
    assert "limit of check itself" in str(wrong) and not isinstance(right, str) and right.passed


def test_a_notebook_is_read_cell_by_cell(tmp_path: Path) -> None:
    cells = [
        "%matplotlib inline\n!ls\nimport numpy as np",
        "this is no Python",
        "class Tanh:\n    def forward(self, x):\n        self.y = np.tanh(x)\n        return self.y\n"
        "    def backward(self, d):\n        return d * (1 - self.y ** 2)",
        "%%bash\necho 1",
    ]
    notebook = {"cells": [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]}
    (tmp_path / "work.ipynb").write_text(json.dumps(notebook))
    ((name, report),) = check_file(tmp_path / "work.ipynb")
    assert name == "Tanh" and report.passed
    (tmp_path / "broken.ipynb").write_text("{}")
    with pytest.raises(ConfigurationError, match="is no notebook"):
        load(tmp_path / "broken.ipynb")


def test_arguments_for_one_class_leave_the_others_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(
        "import numpy as np\nclass Dense:\n    def __init__(self, a, b): self.W = np.ones((a, b))\n"
        "    def forward(self, x):\n        self.x = x\n        return x @ self.W\n"
        "    def backward(self, d):\n        self.dW = self.x.T @ d\n        return d @ self.W.T\n"
        "class Relu:\n    def forward(self, x):\n        self.x = x\n        return np.maximum(x, 0)\n"
        "    def backward(self, d): return d * (self.x > 0)\n"
    )
    reports = dict(check_file(tmp_path / "two.py", arguments=(2, 5)))
    assert all(report.passed for report in reports.values())
    assert reports["Dense"].arrays[1].shape == (2, 5)


# A numeric check of one's own


def own_check(h: float, dtype: Any = np.float64, both: bool = True) -> Any:
    def numeric(f, x):
        x = x.astype(dtype)
        gradient = np.zeros_like(x)
        for index in np.ndindex(*x.shape):
            old = x[index]
            x[index] = old + dtype(h)
            high = f(x)
            x[index] = old - dtype(h) if both else old
            low = f(x)
            x[index] = old
            gradient[index] = (high - low) / ((2 if both else 1) * h)
        return gradient

    return numeric


class Relu:
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, d):
        return d * (self.x > 0)


class Exp:
    def forward(self, x):
        self.y = np.exp(x)
        return self.y

    def backward(self, d):
        return d * self.y


class Drop:
    def forward(self, x):
        self.mask = np.random.rand(*x.shape) > 0.5  # noqa: NPY002, as students write it
        return x * self.mask

    def backward(self, d):
        return d * self.mask


class RowMax:
    def forward(self, x):
        self.x = x
        return x.max(axis=1, keepdims=True)

    def backward(self, d):
        hit = np.zeros_like(self.x)
        hit[np.arange(len(hit)), self.x.argmax(axis=1)] = 1
        return d * hit


AWAY = np.array([[1.0, -2.0, 3.0], [-1.5, 2.5, 0.7]])
OWN = {
    "right": (Exp, AWAY, own_check(1e-5), None),
    "too small": (Exp, AWAY, own_check(1e-13), "handmade_step"),
    "lost": (Exp, AWAY, own_check(1e-20), "handmade_step"),
    "too large": (Exp, AWAY, own_check(0.5), "handmade_step"),
    "one side": (Exp, AWAY, own_check(1e-2, both=False), "handmade_one_sided"),
    "float32": (Exp, AWAY, own_check(1e-5, np.float32), "handmade_float32"),
    "a kink": (Relu, np.array([[1e-6, -1.0, 2.0]]), own_check(1e-3), "handmade_kink"),
    "a tie": (RowMax, np.array([[1.0, 1.0 + 1e-6, 0.2]]), own_check(1e-3), "handmade_kink"),
    "dropout on": (Drop, AWAY, own_check(1e-5), "handmade_noise"),
}


@pytest.mark.parametrize(("kind", "inputs", "numeric", "mistake"), OWN.values(), ids=OWN)
def test_what_is_wrong_with_a_numeric_check_of_one_s_own(kind: Any, inputs: Any, numeric: Any, mistake: Any) -> None:
    report = check(kind(), inputs, numeric=numeric)
    assert report.passed, str(report)
    said = [finding.mistake for finding in report.findings if finding.kind == "handmade"]
    assert said == ([] if mistake is None else [mistake])


def test_an_error_of_check_itself_is_no_mistake_of_the_author(monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.checking.subjects import running

    monkeypatch.setattr(running, "apart", None)  # what check itself calls between forward and backward
    with pytest.raises(ConfigurationError, match=r"limit of check itself|could not be called"):
        check(Exp(), AWAY)

    class Failing(Exp):
        def backward(self, d):
            raise TypeError("my own")

    monkeypatch.undo()
    assert "my own" in str(check(Failing(), AWAY))


def test_a_penalty_that_was_set_aside_is_told(tmp_path: Path) -> None:
    source = STRANGERS["a network whose backward pass adds the decay of its weights, and no loss is written"].source
    (report,) = reports_of(tmp_path / "decay.py", source).values()
    assert "It was compared with reg = 0: the penalty that it adds was not." in [f.says for f in report.findings]


def test_an_argument_for_which_none_comes_back_is_told(tmp_path: Path) -> None:
    reports = reports_of(tmp_path / "ops.py", STRANGERS["operations take boxes and a context of the file's own"].source)
    assert "It gives no gradient for low, high, which was not compared." in [f.says for f in reports["Clip"].findings]


LOSS_BESIDE = """
def step_forward(x, w, t):
    h = x @ w
    loss = 0.5 * ((h - t) ** 2).sum()
    return h, loss, (x, w, h, t)
def step_backward(dh, cache):
    x, w, h, t = cache
    d = dh + h - t
    return d @ w.T, x.T @ d
"""


@pytest.mark.usefixtures("brief_search")
def test_a_loss_beside_the_output_is_asked_about_and_not_held_against_backward(tmp_path: Path) -> None:
    (says,) = reports_of(tmp_path / "step.py", LOSS_BESIDE).values()
    assert "step_forward returns loss beside its output" in says
