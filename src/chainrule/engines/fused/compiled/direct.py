"""Compiled functions that are called by themselves, outside training: a prediction, the gradient of a loss.

Here an array is samples × features as users have it, and a vector holds features of one sample.
"""

from __future__ import annotations

import math

from ..layout import CLASSES, COLUMNS, FEATURES, FORWARD, INPUTS, OPS, OUTPUT, OUTPUTS, PARAMETERS, VARIANT, X, Y
from .calls import call
from .functions import exp, inner
from .softmax import largest
from .vectors import lanes, load, load_first, max_of, offset, set_all, spread, store, store_first, sum_of, where_above

__all__ = ["predict", "softmax_crossentropy_gradient"]

_ADDED = 32  # vectors of a sum that are added one after another; sums of sums lose less to rounding


@inner
def _finish(A, i, value, rectifies):
    zero = set_all(A, 0.0)
    store(A, i, where_above(zero, value, zero, value) if rectifies else value)  # a NaN stays


@inner
def _dense(op, P, A):
    """One row of inputs · weights + biases, 8, 4 or 1 vectors of outputs at a time.

    Weights are read in whole vectors, over the end of a row too; what is made there nobody reads.
    """
    terms, rows, step, rectifies = op[FEATURES], op[OUTPUTS], lanes(P), op[VARIANT]
    inputs, j = offset(A, op[X]), 0
    while j < rows:
        w, y = offset(P, op[PARAMETERS] + j), op[Y] + j
        bias = offset(w, terms * rows)
        a = load(bias, 0)
        if j + 3 * step >= rows:
            for k in range(terms):
                a = a + spread(inputs, k) * load(w, k * rows)
            _finish(A, y, a, rectifies)
            j += step
            continue
        b, c, d = load(bias, step), load(bias, 2 * step), load(bias, 3 * step)
        if j + 7 * step >= rows:
            for k in range(terms):
                x, row = spread(inputs, k), offset(w, k * rows)
                a = a + x * load(row, 0)
                b = b + x * load(row, step)
                c = c + x * load(row, 2 * step)
                d = d + x * load(row, 3 * step)
        else:
            e, f, g, h = load(bias, 4 * step), load(bias, 5 * step), load(bias, 6 * step), load(bias, 7 * step)
            for k in range(terms):
                x, row = spread(inputs, k), offset(w, k * rows)
                a = a + x * load(row, 0)
                b = b + x * load(row, step)
                c = c + x * load(row, 2 * step)
                d = d + x * load(row, 3 * step)
                e = e + x * load(row, 4 * step)
                f = f + x * load(row, 5 * step)
                g = g + x * load(row, 6 * step)
                h = h + x * load(row, 7 * step)
            _finish(A, y + 4 * step, e, rectifies)
            _finish(A, y + 5 * step, f, rectifies)
            _finish(A, y + 6 * step, g, rectifies)
            _finish(A, y + 7 * step, h, rectifies)
            j += 4 * step
        _finish(A, y, a, rectifies)
        _finish(A, y + step, b, rectifies)
        _finish(A, y + 2 * step, c, rectifies)
        _finish(A, y + 3 * step, d, rectifies)
        j += 4 * step


def predict(samples, plan, ops, numbers, P, A, inputs, outputs):
    """The network's outputs (samples, N) for `inputs` (samples, I), one sample after another.

    Each operation reads and writes places in A; what has no function of its own is a dense layer. Places hold whole
    vectors, and there are entries to read after the last parameter.
    """
    features, rows, end = plan[INPUTS], plan[CLASSES], offset(A, plan[OUTPUT])
    for s in range(samples):
        for i in range(features):
            A[i] = inputs[s * features + i]
        for o in range(plan[OPS]):
            op = offset(ops, o * COLUMNS)
            if op[FORWARD]:
                width = (op[OUTPUTS] + lanes(A) - 1) // lanes(A) * lanes(A)
                call(op[FORWARD], (op, offset(numbers, 2 * o), plan, 0, 0, width, 1, P, A))
            else:
                _dense(op, P, A)
        for i in range(rows):
            outputs[s * rows + i] = end[i]


def softmax_crossentropy_gradient(begin, end, classes, share, predictions, labels, out, scratch):
    """(softmax(z) - y) · share for the samples from `begin` to `end`, y one-hot from class indices.

    Returns `end`, or the first sample whose index is no class. A vector holds classes of one sample, or, where those
    are few, a class of several samples, turned in `scratch`.
    """
    for s in range(begin, end):
        if labels[s] < 0 or labels[s] >= classes:
            return s
    if classes >= lanes(out):
        for s in range(begin, end):
            _softmax_row(classes, share, offset(predictions, s * classes), offset(out, s * classes))
    else:
        for s in range(begin, end, lanes(out)):
            samples = min(lanes(out), end - s)
            _softmax_tile(samples, classes, share, offset(predictions, s * classes), offset(out, s * classes), scratch)
    for s in range(begin, end):
        out[s * classes + labels[s]] -= share
    return end


@inner
def _softmax_row(classes, share, z, d):
    """softmax(z) · share of one sample."""
    step = lanes(d)
    whole = classes // step * step
    rest, lowest = classes - whole, set_all(d, -math.inf)
    top = load_first(z, whole, rest, lowest)
    for i in range(0, whole, step):
        value = load(z, i)
        top = where_above(value, top, value, top)
    largest, total = max_of(top), set_all(d, 0.0)
    for start in range(0, whole, _ADDED * step):
        part = set_all(d, 0.0)
        for i in range(start, min(start + _ADDED * step, whole), step):
            e = exp(load(z, i) - largest)
            store(d, i, e)
            part = part + e
        total = total + part
    last = exp(load_first(z, whole, rest, lowest) - largest)  # next to nothing where there is no class
    factor = share / sum_of(total + last)
    for i in range(0, whole, step):
        store(d, i, load(d, i) * factor)
    store_first(d, whole, rest, last * factor)


@inner
def _softmax_tile(samples, classes, share, z, d, S):
    """softmax(z) · share of up to a vector of samples."""
    step = lanes(S)
    for s in range(step):
        row = offset(z, min(s, samples - 1) * classes)
        for c in range(classes):
            S[c * step + s] = row[c]
    top, total = largest(S, 0, classes, step), set_all(S, 0.0)
    for c in range(classes):
        e = exp(load(S, c * step) - top)
        store(S, c * step, e)
        total = total + e
    factor = share / total
    for c in range(classes):
        store(S, c * step, load(S, c * step) * factor)
    for s in range(samples):
        row = offset(d, s * classes)
        for c in range(classes):
            row[c] = S[c * step + s]
