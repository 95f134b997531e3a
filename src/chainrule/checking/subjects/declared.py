"""Gradients that are not meant to be the derivative: how their author declares them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .sources import remark_in

__all__ = ["declared_by", "on_purpose"]

T = TypeVar("T")

_PASSES = ("backward", "pure_backward", "backward_pass", "grad", "gradient", "derivative")
_MARK = "__chainrule_on_purpose__"


def on_purpose(reason: str) -> Callable[[T], T]:
    """A decorator that declares: the gradients of this class, or of this backward pass, are no derivative, and why.

    `check` reports them as declared, with how they differ, and neither as right nor as wrong.

    >>> import numpy as np
    >>> from chainrule import check
    >>> @on_purpose("straight through")
    ... class Sign:
    ...     def forward(self, x): return np.sign(x)
    ...     def backward(self, d): return d
    >>> report = check(Sign)
    >>> report.passed, report.arrays, report.declared
    (True, (), ('dinputs',))
    """

    def mark(what: T) -> T:
        setattr(what, _MARK, reason)
        return what

    return mark


def declared_by(item: Any) -> str:
    """What an object, a class or a function declares on purpose, by the decorator or a remark; empty for nothing."""
    kind = item if isinstance(item, type) or not hasattr(type(item), "__dict__") else type(item)
    kind = item if callable(item) and hasattr(item, "__code__") else kind
    passes = [getattr(kind, name) for name in _PASSES if callable(getattr(kind, name, None))] or [kind]
    for each in (kind, *passes):
        reason = getattr(each, _MARK, "")
        if reason:
            return str(reason)
    return "a remark in its source" if any(remark_in(each) for each in passes if not isinstance(each, type)) else ""
