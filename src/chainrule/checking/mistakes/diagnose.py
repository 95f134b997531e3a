"""Finds the mistake: tries every hypothesis and keeps those that explain everything that was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..findings import Diagnosis
from ..measuring.comparison import Comparison
from .candidates import Candidate
from .forms import right_line
from .hypotheses import HYPOTHESES
from .places import along_an_axis, filled_in_part, one_place, one_region
from .wholes import by_difference, by_size

__all__ = ["diagnose", "diagnose_shape"]

Floats = NDArray[np.float64]

_MOST = 3  # diagnoses in a finding
_NAMED = {2.0: "twice", 0.5: "half", -1.0: "minus", 3.0: "three times", -2.0: "minus twice", -0.5: "minus half"}


def diagnose(settings: Sequence[Comparison]) -> tuple[Diagnosis, ...]:
    """The mistakes that explain one gradient in every setting of one mode, the best first."""
    usable = [m for m in settings if np.isfinite(m.given).all() and len(m.flats)]
    if not any(m.wrong.any() for m in usable):
        return ()
    write = right_line(usable)
    found = _first_of_each(usable, _explaining(usable), write)
    if not found:
        constant = _constant_factor([m for m in usable if m.wrong.any()])
        whole = by_size(usable) or (None if constant else by_difference(usable))
        found = [] if whole is None else [replace(whole, write=write)]
    if not found and not _constant_factor([m for m in usable if m.wrong.any()]):
        found = _first_of_each(usable, _explaining(usable, times=True), write)
    return tuple((found or _patterns(usable, write))[:_MOST])


def _first_of_each(settings: Sequence[Comparison], candidates: Iterable[Candidate], write: str) -> list[Diagnosis]:
    found: dict[str, Diagnosis] = {}
    for c in candidates:
        if c.mistake not in found:
            found[c.mistake] = Diagnosis(c.mistake, c.says, _evidence(settings, c), write or c.write)
    return list(found.values())


def _explaining(settings: Sequence[Comparison], times: bool = False) -> Iterator[Candidate]:
    """Candidates from the most informative setting that hold in the others, with `times` up to one simple factor."""
    first = max(settings, key=lambda m: (m.wrong.sum(), len(m.flats)))
    with np.errstate(all="ignore"):
        by_setting = [_candidates(m) for m in settings]
    mine = by_setting[[m is first for m in settings].index(True)]
    for key, candidate in mine.items():
        twins = [others.get(key) for others in by_setting]
        if not times and _explain(settings, twins):
            yield candidate
        elif times:
            factor = _factor(settings, [None if twin is None else twin.predicted for twin in twins])
            if factor is not None:
                yield candidate._replace(says=f"{candidate.says} It is also {_times(factor)} what that gives.")


def _candidates(m: Comparison) -> dict[tuple[str, str, int], Candidate]:
    """Every candidate of a setting by its mistake, its sentence, and its number among those with the same sentence."""
    found: dict[tuple[str, str, int], Candidate] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for hypothesis in HYPOTHESES:
        for candidate in hypothesis(m):
            same = candidate.mistake, candidate.says
            found[(*same, counts[same])] = candidate
            counts[same] += 1
    return found


def _explain(settings: Sequence[Comparison], twins: Sequence[Candidate | None]) -> bool:
    """Whether a candidate is right in every setting where it exists, and exists in most of the wrong ones."""
    pairs = list(zip(settings, twins, strict=True))
    wrong = [twin is not None for m, twin in pairs if m.wrong.any()]
    return 2 * sum(wrong) > len(wrong) and all(_matches(m, t.predicted) for m, t in pairs if t is not None)


def _matches(m: Comparison, predicted: Floats) -> bool:
    if predicted.shape != m.given.shape or not np.isfinite(predicted).all():
        return False
    compared = ~m.kinks
    size = np.max(np.abs(predicted), initial=0.0)
    close = np.abs(m.given - predicted) <= m.allowed + 1e-6 * size
    return bool(close[compared].all())


def _factor(settings: Sequence[Comparison], predictions: list[Floats | None]) -> float | None:
    """The one factor other than 1 by which the predictions explain every setting; None without exactly one."""
    found = set()
    for m, predicted in zip(settings, predictions, strict=True):
        if predicted is None or not m.wrong.any():
            continue
        factor = _ratio(m, predicted)
        if factor is None or not _matches(m, factor * predicted):
            return None
        found.add(float(f"{factor:.4g}"))
    if len(found) != 1:
        return None
    (factor,) = found
    return factor if factor in _NAMED else None


def _ratio(m: Comparison, predicted: Floats) -> float | None:
    if predicted.shape != m.given.shape or not np.isfinite(predicted).all():
        return None
    square = float(predicted @ predicted)
    return float(predicted @ m.given) / square if square > 0 else None


def _times(factor: float) -> str:
    digits = 6 if abs(factor - 1) > 1e-4 else 10
    return _NAMED.get(float(f"{factor:.4g}"), f"{factor:.{digits}g} times")


def _evidence(settings: Sequence[Comparison], candidate: Candidate) -> str:
    """How many entries and batches the mistake explains, and the factors where they depend on the size of the batch."""
    entries = sum(int((~m.kinks).sum()) for m in settings)
    batches = sorted({m.setting.samples for m in settings})
    lengths = ", ".join(map(str, batches[:-1])) + (f" and {batches[-1]}" if len(batches) > 1 else str(batches[-1]))
    compared = f"explains all {entries} entries compared, in batches of {lengths}"
    ratios = [_ratio(m, m.expected) for m in settings if m.wrong.any()]
    known = [r for r in ratios if r is not None]
    if candidate.by_size and len(known) == len(ratios):
        parts = [
            f"{r:.4g} × expected with {m.setting.samples} samples"
            for r, m in zip(known, [m for m in settings if m.wrong.any()], strict=True)
        ]
        return f"{'; '.join(parts[:3])}; {compared}"
    return compared


# What is left when no mistake of the list explains the numbers


def _patterns(settings: Sequence[Comparison], write: str) -> list[Diagnosis]:
    wrong = [m for m in settings if m.wrong.any()]
    for find in (_constant_factor, filled_in_part, one_place, along_an_axis, one_region):
        says = find(wrong)
        if says:
            return [Diagnosis(says[0], says[1], says[2], write)]
    return []


def _constant_factor(wrong: Sequence[Comparison]) -> tuple[str, str, str] | None:
    ratios = [_ratio(m, m.expected) for m in wrong]
    if any(r is None for r in ratios):
        return None
    factors = [float(r) for r in ratios if r is not None]
    if not np.allclose(factors, factors[0], rtol=1e-4) or not all(
        _matches(m, f * m.expected) for m, f in zip(wrong, factors, strict=True)
    ):
        return None
    factor = factors[0]
    if f"{factor:.8g}" == "1":
        return None
    says = (
        f"A constant factor: it is {_times(factor)} what it should be." if abs(factor) > 1e-12 else "It is all zeros."
    )
    mistake = "constant_factor" if abs(factor) > 1e-12 else "all_zeros"
    return mistake, says, f"received / expected = {factor:.8g} in every entry of {len(wrong)} settings"


# Shapes


def diagnose_shape(received: Floats, expected: Floats, samples: int) -> Diagnosis:
    """What happened to the shape: `expected` is the right gradient, whole."""
    want, got = expected.shape, received.shape
    size = max(float(np.max(np.abs(expected), initial=0.0)), 1e-300)

    def equals(array: Floats) -> bool:
        return array.shape == want and bool((np.abs(array - expected) <= 1e-5 * size).all())

    if received.size == expected.size and equals(received.reshape(want)):
        evidence = f"received {got}; reshaped to {want} every entry is right"
        if len(got) > len(want):
            says = f"The numbers are right and the shape is not: {got} must be {want}: drop keepdims=True in the sum."
            return Diagnosis("keepdims_too_many", says, evidence)
        says = f"The numbers are right and the shape is not: keep {want}, with keepdims=True in the sum."
        return Diagnosis("keepdims_missing", says, evidence)
    if received.ndim == 2 and equals(received.T):
        says = "The product is the wrong way round: its transpose is the gradient."
        return Diagnosis("transposed_product", says, f"received {got}; its transpose equals the derivative")
    for axis in range(received.ndim):
        summed = received.sum(axis=axis, keepdims=True)
        if summed.size == expected.size and equals(summed.reshape(want)):
            kept = ", with keepdims=True" if len(want) == len(got) else ""
            each = "each of the samples" if got[axis] == samples else f"each of {got[axis]} entries"
            says = f"It is not summed over axis {axis}: the same value is used for {each}, so add them up{kept}."
            evidence = f"received {got}; its sum over axis {axis} equals the derivative"
            return Diagnosis("broadcast_not_summed", says, evidence)
        averaged = summed / got[axis] if got[axis] else summed
        if averaged.size == expected.size and equals(averaged.reshape(want)):
            return Diagnosis("broadcast_not_summed", f"Axis {axis} is not averaged.", f"received {got}")
    says = f"The gradient must have the shape of what it is the gradient of, {want}."
    if len(want) == 2 and want[0] == 1 and got == (samples, 1):
        says = "The sum is over the wrong axis: the samples are along axis 0."
        return Diagnosis("wrong_axis", says, f"received {got}, one number for each of the {samples} samples")
    return Diagnosis("wrong_shape", says, f"received {got}")
