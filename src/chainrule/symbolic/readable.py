"""Rewriting an expression as a person would write it: the same value, in fewer and more usual signs.

Code guards against overflow and is written for speed; a formula is not. In the branch of a `where` its condition is
known, x·x·x is x³, expm1(x) is exp(x) - 1, a product has its numbers first and its sums last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .expression import Expression, apply, number, walk
from .operations import COMPARISONS

__all__ = ["readable"]

_MIRRORED = {"gt": "lt", "lt": "gt", "ge": "le", "le": "ge", "eq": "eq", "ne": "ne"}
_OPPOSITE = {"gt": "le", "le": "gt", "ge": "lt", "lt": "ge", "eq": "ne", "ne": "eq"}
Known = Mapping[Any, bool]  # which comparisons are known to hold or not to hold where the expression is read


def readable(root: Expression, whole: Iterable[Expression] = ()) -> Expression:
    """The expression as a person would write it; products and quotients in `whole` are not taken apart.

    >>> from chainrule.symbolic import leaf
    >>> x = leaf("name", "x")
    >>> readable(apply("where", x > 0, x, apply("expm1", apply("where", x > 0, 0, x))))
    where(gt(x, 0), x, sub(exp(x), 1))
    >>> readable(0.5 * x * x * (1 - x) * 3)
    div(mul(mul(3, pow(x, 2)), sub(1, x)), 2)
    """
    return _Rewriting(whole).of(root, {})


class _Rewriting:
    def __init__(self, whole: Iterable[Expression]) -> None:
        self.found: dict[tuple[int, frozenset[Any]], Expression] = {}
        self.whole = set(whole)
        self.closed: set[Expression] = set()  # those of them that are rewritten

    def of(self, node: Expression, known: Known) -> Expression:
        """The node rewritten, where the comparisons `known` hold."""
        key = (id(node), frozenset(known.items()))
        if key not in self.found:
            self.found[key] = self._of(node, known)
        return self.found[key]

    def _of(self, node: Expression, known: Known) -> Expression:
        if not node.operands:
            return node
        if node.operation == "where":
            condition, first, second = node.operands
            return self._choice(condition, first, second, known)
        parts = [self.of(operand, known) for operand in node.operands]
        if node.operation in ("mul", "div", "neg"):
            made = self._product(apply(node.operation, *parts))
            if node in self.whole:
                self.closed.add(made)
            return made
        rewritten = _REWRITTEN.get(node.operation)
        return apply(node.operation, *parts) if rewritten is None else rewritten(*parts)

    def _choice(self, condition: Expression, first: Expression, second: Expression, known: Known) -> Expression:
        operation, parts = condition.operation, condition.operands
        if operation == "not":
            return self._choice(parts[0], second, first, known)
        if operation == "and":
            return self._choice(parts[0], apply("where", parts[1], first, second), second, known)
        if operation == "or":
            return self._choice(parts[0], first, apply("where", parts[1], first, second), known)
        if operation not in COMPARISONS:
            return apply("where", condition, self.of(first, known), self.of(second, known))
        key, truth = _comparison(condition)
        if key in known:
            return self.of(first if known[key] == truth else second, known)
        tested = apply(operation, *(self.of(part, known) for part in parts))
        then, otherwise = self.of(first, {**known, key: truth}), self.of(second, {**known, key: not truth})
        return apply("where", tested, then, otherwise)

    def _product(self, node: Expression) -> Expression:
        """A product or quotient with its factors collected, the usual ones first."""
        sign, above, below = self._factors(node, opened=True)
        choice = next((f for f in above if _is_switch(f)), None)
        if choice is not None:  # c·where(t, 1, 0) is where(t, c, 0)
            others = [f for f in above if f is not choice]
            return apply("where", choice.operands[0], _written(sign, others, below), 0)
        if any(f.operation == "number" and f.value == 0 for f in above):
            return number(0)
        return _written(sign, above, below)

    def _factors(self, node: Expression, opened: bool = False) -> tuple[int, list[Expression], list[Expression]]:
        """The sign, what is multiplied and what is divided by."""
        if node in self.closed and not opened:
            return 1, [node], []
        if node.operation == "neg":
            sign, above, below = self._factors(node.operands[0])
            return -sign, above, below
        if node.operation in ("mul", "div"):
            (sign, above, below), (other, more, less) = (self._factors(operand) for operand in node.operands)
            if node.operation == "div":
                more, less = less, more
            return sign * other, [*above, *more], [*below, *less]
        if node.operation == "number" and node.value < 0:
            return -1, [number(-node.value)], []
        return 1, [node], []


def _comparison(condition: Expression) -> tuple[Any, bool]:
    """The comparison in one form for both ways to write it, and whether it is this form or its opposite."""
    operation, (left, right) = condition.operation, condition.operands
    if id(left) > id(right):
        operation, left, right = _MIRRORED[operation], right, left
    if operation in ("le", "lt", "ne"):
        return (_OPPOSITE[operation], id(left), id(right)), False
    return (operation, id(left), id(right)), True


def _sum(left: Expression, right: Expression) -> Expression:
    if right.operation == "neg":
        return apply("sub", left, right.operands[0])
    if left.operation == "neg" and right.operation != "neg":
        return apply("sub", right, left.operands[0])
    return apply("add", left, right)


def _difference(left: Expression, right: Expression) -> Expression:
    return _sum(left, right.operands[0]) if right.operation == "neg" else apply("sub", left, right)


def _power(base: Expression, exponent: Expression) -> Expression:
    if exponent.operation == "number" and exponent.value == 0.5:
        return apply("sqrt", base)
    whole = exponent.operation == "number" and float(exponent.value).is_integer()
    return apply("pow", base, int(exponent.value) if whole else exponent)


_REWRITTEN: dict[str, Callable[..., Expression]] = {
    "add": _sum,
    "sub": _difference,
    "pow": _power,
    "expm1": lambda a: apply("exp", a) - 1,
    "log1p": lambda a: apply("log", _sum(number(1), a)),
}


# Products


def _is_switch(factor: Expression) -> bool:
    chosen = factor.operands[1:] if factor.operation == "where" else ()
    return bool(chosen) and [c.value for c in chosen if c.operation == "number"] == [1, 0]


def _written(sign: int, above: list[Expression], below: list[Expression]) -> Expression:
    above, below = _halves(above, below)
    upper, lower = _multiplied(above), _multiplied(below)
    whole = upper if not below else apply("div", upper, lower)
    return apply("neg", whole) if sign < 0 else whole


def _halves(above: list[Expression], below: list[Expression]) -> tuple[list[Expression], list[Expression]]:
    """0.5·a as a/2: a fraction 1/n is divided by."""
    kept, divisors = [], list(below)
    for factor in above:
        value = factor.value if factor.operation == "number" else 1
        if 0 < value < 1 and (1 / value).is_integer() and value >= 1 / 16:
            divisors.append(number(round(1 / value)))
        else:
            kept.append(factor)
    return kept, divisors


def _multiplied(factors: list[Expression]) -> Expression:
    """The product in the usual order, equal factors as a power."""
    powers: dict[int, tuple[Expression, Any]] = {}
    for factor in factors:
        base, exponent = factor, 1
        if factor.operation == "pow" and factor.operands[1].operation == "number":
            base, exponent = factor.operands[0], factor.operands[1].value
        powers[id(base)] = (base, powers[id(base)][1] + exponent if id(base) in powers else exponent)
    found = [apply("pow", base, exponent) for base, exponent in powers.values() if exponent]
    whole = number(1)
    for factor in sorted(found, key=_rank):
        whole = apply("mul", whole, factor)
    return whole


def _rank(factor: Expression) -> int:
    """Numbers, settings, symbols and their powers, functions, choices, sums."""
    if factor.operation == "number":
        return 0
    if all(node.operation != "name" for node in walk(factor)):
        return 1
    base = factor.operands[0] if factor.operation == "pow" else factor
    if not base.operands:
        return 2
    return {"add": 5, "sub": 5, "where": 4}.get(base.operation, 3)
