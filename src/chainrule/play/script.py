"""The script of the page: its rooms, which import each other, joined into the one module that every view of it runs."""

from __future__ import annotations

import functools
import re
from importlib.resources import files

__all__ = ["script"]

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)


@functools.cache
def script() -> str:
    """The module: every room once, after those that it imports; only the entrance, play.js, exports anything."""
    rooms: dict[str, str] = {}
    _gather("play.js", rooms)
    entrance = rooms.pop("play.js")
    return "".join(re.sub(r"^export ", "", room, flags=re.MULTILINE) for room in rooms.values()) + entrance


def _gather(name: str, rooms: dict[str, str]) -> None:
    text = (files(__package__) / "static" / name).read_text(encoding="utf-8")
    for other in _IMPORT.findall(text):
        if other not in rooms:
            _gather(other, rooms)
    rooms[name] = _IMPORT.sub("", text)
