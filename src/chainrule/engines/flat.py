"""The optimizer's update on flat vectors: one call for small parameters that share a rule, its settings and its rate.

Every rule of the library works entry by entry, so that it gives the same bits for arrays one by one and for one vector
of all of them. An optimizer of one's own may compare entries: it is not covered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backprop import Pass
from ..layer import Arrays
from ..optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from .contract import Task

__all__ = ["LIBRARY", "FlatUpdate", "Rule", "as_written", "covers"]

_ENTRIES = 2**14  # parameters are joined up to this size; beyond it, joining their gradients costs more than a call
LIBRARY = (SGD, Adagrad, RMSprop, Adam, AdamW)

Vectors = tuple[NDArray[Any], list[NDArray[Any]]]  # parameters, and each slot
Rule = Callable[..., tuple[NDArray[Any], Arrays]]  # an optimizer, and what its `pure_update` takes


def as_written(member: Optimizer, *given: Any) -> tuple[NDArray[Any], Arrays]:
    """The step of an optimizer, by its own `pure_update`."""
    found: tuple[NDArray[Any], Arrays] = member.pure_update(*given)
    return found


def covers(task: Task, values: Arrays, slots: Arrays, result: Pass) -> bool:
    """Whether the optimizer is one of the library's, and each gradient and slot like its parameter."""
    if type(task.optimizer) not in LIBRARY:
        return False
    for name in task.network.trainable_names():
        own = [f"{name}.{slot}" for slot in task.optimizer.member(name).carried()]
        others, value = [result.gradients[name], *(slots[slot] for slot in own)], values[name]
        if any(each.shape != value.shape or each.dtype != task.X.dtype for each in (value, *others)):
            return False
    return True


class Piece(NamedTuple):
    """Parameters that one call updates."""

    member: Optimizer
    column: int  # of the rates
    slots: tuple[str, ...]
    places: dict[str, tuple[slice, tuple[int, ...]]]  # in the vector, and the shape, by name

    def join(self, arrays: Mapping[str, Any], suffix: str = "") -> NDArray[Any]:
        """The arrays of these parameters as one vector."""
        parts = [arrays[name + suffix].reshape(-1) for name in self.places]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def split(self, vector: NDArray[Any], suffix: str = "") -> Arrays:
        """Views of the vector, by name."""
        return {name + suffix: vector[place].reshape(shape) for name, (place, shape) in self.places.items()}


def pieces_of(optimizer: Optimizer, shapes: Mapping[str, tuple[int, ...]]) -> list[Piece]:
    """Trainable parameters, given by name and shape, in a piece for each setting; a full one is followed by another."""
    pieces: list[Piece] = []
    sizes: list[int] = []
    for column, (name, shape) in enumerate(shapes.items()):
        member, size = optimizer.member(name), int(np.prod(shape))
        fitting = (i for i, piece in enumerate(pieces) if piece.member == member and sizes[i] + size <= _ENTRIES)
        index = next(fitting, len(pieces))
        if index == len(pieces):
            pieces.append(Piece(member, column, member.carried(), {}))
            sizes.append(0)
        pieces[index].places[name] = slice(sizes[index], sizes[index] + size), shape
        sizes[index] += size
    return pieces


class FlatUpdate:
    """The parameters that are trained, and their slots, as a few vectors. No vector is changed once it is there."""

    def __init__(self, task: Task, values: Arrays, slots: Arrays, rule: Rule) -> None:
        """`rule` carries out the step of an optimizer of the library, as that writes it or in another way."""
        self.rule = rule
        self.optimizer, self.names = task.optimizer, task.network.trainable_names()
        self.limits = self.optimizer.clip_norm is not None or self.optimizer.clip_value is not None
        self.pieces = pieces_of(self.optimizer, {name: values[name].shape for name in self.names})
        self.vectors: list[Vectors] = [
            (piece.join(values), [piece.join(slots, f".{slot}") for slot in piece.slots]) for piece in self.pieces
        ]

    def updated(self, xp: Any, step: int, gradients: Arrays, rates: Sequence[float]) -> list[Vectors]:
        """The vectors after a step."""
        if self.limits:
            gradients = self.optimizer.clipped(xp, {name: gradients[name] for name in self.names})
        vectors: list[Vectors] = []
        for piece, (parameter, slots) in zip(self.pieces, self.vectors, strict=True):
            member, rate = piece.member, rates[piece.column]
            decayed = member._decayed(rate, parameter, piece.join(gradients))
            following, moved = self.rule(member, xp, step, rate, *decayed, *slots)
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
        named: Arrays = {}
        for piece, (_, slots) in zip(self.pieces, self.vectors, strict=True):
            for name, vector in zip(piece.slots, slots, strict=True):
                named |= piece.split(vector, f".{name}")
        return named
