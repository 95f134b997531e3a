"""The optimizers over flat vectors: one pass over parameters, gradients and slots.

`settings` are those of a segment (see `layout`); `rate` is the learning rate of the step, `power` its number from 1 on.
"""

from __future__ import annotations

from ..layout import DECAY, EPSILON, FIRST_RATE, L1_RATE, L2_RATE, SECOND_RATE
from .functions import inner
from .vectors import lanes, load, set_all, sqrt, store, sum_of, where_above

__all__ = ["UPDATES", "gather_gradient"]

# Each rule gives the next parameter and the next slots, for vectors or for numbers p, g, m, v of one kind


def _sgd(settings, rate, low, high, p, g, m, v):
    return p - rate * g, m, v


def _momentum(settings, rate, low, high, p, g, m, v):
    m = settings[FIRST_RATE] * m + g
    return p - rate * m, m, v


def _nesterov(settings, rate, low, high, p, g, m, v):
    m = settings[FIRST_RATE] * m + g
    return p - rate * (g + settings[FIRST_RATE] * m), m, v


def _adagrad(settings, rate, low, high, p, g, m, v):
    v = v + g * g
    return p - rate * g / (sqrt(v) + settings[EPSILON]), m, v


def _rmsprop(settings, rate, low, high, p, g, m, v):
    v = settings[FIRST_RATE] * v + (1.0 - settings[FIRST_RATE]) * (g * g)
    return p - rate * g / (sqrt(v) + settings[EPSILON]), m, v


def _adam(settings, rate, low, high, p, g, m, v):
    m = settings[FIRST_RATE] * m + (1.0 - settings[FIRST_RATE]) * g
    v = settings[SECOND_RATE] * v + (1.0 - settings[SECOND_RATE]) * (g * g)
    return p - (rate * low) * m / (sqrt(v * high) + settings[EPSILON]), m, v


def _update(rule, moves, squares, both_means=False, apart_decay=False):
    """The pass of a rule; it returns 0, or NaN where a parameter is not finite.

    `moves` and `squares` say whether it has slots in M and in V, `both_means` whether it needs 1 / (1 - βⁿ) for both,
    `apart_decay` whether weight decay acts on the parameter instead of on the gradient.
    """
    rule = inner(rule)

    @inner
    def moved(settings, rate, low, high, limit, scale, p, g, m, v):
        g = where_above(g, limit, limit, where_above(0.0 - limit, g, 0.0 - limit, g)) * scale
        if apart_decay:
            p = p - (rate * settings[DECAY]) * p
        else:
            g = g + settings[DECAY] * p
        return rule(settings, rate, low, high, p, g, m, v)

    def update(settings, rate, power, limit, scale, P, G, M, V, start, stop):
        step = lanes(P)
        bad, trouble, low, high = set_all(P, 0.0), 0.0, 1.0, 1.0
        if both_means:
            low, high = 1 / (1 - settings[FIRST_RATE] ** power), 1 / (1 - settings[SECOND_RATE] ** power)
        whole = start + (stop - start) // step * step
        limits, zero = set_all(P, limit), set_all(P, 0.0)
        for i in range(start, whole, step):
            m = load(M, i) if moves else zero
            v = load(V, i) if squares else zero
            p, m, v = moved(settings, rate, low, high, limits, scale, load(P, i), load(G, i), m, v)
            store(P, i, p)
            if moves:
                store(M, i, m)
            if squares:
                store(V, i, v)
            bad = bad + p * 0.0
        for i in range(whole, stop):
            m = M[i] * 1.0 if moves else 0.0
            v = V[i] * 1.0 if squares else 0.0
            p, m, v = moved(settings, rate, low, high, limit, scale, P[i] * 1.0, G[i] * 1.0, m, v)
            P[i] = p
            if moves:
                M[i] = m
            if squares:
                V[i] = v
            trouble += P[i] * 0.0  # as it is stored
        return trouble + sum_of(bad)

    return update


UPDATES = {
    "sgd": _update(_sgd, moves=False, squares=False),
    "momentum": _update(_momentum, moves=True, squares=False),
    "nesterov": _update(_nesterov, moves=True, squares=False),
    "adagrad": _update(_adagrad, moves=False, squares=True),
    "rmsprop": _update(_rmsprop, moves=False, squares=True),
    "adam": _update(_adam, moves=True, squares=True, both_means=True),
    "adamw": _update(_adam, moves=True, squares=True, both_means=True, apart_decay=True),
}


def gather_gradient(settings, limit, parts, size, P, G, start, stop, found):
    """Add up the threads' parts of the gradient and the penalties' into the first part, from `start` to `stop`.

    Adds the penalty to `found[0]`, and to `found[1]` Σg² of the gradient within its limits.
    """
    step = lanes(P)
    l1, l2 = settings[L1_RATE], settings[L2_RATE]
    penalty, squares = 0.0, 0.0
    sums, norms = set_all(P, 0.0), set_all(P, 0.0)
    zero, one, high, low = set_all(P, 0.0), set_all(P, 1.0), set_all(P, limit), set_all(P, -limit)
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
        g = where_above(g, high, high, where_above(low, g, low, g))
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
    found[0] += penalty + sum_of(sums)
    found[1] += squares + sum_of(norms)
