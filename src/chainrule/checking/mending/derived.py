"""The derivatives of what stands in forward, written by the rules of calculus: what a backward pass may lack."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .rewriting import Derived, Repair, SourceScope, expression, inside, put, told

__all__ = ["derived", "inner_factors", "of_two_factors", "slopes_in"]

_MOST = 10  # derivatives that are tried
_LONGEST, _SHORT = 120, 36  # letters of one; of one by the output, such as y * (1 - y)
_SIGMOIDS = ("sigmoid", "sigm", "sig", "logistic", "expit")


_NO_SLOPE = ast.Name("_", ast.Load())  # of what moves with the argument by no rule that is known


class _NoRule(Exception):
    """Of this the derivative is not known here."""


def slopes_in(tree: ast.FunctionDef, held: Mapping[str, Any], known: Mapping[str, Any]) -> list[Derived]:
    """The derivatives of what forward computes entry by entry, by each array it takes, in names that are `known`.

    `held` are the arrays and numbers of forward by name; one that is equal among the known ones stands for each.
    """
    found: dict[str, Derived] = {}
    for name in (each.arg for each in tree.args.args if _is_floats(held.get(each.arg))):
        rules = _Rules(name, held, known)
        for expr in [expr for node in tree.body for expr in rules.through(node)]:
            try:
                code = ast.unparse(rules.named(rules.slope(expr)))
            except _NoRule:
                outer = rules.outer(expr)
                if outer is None:
                    continue
                code = outer
            if len(code) <= _LONGEST and not isinstance(expression(code), ast.Constant):
                found.setdefault(code, Derived(code, ast.unparse(expr)))
    return list(found.values())[::-1][:_MOST]


def _is_floats(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim > 0


class _Rules:
    """The rules of calculus along the assignments of a function, for the derivative by one of its arguments."""

    def __init__(self, by: str, held: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        self.held, self.known = held, known
        self.slopes: dict[str, ast.expr] = {by: ast.Constant(1)}
        self.meaning: dict[str, ast.expr] = {}  # of names, what they were set to
        self.names: dict[str, str] = {}  # of expressions, the name that keeps their value

    def through(self, node: ast.stmt) -> Iterator[ast.expr]:
        """The expressions of a statement that depend on the argument, the innermost first; notes what it sets."""
        value = getattr(node, "value", None)
        if value is None or not isinstance(node, ast.Assign | ast.Return):
            return
        target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
        pairs: list[tuple[ast.expr | None, ast.expr]] = [(target, value)]
        if isinstance(value, ast.Tuple) and isinstance(target, ast.Tuple) and len(value.elts) == len(target.elts):
            pairs = list(zip(target.elts, value.elts, strict=True))
        elif isinstance(value, ast.Tuple) and value.elts:
            pairs = [(None, value.elts[0])]
        for place, each in pairs:
            yield from (e for e in reversed(list(ast.walk(each))) if isinstance(e, ast.BinOp | ast.Call))
            self._note(place, each)

    def _note(self, target: ast.expr | None, value: ast.expr) -> None:
        if isinstance(target, ast.Name | ast.Attribute):
            name = ast.unparse(target)
            self.meaning[name] = value
            self.names[ast.unparse(value)] = name
            try:
                self.slopes[name] = self.slope(value)
            except _NoRule:
                self.slopes[name] = _NO_SLOPE

    def slope(self, e: ast.expr) -> ast.expr:
        """The derivative of an expression, entry by entry."""
        if not self._depends(e):
            return ast.Constant(0)
        if isinstance(e, ast.Name | ast.Attribute):
            known = self.slopes.get(ast.unparse(e), _NO_SLOPE)
            if known is not _NO_SLOPE:
                return known
        elif isinstance(e, ast.UnaryOp) and isinstance(e.op, ast.USub):
            return _minus(self.slope(e.operand))
        elif isinstance(e, ast.BinOp):
            return self._of_operands(e)
        elif isinstance(e, ast.Call) and not any(each.arg in ("axis", "keepdims") for each in e.keywords):
            return self._of_call(e)
        raise _NoRule

    def _depends(self, e: ast.expr) -> bool:
        names = {ast.unparse(each) for each in ast.walk(e) if isinstance(each, ast.Name | ast.Attribute)}
        return any(n in self.slopes and not _is(self.slopes[n], 0) for n in names)

    def _of_operands(self, e: ast.BinOp) -> ast.expr:
        u, v = e.left, e.right
        if isinstance(e.op, ast.Add):
            return _sum(self.slope(u), self.slope(v))
        if isinstance(e.op, ast.Sub):
            return _sum(self.slope(u), _minus(self.slope(v)))
        if isinstance(e.op, ast.Mult):
            return _sum(_times(self.slope(u), v), _times(u, self.slope(v)))
        if isinstance(e.op, ast.Div) and not self._depends(v):
            return _over(self.slope(u), v)
        inside = _of_sigmoid(e)
        if inside is not None:
            return _times(_times(e, ast.BinOp(ast.Constant(1), ast.Sub(), e)), self.slope(inside))
        if isinstance(e.op, ast.Div):
            second = _over(_times(u, self.slope(v)), ast.BinOp(v, ast.Pow(), ast.Constant(2)))
            return _sum(_over(self.slope(u), v), _minus(second))
        if isinstance(e.op, ast.Pow):
            return self._of_power(u, v)
        raise _NoRule

    def _of_power(self, u: ast.expr, power: ast.expr) -> ast.expr:
        if not isinstance(power, ast.Constant) or not isinstance(power.value, int | float):
            raise _NoRule
        less = power.value - 1
        rest = u if less == 1 else ast.BinOp(u, ast.Pow(), ast.Constant(less))
        return _times(_times(ast.Constant(power.value), rest), self.slope(u))

    def _of_call(self, e: ast.Call) -> ast.expr:
        name = e.func.attr if isinstance(e.func, ast.Attribute) else getattr(e.func, "id", "")
        if name in ("maximum", "where", "power") or (len(e.args) != 1 and name):
            return self._of_several(name, e.args)
        (u,) = e.args or (None,)
        if u is None:
            raise _NoRule
        form = _OF_ONE.get("sigmoid" if name in _SIGMOIDS else name)
        if name in ("log", "log1p"):
            return _over(self.slope(u), u if name == "log" else ast.BinOp(ast.Constant(1), ast.Add(), u))
        if form is None:
            raise _NoRule
        outer = _filled(form, {"y": e, "u": u})
        return _times(outer, self.slope(u))

    def outer(self, e: ast.expr) -> str | None:
        """The derivative of a function by what it is called with, in a name that keeps its value."""
        name = self.names.get(ast.unparse(e))
        called = e.func.attr if isinstance(e, ast.Call) and isinstance(e.func, ast.Attribute) else ""
        called = e.func.id if isinstance(e, ast.Call) and isinstance(e.func, ast.Name) else called
        form = _OF_ONE.get("sigmoid" if called in _SIGMOIDS else called)
        if name is None or form is None or "u" in form:
            return None
        try:
            return ast.unparse(_filled(form, {"y": self.stand_in(name, 0)}))
        except _NoRule:
            return None

    def _of_several(self, name: str, args: list[ast.expr]) -> ast.expr:
        if name == "power" and len(args) == 2:
            return self._of_power(*args)
        if name == "maximum" and len(args) == 2 and any(ast.unparse(each) in ("0", "0.0") for each in args):
            u = next(each for each in args if ast.unparse(each) not in ("0", "0.0"))
            return _times(ast.Compare(u, [ast.Gt()], [ast.Constant(0)]), self.slope(u))
        if name == "where" and len(args) == 3:
            sides = [self.slope(each) for each in args[1:]]
            return ast.Call(expression("np.where"), [args[0], *sides], [])
        raise _NoRule

    def named(self, e: ast.expr, depth: int = 0) -> ast.expr:
        """The same in names that are known where it is to stand."""
        if depth > 4:
            raise _NoRule
        renamed: ast.expr = _InKnownNames(self, depth).visit(copy.deepcopy(e))
        return renamed

    def stand_in(self, name: str, depth: int) -> ast.expr:
        """A known name for one of forward, or what it was set to."""
        value = self.held.get(name)
        if value is None:
            return expression(name)  # a module, or a function
        for other in (name, *self.known):
            if other in self.known and _same(self.known[other], value):
                return expression(other)
        if name in self.meaning:
            return self.named(self.meaning[name], depth + 1)
        raise _NoRule


def _same(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and bool(np.array_equal(a, b))


class _InKnownNames(ast.NodeTransformer):
    """Puts names that are known in the place of others, and of expressions whose value they keep."""

    def __init__(self, rules: _Rules, depth: int) -> None:
        self.rules, self.depth = rules, depth

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.expr):
            kept = self.rules.names.get(ast.unparse(node))
            if kept is not None and not isinstance(node, ast.Name | ast.Attribute):
                value = self.rules.held.get(kept)
                if any(_same(other, value) for other in self.rules.known.values()):
                    return self.rules.stand_in(kept, self.depth)
            if isinstance(node, ast.Name | ast.Attribute):
                return self.rules.stand_in(ast.unparse(node), self.depth)
        return super().generic_visit(node)


_OF_ONE = {
    "exp": "y", "tanh": "1 - y ** 2", "sqrt": "0.5 / y", "sin": "np.cos(u)", "cos": "-np.sin(u)",
    "abs": "np.sign(u)", "absolute": "np.sign(u)", "square": "2 * u", "sigmoid": "y * (1 - y)",
    "reciprocal": "-y ** 2", "arctan": "1 / (1 + u ** 2)",
}  # fmt: skip


def _filled(form: str, parts: Mapping[str, ast.expr]) -> ast.expr:
    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return copy.deepcopy(parts[node.id]) if node.id in parts else node

    filled: ast.expr = Fill().visit(expression(form))
    return filled


def _of_sigmoid(e: ast.BinOp) -> ast.expr | None:
    """The x of 1 / (1 + np.exp(-x))."""
    below = e.right if isinstance(e.op, ast.Div) and _is(e.left, 1) else None
    if not isinstance(below, ast.BinOp) or not isinstance(below.op, ast.Add):
        return None
    power = below.right if _is(below.left, 1) else below.left if _is(below.right, 1) else None
    if not isinstance(power, ast.Call) or not ast.unparse(power.func).endswith("exp") or len(power.args) != 1:
        return None
    (x,) = power.args
    if isinstance(x, ast.BinOp) and isinstance(x.op, ast.Mult) and isinstance(x.left, ast.UnaryOp):  # -k * x
        return ast.BinOp(x.left.operand, ast.Mult(), x.right)
    return _minus(x)


def _is(e: ast.expr, number: float) -> bool:
    return isinstance(e, ast.Constant) and e.value == number


def _sum(a: ast.expr, b: ast.expr) -> ast.expr:
    if _is(a, 0) or _is(b, 0):
        return b if _is(a, 0) else a
    if isinstance(b, ast.UnaryOp):
        return ast.BinOp(a, ast.Sub(), b.operand)
    return ast.BinOp(a, ast.Add(), b)


def _times(a: ast.expr, b: ast.expr) -> ast.expr:
    if _is(a, 0) or _is(b, 0):
        return ast.Constant(0)
    if _is(a, 1) or _is(b, 1):
        return b if _is(a, 1) else a
    if isinstance(b, ast.UnaryOp):
        return _minus(_times(a, b.operand))
    return ast.BinOp(a, ast.Mult(), b)


def _over(a: ast.expr, b: ast.expr) -> ast.expr:
    return a if _is(a, 0) else ast.BinOp(a, ast.Div(), b)


def _minus(a: ast.expr) -> ast.expr:
    if _is(a, 0):
        return a
    return a.operand if isinstance(a, ast.UnaryOp) else ast.UnaryOp(ast.USub(), a)


def inner_factors(i: int, node: ast.stmt, scope: SourceScope) -> Iterator[Repair]:
    """The derivative of an inner expression as a factor, where the chain rule ends too early."""
    for number, e, parent in inside(node):
        if isinstance(parent, ast.Attribute) or not isinstance(e, ast.Name | ast.BinOp | ast.Call | ast.Attribute):
            continue
        if isinstance(parent, ast.Call) and e is parent.func:
            continue
        for slope in scope.slopes:
            if np.shape(scope.evaluate(slope.code)) == ():
                continue
            says = (
                f"The chain rule ends too early in {told(e)}: the derivative of the inner expression {slope.of} is "
                f"left out, {slope.code}."
            )
            yield Repair(i, put(number, ast.BinOp(e, ast.Mult(), expression(slope.code))), "inner_derivative", says)


def derived(i: int, node: ast.stmt, scope: SourceScope) -> Iterator[Repair]:
    """The derivative of what stands in forward, in the place of an expression of its shape."""
    for number, e, parent in inside(node):
        if isinstance(parent, ast.Attribute) or not isinstance(e, ast.Name | ast.BinOp | ast.Call | ast.Attribute):
            continue
        for slope in scope.slopes:
            if _fits(scope.evaluate(ast.unparse(e)), np.shape(scope.evaluate(slope.code))):
                yield from _instead(i, number, e, slope, scope)


def of_two_factors(i: int, node: ast.stmt, scope: SourceScope, longest: int = _SHORT) -> Iterator[Repair]:
    """The derivative of what stands in forward, where it is no longer, in the place of two last factors, or of none."""
    for number, e, _ in inside(node):
        if not isinstance(e, ast.BinOp) or not isinstance(e.left, ast.BinOp):
            continue
        two = e.left.left if _is_product(e) and _is_product(e.left) else None
        if two is None:
            continue
        last = ast.unparse(e)[len(ast.unparse(two)) + 3 :]
        says = f"{told(e)} is multiplied by {last}, which does not belong there."
        yield Repair(i, put(number, two), "stray_factor", says)
        for slope in (each for each in scope.slopes if len(each.code) <= longest):
            right = expression(slope.code)
            shape = np.shape(scope.evaluate(slope.code))
            if _fits(scope.evaluate(ast.unparse(two)), shape):
                says = f"{last} is not the derivative of {slope.of}, which is {slope.code}."
                yield Repair(i, put(number, _times(two, right)), "wrong_derivative", says)


def _is_product(e: ast.expr) -> bool:
    return isinstance(e, ast.BinOp) and isinstance(e.op, ast.Mult)


def _instead(i: int, number: int, e: ast.expr, slope: Derived, scope: SourceScope) -> Iterator[Repair]:
    right, own = expression(slope.code), scope.evaluate(ast.unparse(e))
    says = f"{told(e)} is not the derivative of {slope.of}, which is {slope.code}."
    if isinstance(right, ast.BinOp) and isinstance(right.op, ast.Add | ast.Sub):
        for half, other in ((right.left, right.right), (right.right, right.left)):
            value = scope.evaluate(ast.unparse(half))
            if isinstance(right.op, ast.Add) and np.shape(value) == np.shape(own) and np.allclose(value, own):
                rule = (
                    f"In the product {slope.of} every factor must be differentiated (the product rule): the term "
                    f"{told(other)} is missing beside {told(e)}."
                )
                yield Repair(i, put(number, ast.BinOp(e, ast.Add(), other)), "product_rule", rule)
    for new in (right, _minus(right)):
        yield Repair(i, put(number, new), "wrong_derivative", says)


def _fits(own: Any, shape: tuple[int, ...]) -> bool:
    """Whether something of that shape may stand in the place of a value."""
    return own is not None and np.shape(own) in (shape, ())
