"""Learning-rate schedules: the rate as a plain function of the step, counted from 0.

Every schedule is called as `schedule(step)` and returns a float. An optimizer accepts a schedule wherever it accepts a
number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

from .errors import ConfigurationError

__all__ = [
    "ConstantRate",
    "CosineDecay",
    "ExponentialDecay",
    "InverseTimeDecay",
    "OneCycle",
    "Schedule",
    "StepDecay",
    "as_schedule",
]

Schedule = Callable[[int], float]


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigurationError(message)


def _not_negative(schedule: object, *names: str) -> None:
    for name in names:
        value = getattr(schedule, name)
        fine = isinstance(value, Real) and math.isfinite(value) and float(value) >= 0
        _require(fine, f"{type(schedule).__name__}: {name} must be a finite number of at least 0, not {value!r}.")


def _cosine(start: float, end: float, fraction: float) -> float:
    """From `start` to `end` along half a cosine, as `fraction` goes from 0 to 1."""
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * fraction))


@dataclass(frozen=True)
class ConstantRate:
    """The same rate at every step.

    >>> ConstantRate(0.1)(5)
    0.1
    """

    rate: float

    def __post_init__(self) -> None:
        _not_negative(self, "rate")

    def __call__(self, step: int) -> float:
        """The rate at `step`."""
        return self.rate


@dataclass(frozen=True)
class InverseTimeDecay:
    """rate / (1 + decay · step): the book's decay (chapter 10).

    >>> InverseTimeDecay(1.0, decay=0.1)(20)
    0.3333333333333333
    """

    rate: float
    decay: float

    def __post_init__(self) -> None:
        _not_negative(self, "rate", "decay")

    def __call__(self, step: int) -> float:
        """The rate at `step`."""
        return self.rate * (1.0 / (1.0 + self.decay * step))


@dataclass(frozen=True)
class StepDecay:
    """rate · factor^⌊step / every⌋: a stair that goes down by `factor` once in `every` steps.

    >>> [StepDecay(1.0, every=10, factor=0.5)(s) for s in (0, 9, 10, 25)]
    [1.0, 1.0, 0.5, 0.25]
    """

    rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _not_negative(self, "rate", "factor")
        _require(self.every >= 1, f"StepDecay: every must be at least 1 step, not {self.every!r}.")

    def __call__(self, step: int) -> float:
        """The rate at `step`."""
        return float(self.rate * self.factor ** (step // self.every))


@dataclass(frozen=True)
class ExponentialDecay:
    """rate · factor^(step / every): the smooth form of `StepDecay`.

    >>> ExponentialDecay(1.0, every=2, factor=0.25)(1)
    0.5
    """

    rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _not_negative(self, "rate", "factor")
        _require(self.every >= 1, f"ExponentialDecay: every must be at least 1 step, not {self.every!r}.")

    def __call__(self, step: int) -> float:
        """The rate at `step`."""
        return float(self.rate * self.factor ** (step / self.every))


@dataclass(frozen=True)
class CosineDecay:
    """A linear warm-up from 0 to `rate` over `warmup` steps, then half a cosine down to `final` at step `steps`.

    Step `warmup` has the full rate; from step `steps` on the rate stays at `final` (Loshchilov and Hutter 2017).

    >>> [round(CosineDecay(1.0, steps=10, warmup=2)(s), 3) for s in (0, 1, 2, 6, 10, 99)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]
    """

    rate: float
    steps: int
    warmup: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        _require(
            0 <= self.warmup < self.steps,
            f"CosineDecay: needs 0 <= warmup < steps, received warmup={self.warmup!r} and steps={self.steps!r}.",
        )
        _not_negative(self, "rate", "final")

    def __call__(self, step: int) -> float:
        """The rate at `step`."""
        if step < self.warmup:
            return self.rate * step / self.warmup
        return _cosine(self.rate, self.final, min((step - self.warmup) / (self.steps - self.warmup), 1.0))


@dataclass(frozen=True)
class OneCycle:
    """Up along half a cosine from peak / divide to `peak`, then down to peak / (divide · final_divide).

    The way up takes the fraction `rise` of `steps` (Smith and Topin 2018).

    >>> [round(OneCycle(1.0, steps=10, rise=0.5, divide=10)(s), 3) for s in (0, 5, 10)]
    [0.1, 1.0, 0.0]
    """

    peak: float
    steps: int
    rise: float = 0.3
    divide: float = 25.0
    final_divide: float = 1e4

    def __post_init__(self) -> None:
        _not_negative(self, "peak")
        for name in ("divide", "final_divide"):
            _require(getattr(self, name) > 0, f"OneCycle: {name} must be above 0, not {getattr(self, name)!r}.")
        _require(self.steps >= 1, f"OneCycle: steps must be at least 1, not {self.steps!r}.")
        _require(0.0 < self.rise < 1.0, f"OneCycle: rise must lie between 0 and 1, not {self.rise!r}.")

    def __call__(self, step: int) -> float:
        """The rate at `step`."""
        start, top = self.peak / self.divide, self.rise * self.steps
        if step < top:
            return _cosine(start, self.peak, step / top)
        return _cosine(self.peak, start / self.final_divide, min((step - top) / (self.steps - top), 1.0))


def as_schedule(rate: float | Schedule) -> Schedule:
    """A schedule as it is, a number as a `ConstantRate`.

    Raises `ConfigurationError` where the number is negative or not finite.

    >>> as_schedule(0.5)
    ConstantRate(rate=0.5)
    """
    if callable(rate):
        return rate
    if not isinstance(rate, Real) or not math.isfinite(rate) or rate < 0:
        raise ConfigurationError(f"A learning rate must be a finite number of at least 0, not {rate!r}.")
    return ConstantRate(float(rate))
