"""How a repair is shown: the line that it changes, as it was and as it is to be written."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from .rewriting import Repair
from .usercode import lines_of

__all__ = ["Written", "as_written", "latest"]


@dataclass(frozen=True)
class Written:
    """One repair: what it mends, and the line."""

    mistake: str
    says: str
    arrays: frozenset[str]
    line: int
    was: str
    write: str
    where: str = ""  # the function that it stands in


def as_written(
    name: str, old_tree: ast.FunctionDef, tree: ast.FunctionDef, repair: Repair, arrays: frozenset[str]
) -> Written:
    """What a repair changed in a function; `arrays` are the gradients that it makes right."""
    old = list(ast.walk(old_tree))[repair.place]
    line, was, write = _reordered(old_tree, tree) or _header(old_tree, old, tree, repair) or _line(old_tree, old, tree)
    before = _on_the_same_line(old_tree, line)
    was, write = (before + _bare(code).replace("\n", "; ") if before and code else _bare(code) for code in (was, write))
    return Written(repair.mistake, repair.says, arrays, line, was, write, name)


def _on_the_same_line(tree: ast.FunctionDef, line: int) -> str:
    """What stands before a statement in its line, such as `def f(x): `."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.stmt) and isinstance(body, list) and node.lineno == body[0].lineno == line:
            if isinstance(node, ast.FunctionDef):
                return f"def {node.name}({ast.unparse(node.args)}): "
            return f"{ast.unparse(node).splitlines()[0]} "
    return ""


def _line(old_tree: ast.FunctionDef, old: ast.AST, tree: ast.FunctionDef) -> tuple[int, str, str]:
    before = {ast.unparse(node) for node in lines_of(old_tree)}
    new = [node for node in lines_of(tree) if ast.unparse(node) not in before]
    was, write = "" if old is old_tree else ast.unparse(old), ast.unparse(new[0]) if new else ast.unparse(old)
    if new and was and was in {ast.unparse(node) for node in lines_of(tree)}:  # a line more
        write = f"{was}\n{write}"
    line = old.lineno if isinstance(old, ast.stmt) and was else new[0].lineno if new else 0
    return line, f"    {was}" if was == write else was, write  # the same, further out


def _reordered(old: ast.FunctionDef, new: ast.FunctionDef) -> tuple[int, str, str] | None:
    before, after = [[ast.unparse(node) for node in tree.body] for tree in (old, new)]
    returned = before[-1].startswith("return") and after[-1].startswith("return")
    if len(after) == len(before) + 1 and returned and before[-1] != after[-1]:  # computed earlier
        at = next(k for k, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
        return old.body[at].lineno, "\n".join(before[at:]), "\n".join(after[at:])
    if before == after or sorted(before) != sorted(after):
        return None
    moved = [k for k, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    lines = slice(moved[0], moved[-1] + 1)
    return old.body[moved[0]].lineno, "\n".join(before[lines]), "\n".join(after[lines])


def _header(
    old_tree: ast.FunctionDef, old: ast.AST, tree: ast.FunctionDef, repair: Repair
) -> tuple[int, str, str] | None:
    """The first line of a loop, where that is what changes."""
    new = list(ast.walk(tree))[repair.place] if isinstance(old, ast.For) else None
    if not isinstance(old, ast.For) or not isinstance(new, ast.For):
        return None
    if ast.unparse(old.iter) == ast.unparse(new.iter):  # a line after it
        before = {ast.unparse(node) for node in lines_of(old_tree)}
        last = new.body[-1]
        if len(new.body) > len(old.body) and ast.unparse(last) not in before:  # a line more inside of it
            own = ast.unparse(old.body[-1])
            return old.body[-1].lineno, own, f"{own}\n{ast.unparse(last)}"
        added = next((ast.unparse(node) for node in lines_of(tree) if ast.unparse(node) not in before), "")
        after = [n.lineno for n in ast.walk(old_tree) if isinstance(n, ast.stmt) and n.lineno > (old.end_lineno or 0)]
        return (min(after), "", added) if added and after else None
    return old.lineno, ast.unparse(old).splitlines()[0], ast.unparse(new).splitlines()[0]


def _bare(code: str) -> str:
    """A return, or an assignment of several, without the brackets around what it lists."""
    if code.startswith(" ") or "\n" in code or code.endswith(":"):
        return code
    start, _, rest = code.partition("return (") if code.startswith("return (") else code.partition(" = (")
    node = ast.parse(code).body[0] if rest and not code.startswith("return") else None
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
        return f"{start} = {rest[:-1]}"
    if code.startswith("return (") and isinstance(ast.parse(code[7:], mode="eval").body, ast.Tuple):
        return f"return {rest[:-1]}"
    return code


def latest(written: Sequence[Written]) -> tuple[Written, ...]:
    """Repairs of one line as one, with the line as it is after all of them."""
    found: dict[int, Written] = {}
    for each in written:
        if each.line in found:
            first = found[each.line]
            arrays = first.arrays | each.arrays
            says = first.says if each.says in first.says else f"{first.says} {each.says}"
            found[each.line] = Written(first.mistake, says, arrays, each.line, first.was, each.write, first.where)
        else:
            found[each.line] = each
    return tuple(found.values())
