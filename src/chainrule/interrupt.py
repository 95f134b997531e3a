"""Ctrl-C handling: remembers an interrupt that other code swallows, or delays it until a safe point."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["LEAVING", "CtrlC", "ignore_leaving"]

# By which a cluster, and mpirun, ask a process to leave
LEAVING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))

# The same functions without the enumerations around them, which take most of the time of a call
_PLAIN: Any = sys.modules.get("_signal", signal)


class CtrlC(AbstractContextManager["CtrlC"]):
    """A block in which Ctrl-C is remembered, so that `check()` raises `KeyboardInterrupt` after it was pressed.

    The exception is also raised immediately, as usual; remembering it helps if other code catches it (scikit-learn's
    training does). With `waits` only `check()` raises it, until Ctrl-C is pressed a second time. Nothing changes in a
    thread other than the main one, or if the program has its own handler for Ctrl-C. `others` are signals that ask for
    the same, those by which a cluster takes a machine back; with them, all wait however often they come. Within another
    block of this kind it is as if what was pressed there had been pressed here: so nothing is lost between two runs.
    """

    def __init__(self, waits: bool = False, others: Sequence[signal.Signals] = ()) -> None:
        self.waits, self.others, self.pressed = waits, others, False
        self.before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *self.others):
                handler = _PLAIN.getsignal(number)
                around = getattr(handler, "__self__", None)
                if isinstance(around, CtrlC):
                    self.pressed = self.pressed or around.pressed
                if isinstance(around, CtrlC) or handler in (signal.default_int_handler, signal.SIG_DFL):
                    self.before[number] = _PLAIN.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self.before.items():
            _PLAIN.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        again, self.pressed = self.pressed, True
        if not self.others and (again or not self.waits):
            raise KeyboardInterrupt

    @contextmanager
    def noting(self, whether: bool) -> Iterator[None]:
        """A block whose own `KeyboardInterrupt` is remembered as if Ctrl-C had been pressed."""
        try:
            yield
        except KeyboardInterrupt:
            if not whether:
                raise
            self.pressed = True

    def check(self) -> None:
        """Raise `KeyboardInterrupt` if Ctrl-C was pressed."""
        if self.pressed:
            raise KeyboardInterrupt


def ignore_leaving() -> None:
    """From now on nothing asks this process to leave: it does so by itself, with an exit code of its own."""
    if threading.current_thread() is threading.main_thread():
        for number in LEAVING:
            signal.signal(number, signal.SIG_IGN)
