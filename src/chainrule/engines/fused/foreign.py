"""What compiled code finds on the machine: NumPy's own BLAS and the system's calls by address, and the cores."""

from __future__ import annotations

import ctypes
import os
from functools import cache

__all__ = ["address_of_gemm", "address_of_yield", "cores"]


@cache
def address_of_gemm(precision: str) -> tuple[int, bool]:
    """The address of cblas_sgemm or cblas_dgemm ("s" or "d") and whether its integers have 64 bits; (0, False) if none.

    The library is the one that NumPy has loaded: OpenBLAS in NumPy's own packages, under the names that they give it.
    """
    from threadpoolctl import threadpool_info

    for found in threadpool_info():
        if found["user_api"] != "blas":
            continue
        library = ctypes.CDLL(found["filepath"])
        for prefix in ("scipy_", ""):
            for suffix in ("64_", "_64", ""):
                function = getattr(library, f"{prefix}cblas_{precision}gemm{suffix}", None)
                if function is not None:
                    return ctypes.cast(function, ctypes.c_void_p).value or 0, bool(suffix)
    return 0, False


@cache
def address_of_yield() -> int:
    """The address of the system's call that lets another thread run, 0 if there is none."""
    try:
        function = ctypes.CDLL(None).sched_yield
    except (AttributeError, OSError, TypeError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
