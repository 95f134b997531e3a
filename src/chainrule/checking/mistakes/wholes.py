"""Mistakes that show in all settings together: a factor that follows a size, a difference that follows an array."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..findings import Diagnosis
from ..measuring.comparison import Comparison

__all__ = ["by_difference", "by_size"]

Floats = NDArray[np.float64]


class _Size(NamedTuple):
    """A size that a mean may divide by, and what it is called."""

    of: Callable[[Comparison], int]
    called: str
    mistake: str  # the stem of its name


def _axis(k: int, output: bool) -> Callable[[Comparison], int]:
    def size(m: Comparison) -> int:
        shape = m.setting.output.shape if output else m.value.shape
        return shape[k] if len(shape) > max(k, 1) else 0

    return size


def _places_of_each(m: Comparison) -> int:
    """How many entries of the output each entry of a parameter is added to."""
    shared = m.name in m.setting.subject.parameters and m.value.size > 1 and m.setting.subject.upstream
    return m.setting.output.size // m.value.size if shared and m.setting.output.size % m.value.size == 0 else 0


_SIZES = (
    _Size(_places_of_each, "the number of places where each entry is used", "mean_for_sum"),
    _Size(lambda m: m.setting.samples, "the number of samples", "batch_mean"),
    _Size(_axis(-1, True), "the number of outputs", "feature_mean"),
    _Size(lambda m: m.value.size, "the number of all entries", "whole_mean"),
    _Size(_axis(-1, False), "the number of outputs", "feature_mean"),
    _Size(_axis(1, False), "the length of axis 1, as of the time steps,", "time_mean"),
    _Size(_axis(1, True), "the length of the output's axis 1, as of the time steps,", "time_mean"),
    _Size(lambda m: m.setting.output.size, "the number of all outputs", "whole_mean"),
    _Size(_axis(2, False), "the length of axis 2", "axis_mean"),
)


def by_size(settings: Sequence[Comparison]) -> Diagnosis | None:
    """Whether every gradient is too large or too small by a factor that follows a size."""
    ratios = [_ratio(m) for m in settings]
    if any(r is None for r in ratios):
        return None
    found = np.array([r for r in ratios if r is not None])
    if np.allclose(found, found[0], rtol=1e-5):
        return None  # a constant: nothing of the size
    shown = [f"{r:.4g} × expected with {_shape(m)}" for r, m in zip(found, settings, strict=True) if m.wrong.any()]
    for says, mistake, predicted in _of_sizes(settings):
        if np.allclose(found, predicted, rtol=1e-5):
            return Diagnosis(mistake, says, "; ".join(shown[:3]))
    return None


def _of_sizes(settings: Sequence[Comparison]) -> Iterator[tuple[str, str, Floats]]:
    """What would be said, its name, and the factors that it would give."""
    sizes = [(size, np.array([size.of(m) for m in settings], dtype=np.float64)) for size in _SIZES]
    sizes = [(size, each) for size, each in sizes if each.min() > 0 and np.ptp(each)]
    loss = not settings[0].setting.subject.upstream
    for size, each in sizes:
        what = size.called.rstrip(",")
        if size.mistake == "whole_mean" and loss:
            missing = f"The mean over all entries is missing: divide by {what}, samples times outputs."
        else:
            missing = f"The mean is missing: divide by {what}."
        yield missing, f"{size.mistake}_missing", each
        doubled = f"It is divided by {what} once too often: a sum belongs there, and no mean."
        name = size.mistake if size.mistake == "mean_for_sum" else f"{size.mistake}_doubled"
        if name == "mean_for_sum":
            doubled = "It takes the mean over the samples, and all places where it is used, where the sum belongs."
        yield doubled, name, 1 / each
    if loss:
        yield from _and_two(sizes)
    for one, a in sizes:
        for other, b in sizes:
            if loss and one.mistake != other.mistake:
                says = f"It is divided by {one.called} where {other.called} belongs: the mean divides by that."
                yield says.replace(",:", ":"), "wrong_size", b / a
    ratios = np.array([_ratio(m) or np.nan for m in settings])
    for size, each in sizes:
        for literal, how in ((each / ratios, "backward"), (each * ratios, "forward")):
            number = round(float(literal[0]), 6)
            if np.allclose(literal, number, rtol=1e-5) and number >= 2:
                if how == "backward":
                    says = f"It is divided by {number:g}, a size written into the formula: divide by {size.called}."
                    yield says.replace(",.", "."), "written_size", each / number
                else:
                    says = (
                        f"It is divided by {size.called} where forward divides by {number:g}: a size is written into "
                        "forward, which is wrong rather than backward."
                    )
                    yield says, "written_size", number / each


def _and_two(sizes: Sequence[tuple[_Size, Floats]]) -> Iterator[tuple[str, str, Floats]]:
    """The mean of a loss and the 2 of its squares, both left out or one for the other."""
    for size, each in sizes:
        what = size.called.rstrip(",")
        square = f"the derivative of a mean of squares is 2 · difference / {what}"
        yield f"The factor 2 is missing, and so is the mean: {square}.", f"{size.mistake}_missing", each / 2
        half = f"It is multiplied by 2, and not divided by {what}: forward takes half the mean of squares."
        yield half, f"{size.mistake}_missing", each * 2
        total = f"It is divided by {what}, and multiplied by 2: forward takes half the sum of squares."
        yield total, f"{size.mistake}_doubled", 2 / each


def _ratio(m: Comparison) -> float | None:
    use = ~m.kinks
    given, expected = m.given[use], m.expected[use]
    square = float(expected @ expected)
    if not square > 0 or not np.isfinite(given).all():
        return None
    ratio = float(given @ expected) / square
    off = np.abs(given - ratio * expected)
    return ratio if (off <= m.allowed[use] * max(1.0, abs(ratio)) + 1e-6 * abs(ratio) * m.largest).all() else None


def _shape(m: Comparison) -> str:
    return f"shape {m.value.shape}"


def by_difference(settings: Sequence[Comparison]) -> Diagnosis | None:
    """Whether received - expected is one number times an array that can be named, in every setting."""
    names = [set(_known(m)) for m in settings]
    for name in (n for n in _known(settings[0]) if all(n in each for each in names)):
        factors = [_factor(m, _known(m)[name]) for m in settings]
        if any(f is None for f in factors):
            continue
        numbers = [f for f in factors if f is not None]
        if abs(numbers[0]) > 1e-9 and np.allclose(numbers, numbers[0], rtol=1e-4):
            return _difference(settings, name, numbers[0])
    return None


def _difference(settings: Sequence[Comparison], name: str, factor: float) -> Diagnosis:
    evidence = f"received - expected = {factor:.6g} · {name} in every entry of {len(settings)} settings"
    if name == "1":
        return Diagnosis("extra_term", f"Every entry is {abs(factor):.6g} too {_much(factor)}.", evidence)
    if name == settings[0].name and name in settings[0].setting.subject.parameters:
        says = (
            f"The difference is {factor:.6g} · {name}: the gradient of a penalty on {name} is left out, has a wrong "
            "factor (2 belongs to the derivative of λ·w²), or the wrong sign."
        )
        return Diagnosis("regularization_factor", says, evidence)
    if factor < 0:
        times = "" if np.isclose(factor, -1) else f"{-factor:.6g} · "
        says = f"The term {times}{name} is missing: the gradient of one use of the value is not added."
        return Diagnosis("branch_missing", says, evidence)
    return Diagnosis("extra_term", f"{factor:.6g} · {name} is added, which does not belong there.", evidence)


def _much(factor: float) -> str:
    return "large" if factor > 0 else "small"


def _known(m: Comparison) -> dict[str, Floats]:
    """Arrays of the shape of the gradient that its author knows, by name."""
    style = m.setting.subject.style
    found: dict[str, Floats] = {m.name: m.value}
    if m.setting.subject.upstream:
        found[style.dvalues] = m.setting.dvalues
    found |= {f"{style.own}{n}": a for n, a in m.setting.memory.items() if n not in (f"d{m.name}", "dinputs")}
    found["1"] = np.ones(m.value.shape)
    return {n: a for n, a in found.items() if a.shape == m.value.shape and a.dtype.kind == "f" and np.any(a)}


def _factor(m: Comparison, array: Floats) -> float | None:
    use = ~m.kinks
    known = array.reshape(-1)[m.flats][use]
    difference = (m.given - m.expected)[use]
    square = float(known @ known)
    if not square > 0 or len(known) < 2:
        return None
    factor = float(known @ difference) / square
    close = np.abs(difference - factor * known) <= 4 * m.allowed[use] + 1e-6 * abs(factor) * np.abs(known)
    return factor if close.all() else None
