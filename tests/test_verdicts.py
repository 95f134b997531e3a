"""check: verdicts that users met on right and wrong code of their own, and found untrue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import check
from chainrule.checking import Report, checker
from chainrule.checking.files import check_file
from chainrule.errors import ConfigurationError

CONV = """
class Conv1D:
    def __init__(self, in_ch=2, out_ch=3, k=3):
        self.W, self.b = np.random.randn(out_ch, in_ch, k), np.zeros(out_ch)
    def forward(self, x):
        self.x, K = x, self.W.shape[2]
        B, C, L = x.shape
        out = np.zeros((B, len(self.b), L - K + 1))
        for i in range(L - K + 1):
            out[:, :, i] = np.tensordot(x[:, :, i:i+K], self.W, axes=([1, 2], [1, 2])) + self.b
        return out
    def backward(self, dout):
        dx, self.dW, self.db, K = np.zeros_like(self.x), np.zeros_like(self.W), dout.sum((0, 2)), self.W.shape[2]
        for i in range(dout.shape[2]):
            self.dW += np.tensordot(dout[:, :, i], self.x[:, :, i:i+K], axes=([0], [0]))
            dx[:, :, i:i+K] += np.tensordot(dout[:, :, i], self.W, axes=([1], [0]))
        return dx
"""
NETWORK = """
class MLP:
    def __init__(self, n_in=4, n_h=5, n_out=3):
        self.params = {'W1': np.random.randn(n_in, n_h), 'b1': np.zeros(n_h),
                       'W2': np.random.randn(n_h, n_out), 'b2': np.zeros(n_out)}
    def predict(self, x):
        self.z = np.tanh(x @ self.params['W1'] + self.params['b1'])
        return self.z @ self.params['W2'] + self.params['b2']
    def loss(self, x, t):
        return np.mean((self.predict(x) - t) ** 2)
    def gradient(self, x, t):
        dy = 2 * (self.predict(x) - t) / t.size
        dz = dy @ self.params['W2'].T * (1 - self.z**2)
        return {'W1': x.T @ dz, 'b1': dz.sum(0), 'W2': self.z.T @ dy, 'b2': dy.sum(0)}
"""
CLASSIFIER = """
class Loss:
    def forward(self, x, t):
        self.t, e = t, np.exp(x - x.max(1, keepdims=True))
        self.y = e / e.sum(1, keepdims=True)
        return -np.log(self.y[np.arange(len(t)), t] + 1e-7).mean()
    def backward(self):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dx / len(self.t)
class TwoLayerNet:
    def __init__(self, input_size=4, hidden_size=5, output_size=3):
        self.params = {'W1': 0.01 * np.random.randn(input_size, hidden_size), 'b1': np.zeros(hidden_size),
                       'W2': 0.01 * np.random.randn(hidden_size, output_size), 'b2': np.zeros(output_size)}
        self.last = Loss()
    def loss(self, x, t):
        self.a = x @ self.params['W1'] + self.params['b1']
        self.h = np.maximum(0, self.a)
        return self.last.forward(self.h @ self.params['W2'] + self.params['b2'], t)
    def gradient(self, x, t):
        self.loss(x, t)
        dy = self.last.backward()
        da = dy @ self.params['W2'].T * (self.a > 0)
        return {'W1': x.T @ da, 'b1': da.sum(0), 'W2': self.h.T @ dy, 'b2': dy.sum(0)}
"""
COLUMN = """
class Dense:
    def __init__(self, input_size, output_size):
        self.weights, self.bias = np.random.randn(output_size, input_size), np.random.randn(output_size, 1)
    def forward(self, input):
        self.input = input
        return np.dot(self.weights, self.input) + self.bias
    def backward(self, output_gradient, learning_rate):
        weights_gradient = np.dot(output_gradient, self.input.T)
        input_gradient = np.dot(self.weights.T, output_gradient)
        self.weights -= learning_rate * weights_gradient
        self.bias -= learning_rate * output_gradient
        return input_gradient
