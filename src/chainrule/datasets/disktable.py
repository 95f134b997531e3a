"""A table whose columns stay on disk, and are read one at a time."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, UnknownNameError
from ..ranks import ALONE, Team
from .frames import as_text
from .shards import ROWS, Shards, parts_of
from .tables import Table
from .textfile import Origin

__all__ = ["DiskTable"]

_ENTRY = 100  # bytes that a dict takes for a key and its value, at most


class _Columns(Mapping[str, NDArray[Any]]):
    """Columns that are read when they are asked for; the last two stay."""

    def __init__(self, names: Sequence[str], load: Any) -> None:
        self.names, self.load = tuple(names), load
        self.kept: dict[str, NDArray[Any]] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.names:
            raise KeyError(name)
        if name not in self.kept:
            while len(self.kept) > 1:
                del self.kept[next(iter(self.kept))]
            self.kept[name] = self.load(name)
        return self.kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class _Texts:
    """The different texts of a column: one that comes again is the same object."""

    def __init__(self, name: str, room: int) -> None:
        self.name, self.room, self.found = name, room, dict[Any, Any]()

    def same(self, part: NDArray[Any]) -> NDArray[Any]:
        """The part, with those objects. Raises `ConfigurationError` where the texts take more than the room."""
        if part.dtype != object:
            return part
        before = len(self.found)
        part[:] = [self.found.setdefault(value, value) for value in part]
        self.room -= sum(_ENTRY + sys.getsizeof(value) for value in itertools.islice(self.found, before, None))
        if self.room < 0:
            raise ConfigurationError(
                f"memory: the column {self.name!r} holds more different texts than fit; leave it out with "
                f"drop=[{self.name!r}], or write more memory."
            )
        return part


class DiskTable(Table):
    """A table whose columns are read from its row groups, one at a time; `keep` are the rows that count.

    Each rank of a team reads its own row groups, and hears of the others: all have the same column.
    """

    def __init__(
        self,
        shards: Shards,
        name: str,
        origin: Origin,
        texts: frozenset[str] = frozenset(),
        team: Team = ALONE,
        keep: NDArray[np.bool_] | None = None,
        other: Mapping[str, NDArray[Any]] | None = None,
        memory: int = sys.maxsize,
    ) -> None:
        """`memory` are the bytes that the texts of a column may take."""
        vars(self).update(shards=shards, name=name, origin=origin, texts=texts, team=team, memory=memory)
        vars(self).update(keep=keep, other=dict(other or {}), rows=shards.rows if keep is None else int(keep.sum()))
        vars(self)["columns"] = _Columns(shards.names, self._load)

    shards: Shards
    texts: frozenset[str]
    team: Team
    keep: NDArray[np.bool_] | None
    other: dict[str, NDArray[Any]]
    memory: int
    rows: int

    def _load(self, name: str) -> NDArray[Any]:
        if name in self.other:
            return self.other[name]
        texts = _Texts(name, self.memory - 8 * self.rows)
        lanes = self.team.share(self.shards.lanes)
        own = [texts.same(part) for part in self._parts(name, lanes)]
        everyone = self.team.gathered(own)  # a lane after another, and so in the order of the table
        parts = own if len(everyone) == 1 else [texts.same(part) for each in everyone for part in each]
        column: NDArray[Any] = np.concatenate(_alike(parts))
        return column if self.keep is None else column[self.keep]

    def _parts(self, name: str, lanes: range) -> Iterator[NDArray[Any]]:
        own = [piece for piece in self.shards.pieces if piece.lane in lanes]
        for _, pieces in itertools.groupby(own, lambda piece: piece.path):
            for part in parts_of(list(pieces), ROWS, [name]):
                yield as_text(part[name]) if name in self.texts else part[name]

    def where(self, keep: NDArray[np.bool_]) -> DiskTable:
        """The table of the rows that are kept."""
        whole = keep
        if self.keep is not None:
            whole = self.keep.copy()
            whole[whole] = keep
        other = {name: column[keep] for name, column in self.other.items()}
        return DiskTable(self.shards, self.name, self.origin, self.texts, self.team, whole, other, self.memory)

    def replacing(self, columns: Mapping[str, NDArray[Any]]) -> DiskTable:
        """The table with other values in some columns, which stay in memory."""
        other = {**self.other, **columns}
        return DiskTable(self.shards, self.name, self.origin, self.texts, self.team, self.keep, other, self.memory)

    def at(self, row: int) -> str:
        """The number of the row in the whole table, from 1."""
        return f"row {(row if self.keep is None else int(np.flatnonzero(self.keep)[row])) + 1}"

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.columns:
            raise UnknownNameError(f"column of {self.name}", name, self.names)
        return self.columns[name]


def _alike(parts: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
    """Parts of one column with one dtype: where a part has no value its numbers are missing texts or dates."""
    kinds = {part.dtype for part in parts}
    if len(kinds) < 2:
        return parts
    if np.dtype(object) in kinds:
        return [as_text(part) for part in parts]
    return [np.full(len(part), "NaT", "datetime64[s]") if part.dtype.kind == "f" else part for part in parts]
