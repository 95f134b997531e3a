"""The numeric derivatives of one array in one setting: by entry, along directions, and on both sides of an entry."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import nudge
from .setting import Setting

__all__ = ["Derivatives", "sides", "sides_persist"]

Floats = NDArray[Any]

_AGREES = 1e-6  # a complex step is trusted if it agrees with central differences this closely
_NARROWER = 4096  # how much narrower the steps are where the usual ones leave what forward takes


class Derivatives:
    """Derivatives by entry and along directions, from complex steps where these can be trusted."""

    def __init__(self, setting: Setting, name: str, rng: np.random.Generator, believed: bool | None = None) -> None:
        self.setting, self.name, self.rng = setting, name, rng
        self.direction = rng.normal(size=setting.values[name].shape)  # along which the two were compared
        self.known: nudge.Slope | None = None
        self.straight = False
        self.bent: set[int] = set()  # entries where it does not go straight on, or where nobody looked
        self.bends = True
        self.complex = self._complex_step_holds() if believed is None else believed
        self.method = "complex step" if self.complex else "central differences"
        self.straight = False if self.complex or believed is not None else self._is_straight()

    def of_entry(self, flat: int) -> nudge.Slope:
        """∂output / ∂entry."""
        self.bends = True
        slope = self._of(self.setting.entry(self.name, flat), self.setting.scale(self.name, flat))
        self.bent |= {flat} if self.bends else set()
        return slope

    def along(self, direction: Floats) -> nudge.Slope:
        """The derivative of the output along a direction."""
        return self._of(self.setting.along(self.name, direction), self.setting.scale(self.name))

    def _of(self, curve: nudge.Curve, size: float) -> nudge.Slope:
        if self.complex:
            slope = nudge.complex_slope(curve)
            if slope is not None and np.isfinite(slope).all():
                return nudge.Slope(slope, np.zeros(slope.shape))
        return self._central(curve, size)

    def _central(self, curve: nudge.Curve, size: float) -> nudge.Slope:
        step = self.setting.step(size)
        try:
            straight = None
            if self.straight:
                straight = nudge.straight_slope(curve, step, self.setting.noise, self.setting.output)
                self.bends = straight is None
            return straight or nudge.central_slope(curve, step, self.setting.noise)
        except Exception:  # what forward asserts, such as rows that add up to 1, may hold close by alone
            return nudge.central_slope(curve, step / _NARROWER, self.setting.noise)

    def _is_straight(self) -> bool:
        """Whether the output goes straight on along a direction that moves every entry, as in a convolution."""
        curve, step = self.setting.along(self.name, self.direction), self.setting.step(self.setting.scale(self.name))
        here = self.setting.output
        try:
            slope = nudge.straight_slope(curve, step, self.setting.noise, here)
            half = here if slope is None else np.asarray(curve(step / 2))
        except Exception:  # the object is not ours: anything may come
            return False
        if slope is None or np.any(np.abs(half - here - slope.value * step / 2) > slope.error * step):
            return False
        self.known = self.known or slope
        return True

    def _complex_step_holds(self) -> bool:
        """Whether complex steps agree with central differences in every output along a random direction."""
        if self.setting.noise > 1e-13:
            return False
        curve = self.setting.along(self.name, self.direction)
        try:
            slope = nudge.complex_slope(curve)
        except Exception:  # an object written for real numbers may raise anything
            return False
        if slope is None or not np.isfinite(slope).all():
            return False
        if self._agrees_at_once(curve, slope):
            self.known = nudge.Slope(slope, np.zeros(slope.shape))
            return True
        real = self._central(curve, self.setting.scale(self.name))
        size = np.max(np.abs(real.value), initial=0.0)
        agree = np.abs(slope - real.value) <= _AGREES * size + 10 * real.error
        holds = bool(agree.all()) and bool(np.max(real.error, initial=0.0) <= 1e-3 * size)
        self.known = nudge.Slope(slope, np.zeros(slope.shape)) if holds else real
        return holds

    def _agrees_at_once(self, curve: nudge.Curve, slope: Floats) -> bool:
        """Whether one narrow difference agrees already; where a kink lies on the way it does not."""
        step = 1e-5 * self.setting.scale(self.name)
        try:
            real = (np.asarray(curve(step)) - np.asarray(curve(-step))) / (2 * step)
        except Exception:  # the object is not ours: anything may come
            return False
        return bool((np.abs(slope - real) <= _AGREES * np.max(np.abs(real), initial=0.0)).all())


def sides(setting: Setting, name: str, flat: int, narrower: float = 1.0) -> tuple[float, float]:
    """The slopes on both sides of an entry."""
    step = 1.25e-7 / narrower * setting.scale(name, flat) * (setting.noise / 2.3e-16) ** 0.5
    left, right = nudge.one_sided_slopes(setting.entry(name, flat), step, setting.output)
    return float(np.sum(setting.dvalues * left)), float(np.sum(setting.dvalues * right))


def sides_persist(setting: Setting, name: str, flat: int, left: float, right: float) -> bool:
    """Whether the slopes on both sides of an entry are the same with a wider step."""
    wide = sides(setting, name, flat, 1 / 8)
    return abs(wide[0] - left) + abs(wide[1] - right) <= 1e-3 * (abs(left) + abs(right) + 1e-300)
