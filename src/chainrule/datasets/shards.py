"""Tables as row groups of Parquet files, and who reads which: each rank its own, a single one all of them."""

from __future__ import annotations

import functools
import glob
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, FileFormatError
from ..paths import no_such_file
from ..ranks import ALONE, Team
from .frames import from_frame, optional
from .room import require_memory
from .scaling import is_missing
from .tables import Table, read_table
from .textfile import Origin

__all__ = ["ROWS", "RowGroup", "Shards", "files_of", "parquet_shards", "parts_of", "text_shards"]

ROWS = 2**16  # that are read at once where a column is
_LANES = 8  # row groups that are read at the same time, at most
_PAGE, _BUFFER = 2**20, 2**16  # bytes that an open row group holds of each column, unpacked and packed
_OPEN = 4  # times that, in each lane: to train on and to validate on, and of both what pyarrow makes of it


@dataclass(frozen=True)
class RowGroup:
    """A row group of a Parquet file, `first` its first row in the whole table."""

    path: str
    group: int
    rows: int
    first: int
    lane: int

    def parts(self, most: int, names: Sequence[str] | None = None) -> Iterator[dict[str, NDArray[Any]]]:
        """The columns of its rows, at most so many at a time."""
        return parts_of([self], most, names)


def parts_of(
    pieces: Sequence[RowGroup], most: int, names: Sequence[str] | None = None
) -> Iterator[dict[str, NDArray[Any]]]:
    """The columns of the rows of some row groups of one file, one after another, at most so many at a time."""
    pyarrow, parquet = optional("pyarrow", _WHY), optional("pyarrow.parquet", _WHY)
    path, groups = pieces[0].path, [piece.group for piece in pieces]
    with refusing(path):
        meta = _metadata(path, os.stat(path).st_mtime_ns)
        with parquet.ParquetFile(path, metadata=meta, buffer_size=_BUFFER) as file:
            for batch in file.iter_batches(most, row_groups=groups, columns=names):
                yield from_frame(pyarrow.Table.from_batches([batch]))


@functools.lru_cache(maxsize=16)
def _metadata(path: str, changed: int) -> Any:
    """What a Parquet file says of its row groups, which takes longer to read than some of them."""
    return optional("pyarrow.parquet", _WHY).read_metadata(path)


@dataclass(frozen=True)
class Shards:
    """The row groups of a table, in the order of its rows, and the names of its columns.

    They are cut into `lanes`, one after another, which follow from the files and the memory alone. A rank reads the
    row groups of its own lanes, so that each part of the table is read by one, whatever the number of ranks.
    """

    pieces: tuple[RowGroup, ...]
    names: tuple[str, ...]
    lanes: int
    held: int  # bytes of a row group that is open, at most

    @property
    def reading(self) -> int:
        """Bytes that are taken while every lane is read."""
        return _OPEN * self.lanes * self.held

    @property
    def rows(self) -> int:
        """Of the whole table."""
        return sum(piece.rows for piece in self.pieces)


_WHY = "Reading a table that stays on disk"
_KINDS = {"f": "numbers", "O": "text", "M": "dates"}


