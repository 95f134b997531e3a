"""The rules that are written by hand, of the library's own layers, and which class has which rule.

Formulas and derivatives of functions of one entry (activations, dropout, joins, MeanSquaredError, MeanAbsoluteError,
Huber, penalties) come from a trace of the pair, and the steps between them from `derivatives`. A whole rule is written
where a trace has no formula or not the usual one:

- Dense, Softmax, LogSoftmax, SoftmaxCrossentropy: matrix products and rows that share a sum; the formula has indices.
- LayerNorm, BatchNorm: mean and variance are symbols of their own, and move with every entry.
- Flatten, Concatenate: entries change their place, no arithmetic.
- CategoricalCrossentropy, BinaryCrossentropy: where a probability is clipped, the gradient is a convention.
- SigmoidCrossentropy: its code avoids overflow and cancellation; the formula is log(1 + exp(z)) - y·z.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import layers, losses
from .lossrules import BINARY_CROSSENTROPY, CROSSENTROPY, SIGMOID_CROSSENTROPY, SOFTMAX_CROSSENTROPY
from .rule import Rule

__all__ = ["RULES"]


_OF_WEIGHT = (
    ("a sum is differentiated term by term; only the term k = i holds this weight", "D(x[b,i]*w[i,n], w[i,n])"),
    ("the derivative of a product by one factor is the other factor", "x[b,i]"),
)
_OF_INPUT = (
    ("only the term k = i holds this input", "D(x[b,i]*w[i,n], x[b,i])"),
    ("the derivative of a product by one factor is the other factor", "w[i,n]"),
)

DENSE = Rule(
    "z[b,n]",
    "sum(i, x[b,i]*w[i,n]) + bias[0,n]",
    {"inputs": "x[b,i]", "weights": "w[i,n]", "biases": "bias[0,n]"},
    {"inputs": "w[i,n]", "weights": "x[b,i]", "biases": "1"},
    steps={
        "weights": (
            ("the output of neuron n is a sum of products", "D(sum(k, x[b,k]*w[k,n]) + bias[0,n], w[i,n])"),
            *_OF_WEIGHT,
        ),
        "biases": (
            ("the bias is added once", "D(sum(i, x[b,i]*w[i,n]) + bias[0,n], bias[0,n])"),
            ("nothing else in the sum depends on it", "1"),
        ),
        "inputs": (
            ("the output of neuron n is a sum of products", "D(sum(k, x[b,k]*w[k,n]) + bias[0,n], x[b,i])"),
            *_OF_INPUT,
        ),
    },
    note="The gradient of a weight sums over the samples, that of an input over the neurons that it feeds.",
)

DENSE_WITHOUT_BIAS = Rule(
    "z[b,n]",
    "sum(i, x[b,i]*w[i,n])",
    {"inputs": "x[b,i]", "weights": "w[i,n]"},
    {"inputs": "w[i,n]", "weights": "x[b,i]"},
    steps={
        "weights": (("the output of neuron n is a sum of products", "D(sum(k, x[b,k]*w[k,n]), w[i,n])"), *_OF_WEIGHT),
        "inputs": (("the output of neuron n is a sum of products", "D(sum(k, x[b,k]*w[k,n]), x[b,i])"), *_OF_INPUT),
    },
    note=DENSE.note,
)

SOFTMAX = Rule(
    "S[...,j]",
    "exp(z[...,j])/sum(k, exp(z[...,k]))",
    {"inputs": "z[...,k]", "output": "S[...,j]"},
    {"inputs": "S[...,j]*(delta(j,k) - S[...,k])"},
    steps={
        "inputs": (
            ("each probability is a quotient", "D(exp(z[...,j])/sum(i, exp(z[...,i])), z[...,k])"),
            (
                "the quotient rule: (g'·h - g·h')/h² with g = exp(z_j), h = the sum; g' = δ_jk·exp(z_j), h' = exp(z_k)",
                "(delta(j,k)*exp(z[...,j])*sum(i, exp(z[...,i])) - exp(z[...,j])*exp(z[...,k]))"
                "/sum(i, exp(z[...,i]))**2",
            ),
            (
                "take out exp(z_j)/h",
                "exp(z[...,j])/sum(i, exp(z[...,i]))*(delta(j,k) - exp(z[...,k])/sum(i, exp(z[...,i])))",
            ),
            ("both fractions are probabilities again", "S[...,j]*(delta(j,k) - S[...,k])"),
        )
    },
    note="δ_jk is Kronecker's delta: 1 where j = k, else 0. Every input moves every probability of its row.",
)

LOG_SOFTMAX = Rule(
    "out[...,j]",
    "z[...,j] - log(sum(k, exp(z[...,k])))",
    {"inputs": "z[...,k]", "output": "out[...,j]"},
    {"inputs": "delta(j,k) - exp(out[...,k])"},
    steps={
        "inputs": (
            ("the logarithm of a softmax", "D(z[...,j] - log(sum(i, exp(z[...,i]))), z[...,k])"),
            (
                "the first term moves with z_j only; the derivative of log is one over, times the inside's",
                "delta(j,k) - exp(z[...,k])/sum(i, exp(z[...,i]))",
            ),
            ("the fraction is the softmax, exp(out_k)", "delta(j,k) - exp(out[...,k])"),
        )
    },
)

_MOVES = "The layer moves entries and computes nothing."
FLATTEN = Rule("out", "", {"inputs": "x[...]"}, {"inputs": "1"}, note=_MOVES)


_NORMALIZED = "Mean and variance move with every entry: that is where the two subtracted terms come from."
LAYER_NORM = Rule(
    "out[b,n]",
    "gamma[0,n]*xhat[b,n] + beta[0,n]",
    {
        "inputs": "x[b,m]",
        "gamma": "gamma[0,n]",
        "beta": "beta[0,n]",
        "normalized": "xhat[b,n]",
        "inverse_std": "r[b,0]",
    },
    {
        "inputs": "gamma[0,n]*r[b,0]*(delta(n,m) - 1/N - xhat[b,n]*xhat[b,m]/N)",
        "gamma": "xhat[b,n]",
        "beta": "1",
    },
    where={
        "xhat[b,n]": "(x[b,n] - mu[b])*r[b,0]",
        "r[b,0]": "1/sqrt(var[b] + eps)",
        "mu[b]": "sum(k, x[b,k])/N",
        "var[b]": "sum(k, (x[b,k] - mu[b])**2)/N",
    },
    settings={"eps": "epsilon"},
    steps={
        "inputs": (
            ("scaled and shifted", "gamma[0,n]*D((x[b,n] - mu[b])*r[b,0], x[b,m])"),
            (
                "the product rule; the mean moves by 1/N",
                "gamma[0,n]*((delta(n,m) - 1/N)*r[b,0] + (x[b,n] - mu[b])*D(r[b,0], x[b,m]))",
            ),
            (
                "r = 1/√(σ² + ε): the chain rule gives -r³/2 times the derivative of the variance, 2·(x_m - μ)/N",
                "gamma[0,n]*((delta(n,m) - 1/N)*r[b,0] - (x[b,n] - mu[b])*r[b,0]**3*(x[b,m] - mu[b])/N)",
            ),
            ("take out r; (x - μ)·r is x̂", "gamma[0,n]*r[b,0]*(delta(n,m) - 1/N - xhat[b,n]*xhat[b,m]/N)"),
        ),
        "gamma": (("a factor", "D(gamma[0,n]*xhat[b,n] + beta[0,n], gamma[0,n])"), ("the other factor", "xhat[b,n]")),
        "beta": (("added once", "D(gamma[0,n]*xhat[b,n] + beta[0,n], beta[0,n])"), ("so its slope is 1", "1")),
    },
    note=_NORMALIZED,
)

BATCH_NORM = Rule(
    "out[b,n]",
    "gamma[0,n]*xhat[b,n] + beta[0,n]",
    {
        "inputs": "x[c,n]",
        "gamma": "gamma[0,n]",
        "beta": "beta[0,n]",
        "normalized": "xhat[b,n]",
        "inverse_std": "r[0,n]",
    },
    {
        "inputs": "gamma[0,n]*r[0,n]*(delta(b,c) - 1/B - xhat[b,n]*xhat[c,n]/B)",
        "gamma": "xhat[b,n]",
        "beta": "1",
    },
    where={
        "xhat[b,n]": "(x[b,n] - mu[n])*r[0,n]",
        "r[0,n]": "1/sqrt(var[n] + eps)",
        "mu[n]": "sum(k, x[k,n])/B",
        "var[n]": "sum(k, (x[k,n] - mu[n])**2)/B",
    },
    settings={"eps": "epsilon"},
    steps={
        "inputs": (
            ("scaled and shifted", "gamma[0,n]*D((x[b,n] - mu[n])*r[0,n], x[c,n])"),
            (
                "the product rule; the mean of the batch moves by 1/B",
                "gamma[0,n]*((delta(b,c) - 1/B)*r[0,n] + (x[b,n] - mu[n])*D(r[0,n], x[c,n]))",
            ),
            (
                "r = 1/√(σ² + ε): the chain rule gives -r³/2 times the derivative of the variance, 2·(x_c - μ)/B",
                "gamma[0,n]*((delta(b,c) - 1/B)*r[0,n] - (x[b,n] - mu[n])*r[0,n]**3*(x[c,n] - mu[n])/B)",
            ),
            ("take out r; (x - μ)·r is x̂", "gamma[0,n]*r[0,n]*(delta(b,c) - 1/B - xhat[b,n]*xhat[c,n]/B)"),
        ),
        "gamma": (("a factor", "D(gamma[0,n]*xhat[b,n] + beta[0,n], gamma[0,n])"), ("the other factor", "xhat[b,n]")),
        "beta": (("added once", "D(gamma[0,n]*xhat[b,n] + beta[0,n], beta[0,n])"), ("so its slope is 1", "1")),
    },
    note=_NORMALIZED + " They are those of the batch: one sample's output depends on all the others.",
)

BATCH_NORM_INFERENCE = Rule(
    "out[b,n]",
    "gamma[0,n]*xhat[b,n] + beta[0,n]",
    {
        "inputs": "x[b,n]",
        "gamma": "gamma[0,n]",
        "beta": "beta[0,n]",
        "running_mean": "mu[0,n]",
        "running_variance": "var[0,n]",
        "normalized": "xhat[b,n]",
        "inverse_std": "r[0,n]",
    },
    {"inputs": "gamma[0,n]*r[0,n]", "gamma": "xhat[b,n]", "beta": "1"},
    where={"xhat[b,n]": "(x[b,n] - mu[0,n])*r[0,n]", "r[0,n]": "1/sqrt(var[0,n] + eps)"},
    settings={"eps": "epsilon"},
    steps={
        "inputs": (
            (
                "the running mean and variance are constants",
                "D(gamma[0,n]*(x[b,n] - mu[0,n])*r[0,n] + beta[0,n], x[b,n])",
            ),
            ("a straight line", "gamma[0,n]*r[0,n]"),
        ),
    },
)


def _always(rule: Rule) -> Callable[[Any, bool, int], Rule]:
    return lambda layer, training, parts: rule


def _moved(layer: Any, training: bool, parts: int) -> Rule:
    entries = {f"inputs.{m}": f"x{m}[...]" for m in range(parts)}
    return Rule("out", "", entries, dict.fromkeys(entries, "1"), note=_MOVES)


RULES: dict[type, Callable[[Any, bool, int], Rule]] = {
    layers.Dense: lambda layer, training, parts: DENSE if "biases" in layer.parameters else DENSE_WITHOUT_BIAS,
    layers.Softmax: _always(SOFTMAX),
    layers.LogSoftmax: _always(LOG_SOFTMAX),
    layers.Flatten: _always(FLATTEN),
    layers.LayerNorm: _always(LAYER_NORM),
    layers.BatchNorm: lambda layer, training, parts: BATCH_NORM if training else BATCH_NORM_INFERENCE,
    layers.Concatenate: _moved,
    losses.CategoricalCrossentropy: _always(CROSSENTROPY),
    losses.SoftmaxCrossentropy: _always(SOFTMAX_CROSSENTROPY),
    losses.BinaryCrossentropy: _always(BINARY_CROSSENTROPY),
    losses.SigmoidCrossentropy: _always(SIGMOID_CROSSENTROPY),
}
