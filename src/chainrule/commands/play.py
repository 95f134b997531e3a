"""`chainrule play`: the page on which backpropagation can be touched."""

from __future__ import annotations

import webbrowser

from ..display.terminal import terminal
from ..errors import ChainruleError
from .console import say

__all__ = ["play"]


def play(given: str | None, data: str | None, port: int | None, browser: bool) -> None:
    """Serve the page until Ctrl-C."""
    try:
        from ..play import pages
    except ModuleNotFoundError as error:
        raise ChainruleError(f'play needs {error.name}: pip install "chainrule[play]"') from None
    console = terminal()

    def ready(address: str) -> None:
        say(console, f"The page is at {address}")
        say(console, "It is served to this machine alone. Ctrl-C ends it.")
        if browser:
            webbrowser.open(address)

    pages.serve_argument(given, data, port=port, ready=ready)
