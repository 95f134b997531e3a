"""Expressions: what a traced function computes, as a graph of operations that shares equal parts.

An `Expression` is a leaf (a number, a named array, a setting, a size) or one of the operations in `OPERATIONS` applied
to expressions. Two expressions that are written alike are one object, so that a common subexpression is found by `is`.
Python's operators build further ones; what cannot be said of every entry at once (`if`, a loop over an array, an index)
raises `Untraceable` with the reason.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from .locals import watched
from .operations import OPERATIONS, TRUTHS

__all__ = ["FUNCTIONS", "Expression", "Untraceable", "apply", "leaf", "number", "walk"]


class Untraceable(Exception):
    """Raised inside a trace where the function leaves what an expression can say; the message is the reason."""


SHOWN = 60  # operations that a repr writes out
_COMMON: WeakValueDictionary[Any, Expression] = WeakValueDictionary()


def _unary(operation: str) -> Callable[[Expression], Expression]:
    return lambda self: apply(operation, self)


def _binary(operation: str) -> Callable[[Expression, Any], Expression]:
    return lambda self, other: apply(operation, self, other)


def _reflected(operation: str) -> Callable[[Expression, Any], Expression]:
    return lambda self, other: apply(operation, other, self)


class Expression:
    """One node of the graph: an operation and its operands, or a leaf ("number", "name", "setting", "size").

    >>> x = leaf("name", "x")
    >>> y = 2 * x + 0
    >>> y, y is 2 * x
    (mul(2, x), True)
    """

    __slots__ = ("__weakref__", "operands", "operation", "value")

    is_traced = True
    operation: str
    operands: tuple[Expression, ...]
    value: Any  # of a leaf: the number, its name, (name, number) of a setting, the axis of a size

    def __repr__(self) -> str:
        if self.operands:
            if len(walk(self)) > SHOWN:
                return f"<{self.operation} of {len(walk(self))} operations>"
            return f"{self.operation}({', '.join(map(repr, self.operands))})"
        return str(self.value[0] if self.operation == "setting" else self.value)

    @property
    def is_truth(self) -> bool:
        """Whether it is true or false, not a number."""
        return self.operation in TRUTHS

    def known(self) -> Any:
        """Its number where it depends on numbers and settings alone, else None."""
        found: dict[int, Any] = {}
        for node in walk(self):
            if node.operation in ("number", "setting"):
                found[id(node)] = node.value if node.operation == "number" else node.value[1]
            elif not node.operands:
                return None
            else:
                found[id(node)] = OPERATIONS[node.operation](*(found[id(operand)] for operand in node.operands))
        return found[id(self)]

    # What arrays have beside arithmetic

    @property
    def shape(self) -> _Shape:
        """The sizes of the axes, of which a function can ask for the last one."""
        return _Shape()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Traces are taken in float64."""
        return np.dtype(np.bool_ if self.is_truth else np.float64)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise Untraceable(f".{name} of an array is not a function of its entries")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options or ufunc.__name__ not in FUNCTIONS:
            raise Untraceable(f"numpy.{ufunc.__name__} is not a function of one entry at a time")
        return FUNCTIONS[ufunc.__name__](*inputs)

    def __bool__(self) -> bool:
        known = self.known()
        if known is None:
            raise Untraceable("Python's `if`, `and`, `or`, max() and min() look at one value; use xp.where")
        return bool(known)

    def __float__(self) -> float:
        known = self.known()
        if known is None:
            raise Untraceable("float(), int() and the math module need one number; use xp's functions")
        return float(known)

    def __index__(self) -> int:
        known = self.known()
        if not isinstance(known, int | np.integer):
            raise Untraceable("an array cannot be a whole number, such as the end of range()")
        return int(known)

    def __iter__(self) -> Iterator[Any]:
        raise Untraceable("a loop over the entries of an array cannot be traced")

    def __getitem__(self, index: Any) -> Any:
        raise Untraceable("an index or a slice of an array depends on its shape")

    def __setitem__(self, index: Any, value: Any) -> None:
        raise Untraceable("an assignment to entries changes an array; use xp.where")

    # Operators

    __hash__ = object.__hash__
    __array_priority__ = 1000

    __neg__, __invert__, __abs__ = _unary("neg"), _unary("not"), _unary("abs")
    __add__, __radd__ = _binary("add"), _reflected("add")
    __sub__, __rsub__ = _binary("sub"), _reflected("sub")
    __mul__, __rmul__ = _binary("mul"), _reflected("mul")
    __truediv__, __rtruediv__ = _binary("div"), _reflected("div")
    __pow__, __rpow__ = _binary("pow"), _reflected("pow")
    __and__, __rand__ = _binary("and"), _reflected("and")
    __or__, __ror__ = _binary("or"), _reflected("or")
    __gt__, __ge__, __lt__, __le__ = _binary("gt"), _binary("ge"), _binary("lt"), _binary("le")
    __eq__, __ne__ = _binary("eq"), _binary("ne")  # type: ignore[assignment]

    def __pos__(self) -> Expression:
        return self


