"""Table: named columns, read from a text file, a workbook or a Parquet file, any data frame, or a dict."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError, FileFormatError, UnknownNameError
from ..paths import a_folder, no_such_file
from .decoding import is_workbook, refuse_other_text, refusing_damage, start_of
from .frames import as_text, from_frame, from_mapping, label, optional
from .kinds import ColumnFormat
from .textfile import Origin, read_text

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Table", "as_text", "label", "read_table"]

_FRAME = "pass what pandas or Polars reads from it to datasets.read, or save it as CSV"
_SAVED = "save the table in it as CSV or .xlsx"
_FORMATS: Mapping[bytes, tuple[str, str]] = {  # files that hold a table and are none of those that are read
    b"SQLite f": ("a database of SQLite", "write the table out as CSV (sqlite3 -header -csv ...)"),
    b"\x89HDF": ("an HDF5 file", _FRAME),
    b"ARROW1": ("a Feather file", _FRAME),
    b"ORC": ("an ORC file", _FRAME),
    b"$FL2": ("an SPSS file", _FRAME),
    b"$FL3": ("an SPSS file", _FRAME),
    b"<stata_d": ("a Stata file", _FRAME),
    bytes(8): ("a SAS file (.sas7bdat), or another that is no text", _FRAME),
    b"HEADER R": ("a SAS transport file", _FRAME),
    b"MATLAB 5": ("a MATLAB file", "load it with scipy.io.loadmat and pass the columns as a dict to datasets.read"),
    b"RDX": ("a file of R", 'write the table out with write.csv(table, "table.csv", row.names = FALSE)'),
    b"X\n\0\0\0": ("a file of R", 'write the table out with write.csv(table, "table.csv", row.names = FALSE)'),
    b"\x80\x04\x95": ("a pickle", "save the table in it as CSV"),
    b"\x80\x05\x95": ("a pickle", "save the table in it as CSV"),
    b"\x93NUMPY": ("a NumPy array", "load it with numpy.load and pass the columns as a dict to datasets.read"),
    b"<!DOCTYP": ("a web page", _SAVED),
    b"<html": ("a web page", _SAVED),
    b"<table": ("a web page", _SAVED),
    b"<?xml": ("XML", _SAVED),
    b"%PDF": ("a PDF", _SAVED),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", "unpack it, or use gzip"),
    b"Rar!": ("an archive", "unpack it"),
    b"7z\xbc\xaf": ("an archive", "unpack it"),
}
_ENDINGS = (".csv", ".tsv", ".txt", ".xlsx", ".json", ".parquet", ".gz", ".zip")
_DTYPES = (np.dtype(np.float64), np.dtype(object), np.dtype("datetime64[s]"))


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Columns of B rows by name: float64 for numbers (NaN is missing), datetime64[s] for dates (NaT), objects for text
    (None). `origin` knows the line of each row, and `origin.notes` what was decided in reading.

    Raises `DataError` where a column is not of that form or the lengths differ. Made by `read_table`.

    >>> table = Table({"age": np.array([31.0, np.nan]), "city": np.array(["Rome", None], dtype=object)})
    >>> len(table), table.names, table["age"]
    (2, ('age', 'city'), array([31., nan]))
    """

    columns: Mapping[str, NDArray[Any]]
    name: str = "the table"  # what errors call it
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        if not self.columns:
            raise DataError(f"{self.name} has no columns.")
        first = self.names[0]
        for name, column in self.columns.items():
            if not isinstance(column, np.ndarray) or column.ndim != 1 or column.dtype not in _DTYPES:
                raise DataError(
                    f"{self.name}: the column {name!r} is not a float64 or object array of shape (B,); use read_table."
                )
            if len(column) != len(self):
                raise DataError(
                    f"{self.name}: the column {name!r} has {len(column)} values, {first!r} has {len(self)}."
                )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self.columns)

    def at(self, row: int) -> str:
        """What errors call the row with this index: its line in the file, or its number from 1."""
        return self.origin.at(row)

    def only(self, names: Collection[str]) -> Table:
        """The table of these columns."""
        return Table({name: column for name, column in self.columns.items() if name in names}, self.name, self.origin)

    def where(self, keep: NDArray[np.bool_]) -> Table:
        """The table of the rows that are kept, (B,)."""
        lines = np.asarray(self.origin.lines) if len(self.origin.lines) else np.arange(1, len(self) + 1)
        columns = {name: column[keep] for name, column in self.columns.items()}
        return Table(columns, self.name, replace(self.origin, lines=lines[keep].tolist()))

    def replacing(self, columns: Mapping[str, NDArray[Any]]) -> Table:
        """The table with other values in some columns."""
        return Table({**self.columns, **columns}, self.name, self.origin)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.columns:
            raise UnknownNameError(f"column of {self.name}", name, self.names)
        return self.columns[name]

    def __repr__(self) -> str:
        return f"Table({self.name!r}: {len(self)} rows of {', '.join(map(repr, self.names))})"


