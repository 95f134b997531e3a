"""The table of a network: each node, its layer, what comes out, how many parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from .graph import Graph
from .layer import format_shape

__all__ = ["Row", "Summary", "summarize"]


class Row(NamedTuple):
    """One node; an output shape that is not known yet is empty."""

    name: str
    layer: str
    sources: str
    output: str
    parameters: int
    trainable: int


@dataclass(frozen=True)
class Summary:
    """The rows and their totals; prints as text, in colour on a rich console, as HTML in a notebook."""

    rows: tuple[Row, ...]
    parameters: int
    trainable: int

    _HEAD = ("node", "layer", "reads", "output", "parameters")

    @property
    def total(self) -> str:
        """The last line."""
        frozen = self.parameters - self.trainable
        return f"{self.parameters:,} parameters" + (f", {frozen:,} of them frozen" if frozen else "")

    def cells(self) -> list[tuple[str, ...]]:
        """The table's text, line by line."""
        return [(r.name, r.layer, r.sources, r.output, f"{r.parameters:,}") for r in self.rows]

    def __str__(self) -> str:
        lines = [self._HEAD, *self.cells()]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self._HEAD))]
        shown = [
            "  ".join(c.rjust(w) if i == 4 else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
            for line in lines
        ]
        rule = "-" * max(len(line) for line in shown)
        return "\n".join([shown[0].rstrip(), rule, *(line.rstrip() for line in shown[1:]), rule, self.total])

    __repr__ = __str__

    def __rich__(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        table = Table(*self._HEAD[:-1], caption=self.total)
        table.add_column(self._HEAD[-1], justify="right")
        for cells in self.cells():
            table.add_row(*map(Text, cells))  # as they are: a name may hold what rich would take for markup
        return table

    def _repr_html_(self) -> str:
        from html import escape

        def line(tag: str, cells: tuple[str, ...]) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        body = "".join(line("td", cells) for cells in self.cells())
        head = line("th", self._HEAD)
        return f"<table><caption>{self.total}</caption><thead>{head}</thead><tbody>{body}</tbody></table>"


def summarize(network: Graph) -> Summary:
    """The summary of a network; graphs inside show their own nodes with dotted names.

    >>> from chainrule import Dense, ReLU, Sequential
    >>> print(summarize(Sequential(Dense(2, 3).freeze(), ReLU(), Dense(3, 1))))
    node     layer  reads    output  parameters
    -------------------------------------------
    dense_0  Dense  inputs   (B, 3)           9
    relu_0   ReLU   dense_0  (B, 3)           0
    dense_1  Dense  relu_0   (B, 1)           4
    -------------------------------------------
    13 parameters, 9 of them frozen
    """
    sizes = {name: math.prod(shape) for name, shape in network.parameter_shapes().items()}
    trainable = set(network.trainable_names())
    rows = tuple(_rows(network, network.input_shape(), sizes, trainable, ""))
    return Summary(rows, sum(sizes.values()), sum(size for name, size in sizes.items() if name in trainable))


def _rows(graph: Graph, shape: Any, sizes: dict[str, int], trainable: set[str], path: str) -> list[Row]:
    shapes = {} if shape is None else graph.shapes(shape)
    rows: list[Row] = []
    for node in graph:
        name = f"{path}{node.name}"
        if isinstance(node.layer, Graph) and not node.joins:
            source = shapes.get(node.sources[0], shape if node.sources[0] == "inputs" else None)
            rows += _rows(node.layer, source, sizes, trainable, f"{name}.")
            continue
        own = [n for n in sizes if n.startswith(f"{name}.")]
        output = format_shape(shapes[node.name]) if node.name in shapes else ""
        kind = type(node.layer).__name__
        counts = sum(sizes[n] for n in own), sum(sizes[n] for n in own if n in trainable)
        rows.append(Row(name, kind, ", ".join(node.sources), output, *counts))
    return rows
