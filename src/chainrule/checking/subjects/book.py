"""Objects written the book's way: `forward` stores or returns `.output`, `backward` `.dinputs` and `.d<name>`."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigurationError
from .base import Arrays, Instance, Point, Style, Subject, is_shape
from .construct import construct
from .objects import arrays_of, copied, generators_of, gradient_of, read, write

__all__ = ["book_subject", "is_book_style", "signature_of"]

_SEED = 1
_TRAINING = ("training", "train", "is_training", "is_train", "train_flg", "train_flag")
_TARGETS = ("y_true", "y", "t", "target", "targets", "label", "labels", "true", "truth", "y_hat_true", "actual")
_PARAMETERS = ("weights", "biases", "weight", "bias", "w", "b", "gamma", "beta")
_OF_VALUES = ("squared", "mse", "absolute", "mae", "huber", "l1", "l2", "regression", "quadratic")
_OF_NUMBERS = (*_OF_VALUES, "softmax", "sigmoid", "logit", "hinge")
_REGULARIZERS = ("weight", "bias")  # the book's names: weight_regularizer_l2 belongs to .weights


def signature_of(method: Any) -> tuple[str, ...]:
    """The names of the arguments without a default, and that of the switch for training, with a default or without."""
    parameters = inspect.signature(method).parameters.values()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(p.name for p in parameters if p.kind in positional and (p.default is p.empty or p.name in _TRAINING))


def is_book_style(item: Any) -> bool:
    """Whether an object or a class has a `forward` of arrays and a `backward` that fits it."""
    forward, backward = getattr(item, "forward", None), getattr(item, "backward", None)
    if not (callable(forward) and callable(backward)):
        return False
    skip = 1 if isinstance(item, type) else 0
    try:
        read_, returned = signature_of(forward)[skip:], signature_of(backward)[skip:]
    except (TypeError, ValueError):
        return False
    arrays = [name for name in read_ if name not in _TRAINING]
    compares = len(arrays) == 2 and len(arrays) == len(read_) and bool({*arrays} & {*_TARGETS} or len(returned) == 2)
    return bool(arrays) and (len(returned) == 1 or (compares and len(returned) in (0, 2)))


class BookInstance(Instance):
    """A copy of the object, in float64, whose parameters are set before each forward."""

    def __init__(self, item: Any, inputs: tuple[str, ...], parameters: tuple[str, ...], shape: Shape) -> None:
        self.item, self.inputs, self.names, self.shape = copied(item), inputs, parameters, shape
        self.generators = [(path, copy.deepcopy(generator)) for path, generator in generators_of(self.item)]
        for path, value in list(arrays_of(self.item)):
            if value.dtype.kind == "f":
                with contextlib.suppress(AttributeError, TypeError):  # a property, a tuple
                    write(self.item, path, value.astype(np.float64))

    def restart(self) -> None:
        """Put the generators back to where they stood."""
        for path, generator in self.generators:
            with contextlib.suppress(AttributeError, TypeError):
                write(self.item, path, copy.deepcopy(generator))

    def forward(self, point: Point) -> NDArray[Any]:
        """What `forward` returned or stored; for a loss the mean of what it gives for each sample."""
        for name in self.names:
            write(self.item, name, point.values[name])
        arrays = [point.values[name] for name in self.inputs]
        if len(arrays) > 1 and not self.shape.separate:
            arrays = [tuple(arrays)]  # type: ignore[list-item]
        self.received, self.targets = arrays, point.targets
        switch = {self.shape.training: point.training} if self.shape.training else {}
        if self.shape.loss:
            losses = np.asarray(self.item.forward(*self.shape.ordered(arrays[0], point.targets)))
            return np.asarray(losses.mean() if self.shape.reduction == "mean" else losses.sum())
        returned = self.item.forward(*arrays, **switch)
        stored = getattr(self.item, "output", getattr(self.item, "out", None))
        result = np.asarray(returned if returned is not None else stored)
        if result.dtype.kind not in "fciub":
            raise ConfigurationError(
                f"{type(self.item).__name__}.forward returned no array and stored no .output: return the output, or "
                "set self.output."
            )
        return result

    def backward(self, dvalues: NDArray[Any]) -> dict[str, Any]:
        """What `backward` stored as `.dinputs` and `.d<name>`, or returned."""
        if not self.shape.loss:
            return self._gradients(self.item.backward(dvalues))
        if self.shape.takes == 0:
            return self._gradients(self.item.backward())
        if self.shape.takes == 1:
            return self._gradients(self.item.backward(1.0))
        predictions = self._activated()
        return self._gradients(self.item.backward(*self.shape.ordered(predictions, self.targets, backward=True)))

    def _activated(self) -> Any:
        """What the book passes to the backward of a loss: its predictions, after the activation where that is in it."""
        (received,), output = self.received, getattr(self.item, "output", None)
        if not isinstance(output, np.ndarray) or output.shape != np.shape(received) or output.ndim < 1:
            return received
        sigmoid = 1 / (1 + np.exp(-np.asarray(received)))
        activated = np.allclose(output.sum(axis=-1), 1) or np.allclose(output, sigmoid)
        return output if activated else received

    def _gradients(self, returned: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        known = {"dinputs": self.inputs[0], f"d{self.shape.arrays[0]}": self.inputs[0]}
        if isinstance(returned, dict):
            found |= {known.get(name, name.removeprefix("d")): value for name, value in returned.items()}
            returned = None
        stored = next((g for name in known if (g := getattr(self.item, name, None)) is not None), None)
        dinputs = returned if stored is None else stored
        if isinstance(dinputs, tuple | list) and len(dinputs) == len(self.inputs) > 1:
            found |= dict(zip(self.inputs, dinputs, strict=True))
        elif isinstance(dinputs, tuple | list) and dinputs and isinstance(dinputs[0], np.ndarray):
            found |= dict(zip((*self.inputs, *self.names), dinputs, strict=False))
        elif dinputs is not None:
            found[self.inputs[0]] = dinputs
        for name in (*self.names, *(n for n in self.inputs if self.shape.separate)):
            gradient = gradient_of(self.item, name)
            if gradient is not None:
                found[name] = gradient
        return found

    def parameters(self) -> Arrays:
        """The parameters that the object holds now."""
        return {name: np.asarray(read(self.item, name)) for name in self.names}

    def memory(self) -> Arrays:
        """Every array of the object beside parameters, under the name that `self.` has in front."""
        return {name: value for name, value in arrays_of(self.item) if name not in self.names}

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
        self.training = next((name for name in forward if name in _TRAINING), "")
        self.arrays = tuple(name for name in forward if name not in _TRAINING)
        named = len(self.arrays) == 2 and bool({*self.arrays} & {*_TARGETS})
        self.loss = len(backward) == 2 or (named and len(backward) < 2)
        self.takes = len(backward)
        self.separate = len(self.arrays) > 1 and not self.loss  # a join that takes its inputs one by one
        self.reduction = reduction
        self.upstream = backward[0] if backward else "dvalues"
        self.targets = backward[1] if self.takes == 2 else "y_true"
        self.swapped = tuple(  # (y_true, y_pred) instead of (y_pred, y_true)
            len(names) == 2 and names[0] in _TARGETS and names[1] not in _TARGETS for names in (self.arrays, backward)
        )
        if self.swapped[1]:
            self.upstream, self.targets = backward[1], backward[0]

    def ordered(self, predictions: Any, targets: Any, backward: bool = False) -> tuple[Any, Any]:
        """Predictions and targets in the order in which forward, or backward, takes them."""
        return (targets, predictions) if self.swapped[backward] else (predictions, targets)


def book_subject(
    item: Any, inputs: Any = None, targets: Any = None, *, arguments: tuple[Any, ...] = (), reduction: str = "mean"
) -> Subject:
    """A layer, an activation or a loss written the book's way; a class is constructed first."""
    if isinstance(item, type):
        item = construct(item, arguments, inputs)
    shape = Shape(item, reduction)
    rng = np.random.default_rng(_SEED)
    arrays, domain, known = _workable(item, shape, inputs, targets, rng)
    names, uncompared, item = _parameters(item, shape, arrays, known[0] if known else None)
    start = {name: np.array(read(item, name), dtype=np.float64) for name in names}
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
        uncompared=uncompared,
    )


