"""Arrays that functions are handed to read, before anybody knows their shapes: each notes where it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from .names import role_of
from .world import Choices, Shape

__all__ = ["ReadArray", "WrittenArray"]


class ReadArray(NDArrayOperatorsMixin):
    """An array, or what lies under its first indices, that notes how long its axes must be.

    Where it is read whole, the lengths of the axes that no index told are chosen among the given sizes.
    """

    def __init__(self, name: str, sizes: Sequence[int], choices: Choices, above: ReadArray | None = None) -> None:
        self.name, self.sizes, self.choices = name, sizes, choices
        self.root: ReadArray = self if above is None else above.root
        self.depth = 0
        if above is None:
            self.axes: list[int] = []  # how long each must be, as far as indices tell; 0 where they do not
            self.tails: dict[int, Shape] = {}  # what lies under so many indices
            self.whole = False  # whether its entries are whole numbers
            self.below = 0  # of whole numbers

    def __getitem__(self, key: Any) -> Any:
        keys = key if isinstance(key, tuple) else (key,)
        if not all(isinstance(each, int | np.integer | ReadArray | slice) for each in keys):
            return self.array()[key]
        for place, each in enumerate(keys, start=self.depth):
            self._longer(place, each)
        if any(isinstance(each, slice) for each in keys):
            return self.root.array()[(0,) * self.depth + tuple(e if isinstance(e, slice) else 0 for e in keys)]
        part = ReadArray(self.name, self.sizes, self.choices, self)
        part.depth = self.depth + len(keys)
        return part

    def _longer(self, place: int, key: Any) -> None:
        axes = self.root.axes
        axes += [0] * (place + 1 - len(axes))
        if isinstance(key, ReadArray):
            key.root.whole = True
            axes[place] = axes[place] or self.choices.of([max(self.sizes, default=3) + 1, *self._left()])
            key.root.below = axes[place]
        elif isinstance(key, slice):
            axes[place] = max(axes[place], key.stop or 0)
        else:
            axes[place] = max(axes[place], int(key) + 1)

    def shape_of_all(self) -> Shape:
        """The shape of the array, chosen where indices did not tell it."""
        root = self.root
        for place, length in enumerate(root.axes):
            root.axes[place] = length or self.choices.of(self._left())
        return (*root.axes, *root.tails.get(len(root.axes), ()))

    def _left(self) -> list[int]:
        """The sizes that are no axis of it yet, and then the others, the last first."""
        last_first = list(reversed(self.sizes))
        return [*(s for s in last_first if s not in self.root.axes), *(s for s in last_first if s in self.root.axes)]

    def array(self) -> NDArray[Any]:
        """What lies here, as an array: zeros that tell the shape."""
        root = self.root
        if not root.axes and 0 not in root.tails:
            every = [tuple(self.sizes[:k]) for k in range(len(self.sizes), 1, -1)]
            flat: list[Shape] = [(size,) for size in reversed(self.sizes)]
            few = role_of(self.name) in ("weights", "bias", "scale")
            root.tails[0] = self.choices.of([*flat, *every] if few else [*every, *flat]) if self.sizes else (5, 4)
        elif self.depth == len(root.axes) and self.depth not in root.tails:
            root.tails[self.depth] = self.choices.of([(), *((size,) for size in self._left())])
        return np.full(self.shape_of_all()[self.depth :], 0.5)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        kwargs.pop("out", None)  # x += y makes a new x
        return getattr(ufunc, method)(*(e.array() if isinstance(e, ReadArray) else e for e in inputs), **kwargs)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.array(), dtype=dtype)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("axes", "tails"):
            raise AttributeError(name)
        return getattr(self.array(), name)

    def __float__(self) -> float:
        self.root.tails.setdefault(self.depth, ())
        return 0.5

    def __index__(self) -> int:
        self.root.whole = True
        self.root.tails.setdefault(self.depth, ())
        return 0

    __int__ = __index__

    def __len__(self) -> int:
        return len(self.array())


class WrittenArray:
    """An array that a function is handed to write into, as long as needed."""

    def __init__(self) -> None:
        self.places: dict[tuple[int, ...], Any] = {}

    def __setitem__(self, key: Any, value: Any) -> None:
        keys = key if isinstance(key, tuple) else (key,)
        self.places[tuple(int(each) for each in keys if not isinstance(each, slice) and each is not ...)] = value

    def __getitem__(self, key: Any) -> Any:
        keys = key if isinstance(key, tuple) else (key,)
        return self.places.get(
            tuple(int(each) for each in keys if not isinstance(each, slice) and each is not ...), 0.0
        )

    def __iadd__(self, value: Any) -> WrittenArray:
        self[...] = value
        return self

    @property
    def shape(self) -> Shape:
        """What was written, in full."""
        lengths = [max(index) + 1 for index in zip(*self.places, strict=True)]
        return (*lengths, *np.shape(next(iter(self.places.values()))))
