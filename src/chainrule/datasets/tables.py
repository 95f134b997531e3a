"""Table: named columns, read from a CSV or Parquet file, any data frame, or a dict."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError, FileFormatError, UnknownNameError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

__all__ = ["Table", "as_text", "label", "optional", "read_table"]


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Columns of B rows by name: float64 for numbers (NaN is missing), objects for text (None is missing).

    Raises `DataError` where a column is not of that form or the lengths differ. Made by `read_table`.

    >>> table = Table({"age": np.array([31.0, np.nan]), "city": np.array(["Rome", None], dtype=object)})
    >>> len(table), table.names, table["age"]
    (2, ('age', 'city'), array([31., nan]))
    """

    columns: Mapping[str, NDArray[Any]]
    name: str = "the table"  # what errors call it

    def __post_init__(self) -> None:
        if not self.columns:
            raise DataError(f"{self.name} has no columns.")
        first = self.names[0]
        for name, column in self.columns.items():
            if not isinstance(column, np.ndarray) or column.ndim != 1 or column.dtype not in (np.float64, object):
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

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.columns:
            raise UnknownNameError(f"column of {self.name}", name, self.names)
        return self.columns[name]

    def __repr__(self) -> str:
        return f"Table({self.name!r}: {len(self)} rows of {', '.join(map(repr, self.names))})"


def read_table(source: str | Path | Mapping[str, Any] | Any, *, text: Collection[str] = ()) -> Table:
    """The table in a CSV or Parquet file, a data frame (pandas, Polars, PyArrow, ...) or a dict of columns.

    A CSV file has a header, is UTF-8 and separated by commas, semicolons or tabs; it may be compressed with gzip. A
    column is numbers where every cell is one (true and false are 1 and 0; in a file with semicolons 1,5 is 1.5), else
    text. Missing are empty cells, NA, N/A, NaN, null and ?. The columns in `text` stay text even if they look like
    numbers.

    Raises `FileFormatError` for a file that is no such table, with its line; `DataError` for columns that cannot be
    used; `ConfigurationError` where a package for data frames or Parquet is not installed.

    >>> read_table({"size": [1, 2, None], "colour": ["red", "", "blue"]}).columns
    {'size': array([ 1.,  2., nan]), 'colour': array(['red', None, 'blue'], dtype=object)}
    """
    if isinstance(source, Table):
        columns, name = dict(source.columns), source.name
    elif isinstance(source, str | os.PathLike):
        columns, name = _from_file(os.fspath(source), text), os.path.basename(source)
    elif isinstance(source, Mapping):
        columns, name = _from_mapping(source), "the table"
    else:
        columns, name = _from_frame(source), "the data frame"
    for column in set(text) & set(columns):
        columns[column] = as_text(columns[column])
    return Table(columns, name)


def label(value: float) -> str:
    """A number as the name of a class: 3.0 is "3", 0.5 is "0.5"."""
    return str(int(value)) if value.is_integer() else repr(value)


def as_text(column: NDArray[Any]) -> NDArray[Any]:
    """A column as text: numbers become their labels."""
    if column.dtype == object:
        return column
    return _objects([None if np.isnan(value) else label(value) for value in column.tolist()])


def optional(module: str, purpose: str) -> ModuleType:
    """Import a module of the extra `tables`. Raises `ConfigurationError` with the line that installs it."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise ConfigurationError(f'{purpose} needs {package}; run: pip install "chainrule[tables]"') from None


def _objects(values: list[Any]) -> NDArray[Any]:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _from_file(path: str, text: Collection[str]) -> dict[str, NDArray[Any]]:
    from .csvfile import read_csv

    try:
        with open(path, "rb") as file:
            kind = file.read(4)
    except FileNotFoundError:
        raise FileFormatError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from None
    if kind == b"PAR1":
        pyarrow = optional("pyarrow.parquet", "Reading a Parquet file")
        try:
            frame = pyarrow.read_table(path)
        except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
            first = str(error).splitlines()[0]
            raise FileFormatError(f"{path} is not a readable Parquet file: {first}") from None
        return _from_frame(frame)
    if kind == b"PK\x03\x04":
        raise FileFormatError(f"{path} is a spreadsheet or an archive; save the table as CSV.")
    return read_csv(path, text)


def _from_mapping(source: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    _refuse_duplicates([str(name) for name in source])
    return {str(name): _from_values(str(name), values) for name, values in source.items()}


def _refuse_duplicates(names: list[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise DataError(f"Two columns are named {name!r}; rename one.")


def _from_frame(source: Any) -> dict[str, NDArray[Any]]:
    if isinstance(source, list | tuple | np.ndarray) or source is None:
        raise DataError(
            f"A table is a path, a data frame or a dict of columns, not a value of type {type(source).__name__}; "
            'write {"x": [...], "y": [...]}.'
        )
    nw = optional("narwhals", "Reading a data frame")
    try:
        frame = nw.from_native(source)
        if isinstance(frame, nw.LazyFrame):
            frame = frame.collect()
        series = [frame.get_column(name) for name in frame.columns]
        names = [str(name) for name in frame.columns]
    except TypeError:
        raise DataError(
            f"A table is a path, a data frame or a dict of columns, not a value of type {type(source).__name__}."
        ) from None
    except nw.exceptions.NarwhalsError as error:
        raise DataError(f"The data frame cannot be used: {' '.join(str(error).split())}") from None
    _refuse_duplicates(names)
    return {name: _from_series(nw, name, one) for name, one in zip(names, series, strict=True)}


def _from_series(nw: ModuleType, name: str, series: Any) -> NDArray[Any]:
    if series.dtype.is_numeric() or series.dtype == nw.Boolean:
        missing = series.is_null().to_numpy().astype(bool)  # (B,)
        filled = series.fill_null(False if series.dtype == nw.Boolean else 0) if missing.any() else series
        return np.where(missing, np.nan, filled.to_numpy().astype(np.float64))
    column = _from_values(name, series.to_list())
    return as_text(column) if series.dtype in (nw.Categorical, nw.Enum) else column


def _is_missing(value: Any) -> bool:
    if value is None or isinstance(value, float | np.floating):
        return value is None or bool(np.isnan(value))
    return (isinstance(value, str) and not value.strip()) or type(value).__name__ in ("NAType", "NaTType")


def _from_values(name: str, values: Any) -> NDArray[Any]:
    """A column from the values of a dict or of a data frame, whose types say what they are."""
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise DataError(f"The column {name!r} has shape {values.shape}; pass one value for each row, (B,).")
    if isinstance(values, str | bytes | Mapping) or not (hasattr(values, "__len__") and hasattr(values, "__getitem__")):
        raise DataError(f"The column {name!r} is of type {type(values).__name__}; pass a list or an array of values.")
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf" and not isinstance(values, np.ma.MaskedArray):
        return values.astype(np.float64)
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    present = [value for value in listed if not _is_missing(value)]
    if all(isinstance(value, int | float | np.number | np.bool_) for value in present):
        try:
            return np.array([np.nan if _is_missing(value) else float(value) for value in listed], dtype=np.float64)
        except OverflowError:
            raise DataError(f"The column {name!r} holds a whole number too large for float64.") from None
    if all(isinstance(value, str) for value in present):
        return _objects([None if _is_missing(value) else str(value).strip() for value in listed])
    kinds = " and ".join(sorted({type(value).__name__ for value in present}))
    raise DataError(f"The column {name!r} holds {kinds} values; make them all numbers or all text.")
