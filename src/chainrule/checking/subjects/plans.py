"""How code that was written elsewhere is run: what is called with what, and where its gradients lie afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .costs import WithCost
from .handing import handed
from .objects import BOXES
from .optimized import RATE
from .spaces import Space

__all__ = ["Passes", "Place", "Recipe", "boxed", "leaf", "unboxed"]


class Place(NamedTuple):
    """Where the gradient of an array lies after backward."""

    kind: str  # "returned", "stored", "moved" by a step, "seen" in a variable of the passes, or "local": returned, a
    # derivative that lacks the upstream gradient
    path: Any  # the keys and positions inside what was returned; the path inside the object
    shown: str = ""  # how its author calls it


class Passes(NamedTuple):
    """A pair of functions or methods: what gives the value, and what gives the gradients."""

    title: str
    item: Any  # the object, or None where there are plain functions
    value: Any  # the name of a method, a function, or what makes one of an object with its `on`
    gradient: Any  # likewise; None where the value comes with its gradients
    words: tuple[tuple[str, str], ...] = ()  # arguments that are words, such as the name of an activation
    box: Any = None  # the class that __call__ wants its inputs in, where forward leaves it to __call__ to keep them
    way: str = ""  # how arrays are handed over: as they are, as lists or one number after the other

    def of(self, which: Any, item: Any) -> Callable[..., Any]:
        """The method of an object, or the function."""
        if isinstance(which, str):
            found: Callable[..., Any] = getattr(item, which)
        else:
            found = which.on(item) if hasattr(which, "on") else which
        if isinstance(which, WithCost):
            return found
        return handed(found, self.way) if self.way else found

    @property
    def functions(self) -> bool:
        """Whether it is plain functions, alone or with their globals."""
        return self.item is None or isinstance(self.item, Space)


@dataclass
class Recipe:
    """Everything that running needs."""

    call: Passes
    names: tuple[str, ...]  # the arguments of the value
    keys: dict[str, str]  # under which names of ours their arrays are known
    keywords: frozenset[str] = frozenset()  # those that are handed over by name
    kind: str = "layer"  # or "loss", or "derivative", which takes no upstream gradient
    slots: tuple[str, ...] = ()  # what backward is handed
    outputs: tuple[int, ...] = ()  # which of the things returned are outputs; () where the whole is one
    parameters: tuple[tuple[str, ...], ...] = ()  # of the object, each under all its paths
    sources: dict[str, Place] = field(default_factory=dict)
    joined: bool = False  # whether the inputs are handed over as one tuple
    target: str = ""  # the argument that the value is compared with
    training: str = ""  # the argument that switches
    switches: tuple[str, ...] = ()  # the attributes that switch, where no argument does
    reduction: str = "mean"
    shared: frozenset[str] = frozenset()  # whose gradients hold 1/m, where the mean over the samples is taken inside
    each: bool = False  # whether the parameters' gradients come one for each sample, for the caller to add up
    samples: tuple[str, int] = ("", 0)  # in which input, along which axis the samples lie
    state: tuple[str, ...] = ()  # what a layer carries on from one call to the next
    rate: float = RATE
    decay: dict[str, float] = field(default_factory=dict)  # by how much of itself the step of an array shrinks it
    scale: float = 1.0  # of the upstream gradients, smaller where backward limits its gradients
    still: frozenset[str] = frozenset()  # what the output does not move with
    hidden: tuple[str, ...] = ()  # what moves by steps that do not tell their gradient
    clears: bool = False  # whether gradients or caches must be cleared before each pass, by the object's own method
    fresh: bool = False  # whether each pass begins with a new copy: what grows from step to step cannot be cleared
    penalty: str = ""  # the method of the object for a penalty on its parameters, whose gradient backward adds
    find: Callable[[Any, Any], dict[str, Place]] | None = None  # the sources, where backward did not run before

    @property
    def updates(self) -> bool:
        """Whether backward takes the step."""
        return any(source.kind in ("moved", "seen") for source in self.sources.values())

    @property
    def watches(self) -> bool:
        """Whether gradients are read from variables of the passes."""
        return any(source.kind == "seen" for source in self.sources.values())


def boxed(item: Any, box: Any) -> Callable[..., Any]:
    """The `__call__` of a function of a tape: takes and gives arrays, which lie in boxes inside."""

    def run(*arrays: Any) -> Any:
        given = item(*(box(array) for array in arrays))
        several = isinstance(given, tuple | list)
        return type(given)(unboxed(each) for each in given) if several else unboxed(given)

    return run


def unboxed(value: Any) -> Any:
    """What lies in a box, or the value itself."""
    return getattr(value, "data", value) if not isinstance(value, np.ndarray | np.generic) else value


def leaf(path: str) -> str:
    """The last name of a path.

    >>> leaf("layers[0].weights"), leaf("params['W']"), leaf("W.data"), leaf("grads[0]")
    ('weights', 'W', 'W', 'grads')
    """
    for tail in BOXES:
        path = path.removesuffix(tail)
    last = path.rpartition(".")[2]
    inside, bracket, key = last.partition("[")
    key = key.rstrip("]")
    return key.strip("'\"") if bracket and key[:1] in "'\"" else inside
