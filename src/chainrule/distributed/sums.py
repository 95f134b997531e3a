"""The sum of every piece's gradients over all ranks, in the order of the tree.

A rank adds what lies under its own nodes. Then each rank receives, of the vector of all gradients, one part from
everybody, adds it up, and hands the result to all. So a vector of N entries costs a rank 2·N·(R-1)/R entries sent where
every rank holds one node, which is what the fastest reductions take; a rank with k nodes sends k times the first half.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..layer import Arrays
from ..ranks import Team
from .pieces import added, nodes_of, share_of

__all__ = ["Scratch", "Sums"]

_LOSS = ""  # the name of the loss among the gradients


class Scratch:
    """Arrays that steps use again: memory that is new costs more than what is copied into it."""

    def __init__(self) -> None:
        self.held: dict[str, NDArray[Any]] = {}

    def array(self, name: str, entries: int, dtype: Any) -> NDArray[Any]:
        """A vector, with whatever stands in it."""
        if name not in self.held or self.held[name].size < entries:
            self.held[name] = np.empty(entries, dtype)
        return self.held[name][:entries]


class Sums:
    """The gradients, by name, of one batch cut into `count` pieces, and its loss.

    With a `room` its arrays are used again by the next batch: whoever keeps a gradient needs a copy.
    """

    def __init__(
        self, team: Team, shapes: Mapping[str, tuple[int, ...]], dtype: Any, count: int, room: Scratch | None = None
    ) -> None:
        self.team, self.dtype, self.count = team, np.dtype(dtype), count
        self.room = Scratch() if room is None else room
        self.shapes = {**shapes, _LOSS: (1,)}
        self.nodes = [nodes_of(share_of(count, rank, team.size), 0, count) for rank in range(team.size)]
        self.own = share_of(count, team.rank, team.size)
        self.parts: dict[str, list[NDArray[Any]]] = {}  # the sums under the rank's own nodes, by name

    def add(self, name: str, gradients: Sequence[NDArray[Any]]) -> None:
        """The gradients of the rank's own pieces, one for each."""
        leaves = {(i, i + 1): g.astype(self.dtype, copy=False) for i, g in zip(self.own, gradients, strict=True)}
        self.parts[name] = [added(leaves, *node) for node in self.nodes[self.team.rank]]

    def add_losses(self, losses: Sequence[Any]) -> None:
        """What each of the rank's own pieces adds to the loss of the batch."""
        self.add(_LOSS, [np.array([loss], self.dtype) for loss in losses])

    def whole(self) -> tuple[float, Arrays]:
        """The loss of the batch, and its gradients by name: the same bits on every rank."""
        if self.team.size == 1:
            gradients = {name: parts[0] for name, parts in self.parts.items()}
        else:
            gradients = self._split(self._exchanged() if self.team.deterministic else self._summed_by_mpi())
        return float(gradients.pop(_LOSS)[0]), gradients

    def _rows(self) -> NDArray[Any]:
        """One row for each of the rank's nodes: everything, side by side, (nodes, N)."""
        nodes = self.nodes[self.team.rank]
        rows = self.room.array("rows", len(nodes) * self._length(), self.dtype).reshape(len(nodes), self._length())
        begin = 0
        for name, shape in self.shapes.items():
            end = begin + math.prod(shape)
            for row, part in zip(rows, self.parts[name], strict=True):
                row[begin:end] = part.reshape(-1)
            begin = end
        return rows

    def _length(self) -> int:
        return sum(map(math.prod, self.shapes.values()))

    def _split(self, vector: NDArray[Any]) -> Arrays:
        named: Arrays = {}
        begin = 0
        for name, shape in self.shapes.items():
            end = begin + math.prod(shape)
            named[name] = vector[begin:end].reshape(shape)
            begin = end
        return named

    def _exchanged(self) -> NDArray[Any]:
        """Everybody's part to the rank that adds it, and the sums back to all."""
        team, rows, length = self.team, self._rows(), self._length()
        edges = [rank * length // team.size for rank in range(team.size + 1)]
        sizes = [edges[rank + 1] - edges[rank] for rank in range(team.size)]
        leaving = rows.reshape(-1)
        if len(rows) > 1:  # by receiver, then by node
            leaving = np.concatenate([rows[:, edges[i] : edges[i + 1]].reshape(-1) for i in range(team.size)])
        mine, nodes = sizes[team.rank], [node for own in self.nodes for node in own]
        arriving = self.room.array("arriving", len(nodes) * mine, self.dtype).reshape(len(nodes), mine)
        team.exchange(leaving, [len(rows) * size for size in sizes], arriving, [len(own) * mine for own in self.nodes])
        total = added(dict(zip(nodes, arriving, strict=True)), 0, self.count)
        return team.joined(total, sizes, self.room.array("whole", length, self.dtype))

    def _summed_by_mpi(self) -> NDArray[Any]:
        """MPI's own sum, in whatever order it is fastest."""
        rows = self._rows()
        return self.team.summed(rows[0] if len(rows) == 1 else rows.sum(axis=0))