"""
LISTS = """
class Linear:
    def __init__(self, n_in, n_out):
        self.W = [[random.gauss(0, 1) for _ in range(n_out)] for _ in range(n_in)]
        self.b = [0.0] * n_out
    def forward(self, X):
        self.X = X
        return [[sum(x[i] * self.W[i][j] for i in range(len(x))) + self.b[j] for j in range(len(self.b))] for x in X]
    def backward(self, dY):
        self.dW, self.db, dX = [[0.0] * len(self.b) for _ in self.W], [0.0] * len(self.b), []
        for x, dy in zip(self.X, dY):
            for j in range(len(self.b)):
                self.db[j] += dy[j]
                for i in range(len(self.W)):
                    self.dW[i][j] += x[i] * dy[j]
            dX.append([sum(w * d for w, d in zip(row, dy)) for row in self.W])
        return dX
"""
FILES = {  # a right file, and a mistake in it
    "windows wider than the usual inputs": (CONV, "dx[:, :, i:i+K] +=", "dx[:, :, i:i+K] ="),
    "weights of the targets' shape": (NETWORK, "(1 - self.z**2)", "(1 - self.z)"),
    "a small number in the logarithm of a network's loss": (CLASSIFIER, "'b1': da.sum(0)", "'b1': da.sum(0) * 1.01"),
    "the same in the loss alone": (CLASSIFIER, "dx / len(self.t)", "dx / (len(self.t) + 0.02)"),
    "one sample in a column": (COLUMN, "learning_rate * output_gradient", "2 * learning_rate * output_gradient"),
    "plain lists": (LISTS, "self.dW[i][j] +=", "self.dW[i][j] ="),
}
every_file = pytest.mark.parametrize("name", FILES)


def reports(path: Path, source: str) -> list[Report | str]:
    path.write_text(f"import random\nimport numpy as np\n{source}")
    return [report for _, report in check_file(path)]


@every_file
def test_the_right_file_passes_and_the_wrong_one_fails(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checker, "explained", lambda bench, findings, errors: findings)  # no search for a line to write
    source, right, wrong = FILES[name]
    found = reports(tmp_path / "right.py", source)
    assert all(isinstance(each, Report) and each.passed and each.arrays for each in found), found
    found = reports(tmp_path / "wrong.py", source.replace(right, wrong))
    assert any(isinstance(each, Report) and "gradient" in {f.kind for f in each.errors} for each in found), found


def test_one_command_gives_one_verdict_with_the_same_numbers(tmp_path: Path) -> None:
    once, again = (reports(tmp_path / "net.py", NETWORK)[0] for _ in range(2))
    assert isinstance(once, Report) and isinstance(again, Report)
    assert once.arrays == again.arrays


class Nothing:
    """A layer whose output has no entries."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return np.zeros((len(x), 0))

    def backward(self, dvalues: Any) -> Any:
        return np.zeros_like(self.x)


class Still(Nothing):
    """A layer whose output is the same whatever goes in."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return np.ones((len(x), 2))


@pytest.mark.parametrize(("kind", "reason"), [(Nothing, "without entries"), (Still, "same whatever goes in")])
@pytest.mark.parametrize("inputs", [None, np.ones((5, 4))], ids=["found", "given"])
def test_an_output_that_nothing_moves_is_no_evidence(kind: type, reason: str, inputs: Any) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        check(kind(), inputs)


def test_a_column_that_is_given_stays_one_sample() -> None:
    names: dict[str, Any] = {"np": np}
    exec(COLUMN, names)
    report = check(names["Dense"](4, 3), np.random.default_rng(0).normal(size=(4, 1)))
    assert report.passed
    assert {array.array: array.shape for array in report.arrays}["dinputs"] == (4, 1)


def test_a_file_in_another_encoding_is_read_as_python_reads_it(tmp_path: Path) -> None:
    text = "# coding: latin-1\nimport numpy as np\nclass Maß:\n    def forward(self, x): return 2 * x\n"
    (tmp_path / "a.py").write_bytes(f"{text}    def backward(self, d): return 2 * d\n".encode("latin-1"))
    ((name, report),) = check_file(tmp_path / "a.py")
    assert name == "Maß" and isinstance(report, Report) and report.passed
