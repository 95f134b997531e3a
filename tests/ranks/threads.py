"""A communicator of threads: the ranks of a run in one process, so that many small runs take milliseconds."""

from __future__ import annotations

import itertools
import pickle
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

    def allreduce(self, mine: int) -> int:
        return sum(self.allgather(mine))

    def Allreduce(self, mine: Any, total: Any) -> None:
        total[...] = sum(self.allgather(mine.copy()))

    def Allgatherv(self, mine: Any, whole: Any) -> None:
        array, sizes = whole
        parts = self.allgather(mine.reshape(-1).copy())
        assert [len(part) for part in parts] == sizes
        array[:] = np.concatenate(parts)

    def Alltoallv(self, leaving: Any, arriving: Any) -> None:
        array, sizes = leaving
        edges = np.cumsum([0, *sizes])
        cut = [array.reshape(-1)[a:b].copy() for a, b in itertools.pairwise(edges)]
        parts = [theirs[self.rank] for theirs in self.allgather(cut)]
        assert [len(part) for part in parts] == arriving[1]
        arriving[0].reshape(-1)[:] = np.concatenate(parts)


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
