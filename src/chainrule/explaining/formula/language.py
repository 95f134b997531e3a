"""Reading formulas: the tree of one, its symbols, its indices and how far they run."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import DefinitionError

__all__ = [
    "Index",
    "derivative_symbol",
    "fixed",
    "free_indices",
    "index_of",
    "index_sizes",
    "parse",
    "parts",
    "pattern",
    "symbol",
]

Index = tuple[Any, ...]


@functools.lru_cache(maxsize=4096)
def parse(formula: str) -> ast.expr:
    """The formula as a tree. Raises `DefinitionError` where it is no expression.

    >>> type(parse("a + b")).__name__
    'BinOp'
    """
    try:
        return ast.parse(formula, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise DefinitionError(f"The formula {formula!r} cannot be read: {error}.") from None


def symbol(name: str, index: Sequence[int] = ()) -> str:
    """A name and its indices as a formula; a name that is no word is put in quotes.

    >>> symbol("w", (1, 2)), symbol("dense_0.weights", (1, 2)), symbol("loss")
    ('w[1,2]', "'dense_0.weights'[1,2]", 'loss')
    """
    word = name if name.isidentifier() else repr(name)
    return f"{word}[{','.join(map(str, index))}]" if len(index) else word


def derivative_symbol(name: str, index: Sequence[int | str]) -> str:
    """dL/d(name[index]) as a formula.

    >>> derivative_symbol("relu_0", (0, 3))
    "D(L, 'relu_0'[0,3])"
    """
    base = "ell" if name == "loss" else repr(name)
    return f"D(L, {base}[{','.join(map(str, index))}])"


def pattern(text: str) -> tuple[str, tuple[str | int, ...]]:
    """The symbol and the indices of one array as a rule names them.

    >>> pattern("bias[0,n]"), pattern("x[...]")
    (('bias', (0, 'n')), ('x', ('...',)))
    """
    node = parse(text)
    if isinstance(node, ast.Name):
        return node.id, ()
    if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)):
        raise DefinitionError(f"The rule names an array {text!r}; write a symbol with its indices, such as 'w[i,n]'.")
    return node.value.id, tuple(index_of(part) for part in parts(node))


def parts(node: ast.Subscript) -> list[ast.expr]:
    """The indices of a symbol."""
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def index_of(part: ast.expr) -> str | int:
    """A letter, a number, or "..."."""
    if isinstance(part, ast.Name):
        return part.id
    if isinstance(part, ast.Constant) and part.value is Ellipsis:
        return "..."
    if isinstance(part, ast.Constant) and isinstance(part.value, int):
        return part.value
    raise DefinitionError(f"{ast.unparse(part)!r} is no index: use a letter, a whole number or '...'.")


def free_indices(indices: Sequence[str | int], fixed: Mapping[str, Any]) -> list[str]:
    """The indices of an array that are letters without a value.

    >>> free_indices(("b", "n", 0), {"b": 3})
    ['n']
    """
    return [index for index in indices if isinstance(index, str) and index not in fixed]


def fixed(letters: Sequence[str | int], index: Sequence[Any]) -> dict[str, Any]:
    """What each index letter is at a place.

    >>> fixed(("...", "k"), (4, 2, 7)), fixed(("b", 0), (3, 0))
    ({'...': (4, 2), 'k': 7}, {'b': 3})
    """
    found: dict[str, Any] = {}
    if "..." in letters:
        at = list(letters).index("...")
        after = len(letters) - at - 1
        found["..."] = tuple(index[at : len(index) - after])
        letters = (*letters[:at], *letters[at + 1 :])
        index = (*index[:at], *index[len(index) - after :])
    found |= {letter: i for letter, i in zip(letters, index, strict=False) if isinstance(letter, str)}
    return found


def index_sizes(formulas: Sequence[str], shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """How far each index letter runs, from where it stands at an array of known shape.

    >>> index_sizes(["sum(k, x[b,k])"], {"x": (4, 3)})
    {'k': 3, 'b': 4}
    """
    sizes: dict[str, int] = {}
    for formula in formulas:
        for letter, name, axis in _standing(formula):
            if name in shapes:
                sizes.setdefault(letter, shapes[name][axis])
    return sizes


@functools.lru_cache(maxsize=4096)
def _standing(formula: str) -> tuple[tuple[str, str, int], ...]:
    """Where index letters stand in a formula: (letter, symbol, axis from the last, -1, on)."""
    found = []
    for node in ast.walk(parse(formula)):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            for axis, part in enumerate(reversed(parts(node)), start=1):
                if isinstance(part, ast.Constant) and part.value is Ellipsis:
                    break
                if isinstance(part, ast.Name):
                    found.append((part.id, node.value.id, -axis))
    return tuple(found)
