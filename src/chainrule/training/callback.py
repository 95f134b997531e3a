"""What a callback is: asked between epochs, or steps, it sees the live `Fit` and may change the run or end it.

A callback that must go on where it was after a resume returns its numbers from `state` and takes them in `restore`.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..columns import Column
from ..errors import ConfigurationError, UnknownNameError
from ..layer import Arrays
from .history import History
from .learner import Learner
from .run import Run

__all__ = ["Callback", "Fit", "as_callbacks", "of_batches"]


@dataclass
class Fit:
    """One call of `fit` as callbacks see it: the model, with its run and its history, and where this call began."""

    model: Learner
    epochs: int
    first: int = 0  # the model's epoch at the beginning
    marked: int = 0  # the step that a checkpoint would go on from
    validates: bool = False  # whether validation data are measured
    own: History | None = None  # of this call alone, once it is over and nobody can change it
    batch: dict[str, float] = field(default_factory=dict)  # what the last step came to, for `Callback.batch_end`

    @property
    def run(self) -> Run:
        """The run as it stands."""
        return self.model.run

    @property
    def history(self) -> History:
        """Every epoch so far, the newest last."""
        return self.model.history

    @property
    def record(self) -> MutableMapping[str, float]:
        """What was measured last; a callback may add numbers of its own."""
        return self.history.last

    def stop(self, reason: str) -> None:
        """End the run after this epoch, or from `batch_end` after this step; `history.stopped` says why."""
        self.history.stopped = self.history.stopped or reason

    def watched(self, name: str, callback: object) -> float:
        """A number of the last epoch. Raises `UnknownNameError` where it is not measured."""
        if name not in self.record:
            held_out = Column.of(name).validation
            hint = "; give fit() validation_data to measure val_ numbers" if held_out else ""
            raise UnknownNameError(f"number to monitor for {type(callback).__name__}{hint},", name, self.record)
        return self.record[name]


class Callback:
    """Does nothing; override what you need."""

    handles_non_finite = False  # whether a loss that is not finite ends the run without an error

    def begin(self, fit: Fit) -> None:
        """Before the first epoch."""

    def epoch(self, fit: Fit) -> None:
        """After every epoch that is recorded. With a callback every such epoch ends a block of compiled steps: it costs
        about a tenth of a millisecond and what the callback does."""

    def batch_begin(self, fit: Fit) -> None:
        """Before every step. Where a callback has this or `batch_end`, a block is one step long: a step costs some
        tenths of a millisecond more, while a small one takes a few thousandths in a long block."""

    def batch_end(self, fit: Fit) -> None:
        """After every step, which `fit.batch` measures: step, loss, metric and learning rate. `fit.stop` ends the run
        there, in the middle of an epoch."""

    def end(self, fit: Fit) -> None:
        """After the last epoch, also after Ctrl-C and after an error."""

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """Plain numbers, and arrays by name, that a resumed run needs."""
        return {}, {}

    def restore(self, numbers: Mapping[str, Any], arrays: Arrays) -> None:
        """Take back what `state` returned."""


def as_callbacks(callbacks: Sequence[Callback]) -> tuple[Callback, ...]:
    """The callbacks as a tuple. Raises `ConfigurationError` for one alone, and for what is no callback."""
    # tuple and list first: to find them among all sequences takes longer than many a step
    if isinstance(callbacks, Callback) or not isinstance(callbacks, tuple | list | Sequence):
        raise ConfigurationError(f"fit: callbacks must be a list of callbacks; write callbacks=[{callbacks!r}].")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            from .ratefinder import LearningRateFinder

            hint = "; call finder.find(model, X, y) before fit()" if isinstance(callback, LearningRateFinder) else ""
            raise ConfigurationError(f"fit: callbacks must be a list of callbacks, and {callback!r} is none{hint}.")
    return tuple(callbacks)


def of_batches(callbacks: Sequence[Callback]) -> tuple[Callback, ...]:
    """Those that want to know of every step."""
    plain = Callback.batch_begin, Callback.batch_end
    return tuple(each for each in callbacks if (type(each).batch_begin, type(each).batch_end) != plain)
