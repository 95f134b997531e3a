"""How a loss moves along a random direction: whether an array may be its gradient, before all of it is compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..streams import seed_streams
from .base import Point
from .plans import Recipe
from .running import WrittenInstance

__all__ = ["Slopes"]

_SEED = 1
_STEPS = (1e-6, 1e-3)  # a narrow one, and a wide one
_CLOSE = 1e-3  # how well a gradient fits a slope, for choosing a reading


class Slopes:
    """The slope of the loss along random directions for each array, found when it is asked for."""

    def __init__(self, plan: Recipe, point: Point, dvalues: NDArray[Any], rng: np.random.Generator) -> None:
        self.plan, self.point, self.dvalues, self.rng = plan, point, dvalues, rng
        self.directions: dict[tuple[str, int], NDArray[Any]] = {}
        self.known: dict[tuple[str, int, float], float] = {}
        self.instance = WrittenInstance(replace(plan, sources={}))

    def of(self, key: str, which: int, step: float) -> tuple[NDArray[Any], float]:
        """A direction, and the slope along it."""
        value = self.point.values[key]
        if (key, which) not in self.directions:
            self.directions[key, which] = self.rng.normal(size=value.shape)
        direction = self.directions[key, which]
        if (key, which, step) not in self.known:
            self.known[key, which, step] = self._along(key, value, direction, step)
        return direction, self.known[key, which, step]

    def _along(self, key: str, value: NDArray[Any], direction: NDArray[Any], step: float) -> float:
        ends = []
        for sign in (1, -1):
            seed_streams(_SEED)
            self.instance.restart()
            moved = self.point.copied().with_values({key: value + sign * step * direction})
            try:
                ends.append(float(np.sum(self.dvalues * self.instance.forward(moved))))
            except (Exception, SystemExit):  # the code is not ours: anything may come
                return float("nan")
        return (ends[0] - ends[1]) / (2 * step)

    def fits(self, key: str, gradient: Any, factor: float = 1.0) -> bool:
        """Whether an array is the gradient, as far as two directions tell."""
        try:
            array = factor * np.asarray(gradient, dtype=np.float64)
        except (TypeError, ValueError):
            return False
        if array.shape != self.point.values[key].shape or not np.isfinite(array).all():
            return False
        return all(self._close(array, key, which) for which in range(2))  # one alone may agree by chance

    def _close(self, array: NDArray[Any], key: str, which: int) -> bool:
        for step in _STEPS:
            direction, slope = self.of(key, which, step)
            terms = array * direction
            size = float(np.linalg.norm(terms)) + 1e-7
            if abs(float(terms.sum()) - slope) <= _CLOSE * size:
                return True
        return False
