"""How code that was written elsewhere is run: what is called with what, and where its gradients lie afterwards."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigurationError
from .base import Arrays, Instance, Point
from .costs import WithCost
from .names import LIKE_WEIGHTS, role_of
from .objects import BOXES, arrays_of, copied, from_lists, generators_of, read, write
from .regularized import book_penalty, strengths_of
from .spaces import Space

__all__ = [
    "Passes",
    "Place",
    "Recipe",
    "SavingContext",
    "WrittenInstance",
    "apart",
    "leaf",
    "outputs_of",
    "stored_output",
    "together",
]

_RATE = 0.5  # the learning rate of a backward pass that takes the step itself: a power of two is not rounded
_STORED = ("output", "out", "outputs", "y", "y_pred", "a", "A", "activation")
_CLEARING = re.compile(
    r"(?i)^_?((zero|clear|reset|flush)_?(all_?)?(the_?)?(param(eter)?s?_?)?(grad(ient)?s?)_?(param(eter)?s?)?|flush|reset_?state)$"
)


class SavingContext:
    """What `forward(ctx, ...)` saves for `backward(ctx, ...)`: attributes of any name."""

    def __init__(self, arguments: int) -> None:
        self.needs_input_grad = (True,) * arguments
        self.saved: tuple[Any, ...] = ()

    def save_for_backward(self, *values: Any) -> None:
        """Keep values; they come back as `saved_tensors`, `saved_values` and whatever else begins with `saved`."""
        self.saved = values

    def __getattr__(self, name: str) -> Any:
        if name.startswith("saved") and "saved" in self.__dict__:
            return self.saved
        raise AttributeError(name)


class Place(NamedTuple):
    """Where the gradient of an array lies after backward."""

    kind: str  # "returned", "stored", "moved" by a step, or "local": returned, a derivative that lacks the upstream
    path: Any  # the keys and positions inside what was returned; the path inside the object
    shown: str = ""  # how its author calls it


class Passes(NamedTuple):
    """A pair of functions or methods: what gives the value, and what gives the gradients."""

    title: str
    item: Any  # the object, or None where there are plain functions
    value: Any  # the name of a method, a function, or a method with the loss beside it
    gradient: Any  # likewise; None where the value comes with its gradients
    words: tuple[tuple[str, str], ...] = ()  # arguments that are words, such as the name of an activation
    box: Any = None  # the class that __call__ wants its inputs in, where forward leaves it to __call__ to keep them

    def of(self, which: Any, item: Any) -> Callable[..., Any]:
        """The method of an object, or the function."""
        if isinstance(which, WithCost):
            return which.on(item)
        found = getattr(item, which) if isinstance(which, str) else which
        return found  # type: ignore[no-any-return]

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
    reduction: str = "mean"
    shared: bool = False  # whether 1/m is taken inside, in every gradient of a parameter
    samples: tuple[str, int] = ("", 0)  # in which input, along which axis the samples lie
    state: tuple[str, ...] = ()  # what a layer carries on from one call to the next
    rate: float = _RATE
    clears: bool = False  # whether gradients or caches must be cleared before each pass, by the object's own method
    fresh: bool = False  # whether each pass begins with a new copy: what grows from step to step cannot be cleared
    find: Callable[[Any, Any], dict[str, Place]] | None = None  # the sources, where backward did not run before

    @property
    def updates(self) -> bool:
        """Whether backward takes the step."""
        return any(source.kind == "moved" for source in self.sources.values())


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


def stored_output(item: Any) -> Any:
    """The output that an object stored, under one of the usual names; None without one."""
    stored = [from_lists(getattr(item, name, None)) for name in _STORED]
    return next((each for each in stored if isinstance(each, np.ndarray | float)), None)


def outputs_of(returned: Any, places: Sequence[int]) -> list[NDArray[Any]]:
    """The outputs among what forward returned."""
    chosen = [returned[place] for place in places] if places else [returned]
    flat: list[NDArray[Any]] = []
    for each in chosen:
        if isinstance(each, list | tuple) and each and all(isinstance(e, np.ndarray) for e in each):
            flat += list(each)
        else:
            flat.append(np.asarray(each))
    return flat


class WrittenInstance(Instance):
    """One object in use, or a pair of functions, run by a plan."""

    def __init__(self, plan: Recipe) -> None:
        self.plan = plan
        self.item: Any = None
        self.available: dict[str, Any] = {}
        if plan.call.item is not None:
            self._begin()

    def _begin(self) -> None:
        plan = self.plan
        self.item = plan.call.item if isinstance(plan.call.item, type) else copied(plan.call.item)
        self.generators = [(path, copy.deepcopy(generator)) for path, generator in generators_of(self.item)]
        wide: dict[int, Any] = {}
        for path, value in list(arrays_of(self.item)):
            if value.dtype.kind == "f":
                twin = wide.setdefault(id(value), value.astype(np.float64))
                with contextlib.suppress(AttributeError, TypeError):  # a property, a tuple
                    write(self.item, path, twin)
        self.kept = {path: _kept(self.item, path) for path in plan.state}
        self.clear = self.clearing() if plan.clears else []

    def restart(self) -> None:
        """Put the generators, and what is carried on between calls, back to where they stood."""
        if self.item is None:
            return
        if self.plan.fresh:
            self._begin()
        for path, generator in self.generators:
            with contextlib.suppress(AttributeError, TypeError):
                write(self.item, path, copy.deepcopy(generator))
        for path, value in self.kept.items():
            write(self.item, path, copy.deepcopy(value))

    # Forward

    def forward(self, point: Point) -> NDArray[Any]:
        """The outputs as one array; for a loss the mean of what it gives for each sample."""
        plan = self.plan
        self.run_forward(point)
        self.parts = self.outputs()
        self.shapes = [part.shape for part in self.parts]
        output = together(self.parts)
        if output.dtype.kind not in "fciub":
            raise ConfigurationError(
                f"{plan.call.title} returned no array and stored no .output: return the output, or set self.output."
            )
        if plan.kind == "loss":
            output = np.asarray(output.sum() if plan.reduction == "sum" or not output.size else output.mean())
        return output

    def clearing(self) -> list[str]:
        """The methods of the object that clear its gradients or caches."""
        return [n for n in dir(self.item) if _CLEARING.match(n) and callable(getattr(self.item, n, None))]

    def run_forward(self, point: Point) -> Any:
        """What forward returns."""
        plan = self.plan
        self._set_parameters(point)
        arguments = self._arguments(point)
        self.point = point
        self.context = SavingContext(len(arguments))
        value = plan.call.of(plan.call.value, self.item)
        if plan.call.box is not None:
            value = boxed(self.item, plan.call.box)
        leading = [self.context] if "ctx" in plan.names[:1] else []
        named = {name: self.available[name] for name in plan.names if name in plan.keywords}
        returned = value(*leading, *arguments, **named)
        self.returned = returned if plan.call.gradient is None else from_lists(returned)
        return self.returned

    def _set_parameters(self, point: Point) -> None:
        for paths in self.plan.parameters:
            value = point.values[paths[0]]
            value = value.copy() if self.plan.updates else value
            for path in paths:
                write(self.item, path, value if value.ndim or not _is_plain_number(self.item, path) else value[()])
        if self.item is not None and not isinstance(self.item, type):
            for name in self.clear:
                with contextlib.suppress(Exception, SystemExit):
                    getattr(self.item, name)()

    def _arguments(self, point: Point) -> list[Any]:
        plan = self.plan
        if plan.joined:
            return [tuple(value for key, value in point.values.items() if key.startswith("inputs["))]
        self.available = {name: self._argument(name, point) for name in plan.names if name != "ctx"}
        return [value for name, value in self.available.items() if name not in plan.keywords]

    def _argument(self, name: str, point: Point) -> Any:
        key = self.plan.keys.get(name, name)
        if name == self.plan.training:
            return point.training
        if name == "xp":
            return np
        if name == self.plan.target:
            return point.targets
        if key in point.values:
            return point.values[key]
        value = point.fixed[key]
        if isinstance(value, dict):  # arrays inside a dict are known by the key with the name in front
            for inner, array in point.values.items():
                if inner.startswith(f"{key}["):
                    write(value, inner.removeprefix(key), array)
        return value

    def outputs(self) -> list[NDArray[Any]]:
        """The outputs, returned or stored."""
        returned = self.returned
        if returned is None and self.item is not None:
            returned = stored_output(self.item)
        return outputs_of(returned, self.plan.outputs)

    # Backward

    def backward(self, dvalues: NDArray[Any]) -> dict[str, Any]:
        """What backward returned, stored, or moved the parameters by, by the names of the arrays."""
        plan = self.plan
        before = {paths[0]: np.array(read(self.item, paths[0])) for paths in plan.parameters} if plan.updates else {}
        self.result = self.run_backward(dvalues)
        found: dict[str, Any] = {}
        sources = plan.sources or (plan.find(self, self.result) if plan.find is not None else {})
        for key, source in sources.items():
            with contextlib.suppress(AttributeError, KeyError, IndexError, TypeError):
                value = self._from(source, before, dvalues)
                if value is not None:
                    found[key] = _as_one_number(value, self.point.values.get(key))
        if plan.shared:
            known = {**self.point.fixed, **self.point.values}
            m = known[plan.samples[0]].shape[plan.samples[1]]
            inputs = {key for key in plan.keys.values() if role_of(key) not in LIKE_WEIGHTS}
            found = {key: value if key in inputs else value * m for key, value in found.items()}
        return found

    def run_backward(self, dvalues: NDArray[Any]) -> Any:
        """What backward returns."""
        if self.plan.call.gradient is None:
            return self.returned
        parts = apart(dvalues, self.shapes)
        arguments = [self._slot(slot, parts) for slot in self.plan.slots]
        result = self.plan.call.of(self.plan.call.gradient, self.item)(*arguments)
        if self.plan.call.box is None:
            return result
        return tuple(unboxed(r) for r in result) if isinstance(result, tuple | list) else unboxed(result)

    def _slot(self, slot: str, parts: list[NDArray[Any]]) -> Any:
        kind, _, which = slot.partition(":")
        if kind == "upstream":
            return parts[int(which or 0)]
        if kind == "cache":
            return self.returned[int(which)] if which else self.returned[len(self.plan.outputs) :]
        if kind == "argument":
            return self.point.training if which == self.plan.training else self.available[which]
        made: dict[str, Callable[[], Any]] = {
            "upstreams": lambda: tuple(parts),
            "list": lambda: list(parts),
            "rate": lambda: self.plan.rate,
            "output": lambda: self.parts[0],
            "returned": lambda: self.returned[int(which)],
            "activated": self._activated,
            "target": lambda: self.point.targets,
            "one": lambda: 1.0,
            "training": lambda: self.point.training,
            "xp": lambda: np,
            "ctx": lambda: self.context,
        }
        return made[kind]()

    def _activated(self) -> Any:
        """What the book passes to the backward of a loss: its predictions, after the activation where that is in it."""
        received = next(v for k, v in self.available.items() if k not in (self.plan.target, self.plan.training))
        output = getattr(self.item, "output", None)
        if not isinstance(output, np.ndarray) or output.shape != np.shape(received) or output.ndim < 1:
            return received
        sigmoid = 1 / (1 + np.exp(-np.asarray(received)))
        activated = np.allclose(output.sum(axis=-1), 1) or np.allclose(output, sigmoid)
        return output if activated else received

    def _from(self, source: Place, before: Arrays, dvalues: NDArray[Any]) -> Any:
        if source.kind == "stored":
            return from_lists(read(self.item, source.path))
        if source.kind == "moved":
            return (before[source.path] - np.asarray(read(self.item, source.path))) / self.plan.rate
        value = self.result
        for step in source.path:
            value = value[step]
        return _times(dvalues, value, self.shapes) if source.kind == "local" else from_lists(value)

    # What it holds

    def parameters(self) -> Arrays:
        """The parameters that the object holds now."""
        return {paths[0]: np.asarray(read(self.item, paths[0])) for paths in self.plan.parameters}

    def memory(self) -> Arrays:
        """Every array of the object beside parameters, or that the functions passed on, under the name in its code."""
        if self.item is None:
            found = {name: value for name, value in self.available.items() if isinstance(value, np.ndarray)}
            return {**found, "output": self.parts[0]}
        own = {path for paths in self.plan.parameters for path in paths}
        return {name: value for name, value in arrays_of(self.item) if name not in own}

    def penalty(self) -> tuple[float, Arrays]:
        """The book's regularization: L1 and L2 on weights and biases, which its backward adds itself."""
        return book_penalty(self.strengths(), {name: getattr(self.item, name) for name in self.strengths()})

    def strengths(self) -> dict[str, tuple[Any, Any]]:
        """How strong that regularization is, by the parameter's name."""
        return strengths_of(self.item, {paths[0] for paths in self.plan.parameters})


