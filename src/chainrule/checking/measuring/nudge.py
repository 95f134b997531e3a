"""Numeric derivatives: complex steps where they are valid, else central differences with Richardson extrapolation.

Everything here differentiates a function f(t) of one number, whose value is an array, at t = 0. What t moves (one
entry of an array, or all of them along a direction) is the caller's choice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Slope", "central_slope", "complex_slope", "noise_level", "one_sided_slopes", "straight_slope"]

Curve = Callable[[Any], NDArray[Any]]

_TINY = 1e-20  # the complex step; its square is far below any float's rounding error
_HALVINGS = 7  # how often the step is divided by 8 until the differences converge


class Slope(NamedTuple):
    """df/dt at 0, entry by entry, and a bound on its error."""

    value: NDArray[Any]
    error: NDArray[Any]


def complex_slope(f: Curve) -> NDArray[Any] | None:
    """Im f(ih) / h: exact up to rounding if f is analytic, silently wrong if not; None if f returns real numbers.

    >>> complex_slope(lambda t: np.exp(np.array([0.0, 1.0]) + t))
    array([1.        , 2.71828183])

    Source: Squire and Trapp 1998.
    """
    output = np.asarray(f(_TINY * 1j))
    return output.imag / _TINY if output.dtype.kind == "c" else None


def noise_level(f: Curve, spacing: float) -> float:
    """The rounding noise of f, relative to its largest value: 1e-16 for float64, 1e-7 where float32 is inside.

    At points as close as `spacing` a smooth f is nearly a parabola, so its third differences are noise, √20 times that
    of one value. The median over the entries that changed ignores a kink in a few of them.

    >>> 1e-9 < noise_level(lambda t: np.float32(np.sin(np.arange(1.0, 9.0) + t)), 1e-6) < 1e-6
    True

    Source: Moré and Wild 2011, for the idea.
    """
    values = np.stack([np.asarray(f(i * spacing), dtype=np.float64) for i in range(6)])  # (6, ...)
    size = float(np.max(np.abs(values), initial=0.0))
    if not size or not np.isfinite(size):
        return float(np.finfo(np.float64).eps)
    third = np.abs(np.diff(values, n=3, axis=0))
    moved = third[third > 0]
    noise = float(np.median(moved) / np.sqrt(20) / size) if moved.size else 0.0
    return max(noise, float(np.finfo(np.float64).eps))


def straight_slope(f: Curve, step: float, noise: float, here: NDArray[Any]) -> Slope | None:
    """The central difference at one step, where f goes straight on from its value `here`; None where it bends.

    A cube goes straight by this at 0: it is for what was found to be straight along other ways.

    >>> straight_slope(lambda t: np.array([2.0 * t]), 0.5, 1e-16, np.zeros(1)).value
    array([2.])
    >>> straight_slope(lambda t: np.array([t * t]), 0.5, 1e-16, np.zeros(1)) is None
    True
    """
    low, high = np.asarray(f(-step)), np.asarray(f(step))
    rounding = 16 * noise / step * float(np.max(np.abs(high), initial=0.0)) * ((high != low) | (high != here))
    if not np.all(np.abs(high + low - 2 * here) <= rounding * step) or not np.any(rounding):
        return None
    return Slope((high - low) / (2 * step), rounding)


def central_slope(f: Curve, step: float, noise: float, wanted: float = 1e-9) -> Slope:
    """Central differences at h, h/2 and h/4, extrapolated to h = 0; the step shrinks until they converge.

    Where those at h and h/2 are the same but for rounding, f is a straight line there and h/4 is left out. The error
    is the difference of the last two extrapolations, plus what rounding (`noise`, relative to f) makes of the smallest
    step. A kink closer than the smallest step leaves a large error.

    >>> slope = central_slope(lambda t: np.array([(2.0 + t) ** 3]), 1e-2, 1e-16)
    >>> slope.value.round(9), bool(slope.error[0] < 1e-9)
    (array([12.]), True)

    Source: Richardson 1911.
    """
    best: Slope | None = None
    moved: Any = False
    for _ in range(_HALVINGS):
        at_h = (np.asarray(f(step)) - np.asarray(f(-step))) / (2 * step)
        low, high = np.asarray(f(-step / 2)), np.asarray(f(step / 2))
        at_half = (high - low) / step
        rounding = 4 * noise / step * float(np.max(np.abs(high), initial=0.0)) * ((high != low) | (at_h != 0))
        if best is None and np.all(np.abs(at_half - at_h) <= rounding):
            rounding = rounding if np.any(rounding) else _stuck(high, noise, step)
            return Slope(at_half, np.abs(at_half - at_h) + rounding)
        low, high = np.asarray(f(-step / 4)), np.asarray(f(step / 4))
        at_quarter = (high - low) / (step / 2)
        first, second = (4 * at_half - at_h) / 3, (4 * at_quarter - at_half) / 3
        value = (16 * second - first) / 15
        moved = moved | (high != low) | (at_h != 0)  # where nothing ever moved, nothing was rounded
        rounding = 8 * noise / step * float(np.max(np.abs(high), initial=0.0)) * moved
        error = np.abs(value - second) + rounding
        if best is None:
            best = Slope(value, error)
        else:
            better = error < best.error
            best = Slope(np.where(better, value, best.value), np.where(better, error, best.error))
        size = np.max(np.abs(best.value), initial=0.0)
        if np.all((best.error <= wanted * size) | (best.error <= 2 * rounding)):
            break
        step /= 8
    assert best is not None
    return best


def _stuck(output: NDArray[Any], noise: float, step: float) -> NDArray[Any]:
    """Where no output moved at all, one of them may have moved by less than its rounding: the largest, say."""
    error = np.zeros(output.shape)
    if output.size and noise > 1e-12:
        error.flat[np.argmax(np.abs(output))] = 8 * noise / step * float(np.max(np.abs(output)))
    return error


def one_sided_slopes(f: Curve, step: float, here: NDArray[Any] | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
    """(f(0) - f(-h)) / h and (f(h) - f(0)) / h; if they differ by more than curvature explains, there is a kink.

    `here` is f(0), where it is known.

    >>> left, right = one_sided_slopes(lambda t: np.maximum(np.array([t, 1.0 + t]), 0.0), 0.5)
    >>> left, right
    (array([0., 1.]), array([1., 1.]))
    """
    here = np.asarray(f(0.0)) if here is None else here
    return (here - np.asarray(f(-step))) / step, (np.asarray(f(step)) - here) / step
