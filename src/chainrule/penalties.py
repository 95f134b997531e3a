"""Penalties on the size of a parameter: pairs of their own, added once to the loss and once to the gradient.

A layer names its penalties, `Dense(64, 128, penalties={"weights": L2(5e-4)})`; its backward pass knows nothing of them.
Several on one parameter are a tuple: `{"weights": (L1(1e-5), L2(5e-4))}`. Penalties do not depend on the batch, so
the mean over samples does not divide them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from .errors import ConfigurationError
from .limits import require_number
from .pair import Pair

__all__ = ["L1", "L2", "Penalty", "as_penalties"]


@dataclass(frozen=True)
class Penalty(Pair):
    """A function of one parameter that is added to the loss; `rate` is its weight λ, at least 0."""

    sources: ClassVar[tuple[str, ...]] = ("parameter",)
    result: ClassVar[str] = "penalty"
    letters: ClassVar[Mapping[str, str]] = {"rate": "lam"}
    rate: float

    def __post_init__(self) -> None:
        require_number(self, "rate", at_least=0)


class L1(Penalty):
    """λ·Σ|w|, whose gradient is λ·sign(w), with sign(0) = 0 (book, chapter 14).

    >>> import numpy as np
    >>> w = np.array([[1.0, -2.0, 0.0]])
    >>> float(L1(0.1).pure_forward(np, w)), L1(0.1).pure_backward(np, 1.0, w)["dparameter"]
    (0.30000000000000004, array([[ 0.1, -0.1,  0. ]]))
    """

    def pure_forward(self, xp, parameter):
        return self.rate * xp.sum(xp.abs(parameter))  # any shape -> ()

    def pure_backward(self, xp, dvalues, parameter):
        return dict(dparameter=dvalues * self.rate * xp.sign(parameter))


class L2(Penalty):
    """λ·Σw², whose gradient is 2λ·w (book, chapter 14; no factor ½).

    >>> import numpy as np
    >>> w = np.array([[1.0, -2.0]])
    >>> float(L2(0.1).pure_forward(np, w)), L2(0.1).pure_backward(np, 1.0, w)["dparameter"]
    (0.5, array([[ 0.2, -0.4]]))
    """

    def pure_forward(self, xp, parameter):
        return self.rate * xp.sum(parameter * parameter)  # any shape -> ()

    def pure_backward(self, xp, dvalues, parameter):
        return dict(dparameter=dvalues * 2 * self.rate * parameter)


def as_penalties(value: Penalty | Iterable[Penalty]) -> tuple[Penalty, ...]:
    """One penalty or several, as a tuple.

    Raises `ConfigurationError` for anything else.

    >>> as_penalties(L2(0.1))
    (L2(rate=0.1),)
    """
    penalties = (value,) if isinstance(value, Penalty) else tuple(value) if isinstance(value, Iterable) else (value,)
    for penalty in penalties:
        if not isinstance(penalty, Penalty):
            raise ConfigurationError(f"A penalty must be L1(rate), L2(rate) or a Penalty of your own, not {penalty!r}.")
    return penalties
