"""A stand-in for the loader of the built kernels: it compiles them into a temporary folder."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

__all__ = ["load", "why_missing"]


@cache
def load() -> ctypes.CDLL:
    """The kernels."""
    given = os.environ.get("CHAINRULE_KERNELS")
    if given:
        return ctypes.CDLL(given)
    target = Path(tempfile.mkdtemp()) / "kernels.so"
    sources = sorted(str(path) for path in (Path(__file__).parent / "c").glob("*.c"))
    flags = ["-O3", "-std=c11", "-fPIC", "-shared", "-march=native", "-ffp-contract=fast"]
    subprocess.run(["cc", *flags, *sources, "-o", str(target), "-lm", "-lpthread"], check=True)
    return ctypes.CDLL(str(target))


def why_missing() -> str | None:
    """Why there is none; None where there is."""
    return None