# Arrays on which the object works


def _workable(
    item: Any, shape: Shape, inputs: Any, targets: Any, rng: np.random.Generator
) -> tuple[Arrays, str, tuple[Any, ...]]:
    """Inputs on which forward runs and gives finite numbers, the domain that they come from, and targets."""
    first_error: BaseException | None = None
    for domain, candidate in _candidates(item, shape, inputs, rng):
        names = ("inputs",) if len(candidate) == 1 else tuple(f"inputs[{i}]" for i in range(len(candidate)))
        if shape.loss or shape.separate:
            names = shape.arrays[: len(candidate)] if shape.separate else (shape.arrays[shape.swapped[0]],)
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
        rows = [value.shape[0] for _, value in arrays_of(item) if value.ndim == 2 and value.shape[0] > 1]
        columns = [value.shape[1] for _, value in arrays_of(item) if value.ndim == 2]
        flat = [value.shape[0] for _, value in arrays_of(item) if value.ndim == 1]
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


def _fails(item: Any, shape: Shape, arrays: Arrays, targets: Any) -> BaseException | None:
    """Why forward does not run on a copy of the object, or None."""
    try:
        with np.errstate(all="ignore"):
            copied = {name: array.copy() for name, array in arrays.items()}
            output = BookInstance(item, tuple(arrays), (), shape).forward(Point(copied, targets))
    except (Exception, SystemExit) as error:  # the object is not ours: anything may come
        return error
    return None if np.isfinite(output).all() else ValueError("the output is not finite")


