"""How the ranks meet: mpirun or srun has started them, MPI joins them, and each connects its watch to rank 0's."""

from __future__ import annotations

import atexit
import ctypes
import importlib
import os
import secrets
import socket
import sys
import threading
import time
from typing import Any

import numpy as np

from ..errors import ChainruleError, ConfigurationError
from .arrivals import Arrivals, started
from .watch import Watch, patience, say

__all__ = ["joined", "quiet"]

_met: tuple[Any, Watch | None] | None = None
_leads = True  # whether this is rank 0, as far as is known


def joined() -> tuple[Any, Watch | None]:
    """The communicator and the watch of this process; (None, None) where it was started alone.

    Raises `ConfigurationError` where mpi4py is missing, or ranks have other versions.
    """
    global _met  # noqa: PLW0603  # a process is one rank, from its first run to its end
    if _met is None:
        _met = _meet()
    return _met


def quiet() -> bool:
    """Whether an error of this process is printed by another, or has been."""
    watch = None if _met is None else _met[1]
    return not _leads or (watch is not None and watch.told)


def _meet() -> tuple[Any, Watch | None]:
    global _leads  # noqa: PLW0603
    if started() == 1 and "mpi4py.MPI" not in sys.modules:
        return None, None
    MPI = _initialized()
    if started() > 1:
        sys.excepthook = _line_of(sys.excepthook)
    if MPI.COMM_WORLD.size == 1:
        if started() > 1:
            _leads = not Arrivals().rank  # every process is alone, and says the same
            raise ConfigurationError(
                f"fit: {started()} processes were started, and MPI joins none of them; with Slurm write "
                "srun --mpi=pmix, or start them by mpirun of the same MPI."
            )
        return None, None
    comm = MPI.COMM_WORLD.Dup()
    _leads = comm.rank == 0
    return comm, _watched(comm)


def _line_of(usual: Any) -> Any:
    """How a program's last error is printed: what the library refuses on every rank alike is a line of rank 0."""

    def hook(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
        if not isinstance(error, ChainruleError):
            usual(kind, error, traceback)
        elif not quiet():
            say(" ".join(str(error).split()))

    return hook


def _initialized() -> Any:
    """mpi4py's MPI, initialized: here, unless the program has done it."""
    try:
        mpi4py: Any = importlib.import_module("mpi4py")
    except ModuleNotFoundError:
        raise ConfigurationError(
            'fit: distributed=True under mpirun needs mpi4py: pip install "chainrule[mpi]".'
        ) from None
    mpi4py.rc.initialize = False  # and so not finalized by it: after a failure that would wait for the dead
    try:
        MPI: Any = importlib.import_module("mpi4py.MPI")
    except (ImportError, RuntimeError) as error:
        raise ConfigurationError(f'fit: mpi4py finds no MPI library ({error}): pip install "chainrule[mpi]".') from None
    if not MPI.Is_initialized():
        with _Deadline():
            _wait_for_all(MPI)
        atexit.register(_leave, MPI)
    return MPI


def _wait_for_all(MPI: Any) -> None:
    """MPI_Init_thread; mpi4py's holds Python's lock meanwhile, which would stop the deadline's clock."""
    try:
        start = ctypes.CDLL(MPI.__file__).MPI_Init_thread
    except (OSError, AttributeError):
        MPI.Init_thread(MPI.THREAD_SERIALIZED)
        return
    start(None, None, ctypes.c_int(MPI.THREAD_SERIALIZED), ctypes.byref(ctypes.c_int()))
    for comm in (MPI.COMM_WORLD, MPI.COMM_SELF):
        comm.Set_errhandler(MPI.ERRORS_RETURN)  # as mpi4py sets it


class _Deadline:
    """Ends the process where the ranks have not all come within twice the time for which a rank may be silent."""

    def __enter__(self) -> None:
        self.arrivals, self.seconds, self.met = Arrivals().__enter__(), 2 * patience(), threading.Event()
        threading.Thread(target=self._count, daemon=True).start()

    def __exit__(self, *error: object) -> None:
        self.met.set()
        self.arrivals.__exit__()

    def _count(self) -> None:
        """Seconds in which this process ran: where it stood still, the others may have, too."""
        left, before = self.seconds, time.monotonic()
        while not self.met.wait(0.1):
            now = time.monotonic()
            left, before = left - min(now - before, 1.0), now
            if left <= 0:
                self._end()

    def _end(self) -> None:
        """The first that is there says it. Who seems away may have said it and gone: then mpirun ends all soon."""
        present = self.arrivals.present()
        if present and self.arrivals.rank:
            time.sleep(2.0 if self.arrivals.rank == present[0] else 4.0)
        say(f"{self.arrivals.absent(present)} after {self.seconds:g} s; the others waited, at step 0.")
        os._exit(1)


def _leave(MPI: Any) -> None:
    """At the end of the process, unless something went wrong: then it ends without waiting for the others."""
    watch = None if _met is None else _met[1]
    if watch is None or watch.leave():
        MPI.Finalize()


def _watched(comm: Any) -> Watch:
    """The watch of this rank, connected."""
    facts = (_version("chainrule"), np.__version__, socket.gethostname())
    everyone = comm.allgather(facts)
    for rank, (version, numpy, _) in enumerate(everyone):
        if (version, numpy) != everyone[0][:2]:
            first = everyone[0]
            raise ConfigurationError(
                f"fit: rank {rank} of {comm.size} has chainrule {version} and NumPy {numpy}, rank 0 has {first[0]} and "
                f"{first[1]}; install the same versions on every machine."
            )
    near = len({host for *_, host in everyone}) == 1
    if comm.rank == 0:
        listener = socket.create_server(("127.0.0.1" if near else "", 0), backlog=comm.size)
        token = secrets.token_hex(16)
        comm.bcast((_addresses(near), listener.getsockname()[1], token))
        sockets = _accepted(listener, comm.size - 1, token)
    else:
        hosts, port, token = comm.bcast(None)
        sockets = _connected(hosts, port, f"{token} {comm.rank}\n")
    missing = [rank for rank, there in enumerate(comm.allgather(bool(sockets))) if not there]
    if missing:
        raise ConfigurationError(
            f"fit: rank {missing[-1]} of {comm.size} cannot reach rank 0 on {everyone[0][2]} by TCP; "
            "the machines of all ranks must reach one another."
        )
    watch = Watch(comm.rank, comm.size, sockets)
    watch.start()
    return watch


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _addresses(near: bool) -> list[str]:
    if near:
        return ["127.0.0.1"]
    name = socket.gethostname()
    try:
        found = [str(info[4][0]) for info in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
    except OSError:
        found = []
    return [name, *dict.fromkeys(found)]


def _accepted(listener: socket.socket, count: int, token: str) -> dict[int, socket.socket]:
    """A connection from each of the other ranks, empty where one does not come; strangers are turned away."""
    found: dict[int, socket.socket] = {}
    listener.settimeout(patience())
    try:
        while len(found) < count:
            connection, _ = listener.accept()
            connection.settimeout(2)
            try:
                said, _, rank = connection.makefile().readline(128).strip().partition(" ")
            except (OSError, ValueError):
                said = ""
            if not secrets.compare_digest(said.encode(), token.encode()):
                connection.close()
                continue
            found[int(rank)] = connection
    except OSError:
        return {}
    finally:
        listener.close()
    return found


def _connected(hosts: list[str], port: int, greeting: str) -> dict[int, socket.socket]:
    for host in hosts:
        try:
            connection = socket.create_connection((host, port), timeout=5)
            connection.sendall(greeting.encode())
        except OSError:
            continue
        return {0: connection}
    return {}
