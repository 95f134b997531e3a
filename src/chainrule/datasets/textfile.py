"""Files of rows as columns: CSV in its many forms, and sheets of a workbook. A file is read in blocks of rows."""

from __future__ import annotations

import itertools
import os
import re
import warnings
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError
from .around import Below, lines_above, lines_below
from .cells import TextColumn, unguarded
from .decoding import encoding_of, opened, refusing_damage
from .dialect import Header, checked_delimiter, delimiter_of, header_of, quote_of, reader_of
from .kinds import ColumnFormat
from .units import CURRENCIES

__all__ = ["Origin", "read_rows", "read_text"]

Record = tuple[int, list[str]]  # the line, or the row of a sheet, and its cells
_BLOCK = 4096  # rows
_SAMPLE = 65536  # characters that tell the delimiter


@dataclass(frozen=True)
class Origin:
    """Where a table came from: which row stood where, how each column is written, and what was decided in reading."""

    lines: Sequence[int] = ()  # of each row; empty where rows are simply counted
    unit: str = "row"
    written: Mapping[str, ColumnFormat] = field(default_factory=dict)
    unnamed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def at(self, row: int) -> str:
        """What errors call the row with this index: its line in the file, or its number from 1."""
        return f"{self.unit} {self.lines[row] if len(self.lines) else row + 1}"


def read_text(
    path: str,
    hints: Mapping[str, ColumnFormat],
    *,
    header: bool | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    expected: Collection[str] = (),
) -> tuple[dict[str, NDArray[Any]], Origin]:
    """The columns of a file of delimited text by name, and where they came from. See `read_table`."""
    notes: list[str] = []
    with refusing_damage(path):
        codec, guessed = encoding_of(path, encoding)
        with opened(path, codec) as file:
            sample = file.read(_SAMPLE)
    if guessed:
        words = [word for pattern in (r"\w+", r"\S+") for word in re.findall(pattern, sample) if not word.isascii()]
        shown = ", ".join(dict.fromkeys(words[:3]))
        notes.append(f"not UTF-8: read as {codec} ({shown}); where these words are wrong, pass encoding='...'")
    if len(sample) == _SAMPLE:
        sample = sample[: max(sample.rfind("\n"), sample.rfind("\r")) + 1] or sample
    below = _uncommented_lines(sample)
    chosen = delimiter_of(below, path) if delimiter is None else checked_delimiter(delimiter)
    quote = quote_of(below, chosen)
    if chosen in "| ":
        notes.append(f"cells are separated by {'pipes' if chosen == '|' else 'spaces'}")

    def records() -> Iterator[Record]:
        import csv

        with refusing_damage(path), opened(path, codec) as file:
            reader = reader_of(file, chosen, quote)
            try:
                for row in reader:
                    if row:
                        yield reader.line_num, row
            except csv.Error as error:
                closed = "a quoted cell is not closed properly"
                what = f"a cell is very long, or {closed}" if "limit" in str(error) else closed
                raise FileFormatError(f"{path}, line {reader.line_num}: {what} ({error}).") from None

    return read_rows(path, records, hints, notes, header=header, expected=expected, unit="line")


