"""A numeric check of the user's own, beside ours: where it disagrees with a right gradient, what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..findings import Finding
from ..measuring.bench import Bench
from ..measuring.setting import Setting

__all__ = ["handmade"]

Floats = NDArray[Any]

_CLOSE = 1e-4  # the relative error at which people begin to doubt
_EPSILON = float(np.finfo(np.float64).eps)


class WatchedLoss:
    """The loss as a function of one array, which remembers where it was called and what it gave."""

    def __init__(self, bench: Bench, setting: Setting, name: str) -> None:
        self.setting, self.name = setting, name
        self.instance = bench.subject.create()  # not seeded between calls: noise stays on, as in a program of one's own
        self.called: list[tuple[Floats, float]] = []
        self.dtypes: set[str] = set()

    def __call__(self, x: Any, *rest: Any) -> float:
        """The loss at x."""
        array = np.array(x)
        self.dtypes.add(str(array.dtype))
        point = self.setting.point.copied().with_values({self.name: array.astype(np.float64)})
        loss = float(np.sum(self.setting.dvalues * self.instance.forward(point)))
        loss = float(np.float32(loss)) if array.dtype == np.float32 else loss
        self.called.append((array.astype(np.float64), loss))
        return loss

    @property
    def step(self) -> float:
        """How far the array was moved."""
        here = self.setting.values[self.name]
        moved = [float(np.max(np.abs(x - here), initial=0.0)) for x, _ in self.called if x.shape == here.shape]
        return max(moved, default=0.0)

    @property
    def one_sided(self) -> bool:
        """Whether it was moved in one direction alone."""
        here = self.setting.values[self.name]
        signs = {float(np.sign((x - here).reshape(-1)[np.argmax(np.abs(x - here))])) for x, _ in self.called}
        return len(signs - {0.0}) == 1

    def random(self) -> bool:
        """Whether two calls at one place give different values."""
        here = self.setting.values[self.name]
        return len({self(here) for _ in range(3)}) > 1


def handmade(bench: Bench, numeric: Callable[..., Any]) -> Iterator[Finding]:
    """Run `numeric(f, x)` for every array whose gradient was compared; a note for each where it says something else."""
    setting = bench.setting(bench.own_point())
    for name, gradient in setting.gradients.items():
        if name not in setting.values or np.shape(gradient) != setting.values[name].shape:
            continue
        watched = WatchedLoss(bench, setting, name)
        try:
            theirs = np.asarray(numeric(watched, setting.values[name].copy()), dtype=np.float64)
        except Exception as error:  # a function that is not ours: anything may come
            says = f"The numeric check of your own raises {type(error).__name__}: {error}."
            yield bench.warning("handmade", bench.label(name), says, "handmade_raises")
            return
        ours = np.asarray(gradient, dtype=np.float64)
        if theirs.shape != ours.shape:
            says = f"The numeric check of your own gives shape {theirs.shape} for {name}, which has {ours.shape}."
            yield bench.warning("handmade", bench.label(name), says, "handmade_shape")
            continue
        off = np.abs(theirs - ours) > _CLOSE * np.maximum(np.abs(theirs), np.abs(ours)) + 1e-9
        if off.any():
            mistake, why = _why(watched, ours, theirs, off)
            where = f"{bench.label(name)} in {off.sum()} of {off.size} entries"
            says = f"The numeric check of your own is off for {where}: {why}"
            yield bench.note("handmade", bench.label(name), says, mistake)


def _why(watched: WatchedLoss, ours: Floats, theirs: Floats, off: NDArray[np.bool_]) -> tuple[str, str]:
    """What is wrong with it: noise, float32, a kink or a tie on the way, a step too small or too large."""
    step, setting, name = watched.step, watched.setting, watched.name
    error = float(np.max(np.abs(theirs - ours)[off]))
    largest = max(abs(loss) for _, loss in watched.called)
    if watched.random():
        return "handmade_noise", (
            "two passes on the same inputs give different losses. Noise is on (dropout), or the layer remembers "
            "(running statistics): draw the same mask in each pass, by a seed set before each, or switch it off."
        )
    if "float32" in watched.dtypes or setting.noise > 1e-10:
        return "handmade_float32", (
            f"it is computed in float32, whose rounding of about 1e-7 divided by 2ε = {2 * step:.1g} is "
            f"{1e-7 * largest / (2 * step):.1g}. Use float64."
        )
    if step == 0.0:
        return "handmade_step", "its step is lost in rounding: x + ε is x. Take ε = 1e-5."
    if _kink_within(setting, name, off, step):
        return "handmade_kink", (
            f"within ε = {step:.1g} of these entries the slope jumps (a kink such as that of max(x, 0), or a tie of "
            "two entries in a maximum), and a difference across it is the slope of neither side. Move the inputs away."
        )
    if 10 * _EPSILON * largest / step >= error:
        return "handmade_step", (
            f"ε = {step:.1g} is too small: the loss is rounded to {_EPSILON * largest:.1g}, and that is divided by 2ε. "
            "Take ε = 1e-5."
        )
    if watched.one_sided:
        return "handmade_one_sided", (
            f"it takes (f(x + ε) - f(x)) / ε with ε = {step:.1g}, whose error is of the order of ε. "
            "Take (f(x + ε) - f(x - ε)) / (2ε)."
        )
    return "handmade_step", f"ε = {step:.1g} is too large for how the slope changes. Take ε = 1e-5."


def _kink_within(setting: Setting, name: str, off: NDArray[np.bool_], step: float) -> bool:
    """Whether at the entries that are off the slope is another on the two sides, as far away as the step goes."""
    for flat in np.flatnonzero(off.reshape(-1))[:8]:
        far, near = _slopes(setting, name, int(flat), step), _slopes(setting, name, int(flat), step / 4)
        apart = abs(far[1] - far[0])
        curved = apart > 0.05 * (abs(far[0]) + abs(far[1])) + 1e-9
        jumps = not 0.2 * apart <= abs(near[1] - near[0]) <= 0.8 * apart  # a smooth slope changes by a quarter
        if not (curved and jumps):
            return False
    return True


def _slopes(setting: Setting, name: str, flat: int, away: float) -> tuple[float, float]:
    """The slopes so far below and above an entry."""
    curve = setting.entry(name, flat)
    h = 1e-3 * away
    low, high = ((curve(at + h) - curve(at - h)) / (2 * h) for at in (-away, away))
    return float(np.sum(setting.dvalues * low)), float(np.sum(setting.dvalues * high))
