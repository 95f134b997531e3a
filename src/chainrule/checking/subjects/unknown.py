"""Arguments whose shape nobody has told: each takes a shape where it is first used, from what it meets there.

In `x @ w + b` with x of shape (5, 4), w becomes (4, 3) and b (3,). Where there are several possibilities, the first is
taken, and the next when the function fails later on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .names import role_of, setting
from .world import FEATURES, MULTIPLES, NEURONS, SAMPLES, STEPS, Shape, World, drawn, usual_shapes

__all__ = ["AnySettings", "TracedArray", "Unknown", "plain"]


class TracedArray(np.ndarray):
    """An array that lets unknown ones know what they are used for."""

    def dot(self, other: Any, out: Any = None) -> Any:
        """As `np.dot`."""
        return np.dot(self, other)

    def __getitem__(self, key: Any) -> Any:
        """An unknown index becomes an array of integers below the axis that it is for."""
        if isinstance(key, Unknown):
            key = key.as_index(self.shape[0])
        elif isinstance(key, tuple) and any(isinstance(each, Unknown) for each in key):
            key = tuple(e.as_index(self.shape[i]) if isinstance(e, Unknown) else e for i, e in enumerate(key))
        return super().__getitem__(key)


def plain(array: Any) -> Any:
    """The same without tracing."""
    return np.array(array) if isinstance(array, TracedArray) else array


class Unknown:
    """An argument that is no array yet."""

    def __init__(self, name: str, world: World, role: str = "", base: Unknown | None = None) -> None:
        self.name, self.world, self.base = name, world, base
        self.role = role or role_of(name)
        self.array: Any = None
        self.fresh: Any = None  # the array as it was made: forward may overwrite it
        self.below = 0  # where it is an index

    # Becoming an array

    def become(self, *shapes: Shape) -> Any:
        """The array, made with one of these shapes where there is none yet."""
        if self.base is not None:
            return self.base.become(*(shape[::-1] for shape in shapes)).T
        if self.array is None:
            shape = self.world.choices.of(list(dict.fromkeys(shapes)))
            self.array = drawn(self.role, shape, self.world).view(TracedArray)
            self.world.measured |= dict(zip(self.world.axes.get(self.name, ()), shape, strict=False))
            self.fresh = np.array(self.array)
            self.world.stated |= self.role == "state" and len(shape) == 2
            if self.role == "input" and shape and not self.world.columns and not self.world.counted:
                self.world.samples, self.world.counted = shape[0], True
                self.world.second = shape[1] if len(shape) == 3 else 0
        return self.array

    def as_index(self, below: int) -> NDArray[Any]:
        """Integers below a size, of which there must be a choice: with a single class no gradient moves at all."""
        if below < 2:
            raise IndexError(f"{self.name} would be an index into an axis of {below}.")
        if self.array is None:
            rank = self.world.ranks.get(self.name)
            shapes = [(self.world.samples, *(STEPS,) * (k - 1)) for k in ([rank] if rank else [1, 2])]
            single: list[Shape] = [()] * (
                self.world.single and re.search(r"(?i)(idx|id|index)$", self.name) is not None
            )
            shape: Shape = self.world.choices.of([*single, *shapes[: 1 if self.role == "target" else 2]])
            self.role = "integers" if self.role != "target" else "target"
            self.array = self.world.rng.integers(0, below, shape).view(TracedArray)
            self.fresh = np.array(self.array)
        self.below = below
        return np.asarray(self.array)

    def made(self) -> NDArray[Any]:
        """The array as it was made."""
        self.alone()
        return np.array(self.fresh)

    def alone(self) -> Any:
        """The array where nothing is known but the name, and how many axes it has."""
        if self.base is not None:
            return self.base.alone().T
        return self.become(*usual_shapes(self.name, self.role, self.world))

    # In a product

    def times(self, other: NDArray[Any]) -> Any:
        """The array that stands to the left of a product."""
        inner = other.shape[0] if other.ndim == 1 else other.shape[-2]
        if self.role in ("weights", "bias"):
            self.world.columns |= other.ndim == 2
            one = [(1, inner)] if self.world.compares else []
            gates = [] if self.world.compares else [(k * NEURONS, inner) for k in MULTIPLES[1:]]
            return self.become((NEURONS, inner), *one, *gates, (inner,))
        n, rank = self.world.samples, self.world.ranks.get(self.name)
        batch = other.shape[:-2] if other.ndim > 2 else ()
        usual = ((n, inner), (3, STEPS, inner), (inner,)) if not batch else ((*batch, STEPS, inner),)
        return self.become(*(s for s in usual if rank in (None, len(s))), *usual)

    def after(self, other: NDArray[Any]) -> Any:
        """The array that stands to the right of a product."""
        inner = other.shape[-1]
        if self.role == "weights" and self.world.ranks.get(self.name) == other.ndim > 2:
            self.role = "input"
            return self.become((*other.shape[:-2], inner, STEPS))
        if self.role == "weights":
            vector = [(inner,), (inner, 1)] if self.world.compares else []
            gates = [] if self.world.compares else [(inner, k * NEURONS) for k in MULTIPLES[1:]]
            return self.become((inner, NEURONS), *vector, *gates, (inner, inner), (inner,), (inner, 1))
        if other.ndim > 2:  # matrices of a batch
            return self.become((*other.shape[:-2], inner, STEPS), (inner, NEURONS))
        if self.world.ranks.get(self.name) == 1:
            return self.become((inner,))
        if self.role in ("input", "state"):
            self.world.columns = True
            return self.become((inner, self.world.samples), (inner,), (inner, 1))
        return self.become((inner,), (inner, 1), (inner, NEURONS))

    def beside(self, shape: Shape, entrywise: bool = False) -> Any:
        """The array that meets another entry by entry; a bias is added, so that what is multiplied is none."""
        options: list[Shape]
        if self.role in ("bias", "scale", "weights"):
            flat, row = shape[-1:], (1,) * (len(shape) - 1) + shape[-1:]
            column = (shape[0], 1) if len(shape) == 2 else shape[1:2]
            channels = [(1, shape[1], 1, 1), (shape[1], 1, 1)] if len(shape) == 4 else []
            options = [column, shape[:1]] if self.world.columns else [flat, row, *channels]
            row_first = self.world.rows.get(self.name, False) and not self.world.columns
            options[:2] = options[1::-1] if row_first else options[:2]
            options = [(), (1,)] if len(shape) == 1 and self.role == "bias" and not entrywise else options
            options += [()] * (self.role == "bias" and self.world.compares and self.world.columns and () not in options)
            options = [shape, *options] if self.role == "weights" or (entrywise and self.role == "bias") else options
        elif self.role == "number":
            options = [()]
        elif self.role == "target":
            options = [shape, shape[:1], *((s, 1) for s in shape[:1]), ()]
        else:
            options = [shape, shape[:1], shape[-1:], (), *((s, 1) for s in shape[:1])]
            options += [(max(shape),) * 2] * (len(shape) == 2 and 1 in shape)  # a step of a table from state to state
        rank = self.world.ranks.get(self.name)
        options = [o for o in options if len(o) == rank] or options
        if self.role != "bias" or self.array is not None or len(options) < 2 or self.name in self.world.rows:
            return self.become(*options)
        if self.world.kept not in range(len(options)):  # all biases are kept alike, as rows or flat
            self.world.kept = self.world.choices.of(range(len(options)))
        return self.become(options[self.world.kept])

    # What NumPy asks of an argument

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        left, *rest = inputs
        if ufunc is np.matmul:
            left, right = _product(left, rest[0])
            return np.matmul(left, right, **kwargs)
        known = _together([i for i in inputs if not isinstance(i, Unknown)])
        waiting = [i for i in inputs if isinstance(i, Unknown)]
        if known is None or known == ():
            first = min(waiting, key=lambda u: u.role in ("bias", "weights", "scale", "number", "target"))
            known = np.shape(first.alone())
        entrywise = ufunc not in (np.add, np.subtract)
        inputs = tuple(i.beside(known, entrywise) if isinstance(i, Unknown) else i for i in inputs)
        return getattr(ufunc, method)(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function in (np.dot, np.inner) and len(args) > 1:
            left, right = _product(*args[:2])
            return function(left, right)
        if function is np.einsum and isinstance(args[0], str):
            return function(args[0], *_in_letters(args[0], args[1:]), **kwargs)
        if function in _STACKS:
            self.world.columns |= function is np.vstack or kwargs.get("axis", args[1] if len(args) > 1 else 0) == 0
            self.world.columns &= function not in (np.hstack, np.stack)
        if function in (np.where, np.multiply, np.maximum, np.clip, np.allclose):
            known = _together([a for a in args if not isinstance(a, Unknown)]) or None
            args = [a.beside(known) if isinstance(a, Unknown) and known else a for a in args]
        return function(*_resolved(args), **_resolved(kwargs))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.alone(), dtype=dtype)

    def dot(self, other: Any) -> Any:
        """As `np.dot`."""
        return np.dot(self, other)

    @property
    def T(self) -> Unknown:
        """Itself, transposed."""
        return Unknown(self.name, self.world, self.role, base=self) if self.base is None else self.base

    def transpose(self, *axes: Any) -> Any:
        """Itself, transposed, or the array with its axes in another order."""
        return self.alone().transpose(*axes) if axes else self.T

    def copy(self) -> Any:
        """A copy of the array."""
        return self.alone().copy()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.alone(), name)

    def __getitem__(self, key: Any) -> Any:
        array = self.alone()
        return array[key]  # a TracedArray array, which knows what to do with an unknown index

    def __setitem__(self, key: Any, value: Any) -> None:
        self.alone()[_resolved(key)] = _resolved(value)

    def __len__(self) -> int:
        return len(self.alone())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.alone())

    def __float__(self) -> float:
        return float(self.alone())

    def __int__(self) -> int:
        return int(self.alone())

    def __bool__(self) -> bool:
        return bool(np.any(self.alone()))


_STACKS = (np.vstack, np.hstack, np.concatenate, np.stack)  # of an input and a state: one upon the other in columns


def _is(value: Any) -> bool:
    return isinstance(value, Unknown)


def _operator(name: str) -> Callable[..., Any]:
    ufunc = getattr(np, name)

    def run(self: Unknown, other: Any) -> Any:
        return ufunc(self, other)

    return run


def _reflected(name: str) -> Callable[..., Any]:
    ufunc = getattr(np, name)

    def run(self: Unknown, other: Any) -> Any:
        return ufunc(other, self)

    return run


for _method, _ufunc in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "pow": "power", "matmul": "matmul",
}.items():  # fmt: skip
    setattr(Unknown, f"__{_method}__", _operator(_ufunc))
    setattr(Unknown, f"__r{_method}__", _reflected(_ufunc))
for _method, _short in {
    "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "equal": "eq", "not_equal": "ne",
}.items():  # fmt: skip
    setattr(Unknown, f"__{_short}__", _operator(_method))
setattr(Unknown, "__neg__", lambda self: -self.alone())  # noqa: B010
setattr(Unknown, "__abs__", lambda self: abs(self.alone()))  # noqa: B010
setattr(Unknown, "__hash__", object.__hash__)  # noqa: B010


def _resolved(value: Any) -> Any:
    if isinstance(value, Unknown):
        return value.alone()
    if isinstance(value, tuple | list):
        return type(value)(_resolved(each) for each in value)
    return {k: _resolved(v) for k, v in value.items()} if type(value) is dict else value


def _together(arrays: Sequence[Any]) -> Shape | None:
    try:
        return np.broadcast_shapes(*(np.shape(a) for a in arrays)) if arrays else None
    except ValueError:
        return None


def _product(left: Any, right: Any) -> tuple[Any, Any]:
    """Both sides of a product as arrays: of two that are unknown the one that holds samples comes first."""
    if _is(left) and _is(right):
        if right.role in ("input", "state") and left.role not in ("input", "state"):
            right.world.columns = True
            rows = NEURONS if right.role == "state" else FEATURES
            right = right.become((rows, right.world.samples)) if right.base is None else right.alone()
        else:
            left = left.alone()
    if _is(left):
        left = left.times(np.asarray(right))
    if _is(right):
        right = right.after(np.asarray(left))
    return left, right


def _in_letters(subscripts: str, operands: Sequence[Any]) -> list[Any]:
    """The operands of an einsum: a letter that one of them has tells its size in the others."""
    letters = re.split(r",", subscripts.replace(" ", "").split("->")[0])
    sizes: dict[str, int] = {}
    for word, operand in zip(letters, operands, strict=False):
        if not _is(operand) or operand.array is not None:
            sizes |= dict(zip(word, np.shape(operand if not _is(operand) else operand.array), strict=False))
    found = []
    for word, operand in zip(letters, operands, strict=False):
        if _is(operand):
            default = SAMPLES if operand.role == "input" else NEURONS
            for position, letter in enumerate(word):
                sizes.setdefault(letter, default if position == 0 else FEATURES if position == 1 else STEPS)
        found.append(operand.become(tuple(sizes[letter] for letter in word)) if _is(operand) else operand)
    return found


class AnySettings(dict[str, Any]):
    """A dict of settings that has a usual value for whatever is asked; names of arrays give arrays.

    With `layered` names, such as W and b, it holds the parameters of two layers from the start: W1, b1, W2, b2.
    """

    def __init__(self, name: str, world: World, layered: Sequence[str] = ()) -> None:
        super().__init__()
        self.name, self.world = name, world
        self.update({f"{each}{layer}": Unknown(f"{each}{layer}", world) for layer in (1, 2) for each in layered})

    def __missing__(self, key: str) -> Any:
        if not isinstance(key, str):
            raise KeyError(key)
        array = role_of(key) in ("weights", "bias", "scale") and key not in ("k",)
        self[key] = Unknown(key, self.world) if array else setting(key)
        return self[key]
