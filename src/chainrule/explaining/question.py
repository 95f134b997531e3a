"""What is asked for: which number of the network, by name and index."""

from __future__ import annotations

from collections.abc import Sequence

from ..backprop import entry_of
from ..errors import UnknownNameError
from ..graph import Graph
from ..nodes import INPUTS
from .cells import Cells
from .derivation import Quantity

__all__ = ["resolve"]


def resolve(cells: Cells, network: Graph, name: str, index: int | Sequence[int]) -> tuple[Quantity, str, list[str]]:
    """The quantity, its kind ("parameter", "inputs", "output"), and what to tell of the name.

    Raises `UnknownNameError` with all names for one that does not exist, `ShapeError` for an index outside.
    """
    notes: list[str] = []
    ties = network.flat.ties
    if not isinstance(name, str):
        raise UnknownNameError("quantity", str(name), [*network.parameters, *ties, INPUTS, *cells.outputs])
    node = name.removesuffix(".output")
    if name in ties:
        notes.append(f"{name} is tied to {ties[name]}: they are one parameter, and its gradient sums over both uses.")
        name = ties[name]
    if name in network.parameters:
        kind, shape = "parameter", cells.values[name].shape
        uses = [cell.name for cell, _ in cells.readers.get(name, ())]
        if len(uses) > 1 and not notes:
            notes.append(f"{name} is used by {' and '.join(uses)}: its gradient sums over the uses.")
    elif name == INPUTS:
        kind, shape = INPUTS, cells.inputs.shape
    elif node in cells.outputs:
        kind, name = "output", cells.outputs[node]
        if isinstance(name, tuple) or name == INPUTS:
            kind, name = INPUTS, INPUTS
        if name not in (node, INPUTS):
            notes.append(f"The output of {node} is that of {name}.")
        shape = cells.output(name).shape
    else:
        raise UnknownNameError("quantity", name, [*network.parameters, *ties, INPUTS, *cells.outputs])
    return Quantity(name, entry_of(name, shape, index)), kind, notes
