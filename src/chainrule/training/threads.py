"""How many threads the matrix products of a run may use.

A product of a small network takes a few microseconds, and threads that wait for one another cost more than they
bring: on two cores, one of them busy with something else, 20 epochs of 64-256-128-10 on the digits took 29.3 s with two
threads and 1.6 s with one.
"""

from __future__ import annotations

import contextlib
import math

from ..blasthreads import one_thread
from ..layer import Layer

__all__ = ["blas_threads"]

_SMALL = 2**22  # multiplications in the largest product; about 0.1 ms on one core


def blas_threads(engine: str, network: Layer, batch_size: int) -> contextlib.AbstractContextManager[None]:
    """One BLAS thread inside, unless NumPy carries the steps out and a product of the network is large.

    The other engines have threads of their own, which a thread of BLAS would keep from their core: it spins for some
    20 ms after each product that it shared.
    """
    shapes = network.parameter_shapes().values() if engine == "numpy" else ()
    if any(batch_size * math.prod(shape) >= _SMALL for shape in shapes if len(shape) == 2):
        return contextlib.nullcontext()
    return one_thread()
