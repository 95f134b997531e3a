"""What the epochs that a block touches came to in it: the numbers of a record, counted where the steps are carried out.

A block may begin or end within an epoch. So everything is a sum, a flag or what stood last, and the next block goes on
from the row of an epoch that has begun: the numbers are the same to the last bit however a run is cut into blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Records"]


class Records(NamedTuple):
    """One row for each epoch that a block touches (E of them), in order.

    T counts the trainable parameters, in the order of `network.trainable_names()`; U the units of all ReLUs, one ReLU
    after another in the order of `relu_units`.

    >>> begun = Records.empty(1, 1, 2)
    >>> begun.steps[0], begun.data_losses[0], begun.counts[0] = 2, 8, 6
    >>> begun.losses(mean=True)                                                                             # 8/6
    array([1.33333333])
    >>> Records.empty(2, 1, 2, begun).counts                                  # the block goes on where it had begun
    array([6., 0.])
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
    def empty(cls, epochs: int, trainable: int, units: int, begun: Records | None = None) -> Records:
        """Before the first step: zeros, and what the first epoch came to so far where it has `begun`."""
        losses, counts, penalties, found, weights = np.zeros((5, epochs))
        squares, alive = np.zeros((epochs, trainable)), np.zeros((epochs, units), bool)
        records = cls(np.zeros(epochs, np.int64), losses, counts, penalties, found, weights, squares, alive)
        if begun is not None:
            for column, row in zip(records, begun, strict=True):
                column[:1] = row
        return records

    def losses(self, mean: bool) -> NDArray[np.float64]:
        """The loss of each epoch (E,): the mean over its samples (or the sum) of the data loss, plus the mean penalty.

        NaN where no sample counts.
        """
        data_losses = _over(self.data_losses, self.counts) if mean else self.data_losses
        return data_losses + self.penalties / self.steps

    def metric(self) -> NDArray[np.float64]:
        """The metric of each epoch over all its samples (E,); NaN where none counts."""
        return _over(self.metrics, self.weights)

    def less(self, before: Records) -> Records:
        """What came since, of one epoch."""
        since = [ours - theirs for ours, theirs in zip(self[:-2], before[:-2], strict=True)]
        return Records(*since, self.squares, self.alive)  # type: ignore[arg-type, call-arg]

    def last(self) -> Records:
        """The last epoch alone."""
        return Records(*[column[-1:] for column in self])  # type: ignore[arg-type]


def _over(total: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    if np.count_nonzero(count) == len(count):
        return np.asarray(total / count)
    ratio: NDArray[np.float64] = np.divide(total, count, out=np.full(len(total), np.nan), where=count != 0)
    return ratio
