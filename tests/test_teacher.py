"""check: what is said first of a wrong file is what a teacher would say, and the line shown with it makes it right."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from chainrule import check
from chainrule.checking.files import check_file, found_in, load
from chainrule.checking.findings import Diagnosis
from records import assert_recorded, lines_shown
from strangers import STRANGERS

# What must be said first of each wrong twin, as a regular expression; "" where it may be anything.
WORDS: dict[str, tuple[str, ...]] = {
    "pair with arguments in another order": ("multiplied by 2", "mean .* where the sum belongs"),
    "pair, no cache: backward takes the arguments again": ("factor gamma is missing", "factor x is missing"),
    "three layers in one pair": (r"lacks a square", "mean where the sum belongs|mean over the batch"),
    "dict of gradients with other keys": ("divided by 2",),
    "settings in a dict, found by running": ("mask is missing",),
    "convolution pair": ("mean .*where the sum belongs", r"several windows .*\+="),
    "average pooling pair": ("4 times what it should be",),
    "layer norm pair": ("mean is treated as a constant", "factor xhat is missing"),
    "LSTM over time, with the initial state left out": ("flows back from the later steps",) * 2,
    "GRU step": (r"dh \* z is missing", "factor r is missing"),
    "attention with three projections": (r"dv @ Wv.T is missing", r"divided by np.sqrt\(q.shape"),
    "samples in columns, mean taken inside": ("batch size", "divided by the batch size"),
    "two caches": ("asks the opposite",),
    "activation with upstream and pre-activation": ("gate is inverted",),
    "functions beside their derivatives": (
        "function itself", "sign is wrong", "size written into", "factor 3 is missing", "number of outputs",
    ),
    "derivative written for the output": ("wrong sign",),
    "derivative is the Jacobian of each row": ("wrong sign",),
    "softmax loss with class numbers": ("batch mean is missing", "forward divides by 5"),
    "loss of a linear regression with a penalty": ("factor 2 is missing", "batch mean is missing"),
    "hinge loss with a loop": (r"scores\[y\[i\]\] .* gets no gradient", "factor 2 is missing"),
    "loss object: loss and gradient": ("divide by the number of all entries", "difference from the target is larger"),
    "loss that keeps what backward needs": ("size written into", "number of outputs"),
    "learning rate in the object": ("divided by the batch size",),
    "step inside, rate as an argument": ("updated before", "function itself|1 - self.out is missing"),
    "parameters and gradients in two lists": ("adds up everything",),
    "boxes with value and grad": ("sign is wrong",),
    "accumulated gradients": ("mean .*where the sum belongs",),
    "a stack of layers": ("part alone",),
    "returns everything in a tuple": ("multiplied by 0.5",),
    "backward gets the cache that forward returned": ("lacks a square",),
    "network: loss(X, y) gives loss and gradients": ("h > 0 is missing", "batch mean is missing"),
    "network: cost and gradients, one output": ("batch mean is missing",),
    "two inputs": ("self.a stands where self.b belongs",),
    "RNN cell as an object, two inputs, a cache": ("self.Wh must be transposed", "h stands where h_prev belongs"),
    "a layer that keeps its state": ("flows back from the later steps",),
    "embedding": ("repeated indices",),
    "two heads": (r"g @ self.Wb.T is missing",),
    "context functions": ("divided by the batch size", "factor 2 is missing"),
    "activation objects with __call__ and derivative": (
        "lacks a square|squared", "self.alpha is missing", "factor p is missing",
    ),
    "static activation classes": ("term s is missing",),
    "batch norm with a switch, for training alone": ("mean is treated as a constant",),
    "float32 inside": ("",),
    "max pooling with a stride of its own": ("factor hit is missing",),
    "one-dimensional convolution as an object": (r"several windows .*\+=",),
    "meant so": ("does not move with it",),
    "names of the past: fprop and bprop": ("divided by 3",),
    "gradient by the point where it is taken": ("factor 3 is missing",),
    "a file that trains at its end and reads data": ("used twice",),
    "bias in a row, keepdims in its gradient": ("mean .*where the sum belongs",),
    "forward and backward of a whole file": (r"s \* \(1 - s\)|1 - s is missing",),
    "group of heads in einsum": ("mean .*where the sum belongs|divided by the batch size",),
    "PReLU with one slope": ("takes the maximum where the minimum",),
    "residual block with a projection": ("multiplied by self.W2.T",),
    "gradients in a dict named grad": ("multiplied by 2",),
    "nabla and delta": ("term 1 does not belong",),
    "a global average over time": ("size written into",),
    "instance normalization of pictures": ("term of the variance is wrong", "divided by 2"),
    "a loss for scores of signs": ("sign is wrong", "number of outputs|number of all entries"),
    "cosine loss with two parts": ("batch mean is missing",),
    "dropout with a mask of its own generator": ("scale of the mask",),
    "softmax of each row by its Jacobian": ("cross terms are missing",),
}  # fmt: skip


WITHOUT_A_LINE = {  # of one twin the mistake is named, and no line is known that mends it
    "softmax loss with class numbers",
    "float32 inside",
    "meant so",
    "instance normalization of pictures",
    "softmax of each row by its Jacobian",
}


def causes_in(path: Path) -> list[Any]:
    """What is wrong in a file, each cause once."""
    return [f for _, report in check_file(path) if not isinstance(report, str) for f in report.causes]


def with_change(text: str, change: Diagnosis) -> str:
    """The file after its reader has made the change that the report shows."""
    lines = text.splitlines()
    old = lines[change.line - 1]
    indent = old[: len(old) - len(old.lstrip())]
    if change.mistake == "return_in_loop":
        indent = indent[4:]
    ends = [
        n.end_lineno or n.lineno
        for n in ast.walk(ast.parse(text))
        if isinstance(n, ast.stmt) and n.lineno == change.line
    ]
    rows = change.was.splitlines()
    end = change.line - 1 if not rows else change.line if rows[0].endswith(":") else min(ends) + len(rows) - 1
    lines[change.line - 1 : end] = [indent + row for row in change.write.splitlines()]
    return "\n".join(lines)


@pytest.mark.parametrize("name", WORDS)
def test_what_is_said_first_is_what_a_teacher_says_and_the_line_to_write_mends(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if name in WITHOUT_A_LINE:
        request.getfixturevalue("brief_search")
    stranger, words = STRANGERS[name], WORDS[name]
    for number, ((old, new), word) in enumerate(zip(stranger.twins, words, strict=True)):
        text = stranger.source.replace(old, new)
        path = tmp_path / f"wrong_{number}.py"
        path.write_text(text)
        causes = causes_in(path)
        assert_recorded("taught", f"{name} {number}", lines_shown(causes), more=True)
        first = causes[0].diagnoses[0]
        assert re.search(word, first.says), f"[{number}]: {first.says}"
        assert first.line or name in WITHOUT_A_LINE
        if first.line:
            path = tmp_path / f"mended_{number}.py"
            path.write_text(with_change(text, first))
            assert len(causes_in(path)) < len(causes), first.change


# Where forward is wrong, and other kinds that need words of their own

KINDS = {
    "a minimum in forward": (
        "class A:\n    def forward(self, x):\n        self.x = x\n        return np.minimum(0, x)\n"
        "    def backward(self, d):\n        return d * (self.x > 0)",
        "Forward is wrong, not backward: it takes np.minimum",
    ),
    "softmax over the samples": (
        "class A:\n    def forward(self, x):\n        e = np.exp(x - x.max(axis=0, keepdims=True))\n"
        "        self.y = e / e.sum(axis=0, keepdims=True)\n        return self.y\n"
        "    def backward(self, d):\n        return self.y * (d - (d * self.y).sum(axis=1, keepdims=True))",
        "mixes the samples",
    ),
    "the variance as a constant": (
        "class A:\n    def forward(self, x):\n        self.s = 1 / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)\n"
        "        self.z = (x - x.mean(axis=1, keepdims=True)) * self.s\n        return self.z\n"
        "    def backward(self, d):\n        return self.s * (d - d.mean(axis=1, keepdims=True))",
        "The variance is treated as a constant",
    ),
    "the wrong sign of the variance": (
        "class A:\n    def forward(self, x):\n        self.s = 1 / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)\n"
        "        self.z = (x - x.mean(axis=1, keepdims=True)) * self.s\n        return self.z\n"
        "    def backward(self, d):\n        k = dict(axis=1, keepdims=True)\n"
        "        return self.s * (d - d.mean(**k) + self.z * (d * self.z).mean(**k))",
        "sign of the term of the variance",
    ),
    "a row that is set to 0": (
        "class A:\n    def forward(self, x):\n        self.x = x\n        return x ** 2\n"
        "    def backward(self, d):\n        dx = 2 * self.x * d\n        dx[1:] = 0\n        return dx",
        "does not belong there",
    ),
    "channels in another order": (
        "class A:\n    def forward(self, x):\n        return 3.0 * x\n    def backward(self, d):\n"
        "        return 3.0 * np.roll(d, 1, axis=1)",
        "shifted by one",
    ),
    "a penalty that backward forgets": (
        "def f_loss(W, X, reg):\n    e = X @ W\n    loss = np.sum(e ** 2) + reg * np.sum(W * W)\n"
        "    return loss, 2 * X.T @ e",
        "penalty on W",
    ),
}


@pytest.mark.parametrize(("source", "words"), KINDS.values(), ids=KINDS)
def test_other_kinds_of_mistakes_are_named(source: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(f"import numpy as np\n{dedent(source)}\n")
    (item,) = found_in(load(path)).values()
    report = check(item)
    assert not report.passed
    assert words in report.causes[0].diagnoses[0].says, str(report)
