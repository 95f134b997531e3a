"""The scalar level: one number at a time, each remembering how it was made. Independent of the layers.

It replays the notes' neuron multiplication by multiplication, and is the oracle that layers are tested against.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from .errors import ChainruleError

__all__ = ["Edge", "Value"]


class Edge(NamedTuple):
    """One input of an operation: its value, the local derivative, and the product by the chain rule."""

    source: Value
    local: float  # d(result) / d(source)
    product: float  # dL/d(result) · local, this edge's part of source.grad


class Value:
    """A number, the operation that made it and, after `backward()`, the derivative of the result by it in `grad`.

    Operations: + - * / **, `exp()`, `log()`, `relu()`, `maximum(other)`. At a tie `relu` and `maximum` pass no gradient
    to `self`: the derivative of max(x, 0) at 0 is 0, as in the layers.

    >>> x, w, b = Value(-2.0, "x"), Value(-1.0, "w"), Value(1.0, "b")
    >>> y = (x * w + b).relu()
    >>> y.backward()
    >>> y.data, x.grad, w.grad, b.grad
    (3.0, -1.0, -2.0, 1.0)

    Source: book, chapter 9, its first neuron; A. Karpathy, micrograd (2020), for the form.
    """

    __slots__ = ("_locals", "data", "grad", "label", "operation", "sources")

    def __init__(
        self,
        data: float,
        label: str = "",
        *,
        operation: str = "",
        sources: tuple[Value, ...] = (),
        local: tuple[float, ...] = (),
    ) -> None:
        self.data = float(data)
        self.label = label
        self.operation = operation
        self.sources = sources
        self.grad = 0.0
        self._locals = local

    def __repr__(self) -> str:
        name = f"{self.label}=" if self.label else ""
        return f"Value({name}{self.data:g}, grad={self.grad:g})"

    # Operations: the result and the local derivative by each source

    def _made(self, data: float, operation: str, *sources: tuple[Value, float]) -> Value:
        return Value(
            data, operation=operation, sources=tuple(s for s, _ in sources), local=tuple(d for _, d in sources)
        )

    def __add__(self, other: Value | float) -> Value:
        other = _value(other)
        return self._made(self.data + other.data, "+", (self, 1.0), (other, 1.0))

    def __mul__(self, other: Value | float) -> Value:
        other = _value(other)
        return self._made(self.data * other.data, "*", (self, other.data), (other, self.data))

    def __neg__(self) -> Value:
        return self._made(-self.data, "neg", (self, -1.0))

    def __sub__(self, other: Value | float) -> Value:
        other = _value(other)
        return self._made(self.data - other.data, "-", (self, 1.0), (other, -1.0))

    def __truediv__(self, other: Value | float) -> Value:
        other = _value(other)
        if other.data == 0:
            raise ChainruleError(f"Division of {self!r} by zero.")
        quotient = self.data / other.data
        return self._made(quotient, "/", (self, 1 / other.data), (other, -quotient / other.data))

    def __pow__(self, exponent: float) -> Value:
        if isinstance(exponent, Value):
            raise ChainruleError("The exponent must be a plain number; write (a.log() * b).exp() for a**b.")
        try:
            power = self.data**exponent
            slope = exponent * self.data ** (exponent - 1) if exponent else 0.0
        except (ZeroDivisionError, OverflowError):
            raise ChainruleError(f"{self.data:g} ** {exponent:g}, or its derivative, is not finite.") from None
        if isinstance(power, complex):
            raise ChainruleError(f"{self.data:g} ** {exponent:g} is not a real number.")
        return self._made(power, f"**{exponent:g}", (self, slope))

    def exp(self) -> Value:
        """e^x; the derivative is e^x. Raises `ChainruleError` where it is beyond all floats."""
        try:
            result = math.exp(self.data)
        except OverflowError:
            raise ChainruleError(f"exp({self.data:g}) is beyond all floats.") from None
        return self._made(result, "exp", (self, result))

    def log(self) -> Value:
        """The natural logarithm; the derivative is 1/x. Raises `ChainruleError` where x is not above 0."""
        if self.data <= 0:
            raise ChainruleError(f"log needs a number above 0, received {self.data:g}.")
        return self._made(math.log(self.data), "log", (self, 1 / self.data))

    def maximum(self, other: Value | float) -> Value:
        """The larger of two; the derivative is 1 by the larger and 0 by the other (by `other` at a tie)."""
        other = _value(other)
        mine = float(self.data > other.data)
        return self._made(max(self.data, other.data), "max", (self, mine), (other, 1.0 - mine))

    def relu(self) -> Value:
        """max(x, 0); the derivative is 1 where x > 0, else 0."""
        return self._made(max(self.data, 0.0), "relu", (self, float(self.data > 0)))

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


def _value(number: Value | float) -> Value:
    return number if isinstance(number, Value) else Value(number)


def _number(number: float) -> str:
    return f"({number:g})" if number < 0 else f"{number:g}"
