"""Arrays of a few megabytes with the samples of the next steps, and which of them are a rank's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..distributed.pieces import pieces_of
from ..engines.contract import Task
from ..ranks import Team

__all__ = ["Window", "own_rows"]

_WINDOW_BYTES = 2**24


def own_rows(team: Team, rows: int, batch_size: int) -> Iterator[slice]:
    """Of rows that lie in the order of the steps those that this rank computes, its share of each batch."""
    if team.size == 1:
        yield slice(0, rows)
        return
    for start in range(0, rows, batch_size):
        pieces = pieces_of(min(batch_size, rows - start))
        own = [pieces[i] for i in team.share(len(pieces))]
        if own:
            yield slice(start + own[0].start, start + own[-1].stop)


class Window:
    """Arrays of a task with room for some steps, whose samples lie one after another: its epochs are blocks."""

    def __init__(self, task: Task, batch_size: int, encodes: bool = True) -> None:
        """`task` has one sample at least, whose shapes and dtypes the window takes; unused rows hold its first."""
        width = task.X[:1].nbytes + (task.outputs * task.X.dtype.itemsize if encodes else 0)
        self.steps = max(1, _WINDOW_BYTES // max(width * batch_size, 1))
        room = self.steps * batch_size
        encoded = task.targets(slice(0, 1)) if encodes else None
        self.task = replace(
            task,
            X=_room(task.X, room),
            y=_room(task.y, room),
            weights=None if task.weights is None else _room(task.weights, room),
            metric_weights=None if task.metric_weights is None else _room(task.metric_weights, room),
            encoded=None if encoded is None else _room(encoded, room),
            batch_size=batch_size,
        )

    def put(self, stop: int, y: Any, totals: Any, weights: Any, encoded: Any = None) -> None:
        """What belongs to the inputs in the rows up to `stop`; `totals` is what they count, `weights` in the metric."""
        task, rows = self.task, slice(stop - len(y), stop)
        task.y[rows] = y
        if task.weights is not None:
            task.weights[rows] = totals
        if task.metric_weights is not None:
            task.metric_weights[rows] = weights
        if task.encoded is not None:
            prepare, shape = task.loss.prepare, (len(y), task.outputs)
            given = prepare(y, shape, None, task.X.dtype, weightless=True)[0] if encoded is None else encoded
            task.encoded[rows] = given


def _room(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """So many rows like the first one of an array."""
    return np.repeat(array[:1], rows, axis=0)
