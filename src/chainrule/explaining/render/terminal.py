"""An explanation for a terminal: the lines of the plain text in colour, as wide as the terminal."""

from __future__ import annotations

from typing import Any

from ...display.palette import layer_numbers
from ...display.terminal import LAYER_STYLES, STYLES
from ..derivation import Derivation
from .plain import written

__all__ = ["OnTerminal"]


class OnTerminal:
    """What rich prints."""

    def __init__(self, derivation: Derivation, *, full: bool = False, notation: str = "book") -> None:
        self.derivation, self.full, self.notation = derivation, full, notation

    def __rich_console__(self, console: Any, options: Any) -> Any:
        from rich.text import Text

        colors = layer_numbers([node.name for node in self.derivation.nodes])
        width, encoding = options.max_width, options.encoding
        for line in written(self.derivation, width, full=self.full, notation=self.notation, encoding=encoding):
            shown = Text()
            for span in line:
                name = span.style if span.style in colors else span.style.rpartition(".")[0]
                style = LAYER_STYLES[colors[name]] if name in colors else STYLES.get(span.style, "")
                shown.append(span.text, style=style)
            yield shown
