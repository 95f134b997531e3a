"""Layers as the book's Model meets them: the library's, and a program's own classes, which promise little."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ..errors import ConfigurationError
from ..layer import Layer

__all__ = ["backward_of", "forward_of", "learned_names"]

_PASSED = ("inputs", "output", "values")  # their gradients are no parameters'


def learned_names(layer: Any) -> list[str]:
    """What an optimizer updates: `weights` and `biases`, and every array beside which its gradient `d<name>` lies.

    >>> from chainrule.book import *
    >>> class Scale:
    ...     def __init__(self): self.factor = np.ones((1, 1))
    ...     def backward(self, dvalues): self.dfactor = dvalues.sum(keepdims=True)
    >>> layer = Scale()
    >>> learned_names(layer), layer.backward(np.ones((2, 1))), learned_names(layer)
    ([], None, ['factor'])
    """
    own = layer.parameters if isinstance(layer, Layer) else ("weights", "biases")
    names = [name for name in own if getattr(layer, name, None) is not None]
    held = vars(layer)
    others = [name[1:] for name in held if name.startswith("d") and name[1:] in held]
    return names + [name for name in others if name not in (*names, *_PASSED) and _alike(held[name], held[f"d{name}"])]


def _alike(value: Any, gradient: Any) -> bool:
    return isinstance(value, np.ndarray) and np.shape(gradient) == value.shape


def forward_of(layer: Any, inputs: Any, training: bool) -> Any:
    """The output of a layer whose forward returns it or sets `.output`, and takes `training` or not."""
    arguments = inspect.signature(layer.forward).parameters
    before = getattr(layer, "output", None)
    if getattr(arguments.get("training"), "kind", None) is inspect.Parameter.KEYWORD_ONLY:
        returned = layer.forward(inputs, training=training)
    elif len(arguments) > 1 or any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in arguments.values()):
        returned = layer.forward(inputs, training)
    else:
        returned = layer.forward(inputs)
    return _found(layer, "forward", "output", before, returned)


def backward_of(layer: Any, dvalues: Any) -> Any:
    """The `dinputs` of a layer whose backward returns or sets them."""
    before = getattr(layer, "dinputs", None)
    return _found(layer, "backward", "dinputs", before, layer.backward(dvalues))


def _found(layer: Any, method: str, attribute: str, before: Any, returned: Any) -> Any:
    """What the attribute holds, as in the book; what was returned, where the method left the attribute alone."""
    found = getattr(layer, attribute, None)
    found = returned if found is before and returned is not None else found
    if found is None:
        raise ConfigurationError(
            f"Model: {type(layer).__name__}.{method} returned nothing and set no .{attribute}; "
            f"write self.{attribute} = ... in it."
        )
    return found
