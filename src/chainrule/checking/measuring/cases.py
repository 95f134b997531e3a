"""What must come out: a few batches with every gradient that is right there, and which of those received are wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..equality import equal
from ..subjects import Point
from .bench import Bench
from .comparison import Tolerance
from .measure import measure
from .setting import Setting
from .trials import points

__all__ = ["Case", "cases_of", "missing_in", "ratios_in", "wrong_in"]

_LARGE = 600  # entries of a batch that is left out for smaller ones
_POINTS = 3  # batches, of different lengths, in which a repair must be right


@dataclass
class Case:
    """A batch, and what every gradient must be there: positions, values, and how far off one may be."""

    point: Point
    dvalues: NDArray[Any]
    output: NDArray[Any]
    wanted: dict[str, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]


def cases_of(bench: Bench) -> list[Case]:
    """A few batches of different lengths with what every gradient must be in them, found once for a bench."""
    if "cases" not in bench.known:
        bench.known["cases"] = _cases_of(bench), None
    cases: list[Case] = bench.known["cases"][0]
    return cases


def _cases_of(bench: Bench) -> list[Case]:
    found: list[Case] = []
    try:
        for point in _small(list(points(bench.subject, bench.rng, bench.subject.modes[0], _POINTS + 1))):
            instance = bench.subject.create()
            output = bench.forward(instance, point.copied())
            if not np.isfinite(output).all() or (found and point.sizes == (1,)):
                continue
            dvalues = bench.dvalues(output)
            zeros = {name: np.zeros(value.shape) for name, value in point.values.items()}
            penalty = instance.penalty()[1]
            setting = Setting(bench.subject, bench.runner, point, bench.noise, dvalues, output, zeros, {}, penalty)
            wanted = {}
            for name in zeros:
                flats, expected = bench.known.get(bench.key_of(point, name), ((), ()))
                if not len(flats):
                    m = measure(setting, name, Tolerance(1.0, 1.0), bench.rng, every=True, locate=False)
                    flats, expected = m.flats, m.expected
                size = float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected)))
                wanted[name] = flats, expected, 1e-5 * np.abs(expected) + 1e-6 * size + 1e-12
            found.append(Case(point, dvalues, output.copy(), wanted))
            if len(found) == _POINTS:
                break
    except (Exception, SystemExit):  # the object is not ours: anything may come
        return found
    return found


def _small(found: list[Point]) -> list[Point]:
    """The points without the one that has most entries, where others of several samples are left."""
    largest = max(found[1:], key=lambda point: sum(np.size(value) for value in point.values.values()), default=None)
    size = sum(np.size(value) for value in largest.values.values()) if largest is not None else 0
    return [each for each in found if each is not largest or size <= _LARGE]


def wrong_in(bench: Bench, cases: Sequence[Case], among: frozenset[str] | None = None) -> frozenset[str]:
    """The arrays whose gradients are wrong in some batch; stops where one is wrong that is not `among` these."""
    wrong: set[str] = set()
    for case in cases:
        try:
            with np.errstate(all="ignore"):
                instance = bench.subject.create()
                output = bench.forward(instance, case.point.copied())
                if not equal(output, case.output):
                    return frozenset(case.wanted)
                gradients = instance.backward(case.dvalues.copy())
        except (Exception, SystemExit):  # what does not run gives no gradient at all
            return frozenset(case.wanted)
        wrong |= {name for name in case.wanted if not _is_right(case, name, gradients.get(name))}
        if among is not None and not wrong < among:
            return frozenset(wrong)
    return frozenset(wrong)


def _is_right(case: Case, name: str, received: Any) -> bool:
    flats, expected, allowed = case.wanted[name]
    try:
        array = np.asarray(received, dtype=np.float64)
    except (TypeError, ValueError, np.exceptions.ComplexWarning):
        return False
    if array.shape != case.point.values[name].shape:
        return False
    known = np.isfinite(expected)
    return bool((np.abs(array.reshape(-1)[flats] - expected) <= allowed)[known].all())


def missing_in(bench: Bench, case: Case, wrong: frozenset[str]) -> dict[str, NDArray[Any]]:
    """expected - received of the wrong gradients of a batch that were measured in every entry."""
    found = {}
    for name, received in _received(bench, case).items():
        if name not in wrong:
            continue
        flats, expected, _ = case.wanted[name]
        shape = case.point.values[name].shape
        if np.shape(received) == shape and len(flats) == np.size(received) and np.isfinite(expected).all():
            found[name] = expected.reshape(shape) - np.asarray(received, dtype=np.float64)
    return found


def ratios_in(bench: Bench, cases: Sequence[Case], wrong: frozenset[str]) -> tuple[float, ...]:
    """The factors by which wrong gradients are off, the same in every entry of every batch."""
    gradients = [_received(bench, case) for case in cases]
    found: dict[float, None] = {}
    for name in sorted(wrong):
        factors = []
        for case, received in zip(cases, gradients, strict=True):
            flats, expected, allowed = case.wanted[name]
            if name not in received or np.shape(received[name]) != case.point.values[name].shape:
                break
            given = np.asarray(received[name], dtype=np.float64).reshape(-1)[flats]
            square = float(expected @ expected)
            factor = float(given @ expected) / square if square > 0 else 1.0
            if not (np.abs(given - factor * expected) <= allowed * max(1.0, abs(factor))).all():
                break
            factors.append(factor)
        if len(factors) == len(cases) and np.allclose(factors, factors[0], rtol=1e-5) and factors[0]:
            found[float(f"{factors[0]:.6g}")] = None
    return tuple(found)


def _received(bench: Bench, case: Case) -> Mapping[str, Any]:
    try:
        with np.errstate(all="ignore"):
            instance = bench.subject.create()
            bench.forward(instance, case.point.copied())
            return instance.backward(case.dvalues.copy())
    except (Exception, SystemExit):  # the object is not ours: anything may come
        return {}
