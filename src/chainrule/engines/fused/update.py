"""The optimizers over flat vectors: one pass over parameters, gradients and slots, for vectors and for numbers.

Settings of a segment: 0 weight decay λ, 1 first (β₁, momentum or rho), 2 second (β₂), 3 epsilon, 4 and 5 the rates of
L1 and L2. `rate`, `low` and `high` belong to the step: the learning rate and 1 / (1 - βⁿ) for both running means.
"""

from __future__ import annotations

from .functions import inner
from .vectors import apart, lanes, load, set_all, sqrt, store, sum_of, where_above

__all__ = ["ADAGRAD", "ADAM", "ADAMW", "MOMENTUM", "NESTEROV", "PLAIN", "RMSPROP", "gather_gradient", "update"]

PLAIN, MOMENTUM, NESTEROV, ADAGRAD, RMSPROP, ADAM, ADAMW = range(7)


@inner
def _moved(kind, rate, low, high, settings, n, p, g, m, v):
    """The next parameter and the next slots, for vectors or numbers p, g, m, v of one kind."""
    decay, first, second, epsilon = settings[n, 0], settings[n, 1], settings[n, 2], settings[n, 3]
    if kind == ADAMW:
        p = p - (rate * decay) * p
    elif decay != 0:
        g = g + decay * p
    if kind == PLAIN:
        p = p - rate * g
    elif kind == MOMENTUM:
        m = first * m + g
        p = p - rate * m
    elif kind == NESTEROV:
        m = first * m + g
        p = p - rate * (g + first * m)
    elif kind == ADAGRAD:
        v = v + g * g
        p = p - rate * g / (sqrt(v) + epsilon)
    elif kind == RMSPROP:
        v = first * v + (1.0 - first) * (g * g)
        p = p - rate * g / (sqrt(v) + epsilon)
    else:
        m = first * m + (1.0 - first) * g
        v = second * v + (1.0 - second) * (g * g)
        p = p - (rate * low) * m / (sqrt(v * high) + epsilon)
    return p, m, v


@inner
def _bounded(g, limit):
    """Between -limit and limit."""
    high, low = set_all(g, limit), set_all(g, -limit)
    return where_above(g, high, high, where_above(low, g, low, g))


@inner
def gather_gradient(settings, n, limit, P, G, parts, size, start, stop):
    """Add up the threads' parts of the gradient and the penalties' into the first part, from `start` to `stop`.

    Returns the penalty, and Σg² of the gradient within its limits.
    """
    apart()
    step = lanes(P)
    l1, l2 = settings[n, 4], settings[n, 5]
    penalty, squares = 0.0, 0.0
    sums, norms = set_all(P, 0.0), set_all(P, 0.0)
    zero, one = set_all(P, 0.0), set_all(P, 1.0)
    whole = start + (stop - start) // step * step
    for i in range(start, whole, step):
        g = load(G, i)
        for part in range(1, parts):
            g = g + load(G, part * size + i)
        if l1 != 0 or l2 != 0:
            p = load(P, i)
            sign = where_above(p, zero, one, where_above(zero, p, 0.0 - one, zero))
            g = g + l1 * sign + (2.0 * l2) * p
            sums = sums + l1 * (sign * p) + l2 * (p * p)
        store(G, i, g)
        g = _bounded(g, limit)
        norms = norms + g * g
    for i in range(whole, stop):
        g = G[i]
        for part in range(1, parts):
            g += G[part * size + i]
        p = P[i]
        sign = (1.0 if p > 0 else 0.0) - (1.0 if p < 0 else 0.0)
        G[i] = g + l1 * sign + 2.0 * l2 * p
        penalty += l1 * sign * p + l2 * p * p
        bounded = min(max(G[i], -limit), limit)
        squares += bounded * bounded
    return penalty + sum_of(sums), squares + sum_of(norms)


@inner
def update(kind, rate, low, high, settings, n, limit, scale, P, G, M, V, start, stop):
    """One step for the parameters from `start` to `stop`; returns 0, or NaN where one of them is not finite."""
    apart()
    step = lanes(P)
    moves, squares = kind == MOMENTUM or kind == NESTEROV or kind >= ADAM, kind >= ADAGRAD
    bad, trouble = set_all(P, 0.0), 0.0
    whole = start + (stop - start) // step * step
    for i in range(start, whole, step):
        g = _bounded(load(G, i), limit) * scale
        m = load(M, i) if moves else set_all(P, 0.0)
        v = load(V, i) if squares else set_all(P, 0.0)
        p, m, v = _moved(kind, rate, low, high, settings, n, load(P, i), g, m, v)
        store(P, i, p)
        if moves:
            store(M, i, m)
        if squares:
            store(V, i, v)
        bad = bad + p * 0.0
    for i in range(whole, stop):
        g = G[i] * 1.0
        g = (limit if g > limit else -limit if g < -limit else g) * scale
        m = M[i] * 1.0 if moves else 0.0
        v = V[i] * 1.0 if squares else 0.0
        p, m, v = _moved(kind, rate, low, high, settings, n, P[i] * 1.0, g, m, v)
        P[i] = p
        if moves:
            M[i] = m
        if squares:
            V[i] = v
        trouble += P[i] * 0.0
    return trouble + sum_of(bad)
