"""What the epochs that a block touches came to in it: the numbers of a record, counted where the steps are carried out.

A block may begin or end within an epoch. So everything is a sum, a flag or what stood last, and the rows of one epoch
from several blocks are put together by `Records.joined`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Records"]


class Records(NamedTuple):
    """One row for each epoch that a block touches (E of them), in order.

    T counts the trainable parameters, in the order of `network.trainable_names()`; U the units of all ReLUs, one ReLU
    after another in the order of `relu_units`.

    >>> sums = lambda *rows: np.array(rows, float)
    >>> half = Records(np.array([1]), sums(6), sums(3), sums(0), sums(2), sums(3), sums([4]), np.array([[True, False]]))
    >>> whole = half.joined(half._replace(data_losses=sums(2), squares=sums([9])))
    >>> whole.losses(mean=True), whole.metric()                                   # (6 + 2) / (3 + 3), (2 + 2) / (3 + 3)
    (array([1.33333333]), array([0.66666667]))
    >>> whole.squares, whole.alive
    (array([[9.]]), array([[ True, False]]))
    """

    steps: NDArray[np.int64]  # (E,), how many
    data_losses: NDArray[np.float64]  # (E,), Σ over steps of count · loss; with reduction="sum" Σ loss
    counts: NDArray[np.float64]  # (E,), Σ over steps of what their samples count: B, or Σ of the weights
    penalties: NDArray[np.float64]  # (E,), Σ over steps
    metrics: NDArray[np.float64]  # (E,), Σ over samples of weight · (1 if right, else 0), or of weight · mean |y - p|
    weights: NDArray[np.float64]  # (E,), Σ over samples of weight: the user's sample weights, 1 without any
    squares: NDArray[np.float64]  # (E, T), Σg² of each gradient, penalties included, in the last step
    alive: NDArray[np.bool_]  # (E, U), whether a unit's output was above 0 for any sample that the steps met

    @classmethod
    def empty(cls, epochs: int, trainable: int, units: int) -> Records:
        """Before the first step: zeros."""
        losses, counts, penalties, found, weights = np.zeros((5, epochs))
        squares, alive = np.zeros((epochs, trainable)), np.zeros((epochs, units), bool)
        return cls(np.zeros(epochs, np.int64), losses, counts, penalties, found, weights, squares, alive)

    def losses(self, mean: bool) -> NDArray[np.float64]:
        """The loss of each epoch (E,): the mean over its samples (or the sum) of the data loss, plus the mean penalty.

        NaN where no sample counts.
        """
        data_losses = _over(self.data_losses, self.counts) if mean else self.data_losses
        return data_losses + self.penalties / self.steps

    def metric(self) -> NDArray[np.float64]:
        """The metric of each epoch over all its samples (E,); NaN where none counts."""
        return _over(self.metrics, self.weights)

    def last(self) -> Records:
        """The last epoch alone."""
        return Records(*[column[-1:] for column in self])  # type: ignore[arg-type]

    def joined(self, later: Records) -> Records:
        """The rows of this block and of the one after it, whose first epoch is the last one of this."""
        parts: dict[str, Any] = {}
        for name in self._fields:
            ours, theirs = getattr(self, name), getattr(later, name)
            meeting = theirs[:1] if name == "squares" else ours[-1:] | theirs[:1] if name == "alive" else None
            meeting = ours[-1:] + theirs[:1] if meeting is None else meeting
            parts[name] = np.concatenate([ours[:-1], meeting, theirs[1:]])
        return Records(**parts)


def _over(total: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.divide(total, count, out=np.full(len(total), np.nan), where=count != 0)
    return ratio
