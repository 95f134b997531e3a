"""The imports of a file that is checked: what is not on this machine is stood in for, and named."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Stand", "StandModule", "import_into", "root_of", "stand_ins"]

_LEVELS = 4  # how many folders above a file are searched for what it imports


class Stand:
    """A stand-in for something that is not there: it can be called, subscripted, inherited from, used as decorator."""

    def __init__(self, name: str) -> None:
        self.__name__ = self.__qualname__ = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Stand(f"{self.__name__}.{name}")

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Itself again; as a decorator, what it decorates."""
        if len(arguments) == 1 and not named and (isinstance(arguments[0], type) or callable(arguments[0])):
            return arguments[0]  # a decorator that leaves the function as it is
        return self

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        return ()

    def __getitem__(self, key: Any) -> Any:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class StandModule(types.ModuleType):
    """A module that is not there."""

    __path__ = ()  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Stand(f"{self.__name__}.{name}")


def root_of(folder: Path) -> Path:
    """The folder around the outermost package that a folder belongs to: what has no name to import is none."""
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        folder = folder.parent
    return folder


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Asked last of all: stands in for modules that the neighbours of the file import and that are not there."""

    def __init__(self, root: Path) -> None:
        self.root, self.named = root, list[str]()

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> Any:
        """A stand-in where a file below the root asks for it and does not look after its absence itself."""
        frame: types.FrameType | None = sys._getframe(1)
        while frame is not None and "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        asking = Path(frame.f_code.co_filename) if frame is not None else Path()
        if frame is None or not asking.is_relative_to(self.root) or frame.f_lineno in _guarded(asking):
            return None
        above = importlib.machinery.PathFinder.find_spec(name, _above(name, asking.parent)) if path is None else None
        if above is not None:
            return above
        self.named.append(name)
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: Any) -> types.ModuleType:
        """The stand-in."""
        return StandModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing runs."""


@functools.lru_cache(maxsize=64)
def _guarded(place: Path) -> frozenset[int]:
    """The lines of a file that lie inside a `try`."""
    try:
        tree = ast.parse(place.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return frozenset()
    tries = [node for node in ast.walk(tree) if isinstance(node, ast.Try)]
    return frozenset(line for node in tries for line in range(node.lineno, (node.end_lineno or node.lineno) + 1))


@contextlib.contextmanager
def stand_ins(root: Path) -> Iterator[list[str]]:
    """While a file is run, missing modules that its neighbours import are stood in for; yields their names."""
    finder = _Finder(root)
    sys.meta_path.append(finder)
    try:
        yield finder.named
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name, module in sys.modules.items() if isinstance(module, StandModule)]:
            del sys.modules[name]


def import_into(names: dict[str, Any], node: ast.stmt, place: Path, missing: list[str]) -> None:
    """Carry out one import of a file; what is not there is stood in for, and named in `missing`."""
    folder = place.resolve().parent
    if isinstance(node, ast.Import):
        for alias in node.names:
            found = _module_of(alias.name, folder, missing)
            top = alias.name.partition(".")[0]
            names[alias.asname or top] = found if alias.asname else sys.modules.get(top, found)
        return
    assert isinstance(node, ast.ImportFrom)
    if node.module == "__future__":
        return
    source = _source(node, folder, missing)
    for alias in node.names:
        if alias.name == "*":
            public = getattr(source, "__all__", None) or [name for name in vars(source) if not name.startswith("_")]
            names.update({name: getattr(source, name) for name in public if hasattr(source, name)})
        elif hasattr(source, alias.name):
            names[alias.asname or alias.name] = getattr(source, alias.name)
        else:
            names[alias.asname or alias.name] = _module_of(f"{source.__name__}.{alias.name}", folder, missing)


def _source(node: ast.ImportFrom, folder: Path, missing: list[str]) -> types.ModuleType:
    """The module that is imported from: for a relative one of the file's own package, or beside the file."""
    if not node.level:
        return _module_of(node.module or "", folder, missing)
    around = folder
    for _ in range(node.level - 1):
        around = around.parent
    parts = around.relative_to(root_of(around)).parts
    full = ".".join((*parts, *([node.module] if node.module else []))) if parts else ""
    shown = "." * node.level + (node.module or "")
    for name in (full, node.module or ""):
        found = _tried(name, (around, root_of(around))) if name else None
        if found is not None:
            return found
    missing.append(shown)
    return StandModule(shown.strip(".") or "package")


def _module_of(name: str, folder: Path, missing: list[str]) -> types.ModuleType:
    found = _tried(name, (folder, root_of(folder)))
    if found is None:
        missing.append(name)
        return StandModule(name)
    return found


def _above(name: str, folder: Path) -> list[str]:
    """The folders around this one that hold the top of a module's name: packages first, as from the repository."""
    top = name.partition(".")[0]
    around = list(folder.parents)[:_LEVELS]
    return [str(each) for each in around if (each / top).is_dir()] + [
        str(each) for each in around if (each / f"{top}.py").is_file()
    ]


def _tried(name: str, folders: Sequence[Path]) -> types.ModuleType | None:
    """A module, looked for in some folders first; None where it is not there or fails when it is run."""
    places = [str(folder) for folder in dict.fromkeys(folders)]
    places += [each for each in _above(name, folders[0]) if each not in places]
    sys.path[:0] = places
    try:
        return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException:  # a module that is not ours: anything may come, sys.exit() too
        return None
    finally:
        for place in places:
            with contextlib.suppress(ValueError):
                sys.path.remove(place)
