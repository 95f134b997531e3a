"""What stands around a table in its file: titles, a second line of the header, units below it, totals and sources."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from .dialect import is_header, is_value, refuse_ragged
from .vocabulary import MISSING

__all__ = ["Below", "lines_above", "lines_below"]

_TITLES = 20  # lines above the header at most
_RULE = re.compile(r"[\s\-=:+_|]*")
_TOTALS = frozenset(
    [
        "total",
        "totals",
        "sum",
        "subtotal",
        "average",
        "avg",
        "mean",
        "celkem",
        "součet",
        "průměr",
        "summe",
        "gesamt",
        "insgesamt",
        "mittelwert",
        "moyenne",
        "totale",
        "somme",
        "suma",
        "razem",
        "średnia",
        "totaal",
        "promedio",
        "media",
        "média",
        "итого",
        "σ",
    ]
) | {"grand total", "sub total", "sub-total"}
_FEW = 3  # lines of totals
_LABELS = 3  # lines below the header that say more of the columns, at most
Record = tuple[int, list[str]]


def lines_above(rows: Sequence[Sequence[str]], expected: Collection[str]) -> int:
    """How many of the first rows stand above the header: titles, remarks, and names of groups of columns.

    >>> lines_above([["Sales 2023"], ["region", "units", "price"], ["N", "1", "2"], ["S", "3", "4"]], ())
    1
    >>> lines_above([["Size", "", "Result"], ["width", "height", "class"], ["1", "2", "a"], ["3", "4", "b"]], ())
    1
    """
    known = {*expected}
    named = [len(known & {cell.strip() for cell in row}) for row in rows[:_TITLES]]
    if known and 2 * max(named) >= len(known):
        return named.index(max(named))
    above = _remarks(rows)
    if above:
        return above
    width = Counter(map(len, rows)).most_common(1)[0][0]
    while above < min(_TITLES, len(rows) - 1) and _is_title(rows[above], rows[above + 1 :], width):
        above += 1
    return above


def _remarks(rows: Sequence[Sequence[str]]) -> int:
    """How many of the first rows begin with # and do not name the columns: the last of them may."""
    count = next((i for i, row in enumerate(rows) if not row[0].startswith("#")), 0)
    if not count:
        return 0
    row, last = rows[count], rows[count - 1]
    numbered = len(last) == len(row) and any(map(_goes_on, row, next(iter(rows[count + 1 :]), [])))
    named = not numbered and not all(map(is_value, row)) and is_header(row, rows[count + 1 :], ())
    if last[0] == "#" and len(last) == len(row) and any(map(is_value, row)):  # a column named so
        return count - 1
    return count if named or len(row) not in (len(last), len(last) - (last[0] == "#")) else count - 1


def _goes_on(cell: str, below: str) -> bool:
    """Whether rows are numbered, or years: the one below has the same whole number, or the next."""
    whole = all(one.isdecimal() and len(one) < 19 for one in (cell, below))
    return whole and abs(int(below) - int(cell)) <= 1


def _is_title(row: Sequence[str], rest: Sequence[Sequence[str]], width: int) -> bool:
    cells = [cell.strip() for cell in row]
    filled = [cell for cell in cells if cell]
    if filled and (filled[0].lower().startswith("sep=") or (len(cells) < width and filled[0][0] == "#")):
        return True
    if width >= 3 and len(filled) <= 1:
        return True
    if width > 3 and 2 * len(filled) <= width and _names_follow(rest, width):
        return True
    following = [cell.strip() for cell in rest[0]]
    names = len(following) == width and all(following) and not any(map(is_value, following))
    if not names or len(rest) < 2 or any(map(is_value, filled)):
        return False
    grouped = len(cells) == width and len(filled) < width
    return (grouped or len(cells) < width) and is_header(following, rest[1:], ())


