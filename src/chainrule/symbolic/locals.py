"""The local variables of a traced function: what its author called the values on the way."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

__all__ = ["recorded", "watched"]


class Watched(threading.local):
    """The function whose local variables are wanted, and its frame as soon as an operation is applied in it.

    A frame keeps its variables while somebody holds it. The hook of profilers would see them too, but there is only
    one, and it may be in use.
    """

    code: CodeType | None = None
    frame: FrameType | None = None

    def look(self) -> None:
        """Find the frame of the function among the callers."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and frame.f_code is not self.code:
            frame = frame.f_back
        if frame is not None:
            self.code, self.frame = None, frame


watched = Watched()


def recorded(function: Callable[..., Any], *arguments: Any) -> tuple[Any, dict[str, Any]]:
    """What the function returns, and its local variables at its end; none where it applies no operation.

    >>> from chainrule.symbolic import leaf
    >>> def squared_sum(x, y):
    ...     s = x + y
    ...     return s * s
    >>> recorded(squared_sum, leaf("name", "x"), leaf("name", "y"))
    (mul(add(x, y), add(x, y)), {'x': x, 'y': y, 's': add(x, y)})
    """
    watched.code, watched.frame = function.__code__, None
    try:
        result = function(*arguments)
        return result, {} if watched.frame is None else dict(watched.frame.f_locals)
    finally:
        watched.code = watched.frame = None
