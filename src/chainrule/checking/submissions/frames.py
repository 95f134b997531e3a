"""Messages between two processes: plain values and arrays in a format of their own, with limits, and never a pickle.

A message is two lengths, a header in JSON, and the bytes of its arrays one after the other. In the header an array is
its dtype, its shape and nothing else; what is no plain value stays with the process that has it, under a number.
"""

from __future__ import annotations

import json
import math
import re
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Channel", "Ended", "Kept", "decoded", "encoded"]

_LENGTHS = struct.Struct(">II")  # of the header and of the arrays
_HEADER = 2**20  # bytes
_BODY = 64 * 2**20
_DTYPE = re.compile(r"[<>|][biufc](1|2|4|8|16)")
_MALFORMED = (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError, MemoryError, AttributeError)


class Kept(NamedTuple):
    """Something that cannot be sent, by the number under which the other process keeps it."""

    number: int


class Ended(BaseException):
    """Raised where nothing more will come of the other process; no code that is checked may catch it.

    `kind` is "time_limit", "no_answer" where it ended or closed its side, or "garbage" where it sent no message.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


# Values as messages


def encoded(value: Any, keep: Callable[[Any], int] | None = None) -> bytes:
    """A message with its lengths. `keep` gives a number to what is no plain value; without it, that is a TypeError."""
    blobs: list[bytes] = []
    header = json.dumps(_plain(value, blobs, keep)).encode()
    size = sum(map(len, blobs))
    if len(header) > _HEADER or size > _BODY:
        raise ValueError(f"{(len(header) + size) / 2**20:.0f} MB are too much for one message")
    return b"".join((_LENGTHS.pack(len(header), size), header, *blobs))


def _plain(value: Any, blobs: list[bytes], keep: Callable[[Any], int] | None) -> Any:
    if value is None or type(value) in (bool, str, float) or (type(value) is int and abs(value) < 2**63):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufc":
        array = np.array(value, order="C")
        if array.dtype.itemsize > (16 if array.dtype.kind == "c" else 8):  # long doubles
            array = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
        blobs.append(array.tobytes())
        return {"array": [array.dtype.str, list(array.shape), isinstance(value, np.generic)]}
    if type(value) is list:
        return [_plain(each, blobs, keep) for each in value]
    if type(value) is tuple:
        return {"tuple": [_plain(each, blobs, keep) for each in value]}
    if type(value) is dict and all(type(key) is str for key in value):
        return {"dict": {key: _plain(each, blobs, keep) for key, each in value.items()}}
    if isinstance(value, Kept):
        return {"kept": value.number}
    if keep is None:
        raise TypeError(f"{type(value).__name__} cannot be sent")
    return {"kept": keep(value)}


def decoded(header: bytes, body: bytes, kept: Callable[[int], Any] = Kept) -> Any:
    """The value of a message. Raises `Ended` where it is none.

    >>> message = encoded({"x": np.array([1.0, 2.0]), "shape": (2,)})
    >>> lengths, rest = message[:8], message[8:]
    >>> decoded(rest[:-16], rest[-16:])
    {'x': array([1., 2.]), 'shape': (2,)}
    """
    position = 0

    def array(dtype: str, shape: list[int], scalar: bool) -> Any:
        nonlocal position
        if not _DTYPE.fullmatch(dtype) or len(shape) > 32 or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
            raise ValueError("no array")
        kind = np.dtype(dtype)
        size = math.prod(shape) * kind.itemsize
        if position + size > len(body):
            raise ValueError("too few bytes")
        found = np.frombuffer(body, kind, math.prod(shape), position).reshape(shape).copy() if size else None
        position += size
        found = np.zeros(shape, kind) if found is None else found
        return found[()] if scalar and not found.ndim else found

    def value(item: Any) -> Any:
        if isinstance(item, list):
            return [value(each) for each in item]
        if not isinstance(item, dict):
            return item
        ((form, content),) = item.items()
        if form == "dict":
            return {key: value(each) for key, each in content.items()}
        if form == "tuple":
            return tuple(value(each) for each in content)
        if form == "array":
            return array(*content)
        if form == "kept" and type(content) is int:
            return kept(content)
        raise ValueError("no value")

    try:
        return value(json.loads(header))
    except _MALFORMED:
        raise Ended("garbage") from None


# Sending and receiving


class Channel:
    """One end of a pair of sockets, which waits no longer than until its deadline."""

    def __init__(self, end: socket.socket, deadline: float = math.inf) -> None:
        self.socket, self.deadline = end, deadline

    def send(self, message: bytes) -> None:
        """Send a message. Raises `Ended` where the other side does not take it."""
        self._wait()
        try:
            self.socket.sendall(message)
        except TimeoutError:
            raise Ended("time_limit") from None
        except OSError:
            raise Ended("no_answer") from None

    def receive(self) -> tuple[bytes, bytes]:
        """The header and the body of the next message. Raises `Ended` where none comes, or one beyond the limits."""
        header, body = _LENGTHS.unpack(self._read(_LENGTHS.size))
        if header > _HEADER or body > _BODY:
            raise Ended("garbage")
        return bytes(self._read(header)), bytes(self._read(body))

    def _read(self, size: int) -> bytearray:
        """This many bytes: memory is taken as they come, not as they are announced."""
        found = bytearray()
        while len(found) < size:
            self._wait()
            try:
                part = self.socket.recv(min(size - len(found), 2**20))
            except TimeoutError:
                raise Ended("time_limit") from None
            except OSError:
                raise Ended("no_answer") from None
            if not part:
                raise Ended("no_answer")
            found += part
        return found

    def _wait(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Ended("time_limit")
        self.socket.settimeout(None if left == math.inf else left)
