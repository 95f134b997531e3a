"""What the system itself keeps a process from: the limits that it sets itself before a submission runs in it."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from pathlib import Path

__all__ = ["limit", "limit_processes"]


def limit(megabytes: int, file_megabytes: int, seconds: float) -> None:
    """Give this process so much memory, such files and such time, once and for all."""
    try:
        import resource
    except ImportError:  # no such limits on this system
        return
    chosen = {
        "RLIMIT_AS": min(megabytes * 2**20, sys.maxsize),
        "RLIMIT_FSIZE": file_megabytes * 2**20,
        "RLIMIT_CPU": math.ceil(seconds) + 5,
        "RLIMIT_NOFILE": 256,
        "RLIMIT_CORE": 0,
    }
    for name, most in chosen.items():
        with contextlib.suppress(ValueError, OSError, AttributeError):  # the limit is lower already
            resource.setrlimit(getattr(resource, name), (most, most))


def limit_processes(most: int) -> None:
    """So many more threads and processes than this user has now."""
    with contextlib.suppress(ImportError, ValueError, OSError, AttributeError):
        import resource

        now = sum(_threads(Path("/proc") / name) for name in os.listdir("/proc") if name.isdigit())
        resource.setrlimit(resource.RLIMIT_NPROC, (now + most, now + most))


def _threads(process: Path) -> int:
    try:
        return len(os.listdir(process / "task")) if process.stat().st_uid == os.getuid() else 0
    except OSError:
        return 0
