"""Special inputs: exactly 0, where a derivative may jump, and probabilities of exactly 0 and 1, which are clipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..findings import Finding, number
from ..measuring.bench import Bench, Broken
from ..measuring.derivatives import sides, sides_persist
from ..measuring.setting import Setting
from ..measuring.trials import kinked_point
from ..mistakes.forms import names_of
from ..subjects import Point, fresh_targets

__all__ = ["clipping", "kinks"]

Floats = NDArray[Any]


def kinks(bench: Bench) -> Iterator[Finding]:
    """At a kink any slope between those of the two sides is right, and 0; for max(x, 0) the convention is 0."""
    point = kinked_point(bench.subject, bench.rng, bench.subject.modes[0])
    if point is None:
        return
    try:
        setting = bench.setting(point)
    except Broken:  # zeros may lie outside of what it takes
        return
    if not np.isfinite(setting.output).all() or bench.noise > 1e-12:
        return
    for name, value in setting.values.items():
        received = np.asarray(setting.gradients.get(name, np.nan), dtype=np.float64)
        if name not in bench.subject.inputs or received.shape != value.shape or value.size > 64:
            continue
        yield from _at_zeros(bench, setting, name, received.reshape(-1))


def _at_zeros(bench: Bench, setting: Setting, name: str, received: Floats) -> Iterator[Finding]:
    array = bench.label(name)
    for flat in np.flatnonzero(setting.values[name].reshape(-1) == 0):
        index = [int(i) for i in np.unravel_index(flat, setting.values[name].shape)]
        if not np.isfinite(received[flat]):
            says = f"{array} is {received[flat]} at {index}, where the input is 0: look for a division by the input."
            yield bench.error("finite", array, says, "not_finite_at_zero")
            return
        left, right = sides(setting, name, int(flat))
        size = abs(left) + abs(right)
        if abs(right - left) <= 1e-3 * size + 1e-9 or not sides_persist(setting, name, int(flat), left, right):
            continue
        low, high = min(left, right, 0.0), max(left, right, 0.0)  # several kinks in one place are 0 each
        if not low - 1e-3 * size <= received[flat] <= high + 1e-3 * size:
            says = (
                f"{array} is {number(received[flat])} at {index}, where the input is 0 and the slope goes from "
                f"{number(left)} to {number(right)}: it must be one of them or lie between."
            )
            yield bench.error("kinks", array, says, "outside_the_kink")
            return
        passes = bench.at_kinks == "zero" and abs(received[flat]) > 1e-6 * size
        if passes and abs(left) <= 1e-6 * size and _is_a_gate(setting, name, int(flat)):
            inputs_, _, d_ = names_of(setting)
            says = (
                f"At an input of exactly 0 {array} passes the gradient ({number(received[flat])} at {index}), as >= "
                "does. By the convention of the book, and of every framework's ReLU, the derivative of max(x, 0) at "
                "0 is 0: write > 0."
            )
            write = bench.line(name, f"{d_} * ({inputs_} > 0)")
            yield bench.error("kinks", array, says, "gate_at_zero", write=write)
            return


def _is_a_gate(setting: Setting, name: str, flat: int) -> bool:
    """Whether the output here is c·max(x, 0) near and far, and depends on this input alone."""
    if setting.output.shape != setting.values[name].shape:
        return False
    along = setting.entry(name, flat)
    below = [along(-t).reshape(-1)[flat] for t in (0.0, 1e-3, 0.1, 10.0)]
    slopes = [along(t).reshape(-1)[flat] / t for t in (1e-3, 0.1, 10.0)]
    if any(below) or not np.allclose(slopes, slopes[0], rtol=1e-6, atol=0):
        return False
    for other in setting.subject.inputs:
        for place in range(setting.values[other].size):
            moved = [setting.entry(other, place)(t).reshape(-1)[flat] != 0 for t in (1e-3, -1e-3)]
            if any(moved) and (other, place) != (name, flat):
                return False
    return True


# Where a loss is clipped


def clipping(bench: Bench) -> Iterator[Finding]:
    """Probabilities of exactly 0 and 1 must give a finite loss and a finite gradient."""
    subject = bench.subject
    if subject.domain != "probabilities" or not subject.is_loss:
        return
    name, like = next(iter(subject.inputs.items()))
    predictions = np.zeros((2, *like.shape[1:]))
    predictions[..., 0] = 1.0
    values = {**subject.parameters, name: predictions}
    point = Point(values, None, subject.modes[0], "probabilities of 0 and 1", fixed=subject.fixed, sizes=(2,))
    for targets in fresh_targets(subject, bench.rng, point):
        setting = bench.setting(replace(point, targets=targets))
        received = np.asarray(setting.gradients.get(name, 0.0), dtype=np.float64)
        array = bench.label(name)
        if not np.isfinite(setting.output).all():
            says = "The loss is infinite for a probability of 0: clip the predictions before the logarithm."
            yield bench.warning("clipping", "output", says, "clip_missing")
            return
        if not np.isfinite(received).all():
            d_ = subject.style.dvalues
            says = (
                f"{array} holds {received[~np.isfinite(received)][0]} for a probability of exactly 0 or 1: the "
                "predictions are clipped in forward only."
            )
            write = f"clipped = np.clip({d_}, 1e-7, 1 - 1e-7)  # and divide by that"
            yield bench.error("clipping", array, says, "clip_in_forward_only", write=write)
            return
