"""How the numbers that somebody's function returns are related to those that are right, over all batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["by_argument", "how_wrong", "numbers", "relation", "same"]

_RTOL, _ATOL = 1e-5, 1e-8  # of an entry, and of the array's largest

Arrays = Sequence[NDArray[np.float64]]


def numbers(value: Any) -> NDArray[np.float64] | None:
    """The numbers of what was returned; None where it is none.

    >>> numbers([1, 2]), numbers("two")
    (array([1., 2.]), None)
    """
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return None


def same(one: Arrays, other: Arrays) -> bool:
    """Whether all arrays agree; an axis of one entry, as in (1,N), may be left out."""
    return all(
        a.squeeze().shape == b.squeeze().shape
        and np.allclose(a.squeeze(), b.squeeze(), _RTOL, _ATOL * max(float(np.max(np.abs(b), initial=0)), 1e-3))
        for a, b in zip(one, other, strict=True)
    )


def how_wrong(values: Arrays, right: Arrays) -> str:
    """Which shape is wrong, or how many entries.

    >>> how_wrong([np.array([1.0, 2.0])], [np.array([1.0, 3.0])])
    '1 of 2 numbers are wrong.'
    """
    for value, expected in zip(values, right, strict=True):
        if value.squeeze().shape != expected.squeeze().shape:
            return f"Its shape is {value.shape}, where {expected.shape} belongs."
    wrong = sum(int(np.sum(~np.isclose(v.squeeze(), r.squeeze(), _RTOL))) for v, r in zip(values, right, strict=True))
    entries = sum(r.size for r in right)
    return (
        f"{wrong} of {entries} numbers are wrong." if entries > len(right) else f"Wrong in {wrong} of {entries} cases."
    )


def by_argument(values: Arrays, right: Arrays, arguments: Sequence[Sequence[Any]]) -> str:
    """Whether an argument is a factor too many in every case, or one that is missing: a name in RELATED, or "".

    >>> by_argument([np.array([6.0, 8.0])], [np.array([2.0, 4.0])], [[np.array([3.0, 2.0])]])
    'factor_too_many'
    """
    for argument in zip(*arguments, strict=True):
        given = [np.asarray(each, np.float64) for each in argument]
        if any(g.shape not in ((), r.shape) for g, r in zip(given, right, strict=True)):
            continue
        if same(values, [r * g for g, r in zip(given, right, strict=True)]):
            return "factor_too_many"
        if same([v * g for g, v in zip(given, values, strict=True)], right):
            return "factor_missing"
    return ""


def relation(values: Arrays, right: Arrays) -> str:
    """How wrong numbers are related to the right ones in every case: a name in RELATED, or "".

    >>> relation([np.array([1.0, -2.0])], [np.array([-1.0, 2.0])])
    'sign'
    """
    if not all(np.isfinite(value).all() for value in values):
        return "not finite"
    if same([value.T for value in values], right):
        return "transposed"
    if any(v.squeeze().shape != r.squeeze().shape for v, r in zip(values, right, strict=True)):
        return "shape"
    if not any(value.any() for value in values):
        return "zero"
    factors = []
    for value, expected in zip(values, right, strict=True):
        v, e = value.ravel(), expected.ravel()
        factor = float(v @ e / (e @ e)) if e.any() else 0.0
        if not np.allclose(v, factor * e, 1e-6):
            return ""
        factors += [factor] if e.any() else []
    if not factors:
        return ""
    if np.allclose(factors, -1):
        return "sign"
    return "factor" if np.allclose(factors, factors[0], 1e-6) else "batch" if values[0].size > 1 else ""
