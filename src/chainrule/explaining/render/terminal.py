"""An explanation for a terminal: the lines of the plain text in colour, as wide as the terminal."""

from __future__ import annotations

from typing import Any

from ..derivation import Explanation
from .colors import TERMINAL, numbered
from .plain import written

__all__ = ["OnTerminal"]

_STYLES = {"title": "bold", "faint": "dim", "value": "bold", "good": "green", "bad": "bold red"}
_STYLES |= {"up": "dark_orange", "down": "bright_blue"}


class OnTerminal:
    """What rich prints."""

    def __init__(self, explanation: Explanation) -> None:
        self.explanation = explanation

    def __rich_console__(self, console: Any, options: Any) -> Any:
        from rich.text import Text

        colors = numbered([node.name for node in self.explanation.nodes])
        for line in written(self.explanation, max(40, options.max_width)):
            shown = Text()
            for piece in line:
                name = piece.style if piece.style in colors else piece.style.rpartition(".")[0]
                style = TERMINAL[colors[name]] if name in colors else _STYLES.get(piece.style, "")
                shown.append(piece.text, style=style)
            yield shown
