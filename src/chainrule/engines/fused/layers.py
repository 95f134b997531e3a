"""The other layers on arrays of features × samples: activations, softmax, normalization, dropout and joins.

A holds outputs and D gradients; a layer's rows begin at the same index in both, `stride` entries apart. A join of many
is a chain of joins of two.
"""

from __future__ import annotations

import math

import numpy as np

from ...noise import _PARITY, _ROTATIONS, ROUNDS
from .functions import erfc, exp, expm1, inner, log, log1p, logistic, normal_density, tanh
from .vectors import apart, lanes, load, set_all, sqrt, store, sum_of, where_above

__all__ = [
    "ELU", "GELU", "GELU_TANH", "LEAKY_RELU", "RELU", "SIGMOID", "SILU", "SOFTPLUS", "TANH", "activate",
    "activate_back", "add_part", "add_part_back", "batch_norm", "batch_norm_back", "dropout", "layer_norm",
    "layer_norm_back", "log_softmax", "log_softmax_back", "product", "product_back", "softmax", "softmax_back",
]  # fmt: skip

RELU, LEAKY_RELU, ELU, GELU, GELU_TANH, SILU, SOFTPLUS, SIGMOID, TANH = range(9)
_BEND = math.sqrt(2 / math.pi)


# Activations: entry by entry


@inner
def _activation(kind, x, number):
    zero = set_all(x, 0.0)
    if kind == RELU:
        return where_above(zero, x, zero, x)
    if kind == LEAKY_RELU:
        return where_above(x, zero, x, number * x)
    if kind == ELU:
        return where_above(x, zero, x, number * expm1(where_above(x, zero, zero, x)))
    if kind == GELU:
        return x * (0.5 * erfc(-0.7071067811865476 * x))
    if kind == GELU_TANH:
        return x * 0.5 * (1.0 + tanh(_BEND * (x + 0.044715 * x * x * x)))
    if kind == SILU:
        return x * logistic(x)
    if kind == SOFTPLUS:
        return where_above(x, zero, x, zero) + log1p(exp(where_above(x, zero, 0.0 - x, x)))
    if kind == SIGMOID:
        return logistic(x)
    return tanh(x)


@inner
def _slope(kind, x, y, number):
    """The derivative, from the input x and the output y; only what an output in the input's place leaves is read."""
    zero, one = set_all(x, 0.0), set_all(x, 1.0)
    if kind == RELU:
        return where_above(y, zero, one, zero)
    if kind == LEAKY_RELU:
        return where_above(x, zero, one, number * one)
    if kind == ELU:
        return where_above(x, zero, one, number * exp(where_above(x, zero, zero, x)))
    if kind == GELU:
        return 0.5 * erfc(-0.7071067811865476 * x) + x * normal_density(x)
    if kind == GELU_TANH:
        t = tanh(_BEND * (x + 0.044715 * x * x * x))
        return 0.5 * (1.0 + t) + x * (0.5 * (1.0 - t * t) * (_BEND * (1.0 + 0.134145 * x * x)))
    if kind == SILU:
        s = logistic(x)
        return s + x * s * (1.0 - s)
    if kind == SOFTPLUS:
        return logistic(x)
    if kind == SIGMOID:
        return y * (1.0 - y)
    return 1.0 - y * y


@inner
def _deliver(D, i, value, adds):
    """Write a gradient, or add it to what other readers have written."""
    store(D, i, value + load(D, i) if adds else value)


@inner
def activate(kind, number, A, x, y, features, stride, width):
    """An activation from rows x to rows y."""
    apart()
    for start in range(0, features * stride, stride):
        for i in range(start, start + width, lanes(A)):
            store(A, y + i, _activation(kind, load(A, x + i), number))


@inner
def activate_back(kind, number, A, D, x, y, features, stride, width, adds):
    """dX = dY · slope."""
    apart()
    for start in range(0, features * stride, stride):
        for i in range(start, start + width, lanes(A)):
            gradient = load(D, y + i) * _slope(kind, load(A, x + i), load(A, y + i), number)
            _deliver(D, x + i, gradient, adds)


# Softmax: each sample over its features


@inner
def largest(A, x, features, stride):
    """The largest of a sample's features."""
    top = load(A, x)
    for i in range(x + stride, x + features * stride, stride):
        value = load(A, i)
        top = where_above(value, top, value, top)
    return top


@inner
def softmax(A, x, y, features, stride, width):
    """exp(x) / Σ exp(x)."""
    apart()
    for s in range(0, width, lanes(A)):
        top, total = largest(A, x + s, features, stride), set_all(A, 0.0)
        for i in range(s, s + features * stride, stride):
            e = exp(load(A, x + i) - top)
            store(A, y + i, e)
            total = total + e
        inverse = 1.0 / total
        for i in range(y + s, y + s + features * stride, stride):
            store(A, i, load(A, i) * inverse)


