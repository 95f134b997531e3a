"""What strays from a column: words for a missing number, texts among numbers, amounts in two notations."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, TypeAlias

from numpy.typing import NDArray

from ..errors import DataError
from .dates import order_of
from .kinds import ColumnFormat, in_unit, is_readable
from .numerals import is_amount, notation_of, read_number
from .vocabulary import AMONG_NUMBERS, MISSING

__all__ = ["refuse_strays", "with_stand_ins", "without_strays"]

Kind: TypeAlias = Callable[[set[str]], ColumnFormat]  # what words are, in the column where they stand


def with_stand_ins(
    column: NDArray[Any], words: set[str], written: ColumnFormat, kind_of: Kind
) -> tuple[ColumnFormat, set[str]]:
    """A column of numbers or dates but for words such as "unknown", which are missing there."""
    stand_ins = {word for word in words if word.lower() in AMONG_NUMBERS}
    rest = words - stand_ins
    rare = bool(stand_ins and rest) and 2 * sum(word in stand_ins for word in column.tolist()) <= len(column)
    kind = kind_of(rest) if rare else written
    if kind.kind not in ("number", "time", "duration", "date"):
        return written, words
    listed = ", ".join(map(repr, sorted(stand_ins)))
    remark = f"{listed} among {'dates' if kind.kind == 'date' else 'numbers'}: missing"
    return replace(kind, remarks=(*kind.remarks, remark)), rest


def without_strays(
    column: NDArray[Any],
    words: set[str],
    written: ColumnFormat,
    hint: ColumnFormat,
    at: Callable[[int], str],
    kind_of: Kind,
) -> tuple[ColumnFormat, set[str]]:
    """A column for a model that was trained on numbers or dates: what is neither is missing, and is said.

    Where no cell is what belongs there, the column is another one, and stays what it is.
    """
    strays = {word for word in words if not is_readable(word, hint)}
    if not strays or strays == words:
        return written, words
    places = [row for row, word in enumerate(column.tolist()) if word in strays]
    shown = ", ".join(f"{column[row]!r} in {at(row)}" for row in places[:3])
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    what = "date" if hint.kind == "date" else "number"
    rest = words - strays
    remark = f"{shown}{more}: no {what} as the model was trained on{in_unit(hint)}, taken as missing"
    return replace(kind_of(rest), remarks=(remark,)), rest


def refuse_strays(column: NDArray[Any], words: Collection[str], at: Callable[[int], str], where: str) -> None:
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
