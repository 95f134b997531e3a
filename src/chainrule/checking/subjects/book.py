"""Objects written the book's way: `forward` stores or returns `.output`, `backward` `.dinputs` and `.d<name>`."""

from __future__ import annotations

import contextlib
import copy
import inspect
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigurationError
from .base import Arrays, Instance, Point, Style, Subject, is_shape
from .construct import construct

__all__ = ["book_subject", "is_book_style", "signature_of"]

_SEED = 1
_DEPTH = 2  # how deep layers inside the object are looked for
_PARAMETERS = ("weights", "biases", "weight", "bias", "w", "b", "gamma", "beta", "kernel")
_OF_VALUES = ("squared", "mse", "absolute", "mae", "huber", "l1", "l2", "regression", "quadratic")
_OF_NUMBERS = (*_OF_VALUES, "softmax", "sigmoid", "logit", "hinge")
_REGULARIZERS = ("weight", "bias")  # the book's names: weight_regularizer_l2 belongs to .weights


def signature_of(method: Any) -> tuple[str, ...]:
    """The names of the arguments without a default, `self` left out, and `training` where it is taken at all."""
    parameters = inspect.signature(method).parameters.values()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(p.name for p in parameters if p.kind in positional and (p.default is p.empty or p.name == "training"))


def is_book_style(item: Any) -> bool:
    """Whether an object or a class has a `forward` of one or two arrays and a `backward`."""
    forward, backward = getattr(item, "forward", None), getattr(item, "backward", None)
    if not (callable(forward) and callable(backward)):
        return False
    skip = 1 if isinstance(item, type) else 0
    try:
        read, returned = signature_of(forward)[skip:], signature_of(backward)[skip:]
    except (TypeError, ValueError):
        return False
    arrays = [name for name in read if name != "training"]
    loss = len(arrays) == len(returned) == 2 and "training" not in read
    return bool(arrays) and (loss or len(returned) == 1)


def arrays_of(item: Any, depth: int = _DEPTH, path: str = "") -> Iterator[tuple[str, Any, str, NDArray[Any]]]:
    """Every array that an object and the objects inside it hold: (dotted name, holder, attribute, array)."""
    for name, value in sorted(getattr(item, "__dict__", {}).items()):
        if isinstance(value, np.ndarray):
            yield f"{path}{name}", item, name, value
        elif depth > 1 and hasattr(value, "__dict__") and not callable(value):
            yield from arrays_of(value, depth - 1, f"{path}{name}.")


def generators_of(item: Any, depth: int = _DEPTH) -> Iterator[tuple[Any, str, Any]]:
    """Every random generator that an object and the objects inside it hold: (holder, attribute, generator)."""
    for name, value in sorted(getattr(item, "__dict__", {}).items()):
        if isinstance(value, np.random.Generator | np.random.RandomState | random.Random):
            yield item, name, value
        elif depth > 1 and hasattr(value, "__dict__") and not callable(value):
            yield from generators_of(value, depth - 1)


def _copied(item: Any) -> Any:
    try:
        return copy.deepcopy(item)
    except Exception:  # a lock, a generator, a lambda: anything may be in there
        twin = copy.copy(item)
        vars(twin).update({name: np.array(value) for _, _, name, value in arrays_of(item, 1)})
        return twin


