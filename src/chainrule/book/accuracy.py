"""The book's accuracies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from .totals import Totals

__all__ = [
    "Accuracy",
    "Accuracy_Categorical",
    "Accuracy_Regression",
]


class Accuracy(Totals):
    """Base of the accuracies: the fraction of right predictions, and running totals for an epoch."""

    def __init__(self) -> None:
        self.new_pass()

    def init(self, y: NDArray[Any], reinit: bool = False) -> None:
        """Prepare for the targets; does nothing unless overridden."""

    def compare(self, predictions: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        """Whether each prediction counts as right."""
        raise NotImplementedError

    def calculate(self, predictions: NDArray[Any], y: NDArray[Any]) -> Any:
        """The fraction of right predictions. Raises `ShapeError` where predictions and targets do not match."""
        comparisons = np.asarray(self.compare(predictions, y))
        self.accumulated_sum += np.sum(comparisons)
        self.accumulated_count += comparisons.size  # not len: of several answers for a sample each counts
        return np.mean(comparisons)

    def calculate_accumulated(self) -> Any:
        """The fraction of right predictions since `new_pass`."""
        return self.accumulated_sum / self.accumulated_count


class Accuracy_Categorical(Accuracy):
    """For classes: a prediction is right if it equals the target. `binary=True` for outputs of 0 and 1.

    Predictions are class indices (B,), or with `binary` answers (B, O); targets the same, or one-hot rows (B, C).
    NumPy would compare (B, O) with (B,) too, each with each, and call the result an accuracy; here it is an error.

    >>> from chainrule.book import *
    >>> float(Accuracy_Categorical().calculate(np.array([0, 1]), np.array([0, 2])))
    0.5
    """

    def __init__(self, *, binary: bool = False) -> None:
        super().__init__()
        self.binary = binary

    def compare(self, predictions: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        """Equality; one-hot targets are turned into class indices."""
        predictions, y = np.asarray(predictions), np.asarray(y)
        if predictions.ndim == 1 and y.ndim == 2 and y.shape[1] > 1:
            y = np.argmax(y, axis=1)  # (B,C) -> (B,)
        return np.asarray(predictions == _matching(self, predictions, y))


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
        predictions = np.asarray(predictions)
        return np.asarray(np.absolute(predictions - _matching(self, predictions, np.asarray(y))) < self.precision)


def _matching(accuracy: Accuracy, predictions: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """The targets in the shape of the predictions, as the losses take them: (B,) and (B, 1) say the same."""
    column = {predictions.shape, y.shape} == {(len(predictions),), (len(predictions), 1)} if y.ndim else False
    if predictions.shape != y.shape and not column:
        raise ShapeError(
            f"{type(accuracy).__name__}: the predictions have shape {predictions.shape} and the targets {y.shape}; "
            "give y one row for each sample, in the shape of the predictions."
        )
    return y.reshape(predictions.shape)
