"""Boxes of numbers that record what is done with them, as in micrograd: each operation is a pair, found by trial."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Brought, Subject
from .objects import attributes_of
from .plans import Passes
from .signatures import parameters_of, required_of, source_of

__all__ = ["TapeOperation", "operations_of"]

_SEED = 1
_HELD = ("data", "value", "val")
_NOT = ("backward", "zero_grad", "item", "numpy", "detach", "copy", "step", "parameters", "size", "dim", "tolist")
_DUNDER = ("__add__", "__sub__", "__mul__", "__truediv__", "__matmul__", "__neg__", "__abs__", "__pow__")
_NAMES = ("x", "other")
_MORE = {"__pow__": (3,)}  # what is no box among the arguments
_PRODUCTS = ("__matmul__", "matmul", "dot", "mm")
_PLUS, _TIMES = ("__add__", "add"), ("__mul__", "mul", "multiply")
_REUSED = "backward"  # under this name the class's own way back through several operations is checked


class TapeOperation(Brought):
    """One operation of a class of boxes, or, under `backward`, its way back through several of them."""

    def __init__(
        self, kind: type, name: str, many: int, numbers: bool, held: str, row: tuple[int, ...] = (), sum_of: str = ""
    ) -> None:
        self.kind, self.operation, self.many, self.numbers, self.held = kind, name, many, numbers, held
        self.name, self.row = f"{kind.__name__}.{name}" + " with a row" * bool(row), row
        self.times = next((each for each in _TIMES if hasattr(kind, each)), "")
        self.plus = sum_of

    def subjects(self, **options: Any) -> Iterator[Subject]:
        """The operation as a pair of functions of arrays: numbers are handed over one by one."""
        from .written import written_subject

        given = options.get("inputs")
        rng = np.random.default_rng(_SEED)
        shapes = [(5, 4), (4, 3)] if self.operation in _PRODUCTS else [(5, 4), self.row or (5, 4)]
        low = 0.5 if self.operation in ("log", "sqrt", "__pow__", "__truediv__", "__rtruediv__") else -2.0
        inputs = given if given is not None else {
            name: rng.uniform(low, 2.0, shape) for name, shape in zip(_NAMES[: self.many], shapes, strict=False)
        }  # fmt: skip
        call = Passes(self.name, None, self._forward(), self._backward())
        subject = written_subject(call, inputs)
        subject = replace(subject, title=self.name, given=given is not None, plain=subject.plain or self.numbers)
        made_of = "(x + x * other) + x" if self.many == 2 else "(x + x) + x"
        made_of = made_of if self.plus else "(x * other) * x"
        note = f"It was run on {made_of}: where x is used more than once, what comes back must be added up, with +=."
        yield replace(subject, notes=(*subject.notes, note)) if self.operation == _REUSED else subject

    def run(self, *boxes: Any) -> Any:
        """What the operation makes of boxes."""
        if self.operation != _REUSED:
            return getattr(boxes[0], self.operation)(*boxes[1:], *_MORE.get(self.operation, ()))
        x, *others = boxes
        inner = getattr(x, self.times)(others[0]) if others else x
        if not self.plus:
            return getattr(inner, self.times)(x)
        return getattr(getattr(x, self.plus)(inner), self.plus)(x)

    def box(self, value: Any) -> Any:
        """A value in a box that wants a gradient."""
        return _boxed(self.kind, value)

    def _forward(self) -> Callable[..., Any]:
        def forward(*arrays: NDArray[Any]) -> Any:
            if not self.numbers:
                boxes = [self.box(np.array(array)) for array in arrays]
                made = self.run(*boxes)
                return np.array(getattr(made, self.held)), [(boxes, made)]
            tapes = []
            for each in zip(*(np.asarray(array).ravel().tolist() for array in arrays), strict=True):
                boxes = [self.box(number) for number in each]
                tapes.append((boxes, self.run(*boxes)))
            output = np.array([getattr(made, self.held) for _, made in tapes])
            return output.reshape(np.shape(arrays[0])), tapes

        return _named(forward, self.name, _NAMES[: self.many])

    def _backward(self) -> Callable[..., Any]:
        own = self.operation == _REUSED

        def backward(dout: NDArray[Any], cache: Any) -> Any:
            shares = [dout] if not self.numbers else np.asarray(dout).ravel().tolist()
            for (_, made), share in zip(cache, shares, strict=True):
                if own:
                    _own_way_back(made)
                else:
                    _send_back(made, share)
            found = []
            for place in range(self.many):
                gradients = [np.asarray(boxes[place].grad, dtype=np.float64) for boxes, _ in cache]
                whole = gradients[0] if not self.numbers else np.array(gradients).reshape(np.shape(dout))
                found.append(whole * dout if own else whole)  # each entry of that output is of its own entries
            return tuple(found) if self.many > 1 else found[0]

        return _named(backward, f"{self.name}.backward", ("dout", "cache"))


def _named(function: Callable[..., Any], name: str, names: Any) -> Callable[..., Any]:
    function.__name__ = name
    kinds = [inspect.Parameter(each, inspect.Parameter.POSITIONAL_OR_KEYWORD) for each in names]
    function.__signature__ = inspect.Signature(kinds)  # type: ignore[attr-defined]
    return function


def _send_back(made: Any, share: Any) -> None:
    """Run the closures one after the other from the last, or, where there are none, its own way back from a product."""
    parents, closure = _parents(made), _closure(made)
    if parents is None or closure is None:
        _send_its_own_way(made, share)
        return
    order: list[Any] = []

    def follow(box: Any) -> None:
        if all(box is not each for each in order):
            for parent in getattr(box, parents):
                follow(parent)
            order.append(box)

    follow(made)
    made.grad = share
    for box in reversed(order):
        back = getattr(box, closure, None)
        if callable(back):
            back()


def _send_its_own_way(made: Any, share: Any) -> None:
    """By the method of the class: it takes what comes from above, leaves what is there, or begins with ones."""
    own = getattr(type(made), _REUSED)
    takes = [name for name in parameters_of(own) if name != "self"]
    times = next((name for name in _TIMES if hasattr(made, name)), "")
    if takes:
        made.backward(share)
    elif times and not re.search(r"\bself\.grad is None|\bnot self\.grad\b", source_of(own)):
        _own_way_back(getattr(made, times)(type(made)(share)))
    else:
        made.grad = share
        _own_way_back(made)


def _own_way_back(made: Any) -> None:
    """The method of the class, from what was made or, where it wants one number, from its sum."""
    try:
        made.backward()
    except (Exception, SystemExit):  # the code is not ours: anything may come
        if not hasattr(made, "sum"):
            raise
        made.sum().backward()


def _parents(made: Any) -> str | None:
    """The attribute that holds the boxes of which a box was made."""
    kind, holders = type(made), set | list | tuple | frozenset
    held = {n: v for n, v in attributes_of(made) if isinstance(v, holders)}
    return next((name for name, value in held.items() if any(isinstance(each, kind) for each in value)), None)


def _closure(made: Any) -> str | None:
    """The attribute that holds what gives the gradients to those boxes."""
    return next((n for n, v in attributes_of(made) if inspect.isfunction(v) and not required_of(v)), None)


def operations_of(kind: type) -> list[TapeOperation]:
    """The operations of a class of boxes with `.grad` and `backward()`; none where it is no such class."""
    backward = getattr(kind, "backward", None)
    if not inspect.isfunction(backward) or len(required_of(backward)) != 1 or hasattr(kind, "forward"):
        return []
    source = "".join(
        source_of(method) for method in vars(kind).values() if inspect.isfunction(method)
    )  # of a cell, too
    if ".grad" not in source:
        return []
    spreads = "broadcast" in source or ".ndim" in source  # whether it looks after rows that meet matrices
    found: list[TapeOperation] = []
    own = {name: value for base in kind.__mro__[-2::-1] for name, value in vars(base).items()}
    names = {id(value): name for name, value in reversed(own.items()) if inspect.isfunction(value)}  # each once
    wanted = [name for name in reversed(names.values()) if name in _DUNDER or not name.startswith("_")]
    for name in [name for name in wanted if name not in _NOT]:
        made = next((m for numbers in (False, True) if (m := _tried(kind, name, numbers)) is not None), None)
        found += [made] if made is not None else []
        if made is not None and made.many == 2 and not made.numbers and name not in _PRODUCTS and spreads:
            found.append(TapeOperation(kind, name, 2, False, made.held, _row_for(made)))
    known = {operation.operation: operation for operation in found}
    plus, times = (next((known[n] for n in names if n in known), None) for names in (_PLUS, _TIMES))
    one = plus or times
    if one is not None:
        sum_of = plus.operation if plus is not None else ""
        found.append(TapeOperation(kind, _REUSED, 1 + (times is not None), one.numbers, one.held, (), sum_of))
    return found


def _row_for(operation: TapeOperation) -> tuple[int, ...]:
    """A row of one axis for a class that stops at one of two, and of two axes for any other."""
    for shape in (1, 4), (4,):
        with contextlib.suppress(Exception, SystemExit):  # the code is not ours: anything may come
            made = operation.run(*(operation.box(np.full(each, 0.5)) for each in ((5, 4), shape)))
            _send_back(made, np.ones((5, 4)))
            return shape
    return (1, 4)


def _tried(kind: type, name: str, numbers: bool) -> TapeOperation | None:
    """The operation, where it makes a box of one or of two of them, and not by way of others."""
    many = len(required_of(getattr(kind, name))) - len(_MORE.get(name, ()))
    shapes: list[tuple[int, ...]] = [(5, 4), (4, 3)] if name in _PRODUCTS else [(2, 3), (2, 3)]
    for held in _HELD if many in (1, 2) else ():
        try:
            boxes = [_boxed(kind, 0.5 if numbers else np.full(shape, 0.5)) for shape in shapes[:many]]
            made = getattr(boxes[0], name)(*boxes[1:], *_MORE.get(name, ()))
            value = np.asarray(getattr(made, held) if isinstance(made, kind) and made is not boxes[0] else 0)
        except (Exception, SystemExit):  # the code is not ours: anything may come
            continue
        before = getattr(made, _parents(made) or "", ())
        if value.dtype.kind == "f" and all(any(each is box for box in boxes) for each in before):
            return TapeOperation(kind, name, many, numbers, held)
    return None


def _boxed(kind: type, value: Any) -> Any:
    wanted = "requires_grad" in inspect.signature(kind).parameters
    return kind(value, requires_grad=True) if wanted else kind(value)
