"""A column of text becomes numbers, dates, truths or text: what all of its cells are.

Cells arrive in blocks. Blocks of plain numbers are kept as floats at once; of the others each different text is kept
once, and decided on at the end.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .dates import dates_of, duration_of, hours_of, order_of, whole_numbers_as_dates
from .numerals import NumberFormat, is_amount, is_code, notation_of, read_number, without_bound

__all__ = ["MISSING", "TRUTHS", "ColumnFormat", "TextColumn", "unguarded"]

_OFTEN_WORDS = frozenset({"-", "--", "---", ".", "None", "none"})  # missing, unless a column of text has them often
MISSING = _OFTEN_WORDS | {
    *("", "NA", "N/A", "n/a", "N.A.", "n.a.", "<NA>", "NaN", "nan", "NaT", "null", "Null", "NULL", "nil", "NIL", "?"),
    *("#N/A", "#NA", "#VALUE!", "#REF!", "#DIV/0!", "#NUM!", "#NAME?", "#NULL!", "–", "—"),
}
_AMONG_NUMBERS = frozenset(  # missing in a column of numbers or dates; in one of text they may be a category
    [
        "na",
        "n.a",
        "missing",
        "unknown",
        "unk",
        "blank",
        "(blank)",
        "(null)",
        "(none)",
        "void",
        "empty",
        "tbd",
        "nd",
        "n.d.",
        "n.d",
        "n/d",
        "#n/d",
        "n/v",
        "k.a.",
        "s/d",
        "nc",
        "nr",
        "…",
        "...",
        "*",
        "**",
        "err",
        "error",
        "undefined",
    ]
) | {"not available", "not applicable", "no data", "not known"}
TRUTHS = dict.fromkeys(
    [
        "true",
        "yes",
        "t",
        "y",
        "on",
        "1",
        "ano",
        "ja",
        "oui",
        "si",
        "sí",
        "tak",
        "да",
        "wahr",
        "vrai",
        "verdadero",
        "vero",
        "pravda",
        "prawda",
        "✓",
        "✔",
        "☑",
    ],
    1.0,
)
TRUTHS |= dict.fromkeys(
    [
        "false",
        "no",
        "f",
        "n",
        "off",
        "0",
        "ne",
        "nein",
        "non",
        "nie",
        "нет",
        "falsch",
        "faux",
        "falso",
        "nepravda",
        "fałsz",
        "✗",
        "✘",
        "☐",
    ],
    0.0,
)
_TICKS = frozenset(["x", "X", "✓", "✔", "☑", "*", "•", "1", "yes", "y", "true"])  # alone in a column with empty cells
_OFTEN = 0.1  # of the rows
_MANY = 20_000  # different texts in a column, beyond which numbers among them are turned into floats at once
_NOT_PLAIN = re.compile(r"_|^\s*[+-]?0\d|^\s*[+-]?\d{16,}\s*$|^\s*\+\d{8,15}\s*$", re.MULTILINE)
_TELEPHONE = re.compile(r"\+\d[\d\s()./-]{7,20}|\d{3}\s\d{3}\s\d{3}")
_TELEPHONES = 10  # different numbers of nine digits, from which on they are no amounts
_SHOWS_POINT = re.compile(r"\.(?!\d{3}\s*$)|\d{4}\.|^\s*[+-]?0?\.|[eE]", re.MULTILINE)
_GUARDED = re.compile(r"'(?:['\s]*[=+\-@＝＋－＠]|'*[\t\r\n])")


def unguarded(cell: str) -> str:
    """Text without the apostrophe that `to_csv` puts before what a spreadsheet would run."""
    return cell[1:] if _GUARDED.match(cell) else cell


@dataclass(frozen=True)
class ColumnFormat:
    """How the cells of a column are written, so that a later file is read alike.

    `kind` is number, truth, tick, time, duration, date or text; `mark` the decimal mark of numbers or the order of
    dates; `unit` what numbers are in; `names` how no and yes are spelt, or what was converted to the unit; `known` are
    texts that are never missing. `why` says what kept digits text.
    """

    kind: str
    mark: str = ""
    unit: str = ""
    names: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    why: str = ""
    certain: bool = True
    remarks: tuple[str, ...] = ()  # what else was decided about cells

    @classmethod
    def of(cls, notation: NumberFormat, *remarks: str) -> ColumnFormat:
        """How numbers in a notation are written."""
        return cls(
            "number",
            notation.mark,
            notation.unit,
            notation.converted,
            certain=notation.certain,
            remarks=remarks,
        )


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
            known[word] = _number(word, written)
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
        written = self._kind(words, assumed)
        free = self.hint is None or self.hint.kind != "text"
        if written.kind == "text" and free:
            written, words = self._with_stand_ins(column, words, written, assumed)
        if self.hint is not None and free and written.kind == "text":
            written, words = self._without_strays(column, words, written, at)
        if written.kind == "text":
            if free:
                _refuse_strays(column, words, at, where)
            return self._text(column, words, written)
        if written.kind == "date":
            return dates_of([word if word in words else None for word in column.tolist()], written.mark), written
        return self._floats(column, written, words), written

    def _with_stand_ins(
        self, column: NDArray[Any], words: set[str], written: ColumnFormat, assumed: str
    ) -> tuple[ColumnFormat, set[str]]:
        """A column of numbers or dates but for words such as "unknown", which are missing there."""
        stand_ins = {word for word in words if word.lower() in _AMONG_NUMBERS}
        rest = words - stand_ins
        rare = bool(stand_ins and rest) and 2 * sum(word in stand_ins for word in column.tolist()) <= len(column)
        kind = self._kind(rest, assumed) if rare else written
        if kind.kind not in ("number", "time", "duration", "date"):
            return written, words
        listed = ", ".join(map(repr, sorted(stand_ins)))
        remark = f"{listed} among {'dates' if kind.kind == 'date' else 'numbers'}: missing"
        return replace(kind, remarks=(*kind.remarks, remark)), rest

    def _without_strays(
        self, column: NDArray[Any], words: set[str], written: ColumnFormat, at: Callable[[int], str]
    ) -> tuple[ColumnFormat, set[str]]:
        """A column for a model that was trained on numbers or dates: what is neither is missing, and is said.

        Where no cell is what belongs there, the column is another one, and stays what it is.
        """
        hint = self.hint
        assert hint is not None
        strays = {word for word in words if not _is_readable(word, hint)}
        if not strays or strays == words:
            return written, words
        places = [row for row, word in enumerate(column.tolist()) if word in strays]
        shown = ", ".join(f"{column[row]!r} in {at(row)}" for row in places[:3])
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        what = "date" if hint.kind == "date" else "number"
        rest = words - strays
        remark = f"{shown}{more}: no {what} as the model was trained on{_in_unit(hint)}, taken as missing"
        return replace(self._kind(rest, hint.mark or "."), remarks=(remark,)), rest

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

    def _kind(self, words: set[str], assumed: str) -> ColumnFormat:
        hint = self.hint
        if hint is not None and hint.kind in ("text", "tick"):
            return hint
        if not words:
            return ColumnFormat("number")
        if hint is None and all(word.isdecimal() for word in words) and any(map(is_code, words)):
            huge = any(len(word) > 15 and word[0] != "0" for word in words)
            return ColumnFormat("text", why="whole numbers from 2^53 on" if huge else "leading zeros")
        if hint is None and _are_telephones(words):
            return ColumnFormat("text", why="telephone numbers")
        if hint is None and len(words) == 1 and words <= _TICKS and {*self.words} - words == {""}:
            return ColumnFormat("tick", names=("", *words))
        if _are_truths({word.lower() for word in words}, hint):
            return ColumnFormat("truth", names=self._truth_names(words), certain=len(words) <= 2)
        number = self._number_kind(words, hint.mark if hint and hint.kind == "number" else assumed)
        if number is not None:
            return number
        order = order_of(words, hint.mark if hint and hint.kind == "date" else None)
        if order is not None:
            return ColumnFormat("date", order[0], certain=order[1])
        if all(hours_of(word) is not None for word in words) and (hint is None or hint.kind != "duration"):
            return ColumnFormat("time")
        if all(duration_of(word) is not None for word in words):
            return ColumnFormat("duration")
        return ColumnFormat("text")

    def _number_kind(self, words: set[str], assumed: str) -> ColumnFormat | None:
        """Numbers, some of which may be limits: < 0.5 among many others is 0.5."""
        notation = notation_of(words, assumed, self._unit)
        if notation is not None:
            return ColumnFormat.of(notation)
        plain = {without_bound(word) for word in words}
        bounded = sorted(word for word in words if without_bound(word) != word)
        if not bounded or (2 * len(bounded) > len(words) and self.hint is None):
            return None
        notation = notation_of(plain, assumed, self._unit)
        shown = ", ".join(map(repr, bounded[:3]))
        return None if notation is None else ColumnFormat.of(notation, f"of limits such as {shown} the number is taken")

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

    def _text(self, column: NDArray[Any], words: set[str], written: ColumnFormat) -> tuple[NDArray[Any], ColumnFormat]:
        often: set[str] = set()
        present = _OFTEN_WORDS & self.words.keys()
        if present and words and not written.known:
            counts = Counter(word for word in column.tolist() if word in present)
            often = {word for word, count in counts.items() if count >= _OFTEN * len(column)}
        missing = MISSING - written.known - often
        spelt = {word: None if word in missing else unguarded(word) for word in self.words}
        result = np.empty(len(column), dtype=object)
        result[:] = [spelt[word] for word in column.tolist()]
        return result, ColumnFormat("text", names=tuple(sorted(often)), why=written.why)


def _are_truths(words: set[str], hint: ColumnFormat | None) -> bool:
    """Whether lower-case words are yes and no; one of the two alone says so only if it is true or false."""
    if hint is not None or not words <= TRUTHS.keys():
        return hint is not None and hint.kind == "truth" and words <= TRUTHS.keys()
    return len({TRUTHS[word] for word in words}) == 2 or words <= {"true", "false"}


def _are_telephones(words: set[str]) -> bool:
    """Whether all of these are telephone numbers: with a plus and eight digits or more, or nine in groups of three.

    >>> _are_telephones({"+420 601 234 567", "+1 (555) 010-9999"}), _are_telephones({"+3.5", "+12"})
    (True, False)
    """
    if not all(map(_TELEPHONE.fullmatch, words)):
        return False
    international = [word for word in words if word[0] == "+"]
    digits = (sum(map(str.isdigit, word)) for word in international)
    if len(international) == len(words):
        return min(digits) >= 8
    return not international and len(words) >= _TELEPHONES


def _is_readable(word: str, hint: ColumnFormat) -> bool:
    """Whether a cell is what a column holds that a model was trained on."""
    if hint.kind == "date":
        return order_of([word], hint.mark) is not None
    if hint.kind == "truth":
        return word.lower() in TRUTHS
    if hint.kind in ("time", "duration"):
        return (hours_of if hint.kind == "time" else duration_of)(word) is not None
    return hint.kind == "tick" or read_number(without_bound(word), hint.mark or ".", hint.unit) is not None


def _in_unit(hint: ColumnFormat) -> str:
    """What numbers are in, in words."""
    return f" (in {hint.unit})" if hint.kind == "number" and hint.unit else ""


def _number(word: str, written: ColumnFormat) -> float:
    if written.kind == "truth":
        return TRUTHS[word.lower()]
    if written.kind == "tick":
        return TRUTHS.get(word.lower(), 1.0)
    if written.kind in ("time", "duration"):
        return (hours_of if written.kind == "time" else duration_of)(word) or 0.0
    value = read_number(without_bound(word), written.mark or ".", written.unit)
    if value is None:
        value = float(word)  # inf, which a table that is imputed takes as missing
    return value


def _refuse_strays(column: NDArray[Any], words: Collection[str], at: Callable[[int], str], where: str) -> None:
    """Raise where nine of ten cells or more are numbers, or dates: the others are mistakes rather than names."""
    name = where.rpartition("the column ")[2]
    for what, fits in (("numbers", _is_number), ("dates", lambda word: order_of([word]) is not None)):
        strays = {word for word in words if not fits(word)}
        places = [row for row, word in enumerate(column.tolist()) if word in strays]
        present = sum(word not in MISSING for word in column.tolist())
        if strays and 10 * len(places) <= present:
            raise DataError(
                f"{where}: text where {what} belong, {column[places[0]]!r} in {at(places[0])} ({len(places)} of "
                f"{present} cells); write {'a number' if what == 'numbers' else 'a date'} there, or NA where it is "
                f"missing. Where the {what} are names, pass text=[{name}]."
            )
    if words and all(map(is_amount, words)):
        _refuse_two_notations(column, words, at, where)


def _is_number(word: str) -> bool:
    return read_number(word) is not None or read_number(word, ",") is not None


def _refuse_two_notations(column: NDArray[Any], words: Collection[str], at: Callable[[int], str], where: str) -> None:
    rows = [(row, word) for row, word in enumerate(column.tolist()) if word in words]
    first = rows[0][1]
    for row, word in rows:
        if notation_of([first, word]) is None:
            raise DataError(
                f"{where}: {first!r} in {at(rows[0][0])} and {word!r} in {at(row)} differ in unit or decimal mark; "
                f"write both alike, or leave the column out with drop=[{where.rpartition('the column ')[2]}]."
            )
