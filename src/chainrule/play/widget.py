"""The page inside a notebook: the same module draws it, and its messages go to the same session."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import anywidget

from ..errors import ChainruleError
from ..model import Model
from . import setups
from .lessons import Setup
from .script import script
from .session import PlaySession

__all__ = ["PlayWidget", "widget"]


class PlayWidget(anywidget.AnyWidget):
    """The page on one setup. It asks and is told in the messages that the browser tab has too."""

    _esm = script()
    _css = (files(__package__) / "static" / "play.css").read_text(encoding="utf-8")

    def __init__(self, setup: Setup, **options: Any) -> None:
        super().__init__(**options)
        self._session = PlaySession(setup, self.send)
        self.on_msg(self._asked)

    def _asked(self, _: Any, message: Any, buffers: Any) -> None:
        try:
            self._session.handle(message if isinstance(message, dict) else {})
        except ChainruleError as error:
            self.send({"type": "problem", "says": str(error)})

    def close(self) -> None:
        """End what runs, and the view."""
        self._session.close()
        super().close()


def widget(model: Model, X: Any = None, y: Any = None) -> PlayWidget:
    """The page on a copy of a model, with samples (X, y), for Jupyter, VS Code and marimo."""
    return PlayWidget(setups.of_model(model, None if X is None else (X, y)))
