"""Elements of HTML, MathML and SVG. Text is escaped where it goes in, so that nobody has to remember it."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from .terminal import visible

__all__ = ["Html", "joined", "tag"]

_WITHOUT_END = frozenset({"br", "meta"})


class Html(str):
    """Text that is markup already and goes into an element as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def tag(name: str, /, *content: object, **attributes: object) -> Html:
    """An element. Attributes in Python's spelling: `cls` is class, `_` is `-`; None is left out, "" too.

    >>> tag("p", "2 < 3", cls="soft")
    '<p class="soft">2 &lt; 3</p>'
    >>> tag("line", x1=0.5, stroke_width=2.0, cls=None)
    '<line x1="0.5" stroke-width="2"></line>'
    """
    written = "".join(
        f' {_name(key)}="{_value(value)}"' for key, value in attributes.items() if value not in (None, "")
    )
    if name in _WITHOUT_END:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{joined(content)}</{name}>")


def joined(parts: Iterable[object]) -> Html:
    """Several pieces one after the other; what is not `Html` is escaped.

    >>> joined(["a & b", tag("br")])
    'a &amp; b<br>'
    """
    return Html("".join(part if isinstance(part, Html) else escape(visible(str(part))) for part in parts))


def _name(key: str) -> str:
    return "class" if key == "cls" else key.replace("_", "-") if key != "viewBox" else key


def _value(value: object) -> str:
    """A number to a hundredth, which is finer than any screen; text escaped."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else escape(visible(str(value)))
