"""The scalar level: one number at a time, each remembering how it was made. Independent of the layers.

It replays the notes' neuron multiplication by multiplication, and is the oracle that layers are tested against.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import ClassVar, NamedTuple

from .errors import ChainruleError

__all__ = ["Edge", "Value"]

Calculate = Callable[..., tuple[float, tuple[float, ...]]]  # numbers -> the result, its derivative by each of them


class Edge(NamedTuple):
    """One input of an operation: its value, the local derivative, and the product by the chain rule."""

    source: Value
    local: float  # d(result) / d(source)
    product: float  # dL/d(result) · local, this edge's part of source.grad


class Value:
    """A number, the operation that made it and, after `backward()`, the derivative of the result by it in `grad`.

    Operations: + - * / **, `abs`, `exp()`, `log()`, `tanh()`, `sigmoid()`, `relu()`, `maximum(other)`. At a kink the
    derivative is 0, as in the layers: `relu` and `abs` at 0; at a tie `maximum` passes the gradient to `other`.

    >>> x, w, b = Value(-2.0, "x"), Value(-1.0, "w"), Value(1.0, "b")
    >>> y = (x * w + b).relu()
    >>> y.backward()
    >>> y.data, x.grad, w.grad, b.grad
    (3.0, -1.0, -2.0, 1.0)

    Give an input another number, and all that was made from it follows; `backward()` again for the gradients.

    >>> w.data -= 0.5 * w.grad
    >>> w.data, y.data
    (0.0, 1.0)

    Source: book, chapter 9, its first neuron; A. Karpathy, micrograd (2020), for the form.
    """

    __slots__ = ("_calculate", "_data", "_locals", "_read", "grad", "label", "operation", "sources")
    _changes: ClassVar[int] = 0  # how often any input was given another number

    def __init__(
        self,
        data: float,
        label: str = "",
        *,
        operation: str = "",
        sources: tuple[Value, ...] = (),
        calculate: Calculate | None = None,
    ) -> None:
        self._data = float(data)
        self._locals: tuple[float, ...] = ()
        self._calculate = calculate
        self._read = Value._changes
        self.label = label
        self.operation = operation
        self.sources = sources
        self.grad = 0.0

    @classmethod
    def made(cls, operation: str, calculate: Calculate, *sources: Value | float) -> Value:
        """The result of an operation; `calculate` turns the sources' numbers into its number and local derivatives."""
        values = tuple(map(_value, sources))
        result = cls(0.0, operation=operation, sources=values, calculate=calculate)
        result._data, result._locals = calculate(*(value.data for value in values))
        result._read = Value._changes
        return result

    @property
    def data(self) -> float:
        """The number. Raises `ChainruleError` where the result of an operation is given another one."""
        if self._read != Value._changes:
            self._follow()
        return self._data

    @data.setter
    def data(self, number: float) -> None:
        if self.sources:
            raise ChainruleError(f"{self!r} is the result of {self.operation!r}: give its inputs other numbers.")
        self._data = float(number)
        Value._changes += 1

    def _follow(self) -> None:
        """Calculate this value again, and all that it was made from."""
        for value in reversed(list(self.walk())):
            if value._calculate is not None and value._read != Value._changes:
                value._data, value._locals = value._calculate(*(source._data for source in value.sources))
            value._read = Value._changes

    def __repr__(self) -> str:
        name = f"{self.label}=" if self.label else ""
        return f"Value({name}{self.data:g}, grad={self.grad:g})"

    # Operations: the result and the local derivative by each source

    def __add__(self, other: Value | float) -> Value:
        return Value.made("+", lambda a, b: (a + b, (1.0, 1.0)), self, other)

    def __mul__(self, other: Value | float) -> Value:
        return Value.made("*", lambda a, b: (a * b, (b, a)), self, other)

    def __neg__(self) -> Value:
        return Value.made("neg", lambda a: (-a, (-1.0,)), self)

    def __sub__(self, other: Value | float) -> Value:
        return Value.made("-", lambda a, b: (a - b, (1.0, -1.0)), self, other)

    def __truediv__(self, other: Value | float) -> Value:
        return Value.made("/", _quotient, self, other)

    def __pow__(self, exponent: Value | float) -> Value:
        if isinstance(exponent, Value):
            return Value.made("**", _power_of_values, self, exponent)
        return Value.made(f"**{exponent:g}", lambda a: _power(a, exponent), self)

    def __rpow__(self, base: float) -> Value:
        return Value(base) ** self

    def __abs__(self) -> Value:
        return Value.made("abs", lambda a: (abs(a), (float((a > 0) - (a < 0)),)), self)

    def exp(self) -> Value:
        """e^x; the derivative is e^x. Raises `ChainruleError` where it is beyond all floats."""
        return Value.made("exp", _exponential, self)

    def log(self) -> Value:
        """The natural logarithm; the derivative is 1/x. Raises `ChainruleError` where x is not above 0."""
        return Value.made("log", _logarithm, self)

    def tanh(self) -> Value:
        """The hyperbolic tangent; the derivative is 1 - tanh(x)²."""
        return Value.made("tanh", lambda a: (math.tanh(a), (1 - math.tanh(a) ** 2,)), self)

    def sigmoid(self) -> Value:
        """s = 1/(1 + e^(-x)); the derivative is s·(1 - s)."""
        return Value.made("sigmoid", _logistic, self)

    def maximum(self, other: Value | float) -> Value:
        """The larger of two; the derivative is 1 by the larger and 0 by the other (by `other` at a tie)."""
        return Value.made("max", lambda a, b: (max(a, b), (float(a > b), 1.0 - float(a > b))), self, other)

    def relu(self) -> Value:
        """max(x, 0); the derivative is 1 where x > 0, else 0."""
        return Value.made("relu", lambda a: (max(a, 0.0), (float(a > 0),)), self)

    def __radd__(self, other: float) -> Value:
        return _value(other) + self

    def __rmul__(self, other: float) -> Value:
        return _value(other) * self

    def __rsub__(self, other: float) -> Value:
        return _value(other) - self

    def __rtruediv__(self, other: float) -> Value:
        return _value(other) / self

    # Backward

    def backward(self, dvalue: float = 1.0) -> None:
        """Set `grad` of this value and of everything it was made from; gradients that meet are added."""
        order = list(self.walk())
        for value in order:
            value.grad = 0.0
        self.grad = float(dvalue)
        for value in order:
            for edge in value.edges():
                edge.source.grad += edge.product

    def walk(self) -> Iterator[Value]:
        """This value and all it was made from, each before its own sources."""
        finished: list[Value] = []
        seen: set[int] = set()
        stack: list[tuple[Value, bool]] = [(self, False)]
        while stack:
            value, done = stack.pop()
            if done:
                finished.append(value)
            elif id(value) not in seen:
                seen.add(id(value))
                stack.append((value, True))
                stack.extend((source, False) for source in value.sources)
        return reversed(finished)

    def edges(self) -> tuple[Edge, ...]:
        """The inputs of the operation that made this value, with local derivatives and chain-rule products."""
        if self._read != Value._changes:
            self._follow()
        pairs = zip(self.sources, self._locals, strict=True)
        return tuple(Edge(source, local, self.grad * local) for source, local in pairs)

    def paths(self, target: Value) -> Iterator[tuple[float, ...]]:
        """The local derivatives along every path from this value down to `target`; their products add up to its grad.

        >>> x = Value(3.0)
        >>> list((x * x + x).paths(x))
        [(1.0, 3.0), (1.0, 3.0), (1.0,)]
        """
        stack: list[tuple[Value, tuple[float, ...]]] = [(self, ())]
        while stack:
            value, factors = stack.pop()
            if value is target:
                yield factors
            below = [(edge.source, (*factors, edge.local)) for edge in value.edges()]
            stack.extend(reversed(below))

    def chain(self, target: Value) -> str:
        """The chain rule for d(self)/d(target) with its numbers, path by path.

        >>> x = Value(3.0)
        >>> print((x * x + x).chain(x))
        1 · 3
        + 1 · 3
        + 1
        = 7
        """
        products = list(self.paths(target))
        total = sum(math.prod(factors) for factors in products)
        lines = [" · ".join(_number(f) for f in factors) if factors else "1" for factors in products] or ["0"]
        return "\n+ ".join(lines) + f"\n= {total:g}"


