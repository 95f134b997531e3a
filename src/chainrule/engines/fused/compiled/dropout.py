"""Dropout on arrays of features × samples, with the noise of `noise` computed where it is needed."""

from __future__ import annotations

import numpy as np

from ....noise import _PARITY, _ROTATIONS, ROUNDS
from ..layout import ADDS, FEATURES, KEPT, NODE, SEED, STRIDE, X, Y
from .joins import multiply
from .vectors import number_like

__all__ = ["dropout", "dropout_backward"]


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
    multiply(A, op[X], A, mask, A, op[Y], features, stride, width, 0)


def dropout_backward(op, numbers, plan, first, width, samples, P, A, D):
    """dX = dY · factors."""
    multiply(D, op[Y], A, op[KEPT], D, op[X], op[FEATURES], plan[STRIDE], width, op[ADDS])
