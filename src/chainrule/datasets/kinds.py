"""What a column is, as its different words tell: numbers, truths, ticks, dates, times, durations or text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .dates import duration_of, hours_of, order_of
from .numerals import NumberFormat, is_code, notation_of, read_number, without_bound
from .vocabulary import TICKS, TRUTHS

__all__ = ["ColumnFormat", "as_number", "in_unit", "is_readable", "kind_of"]

_TELEPHONE = re.compile(r"\+\d[\d\s()./-]{7,20}|\d{3}\s\d{3}\s\d{3}")
_TELEPHONES = 10  # different numbers of nine digits, from which on they are no amounts
_WHOLE = re.compile(r"\d+(?:[eE]\d+)?")


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


def kind_of(words: set[str], hint: ColumnFormat | None, assumed: str, gaps: bool, unit: str | None) -> ColumnFormat:
    """How these words are written, all of them; text where they are nothing else.

    `hint` is how a model reads the column, `assumed` the decimal mark of the file, `unit` the one that is known. `gaps`
    says that the column has empty cells beside the words, and nothing else that stands for a missing one.
    """
    if hint is not None and hint.kind in ("text", "tick"):
        return hint
    if not words:
        return ColumnFormat("number")
    why = "" if hint is not None else _why_no_amounts(words)
    if why:
        return ColumnFormat("text", why=why)
    if hint is None and gaps and len(words) == 1 and words <= TICKS:
        return ColumnFormat("tick", names=("", *words))
    if _are_truths({word.lower() for word in words}, hint):
        return ColumnFormat("truth", certain=len(words) <= 2)
    number = _number_kind(words, hint, hint.mark if hint and hint.kind == "number" else assumed, unit)
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


def _why_no_amounts(words: set[str]) -> str:
    """What makes digits names rather than amounts, "" where nothing does."""
    if all(map(_WHOLE.fullmatch, words)) and any(map(is_code, words)):
        powers = sorted(word for word in words if not word.isdecimal())
        if powers and not _are_codes(words, powers):
            return ""
        if powers:
            return f"codes such as {powers[0]} with an e among digits"
        huge = any(len(word) > 15 and word[0] != "0" for word in words)
        return "whole numbers from 2^53 on" if huge else "leading zeros"
    return "telephone numbers" if _are_telephones(words) else ""


def _are_codes(words: set[str], powers: Sequence[str]) -> bool:
    """Whether 15e3 is a name: where all are of one length, with and without an e, or others are names.

    >>> _are_codes({"67e5", "1201"}, ["67e5"]), _are_codes({"15e3", "900"}, ["15e3"]), _are_codes({"07e5"}, ["07e5"])
    (True, False, True)
    """
    alike = len({*map(len, words)}) == 1 and len(powers) < len(words)
    return alike or any(word[0] == "0" for word in powers) or any(map(is_code, words - {*powers}))


def _number_kind(words: set[str], hint: ColumnFormat | None, assumed: str, unit: str | None) -> ColumnFormat | None:
    """Numbers, some of which may be limits: < 0.5 among many others is 0.5."""
    notation = notation_of(words, assumed, unit)
    if notation is not None:
        return ColumnFormat.of(notation)
    plain = {without_bound(word) for word in words}
    bounded = sorted(word for word in words if without_bound(word) != word)
    limits = sum(word[-1] not in "*†‡" for word in bounded)
    if not bounded or (2 * limits > len(words) and hint is None):
        return None
    notation = notation_of(plain, assumed, unit)
    shown = f"{'limits' if limits else 'cells'} such as {', '.join(map(repr, bounded[:3]))}"
    return None if notation is None else ColumnFormat.of(notation, f"of {shown} the number is taken")


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


def is_readable(word: str, hint: ColumnFormat) -> bool:
    """Whether a cell is what a column holds that a model was trained on."""
    if hint.kind == "date":
        return order_of([word], hint.mark) is not None
    if hint.kind == "truth":
        return word.lower() in TRUTHS
    if hint.kind in ("time", "duration"):
        return (hours_of if hint.kind == "time" else duration_of)(word) is not None
    return hint.kind == "tick" or read_number(without_bound(word), hint.mark or ".", hint.unit) is not None


def in_unit(hint: ColumnFormat) -> str:
    """What numbers are in, in words."""
    return f" (in {hint.unit})" if hint.kind == "number" and hint.unit else ""


def as_number(word: str, written: ColumnFormat) -> float:
    """A cell that is none of the missing ones, as the number that stands in the column."""
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
