"""The line of NumPy that computes a step, with the book's names: what one would write in `forward` or `backward`."""

from __future__ import annotations

import ast

from .. import layers, losses
from .cell import LOSS, Cell, Source
from .formula import parse, pattern
from .notation import Text

__all__ = ["backward_line", "forward_line"]

_NORMALIZED = "normalized = (inputs - mean) * inverse_std; output = gamma * normalized + beta"
FORWARD: dict[type, str] = {
    layers.Dense: "output = np.dot(inputs, weights) + biases",
    layers.Sigmoid: "output = 1 / (1 + np.exp(-inputs))",
    layers.SiLU: "output = inputs / (1 + np.exp(-inputs))",
    layers.Softmax: "e = np.exp(inputs); output = e / np.sum(e, axis=1, keepdims=True)",
    layers.LogSoftmax: "output = inputs - np.log(np.sum(np.exp(inputs), axis=1, keepdims=True))",
    layers.Flatten: "output = inputs.reshape(len(inputs), -1)",
    layers.LayerNorm: _NORMALIZED,
    layers.BatchNorm: _NORMALIZED,
    losses.SoftmaxCrossentropy: "losses = -np.sum(targets * np.log(probabilities), axis=1)",
    losses.CategoricalCrossentropy: "losses = -np.sum(targets * np.log(np.clip(predictions, a, 1 - a)), axis=1)",
    losses.MeanSquaredError: "losses = np.mean((targets - predictions) ** 2, axis=1)",
    losses.MeanAbsoluteError: "losses = np.mean(np.abs(targets - predictions), axis=1)",
}
BACKWARD: dict[tuple[type, str], str] = {
    (layers.Dense, "inputs"): "dinputs = np.dot(dvalues, weights.T)",
    (layers.Dense, "weights"): "dweights = np.dot(inputs.T, dvalues)",
    (layers.Dense, "biases"): "dbiases = np.sum(dvalues, axis=0, keepdims=True)",
    (layers.ReLU, "inputs"): "dinputs = dvalues * (inputs > 0)",
    (layers.SiLU, "inputs"): "s = 1 / (1 + np.exp(-inputs)); dinputs = dvalues * (s + inputs * s * (1 - s))",
    (layers.Softplus, "inputs"): "dinputs = dvalues / (1 + np.exp(-inputs))",
    (layers.Softmax, "inputs"): "dinputs = output * (dvalues - np.sum(dvalues * output, axis=1, keepdims=True))",
    (layers.LogSoftmax, "inputs"): "dinputs = dvalues - np.exp(output) * np.sum(dvalues, axis=1, keepdims=True)",
    (layers.Flatten, "inputs"): "dinputs = dvalues.reshape(inputs.shape)",
    (layers.LayerNorm, "gamma"): "dgamma = np.sum(dvalues * normalized, axis=0, keepdims=True)",
    (layers.LayerNorm, "beta"): "dbeta = np.sum(dvalues, axis=0, keepdims=True)",
    (layers.BatchNorm, "gamma"): "dgamma = np.sum(dvalues * normalized, axis=0, keepdims=True)",
    (layers.BatchNorm, "beta"): "dbeta = np.sum(dvalues, axis=0, keepdims=True)",
    (losses.SoftmaxCrossentropy, "predictions"): "dpredictions = dvalues * (probabilities - targets)",
    (losses.CategoricalCrossentropy, "predictions"): (
        "dpredictions = dvalues * -targets / np.clip(predictions, a, 1 - a)"
    ),
    (losses.MeanSquaredError, "predictions"): (
        "dpredictions = dvalues * 2 * (predictions - targets) / predictions.shape[1]"
    ),
    (losses.MeanAbsoluteError, "predictions"): (
        "dpredictions = dvalues * np.sign(predictions - targets) / predictions.shape[1]"
    ),
}


def forward_line(cell: Cell) -> str:
    """What computes the output of a cell; empty where no line says it."""
    if type(cell.pair) in FORWARD:
        return FORWARD[type(cell.pair)]
    rule = cell.rule
    if rule is None or not rule.forward or not _of_one_entry(cell, rule.forward):
        return ""
    return f"{'losses' if cell.name == LOSS else 'output'} = {_Code(_arrays(cell)).write(rule.forward)}"


def backward_line(cell: Cell, source: Source) -> str:
    """What computes the gradient of one array that a cell reads; empty where no line says it."""
    if (type(cell.pair), source.local) in BACKWARD:
        return BACKWARD[type(cell.pair), source.local]
    rule = cell.rule
    if rule is None or source.path or source.local in cell.parameters:
        return ""
    derivative = rule.derivatives.get(source.entry, "")
    if not derivative or not _of_one_entry(cell, derivative):
        return ""
    local = _Code(_arrays(cell))
    return f"d{source.local} = dvalues" + ("" if derivative == "1" else f" * ({local.write(derivative)})")


def _of_one_entry(cell: Cell, formula: str) -> bool:
    """Whether a formula reads no entry but one of each array, so that it holds for whole arrays."""
    assert cell.rule is not None
    known = _arrays(cell)
    for node in ast.walk(parse(formula)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("sum", "delta", "D"):
            return False
        if isinstance(node, ast.Name) and node.id in {pattern(left)[0] for left in cell.rule.where}:
            return False
    settings = set(cell.rule.settings)
    letters = {part for entry in cell.rule.arrays.values() for part in map(str, pattern(entry)[1])}
    words = {node.id for node in ast.walk(parse(formula)) if isinstance(node, ast.Name)}
    return words <= set(known) | settings | letters | set(_Code.functions) | {"max", "min", "sign"}


def _arrays(cell: Cell) -> dict[str, str]:
    """Symbol -> the book's name of the array, or the number of a setting."""
    rule = cell.rule
    assert rule is not None
    found = {pattern(rule.output)[0]: cell.pair.result}
    found |= {pattern(shown)[0]: entry.replace(".", "_") for entry, shown in rule.arrays.items()}
    return found | {letter: repr(getattr(cell.pair, name)) for letter, name in rule.settings.items()}


class _Code(Text):
    """A formula of one entry as NumPy writes it for whole arrays."""

    functions = ("exp", "log", "sqrt", "tanh", "abs", "sin", "cos", "sinh", "cosh", "arctan")

    def __init__(self, arrays: dict[str, str]) -> None:
        super().__init__(17)
        self.arrays = arrays

    def symbol(self, name: str) -> str:
        return self.arrays.get(name, name)

    def indexed(self, base: str, indices: list[str]) -> str:
        return base

    def product(self, left: str, right: str) -> str:
        return f"{left} * {right}"

    def power(self, base: str, exponent: str) -> str:
        return f"{base}**{exponent}"

    def root(self, inner: str) -> str:
        return f"np.sqrt({inner})"

    def size(self, inner: str) -> str:
        return f"np.abs({inner})"

    def cases(self, first: str, condition: str, second: str) -> str:
        return f"np.where({condition}, {first}, {second})"

    def call(self, name: str, arguments: list[str]) -> str:
        known = {"max": "np.maximum", "min": "np.minimum"}.get(name, f"np.{name}")
        return f"{known}({', '.join(arguments)})"