@inner
def softmax_back(A, D, x, y, features, stride, width, adds):
    """dX = Y · (dY - Σ dY·Y)."""
    apart()
    for s in range(0, width, lanes(A)):
        dot = set_all(A, 0.0)
        for i in range(y + s, y + s + features * stride, stride):
            dot = dot + load(A, i) * load(D, i)
        for i in range(s, s + features * stride, stride):
            _deliver(D, x + i, load(A, y + i) * (load(D, y + i) - dot), adds)


@inner
def log_softmax(A, x, y, features, stride, width):
    """x - log Σ exp(x)."""
    apart()
    for s in range(0, width, lanes(A)):
        top, total = largest(A, x + s, features, stride), set_all(A, 0.0)
        for i in range(x + s, x + s + features * stride, stride):
            total = total + exp(load(A, i) - top)
        shift = top + log(total)
        for i in range(s, s + features * stride, stride):
            store(A, y + i, load(A, x + i) - shift)


@inner
def log_softmax_back(A, D, x, y, features, stride, width, adds):
    """dX = dY - exp(Y) · Σ dY."""
    apart()
    for s in range(0, width, lanes(A)):
        total = set_all(A, 0.0)
        for i in range(y + s, y + s + features * stride, stride):
            total = total + load(D, i)
        for i in range(s, s + features * stride, stride):
            _deliver(D, x + i, load(D, y + i) - exp(load(A, y + i)) * total, adds)


# Normalization; `kept` are rows for the normalized values, and after them for the inverse standard deviation


@inner
def _scale_gradients(G, g, D, d, A, kept, features, stride, width):
    """dgamma = Σ dY · normalized and dbeta = Σ dY, over the samples."""
    apart()
    for k in range(features):
        gamma, beta = set_all(A, 0.0), set_all(A, 0.0)
        for i in range(k * stride, k * stride + width, lanes(A)):
            gamma = gamma + load(D, d + i) * load(A, kept + i)
            beta = beta + load(D, d + i)
        G[g + k] += sum_of(gamma)
        G[g + features + k] += sum_of(beta)


@inner
def layer_norm(P, p, epsilon, A, x, y, kept, features, stride, width):
    """Each sample over its features."""
    apart()
    for s in range(0, width, lanes(A)):
        total, squares = set_all(A, 0.0), set_all(A, 0.0)
        for i in range(x + s, x + s + features * stride, stride):
            total = total + load(A, i)
        mean = total / (1.0 * features)
        for i in range(x + s, x + s + features * stride, stride):
            centered = load(A, i) - mean
            squares = squares + centered * centered
        inverse = 1.0 / sqrt(squares / (1.0 * features) + epsilon)
        store(A, kept + features * stride + s, inverse)
        for k in range(features):
            i = s + k * stride
            normalized = (load(A, x + i) - mean) * inverse
            store(A, kept + i, normalized)
            store(A, y + i, P[p + k] * normalized + P[p + features + k])


@inner
def layer_norm_back(P, p, G, g, A, D, x, y, kept, features, stride, width, trains, passes, adds):
    """dX = (d - mean(d) - n · mean(d·n)) / std, d = dY · gamma."""
    apart()
    if trains:
        _scale_gradients(G, g + p, D, y, A, kept, features, stride, width)
    if not passes:
        return
    for s in range(0, width, lanes(A)):
        mean, along = set_all(A, 0.0), set_all(A, 0.0)
        for k in range(features):
            d = P[p + k] * load(D, y + s + k * stride)
            mean = mean + d
            along = along + d * load(A, kept + s + k * stride)
        mean, along = mean / (1.0 * features), along / (1.0 * features)
        inverse = load(A, kept + features * stride + s)
        for k in range(features):
            i = s + k * stride
            d = P[p + k] * load(D, y + i)
            _deliver(D, x + i, inverse * (d - mean - load(A, kept + i) * along), adds)


@inner
def _row_sums(A, x, B, y, samples):
    """Σ A and Σ A·B over the samples of a row, without those that only fill its last vector."""
    step = lanes(A)
    whole = samples // step * step
    first, second = set_all(A, 0.0), set_all(A, 0.0)
    for s in range(0, whole, step):
        value = load(A, x + s)
        first = first + value
        second = second + value * load(B, y + s)
    total, product = sum_of(first), sum_of(second)
    for s in range(whole, samples):
        total += A[x + s]
        product += A[x + s] * B[y + s]
    return total, product


