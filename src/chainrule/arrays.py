"""What users pass as arrays of numbers: nothing of it may get lost on the way into an array of NumPy."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import DataError, ShapeError

__all__ = ["plain_array"]


def plain_array(values: ArrayLike, where: str) -> NDArray[Any]:
    """The values as an array; `where` names them in errors.

    Raises `ShapeError` for rows of different lengths, and `DataError` for a masked array with masked entries, whose
    hidden values NumPy would uncover without a word.

    >>> plain_array(np.ma.array([1.0, 2.0], mask=[False, True]), "X")
    Traceback (most recent call last):
    chainrule.errors.DataError: X is a masked array, and 1 of its 2 entries are masked, the first at index (1,): leave
    those samples out, or fill the entries with numbers, as in X.filled(0).
    """
    _refuse_masked(values, where)
    try:
        return np.asarray(values)
    except ValueError:
        raise ShapeError(f"{where}: its rows have different lengths.") from None


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
