"""Locks that are free in a forked child: a fork waits until nobody holds them; and cached properties without one.

Where a process forks while one of its threads holds a lock, the child has the lock, held, and not the thread that
would let it go.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING, Any

__all__ = ["cached_property", "forkable"]


def forkable(lock: Any) -> Any:
    """The lock of a module or a class, one that is kept for good; a fork takes it before, and lets it go after.

    >>> import threading
    >>> lock = forkable(threading.RLock())
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock


if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property
else:

    class cached_property(functools.cached_property):
        """`functools.cached_property` without the lock of Python 3.11, one for all instances of a class."""

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            if instance is None:
                return self
            kept = vars(instance)
            if self.attrname not in kept:
                kept[self.attrname] = self.func(instance)
            return kept[self.attrname]
