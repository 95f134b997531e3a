"""The compiled function on disk: compiled once for each precision, loaded by every later process.

The folder's name holds a hash of the sources that the function is made of, so that another version of the library never
meets old code. Each precision has a folder of its own: two processes that compile at once write the same thing, and
each file appears whole or not at all. A folder that cannot be written, or holds something else, is done without.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["cache_folder", "cached", "is_cached"]


def cache_folder() -> Path:
    """Where compiled code is kept: `CHAINRULE_CACHE`, or the user's folder for caches."""
    given = os.environ.get("CHAINRULE_CACHE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "chainrule"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chainrule"


@cache
def _fingerprint() -> str:
    from importlib.metadata import version

    digest = hashlib.sha256(f"{version('numba')} {sys.version}".encode())
    here = Path(__file__).parent
    for source in (*sorted(here.glob("*.py")), here.parents[1] / "noise.py", here.parents[1] / "special.py"):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _folder(dtype: Any) -> Path:
    return cache_folder() / f"fused-{_fingerprint()}-{np.dtype(dtype).name}"


def is_cached(dtype: Any) -> bool:
    """Whether a later process need not compile; needs no Numba."""
    try:
        return any(_folder(dtype).glob("*.nbi"))
    except OSError:
        return False


@cache
def cached(dtype: Any) -> Any:
    """The compiled function for one precision."""
    from numba import njit
    from numba.core.caching import CompileResultCacheImpl, FunctionCache

    from .kernel import block

    folder = _folder(dtype)

    class Locator:
        """Tells Numba where, and from which source."""

        def ensure_cache_path(self) -> None:
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)

        def get_cache_path(self) -> str:
            return str(folder)

        def get_source_stamp(self) -> str:
            return _fingerprint()

        def get_disambiguator(self) -> str:
            return ""

        @classmethod
        def from_function(cls, function: Any, path: Any) -> Locator:
            return cls()

    class Implementation(CompileResultCacheImpl):  # type: ignore[misc]
        _locator_classes = (Locator,)

    class OnDisk(FunctionCache):  # type: ignore[misc]
        _impl_class = Implementation

        def load_overload(self, *arguments: Any) -> Any:
            try:
                return super().load_overload(*arguments)
            except Exception:  # whatever a damaged file makes of itself
                return None

        def save_overload(self, *arguments: Any) -> None:
            with contextlib.suppress(OSError):
                super().save_overload(*arguments)

    function = njit(nogil=True, error_model="numpy", fastmath={"contract"})(block)
    function._cache = OnDisk(function.py_func)
    return function
