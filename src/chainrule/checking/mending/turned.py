"""Repairs that take something out of an expression or turn it round: factors, terms, signs, transposes, axes, names."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

import numpy as np

from .rewriting import Repair, SourceScope, expression, inside, is_array, put, told

__all__ = ["axes", "numbers", "renamed", "reshaped", "sizes", "taken_out", "turned"]

_SUMS = ("sum", "mean")


def taken_out(i: int, node: ast.stmt) -> Iterator[Repair]:
    """What is one too many: a factor, a term, a sign, a slice, an axis that is kept."""
    places = [each for each in ast.walk(node) if isinstance(each, ast.Subscript)]
    of = {id(each): place for place in places for each in ast.walk(place.slice)}
    for number, e, _ in inside(node, places=True):
        steps = [(each, "", "") for each in _neighbours(e)] if id(e) in of else []
        for new, mistake, says in (*_simpler(e), *steps):
            if id(e) in of:
                index = f"The index in {told(of[id(e)])} is wrong: {told(new)} belongs in the place of {told(e)}."
                yield Repair(i, put(number, new), "wrong_index", index)
            else:
                yield Repair(i, put(number, new), mistake, says)


def _neighbours(e: ast.expr) -> list[ast.expr]:
    """The index before a name, and the one after it."""
    names = isinstance(e, ast.Name) and e.id not in ("np", "numpy")
    return [ast.BinOp(e, op, ast.Constant(1)) for op in (ast.Sub(), ast.Add())] if names else []


def turned(i: int, node: ast.stmt) -> Iterator[Repair]:
    """Arrays transposed."""
    for number, e, _ in inside(node):
        for how in (".T", ".swapaxes(-1, -2)") if isinstance(e, ast.Name | ast.Attribute) else ():
            says = f"{told(e)} must be transposed in {told(node)}."
            yield Repair(i, put(number, expression(ast.unparse(e) + how)), "missing_transpose", says)


_OTHER: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(), ast.Sub: ast.Add(), ast.Mult: ast.Div(), ast.Div: ast.Mult(),
}  # fmt: skip


_OPPOSED: dict[type[ast.cmpop], tuple[ast.cmpop, ...]] = {
    ast.Gt: (ast.Lt(), ast.LtE()), ast.Lt: (ast.Gt(), ast.GtE()),
    ast.GtE: (ast.Lt(), ast.LtE()), ast.LtE: (ast.Gt(), ast.GtE()),
}  # fmt: skip


def _simpler(e: ast.expr) -> Iterator[tuple[ast.expr, str, str]]:
    if isinstance(e, ast.BinOp):
        yield from _of_operands(e)
    elif isinstance(e, ast.UnaryOp) and isinstance(e.op, ast.USub):
        yield e.operand, "wrong_sign", f"The sign of {told(e)} is wrong."
    elif isinstance(e, ast.Compare) and len(e.ops) == 1:
        for other in _OPPOSED.get(type(e.ops[0]), ()):
            yield ast.Compare(e.left, [other], e.comparators), "gate_inverted", f"{told(e)} asks the opposite."
    elif isinstance(e, ast.Subscript):
        flipped = "-1" in ast.unparse(e.slice) and ":" in ast.unparse(e.slice)
        says = f"The numbers are right and their order is not: an axis is reversed in {told(e)}."
        alone = f"{told(e)} is a part alone: the rest of {told(e.value)} is left out."
        yield e.value, "flipped_axis" if flipped else "part_only", says if flipped else alone
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
    if isinstance(e.op, ast.Sub):
        says = f"The sign is wrong: {told(e)} is the wrong way round."
        yield ast.BinOp(e.right, e.op, e.left), "wrong_sign", says
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
            says = (
                f"{told(e.left)} and {told(e.right)} are multiplied where they must be added: each use adds a gradient."
            )
            yield ast.BinOp(e.left, ast.Add(), e.right), "product_for_sum", says
        says = f"{told(e.left)} is {by} {told(e.right)}, and it is the other way round."
        yield ast.BinOp(e.left, _OTHER[type(e.op)], e.right), "inverse_factor", says
    elif isinstance(e.op, ast.Pow):
        yield e.left, "wrong_power", f"{told(e)} is a power too many: {told(e.left)}."
        try:
            power = ast.literal_eval(e.right)
        except ValueError:
            return
        for other in (power - 1, power + 1):
            says = f"The power in {told(e)} is wrong: {other}, and not {power}."
            yield ast.BinOp(e.left, e.op, expression(repr(other))), "wrong_power", says


_OPPOSITE = {"minimum": "maximum", "maximum": "minimum", "argmax": "argmin", "argmin": "argmax", "min": "max",
             "max": "min", "sin": "cos", "cos": "sin"}  # fmt: skip


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
    if name in _OPPOSITE:
        other = copy.deepcopy(e)
        assert isinstance(other.func, ast.Attribute)
        other.func.attr = _OPPOSITE[name]
        yield other, "opposite_function", f"{told(e)} takes the {name} where the {_OPPOSITE[name]} belongs."
    if name in ("flip", "flipud", "fliplr", "roll") and e.args:
        says = f"The numbers are right and their order is not: {told(e)} reverses or shifts an axis."
        yield e.args[0], "flipped_axis", says
    if name == "where" and len(e.args) == 3:
        says = f"The two sides of {told(e)} are the wrong way round."
        yield ast.Call(e.func, [e.args[0], e.args[2], e.args[1]], e.keywords), "gate_inverted", says
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
    for number, e, _ in inside(node, places=True):
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


def sizes(i: int, node: ast.stmt, counts: list[str]) -> Iterator[Repair]:
    """Sizes in the place of a number, or of another size."""
    for number, e, parent in inside(node):
        if not isinstance(parent, ast.BinOp) or not isinstance(parent.op, ast.Div | ast.Mult):
            continue
        own = ast.unparse(e)
        plain = isinstance(e, ast.Constant) and isinstance(e.value, int | float) and not isinstance(e.value, bool)
        if not plain and own not in counts and not own.startswith("len("):
            continue
        for new in counts:
            if new != own and plain:
                says = f"The number {own} is a size written into the formula: it must follow the arrays, {new}."
                yield Repair(i, put(number, expression(new)), "written_size", says)
            elif new != own:
                size = any(word in own + new for word in ("len(", ".shape", ".size", ".sum("))
                says = f"{own} stands where {new} belongs{': it divides by the wrong size' * size}."
                yield Repair(i, put(number, expression(new)), "wrong_size", says)


def _taken_from_one(e: ast.expr) -> str:
    """The name y in 1 - y; "" for anything else."""
    if (
        not isinstance(e, ast.BinOp)
        or not isinstance(e.op, ast.Sub)
        or not isinstance(e.right, ast.Name | ast.Attribute)
    ):
        return ""
    return ast.unparse(e.right) if isinstance(e.left, ast.Constant) and e.left.value == 1 else ""


def reshaped(i: int, node: ast.stmt, scope: SourceScope, names: bool) -> Iterator[Repair]:
    """Simple functions of a name, or of other expressions: the negative, square, 1 minus it, a slope by its value."""
    for number, e, parent in inside(node):
        if not isinstance(e, ast.Name | ast.Attribute if names else ast.Subscript | ast.Call | ast.BinOp):
            continue
        if isinstance(parent, ast.Subscript) and e is parent.slice:
            continue
        if isinstance(parent, ast.Attribute | ast.Subscript | ast.Starred) or (
            isinstance(parent, ast.Call) and e is parent.func
        ):
            continue
        own = ast.unparse(e)
        if isinstance(scope.evaluate(own), int):  # a size
            continue
        if isinstance(e, ast.BinOp):
            own = f"({own})"
        one = _taken_from_one(e)
        of_sigmoid = f"The factor {one} is missing beside {own}: the derivative of the sigmoid, by its output, is "
        for code, mistake, says in (
            (f"-{own}", "wrong_sign", f"The sign of {told(e)} is wrong: minus."),
            (f"{own} ** 2", *_square(e, parent)),
            (f"1 - {own}", "missing_one_minus", f"1 - {told(e)} belongs in the place of {told(e)}."),
            (f"(1 - {own} ** 2)", "function_for_derivative", f"{told(e)} stands where its derivative belongs, "
             f"1 - {own} ** 2."),
            (f"{one} * {own}", "missing_local_derivative", f"{of_sigmoid}{one} * {own}.") if one else
            (f"{own} * (1 - {own})", "function_for_derivative", f"{told(e)} stands where its derivative belongs, "
             f"{own} * (1 - {own})."),
            (f"1 / {own}", "inverse_factor", f"1 / {told(e)} belongs in the place of {told(e)}."),
        ):  # fmt: skip
            yield Repair(i, put(number, expression(code)), mistake, says)


def _square(e: ast.expr, parent: ast.AST) -> tuple[str, str]:
    if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Sub) and ast.unparse(parent.left) == "1":
        says = f"{told(parent)} lacks a square: the derivative of tanh, by its output, is 1 - {told(e)} ** 2."
        return "missing_local_derivative", says
    return "missing_square", f"{told(e)} must be squared."


def renamed(i: int, node: ast.stmt, scope: SourceScope, called: tuple[str, ...] = ("",)) -> Iterator[Repair]:
    """Other arrays of its shape in the place of the one that is read, which is `called` so, in part."""
    for number, e, _ in inside(node, places=True):
        own = ast.unparse(e)
        if not isinstance(e, ast.Name | ast.Attribute | ast.Subscript) or not any(part in own for part in called):
            continue
        value = scope.evaluate(own)
        for name, other in scope.known.items() if is_array(value) else ():
            if name == own or not is_array(other) or np.shape(other) != np.shape(value):
                continue
            mistake, says = "wrong_array", f"{own} stands where {name} belongs."
            if "running" in own or "moving" in own:
                mistake = "running_statistics"
                says += " Running statistics are for inference: forward normalizes with those of the batch."
            yield Repair(i, put(number, expression(name)), mistake, says)
