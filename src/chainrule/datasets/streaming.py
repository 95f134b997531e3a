"""Tables larger than memory: read in pieces, in a shuffled order that follows from the seed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError
from ..ranks import ALONE, Team, working
from ..rows import validation_order
from .batched import Batched, Part
from .disktable import DiskTable
from .policy import truths_as_classes
from .preprocessing import Preprocessing
from .reading import learn
from .shards import RowGroup, files_of, parquet_shards, text_shards
from .tables import Table
from .textfile import Origin

__all__ = ["Stream", "StreamPart", "bytes_of", "stream"]

_BYTES_A_ROW = 80  # of a column while its statistics are computed
_TRAIN, _VALIDATION, _TEST = range(3)
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def bytes_of(size: int | str) -> int:
    """A size in bytes, from a number or a text.

    >>> bytes_of("500MB"), bytes_of("1.5 GB"), bytes_of(1000)
    (500000000, 1500000000, 1000)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?B?)\s*", str(size).upper())
    unit = "" if found is None else found[2] if found[2] in _UNITS else f"{found[2]}B"
    bytes_ = 0 if found is None or isinstance(size, bool) else int(float(found[1]) * _UNITS[unit])
    if bytes_ < 1:
        raise ConfigurationError(f"memory must be a size such as '500MB' or a number of bytes, not {size!r}.")
    return bytes_


@dataclass(frozen=True)
class StreamPart:
    """Some of the rows of a `Stream`: those to train on, to validate on or to test on."""

    stream: Stream
    role: int
    pieces: Sequence[RowGroup]

    def __len__(self) -> int:
        """The number of rows."""
        return self.count(self.pieces)

    def count(self, pieces: Sequence[RowGroup]) -> int:
        """The number of its rows in some row groups."""
        return sum(int(np.count_nonzero(self.stream.roles_of(piece) == self.role)) for piece in pieces)

    @property
    def lanes(self) -> list[list[RowGroup]]:
        """Its row groups, by their lane."""
        return [[p for p in self.pieces if p.lane == lane] for lane in range(self.stream.shards.lanes)]

    def part(self, rank: int, ranks: int) -> StreamPart:
        """What the `rank`-th of several processes reads, from 0: every `ranks`-th row group. All of them read all."""
        if not 0 <= rank < ranks:
            raise ConfigurationError(f"part: rank must be at least 0 and below ranks={ranks}, not {rank}.")
        if len(self.pieces) < ranks:
            raise DataError(
                f"{self.stream.name} has {len(self.pieces)} row groups, fewer than the {ranks} processes; write it "
                "with smaller row groups."
            )
        return replace(self, pieces=self.pieces[rank::ranks])

    def batches(self, batch_size: int = 32, shuffle: bool = True) -> Batched:
        """Batches (X, y) for `fit`, `evaluate` and `validation_data`."""
        if not isinstance(batch_size, int | np.integer) or isinstance(batch_size, bool) or batch_size < 1:
            raise ConfigurationError(f"batch_size must be a whole number of at least 1, not {batch_size!r}.")
        room = self.stream.buffer_rows if shuffle else self.stream.buffer_rows // 4
        return Batched(self, int(batch_size), shuffle, len(self), room, self.stream.seed)

    def targets(self) -> NDArray[Any]:
        """All the targets, in the order of the table: one number a row, so that they fit where the table does not."""
        found: list[list[NDArray[Any]]] = [[] for _ in self.lanes]
        for each in self.rounds(self.lanes):
            for of_lane, rows in zip(found, each, strict=True):
                of_lane.extend([] if rows is None else [rows[1]])
        return np.concatenate([y for lane in found for y in lane])

    def rounds(self, lanes: Sequence[Sequence[RowGroup]]) -> Iterator[list[Part | None]]:
        """The next rows of each lane, None where it is at its end, until all are.

        A rank reads its own lanes and hears of the others: all ranks take part.
        """
        team = self.stream.team
        own = [self._read(lanes[lane]) for lane in team.share(len(lanes))]
        while True:
            with team.together():
                everyone = team.gathered([next(lane, None) for lane in own])
            found = [rows for each in everyone for rows in each]
            if all(rows is None for rows in found):
                return
            yield found

    def in_order(self) -> Iterator[Part]:
        """Its rows as they lie in the table, some at a time: a lane after the other."""
        nothing: list[list[RowGroup]] = [[] for _ in self.lanes]
        for i, lane in enumerate(self.lanes):
            for found in self.rounds([*nothing[:i], lane, *nothing[i + 1 :]]):
                yield from (rows for rows in found if rows is not None)

    def _read(self, pieces: Sequence[RowGroup]) -> Iterator[Part]:
        """X and y of the rows of some row groups, some at a time."""
        stream = self.stream
        for piece in pieces:
            roles, done = stream.roles_of(piece), 0
            for columns in piece.parts(stream.rows_at_once):
                rows = len(next(iter(columns.values())))
                keep = roles[done : done + rows] == self.role
                done += rows
                if keep.any():
                    origin = Origin(range(piece.first + done - rows + 1, piece.first + done + 1))
                    table = stream.respelt(Table(columns, stream.name, origin).where(keep))
                    yield stream.preprocessing.transform(table), stream.preprocessing.encode_target(table)


