"""What the machine can do: its matrix-product and memory rates, and the time that no step can beat."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import numpy as np

from .gpu import gpu
from .workloads import Gradient, Prediction, Training, Workload

__all__ = ["bandwidth", "floor", "sgemm_peak"]

_CACHE = 2**22  # bytes of parameters and slots that are assumed to stay in the cache


def _best(function: Callable[[], object], repeats: int = 7) -> float:
    """The shortest time of several runs, in seconds."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)


@cache
def sgemm_peak() -> float:
    """Floating-point operations per second of a 1024 × 1024 float32 matrix product in NumPy's BLAS."""
    A = np.random.default_rng(0).normal(size=(1024, 1024)).astype(np.float32)
    out = np.empty_like(A)
    return 2.0 * 1024**3 / _best(lambda: np.matmul(A, A, out=out))


@cache
def bandwidth() -> float:
    """Bytes read and written per second when copying 128 MB."""
    source = np.ones(2**25, np.float32)
    target = np.empty_like(source)
    return 2.0 * source.nbytes / _best(lambda: np.copyto(target, source))


def floor(workload: Workload) -> float | None:
    """A lower bound for the workload in seconds: its products at the peak rate plus its traffic at the memory's rate.

    None if a GPU is used, whose rates are not measured.
    """
    if gpu() is not None:
        return None
    if isinstance(workload, Training):
        stays = 12 * workload.parameters < _CACHE
        return workload.flops / sgemm_peak() + (0.0 if stays else workload.traffic / bandwidth())
    if isinstance(workload, Gradient):
        return 8.0 * workload.samples * workload.classes / bandwidth()
    assert isinstance(workload, Prediction)
    products = sum(i * n for i, n in zip(workload.training.sizes, workload.training.sizes[1:], strict=False))
    return 2.0 * products / sgemm_peak()
