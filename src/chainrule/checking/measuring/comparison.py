"""One gradient beside the derivative of forward, and when the two agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .setting import Setting

__all__ = ["Comparison", "Tolerance"]

Floats = NDArray[Any]


class Tolerance(NamedTuple):
    """When two entries agree: |received - expected| <= rtol · the larger + atol · the array's largest + what the
    derivative itself may be off by."""

    rtol: float
    atol: float


@dataclass
class Comparison:
    """One array in one setting: the gradient received, and the derivative at some or all of its entries."""

    setting: Setting
    name: str
    received: Floats
    flats: NDArray[np.intp]  # (K,), positions of the compared entries in the flattened array
    columns: Floats  # (K, outputs), ∂output / ∂entry
    expected: Floats  # (K,)
    allowed: Floats  # (K,), the tolerance of each entry
    wrong: NDArray[np.bool_]  # (K,)
    kinks: NDArray[np.bool_]  # (K,)
    method: str
    projections: int

    @property
    def value(self) -> Floats:
        """The array with respect to which the gradient is taken."""
        return self.setting.values[self.name]

    @property
    def complete(self) -> bool:
        """Whether every entry was compared."""
        return len(self.flats) == self.value.size

    @property
    def given(self) -> Floats:
        """The received entries that were compared, (K,)."""
        return np.asarray(self.received.reshape(-1)[self.flats], dtype=np.float64)

    @property
    def error(self) -> float:
        """The largest difference between received and expected."""
        return float(np.max(np.abs(self.given - self.expected)[~self.kinks], initial=0.0))

    @property
    def largest(self) -> float:
        """The largest entry expected."""
        return float(np.max(np.abs(self.expected)[~self.kinks], initial=0.0))

    def by(self, dvalues: Floats) -> Floats:
        """The derivative for another upstream gradient, (K,)."""
        return np.asarray(self.columns @ np.broadcast_to(dvalues, self.setting.output.shape).reshape(-1))
