"""Regularization that backward of a layer adds itself and forward does not: the book's, or a method of the class."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .base import Arrays
from .objects import attributes_of, copied

__all__ = ["book_penalty", "penalties_in", "strengths_by", "strengths_of", "without_penalty"]

_REGULARIZED = {"weights": "weight", "biases": "bias"}  # weight_regularizer_l2 belongs to .weights
_STRENGTH = re.compile(
    r"(?i)^_?(l[12](_\w+)?|reg(ulari[sz]ation)?(_\w+)?|\w+_reg|lambd?a?(_\w*)?|lmbda|lam|(weight_|l2_)?decay)$"
)
_PENALTY = re.compile(
    r"(?i)^_?((get|compute|calc(ulate)?)_)?(l[12]_?)?((weight_?)?(reg(ulari[sz](ation|er))?|penalty|decay)(_?(loss|cost|term|"
    r"penalty|value))?|(loss|cost)_?reg(ulari[sz]ation)?|l[12]_(loss|cost|penalty|term))$"
)


def penalties_in(kind: type) -> list[str]:
    """The methods of a class that are called like a penalty on its parameters.

    >>> class Layer:
    ...     def regularization_loss(self): ...
    ...     def register(self): ...
    >>> penalties_in(Layer)
    ['regularization_loss']
    """
    names = [name for base in kind.__mro__[:-1] for name in vars(base)]
    return [name for name in dict.fromkeys(names) if _PENALTY.match(name) and callable(getattr(kind, name, None))]


def without_penalty(item: Any) -> tuple[Any, tuple[str, ...]]:
    """A copy of an object with 0 for what it holds as the strength of a penalty, and the names of these; or itself.

    >>> class Network: reg = None
    >>> network = Network()
    >>> network.reg, network.rate = 0.01, 0.5
    >>> without_penalty(network)[1]
    ('reg',)
    """
    held = [n for n, v in attributes_of(item) if _STRENGTH.match(n) and isinstance(v, float | int) and v]
    twin = copied(item) if held else item
    for name in held:
        setattr(twin, name, 0.0)
    return twin, tuple(held)


def strengths_by(penalty: Callable[[Mapping[str, Any]], float], values: Arrays) -> dict[str, tuple[float, float]]:
    """How strongly L1 and L2 weigh on each parameter, from a penalty of them all, found by trying it on others.

    >>> strengths_by(lambda held: 0.5 * (held["w"] ** 2).sum(), {"w": np.array([1.0, -2.0])})
    {'w': (0.0, 0.5)}
    """
    found: dict[str, tuple[float, float]] = {}
    for name, value in values.items():
        none = penalty({**values, name: 0.0 * value})
        other = np.cos(np.arange(1.0, value.size + 1)).reshape(value.shape)
        once, twice, back = (penalty({**values, name: t * other}) - none for t in (1.0, 2.0, -3.0))
        l2 = (twice - 2 * once) / (2 * np.sum(other**2))
        l1 = (2 * once - twice / 2) / np.sum(np.abs(other))
        if np.isclose(back, 3 * l1 * np.abs(other).sum() + 9 * l2 * np.sum(other**2)):
            plain = [float(f"{each:.12g}") if abs(each) > 1e-12 else 0.0 for each in (l1, l2)]
            found |= {name: (plain[0], plain[1])} if any(plain) else {}
    return found


def strengths_of(item: Any, names: set[str]) -> dict[str, tuple[Any, Any]]:
    """How strongly L1 and L2 weigh on each of these parameters of an object; those without either are left out."""
    found = {
        name: tuple(getattr(item, f"{kind}_regularizer_l{power}", 0) or 0 for power in (1, 2))
        for name, kind in _REGULARIZED.items()
        if name in names
    }
    return {name: (l1, l2) for name, (l1, l2) in found.items() if l1 or l2}


def book_penalty(strengths: Mapping[str, tuple[Any, Any]], values: Mapping[str, Any]) -> tuple[float, Arrays]:
    """L1 · sum |w| + L2 · sum w² over the parameters, and its exact gradient; that of |w| at 0 is 1, as in the book.

    >>> book_penalty({"weights": (0.0, 0.5)}, {"weights": np.array([1.0, -2.0])})
    (2.5, {'weights': array([ 1., -2.])})
    """
    total, gradients = 0.0, {}
    for name, (l1, l2) in strengths.items():
        value = values[name]
        total += float(l1 * np.abs(value).sum() + l2 * (value * value).sum())
        gradients[name] = l1 * np.where(value < 0, -1.0, 1.0) + 2 * l2 * value
    return total, gradients
