"""Repairs that put in what was left out: a factor, a term, or the whole line where a form equals the derivative."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .rewriting import Repair, SourceScope, expression, inside, put, told

__all__ = ["added_forms", "divisions", "factors", "given_forms", "softmax_products", "softmax_sums", "terms"]


def given_forms(i: int, node: ast.stmt, scope: SourceScope) -> Iterator[Repair]:
    """The whole right-hand side written anew, where a form is known to equal the derivative."""
    value = getattr(node, "value", None)
    for number, e, parent in inside(node):
        if e is value or (isinstance(parent, ast.Tuple | ast.List) and parent is value):
            for line in scope.forms:
                new = _right_hand_side(line)
                if new is not None:
                    mistake, says = _difference(e, new)
                    yield Repair(i, put(number, new), mistake, says)


def _right_hand_side(line: str) -> ast.expr | None:
    try:
        node = ast.parse(line).body[0]
    except SyntaxError:
        return None
    return node.value if isinstance(node, ast.Assign) else None


def added_forms(tree: ast.FunctionDef, scope: SourceScope) -> Iterator[Repair]:
    """The line that sets the gradient right, in place of a last one that sets it wrong, or after all others."""
    last = tree.body[-1]
    for line in scope.forms:
        if _right_hand_side(line) is not None:
            says = f"What comes out is not the derivative, which is {line}."
            if _target(ast.parse(line).body[0]) & {name for node in ast.walk(last) for name in _target(node)}:
                place = next(i for i, node in enumerate(ast.walk(tree)) if node is last)
                yield Repair(place, _instead(line), "wrong_formula", says)
            yield Repair(0, _appended(line), "wrong_formula", says)


def _target(node: ast.AST) -> set[str]:
    """What a statement sets, whole or in part."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
    return {ast.unparse(each.value if isinstance(each, ast.Subscript) else each) for each in targets}


def _instead(line: str) -> Callable[[Any, ast.FunctionDef], None]:
    def change(_: Any, tree: ast.FunctionDef) -> None:
        tree.body[-1] = ast.copy_location(ast.parse(line).body[0], tree.body[-1])

    return change


def _appended(line: str) -> Callable[[Any, ast.FunctionDef], None]:
    def change(_: Any, tree: ast.FunctionDef) -> None:
        last = tree.body[-1]
        new = ast.copy_location(ast.parse(line).body[0], last)
        if not isinstance(last, ast.Return):
            new.lineno = (last.end_lineno or last.lineno) + 1
        tree.body.insert(len(tree.body) - isinstance(last, ast.Return), new)

    return change


def _difference(old: ast.expr, new: ast.expr) -> tuple[str, str]:
    """In what two expressions differ, as deep inside as can be."""
    a, b = ast.unparse(old), ast.unparse(new)
    if isinstance(new, ast.BinOp) and a in (ast.unparse(new.left), ast.unparse(new.right)):
        rest = new.right if a == ast.unparse(new.left) else new.left
        if isinstance(new.op, ast.Mult):
            return "missing_factor", f"The factor {told(rest)} is missing in {told(old)}."
        if isinstance(new.op, ast.Add | ast.Sub):
            return "missing_term", f"The term {told(rest)} is missing beside {told(old)}."
    outside = _outside_the_sum(old, new)
    if outside:
        return "factor_outside_the_sum", outside
    if _signs_differ(old, new) and isinstance(old, ast.BinOp) and isinstance(new, ast.BinOp):
        sign = "minus, not plus" if isinstance(new.op, ast.Sub) else "plus, not minus"
        same = ast.unparse(old.right) == ast.unparse(new.right)
        more = "" if same else f" {_difference(old.right, new.right)[1]}"
        return "wrong_sign_of_term", f"The second term, {told(old.right)}, has the wrong sign: {sign}.{more}"
    if isinstance(old, ast.BinOp) and isinstance(new, ast.BinOp) and type(old.op) is type(new.op):
        if ast.unparse(old.left) == ast.unparse(new.left):
            return _difference(old.right, new.right)
        if ast.unparse(old.right) == ast.unparse(new.right):
            return _difference(old.left, new.left)
    if isinstance(old, ast.Call) and isinstance(new, ast.Call) and len(old.args) == len(new.args) == 1:
        rest_of = [ast.unparse(ast.Call(call.func, [], call.keywords)) for call in (old, new)]
        if rest_of[0] == rest_of[1]:
            return _difference(old.args[0], new.args[0])
    if isinstance(old, ast.Name | ast.Attribute) and isinstance(new, ast.Name | ast.Attribute):
        return "wrong_array", f"{a} stands where {b} belongs."
    return "wrong_formula", f"{told(old)} stands where {told(new)} belongs."


