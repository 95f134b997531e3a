"""The optimizer's update on flat vectors: one call for small parameters that share a rule, its settings and its rate.

Every rule of the library works entry by entry, so that it gives the same bits for arrays one by one and for one vector
of all of them. An optimizer of one's own may compare entries: it is not covered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backprop import Pass
from ..layer import Arrays
from ..optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from .contract import Task

__all__ = ["FlatUpdate", "covers"]

_ENTRIES = 2**14  # parameters are joined up to this size; beyond, joining gradients costs more than a call
_LIBRARY = (SGD, Adagrad, RMSprop, Adam, AdamW)


def covers(task: Task, values: Arrays, slots: Arrays) -> bool:
    """Whether the optimizer is one of the library's and all arrays have the dtype of the data."""
    arrays = (*values.values(), *slots.values())
    return type(task.optimizer) in _LIBRARY and all(array.dtype == task.X.dtype for array in arrays)


class Piece(NamedTuple):
    """Parameters that one call updates."""

    member: Optimizer
    column: int  # of the rates
    slots: tuple[str, ...]
    places: dict[str, tuple[slice, tuple[int, ...]]]  # in the vector, and the shape, by name

    def join(self, arrays: Arrays, suffix: str = "") -> NDArray[Any]:
        """The arrays of these parameters as one vector."""
        parts = [arrays[name + suffix].reshape(-1) for name in self.places]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def split(self, vector: NDArray[Any], suffix: str = "") -> Arrays:
        """Views of the vector, by name."""
        return {name + suffix: vector[place].reshape(shape) for name, (place, shape) in self.places.items()}


def pieces_of(optimizer: Optimizer, shapes: dict[str, tuple[int, ...]]) -> list[Piece]:
    """Trainable parameters, given by name and shape, in as few pieces as there are settings, and the large ones."""
    pieces: list[Piece] = []
    open_pieces: list[tuple[Piece, int]] = []
    for column, (name, shape) in enumerate(shapes.items()):
        member, size = optimizer.member(name), int(np.prod(shape))
        found = next((i for i, (p, end) in enumerate(open_pieces) if p.member == member and end + size <= _ENTRIES), -1)
        piece, begin = open_pieces[found] if found >= 0 else (Piece(member, column, member.carried(), {}), 0)
        piece.places[name] = slice(begin, begin + size), shape
        if found >= 0:
            open_pieces[found] = piece, begin + size
        else:
            pieces.append(piece)
            open_pieces.append((piece, size))
    return pieces


class FlatUpdate:
    """The parameters that are trained, and their slots, as a few vectors. No vector is changed once it is there."""

    def __init__(self, task: Task, values: Arrays, slots: Arrays) -> None:
        self.optimizer, self.loaded = task.optimizer, slots
        self.limits = self.optimizer.clip_norm is not None or self.optimizer.clip_value is not None
        self.names = task.network.trainable_names()
        self.pieces = pieces_of(self.optimizer, {name: values[name].shape for name in self.names})
        self.vectors = [
            (piece.join(values), [piece.join(slots, f".{slot}") for slot in piece.slots]) for piece in self.pieces
        ]

    def fits(self, values: Arrays, gradients: Arrays) -> bool:
        """Whether each parameter has a gradient of its own shape and dtype."""
        found = [(gradients.get(name), values[name]) for name in self.names]
        return all(g is not None and g.shape == value.shape and g.dtype == value.dtype for g, value in found)

    def updated(self, xp: Any, step: int, result: Pass, rates: Sequence[float]) -> list[Any]:
        """The next parameters and slots: what `vectors` is to be."""
        gradients = {name: result.gradients[name] for name in self.names}
        if self.limits:
            gradients = self.optimizer.clipped(xp, gradients)
        vectors = []
        for piece, (parameter, slots) in zip(self.pieces, self.vectors, strict=True):
            rate, member = rates[piece.column], piece.member
            decayed = member._decayed(rate, parameter, piece.join(gradients))
            following, moved = member.pure_update(xp, step, rate, *decayed, *slots)
            vectors.append((following, [moved[slot] for slot in piece.slots]))
        return vectors

    def parameters(self) -> Arrays:
        """The parameters by name."""
        named: Arrays = {}
        for piece, (parameter, _) in zip(self.pieces, self.vectors, strict=True):
            named |= piece.split(parameter)
        return named

    def slots(self) -> Arrays:
        """The slots by name."""
        named = dict(self.loaded)
        for piece, (_, slots) in zip(self.pieces, self.vectors, strict=True):
            for name, vector in zip(piece.slots, slots, strict=True):
                named |= piece.split(vector, f".{name}")
        return named
