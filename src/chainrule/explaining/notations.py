"""The same step in the notation of the book, of the calculus textbook, or as the line of NumPy that computes it."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..errors import UnknownNameError
from .derivation import Derivation, ReadingStep
from .formula import Rewrite, parse, unparsed

__all__ = ["NOTATIONS", "WrittenStep", "asked_in", "require_notation", "written_in"]

NOTATIONS = ("book", "calculus", "numpy")


def require_notation(notation: str) -> str:
    """The notation. Raises `UnknownNameError` for one that does not exist."""
    if notation not in NOTATIONS:
        raise UnknownNameError("notation", str(notation), NOTATIONS)
    return notation


@dataclass(frozen=True)
class WrittenStep:
    """A step as it is written: formulas of both sides and of the terms; `code` is NumPy in place of the right."""

    left: str
    right: str
    terms: tuple[str, ...]
    code: str = ""


def written_in(step: ReadingStep, notation: str) -> WrittenStep:
    """A step in a notation; the book's are dvalues, dinputs, dweights."""
    terms = tuple(term.named or term.formula for term in step.terms)
    code = step.numpy if notation == "numpy" else ""
    if notation == "calculus":
        return WrittenStep(step.symbol, step.formula, terms)
    left = _in_book(step.symbol, step, left=True) if step.part == "backward" else step.symbol
    return WrittenStep(left, _in_book(step.formula, step), tuple(_in_book(term, step) for term in terms), code)


def asked_in(e: Derivation, notation: str) -> str:
    """The gradient that is asked for, as plain text: dense_0.dweights[petal length,5], or ∂L/∂dense_0.weights[...]."""
    if notation == "calculus":
        return f"∂L/∂{e.title}"
    layer, _, local = e.quantity.name.rpartition(".") if e.kind == "parameter" else ("", "", "")
    name = e.title.removeprefix(e.quantity.name)
    if layer:
        return f"{layer}.d{local}{name}"
    return f"dinputs{name}" if e.kind == "inputs" else f"{e.quantity.name}.dvalues{name}"


def _in_book(formula: str, step: ReadingStep, left: bool = False) -> str:
    if "D(" not in formula:
        return formula
    return unparsed(_Book(step, left).visit(parse(formula)))


class _Book(Rewrite):
    """dL/d(something) by the book's name for it."""

    def __init__(self, step: ReadingStep, left: bool) -> None:
        self.step, self.left = step, left

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if not (isinstance(node.func, ast.Name) and node.func.id == "D" and isinstance(node.args[1], ast.Subscript)):
            return self.generic_visit(node)  # type: ignore[return-value]
        of = node.args[1]
        if isinstance(node.args[0], ast.Name) and node.args[0].id == "L":
            return ast.Subscript(ast.Constant(self._name(of.value)), of.slice, ast.Load())
        return self.generic_visit(node)  # type: ignore[return-value]

    def _name(self, base: ast.expr) -> str:
        if not isinstance(base, ast.Constant):
            return "dlosses"
        name, several = str(base.value), len(set(self.step.nodes)) > 1
        layer, _, local = name.rpartition(".")
        if not self.left or not self.step.nodes:  # what a step reads, or is given
            return f"{name}.dvalues" if several else "dvalues"
        if (layer and self.step.node == layer) or (several and layer in self.step.nodes):
            return f"{layer}.d{local}" if several else f"d{local}"
        if several or self.step.joined:
            return f"{name}.dvalues"
        return "drelu_dz" if self.step.kind == "ReLU" else "dinputs"
