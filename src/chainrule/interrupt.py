"""Ctrl-C handling: remembers an interrupt that other code swallows, or delays it until a safe point."""

from __future__ import annotations

import signal
import threading
from contextlib import AbstractContextManager
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["CtrlC"]


class CtrlC(AbstractContextManager["CtrlC"]):
    """A block in which Ctrl-C is remembered, so that `check()` raises `KeyboardInterrupt` after it was pressed.

    The exception is also raised immediately, as usual; remembering it helps if other code catches it (scikit-learn's
    training does). With `waits` only `check()` raises it, until Ctrl-C is pressed a second time. Nothing changes in a
    thread other than the main one, or if the program has its own handler for Ctrl-C.
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
