"""Activations, entry by entry: a function of vectors and its derivative, side by side."""

from __future__ import annotations

import math

from ..layout import ADDS, FEATURES, STRIDE, X, Y
from .functions import erfc, exp, expm1, inner, log1p, logistic, normal_density, tanh
from .vectors import lanes, load, set_all, store, where_above

__all__ = ["ACTIVATIONS"]

_BEND = math.sqrt(2 / math.pi)

# Each value reads the input x and the number that the layer holds; each slope reads the output y too. An output may lie
# in the place of its input: then the slope's x is y as well.


def _relu(x, number):
    zero = set_all(x, 0.0)
    return where_above(zero, x, zero, x)  # a NaN stays


def _relu_slope(x, y, number):
    zero = set_all(x, 0.0)
    return where_above(y, zero, set_all(x, 1.0), zero)


def _leaky_relu(x, number):
    return where_above(x, set_all(x, 0.0), x, number * x)


def _leaky_relu_slope(x, y, number):
    return where_above(x, set_all(x, 0.0), set_all(x, 1.0), set_all(x, number))


def _elu(x, number):
    zero = set_all(x, 0.0)
    return where_above(x, zero, x, number * expm1(where_above(x, zero, zero, x)))


def _elu_slope(x, y, number):
    zero = set_all(x, 0.0)
    return where_above(x, zero, set_all(x, 1.0), number * exp(where_above(x, zero, zero, x)))


def _gelu(x, number):
    return x * (0.5 * erfc(-0.7071067811865476 * x))


def _gelu_slope(x, y, number):
    return 0.5 * erfc(-0.7071067811865476 * x) + x * normal_density(x)


def _gelu_tanh(x, number):
    return x * 0.5 * (1.0 + tanh(_BEND * (x + 0.044715 * x * x * x)))


def _gelu_tanh_slope(x, y, number):
    t = tanh(_BEND * (x + 0.044715 * x * x * x))
    return 0.5 * (1.0 + t) + x * (0.5 * (1.0 - t * t) * (_BEND * (1.0 + 0.134145 * x * x)))


def _silu(x, number):
    return x * logistic(x)


def _silu_slope(x, y, number):
    s = logistic(x)
    return s + x * s * (1.0 - s)


def _softplus(x, number):
    zero = set_all(x, 0.0)
    return where_above(x, zero, x, zero) + log1p(exp(where_above(x, zero, 0.0 - x, x)))


def _softplus_slope(x, y, number):
    return logistic(x)


def _sigmoid(x, number):
    return logistic(x)


def _sigmoid_slope(x, y, number):
    return y * (1.0 - y)


def _tanh(x, number):
    return tanh(x)


def _tanh_slope(x, y, number):
    return 1.0 - y * y


def _pair(value, slope):
    """The operation of an activation: output = value(inputs), dinputs = dvalues · slope."""
    value, slope = inner(value), inner(slope)

    def forward(op, numbers, plan, step, first, width, samples, P, A):
        stride, x, y, number = plan[STRIDE], op[X], op[Y], numbers[0]
        for start in range(0, op[FEATURES] * stride, stride):
            for i in range(start, start + width, lanes(A)):
                store(A, y + i, value(load(A, x + i), number))

    def backward(op, numbers, plan, first, width, samples, P, A, D):
        stride, x, y, number = plan[STRIDE], op[X], op[Y], numbers[0]
        for start in range(0, op[FEATURES] * stride, stride):
            for i in range(start, start + width, lanes(A)):
                gradient = load(D, y + i) * slope(load(A, x + i), load(A, y + i), number)
                store(D, x + i, gradient + load(D, x + i) if op[ADDS] else gradient)

    return forward, backward


ACTIVATIONS = {
    "relu": _pair(_relu, _relu_slope),
    "leaky_relu": _pair(_leaky_relu, _leaky_relu_slope),
    "elu": _pair(_elu, _elu_slope),
    "gelu": _pair(_gelu, _gelu_slope),
    "gelu_tanh": _pair(_gelu_tanh, _gelu_tanh_slope),
    "silu": _pair(_silu, _silu_slope),
    "softplus": _pair(_softplus, _softplus_slope),
    "sigmoid": _pair(_sigmoid, _sigmoid_slope),
    "tanh": _pair(_tanh, _tanh_slope),
}
