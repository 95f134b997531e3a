"""The book's arithmetic, its default dtype, and the random stream shared by data, layers and the program itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = [
    "arithmetic",
    "binomial",
    "current",
    "init",
    "randn",
]


class _Random:
    """`numpy.random`, whose normal numbers come in the default dtype."""

    @staticmethod
    def randn(*shape: int) -> Any:
        drawn = np.random.randn(*shape)  # noqa: NPY002, the stream that the book's programs share
        return np.asarray(drawn).astype(current.dtype)[()]

    def __getattr__(self, name: str) -> Any:
        return getattr(np.random, name)


class _Arithmetic:
    """NumPy with the book's arithmetic: `matmul` in float64 rounded to float32, `exp` in float64 rounded back.

    The first is what the helper package does to `np.dot`; the second makes today's NumPy print the digits of the one
    that the book and the notes ran on, whose float32 `exp` was a different one. Like the helper package it gives
    `dot`, and `zeros`, `eye` and `random.randn` in the default dtype: a program whose own lines call them prints the
    book's digits with `from chainrule.book import arithmetic as np` in the place of `import numpy as np`.

    >>> from chainrule.book import *
    >>> arithmetic.matmul(np.array([[0.1]]), np.array([[0.1]])).dtype
    dtype('float32')
    >>> init()
    >>> arithmetic.zeros((1, 2)), arithmetic.random.randn(2)
    (array([[0., 0.]], dtype=float32), array([1.7640524, 0.4001572], dtype=float32))
    """

    random = _Random()

    @staticmethod
    def matmul(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        a, b = np.asarray(a), np.asarray(b)
        return np.asarray(np.matmul(a.astype(np.float64), b.astype(np.float64))).astype(np.float32)

    @staticmethod
    def dot(a: NDArray[Any], b: NDArray[Any]) -> Any:
        a, b = np.asarray(a), np.asarray(b)
        return np.asarray(np.dot(a.astype(np.float64), b.astype(np.float64))).astype(np.float32)[()]

    @staticmethod
    def exp(x: NDArray[Any]) -> NDArray[Any]:
        x = np.asarray(x)
        result = np.asarray(np.exp(x.astype(np.float64)))
        return result.astype(x.dtype) if x.dtype.kind == "f" else result

    @staticmethod
    def zeros(shape: Any, dtype: Any = None) -> NDArray[Any]:
        return np.zeros(shape, current.dtype if dtype is None else dtype)

    @staticmethod
    def eye(rows: int, dtype: Any = None) -> NDArray[Any]:
        return np.eye(rows, dtype=current.dtype if dtype is None else dtype)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


arithmetic = _Arithmetic()
randn = arithmetic.random.randn
current = SimpleNamespace(dtype=np.dtype("float64"), xp=np)  # what `init` sets: default dtype and arithmetic


def init(
    dot_precision_workaround: bool = True, default_dtype: DTypeLike = "float32", random_seed: int | None = 0
) -> None:
    """Seed NumPy's legacy generator, as `np.random.seed` does, and set the default dtype and arithmetic of the package.

    Data, weights and dropout are drawn from that one stream, in which a program's own `np.random` calls stand too.
    With `random_seed=None` the stream goes on where it is.

    >>> from chainrule.book import *
    >>> init()
    >>> Layer_Dense(2, 3).weights.dtype
    dtype('float32')
    """
    current.xp = arithmetic if dot_precision_workaround else np
    current.dtype = np.dtype(default_dtype or "float64")
    if random_seed is not None:
        np.random.seed(random_seed)  # noqa: NPY002


def binomial(kept: float, shape: tuple[int, ...]) -> NDArray[Any]:
    """1 with probability `kept`, else 0, from the same stream."""
    return np.random.binomial(1, kept, size=shape)  # noqa: NPY002
