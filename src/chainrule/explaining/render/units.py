"""The nodes of a network"s picture: a box for each unit, or an image for each channel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...display import Html, tag
from ...display.layout import Box
from ...display.palette import ink, shade
from ...nodes import INPUTS
from ..pictured import Pictured, Unit, short
from .places import APART, HEAD, NOTE, PAD, UNIT, ElementIds, Measures, clipped, pixel, place_of, subtitle

__all__ = ["body", "heading"]


def heading(box: Box, node: Pictured, ids: ElementIds) -> Html:
    """Name and kind above a column."""
    x = box.x + box.width / 2
    return tag(
        "g",
        tag(
            "text",
            clipped(node.name),
            tag("title", node.name),
            cls="name middle",
            x=x,
            y=box.y + 13,
            id=ids(node.name),
        ),
        tag("text", subtitle(node), cls="soft middle", x=x, y=box.y + 29, id=ids(node.name, "kind")),
        id=ids(node.name, "heading"),
    )


def body(box: Box, node: Pictured, column: Measures, ids: ElementIds) -> Iterator[Html]:
    """The units of a node, or its images, and how many more there are."""
    largest = max((abs(unit.value) for unit in node.units), default=0.0)
    for k, unit in enumerate(node.units):
        yield _unit(place_of(box, column, k), node, unit, column, largest, ids)
    if node.maps:
        yield from _maps(box, node, ids)
    if node.more:
        middle = {"x": box.x + box.width / 2, "y": box.y + box.height - 6}
        yield tag("text", f"and {node.more:,} more", cls="soft middle", id=ids(node.name, "more"), **middle)


def _unit(box: Box, node: Pictured, unit: Unit, column: Measures, largest: float, ids: ElementIds) -> Html:
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
        tag("text", clipped(unit.caption), cls="caption", x=box.x + PAD, y=y, id=ids(*name, "caption")),
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


def _maps(box: Box, node: Pictured, ids: ElementIds) -> Iterator[Html]:
    """Each channel twice: its values in grey or by sign, and its gradients by sign."""
    side = pixel(node.maps[0])
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
            fill = ink(float(value), largest) if grey else shade(float(value), largest)
            place = {"x": x + side * j, "y": y + side * i, "width": side, "height": side}
            cells.append(tag("rect", fill=fill, id=f"{name}.{i}.{j}", **place))
    frame = tag(
        "rect", cls="frame", x=x, y=y, width=side * across, height=side * rows, fill="#ffffff", id=f"{name}.frame"
    )
    return tag("g", tag("title", words), frame, *cells, cls="pixels", role="img", aria_label=words, id=name)
