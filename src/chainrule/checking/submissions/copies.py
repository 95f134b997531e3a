"""Which files are submissions, and the private copy that one of them runs in."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

from ...errors import ConfigurationError

__all__ = ["Unreadable", "copy_of", "is_helper", "submissions_in", "text_in"]

_ENDINGS = (".py", ".ipynb")
_IMPORTS = re.compile(r"""(?m)^[\s"]*(?:from|import)\s+([\w.]+)""")
_NAMED = re.compile(r"""["'](?:\./)?([\w-][\w .-]{0,100}\.\w{1,8})\\?["']""")
_BACKWARD = re.compile(r"(?i)\bdef\s+(back\w*|\w*backward|\w*bprop|\w*_prime|gradient)\s*\(")
_HIDDEN = (".", "__")
_TEXT = 2 * 2**20  # bytes of a submission
_FOLDER, _FILES = 64 * 2**20, 2000  # bytes and files of a folder that is copied


class Unreadable(Exception):
    """Raised for a submission that is not opened; the message says why."""


def submissions_in(place: Path) -> list[Path]:
    """Every Python file and notebook below a folder, in order. Raises `ConfigurationError` for a folder without any."""
    files = sorted(
        path
        for path in place.rglob("*")
        if path.suffix in _ENDINGS
        and not path.is_dir()
        and not any(part.startswith(_HIDDEN) for part in path.relative_to(place).parts)
    )
    if not files:
        raise ConfigurationError(f"{place} holds no .py file and no notebook to check.")
    return files


def copy_of(path: Path, place: Path, into: Path) -> tuple[Path, list[str]]:
    """A copy of a submission in an empty folder, and the other submissions that came with it since it imports them.

    What lies in a folder of its own, one for each student, is copied with all of that folder. What lies beside the
    others is copied alone, with the modules that it imports and the data files that it names. Links are never followed.
    """
    if path.is_symlink() or not path.is_file():
        raise Unreadable("It is no file but a link or something else, which is not followed.")
    if path.stat().st_size > _TEXT:
        raise Unreadable(f"It is larger than {_TEXT // 2**20} MB, and was not opened.")
    if path.parent != place:
        student = place / path.relative_to(place).parts[0]
        if _copied(student, into):
            return into / path.relative_to(student), []
    shutil.copyfile(path, into / path.name)
    others = []
    for beside in sorted(path.parent / name for name in _named(text_in(path))):
        if beside.is_file() and not beside.is_symlink() and beside != path and beside.stat().st_size <= _FOLDER:
            shutil.copyfile(beside, into / beside.name)
            others += [beside.name] if beside.suffix == ".py" and _BACKWARD.search(text_in(beside)) else []
    return into / path.name, others


def is_helper(path: Path, place: Path) -> bool:
    """Whether another file in the folder of the same student imports this one."""
    beside = (other for other in path.parent.glob("*.*") if other.suffix in _ENDINGS and other != path)
    return path.parent != place and any(path.name in _named(text_in(other)) for other in beside if other.is_file())


def _copied(student: Path, into: Path) -> bool:
    """Copy a whole folder, unless it is too large."""
    files = list(_files(student))
    if len(files) > _FILES or sum(path.stat().st_size for path in files) > _FOLDER:
        return False
    for path in files:
        target = into / path.relative_to(student)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return True


def _files(folder: Path) -> Iterator[Path]:
    """Files below a folder that are no links, nor behind one."""
    for around, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        paths = [Path(around) / name for name in names]
        yield from (path for path in paths if path.is_file() and not path.is_symlink())


def _named(text: str) -> set[str]:
    """The files beside a submission that it may import, or names as data: its text is searched and not parsed."""
    modules = {name.partition(".")[0] for name in _IMPORTS.findall(text)}
    modules = {name for name in modules if not _is_installed(name)}  # a neighbour's numpy.py is not NumPy
    data = {name for name in _NAMED.findall(text) if not name.endswith(_ENDINGS)}
    return {f"{name}.py" for name in modules} | data


def _is_installed(module: str) -> bool:
    """Whether a module is found where Python's own and the installed ones are."""
    folders = [path for path in sys.path if path.startswith((sys.prefix, sys.base_prefix))]
    return module in sys.stdlib_module_names or PathFinder.find_spec(module, folders) is not None


def text_in(path: Path) -> str:
    """The text of a file, whatever its bytes are."""
    return path.read_text(encoding="utf-8", errors="replace")
