"""A network as SVG: a column for each node, a box for each unit, lines between them, and no two texts on each other."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ...display import Html, tag
from ...display.layout import Box, Layout, arranged
from ...display.palette import shade
from ...display.svg import edge, picture, sign, text_width
from ...nodes import INPUTS
from ..pictured import LOSS, Map, Pictured, Unit, Wires, short

__all__ = ["network_picture"]

HEAD, UNIT, NOTE, APART, MORE = 44.0, 22.0, 13.0, 8.0, 20.0  # heights in pixels; HEAD holds a column's two titles
PAD, GAP = 8.0, 84.0  # inside a unit's box; between columns whose edges carry no numbers
ROOM = 180.0  # between columns whose edges carry numbers, at least
BUNDLE = 5.0  # between the lines of units that pass over other layers side by side
LABELLED = 16  # edges between two layers that are few enough to carry their numbers
LABEL = 9.5  # the height of these numbers, font size
LONGEST = 26  # characters of a name
SPACE = "\u2002"  # wider than a space, between a weight and its gradient


class _Column(NamedTuple):
    """How wide the parts of a node's boxes are."""

    caption: float
    value: float
    width: float
    height: float
    pitch: float


class _Ids:
    """An id for every element, made of the names that the network has for it, each once."""

    def __init__(self) -> None:
        self.given: set[str] = set()

    def __call__(self, *parts: object) -> str:
        plain = re.sub(r"[^\w.-]", "_", ".".join(map(str, parts)), flags=re.ASCII)
        plain = plain if plain[:1].isalpha() else f"n.{plain}"
        while plain in self.given:
            plain += "_"
        self.given.add(plain)
        return plain


def network_picture(nodes: Mapping[str, Pictured], wires: Sequence[Wires], sample: int, samples: int) -> Html:
    """The picture of the nodes and of what runs between them."""
    sources = {name: tuple(dict.fromkeys(w.source for w in wires if w.reader == name)) for name in nodes}
    labelled = [w for w in wires if _is_labelled(w, nodes)]
    columns = {name: _column(node, _pitch(node, nodes, labelled)) for name, node in nodes.items()}
    layout = arranged(
        sources,
        {name: (column.width, column.height) for name, column in columns.items()},
        gap=(GAP, 26.0),
        margin=14.0,
        before={w.reader: _room(nodes, w) for w in labelled},
        lane={name: BUNDLE * max(0, len(node.units) - 1) for name, node in nodes.items()},
    )
    ids = _Ids()
    largest = max((float(np.max(np.abs(w.weights))) for w in wires if w.weights is not None), default=0.0) or 1.0
    drawn = [
        tag("g", _heading(box, nodes[name], ids), *_body(box, nodes[name], columns[name], ids), id=ids(name, "node"))
        for name, box in layout.boxes.items()
    ]
    lines = [line for w in wires for line in _lines(layout, nodes, columns, w, largest, ids)]
    labels = list(_labels(layout, nodes, columns, labelled, ids))
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
    return f"{node.name}{kind}" if node.name == LOSS else f"{node.name}{kind} with {_count(node)}"


def _count(node: Pictured) -> str:
    if node.maps:
        channels = node.size // node.maps[0].values.size
        shape = "×".join(map(str, node.maps[0].values.shape))
        return f"{channels}×{shape}" if channels > 1 else f"{shape} pixels" if node.name == INPUTS else shape
    word = "feature" if node.name == INPUTS else "unit"
    return f"{node.size} {word}{'s' * (node.size != 1)}"


# Sizes


def _pitch(node: Pictured, nodes: Mapping[str, Pictured], labelled: Sequence[Wires]) -> float:
    """From one unit to the next; where edges have labels the same in every column, so that these keep apart."""

    def notes(node: Pictured) -> int:
        return max((len(unit.notes) for unit in node.units), default=0)

    most = max(map(notes, nodes.values()))
    fewer = max((min(len(nodes[w.source].units), len(nodes[w.reader].units)) for w in labelled), default=0)
    if labelled:
        return max(UNIT + NOTE * most + APART, (LABEL + 3.5) * (fewer + 1))
    return UNIT + NOTE * max(notes(node), min(1, most)) + APART


def _room(nodes: Mapping[str, Pictured], w: Wires) -> float:
    """Between two columns: enough for the labels nearest to a side."""
    widest = max(text_width(text, LABEL) for _, _, text in _weights(w, nodes))
    fewer = min(len(nodes[w.source].units), len(nodes[w.reader].units))
    return max(ROOM, (fewer + 1) * (widest / 2 + 6))


