"""Where a submission runs: a process of its own in a folder of its own, as shut in as this machine allows."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import site
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .frames import Channel

__all__ = ["Isolation", "Limits", "Process", "isolation"]

_KEEPER = Path(__file__).with_name("keeper.py")
_ROOT = Path(__file__).parents[3]  # the folder that holds the package
_NOBODY = 65534
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
_PATIENCE = 5.0  # seconds for ending what is to end


@dataclass(frozen=True)
class Limits:
    """The limits for one submission: seconds, megabytes of memory and of each file it writes, and processes."""

    seconds: float = 60.0
    megabytes: int = 2048
    file_megabytes: int = 64
    processes: int = 32


class Isolation(NamedTuple):
    """How a submission is kept apart: "bubblewrap", "user" (another user's rights) or "process" (the same rights)."""

    kind: str
    says: str


def _command(kind: str, folder: Path, most: int, inner: Sequence[str]) -> list[str]:
    """What starts a program below the keeper."""
    shut = _bubblewrap(folder) if kind == "bubblewrap" else []
    user = str(_NOBODY) if kind == "user" else "-"
    return [sys.executable, "-I", "-S", str(_KEEPER), str(most), user, *shut, sys.executable, "-P", *inner]


def _bubblewrap(folder: Path) -> list[str]:
    """bwrap, with the system and Python to be read, the submission's folder to be written, and nothing else."""
    packages = [_ROOT / "chainrule", Path(np.__file__).parents[1], Path(site.getusersitepackages())]
    python = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parents[1]]
    read = dict.fromkeys(str(path) for path in (*_SYSTEM, *python, *packages) if str(path) != "/")
    binds = [word for path in read for word in ("--ro-bind-try", path, path)]
    return [
        shutil.which("bwrap") or "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
        "--proc", "/proc", "--dev", "/dev", *binds, "--bind", str(folder), str(folder), "--chdir", str(folder),
        "--remount-ro", "/dev", "--remount-ro", "/", "--",
    ]  # fmt: skip


def _environment(folder: Path) -> dict[str, str]:
    """What a submission sees of the environment: nothing of the one who checks it."""
    paths = [str(_ROOT), str(Path(np.__file__).parents[1])]
    own = {
        "PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(paths), "PYTHONUSERBASE": site.getuserbase(), "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
    }  # fmt: skip
    kept = ("LD_LIBRARY_PATH", "SYSTEMROOT")
    return own | {name: os.environ[name] for name in kept if name in os.environ}


@functools.cache
def isolation() -> Isolation:
    """The strictest way that works here, found by trying."""
    if shutil.which("bwrap") and _works("bubblewrap"):
        return Isolation("bubblewrap", "Submissions run under bubblewrap: they see neither your files nor the network.")
    why = "does not work here" if shutil.which("bwrap") else "is not installed"
    open_ = f"bubblewrap (bwrap) {why}: submissions can read what"
    if hasattr(os, "getuid") and os.getuid() == 0 and _works("user"):
        return Isolation("user", f"{open_} every user of this machine can read, and reach the network.")
    return Isolation("process", f"{open_} you can read, and do what you can do. Check strangers' work elsewhere.")


def _works(kind: str) -> bool:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        hand_over(Path(folder), kind)
        command = _command(kind, Path(folder), 32, ["-c", "import chainrule.checking, os; open('a', 'w').close()"])
        try:
            ran = subprocess.run(
                command, cwd=folder, env=_environment(Path(folder)), capture_output=True, timeout=60,
                stdin=subprocess.DEVNULL, check=False,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return False
        return ran.returncode == 0


def hand_over(folder: Path, kind: str) -> None:
    """Make everything in a folder the property of the user under whose rights a submission runs."""
    if kind == "user":
        for path in (folder, *folder.rglob("*")):
            os.chown(path, _NOBODY, _NOBODY, follow_symlinks=False)


class Process:
    """A process that runs `worker` in a folder, and the channel to it."""

    def __init__(self, folder: Path, limits: Limits, kind: str) -> None:
        ours, theirs = socket.socketpair()
        hand_over(folder, kind)
        with theirs:
            self.process = subprocess.Popen(
                _command(kind, folder, limits.processes + 8, ["-m", "chainrule.checking.submissions.worker"]),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                env=_environment(folder),
                start_new_session=True,
            )
        self.channel = Channel(ours, time.monotonic() + limits.seconds)

    def end(self) -> int:
        """Kill it, and all that it started; the code with which it ended by itself, or that of being killed."""
        self.channel.socket.close()
        try:
            return self.process.wait(0.2)  # it may have ended, or ends since nobody asks any more
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
