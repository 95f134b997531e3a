"""Making an object of a class that is to be checked, from the names of its constructor's arguments."""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigurationError
from ..streams import seed_streams
from .base import is_shape
from .names import TARGETS, TRAINING
from .objects import attributes_of, copied, parts_of
from .optimized import PlainSteps, with_plain_steps
from .regularized import penalties_in

__all__ = ["construct", "constructed", "keeps_data"]

_SEED = 1
_NEURONS = 3
_FEATURES = 4
_SAMPLES = 5
_STRENGTH = 0.25  # of a penalty, where the class computes it
_OUT = ("neuron", "out", "unit", "hidden", "class")
_IN = ("in", "feature", "size", "dim", "num", "n")
_RATE = ("rate", "p", "prob", "drop", "alpha", "slope", "momentum", "keep")
_SEVERAL = ("kernel", "pool", "filter", "window", "shape", "size", "stride", "pad", "dilation")  # may be tuples
_PENALTIES = ("l1", "l2", "reg", "lam", "lmbda", "lambd", "lambda_", "weight_decay", "l1_reg", "l2_reg")
_WIDTHS = ("layers", "sizes", "dims")  # are lists of widths, where they are no number
_LISTS = ("layers", "sizes", "dims", "hidden", "units", "shape")  # may be lists of widths
_BUILD = ("build", "initialize", "init_weights", "initialize_weights", "init_params", "initialize_parameters",
          "init_parameters", "initialize_params", "setup", "set_input_shape")  # fmt: skip
_SHAPES = re.compile(r"(?i)^(\w*shape|\w*_?(size|dims?)|n_in|in_features|input_dim)$")  # what such a method may take
_DEPTH = 2  # how many constructors may stand inside of each other


def construct(kind: type, arguments: tuple[Any, ...] = (), inputs: Any = None) -> Any:
    """An object of the class: with these arguments, or with ones that its argument names suggest.

    Raises `ConfigurationError` where the constructor fails, saying what was tried.

    >>> class Layer:
    ...     def __init__(self, n_inputs, n_neurons): self.shape = n_inputs, n_neurons
    >>> construct(Layer).shape, construct(Layer, (7, 2)).shape
    ((4, 3), (7, 2))
    """
    return next(constructed(kind, arguments, inputs))


def constructed(
    kind: type, arguments: tuple[Any, ...] = (), inputs: Any = None, named: Mapping[str, Any] | None = None
) -> Iterator[Any]:
    """Objects of the class, the likeliest first: numbers for its arguments, then tuples and lists of numbers.

    `named` are settings that have a default.

    Raises `ConfigurationError` where every way fails, saying what was tried first.

    >>> class Pool:
    ...     def __init__(self, kernel_size): self.high, self.wide = kernel_size
    >>> construct(Pool).wide
    2
    """
    failed: ConfigurationError | None = None
    found = False
    for chosen, words in [(arguments, {})] if arguments else _every_guess(kind, inputs):
        if found and words:
            break  # it can do without what is None by default
        try:
            seed_streams(_SEED)
            made = kind(*chosen, **{**words, **(named or {})})
        except (Exception, SystemExit) as error:  # a constructor that is not ours: anything may come
            tried = ", ".join(_shown(each) for each in chosen)
            failed = failed or ConfigurationError(
                f"check: {kind.__name__}({tried}) fails ({type(error).__name__}: {error}). Pass an object instead of "
                "the class, or its arguments: check(kind, arguments=(4, 3)), in the shell --arguments 4,3."
            )
            continue
        found = True
        for each in (made, *_built(made, inputs)):
            trains = _in_training(each)
            yield with_plain_steps(trains)
            if trains is not each:
                yield with_plain_steps(each)  # as it was made
    if failed is not None and not found:
        raise failed


def _in_training(made: Any) -> Any:
    """A copy with its own switch turned to training, where an object begins as one that only predicts; or itself."""
    twin = copied(made) if any(_switches(part) for part in (made, *parts_of(made))) else made
    for part in (twin, *parts_of(twin)):
        for name in _switches(part):
            with contextlib.suppress(AttributeError, TypeError):
                setattr(part, name, True)
    return twin


def _switches(item: Any) -> list[str]:
    return [n for n, value in attributes_of(item) if value is False and n.lower().lstrip("_") in TRAINING]


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "an array"
    return repr(value) if isinstance(value, int | float | str | tuple | list) else type(value).__name__


