"""How a step is cut into pieces: of samples, which go through the network, and of parameters, which are updated.

The pieces follow from the task alone, so that a run has the same bits with one thread or with several.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..contract import Task
from .layout import DEFINES, ENUMS, PART
from .program import Program

__all__ = ["Pieces", "parts_of", "pieces_of", "read_by_rows", "spaced", "tile_of"]

LINE = DEFINES["LINE"]
_WORK_FOR_PIECES = 2**18  # multiplications forward in a step from which on it is worth to be shared
_WORK_OF_PIECE = 2**17  # ... in a piece, at least
_PIECE, _WIDE_PIECE = 32, 64  # samples of a piece, at least; more where weights do not stay in the cache
_CACHED = 2**18  # weights that stay there
_PIECES = 8  # at most
_CACHE_BYTES = 2**19  # what outputs and gradients of a tile of samples may take
_PARTS, _PART = 16, 2**13  # parts of all parameters, about; parameters of one, at least
_FAR = 128  # inputs and neurons from which on the forward pass reads the weights row by row


class Pieces(NamedTuple):
    """Sizes in samples; `whole`: gradients are made when all samples have come through, from all of them."""

    piece: int
    tile: int
    whole: bool
    stride: int

    def count(self, samples: int) -> int:
        """How many a batch has."""
        return -(-samples // self.piece)


def pieces_of(task: Task, program: Program) -> Pieces:
    """The pieces of a task's steps."""
    batch, size = task.batch_size, task.X.dtype.itemsize
    whole_batch = _lines(batch)
    piece = whole_batch
    if program.work * batch >= _WORK_FOR_PIECES and not program.mixes:
        least = min(_PIECE if program.size < _CACHED else _WIDE_PIECE, _lines(-(-batch // 2)))
        most = min(_PIECES, program.work * batch // _WORK_OF_PIECE)
        piece = min(whole_batch, max(least, _lines(-(-batch // most))))
    pieces = -(-batch // piece)
    # Of all samples side by side, outputs and gradients go through the memory; of pieces, their gradients do
    apart, together = 3 * pieces * program.size, 4 * program.rows * batch
    # ... which are made part by part: a copy's would not be there when its owner's is
    whole = pieces > 1 and apart > together and not len(program.ties)
    fits = max(64, _CACHE_BYTES // (2 * program.rows * size) // LINE * LINE)
    tile = piece if program.mixes else min(piece, fits)
    return Pieces(piece, tile, whole, spaced(whole_batch if whole else tile))


def tile_of(program: Program, samples: int, size: int) -> int:
    """The samples that go through the forward pass together, for one thread; all of them where the work is small."""
    if program.work * samples < _WORK_FOR_PIECES:
        return _lines(samples)
    return min(_lines(samples), max(64, _CACHE_BYTES // (program.rows * size) // LINE * LINE))


def read_by_rows(operations: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of the operations are dense layers whose weights are read forward as they lie."""
    dense = operations["kind"] == ENUMS["Kind"]["dense"]
    found: NDArray[np.bool_] = dense & (np.minimum(operations["features"], operations["outputs"]) >= _FAR)
    return found


def parts_of(program: Program, whole: bool) -> NDArray[Any]:
    """The parts of the parameters, a table of `Part`: small layers together, unless their gradients are made there."""
    rows: list[list[int]] = []
    size = max(_PART, program.size // _PARTS)
    for number, op in enumerate(program.operations):
        if not op["trains"]:
            continue
        start, terms, outputs = int(op["parameters"]), int(op["features"]) + 1, int(op["outputs"])
        if op["kind"] != ENUMS["Kind"]["dense"]:
            terms, outputs = 1, 2 * int(op["features"])
        together = not whole
        if together and rows and rows[-1][2] < 0 and rows[-1][1] == start and start - rows[-1][0] < size:
            rows[-1][1] = start + terms * outputs
            continue
        step = -(-terms // -(-terms * outputs // size))
        for first in range(0, terms, step):
            last = min(first + step, terms)
            rows.append([start + first * outputs, start + last * outputs, -1 if together else number, first, last])
    return np.array([tuple(row) for row in rows or [[0, 0, -1, 0, 0]]], PART)


def spaced(count: int) -> int:
    """Entries from one row to the next, as in `c/real.h`: an odd number of cache lines."""
    return (-(-count // 16) | 1) * 16


def _lines(samples: int) -> int:
    return -(-samples // LINE) * LINE