@inner
def batch_norm(P, p, state, epsilon, momentum, trains, A, x, y, kept, features, stride, width, samples):
    """Each feature over the samples of the batch, whose mean and variance move the running ones; or over those."""
    apart()
    for k in range(features):
        row = k * stride
        mean, variance = P[state + k], P[state + features + k]
        if trains:
            mean = _row_sums(A, x + row, A, x + row, samples)[0] / samples
            for i in range(row, row + width, lanes(A)):
                store(A, kept + i, load(A, x + i) - mean)
            variance = _row_sums(A, kept + row, A, kept + row, samples)[1] / samples
            P[state + k] = momentum * P[state + k] + (1 - momentum) * mean
            P[state + features + k] = momentum * P[state + features + k] + (1 - momentum) * variance
        inverse = 1 / sqrt(variance + A.dtype.type(epsilon))
        A[kept + features * stride + k] = inverse
        for i in range(row, row + width, lanes(A)):
            normalized = (load(A, x + i) - mean) * inverse
            store(A, kept + i, normalized)
            store(A, y + i, P[p + k] * normalized + P[p + features + k])


@inner
def batch_norm_back(P, p, G, g, A, D, x, y, kept, features, stride, width, samples, mixes, trains, passes, adds):
    """dX = (d - mean(d) - n · mean(d·n)) / std, d = dY · gamma; d / std where the running statistics are used."""
    apart()
    if trains:
        _scale_gradients(G, g + p, D, y, A, kept, features, stride, width)
    if not passes:
        return
    for k in range(features):
        row, gamma = k * stride, P[p + k]
        factor = gamma * A[kept + features * stride + k]
        mean, along = factor * 0, factor * 0
        if mixes:
            total, product = _row_sums(D, y + row, A, kept + row, samples)
            mean, along = total / samples, product / samples
        for i in range(row, row + width, lanes(A)):
            gradient = factor * (load(D, y + i) - mean - load(A, kept + i) * along)
            _deliver(D, x + i, gradient, adds)
        for s in range(samples, width):
            D[x + row + s] = 0  # the rest of the last vector is no sample


# Dropout


@inner
def dropout(seed, step, node, rate, first, A, x, y, mask, features, stride, width):
    """Each entry times 0 or 1 / (1 - rate), by Threefry-2x32 as in `noise`; the factors stay in the rows `mask`."""
    apart()
    half = (features + 1) // 2
    kept, limit = A.dtype.type(1 / (1 - rate)), np.float32(rate)
    keys = (np.uint32(seed), np.uint32(node), np.uint32(np.uint32(seed) ^ np.uint32(node) ^ np.uint32(_PARITY)))
    for f in range(half):
        second = (f + half) * stride if f + half < features else f * stride
        for s in range(width):
            left = np.uint32(step) + keys[0]
            right = np.uint32((first + s) * half + f) + keys[1]
            for i in range(ROUNDS):
                turn = np.uint32(_ROTATIONS[i % 8])
                left = np.uint32(left + right)
                right = np.uint32((right << turn) | (right >> np.uint32(np.uint32(32) - turn)))
                right = np.uint32(left ^ right)
                if i % 4 == 3:
                    injection = i // 4 + 1
                    left = np.uint32(left + keys[injection % 3])
                    right = np.uint32(right + keys[(injection + 1) % 3] + np.uint32(injection))
            low = np.float32(right >> np.uint32(8)) * np.float32(2.0**-24)
            A[mask + second + s] = kept if low >= limit else A.dtype.type(0)
            high = np.float32(left >> np.uint32(8)) * np.float32(2.0**-24)
            A[mask + f * stride + s] = kept if high >= limit else A.dtype.type(0)
    product(A, x, mask, y, features, stride, width)


# Joins


@inner
def add_part(A, x, y, features, stride, width, adds):
    """One part of a sum, or of a concatenation: copied or added to the rows y."""
    apart()
    for start in range(0, features * stride, stride):
        for i in range(start, start + width, lanes(A)):
            _deliver(A, y + i, load(A, x + i), adds)


@inner
def add_part_back(D, x, y, features, stride, width, adds):
    """Each part receives the whole of dY."""
    apart()
    for start in range(0, features * stride, stride):
        for i in range(start, start + width, lanes(D)):
            _deliver(D, x + i, load(D, y + i), adds)


@inner
def product(A, x, other, y, features, stride, width):
    """Y = X · other."""
    apart()
    for start in range(0, features * stride, stride):
        for i in range(start, start + width, lanes(A)):
            store(A, y + i, load(A, x + i) * load(A, other + i))


@inner
def product_back(A, D, x, other, y, features, stride, width, adds):
    """dX = dY · other."""
    apart()
    for start in range(0, features * stride, stride):
        for i in range(start, start + width, lanes(A)):
            _deliver(D, x + i, load(D, y + i) * load(A, other + i), adds)
