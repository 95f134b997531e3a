"""Ctrl-C at a moment that suits: remembered while something else catches it, or held back until what belongs together
is done."""

from __future__ import annotations

import signal
import threading
from contextlib import AbstractContextManager
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["CtrlC"]


class CtrlC(AbstractContextManager["CtrlC"]):
    """Inside, Ctrl-C is remembered, and `check()` raises `KeyboardInterrupt`.

    It is also raised at once, as ever, because code may run for long or keep the exception to itself (scikit-learn's
    training does). With `waits` it is raised by `check()` alone; a second Ctrl-C waits for nothing. Where Ctrl-C does
    not raise `KeyboardInterrupt` outside, as in a thread or with a handler of one's own, nothing is changed.
    """

    def __init__(self, waits: bool = False) -> None:
        self.waits, self.pressed = waits, False
        self.before: Any = None

    def __enter__(self) -> Self:
        usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if usual and threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        again, self.pressed = self.pressed, True
        if again or not self.waits:
            raise KeyboardInterrupt

    def check(self) -> None:
        """Raise `KeyboardInterrupt` if Ctrl-C was pressed."""
        if self.pressed:
            raise KeyboardInterrupt
