"""A table that stays on disk: row groups of Parquet files, read some rows or one column at a time."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, FileFormatError, UnknownNameError
from .columns import is_missing
from .frames import as_text, from_frame, optional
from .tables import Table, read_table
from .textfile import Origin

__all__ = ["DiskTable", "RowGroup", "files_of", "pieces_of"]

_ROWS = 2**16  # that are read at once where a column is


class RowGroup:
    """A row group of a Parquet file, `first` its first row in the whole table."""

    def __init__(self, path: str, group: int, rows: int, first: int) -> None:
        self.path, self.group, self.rows, self.first = path, group, rows, first

    def parts(self, most: int, names: Sequence[str] | None = None) -> Iterator[dict[str, NDArray[Any]]]:
        """The columns of its rows, at most so many at a time."""
        pyarrow, parquet = optional("pyarrow", _WHY), optional("pyarrow.parquet", _WHY)
        with refusing(self.path), parquet.ParquetFile(self.path) as file:
            for batch in file.iter_batches(most, row_groups=[self.group], columns=names):
                yield from_frame(pyarrow.Table.from_batches([batch]))


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
        raise FileFormatError(f"{source}: there is no such file, and no file in such a folder.")
    return sorted(found)


def pieces_of(files: Sequence[str]) -> list[RowGroup]:
    """The row groups of Parquet files. Raises `FileFormatError` for another file, and for columns that differ."""
    parquet = optional("pyarrow.parquet", _WHY)
    pieces: list[RowGroup] = []
    first, names = 0, None
    for path in files:
        with refusing(path), parquet.ParquetFile(path) as file:
            meta, own = file.metadata, list(file.schema_arrow.names)
            names = own if names is None else names
            if own != names:
                raise DataError(f"{path} has the columns {', '.join(own)}; {files[0]} has {', '.join(names)}.")
            for group in range(meta.num_row_groups):
                rows = meta.row_group(group).num_rows
                if rows:
                    pieces.append(RowGroup(path, group, rows, first))
                first += rows
    return pieces


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


class DiskTable(Table):
    """A table whose columns are read from its pieces, one at a time; `keep` are the rows that count."""

    def __init__(
        self,
        pieces: Sequence[RowGroup],
        name: str,
        origin: Origin,
        texts: frozenset[str] = frozenset(),
        keep: NDArray[np.bool_] | None = None,
        other: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        vars(self).update(pieces=pieces, name=name, origin=origin, texts=texts, keep=keep, other=dict(other or {}))
        names = list(next(pieces[0].parts(1)))
        vars(self)["columns"] = _Columns(names, self._load)
        vars(self)["rows"] = sum(piece.rows for piece in pieces) if keep is None else int(keep.sum())

    pieces: Sequence[RowGroup]
    texts: frozenset[str]
    keep: NDArray[np.bool_] | None
    other: dict[str, NDArray[Any]]
    rows: int

    def _load(self, name: str) -> NDArray[Any]:
        if name in self.other:
            return self.other[name]
        same: dict[Any, Any] = {}  # a text that comes again is the same object
        parts = []
        for piece in self.pieces:
            for part in piece.parts(_ROWS, [name]):
                column = as_text(part[name]) if name in self.texts else part[name]
                if column.dtype == object:
                    column[:] = [same.setdefault(value, value) for value in column]
                parts.append(column)
        column = np.concatenate(alike(parts))
        return column if self.keep is None else column[self.keep]

    def where(self, keep: NDArray[np.bool_]) -> DiskTable:
        """The table of the rows that are kept."""
        whole = keep
        if self.keep is not None:
            whole = self.keep.copy()
            whole[whole] = keep
        other = {name: column[keep] for name, column in self.other.items()}
        return DiskTable(self.pieces, self.name, self.origin, self.texts, whole, other)

    def replacing(self, columns: Mapping[str, NDArray[Any]]) -> DiskTable:
        """The table with other values in some columns, which stay in memory."""
        return DiskTable(self.pieces, self.name, self.origin, self.texts, self.keep, {**self.other, **columns})

    def at(self, row: int) -> str:
        """The number of the row in the whole table, from 1."""
        return f"row {(row if self.keep is None else int(np.flatnonzero(self.keep)[row])) + 1}"

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.columns:
            raise UnknownNameError(f"column of {self.name}", name, self.names)
        return self.columns[name]


def alike(parts: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
    """Parts of one column with one dtype: where a part has no value its numbers are missing texts or dates."""
    kinds = {part.dtype for part in parts}
    if len(kinds) < 2:
        return parts
    if np.dtype(object) in kinds:
        return [as_text(part) for part in parts]
    return [np.full(len(part), "NaT", "datetime64[s]") if part.dtype.kind == "f" else part for part in parts]


def as_parquet(files: Sequence[str], folder: str, **options: Any) -> tuple[list[str], Origin]:
    """Files of text as Parquet files in a folder; the first says how the columns of all are written."""
    pyarrow, parquet = optional("pyarrow", _WHY), optional("pyarrow.parquet", _WHY)
    origin = Origin()
    names: tuple[str, ...] = ()
    out: list[str] = []
    kinds: dict[str, np.dtype[Any]] = {}
    for path in files:
        table = read_table(path, written=origin.written or None, expected=names, **options)
        if not names:
            names, origin = table.names, replace(table.origin, lines=())
        elif table.names != names:
            raise DataError(f"{path} has the columns {', '.join(table.names)}; {files[0]} has {', '.join(names)}.")
        for name, column in table.columns.items():
            kind = column.dtype if not is_missing(column).all() else None
            if kind is not None and kinds.setdefault(name, kind) != kind:
                raise DataError(
                    f"{path}: the column {name!r} holds {_KINDS[kind.kind]}, in the files before it "
                    f"{_KINDS[kinds[name].kind]}; mend the file, or pass text=[{name!r}]."
                )
        arrays = {n: pyarrow.array(c.tolist() if c.dtype == object else c) for n, c in table.columns.items()}
        out.append(os.path.join(folder, f"{len(out):06}.parquet"))
        parquet.write_table(pyarrow.table(arrays), out[-1], row_group_size=_ROWS)
    return out, origin
