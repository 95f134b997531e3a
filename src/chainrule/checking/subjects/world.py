"""What unknown arguments share: the decisions of a run, the sizes, the shapes that are usual for each role."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FEATURES",
    "MULTIPLES",
    "NEURONS",
    "SAMPLES",
    "STEPS",
    "Choices",
    "Shape",
    "World",
    "drawn",
    "tells_sides",
    "usual_shapes",
]

SAMPLES, FEATURES, NEURONS, STEPS, SIDE = 5, 4, 3, 4, 6
MULTIPLES = (1, 2, 3, 4)  # of an LSTM's or a GRU's gates in one matrix

Shape = tuple[int, ...]


class Choices:
    """The decisions of one run; `next` turns to the next combination, the last decision first."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.many: list[int] = []
        self.at = 0

    def of(self, options: Sequence[Any]) -> Any:
        """One of the options."""
        if self.at == len(self.taken):
            self.taken.append(0)
            self.many.append(len(options))
        self.at += 1
        return options[min(self.taken[self.at - 1], len(options) - 1)]

    def next(self) -> bool:
        """Whether there is another combination, which the next run takes."""
        del self.taken[self.at :], self.many[self.at :]
        while self.taken and self.taken[-1] + 1 >= self.many[-1]:
            self.taken.pop()
            self.many.pop()
        self.at = 0
        if not self.taken:
            return False
        self.taken[-1] += 1
        return True


class World:
    """What the unknown arguments of one run share."""

    def __init__(self, choices: Choices, rng: np.random.Generator, ranks: dict[str, int], sizes: Sequence[int]) -> None:
        self.choices, self.rng, self.ranks = choices, rng, ranks
        self.sizes = tuple(dict.fromkeys([*sizes, FEATURES]))  # how wide the inputs may be
        self.samples = SAMPLES
        self.counted = False  # whether an input told how many samples there are
        self.second = 0  # how long the second axis of an input of three is: the samples, where steps come first
        self.stated = False  # whether a state has told how many samples there are
        self.compares = False  # whether there are targets,
        self.predicts = False  # and nothing but predictions beside them
        self.compared: Shape = ()  # what targets are compared with, where that is known
        self.products = False  # whether the second of two inputs may be the matrix of a product
        self.columns = False  # whether the samples are columns
        self.single = False  # whether an index is one number, beside vectors that are called so
        self.axes: dict[str, tuple[str, ...]] = {}  # how the source calls the axes of arguments that share some,
        self.measured: dict[str, int] = {}  # and how long those are
        self.told: tuple[Shape, ...] = ()  # shapes that an object holds as that of its inputs
        self.upright = False  # whether the source asserts the shape of a column
        self.hidden: tuple[int, ...] = ()  # how wide the states of an object may be
        self.rows: dict[str, bool] = {}  # which biases are rows and which are flat, as far as the source tells
        self.kept = -1  # which of the shapes that a bias may have the first of them took


def drawn(role: str, shape: Shape, world: World) -> NDArray[Any]:
    """Random numbers of a shape, of the kind that a role asks for."""
    rng = world.rng
    if role == "mask":
        mask = np.asarray(rng.random(shape) < 0.7)
        mask[..., :1] = True
        if mask.size > 1 and mask.all():
            mask.flat[-1] = False
        return mask
    if role in ("integers", "classes"):
        return rng.integers(0, 2, shape)
    if role == "target" and len(shape) < 2:
        return rng.integers(0, 2, shape)
    predicts = world.predicts and len(shape) > 1 and shape[-1] > 1
    if role == "target" and predicts and world.choices.of(("numbers", "one of each row")) != "numbers":
        return np.asarray(np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])])
    if role in ("target", "scale"):
        return rng.uniform(0.5, 1.5, shape)
    if not (predicts and role == "input") or world.choices.of(("numbers", "shares")) == "numbers":
        return np.asarray(rng.normal(size=shape))
    shares = rng.uniform(0.1, 0.9, shape)
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def usual_shapes(name: str, role: str, world: World) -> Iterator[Shape]:
    """The shapes of an argument of which nothing is known but its name, and perhaps how many axes it has."""
    if name in world.axes:
        yield _named(world.axes[name], role, world)
    rank = world.ranks.get(name)
    shapes = list(_USUAL.get(role, _input)(name, world))
    known = [shape for shape in shapes if rank is None or len(shape) == rank or (rank < 2 < len(shape))]
    axes = rank or 0
    known = known or [(1,) * (axes - len(shape)) + shape for shape in shapes if len(shape) < axes]
    yield from dict.fromkeys(known or shapes)


_SIDES = re.compile(r"(?i)height|width|rows|cols|(^|_)[hw](_|$)|^i?[hw]\d?$|^[hw]_?in$")


