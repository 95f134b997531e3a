"""The rows of a table on disk in batches: read in several places at once, shuffled in a buffer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .shards import RowGroup

__all__ = ["Batched", "Lanes", "Part"]

Part = tuple[NDArray[np.float32], NDArray[Any]]


class Lanes(Protocol):
    """Rows that are read in several places at once."""

    @property
    def lanes(self) -> list[list[RowGroup]]:
        """The row groups of each place."""

    def count(self, pieces: Sequence[RowGroup]) -> int:
        """The number of rows in some row groups."""

    def rounds(self, lanes: Sequence[Sequence[RowGroup]]) -> Iterator[list[Part | None]]:
        """The next rows of each lane, None where it is at its end, until all are."""

    def in_order(self) -> Iterator[Part]:
        """The rows as they lie in the table, some at a time."""


@dataclass(frozen=True)
class Batched:
    """Called with the number of an epoch it gives the epoch's batches; its length is their number.

    `room` is the number of rows that wait to be taken.
    """

    part: Lanes
    batch_size: int
    shuffle: bool
    rows: int
    room: int
    seed: int

    def __len__(self) -> int:
        return (self.rows + self.batch_size - 1) // self.batch_size

    def __call__(self, epoch: int) -> Iterator[Part]:
        """The batches of an epoch.

        Each lane takes its row groups in a random order. In turn the lanes give some rows each to a buffer, and the
        rows of a full buffer are taken in a random order. Both orders follow from the seed and the number of the
        epoch. Where everything fits into the buffer, the order is that of `fit` on the whole.
        """
        part, size = self.part, self.batch_size
        capacity, rng = max(self.room, size), np.random.default_rng([self.seed, epoch])
        if self.rows <= capacity:
            held = self._filled()
            yield from held.batches(size, rng if self.shuffle and size < self.rows else None, last=True)
            return
        filling = _Buffer(capacity)
        for part_of in self._in_turn(rng) if self.shuffle else part.in_order():
            rest = part_of
            while len(rest[0]):
                rest = filling.add(*rest)
                if filling.full:
                    yield from filling.batches(size, rng if self.shuffle else None, last=False)
        yield from filling.batches(size, rng if self.shuffle else None, last=True)

    def _filled(self) -> _Buffer:
        """A buffer with all rows as they lie in the table."""
        lanes, held = self.part.lanes, _Buffer(self.rows)
        at = list(itertools.accumulate(map(self.part.count, lanes), initial=0))  # where the rows of a lane begin
        for found in self.part.rounds(lanes):
            for lane, rows in enumerate(found):
                if rows is not None:
                    held.put(at[lane], *rows)
                    at[lane] += len(rows[0])
        held.rows = self.rows
        return held

    def _in_turn(self, rng: np.random.Generator) -> Iterator[Part]:
        lanes = [[lane[i] for i in rng.permutation(len(lane))] for lane in self.part.lanes]
        for found in self.part.rounds(lanes):
            yield from (rows for rows in found if rows is not None)


class _Buffer:
    """Rows that wait to be taken."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.rows = capacity, 0
        self.X: Any = None
        self.y: Any = None

    @property
    def full(self) -> bool:
        return self.rows == self.capacity

    def add(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Takes in what there is room for; returns the rest."""
        count = min(len(X), self.capacity - self.rows)
        self.put(self.rows, X[:count], y[:count])
        self.rows += count
        return X[count:], y[count:]

    def put(self, at: int, X: NDArray[Any], y: NDArray[Any]) -> None:
        """Rows to a place of theirs."""
        if self.X is None:
            self.X = np.empty((self.capacity, *X.shape[1:]), X.dtype)
            self.y = np.empty((self.capacity, *y.shape[1:]), y.dtype)
        self.X[at : at + len(X)], self.y[at : at + len(X)] = X, y

    def batches(self, size: int, rng: Any, last: bool) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Its rows in batches of one size; what is less than a batch stays, unless these are the last."""
        order = np.arange(self.rows) if rng is None else rng.permutation(self.rows)
        end = self.rows if last else self.rows // size * size
        for start in range(0, end, size):
            rows = order[start : min(start + size, end)]
            yield self.X[rows], self.y[rows]
        rest = order[end:]
        self.X[: len(rest)], self.y[: len(rest)] = self.X[rest], self.y[rest]
        self.rows = len(rest)
