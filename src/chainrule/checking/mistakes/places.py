"""Which parts of a wrong gradient are right: one entry, a row, the first steps, where something has one sign."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..measuring.comparison import Comparison

__all__ = ["along_an_axis", "filled_in_part", "one_place", "one_region"]

Said = tuple[str, str, str]  # the mistake, the sentence, the evidence


def one_place(wrong: Sequence[Comparison]) -> Said | None:
    """Whether only one entry, row or column is wrong, the same one in every setting."""
    masks = [m for m in wrong if m.value.ndim >= 1 and m.value.size > 1]
    indices = [np.stack(np.unravel_index(m.flats[m.wrong], m.value.shape), axis=1) for m in masks]
    if not indices:
        return None
    if all(len(each) == 1 for each in indices) and len({tuple(each[0]) for each in indices}) == 1:
        place = tuple(int(i) for i in indices[0][0])
        factors = [float(m.given[m.wrong][0] / m.expected[m.wrong][0]) for m in masks if m.expected[m.wrong][0]]
        ratio = f"; received / expected = {factors[0]:.6g}" if factors else ""
        return "one_entry", f"One entry alone is wrong, at {list(place)}.", f"every other entry is right{ratio}"
    for axis, kind in ((0, "row"), (1, "column")):
        if any(m.value.ndim != 2 for m in masks) or any(m.value.shape[1 - axis] < 2 for m in masks):
            continue
        lines = [set(each[:, axis].tolist()) for each in indices]
        if all(len(line) == 1 for line in lines) and len(set.union(*lines)) == 1 and min(map(len, indices)) > 1:
            (line,) = lines[0]
            says = f"One {kind} alone is wrong, {kind} {line}."
            return f"one_{kind}", says, f"every entry outside it is right, in {len(masks)} settings"
    return None


def along_an_axis(wrong: Sequence[Comparison]) -> Said | None:
    """Whether the first or the last index of an axis alone is right, or alone is wrong."""
    if any(not m.complete or m.value.ndim < 2 for m in wrong):
        return None
    for axis in range(wrong[0].value.ndim):
        if any(m.value.shape[axis] < 2 for m in wrong):
            continue
        right = [_right_indices(m, axis) for m in wrong]
        lengths = [m.value.shape[axis] for m in wrong]
        what = "time step" if wrong[0].value.ndim == 3 and axis == 1 else "index"
        along = f" of axis {axis}"
        if all(r == {n - 1} for r, n in zip(right, lengths, strict=True)) and wrong[0].value.ndim > 2:
            says = (
                f"The last {what}{along} is right and all earlier ones are wrong: what flows back from the later ones "
                "is left out or wrong."
            )
            return "time_not_carried", says, f"in all {len(wrong)} settings"
        if all(r == {0} for r in right):
            rest = "is 0" if _zero_elsewhere(wrong) else "is wrong"
            says = f"The first {what}{along} alone is right, and the rest {rest}: a loop ends early, or covers a part."
            return "filled_in_part", says, f"in all {len(wrong)} settings"
        if all(r == set(range(1, n)) for r, n in zip(right, lengths, strict=True)):
            return "one_slice", f"The first {what}{along} alone is wrong.", f"in all {len(wrong)} settings"
        if all(r == set(range(n - 1)) for r, n in zip(right, lengths, strict=True)):
            return "one_slice", f"The last {what}{along} alone is wrong.", f"in all {len(wrong)} settings"
    return None


def _right_indices(m: Comparison, axis: int) -> set[int]:
    bad = m.wrong.reshape(m.value.shape)
    others = tuple(k for k in range(bad.ndim) if k != axis)
    return set(np.flatnonzero(~bad.any(axis=others)).tolist())


def _zero_elsewhere(wrong: Sequence[Comparison]) -> bool:
    return all(not np.any(m.given[m.wrong]) for m in wrong)


def filled_in_part(wrong: Sequence[Comparison]) -> Said | None:
    """Whether every wrong entry is 0, and every other one right."""
    if not all(m.complete for m in wrong) or not _zero_elsewhere(wrong):
        return None
    if all(m.wrong.sum() == (np.abs(m.expected) > m.allowed).sum() for m in wrong):
        return None  # all of it
    counts = "; ".join(f"{int(m.wrong.sum())} of {m.value.size} entries" for m in wrong[:3])
    return "filled_in_part", "It is filled in part: every wrong entry is 0, and the others are right.", counts


def one_region(wrong: Sequence[Comparison]) -> Said | None:
    """Whether an entry is wrong exactly where the input, or the derivative, has one sign, or is large."""
    tests: dict[str, Callable[[Comparison], NDArray[np.bool_]]] = {
        "the input is below 0": lambda m: m.value.reshape(-1)[m.flats] < 0,
        "the input is above 0": lambda m: m.value.reshape(-1)[m.flats] > 0,
        "the derivative is negative": lambda m: m.expected < 0,
        "the derivative is positive": lambda m: m.expected > 0,
    }
    if any(m.name not in m.setting.subject.inputs for m in wrong):
        return None
    if not any((~m.wrong & ~m.kinks & (m.expected != 0)).any() for m in wrong):
        return None  # nowhere is it right
    for where, test in tests.items():
        if all(
            (test(m) | m.kinks)[m.wrong].all() and not (test(m) & ~m.wrong & (m.expected != 0)).any() for m in wrong
        ):
            factor = _same_factor(wrong)
            by = f": there it is {factor:.6g} times what it should be" if factor is not None else ""
            says = f"It is wrong exactly where {where}, and right elsewhere{by}."
            return "one_region", says, f"in all {len(wrong)} settings"
    return _beyond_a_size(wrong)


def _same_factor(wrong: Sequence[Comparison]) -> float | None:
    ratios = np.concatenate([m.given[m.wrong] / m.expected[m.wrong] for m in wrong])
    return float(ratios[0]) if np.isfinite(ratios).all() and np.allclose(ratios, ratios[0], rtol=1e-4) else None


def _beyond_a_size(wrong: Sequence[Comparison]) -> Said | None:
    """Whether it is right for small inputs, or small differences from the targets, and wrong for large ones."""
    for called, of in (("the input", _values), ("the difference from the target", _differences)):
        sizes = [of(m) for m in wrong]
        if any(each is None for each in sizes):
            continue
        bad = np.concatenate([np.abs(s)[m.wrong] for s, m in zip(sizes, wrong, strict=True) if s is not None])
        good = np.concatenate(
            [np.abs(s)[~m.wrong & ~m.kinks] for s, m in zip(sizes, wrong, strict=True) if s is not None]
        )
        if len(bad) < 3 or len(good) < 3:
            continue
        for inner, outer, where in ((good, bad, "larger"), (bad, good, "smaller")):
            if inner.max() < outer.min():
                size = (inner.max() + outer.min()) / 2
                says = (
                    f"It is wrong exactly where {called} is {where} in size than about {size:.2g}, and right elsewhere."
                )
                return "one_region", says, f"in all {len(wrong)} settings"
    return None


def _values(m: Comparison) -> NDArray[np.float64] | None:
    return np.asarray(m.value.reshape(-1)[m.flats])


def _differences(m: Comparison) -> NDArray[np.float64] | None:
    targets = m.setting.point.targets
    if targets is None or np.shape(targets) != m.value.shape:
        return None
    return np.asarray((m.value - np.asarray(targets, dtype=np.float64)).reshape(-1)[m.flats])
