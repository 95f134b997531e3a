"""Repairs of whole statements: a return in a loop, places that must add up, a tuple that is not unpacked."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .rewriting import Repair, SourceScope, expression

__all__ = ["at_other_places", "divided", "moved", "of_statement", "subtracted"]


def of_statement(tree: ast.FunctionDef, i: int, node: ast.stmt) -> Iterator[Repair]:
    """A return that stands in a loop, = where += belongs, repeated indices, a tuple that is not unpacked."""
    if isinstance(node, ast.Return) and any(isinstance(each, ast.For) and node in each.body for each in ast.walk(tree)):
        says = (
            "return stands inside the loop and ends it after its first round, so that the rest stays as it was "
            "filled: it belongs after the loop."
        )
        yield Repair(i, _out_of_the_loop, "return_in_loop", says)
    if isinstance(node, ast.For):
        back = ast.unparse(node.iter).startswith("reversed(")
        order = "from the first to the last" if back else "backward"
        says = f"The loop goes through the steps in the wrong order: it is {order}."
        yield Repair(i, _turned_round, "wrong_direction", says)
    plain = isinstance(getattr(node, "value", None), ast.Constant)
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript) and plain:
        says = f"{ast.unparse(node)} does not belong there: it changes what is right already."
        yield Repair(i, _left_out, "stray_line", says)
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript) and not plain:
        place = ast.unparse(node.targets[0])
        says = (
            f"{place} is overwritten where it should grow: places that get a gradient from several windows or uses "
            "must add it up, with += instead of =."
        )
        yield Repair(i, _accumulated, "not_accumulated", says)
        says = (
            f"{place} = keeps the last of what belongs to one place: where an index is repeated all must add up, which "
            "np.add.at does."
        )
        yield Repair(i, _added_at, "repeated_indices", says)
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add) and isinstance(node.target, ast.Subscript):
        says = (
            f"{ast.unparse(node.target)} += adds once for each index, however often the index occurs: repeated "
            "indices must add up, which np.add.at does."
        )
        yield Repair(i, _added_at, "repeated_indices", says)
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
        was, belongs = ("+=", "-=") if isinstance(node.op, ast.Add) else ("-=", "+=")
        says = f"The sign is wrong: {ast.unparse(node.target)} {was} stands where {belongs} belongs."
        yield Repair(i, _signed, "wrong_sign_of_term", says)
    if isinstance(node, ast.Assign) and ast.unparse(node.value).endswith("saved_tensors"):
        says = f"{ast.unparse(node.value)} is a tuple, even of one tensor: unpack it."
        yield Repair(i, _unpacked, "tuple_not_unpacked", says)


def at_other_places(tree: ast.FunctionDef, i: int, node: ast.stmt) -> Iterator[Repair]:
    """Of an array that is read at two places, the gradient at the other one, as of the right class in a margin."""
    if not isinstance(node, ast.AugAssign) or not isinstance(node.target, ast.Subscript):
        return
    reads = [n for n in ast.walk(tree) if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Load)]
    indices = {ast.unparse(each) for each in ast.walk(node.target.slice) if isinstance(each, ast.Name)}
    for first in (n for n in reads if ast.unparse(n.slice) in indices):
        array, own = ast.unparse(first.value), ast.unparse(first.slice)
        others = dict.fromkeys(ast.unparse(n.slice) for n in reads if ast.unparse(n.value) == array)
        for other in (each for each in others if each != own):
            place = copy.deepcopy(node.target)
            place.slice = _Renamed(own, other).visit(place.slice)
            for sign in ("-=", "+="):
                code = f"{ast.unparse(place)} {sign} {ast.unparse(node.value)}"
                says = f"{array}[{other}] moves what comes out as {array}[{own}] does, and gets no gradient: {code}."
                yield Repair(i, _after(code), "branch_missing", says)


class _Renamed(ast.NodeTransformer):
    """Puts an expression in the place of a name."""

    def __init__(self, name: str, code: str) -> None:
        self.name, self.code = name, code

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return expression(self.code) if node.id == self.name else node


def moved(tree: ast.FunctionDef, i: int, node: ast.stmt) -> Iterator[Repair]:
    """A statement in front of those that change what it reads."""
    if node not in tree.body or (isinstance(node, ast.Return) and not isinstance(node.value, ast.BinOp | ast.Call)):
        return
    at = tree.body.index(node)
    for before in range(at - 1, -1, -1):
        earlier = tree.body[before]
        changed = {ast.unparse(t) for t in _written(earlier)}
        read = {ast.unparse(n) for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute | ast.Subscript)}
        both = sorted(changed & read)
        if both:
            what = ast.unparse(_written(node)[0]) if _written(node) else "what is returned"
            says = (
                f"{both[0]} is updated before {what} is computed with it: the gradient is taken with the new "
                f"{both[0]} where the old one belongs."
            )
            yield Repair(i, _moved_to(before), "updated_before", says)


def _written(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return list(node.targets)
    return [node.target] if isinstance(node, ast.AugAssign) else []


def _moved_to(before: int) -> Callable[[ast.stmt, ast.FunctionDef], None]:
    def change(node: ast.stmt, tree: ast.FunctionDef) -> None:
        if isinstance(node, ast.Return) and node.value is not None:
            computed = ast.Assign([ast.Name("dinputs", ast.Store())], node.value)
            tree.body.insert(before, ast.copy_location(computed, tree.body[before]))
            node.value = ast.copy_location(ast.Name("dinputs", ast.Load()), node)
            return
        tree.body.remove(node)
        tree.body.insert(before, node)

    return change


def divided(i: int, node: ast.stmt, by: list[str]) -> Iterator[Repair]:
    """A line after an assignment, or a loop that adds up, that divides what was computed."""
    for place in _written(node) or _added_up(node):
        target = place.value if isinstance(place, ast.Subscript) else place
        if isinstance(target, ast.Name | ast.Attribute):
            for name in by:
                code = f"{ast.unparse(target)} = {ast.unparse(target)} / {name}"
                says = f"{ast.unparse(target)} is not divided by {name}."
                yield Repair(i, _after(code), "missing_division", says)


def _added_up(node: ast.stmt) -> list[ast.expr]:
    """What a loop adds up, each once."""
    inner = (
        [each.target for each in ast.walk(node) if isinstance(each, ast.AugAssign)] if isinstance(node, ast.For) else []
    )
    bases: list[ast.expr] = [each.value if isinstance(each, ast.Subscript) else each for each in inner]
    return list({ast.unparse(base): base for base in bases}.values())


def subtracted(i: int, node: ast.stmt, scope: SourceScope) -> Iterator[Repair]:
    """A line after an assignment of probabilities that takes 1 off at the class of each sample."""
    for place in _written(node):
        code = ast.unparse(place)
        array = scope.evaluate(code) if isinstance(place, ast.Name | ast.Attribute) else None
        if not isinstance(array, np.ndarray) or array.ndim != 2:
            continue
        for name, classes in scope.known.items():
            if _are_classes(classes, *array.shape):
                says = (
                    f"The targets are not subtracted: the gradient by the scores is the probabilities minus 1 at the "
                    f"class of each sample, which {name} holds."
                )
                yield Repair(i, _after(f"{code}[range(len({code})), {name}] -= 1"), "targets_not_subtracted", says)


def _are_classes(value: Any, samples: int, classes: int) -> bool:
    """Whether this is the class of each sample, counted from 0."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu" or value.shape != (samples,):
        return False
    return bool(((value >= 0) & (value < classes)).all())


