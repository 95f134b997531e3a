"""check: the line that a report suggests by the numbers alone is that of a textbook, and makes the gradient right."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest

from chainrule.checking import CHECKS
from chainrule.checking.comparisons import gradients
from chainrule.checking.findings import Checked, Finding
from chainrule.checking.measuring.bench import Bench, Broken
from chainrule.checking.measuring.comparison import Tolerance
from chainrule.checking.subjects import subjects_of
from faults import CORRECT, FAULTS, Fault
from records import arrays_said, assert_recorded, causes_said
from styles import STYLES


def found(item: Any, inputs: Any = (5, 4), targets: Any = None) -> list[Finding]:
    """What is wrong with the gradients, without the search for repairs of the source."""
    (subject,) = subjects_of(item, inputs, targets)
    bench = Bench(subject, Tolerance(1e-5, 1e-8), 0, "zero")
    with np.errstate(all="ignore"):
        bench.settle()
        return gradients.compare(bench)[0]


class Entrywise:
    """A function of the inputs; backward is a line of code."""

    def __init__(self, function: Callable[..., Any], line: str) -> None:
        self.function, self.line = function, line

    def forward(self, inputs):
        self.inputs = inputs
        self.output = self.function(inputs)

    def backward(self, dvalues):
        exec(self.line)


def sums(x):
    return np.sum(x, axis=-1, keepdims=True)


LINES = {
    "identity": (lambda x: x + 0, "dvalues"),
    "ReLU": (lambda x: np.maximum(x, 0), "np.where(self.inputs > 0, dvalues, 0)"),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), "dvalues * (1 - self.output) * self.output"),
    "tanh": (np.tanh, "dvalues * (1 - self.output ** 2)"),
    "exponential": (np.exp, "dvalues * self.output"),
    "square": (lambda x: x * x, "dvalues * 2 * self.inputs"),
    "absolute value": (np.abs, "dvalues * np.sign(self.inputs)"),
    "logarithm": (lambda x: np.log(np.abs(x)), "dvalues / self.inputs"),
    "softplus": (lambda x: np.log1p(np.exp(x)), "dvalues / (1 + np.exp(-self.inputs))"),
    "softmax": (
        lambda x: np.exp(x) / sums(np.exp(x)),
        "self.output * (dvalues - np.sum(dvalues * self.output, axis=-1, keepdims=True))",
    ),
    "log-softmax": (
        lambda x: x - np.log(sums(np.exp(x))),
        "dvalues - np.exp(self.output) * np.sum(dvalues, axis=-1, keepdims=True)",
    ),
}


@pytest.mark.parametrize(("function", "line"), LINES.values(), ids=LINES)
def test_the_derivative_of_a_usual_function_is_suggested(function: Callable[..., Any], line: str) -> None:
    (wrong,) = found(Entrywise(function, "self.dinputs = np.sinh(self.inputs * dvalues) + 3"))
    assert wrong.diagnoses[0].write == f"self.dinputs = {line}"
    assert found(Entrywise(function, f"self.dinputs = {line}")) == []


class Lost:
    """A loss; backward is a line of code."""

    def __init__(self, function: Callable[..., Any], line: str) -> None:
        self.function, self.line = function, line

    def forward(self, y_pred, y_true):
        return self.function(y_pred, np.eye(3)[y_true] if np.ndim(y_true) == 1 else y_true)

    def backward(self, dvalues, y_true):
        y_true = np.eye(3)[y_true] if np.ndim(y_true) == 1 else y_true
        exec(self.line, globals(), {"self": self, "dvalues": dvalues, "y_true": y_true})


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    return np.exp(x) / sums(np.exp(x))


MEAN, TOTAL = (lambda a: np.mean(a, axis=-1)), (lambda a: np.sum(a, axis=-1))
LOSSES = {
    "mean of squares": (lambda p, t: MEAN((p - t) ** 2), "2 * (dvalues - y_true) / dvalues.shape[-1]"),
    "sum of squares": (lambda p, t: TOTAL((p - t) ** 2), "2 * (dvalues - y_true)"),
    "half the sum": (lambda p, t: TOTAL((p - t) ** 2) / 2, "(dvalues - y_true)"),
    "mean of distances": (lambda p, t: MEAN(np.abs(p - t)), "np.sign(dvalues - y_true) / dvalues.shape[-1]"),
    "sum of distances": (lambda p, t: TOTAL(np.abs(p - t)), "np.sign(dvalues - y_true)"),
    "cross-entropy": (lambda p, t: -TOTAL(t * np.log(p)), "-y_true / dvalues"),
    "binary cross-entropy": (
        lambda p, t: -MEAN(t * np.log(p) + (1 - t) * np.log(1 - p)),
        "-(y_true / dvalues - (1 - y_true) / (1 - dvalues)) / dvalues.shape[-1]",
    ),
    "cross-entropy of scores": (
        lambda p, t: np.log(TOTAL(np.exp(p))) - TOTAL(t * p),
        "(softmax(dvalues) - y_true)",
    ),
    "binary of scores": (
        lambda p, t: MEAN(np.log1p(np.exp(p)) - t * p),
        "(sigmoid(dvalues) - y_true) / dvalues.shape[-1]",
    ),
}
CLASSES = np.array([0, 1, 2, 1, 0])


@pytest.mark.parametrize("targets", [CLASSES, np.eye(3)[CLASSES]], ids=["classes", "rows"])
@pytest.mark.parametrize(("function", "line"), LOSSES.values(), ids=LOSSES)
def test_the_derivative_of_a_usual_loss_is_suggested(function: Callable[..., Any], line: str, targets: Any) -> None:
    predictions = np.random.default_rng(0).uniform(0.1, 0.9, (5, 3))
    (wrong,) = found(Lost(function, "self.dinputs = np.sinh(dvalues) + 3 * y_true"), predictions, targets)
    assert wrong.diagnoses[0].write == f"self.dinputs = {line} / len(dvalues)"
    assert found(Lost(function, f"self.dinputs = {line} / len(dvalues)"), predictions, targets) == []


class Linear:
    """inputs @ weights * scale + biases, with a gradient that may be replaced by a line of code."""

    def __init__(self, line: str, flat: bool = False, product: bool = True) -> None:
        draw = np.random.default_rng(0).standard_normal
        self.product, self.line = product, line
        self.weights = draw((4, 3))
        self.scale, self.biases = draw(3 if flat else (1, 3)), draw(3 if flat else (1, 3))

    def forward(self, inputs):
        self.inputs = inputs
        self.linear = inputs @ self.weights
        self.output = self.linear * self.scale + self.biases

    def backward(self, dvalues):
        like = {"axis": 0, "keepdims": self.biases.ndim == 2}
        self.scaled = dvalues * self.scale
        self.dinputs, self.dweights = self.scaled @ self.weights.T, self.inputs.T @ self.scaled
        self.dscale, self.dbiases = np.sum(dvalues * self.linear, **like), np.sum(dvalues, **like)
        exec(self.line)


SUMS = {
    "biases": ("dbiases", "np.sum(dvalues, axis=0, keepdims=True)", False),
    "flat biases": ("dbiases", "np.sum(dvalues, axis=0)", True),
    "scale": ("dscale", "np.sum(dvalues * self.linear, axis=0, keepdims=True)", False),
    "flat scale": ("dscale", "np.sum(dvalues * self.linear, axis=0)", True),
    "inputs": ("dinputs", "np.dot(self.scaled, self.weights.T)", False),
    "weights": ("dweights", "np.dot(self.inputs.T, self.scaled)", False),
}


@pytest.mark.parametrize(("array", "line", "flat"), SUMS.values(), ids=SUMS)
def test_the_sum_or_product_that_a_parameter_needs_is_suggested(array: str, line: str, flat: bool) -> None:
    (wrong,) = found(Linear(f"self.{array} = np.sinh(self.{array}) + 3", flat))
    assert wrong.array == array and wrong.diagnoses[0].write == f"self.{array} = {line}"
    assert found(Linear(f"self.{array} = {line}", flat)) == []


Check = Callable[[Bench], Iterator[Finding]]


def all_told(item: Any, checks: Iterable[Check] = (), **options: Any) -> list[str]:
    """What is compared of an item, and everything said of it without a search for repairs of its source."""
    findings: list[Finding] = []
    arrays: list[Checked] = []
    with np.errstate(all="ignore"):
        for subject in subjects_of(item, **options):
            bench = Bench(subject, Tolerance(1e-5, 1e-8), 0, "zero")
            try:
                bench.settle()
                found, compared = gradients.compare(bench)
                findings, arrays = findings + found, arrays + compared
                for run in checks:
                    with contextlib.suppress(ValueError):  # of shapes: what does not run has been told
                        findings += run(bench)
            except Broken as broken:
                findings.append(broken.finding)
    return [*arrays_said(arrays), *causes_said(findings)]


@pytest.mark.parametrize("name", FAULTS)
def test_all_that_the_numbers_tell_of_a_planted_fault(name: str) -> None:
    fault: Fault = FAULTS[name]
    options = {k: v for k, v in fault.options.items() if k in ("inputs", "targets", "arguments", "reduction")}
    assert_recorded("faults", name, all_told(fault.make(), CHECKS.values(), **options))


RIGHT = {name: (make, {}) for name, make in CORRECT.items()} | STYLES


@pytest.mark.parametrize("name", RIGHT)
def test_all_that_is_compared_of_what_is_right(name: str) -> None:
    kind, options = RIGHT[name]
    told = all_told(kind if isinstance(kind, type) else kind(), CHECKS.values(), **options)
    assert not any(line.startswith("error") for line in told)
    assert_recorded("styles", name, told)


# A right gradient G, and what is made of it: factors, sizes, terms, places, orders and shapes.
DISTORTED = (
    *("-G", "2 * G", "3 * G", "G / 2", "-2 * G", "-0.5 * G", "0.37 * G", "1.0001 * G", "0 * G", "G * np.nan"),
    *("G * len(D)", "G / len(D)", "G * D.shape[-1]", "G / D.shape[-1]", "G * G.size", "G / G.size", "-G / len(D)"),
    *("G * 5", "G / 4", "G + 1", "G - 0.25", "G + 0.3 * W", "G - 0.6 * W", "G + W", "np.abs(G)", "G * G"),
    *("G * (G > 0)", "np.where(W > 0, G, 0)", "np.where(W < 0, G, 2 * G)", "np.where(abs(W) > 0.8, 0.3, G)"),
    *("at(G, (0, 0))", "at(G, 1)", "at(G, 0)", "at(G, -1)", "at(G, np.s_[..., 1])", "at(G, np.s_[1:])"),
    *("G * (np.arange(len(G)) == 0).reshape(-1, *[1] * (G.ndim - 1))", "at(G, np.s_[:-1])"),
    *("G[::-1]", "G[..., ::-1]", "np.roll(G, 1, axis=0)", "np.roll(G, -1, axis=-1)", "np.sort(G, axis=0)"),
    *("G.T", "G.reshape(-1)", "G[None]", "G.sum(axis=0)", "G.sum(axis=-1, keepdims=True)", "G[:-1]", "D"),
)


def at(gradient, index):
    """A copy that is wrong at some places."""
    changed = gradient.copy()
    with contextlib.suppress(IndexError):  # of one sample
        changed[index] = 3 * np.cosh(changed[index])
    return changed


def distortion(array: str, code: str, own: str, d: str) -> str:
    return f"G, W, D = self.{array}, {own}, {d}; self.{array} = {code}"


@pytest.mark.parametrize("code", DISTORTED)
def test_all_that_the_numbers_tell_of_a_distorted_gradient(code: str) -> None:
    line = distortion("dweights", code, "self.weights", "dvalues")
    assert_recorded("distorted", f"dweights = {code}", all_told(Linear(line), inputs=(5, 4)))


@pytest.mark.parametrize("code", DISTORTED)
def test_all_that_the_numbers_tell_of_a_distorted_loss(code: str) -> None:
    function, right = LOSSES["cross-entropy"]
    line = f"self.dinputs = {right} / len(dvalues); " + distortion("dinputs", code, "dvalues", "dvalues")
    predictions = np.random.default_rng(0).uniform(0.1, 0.9, (5, 3))
    told = all_told(Lost(function, line), inputs=predictions, targets=np.eye(3)[CLASSES])
    assert_recorded("distorted", f"cross-entropy: {code}", told)


@pytest.mark.parametrize("code", DISTORTED[:-1])
def test_all_that_the_numbers_tell_of_distorted_steps(code: str) -> None:
    line = "self.dinputs = dvalues * np.cos(self.inputs); " + distortion("dinputs", code, "self.inputs", "dvalues")
    assert_recorded("distorted", f"steps: {code}", all_told(Entrywise(np.sin, line), inputs=(3, 4, 2)))
