"""What `fit` and its callbacks know of the model that is trained, beside what every reader of a model knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from ..optimizers import Optimizer
from ..store import ArrayView
from ..trained import Trained
from .history import History
from .modelfile import Contents
from .run import Run

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Learner"]


class Learner(Trained, Protocol):
    """A `Model`, as a callback sees it in `fit.model`."""

    run: Run
    history: History

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer."""

    @property
    def parameters(self) -> ArrayView:
        """The parameters by dotted name."""

    def targets(self, y: Any) -> NDArray[Any]:
        """y as the loss reads it."""

    def names(self) -> tuple[str, ...]:
        """The names of the classes, where there are any."""

    def checked(self, X: Any, y: Any, sample_weights: Any = None) -> tuple[Any, Any]:
        """X and y as arrays."""

    def evaluate(self, X: Any, y: Any = None) -> dict[str, float]:
        """The loss and the metrics on other data."""

    def save(self, path: str | Path) -> None:
        """Write the whole model to a file."""

    def contents(self) -> Contents:
        """What a file of this model holds."""

    def go_on(self, contents: Contents) -> None:
        """Stand where a file of the same architecture says."""
