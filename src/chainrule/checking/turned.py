"""Repairs that take something out of an expression or turn it round: factors, terms, signs, transposes, axes, names."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

from .rewriting import Repair, SourceScope, expression, inside, is_array, put, told

__all__ = ["axes", "numbers", "renamed", "taken_out", "turned"]

_SUMS = ("sum", "mean")


def taken_out(i: int, node: ast.stmt) -> Iterator[Repair]:
    """What is one too many: a factor, a term, a sign, a slice, an axis that is kept."""
    for number, e, _ in inside(node):
        for new, mistake, says in _simpler(e):
            yield Repair(i, put(number, new), mistake, says)


def turned(i: int, node: ast.stmt) -> Iterator[Repair]:
    """Arrays transposed."""
    for number, e, _ in inside(node):
        for how in (".T", ".swapaxes(-1, -2)") if isinstance(e, ast.Name | ast.Attribute) else ():
            says = f"{told(e)} must be transposed in {told(node)}."
            yield Repair(i, put(number, expression(ast.unparse(e) + how)), "missing_transpose", says)


_OTHER: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(), ast.Sub: ast.Add(), ast.Mult: ast.Div(), ast.Div: ast.Mult(),
}  # fmt: skip


def _simpler(e: ast.expr) -> Iterator[tuple[ast.expr, str, str]]:
    if isinstance(e, ast.BinOp):
        yield from _of_operands(e)
    elif isinstance(e, ast.UnaryOp) and isinstance(e.op, ast.USub):
        yield e.operand, "wrong_sign", f"The sign of {told(e)} is wrong."
    elif isinstance(e, ast.Compare) and len(e.ops) == 1:
        other = {ast.Gt: ast.Lt(), ast.Lt: ast.Gt(), ast.GtE: ast.Lt(), ast.LtE: ast.Gt()}.get(type(e.ops[0]))
        if other is not None:
            yield ast.Compare(e.left, [other], e.comparators), "gate_inverted", f"{told(e)} asks the opposite."
    elif isinstance(e, ast.Subscript):
        flipped = "-1" in ast.unparse(e.slice)
        says = f"The numbers are right and their order is not: an axis is reversed in {told(e)}."
        yield e.value, "flipped_axis" if flipped else "part_only", says if flipped else f"{told(e)} is a part alone."
    elif isinstance(e, ast.Attribute) and e.attr == "T":
        yield e.value, "missing_transpose", f"{told(e)} must not be transposed here."
    elif isinstance(e, ast.Call):
        yield from _of_call(e)


def _of_operands(e: ast.BinOp) -> Iterator[tuple[ast.expr, str, str]]:
    sums = isinstance(e.op, ast.Add | ast.Sub)
    if isinstance(e.op, ast.MatMult):
        says = f"The product {told(e)} is the wrong way round."
        yield ast.BinOp(e.right, e.op, e.left), "transposed_product", says
        return
    if sums:
        yield e.left, "extra_term", f"The term {told(e.right)} does not belong there."
        yield e.right, "extra_term", f"The term {told(e.left)} does not belong there."
        other = _OTHER[type(e.op)]
        sign = "minus" if isinstance(e.op, ast.Add) else "plus"
        yield ast.BinOp(e.left, other, e.right), "wrong_sign_of_term", f"{told(e.right)} has the wrong sign: {sign}."
    elif isinstance(e.op, ast.Mult | ast.Div):
        by = "divided by" if isinstance(e.op, ast.Div) else "multiplied by"
        says = f"{told(e.left)} is {by} {told(e.right)}, which does not belong there."
        yield e.left, "stray_factor", says
        if isinstance(e.op, ast.Mult):
            says = f"{told(e.right)} is multiplied by {told(e.left)}, which does not belong there."
            yield e.right, "stray_factor", says
        yield ast.BinOp(e.left, _OTHER[type(e.op)], e.right), "inverse_factor", f"It is {by} {told(e.right)}; inverse."


def _of_call(e: ast.Call) -> Iterator[tuple[ast.expr, str, str]]:
    kept = [word for word in e.keywords if word.arg not in ("keepdims", "keepdim")]
    if len(kept) < len(e.keywords):
        says = f"keepdims in {told(e)} leaves an axis too many: the numbers are right and the shape is not."
        yield ast.Call(e.func, e.args, kept), "keepdims_too_many", says
    name = e.func.attr if isinstance(e.func, ast.Attribute) else ""
    if name in _SUMS:
        other = copy.deepcopy(e)
        assert isinstance(other.func, ast.Attribute)
        other.func.attr = "mean" if name == "sum" else "sum"
        says = f"{told(e)} takes the {name} where the {other.func.attr} belongs."
        yield other, "mean_for_sum" if name == "mean" else "sum_for_mean", says
    if name in ("transpose", "swapaxes") and isinstance(e.func, ast.Attribute):
        yield e.func.value, "missing_transpose", f"{told(e)} must not be transposed here."
    if name in ("dot", "matmul") and len(e.args) == 2:
        yield ast.Call(e.func, e.args[::-1], e.keywords), "transposed_product", f"{told(e)} is the wrong way round."


def axes(i: int, node: ast.stmt) -> Iterator[Repair]:
    """Sums and means over other axes."""
    for number, e, _ in inside(node):
        name = e.func.attr if isinstance(e, ast.Call) and isinstance(e.func, ast.Attribute) else ""
        if not isinstance(e, ast.Call) or name not in (*_SUMS, "max"):
            continue
        kept = [word for word in e.keywords if word.arg not in ("axis", "keepdims")]
        for axis in ("0", "1", "-1", "(0, 1)", "(0, 2)", "(0, 2, 3)"):
            for keepdims in (False, True):
                words = [*kept, ast.keyword("axis", expression(axis))]
                words += [ast.keyword("keepdims", ast.Constant(value=True))] if keepdims else []
                new = ast.Call(e.func, e.args[:1], words)
                whole = all(word.arg != "axis" for word in e.keywords) and len(e.args) < 2
                what = "adds up everything, samples and neurons alike" if whole else "goes over the wrong axis"
                says = f"{told(e)} {what}: it is {ast.unparse(new)}."
                yield Repair(i, put(number, new), "wrong_axis", says)


def numbers(i: int, node: ast.stmt, scope: SourceScope) -> Iterator[Repair]:
    """Other numbers, those of forward first, and 0 where a slope belongs."""
    arrays = [name for name, value in scope.known.items() if is_array(value)][:4]
    for number, e, _ in inside(node):
        if not isinstance(e, ast.Constant) or isinstance(e.value, bool) or not isinstance(e.value, int | float):
            continue
        for new in dict.fromkeys([*scope.constants, 2, 1, 0.5, -e.value]):
            if new != e.value:
                says = f"The number {e.value} is wrong: {new}."
                yield Repair(i, put(number, expression(repr(new))), "wrong_number", says)
        if e.value == 0:
            for new in scope.constants:
                for name in arrays:
                    code = f"{new!r} * {name}"
                    says = f"0 stands where {code} belongs: that side has a slope of its own."
                    yield Repair(i, put(number, expression(code)), "slope_missing", says)


def renamed(i: int, node: ast.stmt, scope: SourceScope) -> Iterator[Repair]:
    """Other arrays in the place of the one that is read."""
    for number, e, _ in inside(node):
        own = ast.unparse(e)
        if not isinstance(e, ast.Name | ast.Attribute | ast.Subscript) or not is_array(scope.known.get(own)):
            continue
        for name, value in scope.known.items():
            if name != own and is_array(value):
                yield Repair(i, put(number, expression(name)), "wrong_array", f"{own} stands where {name} belongs.")
