"""The namespace that a trace passes as `xp`: its functions build expressions instead of computing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import special
from .expression import FUNCTIONS, Expression, Untraceable, apply, leaf, number

__all__ = ["Namespace"]

_SUMS = {0: "sum_samples", -1: "sum_features", 1: "sum_features", None: "sum_all"}


class Namespace:
    """An array-API namespace of expressions.

    `special` are the functions of `chainrule.special` that stay one operation, so that a formula says σ(x) and not how
    it is calculated; with `expand=True` there are none, and their own arithmetic is traced.

    >>> xp = Namespace()
    >>> xp.where(leaf("name", "x") > 0, 1.0, xp.exp(leaf("name", "x")))
    where(gt(x, 0), 1.0, exp(x))
    """

    float32, float64, int64 = np.float32, np.float64, np.int64
    pi, e, inf, nan = math.pi, math.e, math.inf, math.nan

    def __init__(self, expand: bool = False) -> None:
        self.special = () if expand else tuple(special.__all__)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "bool":  # as a class attribute it would hide Python's in the annotations above
            return np.bool_
        if name not in FUNCTIONS:
            raise Untraceable(f"xp.{name} is not a function of one entry at a time")
        return FUNCTIONS[name]

    @staticmethod
    def asarray(value: Any, dtype: Any = None, copy: Any = None) -> Expression:
        """A number as an expression, an expression as it is."""
        return number(value)

    array = asarray

    @staticmethod
    def astype(value: Any, dtype: Any, copy: Any = None) -> Expression:
        """True as 1 and False as 0; of numbers nothing changes. Raises `Untraceable` for whole numbers."""
        if np.dtype(dtype).kind not in "fb":
            raise Untraceable(f"astype({np.dtype(dtype)}) rounds the entries")
        return apply("where", value, 1, 0) if number(value).is_truth else number(value)

    def zeros_like(self, value: Any, dtype: Any = None) -> Expression:
        """0."""
        return number(0)

    def ones_like(self, value: Any, dtype: Any = None) -> Expression:
        """1."""
        return number(1)

    def full_like(self, value: Any, fill_value: Any, dtype: Any = None) -> Expression:
        """The number."""
        return number(fill_value)

    def clip(self, value: Any, min: Any = None, max: Any = None) -> Expression:
        """min(max(a, low), high)."""
        raised = number(value) if min is None else apply("max", value, min)
        return raised if max is None else apply("min", raised, max)

    def sum(self, value: Any, axis: Any = None, keepdims: Any = False, dtype: Any = None) -> Expression:
        """A sum over the features, over the samples, or over all entries."""
        if axis not in _SUMS:
            raise Untraceable(f"a sum over axis={axis!r} cannot be traced; arrays are (B, features)")
        return apply(_SUMS[axis], value)

    def mean(self, value: Any, axis: Any = None, keepdims: Any = False, dtype: Any = None) -> Expression:
        """A sum over the features, divided by their number."""
        if axis not in (1, -1):
            raise Untraceable(f"a mean over axis={axis!r} depends on the size of the batch")
        return apply("div", apply("sum_features", value), leaf("size", "features"))

    @staticmethod
    def finfo(dtype: Any) -> Any:
        """NumPy's."""
        return np.finfo(dtype)