def _signs_differ(old: ast.expr, new: ast.expr) -> bool:
    """Whether one is a sum and the other a difference that starts the same."""
    if not isinstance(old, ast.BinOp) or not isinstance(new, ast.BinOp):
        return False
    return {type(old.op), type(new.op)} == {ast.Add, ast.Sub} and ast.unparse(old.left) == ast.unparse(new.left)


def _outside_the_sum(old: ast.expr, new: ast.expr) -> str:
    """Whether a factor stands beside a sum, and belongs inside."""
    total = _summed(new)
    if total is None or not isinstance(total, ast.BinOp) or not isinstance(total.op, ast.Mult):
        return ""
    if not isinstance(old, ast.BinOp) or not isinstance(old.op, ast.Mult):
        return ""
    inner = {ast.unparse(total.left), ast.unparse(total.right)}
    for one, other in ((old.left, old.right), (old.right, old.left)):
        alone = _summed(one)
        if alone is not None and {ast.unparse(alone), ast.unparse(other)} == inner:
            return (
                f"The factor {told(other)} stands outside of the sum {told(one)} and belongs inside: what is summed "
                f"is {told(total)}."
            )
    return ""


def _summed(e: ast.expr) -> ast.expr | None:
    """What a call of sum adds up."""
    if not isinstance(e, ast.Call) or not isinstance(e.func, ast.Attribute) or e.func.attr not in ("sum", "mean"):
        return None
    return e.args[0] if ast.unparse(e.func.value) in ("np", "numpy", "torch") and e.args else e.func.value


def _keeps_shape(e: ast.expr, name: str, scope: SourceScope, place: str = "") -> bool:
    """Whether an expression with another beside it keeps its shape, or gets that of `place`, as far as can be known."""
    if ast.unparse(e) == name:
        return False
    own, other = scope.evaluate(ast.unparse(e)), scope.evaluate(name)
    if own is None or other is None:
        return own is None
    try:
        shape = np.broadcast_shapes(np.shape(own), np.shape(other))
        return shape == np.shape(own) or (bool(place) and shape == np.shape(scope.evaluate(place)))
    except ValueError:
        return False


def factors(i: int, node: ast.stmt, names: list[str], scope: SourceScope) -> Iterator[Repair]:
    """Each of these expressions as a factor, or a divisor, of what a statement is made of."""
    target = getattr(node, "target", None)
    place = ast.unparse(target) if isinstance(target, ast.Subscript) else ""
    for number, e, parent in inside(node):
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Mult | ast.Div) and e is parent.left:
            continue
        if not isinstance(e, ast.Name | ast.Attribute | ast.BinOp | ast.Call | ast.Subscript):
            continue
        if isinstance(parent, ast.Attribute) and not isinstance(e, ast.Name | ast.Attribute | ast.BinOp):
            continue
        if isinstance(parent, ast.Call) and e is parent.func:
            continue
        for name in (name for name in names if _keeps_shape(e, name, scope, place)):
            f = expression(name)
            if isinstance(f, ast.Constant) and not isinstance(e, ast.BinOp):
                continue
            mistake, says = _missing(name, f"The factor {name} is missing in {told(e)}.")
            product = ast.BinOp(f, ast.Mult(), e) if isinstance(f, ast.Constant) else ast.BinOp(e, ast.Mult(), f)
            yield Repair(i, put(number, product), mistake, says)
            if mistake == "missing_local_derivative":
                continue
            says = f"{told(e)} is not divided by {name}."
            yield Repair(i, put(number, ast.BinOp(e, ast.Div(), f)), "missing_division", says)


def divisions(i: int, node: ast.stmt, names: list[str]) -> Iterator[Repair]:
    """What a statement computes as a whole, divided by a number or a size, where it is a factor too large."""
    value = getattr(node, "value", None)
    for number, e, parent in inside(node):
        whole = e is value or (isinstance(parent, ast.Tuple | ast.List | ast.Dict) and parent is value)
        if not whole or isinstance(e, ast.Tuple | ast.List | ast.Dict | ast.Constant | ast.Starred):
            continue
        for name in (each for each in names if each not in ast.unparse(e)):
            mistake, says = "missing_division", f"{told(e)} is not divided by {name}."
            if " * " in name:
                mistake = "window_mean_missing"
                says += " Where forward takes the mean of a window, each of its entries gets that part of the gradient."
            yield Repair(i, put(number, ast.BinOp(e, ast.Div(), expression(name))), mistake, says)


