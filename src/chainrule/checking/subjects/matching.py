"""Which of the arrays that a backward pass leaves behind is the gradient of what: by name, then shape, then value."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..equality import equal
from .names import close_stem, is_gradient_name, same_stem
from .objects import arrays_of, from_lists, gradient_path
from .plans import Place, leaf

__all__ = ["LeftBehind", "Wanted", "candidates", "matched"]

_INPUTS = 5  # fewer than so many may be added up


class LeftBehind(NamedTuple):
    """An array that may be a gradient."""

    source: Place
    name: str  # what its author calls it, "" where it has no name
    value: Any


class Wanted(NamedTuple):
    """An array that a gradient is looked for."""

    key: str
    shape: tuple[int, ...]
    paths: tuple[str, ...] = ()  # where it lies in the object; () for an argument
    aliases: tuple[str, ...] = ()  # the names of an argument
    free: bool = False  # whether backward says, with None in its place, that there is no gradient


def candidates(returned: Any, names: Sequence[str], item: Any, before: Mapping[str, Any]) -> list[LeftBehind]:
    """Everything that backward returned, flattened, then the arrays of the object that it made or changed."""
    found = []
    flat = list(_flattened(returned, ()))
    whole = isinstance(returned, tuple | list) and len(names) == len(returned)
    shown = [names[path[0]] if whole and len(path) == 1 else "" for path, _ in flat]
    for (path, value), name in zip(flat, names if len(names) == len(flat) else shown, strict=True):
        keys = [key for key in path if isinstance(key, str)]
        found.append(LeftBehind(Place("returned", path, keys[-1] if keys else name), keys[-1] if keys else name, value))
    if item is not None:
        for place, value in arrays_of(item, scalars=True):
            fresh = place not in before or not equal(before[place], value)
            if not fresh and any(_is_array(each.value) for each in found) and np.any(value):
                continue  # what forward kept, such as a local derivative, beside what backward gives
            if fresh or is_gradient_name(leaf(place)) or is_gradient_name(place.partition("[")[0]):
                found.append(LeftBehind(Place("stored", place, place), leaf(place), value))
    return found


def _flattened(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flattened(each, (*path, key))
    elif isinstance(from_lists(value), np.ndarray):
        yield path, from_lists(value)
    elif isinstance(value, tuple | list) and not all(isinstance(each, int | float) for each in value):
        for position, each in enumerate(value):
            yield from _flattened(each, (*path, position))
    elif value is not None or path:
        yield path, value


def matched(
    wanted: Sequence[Wanted], found: Sequence[LeftBehind], item: Any, fits: Callable[[str, Any], bool]
) -> dict[str, Place]:
    """For each wanted array the place of its gradient; what has none is left out."""
    result: dict[str, Place] = {}
    used: set[int] = set()

    def another_s(own: Wanted, candidate: LeftBehind) -> bool:
        """Whether an array is called like the gradient of another than this one."""
        others = [name for each in wanted if each is not own for name in (*each.aliases, *map(leaf, each.paths))]
        return any(same_stem(candidate.name, name) for name in others)

    def take(key: str, candidate: LeftBehind) -> None:
        result[key] = candidate.source
        used.add(id(candidate))

    parameters = {path for each in wanted for path in each.paths}
    found = [c for c in found if c.source.kind != "stored" or c.source.path not in parameters]  # none is a gradient
    for each in wanted:
        best = _by_name(each, [c for c in found if id(c) not in used], item, fits)
        if best is not None:
            take(each.key, best)
    rest = [w for w in wanted if w.key not in result]
    returned = [c for c in found if c.source.kind == "returned" and _is_array(c.value)]
    if len(returned) == len(wanted):  # one for each, in order
        pairs = [(w, c) for w, c in zip(wanted, returned, strict=True) if w in rest and id(c) not in used]
        unlike = sorted(np.shape(c.value) for _, c in pairs) != sorted(w.shape for w, _ in pairs)
        unlike &= all(np.size(c.value) > 0 for _, c in pairs)
        if all(np.shape(c.value) == w.shape or not c.name or (unlike and not another_s(w, c)) for w, c in pairs):
            for each, candidate in pairs:
                take(each.key, candidate)
    for each in [w for w in wanted if w.key not in result]:
        free = [c for c in returned if id(c) not in used]
        alike = [c for c in free if np.shape(c.value) == each.shape]
        best = next((c for c in alike if len(alike) > 1 and fits(each.key, c.value)), alike[0] if alike else None)
        if not each.paths and len(free) == 1 and len(rest) == 1:
            best = free[0]
        waiting = [w for w in rest if w is not each and w.key not in result and w.shape == each.shape]
        if best is not None and not fits(each.key, best.value) and any(fits(w.key, best.value) for w in waiting):
            continue  # it is that of another, of which no name tells
        if best is not None:
            take(each.key, best)
    inputs = [w for w in wanted if not w.paths]
    if 1 < len(returned) < len(inputs) < _INPUTS:
        stored = [c for c in found if c.source.kind == "stored"]
        own = {w.key: next((c for c in stored if fits(w.key, c.value)), None) for w in inputs}
        if all(own.values()) and _are_sums([c.value for c in returned], [c.value for c in own.values() if c]):
            result |= {key: each.source for key, each in own.items() if each is not None}
    for each in [w for w in wanted if w.key not in result and w.paths]:
        alike = [
            c for c in found if id(c) not in used and c.source.kind == "stored" and np.shape(c.value) == each.shape
        ]
        best = next((c for c in alike if fits(each.key, c.value)), None)
        if best is not None:
            take(each.key, best)
    return result


def _are_sums(sums: Sequence[Any], parts: Sequence[Any]) -> bool:
    """Whether arrays are sums of the parts, each part in one of them: where one array is handed in several times."""
    for places in itertools.product(range(len(sums)), repeat=len(parts)):
        shares = [[part for part, at in zip(parts, places, strict=True) if at == place] for place in range(len(sums))]
        alike = all(share and all(np.shape(part) == np.shape(share[0]) for part in share) for share in shares)
        if alike and all(_is_sum(whole, share) for whole, share in zip(sums, shares, strict=True)):
            return True
    return False


def _is_sum(whole: Any, parts: Sequence[Any]) -> bool:
    return np.shape(whole) == np.shape(parts[0]) and np.allclose(sum(parts[1:], parts[0]), whole, rtol=1e-9, atol=1e-12)


def _is_array(value: Any) -> bool:
    try:
        return np.asarray(value).dtype.kind in "fc" or isinstance(value, np.ndarray | int | float)
    except (ValueError, TypeError):
        return False


def _by_name(
    each: Wanted, found: Sequence[LeftBehind], item: Any, fits: Callable[[str, Any], bool]
) -> LeftBehind | None:
    scored = [(score, c) for c in found if (score := _score(each, c, item))]
    if not scored:
        return None
    top = max(score for score, _ in scored)
    best = [c for score, c in scored if score == top]
    if len(best) == 1:
        return best[0]
    alike = [c for c in best if np.shape(c.value) == each.shape]
    return next((c for c in alike if fits(each.key, c.value)), (alike or best)[0])


def _score(each: Wanted, candidate: LeftBehind, item: Any) -> int:
    """How well the names go together: 4 for a place beside the parameter, 0 for nothing in common."""
    path = candidate.source.path
    if candidate.source.kind == "stored":
        if any(gradient_path(item, own) == path for own in each.paths):
            return 4
        if not is_gradient_name(candidate.name) and not is_gradient_name(_container(path)):
            return 0
        if path in each.aliases:
            return 0  # what was handed in, kept under its own name, be it `data` or `delta`
    if not candidate.name:
        return 0
    if each.paths:
        if candidate.source.kind == "stored" and len(each.paths[0].split(".")) > 1:
            return 0  # inside another object: beside it or not at all
        names = {leaf(own) for own in each.paths}
        return 3 if any(same_stem(candidate.name, name) for name in names) else 0
    exact = any(same_stem(candidate.name, name) for name in each.aliases)
    if candidate.source.kind == "stored" and "." in path:
        return int(exact)  # that of a layer inside
    if not exact:
        return int(candidate.source.kind == "returned" and any(close_stem(candidate.name, n) for n in each.aliases))
    return 3 if candidate.source.kind == "stored" else 2


def _container(path: str) -> str:
    return re.split(r"[\[.]", path)[0]
