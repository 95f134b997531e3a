"""Every colour, in one place: on paper and on a dark screen, for layers, for signs, for plots."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = [
    "BLACK",
    "BLUE",
    "GREY",
    "JUPYTER",
    "LAYERS",
    "LIGHT_GREY",
    "OKABE_ITO",
    "TOKENS",
    "VERMILLION",
    "ink",
    "layer_numbers",
    "shade",
    "variables",
    "with_colors",
]

# Okabe and Ito (2008): eight colours that people with any colour vision tell apart.
BLUE, VERMILLION, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, YELLOW = "#E69F00", "#56B4E9", "#000000", "#F0E442"
GREY, LIGHT_GREY = "#999999", "#DDDDDD"
OKABE_ITO = (BLUE, VERMILLION, GREEN, PINK, ORANGE, SKY, BLACK, YELLOW)

# The same hues, darker on white and lighter on black, so that text in them can be read: (light page, dark page).
LAYERS = (
    ("#0064a3", "#6bb8ff"),
    ("#b04a00", "#ff9a57"),
    ("#00735a", "#4fd0ab"),
    ("#98457a", "#eaa0cf"),
    ("#7a5c00", "#e9c04a"),
    ("#3f5fb0", "#a3b8ff"),
)

# What the style sheets call var(--name): (light page, dark page).
TOKENS = {
    "ink": ("#1d2129", "#e6e9ee"),
    "soft": ("#5d6673", "#9aa4b1"),
    "line": ("#dfe3e8", "#343b45"),
    "paper": ("#ffffff", "#15181d"),
    "tint": ("#f5f7f9", "#1d2229"),
    "up": ("#b04a00", "#ff9a57"),
    "down": ("#0064a3", "#6bb8ff"),
    "good": ("#00735a", "#4fd0ab"),
    "bad": ("#b3261e", "#ff8a80"),
    "warn": ("#8a5a00", "#e5b567"),
    "goodfill": ("#d8efe2", "#1e4632"),
    "badfill": ("#f6cfcb", "#6b2420"),
    "warnfill": ("#f5e3b5", "#5a4a1c"),
} | {f"c{i}": pair for i, pair in enumerate(LAYERS)}

# What a notebook is set to in JupyterLab, whatever the machine prefers: (light, dark). `:where` outranks no other rule.
JUPYTER = (':where([data-jp-theme-light="true"])', ':where([data-jp-theme-light="false"])')

_ABOVE, _BELOW = (230, 126, 50), (60, 140, 210)  # the full shade of a number above 0, and of one below


def layer_numbers(names: Sequence[str]) -> dict[str, int]:
    """The number of each layer's colour, the same on the page and in the terminal.

    >>> layer_numbers(["inputs", "dense_0", "relu_0"])
    {'inputs': 0, 'dense_0': 1, 'relu_0': 2}
    """
    return {name: i % len(LAYERS) for i, name in enumerate(names)}


def shade(value: float, largest: float) -> str:
    """The fill of a number: white at 0, orange above and blue below, the fuller the closer to the largest.

    >>> shade(0.0, 2.0), shade(2.0, 2.0), shade(-1.0, 2.0)
    ('#ffffff', '#ea9151', '#acceec')
    """
    share = 0.85 * min(1.0, abs(value) / largest) if largest else 0.0
    full = _ABOVE if value > 0 else _BELOW
    return "#" + "".join(f"{round(255 - (255 - channel) * share):02x}" for channel in full)


def ink(value: float, largest: float) -> str:
    """The fill of a pixel of what was written in ink: white at 0, all but black at the largest.

    >>> ink(0.0, 2.0), ink(2.0, 2.0)
    ('#ffffff', '#141414')
    """
    grey = round(255 * (1 - 0.92 * value / largest))
    return f"#{grey:02x}{grey:02x}{grey:02x}"


def variables(dark: bool) -> str:
    """The tokens as custom properties of CSS."""
    return "".join(f"--{name}:{pair[dark]};" for name, pair in TOKENS.items())


def with_colors(sheet: str, dark: bool) -> str:
    """A style sheet with each var(--name) replaced by its colour, for programs that know no custom properties.

    >>> with_colors("text{fill:var(--ink)}", dark=False)
    'text{fill:#1d2129}'
    """
    return re.sub(r"var\(--(\w+)\)", lambda match: TOKENS[match[1]][dark], sheet)
