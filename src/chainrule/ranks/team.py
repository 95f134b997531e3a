"""The ranks as the rest of the library sees them: what they say to one another, and who they are."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from .watch import Watch

__all__ = ["ALONE", "Team", "quiet", "share_of", "working"]

_AWAKE, _NAP, _LONG_NAP = 1e-3, 5e-5, 2e-4  # seconds
_SMALL = 2**16  # bytes


def share_of(count: int, rank: int, size: int) -> range:
    """Which of `count` parts of a work are a rank's.

    >>> [list(share_of(8, rank, 3)) for rank in range(3)]
    [[0, 1], [2, 3, 4], [5, 6, 7]]
    """
    return range(rank * count // size, (rank + 1) * count // size)


@dataclasses.dataclass(frozen=True)
class Team:
    """The ranks of a run, numbered from 0; without MPI there is one, and everything it hears it has said itself.

    Every method but `at` and `share` is called by all ranks together.

    >>> ALONE.rank, ALONE.size, ALONE.heard({"epoch": 3}), ALONE.agreed(True)
    (0, 1, {'epoch': 3}, True)
    """

    comm: Any = None  # of mpi4py
    watch: Watch | None = None
    deterministic: bool = True  # whether sums are added in the order of the tree

    @property
    def rank(self) -> int:
        """This rank's number."""
        return 0 if self.comm is None else int(self.comm.rank)

    @property
    def size(self) -> int:
        """How many ranks there are."""
        return 1 if self.comm is None else int(self.comm.size)

    @property
    def leads(self) -> bool:
        """Whether this is rank 0, which runs the callbacks, prints and writes files."""
        return self.comm is None or self.rank == 0

    def share(self, count: int) -> range:
        """Which of so many parts are this rank's."""
        return share_of(count, self.rank, self.size)

    def _together(self) -> Any:
        """The communicator once all ranks are here; those that wait for a rank leave the core to others."""
        self._await([self.comm.Ibarrier()])
        return self.comm

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Work of all ranks, which are watched inside; within another such block it is a part of that one's."""
        if self.watch is None:
            yield
            return
        with self.watch.inside() as outermost:
            yield
            if outermost:
                self._together()

    def at(self, step: int) -> None:
        """The step that this rank is at, for the line that is printed if it dies there."""
        if self.watch is not None:
            self.watch.step = step

    def heard(self, said: Any) -> Any:
        """What rank 0 says; what others pass is not looked at."""
        return said if self.comm is None else self._together().bcast(said if self.leads else None)

    def agreed(self, pressed: bool) -> bool:
        """Whether any rank was asked to stop."""
        return bool(self.summed(np.array([pressed], np.int32))[0])

    def gathered(self, own: Any) -> list[Any]:
        """What each rank has, in the order of the ranks, on every rank."""
        return [own] if self.comm is None else list(self._together().allgather(own))

    def shared(self, count: int, compute: Callable[[int], NDArray[Any]]) -> list[NDArray[Any]] | None:
        """`compute(i)` for i below `count`, each by one rank; on rank 0 all of them in order, elsewhere None."""
        own = [compute(i) for i in range(self.rank, count, self.size)]
        parts = [own] if self.comm is None else self._together().gather(own)
        return [parts[i % self.size][i // self.size] for i in range(count)] if self.leads else None

    def exchange(self, leaving: Sequence[NDArray[Any]], arriving: Sequence[NDArray[Any]]) -> None:
        """`leaving[r]` to rank r, whose part arrives in `arriving[r]`; the rank's own stay where they are."""
        others = [rank for rank in range(self.size) if rank != self.rank]
        coming = [self.comm.Irecv(arriving[rank], rank) for rank in others]
        sent = [np.ascontiguousarray(leaving[rank]) for rank in others]  # held until they are gone
        self._await(coming + [self.comm.Isend(part, rank) for part, rank in zip(sent, others, strict=True)])

    def spread(self, parts: Sequence[NDArray[Any]]) -> None:
        """The part of each rank to all others; `parts[r]` is where that of rank r is, or arrives."""
        self.exchange([parts[self.rank]] * self.size, parts)

    def _await(self, requests: list[Any]) -> None:
        """Wait for messages: at first awake, then asleep in between, so that others may have the core."""
        if not requests:
            return
        test, begin = type(requests[0]).Testall, time.perf_counter()
        while not test(requests):
            waited = time.perf_counter() - begin
            if waited > _AWAKE:
                time.sleep(min(max(_NAP, waited / 50), _LONG_NAP))

    def joined(self, own: NDArray[Any], sizes: Sequence[int], into: NDArray[Any] | None = None) -> NDArray[Any]:
        """The vectors of all ranks, one after another, on every rank; a new array, or the one given."""
        if self.comm is None:
            return own.reshape(-1)
        whole = np.empty(sum(sizes), own.dtype) if into is None else into
        self._together().Allgatherv(np.ascontiguousarray(own), [whole, list(sizes)])
        return whole

    def summed(self, vector: NDArray[Any]) -> NDArray[Any]:
        """The sum over all ranks, in an order of MPI's own."""
        if self.comm is None:
            return vector
        total = np.empty_like(vector)
        if vector.nbytes <= _SMALL:
            self._await([self.comm.Iallreduce(vector, total)])
        else:  # MPI is faster where it waits awake
            self._together().Allreduce(vector, total)
        return total

    def merged(self, numbers: NDArray[Any], flags: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Numbers of which each is 0 on all ranks but one, and flags that are set if they are on any rank."""
        both = self.summed(np.concatenate([numbers.reshape(-1), flags.reshape(-1)]))  # a 0 or 1 is exact
        return both[: numbers.size].reshape(numbers.shape), both[numbers.size :].reshape(flags.shape) > 0

    def require_alike(self, facts: Mapping[str, Any]) -> None:
        """That all ranks say the same. Raises `ConfigurationError` on every one of them, naming what differs where."""
        if self.comm is None:
            return
        everyone = self._together().allgather(dict(facts))
        for rank, theirs in enumerate(everyone):
            for what, value in theirs.items():
                first = everyone[0].get(what)
                if value != first:
                    shown = f" ({value}, rank 0 {first})" if len(f"{value}{first}") < 60 else ""
                    raise ConfigurationError(
                        f"fit: rank {rank} of {self.size} has another {what} than rank 0{shown}; start every rank with "
                        "the same program on the same files."
                    )


ALONE = Team()


def working(distributed: bool, deterministic: bool = True) -> contextlib.AbstractContextManager[Team]:
    """The team of a run, whose ranks are watched inside; within another such block it is the same team.

    Where an error leaves the block on every rank, as bad data do, each rank raises its own. Where it leaves it on some
    of them, rank 0 prints the first in a line, and the others end.
    """
    return _meeting(deterministic) if distributed else contextlib.nullcontext(ALONE)


@contextlib.contextmanager
def _meeting(deterministic: bool) -> Iterator[Team]:
    from . import meeting

    comm, watch = meeting.joined()
    team = Team(comm, watch, deterministic)
    with team.together():
        yield team


def quiet() -> bool:
    """Whether an error is not this process's to print: another rank does, or has, or the watch has done it."""
    from . import meeting

    return meeting.quiet()
