"""The lines of a network"s picture, as wide as their weights, and the numbers on them where they are few."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...display import Html, tag
from ...display.layout import Box, Layout
from ...display.svg import edge, sign
from ..pictured import Pictured, Wires, short
from .places import HEAD, UNIT, ElementIds, Measures, place_of, port_of, weights_of

__all__ = ["BUNDLE", "is_labelled", "labels_of", "lines_of"]

BUNDLE = 5.0  # between the lines of units that pass over other layers side by side
LABELLED = 16  # edges between two layers that are few enough to carry their numbers


def is_labelled(w: Wires, nodes: Mapping[str, Pictured]) -> bool:
    """Whether the lines between two nodes are few enough to carry their numbers."""
    edges = len(nodes[w.source].units) * len(nodes[w.reader].units)
    return w.weights is not None and 0 < edges <= LABELLED


def _ends(
    layout: Layout, columns: Mapping[str, Measures], w: Wires, i: int, j: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    start = place_of(layout.boxes[w.source], columns[w.source], i)
    end = place_of(layout.boxes[w.reader], columns[w.reader], j)
    return (start.right, start.y + UNIT / 2), (end.x, end.y + UNIT / 2)


def _to_port(port: Box) -> tuple[float, float]:
    return port.x - 2, port.y + port.height / 2


def _bundled(port: Box, end: tuple[float, float]) -> str:
    """The rest of an edge, from the far side of its numbers to the unit."""
    x, y = port.right, port.y + port.height / 2
    return f"M{x:.1f} {y:.1f}L{end[0]:.1f} {end[1]:.1f}"


def lines_of(
    layout: Layout,
    nodes: Mapping[str, Pictured],
    columns: Mapping[str, Measures],
    w: Wires,
    largest: float,
    ids: ElementIds,
) -> Iterator[Html]:
    """The lines between two nodes, as wide as the weights; grey where there are none; one line from or to maps."""
    lane = layout.lanes.get((w.source, w.reader))
    wire = "wire passing" if lane else "wire"
    sources, readers = nodes[w.source].units, nodes[w.reader].units
    if not sources or not readers:
        yield from _from_maps(layout, nodes, columns, w, ids)
        return
    for i, source in enumerate(sources):
        for j, reader in enumerate(readers):
            if w.weights is None and w.offset is not None and reader.place != source.place + w.offset:
                continue
            start, end = _ends(layout, columns, w, i, j)
            rest = ""
            if is_labelled(w, nodes):
                port = port_of(place_of(layout.boxes[w.reader], columns[w.reader], j), nodes, w, i)
                end, rest = _to_port(port), _bundled(port, end)
            way = f"M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}{rest}"
            if lane is not None:
                way = edge(start, end, lane, offset=BUNDLE * (len(sources) - 1 - i)) + rest
            if w.weights is None or w.gradients is None:
                yield tag("path", cls=wire, d=way, id=ids(w.reader, "from", w.source, source.place, reader.place))
                continue
            place = source.place, reader.place
            weight, gradient = float(w.weights[place]), float(w.gradients[place])
            title = f"{w.reader}.weights[{place[0]},{place[1]}] = {short(weight)}, gradient {short(gradient)}"
            yield tag(
                "path",
                tag("title", title),
                cls=f"term {sign(weight)}",
                stroke_width=0.6 + 4.4 * abs(weight) / largest,
                d=way,
                id=ids(w.reader, "weights", *place),
            )


def _from_maps(
    layout: Layout, nodes: Mapping[str, Pictured], columns: Mapping[str, Measures], w: Wires, ids: ElementIds
) -> Iterator[Html]:
    """A line from a picture to each unit, or one line to another picture."""
    source, reader = layout.boxes[w.source], layout.boxes[w.reader]
    lane = layout.lanes.get((w.source, w.reader))

    def ends(name: str, box: Box) -> list[float]:
        places = [place_of(box, columns[name], k).y + UNIT / 2 for k in range(len(nodes[name].units))]
        return places or [box.y + HEAD + (box.height - HEAD) / 2]

    for i, y1 in enumerate(ends(w.source, source)):
        for j, y2 in enumerate(ends(w.reader, reader)):
            way = edge((source.right, y1), (reader.x, y2), lane)
            yield tag("path", cls="wire passing" if lane else "wire", d=way, id=ids(w.reader, "from", w.source, i, j))


def labels_of(
    layout: Layout,
    nodes: Mapping[str, Pictured],
    columns: Mapping[str, Measures],
    labelled: Sequence[Wires],
    ids: ElementIds,
) -> Iterator[Html]:
    """The numbers of the edges, each at the end of its own, left of the unit that reads it."""
    for w in labelled:
        for i, j, text in weights_of(w, nodes):
            port = port_of(place_of(layout.boxes[w.reader], columns[w.reader], j), nodes, w, i)
            place = nodes[w.source].units[i].place, nodes[w.reader].units[j].place
            name = ids(w.reader, "weights", *place, "label")
            yield tag("text", text, cls="along", x=port.x, y=port.y + port.height / 2 + 3, id=name)
