"""The page for whatever `chainrule play` was called with, or for a model in Python."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any

from ..errors import ConfigurationError
from ..model import Model
from . import linking, setups
from .lessons import Setup
from .rooms import Rooms
from .server import serve
from .session import PlaySession

__all__ = ["play", "serve_argument"]


def serve_argument(
    given: str | None, data: str | None = None, *, port: int | None = None, ready: Callable[[str], None] = print
) -> None:
    """Serve what the shell names: nothing (the lessons), a data set, a CSV file, a model file or a link to a page."""
    if given is not None and _is_link(given):
        if data is not None:
            raise ConfigurationError("--data goes with a model file; a link says itself what it shows.")
        opening = _opening(*setups.of_argument(None), linking.stated(given))
        opening({}, lambda message: None).close()  # what is wrong with the link is said here, not in a tab
    else:
        opening = _opening(*setups.of_argument(given, data))
    serve(Rooms(opening), port=port, ready=ready)


def play(model: Model, X: Any = None, y: Any = None, *, port: int | None = None) -> None:
    """Open the page on a model of one's own, with samples (X, y); it serves until Ctrl-C. The model is not changed."""
    setup = setups.of_model(model, None if X is None else (X, y))
    serve(Rooms(_opening(setup, None)), port=port)


def _is_link(given: str) -> bool:
    """Whether it is a page's address, or the state behind the # of one, rather than a file such as sales#1.csv."""
    before, mark, state = given.partition("#")
    if not mark or os.path.exists(given):
        return False
    return not before or "://" in before or state.lstrip().startswith(("{", "%7B"))


def _opening(
    setup: Setup, lesson: str | None, state: dict[str, Any] | None = None
) -> Callable[[dict[str, Any], Callable[[dict[str, Any]], None]], PlaySession]:
    def opened(hello: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> PlaySession:
        session = PlaySession(copy.deepcopy(setup), send)  # each tab has its own
        session.lesson = lesson
        if setup.table:
            session.saw("table")
        if state is not None:
            session.handle({**state, "type": "open"})
        return session

    return opened