def read_rows(
    path: str,
    records: Callable[[], Iterator[Record]],
    hints: Mapping[str, ColumnFormat],
    notes: Sequence[str] = (),
    *,
    header: bool | None = None,
    expected: Collection[str] = (),
    unit: str = "row",
) -> tuple[dict[str, NDArray[Any]], Origin]:
    """The columns of rows of cells by name; `records` gives the rows anew at each call."""
    start = list(itertools.islice(records(), _BLOCK))
    if not start:
        raise FileFormatError(f"{path} is empty; its first line must name the columns.")
    notes = [*notes]
    if not any(cell.strip() for _, row in start for cell in row):
        raise FileFormatError(f"{path} holds nothing but blanks; its first line must name the columns.")
    begins = start[0][1][0]
    records, start = _inside(records, start, header, expected, notes, unit)
    first = _uncommented([unguarded(cell.strip()) for cell in start[0][1]], len(start[-1][1]))
    numbered = sum(row[0].startswith("#") and len(row) == len(first) for _, row in start[1:])  # #1, #2: names
    remarks = begins.startswith("#") and first[0] != "#" and 2 * numbered < len(start)
    found = header_of(path, first, [row for _, row in start[1:200]], header, expected)
    lines = array("q")
    below = Below(path, len(found.names), unit, remarks)
    columns = {name: TextColumn(name, hints.get(name)) for name in found.names}
    columns = _filled(path, records(), found, columns, lines, below)
    if below.left_out:
        more = f" and {len(below.left_out) - 6} more" if len(below.left_out) > 6 else ""
        notes.append(f"left out: {', '.join(below.left_out[:6])}{more}")
        if expected:
            warnings.warn(f"{os.path.basename(path)}: {notes[-1]}.", UserWarning, stacklevel=4)
    if not lines:
        raise FileFormatError(f"{path} has a header and no rows below it.")
    again = {name for name, cells in columns.items() if cells.needs_text}
    if again:
        columns |= _anew(path, records, found, hints, again)
    marks = {cells.mark for cells in columns.values()}
    assumed = "," if "," in marks else "."
    again = {name for name, cells in columns.items() if cells.needs_mark(assumed)}
    if again:
        columns |= _anew(path, records, found, hints, again)
    origin = Origin(lines, unit)
    tables: dict[str, NDArray[Any]] = {}
    written: dict[str, ColumnFormat] = {}
    for name in found.names:
        where = f"{path}: the column {name!r}"
        tables[name], written[name] = columns.pop(name).finish(assumed, origin.at, where)
    if expected:
        _warn_of_remarks(path, written)
    said = (*notes, *found.notes, *_notes(written, tables))
    return tables, Origin(lines, unit, written, found.unnamed, said)


def _uncommented_lines(sample: str) -> str:
    """The lines that are no remarks: not those that begin with #, unless most below the first ones do."""
    lines = sample.splitlines(keepends=True)
    first = next((i for i, line in enumerate(lines) if line[0] != "#"), 0)
    rest = [line for line in lines[first:] if line[0] != "#"]
    return "".join(lines[first:] if 2 * len(rest) < len(lines[first:]) else rest)


def _uncommented(names: list[str], width: int) -> list[str]:
    """Names of columns without the # with which their line may begin; where cells have spaces between, it is one.

    >>> _uncommented(["# t", "x"], 2), _uncommented(["#", "t", "x"], 2), _uncommented(["#", "name"], 2)
    (['t', 'x'], ['t', 'x'], ['#', 'name'])
    """
    if names[0] == "#" and len(names) > width:
        return names[1:]
    return [names[0].lstrip("# ") or names[0], *names[1:]] if names[0].startswith("#") else names


def _warn_of_remarks(path: str, written: Mapping[str, ColumnFormat]) -> None:
    """Tell what of a file for a model was not read as it stands."""
    for name, each in written.items():
        for remark in each.remarks:
            if "missing" in remark:
                warnings.warn(f"{os.path.basename(path)}: {name!r}: {remark}.", UserWarning, stacklevel=5)


def _inside(
    records: Callable[[], Iterator[Record]],
    start: list[Record],
    header: bool | None,
    expected: Collection[str],
    notes: list[str],
    unit: str,
) -> tuple[Callable[[], Iterator[Record]], list[Record]]:
    """The records without those that stand above the header and right below it, which a note lists."""
    rows = [row for _, row in start[:200]]
    above = lines_above(rows, expected) if header is not False else 0
    below = lines_below(rows[above + 1 :]) if header is not False else 0
    around = [*start[:above], *start[above + 1 : above + 1 + below]]
    said = [(line, text) for line, row in around if (text := " ".join(" ".join(row).split())) and text[:4] != "sep="]
    if said:
        listed = ", ".join(f"{unit} {line} ({text[:40]!r})" for line, text in said[:4])
        notes.append(f"not of the table: {listed}{f' and {len(said) - 4} more' if len(said) > 4 else ''}")
    if not around:
        return records, start
    skipped = {line for line, _ in around}
    whole = records
    return lambda: (each for each in whole() if each[0] not in skipped), [s for s in start if s[0] not in skipped]


