"""How the derivatives of functions of one entry are derived: (why, formula), each formula equal to the one before.

A function and its derivative are traced from its pair. The steps between are written here, because no trace knows how
a teacher gets from one line to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import layers, losses, penalties
from .rule import Steps
from .traced import DERIVATIVE, FORWARD

__all__ = ["NOTES", "STEPS"]

_TWO_LINES = (
    ("two straight lines", f"D({FORWARD}, x[...])"),
    ("differentiate each branch; at 0 the slope a is taken", DERIVATIVE),
)
_GELU = (
    ("the input times the normal distribution function", f"D({FORWARD}, x[...])"),
    ("the product rule", "D(x[...], x[...])*Phi(x[...]) + x[...]*D(Phi(x[...]), x[...])"),
    ("the derivative of the distribution function is the density", DERIVATIVE),
)
_GELU_TANH = (
    ("a tanh, g, in the place of the normal distribution", f"D({FORWARD}, x[...])"),
    ("the product rule", "(1 + g[...])/2 + x[...]*D(g[...], x[...])/2"),
    (
        "the chain rule: the derivative of tanh is 1 - tanh²",
        "(1 + g[...])/2 + x[...]*(1 - g[...]**2)*D(sqrt(2/pi)*(x[...] + 0.044715*x[...]**3), x[...])/2",
    ),
    ("the derivative of a power; 3·0.044715 = 0.134145", DERIVATIVE),
)
_DROPOUT = (
    ("kept and enlarged, or dropped, as the noise u says", f"D({FORWARD}, x[...])"),
    ("differentiate each branch: u does not depend on x", DERIVATIVE),
)
_IDENTITY = (("the output is the input", f"D({FORWARD}, x[...])"), ("its slope is 1", DERIVATIVE))

STEPS: dict[type, Steps | Callable[[Any, bool], Steps]] = {
    layers.ReLU: (
        ("above 0 the output is the input, else it is 0", "D(x[...] if x[...] > 0 else 0, x[...])"),
        ("differentiate each branch", "D(x[...], x[...]) if x[...] > 0 else 0"),
        ("at the kink itself, x = 0, the derivative is taken as 0", DERIVATIVE),
    ),
    layers.LeakyReLU: _TWO_LINES,
    layers.ELU: (
        ("a straight line above 0, an exponential below", f"D({FORWARD}, x[...])"),
        ("differentiate each branch: the derivative of exp is exp", DERIVATIVE),
    ),
    layers.GELU: lambda layer, training: _GELU_TANH if layer.approximate else _GELU,
    layers.SiLU: (
        ("the input times the logistic function", f"D({FORWARD}, x[...])"),
        ("the product rule", "sigma(x[...]) + x[...]*D(sigma(x[...]), x[...])"),
        ("the derivative of σ is σ·(1 - σ)", DERIVATIVE),
    ),
    layers.Softplus: (
        ("a smooth ReLU", f"D({FORWARD}, x[...])"),
        ("the derivative of log is one over, times what is inside differentiated", "exp(x[...])/(1 + exp(x[...]))"),
        ("divide above and below by exp(x)", "1/(1 + exp(-x[...]))"),
        ("which is the logistic function", DERIVATIVE),
    ),
    layers.Sigmoid: (
        ("the logistic function", "D(1/(1 + exp(-x[...])), x[...])"),
        ("the quotient rule; the derivative of exp(-x) is -exp(-x)", "exp(-x[...])/(1 + exp(-x[...]))**2"),
        ("split the fraction", "1/(1 + exp(-x[...])) * (exp(-x[...])/(1 + exp(-x[...])))"),
        ("the first factor is the output, the second is 1 minus it", DERIVATIVE),
    ),
    layers.Tanh: (
        ("the hyperbolic tangent", "D((exp(x[...]) - exp(-x[...]))/(exp(x[...]) + exp(-x[...])), x[...])"),
        (
            "the quotient rule",
            "((exp(x[...]) + exp(-x[...]))**2 - (exp(x[...]) - exp(-x[...]))**2)/(exp(x[...]) + exp(-x[...]))**2",
        ),
        ("divide: the second part is the output squared", DERIVATIVE),
    ),
    layers.Linear: _IDENTITY,
    layers.Dropout: lambda layer, training: _DROPOUT if training else _IDENTITY,
    losses.MeanSquaredError: (
        ("a mean over the O outputs", "D(sum(k, (y[b,k] - p[b,k])**2)/O, p[b,o])"),
        ("only the term k = o holds this prediction", "D((y[b,o] - p[b,o])**2, p[b,o])/O"),
        ("the chain rule: the inside gives -1", "-2*(y[b,o] - p[b,o])/O"),
        ("turn the difference", DERIVATIVE),
    ),
    losses.HalfSquaredError: (
        ("half a sum over the O outputs", "D(sum(k, (y[b,k] - p[b,k])**2)/2, p[b,o])"),
        ("only the term k = o holds this prediction", "D((y[b,o] - p[b,o])**2, p[b,o])/2"),
        ("the chain rule: the inside gives -1", "-(y[b,o] - p[b,o])"),
        ("turn the difference", DERIVATIVE),
    ),
    losses.MeanAbsoluteError: (
        ("a mean over the O outputs", "D(sum(k, abs(y[b,k] - p[b,k]))/O, p[b,o])"),
        ("only the term k = o holds this prediction", "D(abs(y[b,o] - p[b,o]), p[b,o])/O"),
        ("the slope of |e| is the sign of e; the inside gives -1", "-sign(y[b,o] - p[b,o])/O"),
        ("turn the difference; at 0 the slope is taken as 0", DERIVATIVE),
    ),
    losses.Huber: (
        (
            "a mean over the O outputs; only the term of this one counts",
            "D(d*(abs(e[b,o]) - d/2) if abs(e[b,o]) > d else e[b,o]**2/2, p[b,o])/O",
        ),
        ("differentiate each branch", "(d*sign(e[b,o]) if abs(e[b,o]) > d else e[b,o])/O"),
        ("which is e limited to [-d, d]", DERIVATIVE),
    ),
    penalties.L1: (
        ("the size of this entry", f"D({FORWARD}, w[...])"),
        ("the slope of |w| is the sign of w, 0 at 0", DERIVATIVE),
    ),
    penalties.L2: (
        ("the square of this entry", f"D({FORWARD}, w[...])"),
        ("the power rule; no factor ½", DERIVATIVE),
    ),
}

NOTES: dict[type, str] = {layers.Sigmoid: "σ(x) = 1 / (1 + exp(-x))."}
