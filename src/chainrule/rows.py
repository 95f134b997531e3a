"""Samples that stay as they lie, in another dtype or on disk, and are converted where they are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import require_finite

__all__ = ["Rows", "Samples", "as_they_lie", "chosen", "in_parts", "validation_order"]

_LARGE = 2**25  # bytes of a copy that is worth avoiding
_PART_BYTES = 2**22


class Rows:
    """S samples in `values` (S, ...), read as arrays of `dtype`; only the `chosen` rows where given.

    >>> rows = Rows(np.array([[1, 2], [3, 4], [5, 6]], np.uint8), np.float32)
    >>> rows.shape, rows[1:]
    ((3, 2), array([[3., 4.],
           [5., 6.]], dtype=float32))
    """

    def __init__(self, values: NDArray[Any], dtype: Any, chosen: NDArray[np.intp] | None = None) -> None:
        self.values, self.dtype, self.chosen = values, np.dtype(dtype), chosen

    @property
    def shape(self) -> tuple[int, ...]:
        """As an array's."""
        return (len(self), *self.values.shape[1:])

    def __len__(self) -> int:
        return len(self.values if self.chosen is None else self.chosen)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """Some rows by a slice or an array of indices, converted."""
        own = rows if self.chosen is None else self.chosen[rows]
        return np.asarray(self.values[own], self.dtype, order="C")


Samples = NDArray[Any] | Rows


def as_they_lie(X: Any, dtype: Any) -> Rows | None:
    """X as rows to be converted when they are read, where a converted copy of the whole would be large; else None.

    Raises `NonFiniteError` where it holds NaN or infinity.
    """
    if type(X) not in (np.ndarray, np.memmap) or X.dtype.kind not in "fiub" or X.ndim < 2:  # others are converted
        return None
    ready = X.dtype == dtype and X.flags.c_contiguous and not isinstance(X, np.memmap)
    if ready or X.size * np.dtype(dtype).itemsize <= _LARGE:
        return None
    rows = Rows(np.asarray(X), dtype)
    if X.dtype.kind == "f":
        require_finite(rows.values, rows)
    return rows


def chosen(X: Samples, rows: NDArray[np.intp]) -> Samples:
    """Some of the samples; where they are large without copying them."""
    if isinstance(X, Rows):
        return Rows(X.values, X.dtype, rows if X.chosen is None else X.chosen[rows])
    return X[rows] if X.nbytes <= _LARGE else Rows(X, X.dtype, rows)


def in_parts(X: Samples) -> Iterator[NDArray[Any]]:
    """All samples, converted, some megabytes at a time."""
    size = int(np.prod(X.shape[1:], dtype=np.int64)) * X.dtype.itemsize
    step = max(1, _PART_BYTES // max(size, 1))
    return (X[start : start + step] for start in range(0, len(X), step))


def validation_order(samples: int, seed: int) -> NDArray[np.int64]:
    """The order in which samples are held out to validate a run of this seed: so many of the first as are asked for."""
    return np.random.default_rng([seed, 2**32]).permutation(samples)
