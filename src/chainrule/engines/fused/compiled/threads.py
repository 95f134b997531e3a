"""Threads that run one compiled function meet at a barrier; who waits spins, and yields when it takes long."""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic

from ..layout import ABORT, SPACING
from .calls import call_yield
from .functions import inner

__all__ = ["barrier"]

_SPINS = 2000


@intrinsic
def _publish(typing, counters, index, value):
    """Write a counter so that all that was written before it is seen by who reads it."""

    def generate(context, builder, signature, arguments):
        builder.store_atomic(arguments[2], builder.gep(arguments[0], [arguments[1]]), "release", 8)
        return context.get_dummy_value()

    return types.void(counters, types.intp, types.intp), generate


@intrinsic
def _read(typing, counters, index):
    """Read a counter, and after it what was written before it."""

    def generate(context, builder, signature, arguments):
        return builder.load_atomic(builder.gep(arguments[0], [arguments[1]]), "acquire", 8)

    return types.intp(counters, types.intp), generate


@inner
def barrier(counters, thread, threads, turn, yielding):
    """Wait until all threads have come to their `turn`-th barrier; False where one never will."""
    if threads == 1:
        return True
    _publish(counters, (thread + 1) * SPACING, turn)
    for other in range(threads):
        spins = 0
        while _read(counters, (other + 1) * SPACING) < turn:
            spins += 1
            if spins % _SPINS == 0:
                if _read(counters, ABORT) != 0:
                    return False
                if yielding != 0:
                    call_yield(yielding)
    return True
