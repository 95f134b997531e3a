"""The losses on arrays of features × samples: each writes dL/d(predictions) and returns Σ share · loss of its samples.

A and D begin with the rows of the predictions and of their gradients; T holds the targets in rows of its own, and after
them the row of each sample's share in the batch's loss.
"""

from __future__ import annotations

from ..layout import CLASSES, LOSS_NUMBER, LOSS_TOP, STRIDE, WEIGHTED
from .functions import absolute, exp, inner, log, log1p, logistic, sign
from .softmax import largest
from .vectors import exponent_of, lanes, load, mantissa_of, set_all, store, sum_of, where_above

__all__ = ["LOSSES"]


def _softmax_crossentropy(numbers, plan, A, D, T, width):
    """log Σ exp(z) - Σ y·z, and softmax(z) - y.

    Where all samples count the same, the sums are multiplied and one logarithm is taken of all.
    """
    outputs, stride, weighted = plan[CLASSES], plan[STRIDE], plan[WEIGHTED]
    losses, one = set_all(A, 0.0), set_all(A, 1.0)
    sums, exponents, shares = one, losses, losses
    for s in range(0, width, lanes(A)):
        share = load(T, outputs * stride + s)
        top, total, chosen = largest(A, s, outputs, stride), set_all(A, 0.0), set_all(A, 0.0)
        for k in range(outputs):
            i = s + k * stride
            e = exp(load(A, i) - top)
            store(D, i, e)
            total = total + e
        inverse = share / total
        for k in range(outputs):
            i = s + k * stride
            y = load(T, i)
            chosen = chosen + y * (top - load(A, i))
            store(D, i, load(D, i) * inverse - y * share)
        if weighted:
            losses = losses + (chosen + log(total)) * share
        else:
            losses = losses + chosen * share
            sums = sums * where_above(share, set_all(A, 0.0), total, one)
            exponents = exponents + exponent_of(sums)
            sums = mantissa_of(sums)
            shares = where_above(share, shares, share, shares)
    logs = (exponents * 0.6931471805599453 + log(sums)) * shares
    return 1.0 * sum_of(losses + logs)


def _by_entry(entry, mean):
    """A loss that is a sum, or a mean, over the outputs."""
    entry = inner(entry)

    def loss(numbers, plan, A, D, T, width):
        outputs, stride, number, top = plan[CLASSES], plan[STRIDE], numbers[LOSS_NUMBER], numbers[LOSS_TOP]
        total, per_output = set_all(A, 0.0), 1.0 / outputs if mean else 1.0
        for s in range(0, width, lanes(A)):
            share, sum_of_sample = load(T, outputs * stride + s), set_all(A, 0.0)
            for i in range(s, s + outputs * stride, stride):
                one, slope = entry(number, top, load(A, i), load(T, i))
                sum_of_sample = sum_of_sample + one
                store(D, i, slope * per_output * share)
            total = total + sum_of_sample * share
        return 1.0 * sum_of(total) * per_output

    return loss


# The loss of one prediction p with target y, and its derivative; `number` is a clip or a delta, `top` the largest
# clipped probability


def _categorical(number, top, p, y):
    p = _clipped(p, number, top)
    return (0.0 - y) * log(p), (0.0 - y) / p


def _binary(number, top, p, y):
    p = _clipped(p, number, top)
    return 0.0 - (y * log(p) + (1.0 - y) * log(1.0 - p)), (1.0 - y) / (1.0 - p) - y / p


def _sigmoid_crossentropy(number, top, p, y):
    zero = set_all(p, 0.0)
    small = exp(where_above(p, zero, 0.0 - p, p))
    return where_above(p, zero, p, zero) - p * y + log1p(small), logistic(p) - y


def _mean_squared(number, top, p, y):
    return (p - y) * (p - y), 2.0 * (p - y)


def _mean_absolute(number, top, p, y):
    return absolute(p - y), sign(p - y)


def _huber(number, top, p, y):
    error, size, limit = p - y, absolute(p - y), set_all(p, number)
    loss = where_above(size, limit, number * (size - 0.5 * number), 0.5 * error * error)
    return loss, where_above(size, limit, number * sign(error), error)


@inner
def _clipped(p, low, high):
    low, high = set_all(p, low), set_all(p, high)
    p = where_above(low, p, low, p)
    return where_above(p, high, high, p)


LOSSES = {
    "softmax_crossentropy": _softmax_crossentropy,
    "categorical": _by_entry(_categorical, mean=False),
    "binary": _by_entry(_binary, mean=True),
    "sigmoid_crossentropy": _by_entry(_sigmoid_crossentropy, mean=True),
    "mean_squared": _by_entry(_mean_squared, mean=True),
    "mean_absolute": _by_entry(_mean_absolute, mean=True),
    "huber": _by_entry(_huber, mean=True),
}