class refusing:
    """Turns an error of pyarrow's into one that names the file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: Any) -> None:
        if isinstance(error, OSError | ValueError) and type(error).__module__.partition(".")[0] in (
            "pyarrow",
            "builtins",
        ):
            raise FileFormatError(f"{self.path} is not a readable Parquet file: {str(error).splitlines()[0]}") from None


def files_of(source: str) -> list[str]:
    """The files of a path, a folder or a pattern such as "sales-*.csv", in the order of their names.

    Raises `FileFormatError` where there is none.
    """
    found = [source]
    if os.path.isdir(source):
        found = [
            entry.path for entry in os.scandir(source) if entry.is_file() and not entry.name.startswith((".", "_"))
        ]
    elif not os.path.exists(source):
        found = glob.glob(source)
    if not found:
        raise no_such_file(source, ", and no file in such a folder")
    return sorted(found)


def parquet_shards(files: Sequence[str], memory: int) -> Shards:
    """The row groups of Parquet files, as many lanes as a quarter of the memory can hold open.

    Raises `FileFormatError` for another file, and `DataError` for columns that differ.
    """
    parquet = optional("pyarrow.parquet", _WHY)
    found: list[tuple[str, int, int]] = []  # path, row group, rows
    names, most = None, 1
    for path in files:
        with refusing(path), parquet.ParquetFile(path) as file:
            meta, own = file.metadata, tuple(file.schema_arrow.names)
            names = own if names is None else names
            if own != names:
                raise DataError(f"{path} has the columns {', '.join(own)}; {files[0]} has {', '.join(names)}.")
            for group in range(meta.num_row_groups):
                found.append((path, group, meta.row_group(group).num_rows))
                most = max(most, _held(meta.row_group(group)))
    return _numbered(found, names or (), max(1, min(_LANES, memory // 4 // (_OPEN * most))), most)


def _held(group: Any) -> int:
    """Bytes that a row group holds in memory while it is read some rows at a time."""
    columns = [group.column(i) for i in range(group.num_columns)]
    return sum(min(c.total_uncompressed_size, _PAGE) + min(c.total_compressed_size, _BUFFER) for c in columns)


def _numbered(found: Sequence[tuple[str, int, int]], names: tuple[str, ...], lanes: int, held: int) -> Shards:
    """Row groups one after another, cut into lanes; those without rows are left out."""
    full = [each for each in found if each[2]]
    firsts = itertools.accumulate((rows for *_, rows in full), initial=0)
    pieces = [
        RowGroup(path, group, rows, first, i * lanes // len(full))
        for i, ((path, group, rows), first) in enumerate(zip(full, firsts, strict=False))
    ]
    return Shards(tuple(pieces), names, lanes, held)


class _Written(NamedTuple):
    """A file of text that has become a Parquet file: its columns, what they hold, its row groups, its lane."""

    source: str
    names: tuple[str, ...]
    kinds: Mapping[str, np.dtype[Any]]
    path: str
    groups: Sequence[int]  # rows of each
    held: int  # bytes of one that is open
    lane: int


def text_shards(
    files: Sequence[str], folder: str, memory: int, team: Team = ALONE, **options: Any
) -> tuple[Shards, Origin]:
    """Files of text as Parquet files in a folder; the first says how the columns of all are written.

    Each rank of a team writes its own part of the files, to a folder of its own.
    """
    lanes = min(_LANES, len(files))
    of = {i: i * lanes // len(files) for i in range(len(files))}
    own = [i for i in of if of[i] in team.share(lanes)]
    for i in own:
        require_memory(files[i], memory)
    first = read_table(files[0], **options) if 0 in own else None
    head = None if first is None else (first.names, replace(first.origin, lines=()))
    names, origin = next(each for each in team.gathered(head) if each is not None)
    written = []
    for i in own:
        table = first if i == 0 else read_table(files[i], written=origin.written or None, expected=names, **options)
        assert table is not None
        path = os.path.join(folder, f"{i:06}.parquet")
        written.append(_Written(files[i], table.names, _kinds(table), path, *_write(table, path, memory), of[i]))
        first = None
    everyone = [each for rank in team.gathered(written) for each in rank]
    _require_one_table(everyone)
    found = [(each.path, group, rows) for each in everyone for group, rows in enumerate(each.groups)]
    held = max(each.held for each in everyone)
    shards, lane_of = _numbered(found, names, lanes, held), {each.path: each.lane for each in everyone}
    return replace(shards, pieces=tuple(replace(p, lane=lane_of[p.path]) for p in shards.pieces)), origin


def _kinds(table: Table) -> dict[str, np.dtype[Any]]:
    """What each column holds that has a value."""
    return {name: column.dtype for name, column in table.columns.items() if not is_missing(column).all()}


def _write(table: Table, path: str, memory: int) -> tuple[list[int], int]:
    """Write a table as Parquet, in row groups that are small beside the memory; returns the rows of each, and the bytes
    that one holds while it is open."""
    pyarrow, parquet = optional("pyarrow", _WHY), optional("pyarrow.parquet", _WHY)
    arrays = {n: pyarrow.array(c.tolist() if c.dtype == object else c) for n, c in table.columns.items()}
    rows = min(ROWS, max(1000, memory // 8 // _LANES // (16 * len(table.names))))
    parquet.write_table(pyarrow.table(arrays), path, row_group_size=rows)
    meta = parquet.read_metadata(path)
    held = max((_held(meta.row_group(i)) for i in range(meta.num_row_groups)), default=1)
    return [min(rows, len(table) - start) for start in range(0, len(table), rows)], held


def _require_one_table(written: Sequence[_Written]) -> None:
    """That all files have the columns of the first, and in each column the same. Raises `DataError`."""
    first, kinds = written[0], dict[str, np.dtype[Any]]()
    for each in written:
        if each.names != first.names:
            raise DataError(
                f"{each.source} has the columns {', '.join(each.names)}; {first.source} has {', '.join(first.names)}."
            )
        for name, kind in each.kinds.items():
            if kinds.setdefault(name, kind) != kind:
                raise DataError(
                    f"{each.source}: the column {name!r} holds {_KINDS[kind.kind]}, in the files before it "
                    f"{_KINDS[kinds[name].kind]}; mend the file, or pass text=[{name!r}]."
                )
