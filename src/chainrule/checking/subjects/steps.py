"""Steps that a backward pass takes itself: their rates, a decay in them, and steps of any length as of RMSProp."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from types import FrameType, TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .names import RATES, TARGETS
from .objects import attributes_of
from .signatures import parameters_of, parsed, source_of

__all__ = [
    "BACK_IN_TIME",
    "SeenVariables",
    "emptied_elsewhere",
    "has_any_length",
    "limits_gradients",
    "methods_of_steps",
    "numbers_of_steps",
    "rates_of",
]

BACK_IN_TIME = re.compile(r"\bfor\b[^\n]* in [^\n]*(reversed\(|, *-1 *,? *-1\)|\[::-1\])")
_EQUAL = 1e-3  # how far the entries of a step of one length may differ


def rates_of(function: Callable[..., Any]) -> set[str]:
    """The parameters that are learning rates: by name, or as all they do is to scale what a step takes away.

    >>> def backward(self, grad, tasso): self.w -= tasso * grad
    >>> rates_of(backward)
    {'tasso'}
    """
    known = list(parameters_of(function))
    scales: list[str] = []
    read: list[str] = []
    for node in ast.walk(parsed(source_of(function)) or ast.Pass()):
        scales += _factors(_taken_away(node))
        read += [node.id] if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else []
    first = [name for name in known if name != "self"][:1]
    found = {n for n in known if n in scales and scales.count(n) == read.count(n) and n not in first}
    return {n for n in known if n.lower() in RATES} | {n for n in found if n.lower() not in TARGETS}


def _taken_away(node: ast.AST) -> ast.AST:
    """What a statement takes away from an attribute: `self.w -= this`, `self.w = self.w - this`."""
    match node:
        case ast.AugAssign(target=ast.Attribute() | ast.Subscript(), op=ast.Sub(), value=value):
            return value
        case ast.Assign(
            targets=[ast.Attribute() | ast.Subscript() as place], value=ast.BinOp(left=left, op=ast.Sub(), right=right)
        ):
            return right if ast.unparse(place) in ast.unparse(left) else ast.Pass()
    return ast.Pass()


def _factors(node: ast.AST) -> list[str]:
    """The names that a product is made of."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div | ast.MatMult):
        return _factors(node.left) + (_factors(node.right) if isinstance(node.op, ast.Mult) else [])
    return [node.id] if isinstance(node, ast.Name) else []


def numbers_of_steps(item: Any, backward: Callable[..., Any]) -> list[float]:
    """The numbers that may be the rate of a step, the likeliest first: factors of what is taken away, then others.

    They stand in the source of the methods, in globals, in defaults or in the object.
    """
    first, others = list[float](), list[float]()
    held = _held(item)
    for function, known in _with_names(item, backward):
        for node in ast.walk(parsed(source_of(function)) or ast.Pass()):
            numbers = [n for n in _numbers_in(_taken_away(node), known, held) if 0 < n < 1]
            first += [float(np.prod(numbers)), *numbers] if numbers else []
        others += [v for v in (*_defaults(function).values(), *held.values()) if _is_number(v) and 0 < v < 1]
    return list(dict.fromkeys(map(float, [*first, *others])))


def limits_gradients(plan: Any) -> bool:
    """Whether a backward pass that goes back in time cuts its gradients off or shortens them; elsewhere nobody may."""
    backward = plan.call.of(plan.call.gradient, plan.call.item)
    item = None if plan.call.functions or isinstance(plan.call.item, type) else plan.call.item
    source = "".join(source_of(each) for each in methods_of_steps(item, backward))
    return bool(BACK_IN_TIME.search(source)) and re.search(r"\bclip|\.norm\(|_norm\b", source) is not None


def emptied_elsewhere(item: Any, backward: str, paths: Iterable[str]) -> bool:
    """Whether a method beside backward sets one of the stored gradients to 0: they are meant to add up until then."""
    methods = methods_of_steps(item, getattr(item, backward))[1:]
    source = "\n".join(source_of(each) for each in methods if each.__name__ != backward)
    empty = r"(\[[^\]]*\])?\s*(=\s*(\w+\.zeros|0\b|None\b)|\*=\s*0\b|\.fill\(0)"
    return any(re.search(rf"\bself\.{re.escape(path)}{empty}", source) for path in paths)


def _with_names(item: Any, backward: Callable[..., Any]) -> Iterator[tuple[Callable[..., Any], dict[str, Any]]]:
    for function in methods_of_steps(item, backward):
        yield function, {**getattr(function, "__globals__", {}), **_defaults(function)}


def methods_of_steps(item: Any, backward: Callable[..., Any]) -> list[Callable[..., Any]]:
    """Where steps may be taken: in backward and in the other methods of its object, but for the constructor."""
    methods = [] if item is None else [m for base in type(item).__mro__[:-1] for m in vars(base).values()]
    return [backward, *(m for m in methods if inspect.isfunction(m) and m.__name__ != "__init__")]


def _held(item: Any) -> dict[str, Any]:
    """What an object holds, and its class."""
    shared = {n: v for base in reversed(type(item).__mro__[:-1]) for n, v in vars(base).items()}
    return {**shared, **dict(attributes_of(item))}


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    return {n: d for n, d in parameters_of(function).items() if d is not inspect.Parameter.empty}


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int | np.floating) and not isinstance(value, bool)


def _numbers_in(node: ast.AST, known: dict[str, Any], held: dict[str, Any]) -> Iterator[float]:
    """The numbers that a product is made of."""
    value: Any = None
    match node:
        case ast.BinOp(left=left, op=ast.Mult() | ast.MatMult(), right=right):
            yield from (*_numbers_in(left, known, held), *_numbers_in(right, known, held))
        case ast.BinOp(left=left, op=ast.Div()):
            yield from _numbers_in(left, known, held)
        case ast.Constant(value=value):
            pass
        case ast.Name(id=name):
            value = known.get(name)
        case ast.Attribute(value=ast.Name("self"), attr=name):
            value = held.get(name)
    if _is_number(value):
        yield float(value)


def has_any_length(step: NDArray[Any]) -> bool:
    """Whether the first step is as long in every entry, up or down: its length is not that of the gradient.

    So are the first steps of RMSProp, Adagrad and Adam.

    >>> has_any_length(np.array([0.1, -0.1, 0.1])), has_any_length(np.array([0.1, -0.2, 0.1]))
    (True, False)
    """
    lengths = np.abs(step[step != 0])
    return lengths.size > 1 and bool(np.ptp(lengths) <= _EQUAL * lengths.max())


class SeenVariables:
    """What the variables of functions hold when these return: the arrays among them, while it is entered.

    >>> def double(x):
    ...     twice = 2 * x
    ...     return twice.sum()
    >>> with SeenVariables([double]) as watched: _ = double(np.ones(3))
    >>> watched.arrays["twice"]
    array([2., 2., 2.])
    """

    def __init__(self, functions: list[Callable[..., Any]]) -> None:
        self.codes = {getattr(inspect.unwrap(function), "__code__", None) for function in functions}
        self.arrays: dict[str, NDArray[Any]] = {}

    def __enter__(self) -> SeenVariables:
        self.before = sys.getprofile()
        sys.setprofile(self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        sys.setprofile(self.before)

    def _note(self, frame: FrameType, event: Any, argument: Any) -> None:
        if self.before is not None:
            self.before(frame, event, argument)
        if event == "return" and frame.f_code in self.codes:
            held = {n: v for n, v in frame.f_locals.items() if isinstance(v, np.ndarray) and v.dtype.kind == "f"}
            self.arrays |= {name: np.array(value) for name, value in held.items()}
