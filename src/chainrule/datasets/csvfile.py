"""CSV: tables as text, and files as columns, whose kinds follow from all of their cells.

A spreadsheet runs a cell that begins with =, +, -, @, a tab or the end of a line. Written text of that kind gets an
apostrophe in front, as does text that begins with apostrophes and then so; reading takes one apostrophe off again.
Numbers stay as they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, FileFormatError

if TYPE_CHECKING:
    from _csv import Reader

__all__ = ["MISSING", "read_csv", "to_csv"]

_RUNS = r"['\s]*[=+\-@＝＋－＠]|'*[\t\r\n]"  # the wide signs are those of East Asian keyboards
_GUARDED, _RUNNABLE = re.compile(f"'(?:{_RUNS})"), re.compile(_RUNS)
_QUOTED = re.compile(r"""[",;\t\r\n]|^[\s\ufeff]|\s$""")

MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"})


def to_csv(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """A table as CSV: a line of names, then one line for each row; what a row does not have is an empty cell.

    >>> print(to_csv(["who", "score"], [{"who": "=1+1", "score": -0.5}, {"who": "Ann"}]), end="")
    who,score
    '=1+1,-0.5
    Ann,
    """
    lines = [map(_cell, names), *([_cell(row.get(name)) for name in names] for row in rows)]
    return "".join((",".join(line) or '""') + "\n" for line in lines)  # an empty line would be no row


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Real):
        return str(value)  # NumPy's floats too come back bit for bit
    text = str(value)
    text = f"'{text}" if _RUNNABLE.match(text) else text
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _unguarded(cell: str) -> str:
    return cell[1:] if _GUARDED.match(cell) else cell


def read_csv(path: str, text: Collection[str] = ()) -> dict[str, NDArray[Any]]:
    """The columns of a CSV file by name; those in `text` stay text. See `read_table`."""
    content = _decoded(path)
    delimiter = "\t" if path.removesuffix(".gz").endswith(".tsv") else _delimiter(content)
    reader = _reader_of(content, delimiter)
    records = _records(path, reader)
    header = [_unguarded(name.strip()) for name in next(records, [])]
    if not header:
        raise FileFormatError(f"{path} is empty; its first line must name the columns.")
    _check_header(path, header, reader.line_num)
    rows = []
    for row in records:
        if len(row) != len(header):
            raise FileFormatError(
                f"{path}, line {reader.line_num}: {_cells(len(row))} where the header has {len(header)}."
            )
        rows.append(row)
    while rows and len(header) > 1 and not any(cell.strip() for cell in rows[-1]):
        rows.pop()  # spreadsheets end a file with lines of delimiters
    if not rows:
        raise FileFormatError(f"{path} has a header and no rows below it.")
    columns = zip(*rows, strict=True)
    return {
        name: _column(cells, f"{path}: the column {name!r}", text=name in text, comma=delimiter == ";")
        for name, cells in zip(header, columns, strict=True)
    }


def _decoded(path: str) -> str:
    import gzip
    import zlib

    try:
        with open(path, "rb") as file:
            content = file.read()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise FileFormatError(f"{path}, line {line}: not UTF-8; save the table as CSV in UTF-8.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise FileFormatError(f"{path}: the compressed file is damaged or cut short.") from None
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from None


def _reader_of(content: str, delimiter: str) -> Reader:
    import csv
    import io

    return csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)


def _records(path: str, reader: Reader) -> Iterator[list[str]]:
    """The lines that are not blank."""
    import csv

    try:
        yield from filter(None, reader)
    except csv.Error as error:
        raise FileFormatError(
            f"{path}, line {reader.line_num}: a quoted cell is not closed properly ({error})."
        ) from None


def _delimiter(content: str) -> str:
    """The one of , ; and tab that gives the header the most cells."""
    import csv

    def cells(delimiter: str) -> int:
        try:
            return len(next(filter(None, _reader_of(content, delimiter)), []))
        except csv.Error:
            return 0

    return max(",;\t", key=cells)


def _check_header(path: str, header: list[str], line: int) -> None:
    numbers = [name for name in header if _number(name) is not None]
    counted = [str(i + int(float(numbers[0]))) for i in range(len(numbers))] if numbers else []
    if 2 * len(numbers) >= len(header) and (numbers != counted or numbers[0] not in ("0", "1")):
        raise FileFormatError(
            f"{path}, line {line}: {numbers[0]!r} is a number where the header must name the columns; add a header."
        )
    seen: set[str] = set()
    for position, name in enumerate(header, start=1):
        if not name:
            raise FileFormatError(
                f"{path}, line {line}: column {position} has no name; name it, or leave row numbers out on writing."
            )
        if name in seen:
            raise FileFormatError(f"{path}, line {line}: two columns are named {name!r}; rename one.")
        seen.add(name)


def _cells(count: int) -> str:
    return f"{count} cell" if count == 1 else f"{count} cells"


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return None if "_" in cell or not math.isfinite(value) else value


def _refuse_stray_text(cells: Sequence[str], where: str) -> None:
    """Raises where nine of ten cells or more are numbers: the others are mistakes rather than names."""
    present = [(row, cell) for row, cell in enumerate(cells, start=1) if cell not in MISSING]
    strays = [(row, cell) for row, cell in present if _number(cell) is None]
    if 10 * len(strays) <= len(present):
        row, cell = strays[0]
        name = where.rpartition("the column ")[2]
        raise DataError(
            f"{where}: text where numbers belong, {cell!r} in row {row} ({len(strays)} of {len(present)} cells); "
            f"write a number there, or NA where it is missing. Where the numbers are names, pass text=[{name}]."
        )


def _column(cells: Sequence[str], where: str, *, text: bool, comma: bool) -> NDArray[Any]:
    """Numbers, numbers with decimal commas (in files with semicolons), true and false, or text: what every cell is."""
    numbers = None if text else _numbers(cells)
    if numbers is None and comma and not text:
        numbers = _numbers([cell.replace(",", ".") if cell.count(",") == 1 else cell for cell in cells])
    if numbers is not None:
        return numbers
    stripped = [cell.strip() for cell in cells]
    if not text and {cell.lower() for cell in set(stripped) - MISSING} <= {"true", "false"}:
        return np.array([math.nan if cell in MISSING else float(cell.lower() == "true") for cell in stripped])
    if not text:
        _refuse_stray_text(stripped, where)
    column = np.empty(len(stripped), dtype=object)
    column[:] = [None if cell in MISSING else _unguarded(cell) for cell in stripped]
    return column


def _numbers(cells: Sequence[str]) -> NDArray[np.float64] | None:
    if "_" in "".join(cells):
        return None  # Python reads 1_000 as a number, tables do not
    try:
        return np.array(list(map(float, cells)))
    except ValueError:
        pass
    try:
        return np.array([math.nan if cell.strip() in MISSING else float(cell) for cell in cells])
    except ValueError:
        return None