class Stream:
    """A table on disk, what was learned from it, and its three parts: `train`, `validation` and `test`.

    `preprocessing`, `class_names`, `feature_names` and `notes` are those that `datasets.read` gives for the same rows
    in memory, and so is the choice of the rows held out, all to the last bit: the same functions compute them, from one
    column at a time.
    """

    def __init__(
        self, table: DiskTable, memory: int, validation: float, seed: int, team: Team = ALONE, **options: Any
    ) -> None:
        _require_enough(table, memory)
        learned = learn(table, seed=seed, **options)
        self.name, self.seed = table.name, seed
        self.preprocessing: Preprocessing = learned.fitted
        self.notes, self.written = learned.notes, table.origin.written
        kept: DiskTable = learned.table  # type: ignore[assignment]
        self.shards, self.team = table.shards, team
        self.roles = np.full(self.shards.rows, -1, np.int8)  # of every row of the files; -1 is left out
        roles = np.where(learned.mask, _TEST, _TRAIN).astype(np.int8)
        train = np.flatnonzero(~learned.mask)
        held = round(validation * len(train))
        roles[train[validation_order(len(train), seed)[:held]]] = _VALIDATION
        self.roles[slice(None) if kept.keep is None else kept.keep] = roles
        width = 4 * len(self.preprocessing.feature_names) + 16
        room = memory - self.shards.reading
        self.buffer_rows = max(1, room // 2 // width)
        self.rows_at_once = max(1, room // 8 // self.shards.lanes // (width + 16 * len(table.names)))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes; empty for values."""
        return self.preprocessing.class_names

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return self.preprocessing.feature_names

    @property
    def train(self) -> StreamPart:
        """The rows to train on."""
        return StreamPart(self, _TRAIN, self.shards.pieces)

    @property
    def validation(self) -> StreamPart:
        """The rows of which `val_` numbers are measured."""
        return StreamPart(self, _VALIDATION, self.shards.pieces)

    @property
    def test(self) -> StreamPart:
        """The rows held out to the end."""
        return StreamPart(self, _TEST, self.shards.pieces)

    def roles_of(self, piece: RowGroup) -> NDArray[np.int8]:
        """What the rows of a piece are for."""
        return self.roles[piece.first : piece.first + piece.rows]

    def respelt(self, table: Table) -> Table:
        """Rows as they were learned from: yes and no of a target in one spelling."""
        origin = replace(table.origin, written=self.written)
        return truths_as_classes(Table(table.columns, table.name, origin), self.preprocessing.targets)

    def __repr__(self) -> str:
        return (
            f"Stream({self.name!r}: {len(self.train)} rows to train on, {len(self.validation)} to validate, "
            f"{len(self.test)} held out, {len(self.feature_names)} features)"
        )


def _require_enough(table: DiskTable, memory: int) -> None:
    """That the memory is enough to learn from a column and to read a row group. Raises `ConfigurationError`."""
    if _BYTES_A_ROW * len(table) > memory:
        raise ConfigurationError(
            f"memory: the statistics of a column of {len(table):,} rows take {_BYTES_A_ROW} bytes a row; write at "
            f"least {-(-_BYTES_A_ROW * len(table) // 10**6)}MB."
        )
    reading = table.shards.reading
    if reading > memory * 3 // 4:
        raise ConfigurationError(
            f"memory: reading row groups of {len(table.shards.names)} columns takes {-(-reading // 10**6)} MB; write "
            f"at least {-(-reading * 4 // 3 // 10**6)}MB, or write the table with smaller row groups."
        )


def stream(
    source: str | os.PathLike[str],
    *,
    target: str | Sequence[str] | None = None,
    memory: int | str = "500MB",
    test: float = 0.2,
    validation: float = 0.1,
    seed: int = 0,
    missing: Literal["error", "impute"] = "error",
    task: str | None = None,
    standardize: bool = True,
    drop: Collection[str] = (),
    text: Collection[str] = (),
    distributed: bool = False,
    **options: Any,
) -> Stream:
    """A table that need not fit into memory: a Parquet file, a folder of them, or several files of text, as shards.

    `source` is a path, a folder, or a pattern such as "sales-*.csv". `memory` bounds what reading takes: the columns
    while they are learned from, the row groups that are open, and the buffer that rows are shuffled in. Outside of it
    are the interpreter and what it has loaded, the network and its optimizer, and up to 30 MB in which `fit` and
    `evaluate` gather samples. What does not fit into it is refused, with the size to write. The other options are those
    of `read`, and `validation` is the part of the training rows that is held out to validate. Files of text are written
    to Parquet files in a temporary folder first, one after another, each of which must fit into that memory; how the
    first writes its columns holds for all.

    With `distributed=True` under mpirun or srun every rank makes the same call, reads its own part of the row groups,
    or of the files of text, and hears of the others: all have the same statistics and the same batches, those of one
    rank. Whatever reads rows later, such as `fit`, `evaluate` or a loop over batches, is a call of all ranks too.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i in range(2):
    ...         rows = "".join(f"{i}.{k},{'yes' if k % 2 else 'no'}\\n" for k in range(10))
    ...         _ = pathlib.Path(folder, f"{i}.csv").write_text("size,sold\\n" + rows)
    ...     found = stream(folder, target="sold", validation=0.125)
    >>> len(found.train), len(found.validation), len(found.test), found.class_names
    (14, 2, 4, ('no', 'yes'))
    >>> X, y = next(found.train.batches(7)(epoch=0))
    >>> X.shape, y.shape
    ((7, 1), (7,))

    Raises what `read` raises, and `ConfigurationError` for too little memory.
    """
    size, path = bytes_of(memory), os.fspath(source)
    with contextlib.ExitStack() as failing, working(distributed) as team:
        files, origin, folder = files_of(path), Origin(), None
        team.require_alike({"list of files": files})
        if _is_parquet(files[0]):
            shards = parquet_shards(files, size)
        else:
            folder = tempfile.mkdtemp(prefix="chainrule-")
            failing.callback(shutil.rmtree, folder, ignore_errors=True)
            shards, origin = text_shards(files, folder, size, team, text=text, **options)
        if not shards.pieces:
            raise DataError(f"{path} has no rows.")
        table = DiskTable(shards, os.path.basename(path.rstrip(os.sep)), origin, frozenset(text), team, memory=size)
        learning: dict[str, Any] = dict(target=target, test=test, missing=missing, task=task, standardize=standardize)
        found = Stream(table, size, validation, seed, team, drop=drop, text=text, **learning)
        failing.pop_all()
    if folder is not None:
        weakref.finalize(found, shutil.rmtree, folder, ignore_errors=True)
    return found


def _is_parquet(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"PAR1"