def _quotient(a: float, b: float) -> tuple[float, tuple[float, ...]]:
    if b == 0:
        raise ChainruleError(f"Division of {a:g} by zero.")
    return a / b, (1 / b, -a / b / b)


def _power(a: float, exponent: float) -> tuple[float, tuple[float, ...]]:
    try:
        power = a**exponent
        slope = exponent * a ** (exponent - 1) if exponent else 0.0
    except (ZeroDivisionError, OverflowError):
        raise ChainruleError(f"{a:g} ** {exponent:g}, or its derivative, is not finite.") from None
    if isinstance(power, complex):
        raise ChainruleError(f"{a:g} ** {exponent:g} is not a real number.")
    return power, (slope,)


def _power_of_values(a: float, b: float) -> tuple[float, tuple[float, ...]]:
    """a^b with its derivatives b·a^(b-1) and a^b·log(a), which need a above 0."""
    if a <= 0:
        raise ChainruleError(f"{a:g} ** Value({b:g}) has no derivative by the exponent: the base must be above 0.")
    power, slope = _power(a, b)
    return power, (*slope, power * math.log(a))


def _exponential(a: float) -> tuple[float, tuple[float, ...]]:
    try:
        result = math.exp(a)
    except OverflowError:
        raise ChainruleError(f"exp({a:g}) is beyond all floats.") from None
    return result, (result,)


def _logarithm(a: float) -> tuple[float, tuple[float, ...]]:
    if a <= 0:
        raise ChainruleError(f"log needs a number above 0, received {a:g}.")
    return math.log(a), (1 / a,)


def _logistic(a: float) -> tuple[float, tuple[float, ...]]:
    small = math.exp(-abs(a))  # never beyond all floats
    s = 1 / (1 + small) if a >= 0 else small / (1 + small)
    return s, (s * (1 - s),)


def _value(number: Value | float) -> Value:
    return number if isinstance(number, Value) else Value(number)


def _number(number: float) -> str:
    return f"({number:g})" if number < 0 else f"{number:g}"