def _names_follow(rest: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the first of some rows in which every cell is filled names the columns, a few lines below."""
    full = (i for i, row in enumerate(rest[:_TITLES]) if len(row) == width and all(map(str.strip, row)))
    at = next(full, len(rest))
    return at + 1 < len(rest) and not any(map(is_value, rest[at])) and is_header(rest[at], rest[at + 1 :], ())


def lines_below(rows: Sequence[Sequence[str]]) -> int:
    """How many of the rows below the header are none of the table: a ruled line, units.

    >>> lines_below([["---", "---"], ["m", "°C"], ["1.5", "20"], ["2.5", "21"], ["3.5", "22"]])
    2
    """
    below = 0
    while below < len(rows) and any(cell.count("-") + cell.count("=") > 1 for cell in rows[below]):
        if not all(map(_RULE.fullmatch, rows[below])):
            break
        below += 1
    counts = (n for n in range(_LABELS, 0, -1) if len(rows) > below + n)
    return below + next((n for n in counts if _are_labels(rows[below : below + n], rows[below + n :])), 0)


def _are_labels(rows: Sequence[Sequence[str]], rest: Sequence[Sequence[str]]) -> bool:
    """Units, or questions in full: words in columns of numbers, in each of these rows."""
    return all(_is_label(row, rest) for row in rows)


def _is_label(row: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    if len(rest) < 3 or len(row) < 2 or any(map(is_value, row)) or any(len(other) != len(row) for other in rest):
        return False
    words = alone = 0
    for i, cell in enumerate(map(str.strip, row)):
        below = {other[i].strip() for other in rest} - MISSING
        if below and all(map(is_value, below)):
            words += cell not in MISSING
        elif cell not in MISSING and cell in below:
            return False
        else:
            alone += cell not in MISSING and not below  # nothing else stands in its column
    return words > (alone > 0)


def _is_remark(cell: str) -> bool:
    """Words, or a line drawn, rather than the first cell of a row that was cut short."""
    return not is_value(cell) and (" " in cell or cell.endswith(":") or _RULE.fullmatch(cell) is not None)


def _is_sentence(cell: str) -> bool:
    """Whether a cell is a remark beyond doubt, though it stands in a row as long as the others."""
    return _is_remark(cell) and (":" in cell or cell[0] in "*#(©†" or len(cell.split()) > 3)


class Below:
    """Rows of one width, without what stands below the table and without remarks; `left_out` has what was there.

    `remarks` says that lines which begin with # stood above the table: then they are none of it elsewhere either.
    """

    def __init__(self, path: str, width: int, unit: str = "line", remarks: bool = False) -> None:
        self.path, self.width, self.unit, self.remarks = path, width, unit, remarks
        self.left_out: list[str] = []
        self._waiting: list[tuple[str, Record]] = []
        self._rows = 0  # that came so far
        self._totals = False  # whether a total stood inside the table: then it is a name like others

    def kind(self, row: list[str]) -> str:
        """ "blank", "remark", "padded" or "total" where a row may stand below the table, else ""."""
        if self.width < 2 or (len(row) == self.width and row[-1] and row[0] and row[0][0].lower() not in _INITIALS):
            return ""
        filled = [cell.strip() for cell in row if cell.strip()]
        if not filled:
            return "blank" if len(row) == self.width else "remark"
        if len(row) != self.width:
            return "remark" if len(filled) == 1 and _is_remark(filled[0]) else ""
        if self.width > 2 and len(filled) == 1 and row[0].strip() and _is_sentence(filled[0]):
            return "padded"
        return "" if self._totals or filled[0].lower().rstrip(":") not in _TOTALS else "total"

    def rows(self, records: Iterator[Record]) -> Iterator[Record]:
        """The rows of the table. Raises `FileFormatError` for one of another width."""
        for line, row in records:
            if row[0][:1] == "#" and (self.remarks or (len(row) == 1 < self.width)):
                self.left_out.append(f"{self.unit} {line}, {' '.join(' '.join(row).split())[:40]!r}")
                continue
            kind = self.kind(row)
            if kind:
                self._waiting.append((kind, (line, row)))
                continue
            if len(row) != self.width:
                refuse_ragged(self.path, line, len(row), self.width)
            yield from self._inside()
            self._rows += 1
            yield line, row
        totals = sum(kind == "total" for kind, _ in self._waiting)
        if totals > min(_FEW, self._rows / 3):
            yield from self._inside()
        for kind, (line, row) in self._waiting:
            text = " ".join(" ".join(row).split())
            if kind != "blank" and text:
                self.left_out.append(f"{self.unit} {line} below the table, {text[:40]!r}")

    def _inside(self) -> Iterator[Record]:
        for kind, (line, row) in self._waiting:
            if kind == "remark":
                refuse_ragged(self.path, line, len(row), self.width)
            self._totals = self._totals or kind == "total"
            yield line, row
        self._waiting.clear()


_INITIALS = {word[0] for word in _TOTALS} | {" "}