class BookInstance(Instance):
    """A copy of the object, in float64, whose parameters are set before each forward."""

    def __init__(self, item: Any, inputs: tuple[str, ...], parameters: tuple[str, ...], shape: Shape) -> None:
        self.item, self.inputs, self.names, self.shape = _copied(item), inputs, parameters, shape
        self.generators = [(holder, name, copy.deepcopy(g)) for holder, name, g in generators_of(self.item)]
        for _, holder, name, value in list(arrays_of(self.item)):
            if value.dtype.kind == "f":
                setattr(holder, name, value.astype(np.float64))

    def restart(self) -> None:
        """Put the generators back to where they stood."""
        for holder, name, generator in self.generators:
            setattr(holder, name, copy.deepcopy(generator))

    def forward(self, point: Point) -> NDArray[Any]:
        """What `forward` returned or stored; for a loss the mean of what it gives for each sample."""
        for name in self.names:
            holder, attribute = _place(self.item, name)
            setattr(holder, attribute, point.values[name])
        arrays = [point.values[name] for name in self.inputs]
        self.received, self.targets = (
            arrays if self.shape.separate or len(arrays) == 1 else [tuple(arrays)],
            point.targets,
        )
        more = [point.targets] if self.shape.loss else []
        more += [point.training] if self.shape.training else []
        returned = self.item.forward(*self.received, *more)
        if self.shape.loss:
            losses = np.asarray(returned)
            return np.asarray(losses.mean() if self.shape.reduction == "mean" else losses.sum())
        stored = getattr(self.item, "output", None)
        result = np.asarray(returned if returned is not None else stored)
        if result.dtype.kind not in "fciub":
            raise ConfigurationError(
                f"{type(self.item).__name__}.forward returned nothing and stored no .output: return the output, or "
                "set self.output."
            )
        return result

    def backward(self, dvalues: NDArray[Any]) -> dict[str, Any]:
        """What `backward` stored as `.dinputs` and `.d<name>`, or returned."""
        if not self.shape.loss:
            return self._gradients(self.item.backward(dvalues))
        (received,), output = self.received, getattr(self.item, "output", None)
        combined = isinstance(output, np.ndarray) and output.shape == np.shape(received)  # the book passes .output on
        return self._gradients(self.item.backward(output if combined else received, self.targets))

    def _gradients(self, returned: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if isinstance(returned, dict):
            found |= {name.removeprefix("d"): value for name, value in returned.items()}
        stored = getattr(self.item, "dinputs", None)
        dinputs = returned if stored is None and not isinstance(returned, dict) else stored
        if isinstance(dinputs, tuple | list) and len(dinputs) == len(self.inputs) > 1:
            found |= dict(zip(self.inputs, dinputs, strict=True))
        elif isinstance(dinputs, tuple | list) and dinputs and isinstance(dinputs[0], np.ndarray):
            found |= dict(zip((*self.inputs, *self.names), dinputs, strict=False))
        elif dinputs is not None:
            found[self.inputs[0]] = dinputs
        for name in (*self.names, *(n for n in self.inputs if self.shape.separate)):
            holder, attribute = _place(self.item, name)
            gradient = getattr(holder, f"d{attribute}", None)
            if gradient is not None:
                found[name] = gradient
        return found

    def parameters(self) -> Arrays:
        """The parameters that the object holds now."""
        return {name: getattr(*_place(self.item, name)) for name in self.names}

    def memory(self) -> Arrays:
        """Every array of the object beside parameters, under the name that `self.` has in front."""
        return {name: value for name, _, _, value in arrays_of(self.item) if name not in self.names}

    def penalty(self) -> tuple[float, Arrays]:
        """The book's regularization: L1 and L2 on weights and biases, which its backward adds itself."""
        total, gradients = 0.0, {}
        for kind in _REGULARIZERS:
            name = {"weight": "weights", "bias": "biases"}[kind]
            if name not in self.names:
                continue
            value = getattr(self.item, name)
            l1, l2 = (getattr(self.item, f"{kind}_regularizer_l{power}", 0) or 0 for power in (1, 2))
            if l1 or l2:
                total += float(l1 * np.abs(value).sum() + l2 * (value * value).sum())
                gradients[name] = l1 * np.where(value < 0, -1.0, 1.0) + 2 * l2 * value
        return total, gradients


class Shape:
    """What the object's methods take."""

    def __init__(self, item: Any, reduction: str) -> None:
        forward, backward = signature_of(item.forward), signature_of(item.backward)
        self.training = "training" in forward
        self.arrays = tuple(name for name in forward if name != "training")
        self.loss = len(backward) == 2
        self.separate = len(self.arrays) > 1 and not self.loss  # a join that takes its inputs one by one
        self.reduction = reduction
        self.upstream = backward[0]
        self.targets = backward[1] if self.loss else "y_true"


def book_subject(
    item: Any, inputs: Any = None, targets: Any = None, *, arguments: tuple[Any, ...] = (), reduction: str = "mean"
) -> Subject:
    """A layer, an activation or a loss written the book's way; a class is constructed first."""
    if isinstance(item, type):
        item = construct(item, arguments, inputs)
    shape = Shape(item, reduction)
    rng = np.random.default_rng(_SEED)
    arrays, domain, known = _workable(item, shape, inputs, targets, rng)
    names = _parameters(item, shape, arrays, known[0] if known else None)
    start = {name: np.array(getattr(*_place(item, name)), dtype=np.float64) for name in names}
    title = type(item).__name__
    return Subject(
        title=title,
        create=lambda: BookInstance(item, tuple(arrays), names, shape),
        inputs=arrays,
        parameters=start,
        targets=known,
        redraw_targets=_redraw(item, shape, known, targets) if shape.loss else None,
        is_loss=shape.loss,
        modes=(True, False) if shape.training else (True,),
        upstream=not shape.loss,
        domain=domain,
        style=Style(dvalues=shape.upstream, targets=shape.targets),
        given=inputs is not None and not is_shape(inputs),
    )


def _place(item: Any, name: str) -> tuple[Any, str]:
    *holders, attribute = name.split(".")
    for holder in holders:
        item = getattr(item, holder)
    return item, attribute


# Arrays on which the object works


def _workable(
    item: Any, shape: Shape, inputs: Any, targets: Any, rng: np.random.Generator
) -> tuple[Arrays, str, tuple[Any, ...]]:
    """Inputs on which forward runs and gives finite numbers, the domain that they come from, and targets."""
    first_error: Exception | None = None
    for domain, candidate in _candidates(item, shape, inputs, rng):
        names = ("inputs",) if len(candidate) == 1 else tuple(f"inputs[{i}]" for i in range(len(candidate)))
        if shape.loss or shape.separate:
            names = shape.arrays[: len(candidate)]
        if shape.separate and len(names) != len(candidate):
            continue
        arrays = dict(zip(names, candidate, strict=True))
        if not shape.loss:
            error = _fails(item, shape, arrays, None)
            if error is None:
                return arrays, domain, ()
            first_error = first_error or error
            continue
        groups = [(np.asarray(targets),)] if targets is not None else _targets(type(item).__name__, candidate[0], rng)
        for group in groups:
            errors = [_fails(item, shape, arrays, each) for each in group]
            first_error = first_error or next((error for error in errors if error is not None), None)
            accepted = tuple(each for each, error in zip(group, errors, strict=True) if error is None)
            if accepted:
                return arrays, domain, accepted
    reason = f"{type(first_error).__name__}: {first_error}"
    raise ConfigurationError(
        f"check: {type(item).__name__}.forward fails on every input tried ({reason}). Pass inputs that it takes: "
        "check(layer, inputs)" + (", targets)." if shape.loss else ".")
    )


def _candidates(
    item: Any, shape: Shape, inputs: Any, rng: np.random.Generator
) -> Iterator[tuple[str, tuple[NDArray[Any], ...]]]:
    if inputs is not None and not is_shape(inputs):
        given = inputs if isinstance(inputs, tuple | list) and isinstance(inputs[0], np.ndarray) else (inputs,)
        arrays = tuple(np.array(each, dtype=np.float64) for each in given)
        yield _domain_of(arrays[0], shape.loss), arrays
        return
    if inputs is not None:
        shapes: list[tuple[int, ...]] = [inputs]
    else:
        rows = [value.shape[0] for _, _, _, value in arrays_of(item) if value.ndim == 2 and value.shape[0] > 1]
        columns = [value.shape[1] for _, _, _, value in arrays_of(item) if value.ndim == 2]
        flat = [value.shape[0] for _, _, _, value in arrays_of(item) if value.ndim == 1]
        features = dict.fromkeys([*rows, *columns, *flat, 4, 1])
        shapes = [(5, n) for n in features] + [(5,)]
    if shape.loss and not any(word in type(item).__name__.lower() for word in _OF_NUMBERS):
        for size in shapes:  # what takes numbers takes probabilities too, but not the other way round
            p = rng.uniform(0.1, 0.9, size=size)
            yield "probabilities", (p if "binary" in type(item).__name__.lower() else p / p.sum(-1, keepdims=True),)
    for size in shapes:
        yield "numbers", (rng.normal(size=size),)
    for size in shapes:
        yield "positive", (rng.uniform(0.5, 2.0, size=size),)
    for size in shapes:
        yield "probabilities", (rng.uniform(0.1, 0.9, size=size),)
    for size in shapes:
        yield "numbers", tuple(rng.normal(size=size) for _ in range(max(2, len(shape.arrays))))


def _domain_of(array: NDArray[Any], loss: bool) -> str:
    if loss and array.size and array.min() >= 0 and array.max() <= 1:
        return "probabilities"
    return "positive" if array.size and array.min() > 0 else "numbers"


def _targets(kind: str, predictions: NDArray[Any], rng: np.random.Generator) -> list[tuple[Any, ...]]:
    """Targets in every form that a loss may take, a group for each kind of loss, the likeliest by its name first."""
    kind = kind.lower()
    samples, outputs = predictions.shape[0], predictions.shape[-1]
    classes = rng.integers(0, outputs, samples)
    answers = (rng.integers(0, 2, predictions.shape).astype(np.float64),)
    values = (rng.normal(size=predictions.shape),)
    indices = (classes, np.eye(outputs)[classes]) if predictions.ndim == 2 else answers
    if "binary" in kind or "sigmoid" in kind:
        return [answers, indices, values]
    if any(word in kind for word in _OF_VALUES):
        return [values, answers, indices]
    return [indices, answers, values]


def _redraw(item: Any, shape: Shape, known: tuple[Any, ...], given: Any) -> Any:
    def draw(rng: np.random.Generator, point: Point) -> tuple[Any, ...]:
        predictions = next(iter(point.values.values()))
        if given is not None:
            return tuple(np.resize(t, (len(predictions), *np.shape(t)[1:])) for t in known)
        for group in _targets(type(item).__name__, predictions, rng):
            if {(t.ndim, t.dtype.kind) for t in known} <= {(t.ndim, t.dtype.kind) for t in group}:
                return tuple(t for t in group if any(t.ndim == k.ndim for k in known))
        return ()

    return draw


def _fails(item: Any, shape: Shape, arrays: Arrays, targets: Any) -> Exception | None:
    """Why forward does not run on a copy of the object, or None."""
    try:
        with np.errstate(all="ignore"):
            copied = {name: array.copy() for name, array in arrays.items()}
            output = BookInstance(item, tuple(arrays), (), shape).forward(Point(copied, targets))
    except Exception as error:  # the object is not ours: anything may come
        return error
    return None if np.isfinite(output).all() else ValueError("the output is not finite")


# Parameters


def _parameters(item: Any, shape: Shape, arrays: Arrays, targets: Any) -> tuple[str, ...]:
    """The names of the arrays for which backward gives a gradient, and of those that are parameters by their names."""
    before = {name: value.copy() for name, _, _, value in arrays_of(item) if value.dtype.kind == "f"}
    probe = BookInstance(item, tuple(arrays), (), shape)
    output = probe.forward(Point({name: value.copy() for name, value in arrays.items()}, targets))
    moved = {name for name, _, _, value in arrays_of(probe.item) if not _same(before.get(name), value)}
    with contextlib.suppress(Exception):  # reported where the gradients are compared
        probe.backward(np.ones(np.shape(output)))
    gradients = {name for name, _, _, _ in arrays_of(probe.item)}
    names = []
    for name, value in before.items():
        holder, dot, attribute = name.rpartition(".")
        if attribute in ("inputs", "output", "dinputs") or _is_gradient(name, before):
            continue
        known = attribute.lower() in _PARAMETERS and value.ndim > 0 and name not in moved
        if f"{holder}{dot}d{attribute}" in gradients or known:
            names.append(name)
    return tuple(names)


def _is_gradient(name: str, arrays: Arrays) -> bool:
    holder, dot, attribute = name.rpartition(".")
    return attribute.startswith("d") and f"{holder}{dot}{attribute[1:]}" in arrays


def _same(a: Any, b: Any) -> bool:
    return a is not None and a.shape == b.shape and bool(np.array_equal(a, b))
