"""Which axes change their size together: the samples of all inputs at once, then widths and lengths. Found by trial."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Group

__all__ = ["find_groups", "resized"]

Run = Callable[[dict[str, Any]], NDArray[Any]]  # the output on arrays by name; raises where it does not run

_MORE = 2  # how much larger a size is made
_GATES = (2, 3, 4)  # how many widths may lie side by side in one array
_TOGETHER = 6  # arrays of which every combination is tried


def resized(array: NDArray[Any], axis: int, size: int) -> NDArray[Any]:
    """The array with its entries repeated, or cut off, along an axis.

    >>> resized(np.array([1, 2, 3]), 0, 5)
    array([1, 2, 3, 1, 2])
    """
    return np.asarray(np.take(array, np.arange(size) % array.shape[axis], axis=axis))


def find_groups(
    arrays: Mapping[str, NDArray[Any]], run: Run, first: str, inputs: Sequence[str], both: Run | None = None
) -> tuple[Group, ...]:
    """The samples' axes, then other axes that may have any size.

    `arrays` holds inputs, fixed arrays, targets and arguments that are parameters; `inputs` names those that seem to
    hold samples. A change in which the output does not follow is none. `both` runs the backward pass too, for a width
    of which others are multiples, as those of several gates side by side.
    """
    try:
        output = run(dict(arrays))
    except (Exception, SystemExit):  # the code is not ours: anything may come
        return ()
    batch = _samples(arrays, run, first, inputs, output)
    groups = [batch] if batch else []
    taken = {place for group in groups for place in group}
    others: dict[int, list[tuple[str, int]]] = {}
    for name, array in arrays.items():
        for axis, size in enumerate(array.shape):
            if size > 1 and (name, axis) not in taken:
                others.setdefault(size, []).append((name, axis))
    for size, places in others.items():
        free = batch and _follows(arrays, run, tuple(places), size, size + _MORE, None)
        if free and not (both and _leaves_gates_behind(arrays, both, places, size, others)):
            groups.append(tuple(places))
    return tuple(groups)


def _leaves_gates_behind(
    arrays: Mapping[str, NDArray[Any]],
    both: Run,
    places: Sequence[tuple[str, int]],
    size: int,
    others: Mapping[int, Sequence[tuple[str, int]]],
) -> bool:
    """Whether backward runs in the other size only if widths that are multiples of it change as well."""
    gates = [(place, k) for k in _GATES for place in others.get(k * size, ())]
    if not gates or _runs(arrays, both, [(place, size + _MORE) for place in places]):
        return False
    return _runs(arrays, both, [*((p, size + _MORE) for p in places), *((p, k * (size + _MORE)) for p, k in gates)])


def _runs(arrays: Mapping[str, NDArray[Any]], run: Run, sizes: Sequence[tuple[tuple[str, int], int]]) -> bool:
    changed = dict(arrays)
    for (name, axis), size in sizes:
        changed[name] = resized(changed[name], axis, size)
    try:
        run(changed)
    except (Exception, SystemExit):  # the code is not ours: anything may come
        return False
    return True


def _samples(
    arrays: Mapping[str, NDArray[Any]], run: Run, first: str, inputs: Sequence[str], output: NDArray[Any]
) -> Group:
    lead = arrays[first]
    for axis in dict.fromkeys((0, lead.ndim - 1)) if lead.ndim else ():
        size = lead.shape[axis]
        for group in _combinations(arrays, first, axis, size, inputs):
            if _follows(arrays, run, group, size, size + _MORE, output):
                return group
    return ()


def _combinations(
    arrays: Mapping[str, NDArray[Any]], first: str, axis: int, size: int, inputs: Sequence[str]
) -> Iterator[Group]:
    """Sets of arrays that may have the samples along this axis: those that seem to, the first alone, then others."""
    sharing = []
    for name, array in arrays.items():
        along = [0] if axis == 0 else [array.ndim - 1]
        along = [a for a in along if 0 <= a < array.ndim and array.shape[a] == size]
        if name != first and along:
            sharing.append((name, along[0]))
    lead = ((first, axis),)
    likely = tuple(place for place in sharing if place[0] in inputs)
    if arrays[first].dtype.kind in "iu":  # what they are numbers of may have as many rows by chance
        yield lead
    yield lead + likely
    yield lead
    for many in range(1, min(len(sharing), _TOGETHER) + 1):
        yield from (lead + some for some in itertools.combinations(sharing[:_TOGETHER], many))


def _reaches(arrays: Mapping[str, NDArray[Any]], run: Run, group: Group, old: int, result: NDArray[Any]) -> bool:
    """Whether what lies behind the old size moves the output: a loop over `zip` leaves it out and says nothing."""
    rng, moved = np.random.default_rng(0), dict(arrays)
    for name, axis in group:
        if arrays[name].dtype.kind == "f":
            moved[name] = arrays[name].copy()
            behind = np.moveaxis(moved[name], axis, 0)[old:]  # a view
            behind += rng.normal(size=behind.shape)
    if all(moved[name] is arrays[name] for name, _ in group):
        return True
    try:
        return not np.array_equal(run(moved), result)
    except (Exception, SystemExit):  # the code is not ours: anything may come
        return True


def _follows(
    arrays: Mapping[str, NDArray[Any]], run: Run, group: Group, old: int, new: int, output: NDArray[Any] | None
) -> bool:
    """Whether it runs in the other size, and the output has that size too where it had the old one."""
    changed = dict(arrays)
    for name, axis in group:
        changed[name] = resized(changed[name], axis, new)
    try:
        result = run(changed)
    except (Exception, SystemExit):  # the code is not ours: anything may come
        return False
    if not np.isfinite(result).all():
        return False
    if output is None or output.ndim == 0 or output.size == 1:
        return _reaches(changed, run, group, old, result)
    if result.ndim != output.ndim:
        return False
    moved = [(a, b) for a, b in zip(output.shape, result.shape, strict=True) if a != b]
    return bool(moved) and all(b == a // old * new for a, b in moved)
