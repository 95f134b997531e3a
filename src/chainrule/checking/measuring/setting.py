"""One forward and backward pass at a point, and forward as a function of one number that moves its arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..subjects import Instance, Point, Subject, batch_of
from . import nudge

__all__ = ["Runner", "Setting"]

Floats = NDArray[Any]


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
    _usual: dict[str, float] = field(default_factory=dict, init=False)  # how large the entries of an array are

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
        array = self.values[name]
        usual = self._usual.get(name)
        if usual is None:
            usual = self._usual[name] = float(np.sqrt(np.mean(np.abs(array) ** 2))) if array.size else 0.0
        size = max(abs(float(array.reshape(-1)[flat])), 0.1 * usual) if flat is not None else usual
        return size or 1.0

    def step(self, size: float) -> float:
        """The first step of central differences, wider where forward is noisy."""
        return float(size * self.noise ** (1 / 6))
