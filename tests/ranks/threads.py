"""A communicator of threads: the ranks of a run in one process, so that many small runs take milliseconds."""

from __future__ import annotations

import itertools
import pickle
import queue
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.distributed import Team
from chainrule.errors import ChainruleError


class Meeting:
    """Where the threads hand each other what they say."""

    def __init__(self, size: int) -> None:
        self.size, self.said = size, [None] * size
        self.barrier = threading.Barrier(size, timeout=30)
        self.wires = {pair: queue.Queue[Any]() for pair in itertools.product(range(size), repeat=2)}


class Comm:
    """The part of mpi4py's interface that a team uses."""

    def __init__(self, meeting: Meeting, rank: int) -> None:
        self.meeting, self.rank, self.size = meeting, rank, meeting.size

    def allgather(self, mine: Any) -> list[Any]:
        self.meeting.said[self.rank] = mine
        self.meeting.barrier.wait()
        everyone = list(self.meeting.said)
        self.meeting.barrier.wait()
        return everyone

    def bcast(self, mine: Any) -> Any:
        return pickle.loads(pickle.dumps(self.allgather(mine)[0]))  # nobody shares another's objects

    def gather(self, mine: Any) -> Any:
        everyone = self.allgather(mine)
        return everyone if self.rank == 0 else None

    def Allreduce(self, mine: Any, total: Any) -> None:
        total[...] = sum(self.allgather(mine.copy()))

    def Allgatherv(self, mine: Any, whole: Any) -> None:
        array, sizes = whole
        parts = self.allgather(mine.reshape(-1).copy())
        assert [len(part) for part in parts] == sizes
        array[:] = np.concatenate(parts)

    def Iallreduce(self, mine: Any, total: Any) -> Sending:
        self.Allreduce(mine, total)
        return Sending()

    def Ibarrier(self) -> Sending:
        return Sending()  # what follows it waits for all

    def Isend(self, part: Any, rank: int) -> Sending:
        assert part.flags.c_contiguous
        self.meeting.wires[self.rank, rank].put(part.reshape(-1).copy())
        return Sending()

    def Irecv(self, part: Any, rank: int) -> Arriving:
        return Arriving(self.meeting.wires[rank, self.rank], part)


class Sending:
    """A message that has left."""

    def test(self) -> bool:
        return True

    @staticmethod
    def Testall(requests: list[Any]) -> bool:
        done = [request.test() for request in requests]
        return all(done)


class Arriving(Sending):
    """A message that is waited for."""

    def __init__(self, wire: queue.Queue[Any], part: Any) -> None:
        self.wire, self.part, self.there = wire, part, False

    def test(self) -> bool:
        if not self.there and not self.wire.empty():
            found = self.wire.get()
            assert found.size == self.part.size and found.dtype == self.part.dtype
            self.part[...] = found.reshape(self.part.shape)
            self.there = True
        return self.there


def on_ranks(size: int, run: Callable[[Team], Any], deterministic: bool = True) -> list[Any]:
    """What `run(team)` returns, or the error it raises, on each of `size` ranks."""
    meeting, found = Meeting(size), [None] * size

    def one(rank: int) -> None:
        try:
            found[rank] = run(Team(Comm(meeting, rank), None, deterministic))
        except Exception as error:
            found[rank] = error
            if not isinstance(error, ChainruleError):  # those come on every rank alike
                meeting.barrier.abort()

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
