"""The functions of a backward pass, what can be named in each, and what stands in forward."""

from __future__ import annotations

import ast
import sys
import types
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..measuring.bench import Bench
from ..measuring.cases import Case, wrong_in
from .rewriting import index_of
from .usercode import NUMBERS, functions_of, names_in, traced, tree_of

__all__ = ["Part", "calls_in", "forward_functions", "parts_of", "written_in_forward"]

_SUMS = ("mean", "var", "std", "sum", "norm", "average")
_MOST_EXPRESSIONS = 24  # of forward that are tried as factors


@dataclass
class Part:
    """A function of the user's backward pass."""

    function: types.FunctionType
    twins: tuple[types.FunctionType, ...]
    tree: ast.FunctionDef
    known: dict[str, Any]
    names: dict[str, Any]  # the locals where it ends
    values: dict[str, Any] = field(default_factory=dict)  # of expressions, as they are asked for

    def value_of(self, code: str) -> Any:
        """What an expression is where the function ends; None where it has no value there."""
        if code not in self.values:
            try:
                with np.errstate(all="ignore"):
                    value = eval(code, self.function.__globals__, self.names)  # the user's own expression
                self.values[code] = value if isinstance(value, NUMBERS) else None
            except Exception:  # it is not ours
                self.values[code] = None
        return self.values[code]

    def is_no_number(self, code: str) -> bool:
        """Whether an expression is known to be no array and no number: a module, a tuple, an object."""
        if self.value_of(code) is not None:
            return False
        try:
            value = eval(code, self.function.__globals__, self.names)  # the user's own expression
        except Exception:  # it is not ours
            return False
        return value is not None


def parts_of(bench: Bench, case: Case) -> list[Part]:
    """The user's functions that run in backward and not in forward, the outermost first."""
    instance = bench.subject.create()
    in_forward = traced(lambda: bench.forward(instance, case.point.copied()))
    in_backward = traced(lambda: instance.backward(case.dvalues.copy()))
    alone = {code: names for code, names in in_backward.items() if code not in in_forward}
    ran = alone or in_backward or in_forward  # a loss with its gradients is both in one
    found = []
    for code, twins in functions_of(ran).items():
        tree = tree_of(twins[0])
        if tree is not None:
            found.append(Part(twins[0], twins, tree, names_in(ran[code]), ran[code]))
    return found


def calls_in(bench: Bench, case: Case) -> int:
    """How many calls one pass makes: what it costs, the same in every run."""
    count = 0

    def watch(*_: Any) -> None:
        nonlocal count
        count += 1

    if sys.getprofile() is None:
        sys.setprofile(watch)
        try:
            wrong_in(bench, [case])
        finally:
            sys.setprofile(None)
    return max(count, 1)


def _sums(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr in _SUMS


def forward_functions(bench: Bench, case: Case) -> list[tuple[ast.FunctionDef, dict[str, Any]]]:
    """The user's functions that run in forward, each with the arrays and numbers that it knows where it ends."""
    instance = bench.subject.create()
    ran = traced(lambda: bench.forward(instance, case.point.copied()))
    trees = [(tree_of(twins[0]), names_in(ran[code])) for code, twins in functions_of(ran).items()]
    return [(tree, held) for tree, held in trees if tree is not None]


def written_in_forward(bench: Bench, case: Case) -> tuple[tuple[float, ...], tuple[str, ...], bool, tuple[str, ...]]:
    """What stands in forward: numbers, expressions that backward may name as well, whether it sums up, its indices."""
    numbers: dict[float, None] = {}
    expressions: dict[str, None] = {}
    indices: dict[str, None] = {}
    sums = False
    for tree, _ in forward_functions(bench, case):
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value not in (0, True):
                numbers[node.value] = None
            if isinstance(node, ast.BinOp | ast.Compare) or (isinstance(node, ast.Call) and (node.args or _sums(node))):
                expressions[ast.unparse(node)] = None
            if isinstance(node, ast.Subscript) and "None" in ast.unparse(node.slice):
                expressions[ast.unparse(node)] = None
            if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
                indices[index_of(node)] = None
            sums = sums or (isinstance(node, ast.Attribute) and node.attr in _SUMS)
    short = [code for code in expressions if len(code) <= 40]
    return tuple(numbers)[:8], tuple(sorted(short, key=len))[:_MOST_EXPRESSIONS], sums, tuple(indices)
