"""Tables as CSV.

A spreadsheet runs a cell that begins with =, +, -, @, a tab or the end of a line. Written text of that kind gets an
apostrophe in front, as does text that begins with apostrophes and then so; reading takes one apostrophe off again.
Numbers stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

__all__ = ["to_csv"]

_RUNNABLE = re.compile(r"['\s]*[=+\-@＝＋－＠]|'*[\t\r\n]")  # the wide signs are those of East Asian keyboards
_QUOTED = re.compile(r"""[",;|\t\r\n]|^[\s\ufeff]|\s$""")


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
