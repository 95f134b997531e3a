"""The book's accuracies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Accuracy",
    "Accuracy_Categorical",
    "Accuracy_Regression",
]


class Accuracy:
    """Base of the accuracies: the fraction of right predictions, and running totals for an epoch."""

    def __init__(self) -> None:
        self.new_pass()

    def init(self, y: NDArray[Any], reinit: bool = False) -> None:
        """Prepare for the targets; does nothing unless overridden."""

    def compare(self, predictions: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        """Whether each prediction counts as right."""
        raise NotImplementedError

    def calculate(self, predictions: NDArray[Any], y: NDArray[Any]) -> Any:
        """The fraction of right predictions."""
        comparisons = self.compare(predictions, y)
        self.accumulated_sum += np.sum(comparisons)
        self.accumulated_count += len(comparisons)
        return np.mean(comparisons)

    def calculate_accumulated(self) -> Any:
        """The fraction of right predictions since `new_pass`."""
        return self.accumulated_sum / self.accumulated_count

    def new_pass(self) -> None:
        """Reset the totals."""
        self.accumulated_sum: Any = 0
        self.accumulated_count = 0


class Accuracy_Categorical(Accuracy):
    """For classes: a prediction is right if it equals the target. `binary=True` for outputs of 0 and 1.

    >>> from chainrule.book import *
    >>> float(Accuracy_Categorical().calculate(np.array([0, 1]), np.array([0, 2])))
    0.5
    """

    def __init__(self, *, binary: bool = False) -> None:
        super().__init__()
        self.binary = binary

    def compare(self, predictions: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        """Equality; one-hot targets are turned into class indices."""
        if not self.binary and y.ndim == 2:
            y = np.argmax(y, axis=1)
        return np.asarray(predictions == y)


class Accuracy_Regression(Accuracy):
    """For values: a prediction is right if it is within std(y) / 250 of the target.

    >>> from chainrule.book import *
    >>> accuracy = Accuracy_Regression()
    >>> accuracy.init(np.array([[0.0], [500.0]]))               # std(y) / 250 = 1
    >>> float(accuracy.calculate(np.array([[0.5], [498.0]]), np.array([[0.0], [500.0]])))
    0.5
    """

    def __init__(self) -> None:
        super().__init__()
        self.precision: Any = None

    def init(self, y: NDArray[Any], reinit: bool = False) -> None:
        """Set the precision from the standard deviation of the targets, once, or again with `reinit`."""
        if self.precision is None or reinit:
            self.precision = np.std(y) / 250

    def compare(self, predictions: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        """Whether each prediction is close enough."""
        return np.asarray(np.absolute(predictions - y) < self.precision)
