"""Global random streams: seeded before each forward of an object that uses them, and restored afterwards."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator

import numpy as np

__all__ = ["seed_streams", "streams_kept"]


def seed_streams(seed: int) -> None:
    """Seed the global streams of NumPy, which the book's layers share, and Python, and PyTorch's if it is imported."""
    np.random.seed(seed)
    random.seed(seed)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


@contextlib.contextmanager
def streams_kept() -> Iterator[None]:
    """Restore the global random streams on leaving, whatever happens inside."""
    numbers, plain = np.random.get_state(), random.getstate()
    torch = sys.modules.get("torch")
    tensors = None if torch is None else torch.random.get_rng_state()
    try:
        yield
    finally:
        np.random.set_state(numbers)
        random.setstate(plain)
        if torch is not None and tensors is not None:
            torch.random.set_rng_state(tensors)
