"""Adam's step in one pass through the memory, where NumPy makes fourteen: the same numbers to the last bit."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...optimizers import Adam, AdamW, Optimizer
from . import library

__all__ = ["step_in_one_pass"]

_LARGE = 2**12  # parameters from which a call pays


@cache
def _function(dtype: str) -> Any:
    """The kernel, or None where there is no machine code or it cannot give the bits."""
    if library.why_missing() is not None:
        return None
    whole, pointer = ctypes.c_int64, ctypes.c_void_p
    kind = ctypes.CFUNCTYPE(whole, whole, *[pointer] * 8)
    function = kind((f"adam_{dtype}", library.load()))
    nothing = np.zeros(8)
    return function if function(0, *[nothing.ctypes.data] * 8) else None


def step_in_one_pass(
    member: Optimizer, xp: Any, step: int, rate: float, parameter: NDArray[Any], gradient: NDArray[Any], *slots: Any
) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """`member.pure_update` for arrays of one shape and dtype; Adam and AdamW of large ones by the kernel.

    >>> p, g, m, v = np.random.default_rng(0).random((4, 5000), np.float32)
    >>> apart, together = Adam().pure_update(np, 3, 0.1, p, g, m, v), step_in_one_pass(Adam(), np, 3, 0.1, p, g, m, v)
    >>> bool((apart[0] == together[0]).all() and (apart[1]["cache"] == together[1]["cache"]).all())
    True
    """
    given, large = (parameter, gradient, *slots), parameter.size >= _LARGE
    function = _function(parameter.dtype.name) if large and type(member) in (Adam, AdamW) else None
    if function is None or not all(array.flags.c_contiguous for array in given):
        found: tuple[NDArray[Any], dict[str, NDArray[Any]]] = member.pure_update(xp, step, rate, *given)
        return found
    assert isinstance(member, Adam)
    first, second = member.beta_1, member.beta_2
    moments = [number for beta in (first, second) for number in (beta, 1 - beta, 1 - beta ** (step + 1))]
    settings = np.array([rate, *moments, member.epsilon])
    moved, momentum, squares = (np.empty_like(parameter) for _ in range(3))
    arrays = (settings, *given, moved, momentum, squares)
    function(parameter.size, *[array.ctypes.data for array in arrays])
    return moved, {"momentum": momentum, "cache": squares}
