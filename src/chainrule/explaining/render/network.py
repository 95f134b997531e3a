"""A network as SVG: a column for each node, a box for each unit, lines between them, and no two texts on each other."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from ...display import Html, tag
from ...display.layout import arranged
from ...display.svg import picture, text_width
from ..pictured import LOSS, Pictured, Wires
from .places import APART, GAP, NOTE, ElementIds, column_of, count_of, room_for, slots_of
from .units import body, heading
from .wires import BUNDLE, is_labelled, labels_of, lines_of

__all__ = ["network_picture"]


def network_picture(nodes: Mapping[str, Pictured], wires: Sequence[Wires], sample: int, samples: int) -> Html:
    """The picture of the nodes and of what runs between them."""
    sources = {name: tuple(dict.fromkeys(w.source for w in wires if w.reader == name)) for name in nodes}
    labelled = [w for w in wires if is_labelled(w, nodes)]
    slots = slots_of(nodes, wires, labelled)
    columns = {name: column_of(node, slots[name]) for name, node in nodes.items()}
    layout = arranged(
        sources,
        {name: (column.width, column.height) for name, column in columns.items()},
        gap=(GAP, 26.0),
        margin=14.0,
        before={w.reader: room_for(nodes, w) for w in labelled},
        lane={name: BUNDLE * max(0, len(node.units) - 1) for name, node in nodes.items()},
    )
    ids = ElementIds()
    largest = max((float(np.max(np.abs(w.weights))) for w in wires if w.weights is not None), default=0.0) or 1.0
    drawn = [
        tag("g", heading(box, nodes[name], ids), *body(box, nodes[name], columns[name], ids), id=ids(name, "node"))
        for name, box in layout.boxes.items()
    ]
    lines = [line for w in wires for line in lines_of(layout, nodes, columns, w, largest, ids)]
    labels = list(labels_of(layout, nodes, columns, labelled, ids))
    legend = textwrap.wrap(_legend(nodes, sample, samples), int((layout.width - 28) / text_width(" ", 10)))
    said = [
        tag("text", line, cls="below", x=14.0, y=layout.height + NOTE * (i + 0.5), id=ids("legend", i))
        for i, line in enumerate(legend)
    ]
    return picture(
        layout.width,
        layout.height + NOTE * len(legend) + APART,
        tag("g", *lines, id=ids("edges"), aria_hidden="true"),
        tag("g", *labels, id=ids("weights"), aria_hidden="true"),
        *drawn,
        *said,
        label="The network",
        words=_words(nodes, sample, samples),
        alone=True,
    )


def _legend(nodes: Mapping[str, Pictured], sample: int, samples: int) -> str:
    """What the numbers are of."""
    what = "∂ is the derivative of the loss by the number before it."
    if LOSS not in nodes:
        what = "∂ is the gradient by the number before it, from the one that is given at the output."
    if samples > 1:
        what = f"Sample {sample} of {samples}. {what} That of a weight or bias is summed over all {samples} samples."
    if any(node.more for node in nodes.values()):
        what += " Of a large layer the units with the largest |∂·value| are drawn."
    return what


def _words(nodes: Mapping[str, Pictured], sample: int, samples: int) -> str:
    """The picture in a few sentences, for whoever cannot see it."""
    layers = ", ".join(_title(node) for node in nodes.values())
    colours = "Orange is above 0, blue below; a line is as wide as its weight."
    return f"From left to right: {layers}. {_legend(nodes, sample, samples)} {colours}"


def _title(node: Pictured) -> str:
    kind = f" ({node.kind})" if node.kind else ""
    return f"{node.name}{kind}" if node.name == LOSS else f"{node.name}{kind} with {count_of(node)}"
