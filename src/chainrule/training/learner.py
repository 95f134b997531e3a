"""What `fit` and its callbacks know of the model that is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ..graph import Graph
from ..optimizers import Optimizer
from ..store import ArrayView
from .history import History
from .modelfile import Contents
from .run import Run

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Learner"]


class Learner(Protocol):
    """A `Model`, as a callback sees it in `fit.model`."""

    run: Run
    history: History

    @property
    def network(self) -> Graph:
        """The network."""

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer."""

    @property
    def parameters(self) -> ArrayView:
        """The parameters by dotted name."""

    def checked(self, X: Any, y: Any, sample_weights: Any = None) -> tuple[Any, Any]:
        """X and y as arrays."""

    def evaluate(self, X: Any, y: Any) -> dict[str, float]:
        """The loss and the metrics on other data."""

    def predict(self, X: Any) -> Any:
        """The class of each sample, or its values."""

    def predict_proba(self, X: Any) -> Any:
        """The probability of each class."""

    def save(self, path: str | Path) -> None:
        """Write the whole model to a file."""

    def contents(self) -> Contents:
        """What a file of this model holds."""

    def go_on(self, contents: Contents) -> None:
        """Stand where a file of the same architecture says."""
