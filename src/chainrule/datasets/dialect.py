"""How a file of text separates its cells, and whether its first line names the columns."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, FileFormatError
from .dates import order_of
from .kinds import kind_of
from .numerals import read_number
from .vocabulary import MISSING

if TYPE_CHECKING:
    from _csv import Reader

__all__ = [
    "Header",
    "checked_delimiter",
    "delimiter_of",
    "header_of",
    "is_header",
    "is_value",
    "quote_of",
    "reader_of",
    "refuse_ragged",
]

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes", " ": "spaces"}
_SAMPLE = 100  # records that tell the delimiter
_ROWS = ("number", "time", "duration")  # kinds of columns whose cells are no names
_LISTING = re.compile(r"(?<!\d),|,(?!\d)")  # a comma that is no decimal mark
_NUMBERED = re.compile(r"column_\d+")


def reader_of(lines: Iterable[str], delimiter: str, quote: str = '"') -> Reader:
    """Records of cells; a run of spaces is one delimiter."""
    if delimiter == " ":
        lines = (line.replace("\t", " ").strip() + "\n" for line in lines)
    return csv.reader(lines, delimiter=delimiter, quotechar=quote, skipinitialspace=True, strict=True)


def quote_of(sample: str, delimiter: str) -> str:
    """What stands around cells of text: apostrophes where some cell of every line has them, else quotation marks.

    >>> quote_of("'a','b'\\n'1','x, y'\\n", ","), quote_of("a,b\\n1,it's\\n", ",")
    ("'", '"')
    """
    if "'" not in sample or '"' in sample or delimiter == " ":
        return '"'
    mark = re.escape(delimiter)
    quoted = re.compile(rf"(?:^|{mark})\s*'(?:[^']|'')*'\s*(?={mark}|$)")
    lines = [line for line in sample.splitlines()[1:_SAMPLE] if line.strip()]
    if not lines or not all(map(quoted.search, lines)):
        return '"'
    with contextlib.suppress(csv.Error):
        if len({len(row) for row in reader_of(lines, delimiter, "'")}) == 1:
            return "'"
    return '"'


def delimiter_of(sample: str, path: str) -> str:
    """The delimiter that gives most records as many cells as the first has; spaces where no other gives any.

    >>> delimiter_of("a;b\\n1,5;2,5\\n", "x.csv"), delimiter_of("a|note\\n1|x, y\\n", "x.csv")
    (';', '|')
    >>> delimiter_of("1,5;2,5;a\\n3,5;4,5;b\\n", "x.csv"), delimiter_of("1,5;2\\n3,5;4\\n", "x.csv")
    (';', ';')
    """
    if path.removesuffix(".gz").endswith(".tsv"):
        return "\t"
    if sample[:4].lower() == "sep=" and sample[4:5] in _DELIMITERS:  # as spreadsheets write it
        return sample[4]

    def widths(delimiter: str) -> list[int]:
        records: list[int] = []
        with contextlib.suppress(csv.Error):  # told with its line when the file is read
            for record in itertools.islice(reader_of(io.StringIO(sample, newline=""), delimiter), _SAMPLE):
                records += [len(record)] if record else []
        return records or [0]

    def agreement(delimiter: str) -> tuple[float, int]:
        first, *others = widths(delimiter)
        same = sum(width in (first, first + 1) for width in others)
        return (same / max(1, len(others)) if first > 1 else 0.0), first

    def below_titles(delimiter: str) -> tuple[float, int]:
        found = widths(delimiter)
        usual = max(found, key=found.count)
        return (found.count(usual) / len(found) if usual > 1 else 0.0), usual

    marks = {delimiter: agreement(delimiter) for delimiter in ",;\t|"}
    best = max(marks, key=lambda delimiter: marks[delimiter])
    if best == "," and marks[";"][0] >= marks[","][0] and not _LISTING.search(sample):  # 1,5;2,5
        best = ";"
    if marks[best][0] >= 0.5:
        return best
    if agreement(" ")[0] > max(0.9, marks[best][0]):
        return " "
    titled = max(",;\t|", key=below_titles)
    return titled if below_titles(titled)[0] >= 0.5 else best


def checked_delimiter(given: str) -> str:
    """The delimiter that a user named. Raises `ConfigurationError` for what is none."""
    named = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "space": " "}.get(given, given)
    if named not in _DELIMITERS:
        raise ConfigurationError(f'delimiter must be "," ";" "|" tab or space, not {given!r}.')
    return named


@dataclass(frozen=True)
class Header:
    """Names of the columns, how many lines they took, and what was decided about them."""

    names: tuple[str, ...]
    is_a_line: bool
    trailing: bool = False  # rows have more cells than there are names, empty ones at the end
    unnamed: tuple[str, ...] = ()  # names given to columns that had none
    notes: tuple[str, ...] = ()


def header_of(
    path: str, first: Sequence[str], rows: Sequence[Sequence[str]], given: bool | None, expected: Collection[str] = ()
) -> Header:
    """What the first record is; `given` is what the user says of it, `expected` names that a model asks for."""
    notes: list[str] = []
    ends = _empty_ends([first, *rows])
    if ends:
        first, rows = first[:-ends], [row[:-ends] for row in rows]
        notes.append("every line ends in a delimiter: the empty last cells are left out")
    is_a_line = is_header(first, rows, expected) if given is None else given
    if not is_a_line:
        names = tuple(f"column_{i}" for i in range(1, len(first) + 1))
        if given is None and not expected:
            notes.append(
                f"no header: line 1 is a row like the others; the columns are {names[0]} to {names[-1]} "
                "(header=True if it names them)"
            )
        return Header(names, False, ends > 0, notes=tuple(notes))
    given_names = list(first)
    trailing = bool(rows) and len(first) > 1 and all(len(row) == len(first) + 1 and not row[-1].strip() for row in rows)
    if trailing:
        notes.append("every row ends in a delimiter that the header has not: the empty last cells are left out")
    elif rows and all(len(row) == len(first) + 1 for row in rows):
        given_names.insert(0, "")
        notes.append("every row has one cell more than the header: the first cells are taken as names of the rows")
    names, unnamed = _different(given_names, notes)
    return Header(names, True, trailing or ends > 0, unnamed, tuple(notes))


def _empty_ends(rows: Sequence[Sequence[str]]) -> int:
    """How many of the last cells are empty in every row, where all are of one length."""
    widths = {len(row) for row in rows}
    if len(rows) < 2 or len(widths) > 1:
        return 0
    ends = (i for i in range(1, widths.pop()) if any(row[-i].strip() for row in rows))
    return next(ends, 1) - 1


def is_header(first: Sequence[str], rows: Sequence[Sequence[str]], expected: Collection[str]) -> bool:
    """Names rather than a row: text above numbers; a row: numbers that are no count, or words that come back below."""
    if expected:
        return not all(map(_NUMBERED.fullmatch, expected)) or not {*expected}.isdisjoint(first)
    columns = [[row[i].strip() for row in rows if i < len(row)] for i in range(len(first))]
    words, values, again = 0, [], 0
    for cell, cells in zip(first, columns, strict=True):
        below = {*cells} - MISSING
        if is_value(cell) or _is_as_those(cell, below):
            values.append(cell)
        elif cell not in MISSING:
            if below and 10 * sum(map(is_value, below)) >= 9 * len(below):
                return True
            words, again = words + 1, again + (cell in below)
    if len(rows) > 1 and words and 2 * again >= words:
        return False
    return not values or _is_count(values)


def is_value(cell: str) -> bool:
    """Whether a cell is a number or a date, and no name."""
    cell = cell.strip()
    return any(read_number(cell, mark) is not None for mark in ".,") or order_of([cell]) is not None


def _is_as_those(cell: str, below: set[str]) -> bool:
    """Whether a cell is a time, a duration or an amount with a unit, as all those below it are.

    >>> _is_as_those("10:30", {"11:45", "12:00"}), _is_as_those("10:30", {"4", "5"}), _is_as_those("age", {"old"})
    (True, False, False)
    """
    kind = kind_of({cell}, None, ".", False, None).kind
    return bool(below) and kind in _ROWS and kind_of({cell, *below}, None, ".", False, None).kind == kind


def _is_count(values: Sequence[str]) -> bool:
    """Whether numbers can be names: 0, 1, 2, … or years."""
    if not all(value.isdecimal() and len(value) < 19 for value in values):
        return False
    whole = [int(value) for value in values]
    years = len({*whole}) == len(whole) and all(1800 <= value <= 2200 for value in whole)
    return years or (whole[0] in (0, 1) and whole == [*range(whole[0], whole[0] + len(whole))])


def _different(given: Sequence[str], notes: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names that are not empty and stand once each, and those among them that had none."""
    names: list[str] = []
    unnamed: list[str] = []
    places: dict[str, list[int]] = {}
    for position, name in enumerate(given, start=1):
        if not name:
            name = next(n for n in _numbered(f"column_{position}") if n not in (*names, *given))  # noqa: PLW2901
            unnamed.append(name)
        else:
            places.setdefault(name, []).append(position)
            if name in names:
                name = next(n for n in _numbered(name) if n not in (*names, *given))  # noqa: PLW2901
        names.append(name)
    twice = {name: positions for name, positions in places.items() if len(positions) > 1}
    if twice:
        listed = ", ".join(f"columns {' and '.join(map(str, at))} are named {name!r}" for name, at in twice.items())
        renamed = ", ".join(names[position - 1] for positions in twice.values() for position in positions[1:])
        notes.append(f"{listed}: the later ones are now {renamed}")
    return tuple(names), tuple(unnamed)


def _numbered(name: str) -> Iterator[str]:
    yield from itertools.chain([name] if _NUMBERED.fullmatch(name) else [], (f"{name}_{i}" for i in itertools.count(2)))


def refuse_ragged(path: str, line: int, cells: int, header: int) -> None:
    """Raise for a row of another length than the header."""
    count = f"{cells} cell" if cells == 1 else f"{cells} cells"
    raise FileFormatError(f"{path}, line {line}: {count} where the header has {header}.")
