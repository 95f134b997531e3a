"""What to say of a path at which there is no file to read: the nearest name that there is, or a file in the folder."""

from __future__ import annotations

import contextlib
import difflib
import os

from .errors import FileFormatError

__all__ = ["a_folder", "did_you_mean", "nearest", "no_such_file"]


def no_such_file(path: str | os.PathLike[str], more: str = "") -> FileFormatError:
    """The error for a path at which nothing is, with the nearest name that there is; `more` goes before the point."""
    return FileFormatError(f"{os.fspath(path)}: there is no such file{more}.{did_you_mean(path)}")


def did_you_mean(path: str | os.PathLike[str]) -> str:
    """A question to be put behind a message; empty where no name is like this one."""
    close = nearest(path)
    return f" Did you mean {close!r}?" if close else ""


def a_folder(path: str | os.PathLike[str], *endings: str) -> FileFormatError:
    """The error for a folder where a file belongs, with the first file in it whose name ends so."""
    inside = [name for name in _names(os.fspath(path)) if name.lower().endswith(endings)]
    such = f", such as {os.path.join(path, inside[0])}" if inside else ""
    return FileFormatError(f"{os.fspath(path)} is a folder; name a file{such}.")


def nearest(path: str | os.PathLike[str]) -> str | None:
    """The path most like this one at which something is: of a misspelt name, or of one in a misspelt folder.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
    ...     pathlib.Path("flowers.csv").touch()
    ...     nearest("flower.csv"), nearest("weights.bin")
    ('flowers.csv', None)
    """
    whole = os.fspath(path).rstrip(os.sep)
    folder, name = os.path.split(whole)
    if not name or os.path.lexists(whole):
        return whole or None
    place = nearest(folder) if folder else ""
    close = [] if place is None else difflib.get_close_matches(name, _names(place or "."), n=1)
    return os.path.join(place or "", close[0]) if close else None


def _names(folder: str) -> list[str]:
    """What is in a folder, in order; nothing of one that cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    return []
