"""How long something is sought: of the processor's time, so that a busy machine changes little."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

__all__ = ["Deadline", "is_over", "one_search"]

_SECONDS = 6.0  # for a way to run one object
_BETWEEN = 0.1  # seconds between two looks at the processor's time, each of which may cost milliseconds


class Deadline:
    """When a search that begins now is to end."""

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._until = time.thread_time() + seconds
        self._look, self._over = time.perf_counter() + min(seconds, _BETWEEN), False

    @property
    def over(self) -> bool:
        """Whether it has passed."""
        now = time.perf_counter()
        if not self._over and now > self._look:
            self._look, self._over = now + _BETWEEN, time.thread_time() > self._until
        return self._over


_until: ContextVar[Deadline | None] = ContextVar("_until", default=None)


@contextlib.contextmanager
def one_search(until: Deadline | None = None) -> Iterator[None]:
    """Everything inside is one search; one inside of another is part of it."""
    token = _until.set(until or Deadline()) if _until.get() is None else None
    try:
        yield
    finally:
        if token is not None:
            _until.reset(token)


def is_over() -> bool:
    """Whether the search has taken too long: what was found until then must do."""
    until = _until.get()
    return until is not None and until.over
