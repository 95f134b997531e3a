"""The data sets of the book's helper package."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .world import current, randn

__all__ = [
    "sine_data",
    "spiral_data",
    "vertical_data",
]


def spiral_data(samples: int, classes: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Points on `classes` arms of a spiral, `samples` on each: X (B, 2) and y (B,), B = samples · classes.

    >>> from chainrule.book import *
    >>> init()
    >>> X, y = spiral_data(samples=100, classes=3)
    >>> X[1], y[[0, 100, 200]]
    (array([0.00299556, 0.00964661], dtype=float32), array([0, 1, 2], dtype=uint8))
    """
    X = np.zeros((samples * classes, 2), dtype=current.dtype)
    for c in range(classes):
        r = np.linspace(0.0, 1, samples)  # (S,), the radius
        t = np.linspace(c * 4, (c + 1) * 4, samples) + randn(samples) * 0.2  # (S,), the angle
        X[samples * c : samples * (c + 1)] = np.c_[r * np.sin(t * 2.5), r * np.cos(t * 2.5)]  # (S,2)
    return X, np.repeat(np.arange(classes, dtype=np.uint8), samples)


def vertical_data(samples: int, classes: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Clusters of points side by side, `samples` in each: X (B, 2) and y (B,), B = samples · classes.

    >>> from chainrule.book import *
    >>> init()
    >>> vertical_data(samples=1, classes=2)[0].round(3)
    array([[0.176, 0.54 ],
           [0.431, 0.724]], dtype=float32)
    """
    X = np.zeros((samples * classes, 2), dtype=current.dtype)
    for c in range(classes):
        across = randn(samples) * 0.1 + c / 3  # (S,), drawn first
        up = randn(samples) * 0.1 + 0.5  # (S,)
        X[samples * c : samples * (c + 1)] = np.c_[across, up]  # (S,2)
    return X, np.repeat(np.arange(classes, dtype=np.uint8), samples)


def sine_data(samples: int = 1000) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One period of a sine: X (B, 1) from 0 to 1, y = sin(2πX), (B, 1), both float64.

    >>> from chainrule.book import *
    >>> X, y = sine_data(4)
    >>> X.ravel(), y.ravel().round(3)
    (array([0.  , 0.25, 0.5 , 0.75]), array([ 0.,  1.,  0., -1.]))
    """
    X = np.arange(samples).reshape(-1, 1) / samples  # (B,1)
    return X, np.sin(2 * np.pi * X)
