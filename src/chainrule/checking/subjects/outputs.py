"""What code written elsewhere gives: its outputs among what it returns or stores, as one array and apart again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .objects import from_lists

__all__ = ["apart", "outputs_of", "stored_output", "together"]

_STORED = ("output", "out", "outputs", "y", "y_pred", "a", "A", "activation")


def stored_output(item: Any) -> Any:
    """The output that an object stored, under one of the usual names; None without one."""
    stored = [from_lists(getattr(item, name, None)) for name in _STORED]
    return next((each for each in stored if isinstance(each, np.ndarray | float)), None)


def outputs_of(returned: Any, places: Sequence[int]) -> list[NDArray[Any]]:
    """The outputs among what forward returned."""
    chosen = [returned[place] for place in places] if places else [returned]
    flat: list[NDArray[Any]] = []
    for each in map(_by_steps, chosen):
        if isinstance(each, list | tuple) and each and all(isinstance(e, np.ndarray) for e in each):
            flat += list(each)
        else:
            flat.append(np.asarray(each))
    return flat


def _by_steps(value: Any) -> Any:
    """A dict with one entry for each step in time as the list of these; anything else as it is."""
    steps = isinstance(value, dict) and bool(value) and all(isinstance(key, int) for key in value)
    return [value[key] for key in sorted(value)] if steps else value


def _side_by_side(shapes: Sequence[tuple[int, ...]]) -> bool:
    return len({shape[:-1] for shape in shapes}) == 1 and all(len(shape) > 1 for shape in shapes)


def together(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Several outputs as one array: side by side, or one after the other where their shapes differ."""
    if len(parts) == 1:
        return parts[0]
    if _side_by_side([part.shape for part in parts]):
        return np.concatenate(parts, axis=-1)
    return np.concatenate([part.reshape(-1) for part in parts])


def apart(whole: NDArray[Any], shapes: Sequence[tuple[int, ...]]) -> list[NDArray[Any]]:
    """What `together` put into one array, each with its own shape."""
    if len(shapes) == 1:
        return [whole]
    if _side_by_side(shapes):
        return [np.ascontiguousarray(p) for p in np.split(whole, np.cumsum([s[-1] for s in shapes])[:-1], -1)]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(whole, ends), shapes, strict=True)]