def softmax_sums(i: int, node: ast.stmt, arrays: list[str], scope: SourceScope) -> Iterator[Repair]:
    """The sum over the row that the derivative of a softmax takes off, beside what is multiplied by its output."""
    for number, e, parent in inside(node):
        if not isinstance(parent, ast.BinOp) or not isinstance(parent.op, ast.Mult):
            continue
        other = ast.unparse(parent.right if e is parent.left else parent.left)
        if other in arrays and _is_softmax(scope.known[other]) and _keeps_shape(e, other, scope):
            rest = f"({ast.unparse(e)} - ({ast.unparse(e)} * {other}).sum(axis=-1, keepdims=True))"
            says = (
                f"{told(parent)} is the diagonal of the softmax's derivative alone: each output moves with every score "
                "of its row, so that the sum over the row is missing."
            )
            yield Repair(i, put(number, expression(rest)), "missing_cross_terms", says)


def softmax_products(i: int, node: ast.stmt, arrays: list[str], scope: SourceScope) -> Iterator[Repair]:
    """The derivative of a softmax where that of a sigmoid stands: p * (1 - p) * d, in any order."""
    outputs = [name for name in arrays if _is_softmax(scope.known[name])]
    for number, e, _ in inside(node):
        parts = _factors_of(e)
        for p in outputs if len(parts) == 3 else ():
            rest = [each for each in parts if each not in (p, f"1 - {p}", f"1.0 - {p}")]
            if len(rest) == 1:
                d = rest[0]
                new = f"{p} * ({d} - ({d} * {p}).sum(axis=-1, keepdims=True))"
                says = (
                    f"{told(e)} is the diagonal of the softmax's derivative alone, as for a sigmoid: each output moves "
                    "with every score of its row, so that the sum over the row is missing."
                )
                yield Repair(i, put(number, expression(new)), "missing_cross_terms", says)


def _factors_of(e: ast.expr) -> list[str]:
    if isinstance(e, ast.BinOp) and isinstance(e.op, ast.Mult):
        return [*_factors_of(e.left), *_factors_of(e.right)]
    return [ast.unparse(e)]


def _is_softmax(value: Any) -> bool:
    array = np.asarray(value)
    return array.ndim > 1 and array.dtype.kind == "f" and bool((array >= 0).all()) and np.allclose(array.sum(-1), 1)


def _missing(name: str, says: str) -> tuple[str, str]:
    if " ** 2" in name:
        return "missing_local_derivative", f"{says} It is the derivative of tanh, by its output."
    if "* (1 - " in name:
        return "missing_local_derivative", f"{says} It is the derivative of the sigmoid, by its output."
    if name.endswith(" > 0"):
        return "missing_local_derivative", f"{says} It is the derivative of max(x, 0), by its output."
    if name.endswith("[:, None]"):
        return "mask_missing", f"{says} What forward leaves out must pass no gradient."
    if "mask" in name:
        return "mask_missing", f"{says} Entries that were dropped must pass no gradient."
    return "missing_factor", says


def terms(i: int, node: ast.stmt, names: list[str], unused: list[str], scope: SourceScope) -> Iterator[Repair]:
    """Each of these expressions added to, or taken from, what a statement is made of."""
    own = [ast.unparse(each) for each in getattr(node, "targets", ())]
    for number, e, parent in inside(node):
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Add | ast.Sub) and e is parent.left:
            continue
        if isinstance(parent, ast.Attribute | ast.Subscript | ast.keyword):
            continue
        if isinstance(e, ast.Tuple | ast.Constant | ast.Starred):
            continue
        for name in (name for name in names if _keeps_shape(e, name, scope)):
            for op in (ast.Add(), ast.Sub()):
                mistake, says = "missing_term", f"The term {name} is missing beside {told(e)}."
                if name in unused:
                    says = (
                        f"{name} is computed and never added: what flows back from the later steps is left out of "
                        f"{told(e)}."
                    )
                    mistake = "time_not_carried"
                elif name in own:
                    says = (
                        f"{name} starts anew with {told(e)}: what flows back from the later steps, {name} itself, is "
                        "left out."
                    )
                    mistake = "time_not_carried"
                elif ".sum(axis=-1" in name and " * " in name:
                    says = f"{says} The norm moves with the inputs too: this is what flows back through it."
                    mistake = "statistics_constant"
                elif ".mean(" in name and " * " in name:
                    says = f"{says} The variance moves with the inputs too: this is what flows back through it."
                    mistake = "statistics_constant"
                elif ".mean(" in name:
                    says = f"{says} The mean moves with the inputs too: this is what flows back through it."
                    mistake = "statistics_constant"
                elif " * " in name:
                    says = f"{says} In a product every factor must be differentiated (the product rule)."
                    mistake = "product_rule"
                yield Repair(i, put(number, ast.BinOp(e, op, expression(name))), mistake, says)