def _column(node: Pictured, pitch: float) -> _Column:
    titles = max(text_width(_clipped(node.name), 13.5, bold=True), text_width(_subtitle(node), 11.5))
    if node.maps:
        rows, across = node.maps[0].values.shape
        side = _pixel(node.maps[0])
        tall = sum(side * rows + (NOTE if one.caption else 0) + APART for one in node.maps) + NOTE
        more = MORE if node.more else 0
        return _Column(0, 0, max(titles, 2 * side * across + 12), HEAD + tall + more, pitch)
    caption = max((text_width(_clipped(unit.caption), 10) for unit in node.units), default=0.0)
    value = max((text_width(short(unit.value), 11, bold=True) for unit in node.units), default=0.0)
    gradient = max((text_width(f"∂ {short(unit.gradient)}", 11) for unit in node.units), default=0.0)
    notes = max((text_width(note, 10) for unit in node.units for note in unit.notes), default=0.0)
    width = max(titles, PAD + caption + PAD + value + 10 + gradient + PAD, notes + 2 * PAD)
    return _Column(caption, value, width, HEAD + pitch * len(node.units) + (MORE if node.more else 0), pitch)


def _pixel(one: Map) -> float:
    return float(max(2, min(12, 112 // max(one.values.shape))))


def _clipped(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _subtitle(node: Pictured) -> str:
    return node.kind if node.name == LOSS else f"{node.kind} · {_count(node)}" if node.kind else _count(node)


def _place(box: Box, column: _Column, k: int) -> Box:
    """The box of the k-th unit that is drawn."""
    return Box(box.x, box.y + HEAD + column.pitch * k, column.width, UNIT)


# Nodes


def _heading(box: Box, node: Pictured, ids: _Ids) -> Html:
    x = box.x + box.width / 2
    return tag(
        "g",
        tag(
            "text",
            _clipped(node.name),
            tag("title", node.name),
            cls="name middle",
            x=x,
            y=box.y + 13,
            id=ids(node.name),
        ),
        tag("text", _subtitle(node), cls="soft middle", x=x, y=box.y + 29, id=ids(node.name, "kind")),
        id=ids(node.name, "heading"),
    )


def _body(box: Box, node: Pictured, column: _Column, ids: _Ids) -> Iterator[Html]:
    largest = max((abs(unit.value) for unit in node.units), default=0.0)
    for k, unit in enumerate(node.units):
        yield _unit(_place(box, column, k), node, unit, column, largest, ids)
    if node.maps:
        yield from _maps(box, node, ids)
    if node.more:
        middle = {"x": box.x + box.width / 2, "y": box.y + box.height - 6}
        yield tag("text", f"and {node.more:,} more", cls="soft middle", id=ids(node.name, "more"), **middle)


def _unit(box: Box, node: Pictured, unit: Unit, column: _Column, largest: float, ids: _Ids) -> Html:
    """A box with the caption, the value and the gradient; below it the bias, the target."""
    name, y = (node.name, unit.place), box.y + 15
    words = f"{node.name}[{unit.place}]" + ("" if unit.caption.startswith("[") else f", {unit.caption}")
    words += f": {short(unit.value)}, gradient {short(unit.gradient)}" + "".join(f", {note}" for note in unit.notes)
    words = words.replace(" ∂ ", ", its gradient ")
    return tag(
        "g",
        tag("title", words),
        tag(
            "rect",
            x=box.x,
            y=box.y,
            width=box.width,
            height=box.height,
            rx=6,
            fill=shade(unit.value, largest),
            id=ids(*name, "box"),
        ),
        tag("text", _clipped(unit.caption), cls="caption", x=box.x + PAD, y=y, id=ids(*name, "caption")),
        tag(
            "text",
            short(unit.value),
            cls="number end",
            x=box.x + PAD + column.caption + PAD + column.value,
            y=y,
            id=ids(*name, "value"),
        ),
        tag("text", f"∂ {short(unit.gradient)}", cls="slope end", x=box.right - PAD, y=y, id=ids(*name, "gradient")),
        *(
            tag("text", note, cls="below", x=box.x + PAD, y=box.y + UNIT + NOTE * (i + 1) - 2, id=ids(*name, "note", i))
            for i, note in enumerate(unit.notes)
        ),
        cls="unit",
        role="img",
        tabindex=0,
        aria_label=words,
        id=ids(*name),
    )


def _maps(box: Box, node: Pictured, ids: _Ids) -> Iterator[Html]:
    """Each channel twice: its values in grey or by sign, and its gradients by sign."""
    side = _pixel(node.maps[0])
    rows, across = node.maps[0].values.shape
    left, y = box.x + (box.width - 2 * side * across - 12) / 2, box.y + HEAD
    right = left + side * across + 12
    for k, (word, x) in enumerate((("value", left), ("gradient ∂", right))):
        yield tag("text", word, cls="below", x=x, y=y + 7, id=ids(node.name, "word", k))
    y += NOTE
    grey = node.name == INPUTS and all(float(np.min(one.values)) >= 0 for one in node.maps)
    for k, one in enumerate(node.maps):
        if one.caption:
            yield tag("text", one.caption, cls="below", x=left, y=y + 8, id=ids(node.name, "channel", k))
            y += NOTE
        for x, array, plain, what in ((left, one.values, grey, "value"), (right, one.gradients, False, "gradient")):
            yield _pixels(x, y, side, array, plain, f"{node.name} {one.caption} {what}", ids(node.name, "map", k, what))
        y += side * rows + APART


def _pixels(x: float, y: float, side: float, array: np.ndarray, grey: bool, words: str, name: str) -> Html:
    """One rectangle for each pixel that is not 0, in a frame."""
    largest = float(np.max(np.abs(array), initial=0.0)) or 1.0
    rows, across = array.shape
    cells = []
    for (i, j), value in np.ndenumerate(array):
        if value:
            ink = round(255 * (1 - 0.92 * float(value) / largest)) if grey else 0
            fill = f"#{ink:02x}{ink:02x}{ink:02x}" if grey else shade(float(value), largest)
            place = {"x": x + side * j, "y": y + side * i, "width": side, "height": side}
            cells.append(tag("rect", fill=fill, id=f"{name}.{i}.{j}", **place))
    frame = tag(
        "rect", cls="frame", x=x, y=y, width=side * across, height=side * rows, fill="#ffffff", id=f"{name}.frame"
    )
    return tag("g", tag("title", words), frame, *cells, cls="pixels", role="img", aria_label=words, id=name)


# Lines


def _is_labelled(w: Wires, nodes: Mapping[str, Pictured]) -> bool:
    edges = len(nodes[w.source].units) * len(nodes[w.reader].units)
    return w.weights is not None and 0 < edges <= LABELLED


def _weights(w: Wires, nodes: Mapping[str, Pictured]) -> Iterator[tuple[int, int, str]]:
    """The numbers of each edge that is drawn."""
    assert w.weights is not None and w.gradients is not None
    for i, source in enumerate(nodes[w.source].units):
        for j, reader in enumerate(nodes[w.reader].units):
            place = source.place, reader.place
            yield i, j, f"{short(w.weights[place])}{SPACE}∂ {short(w.gradients[place])}"


def _ends(
    layout: Layout, columns: Mapping[str, _Column], w: Wires, i: int, j: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    start = _place(layout.boxes[w.source], columns[w.source], i)
    end = _place(layout.boxes[w.reader], columns[w.reader], j)
    return (start.right, start.y + UNIT / 2), (end.x, end.y + UNIT / 2)


def _lines(
    layout: Layout,
    nodes: Mapping[str, Pictured],
    columns: Mapping[str, _Column],
    w: Wires,
    largest: float,
    ids: _Ids,
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
            way = f"M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"
            if lane is not None:
                way = edge(start, end, lane, offset=BUNDLE * (len(sources) - 1 - i))
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
    layout: Layout, nodes: Mapping[str, Pictured], columns: Mapping[str, _Column], w: Wires, ids: _Ids
) -> Iterator[Html]:
    """A line from a picture to each unit, or one line to another picture."""
    source, reader = layout.boxes[w.source], layout.boxes[w.reader]
    lane = layout.lanes.get((w.source, w.reader))

    def ends(name: str, box: Box) -> list[float]:
        places = [_place(box, columns[name], k).y + UNIT / 2 for k in range(len(nodes[name].units))]
        return places or [box.y + HEAD + (box.height - HEAD) / 2]

    for i, y1 in enumerate(ends(w.source, source)):
        for j, y2 in enumerate(ends(w.reader, reader)):
            way = edge((source.right, y1), (reader.x, y2), lane)
            yield tag("path", cls="wire passing" if lane else "wire", d=way, id=ids(w.reader, "from", w.source, i, j))


def _labels(
    layout: Layout,
    nodes: Mapping[str, Pictured],
    columns: Mapping[str, _Column],
    labelled: Sequence[Wires],
    ids: _Ids,
) -> Iterator[Html]:
    """The numbers of the edges, on them: where they meet no other; an edge without such a place has its title only."""
    taken: list[Box] = []
    for w in labelled:
        if (w.source, w.reader) in layout.lanes:
            continue
        sources, readers = len(nodes[w.source].units), len(nodes[w.reader].units)
        first = 1 / (readers + 1) if sources >= readers else sources / (sources + 1)
        for i, j, text in _weights(w, nodes):
            (x1, y1), (x2, y2) = _ends(layout, columns, w, i, j)
            wide = text_width(text, LABEL)
            for share in (first, 0.5, *(k / 20 for k in range(4, 17))):
                x, y = x1 + share * (x2 - x1), y1 + share * (y2 - y1)
                box = Box(x - wide / 2, y - LABEL / 2 - 1, wide, LABEL + 2)
                inside = x1 + 2 <= box.x and box.right <= x2 - 2
                if inside and not any(_meet(box, other) for other in taken):
                    taken.append(box)
                    place = nodes[w.source].units[i].place, nodes[w.reader].units[j].place
                    name = ids(w.reader, "weights", *place, "label")
                    yield tag("rect", cls="paper", **box._asdict(), rx=2, id=f"{name}.paper")
                    yield tag("text", text, cls="along", x=x, y=y + 3, id=name)
                    break


def _meet(one: Box, other: Box) -> bool:
    across = one.x < other.right and other.x < one.right
    return across and one.y < other.y + other.height and other.y < one.y + one.height
