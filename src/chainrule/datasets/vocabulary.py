"""Words that are no text: those for what is missing, for yes and no, and for a tick."""

from __future__ import annotations

import string

__all__ = ["AMONG_NUMBERS", "MISSING", "OFTEN_WORDS", "TICKS", "TRUTHS"]


def _words(*lines: str) -> list[str]:
    return " ".join(lines).split()


OFTEN_WORDS = frozenset({"-", "--", "---", ".", "None", "none"})  # missing, unless a column of text has them often
MISSING = OFTEN_WORDS | {
    *("", "NA", "N/A", "n/a", "N.A.", "n.a.", "<NA>", "NaN", "nan", "NaT", "null", "Null", "NULL", "nil", "NIL", "?"),
    *("#N/A", "#NA", "#VALUE!", "#REF!", "#DIV/0!", "#NUM!", "#NAME?", "#NULL!", "–", "—"),
}
# Missing in a column of numbers or dates; in one of text they may be a category. In small letters.
AMONG_NUMBERS = frozenset(
    [
        *_words("na n.a missing unknown unk blank (blank) (null) (none) void empty tbd nd n.d. n.d n/d #n/d n/v k.a."),
        *_words("s/d n/s b.d. b/d bd nc nr … ... .. : :: * ** err error undefined refused"),
        *("not available", "not applicable", "no data", "not known", "not stated", "no answer", "don't know"),
        *(f".{letter}" for letter in f"_{string.ascii_lowercase}"),  # as SAS and Stata write them
    ]
)
_YES = _words(
    "true yes t y on 1 ano ja oui si sí sì tak да evet sim igen wahr vrai verdadero verdadeiro vero pravda prawda",
    "是 はい 예 ✓ ✔ ☑",
)
_NO = _words(
    "false no f n off 0 ne nein non nie нет hayır não nem nej nee falsch faux falso nepravda fałsz",
    "否 いいえ 아니요 ✗ ✘ ☐",
)
TRUTHS = dict.fromkeys(_YES, 1.0) | dict.fromkeys(_NO, 0.0)
TICKS = frozenset(["x", "X", "✓", "✔", "☑", "*", "•", "1", "yes", "y", "true"])  # alone in a column with empty cells
