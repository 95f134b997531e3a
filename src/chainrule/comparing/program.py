"""A program of the book's kind, read: what it defines itself, and the same program with the library's classes."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from .. import book
from ..errors import FileFormatError

__all__ = ["Listing", "read_program"]


@dataclass(frozen=True)
class Listing:
    """A program's path, the book's classes that it has of its own, its weights' scale, its text with ours instead.

    `calls_init` is whether it calls the helper package's `init`, without which numbers are float64.
    """

    path: Path
    replaced: tuple[str, ...]
    weight_scale: float | None
    with_library: str
    calls_init: bool


def read_program(path: Path) -> Listing:
    """Raises `FileFormatError` for a file that is no Python, or that has none of the book's classes."""
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        raise FileFormatError(f"{path} is no Python program: {error}.") from None
    own = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name in book.__all__]
    imported = [n for n in tree.body if isinstance(n, ast.ImportFrom) and not _is_of_helper(n) and _of_book(n)]
    if not own and not imported:
        raise FileFormatError(
            f"{path} defines none of the book's classes (Layer_Dense, Activation_ReLU, ...), and imports none by name: "
            "there is nothing to compare."
        )
    chapter = "chainrule.book.chapter18" if any(_is_without_batches(n) for n in own) else "chainrule.book"
    imports = ast.parse(f"from {chapter} import *").body
    for node in imported:
        tree.body[(at := tree.body.index(node)) : at + 1] = _from_the_book(node, chapter)
    places = [i for i, n in enumerate(tree.body) if n in own or _is_of_helper(n)]
    first = places[0] if places else len(tree.body)
    others: list[ast.stmt] = [ast.Import([name]) for n in tree.body for name in _beside_helper(n)]
    rest = [n for i, n in enumerate(tree.body) if i > first and i not in places]
    body = [*tree.body[:first], *others, *(imports if places else ()), *rest]
    text = ast.unparse(ast.Module(body, type_ignores=[]))
    scales = [scale for n in own if n.name == "Layer_Dense" for scale in [_scale(n)] if scale is not None]
    replaced = [*(n.name for n in own), *(name.name for n in imported for name in _of_book(n))]
    return Listing(path, tuple(replaced), scales[0] if scales else None, text, _calls_init(tree))


def _is_of_helper(node: ast.stmt) -> bool:
    """An import of the book's helper package."""
    if isinstance(node, ast.Import):
        return any(name.name.split(".")[0] == "nnfs" for name in node.names)
    return isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "nnfs"


def _of_book(node: ast.ImportFrom) -> list[ast.alias]:
    """The book's classes among the names that are imported."""
    return [name for name in node.names if name.name in book.__all__ and name.name[0].isupper()]


def _from_the_book(node: ast.ImportFrom, chapter: str) -> list[ast.stmt]:
    """An import from modules of the program's own, with the book's classes from the library and the rest as it was."""
    theirs = _of_book(node)
    rest = [name for name in node.names if name not in theirs]
    own: list[ast.stmt] = [ast.ImportFrom(node.module, rest, node.level)] if rest else []
    return [*own, ast.ImportFrom(chapter, theirs, 0)]


def _beside_helper(node: ast.stmt) -> list[ast.alias]:
    """The other modules of `import numpy as np, nnfs`."""
    names = node.names if isinstance(node, ast.Import) and _is_of_helper(node) else []
    return [name for name in names if name.name.split(".")[0] != "nnfs"]


def _calls_init(tree: ast.Module) -> bool:
    """Somewhere `nnfs.init()`, or `init()` where it was imported by itself."""
    called = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any((f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "")) == "init" for f in called)


def _is_without_batches(node: ast.ClassDef) -> bool:
    """Chapter 18's Model, whose `train` takes no batch size."""
    trains = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "train"]
    names = {argument.arg for n in trains for argument in (*n.args.args, *n.args.kwonlyargs)}
    return node.name == "Model" and bool(trains) and "batch_size" not in names


def _scale(node: ast.ClassDef) -> float | None:
    """The number before `np.random.randn(...)` in a layer's weights."""
    for each in ast.walk(node):
        if isinstance(each, ast.BinOp) and isinstance(each.op, ast.Mult):
            sides = (each.left, each.right)
            numbers = [s.value for s in sides if isinstance(s, ast.Constant) and isinstance(s.value, int | float)]
            if numbers and any("randn" in ast.unparse(side) for side in sides):
                return float(numbers[0])
    return None
