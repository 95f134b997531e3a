"""The graph of a `Value` as SVG: a box for each number, with how it was made, its number and its derivative."""

from __future__ import annotations

from ...display import Html, tag
from ...display.layout import arranged
from ...display.palette import shade
from ...display.svg import edge, picture, sign, text_width
from ...errors import DataError
from ...value import Value
from ..pictured import short

__all__ = ["value_picture"]

MOST = 200  # values in one picture
HEIGHT, PAD = 40.0, 9.0


def value_picture(result: Value) -> Html:
    """The picture, from the inputs on the left to the result on the right. Raises `DataError` for a large graph."""
    order = list(reversed(list(result.walk())))
    if len(order) > MOST:
        raise DataError(f"draw: the graph has {len(order):,} values; up to {MOST} can be drawn. Draw a part of it.")
    names = {id(value): f"v{k}" for k, value in enumerate(order)}
    sources = {names[id(v)]: tuple(dict.fromkeys(names[id(s)] for s in v.sources)) for v in order}
    sizes = {names[id(value)]: (_width(value), HEIGHT) for value in order}
    layout = arranged(sources, sizes, gap=(46.0, 14.0), margin=10.0)
    largest = max(abs(value.data) for value in order)
    lines = []
    for value in order:
        for k, one in enumerate(value.edges()):
            name, reader = names[id(one.source)], names[id(value)]
            start, end = layout.boxes[name], layout.boxes[reader]
            step = HEIGHT * (k + 1) / (len(value.sources) + 1)
            way = edge((start.right, start.y + HEIGHT / 2), (end.x, end.y + step), layout.lanes.get((name, reader)))
            words = f"local derivative {short(one.local)}, times {short(value.grad)} gives {short(one.product)}"
            lines.append(
                tag("path", tag("title", words), cls=f"term {sign(one.product)}", d=way, id=f"{name}.{reader}.{k}")
            )
    boxes = [
        _box(value, layout.boxes[names[id(value)]].x, layout.boxes[names[id(value)]].y, names[id(value)], largest)
        for value in order
    ]
    inputs = sum(not value.sources for value in order)
    words = f"How {_name(result) or 'the result'} = {short(result.data)} was made from {inputs} numbers."
    return picture(
        layout.width,
        layout.height,
        tag("g", *lines, id="edges"),
        *boxes,
        label="A graph of values",
        words=words,
        alone=True,
    )


def _name(value: Value) -> str:
    made = {"*": "×", "neg": "-"}.get(value.operation, value.operation)
    return " ".join(part for part in (value.label[:16], made) if part)


def _second(value: Value) -> str:
    return f"∂ {short(value.grad)}"


def _width(value: Value) -> float:
    name, data = text_width(_name(value), 11, bold=True), text_width(short(value.data), 11, bold=True)
    return max(name + 10 + data, text_width(_second(value), 11)) + 2 * PAD


def _box(value: Value, x: float, y: float, name: str, largest: float) -> Html:
    width = _width(value)
    words = f"{_name(value) or 'number'}: {short(value.data)}, gradient {short(value.grad)}"
    return tag(
        "g",
        tag("title", words),
        tag("rect", x=x, y=y, width=width, height=HEIGHT, rx=6, fill=shade(value.data, largest), id=f"{name}.box"),
        tag("text", _name(value), cls="caption strong", x=x + PAD, y=y + 16, id=f"{name}.name") if _name(value) else "",
        tag("text", short(value.data), cls="number end", x=x + width - PAD, y=y + 16, id=f"{name}.value"),
        tag("text", _second(value), cls="slope end", x=x + width - PAD, y=y + 32, id=f"{name}.gradient"),
        cls="unit",
        role="img",
        tabindex=0,
        aria_label=words,
        id=name,
    )
