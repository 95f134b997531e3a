"""The same styles for a console, as rich names them."""

from __future__ import annotations

import io
from typing import Any

__all__ = ["LAYER_STYLES", "STYLES", "as_plain_text"]

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


def as_plain_text(shown: Any, width: int) -> str:
    """What rich would print, without colours: lines of at most `width` characters.

    >>> from rich.text import Text
    >>> as_plain_text(Text("right", style=STYLES["good"]), 40)
    'right'
    """
    from rich.console import Console

    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None, force_terminal=False, force_jupyter=False)
    console.print(shown)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()).strip()