class _Shape:
    """The shape of a traced array (B, features): its last size is a leaf, all else depends on the batch."""

    def __getitem__(self, axis: Any) -> Expression:
        if axis not in (-1, 1):
            raise Untraceable(f"shape[{axis!r}] is not the number of features, shape[-1]")
        return leaf("size", "features")

    def __iter__(self) -> Iterator[Any]:
        raise Untraceable("the whole shape of an array is not known; shape[-1] is")

    def __len__(self) -> int:
        raise Untraceable("the number of axes is not known")


def _made(operation: str, operands: tuple[Expression, ...] = (), value: Any = None) -> Expression:
    """The one expression of this form."""
    key = (operation, *map(id, operands), type(value), repr(value))
    found = _COMMON.get(key)
    if found is None:
        found = Expression()
        found.operation, found.operands, found.value = operation, operands, value
        _COMMON[key] = found
    return found


def leaf(kind: str, value: Any) -> Expression:
    """A "name" (of an array), a "setting" (its name, its number) or a "size" (of an axis).

    >>> leaf("setting", ("alpha", 0.5)).known()
    0.5
    """
    return _made(kind, value=value)


def number(value: Any) -> Expression:
    """A constant.

    >>> number(2.0) is number(2.0)
    True
    """
    if isinstance(value, Expression):
        return value
    plain = value.item() if isinstance(value, np.generic | np.ndarray) and np.ndim(value) == 0 else value
    if not isinstance(plain, bool | int | float):
        raise Untraceable(f"a value of type {type(value).__name__} is no number and no traced array")
    return _made("number", value=plain)


def apply(operation: str, *operands: Any) -> Expression:
    """The operation on expressions and numbers, lightly simplified: a·1, a + 0, --a, numbers calculated.

    >>> x = leaf("name", "x")
    >>> apply("mul", x, 1), apply("neg", apply("neg", x)), apply("add", 2, 3)
    (x, x, 5)
    """
    if watched.code is not None:
        watched.look()
    parts = tuple(number(operand) for operand in operands)
    if operation not in TRUTHS and operation != "where":
        parts = tuple(_made("where", (p, number(1), number(0))) if p.is_truth else p for p in parts)
    if parts and all(part.operation == "number" for part in parts):
        with np.errstate(all="ignore"):
            return number(OPERATIONS[operation](*(part.value for part in parts)))
    simpler = _simpler(operation, parts)
    return _made(operation, parts) if simpler is None else simpler


def _is(part: Expression, value: float) -> bool:
    return part.operation == "number" and not isinstance(part.value, bool) and bool(part.value == value)


def _simpler(operation: str, parts: tuple[Expression, ...]) -> Expression | None:
    """What the operation comes to without a further node, if anything."""
    first, last = parts[0], parts[-1]
    if operation in ("mul", "div", "pow") and _is(last, 1):
        return first
    if operation in ("add", "sub") and _is(last, 0):
        return first
    if (operation == "mul" and _is(first, 1)) or (operation == "add" and _is(first, 0)):
        return last
    if operation in ("neg", "not") and first.operation == operation:
        return first.operands[0]
    if operation == "sub" and _is(first, 0):
        return apply("neg", last)
    if operation == "where" and parts[1] is parts[2]:
        return parts[1]
    return None


# The functions of the array API, of NumPy and of `special` by name, on expressions and numbers.
_OTHER_NAMES = {
    "negative": "neg", "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div",
    "pow": "pow", "power": "pow", "float_power": "pow", "absolute": "abs", "fabs": "abs", "atan": "arctan",
    "maximum": "max", "minimum": "min", "fmax": "max", "fmin": "min", "where": "where", "greater": "gt",
    "greater_equal": "ge", "less": "lt", "less_equal": "le", "equal": "eq", "not_equal": "ne", "logical_and": "and",
    "bitwise_and": "and", "logical_or": "or", "bitwise_or": "or", "logical_not": "not", "bitwise_invert": "not",
    "invert": "not",
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Expression]] = {
    name: functools.partial(apply, _OTHER_NAMES.get(name, name))
    for name in (*OPERATIONS, *_OTHER_NAMES)
    if name not in ("max", "min")  # those of the namespace look at a whole axis
}
FUNCTIONS |= {
    "square": lambda a: apply("mul", a, a),
    "positive": number,
    "reciprocal": lambda a: apply("div", 1, a),
}


def walk(*roots: Expression) -> list[Expression]:
    """Every node below the roots once, operands before what is made of them.

    >>> x = leaf("name", "x")
    >>> walk(x * x + 1)
    [x, mul(x, x), 1, add(mul(x, x), 1)]
    """
    order: dict[int, Expression] = {}
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        node, finished = stack.pop()
        if finished:
            order[id(node)] = node
        elif id(node) not in order:
            stack.append((node, True))
            stack.extend((operand, False) for operand in reversed(node.operands))
    return list(order.values())
