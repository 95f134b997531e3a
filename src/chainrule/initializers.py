"""Where a parameter starts: functions of a random generator and a shape.

The default for weights is `He()`: it keeps the variance of the activations the same from layer to layer through ReLU,
so that deep networks train from the first step. Biases start at zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import ConfigurationError
from .limits import require_number

__all__ = ["Constant", "Glorot", "He", "Initializer", "LeCun", "Normal", "Zeros"]

# As text, because naming the generator would import numpy.random.
Initializer: TypeAlias = "Callable[[np.random.Generator, tuple[int, ...]], NDArray[Any]]"


@dataclass(frozen=True)
class Constant:
    """Every entry is `value`.

    >>> Constant(2.0)(np.random.default_rng(0), (1, 3))
    array([[2., 2., 2.]])
    """

    value: float

    def __post_init__(self) -> None:
        require_number(self, "value")

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        """An array of `shape` filled with the value; the generator is not used."""
        return np.full(shape, float(self.value))


@dataclass(frozen=True)
class Zeros(Constant):
    """Every entry is 0: the usual start of biases.

    >>> Zeros()(np.random.default_rng(0), (1, 3))
    array([[0., 0., 0.]])
    """

    value: float = 0.0


@dataclass(frozen=True)
class Normal:
    """Independent normal entries with standard deviation `scale`; the book's weights are `Normal(0.01)`.

    Small weights keep the first outputs near zero, but through many layers the signal shrinks by that factor each time:
    use `He` for deep networks.

    >>> Normal(0.01)(np.random.default_rng(0), (1, 3)).round(5)
    array([[ 0.00126, -0.00132,  0.0064 ]])
    """

    scale: float = 0.01

    def __post_init__(self) -> None:
        require_number(self, "scale", at_least=0)

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        """An array of `shape` drawn from N(0, scale²)."""
        return self.scale * rng.standard_normal(shape)


@dataclass(frozen=True)
class _VarianceScaling:
    """Entries with mean 0 and the variance that the subclass computes from fan-in I and fan-out N."""

    distribution: str = "normal"

    def __post_init__(self) -> None:
        if self.distribution not in ("normal", "uniform"):
            raise ConfigurationError(
                f"{type(self).__name__}: distribution must be 'normal' or 'uniform', not {self.distribution!r}."
            )

    def variance(self, fan_in: int, fan_out: int) -> float:
        """The variance of one weight."""
        raise NotImplementedError

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        """An array of `shape` (I, N); a zero-sized array where a fan is zero."""
        fan_in, fan_out = shape[0], shape[-1]
        std = math.sqrt(self.variance(max(fan_in, 1), max(fan_out, 1)))
        if self.distribution == "normal":
            return std * rng.standard_normal(shape)
        limit = math.sqrt(3.0) * std  # a uniform on [-a, a] has variance a²/3
        return rng.uniform(-limit, limit, shape)


class He(_VarianceScaling):
    """Variance 2 / I, for layers followed by ReLU, which zeroes half of the signal (He et al. 2015).

    >>> He()(np.random.default_rng(0), (8, 2)).shape
    (8, 2)
    """

    def variance(self, fan_in: int, fan_out: int) -> float:
        """2 / I."""
        return 2.0 / fan_in


class Glorot(_VarianceScaling):
    """Variance 2 / (I + N), for tanh and sigmoid; also called Xavier (Glorot and Bengio 2010).

    >>> Glorot("uniform")(np.random.default_rng(0), (8, 2)).shape
    (8, 2)
    """

    def variance(self, fan_in: int, fan_out: int) -> float:
        """2 / (I + N)."""
        return 2.0 / (fan_in + fan_out)


class LeCun(_VarianceScaling):
    """Variance 1 / I, for linear and self-normalizing layers (LeCun et al. 1998).

    >>> LeCun()(np.random.default_rng(0), (8, 2)).shape
    (8, 2)
    """

    def variance(self, fan_in: int, fan_out: int) -> float:
        """1 / I."""
        return 1.0 / fan_in
