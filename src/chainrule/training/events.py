"""TensorBoard event files, written by hand: a record is its length, its bytes and a checksum of each.

The format is TFRecord around the protocol buffers `Event` and `Summary`, of which only scalars are needed here.
"""

from __future__ import annotations

import contextlib
import math
import struct
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["EventFile", "crc32c"]


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)  # noqa: PLW2901
        table.append(byte)
    return tuple(table)


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The CRC-32 with Castagnoli's polynomial (RFC 3720, whose example this is).

    >>> hex(crc32c(bytes(32)))
    '0x8a9136aa'
    """
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder = _TABLE[(remainder ^ byte) & 0xFF] ^ (remainder >> 8)
    return remainder ^ 0xFFFFFFFF


class EventFile:
    """A new event file in a folder; `scalars` appends numbers at a step, and each call is flushed."""

    def __init__(self, folder: str | Path) -> None:
        import os
        import socket
        from pathlib import Path

        now = time.time()
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(now)}.{socket.gethostname()}.{os.getpid()}.{time.perf_counter_ns()}"
        self._file = (target / name).open("xb")
        self._write(_double(1, now) + _text(3, b"brain.Event:2"))

    def scalars(self, step: int, numbers: Mapping[str, float]) -> None:
        """Append numbers by name at a step."""
        values = b"".join(_text(1, _text(1, name.encode()) + _float(2, value)) for name, value in numbers.items())
        self._write(_double(1, time.time()) + _integer(2, step) + _text(5, values))

    def close(self) -> None:
        """End the file."""
        self._file.close()

    def _write(self, event: bytes) -> None:
        length = struct.pack("<Q", len(event))
        self._file.write(length + _masked(length) + event + _masked(event))
        self._file.flush()


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


# Fields of a protocol buffer: number and wire type in one varint, then the value


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    with contextlib.suppress(OverflowError):
        return _varint(field << 3 | 5) + struct.pack("<f", value)
    return _float(field, math.copysign(math.inf, value))


def _text(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