def _kept(item: Any, path: str) -> Any:
    try:
        return copy.deepcopy(read(item, path))
    except (AttributeError, KeyError, IndexError):
        return None


def _is_plain_number(item: Any, path: str) -> bool:
    return isinstance(read(item, path), float | int | np.floating)


def _as_one_number(gradient: Any, value: Any) -> Any:
    """One number as the gradient of an array of one entry, which a step may take from it as it is."""
    return np.reshape(gradient, value.shape) if np.size(value) == 1 and np.ndim(gradient) == 0 else gradient


def _side_by_side(shapes: Sequence[tuple[int, ...]]) -> bool:
    return len({shape[:-1] for shape in shapes}) == 1 and all(len(shape) > 1 for shape in shapes)


def together(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Several outputs as one array: side by side, or one after the other where their shapes differ."""
    if len(parts) == 1:
        return parts[0]
    if _side_by_side([part.shape for part in parts]):
        return np.concatenate(parts, axis=-1)
    return np.concatenate([part.reshape(-1) for part in parts])


def apart(whole: NDArray[Any], shapes: Sequence[tuple[int, ...]]) -> list[NDArray[Any]]:
    """What `together` put into one array, each with its own shape."""
    if len(shapes) == 1:
        return [whole]
    if _side_by_side(shapes):
        return [np.ascontiguousarray(p) for p in np.split(whole, np.cumsum([s[-1] for s in shapes])[:-1], -1)]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(whole, ends), shapes, strict=True)]


def _times(dvalues: NDArray[Any], local: Any, shapes: Sequence[tuple[int, ...]]) -> Any:
    """A local derivative times what comes from above: entry by entry, or with the Jacobian of each sample."""
    local = np.asarray(local)
    if dvalues.ndim == 0 or local.shape == dvalues.shape or local.ndim == 0:
        return dvalues * local
    if local.ndim == dvalues.ndim + 1 and local.shape[:-1] == dvalues.shape:
        return np.einsum("...i,...ij->...j", dvalues, local)
    return local
