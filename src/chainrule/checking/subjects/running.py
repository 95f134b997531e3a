"""Code written elsewhere in use: one object, or a pair of functions, run by a recipe."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigurationError
from .base import Arrays, Instance, Point
from .boxing import context_for
from .names import LIKE_WEIGHTS, role_of
from .objects import arrays_of, copied, from_lists, generators_of, read, write
from .outputs import apart, outputs_of, stored_output, together
from .plans import Place, Recipe, boxed, leaf, unboxed
from .regularized import book_penalty, strengths_by, strengths_of
from .steps import SeenVariables, methods_of_steps

__all__ = ["WrittenInstance", "added_up", "times"]

_CLEARING = re.compile(
    r"(?i)^_?((zero|clear|reset|flush)_?(all_?)?(the_?)?(param(eter)?s?_?)?(grad(ient)?s?)_?(param(eter)?s?)?|flush|reset_?state)$"
)


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
        self.single = {path for path, value in arrays_of(self.item) if value.dtype == np.float32}
        self._cast(np.float64, lambda path: True)
        self.kept = {path: _kept(self.item, path) for path in plan.state}
        self.clear = self.clearing() if plan.clears else []

    def _cast(self, dtype: Any, chosen: Callable[[str], bool]) -> None:
        """Floats under the chosen paths in another precision; one array under several names stays one."""
        held = [(path, value) for path, value in arrays_of(self.item) if value.dtype.kind == "f"]
        twins = {id(value): value.astype(dtype) for path, value in held if chosen(path)}
        for path, value in held:
            if id(value) in twins:
                with contextlib.suppress(AttributeError, TypeError):  # a property, a tuple
                    write(self.item, path, twins[id(value)])

    def hold_single(self) -> None:
        """Hold in float32 what the object itself held so, and the places of its gradients."""
        stored = {place.path for place in self.plan.sources.values() if place.kind == "stored"}
        if self.item is not None:
            self._cast(np.float32, lambda path: path in self.single or path in stored)

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
        for path in plan.switches:
            write(self.item, path, point.training)
        arguments = self._arguments(point)
        self.point = point
        value = plan.call.of(plan.call.value, self.item)
        self.context = context_for(value, len(arguments))
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
                if value is not None and self.plan.scale != 1:
                    value = np.asarray(value) / self.plan.scale
                if value is not None:
                    found[key] = _as_one_number(value, self.point.values.get(key))
        if plan.each:
            held = {paths[0] for paths in plan.parameters}
            own = {key for key in found if key in held or role_of(leaf(key)) in LIKE_WEIGHTS}
            found = {k: added_up(v, self.point.values[k].shape) if k in own else v for k, v in found.items()}
        if plan.shared:
            known = {**self.point.fixed, **self.point.values}
            m = known[plan.samples[0]].shape[plan.samples[1]]
            found = {key: value * m if key in plan.shared else value for key, value in found.items()}
        return found

    def run_backward(self, dvalues: NDArray[Any]) -> Any:
        """What backward returns."""
        if self.plan.call.gradient is None:
            return self.returned
        parts = apart(dvalues if self.plan.scale == 1 else dvalues * self.plan.scale, self.shapes)
        self.buffers = dict[str, Any]()
        arguments = [self._slot(slot, parts) for slot in self.plan.slots]
        backward = self.plan.call.of(self.plan.call.gradient, self.item)
        if self.plan.watches:
            with SeenVariables(methods_of_steps(self.item, backward)) as self.watched:
                result = backward(*arguments)
        else:
            result = backward(*arguments)
        if self.buffers:
            return {f"d{name}": buffer for name, buffer in self.buffers.items()}
        if self.plan.call.box is None:
            return result
        return tuple(unboxed(r) for r in result) if isinstance(result, tuple | list) else unboxed(result)

    def _slot(self, slot: str, parts: list[NDArray[Any]]) -> Any:
        kind, _, which = slot.partition(":")
        if kind == "upstream":
            return parts[int(which or 0)]
        if kind == "cache":
            return self.returned[int(which)] if which else self.returned[len(self.plan.outputs) :]
        if kind == "buffer":
            return self.buffers.setdefault(which, np.zeros_like(self.available[which]))
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
            held = before[source.path]
            return (held - np.asarray(read(self.item, source.path))) / self.plan.rate - self._shrunk(source.path) * held
        if source.kind == "seen":
            value = self.watched.arrays.get(source.path.removeprefix("-"))
            return -value if source.path.startswith("-") and value is not None else value
        value = self.result
        for step in source.path:
            value = value[step]
        return times(dvalues, value, self.shapes) if source.kind == "local" else from_lists(value)

    def _shrunk(self, path: str) -> float:
        return self.plan.decay.get(path, 0.0)

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
        """The regularization that its backward adds itself: the book's, on weights and biases, or its own method's."""
        strengths = self.strengths()
        return book_penalty(strengths, {name: np.asarray(read(self.item, name)) for name in strengths})

    def strengths(self) -> dict[str, tuple[Any, Any]]:
        """How strong that regularization is, by the parameter's name."""
        if self.plan.penalty:
            return strengths_by(self._penalized, {**self.parameters()})
        return strengths_of(self.item, {paths[0] for paths in self.plan.parameters})

    def _penalized(self, values: Mapping[str, Any]) -> float:
        """The penalty that a method of the object gives with other parameters."""
        twin = copied(self.item)
        for paths in self.plan.parameters:
            for path in paths:
                write(twin, path, values[paths[0]])
        return float(getattr(twin, self.plan.penalty)())


def added_up(gradient: Any, shape: tuple[int, ...]) -> Any:
    """The sum over the samples, where a gradient has an axis of them in front that its array has not, or has as 1.

    >>> added_up(np.ones((5, 4, 3)), (4, 3)).shape, added_up(np.ones((5, 3)), (1, 3)).shape
    ((4, 3), (1, 3))
    >>> added_up(np.ones((4, 3)), (4, 3)).shape, added_up(np.ones((5, 2)), (4, 3)).shape
    ((4, 3), (5, 2))
    """
    found = np.shape(gradient)
    if found[1:] == shape:
        return np.sum(gradient, axis=0)
    if found != shape and shape[:1] == (1,) and found[1:] == shape[1:]:
        return np.sum(gradient, axis=0, keepdims=True)
    return gradient


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


def times(dvalues: NDArray[Any], local: Any, shapes: Sequence[tuple[int, ...]]) -> Any:
    """A local derivative times what comes from above: entry by entry, or with the Jacobian of each sample."""
    local = np.asarray(local)
    if dvalues.ndim == 0 or local.shape == dvalues.shape or local.ndim == 0:
        return dvalues * local
    if local.ndim == dvalues.ndim + 1 and local.shape[:-1] == dvalues.shape:
        return np.einsum("...i,...ij->...j", dvalues, local)
    return local
