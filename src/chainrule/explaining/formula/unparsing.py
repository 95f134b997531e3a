"""Trees of formulas as lines again, as `ast.unparse` writes them and several times as fast."""

from __future__ import annotations

import ast

from .language import parts

__all__ = ["unparsed"]

_TEST, _COMPARED, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(7)  # how strongly things bind
_BINARY = {ast.Add: ("+", _SUM), ast.Sub: ("-", _SUM), ast.Mult: ("*", _PRODUCT), ast.Div: ("/", _PRODUCT)}
_BINARY[ast.Pow] = ("**", _POWER)
_COMPARISONS = {ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!="}


def unparsed(node: ast.expr, least: int = _TEST) -> str:
    """The formula of a tree, in parentheses where it binds less strongly than its place asks for.

    >>> unparsed(ast.parse("(a+b) * 'dense_0'[1,2]**2", mode="eval").body)
    "(a + b) * 'dense_0'[1, 2] ** 2"
    """
    line, own = _with_binding(node)
    return line if own >= least else f"({line})"


def _with_binding(node: ast.expr) -> tuple[str, int]:
    if isinstance(node, ast.Constant) and node.value is not Ellipsis:
        return repr(node.value).replace("inf", "1e309") if isinstance(node.value, float) else repr(node.value), _ATOM
    if isinstance(node, ast.Name):
        return node.id, _ATOM
    if isinstance(node, ast.Subscript):
        return f"{unparsed(node.value, _ATOM)}[{', '.join(map(unparsed, parts(node)))}]", _ATOM
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        sign, own = _BINARY[type(node.op)]
        right_first = own == _POWER
        return f"{unparsed(node.left, own + right_first)} {sign} {unparsed(node.right, own + (not right_first))}", own
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return f"-{unparsed(node.operand, _SIGN)}", _SIGN
    if isinstance(node, ast.Call) and not node.keywords:
        return f"{unparsed(node.func, _ATOM)}({', '.join(map(unparsed, node.args))})", _ATOM
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARISONS:
        left, right = (unparsed(side, _SUM) for side in (node.left, node.comparators[0]))
        return f"{left} {_COMPARISONS[type(node.ops[0])]} {right}", _COMPARED
    if isinstance(node, ast.IfExp):
        then, test = unparsed(node.body, _COMPARED), unparsed(node.test, _COMPARED)
        return f"{then} if {test} else {unparsed(node.orelse)}", _TEST
    return ast.unparse(node), _ATOM if isinstance(node, ast.Constant) else _TEST
