"""A column of text becomes numbers, dates, truths or text: what all of its cells are.

Cells arrive in blocks. Blocks of plain numbers are kept as floats at once; of the others each different text is kept
once, and decided on at the end.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dates import dates_of, whole_numbers_as_dates
from .kinds import ColumnFormat, as_number, kind_of
from .numerals import is_code, notation_of
from .strays import refuse_strays, with_stand_ins, without_strays
from .vocabulary import MISSING, OFTEN_WORDS, TRUTHS

__all__ = ["TextColumn", "unguarded"]

_OFTEN = 0.1  # of the rows
_MANY = 20_000  # different texts in a column, beyond which numbers among them are turned into floats at once
_NOT_PLAIN = re.compile(r"_|^\s*[+-]?0\d|^\s*[+-]?\d{16,}\s*$|^\s*\+\d{8,15}\s*$|^\s*\d\d+[eE]\d", re.MULTILINE)
_SHOWS_POINT = re.compile(r"\.(?!\d{3}\s*$)|\d{4}\.|^\s*[+-]?0?\.|[eE]", re.MULTILINE)
_GUARDED = re.compile(r"'(?:['\s]*[=+\-@＝＋－＠]|'*[\t\r\n])")


def unguarded(cell: str) -> str:
    """Text without the apostrophe that `to_csv` puts before what a spreadsheet would run."""
    return cell[1:] if _GUARDED.match(cell) else cell


class TextColumn:
    """The cells of one column, added in blocks."""

    def __init__(self, name: str, hint: ColumnFormat | None = None, as_text: bool = False) -> None:
        self.name, self.hint, self.as_text = name, hint, as_text
        self.blocks: list[NDArray[Any]] = []
        self.words: dict[str, str] = {}
        self.plain = self.worded = self.has_point = self.shows_point = False
        self.turned: ColumnFormat | None = None  # what the texts so far were turned into

    def add(self, cells: Sequence[str]) -> None:
        """A block of cells as they stand in the file."""
        floats = None if self.as_text or (self.hint and self.hint.kind == "text") else self._plain(cells)
        if floats is not None:
            self.plain = True
            self.blocks.append(floats)
            return
        block = np.empty(len(cells), dtype=object)
        block[:] = [self.words.setdefault(cell, cell) for cell in map(str.strip, cells)]
        self.worded = True
        self.blocks.append(block)
        if len(self.words) > _MANY and not self.plain:
            self._turn()

    def _plain(self, cells: Sequence[str]) -> NDArray[np.float64] | None:
        joined = "\n".join(cells)
        if _NOT_PLAIN.search(joined) and (not self.hint or "_" in joined):
            return None
        if self.turned or (self.hint and self.hint.mark == "," and "." in joined):
            return None
        try:
            values = np.array(list(map(float, cells)))
        except ValueError:
            try:
                values = np.array([math.nan if cell.strip() in MISSING else float(cell) for cell in cells])
            except ValueError:
                return None
        self.has_point = self.has_point or "." in joined
        self.shows_point = self.shows_point or (self.has_point and _SHOWS_POINT.search(joined) is not None)
        return values

    @property
    def _unit(self) -> str | None:
        """The unit that numbers are read in, where it is known already."""
        known = self.turned or self.hint
        return (known.unit or None) if known is not None and known.kind == "number" else None

    def _turn(self) -> None:
        """Turn many different texts that are numbers into floats, so that they are not kept one by one."""
        notation = notation_of({*self.words} - MISSING, unit=self._unit)
        written = self.turned or (notation and notation.certain and ColumnFormat.of(notation))
        if not written or (notation and (notation.mark, notation.unit) != (written.mark, written.unit)):
            return
        if any(is_code(word) for word in self.words) or notation is None:
            return
        self.turned = written
        self.blocks = [self._floats(block, written) if block.dtype == object else block for block in self.blocks]
        self.words = {}

    def _floats(
        self, block: NDArray[Any], written: ColumnFormat, words: Collection[str] | None = None
    ) -> NDArray[np.float64]:
        """A block as numbers; what is not among the `words` is missing."""
        nothing = 0.0 if written.kind == "tick" else math.nan
        present = {*block.tolist()} - MISSING
        known: dict[str, float] = dict.fromkeys(MISSING | present, nothing)
        for word in present if words is None else present & {*words}:
            known[word] = as_number(word, written)
        return np.array([known[word] for word in block.tolist()], dtype=np.float64)

    @property
    def needs_text(self) -> bool:
        """Whether the column must be read again as text: some of its blocks are numbers and others are not."""
        if self.turned:
            return bool(self.words) and not self._agrees()
        return self.plain and self.worded

    def _agrees(self) -> bool:
        written, words = self.turned, {*self.words} - MISSING
        if written is None or any(map(is_code, words)):
            return False
        notation = notation_of(words, written.mark, written.unit or None)
        return not words or (notation is not None and (notation.mark, notation.unit) == (written.mark, written.unit))

    @property
    def mark(self) -> str:
        """The decimal mark that the cells show, "" where they show none."""
        if self.turned:
            return self.turned.mark
        if self.plain and not self.worded:
            return "." if self.shows_point else ""
        notation = notation_of({*self.words} - MISSING, unit=self._unit)
        return notation.mark if notation and notation.certain and notation.grouped else ""

    def needs_mark(self, assumed: str) -> bool:
        """Whether plain numbers such as 1.060 are thousands in a file that writes decimal commas."""
        return assumed == "," and self.plain and not self.worded and self.has_point and not self.shows_point

    def finish(self, assumed: str, at: Callable[[int], str], where: str) -> tuple[NDArray[Any], ColumnFormat]:
        """The column, and how it was written. Raises `DataError` for a few texts among numbers."""
        if self.plain and not self.worded:
            return self._plain_column()
        if self.turned:
            turned = self.turned
            blocks = [self._floats(block, turned) if block.dtype == object else block for block in self.blocks]
            return np.concatenate(blocks), turned
        column = np.concatenate(self.blocks)
        words = {*self.words} - MISSING

        def kind(words: set[str]) -> ColumnFormat:
            gaps = {*self.words} - words == {""}
            return kind_of(words, self.hint, assumed, gaps, self._unit)

        written = kind(words)
        free = self.hint is None or self.hint.kind != "text"
        if written.kind == "text" and free:
            written, words = with_stand_ins(column, words, written, kind)
        if self.hint is not None and free and written.kind == "text":
            written, words = without_strays(column, words, written, self.hint, at, kind)
        if written.kind == "text":
            if free:
                refuse_strays(column, words, at, where)
            return self._text(column, words, written)
        if written.kind == "truth":
            written = replace(written, names=self._truth_names(words))
        if written.kind == "date":
            return dates_of([word if word in words else None for word in column.tolist()], written.mark), written
        return self._floats(column, written, words), written

    def _plain_column(self) -> tuple[NDArray[Any], ColumnFormat]:
        """Numbers; or days, where they are written 20210305; or ticks, where all that are there are 1."""
        values = np.concatenate(self.blocks)
        if self.hint is None or self.hint.kind == "date":
            days = whole_numbers_as_dates(values)
            if days is not None:
                return days, ColumnFormat("date", "ymd")
        gaps = np.isnan(values)
        if self.hint is not None and self.hint.kind == "tick":
            return np.where(gaps, 0.0, values), self.hint
        if self.hint is None and gaps.any() and not gaps.all() and (values[~gaps] == 1).all():
            return np.where(gaps, 0.0, values), ColumnFormat("tick", names=("", "1"))
        return values, ColumnFormat("number")

    def _text(self, column: NDArray[Any], words: set[str], written: ColumnFormat) -> tuple[NDArray[Any], ColumnFormat]:
        often: set[str] = set()
        present = OFTEN_WORDS & self.words.keys()
        if present and words and not written.known:
            counts = Counter(word for word in column.tolist() if word in present)
            often = {word for word, count in counts.items() if count >= _OFTEN * len(column)}
        missing = MISSING - written.known - often
        spelt = {word: None if word in missing else unguarded(word.strip("\0")) for word in self.words}
        result = np.empty(len(column), dtype=object)
        result[:] = [spelt[word] for word in column.tolist()]
        return result, ColumnFormat("text", names=tuple(sorted(often)), why=written.why)

    def _truth_names(self, words: set[str]) -> tuple[str, ...]:
        """How no and yes are spelt: as in the file where each has one spelling, else the most frequent one in small."""
        counts = Counter(word for block in self.blocks for word in block.tolist() if word in words)
        names = []
        for truth, default in ((0.0, "no"), (1.0, "yes")):
            spelt = Counter({word: n for word, n in counts.items() if TRUTHS[word.lower()] == truth})
            small = Counter[str]()
            for word, n in spelt.items():
                small[word.lower()] += n
            words_only = [word for word, _ in small.most_common() if word not in ("0", "1")]
            names.append(next(iter(spelt)) if len(spelt) == 1 else (words_only or [default])[0])
        return tuple(names)
