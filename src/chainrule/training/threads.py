"""How many threads the matrix products of a run may use.

A product of a small network takes a few microseconds, and threads that wait for one another cost more than they
bring: on two cores, one of them busy with something else, 20 epochs of 64-256-128-10 on the digits took 29.3 s with two
threads and 1.6 s with one.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from ..layer import Layer

__all__ = ["blas_threads"]

_SMALL = 2**22  # multiplications in the largest product; about 0.1 ms on one core


@contextlib.contextmanager
def blas_threads(network: Layer, batch_size: int) -> Iterator[None]:
    """One BLAS thread inside where every product of the network is small, else as many as before."""
    matrices = [shape for shape in network.parameter_shapes().values() if len(shape) == 2]
    if any(batch_size * rows * columns >= _SMALL for rows, columns in matrices):
        yield
        return
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


class _Limit:
    """One limit for the whole process: the first run that enters sets it, the last that leaves takes it back."""

    def __init__(self) -> None:
        self.lock, self.runs = threading.Lock(), 0
        self.limits: Any = None

    def enter(self) -> None:
        from threadpoolctl import threadpool_limits

        with self.lock:
            if not self.runs:
                self.limits = threadpool_limits(1, user_api="blas")
            self.runs += 1

    def leave(self) -> None:
        with self.lock:
            self.runs -= 1
            if not self.runs:
                self.limits.restore_original_limits()


_limit = _Limit()
