"""What can be done with an expression: calculate it, differentiate it, list its operations for a compiler."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .expression import Expression, Untraceable, apply, number, walk
from .namespace import Namespace
from .operations import OPERATIONS

__all__ = [
    "Operation",
    "OperationList",
    "differentiate",
    "evaluate",
    "names_of",
    "program",
    "replaced",
    "settings_of",
    "sizes_of",
]

xp = Namespace()


def names_of(*roots: Expression) -> list[str]:
    """The arrays that the expressions read, in the order of their first use."""
    return [node.value for node in walk(*roots) if node.operation == "name"]


def settings_of(*roots: Expression) -> dict[str, float]:
    """The settings in the expressions, with their numbers."""
    return dict(node.value for node in walk(*roots) if node.operation == "setting")


def sizes_of(*roots: Expression) -> list[Expression]:
    """The sums and sizes in the expressions: where there are none, they are functions of one entry."""
    return [node for node in walk(*roots) if node.operation == "size" or node.operation.startswith("sum_")]


def evaluate(root: Expression, arrays: Mapping[str, Any]) -> Any:
    """The number or array of an expression, with NumPy, for arrays by name; settings have their own numbers.

    >>> from chainrule.symbolic import leaf
    >>> x = leaf("name", "x")
    >>> evaluate(x * x + 1, {"x": np.array([2.0, 3.0])})
    array([ 5., 10.])
    """
    found: dict[int, Any] = {}
    for node in walk(root):
        operands = [found[id(operand)] for operand in node.operands]
        found[id(node)] = OPERATIONS[node.operation](*operands) if operands else _leaf_value(node, arrays)
    return found[id(root)]


def _leaf_value(node: Expression, arrays: Mapping[str, Any]) -> Any:
    if node.operation == "name":
        return arrays[node.value]
    if node.operation == "size":
        return max(np.shape(array)[-1] for array in arrays.values() if np.ndim(array) > 1)
    return node.known()


def replaced(root: Expression, parts: Mapping[Expression, Expression]) -> Expression:
    """The expression with some of its parts replaced.

    >>> from chainrule.symbolic import leaf
    >>> x, y = leaf("name", "x"), leaf("name", "y")
    >>> replaced(x * x + y, {x * x: y})
    add(y, y)
    """
    made: dict[int, Expression] = {}
    for node in walk(root):
        if node in parts:
            made[id(node)] = parts[node]
        elif node.operands:
            made[id(node)] = apply(node.operation, *(made[id(operand)] for operand in node.operands))
        else:
            made[id(node)] = node
    return made[id(root)]


# Differentiation: an oracle for the backward passes that people write, and nothing that the library trains with

Rules = dict[str, Callable[..., tuple[Expression, ...]]]
_RULES: Rules = {  # operation: the derivative of its result by each operand, given the operands
    "neg": lambda a: (number(-1),),
    "add": lambda a, b: (number(1), number(1)),
    "sub": lambda a, b: (number(1), number(-1)),
    "mul": lambda a, b: (b, a),
    "div": lambda a, b: (1 / b, -a / (b * b)),
    "pow": lambda a, b: (b * a ** (b - 1), a**b * xp.log(a)),
    "exp": lambda a: (xp.exp(a),),
    "expm1": lambda a: (xp.exp(a),),
    "log": lambda a: (1 / a,),
    "log1p": lambda a: (1 / (1 + a),),
    "sqrt": lambda a: (0.5 / xp.sqrt(a),),
    "abs": lambda a: (xp.sign(a),),
    "sign": lambda a: (number(0),),
    "sin": lambda a: (xp.cos(a),),
    "cos": lambda a: (-xp.sin(a),),
    "sinh": lambda a: (xp.cosh(a),),
    "cosh": lambda a: (xp.sinh(a),),
    "tanh": lambda a: (1 - xp.tanh(a) ** 2,),
    "arctan": lambda a: (1 / (1 + a * a),),
    "max": lambda a, b: (xp.where(a > b, 1, 0), xp.where(a > b, 0, 1)),
    "min": lambda a, b: (xp.where(a < b, 1, 0), xp.where(a < b, 0, 1)),
    "logistic": lambda a: (xp.logistic(a) * (1 - xp.logistic(a)),),
    "softplus": lambda a: (xp.logistic(a),),
    "erfc": lambda a: (-2 / math.sqrt(math.pi) * xp.exp(-a * a),),
    "normal_cdf": lambda a: (xp.normal_density(a),),
    "normal_density": lambda a: (-a * xp.normal_density(a),),
    "sum_features": lambda a: (number(1),),  # by one entry, which is a term of the sum
    "sum_all": lambda a: (number(1),),
}


def differentiate(root: Expression, name: str) -> Expression:
    """The derivative by one entry of the array `name`, by the rules of calculus and nothing else.

    Raises `Untraceable` for a sum over the samples and for sums inside a sum.

    >>> from chainrule.symbolic import leaf
    >>> x = leaf("name", "x")
    >>> differentiate(x * x, "x"), evaluate(differentiate(xp.tanh(x), "x"), {"x": np.array([0.0])})
    (add(x, x), array([1.]))
    """
    found: dict[int, Expression] = {}
    for node in walk(root):
        if node.operation.startswith("sum_") and (node.operation == "sum_samples" or sizes_of(*node.operands)):
            raise Untraceable("a sum inside a sum, or over the samples, is not differentiated here")
        if not node.operands:
            found[id(node)] = number(1 if node.operation == "name" and node.value == name else 0)
            continue
        inner = [found[id(operand)] for operand in node.operands]
        if node.operation == "where":
            found[id(node)] = apply("where", node.operands[0], *inner[1:])
            continue
        total = number(0)
        if any(part is not number(0) for part in inner) and not node.is_truth:
            for part, outer in zip(inner, _RULES[node.operation](*node.operands), strict=True):
                total = total if part is number(0) or outer is number(0) else total + outer * part
        found[id(node)] = total
    return found[id(root)]


# A flat list


class Operation(NamedTuple):
    """One line of a program: `operation` is a key of `OPERATIONS` or a kind of leaf.

    `operands` are the numbers of earlier lines; a leaf has none and a `value`: the number itself, the name of an array,
    (name, number) of a setting, "features" for a size.
    """

    operation: str
    operands: tuple[int, ...]
    value: Any = None


class OperationList(NamedTuple):
    """An expression as a list of lines, each calculated once from lines before it: static single assignment.

    To run it, go through `lines` in order and keep each result under the number of its line; `outputs` are the numbers
    of the lines that hold the results. Nothing is calculated twice, and every branch of a `where` is calculated.
    """

    lines: tuple[Operation, ...]
    outputs: tuple[int, ...]


def program(*roots: Expression) -> OperationList:
    """The expressions as one flat list that shares what they have in common.

    >>> from chainrule.symbolic import leaf
    >>> x = leaf("name", "x")
    >>> listed = program(xp.exp(x) * x, xp.exp(x))
    >>> for number, line in enumerate(listed.lines):
    ...     print(number, line.operation, *line.operands, *filter(None, [line.value]))
    0 name x
    1 exp 0
    2 mul 1 0
    >>> listed.outputs
    (2, 1)
    """
    order = walk(*roots)
    line = {id(node): k for k, node in enumerate(order)}
    lines = [Operation(n.operation, tuple(line[id(operand)] for operand in n.operands), n.value) for n in order]
    return OperationList(tuple(lines), tuple(line[id(root)] for root in roots))
