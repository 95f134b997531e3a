"""Compares the gradients that an object returns with numeric derivatives of its forward pass, entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import nudge
from .subjects import Instance, Point, Subject, batch_of, groups_of

__all__ = ["Comparison", "Runner", "Setting", "Tolerance", "measure", "sides"]

Floats = NDArray[Any]

_SMALL = 24  # arrays up to this size are compared entry by entry in the first setting; larger ones, and all in others,
_DIRECTIONS = 3  # along this many random directions, each of which moves every entry,
_FEW = 3  # and in this many entries; where a direction disagrees
_EVERY = 400  # arrays up to this size in every entry after all, and larger ones in
_BLOCK = 8  # a block of 8 x 8 entries,
_SCATTERED = 32  # and this many others
_LOCATED = 2  # wrong entries to look for in a large array where a direction disagrees
_CLIP = 1e-6  # probabilities this close to 0 and 1 may be clipped
_NARROWER = 4096  # how much narrower the steps are where the usual ones leave what forward takes
_SAFE = 300  # how many times the small number inside a logarithm a probability is, for a slack of one
_MOST_SLACK = 0.01
_AGREES = 1e-6  # a complex step is trusted if it agrees with central differences this closely


class Tolerance(NamedTuple):
    """When two entries agree: |received - expected| <= rtol · the larger + atol · the array's largest + what the
    derivative itself may be off by."""

    rtol: float
    atol: float


class Runner:
    """Runs forward on instances of a subject, always with the same random numbers."""

    def __init__(self, subject: Subject, seed: int) -> None:
        self.subject, self.seed = subject, seed
        self.fresh_each = False  # set where an instance's output depends on its earlier calls
        self._reused: dict[bool, Instance] = {}  # one for each mode: training moves what inference reads
        self._first: dict[tuple[int, ...], Floats] = {}
        self.moves = False  # whether outputs of one shape were ever different

    def forward(self, instance: Instance, point: Point) -> Floats:
        """The output of one forward pass; `point` is handed over as it is."""
        if self.subject.seeded:
            instance.seed(self.seed)
        instance.restart()
        output = np.asarray(instance.forward(point))
        if not self.moves:
            first = self._first.setdefault(output.shape, output.copy())
            self.moves = not np.array_equal(first, output, equal_nan=first.dtype.kind in "fc")
        return output

    def output(self, point: Point) -> Floats:
        """The output at a point, from an instance that is used only once."""
        if point.training not in self._reused or self.fresh_each:
            self._reused[point.training] = self.subject.create()
        return self.forward(self._reused[point.training], point.copied())


@dataclass
class Setting:
    """One forward and backward pass at a point."""

    subject: Subject
    runner: Runner
    point: Point
    noise: float
    dvalues: Floats
    output: Floats
    gradients: dict[str, Any]  # as received
    memory: dict[str, Floats]  # what the instance held after backward
    penalty: dict[str, Floats]  # what its backward should add to the derivative of forward

    @property
    def values(self) -> dict[str, Floats]:
        """The arrays with respect to which gradients are taken."""
        return self.point.values

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return self.point.sizes[0] if self.point.sizes else batch_of(self.point.values)

    def curve(self, name: str, direction: Callable[[Any], Floats]) -> nudge.Curve:
        """The output as a function of t, where one array is replaced by `direction(t)`."""
        return lambda t: self.runner.output(self.point.with_values({name: direction(t)}))

    def entry(self, name: str, flat: int) -> nudge.Curve:
        """The output as a function of t, added to one entry of an array."""
        array = self.values[name]

        def moved(t: Any) -> Floats:
            copied = array.astype(np.result_type(array, type(t)))
            copied.reshape(-1)[flat] += t
            return copied

        return self.curve(name, moved)

    def along(self, name: str, direction: Floats) -> nudge.Curve:
        """The output as a function of t, times a direction added to a whole array."""
        return self.curve(name, lambda t: self.values[name] + t * direction)

    def at(self, **replaced: Any) -> Setting:
        """The same setting with other `values` or `targets`."""
        values = {**self.values, **replaced.get("values", {})}
        targets = replaced.get("targets", self.point.targets)
        point = replace(self.point, values=values, targets=targets)
        return Setting(
            self.subject, self.runner, point, self.noise, self.dvalues, self.output, self.gradients, self.memory, {}
        )

    def scale(self, name: str, flat: int | None = None) -> float:
        """The first step for an entry, or a whole array, before noise is taken into account."""
        array = np.abs(self.values[name])
        usual = float(np.sqrt(np.mean(array * array))) if array.size else 0.0
        size = max(float(array.reshape(-1)[flat]), 0.1 * usual) if flat is not None else usual
        return size or 1.0

    def step(self, size: float) -> float:
        """The first step of central differences, wider where forward is noisy."""
        return float(size * self.noise ** (1 / 6))


@dataclass
class Comparison:
    """One array in one setting: the gradient received, and the derivative at some or all of its entries."""

    setting: Setting
    name: str
    received: Floats
    flats: NDArray[np.intp]  # (K,), positions of the compared entries in the flattened array
    columns: Floats  # (K, outputs), ∂output / ∂entry
    expected: Floats  # (K,)
    allowed: Floats  # (K,), the tolerance of each entry
    wrong: NDArray[np.bool_]  # (K,)
    kinks: NDArray[np.bool_]  # (K,)
    method: str
    projections: int

    @property
    def value(self) -> Floats:
        """The array with respect to which the gradient is taken."""
        return self.setting.values[self.name]

    @property
    def complete(self) -> bool:
        """Whether every entry was compared."""
        return len(self.flats) == self.value.size

    @property
    def given(self) -> Floats:
        """The received entries that were compared, (K,)."""
        return np.asarray(self.received.reshape(-1)[self.flats], dtype=np.float64)

    @property
    def error(self) -> float:
        """The largest difference between received and expected."""
        return float(np.max(np.abs(self.given - self.expected)[~self.kinks], initial=0.0))

    @property
    def largest(self) -> float:
        """The largest entry expected."""
        return float(np.max(np.abs(self.expected)[~self.kinks], initial=0.0))

    def by(self, dvalues: Floats) -> Floats:
        """The derivative for another upstream gradient, (K,)."""
        return np.asarray(self.columns @ np.broadcast_to(dvalues, self.setting.output.shape).reshape(-1))


def measure(
    setting: Setting,
    name: str,
    tolerance: Tolerance,
    rng: np.random.Generator,
    every: bool = False,
    directions: int | None = None,
) -> Comparison:
    """Compare one gradient of the right shape with the derivative of forward; with `every` in each entry if it can.

    With a number of `directions` along these alone, whatever the size (along one where a derivative takes several
    passes), and in entries where one of them disagrees.
    """
    received = np.asarray(setting.gradients[name], dtype=np.float64)
    size = setting.values[name].size
    slopes = _Slopes(setting, name, rng)
    flats, projections = np.arange(size), 0
    if size > (_EVERY if every else 1 if directions else _SMALL):
        projections = (directions if slopes.complex else 1) if directions else _DIRECTIONS
        if not _disagrees_anywhere(setting, name, received, slopes, rng, projections):
            few = 0 if directions else _FEW
            flats = np.sort(rng.choice(size, few, replace=False)).astype(np.intp)
        elif size > _EVERY:
            flats = np.union1d(_chosen(setting.values[name].shape, rng), _located(setting, name, received, slopes, rng))
    columns = np.empty((len(flats), setting.output.size))
    errors = np.empty(len(flats))
    weights = np.abs(setting.dvalues).reshape(-1)
    for row, flat in enumerate(flats):
        slope = slopes.of_entry(int(flat))
        columns[row] = slope.value.reshape(-1)
        errors[row] = float(weights @ slope.error.reshape(-1))
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
    _set_clipped_apart(result)
    if setting.subject.slack and not setting.output.ndim:
        _allow_for_the_small_number(result, slopes)
    if tolerance.rtol < 1:
        _allow_for_rounding(result, slopes, rng)
    _set_kinks_apart(result)
    return result


def _allowed(
    setting: Setting, columns: Floats, expected: Floats, given: Floats, errors: Floats, tolerance: Tolerance
) -> Floats:
    weights = np.abs(setting.dvalues).reshape(-1)
    largest = float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected)))
    cancelled = np.abs(columns) @ weights  # the terms that the entry is a sum of: their rounding stays
    rounding = 1e-14 * max(1.0, float(np.max(np.abs(setting.output), initial=0.0))) * np.max(weights, initial=0.0)
    relative = tolerance.rtol * np.maximum(np.abs(expected), np.abs(np.where(np.isfinite(given), given, 0)))
    return np.asarray(relative + tolerance.atol * largest + 4 * errors + 1e-12 * cancelled + rounding)


class _Slopes:
    """Derivatives by entry and along directions, from complex steps where these can be trusted."""

    def __init__(self, setting: Setting, name: str, rng: np.random.Generator, believed: bool | None = None) -> None:
        self.setting, self.name, self.rng = setting, name, rng
        self.direction = rng.normal(size=setting.values[name].shape)  # along which the two were compared
        self.known: nudge.Slope | None = None
        self.complex = self._complex_step_holds() if believed is None else believed
        self.method = "complex step" if self.complex else "central differences"

    def of_entry(self, flat: int) -> nudge.Slope:
        """∂output / ∂entry."""
        return self._of(self.setting.entry(self.name, flat), self.setting.scale(self.name, flat))

    def along(self, direction: Floats) -> nudge.Slope:
        """The derivative of the output along a direction."""
        return self._of(self.setting.along(self.name, direction), self.setting.scale(self.name))

    def _of(self, curve: nudge.Curve, size: float) -> nudge.Slope:
        if self.complex:
            slope = nudge.complex_slope(curve)
            if slope is not None and np.isfinite(slope).all():
                return nudge.Slope(slope, np.zeros(slope.shape))
        return self._central(curve, size)

    def _central(self, curve: nudge.Curve, size: float) -> nudge.Slope:
        step = self.setting.step(size)
        try:
            return nudge.central_slope(curve, step, self.setting.noise)
        except Exception:  # what forward asserts, such as rows that add up to 1, may hold close by alone
            return nudge.central_slope(curve, step / _NARROWER, self.setting.noise)

    def _complex_step_holds(self) -> bool:
        """Whether complex steps agree with central differences in every output along a random direction."""
        if self.setting.noise > 1e-13:
            return False
        curve = self.setting.along(self.name, self.direction)
        try:
            slope = nudge.complex_slope(curve)
        except Exception:  # an object written for real numbers may raise anything
            return False
        if slope is None or not np.isfinite(slope).all():
            return False
        if self._agrees_at_once(curve, slope):
            self.known = nudge.Slope(slope, np.zeros(slope.shape))
            return True
        real = self._central(curve, self.setting.scale(self.name))
        size = np.max(np.abs(real.value), initial=0.0)
        agree = np.abs(slope - real.value) <= _AGREES * size + 10 * real.error
        holds = bool(agree.all()) and bool(np.max(real.error, initial=0.0) <= 1e-3 * size)
        self.known = nudge.Slope(slope, np.zeros(slope.shape)) if holds else real
        return holds

    def _agrees_at_once(self, curve: nudge.Curve, slope: Floats) -> bool:
        """Whether one narrow difference agrees already; where a kink lies on the way it does not."""
        step = 1e-5 * self.setting.scale(self.name)
        try:
            real = (np.asarray(curve(step)) - np.asarray(curve(-step))) / (2 * step)
        except Exception:  # the object is not ours: anything may come
            return False
        return bool((np.abs(slope - real) <= _AGREES * np.max(np.abs(real), initial=0.0)).all())


def _disagrees_anywhere(
    setting: Setting, name: str, received: Floats, slopes: _Slopes, rng: np.random.Generator, directions: int
) -> bool:
    """Whether one of several random directions disagrees: the one along which the derivatives were compared first."""
    if slopes.known is not None:
        if _differs(setting, name, received, slopes.direction.reshape(-1), slopes.known):
            return True
        directions -= 1
    whole = np.arange(received.size)
    return any(_disagrees(setting, name, received, slopes, whole, rng) for _ in range(directions))


def _chosen(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.intp]:
    """A random block of a large array, and others scattered at random."""
    size = int(np.prod(shape))
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    height, width = min(_BLOCK, rows), min(_BLOCK, columns)
    top, left = rng.integers(0, rows - height + 1), rng.integers(0, columns - width + 1)
    block = (np.arange(top, top + height)[:, None] * columns + np.arange(left, left + width)).reshape(-1)
    return np.union1d(block, rng.choice(size, _SCATTERED, replace=False)).astype(np.intp)


def _located(
    setting: Setting, name: str, received: Floats, slopes: _Slopes, rng: np.random.Generator
) -> NDArray[np.intp]:
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
            if _disagrees(setting, name, received, slopes, half, rng):
                waiting.append(half)
    return np.array(found, dtype=np.intp)


def _disagrees(
    setting: Setting, name: str, received: Floats, slopes: _Slopes, part: NDArray[np.intp], rng: np.random.Generator
) -> bool:
    direction = np.zeros(received.size)
    direction[part] = rng.normal(size=len(part))
    return _differs(setting, name, received, direction, slopes.along(direction.reshape(received.shape)))


def _differs(setting: Setting, name: str, received: Floats, direction: Floats, slope: nudge.Slope) -> bool:
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


def _set_clipped_apart(result: Comparison) -> None:
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
    clipped = still[rows] & (certain[rows] | (setting.subject.domain == "probabilities"))
    if setting.subject.domain == "probabilities":
        clipped |= (at <= _CLIP) | (at >= 1 - _CLIP)
    clipped &= np.isfinite(result.given)
    result.kinks |= clipped
    result.wrong &= ~clipped


def _allow_for_the_small_number(result: Comparison, slopes: _Slopes) -> None:
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
        there = [_Slopes(one, result.name, slopes.rng, slopes.complex) for one in alone]
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


def _allow_for_rounding(result: Comparison, slopes: _Slopes, rng: np.random.Generator) -> None:
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
        there = _Slopes(nearby, name, rng, slopes.complex)
        expected = [float(np.sum(setting.dvalues * there.of_entry(int(result.flats[row])).value)) for row in rows]
        spread = np.maximum(spread, np.abs(received[result.flats[rows]] - result.given[rows]))
        spread = np.maximum(spread, np.abs(np.array(expected) - result.expected[rows]))
    result.allowed[rows] += 10 * spread
    result.wrong[rows] = ~(np.abs(result.given[rows] - result.expected[rows]) <= result.allowed[rows])


def _set_kinks_apart(result: Comparison) -> None:
    """At a kink there is no derivative, and any slope between those of the two sides is right.

    A kink very close by shows at wide steps and not at narrow ones: the gradient must lie between the sides at each.
    """
    setting, name = result.setting, result.name
    for row in np.flatnonzero(result.wrong)[:64]:
        if not np.isfinite(result.given[row]):
            continue
        flat, bent, between = int(result.flats[row]), False, True
        extra = setting.penalty[name].reshape(-1)[flat] if name in setting.penalty else 0.0
        for narrower in (1, 8, 64):
            left, right, _ = sides(setting, name, flat, narrower)
            size = abs(left) + abs(right)
            slack = 1e-3 * size + result.allowed[row]
            bent |= abs(right - left) > slack
            between &= min(left, right) - slack <= result.given[row] - extra <= max(left, right) + slack
        result.wrong[row], result.kinks[row] = not (bent and between), bent and between


def sides(setting: Setting, name: str, flat: int, narrower: int = 1) -> tuple[float, float, bool]:
    """The slopes on both sides of an entry, and whether they persist with a smaller step."""
    step = 1e-6 / narrower * setting.scale(name, flat) * (setting.noise / 2.3e-16) ** 0.5
    found = []
    for h in (step, step / 8):
        left, right = nudge.one_sided_slopes(setting.entry(name, flat), h)
        found.append((float(np.sum(setting.dvalues * left)), float(np.sum(setting.dvalues * right))))
    wide, (closer_left, closer_right) = found
    size = abs(closer_left) + abs(closer_right) + 1e-300
    settled = abs(wide[0] - closer_left) + abs(wide[1] - closer_right) <= 1e-3 * size
    return closer_left, closer_right, settled
