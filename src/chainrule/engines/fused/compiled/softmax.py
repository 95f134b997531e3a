"""Softmax and its logarithm on arrays of features × samples: each sample over its features."""

from __future__ import annotations

from ..layout import ADDS, FEATURES, STRIDE, X, Y
from .functions import exp, inner, log
from .vectors import lanes, load, set_all, store, where_above

__all__ = ["largest", "log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]


@inner
def largest(A, x, features, stride):
    """The largest of a sample's features."""
    top = load(A, x)
    for k in range(1, features):
        value = load(A, x + k * stride)
        top = where_above(value, top, value, top)
    return top


def softmax(op, numbers, plan, step, first, width, samples, P, A):
    """exp(x) / Σ exp(x)."""
    features, stride, x, y = op[FEATURES], plan[STRIDE], op[X], op[Y]
    for s in range(0, width, lanes(A)):
        top, total = largest(A, x + s, features, stride), set_all(A, 0.0)
        for i in range(s, s + features * stride, stride):
            e = exp(load(A, x + i) - top)
            store(A, y + i, e)
            total = total + e
        inverse = 1.0 / total
        for i in range(y + s, y + s + features * stride, stride):
            store(A, i, load(A, i) * inverse)


def softmax_backward(op, numbers, plan, first, width, samples, P, A, D):
    """dX = Y · (dY - Σ dY·Y)."""
    features, stride, x, y = op[FEATURES], plan[STRIDE], op[X], op[Y]
    for s in range(0, width, lanes(A)):
        dot = set_all(A, 0.0)
        for i in range(y + s, y + s + features * stride, stride):
            dot = dot + load(A, i) * load(D, i)
        for i in range(s, s + features * stride, stride):
            gradient = load(A, y + i) * (load(D, y + i) - dot)
            store(D, x + i, gradient + load(D, x + i) if op[ADDS] else gradient)


def log_softmax(op, numbers, plan, step, first, width, samples, P, A):
    """x - log Σ exp(x)."""
    features, stride, x, y = op[FEATURES], plan[STRIDE], op[X], op[Y]
    for s in range(0, width, lanes(A)):
        top, total = largest(A, x + s, features, stride), set_all(A, 0.0)
        for i in range(x + s, x + s + features * stride, stride):
            total = total + exp(load(A, i) - top)
        rest = log(total)
        for i in range(s, s + features * stride, stride):
            store(A, y + i, load(A, x + i) - top - rest)  # top + rest may round rest away


def log_softmax_backward(op, numbers, plan, first, width, samples, P, A, D):
    """dX = dY - exp(Y) · Σ dY."""
    features, stride, x, y = op[FEATURES], plan[STRIDE], op[X], op[Y]
    for s in range(0, width, lanes(A)):
        total = set_all(A, 0.0)
        for i in range(y + s, y + s + features * stride, stride):
            total = total + load(D, i)
        for i in range(s, s + features * stride, stride):
            gradient = load(D, y + i) - exp(load(A, y + i)) * total
            store(D, x + i, gradient + load(D, x + i) if op[ADDS] else gradient)
