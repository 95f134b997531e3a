"""LayerNorm and BatchNorm on arrays of features × samples.

What they keep are rows of normalized values, and after them the inverse standard deviation: a row of one for each
sample (LayerNorm), or one for each feature (BatchNorm).
"""

from __future__ import annotations

from ..layout import ADDS, FEATURES, KEPT, PARAMETERS, STATE, STRIDE, VARIANT, X, Y
from .functions import inner
from .vectors import apart, lanes, load, number_like, set_all, sqrt, store, sum_of

__all__ = ["batch_norm", "batch_norm_backward", "gradients", "layer_norm", "layer_norm_backward"]


def gradients(op, plan, low, high, adds, width, G, A, D):
    """dgamma = Σ dY · normalized and dbeta = Σ dY, over the samples; whose they are when the first is within limits."""
    features, stride, d, kept, g = op[FEATURES], plan[STRIDE], op[Y], op[KEPT], op[PARAMETERS]
    if g < low or g >= high:
        return
    for k in range(features):
        gamma, beta = set_all(A, 0.0), set_all(A, 0.0)
        for i in range(k * stride, k * stride + width, lanes(A)):
            gamma = gamma + load(D, d + i) * load(A, kept + i)
            beta = beta + load(D, d + i)
        G[g + k] = G[g + k] * adds + sum_of(gamma)
        G[g + features + k] = G[g + features + k] * adds + sum_of(beta)


def layer_norm(op, numbers, plan, step, first, width, samples, P, A):
    """Each sample over its features."""
    features, stride, x, y, kept, p = op[FEATURES], plan[STRIDE], op[X], op[Y], op[KEPT], op[PARAMETERS]
    for s in range(0, width, lanes(A)):
        total, squares = set_all(A, 0.0), set_all(A, 0.0)
        for i in range(x + s, x + s + features * stride, stride):
            total = total + load(A, i)
        mean = total / (1.0 * features)
        for i in range(x + s, x + s + features * stride, stride):
            centered = load(A, i) - mean
            squares = squares + centered * centered
        inverse = 1.0 / sqrt(squares / (1.0 * features) + numbers[0])
        store(A, kept + features * stride + s, inverse)
        for k in range(features):
            i = s + k * stride
            normalized = (load(A, x + i) - mean) * inverse
            store(A, kept + i, normalized)
            store(A, y + i, P[p + k] * normalized + P[p + features + k])


def layer_norm_backward(op, numbers, plan, first, width, samples, P, A, D):
    """dX = (d - mean(d) - n · mean(d·n)) / std, d = dY · gamma."""
    features, stride, x, y, kept, p = op[FEATURES], plan[STRIDE], op[X], op[Y], op[KEPT], op[PARAMETERS]
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
            gradient = inverse * (P[p + k] * load(D, y + i) - mean - load(A, kept + i) * along)
            store(D, x + i, gradient + load(D, x + i) if op[ADDS] else gradient)


@inner
def _row_sums(A, x, B, y, samples):
    """Σ A and Σ A·B over the samples of a row, without those that only fill its last vector."""
    apart()
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


def batch_norm(op, numbers, plan, step, first, width, samples, P, A):
    """Each feature over the samples of the batch, whose mean and variance move the running ones; or over those.

    One sample has no variance: it passes as in inference.
    """
    features, stride, x, y, kept, p = op[FEATURES], plan[STRIDE], op[X], op[Y], op[KEPT], op[PARAMETERS]
    state, epsilon, momentum = op[STATE], number_like(A, numbers[0]), numbers[1]
    for k in range(features):
        row = k * stride
        mean, variance = P[state + k], P[state + features + k]
        if op[VARIANT] and samples > 1:
            mean = number_like(A, _row_sums(A, x + row, A, x + row, samples)[0] / samples)
            for i in range(row, row + width, lanes(A)):
                store(A, kept + i, load(A, x + i) - mean)
            variance = number_like(A, _row_sums(A, kept + row, A, kept + row, samples)[1] / samples)
            P[state + k] = momentum * P[state + k] + (1 - momentum) * mean
            unbiased = variance * (samples / (samples - 1))
            P[state + features + k] = momentum * P[state + features + k] + (1 - momentum) * unbiased
        inverse = 1 / sqrt(variance + epsilon)
        A[kept + features * stride + k] = inverse
        for i in range(row, row + width, lanes(A)):
            normalized = (load(A, x + i) - mean) * inverse
            store(A, kept + i, normalized)
            store(A, y + i, P[p + k] * normalized + P[p + features + k])


def batch_norm_backward(op, numbers, plan, first, width, samples, P, A, D):
    """dX = (d - mean(d) - n · mean(d·n)) / std, d = dY · gamma; d / std where the running statistics are used."""
    features, stride, x, y, kept, p = op[FEATURES], plan[STRIDE], op[X], op[Y], op[KEPT], op[PARAMETERS]
    for k in range(features):
        row = k * stride
        factor = P[p + k] * A[kept + features * stride + k]
        mean, along = number_like(A, 0.0), number_like(A, 0.0)
        if op[VARIANT] and samples > 1:
            total, product = _row_sums(D, y + row, A, kept + row, samples)
            mean, along = number_like(A, total / samples), number_like(A, product / samples)
        for i in range(row, row + width, lanes(A)):
            gradient = factor * (load(D, y + i) - mean - load(A, kept + i) * along)
            store(D, x + i, gradient + load(D, x + i) if op[ADDS] else gradient)
        for s in range(samples, width):
            D[x + row + s] = 0  # the rest of the last vector is no sample
