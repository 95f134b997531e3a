"""A pair of plain functions: forward(x, w, ...) and backward(dvalues, ...), or backward(dvalues, cache)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigurationError
from .base import Arrays, Instance, Point, Style, Subject, is_shape

__all__ = ["function_subject"]

_SEED = 1


class FunctionInstance(Instance):
    """The two functions, and what the second needs of the first."""

    def __init__(self, forward: Callable[..., Any], backward: Callable[..., Any], names: tuple[str, ...]) -> None:
        self.run_forward, self.run_backward, self.names = forward, backward, names
        self.cache: Any = None
        self.forward_reads, self.backward_reads = _reads(forward), _reads(backward)[1:]

    def forward(self, point: Point) -> NDArray[Any]:
        """What forward returned; where it returned (output, cache), the output."""
        available = {**point.values, "xp": np, "training": point.training}
        returned = self.run_forward(*[available[name] for name in self.forward_reads])
        with_cache = isinstance(returned, tuple) and len(returned) == 2
        output, self.cache = returned if with_cache else (returned, None)
        self.available = {**available, "output": output, "cache": self.cache}
        return np.asarray(output)

    def backward(self, dvalues: NDArray[Any]) -> dict[str, Any]:
        """The gradients, by the names of forward's arguments."""
        unknown = [name for name in self.backward_reads if name not in self.available]
        if len(unknown) == 1:  # whatever it is called: what forward returned beside its output, or the output
            self.available[unknown[0]] = self.available["output"] if self.cache is None else self.cache
        elif unknown:
            raise ConfigurationError(
                f"check: backward reads {', '.join(map(repr, unknown))}, which forward neither takes nor returns. It "
                f"can read: {', '.join((*self.forward_reads, 'output', 'cache'))}."
            )
        arguments = [self.available[name] for name in self.backward_reads]
        leading = [np, dvalues] if "xp" in _reads(self.run_backward)[:1] else [dvalues]
        returned = self.run_backward(*leading, *arguments)
        if isinstance(returned, Mapping):
            return {name.removeprefix("d"): gradient for name, gradient in returned.items()}
        gradients = returned if isinstance(returned, tuple | list) else (returned,)
        return dict(zip(self.names, gradients, strict=False))

    def memory(self) -> Arrays:
        """The arrays among what backward may read."""
        return {name: value for name, value in self.available.items() if isinstance(value, np.ndarray)}


def _reads(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty)


def function_subject(pair: tuple[Callable[..., Any], Callable[..., Any]], inputs: Any = None) -> Subject:
    """The pair (forward, backward), differentiated by the arrays given, in the order or by the names of forward.

    Raises `ConfigurationError` where forward takes several arrays and none is given.
    """
    forward, backward = pair
    reads = tuple(name for name in _reads(forward) if name not in ("xp", "training"))
    if isinstance(inputs, Mapping):
        given = dict(inputs)
    elif inputs is None or is_shape(inputs):
        given = {reads[0]: np.random.default_rng(_SEED).normal(size=inputs or (5, 4))} if len(reads) == 1 else {}
    else:
        arrays = inputs if isinstance(inputs, tuple | list) and len(reads) > 1 else (inputs,)
        given = dict(zip(reads, arrays, strict=False))
    missing = [name for name in reads if name not in given]
    if missing:
        raise ConfigurationError(
            f"check: {forward.__name__} takes {', '.join(reads)}, and {', '.join(missing)} is not given; write "
            f"check(({forward.__name__}, {backward.__name__}), {{{', '.join(f'{name!r}: ...' for name in reads)}}})."
        )
    values = {name: np.array(given[name], dtype=np.float64) for name in reads}
    read_by_backward = _reads(backward)
    dvalues = read_by_backward[1] if read_by_backward[:1] == ("xp",) else read_by_backward[0]
    first = reads[0]
    return Subject(
        title=f"{forward.__name__} and {backward.__name__}",
        create=lambda: FunctionInstance(forward, backward, reads),
        inputs={first: values.pop(first)},
        parameters=values,
        modes=(True, False) if "training" in _reads(forward) else (True,),
        style=Style(own="", assign="d{name} = {code}", dvalues=dvalues, inputs=first),
        given=inputs is not None and not is_shape(inputs),
    )
