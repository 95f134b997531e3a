"""Other views of the same gradient: as a sum over samples, as a sum over paths, and on a picture of the network."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..nodes import INPUTS, parts_of
from .building import line_of, penalty_terms
from .cell import LOSS, Cell, Source
from .cells import Cells
from .derivation import Batch, DiagramNode, Line, Path, Paths, Quantity
from .formula import fixed, free_indices, pattern
from .upstream import Upstream

__all__ = ["batch_view", "diagram", "path_view"]


# The sum over samples


def batch_view(cells: Cells, quantity: Quantity) -> Batch | None:
    """What each sample's loss contributes; None for a quantity of one sample, and for a batch of one."""
    mixed = any(cell.mixes for cell in cells.cells)
    if len(cells.inputs) == 1 or not (quantity.name in cells.values or mixed):
        return None
    if mixed:
        contributions = _by_each_loss(cells, quantity)
    else:
        uses = cells.readers[quantity.name]
        contributions = np.sum([cells.by_sample(cell, source, quantity.index) for cell, source in uses], axis=0)
    penalty = math.fsum(term.product for term in penalty_terms(cells, quantity))
    return Batch(tuple(float(c) for c in contributions), penalty, mixed)


def _by_each_loss(cells: Cells, quantity: Quantity) -> NDArray[Any]:
    """Where samples depend on each other: one backward pass for the loss of each sample."""
    found = []
    for row in range(len(cells.inputs)):
        shares = np.zeros_like(cells.shares)
        shares[row] = cells.shares[row]
        found.append(cells.backward_from(shares, quantity.name, quantity.index))
    return np.array(found)


# The sum over paths


def path_view(cells: Cells, quantity: Quantity, limit: int) -> Paths:
    """All paths from the quantity up to the loss where they are at most `limit`, else their number."""
    count = _count_paths(cells, quantity)
    if count > limit:
        return Paths(count, (), None, f"there would be {count:,} paths, more than the {limit:,} that are listed")
    known: dict[Quantity, Line] = {}

    def line(of: Quantity) -> Line:
        if of not in known:
            known[of] = line_of(cells, of, 10**9)
        return known[of]

    def ways(of: Quantity) -> Iterator[tuple[tuple[Quantity, ...], tuple[float, ...]]]:
        for term in line(of).terms:
            if term.upstream is None:
                if term.node == LOSS:
                    yield (of,), (term.local,)
                continue
            for through, factors in ways(term.upstream):
                yield (*through, of), (*factors, term.local)

    paths = [Path(through, factors, math.prod(factors)) for through, factors in ways(quantity)]
    paths.sort(key=lambda path: -abs(path.product))
    total = math.fsum(path.product for path in paths)
    note = "" if len(paths) == count else f"{count - len(paths)} more pass a derivative of 0"
    return Paths(count, tuple(paths), total, note)


def _count_paths(cells: Cells, quantity: Quantity) -> int:
    """How many paths there are by the structure of the layers, those with a derivative of 0 included."""
    above: dict[str, int] = {LOSS: 1}

    def through(name: str) -> int:
        return sum(_fan_out(cells, cell, source) * above[cell.name] for cell, source in cells.readers.get(name, ()))

    for cell in reversed(cells.cells[:-1]):
        above[cell.name] = through(cell.name)
    return above[quantity.name] if quantity.name in above else through(quantity.name)


def _fan_out(cells: Cells, cell: Cell, source: Source) -> int:
    """How many entries of a cell's output one entry of a source moves."""
    output = cells.output(cell.name).shape
    rule = cell.rule
    if rule is not None and not rule.placed:
        return 1
    if rule is not None and source.entry in rule.derivatives:
        letters = pattern(rule.arrays[source.entry])[1]
        scope = cells.scope(cell)
        known = fixed(letters, (0,) * np.ndim(source.of(cells.available[cell.name])))
        return math.prod(scope.sizes[letter] for letter in free_indices(pattern(rule.output)[1], known))
    rows = output[0] if cell.mixes or source.local in cell.parameters else 1
    return rows * math.prod(output[1:])


# The picture


def diagram(cells: Cells, lines: list[Line], target: Quantity) -> list[DiagramNode]:
    """The inputs and every layer, with the entries that the derivation passes."""
    passed: dict[str, dict[Quantity, None]] = {}
    for line in lines:
        passed.setdefault(line.quantity.name, {}).setdefault(line.quantity)
    for term in lines[-1].terms:
        if term.upstream is not None:
            passed.setdefault(term.upstream.name, {})
    found = [_node(cells, INPUTS, "", (), passed)]
    for cell in cells.cells:
        if isinstance(cell.pair, Upstream):
            continue
        reads = tuple(name for _, name in parts_of(cell.reads))
        found.append(_node(cells, cell.name, cell.kind, reads, passed))
    return found


def _node(
    cells: Cells, name: str, kind: str, reads: tuple[str, ...], passed: dict[str, dict[Quantity, None]]
) -> DiagramNode:
    entries = tuple(q for q in passed.get(name, {}))
    output = cells.output(name)
    gradient = cells.gradient(name) if name != INPUTS or INPUTS in cells.readers else np.zeros_like(output)
    values = tuple(float(output[q.index]) for q in entries)
    gradients = tuple(float(gradient[q.index]) for q in entries)
    rule = cells[name].rule if kind else None
    equations = () if rule is None or not rule.forward else ((rule.output, rule.forward), *rule.where.items())
    return DiagramNode(name, kind, reads, tuple(output.shape[1:]), entries, values, gradients, equations)
