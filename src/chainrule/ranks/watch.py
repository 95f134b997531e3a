"""The watch over the ranks: a thread of each exchanges heartbeats with rank 0's, and ends the process when one is gone.

A rank that waits in MPI for a dead one waits for ever, so the end comes from this thread. It beats while the rank
computes, waits, or runs a callback, however long that takes: silent is only who is dead, stopped, or cut off. Rank 0
hears from all and tells them; of rank 0 itself, everybody else hears.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Watch", "patience", "say"]

_BEAT, _TICK, _TOGETHER = 1.0, 0.1, 2.0  # seconds
_IDLE, _INSIDE, _GONE = "idle", "inside", "gone"


def patience() -> float:
    """Seconds for which a rank may be silent, `CHAINRULE_PATIENCE` or 15."""
    try:
        return max(3.0, float(os.environ.get("CHAINRULE_PATIENCE", "")))
    except ValueError:
        return 15.0


def say(line: str) -> None:
    """One line on standard error, whatever the main thread is doing with its own."""
    with contextlib.suppress(OSError):
        os.write(2, f"chainrule: {line}\n".encode())


@dataclass
class Peer:
    """A rank as this one knows it."""

    rank: int
    connection: socket.socket | None
    heard: float
    step: int = 0
    place: str = _IDLE  # whether it is inside of a run
    closed: bool = False
    left: str | None = None  # the error with which it leaves a run
    left_at: float = 0.0
    buffer: bytes = b""


class Watch(threading.Thread):
    """`inside` surrounds a run; `step` is where this rank stands."""

    def __init__(self, rank: int, size: int, connections: Mapping[int, socket.socket]) -> None:
        super().__init__(daemon=True, name="chainrule watch")
        self.rank, self.size, self.step, self.told = rank, size, 0, False
        now = time.monotonic()
        self.peers = {other: Peer(other, connection, now) for other, connection in connections.items()}
        self.own = Peer(rank, None, now)
        if rank == 0:
            self.peers[0] = self.own
        for connection in connections.values():
            connection.settimeout(2)
        self.depth, self.lock, self.sending = 0, threading.Lock(), threading.Lock()
        self.verdict: str | None = None
        self.decided = threading.Event()

    # What the main thread calls

    @contextlib.contextmanager
    def inside(self) -> Iterator[bool]:
        """A run. An error that leaves it waits for rank 0's word: whether it is everybody's, or this rank's alone."""
        self.depth += 1
        outermost = self.depth == 1
        if outermost:
            self._move(_INSIDE)
        try:
            yield outermost
        except BaseException as error:
            if outermost and not self.told:
                self._leave(_words(error))
            raise
        finally:
            self.depth -= 1
            if outermost and not self.told:
                self._move(_IDLE)

    def leave(self) -> bool:
        """At the end of the process: whether all is well, so that it may wait for the others' end."""
        if self.told:
            return False
        self._move(_GONE)
        return True

    def _move(self, place: str) -> None:
        self.own.place = place
        self._tell(0, place=place, step=self.step)

    def _leave(self, words: str) -> None:
        self.decided.clear()
        with self.lock:
            self.own.left, self.own.left_at, self.own.step = words, time.monotonic(), self.step
        self._tell(0, left=words, step=self.step)
        self.decided.wait(patience() + _TOGETHER)
        self.told = self.verdict != "together"
        self.own.left = None

    # What goes over the wire

    def _tell(self, rank: int, **message: Any) -> None:
        peer = self.peers.get(rank)
        if peer is None or peer.connection is None or peer.closed:
            return
        with contextlib.suppress(OSError), self.sending:
            peer.connection.sendall(json.dumps(message).encode() + b"\n")

    def _listen(self, peer: Peer) -> None:
        assert peer.connection is not None
        try:
            found = peer.connection.recv(65536)
        except TimeoutError:
            return
        except OSError:
            found = b""
        if not found:
            peer.closed = True
            return
        peer.heard = time.monotonic()
        *lines, peer.buffer = (peer.buffer + found).split(b"\n")
        for line in lines:
            self._take(peer, json.loads(line))

    def _take(self, peer: Peer, message: dict[str, Any]) -> None:
        peer.step = message.get("step", peer.step)
        peer.place = message.get("place", peer.place)
        if "left" in message:
            with self.lock:
                peer.left, peer.left_at = message["left"], time.monotonic()
        if "verdict" in message:
            self.verdict = message["verdict"]
            self.decided.set()
        if "end" in message:
            time.sleep(_BEAT)  # mpirun ends all when the first is gone: let the culprit print its traceback
            os._exit(1)

    # The thread

    def run(self) -> None:
        """Beat, listen, judge, until the process ends."""
        before, beaten = time.monotonic(), 0.0
        while True:
            connections = {p.connection: p for p in self.peers.values() if p.connection is not None and not p.closed}
            for connection in select.select(list(connections), [], [], _TICK)[0]:
                self._listen(connections[connection])
            now = time.monotonic()
            if now - before > patience() / 3:  # it was this process that stood still
                for peer in self.peers.values():
                    peer.heard = now
            before = now
            self.own.heard, self.own.step = now, self.step
            if now - beaten >= _BEAT:
                beaten = now
                for rank in list(self.peers):
                    self._tell(rank, step=self.step, place=self.own.place)
            self._judge(now)

    def _judge(self, now: float) -> None:
        if self.rank:
            self._judge_leader(now)
            return
        for peer in self.peers.values():
            trouble = self._trouble(peer, now, any(p.place == _INSIDE for p in self.peers.values()))
            if trouble is not None:
                self._end(peer, trouble)
        self._judge_leaving(now)

    def _judge_leaving(self, now: float) -> None:
        """Errors that all ranks leave a run with are theirs to raise; one that others do not share ends the rest."""
        with self.lock:
            leaving = [peer for peer in self.peers.values() if peer.left is not None]
            if not leaving:
                return
            first = min(leaving, key=lambda peer: peer.left_at)
            words, alike = first.left, len({peer.left for peer in leaving}) == 1
            if len(leaving) == self.size and alike:
                for peer in leaving:
                    peer.left = None
                self._decide("together")
                return
        if not alike or now - first.left_at > _TOGETHER:
            self._end(first, f"stopped at step {first.step}: {words}")

    def _decide(self, verdict: str) -> None:
        for rank in self.peers:
            self._tell(rank, verdict=verdict)
        self.verdict = verdict
        self.decided.set()

    def _judge_leader(self, now: float) -> None:
        if self.verdict == "alone":
            sys.exit()  # of this thread: the line is printed, and the main one has an error to raise
        leader, turn = (
            self.peers[0],
            min(self.rank - 1.0, 5.0),
        )  # seconds: one after another, so that one of them prints
        trouble = self._trouble(leader, now - turn, self.own.place == _INSIDE)
        if trouble is None:
            return
        time.sleep(turn if leader.closed else 0.0)
        say(f"rank 0 of {self.size} {trouble}")
        self._tell(0, end=True)  # where mpirun wakes it before it ends it, it blames nobody
        os._exit(1)

    def _trouble(self, peer: Peer, now: float, busy: bool) -> str | None:
        """What is wrong with a rank, if anything is; `busy` says whether somebody needs it."""
        again = "; nothing is lost but the steps since the last checkpoint, resume to go on."
        step = max(peer.step, self.step)  # no rank gets further than the one that is missing
        if peer.closed and peer.place == _GONE:
            return f"ended at step {step}, while others went on{again}" if busy else None
        if peer.closed:
            return f"died at step {step}{again}"
        if now - peer.heard > patience():
            return f"has not been heard of for {patience():g} s, since step {step}{again}"
        return None

    def _end(self, culprit: Peer, trouble: str) -> None:
        """Print the line, tell the others, and end; the culprit, if it lives, raises its error."""
        say(f"rank {culprit.rank} of {self.size} {trouble}")
        self.told = True
        for peer in self.peers.values():
            if peer.connection is not None and not peer.closed:
                self._tell(peer.rank, **({"verdict": "alone"} if peer is culprit else {"end": True}))
                with contextlib.suppress(OSError):
                    peer.connection.shutdown(socket.SHUT_WR)
        time.sleep(_TICK)
        if culprit is not self.own:
            os._exit(1)
        self.verdict = "alone"
        self.decided.set()
        sys.exit()  # of this thread


def _words(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
