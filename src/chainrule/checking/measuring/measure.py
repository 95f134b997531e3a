"""Compares the gradients that an object returns with numeric derivatives of its forward pass, entry by entry."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import nudge
from .allowances import allow_for_rounding, allow_for_the_small_number, set_clipped_apart, set_kinks_apart
from .comparison import Comparison, Tolerance
from .derivatives import Derivatives
from .setting import Setting

__all__ = ["measure"]

Floats = NDArray[Any]

_SMALL = 24  # arrays up to this size are compared entry by entry in the first setting; larger ones, and all in others,
_DIRECTIONS = 3  # along this many random directions, each of which moves every entry,
_FEW = 3  # and in this many entries; where a direction disagrees
_EVERY = 400  # arrays up to this size in every entry after all, and larger ones in
_BLOCK = 8  # a block of 8 x 8 entries,
_SCATTERED = 32  # and this many others
_LOCATED = 2  # wrong entries to look for in a large array where a direction disagrees


def measure(
    setting: Setting,
    name: str,
    tolerance: Tolerance,
    rng: np.random.Generator,
    every: bool = False,
    directions: int | None = None,
    locate: bool = True,
) -> Comparison:
    """Compare one gradient of the right shape with the derivative of forward; with `every` in each entry if it can.

    With a number of `directions` along these alone, whatever the size (along one where a derivative takes several
    passes), and in entries where one of them disagrees; in a large array these are looked for, unless `locate` is off.
    """
    received = np.asarray(setting.gradients[name], dtype=np.float64)
    slopes = Derivatives(setting, name, rng)
    projections = 0
    if received.size > (_EVERY if every else 1 if directions else _SMALL):
        projections = (directions if slopes.complex else 1) if directions else _DIRECTIONS
    flats = _entries(slopes, received, projections, 0 if directions else _FEW, locate)
    columns, errors = _columns(slopes, flats)
    expected = columns @ setting.dvalues.reshape(-1)
    if name in setting.penalty:
        expected = expected + setting.penalty[name].reshape(-1)[flats]
    given = received.reshape(-1)[flats]
    allowed = _allowed(setting, columns, expected, given, errors, tolerance)
    unknown = ~np.isfinite(expected)
    wrong = ~(np.abs(given - expected) <= allowed) & ~unknown
    result = Comparison(
        setting, name, received, flats, columns, expected, allowed, wrong, unknown, slopes.method, projections
    )
    set_clipped_apart(result)
    if setting.subject.slack and not setting.output.ndim:
        allow_for_the_small_number(result, slopes)
    if tolerance.rtol < 1:
        allow_for_rounding(result, slopes, rng)
    set_kinks_apart(result, slopes.bent)
    return result


def _entries(slopes: Derivatives, received: Floats, projections: int, few: int, locate: bool) -> NDArray[np.intp]:
    """Which entries are compared: all, or a few where no direction disagrees, or where they may be wrong."""
    if not projections:
        return np.arange(received.size)
    if not _disagrees_anywhere(slopes, received, projections):
        return np.sort(slopes.rng.choice(received.size, few, replace=False)).astype(np.intp)
    if received.size <= _EVERY:
        return np.arange(received.size)
    found = _located(slopes, received) if locate else np.arange(0)
    return np.union1d(_chosen(received.shape, slopes.rng), found)


def _columns(slopes: Derivatives, flats: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """∂output / ∂entry for each entry, (K, outputs), and what the gradient may be off by for its error, (K,)."""
    setting = slopes.setting
    columns = np.empty((len(flats), setting.output.size))
    errors = np.empty(len(flats))
    weights = np.abs(setting.dvalues).reshape(-1)
    for row, flat in enumerate(flats):
        slope = slopes.of_entry(int(flat))
        columns[row] = slope.value.reshape(-1)
        errors[row] = float(weights @ slope.error.reshape(-1))
    return columns, errors


def _allowed(
    setting: Setting, columns: Floats, expected: Floats, given: Floats, errors: Floats, tolerance: Tolerance
) -> Floats:
    weights = np.abs(setting.dvalues).reshape(-1)
    largest = float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected)))
    cancelled = np.abs(columns) @ weights  # the terms that the entry is a sum of: their rounding stays
    rounding = 1e-14 * max(1.0, float(np.max(np.abs(setting.output), initial=0.0))) * np.max(weights, initial=0.0)
    relative = tolerance.rtol * np.maximum(np.abs(expected), np.abs(np.where(np.isfinite(given), given, 0)))
    return np.asarray(relative + tolerance.atol * largest + 4 * errors + 1e-12 * cancelled + rounding)


def _disagrees_anywhere(slopes: Derivatives, received: Floats, directions: int) -> bool:
    """Whether one of several random directions disagrees: the one along which the derivatives were compared first."""
    if slopes.known is not None:
        if _differs(slopes, received, slopes.direction.reshape(-1), slopes.known):
            return True
        directions -= 1
    whole = np.arange(received.size)
    return any(_disagrees(slopes, received, whole) for _ in range(directions))


def _chosen(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.intp]:
    """A random block of a large array, and others scattered at random."""
    size = int(np.prod(shape))
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    height, width = min(_BLOCK, rows), min(_BLOCK, columns)
    top, left = rng.integers(0, rows - height + 1), rng.integers(0, columns - width + 1)
    block = (np.arange(top, top + height)[:, None] * columns + np.arange(left, left + width)).reshape(-1)
    return np.union1d(block, rng.choice(size, _SCATTERED, replace=False)).astype(np.intp)


def _located(slopes: Derivatives, received: Floats) -> NDArray[np.intp]:
    """Positions of wrong entries in a large array, found by bisection where it disagrees along a direction."""
    found: list[int] = []
    waiting = [np.arange(received.size)]
    tries = 0
    while waiting and len(found) < _LOCATED and tries < 200:
        part = waiting.pop()
        if len(part) == 1:
            found.append(int(part[0]))
            continue
        for half in np.array_split(part, 2):
            tries += 1
            if _disagrees(slopes, received, half):
                waiting.append(half)
    return np.array(found, dtype=np.intp)


def _disagrees(slopes: Derivatives, received: Floats, part: NDArray[np.intp]) -> bool:
    direction = np.zeros(received.size)
    direction[part] = slopes.rng.normal(size=len(part))
    return _differs(slopes, received, direction, slopes.along(direction.reshape(received.shape)))


def _differs(slopes: Derivatives, received: Floats, direction: Floats, slope: nudge.Slope) -> bool:
    setting, name = slopes.setting, slopes.name
    expected = float(np.sum(setting.dvalues * slope.value))
    error = float(np.sum(np.abs(setting.dvalues) * slope.error))
    if name in setting.penalty:
        expected += float(direction @ setting.penalty[name].reshape(-1))
    terms = received.reshape(-1) * direction
    allowed = 1e-9 * float(np.linalg.norm(terms)) + 1e-13 * float(np.abs(terms).sum()) + 4 * error
    rounding = 1e-13 * float(np.abs(setting.dvalues * slope.value).sum())
    if 4 * error > max(1e-6, 30 * setting.noise ** (5 / 6)) * float(np.linalg.norm(terms)):
        return True  # a kink lies on the way: this direction tells nothing
    return not abs(float(terms.sum()) - expected) <= allowed + rounding
