"""Noise as a pure function of (seed, step, node, index): every engine draws the same numbers, and none are stored.

Threefry-2x32 (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3") needs only additions,
rotations and exclusive-ors of 32-bit integers, so NumPy, JAX and compiled code agree bit for bit. A run that is resumed
after step 500 sees the same noise as one that never stopped, because the function depends on the step alone.
"""

from __future__ import annotations

import zlib
from typing import Any

__all__ = ["node_key", "threefry", "uniform"]

ROUNDS = 13  # the fewest that pass TestU01's BigCrush, according to the paper
_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_PARITY = 0x1BD11BDA


def threefry(xp: Any, key: tuple[Any, Any], counter: tuple[Any, Any], rounds: int = ROUNDS) -> tuple[Any, Any]:
    """Two words of 32 random bits from a key of two words and a counter of two words.

    All four are arrays of `xp.uint32` with at least one dimension (their shapes broadcast).

    >>> import numpy as np
    >>> zero = np.zeros(1, dtype=np.uint32)
    >>> [f"{word[0]:08x}" for word in threefry(np, (zero, zero), (zero, zero), rounds=20)]
    ['6b200159', '99ba4efe']
    """
    parity = xp.asarray([_PARITY], dtype=xp.uint32)
    schedule = (key[0], key[1], key[0] ^ key[1] ^ parity)
    left, right = counter[0] + key[0], counter[1] + key[1]
    for i in range(rounds):
        turn = _ROTATIONS[i % 8]
        left = left + right
        right = (right << turn) | (right >> (32 - turn))
        right = left ^ right
        if i % 4 == 3:
            injection = i // 4 + 1
            left = left + schedule[injection % 3]
            right = right + schedule[(injection + 1) % 3] + xp.asarray([injection], dtype=xp.uint32)
    return left, right


def node_key(name: str) -> int:
    """32 bits that make the noise of each node different: the CRC-32 of its name.

    >>> node_key("dropout_0")
    1890476719
    """
    return zlib.crc32(name.encode())


def uniform(xp: Any, seed: int, step: Any, node: int, shape: tuple[int, ...], first_row: int = 0) -> Any:
    """Uniform numbers in [0, 1), one per entry of a batch: float32, multiples of 2⁻²⁴.

    `shape` is (B, ...), and `first_row` the index of its first sample in the whole batch, so that a part of a batch
    gets the same noise as within the whole. Of the F entries of a sample, the first ⌈F/2⌉ use the first word of each
    random block and the others the second.

    >>> import numpy as np
    >>> whole = uniform(np, 0, 7, node_key("dropout_0"), (4, 3))
    >>> bool((uniform(np, 0, 7, node_key("dropout_0"), (2, 3), first_row=2) == whole[2:]).all())
    True
    """
    rows, features = shape[0], 1
    for size in shape[1:]:
        features *= size
    half = (features + 1) // 2

    def word(value: Any) -> Any:
        value = value % 2**32 if isinstance(value, int) else value
        return xp.reshape(xp.asarray(value, dtype=xp.uint32), (1, 1))

    index = xp.asarray(xp.arange(rows * half), dtype=xp.uint32)
    index = xp.reshape(index, (rows, half)) + word(first_row * half % 2**32)
    first, second = threefry(xp, (word(seed), word(node)), (word(step), index))
    bits = xp.concat([first, second], axis=1)[:, :features]  # (B, F)
    return xp.reshape(xp.astype(bits >> 8, xp.float32) * 2.0**-24, shape)
