"""The skeleton of every page, and its parts. A page needs no script and nothing from the network."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Sequence
from importlib import resources

from .markup import Html, joined, tag
from .palette import JUPYTER, LAYERS, variables
from .svg import picture_style

__all__ = ["article", "folded", "fragment", "page", "scrolled", "style_sheet", "table"]


def page(title: str, *articles: Html) -> str:
    """A whole page of one article or several.

    >>> page("2 < 3", article("Yes.")).startswith('<!doctype html>\\n<html lang="en"><head><meta charset="utf-8">')
    True
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Html(style_sheet())),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', *articles, cls='chainrule-page'), lang='en')}\n"


def fragment(*articles: Html) -> str:
    """The same without the frame, for a cell of a notebook."""
    return joined([tag("style", Html(style_sheet())), *articles])


def article(*content: object) -> Html:
    """What the style sheet applies to."""
    return tag("article", *content, cls="chainrule")


def scrolled(*content: object) -> Html:
    """What may be wider than the page, and then scrolls by itself."""
    return tag("div", *content, cls="scroll")


def folded(summary: object, *content: object) -> Html:
    """Details that open when their summary is clicked."""
    return tag("details", tag("summary", summary), *content)


def table(
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    numeric: Collection[int] = (),
    caption: str = "",
) -> Html:
    """A table that scrolls where it is too wide; the columns `numeric` are aligned to the right.

    >>> table((), [["dense_0", 9]], numeric=[1])
    '<div class="scroll"><table><tbody><tr><td>dense_0</td><td class="n">9</td></tr></tbody></table></div>'
    """

    def line(kind: str, cells: Sequence[object]) -> Html:
        return tag("tr", *(tag(kind, cell, cls="n" if i in numeric else None) for i, cell in enumerate(cells)))

    parts = [tag("caption", caption)] if caption else []
    parts += [tag("thead", line("th", head))] if head else []
    return scrolled(tag("table", *parts, tag("tbody", *(line("td", row) for row in rows))))


@functools.cache
def style_sheet() -> str:
    """The style sheet: light, dark and printed; wide and narrow."""
    layers = "".join(f".chainrule .c{i}{{color:var(--c{i})}}" for i in range(len(LAYERS)))
    sheet = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    where = ".chainrule,.chainrule-page"
    return (
        f"{where}{{{variables(dark=False)}}}"
        f"@media screen and (prefers-color-scheme:dark){{{where}{{{variables(dark=True)}}}}}"
        f"{''.join(f'{theme} .chainrule{{{variables(theme == JUPYTER[True])}}}' for theme in JUPYTER)}"
        f"{sheet}{layers}{picture_style()}"
    )
