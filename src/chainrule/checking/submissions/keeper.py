"""Runs one command and ends all that came of it, children that left its group and session too.

It is run by its path, in a Python that imports nothing: `keeper.py MOST USER COMMAND...`, where MOST is how many
processes there may be at once, and USER a number or "-". It ends with the command, with SIGTERM, or with its parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

TOO_MANY, NO_START = 250, 251  # codes with which it ends, beside those of the command
_DEATH_SIGNAL, _SUBREAPER, _NO_NEW_PRIVILEGES = 1, 36, 38  # numbers of prctl
_LOOK = 0.2  # seconds between two looks at how many there are


def _prctl(number: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(number, value, 0, 0, 0)


def descendants() -> list[int]:
    """All processes below this one, those that lost their parents among them; none where /proc is not there."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except (OSError, ValueError):  # it has ended meanwhile
                continue
            if state != b"Z":
                children.setdefault(int(parent), []).append(int(name))
    found = [os.getpid()]
    for pid in found:
        found += children.get(pid, [])
    return found[1:]


def _start(user: str, command: list[str]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if user != "-":
            os.setgroups([])
            os.setgid(int(user))
            os.setuid(int(user))
        _prctl(_DEATH_SIGNAL, signal.SIGKILL)
        _prctl(_NO_NEW_PRIVILEGES, 1)
        os.execv(command[0], command)
    finally:
        os._exit(NO_START)


def _end_all(child: int) -> None:
    """Stop every process before one is killed, so that none starts another meanwhile, and again until none is left."""
    for _ in range(400):
        pids = descendants()
        if not pids:
            break
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                _signal(os.kill, pid, number)
        _reap()
        time.sleep(0.005)
    if not os.path.isdir("/proc"):
        _signal(os.killpg, child, signal.SIGKILL)


def _signal(send: Callable[[int, int], None], pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended meanwhile
        send(pid, number)


def _waited(signals: set[signal.Signals]) -> set[int]:
    """The signals that came, after a while at most."""
    if sys.platform != "linux":
        time.sleep(0.02)
        return {*signal.sigpending()} & {*map(int, signals)}
    got = signal.sigtimedwait(signals, _LOOK)
    return set() if got is None else {got.si_signo}


def _reap() -> dict[int, int]:
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        ended[pid] = status


def main(most: int, user: str, command: list[str]) -> int:
    """The exit code of the command: 128 and more where a signal ended it."""
    parent = os.getppid()
    waited = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    _prctl(_SUBREAPER, 1)
    _prctl(_DEATH_SIGNAL, signal.SIGTERM)
    child = _start(user, command)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)  # the command alone holds the channel
    code = None
    looked = 0.0
    while code is None and os.getppid() == parent:
        got = _waited(waited)
        status = _reap().get(child)
        if status is not None:
            code = os.waitstatus_to_exitcode(status)
        elif got & {signal.SIGTERM, signal.SIGINT}:
            break
        elif time.monotonic() - looked > _LOOK:
            looked = time.monotonic()
            code = TOO_MANY if len(descendants()) > most else None
    _end_all(child)
    return 128 + signal.SIGKILL if code is None else code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
