"""Dropout, and the joins of several outputs, on arrays of features × samples; a join of many is a chain of joins."""

from __future__ import annotations

import numpy as np

from ....noise import _PARITY, _ROTATIONS, ROUNDS
from ..layout import ADDS, ADDS_OTHER, FEATURES, KEPT, NODE, OTHER, PASSES, PASSES_OTHER, SEED, STRIDE, VARIANT, X, Y
from .functions import inner
from .vectors import apart, lanes, load, number_like, store

__all__ = [
    "dropout", "dropout_backward", "part", "part_backward", "product", "product_backward",
]  # fmt: skip


@inner
def _multiply(A, x, B, y, C, z, features, stride, width, adds):
    """C = A · B, or C + A · B."""
    apart()
    for start in range(0, features * stride, stride):
        for i in range(start, start + width, lanes(A)):
            value = load(A, x + i) * load(B, y + i)
            store(C, z + i, value + load(C, z + i) if adds else value)


def dropout(op, numbers, plan, step, first, width, samples, P, A):
    """Each entry times 0 or 1 / (1 - rate), by Threefry-2x32 as in `noise`; the factors are kept."""
    features, stride, mask = op[FEATURES], plan[STRIDE], op[KEPT]
    seed, node, rate = np.uint32(plan[SEED]), np.uint32(op[NODE]), numbers[0]
    half = (features + 1) // 2
    kept, nothing, limit = number_like(A, 1 / (1 - rate)), number_like(A, 0.0), np.float32(rate)
    keys = (seed, node, np.uint32(seed ^ node ^ np.uint32(_PARITY)))
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
            A[mask + second + s] = kept if low >= limit else nothing
            high = np.float32(left >> np.uint32(8)) * np.float32(2.0**-24)
            A[mask + f * stride + s] = kept if high >= limit else nothing
    _multiply(A, op[X], A, mask, A, op[Y], features, stride, width, 0)


def dropout_backward(op, numbers, plan, first, width, samples, P, A, D):
    """dX = dY · factors."""
    _multiply(D, op[Y], A, op[KEPT], D, op[X], op[FEATURES], plan[STRIDE], width, op[ADDS])


def part(op, numbers, plan, step, first, width, samples, P, A):
    """One part of a sum, or of a concatenation: copied or added to the rows Y."""
    for start in range(0, op[FEATURES] * plan[STRIDE], plan[STRIDE]):
        for i in range(start, start + width, lanes(A)):
            value = load(A, op[X] + i)
            store(A, op[Y] + i, value + load(A, op[Y] + i) if op[VARIANT] else value)


def part_backward(op, numbers, plan, first, width, samples, P, A, D):
    """Each part receives the whole of dY."""
    for start in range(0, op[FEATURES] * plan[STRIDE], plan[STRIDE]):
        for i in range(start, start + width, lanes(A)):
            value = load(D, op[Y] + i)
            store(D, op[X] + i, value + load(D, op[X] + i) if op[ADDS] else value)


def product(op, numbers, plan, step, first, width, samples, P, A):
    """Y = X · other."""
    _multiply(A, op[X], A, op[OTHER], A, op[Y], op[FEATURES], plan[STRIDE], width, 0)


def product_backward(op, numbers, plan, first, width, samples, P, A, D):
    """dX = dY · other, dOther = dY · X."""
    x, other, y, features, stride = op[X], op[OTHER], op[Y], op[FEATURES], plan[STRIDE]
    if op[PASSES]:
        _multiply(D, y, A, other, D, x, features, stride, width, op[ADDS])
    if op[PASSES_OTHER]:
        _multiply(D, y, A, x, D, other, features, stride, width, op[ADDS_OTHER])
