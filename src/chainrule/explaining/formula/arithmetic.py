"""What the functions of a formula mean for each kind of number: floats, arrays, `Value`."""

from __future__ import annotations

import ast
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...special import erfc, logistic, normal_cdf, normal_density
from ...value import Value

__all__ = ["ARRAYS", "OPERATORS", "SCALARS", "VALUES", "Arithmetic"]

Arithmetic = Mapping[str, Callable[..., Any]]


def _tanh_value(x: Value) -> Value:
    return 2 / (1 + (-2 * x).exp()) - 1


def _value(x: Value | float) -> Value:
    return x if isinstance(x, Value) else Value(x)


def _known(function: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Callable[[Any], Value]:
    """A function of a `Value` by its number and its derivative."""

    def of(x: Value | float) -> Value:
        return Value.made("", lambda a: (float(function(a)), (float(slope(a)),)), x)

    return of


_SPECIAL = {"sigma": logistic, "Phi": normal_cdf, "phi": normal_density, "erfc": erfc}


SCALARS: Arithmetic = {
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "tanh": math.tanh,
    "abs": abs,
    "sign": lambda x: float(np.sign(x)),
    "max": max,
    "min": min,
    **{name: getattr(math, name) for name in ("sin", "cos", "sinh", "cosh")},
    "arctan": math.atan,
    **{name: lambda x, f=function: float(f(np, np.float64(x))) for name, function in _SPECIAL.items()},
    "where": lambda condition, a, b: a() if condition else b(),
    "sum": sum,
}
ARRAYS: Arithmetic = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "abs": np.abs,
    "sign": np.sign,
    "max": np.maximum,
    "min": np.minimum,
    **{name: getattr(np, name) for name in ("sin", "cos", "sinh", "cosh", "arctan")},
    **{name: functools.partial(function, np) for name, function in _SPECIAL.items()},
    "where": lambda condition, a, b: np.where(condition, a(), b()),
    "sum": sum,
}
VALUES: Arithmetic = {
    "exp": lambda x: _value(x).exp(),
    "log": lambda x: _value(x).log(),
    "sqrt": lambda x: _value(x) ** 0.5,
    "tanh": lambda x: _tanh_value(_value(x)),
    "abs": lambda x: x * float(np.sign(_plain(x))),
    "max": lambda x, y: _value(x).maximum(y),
    "min": lambda x, y: -(-_value(x)).maximum(-_value(y)),
    "sin": _known(math.sin, math.cos),
    "cos": _known(math.cos, lambda x: -math.sin(x)),
    "sinh": _known(math.sinh, math.cosh),
    "cosh": _known(math.cosh, math.sinh),
    "arctan": _known(math.atan, lambda x: 1 / (1 + x * x)),
    "Phi": _known(SCALARS["Phi"], SCALARS["phi"]),
    "phi": _known(SCALARS["phi"], lambda x: -x * SCALARS["phi"](x)),
    "erfc": _known(math.erfc, lambda x: -2 / math.sqrt(math.pi) * math.exp(-x * x)),
    "sigma": lambda x: 1 / (1 + (-_value(x)).exp()),
    "where": lambda condition, a, b: a() if condition else b(),
    "sum": sum,
}


def _power(base: Any, exponent: Any) -> Any:
    try:
        return base**exponent
    except OverflowError:  # where arrays hold infinity, numbers of Python raise
        return math.inf


OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: _power,
    ast.Gt: lambda a, b: _plain(a) > _plain(b),
    ast.GtE: lambda a, b: _plain(a) >= _plain(b),
    ast.Lt: lambda a, b: _plain(a) < _plain(b),
    ast.LtE: lambda a, b: _plain(a) <= _plain(b),
    ast.Eq: lambda a, b: _plain(a) == _plain(b),
    ast.NotEq: lambda a, b: _plain(a) != _plain(b),
}


def _plain(x: Any) -> Any:
    return x.data if isinstance(x, Value) else x
