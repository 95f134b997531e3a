"""What differs and is no mistake: clipped losses, small numbers in logarithms, rounding where terms cancel, kinks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from ..subjects import Point, groups_of
from .comparison import Comparison
from .derivatives import Derivatives, sides

__all__ = ["allow_for_rounding", "allow_for_the_small_number", "set_clipped_apart", "set_kinks_apart"]

_CLIP = 1e-6  # probabilities this close to 0 and 1 may be clipped
_NEAR = 0.02  # to 0 or 1, for a probability that a loss may have clipped further in
_SAFE = 300  # how many times the small number inside a logarithm a probability is, for a slack of one
_MOST_SLACK = 0.01


def set_clipped_apart(result: Comparison) -> None:
    """A clipped loss does not depend on its predictions; by convention its gradient is that at the clip."""
    setting, value = result.setting, result.value
    if not setting.subject.is_loss or value.ndim != 2:
        return
    rows, at = result.flats // value.shape[1], value.reshape(-1)[result.flats]
    still = np.ones(value.shape[0], dtype=bool)
    np.logical_and.at(still, rows, ~result.columns.any(axis=1))
    scores = value if value.shape[1] > 1 else np.concatenate([value, 0 * value], axis=1)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    certain = (shares / shares.sum(axis=1, keepdims=True)).max(axis=1) > 1 - _CLIP  # a softmax inside is at its clip
    near = np.abs(value - 0.5).max(axis=1) > 0.5 - _NEAR  # a row that is ignored stays as it is, too
    clipped = still[rows] & (certain[rows] | (near[rows] & (setting.subject.domain == "probabilities")))
    if setting.subject.domain == "probabilities":
        clipped |= (at <= _CLIP) | (at >= 1 - _CLIP)
    clipped &= np.isfinite(result.given)
    result.kinks |= clipped
    result.wrong &= ~clipped


def allow_for_the_small_number(result: Comparison, slopes: Derivatives) -> None:
    """What a small number ε inside -log(p + ε) makes of a sum: ε/p of each sample's term, though terms may cancel."""
    setting, rows = result.setting, np.flatnonzero(result.wrong & np.isfinite(result.given))
    group = dict(next(iter(groups_of(setting.subject)), ()))
    if not len(rows) or not group:
        return
    alone = [replace(setting, point=_one_sample(setting.point, group, sample)) for sample in range(setting.samples)]
    losses = np.array([float(one.runner.output(one.point)) for one in alone])
    slack = setting.subject.slack  # p + ε is exp(-loss), or more
    shares = np.minimum(np.maximum(slack, slack / _SAFE * np.exp(np.minimum(losses, 99))), _MOST_SLACK)
    if result.name in group:  # an entry is a matter of one sample
        which = np.unravel_index(result.flats[rows], result.value.shape)[group[result.name]]
        result.allowed[rows] += shares[which] * np.abs(result.expected[rows])
    else:
        there = [Derivatives(one, result.name, slopes.rng, slopes.complex) for one in alone]
        terms = np.array([[np.abs(t.of_entry(int(f)).value) for f in result.flats[rows]] for t in there])  # (B, K)
        mean = min(abs(float(setting.output)) / (abs(losses.sum()) or 1.0), 1.0)  # 1/B where the loss is a mean
        result.allowed[rows] += mean * (shares @ terms)
    result.wrong[rows] = ~(np.abs(result.given[rows] - result.expected[rows]) <= result.allowed[rows])


def _one_sample(point: Point, group: dict[str, int], sample: int) -> Point:
    def taken(name: str, array: Any) -> Any:
        axis = group.get(name)
        return array if axis is None else np.take(array, [sample], axis=min(axis, np.ndim(array) - 1))

    return replace(
        point,
        values={name: taken(name, value) for name, value in point.values.items()},
        fixed={name: taken(name, value) for name, value in point.fixed.items()},
        targets=taken("targets", point.targets),
        sizes=(1, *point.sizes[1:]),
    )


def allow_for_rounding(result: Comparison, slopes: Derivatives, rng: np.random.Generator) -> None:
    """Where large terms cancel only rounding is left: it changes completely if the arrays change in the 10th digit."""
    setting, name = result.setting, result.name
    rows = np.flatnonzero(result.wrong & np.isfinite(result.given))
    largest = float(np.max(np.abs(result.expected), initial=0.0))
    small = np.abs(result.given[rows] - result.expected[rows]) <= 1e-6 * max(1.0, largest)
    rows = rows[small]
    if not len(rows):
        return
    spread = np.zeros(len(rows))
    for _ in range(2):
        moved = {n: value * (1 + 1e-10 * rng.normal(size=value.shape)) for n, value in setting.values.items()}
        nearby = setting.at(values=moved)
        instance = setting.subject.create()
        setting.runner.forward(instance, nearby.point.copied())
        received = np.asarray(instance.backward(setting.dvalues.copy())[name], dtype=np.float64).reshape(-1)
        there = Derivatives(nearby, name, rng, slopes.complex)
        expected = [float(np.sum(setting.dvalues * there.of_entry(int(result.flats[row])).value)) for row in rows]
        spread = np.maximum(spread, np.abs(received[result.flats[rows]] - result.given[rows]))
        spread = np.maximum(spread, np.abs(np.array(expected) - result.expected[rows]))
    result.allowed[rows] += 10 * spread
    result.wrong[rows] = ~(np.abs(result.given[rows] - result.expected[rows]) <= result.allowed[rows])


def set_kinks_apart(result: Comparison, bent: Collection[int]) -> None:
    """At a kink there is no derivative, and any slope between those of the two sides is right.

    A kink very close by shows at wide steps and not at narrow ones: the gradient must lie between the sides at each.
    There is none where the output was found to go straight on: at entries that are not `bent`.
    """
    setting, name = result.setting, result.name
    rows = [row for row in np.flatnonzero(result.wrong) if int(result.flats[row]) in bent]
    for row in rows[:64]:
        if not np.isfinite(result.given[row]):
            continue
        flat, bends, between = int(result.flats[row]), False, True
        extra = setting.penalty[name].reshape(-1)[flat] if name in setting.penalty else 0.0
        for narrower in (1, 8, 64):
            left, right = sides(setting, name, flat, narrower)
            size = abs(left) + abs(right)
            slack = 1e-3 * size + result.allowed[row]
            bends |= abs(right - left) > slack
            between = min(left, right) - slack <= result.given[row] - extra <= max(left, right) + slack
            if not between:
                break
        result.wrong[row], result.kinks[row] = not (bends and between), bends and between
