"""What all parts of one check share: the subject, its random numbers, its noise and the resulting tolerance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigurationError
from ..equality import equal
from ..findings import Diagnosis, Finding
from ..subjects import Instance, Point, Subject, batch_of, fresh_targets, groups_of
from ..subjects.names import LIKE_WEIGHTS, role_of
from . import nudge
from .comparison import Tolerance
from .setting import Runner, Setting
from .trials import points, redrawn, upstream

__all__ = ["Bench", "Broken", "own_limit", "refuse_ours"]

Floats = NDArray[Any]


class Broken(Exception):
    """Raised where the object fails or returns nothing that can be compared; carries the finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.says)
        self.finding = finding


def refuse_ours(error: BaseException, title: str) -> None:
    """Raises `ConfigurationError` where an error came up in check itself, in no line of the object's author."""
    trace, inside = error.__traceback__, (str(Path(__file__).parents[1]), str(Path(np.__file__).parent))
    if getattr(error, "theirs", False):  # it was raised in another process, in a line of the author
        return
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(inside):
            return
        trace = trace.tb_next
    raise ConfigurationError(own_limit(error, title)) from error


def own_limit(error: BaseException, title: str) -> str:
    """What is said where check itself fails."""
    return (
        f"check: {title} meets a limit of check itself ({type(error).__name__}: {error}); nothing is said of its "
        "gradients. Pass other inputs, or a pair of functions (forward, backward)."
    )


def _shapes(point: Point) -> str:
    return ", ".join(f"{name} {value.shape}" for name, value in point.values.items())


