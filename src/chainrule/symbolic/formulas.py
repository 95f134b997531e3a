"""Expressions as formulas: lines of the language that `chainrule.explaining.formula` reads and `notation` prints."""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Iterable, Mapping

from .calculus import replaced
from .expression import Expression, apply, leaf, walk
from .readable import readable

__all__ = ["formula", "kinks", "times_used", "with_named_parts"]

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


def formula(root: Expression, names: Mapping[str, str], over: str = "o") -> str:
    """The expression as a formula; `names` says how arrays and settings are written.

    A sum over the features runs over the index `over`; the arrays of a loss are written with the index `o`.

    >>> from chainrule.symbolic import leaf
    >>> x, s = leaf("name", "inputs"), leaf("setting", ("slope", 0.1))
    >>> formula(x * x + s, {"inputs": "x[...]", "slope": "a"})
    'x[...] * x[...] + a'
    """
    found: dict[int, str] = {}
    for node in walk(root):
        found[id(node)] = _one(node, [found[id(operand)] for operand in node.operands], names, over)
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


def times_used(roots: Iterable[Expression]) -> dict[Expression, int]:
    """How often each part of the expressions is an operand, or one of them itself."""
    roots = list(roots)
    uses = dict.fromkeys(walk(*roots), 0)
    for part in (*roots, *(operand for node in uses for operand in node.operands)):
        uses[part] += 1
    return uses


def with_named_parts(
    roots: Iterable[Expression], names: Mapping[str, str], variables: Mapping[str, Expression], taken: Iterable[str]
) -> tuple[list[Expression], dict[str, Expression]]:
    """The expressions with names in the place of parts that they hold more than once, and what the names stand for.

    The author's local variables come first and keep their names where these are free; other parts get a letter. Short
    parts stay as they are.
    """
    left, found = list(roots), dict[str, Expression]()
    used = {*taken, *_FUNCTIONS.values(), *names.values()}
    letters = (letter for letter in itertools.chain("ghqrs", (f"g{i}" for i in itertools.count(1))))
    own = {value: name for name, value in reversed(list(variables.items()))}
    for only_own in (True, False):
        while (
            part := _part_worth_a_name(left, {**names, **{n: n for n in found}}, own if only_own else None)
        ) is not None:
            name = own.get(part, "")
            if not name.isidentifier() or name in used or len(name) > 12:
                name = next(letter for letter in letters if letter not in used)
            used.add(name)
            found[name] = part
            symbol = {part: leaf("name", name)}
            left = [replaced(root, symbol) for root in left]
            own = {replaced(value, symbol): n for value, n in own.items() if value is not part}
    return left, found


def _part_worth_a_name(
    roots: list[Expression], names: Mapping[str, str], among: Mapping[Expression, str] | None
) -> Expression | None:
    """The first part, innermost first, that is used more than once and long enough."""
    whole = dict.fromkeys(roots)
    for node, uses in times_used(roots).items():
        if uses < 2 or node in whole or not node.operands or node.is_truth or node.known() is not None:
            continue
        length = len(formula(node, names).replace(" ", "")) + 2 * (node.operation in ("add", "sub"))
        if length > LONG and (among is None or node in among):
            return node
    return None


def kinks(*roots: Expression) -> list[Expression]:
    """Expressions at whose change of sign a `where`, a maximum, an absolute value or a sign takes another branch.

    >>> from chainrule.symbolic import leaf
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
