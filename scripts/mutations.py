"""What may change in a source text: every operator, number, condition, argument and statement, one at a time.

Annotations, docstrings, f-strings and the texts of errors stay as they are.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}  # fmt: skip
OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.BitXor: ast.BitOr, ast.MatMult: ast.Mult,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """The text of a file with one change, and the line where it is."""

    line: int
    what: str
    text: str

    @property
    def compiles(self) -> bool:
        """Whether Python takes it for a program."""
        try:
            compile(self.text, "mutant", "exec")
        except SyntaxError:
            return False
        return True


def changed(node: Any, **fields: Any) -> Any:
    """A copy of a node with other fields."""
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def without(items: list[Any], index: int) -> list[Any]:
    """A copy of a list that lacks one item."""
    return [*items[:index], *items[index + 1 :]]


def constants(node: ast.Constant) -> Iterator[Any]:
    """Other values of a constant; texts with a space are taken for messages."""
    value = node.value
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1
        if value:
            yield 0 if isinstance(value, int) else value * 10
    elif isinstance(value, str) and value and " " not in value:
        yield "mutant"


def expressions(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in the place of an expression."""
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other in COMPARISONS[type(operator)]:
                yield "comparison", changed(node, ops=[*node.ops[:index], other(), *node.ops[index + 1 :]])
    elif isinstance(node, ast.BinOp):
        yield "operator", changed(node, op=OPERATORS[type(node.op)]())
        if isinstance(node.op, ast.Sub | ast.Div | ast.Pow):
            yield "swapped operands", changed(node, left=node.right, right=node.left)
    elif isinstance(node, ast.BoolOp):
        yield "and/or", changed(node, op=ast.And() if isinstance(node.op, ast.Or) else ast.Or())
        for index in range(len(node.values)):
            rest = without(node.values, index)
            yield "operand removed", rest[0] if len(rest) == 1 else changed(node, values=rest)
    elif isinstance(node, ast.UnaryOp):
        yield "sign or not removed", node.operand
    elif isinstance(node, ast.Constant):
        yield from (("constant", ast.Constant(value)) for value in constants(node))
    elif isinstance(node, ast.IfExp):
        yield "branches swapped", changed(node, body=node.orelse, orelse=node.body)
    elif isinstance(node, ast.Call):
        if len(node.args) > 1 and not any(isinstance(each, ast.Starred) for each in node.args[:2]):
            yield "arguments swapped", changed(node, args=[node.args[1], node.args[0], *node.args[2:]])
        for index, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                yield f"{keyword.arg}= removed", changed(node, keywords=without(node.keywords, index))
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        first = node.generators[0]
        if first.ifs:
            yield "filter removed", changed(node, generators=[changed(first, ifs=[]), *node.generators[1:]])


def statements(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in the place of a statement."""
    if isinstance(node, ast.Return):
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield "return None", ast.Return(None)
    elif isinstance(node, ast.Continue | ast.Break | ast.Raise | ast.Expr | ast.AugAssign | ast.Delete) or (
        isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute | ast.Subscript)
    ):
        yield "statement removed", ast.Pass()


def children(node: ast.AST) -> Iterator[ast.AST]:
    """What is inside a node and may change: no annotations, docstrings, f-strings, messages of errors."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "msg", "op", "ops", "ctx", "bases"):
            continue
        for each in value if isinstance(value, list) else [value]:
            docstring = isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
            skipped = docstring or isinstance(each, ast.JoinedStr | ast.Import | ast.ImportFrom)
            if isinstance(each, ast.AST) and not skipped:
                yield each


def mutations(node: ast.AST) -> Iterator[tuple[ast.AST, str, ast.AST]]:
    """(node, what is done, what stands in its place) for everything below a node, in the order of the text."""
    for child in children(node):
        if isinstance(child, ast.Assign) and ast.unparse(child.targets[0]) == "__all__":
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(child, ast.If | ast.While):
            yield child.test, "condition negated", ast.UnaryOp(ast.Not(), child.test)
        yield from ((child, what, other) for what, other in (*expressions(child), *statements(child)))
        if not isinstance(child, ast.Raise):
            yield from mutations(child)


def mutants(text: str) -> list[Mutant]:
    """Every mutant of a source text, those that do not compile among them: to compile all takes a minute a folder."""
    lines = text.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    source, found = b"".join(lines), {}
    for node, what, other in mutations(ast.parse(text)):
        place: Any = node
        begin, end = starts[place.lineno - 1] + place.col_offset, starts[place.end_lineno - 1] + place.end_col_offset
        code = ast.unparse(ast.fix_missing_locations(other))
        code = f"({code})" if isinstance(other, ast.expr) and not isinstance(other, ast.Constant | ast.Name) else code
        mutant = (source[:begin] + code.encode() + source[end:]).decode()
        found.setdefault(mutant, Mutant(place.lineno, what, mutant))
    return [each for each in found.values() if each.text != text]
