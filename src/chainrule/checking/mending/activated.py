"""A line before all others of a backward pass: the upstream gradient times the derivative of the activation."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .rewriting import Repair, SourceScope, is_array

__all__ = ["activated"]

_BY_OUTPUT = ("{0} > 0", "1 - {0} ** 2", "{0} * (1 - {0})")
_BY_INPUT = ("{0} > 0", "1 - np.tanh({0}) ** 2")
_MOST = 24


def activated(tree: ast.FunctionDef, arrays: list[str], scope: SourceScope) -> Iterator[Repair]:
    """Each argument of the shape of an activation's output, multiplied by its derivative before anything is made of it.

    That is by its output where backward knows that, or else by what stands in forward.
    """
    for name in (each.arg for each in tree.args.args if is_array(scope.known.get(each.arg))):
        d = np.asarray(scope.known[name])
        if d.ndim < 2:
            continue
        outputs = [each for each in arrays if each != name]
        codes = [(form, code) for code in outputs for form in _BY_OUTPUT]
        codes += [(form, f"({code})") for code in scope.factors if code not in scope.known for form in _BY_INPUT]
        fitting = [form.format(code) for form, code in codes if np.shape(scope.evaluate(code)) == d.shape]
        for slope in fitting[:_MOST]:
            line = f"{name} = {name} * ({slope})"
            says = (
                "The derivative of the activation that forward ends with is left out, so that the gradients are those "
                f"of what goes into it: {name} must be multiplied by {slope} before anything is made of it."
            )
            yield Repair(0, _first(line), "activation_left_out", says)


def _first(line: str) -> Callable[[Any, ast.FunctionDef], None]:
    """Puts the line where all that it names is known, as early as can be."""
    wanted = {node.id for node in ast.walk(ast.parse(line)) if isinstance(node, ast.Name)}

    def change(_: Any, tree: ast.FunctionDef) -> None:
        places = [
            place
            for place, statement in enumerate(tree.body)
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in wanted
        ]
        at = max(places, default=-1) + 1
        if at == 0 and isinstance(tree.body[0], ast.Expr) and isinstance(tree.body[0].value, ast.Constant):
            at = 1  # behind the docstring
        before = tree.body[min(at, len(tree.body) - 1)]
        tree.body.insert(at, ast.copy_location(ast.parse(line).body[0], before))

    return change
