"""What the symptoms of a run are read from, and what is said of one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..columns import Column
from ..forking import cached_property
from ..layer import Layer
from .history import History
from .sampled import Sampled

__all__ = ["Examined", "Remedy"]


class Remedy(NamedTuple):
    """What is wrong, and what to write: in Python, and in the shell."""

    says: str
    python: str
    shell: str = ""


@dataclass(frozen=True)
class Examined:
    """What the symptoms are read from: the history of the run, the network, and some of its data where it was long."""

    history: History
    network: Layer
    data: Sampled | None = None
    rate: float = math.nan
    optimizer: str = ""
    validates: bool = False
    features: Sequence[str] = ()
    columns: Sequence[str] = ()  # of the table, for each input
    classes: Sequence[str] = ()

    @cached_property
    def losses(self) -> NDArray[np.float64]:
        """The loss of each epoch."""
        return self.history.curve("loss")

    @cached_property
    def last(self) -> list[tuple[Column, float]]:
        """What was measured in the last epoch."""
        return [(Column.of(name), value) for name, value in self.history.last.items()]

    def column(self, index: int) -> str:
        """The name of an input."""
        return repr(self.features[index]) if index < len(self.features) else f"column {index} of X"

    def dropping(self, inputs: Sequence[int]) -> tuple[str, str]:
        """How to leave inputs out, in Python and in the shell."""
        what = "Leave it out" if len(inputs) == 1 else "Leave them out"
        if max(inputs) < len(self.columns):
            names = list(dict.fromkeys(self.columns[index] for index in inputs))
            what = "Leave it out" if len(names) == 1 else what
            return f"{what}: drop={names!r}.", f'{what}: --drop "{",".join(names)}".'
        line = f"{what}: X = np.delete(X, {inputs[0] if len(inputs) == 1 else list(inputs)}, axis=1)."
        return line, line

    def named(self, index: int) -> str:
        """The name of a class."""
        return repr(self.classes[index]) if index < len(self.classes) else f"class {index}"

    def rated(self, factor: float) -> tuple[str, str]:
        """How to write another learning rate, in Python and in the shell."""
        if math.isnan(self.rate):
            return "the learning rate", "the learning rate"
        return f"{self.optimizer}(learning_rate={self.rate * factor:.3g})", f"--lr {self.rate * factor:.3g}"
