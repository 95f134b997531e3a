"""Training on a thread of its own: a little for each picture, and nothing while somebody is answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from ..errors import ChainruleError
from .work import Snapshot, Work

__all__ = ["Running"]

_PICTURE = 1 / 30  # seconds from one picture of a training network to the next
_CHUNK = 0.02  # seconds of it that the training itself takes
_SLICE = 0.006  # seconds until training looks whether somebody waits
_EPOCHS = 100_000  # of one run, at most


class Running:
    """The training of one page; `lock` guards the work.

    `shows` is called with the number of each picture, while nothing changes; `ends` with what went wrong, or None.
    """

    def __init__(self, lock: Any, shows: Callable[[int], None], ends: Callable[[ChainruleError | None], None]) -> None:
        self._lock, self._shows, self._ends = lock, shows, ends
        self._on = threading.Event()
        self._thread: threading.Thread | None = None
        self.answering = False  # somebody waits for an answer
        self.shot: Snapshot | None = None  # of the picture that the page shows while training runs

    @property
    def on(self) -> bool:
        """Whether it trains."""
        return self._on.is_set()

    def start(self, work: Work) -> None:
        """Train until somebody says stop."""
        if not self.on:
            self.shot = work.snapshot()
            self._on.set()
            self._thread = threading.Thread(target=self._run, args=(work,), name="chainrule play", daemon=True)
            self._thread.start()

    def stop(self, *, wait: bool = True) -> None:
        """Stop after the slice that runs."""
        self._on.clear()
        if wait and self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self, work: Work) -> None:
        picture, some, error = 0, 1, None
        try:
            while self.on and work.model.run.epoch < _EPOCHS:
                start = time.perf_counter()
                with self._lock:
                    some = self._train(work, some)
                    work.keep()
                    self.shot = work.snapshot()
                    self._shows(picture)
                picture += 1
                time.sleep(max(0.001, _PICTURE - (time.perf_counter() - start)))
                while self.answering and self.on:
                    time.sleep(0.001)
        except ChainruleError as found:
            error = found
        finally:
            self._on.clear()
            self.shot = None
            self._ends(error)

    def _train(self, work: Work, some: int) -> int:
        """The epochs of one picture, in slices of so many; how many fit into the next slice."""
        start, left = time.perf_counter(), max(1, work.model.run.epoch // 15)  # slowly at first, to be watched
        while True:
            now, epochs = time.perf_counter(), min(some, left)
            work.train(epochs)
            took, left = time.perf_counter() - now, left - epochs
            some = max(1, min(4 * epochs, int(epochs * _SLICE / max(took, 1e-4))))
            if left <= 0 or self.answering or not self.on or time.perf_counter() - start > _CHUNK:
                return some
