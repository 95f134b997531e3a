"""Making an object of a class that is to be checked, from the names of its constructor's arguments."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ...errors import ConfigurationError
from .base import is_shape

__all__ = ["construct"]

_NEURONS = 3
_FEATURES = 4
_OUT = ("neuron", "out", "unit", "hidden", "class")
_IN = ("in", "feature", "size", "dim", "num", "n")
_RATE = ("rate", "p", "prob", "drop", "alpha", "slope", "momentum", "keep")


def construct(kind: type, arguments: tuple[Any, ...] = (), inputs: Any = None) -> Any:
    """An object of the class: with these arguments, or with ones that its argument names suggest.

    Raises `ConfigurationError` where the constructor fails, saying what was tried.

    >>> class Layer:
    ...     def __init__(self, n_inputs, n_neurons): self.shape = n_inputs, n_neurons
    >>> construct(Layer).shape, construct(Layer, (7, 2)).shape
    ((4, 3), (7, 2))
    """
    chosen = arguments or _guessed(kind, inputs)
    try:
        return kind(*chosen)
    except Exception as error:  # a constructor that is not ours: anything may come
        tried = ", ".join(map(repr, chosen))
        raise ConfigurationError(
            f"check: {kind.__name__}({tried}) fails ({type(error).__name__}: {error}). Pass an object instead of the "
            "class, or its arguments: check(kind, arguments=(4, 3)), in the shell --arguments 4,3."
        ) from None


def _guessed(kind: type, inputs: Any) -> tuple[Any, ...]:
    try:
        parameters = list(inspect.signature(kind).parameters.values())
    except (TypeError, ValueError):
        return ()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p.name.lower() for p in parameters if p.kind in positional and p.default is p.empty]
    features = _features(inputs)
    return tuple(_value(name, position, features) for position, name in enumerate(needed))


def _features(inputs: Any) -> int:
    shape: tuple[int, ...] = inputs if is_shape(inputs) else () if inputs is None else np.shape(inputs)
    return int(shape[-1]) if len(shape) > 1 else _FEATURES


def _value(name: str, position: int, features: int) -> Any:
    if any(word in name for word in _OUT):
        return _NEURONS
    if name in _RATE or any(word in name for word in _RATE if len(word) > 1):
        return 0.25
    if any(word in name for word in _IN):
        return features
    return (features, _NEURONS)[position % 2]
