"""The joins of several outputs on arrays of features × samples; a join of many is a chain of joins of two."""

from __future__ import annotations

from ..layout import ADDS, ADDS_OTHER, FEATURES, OTHER, PASSES, PASSES_OTHER, STRIDE, VARIANT, X, Y
from .functions import inner
from .vectors import apart, lanes, load, store

__all__ = ["multiply", "part", "part_backward", "product", "product_backward"]


@inner
def multiply(A, x, B, y, C, z, features, stride, width, adds):
    """C = A · B, or C + A · B."""
    apart()
    for start in range(0, features * stride, stride):
        for i in range(start, start + width, lanes(A)):
            value = load(A, x + i) * load(B, y + i)
            store(C, z + i, value + load(C, z + i) if adds else value)


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
    multiply(A, op[X], A, op[OTHER], A, op[Y], op[FEATURES], plan[STRIDE], width, 0)


def product_backward(op, numbers, plan, first, width, samples, P, A, D):
    """dX = dY · other, dOther = dY · X."""
    x, other, y, features, stride = op[X], op[OTHER], op[Y], op[FEATURES], plan[STRIDE]
    if op[PASSES]:
        multiply(D, y, A, other, D, x, features, stride, width, op[ADDS])
    if op[PASSES_OTHER]:
        multiply(D, y, A, x, D, other, features, stride, width, op[ADDS_OTHER])
