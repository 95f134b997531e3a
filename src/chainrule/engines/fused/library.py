"""The library of kernels: which of those built with the package this processor can run, or why there is none.

Machine code is opened here and nowhere else, from the package's own folder: no other folder and no variable of the
environment names it.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import ConfigurationError

__all__ = ["about", "load", "why_missing"]

_PLACE = Path(__file__).resolve().parent
_SUFFIX = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
_RUNS = {"x86-64-v4": ("x86-64-v4", "x86-64-v3"), "x86-64-v3": ("x86-64-v3",), "aarch64": ("aarch64",)}  # best first
_AGAIN = "chainrule again: pip install --force-reinstall --no-deps --no-cache-dir"


def load() -> ctypes.CDLL:
    """The library for this processor. Raises `ConfigurationError` with the reason where there is none."""
    library = _opened()[0]
    if library is None:
        raise ConfigurationError(f"The fused engine has no machine code here: {why_missing()}")
    return library


def why_missing() -> str | None:
    """Why there is no library here and what to do about it; None where there is one."""
    return _opened()[2]


def about() -> dict[str, Any]:
    """What `chainrule info` says: the level that runs here, the compiler, why there is none."""
    _, level, problem = _opened()
    return {"level": level, "compiler": _record().get("compiler"), "problem": problem}


@cache
def _opened() -> tuple[ctypes.CDLL | None, str | None, str | None]:
    """The library and its level, or why there is none."""
    problem = _not_built() or _changed()
    if problem is not None:
        return None, None, problem
    try:
        processor = processor_level()
        levels = [level for level in _RUNS.get(processor, ()) if _file(f"kernels-{level}").is_file()]
        if not levels:
            built = ", ".join(sorted(path.stem.removeprefix("kernels-") for path in _PLACE.glob(f"kernels-*{_SUFFIX}")))
            return None, None, f"this processor is of level {processor}, and there is code for {built} alone."
        return ctypes.CDLL(str(_file(f"kernels-{levels[0]}"))), levels[0], None
    except (OSError, AttributeError) as error:
        return None, None, f"its library cannot be opened ({error}). Install {_AGAIN}."


def processor_level() -> str:
    """What the processor and the operating system can do: "x86-64-v4", "x86-64-v3", "x86-64" or "aarch64"."""
    ask = ctypes.CDLL(str(_file("processor"))).processor_level
    ask.restype = ctypes.c_char_p
    level: bytes = ask()
    return level.decode()


def _file(name: str) -> Path:
    return _PLACE / f"{name}{_SUFFIX}"


@cache
def _record() -> dict[str, Any]:
    """What was kept of the build; nothing where there was none."""
    try:
        found: dict[str, Any] = json.loads((_PLACE / "built.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _not_built() -> str | None:
    record = _record()
    if not record:
        return "chainrule runs from its sources, which were not built: pip install them, or python hatch_build.py."
    if record.get("problem") is None:
        return None
    tried = f" ({'; '.join(record['tried'])})" if record.get("tried") else ""
    advice = f" {record['advice']}, then install {_AGAIN}." if record.get("advice") else ""
    return f"when chainrule was built, {record['problem']}{tried}.{advice}"


def _changed() -> str | None:
    """Whether the sources are no longer those that were compiled, as after an edit or a pull in a checkout."""
    folder = _PLACE / "c"
    found = hashlib.sha256()
    for source in sorted((*folder.glob("*.c"), *folder.glob("*.h"))):
        found.update(source.name.encode() + b"\0" + source.read_bytes().replace(b"\r\n", b"\n"))
    if found.hexdigest() == _record().get("sources"):
        return None
    return "its C sources are not those that were compiled: pip install chainrule again, or python hatch_build.py."
