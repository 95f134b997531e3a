"""check: objects that hold a switch between training and inference are compared in both, and float32 stays theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule import check
from chainrule.checking.files import load
from chainrule.checking.report import Report

SOURCE = """
import numpy as np

class Scale:
    "Nothing in it follows the switch."
    def __init__(self):
        self.training = True
        self.w = np.ones(3, dtype=np.float32)
        self.grad_w = np.zeros_like(self.w)
        self.params, self.grads = [self.w], [self.grad_w]
    def forward(self, x):
        self.x = x
        return x * self.w
    def backward(self, dout):
        self.grad_w[...] = (dout * self.x).sum(axis=0)
        return dout * self.w

class Normalize:
    def __init__(self):
        self.is_train = True
        self.mean, self.var = np.zeros(3), np.full(3, 2.0)
    def forward(self, x):
        if self.is_train:
            m, v = x.mean(0), x.var(0)
            self.mean, self.var = 0.9 * self.mean + 0.1 * m, 0.9 * self.var + 0.1 * v
        else:
            m, v = self.mean, self.var
        self.s = 1 / np.sqrt(v + 1e-5)
        self.xhat = (x - m) * self.s
        return self.xhat
    def backward(self, d):
        if not self.is_train:
            return d * self.s
        return self.s * (d - d.mean(0) - self.xhat * (d * self.xhat).mean(0))

class Dropout:
    def __init__(self, p=0.5):
        self.p, self._training = p, True
    def forward(self, x):
        if self._training:
            self.mask = (np.random.rand(*x.shape) > self.p) / (1 - self.p)
            return x * self.mask
        return x
    def backward(self, d):
        return d * self.mask

class Net:
    def __init__(self):
        self.layers = [Scale(), Normalize()]
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x
    def backward(self, d):
        for layer in reversed(self.layers):
            d = layer.backward(d)
        return d
"""
INPUTS = np.random.default_rng(1).normal(size=(5, 3))


def report_of(folder: Path, name: str, right: str = "", wrong: str = "") -> Report:
    (folder / "layers.py").write_text(SOURCE.replace(right, wrong) if right else SOURCE)
    return check(load(folder / "layers.py")[name](), INPUTS)


@pytest.mark.parametrize("name", ["Scale", "Normalize", "Net"])
def test_one_that_is_right_in_both_has_nothing_to_know(name: str, tmp_path: Path) -> None:
    report = report_of(tmp_path, name)
    assert report.passed and not report.findings


def test_one_whose_backward_is_for_training_alone_is_right_with_a_note(tmp_path: Path) -> None:
    report = report_of(tmp_path, "Dropout")
    assert report.passed and any("in training alone" in finding.says for finding in report.findings)


@pytest.mark.parametrize(
    ("name", "right", "wrong", "says"),
    [
        ("Normalize", "            return d * self.s\n", "            return d\n", "inference"),
        ("Net", "            return d * self.s\n", "            return d\n", "inference"),
        ("Dropout", "            return x * self.mask\n        return x", "            return x * self.mask\n"
         "        return x * (np.random.rand(*x.shape) > 0.1)", "Inference is random"),
    ],
)  # fmt: skip
def test_one_that_is_wrong_in_inference_fails(name: str, right: str, wrong: str, says: str, tmp_path: Path) -> None:
    report = report_of(tmp_path, name, right, wrong)
    assert not report.passed and any(says in finding.says for finding in report.findings), report.findings


def test_an_array_made_without_a_dtype_is_still_told(tmp_path: Path) -> None:
    report = report_of(tmp_path, "Scale", "return x * self.w", "return x * self.w * np.ones(3)")
    assert any("float32 in, float64 out: output" in finding.says for finding in report.findings)


def test_parameters_go_by_the_names_of_their_own_rather_than_by_their_place_in_a_list(tmp_path: Path) -> None:
    assert [checked.array for checked in report_of(tmp_path, "Scale").arrays] == ["dinputs", "dw"]
    assert {checked.array for checked in report_of(tmp_path, "Net").arrays} == {"dinputs", "dlayers[0].w"}
