"""Who has come to where MPI begins: each rank shows itself to the others of its machine before it waits for them.

MPI does not say for whom it waits. So a rank listens at an address that follows from the launcher's words for the job
and the rank, one of Linux's that no file holds and that goes with the process; whoever has waited too long asks there.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Arrivals", "started"]

# What launchers tell a process: Open MPI and PRRTE, MPICH and its kin, srun
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS", "SLURM_STEP_NUM_TASKS")
_RANKS = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")
_NEAR = ("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS")
_JOBS = ("PMIX_NAMESPACE", "SLURM_STEP_ID", "SLURM_JOB_ID", "PMI_JOBID")


def started(environment: Mapping[str, str] = os.environ) -> int:
    """How many ranks the launcher started, as it says.

    >>> started({"OMPI_COMM_WORLD_SIZE": "4"}), started({})
    (4, 1)
    """
    return max(_numbers(_SIZES, environment), default=1)


def _numbers(names: tuple[str, ...], environment: Mapping[str, str]) -> list[int]:
    return [int(environment[name]) for name in names if environment.get(name, "").isdigit()]


@dataclass
class Arrivals:
    """Surrounds the wait; `absent` says in words who is not there."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def __post_init__(self) -> None:
        self.size, self.rank = started(self.environment), next(iter(_numbers(_RANKS, self.environment)), None)
        near = _numbers(_NEAR, self.environment)
        self.near = near[0] if near else None  # ranks of this machine
        self.job = "-".join(self.environment.get(name, "") for name in _JOBS)
        self.shown: socket.socket | None = None

    def __enter__(self) -> Arrivals:
        if sys.platform == "linux" and self.rank is not None and self.job.strip("-"):
            shown = socket.socket(socket.AF_UNIX)
            try:
                shown.bind(self._address(self.rank))
                shown.listen(self.size)
                self.shown = shown
            except OSError:
                shown.close()
        return self

    def __exit__(self, *error: object) -> None:
        if self.shown is not None:
            self.shown.close()

    def _address(self, rank: int) -> str:
        return f"\0chainrule-{os.getuid()}-{self.job}-{rank}"

    def _there(self, rank: int) -> bool:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(1)
            return asking.connect_ex(self._address(rank)) == 0

    def present(self) -> list[int]:
        """The ranks of this machine that have come, this one among them; none where nobody can show itself."""
        return [] if self.shown is None else [rank for rank in range(self.size) if self._there(rank)]

    def absent(self, present: list[int]) -> str:
        """Who has not come, in words."""
        if not present or self.near is None:
            return f"not every one of the {self.size} ranks has started"
        if len(present) == self.near and self.near < self.size:
            return f"not every one of the {self.size} ranks has started; those of {socket.gethostname()} have"
        if self.near < self.size:
            return f"{len(present)} of the {self.near} ranks of {socket.gethostname()} have started, not all"
        away = [str(rank) for rank in range(self.size) if rank not in present]
        if not away:
            return f"all {self.size} ranks have started, and MPI does not join them"
        words = f"rank {away[0]}" if len(away) == 1 else f"ranks {', '.join(away[:-1])} and {away[-1]}"
        return f"{words} of {self.size} {'has' if len(away) == 1 else 'have'} not started"
