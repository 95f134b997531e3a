"""Pictures as SVG that needs nothing else: the frame, edges between boxes, curves."""

from __future__ import annotations

import functools
from importlib import resources

from .layout import Lane
from .markup import Html, tag
from .palette import JUPYTER, LAYERS, with_colors

__all__ = ["edge", "fitting", "picture", "picture_style", "sign", "text_width"]

_SMALLEST = 0.75  # of its own size: below it a picture scrolls, so that its text can be read


def picture(width: float, height: float, *content: object, label: str, words: str = "", alone: bool = False) -> Html:
    """A picture of some width and height in pixels; `alone` for one that is a file of its own, with its own colours.

    With `words`, which say what there is to see, its parts can be read and reached one by one.
    """
    said = [tag("title", label), tag("desc", words)] if words else []
    paper = tag("rect", cls="paper", width=width, height=height, id="paper")
    own = [tag("style", Html(picture_style())), paper] if alone else []
    return tag(
        "svg",
        *said,
        *own,
        *content,
        xmlns="http://www.w3.org/2000/svg",
        cls="chainrule-picture",
        role="graphics-document document" if words else "img",
        aria_label=label,
        aria_roledescription="picture" if words else None,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=round(width),
        height=round(height),
        style=None if alone else fitting(width),
    )


def fitting(width: float) -> str:
    """The style of a picture that shrinks with its page, down to where its text can still be read.

    >>> fitting(1000)
    'width:100%;min-width:750px;max-width:1000px;height:auto'
    """
    return f"width:100%;min-width:{_SMALLEST * width:.0f}px;max-width:{width:.0f}px;height:auto"


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text is at most, in pixels, whatever usual font is there.

    >>> text_width("0.123", 10.0)
    32.5
    """
    return (0.7 if bold else 0.65) * size * len(text)


def edge(start: tuple[float, float], end: tuple[float, float], lane: Lane | None = None, offset: float = 0.0) -> str:
    """The way from the right side of one box to the left side of another, as the `d` of a path.

    A lane leads it over the boxes between, `offset` above the lane's own height.

    >>> edge((0, 0), (100, 20))
    'M0.0 0.0C50.0 0.0 50.0 20.0 100.0 20.0'
    """
    (x1, y1), (x2, y2) = start, end
    if lane is None:
        bend = max(24.0, (x2 - x1) / 2)
        return f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    y, up, down = lane.y - offset, (lane.left - x1) / 2, (x2 - lane.right) / 2
    return (
        f"M{x1:.1f} {y1:.1f}C{x1 + up:.1f} {y1:.1f} {lane.left - up:.1f} {y:.1f} {lane.left:.1f} {y:.1f}"
        f"L{lane.right:.1f} {y:.1f}C{lane.right + down:.1f} {y:.1f} {x2 - down:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    )


def sign(value: float) -> str:
    """The class of a line that stands for a number: "up" above 0, "down" below, "none" at 0."""
    return "up" if value > 0 else "down" if value < 0 else "none"


@functools.cache
def picture_style() -> str:
    """The style sheet of pictures. Colours are written out: not every program that shows SVG knows variables."""
    sheet = resources.files(__package__).joinpath("picture.css").read_text(encoding="utf-8")
    sheet += "".join(
        f".chainrule-picture rect.c{i}{{stroke:var(--c{i})}}.chainrule-picture text.c{i}{{fill:var(--c{i})}}"
        for i in range(len(LAYERS))
    )
    coloured = [rule for rule in _rules(sheet) if "var(" in rule]
    dark = with_colors("".join(coloured), True)
    in_notebooks = "".join(
        with_colors("".join(f"{theme} {rule}" for rule in coloured), theme == JUPYTER[True]) for theme in JUPYTER
    )
    return f"{with_colors(sheet, False)}@media screen and (prefers-color-scheme:dark){{{dark}}}{in_notebooks}"


def _rules(sheet: str) -> list[str]:
    return [f"{rule}}}" for rule in sheet.replace("\n", "").split("}") if rule]