def _after(code: str) -> Callable[[ast.stmt, ast.FunctionDef], None]:
    def change(node: ast.stmt, tree: ast.FunctionDef) -> None:
        _replaced(tree, node, [node, ast.parse(code).body[0]])

    return change


def _replaced(tree: ast.FunctionDef, old: ast.stmt, new: list[ast.stmt]) -> None:
    for parent in ast.walk(tree):
        for _, held in ast.iter_fields(parent):
            if isinstance(held, list) and any(each is old for each in held):
                at = next(k for k, each in enumerate(held) if each is old)
                held[at : at + 1] = [each if each is old else ast.copy_location(each, old) for each in new]
                return


def _out_of_the_loop(node: ast.stmt, tree: ast.FunctionDef) -> None:
    outer = next(each for each in tree.body if any(inner is node for inner in ast.walk(each)))
    _replaced(tree, node, [] if len(_siblings(tree, node)) > 1 else [ast.Pass()])
    tree.body.insert(next(k for k, each in enumerate(tree.body) if each is outer) + 1, node)


def _siblings(tree: ast.FunctionDef, node: ast.stmt) -> list[ast.stmt]:
    bodies = (getattr(parent, "body", []) for parent in ast.walk(tree))
    return next(body for body in bodies if isinstance(body, list) and any(each is node for each in body))


def _left_out(node: ast.stmt, tree: ast.FunctionDef) -> None:
    _replaced(tree, node, [ast.Pass()])


def _accumulated(node: ast.stmt, tree: ast.FunctionDef) -> None:
    assert isinstance(node, ast.Assign)
    target = node.targets[0]
    assert isinstance(target, ast.Subscript)
    _replaced(tree, node, [ast.AugAssign(target, ast.Add(), node.value)])


def _as_index(index: ast.expr) -> ast.expr:
    """What stands between brackets as an argument: `:` only means something between brackets."""
    new = copy.deepcopy(index)
    return _Spelled().visit(new) if not isinstance(new, ast.Slice) else _spelled(new)


class _Spelled(ast.NodeTransformer):
    def visit_Slice(self, node: ast.Slice) -> ast.expr:
        return _spelled(node)


def _spelled(node: ast.Slice) -> ast.expr:
    ends = [node.upper] if node.lower is None and node.step is None else [node.lower, node.upper]
    ends += [node.step] if node.step is not None else []
    return ast.Call(ast.Name("slice", ast.Load()), [end or ast.Constant(None) for end in ends], [])


def _added_at(node: ast.stmt, tree: ast.FunctionDef) -> None:
    assert isinstance(node, ast.Assign | ast.AugAssign)
    place = node.targets[0] if isinstance(node, ast.Assign) else node.target
    assert isinstance(place, ast.Subscript)
    call = expression("np.add.at(array, index, value)")
    assert isinstance(call, ast.Call)
    call.args = [copy.deepcopy(place.value), _as_index(place.slice), node.value]
    _replaced(tree, node, [ast.Expr(call)])


def _turned_round(node: ast.stmt, tree: ast.FunctionDef) -> None:
    assert isinstance(node, ast.For)
    call = node.iter
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "reversed":
        node.iter = call.args[0]
    else:
        node.iter = ast.Call(ast.Name("reversed", ast.Load()), [call], [])


def _signed(node: ast.stmt, tree: ast.FunctionDef) -> None:
    assert isinstance(node, ast.AugAssign)
    node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()


def _unpacked(node: ast.stmt, tree: ast.FunctionDef) -> None:
    assert isinstance(node, ast.Assign)
    node.targets = [ast.Tuple([node.targets[0]], ast.Store())]