def tells_sides(axes: Sequence[str]) -> bool:
    """Whether axes are called like those of pictures."""
    return sum(_SIDES.search(axis) is not None for axis in axes) > 1


def _named(axes: tuple[str, ...], role: str, world: World) -> Shape:
    """The shape of an array whose axes are called so: those of one name are as long as each other."""
    shape: list[int] = []
    for place, axis in enumerate(axes):
        if axis in world.measured:
            size = world.measured[axis]
        elif role in ("input", "state") and not place:
            size = 2
        elif axes.count(axis) > 1 or _SIDES.search(axis):
            size = NEURONS if role == "weights" else SIDE
        else:
            size = 2 if role in ("input", "state") else NEURONS
        shape.append(world.measured.setdefault(axis, size) if axes.count(axis) > 1 else size)
    return tuple(shape)


def _input(name: str, world: World) -> Iterator[Shape]:
    n = world.samples
    widths = world.sizes
    ranks = world.ranks.get(name)
    for shape in world.told:
        yield from (each for each in (shape, (n, *shape)) if ranks in (None, len(each)))
    if ranks in (None, 2):
        yield from ((width, n) for width in widths if world.columns)
        yield from ((n, width) for width in widths)
        yield from ((FEATURES, NEURONS),) if world.products else ()
    if ranks == 2 or world.upright:
        yield from ((width, 1) for width in widths)
    if ranks is None and world.compares:
        yield from ((n,), (n, 1), (n, 2))
    if ranks == 3 and world.stated and not world.counted and not world.columns:  # a step for each of those samples
        yield from (shape for width in widths for shape in ((STEPS, n, width), (n, STEPS, width)))
    if ranks in (None, 3):
        yield from ((3, STEPS, width) for width in widths)
        yield from ((1, STEPS, width) for width in widths if ranks)  # steps of one sample
        yield from ((2, width, SIDE) for width in (2, *widths, 1, 3))
    if ranks in (None, 4):
        yield from ((2, width, SIDE, SIDE) for width in dict.fromkeys((2, *widths, 1, 3)))
        yield from ((2, SIDE, SIDE, width) for width in dict.fromkeys((2, *widths, 1, 3)))
    if ranks in (None, 1):
        yield from ((width, 1) for width in widths if not ranks)  # one sample, as a column
        yield (n,)
        yield from ((width,) for width in widths)
    for sides in range(1, 3):  # longer ones, for windows that do not fit into the others
        if ranks in (None, 2 + sides):
            yield from ((2, width, *(2 * SIDE,) * sides) for width in dict.fromkeys((*widths, 1, 3)))


def _weights(name: str, world: World) -> Iterator[Shape]:
    recurrent = re.search("h|^U", name[1:] or name) is not None
    shapes = ((NEURONS, NEURONS), (FEATURES, NEURONS))[:: 1 if recurrent else -1]
    yield from shapes
    yield from ((shape[0], k * NEURONS) for shape in shapes[:1] for k in MULTIPLES[1:])
    yield from ((3, 2, 3, 3), (3, 3, 2, 3), (3, 2, 3))
    yield (FEATURES,)


def _bias(name: str, world: World) -> Iterator[Shape]:
    yield from ((NEURONS,), (1, NEURONS), (NEURONS, 1), (FEATURES,))


def _state(name: str, world: World) -> Iterator[Shape]:
    n = world.samples
    if world.ranks.get(name, 0) > 2:  # what an earlier layer gave
        yield from _input(name, world)
    yield from ((width, 1) if world.upright else (n, width) for width in world.hidden if not world.columns)
    yield from ((NEURONS, n), *((width, n) for width in world.sizes)) if world.columns else ()
    yield from ((n, NEURONS), *((n, width) for width in world.sizes), (NEURONS, n), (NEURONS, 1), (NEURONS,))
    yield from ((world.second, NEURONS),) if world.second else ()
    yield from ((width, 1) for width in world.sizes)


def _number(name: str, world: World) -> Iterator[Shape]:
    yield ()


def _target(name: str, world: World) -> Iterator[Shape]:
    n = world.samples
    yield from (world.compared,) if len(world.compared) > 1 else ()
    widths = dict.fromkeys((NEURONS, *world.sizes, 1, 2))
    yield from ((n,), *((n, width) for width in widths), (1, n))


def _integers(name: str, world: World) -> Iterator[Shape]:
    yield from ((world.samples,), (world.samples, STEPS))


_USUAL: dict[str, Callable[[str, World], Iterator[Shape]]] = {
    "weights": _weights, "bias": _bias, "scale": _bias, "state": _state, "target": _target, "number": _number,
    "integers": _integers, "classes": _integers,
}  # fmt: skip
