"""The sum of every piece's gradients over all ranks, in the order of the tree.

A rank adds what lies under its own nodes. Then each rank receives, of the vector of all gradients, one part from
everybody, adds it up, and hands the result to all. So a vector of N entries costs a rank 2·N·(R-1)/R entries sent where
every rank holds one node, which is what the fastest reductions take; a rank with k nodes sends k times the first half.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engines.quick import QuickNumpy
from ..layer import Arrays
from ..ranks import Team
from .pieces import Node, added, nodes_of, share_of

__all__ = ["Product", "Scratch", "Sums", "products_later"]

_LOSS = ""  # the name of the loss among the gradients
_ENTRIES = 2**17  # of a gradient are added before the next: what stays in the second cache


class Product(NamedTuple):
    """A gradient that is a product (I,b)(b,N) -> (I,N), computed when it is added, some rows at a time."""

    left: NDArray[Any]
    right: NDArray[Any]

    def __getitem__(self, rows: Any) -> NDArray[Any]:  # type: ignore[override]
        product: NDArray[Any] = np.matmul(self.left[rows], self.right)
        return product


def products_later() -> QuickNumpy:
    """NumPy whose products with a turned first factor, inputs.T, are left for `Sums` to compute."""
    xp = QuickNumpy()

    def matmul(left: NDArray[Any], right: NDArray[Any]) -> Any:
        turned = left.flags.f_contiguous and not left.flags.c_contiguous
        return Product(left, right) if turned else np.matmul(left, right)

    vars(xp)["matmul"] = matmul
    return xp


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
        own, self.length = self.nodes[team.rank], sum(map(math.prod, self.shapes.values()))
        # One row for each of the rank's nodes: everything, side by side, (nodes, N)
        self.rows = self.room.array("rows", len(own) * self.length, self.dtype).reshape(len(own), self.length)
        self.places = _places(self.shapes)

    def add(self, name: str, gradients: Sequence[NDArray[Any] | Product]) -> None:
        """The gradients of the rank's own pieces, one for each."""
        shape = self.shapes[name]
        for block in _blocks(shape):
            leaves = _Leaves(self.own.start, gradients, block, self.dtype)
            for row, node in zip(self.rows, self.nodes[self.team.rank], strict=True):
                added(leaves, *node, row[self.places[name]].reshape(shape)[block])

    def add_losses(self, losses: Sequence[Any]) -> None:
        """What each of the rank's own pieces adds to the loss of the batch."""
        self.add(_LOSS, [np.array([loss], self.dtype) for loss in losses])

    def whole(self) -> tuple[float, Arrays]:
        """The loss of the batch, and its gradients by name: the same bits on every rank."""
        if self.team.size == 1:
            vector = self.rows[0]
        else:
            vector = self._exchanged() if self.team.deterministic else self._summed_by_mpi()
        gradients = {name: vector[self.places[name]].reshape(shape) for name, shape in self.shapes.items()}
        return float(gradients.pop(_LOSS)[0]), gradients

    def _exchanged(self) -> NDArray[Any]:
        """Everybody's part to the rank that adds it, and the sums back to all."""
        team, rows = self.team, self.rows
        edges = [rank * self.length // team.size for rank in range(team.size + 1)]
        parts = [rows[:, begin:end] for begin, end in itertools.pairwise(edges)]  # of each rank (nodes, mine)
        mine = parts[team.rank].shape[1]
        room = self.room.array("arriving", sum(map(len, self.nodes)) * mine, self.dtype)
        arriving, begin = [], 0
        for nodes in self.nodes:
            arriving.append(room[begin : begin + len(nodes) * mine].reshape(len(nodes), mine))
            begin += len(nodes) * mine
        arriving[team.rank] = parts[team.rank]
        team.exchange(parts, arriving)
        whole = self.room.array("whole", self.length, self.dtype)
        found = {
            node: part
            for own, got in zip(self.nodes, arriving, strict=True)
            for node, part in zip(own, got, strict=True)
        }
        added(found, 0, self.count, whole[edges[team.rank] : edges[team.rank + 1]])
        team.spread([whole[begin:end] for begin, end in itertools.pairwise(edges)])
        return whole

    def _summed_by_mpi(self) -> NDArray[Any]:
        """MPI's own sum, in whatever order it is fastest."""
        return self.team.summed(self.rows[0] if len(self.rows) == 1 else self.rows.sum(axis=0))


def _places(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, slice]:
    """Where each array lies in a vector of all of them."""
    ends = list(itertools.accumulate(map(math.prod, shapes.values())))
    return {name: slice(end - math.prod(shapes[name]), end) for name, end in zip(shapes, ends, strict=True)}


def _blocks(shape: tuple[int, ...]) -> list[Any]:
    """The rows of an array that are added together."""
    rows = max(16, _ENTRIES // max(1, math.prod(shape[1:])) // 16 * 16)
    return [slice(i, i + rows) for i in range(0, shape[0], rows)] if shape and shape[0] > rows else [...]


class _Leaves(Mapping[Node, NDArray[Any]]):
    """The same rows of every piece's gradient, each computed when it is asked for."""

    def __init__(self, first: int, gradients: Sequence[NDArray[Any] | Product], block: Any, dtype: Any) -> None:
        self.first, self.gradients, self.block, self.dtype = first, gradients, block, dtype

    def __contains__(self, node: object) -> bool:
        return isinstance(node, tuple) and node[1] - node[0] == 1

    def __getitem__(self, node: Node) -> NDArray[Any]:
        return self.gradients[node[0] - self.first][self.block].astype(self.dtype, copy=False)

    def __iter__(self) -> Iterator[Node]:
        return ((i, i + 1) for i in range(self.first, self.first + len(self)))

    def __len__(self) -> int:
        return len(self.gradients)
