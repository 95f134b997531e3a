"""When two arrays of others are the same, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["equal"]


def equal(a: Any, b: Any) -> bool:
    """Whether shapes and all entries are equal, NaN to NaN; nothing equals None but None.

    >>> equal([1.0, float("nan")], [1.0, float("nan")]), equal([1.0], 1.0), equal(None, None), equal([1.0], None)
    (True, False, True, False)
    """
    if a is None or b is None:
        return a is b
    return bool(np.array_equal(a, b, equal_nan=True))
