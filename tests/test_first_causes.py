"""check: what is said first of mistakes in strangers' code, with the line that mends it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from chainrule.checking.files import check_file, load


class Mistake(NamedTuple):
    """A module with one mistake, what it must be called, and what the line to write must hold."""

    source: str
    name: str
    line: str


MISTAKES = {
    "the ReLU behind an affine function": Mistake(
        """
def relu_forward(X, W, b):
    h = np.dot(X, W) + b
    return np.maximum(h, 0), (X, W, b)
def relu_backward(dout, cache):
    X, W, b = cache
    dW = np.dot(X.T, dout)
    db = np.sum(dout, axis=0)
    return np.dot(dout, W.T), dW, db
""",
        "missing_local_derivative",
        "dout = dout * (np.dot(X, W) + b > 0)",
    ),
    "the tanh of a layer": Mistake(
        """
class Dense:
    def __init__(self, n_in, n_out):
        self.w, self.b = np.random.randn(n_in, n_out), np.zeros((1, n_out))
    def forward(self, x):
        self.x = x
        self.y = np.tanh(x @ self.w + self.b)
        return self.y
    def backward(self, grad):
        self.dw, self.db = self.x.T @ grad, grad.sum(axis=0, keepdims=True)
        return grad @ self.w.T
""",
        "missing_local_derivative",
        "grad = grad * (1 - self.y ** 2)",
    ),
    "a logarithm that forward leaves out": Mistake(
        """
def softmax_loss(score, y):
    n = len(y)
    shifted = score - np.max(score, axis=1, keepdims=True)
    total = np.sum(np.exp(shifted), axis=1, keepdims=True)
    loss = -np.sum((shifted - total)[range(n), y]) / n
    dscore = np.exp(shifted) / total
    dscore[range(n), y] -= 1
    return loss, dscore / n
""",
        "forward_wrong",
        "np.log(total)",
    ),
    "predictions minus targets, and no mean": Mistake(
        """
class CrossEntropyCost:
    def forward(self, label, out):
        return np.mean(-label * np.log(out) - (1 - label) * np.log(1 - out))
    def backward(self, label, out):
        return out - label
""",
        "activation_folded_in",
        "",
    ),
    "squares without 2 and without the mean": Mistake(
        """
class MSELoss:
    def forward(self, label, out):
        return np.mean((out - label) ** 2)
    def backward(self, label, out):
        return out - label
""",
        "whole_mean_missing",
        "2 * (out - label)",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_one_cause_is_told_with_the_line_that_mends_it(mistake: Mistake, tmp_path: Path) -> None:
    place = tmp_path / "mistake.py"
    place.write_text("import numpy as np\n" + mistake.source)
    ((_, report),) = check_file(place)
    assert not isinstance(report, str), report
    assert [cause.mistake for cause in report.causes] == [mistake.name], str(report)
    assert mistake.line in report.causes[0].diagnoses[0].write


def test_a_package_in_a_folder_that_has_no_name_is_found(tmp_path: Path) -> None:
    nets = tmp_path / "my-nets" / "nets"
    (nets / "layers").mkdir(parents=True)
    files = {
        "../__init__.py": "",
        "__init__.py": "from .nets import scale\n",
        "nets.py": "from .tools import scale\n",  # called like the package
        "tools.py": "def scale(x): return 3 * x\n",
        "layers/__init__.py": "from .base import Base\n",
        "layers/base.py": "from nets.tools import scale\nclass Base:\n    def forward(self, x): return scale(x)\n",
        "layers/triple.py": "from . import Base\nclass Triple(Base):\n    def backward(self, d): return 3 * d\n",
    }
    for name, text in files.items():
        (nets / name).write_text(text)
    try:
        load(nets / "layers" / "triple.py")
        ((_, report),) = check_file(nets / "layers" / "triple.py")
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "nets"]:
            del sys.modules[name]
    assert not isinstance(report, str) and report.passed, report


def test_a_backward_that_needs_what_is_none_by_default_is_refused_and_not_accused(tmp_path: Path) -> None:
    place = tmp_path / "output.py"
    place.write_text("""
import numpy as np
class Output:
    def forward(self, x):
        self.output = np.tanh(x)
        return self.output
    def backward(self, upstream, expectation=None):
        return self.output - expectation
""")
    ((_, report),) = check_file(place)
    assert isinstance(report, str) and "fails without expectation, which is None by default" in report


def test_a_class_that_wants_boxes_is_refused_in_words_that_help(tmp_path: Path) -> None:
    place = tmp_path / "boxes.py"
    place.write_text("""
class Gate:
    def forward(self, cell):
        self.cell = cell
        self.out = max(0, cell.data)
        return self.out
    def backward(self, dout):
        self.cell.grad += dout if self.out > 0 else 0.0
""")
    ((_, report),) = check_file(place)
    assert isinstance(report, str) and "takes objects that hold .data and .grad" in report
