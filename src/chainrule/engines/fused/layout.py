"""What the session and the kernels hand each other, read from the one place where it is written: `c/run.h`.

A structure of C becomes a record type of NumPy (for tables of it) or a `ctypes.Structure` (for the run itself), an
enumeration becomes the number of each of its names.
"""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["DEFINES", "ENUMS", "LINE_OF_CODE", "OPERATION", "PART", "SEGMENT", "TIE", "WATCHED", "Call"]

_TEXT = (Path(__file__).parent / "c" / "run.h").read_text(encoding="utf-8")
_CODE = re.sub(r"/\*.*?\*/", "", _TEXT, flags=re.DOTALL)
_KINDS: dict[str, type] = {"int64_t": ctypes.c_int64, "double": ctypes.c_double}


_BODIES: dict[str, str] = dict(re.findall(r"typedef struct (\w+) {(.*?)}", _CODE, flags=re.DOTALL))


def _members(name: str) -> list[tuple[str, type]]:
    """The members of a structure, in order: names, and types of ctypes."""
    found = re.findall(r"(?:const )?(\w+) (\**)(\w+);", _BODIES[name])
    return [(member, ctypes.c_void_p if stars else _KINDS[kind]) for kind, stars, member in found]


def _record(name: str) -> np.dtype[Any]:
    return np.dtype([(member, np.dtype(kind)) for member, kind in _members(name)])


def _enumeration(body: str) -> dict[str, int]:
    return {name.lower(): number for number, name in enumerate(re.findall(r"\w+", body))}


ENUMS = {name: _enumeration(body) for name, body in re.findall(r"enum (\w+) {(.*?)}", _CODE, flags=re.DOTALL)}
DEFINES = {name: int(number) for name, number in re.findall(r"#define (\w+) (\d+)", _CODE)}
OPERATION, SEGMENT, PART, WATCHED, TIE = map(_record, ("Operation", "Segment", "Part", "Watched", "Tie"))
LINE_OF_CODE = _record("Line")


class Call(ctypes.Structure):
    """The one argument of a block of steps; see `c/run.h`."""

    _fields_ = _members("Run")
