"""NumPy with some functions done in less time, the same numbers to the last bit.

NumPy reduces short rows one row at a time and chooses between numbers entry by entry; the ways around both are here,
so that layers and losses can be written plainly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["QUICK", "QuickNumpy"]

_INTEGERS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}  # of the same size
_SUM_COLUMNS = 7  # up to here NumPy adds a row from left to right, beyond in another order
_MAX_COLUMNS = 32
_ROWS = 16
_LARGE = 2**11  # entries from which on the way around `where` pays
_add: Any = np.add.reduce


class QuickNumpy:
    """The namespace `numpy`, with another `sum`, `max` and `where`.

    >>> xp, x = QuickNumpy(), np.array([[1.0, -2.0], [3.0, 4.0]])
    >>> xp.where(x > 0, x, 0), xp.sum(x, axis=1)
    (array([[1., 0.],
           [3., 4.]]), array([-1.,  7.]))
    """

    def __init__(self) -> None:
        vars(self).update(vars(np) | {name: getattr(self, name) for name in ("sum", "max", "where")})

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)  # what NumPy imports when it is first asked for

    def sum(self, x: Any, axis: Any = None, *more: Any, keepdims: bool = False, **options: Any) -> Any:
        """`numpy.sum`."""
        if more or options or type(x) is not np.ndarray:
            return np.sum(x, axis, *more, keepdims=keepdims, **options)
        if _short_rows(x, axis, _SUM_COLUMNS):
            total = np.add.reduce(x.T.copy(), 0)  # (C,B) -> (B,)
            return total[:, None] if keepdims else total
        return _add(x, axis, None, None, keepdims)

    def max(self, x: Any, axis: Any = None, *more: Any, keepdims: bool = False, **options: Any) -> Any:
        """`numpy.max`."""
        if more or options or not _short_rows(x, axis, _MAX_COLUMNS):
            return np.max(x, axis, *more, keepdims=keepdims, **options)
        highest = np.maximum.reduce(x.T.copy(), 0)  # (C,B) -> (B,)
        if not highest.all():  # of 0 and -0 the one that is met depends on the order
            zero = highest == 0  # (B,)
            highest[zero] = np.max(x[zero], axis=1)
        return highest[:, None] if keepdims else highest

    def where(self, condition: Any, *chosen: Any) -> Any:
        """`numpy.where`; between an array and the number 0 it is a product of the array's bits with 1 or 0."""
        if len(chosen) == 2 and type(chosen[1]) is int and chosen[1] == 0:
            x = chosen[0]
            if _is_plain(x) and x.size >= _LARGE and type(condition) is np.ndarray and condition.dtype == bool:
                return np.multiply(x.view(_INTEGERS[x.dtype]), condition).view(x.dtype)
        return np.where(condition, *chosen)


def _is_plain(x: Any) -> bool:
    return type(x) is np.ndarray and x.dtype in _INTEGERS and x.flags.c_contiguous


def _short_rows(x: Any, axis: Any, most: int) -> bool:
    """Whether a reduction is that of many rows (B, C), C up to `most`."""
    return axis in (1, -1) and _is_plain(x) and x.ndim == 2 and 0 < x.shape[1] <= most and len(x) >= _ROWS


QUICK = QuickNumpy()
