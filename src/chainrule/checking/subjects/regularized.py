"""The book's regularization, which backward of its dense layer adds itself and forward does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .base import Arrays

__all__ = ["REGULARIZED", "book_penalty", "strengths_of"]

REGULARIZED = {"weights": "weight", "biases": "bias"}  # weight_regularizer_l2 belongs to .weights


def strengths_of(item: Any, names: set[str]) -> dict[str, tuple[Any, Any]]:
    """How strongly L1 and L2 weigh on each of these parameters of an object; those without either are left out."""
    found = {
        name: tuple(getattr(item, f"{kind}_regularizer_l{power}", 0) or 0 for power in (1, 2))
        for name, kind in REGULARIZED.items()
        if name in names
    }
    return {name: (l1, l2) for name, (l1, l2) in found.items() if l1 or l2}


def book_penalty(strengths: Mapping[str, tuple[Any, Any]], values: Mapping[str, Any]) -> tuple[float, Arrays]:
    """L1 · sum |w| + L2 · sum w² over the parameters, and its exact gradient; that of |w| at 0 is 1, as in the book.

    >>> book_penalty({"weights": (0.0, 0.5)}, {"weights": np.array([1.0, -2.0])})
    (2.5, {'weights': array([ 1., -2.])})
    """
    total, gradients = 0.0, {}
    for name, (l1, l2) in strengths.items():
        value = values[name]
        total += float(l1 * np.abs(value).sum() + l2 * (value * value).sum())
        gradients[name] = l1 * np.where(value < 0, -1.0, 1.0) + 2 * l2 * value
    return total, gradients
