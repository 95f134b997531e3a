"""Whether a table fits into the memory that is free, before it is read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import ConfigurationError
from .frames import optional

__all__ = ["free_memory", "require_memory", "require_room"]

_CELL = 12  # bytes: a number in float64, and once more in float32 among the inputs
_SAMPLE = 65536  # bytes of a file of text that tell how long its cells are
_SMALL = 2**24  # bytes of a file that need no look


def require_room(path: str | os.PathLike[str]) -> None:
    """That the table in a file fits into the free memory. Raises `ConfigurationError`, with how to read it in pieces.

    It counts what reading takes at least; a table that just does not fit may pass.
    """
    if not os.path.isfile(path) or os.path.getsize(path) < _SMALL:
        return
    needed, there = _needed(os.fspath(path)), free_memory()
    if there is not None and needed > there:
        raise ConfigurationError(
            f"{os.fspath(path)} takes at least {needed / 1e9:,.1f} GB as a table in memory, and {there / 1e9:,.1f} GB "
            "are free; write datasets.stream(..., memory='500MB'), which reads it in pieces."
        )


def require_memory(path: str, memory: int) -> None:
    """That the table in a file of text fits into so many bytes, as it is read whole. Raises `ConfigurationError`."""
    needed = _needed(path)
    if needed > memory:
        raise ConfigurationError(
            f"memory: {path} takes at least {-(-needed // 10**6)} MB as a table, and a file of text is read whole; "
            f"write memory='{-(-needed * 3 // 2 // 10**6)}MB', cut it into smaller files, or write it as Parquet."
        )


def _needed(path: str) -> int:
    with open(path, "rb") as file:
        sample = file.read(_SAMPLE)
    if sample.startswith(b"PAR1"):
        return _of_parquet(path)
    if sample.startswith((b"\x1f\x8b", b"PK")):  # packed
        return os.path.getsize(path)
    counts = [sample.count(mark) for mark in (b",", b";", b"\t", b"|")]
    cells = max(counts) + sample.count(b"\n")
    return _CELL * (os.path.getsize(path) * cells // max(1, len(sample)))


def _of_parquet(path: str) -> int:
    parquet = optional("pyarrow.parquet", "Reading a Parquet file")
    try:
        meta = parquet.ParquetFile(path).metadata
    except (OSError, ValueError):
        return 0  # whoever reads it says what is wrong
    return _CELL * int(meta.num_rows) * int(meta.num_columns)


def free_memory() -> int | None:
    """Bytes that this process may still take, as the system, its control group and its own limit say; None where none
    of them is known.
    """
    return min(_limits(), default=None)


def _limits() -> Iterator[int]:
    text = _read("/proc/meminfo")
    if found := re.search(r"MemAvailable:\s+(\d+) kB", text):
        yield int(found[1]) * 1024
    group = re.search(r"^0::(/.*)$", _read("/proc/self/cgroup"), re.M)
    for folder in {"/sys/fs/cgroup", f"/sys/fs/cgroup{group[1]}" if group else "/sys/fs/cgroup"}:
        most, taken = _read(f"{folder}/memory.max").strip(), _read(f"{folder}/memory.current").strip()
        files = re.search(r"^file (\d+)$", _read(f"{folder}/memory.stat"), re.M)  # the system takes these back
        if most.isdigit() and taken.isdigit():
            yield max(0, int(most) - int(taken) + (int(files[1]) if files else 0))
    limit, used = _address_space()
    if limit is not None:
        yield max(0, limit - used)


def _address_space() -> tuple[int | None, int]:
    try:
        import resource
    except ImportError:  # not on this system
        return None, 0
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    size = re.search(r"VmSize:\s+(\d+) kB", _read("/proc/self/status"))
    return (None if limit == resource.RLIM_INFINITY else limit), int(size[1]) * 1024 if size else 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
