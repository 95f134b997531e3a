"""How long a way to run one object is sought: of the processor's time, so that a busy machine changes little."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

__all__ = ["is_over", "one_search", "patience"]

_SECONDS = 6.0
_until: ContextVar[float | None] = ContextVar("_until", default=None)


def patience() -> float:
    """When a search that begins now is to end."""
    return time.thread_time() + _SECONDS


@contextlib.contextmanager
def one_search(until: float | None = None) -> Iterator[None]:
    """Everything inside is one search; one inside of another is part of it."""
    token = _until.set(until or patience()) if _until.get() is None else None
    try:
        yield
    finally:
        if token is not None:
            _until.reset(token)


def is_over() -> bool:
    """Whether the search has taken too long: what was found until then must do."""
    until = _until.get()
    return until is not None and time.thread_time() > until
