"""What the entries of an array are called: the columns of the table, the classes of the target."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from ..nodes import INPUTS
from .cell import LOSS, Cell
from .cells import Cells
from .derivation import Quantity
from .formula import Rewrite, parse, pattern, unparsed
from .units import ScaledColumn, columns_of, outcome_of

__all__ = ["Labels", "readable_name"]

Axes = Mapping[int, Sequence[str]]  # axis, counted from the last -> the name of each entry


def readable_name(name: str) -> str:
    """A column's name as one says it.

    >>> readable_name("petal_length_cm"), readable_name("colour=red")
    ('petal length cm', 'colour=red')
    """
    return " ".join(name.replace("_", " ").split()) or name


class Labels:
    """The names of the entries of inputs, parameters and outputs, by the full name of the array.

    The inputs have the columns' names, and with them the rows of the weights that read the inputs. The predictions have
    the classes', and with them the last layer's weights and biases and what lies between it and the loss.
    """

    def __init__(
        self, cells: Cells, features: Sequence[str], classes: Sequence[str], preprocessing: Any = None
    ) -> None:
        self.axes: dict[str, dict[int, tuple[str, ...]]] = {}
        self.columns: Mapping[int, ScaledColumn] = columns_of(preprocessing)
        self.outcome: ScaledColumn | None = outcome_of(preprocessing)
        names = tuple(map(readable_name, features))
        if cells.inputs.ndim == 2 and len(names) == cells.inputs.shape[1]:
            self._name_inputs(cells, names)
        if cells.trace.predictions.ndim == 2 and len(classes) == cells.trace.predictions.shape[1]:
            self._name_outputs(cells, tuple(map(str, classes)))

    def _add(self, name: str, axis: int, names: tuple[str, ...]) -> None:
        self.axes.setdefault(name, {})[axis] = names

    def _name_inputs(self, cells: Cells, names: tuple[str, ...]) -> None:
        self._add(INPUTS, -1, names)
        for cell in cells.cells[:-1]:
            if isinstance(cell.reads, str) and self.axes.get(cell.reads, {}).get(-1) == names:
                if "weights" in cell.parameters:
                    self._add(cell.parameters["weights"], -2, names)
                elif cells.output(cell.name).shape == cells.inputs.shape:
                    self._add(cell.name, -1, names)

    def _name_outputs(self, cells: Cells, names: tuple[str, ...]) -> None:
        name = cells[LOSS].reads
        while isinstance(name, str) and name != INPUTS:
            self._add(name, -1, names)
            cell = cells[name]
            if "weights" in cell.parameters:
                for parameter in cell.parameters.values():
                    self._add(parameter, -1, names)
                return
            same = isinstance(cell.reads, str) and cells.output(cell.reads).shape == cells.output(name).shape
            name = cell.reads if same else None

    def entry(self, name: str, axis: int, place: int) -> str | int:
        """What an index at an axis, counted from the last, is called: the number itself where it has no name."""
        names = self.axes.get(name, {}).get(axis)
        return names[place] if names is not None else place

    def index(self, name: str, index: Sequence[int]) -> tuple[str | int, ...]:
        """An index with names in the place of numbers."""
        return tuple(self.entry(name, axis - len(index), place) for axis, place in enumerate(index))

    def written(self, quantity: Quantity) -> str:
        """The quantity as it is printed: dense_0.weights[petal length cm,5]."""
        return f"{quantity.name}[{','.join(map(str, self.index(quantity.name, quantity.index)))}]"

    def symbol(self, quantity: Quantity) -> str:
        """The quantity as a formula."""
        return named(f"{quantity.name!r}[{','.join(map(str, quantity.index))}]", self, {})

    def gradient(self, quantity: Quantity) -> str:
        """dL/d(quantity) as a formula."""
        return named(quantity.gradient, self, {})

    def within(self, cell: Cell, formula: str) -> str:
        """A formula of a cell's rule, with names in the place of indices that have one."""
        return named(formula, self, symbols_of(cell)) if self.axes else formula


def symbols_of(cell: Cell) -> dict[str, str]:
    """Which array of the network each symbol of a cell's rule is, by its full name."""
    rule = cell.rule
    if rule is None:
        return {}
    read = cell.reads if isinstance(cell.reads, str) else ""
    found = {pattern(rule.output)[0]: cell.name}
    for entry, shown in rule.arrays.items():
        local = entry.partition(".")[0]
        full = cell.parameters.get(local, read)
        found[pattern(shown)[0]] = cell.name if local == cell.pair.result else full
    if cell.name == LOSS:  # targets, probabilities and their like have an entry for each prediction
        found |= {pattern(left)[0]: read for left in rule.where if len(pattern(left)[1]) == 2}
    return found


class _Named(Rewrite):
    """Puts names in the place of the indices that have one."""

    def __init__(self, labels: Labels, symbols: Mapping[str, str]) -> None:
        self.labels, self.symbols = labels, symbols

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        base = node.value
        name = base.value if isinstance(base, ast.Constant) else self.symbols.get(getattr(base, "id", ""))
        axes = self.labels.axes.get(str(name))
        if axes is None:
            return node
        parts = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        for axis, names in axes.items():
            if len(parts) >= -axis:
                part = parts[axis]
                if isinstance(part, ast.Constant) and isinstance(part.value, int) and part.value < len(names):
                    parts[axis] = ast.Constant(names[part.value])
        inside = parts[0] if len(parts) == 1 else ast.Tuple(parts, ast.Load())
        return ast.Subscript(base, inside, ast.Load())


def named(formula: str, labels: Labels, symbols: Mapping[str, str]) -> str:
    """The formula with the names of columns and classes in the place of their indices."""
    labelled = [*map(repr, labels.axes), *(symbol for symbol, name in symbols.items() if name in labels.axes)]
    if not any(f"{symbol}[" in formula for symbol in labelled):
        return formula
    return unparsed(_Named(labels, symbols).visit(parse(formula)))
