"""Learning-rate schedules: the rate as a plain function of the step, counted from 0.

Every schedule is called as `schedule(step)` and returns a float. An optimizer accepts a schedule wherever it accepts a
number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import ConfigurationError
from .limits import is_number, require_number

__all__ = [
    "ConstantRate",
    "CosineDecay",
    "ExponentialDecay",
    "InverseTimeDecay",
    "OneCycle",
    "PowerDecay",
    "Schedule",
    "StepDecay",
    "as_schedule",
    "rate_at",
]

Schedule = Callable[[int], float]


def _not_negative(schedule: object, *names: str) -> None:
    for name in names:
        require_number(schedule, name, at_least=0)


def _power(factor: float, exponent: float) -> float:
    """factor^exponent, infinite where it overflows."""
    try:
        return float(float(factor) ** exponent)
    except OverflowError:
        return math.inf


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
class PowerDecay:
    """rate / (1 + step)^power: scikit-learn's "invscaling" with `power_t`, counted in steps.

    >>> PowerDecay(1.0, power=0.5)(3)
    0.5
    """

    rate: float
    power: float = 0.5

    def __post_init__(self) -> None:
        _not_negative(self, "rate", "power")

    def __call__(self, step: int) -> float:
        """The rate at `step`."""
        return self.rate * math.pow(1 + step, -self.power)


@dataclass(frozen=True)
class _Powers:
    """Decay by a power of `factor`."""

    rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _not_negative(self, "rate", "factor")
        require_number(self, "every", at_least=1)


@dataclass(frozen=True)
class StepDecay(_Powers):
    """rate · factor^⌊step / every⌋: the rate is multiplied by `factor` once every `every` steps.

    >>> [StepDecay(1.0, every=10, factor=0.5)(s) for s in (0, 9, 10, 25)]
    [1.0, 1.0, 0.5, 0.25]
    """

    def __call__(self, step: int) -> float:
        """The rate at `step`."""
        return self.rate * _power(self.factor, step // self.every)


@dataclass(frozen=True)
class ExponentialDecay(_Powers):
    """rate · factor^(step / every): the continuous version of `StepDecay`.

    >>> ExponentialDecay(1.0, every=2, factor=0.25)(1)
    0.5
    """

    def __call__(self, step: int) -> float:
        """The rate at `step`."""
        return self.rate * _power(self.factor, step / self.every)


@dataclass(frozen=True)
class CosineDecay:
    """Linear warm-up from 0 to `rate` over `warmup` steps, then half a cosine down to `final` at step `steps`.

    The full rate is reached at step `warmup`; from step `steps` on the rate is `final` (Loshchilov and Hutter 2017).

    >>> [round(CosineDecay(1.0, steps=10, warmup=2)(s), 3) for s in (0, 1, 2, 6, 10, 99)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]
    """

    rate: float
    steps: int
    warmup: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        _not_negative(self, "rate", "final", "warmup", "steps")
        if not self.warmup < self.steps:
            raise ConfigurationError(
                f"CosineDecay: needs warmup < steps, received warmup={self.warmup!r} and steps={self.steps!r}."
            )

    def __call__(self, step: int) -> float:
        """The rate at `step`."""
        if step < self.warmup:
            return self.rate * step / self.warmup
        return _cosine(self.rate, self.final, min((step - self.warmup) / (self.steps - self.warmup), 1.0))


@dataclass(frozen=True)
class OneCycle:
    """Half a cosine up from peak / divide to `peak`, then half a cosine down to peak / (divide · final_divide).

    The rise takes the fraction `rise` of `steps` (Smith and Topin 2018).

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
        require_number(self, "divide", above=0)
        require_number(self, "final_divide", above=0)
        require_number(self, "steps", at_least=1)
        require_number(self, "rise", above=0, below=1)

    def __call__(self, step: int) -> float:
        """The rate at `step`."""
        start, top = self.peak / self.divide, self.rise * self.steps
        if step < top:
            return _cosine(start, self.peak, step / top)
        return _cosine(self.peak, start / self.final_divide, min((step - top) / (self.steps - top), 1.0))


def as_schedule(rate: float | Schedule) -> Schedule:
    """Return a schedule unchanged, a number as a `ConstantRate`.

    Raises `ConfigurationError` for a number that is negative or not finite.

    >>> as_schedule(0.5)
    ConstantRate(rate=0.5)
    """
    if callable(rate):
        return rate
    if not is_number(rate, at_least=0):
        raise ConfigurationError(f"A learning rate must be a finite number of at least 0, not {rate!r}.")
    return ConstantRate(float(rate))


def rate_at(rate: float | Schedule, step: int) -> float:
    """The learning rate at a step, of a number or a schedule.

    Raises `ConfigurationError` where the schedule gives what is no rate.

    >>> rate_at(StepDecay(1.0, every=10), 10)
    0.1
    >>> rate_at(lambda step: 0.1 - step, 1)
    Traceback (most recent call last):
    chainrule.errors.ConfigurationError: A learning rate must be a finite number of at least 0, and the schedule
    <lambda> gives -0.9 at step 1.
    """
    if not callable(rate):
        return float(rate)
    found: Any = rate(step)
    if getattr(found, "shape", None) == ():
        found = found.item()  # one number of NumPy, JAX or PyTorch
    if not is_number(found, at_least=0):
        raise ConfigurationError(
            "A learning rate must be a finite number of at least 0, and the schedule "
            f"{getattr(rate, '__name__', rate)} gives {found!r} at step {step}."
        )
    return float(found)
