"""Messages between a submission and the one who judges it: they come back as they were, and garbage does no harm."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chainrule.checking.submissions.frames import Channel, Ended, Kept, decoded, encoded

NUMBERS = arrays.arrays(
    st.sampled_from(["f8", "f4", "f2", "i8", "i4", "u1", "?", "c16", ">f8"]),
    arrays.array_shapes(min_dims=0, min_side=0),
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.text() | NUMBERS,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def there_and_back(value: Any) -> Any:
    message = encoded(value)
    header, body = struct.unpack(">II", message[:8])
    assert len(message) == 8 + header + body
    return decoded(message[8 : 8 + header], message[8 + header :])


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return bool(a == b)


@given(PLAIN)
def test_what_is_sent_comes_back_as_it_was(value: Any) -> None:
    assert same(there_and_back(value), value)


def test_strided_arrays_and_scalars_and_what_stays_where_it_is() -> None:
    array = np.arange(12.0).reshape(3, 4).T[::2]
    assert np.array_equal(there_and_back(array), array)
    assert type(there_and_back(np.float32(2))) is np.float32
    assert there_and_back({"f": Kept(3)}) == {"f": Kept(3)}
    message = encoded(len, keep=lambda thing: 7 if thing is len else 0)
    assert decoded(message[8:], b"") == Kept(7)
    with pytest.raises(TypeError):
        encoded(object())


@settings(max_examples=300)
@given(st.binary() | st.text().map(str.encode), st.binary())
def test_bytes_that_are_no_message_end_the_conversation_and_nothing_else(header: bytes, body: bytes) -> None:
    try:
        decoded(header, body)
    except Ended as ended:
        assert ended.kind == "garbage"


GARBAGE = {
    "more bytes than there are": (b'{"array": ["<f8", [2], false]}', bytes(15)),
    "a negative size": (b'{"array": ["<f8", [-1], false]}', bytes(8)),
    "a size beyond all memory": (b'{"array": ["<f8", [999999999999, 999999999999], false]}', b""),
    "objects": (b'{"array": ["|O8", [1], false]}', bytes(8)),
    "text": (b'{"array": ["<U4", [1], false]}', bytes(16)),
    "nested without end": (b"[" * 10**5, b""),
    "two forms at once": (b'{"dict": {}, "tuple": []}', b""),
    "an unknown form": (b'{"pickle": "cos"}', b""),
    "a dict that is none": (b'{"dict": [1]}', b""),
    "a number of a kept thing that is none": (b'{"kept": "x"}', b""),
    "a number without end": (b"9" * 10**5, b""),
}


@pytest.mark.parametrize(("header", "body"), GARBAGE.values(), ids=GARBAGE)
def test_garbage_of_every_kind_is_told(header: bytes, body: bytes) -> None:
    with pytest.raises(Ended):
        decoded(header, body)


def test_no_memory_is_taken_for_what_is_only_announced_and_nobody_waits_for_ever() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(struct.pack(">II", 2**31, 2**31))
        with pytest.raises(Ended, match="garbage"):
            Channel(ours).receive()
        theirs.sendall(struct.pack(">II", 100, 0) + b"half")
        with pytest.raises(Ended, match="time_limit"):
            Channel(ours, time.monotonic() + 0.1).receive()
        with pytest.raises(Ended, match="time_limit"):  # nobody reads there
            Channel(ours, time.monotonic() + 0.1).send(bytes(2**24))
        theirs.close()
        with pytest.raises(Ended, match="no_answer"):
            Channel(ours).receive()


def test_a_message_that_is_too_large_is_not_sent() -> None:
    with pytest.raises(ValueError, match="too much for one message"):
        encoded(np.zeros(2**24))