class Bench:
    """The subject and everything that the checks share."""

    def __init__(self, subject: Subject, tolerance: Tolerance, seed: int, at_kinks: str) -> None:
        self.subject, self.seed, self.at_kinks = subject, seed, at_kinks
        self.tolerance = tolerance._replace(rtol=max(tolerance.rtol, subject.slack))
        self.runner = Runner(subject, seed)
        self.noise = 0.0
        self.known: dict[Any, tuple[Any, Any]] = {}  # entries and derivatives, where every entry was measured

    @property
    def rng(self) -> np.random.Generator:
        """A fresh generator: every check sees the same random numbers, whichever others run."""
        return np.random.default_rng([self.seed, 7])

    @property
    def reached(self) -> float:
        """The smallest relative error that can be told apart from this noise."""
        return max(self.tolerance.rtol, 8 * float(self.noise ** (5 / 6)))

    # Passes

    def forward(self, instance: Instance, point: Point) -> Floats:
        """One forward pass, always with the same random numbers."""
        return self.runner.forward(instance, point)

    def dvalues(self, output: Floats) -> Floats:
        """Random upstream gradients for an output."""
        return upstream(self.subject, self.rng, output)

    def two_points(self) -> tuple[Point, Point]:
        """Two batches of different lengths with the same parameters."""
        first = self.own_point()
        length = (first.sizes or (batch_of(first.values),))[0]
        return first, self._another(self.rng, 3 if length != 3 else 4)

    def like(self, point: Point) -> Point:
        """Another batch of the same length, with the same parameters."""
        return self._another(np.random.default_rng([self.seed, 11]), (point.sizes or (batch_of(point.values),))[0])

    def _another(self, rng: np.random.Generator, length: int) -> Point:
        if not groups_of(self.subject):
            length = batch_of(self.subject.inputs or self.subject.parameters)
        point = redrawn(self.subject, rng, length, self.subject.modes[0])
        same = {n: v for n, v in self.subject.parameters.items() if point.values[n].shape == v.shape}
        point = point.with_values(same)
        return replace(point, targets=fresh_targets(self.subject, rng, point)[0])

    def own_point(self) -> Point:
        """The subject's own batch."""
        return next(points(self.subject, self.rng, self.subject.modes[0], 0))

    def setting(self, point: Point) -> Setting:
        """Forward and backward at a point. Raises `Broken` where one of them fails."""
        instance = self.subject.create()
        output = self._tried(instance, point)
        dvalues = self.dvalues(output)
        try:
            gradients = instance.backward(dvalues.copy())
        except (Exception, SystemExit) as error:  # the object is not ours: anything may come
            raise Broken(self._failed("backward", error, point)) from error
        memory = instance.memory()
        penalty = instance.penalty()[1]
        return Setting(self.subject, self.runner, point, self.noise, dvalues, output, gradients, memory, penalty)

    def _tried(self, instance: Instance, point: Point) -> Floats:
        try:
            return self.forward(instance, point.copied())
        except (Exception, SystemExit) as error:  # the object is not ours: anything may come
            raise Broken(self._failed("forward", error, point)) from error

    def _failed(self, method: str, error: BaseException, point: Point) -> Finding:
        refuse_ours(error, self.subject.title)
        says = f"{method} raises {type(error).__name__}: {error} ({_shapes(point)})."
        return self.error("raises", "", says, f"{method}_raises")

    def key_of(self, point: Point, name: str) -> Any:
        """What tells one array at one point from all others."""
        arrays = [np.asarray(each).tobytes() for each in (*point.values.values(), point.targets) if each is not None]
        others = [each.tobytes() for each in point.fixed.values() if isinstance(each, np.ndarray)]
        return name, point.training, tuple(arrays), tuple(others)

    # What the object does with randomness and rounding

    def settle(self) -> None:
        """Find out whether the object is random, whether earlier calls affect it, and how noisy its rounding is."""
        point = self.own_point()
        first = self._tried(self.subject.create(), point)
        if not first.size:
            raise ConfigurationError(
                f"check: the output of {self.subject.title} has no entries, shape {first.shape}, so that nothing can "
                f"be compared ({_shapes(point)}). Pass larger inputs: check(layer, inputs)."
            )
        if not equal(first, self._tried(self.subject.create(), point)):
            self.subject.seeded = True
            again = [self._tried(self.subject.create(), point) for _ in range(2)]
            if not equal(again[0], again[1]):
                says = (
                    "Two forward passes on the same inputs give different outputs, even from the same random numbers: "
                    "a gradient cannot be compared. Draw from numpy.random, or from a generator that the object holds."
                )
                raise Broken(self.error("random", "output", says, "not_deterministic"))
        reused = self.subject.create()
        outputs = [self._tried(reused, point) for _ in range(2)]
        self.runner.fresh_each = not equal(outputs[0], outputs[1])
        self.noise = self._noise(point)

    def _noise(self, point: Point) -> float:
        name, array = next(iter(point.values.items()))
        usual = float(np.sqrt(np.mean(array * array))) or 1.0 if array.size else 1.0
        direction = self.rng.normal(size=array.shape)

        def curve(t: Any) -> Floats:
            return self.runner.output(point.with_values({name: array + t * direction}))

        noise = nudge.noise_level(curve, 1e-6 * usual)
        # what a sharp bend makes of three differences shrinks with the spacing; noise does not
        return noise if noise < 1e-15 else min(noise, nudge.noise_level(curve, 1e-7 * usual))

    # Findings

    def label(self, name: str) -> str:
        """The name of a gradient, such as `dweights`."""
        if name == "output":
            return name
        inputs = list(self.subject.inputs)
        data = inputs == [name] and role_of(name) not in LIKE_WEIGHTS
        return "dinputs" if data and self.subject.style.own else f"d{name}"

    def line(self, name: str, code: str) -> str:
        """The line that sets a gradient, as the object's author would write it."""
        return self.subject.style.line(self.label(name)[1:], code)

    def error(self, kind: str, array: str, says: str, mistake: str, write: str = "") -> Finding:
        """A finding that makes the check fail."""
        return self._finding("error", kind, array, says, mistake, write)

    def warning(self, kind: str, array: str, says: str, mistake: str) -> Finding:
        """A finding that should be fixed although no gradient is wrong."""
        return self._finding("warning", kind, array, says, mistake)

    def note(self, kind: str, array: str, says: str, mistake: str) -> Finding:
        """A finding that is only worth knowing."""
        return self._finding("note", kind, array, says, mistake)

    def _finding(self, severity: str, kind: str, array: str, says: str, mistake: str, write: str = "") -> Finding:
        diagnosis = Diagnosis(mistake, says, "", write)
        return Finding(kind, severity, self.subject.title, array, says, diagnoses=(diagnosis,))
