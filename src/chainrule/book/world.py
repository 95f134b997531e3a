"""The book's arithmetic, its default dtype, and the random stream shared by data and layers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = [
    "arithmetic",
    "current",
    "init",
    "randn",
]


class _Arithmetic:
    """NumPy with the book's arithmetic: `matmul` in float64 rounded to float32, `exp` in float64 rounded back.

    The first is what the helper package does to `np.dot`; the second makes today's NumPy print the digits of the one
    that the book and the notes ran on, whose float32 `exp` was a different one.

    >>> from chainrule.book import *
    >>> arithmetic.matmul(np.array([[0.1]]), np.array([[0.1]])).dtype
    dtype('float32')
    """

    @staticmethod
    def matmul(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.matmul(a.astype(np.float64), b.astype(np.float64))).astype(np.float32)

    @staticmethod
    def exp(x: NDArray[Any]) -> NDArray[Any]:
        result = np.asarray(np.exp(x.astype(np.float64)))
        return result.astype(x.dtype) if x.dtype.kind == "f" else result

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


arithmetic = _Arithmetic()


# What `init` sets: the random stream of data and layers, the default dtype, the arithmetic.
current = SimpleNamespace(stream=np.random.RandomState(), dtype=np.dtype("float64"), xp=np)


def init(
    dot_precision_workaround: bool = True, default_dtype: DTypeLike = "float32", random_seed: int | None = 0
) -> None:
    """Seed the random stream and set the default dtype and arithmetic for the whole package.

    >>> from chainrule.book import *
    >>> init()
    >>> Layer_Dense(2, 3).weights.dtype
    dtype('float32')
    """
    current.xp = arithmetic if dot_precision_workaround else np
    current.dtype = np.dtype(default_dtype)
    current.stream = np.random.RandomState(random_seed)


def randn(*shape: int) -> NDArray[Any]:
    """Standard normal numbers from the random stream, rounded to the default dtype first."""
    return np.asarray(current.stream.randn(*shape).astype(current.dtype))
