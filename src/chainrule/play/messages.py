"""The messages of the page: what each may hold. Anything else is refused before it reaches the session."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..errors import DataError
from ..explaining.notations import NOTATIONS
from ..limits import SEEDS
from .caps import LAYERS, NEURONS, TABLE
from .walk import UNITS

__all__ = ["ASKED", "TOLD", "checked", "sending"]

_TEXT = 200  # characters of a name
_NUMBERS = 8000  # of the numbers in a link


class Check(NamedTuple):
    """What a field must be: in words, and as a test."""

    words: str
    holds: Callable[[Any], bool]


def _text(longest: int = _TEXT) -> Check:
    return Check(
        f"a text of at most {longest:,} characters", lambda value: isinstance(value, str) and len(value) <= longest
    )


def _one_of(*values: Any) -> Check:
    listed = " or ".join(str(value) for value in values)
    return Check(listed, lambda value: any(value == known and type(value) is type(known) for known in values))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e100
    )


def _whole(low: int, high: int) -> Check:
    return Check(f"a whole number from {low:,} to {high:,}", lambda value: _is_whole(value) and low <= value <= high)


_REAL = Check("a number", _is_real)


def _between(low: float, high: float) -> Check:
    return Check(f"a number from {low:g} to {high:g}", lambda value: _is_real(value) and low <= value <= high)


def _reals(most: int) -> Check:
    return Check(
        f"at most {most:,} numbers",
        lambda value: isinstance(value, list) and len(value) <= most and all(map(_is_real, value)),
    )


def _wholes(most: int, high: int, low: int = 1) -> Check:
    one = _whole(low, high).holds
    return Check(
        f"at most {most:,} whole numbers from {low} to {high:,}",
        lambda value: isinstance(value, list) and len(value) <= most and all(map(one, value)),
    )


def _or_none(check: Check) -> Check:
    return Check(f"{check.words}, or nothing", lambda value: value is None or check.holds(value))


# Each message with its fields; one that ends in ? may be left out.
ASKED: Mapping[str, Mapping[str, Check]] = {
    "look": {},
    "lesson": {"name": _text()},
    "dataset": {"name": _text()},
    "table": {"name": _text(), "content": _text(4 * -(-TABLE // 3)), "target?": _or_none(_text())},
    "controls": {
        "sizes?": _wholes(LAYERS, NEURONS),
        "activation?": _text(20),
        "loss?": _text(40),
        "optimizer?": _text(20),
        "rate?": _between(0.0, 1000.0),
        "batch_size?": _whole(1, 100_000),
        "penalty?": _between(0.0, 1000.0),
        "dropout?": _between(0.0, 0.95),
        "noise?": _between(0.0, 10.0),
        "seed?": _whole(0, SEEDS - 1),
    },
    "open": {
        "lesson?": _or_none(_text()),
        "data?": _text(),
        "controls?": Check(
            "the controls of a network", lambda value: isinstance(value, dict) and not _wrong("controls", value)
        ),
        "parameters?": _text(_NUMBERS),
        "inputs?": _text(_NUMBERS),
        "targets?": _text(_NUMBERS),
        "sample?": _whole(0, 10**9),
        "removed?": _wholes(1000, 10**9, low=0),
        "reduction?": _one_of("mean", "sum"),
        "divided?": _whole(1, 100_000),
        "broken?": _or_none(_text(40)),
        "chosen?": _or_none(_text()),
    },
    "link": {},
    "go": {"unit": _one_of(*UNITS), "way": _one_of(1, -1)},
    "play": {"on": _one_of(True, False)},
    "seek": {"frame": _whole(0, 10**9)},
    "choose": {"what": _text(), "notation?": _one_of(*NOTATIONS)},
    "proof": {"what": _text()},
    "curve": {"what": _text()},
    "sample": {"place": _whole(0, 10**9)},
    "take_out": {"row": _whole(0, 10**9), "out": _one_of(True, False)},
    "reduction": {"to": _one_of("mean", "sum"), "divided?": _one_of(True, False)},
    "set": {"what": _text(), "value": _REAL},
    "nudge": {"what": _text(), "by": _between(-1e6, 1e6)},
    "guess": {"what": _text(), "value": _REAL, "of?": _one_of("gradient", "value")},
    "draw": {"pixels": _reals(4096)},
    "break": {"how": _or_none(_text(40))},
    "take": {"what": _one_of("model", "picture", "code", "cell", "page")},
}

# What the session tells, with its fields; play.js has the same table, and a test compares the two.
TOLD: Mapping[str, tuple[str, ...]] = {
    "checked": ("how", "report"),
    "curve": ("of", "points", "at", "slope"),
    "data": ("kind", "rows", "features", "classes", "scaled", "X", "y", "shape?", "surface"),
    "guessed": ("of", "guess", "right", "close", "says"),
    "link": ("fragment", "says"),
    "nudged": ("of", "by", "predicted", "measured"),
    "problem": ("says",),
    "proof": ("of", "witnesses"),
    "reached": ("reached",),
    "read": ("chances", "classes"),
    "session": ("name",),
    "surface": ("surface",),
    "taken": ("name", "kind", "content"),
    "view": (
        *("title", "lesson", "lessons", "reached", "sample", "batch", "chosen", "notation", "walk", "frames"),
        *("step", "epoch", "measured", "broken", "controls", "upstream", "playing", "network"),
    ),
    "why": (
        *("of", "title", "kind", "value", "gradient", "loss", "samples", "answer", "notes", "notation", "steps"),
        *("update", "phase", "here", "term", "step?", "strip?", "matrix?"),
    ),
}


def sending(message: dict[str, Any]) -> dict[str, Any]:
    """The message, which has its fields and no others. Raises `AssertionError` for one that the page cannot read."""
    fields = TOLD[message["type"]]
    known, there = {name.rstrip("?") for name in fields}, message.keys() - {"type"}
    assert there <= known and {name for name in fields if not name.endswith("?")} <= there, message["type"]
    return message


def checked(message: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The kind of a message and its fields. Raises `DataError` for anything that is not in `ASKED`.

    >>> checked({"type": "seek", "frame": 3})
    ('seek', {'frame': 3})
    """
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in ASKED:
        raise DataError(f"There is no message of the type {str(kind)[:_TEXT]!r}.")
    asked = {name: value for name, value in message.items() if name != "type"}
    wrong = _wrong(kind, asked)
    if wrong:
        raise DataError(f"{kind}: {wrong}.")
    return kind, asked


def _wrong(kind: str, asked: Mapping[str, Any]) -> str:
    """What is wrong with the fields of a message, or "" where nothing is."""
    fields = {name.rstrip("?"): check for name, check in ASKED[kind].items()}
    for name in asked:
        if name not in fields:
            return f"there is no field {name[:_TEXT]!r}"
    for name, check in ASKED[kind].items():
        field = name.rstrip("?")
        left_out = name.endswith("?") and field not in asked
        if not left_out and (field not in asked or not check.holds(asked[field])):
            return f"{field} must be {check.words}"
    return ""