def read_table(
    source: str | Path | Mapping[str, Any] | Any,
    *,
    text: Collection[str] = (),
    header: bool | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    written: Mapping[str, ColumnFormat] | None = None,
    expected: Collection[str] = (),
    sheet: str | None = None,
) -> Table:
    """The table in a text file, a workbook (.xlsx), JSON, a Parquet file, a data frame (pandas, Polars, ...) or a dict.

    A text file is UTF-8, UTF-16 or in an encoding that its letters tell, separated by commas, semicolons, tabs, pipes
    or spaces, and may be compressed with gzip, bzip2, xz or as the only file of a zip archive; `encoding`, `delimiter`
    and `header` say so where it is told wrongly. A first line that looks like a row is one, and the columns are then
    column_1, column_2 and so on.

    A column is numbers, dates, truths (yes and no, 1 and 0) or text, whatever all of its cells are. Numbers may have
    decimal commas, separators of thousands, percent and currency signs. Codes with leading zeros and whole numbers from
    2^53 on are text, and so are the columns in `text`. Missing are empty cells, NA, N/A, None, NULL, #N/A, -, ? and
    their like. `origin.notes` lists what was decided. `written` and `expected`, the names that a model asks for, come
    from a `Preprocessing`, so that a later file is read as the first one was. `sheet` is the one of a workbook, by
    default the first that holds a table. JSON is a record a line, a list of records, or columns by name.

    Raises `FileFormatError` for a file that is no such table, with its line; `DataError` for columns that cannot be
    used; `ConfigurationError` where a package for data frames, workbooks or Parquet is not installed.

    >>> read_table({"size": [1, 2, None], "colour": ["red", "", "blue"]}).columns
    {'size': array([ 1.,  2., nan]), 'colour': array(['red', None, 'blue'], dtype=object)}
    """
    origin = Origin()
    if isinstance(source, Table):
        columns, name, origin = dict(source.columns), source.name, source.origin
    elif isinstance(source, str | os.PathLike):
        hints = {column: ColumnFormat("text") for column in text} | dict(written or {})
        name = os.path.basename(source)
        columns, origin = _from_file(
            os.fspath(source), hints, sheet, header=header, encoding=encoding, delimiter=delimiter, expected=expected
        )
    elif isinstance(source, Mapping):
        columns, name = from_mapping(source), "the table"
    else:
        columns, name = from_frame(source), "the data frame"
    texts = {*text, *(column for column, hint in (written or {}).items() if hint.kind == "text")}
    for column in texts & set(columns):
        columns[column] = as_text(columns[column])
    return Table(columns, name, origin)


def _from_file(
    path: str, hints: Mapping[str, ColumnFormat], sheet: str | None, **options: Any
) -> tuple[dict[str, NDArray[Any]], Origin]:
    try:
        with open(path, "rb") as file:
            kind = file.read(8)
    except FileNotFoundError:
        raise no_such_file(path) from None
    except IsADirectoryError:
        raise a_folder(path, *_ENDINGS) from None
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from None
    if kind.startswith(b"PAR1"):
        return _from_parquet(path), Origin()
    if kind.startswith(b"PK\x03\x04") and is_workbook(path):
        from .workbook import read_workbook

        return read_workbook(path, hints, header=options["header"], expected=options["expected"], sheet=sheet)
    if sheet is not None:
        raise ConfigurationError(f"{path} is no workbook, and has no sheets; leave sheet={sheet!r} out.")
    with refusing_damage(path):
        kind = start_of(path, 8)
        refuse_other_text(path)
    for magic, (what, instead) in _FORMATS.items():
        if kind.startswith(magic):
            raise FileFormatError(f"{path} is {what}; {instead}.")
    if kind == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise FileFormatError(f"{path} is a workbook of the old kind (.xls); save it as .xlsx or CSV.")
    if re.match(rb"\{|\[\s*[\[{\]]", kind):
        from .jsonfile import read_json

        return read_json(path, hints, encoding=options["encoding"], expected=options["expected"])
    return read_text(path, hints, **options)


def _from_parquet(path: str) -> dict[str, NDArray[Any]]:
    pyarrow = optional("pyarrow.parquet", "Reading a Parquet file")
    try:
        frame = pyarrow.read_table(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
        first = str(error).splitlines()[0]
        raise FileFormatError(f"{path} is not a readable Parquet file: {first}") from None
    return from_frame(frame)
