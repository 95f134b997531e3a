"""Gradients whose numbers are right and whose order is not: an axis reversed, shifted, or changed for another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..measuring.comparison import Comparison
from .candidates import Candidate

__all__ = ["orders"]


def orders(m: Comparison) -> Iterator[Candidate]:
    """The array flipped or shifted along an axis, or with two axes changed for each other."""
    if not m.complete or m.value.ndim < 1 or m.value.size < 3:
        return
    right: NDArray[np.float64] = m.expected.reshape(m.value.shape)
    for axis, size in enumerate(right.shape):
        if size < 2:
            continue
        which = f"axis {axis}{_called(m, axis)}"
        says = f"The numbers are right and their order is not: {which} is reversed."
        yield Candidate("flipped_axis", np.flip(right, axis).reshape(-1), says)
        if size > 2:
            for by in (1, -1):
                says = f"The numbers are right and their order is not: {which} is shifted by one."
                yield Candidate("shifted_axis", np.roll(right, by, axis).reshape(-1), says)
    for a in range(right.ndim):
        for b in range(a + 1, right.ndim):
            if right.ndim > 2 and right.shape[a] == right.shape[b] > 1:
                says = f"The numbers are right and their order is not: axes {a} and {b} are changed for each other."
                yield Candidate("swapped_axes", right.swapaxes(a, b).reshape(-1), says)


def _called(m: Comparison, axis: int) -> str:
    """What an axis usually holds, in brackets."""
    kernels = any(value.ndim > 2 for value in m.setting.subject.parameters.values())
    if m.name in m.setting.subject.parameters:
        return ", along the kernel," if m.value.ndim > 2 and axis >= 2 else ""
    if m.value.ndim == 4 or (m.value.ndim == 3 and kernels):
        return (", the samples,", ", the channels,", ", along the picture,", ", along the picture,")[axis]
    if m.value.ndim == 3:
        return (", the samples,", ", the time steps,", ", the features,")[axis]
    return (", the samples,", ", the features,")[axis] if m.value.ndim == 2 else ""
