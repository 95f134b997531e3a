"""Expressions as formulas: lines of the language that `chainrule.explaining.formula` reads and `notation` prints."""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Iterable, Mapping

from .expression import Expression, apply, walk
from .readable import readable

__all__ = ["formula", "kinks", "shared"]

_BINARY = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**"}
_BINARY |= {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}
_FUNCTIONS = {"logistic": "sigma", "normal_cdf": "Phi", "normal_density": "phi"}
_PLAIN = ("exp", "log", "sqrt", "abs", "sign", "sin", "cos", "sinh", "cosh", "tanh", "arctan", "max", "min", "erfc")
_FUNCTIONS |= {name: name for name in _PLAIN}
_CONSTANTS = {
    math.pi: "pi",
    math.e: "exp(1)",
    math.sqrt(2): "sqrt(2)",
    math.sqrt(0.5): "sqrt(1/2)",
    math.sqrt(2 / math.pi): "sqrt(2/pi)",
    2 / math.sqrt(math.pi): "2/sqrt(pi)",
    1 / math.sqrt(2 * math.pi): "1/sqrt(2*pi)",
}
LONG = 14  # characters that a shared part may have, its parentheses included, before it gets a name


def formula(
    root: Expression, names: Mapping[str, str], parts: Mapping[Expression, str] | None = None, over: str = "o"
) -> str:
    """The expression as a formula; `names` says how arrays and settings are written, `parts` how whole parts are.

    A sum over the features runs over the index `over`; the arrays of a loss are written with the index `o`.

    >>> x, s = leaf("name", "inputs"), leaf("setting", ("slope", 0.1))
    >>> formula(x * x + s, {"inputs": "x[...]", "slope": "a"})
    'x[...] * x[...] + a'
    """
    parts = parts or {}
    found: dict[int, str] = {}
    for node in walk(root):
        inner = [found[id(operand)] for operand in node.operands]
        found[id(node)] = parts[node] if node in parts and node is not root else _one(node, inner, names, over)
    return ast.unparse(ast.parse(found[id(root)], mode="eval"))


def _one(node: Expression, inner: list[str], names: Mapping[str, str], over: str) -> str:
    operation = node.operation
    if operation == "number":
        return f"({_constant(node.value)})"
    if operation in ("name", "setting"):
        return names[node.value if operation == "name" else node.value[0]]
    if operation == "size":
        return "O"
    if operation in _BINARY:
        return f"({inner[0]} {_BINARY[operation]} {inner[1]})"
    if operation == "neg":
        return f"(-{inner[0]})"
    if operation == "where":
        return f"({inner[1]} if {inner[0]} else {inner[2]})"
    if operation == "softplus":
        return f"log(1 + exp({inner[0]}))"
    if operation == "sum_features":
        return f"sum({over}, {inner[0].replace('[b,o]', f'[b,{over}]')})"
    return f"{_FUNCTIONS[operation]}({', '.join(inner)})"


def _constant(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if value in _CONSTANTS:
        return _CONSTANTS[value]
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    short = float(f"{value:.15g}")  # 3·0.044715 is 0.13414500000000002
    return repr(short)


def shared(
    roots: Iterable[Expression], names: Mapping[str, str], variables: Mapping[str, Expression], taken: Iterable[str]
) -> dict[str, Expression]:
    """Parts that the formulas hold more than once and that are long enough for a name, by that name.

    A part has the name of the author's local variable where it is that variable and the name is free, else a letter.
    """
    roots = list(roots)
    uses: dict[int, int] = {}
    for node in walk(*roots):
        for operand in node.operands:
            uses[id(operand)] = uses.get(id(operand), 0) + 1
    for root in roots:
        uses[id(root)] = uses.get(id(root), 0) + 1
    own = {id(value): name for name, value in reversed(list(variables.items()))}
    used = {*taken, *_FUNCTIONS.values(), *names.values()}
    letters = (letter for letter in itertools.chain("ghqrs", (f"g{i}" for i in itertools.count(1))))
    found: dict[str, Expression] = {}
    shown: dict[Expression, str] = {}
    for node in walk(*roots):
        if uses[id(node)] < 2 or not node.operands or node.is_truth or node.known() is not None:
            continue
        length = len(formula(node, names, shown).replace(" ", "")) + 2 * (node.operation in ("add", "sub"))
        if length <= LONG or any(node is root for root in roots):
            continue
        name = own.get(id(node), "")
        if not name.isidentifier() or name in used or len(name) > 12:
            name = next(letter for letter in letters if letter not in used)
        used.add(name)
        found[name], shown[node] = node, name
    return found


def kinks(*roots: Expression) -> list[Expression]:
    """Expressions at whose change of sign a `where`, a maximum, an absolute value or a sign takes another branch.

    >>> x = leaf("name", "x")
    >>> kinks(abs(x - 1)), kinks(x * x)
    ([sub(x, 1)], [])
    """
    found: dict[Expression, None] = {}
    for node in walk(*roots):
        if node.operation in ("abs", "sign"):
            kink = node.operands[0]
        elif node.operation in ("max", "min"):
            kink = readable(node.operands[0] - node.operands[1])
        elif node.operation == "where" and len(node.operands[0].operands) == 2:
            left, right = node.operands[0].operands
            kink = readable(left - right)
        else:
            continue
        mirrored = apply("sub", *reversed(kink.operands)) if kink.operation == "sub" else -kink
        if kink.known() is None and mirrored not in found:
            found[kink] = None
    return list(found)