def _every_guess(kind: type, inputs: Any) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Arguments for the constructor by place and by name: then also those that are None by default."""
    yield from ((chosen, {}) for chosen in _guesses(kind, inputs))
    names = _required(kind)
    none = [name for name in _required(kind, True) if name not in names]
    for chosen in _guesses(kind, inputs, names=[*names, *none]) if none else ():
        yield chosen[: len(names)], dict(zip(none, chosen[len(names) :], strict=True))


def _guesses(kind: type, inputs: Any, depth: int = _DEPTH, names: list[str] | None = None) -> Iterator[tuple[Any, ...]]:
    """Arguments for the constructor: plain numbers, then one kind of several numbers in the place of some of them."""
    names = _required(kind) if names is None else names
    features = _features(inputs)
    losses = ("loss", "cost", "compute_loss", "compute_cost", *penalties_in(kind))
    alone = not any(hasattr(kind, name) for name in losses)
    plain = tuple(
        _STRENGTH * (not alone) if name.lower() in _PENALTIES else _value(name.lower(), place, features)
        for place, name in enumerate(names)
    )
    objects = _of_annotations(kind, names, inputs, depth) if depth else {}
    yield tuple(objects.get(name, value) for name, value in zip(names, plain, strict=True))
    for made in _ARRAYS if any(_MATRIX.match(name) for name in names) else ():
        arrays = {name: array for name in names if (array := made(name, features)) is not None}
        yield tuple({**objects, **arrays}.get(name, value) for name, value in zip(names, plain, strict=True))
    for of_targets in _TARGETS_OF if keeps_data(kind) else ():
        held = {name: _data(name, of_targets) for name in names if _HELD.match(name) or name.lower() in TARGETS}
        yield tuple({**objects, **held}.get(name, value) for name, value in zip(names, plain, strict=True))
    ways = ((_WIDTHS, _widths), (_SEVERAL, _pair), (_LISTS, _widths), (_SEVERAL, _triple), (("shape",), _triple))
    for words, several in ways:
        places = [any(word in name.lower() for word in words) for name in names]
        if any(places):
            changed = [several(v) if here and isinstance(v, int) else v for v, here in zip(plain, places, strict=True)]
            yield tuple(objects.get(name, value) for name, value in zip(names, changed, strict=True))


def _gates(many: int) -> Callable[[str, int], NDArray[Any] | None]:
    """Matrices of so many gates side by side, those that meet the hidden state square but for that, and their bias."""

    def array(name: str, features: int) -> NDArray[Any] | None:
        recurrent = re.search(r"[hH]", name.removeprefix("W").removeprefix("w")) is not None
        rows = _NEURONS if recurrent else features
        return _drawn((rows, many * _NEURONS) if _MATRIX.match(name) else (many * _NEURONS,), name)

    return array


def _kernels(*size: int) -> Callable[[str, int], NDArray[Any] | None]:
    """The kernels of a convolution, and a bias for each."""
    return lambda name, features: _drawn((_NEURONS, 2, *size) if _MATRIX.match(name) else (_NEURONS,), name)


def _drawn(shape: tuple[int, ...], name: str) -> NDArray[Any] | None:
    known = _MATRIX.match(name) or _BIAS.match(name)
    return np.random.default_rng(len(name)).normal(size=shape) if known else None


_MATRIX = re.compile(r"^(W\w{0,2}|W_\w{1,3}|w\d?|weights?|kernels?)$")
_BIAS = re.compile(r"^(b\d?|bias(es)?)$")
_ARRAYS = (_gates(1), _gates(4), _gates(3), _kernels(3, 3), _kernels(3))


_HELD = re.compile(r"^(X|x|inputs?|features|data|X_train|x_train|train_x|samples)$")  # data that an object keeps
_TARGETS_OF: tuple[Callable[[np.random.Generator], NDArray[Any]], ...] = (
    lambda rng: rng.normal(size=_SAMPLES),
    lambda rng: rng.uniform(0.1, 0.9, (_SAMPLES, 1)),
    lambda rng: rng.integers(0, 2, _SAMPLES),
    lambda rng: np.eye(_NEURONS)[rng.integers(0, _NEURONS, _SAMPLES)],
)


def keeps_data(kind: type) -> bool:
    """Whether a constructor is handed data, of which several forms may be meant."""
    return any(_HELD.match(name) for name in _required(kind))


def _data(name: str, of_targets: Callable[[np.random.Generator], NDArray[Any]]) -> NDArray[Any]:
    """Data, or targets, that an object is made with and keeps."""
    rng = np.random.default_rng(len(name))
    return rng.normal(size=(_SAMPLES, _FEATURES)) if _HELD.match(name) else of_targets(rng)


def _pair(value: int) -> tuple[int, ...]:
    return (2, 2)


def _triple(value: int) -> tuple[int, ...]:
    return (2, 6, 6)


def _widths(value: int) -> list[int]:
    return [_FEATURES, 5, _NEURONS]


def _required(kind: type, none: bool = False) -> list[str]:
    """The arguments without a default, or with `none` also those whose default is None."""
    try:
        parameters = list(inspect.signature(kind).parameters.values())
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        p.name for p in parameters if p.kind in positional and (p.default is p.empty or (none and p.default is None))
    ]


def _of_annotations(kind: type, names: list[str], inputs: Any, depth: int) -> dict[str, Any]:
    """Objects for the arguments that are annotated with a class of the same file."""
    module = sys.modules.get(kind.__module__)
    known = {**vars(module)} if module is not None else {}
    annotated = getattr(vars(kind).get("__init__"), "__annotations__", {})
    found: dict[str, Any] = {}
    for name in names:
        wanted = annotated.get(name)
        wanted = known.get(wanted) if isinstance(wanted, str) else wanted
        if not isinstance(wanted, type) or wanted.__module__ != kind.__module__:
            continue
        for concrete in [*_subclasses(wanted), wanted]:
            with contextlib.suppress(Exception, SystemExit):
                seed_streams(_SEED)
                found[name] = concrete(*next(_guesses(concrete, inputs, depth - 1)))
                break
    return found


def _subclasses(kind: type) -> list[type]:
    """The classes that fill in an abstract one."""
    below: list[type] = kind.__subclasses__() if inspect.isabstract(kind) else []
    return [each for each in below if not inspect.isabstract(each)]


def _built(made: Any, inputs: Any) -> Iterator[Any]:
    """The object once more after it was told the shape of its inputs, where it has a method for that."""
    features = _features(inputs)
    shapes = [(features,), (None, features), (5, features), features, (2, 6, 6)]
    for method in (getattr(made, name, None) for name in (*_BUILD, *_told_shapes(made))):
        if not callable(method):
            continue
        names = _required_of(method)
        if len(names) == 1 and "optim" in names[0].lower():
            with contextlib.suppress(Exception, SystemExit):
                if getattr(made, "input_shape", ()) is None:
                    made.input_shape = (features,)
                method(PlainSteps("update", False))
                yield made
            continue
        wanted = len(names)
        for shape in shapes if wanted == 1 else [None] if wanted == 0 else []:
            with contextlib.suppress(Exception, SystemExit):
                method(*([shape] if wanted else []))
                yield made


def _told_shapes(made: Any) -> list[str]:
    """The methods of any name that take nothing but a shape."""
    methods = [n for n in dir(type(made)) if not n.startswith("_") and n not in _BUILD]
    required = {n: _required_of(getattr(made, n, None)) for n in methods if callable(getattr(type(made), n, None))}
    return [n for n, names in required.items() if len(names) == 1 and _SHAPES.match(names[0])]


def _required_of(method: Any) -> list[str]:
    try:
        known = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in known if p.default is p.empty and p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]


def _features(inputs: Any) -> int:
    shape: tuple[int, ...] = inputs if is_shape(inputs) else () if inputs is None else np.shape(inputs)
    return int(shape[-1]) if len(shape) > 1 else _FEATURES


def _value(name: str, position: int, features: int) -> Any:
    if name in ("w", "weights", "weight"):
        return np.random.default_rng(0).normal(size=(features, _NEURONS))
    if name in ("b", "bias", "biases"):
        return np.zeros(_NEURONS)
    if name in ("gamma", "beta"):
        return np.full(features, float(name == "gamma"))
    if name in _RATE or any(word in name for word in _RATE if len(word) > 1):
        return 0.25
    if any(word in name for word in _OUT):
        return _NEURONS
    if any(word in name for word in _IN):
        return features
    return (features, _NEURONS)[position % 2]
