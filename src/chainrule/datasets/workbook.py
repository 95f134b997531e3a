"""Workbooks (.xlsx) as tables: the first sheet that has cells, by way of openpyxl."""

from __future__ import annotations

import datetime
import io
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from ..errors import FileFormatError
from .cells import ColumnFormat
from .frames import optional
from .numerals import mark_of
from .textfile import Origin, read_rows

__all__ = ["read_workbook"]


def read_workbook(
    path: str, hints: Mapping[str, ColumnFormat], *, header: bool | None = None, expected: Collection[str] = ()
) -> tuple[dict[str, NDArray[Any]], Origin]:
    """The columns of a sheet by name, and where they came from; its rows are counted as the spreadsheet counts them."""
    openpyxl = optional("openpyxl", "Reading a workbook (.xlsx)")
    try:
        with open(path, "rb") as file:
            book = openpyxl.load_workbook(io.BytesIO(file.read()), read_only=True, data_only=True)
        filled = [sheet for sheet in book.worksheets if any(True for _ in _rows(sheet))]
    except Exception as error:  # a damaged file raises whatever its parts raise
        raise FileFormatError(f"{path} is no readable workbook ({type(error).__name__}); save it as CSV.") from None
    if not filled:
        raise FileFormatError(f"{path} has no sheet with cells.")
    notes = [f"the sheet {filled[0].title!r}; {len(filled) - 1} more are not read"] if len(filled) > 1 else []
    width = max(len(row) for _, row in _rows(filled[0]))

    def records() -> Iterator[tuple[int, list[str]]]:
        for number, row in _rows(filled[0]):
            yield number, row + [""] * (width - len(row))

    return read_rows(path, records, hints, notes, header=header, expected=expected)


def _rows(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, up to their last cell."""
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        cells = [_cell(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield number, cells


def _cell(value: Any) -> str:
    """A cell as text that is read in one way only: never 1.060 for a number a little above 1."""
    if value is None:
        return ""
    if isinstance(value, float):
        text = repr(value)
        return f"{value:.4f}" if mark_of(text) == "?" else text
    return value.isoformat(" ") if isinstance(value, datetime.datetime) else str(value)
