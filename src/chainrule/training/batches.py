"""Batches that a user hands over one by one: from a list, an iterator, a generator function, a loader."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import is_array, plain_array
from ..errors import ChainruleError, ConfigurationError, DataError, ShapeError
from ..trained import Trained
from ..weighting import checked_weights
from .run import Run

__all__ = ["Batches", "ReadBatch", "are_batches", "checksum", "require_batches_alone"]

_WRITE = "a tuple (X, y) or (X, y, sample_weights)"


class ReadBatch(NamedTuple):
    """Some samples as the network and the loss read them."""

    X: NDArray[Any]  # (B, ...)
    y: NDArray[Any]
    weights: NDArray[np.float64] | None  # (B,)


class Reads(Trained, Protocol):
    """A `Model`, as far as batches go through it."""

    run: Run

    def targets(self, y: Any) -> NDArray[Any]:
        """y as the loss reads it."""

    def checked(self, X: Any, y: Any, sample_weights: Any = None) -> tuple[Any, Any]:
        """X and y as arrays that the network takes."""


def are_batches(given: Any, alone: bool = True) -> bool:
    """Whether this is something to take batches from, and no array, table or pair (X, y).

    Where it does not stand `alone`, without a y of its own, a list whose rows could be samples is X.

    >>> are_batches(iter([])), are_batches([([[1.0]], [0])]), are_batches(([[1.0]], [0]))
    (True, True, False)
    >>> are_batches([(1.0, 2.0), (3.0, 4.0)])
    False
    """
    if is_array(given) or isinstance(given, Mapping | str | bytes | tuple):
        return False
    if isinstance(given, list):
        return bool(given) and all(_is_batch(item, alone) for item in given)
    return callable(given) or isinstance(given, Iterable)


def _is_batch(item: Any, alone: bool) -> bool:
    """Whether an item of a list is (X, y) or (X, y, sample_weights), by the axes that they have."""
    if not isinstance(item, tuple | list) or len(item) not in (2, 3):
        return False
    axes = [_axes(part) for part in item]
    return axes[0] >= 2 and (alone or len(set(axes)) > 1)


def _axes(given: Any) -> int:
    """How many axes an array has, a nested list as far as its first entries tell."""
    if isinstance(given, list | tuple):
        return 1 + (_axes(given[0]) if given else 0)
    return 2 if isinstance(given, Mapping) else int(getattr(given, "ndim", len(getattr(given, "shape", ()))))


class Batches:
    """Reads batches and checks each; what is wrong is said with the number of the batch and the epoch.

    `given` is an iterable, which is read from its beginning in each epoch; a function that returns one, called in each
    epoch, with the number of the epoch (from 0) if it has a parameter `epoch`; or an iterator, which goes on where it
    stood. `weigh` turns targets, weights and the number of outputs into the weights that count.
    """

    def __init__(
        self,
        given: Any,
        model: Reads,
        weigh: Callable[[NDArray[Any], Any, int], Any] = lambda y, weights, outputs: weights,
        name: str = "fit",
    ) -> None:
        self.given, self.model, self.weigh, self.name = given, model, weigh, name
        self.once = isinstance(given, Iterator)
        self.length = len(given) if isinstance(given, Sized) else None
        self.first: ReadBatch | None = None
        self.waiting: ReadBatch | None = None  # read to look at it
        self.epoch, self.index = -1, 0
        self.begin(model.run.epoch)
        self.waiting = self.read()
        if self.waiting is None:
            raise DataError(f"{name}: there is no batch; pass at least one, {_WRITE}.")

    def begin(self, epoch: int) -> None:
        """Go to the beginning of an epoch; an iterator stays where it is."""
        if self.epoch == epoch and self.index == 1 and self.waiting is not None:
            return  # the first batch has been read, to look at it
        if not self.once or self.epoch < 0:
            self.iterator, self.waiting = self._opened(epoch), None
        self.epoch, self.index = epoch, int(self.waiting is not None)

    def _opened(self, epoch: int) -> Iterator[Any]:
        given = self.given
        if callable(given) and not isinstance(given, Iterable):
            named = "epoch" in inspect.signature(given).parameters
            given = given(epoch=epoch) if named else given()
        if not isinstance(given, Iterable):
            raise ConfigurationError(f"{self.name}: the function must return batches, not {type(given).__name__}.")
        return iter(given)

    def read(self) -> ReadBatch | None:
        """The next batch; None after the last."""
        if self.waiting is not None:
            batch, self.waiting = self.waiting, None
            return batch
        try:
            given = next(self.iterator)
        except StopIteration:
            return None
        self.index += 1
        try:
            return self._checked(given)
        except ChainruleError as error:
            error.args = (f"{self.place}: {error.args[0]}", *error.args[1:])
            raise

    @property
    def place(self) -> str:
        """Where the batch that was read last stands."""
        return f"batch {self.index} of epoch {self.epoch + 1}"

    def peek(self) -> ReadBatch:
        """The first batch, which stays to be read."""
        assert self.waiting is not None
        return self.waiting

    def keep(self, batch: ReadBatch | None) -> None:
        """Put a batch back, to be read next."""
        self.waiting = batch

    def _checked(self, given: Any) -> ReadBatch:
        if not isinstance(given, tuple | list) or len(given) not in (2, 3):
            raise DataError(f"a batch must be {_WRITE}, received {_told(given)}.")
        model, own = self.model, None if len(given) == 2 else given[2]
        if self.first is None:
            X, y = model.checked(given[0], given[1], own)
            X = X[:]
            self.first = ReadBatch(X, y, own)
        else:
            X, y = model.inputs(given[0]), model.targets(given[1])
            self._fits(X, y, own)
        weights = None if own is None else checked_weights(plain_array(own, "sample_weights"), len(X))
        shape = (len(X), *model.network.output_shape(X.shape[1:]))
        model.loss.prepare(y, shape, None, X.dtype, weightless=True)
        return ReadBatch(X, y, self.weigh(y, weights, shape[1]))

    def _fits(self, X: NDArray[Any], y: NDArray[Any], weights: Any) -> None:
        first = self.first
        assert first is not None
        for name, ours, theirs in (("X", X, first.X), ("y", y, first.y)):
            if ours.ndim == 0 or ours.shape[1:] != theirs.shape[1:]:
                raise ShapeError(f"{name} has shape {ours.shape}, that of the first batch was {theirs.shape}.")
        if not len(X) or len(X) != len(y):
            raise DataError(f"X has {len(X)} samples, y {len(y)}; a batch has at least one, and as many of both.")
        if (weights is None) != (first.weights is None):
            had, has = ("none", "some") if first.weights is None else ("some", "none")
            raise DataError(f"the first batch had {had} sample_weights, this one has {has}.")


def require_batches_alone(where: str, batches: Any, beside: Mapping[str, Any]) -> None:
    """That these are batches, and nothing is given that batches bring along or cannot have."""
    if not are_batches(batches, beside["y"] is None):
        kind = type(batches).__name__
        if hasattr(batches, "X_train"):
            raise ConfigurationError(
                f"{where}: a {kind} is not read as a whole; write {where}(data.X_train, data.y_train)."
            )
        raise ConfigurationError(
            f"{where}: y is missing; write {where}(X, y), or pass batches, tuples (X, y), in a list, a function or an "
            f"iterator, not {kind}."
        )
    for name, value in beside.items():
        if value is not None:
            raise ConfigurationError(
                f"{where}: batches are tuples (X, y) or (X, y, sample_weights); leave {name} out beside them."
            )


def checksum(arrays: Iterable[NDArray[Any]]) -> int:
    """A number that tells whether others have the same bytes."""
    found = 0
    for array in arrays:
        found = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, found)
    return found


def _told(given: Any) -> str:
    size = f" of length {len(given)}" if isinstance(given, Sequence) and not isinstance(given, str) else ""
    return f"{type(given).__name__}{size}"
