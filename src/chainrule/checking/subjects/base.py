"""What is checked, whatever it is written as: a `Subject` makes `Instance`s, which run forward and backward."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..streams import seed_streams

__all__ = [
    "NATIVE",
    "Brought",
    "Group",
    "Instance",
    "Point",
    "Style",
    "Subject",
    "batch_of",
    "fresh_targets",
    "groups_of",
    "is_shape",
    "samples_axis",
    "sizes_of",
]

Arrays = dict[str, NDArray[Any]]
Group = tuple[tuple[str, int], ...]  # axes that have one size, each as (name of the array, axis)


@dataclass(frozen=True)
class Point:
    """Where a gradient is taken: the arrays that it is taken by, and what else forward reads."""

    values: Arrays  # inputs and parameters by name
    targets: Any = None  # what a loss compares with
    training: bool = True
    label: str = ""  # how the report names it
    first_row: int = 0  # the place of its first sample in a larger batch, for noise that depends on it
    fixed: Mapping[str, Any] = field(default_factory=dict)  # arguments without a gradient: integers, masks, settings
    sizes: tuple[int, ...] = ()  # of the groups of axes that change together, the samples first

    def with_values(self, values: Mapping[str, Any]) -> Point:
        """The same place with other arrays."""
        return self._holding({**self.values, **values}, self.fixed)

    def copied(self) -> Point:
        """The same place with arrays that forward may overwrite."""
        fixed = copy.deepcopy(dict(self.fixed)) if self.fixed else self.fixed
        return self._holding({name: value.copy() for name, value in self.values.items()}, fixed)

    def _holding(self, values: Arrays, fixed: Mapping[str, Any]) -> Point:
        # `dataclasses.replace` takes longer than many a forward pass, and each entry of a gradient takes two points.
        return Point(values, self.targets, self.training, self.label, self.first_row, fixed, self.sizes)


class Instance(ABC):
    """One object in use: it may remember, between calls, what the checked object remembers."""

    @abstractmethod
    def forward(self, point: Point) -> NDArray[Any]:
        """The output, or the loss that the gradient belongs to."""

    @abstractmethod
    def backward(self, dvalues: NDArray[Any]) -> dict[str, Any]:
        """What the object says dL/d(value) is, by the value's name; a gradient that it does not give is left out."""

    def restart(self) -> None:
        """Let the object's own random generators draw once more what they drew at first."""
        return

    def seed(self, seed: int) -> None:
        """Set the global random streams that its forward draws from."""
        seed_streams(seed)

    def hold_single(self) -> None:
        """Hold in float32 what the object itself held so, and the places of its gradients."""
        return

    def parameters(self) -> Arrays:
        """The parameters as the object holds them now."""
        return {}

    def penalty(self) -> tuple[float, Arrays]:
        """What backward adds that forward does not: the object's own regularization and its exact gradient."""
        return 0.0, {}

    def memory(self) -> Arrays:
        """Every other array that the object holds, by a name that its author knows."""
        return {}


@dataclass(frozen=True)
class Style:
    """How lines of this object's backward pass are written."""

    module: str = "np"
    dot: str = "np.dot"
    own: str = "self."  # before what the object stored
    assign: str = "self.d{name} = {code}"
    dvalues: str = "dvalues"
    inputs: str = "inputs"
    targets: str = "y_true"

    def line(self, name: str, code: str) -> str:
        """The line that sets a gradient."""
        return self.assign.format(name=name, code=code)


NATIVE = Style(module="xp", dot="xp.matmul", own="", assign="d{name}={code},")


