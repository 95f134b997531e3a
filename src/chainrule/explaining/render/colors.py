"""One colour for each layer, the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["LIGHT_AND_DARK", "TERMINAL", "numbered"]

# The colours of Okabe and Ito (2008), darker on white and lighter on black, so that text in them can be read.
LIGHT_AND_DARK = (
    ("#0064a3", "#6bb8ff"),
    ("#b04a00", "#ff9a57"),
    ("#00735a", "#4fd0ab"),
    ("#98457a", "#eaa0cf"),
    ("#7a5c00", "#e9c04a"),
    ("#3f5fb0", "#a3b8ff"),
)
TERMINAL = ("bright_blue", "dark_orange", "green", "magenta", "yellow", "cyan")


def numbered(names: Sequence[str]) -> dict[str, int]:
    """The number of each layer's colour.

    >>> numbered(["inputs", "dense_0", "relu_0"])
    {'inputs': 0, 'dense_0': 1, 'relu_0': 2}
    """
    return {name: i % len(TERMINAL) for i, name in enumerate(names)}
