"""The operations of expressions, and what each means for NumPy arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import special

__all__ = ["COMPARISONS", "OPERATIONS", "TRUTHS"]


def _sum(axis: int | None) -> Callable[[Any], Any]:
    return lambda a: np.sum(a, axis=axis, keepdims=True)


# Every operation and what it means for NumPy arrays. A sum keeps its axis with size 1, so that its result broadcasts.
OPERATIONS: dict[str, Callable[..., Any]] = {
    "neg": np.negative, "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power,
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "sqrt": np.sqrt, "abs": np.abs,
    "sign": np.sign, "sin": np.sin, "cos": np.cos, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "arctan": np.arctan, "max": np.maximum, "min": np.minimum, "where": np.where,
    "gt": np.greater, "ge": np.greater_equal, "lt": np.less, "le": np.less_equal, "eq": np.equal,
    "ne": np.not_equal, "and": np.logical_and, "or": np.logical_or, "not": np.logical_not,
    "sum_features": _sum(-1), "sum_samples": _sum(0), "sum_all": _sum(None),
    **{name: functools.partial(getattr(special, name), np) for name in special.__all__},
}  # fmt: skip
COMPARISONS = ("gt", "ge", "lt", "le", "eq", "ne")
TRUTHS = (*COMPARISONS, "and", "or", "not")
