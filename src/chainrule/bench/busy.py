"""A machine that is shared: another process takes one core for as long as something is measured."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

__all__ = ["busy_core"]

_WORK = """
import os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
parent = os.getppid()
print("begun", flush=True)
while os.getppid() == parent:  # it ends with whoever started it, however that ended
    for _ in range(10**6):
        pass
"""


@contextlib.contextmanager
def busy_core() -> Iterator[subprocess.Popen[bytes]]:
    """Another process computes without a pause meanwhile, pinned to one core where the system can."""
    other = subprocess.Popen([sys.executable, "-c", _WORK], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        assert other.stdout is not None
        other.stdout.readline()
        yield other
    finally:
        other.kill()
        other.communicate()
