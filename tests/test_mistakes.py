"""check: the line that a report suggests by the numbers alone is that of a textbook, and makes the gradient right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.checking.comparisons import gradients
from chainrule.checking.findings import Finding
from chainrule.checking.measuring.bench import Bench
from chainrule.checking.measuring.comparison import Tolerance
from chainrule.checking.subjects import subjects_of


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
