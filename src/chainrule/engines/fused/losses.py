"""The losses on arrays of features × samples: each writes dL/d(predictions) and returns Σ share · loss of its samples.

`z` are the rows of the predictions, in A, and of their gradients, in D; T holds the targets in rows of its own, and
after them the row of each sample's share in the batch's loss.
"""

from __future__ import annotations

from .functions import absolute, exp, inner, log, log1p, logistic, sign
from .layers import largest
from .vectors import apart, lanes, load, set_all, store, sum_of, where_above

__all__ = [
    "BINARY", "CATEGORICAL", "HUBER", "MEAN_ABSOLUTE", "MEAN_SQUARED", "SIGMOID_CROSSENTROPY", "SOFTMAX_CROSSENTROPY",
    "evaluate",
]  # fmt: skip

SOFTMAX_CROSSENTROPY, SIGMOID_CROSSENTROPY, CATEGORICAL, BINARY, MEAN_SQUARED, MEAN_ABSOLUTE, HUBER = range(7)


@inner
def evaluate(kind, number, top, A, D, z, T, t, outputs, stride, width):
    """One of the losses by its number; `number` is its clip or delta, `top` the largest clipped probability."""
    apart()
    if kind == SOFTMAX_CROSSENTROPY:
        return _softmax_crossentropy(A, D, z, T, t, outputs, stride, width)
    total = set_all(A, 0.0)
    per_output = 1.0 if kind == CATEGORICAL else 1.0 / outputs
    for s in range(0, width, lanes(A)):
        share = load(T, t + outputs * stride + s)
        loss = set_all(A, 0.0)
        for i in range(s, s + outputs * stride, stride):
            one, slope = _entry(kind, number, top, load(A, z + i), load(T, t + i))
            loss = loss + one
            store(D, z + i, slope * per_output * share)
        total = total + loss * share
    return sum_of(total) * per_output


@inner
def _softmax_crossentropy(A, D, z, T, t, outputs, stride, width):
    """log Σ exp(z) - Σ y·z, and softmax(z) - y."""
    apart()
    all_losses = set_all(A, 0.0)
    for s in range(0, width, lanes(A)):
        share = load(T, t + outputs * stride + s)
        top, total = largest(A, z + s, outputs, stride), set_all(A, 0.0)
        for i in range(z + s, z + s + outputs * stride, stride):
            e = exp(load(A, i) - top)
            store(D, i, e)
            total = total + e
        inverse, shift, loss = 1.0 / total, top + log(total), set_all(A, 0.0)
        for i in range(s, s + outputs * stride, stride):
            y = load(T, t + i)
            loss = loss + y * (shift - load(A, z + i))
            store(D, z + i, (load(D, z + i) * inverse - y) * share)
        all_losses = all_losses + loss * share
    return sum_of(all_losses)


@inner
def _entry(kind, number, top, p, y):
    """The loss of one prediction and its derivative."""
    if kind == CATEGORICAL:
        p = _clipped(p, number, top)
        return (0.0 - y) * log(p), (0.0 - y) / p
    if kind == BINARY:
        p = _clipped(p, number, top)
        return 0.0 - (y * log(p) + (1.0 - y) * log(1.0 - p)), (1.0 - y) / (1.0 - p) - y / p
    if kind == SIGMOID_CROSSENTROPY:
        zero = set_all(p, 0.0)
        small = exp(where_above(p, zero, 0.0 - p, p))
        return where_above(p, zero, p, zero) - p * y + log1p(small), logistic(p) - y
    error = p - y
    if kind == MEAN_SQUARED:
        return error * error, 2.0 * error
    if kind == MEAN_ABSOLUTE:
        return absolute(error), sign(error)
    size, limit = absolute(error), set_all(p, number)
    loss = where_above(size, limit, number * (size - 0.5 * number), 0.5 * error * error)
    return loss, where_above(size, limit, number * sign(error), error)


@inner
def _clipped(p, low, high):
    low, high = set_all(p, low), set_all(p, high)
    p = where_above(low, p, low, p)
    return where_above(p, high, high, p)
