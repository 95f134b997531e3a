"""One limit on the threads of BLAS for the whole process, however many runs there are."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

__all__ = ["one_thread"]


@cache
def _controller() -> Any:
    """The BLAS libraries, looked for once: it takes tens of milliseconds where many libraries are loaded."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


class _Limit:
    """The first run that enters sets it, the last that leaves takes it back."""

    def __init__(self) -> None:
        self.lock, self.runs = threading.Lock(), 0
        self.limits: Any = None

    def enter(self) -> None:
        with self.lock:
            if not self.runs:
                self.limits = _controller().limit(limits=1, user_api="blas")
            self.runs += 1

    def leave(self) -> None:
        with self.lock:
            self.runs -= 1
            if not self.runs:
                self.limits.restore_original_limits()


_limit = _Limit()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One BLAS thread inside."""
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()