def _anew(
    path: str,
    records: Callable[[], Iterator[Record]],
    found: Header,
    hints: Mapping[str, ColumnFormat],
    names: set[str],
) -> dict[str, TextColumn]:
    return _filled(path, records(), found, {name: TextColumn(name, hints.get(name), as_text=True) for name in names})


def _filled(
    path: str,
    records: Iterator[Record],
    found: Header,
    columns: dict[str, TextColumn],
    lines: array[int] | None = None,
    below: Below | None = None,
) -> dict[str, TextColumn]:
    """Add all rows to the columns, a block at a time."""
    if found.is_a_line:
        next(records)
    places = [(index, columns[name]) for index, name in enumerate(found.names) if name in columns]
    rows = (below or Below(path, len(found.names))).rows(_trimmed(records, found))
    while block := list(itertools.islice(rows, _BLOCK)):
        for index, cells in places:
            cells.add([row[index] for _, row in block])
        if lines is not None:
            lines.extend(line for line, _ in block)
    return columns


def _trimmed(records: Iterator[Record], found: Header) -> Iterator[Record]:
    """The records without the empty cells at their ends that the header has not."""
    if not found.trailing:
        return records
    width = len(found.names)

    def trimmed(row: list[str]) -> list[str]:
        while len(row) > width and not row[-1].strip():
            row.pop()
        return row

    return ((line, trimmed(row)) for line, row in records)


def _notes(written: Mapping[str, ColumnFormat], columns: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    """What was decided about the columns, a line for each kind."""

    def listed(names: Sequence[str]) -> str:
        return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")

    def those(test: Callable[[ColumnFormat], bool]) -> list[str]:
        return [name for name, each in written.items() if test(each)]

    if commas := those(lambda w: w.kind == "number" and w.mark == ","):
        yield f"decimal commas in {listed(commas)}: 1.234,5 is 1234.5"
    for name in those(lambda w: w.kind == "number" and not w.certain and bool(w.mark)):
        yield f"{name}: every number could be read in two ways; the decimal mark was taken to be {written[name].mark!r}"
    if percent := those(lambda w: w.unit == "%"):
        yield f"percent in {listed(percent)}: 10% is 10"
    codes = {*CURRENCIES.values()}
    if money := those(lambda w: w.unit in codes):
        yield f"amounts of money in {listed(money)}: read as numbers ({', '.join({written[n].unit: 0 for n in money})})"
    if units := those(lambda w: w.unit not in (codes | {"", "%"}) and not w.names):
        yield f"units: {listed([f'{name} in {written[name].unit}' for name in units])}"
    for name in those(lambda w: w.kind == "number" and bool(w.names)):
        into = written[name].unit or "plain numbers"
        yield f"{name}: {', '.join(written[name].names)} made into {into}"
    for kind, what in (("time", "times of the day"), ("duration", "durations")):
        if times := those(lambda w, kind=kind: w.kind == kind):  # type: ignore[misc]
            yield f"{what} in {listed(times)}: made into hours"
    for name in those(lambda w: w.kind == "tick" and bool(w.names)):
        yield f"{name}: {written[name].names[1]!r} or empty is read as yes or no"
    for name, each in written.items():
        yield from (f"{name}: {remark}" for remark in each.remarks)
    for name in those(lambda w: w.kind == "date"):
        order = {"ymd": "year, month, day", "dmy": "day, month, year", "mdy": "month, day, year"}[written[name].mark]
        unsure = "" if written[name].certain else "; no cell shows which of day and month comes first"
        days = columns[name][~np.isnat(columns[name])].astype("datetime64[D]")
        yield f"{name}: dates from {days.min()} to {days.max()}, written {order}{unsure}"
    for name in those(lambda w: bool(w.why)):
        yield f"{name}: kept as text ({written[name].why})"
    for name in those(lambda w: w.kind == "truth" and not w.certain):
        no, yes = written[name].names
        yield f"{name}: read as {yes} or {no}, whatever the spelling"
    for name in those(lambda w: w.kind == "text" and bool(w.names)):
        yield f"{name}: {', '.join(map(repr, written[name].names))} is too frequent to be missing: a category"
