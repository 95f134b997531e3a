"""The same styles for a console, as rich names them."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["LAYER_STYLES", "STYLES", "as_plain_text", "columns", "terminal", "visible"]

# What a terminal would obey: names of columns and classes come from files of strangers.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}

# One for each colour of `palette.LAYERS`, in their order.
LAYER_STYLES = ("bright_blue", "dark_orange", "green", "magenta", "yellow", "cyan")

STYLES = {
    "title": "bold",
    "value": "bold",
    "faint": "dim",
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "note": "cyan",
    "code": "bold cyan",
    "up": "dark_orange",
    "down": "bright_blue",
}


def visible(text: str) -> str:
    """Text in which control characters are written out, so that no terminal and no XML takes them for its own.

    >>> print(visible("a\\x1b[2J"))
    a\\x1b[2J
    """
    return text.translate(_CONTROLS)


def columns(usual: int) -> int:
    """How wide `print` should write: as wide as the terminal, if it writes to one, but no wider than 120."""
    try:
        at_terminal = sys.stdout.isatty()
    except (AttributeError, ValueError):  # none, one of somebody's own that only writes, or a closed one
        at_terminal = False
    if not at_terminal:
        return usual
    return max(40, min(120, shutil.get_terminal_size((usual, 24)).columns))


class _Visible:
    """Something to print, its text made `visible`; colours and the other codes that rich adds stay."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        from rich.segment import Segment

        for text, style, control in console.render(self.content, options):
            yield Segment(text if control else visible(text), style, control)


def terminal(**settings: Any) -> Any:
    """A rich console that prints no control character of what it is given."""
    from rich.console import Console, RenderHook

    class Hook(RenderHook):
        def process_renderables(self, renderables: list[Any]) -> list[Any]:
            return [_Visible(renderable) for renderable in renderables]

    console = Console(**settings)
    console.push_render_hook(Hook())
    return console


def as_plain_text(shown: Any, width: int) -> str:
    """What rich would print, without colours: lines of at most `width` characters.

    >>> from rich.text import Text
    >>> as_plain_text(Text("right", style=STYLES["good"]), 40)
    'right'
    """
    file = io.StringIO()
    console = terminal(file=file, width=width, color_system=None, force_terminal=False, force_jupyter=False)
    console.print(shown)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()).strip()