@dataclass
class Subject:
    """An object to check: how to make fresh instances of it, and arrays on which it works."""

    title: str
    create: Callable[[], Instance]
    inputs: Arrays  # by name, the first axis counting samples
    parameters: Arrays = field(default_factory=dict)
    targets: tuple[Any, ...] = ()  # in every form that it takes: class indices, one-hot rows
    redraw_targets: Callable[[np.random.Generator, Point], tuple[Any, ...]] | None = None
    modes: tuple[bool, ...] = (True,)  # training, inference
    is_loss: bool = False  # whether its inputs are predictions, which it compares with targets
    uncompared: tuple[str, ...] = ()  # arrays that move the output and have no gradient
    settings: int = 4  # how many batches are drawn beside its own
    upstream: bool = True  # whether backward takes dL/d(output); a loss starts from 1
    domain: str = "numbers"  # or "positive", "probabilities": where the inputs must lie
    style: Style = field(default_factory=Style)
    given: bool = False  # whether the inputs are the user's own
    seeded: bool = False  # whether the global random streams must be set before each forward
    fixed: dict[str, Any] = field(default_factory=dict)  # arguments without a gradient
    groups: tuple[Group, ...] | None = None  # axes that change size together, the samples first; None: the first axes
    optional: frozenset[str] = frozenset()  # inputs whose gradient nobody needs
    redraw_fixed: Callable[[np.random.Generator, str, tuple[int, ...]], Any] | None = None
    updates: bool = False  # whether backward takes the step itself
    any_rank: bool = False  # whether each entry of the output comes of its own entry of the input
    undefined: bool = False  # whether nobody calls backward after inference
    on_purpose: str = ""  # why the gradient is not meant to be the derivative, where its author says so
    slack: float = 0.0  # a relative error that is none, such as that of a small number inside a logarithm
    notes: tuple[str, ...] = ()  # what was guessed, and what could not be matched
    elsewhere: bool = False  # whether its code runs in another process, where no line of it can be tried
    variations: Callable[[], Iterator[Subject]] | None = None  # the same with other values of settings with defaults
    setting: str = ""  # which of them, such as "padding=1"
    plain: bool = False  # whether it computes in Python's own numbers
    steps: bool = False  # whether backward takes a step itself with what is not compared
    broken: bool = False  # whether no way was found on which its backward pass runs
    fit: int = 2  # 2 where every gradient fitted as it was found, 1 where each had the right shape at least
    mixes: bool | None = None  # whether it says that one sample's output depends on the others; None: it does not say


class Brought(ABC):
    """An item that brings its subjects along, such as code that runs in another process."""

    name: str

    @abstractmethod
    def subjects(self, **options: Any) -> Iterator[Subject]:
        """The subjects, for the options of `subjects_of`."""


def groups_of(subject: Subject) -> tuple[Group, ...]:
    """The axes that change size together: the samples, then others."""
    return tuple((tuple((name, 0) for name in subject.inputs),) if subject.groups is None else subject.groups)


def samples_axis(subject: Subject) -> int:
    """Along which axis of the first input the samples lie."""
    groups = groups_of(subject)
    return groups[0][0][1] if groups and groups[0] else 0


def sizes_of(subject: Subject) -> tuple[int, ...]:
    """How large the groups are in the subject's own arrays."""
    arrays = {**subject.fixed, **subject.parameters, **subject.inputs}
    if subject.targets:
        arrays["targets"] = subject.targets[0]
    return tuple(int(np.shape(arrays[name])[axis]) for (name, axis), *_ in groups_of(subject) if np.ndim(arrays[name]))


def is_shape(inputs: Any) -> bool:
    """Whether inputs are given as a shape, such as (5, 4).

    >>> is_shape((5, 4)), is_shape([[5.0, 4.0]]), is_shape(None)
    (True, False, False)
    """
    return isinstance(inputs, tuple) and bool(inputs) and all(isinstance(size, int) for size in inputs)


def batch_of(values: Mapping[str, NDArray[Any]]) -> int:
    """The number of samples: the length of the first array."""
    first = next(iter(values.values()))
    return int(first.shape[0]) if first.ndim else 1


def fresh_targets(subject: Subject, rng: np.random.Generator, point: Point) -> tuple[Any, ...]:
    """Targets for the inputs of `point`, in every form that the object takes; (None,) where it takes none."""
    if subject.redraw_targets is not None:
        return subject.redraw_targets(rng, point) or (None,)
    if not subject.targets:
        return (None,)
    samples = point.sizes[0] if point.sizes else batch_of(point.values)
    return tuple(np.resize(t, (samples, *np.shape(t)[1:])) for t in subject.targets)
