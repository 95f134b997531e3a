"""Settling: a last few epochs on all samples, those that were held out among them, at a rate that falls to 0."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigurationError
from ..limits import require_number
from .callback import Callback, Fit
from .callbacks import EarlyStopping
from .history import INTERRUPTED, History

__all__ = ["Falling", "Settling", "said_before"]

_LEAST = 3  # epochs


@dataclass
class Settling(Callback):
    """Lets the network settle after its best epoch: `part` as many epochs as led to it, on all samples, while the rate
    falls to 0 along half a cosine.

    It belongs to `validation_split`, beside an `EarlyStopping`: which epoch is best is told by samples held out, and
    then they too are learned. The epochs of `fit` count both. Its numbers of these epochs have no `val_loss`, and other
    callbacks do not see them; a checkpoint goes on from before. Raises `ConfigurationError` for a part that is not
    above 0, and from `fit` where no samples are held out.

    >>> Settling(0.2).epochs(best=50, most=200), Settling(0.2).epochs(best=1, most=200), Settling(0.2).before(240)
    (10, 3, 200)
    """

    part: float = 0.4

    def __post_init__(self) -> None:
        require_number(self, "part", above=0)

    def epochs(self, best: int, most: int) -> int:
        """How many follow where the `best`-th was the best: three at least, `most` at most."""
        return max(0, min(most, max(_LEAST, round(self.part * best))))

    def before(self, epochs: int) -> int:
        """How many of so many epochs may come before.

        >>> Settling(0.25).before(100), Settling().before(1)
        (80, 1)
        """
        return max(1, math.ceil(epochs / (1 + self.part)))

    def after(self, history: History, epochs: int, callbacks: Sequence[Callback]) -> int:
        """How many follow the run of this history, where there are so many in all.

        None where the run was ended by Ctrl-C, or by any other than an `EarlyStopping`.
        """
        over = any(isinstance(each, EarlyStopping) and each.ended for each in callbacks)
        losses = np.array(history["val_loss"] if len(history) else (), np.float64)
        if history.stopped == INTERRUPTED or not (over or history.stopped is None) or not np.isfinite(losses).any():
            return 0
        done, first = history["epoch"][-1], history["epoch"][0] - 1
        best = history["epoch"][int(np.nanargmin(losses))] - first
        return self.epochs(int(best), int(epochs - (done - first)))

    @staticmethod
    def of(callbacks: Any, validation_split: float) -> Settling | None:
        """The one among the callbacks. Raises `ConfigurationError` where no samples are held out for it."""
        found = next((each for each in callbacks if isinstance(each, Settling)), None)
        if found is not None and not validation_split:
            raise ConfigurationError(
                "fit: Settling learns the samples that were held out; write validation_split=0.1, or leave it out."
            )
        return found


@dataclass
class Falling(Callback):
    """Takes the rate down to 0, along half a cosine."""

    def begin(self, fit: Fit) -> None:
        """Keep the rate."""
        self.full = fit.run.rate_scale

    def epoch(self, fit: Fit) -> None:
        """Lower it."""
        done = (fit.run.epoch - fit.first) / fit.epochs
        fit.run.rate_scale = self.full * (1 + math.cos(math.pi * done)) / 2

    def end(self, fit: Fit) -> None:
        """Give it back; what the doctor says was said before."""
        fit.run.rate_scale, fit.history.notes = self.full, []


@contextlib.contextmanager
def said_before(history: History) -> Iterator[None]:
    """While the network settles: keeps what the history says of the run before, why it ended and its notes."""
    stopped, notes = history.stopped, history.notes
    yield
    history.stopped, history.notes = history.stopped or stopped, notes
