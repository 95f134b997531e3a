"""The network as a picture: the path of a derivation with its values, as SVG that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from ..derivation import DiagramNode, Explanation
from .colors import numbered
from .digits import short

__all__ = ["Box", "arranged", "as_svg"]

WIDTH, GAP, ROW, HEAD = 176, 38, 19, 44


class Box(NamedTuple):
    """One layer on the picture: where it lies, and its rows of (text, value, gradient)."""

    x: float
    y: float
    height: float
    node: DiagramNode

    def row(self, i: int) -> float:
        """The middle of a row."""
        return self.y + HEAD + ROW * (i + 0.5)


def depths(nodes: Sequence[DiagramNode]) -> dict[str, int]:
    """The column of every layer: one to the right of the last that it reads."""
    found: dict[str, int] = {}
    for node in nodes:
        found[node.name] = 1 + max((found[source] for source in node.reads), default=-1)
    return found


def arranged(nodes: Sequence[DiagramNode]) -> tuple[dict[str, Box], float, float]:
    """The boxes by name, and the size of the whole."""
    columns: dict[int, list[DiagramNode]] = {}
    for node in nodes:
        columns.setdefault(depths(nodes)[node.name], []).append(node)
    heights = {node.name: HEAD + ROW * len(node.entries) + (8 if node.entries else 0) for node in nodes}
    tallest = max(sum(heights[n.name] for n in column) + 26 * (len(column) - 1) for column in columns.values())
    boxes = {}
    for column, members in columns.items():
        y = (tallest - sum(heights[n.name] for n in members) - 26 * (len(members) - 1)) / 2 + 6
        for node in members:
            boxes[node.name] = Box(column * (WIDTH + GAP) + 6, y, heights[node.name], node)
            y += heights[node.name] + 26
    return boxes, len(columns) * (WIDTH + GAP) - GAP + 12, tallest + 12


def _with_target(e: Explanation) -> list[DiagramNode]:
    """The layers, and the weight as a box of its own that its layer reads."""
    nodes = list(e.nodes)
    if e.kind != "parameter":
        return nodes
    own = DiagramNode(e.quantity.name, "parameter", (), (), (e.quantity,), (e.current,), (e.value,), ())
    users = {term.node for term in e.lines[-1].terms if term.upstream is not None} or set(e.lines[-1].nodes)
    reading = [n if n.name not in users else _reads_too(n, own.name) for n in nodes]
    return [reading[0], own, *reading[1:]]


def _reads_too(node: DiagramNode, name: str) -> DiagramNode:
    import dataclasses

    return dataclasses.replace(node, reads=(*node.reads, name))


def as_svg(e: Explanation) -> str:
    """The picture: boxes for the layers, rows for the numbers on the way, lines for the terms of the chain rule."""
    nodes = _with_target(e)
    boxes, width, height = arranged(nodes)
    colors = numbered([node.name for node in e.nodes])
    parts = [_edge(boxes[source], boxes[node.name]) for node in nodes for source in node.reads]
    parts += _terms(e, boxes)
    parts += [_box(box, colors.get(name, colors.get(name.rpartition(".")[0], 0)), e) for name, box in boxes.items()]
    label = escape(f"The network, with the path from {e.name} to the loss")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="net" role="img" aria-label="{label}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}">{"".join(parts)}</svg>'
    )


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    bend = max(24.0, (x2 - x1) / 2)
    return f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"


def _edge(source: Box, reader: Box) -> str:
    return f'<path class="edge" d="{_curve(source.x + WIDTH, source.y + 20, reader.x, reader.y + 20)}"/>'


def _terms(e: Explanation, boxes: Mapping[str, Box]) -> list[str]:
    """A line for each term between two numbers that are on the picture, as wide as the term is large in its sum."""
    parts = []
    for line in e.lines:
        box = boxes.get(line.quantity.name)
        if box is None or line.quantity not in box.node.entries:
            continue
        start = box.row(box.node.entries.index(line.quantity))
        largest = max((abs(term.product) for term in line.terms), default=0.0) or 1.0
        for term in line.terms:
            upper = None if term.upstream is None else boxes.get(term.upstream.name)
            if upper is None or term.upstream not in upper.node.entries:
                continue
            end = upper.row(upper.node.entries.index(term.upstream))
            width = 1 + 4 * abs(term.product) / largest
            sign = "up" if term.product > 0 else "down" if term.product < 0 else "none"
            title = escape(f"{short(term.upstream_gradient)} · {short(term.local)} = {short(term.product)}")
            curve = _curve(box.x + WIDTH, start, upper.x, end)
            parts.append(
                f'<path class="term {sign}" d="{curve}" stroke-width="{width:.1f}"><title>{title}</title></path>'
            )
    return parts


def _box(box: Box, color: int, e: Explanation) -> str:
    node = box.node
    where = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{WIDTH}" height="{box.height:.1f}" rx="7"'
    size = "×".join(map(str, node.shape))
    kind = node.kind or f"{size} features"
    kind = f"{kind} · {size}" if node.kind and node.shape else kind
    name = node.name if len(node.name) <= 24 else node.name[:23] + "…"
    parts = [
        f'<rect class="box c{color}" {where}/>',
        f'<text class="name c{color}" x="{box.x + 10:.1f}" y="{box.y + 19:.1f}">{escape(name)}</text>',
        f'<text class="kind" x="{box.x + 10:.1f}" y="{box.y + 34:.1f}">{escape(kind)}</text>',
    ]
    for i, (entry, value, gradient) in enumerate(zip(node.entries, node.values, node.gradients, strict=True)):
        y = box.row(i) + 4
        mark = " target" if entry == e.quantity else ""
        place = ",".join(map(str, entry.index))
        title = f"<title>{escape(f'{entry} = {value!r}, dL/d = {gradient!r}')}</title>"
        parts.append(
            f'<g class="row{mark}">{title}<text x="{box.x + 10:.1f}" y="{y:.1f}">[{place}]</text>'
            f'<text class="num" x="{box.x + 98:.1f}" y="{y:.1f}">{value:.3g}</text>'
            f'<text class="num grad" x="{box.x + WIDTH - 8:.1f}" y="{y:.1f}">{gradient:.3g}</text></g>'
        )
    return "".join(parts)
