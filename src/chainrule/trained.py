"""What is known of a model wherever it is drawn or trained. `Model` is the one class that is meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from .graph import Graph
from .loss import Loss

__all__ = ["Trained"]


class Trained(Protocol):
    """A `Model` that answers; `training.learner.Learner` is the same while it learns."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes."""

    @property
    def network(self) -> Graph:
        """The network."""

    @property
    def loss(self) -> Loss:
        """The loss."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The parameters by dotted name."""

    @property
    def state(self) -> Mapping[str, Any]:
        """The state by dotted name."""

    def inputs(self, X: Any) -> NDArray[Any]:
        """X as the network's input."""

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each sample, (B,), or its values, (B, O)."""

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """The probability of each class, (B, C), or of "yes", (B, 1)."""
