"""How large the parts of a network"s picture are, where each unit stands, and what its element is called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ...display.layout import Box
from ...display.svg import text_width
from ...nodes import INPUTS
from ..pictured import LOSS, Map, Pictured, Wires, short

__all__ = [
    "APART",
    "BUNDLED",
    "GAP",
    "HEAD",
    "NOTE",
    "PAD",
    "UNIT",
    "ElementIds",
    "Measures",
    "Slot",
    "clipped",
    "column_of",
    "count_of",
    "pixel",
    "place_of",
    "port_of",
    "room_for",
    "slots_of",
    "subtitle",
    "weights_of",
]

HEAD, UNIT, NOTE, APART, MORE = 44.0, 22.0, 13.0, 8.0, 20.0  # heights in pixels; HEAD holds a column's two titles
PAD, GAP = 8.0, 84.0  # inside a unit's box; between columns whose edges carry no numbers
WAY = 120.0  # between columns whose edges carry numbers: for the edges alone
LABEL, ROW = 9.5, 13.0  # the size of these numbers, and from one edge's to the next's
BUNDLED = 16.0  # from these numbers to the unit's box, where its edges come together
LONGEST = 26  # characters of a name
SPACE = "\u2002"  # wider than a space, between a weight and its gradient


class Slot(NamedTuple):
    """The space of one unit of a column: from it to the next, and how far below its top the box begins."""

    pitch: float
    drop: float = 0.0


class Measures(NamedTuple):
    """How wide the parts of a node's boxes are."""

    caption: float
    value: float
    width: float
    height: float
    slot: Slot


class ElementIds:
    """An id for every element, made of the names that the network has for it, each once."""

    def __init__(self) -> None:
        self.given: set[str] = set()

    def __call__(self, *parts: object) -> str:
        """An id that no other element has."""
        plain = re.sub(r"[^\w.-]", "_", ".".join(map(str, parts)), flags=re.ASCII)
        plain = plain if plain[:1].isalpha() else f"n.{plain}"
        while plain in self.given:
            plain += "_"
        self.given.add(plain)
        return plain


def count_of(node: Pictured) -> str:
    """How many units or pixels a node has, in words."""
    if node.maps:
        channels = node.size // node.maps[0].values.size
        shape = "×".join(map(str, node.maps[0].values.shape))
        return f"{channels}×{shape}" if channels > 1 else f"{shape} pixels" if node.name == INPUTS else shape
    word = "feature" if node.name == INPUTS else "unit"
    return f"{node.size} {word}{'s' * (node.size != 1)}"


def slots_of(nodes: Mapping[str, Pictured], wires: Sequence[Wires], labelled: Sequence[Wires]) -> dict[str, Slot]:
    """The space of a unit of each node: room for its notes and for the numbers of the edges that it reads.

    Where units are joined one to one they stand at the same height.
    """
    rows = {w.reader: len(nodes[w.source].units) for w in labelled}
    notes = {name: max((len(unit.notes) for unit in node.units), default=0) for name, node in nodes.items()}
    some = min(1, max(notes.values()))
    found: dict[str, Slot] = {}
    for name, node in nodes.items():
        high = ROW * rows.get(name, 0)
        drop = max(0.0, (high - UNIT) / 2)
        found[name] = own = Slot(max(drop + UNIT + NOTE * max(notes[name], some), high) + APART, drop)
        for w in wires:
            beside = w.reader == name and w.offset is not None and len(nodes[w.source].units) == len(node.units)
            if beside and found[w.source].pitch >= own.pitch:
                found[name] = found[w.source]
    return found


def room_for(nodes: Mapping[str, Pictured], w: Wires) -> float:
    """Between two columns: enough for the edges, their numbers, and where they come together."""
    return WAY + _widest(nodes, w) + BUNDLED


def _widest(nodes: Mapping[str, Pictured], w: Wires) -> float:
    return max(text_width(text, LABEL) for _, _, text in weights_of(w, nodes))


def port_of(place: Box, nodes: Mapping[str, Pictured], w: Wires, i: int) -> Box:
    """Where the numbers of the edge from the i-th unit of a source stand, left of the unit at `place` that reads it."""
    wide, rows = _widest(nodes, w), len(nodes[w.source].units)
    y = place.y + UNIT / 2 + ROW * (i - rows / 2)
    return Box(place.x - BUNDLED - wide, y, wide, ROW)


def column_of(node: Pictured, slot: Slot) -> Measures:
    """How large a node's column is."""
    titles = max(text_width(clipped(node.name), 13.5, bold=True), text_width(subtitle(node), 11.5))
    if node.maps:
        rows, across = node.maps[0].values.shape
        side = pixel(node.maps[0])
        tall = sum(side * rows + (NOTE if one.caption else 0) + APART for one in node.maps) + NOTE
        more = MORE if node.more else 0
        return Measures(0, 0, max(titles, 2 * side * across + 12), HEAD + tall + more, slot)
    caption = max((text_width(clipped(unit.caption), 10) for unit in node.units), default=0.0)
    value = max((text_width(short(unit.value), 11, bold=True) for unit in node.units), default=0.0)
    gradient = max((text_width(f"∂ {short(unit.gradient)}", 11) for unit in node.units), default=0.0)
    notes = max((text_width(note, 10) for unit in node.units for note in unit.notes), default=0.0)
    width = max(titles, PAD + caption + PAD + value + 10 + gradient + PAD, notes + 2 * PAD)
    return Measures(caption, value, width, HEAD + slot.pitch * len(node.units) + (MORE if node.more else 0), slot)


def pixel(one: Map) -> float:
    """The side of a pixel."""
    return float(max(2, min(12, 112 // max(one.values.shape))))


def clipped(name: str) -> str:
    """A name that fits."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def subtitle(node: Pictured) -> str:
    """What stands below a node's name."""
    return node.kind if node.name == LOSS else f"{node.kind} · {count_of(node)}" if node.kind else count_of(node)


def place_of(box: Box, column: Measures, k: int) -> Box:
    """The box of the k-th unit that is drawn."""
    return Box(box.x, box.y + HEAD + column.slot.pitch * k + column.slot.drop, column.width, UNIT)


def weights_of(w: Wires, nodes: Mapping[str, Pictured]) -> Iterator[tuple[int, int, str]]:
    """The numbers of each edge that is drawn."""
    assert w.weights is not None and w.gradients is not None
    for i, source in enumerate(nodes[w.source].units):
        for j, reader in enumerate(nodes[w.reader].units):
            place = source.place, reader.place
            yield i, j, f"{short(w.weights[place])}{SPACE}∂ {short(w.gradients[place])}"
