"""Marked pieces of text, and lines of them that keep to a width."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Span", "Spans", "cells", "pad", "wrapped"]


class Span(NamedTuple):
    """Some text and what it is: "title", "faint", "good", "bad", "value", or a layer's name, whose colour it has."""

    text: str
    style: str = ""


Spans = list[Span]


def cells(shown: str) -> int:
    """How many columns a text takes: combining marks take none, wide characters two."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in shown)


def pad(shown: str, wide: int) -> str:
    """The text filled up with spaces to a width."""
    return shown + " " * max(0, wide - cells(shown))


def wrapped(line: Spans, width: int, indent: int) -> Iterator[Spans]:
    """The line in as many lines as it needs, broken at spaces; all but the first begin with `indent` spaces.

    A word that is longer than a line is cut.

    >>> ["".join(span.text for span in line) for line in wrapped([Span("  one two "), Span("three")], 10, 4)]
    ['  one two', '    three']
    """
    if sum(cells(span.text) for span in line) <= width:
        yield line
        return
    current, used, empty = list[Span](), 0, True
    for whole, style in _words(line):
        word = whole
        if not empty and used + cells(word.rstrip()) > width:
            yield _trimmed(current)
            current, used, empty, word = [Span(" " * indent)], indent, True, whole.lstrip()
        for piece in _cut(word, width - used, width - indent):
            if used and piece is not word and not empty:
                yield current
                current, used = [Span(" " * indent)], indent
            current.append(Span(piece, style))
            used += cells(piece)
            empty = empty and not piece.strip()
    yield _trimmed(current)


def _cut(word: str, room: int, rest: int) -> Iterator[str]:
    """A word, or its pieces: the first fits into the room that there is, the others into a line."""
    if cells(word.rstrip()) <= room:
        yield word
        return
    yield word[:room]
    yield from (word[start : start + rest] for start in range(room, len(word), rest))


def _words(line: Spans) -> Iterator[tuple[str, str]]:
    """The words with the spaces after them; words of one style stay apart from those of another only at spaces."""
    for text, style in line:
        start = 0
        for place, letter in enumerate(text):
            if letter == " " and place + 1 < len(text) and text[place + 1] != " ":
                yield text[start : place + 1], style
                start = place + 1
        if start < len(text):
            yield text[start:], style


def _trimmed(line: Spans) -> Spans:
    """Without spaces at its end."""
    line = list(line)
    while line and not line[-1].text.strip():
        line.pop()
    return [*line[:-1], Span(line[-1].text.rstrip(), line[-1].style)] if line else line
