"""What users pass as arrays of numbers: nothing of it may get lost on the way into an array of NumPy."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import DataError, NonFiniteError, ShapeError

__all__ = ["is_array", "plain_array", "refuse_lazy", "require_finite"]

_PART = 2**20  # entries


def plain_array(values: ArrayLike, where: str) -> NDArray[Any]:
    """The values as an array; `where` names them in errors.

    Raises `ShapeError` for rows of different lengths, and `DataError` for a sparse matrix, for a `LazyFrame`, for a
    tensor that NumPy cannot read, and for a masked array with masked entries, whose hidden values NumPy would uncover
    without a word.

    >>> plain_array(np.ma.array([1.0, 2.0], mask=[False, True]), "X")
    Traceback (most recent call last):
    chainrule.errors.DataError: X is a masked array, and 1 of its 2 entries are masked, the first at index (1,): leave
    those samples out, or fill the entries with numbers, as in X.filled(0).
    """
    refuse_lazy(values, where)
    _refuse_masked(values, where)
    if hasattr(values, "toarray"):
        name = where.rpartition(": ")[2]
        raise DataError(f"{where} is a sparse matrix, a {type(values).__name__}; write {name}.toarray().")
    try:
        return np.asarray(values)
    except ValueError:
        raise ShapeError(f"{where}: its rows have different lengths.") from None
    except (TypeError, RuntimeError) as error:  # a tensor that stands elsewhere, or in a graph of gradients
        raise DataError(f"{where}: NumPy cannot read this {type(values).__name__}: {str(error).rstrip('.')}.") from None


def refuse_lazy(values: Any, where: str) -> None:
    """Raise `DataError` for a data frame that is a plan and holds no numbers yet, a `LazyFrame` of Polars."""
    if type(values).__name__ == "LazyFrame":
        raise DataError(
            f"{where} is a LazyFrame, which holds no numbers yet; write {where.rpartition(': ')[2]}.collect()."
        )


def is_array(given: Any) -> bool:
    """Whether this is an array, of whatever library, or a table: something whose rows are samples.

    >>> is_array(np.zeros(2)), is_array(memoryview(b"ab")), is_array([1, 2])
    (True, True, False)
    """
    if isinstance(given, np.ndarray):
        return True
    own = getattr(given, "__dict__", ())
    if any(hasattr(type(given), name) or name in own for name in ("__array__", "shape", "columns")):
        return True
    try:
        memoryview(given)  # whatever lies in memory as one, such as array.array
    except TypeError:
        return False
    return True


def _refuse_masked(values: Any, where: str) -> None:
    if "numpy.ma" not in sys.modules:  # nobody has made one, and importing it takes longer than many a fit
        return
    if isinstance(values, np.ma.MaskedArray):
        masked = np.ma.getmaskarray(values)
        if masked.any():
            index = tuple(int(i) for i in np.argwhere(masked)[0])
            name = where.rpartition(": ")[2]
            raise DataError(
                f"{where} is a masked array, and {masked.sum()} of its {masked.size} entries are masked, the first at "
                f"index {index}: leave those samples out, or fill the entries with numbers, as in {name}.filled(0)."
            )
    elif isinstance(values, list | tuple):
        for row in values:
            if isinstance(row, np.ma.MaskedArray | list | tuple):
                _refuse_masked(row, where)


def require_finite(X: NDArray[Any], converted: Any) -> None:
    """Raise `NonFiniteError` where X holds NaN or infinity, or what becomes infinite in `converted`, naming the first.

    Both are gone through in parts, so that no array of the size of the whole is made.
    """
    rows = max(1, _PART * len(X) // max(X.size, 1))
    if rows >= len(X) and converted is X and np.isfinite(X).all():
        return
    for start in range(0, len(X), rows):
        with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite
            finite = np.isfinite(converted[start : start + rows])
        if not finite.all():
            own = tuple(int(i) for i in np.argwhere(~finite)[0])
            index = (start + own[0], *own[1:])
            infinite = f"which is inf in {converted.dtype}; scale it"
            remedy = infinite if np.isfinite(X[index]) else "remove or replace it"
            raise NonFiniteError(f"X holds {X[index]} at index {index}, {remedy}.")
