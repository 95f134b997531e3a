"""Workbooks (.xlsx) as tables, by way of openpyxl: the first sheet that holds a table, with merged cells filled."""

from __future__ import annotations

import datetime
import io
import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from ..errors import FileFormatError, UnknownNameError
from .frames import optional
from .kinds import ColumnFormat
from .numerals import mark_of
from .textfile import Origin, read_rows

__all__ = ["cell_of", "read_workbook"]

_WHOLE = 2 * 2**20  # bytes of a file up to which it is read as a whole, with its merged cells
_HEADERS = 20  # rows among which the header is
Row = tuple[int, list[str]]


def read_workbook(
    path: str,
    hints: Mapping[str, ColumnFormat],
    *,
    header: bool | None = None,
    expected: Collection[str] = (),
    sheet: str | None = None,
) -> tuple[dict[str, NDArray[Any]], Origin]:
    """The columns of a sheet by name, and where they came from; its rows are counted as the spreadsheet counts them.

    Without a name it is the first sheet of two rows and two columns or more, or the first that has cells. Raises
    `UnknownNameError` for a sheet that is not there.
    """
    openpyxl = optional("openpyxl", "Reading a workbook (.xlsx)")
    try:
        with open(path, "rb") as file:
            content = file.read()
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=len(content) > _WHOLE, data_only=True)
        filled = {each.title: each for each in book.worksheets if any(True for _ in _rows(each))}
    except Exception as error:  # a damaged file raises whatever its parts raise
        raise FileFormatError(f"{path} is no readable workbook ({type(error).__name__}); save it as CSV.") from None
    if not filled:
        raise FileFormatError(f"{path} has no sheet with cells.")
    if sheet is not None and sheet not in filled:
        raise UnknownNameError(f"sheet with cells in {path}", sheet, filled)
    fitting = [name for name, each in filled.items() if _has(each, expected)] if expected else []
    tables = [name for name, each in filled.items() if _is_table(each)]
    chosen = filled[sheet or [*fitting, *tables, *filled][0]]
    others = [name for name in filled if name != chosen.title]
    notes = [f"the sheet {chosen.title!r}; not read: {', '.join(map(repr, others[:5]))}"] if others else []
    merged = _merged(chosen)
    if any(rows > 1 for rows, _ in merged.values()):
        notes.append("merged cells: each of their rows has their value")
    below = {place: value for place, (_, value) in merged.items()}
    width = max(len(row) for _, row in _rows(chosen, below))

    def records() -> Iterator[Row]:
        for number, row in _rows(chosen, below):
            yield number, row + [""] * (width - len(row))

    return read_rows(path, records, hints, notes, header=header, expected=expected)


def _is_table(sheet: Any) -> bool:
    """Whether two rows have two cells or more."""
    wide = (row for _, row in _rows(sheet) if sum(map(bool, row)) > 1)
    return next(wide, None) is not None and next(wide, None) is not None


def _has(sheet: Any, names: Collection[str]) -> bool:
    """Whether one of the first rows has these names."""
    return any({*names} <= {*map(str.strip, row)} for _, row in itertools.islice(_rows(sheet), _HEADERS))


def _merged(sheet: Any) -> dict[tuple[int, int], tuple[int, str]]:
    """Of cells that were merged with the one above, by row and column: the rows merged, and the value."""
    found = {}
    for area in getattr(getattr(sheet, "merged_cells", None), "ranges", ()):
        value = cell_of(sheet.cell(area.min_row, area.min_col).value)
        for row in range(area.min_row + 1, area.max_row + 1):
            found[row, area.min_col] = (area.max_row - area.min_row + 1, value)
    return found


def _rows(sheet: Any, below: Mapping[tuple[int, int], str] | None = None) -> Iterator[Row]:
    """The rows that are not empty, up to their last cell; `below` has the values of merged cells."""
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        cells = [cell_of(value) for value in row]
        if below and any(cells):
            cells = [cell or below.get((number, place), "") for place, cell in enumerate(cells, start=1)]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield number, cells


def cell_of(value: Any) -> str:
    """A cell as text that is read in one way only: never 1.060 for a number a little above 1."""
    if value is None:
        return ""
    if isinstance(value, float):
        text = repr(value)
        return f"{value:.4f}" if mark_of(text) == "?" else text
    return value.isoformat(" ") if isinstance(value, datetime.datetime) else str(value)
