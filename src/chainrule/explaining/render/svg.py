"""The network as a picture, with the values and gradients that a derivation passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...display import Html, tag
from ...display.layout import Box, Layout, arranged
from ...display.palette import layer_numbers
from ...display.svg import edge, picture, sign, text_width
from ..derivation import Derivation, DiagramNode, Quantity
from ..notation import number
from .digits import short

__all__ = ["as_svg"]

NARROW, ROW, HEAD = 124.0, 19.0, 44.0  # of a box: its width without rows, a row, what is above the rows
SIDE, VALUE, GRADIENT = 9.0, 64.0, 66.0  # of a row: what is free at its sides, and its columns at least
GAP = 9.0  # between its columns
PORT = 20.0  # where the edge of a layer as a whole meets its box


def as_svg(e: Derivation) -> Html:
    """The picture: boxes for the layers, rows for the numbers on the way, lines for the terms of the chain rule."""
    nodes = {node.name: node for node in _with_target(e)}
    sources = {name: node.reads for name, node in nodes.items()}
    layout = arranged(sources, {name: _size(node) for name, node in nodes.items()})
    colors = layer_numbers([node.name for node in e.nodes])
    return picture(
        layout.width,
        layout.height,
        *(_edge(layout, source, name) for name, reads in sources.items() for source in reads),
        *_terms(e, nodes, layout),
        *(_box(box, nodes[name], _color(name, colors), e.quantity) for name, box in layout.boxes.items()),
        label=f"The network, with the path from {e.title} to {e.objective}",
    )


def _with_target(e: Derivation) -> list[DiagramNode]:
    """The layers, and the weight as a box of its own that its layer reads."""
    nodes = list(e.nodes)
    if e.kind != "parameter":
        return nodes
    own = DiagramNode(e.quantity.name, "parameter", (), (), (e.quantity,), (e.current,), (e.value,), ())
    users = {term.node for term in e.lines[-1].terms if term.upstream is not None} or set(e.lines[-1].nodes)
    reading = [replace(n, reads=(*n.reads, own.name)) if n.name in users else n for n in nodes]
    first = min((i for i, node in enumerate(nodes) if node.name in users), default=1)
    return [*reading[:first], own, *reading[first:]]


def _color(name: str, colors: dict[str, int]) -> int:
    """That of the layer; a parameter has its layer's."""
    return colors.get(name, colors.get(name.rpartition(".")[0], 0))


def _size(node: DiagramNode) -> tuple[float, float]:
    if not node.entries:
        return NARROW, HEAD
    indices = max(text_width(_index(entry), 12.5, bold=True) for entry in node.entries)
    columns = max(VALUE, _column(node.values)) + max(GRADIENT, _column(node.gradients))
    return 2 * SIDE + indices + columns, HEAD + ROW * len(node.entries) + 8


def _column(numbers: tuple[float, ...]) -> float:
    """How wide a column of numbers is."""
    return GAP + max(text_width(number(one, 3), 12, bold=True) for one in numbers)


def _index(entry: Quantity) -> str:
    return f"[{','.join(map(str, entry.index))}]"


def _row(box: Box, node: DiagramNode, entry: Quantity) -> float:
    """The middle of an entry's row."""
    return box.y + HEAD + ROW * (node.entries.index(entry) + 0.5)


def _edge(layout: Layout, source: str, reader: str) -> Html:
    start, end = layout.boxes[source], layout.boxes[reader]
    way = edge((start.right, start.y + PORT), (end.x, end.y + PORT), layout.lanes.get((source, reader)))
    return tag("path", cls="edge", d=way)


def _terms(e: Derivation, nodes: dict[str, DiagramNode], layout: Layout) -> Iterator[Html]:
    """A line for each term between two numbers that are on the picture, as wide as the term is large in its sum."""
    for line in e.lines:
        node = nodes.get(line.quantity.name)
        if node is None or line.quantity not in node.entries:
            continue
        box = layout.boxes[node.name]
        largest = max((abs(term.product) for term in line.terms), default=0.0) or 1.0
        for term in line.terms:
            upper = None if term.upstream is None else nodes.get(term.upstream.name)
            if term.upstream is None or upper is None or term.upstream not in upper.entries:
                continue
            end = layout.boxes[upper.name]
            way = edge(
                (box.right, _row(box, node, line.quantity)),
                (end.x, _row(end, upper, term.upstream)),
                layout.lanes.get((node.name, upper.name)),
            )
            title = f"{short(term.upstream_gradient)} · {short(term.local)} = {short(term.product)}"
            yield tag(
                "path",
                tag("title", title),
                cls=f"term {sign(term.product)}",
                d=way,
                stroke_width=1 + 4 * abs(term.product) / largest,
            )


def _box(box: Box, node: DiagramNode, color: int, target: Quantity) -> Html:
    size = "×".join(map(str, node.shape))
    features = "1 feature" if size == "1" else f"{size} features"
    kind = f"{node.kind} · {size}" if node.kind and node.shape else node.kind or features
    most = 24 if node.entries else 16
    name = node.name if len(node.name) <= most else f"{node.name[: most - 1]}…"
    left, wide = box.x + SIDE, max(GRADIENT, _column(node.gradients)) if node.entries else GRADIENT
    return tag(
        "g",
        tag("rect", cls=f"box c{color}", x=box.x, y=box.y, width=box.width, height=box.height, rx=7),
        tag("text", name, tag("title", node.name), cls=f"name c{color}", x=left, y=box.y + 19),
        tag("text", kind, cls="soft", x=left, y=box.y + 34),
        *(
            _entry(box, _row(box, node, entry) + 4, entry, value, gradient, entry == target, wide)
            for entry, value, gradient in zip(node.entries, node.values, node.gradients, strict=True)
        ),
    )


def _entry(box: Box, y: float, entry: Quantity, value: float, gradient: float, target: bool, wide: float) -> Html:
    return tag(
        "g",
        tag("title", f"{entry} = {value!r}, dL/d = {gradient!r}"),
        tag("text", _index(entry), x=box.x + SIDE, y=y),
        tag("text", number(value, 3), cls="end", x=box.right - SIDE - wide, y=y),
        tag("text", number(gradient, 3), cls="end gradient", x=box.right - SIDE, y=y),
        cls="target" if target else None,
    )
