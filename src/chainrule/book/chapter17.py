"""The book's names as chapter 17 uses them: weights start at 0.1 · normal.

>>> from chainrule.book.chapter17 import *
>>> init()
>>> Layer_Dense(1, 2).weights
array([[0.17640524, 0.04001572]], dtype=float32)
"""

from __future__ import annotations

from chainrule import book
from chainrule.book import *  # noqa: F403

__all__ = book.__all__


class Layer_Dense(book.Layer_Dense):  # type: ignore[no-redef]
    """`Layer_Dense` with weights 0.1 · normal from the book's random stream."""

    weight_scale = 0.1
