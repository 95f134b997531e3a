"""Dropout: in training, each entry is zeroed with probability `rate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..layer import Layer
from ..limits import require_number

__all__ = ["Dropout"]


@dataclass(eq=False)
class Dropout(Layer):
    """In training: 0 where the noise is below `rate`, else inputs / (1 - rate); in inference the inputs as they are.

    The division keeps the expected output equal to the input. `noise` is uniform in [0, 1), shape of the inputs; the
    gradient passes where the input passed, divided in the same way. Raises `ConfigurationError` unless 0 <= rate < 1.

    >>> import numpy as np
    >>> layer, noise = Dropout(0.5), np.array([[0.9, 0.1]])
    >>> layer.pure_forward(np, np.array([[3.0, 4.0]]), noise, True)
    array([[6., 0.]])
    >>> layer.pure_backward(np, np.array([[1.0, 1.0]]), noise, True)
    {'dinputs': array([[2., 0.]])}

    Source: Srivastava et al. 2014; book, chapter 15 (whose `rate` argument has the same meaning).
    """

    gives = "inputs"
    letters: ClassVar[Mapping[str, str]] = {"rate": "q"}

    rate: float

    def __post_init__(self) -> None:
        require_number(self, "rate", at_least=0, below=1)

    def output_kind(self, kind: Any) -> str | None:
        """The inputs' kind; probabilities are none any more where some are zeroed."""
        return kind if kind in (None, "scores") or not self.rate else "altered probabilities"

    def pure_forward(self, xp, inputs, noise, training):
        if not training:
            return inputs  # ...
        return xp.where(noise >= self.rate, inputs / (1 - self.rate), 0)  # ... -> ...

    def pure_backward(self, xp, dvalues, noise, training):  # output = mask * inputs / (1 - rate)
        if not training:
            return dict(dinputs=dvalues)  # ...
        return dict(dinputs=xp.where(noise >= self.rate, dvalues / (1 - self.rate), 0))  # ...
