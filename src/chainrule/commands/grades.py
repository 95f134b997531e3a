"""Results of submissions as lines for a terminal, and as an exit code."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..display.terminal import STYLES

if TYPE_CHECKING:
    from ..checking.submissions import SubmissionResult

__all__ = ["exit_code", "lines", "summary", "wrapped"]

_SIGNS = {"right": "✓", "wrong": "✗", "flagged": "!", "not checked": "?"}
_COLOURS = {"right": "good", "wrong": "bad", "flagged": "note", "not checked": "warn"}
_FILE = 24  # characters of a file's name, at least
_MOST = 4  # lines of what is said of one


def exit_code(results: Iterable[str]) -> int:
    """0 where all is right, 1 where something is wrong, else 3: something was not checked, or needs a look.

    >>> exit_code(["right", "right"]), exit_code(["not checked", "wrong"]), exit_code(["right", "flagged"])
    (0, 1, 3)
    """
    found = {*results}
    return 1 if "wrong" in found else 3 if found & {"flagged", "not checked"} else 0


def lines(row: SubmissionResult, width: int) -> Iterator[Any]:
    """One line of who and what, and below it why."""
    from rich.text import Text

    left = width - 15  # beside the sign, the longest result and what is between
    name = _cut(row.name, left // 2)
    file = _cut(row.file, left - len(name) - 2)
    head = f"{file:{min(_FILE, left // 2)}}  {name}".ljust(left)
    style = STYLES[_COLOURS[row.result]]
    yield Text.assemble((f"{_SIGNS[row.result]} ", style), f"{head}  ", (row.result, style))
    for style, text in (("", row.says), ("note", row.flags)):
        yield from (Text(line, style=STYLES.get(style, "")) for line in wrapped(text, width))
    if row.write:
        yield Text.assemble("    write  ", (row.write, STYLES["code"]))


def _cut(text: str, room: int) -> str:
    """The end of a text that is too long: there names of files differ."""
    return text if len(text) <= room else f"…{text[1 - room :]}"


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines, set in below its head."""
    return textwrap.wrap(text, max(width, 20) - 1, initial_indent="    ", subsequent_indent="    ", max_lines=_MOST,
                         placeholder=" …")  # fmt: skip


def summary(rows: Sequence[SubmissionResult]) -> Any:
    """How many there are of each kind, with its sign."""
    from rich.text import Text

    counts = {result: sum(row.result == result for row in rows) for result in _SIGNS}
    parts = [(f"{_SIGNS[result]} {count} {result}", STYLES[_COLOURS[result]]) for result, count in counts.items()]
    text = Text("\n")
    for position, part in enumerate(parts):
        text.append(", " if position else "").append(*part)
    return text
