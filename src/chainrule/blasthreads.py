"""One limit on the threads of BLAS for the whole process, however many runs there are, in whatever threads."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from .forking import forkable

__all__ = ["one_thread"]


class Pool(NamedTuple):
    """The threads of one BLAS library."""

    size: Callable[[], int]
    resize: Callable[[int], Any]


@cache
def pools() -> tuple[Pool, ...]:
    """The BLAS libraries of this process, looked for once: it takes tens of milliseconds where many are loaded.

    OpenBLAS is asked through its own functions, since threadpoolctl serves only the first thread that ever asked.
    """
    from threadpoolctl import ThreadpoolController

    found = []
    for library in ThreadpoolController().select(user_api="blas").lib_controllers:
        own = _openblas(ctypes.CDLL(library.filepath)) if library.internal_api == "openblas" else None
        found.append(own or Pool(library.get_num_threads, library.set_num_threads))
    return tuple(found)


def _openblas(library: ctypes.CDLL) -> Pool | None:
    """OpenBLAS under the names that NumPy's packages, SciPy's and the system's give its functions."""
    for prefix in ("scipy_", ""):
        for suffix in ("64_", "_64", ""):
            names = (f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set"))
            get, resize = (getattr(library, name, None) for name in names)
            if get is not None and resize is not None:
                return Pool(get, resize)
    return None


class _Limit(contextlib.AbstractContextManager[None]):
    """The first run that enters sets it, the last that leaves takes it back."""

    def __init__(self) -> None:
        self.lock, self.runs = forkable(threading.Lock()), 0
        self.before: list[tuple[Pool, int]] = []

    def __enter__(self) -> None:
        with self.lock:
            if not self.runs:
                self.before = [(pool, pool.size()) for pool in pools()]
                for pool, _ in self.before:
                    pool.resize(1)
            self.runs += 1

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.runs -= 1
            if not self.runs:
                for pool, threads in self.before:
                    pool.resize(threads)


_limit = _Limit()


def one_thread() -> contextlib.AbstractContextManager[None]:
    """One BLAS thread inside."""
    return _limit