# Parameters


def _parameters(item: Any, shape: Shape, arrays: Arrays, targets: Any) -> tuple[tuple[str, ...], tuple[str, ...], Any]:
    """The arrays for which backward gives a gradient or whose names are those of parameters; those that are left,
    which move the output and are not compared; and the object that has them, which a first forward may have to make."""
    probe = BookInstance(item, tuple(arrays), (), shape)
    point = Point({name: value.copy() for name, value in arrays.items()}, targets)
    probe.restart()
    output = probe.forward(point)
    before = {path: value.copy() for path, value in arrays_of(item, scalars=True) if value.dtype.kind == "f"}
    made = copied(probe.item)
    after = dict(arrays_of(probe.item))
    later = {path: value for path, value in after.items() if path not in before and value.dtype.kind == "f"}
    moved = {path for path, value in after.items() if not _same(before.get(path), value)}
    returned: Any = None
    with contextlib.suppress(Exception, SystemExit):  # reported where the gradients are compared
        returned = probe.item.backward(np.ones(np.shape(output))) if not shape.loss else probe.backward(np.ones(()))
    extra = len(returned) - len(arrays) if isinstance(returned, tuple) else 0
    passes = {"inputs", "output", "dinputs", "out", *shape.arrays}
    late = [path for path in later if path.rpartition(".")[2] not in passes and not _is_gradient(path, later)]
    late = [path for path in late if "." not in path and gradient_of(probe.item, path) is not None]
    names: list[str] = []
    others: list[str] = []
    for path, value in before.items():
        attribute = path.rpartition(".")[2]
        if attribute in passes or _is_gradient(path, before):
            continue
        if gradient_of(probe.item, path) is not None:
            names.append(path)
        elif value.ndim and not shape.loss and path not in moved:
            (names if attribute.lower() in _PARAMETERS or len(names) < extra else others).append(path)
    uncompared = [path for path in others if _moves(item, tuple(arrays), shape, point, path, output)]
    return (*names, *late), tuple(uncompared), made if late else item


def _moves(item: Any, inputs: tuple[str, ...], shape: Shape, point: Point, path: str, output: Any) -> bool:
    """Whether the output moves with an array that the object holds."""
    probe = BookInstance(item, inputs, (), shape)
    with contextlib.suppress(Exception, SystemExit):
        write(probe.item, path, read(probe.item, path) * 1.5 + 0.25)
        probe.restart()
        return not _same(np.asarray(output), np.asarray(probe.forward(point.copied())))
    return False


def _is_gradient(path: str, arrays: Arrays) -> bool:
    holder, dot, attribute = path.rpartition(".")
    if path.partition("[")[0] in ("grads", "gradients", "grad"):
        return True
    return attribute.startswith("d") and f"{holder}{dot}{attribute[1:]}" in arrays


def _same(a: Any, b: Any) -> bool:
    return a is not None and np.shape(a) == np.shape(b) and bool(np.array_equal(a, b))
