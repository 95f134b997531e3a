"""Training on a thread of its own: a little for each picture, and nothing while somebody is answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ChainruleError
from ..traces import Trace
from ..training.callback import Fit
from .caps import EPOCHS
from .work import Snapshot, Work

__all__ = ["Running"]

_PICTURE = 1 / 33  # seconds from one picture of a training network to the next, so that thirty are seen
_CHUNK = 0.018  # seconds of it that the training itself takes
_SLICE = 0.006  # seconds until training looks whether somebody waits
_BREATH = 0.005  # seconds of a long epoch that follow each picture, in which the browser has the processor to draw it
_LONG = 1.0  # seconds of an epoch, after which a pause does not wait for its end


class Running:
    """The training of one page; `lock` guards the work.

    `shows` is called with the number of each picture and the pass that it shows, while nothing changes; `ends` with
    what went wrong, or None.
    """

    def __init__(
        self, lock: Any, shows: Callable[[int, Trace], None], ends: Callable[[ChainruleError | None], None]
    ) -> None:
        self._lock, self._shows, self._ends = lock, shows, ends
        self._on = threading.Event()
        self._thread: threading.Thread | None = None
        self._pictures, self._shown = 0, 0.0  # how many, and when the last one was
        self.answering = False  # somebody waits for an answer that needs no lock
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

    @np.errstate(all="ignore")  # the page itself says where numbers overflow
    def _run(self, work: Work) -> None:
        some, error = 1.0, None
        self._pictures, self._shown = 0, time.perf_counter()
        try:
            while self.on and work.model.run.epoch < EPOCHS:
                with self._lock:
                    some = self._train(work, some)
                    self._give_way()
                    self._show(work, work.keep_epochs())
                time.sleep(max(0.001, self._shown + _PICTURE - time.perf_counter()))
        except ChainruleError as found:
            error = found
        finally:
            self._on.clear()
            self.shot = None
            self._ends(error)

    def _show(self, work: Work, one: Trace) -> None:
        self.shot = work.snapshot()
        self._shows(self._pictures, one)
        self._pictures, self._shown = self._pictures + 1, max(self._shown + _PICTURE, time.perf_counter() - _PICTURE)

    def _give_way(self) -> None:
        while self.answering and self.on:
            time.sleep(0.001)

    def _train(self, work: Work, some: float) -> float:
        """The epochs of one picture, in slices of so many; how many fit into the next slice, below 1 parts of one."""
        start, left = time.perf_counter(), max(1, work.model.run.epoch // 15)  # slowly at first, to be watched
        while True:
            now, epochs = time.perf_counter(), min(max(1, int(some)), left)
            work.train(epochs, self._within(work, now) if some < _SLICE / _CHUNK else None)
            took, left = max(time.perf_counter() - now, 1e-4), left - epochs
            some = min(4.0 * epochs, epochs * _SLICE / took)
            if left <= 0 or self.answering or not self.on or time.perf_counter() - start > _CHUNK:
                return some

    def _within(self, work: Work, began: float) -> Callable[[Fit], None]:
        """What happens after each step of a long epoch: pictures go on, which are not recorded."""

        def then(fit: Fit) -> None:
            now = time.perf_counter()
            if not self.on and now - began > _LONG:
                fit.stop("paused")
            self._give_way()
            if now - self._shown > _PICTURE:
                self._show(work, work.trace())
                time.sleep(_BREATH)

        return then
