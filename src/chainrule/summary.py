"""A table of a network: each node with its layer, output shape and number of parameters."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from .display import Html, article, fragment, table, tag
from .graph import Graph
from .layer import format_shape

__all__ = ["Row", "Summary", "brief", "summarize", "summary_page"]


class Row(NamedTuple):
    """One node; the output shape is empty if not yet known."""

    name: str
    layer: str
    sources: str
    output: str
    parameters: int
    trainable: int


@dataclass(frozen=True)
class Summary:
    """The rows and their totals; prints as text, as a table in rich, as HTML in a notebook."""

    rows: tuple[Row, ...]
    parameters: int
    trainable: int

    _HEAD = ("node", "layer", "reads", "output", "parameters")

    @property
    def total(self) -> str:
        """The line with the totals."""
        frozen = self.parameters - self.trainable
        return f"{self.parameters:,} parameters" + (f", {frozen:,} of them frozen" if frozen else "")

    def cells(self) -> list[tuple[str, ...]]:
        """The text of each cell, row by row."""
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
        return summary_page(self)

    def table(self) -> Html:
        """The table as HTML."""
        return table(self._HEAD, self.cells(), numeric=[4], caption=self.total)


def summary_page(summary: Summary, title: str = "") -> str:
    """The table for a notebook, with a line above it."""
    above = [tag("p", title)] if title else []
    return fragment(article(*above, summary.table()))


def brief(item: Any) -> str:
    """An object of the library as it is written, without the settings that are left at their defaults.

    >>> from chainrule import Adam, SGD
    >>> brief(Adam()), brief(SGD(0.1, momentum=0.9))
    ('Adam()', 'SGD(learning_rate=0.1, momentum=0.9)')
    """
    if not dataclasses.is_dataclass(item):
        return repr(item)
    shown = []
    for each in dataclasses.fields(item):
        value = getattr(item, each.name)
        default = each.default_factory() if callable(each.default_factory) else each.default
        if each.repr and each.init and value != default:
            shown.append(f"{each.name}={value!r}")
    return f"{type(item).__name__}({', '.join(shown)})"


def summarize(network: Graph) -> Summary:
    """The summary of a network; the nodes of nested graphs have dotted names.

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
    flat, shape = network.flat, network.input_shape()
    shapes = {} if shape is None else flat.shapes(shape)
    rows = []
    for leaf in flat:
        own = [name for name in leaf.arrays.values() if name in sizes and name.startswith(f"{leaf.name}.")]
        output = format_shape(shapes[leaf.name]) if leaf.name in shapes else ""
        counts = sum(sizes[n] for n in own), sum(sizes[n] for n in own if n in trainable)
        rows.append(Row(leaf.name, type(leaf.layer).__name__, ", ".join(leaf.sources), output, *counts))
    return Summary(tuple(rows), sum(sizes.values()), sum(size for name, size in sizes.items() if name in trainable))
