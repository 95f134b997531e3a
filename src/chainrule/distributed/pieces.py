"""How a batch is cut: into pieces that follow from its size alone, and a tree that says in which order they are added.

Piece i is a leaf of the tree. A node covers pieces `first` to `last - 1`; its left part holds the largest power of two
of them that leaves something for the right. A sum of floating-point numbers depends on its order, so a rank may only
add what lies under one node: with the tree fixed, it does not matter who adds where.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ranks import share_of

__all__ = ["Node", "added", "nodes_of", "pieces_of", "share_of"]

_ROWS = 128  # samples of a piece, in batches that have more pieces than the fewest
_FEWEST, _MOST = 4, 256

Node = tuple[int, int]  # the first piece under it, and the one after the last


def pieces_of(samples: int) -> list[slice]:
    """The rows of each piece of a batch: 4 pieces, more from 513 samples on, 256 at most, and none empty.

    >>> pieces_of(8)[:2], len(pieces_of(3)), len(pieces_of(2048))
    ([slice(0, 2, None), slice(2, 4, None)], 3, 16)
    """
    count = min(samples, max(_FEWEST, min(_MOST, -(-samples // _ROWS))))
    edges = [i * samples // count for i in range(count + 1)]
    return [slice(edges[i], edges[i + 1]) for i in range(count)]


def _middle(first: int, last: int) -> int:
    return first + (1 << ((last - first - 1).bit_length() - 1))


def nodes_of(own: range, first: int, last: int) -> list[Node]:
    """The fewest nodes that cover a rank's pieces, from left to right: what it adds by itself.

    >>> nodes_of(range(2, 5), 0, 8)                                    # 2 + 3 meet at once, 4 waits for 5
    [(2, 4), (4, 5)]
    """
    if own.stop <= first or last <= own.start:
        return []
    if own.start <= first and last <= own.stop:
        return [(first, last)]
    middle = _middle(first, last)
    return nodes_of(own, first, middle) + nodes_of(own, middle, last)


def added(parts: Mapping[Node, NDArray[Any]], first: int, last: int, into: NDArray[Any] | None = None) -> NDArray[Any]:
    """The sum under a node, of the sums under some nodes below it, in the array given or one that may be a part.

    The parts stay as they are.

    >>> x = np.array([1.0])
    >>> added({(0, 2): x, (2, 3): 2 * x}, 0, 3)
    array([3.])
    """
    if (first, last) in parts:
        found = parts[first, last]
        if into is None:
            return found
        into[...] = found
        return into
    middle = _middle(first, last)
    left, right = added(parts, first, middle), added(parts, middle, last)
    if into is None and (first, middle) not in parts:
        into = left  # what was made here may be overwritten
    total: NDArray[Any] = np.add(left, right, out=into)
    return total
