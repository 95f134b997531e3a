"""What the tests share: how arrays are compared, and derivatives found without any backward pass."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from unittest import mock

import array_api_strict
import numpy as np

import chainrule
from chainrule import cli
from chainrule.layer import Layer


def jax_float64(on: bool) -> contextlib.AbstractContextManager[Any]:
    """JAX with float64 inside, or without."""
    import jax

    switch: Any = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
    return switch(on)  # type: ignore[no-any-return]


UNOPTIMIZED: Any = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}


def each(function: Callable[[Any], Any], tree: Any) -> Any:
    """The same dicts and tuples with `function` applied to every array in them."""
    if isinstance(tree, dict):
        return {name: each(function, value) for name, value in tree.items()}
    if isinstance(tree, tuple):
        return tuple(each(function, value) for value in tree)
    return function(tree)


def leaves(tree: Any) -> list[Any]:
    """Every array inside dicts and tuples."""
    found: list[Any] = []
    each(found.append, tree)
    return found


def read_only(tree: Any) -> Any:
    """Copies that refuse to be written to."""

    def locked(array: Any) -> Any:
        copy = np.array(array)
        copy.flags.writeable = False
        return copy

    return each(locked, tree)


def strict(tree: Any) -> Any:
    """The same arrays for `array_api_strict`, which offers the standard's functions and nothing else."""
    return each(lambda array: array_api_strict.asarray(np.array(array)), tree)


def compiled(function: Callable[..., Any], *arguments: Any) -> Any:
    """`function(*arguments)` compiled by JAX in float64; the results are NumPy arrays.

    The machine code is not optimized: it runs once, and making it takes most of the time.
    """
    import jax

    with jax_float64(True):
        lowered = jax.jit(function).lower(*arguments)
        try:
            program = lowered.compile(UNOPTIMIZED)
        except jax.errors.JaxRuntimeError:  # another version of XLA, with other options
            program = lowered.compile()
        return each(np.asarray, program(*arguments))


def shell(*arguments: str, folder: Path) -> CompletedProcess[str]:
    """What `python -m chainrule *arguments` does in a folder, carried out in this process, which has all imported."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code: Any = 0
    with (
        mock.patch.object(sys, "argv", ["chainrule", *arguments]),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
    printed, errors = (stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
    return CompletedProcess(arguments, code, printed, errors)


def assert_close(actual: Any, expected: Any, rtol: float, *, floor: float = 0.0, name: str = "array") -> None:
    """Trees of arrays agree: structure, shapes, and numbers to `rtol` of the largest number in each array.

    The largest number is taken as at least `floor`, which stays 0 unless a test says what rounding it allows for.
    """
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys(), name
        for key in expected:
            assert_close(actual[key], expected[key], rtol, floor=floor, name=f"{name}.{key}")
    elif isinstance(expected, tuple):
        assert len(actual) == len(expected), name
        for i, (one, other) in enumerate(zip(actual, expected, strict=True)):
            assert_close(one, other, rtol, floor=floor, name=f"{name}[{i}]")
    else:
        actual, expected = np.asarray(actual), np.asarray(expected)
        assert actual.shape == expected.shape, f"{name}: shape {actual.shape}, expected {expected.shape}"
        assert np.isfinite(actual).all() and np.isfinite(expected).all(), f"{name} is not finite: {actual}"
        bound = rtol * max(np.max(np.abs(expected), initial=0.0), floor)
        error = np.max(np.abs(actual - expected), initial=0.0)
        assert error <= bound, f"{name}: off by {error:.3g}, allowed {bound:.3g}\n{actual}\nexpected\n{expected}"


def _entries(function: Callable[[Any], Any], array: Any, nudge: Any, slope: Callable[[Any], float]) -> Any:
    gradient = np.zeros(array.shape)
    for index in np.ndindex(array.shape):
        delta = np.zeros(array.shape, dtype=type(nudge))
        delta[index] = nudge
        gradient[index] = slope(delta)
    return gradient


def central_difference(function: Callable[[Any], Any], array: Any, step: float = 1e-5) -> Any:
    """The derivative of a scalar function by every entry, to about 1e-9: two values a small step apart."""
    return _entries(function, array, step, lambda d: float(function(array + d) - function(array - d)) / (2 * step))


def complex_step(function: Callable[[Any], Any], array: Any) -> Any:
    """The derivative of an analytic scalar function by every entry, to rounding: Im f(x + ih) / h."""
    tiny = 1e-30
    return _entries(function, array, 1j * tiny, lambda d: complex(function(array + d)).imag / tiny)


def public(belongs: Callable[[type], bool]) -> set[str]:
    """The names of the public classes for which `belongs` holds."""
    objects = {name: getattr(chainrule, name) for name in chainrule.__all__}
    return {name for name, item in objects.items() if isinstance(item, type) and belongs(item)}


def random_values(layer: Layer, rng: np.random.Generator, dtype: Any = np.float64) -> dict[str, Any]:
    """Parameters and state with no number at a special place: no zero biases, no gamma of 1; state is positive."""
    values = {name: rng.normal(size=shape) for name, shape in layer.parameter_shapes().items()}
    values |= {name: rng.uniform(0.5, 2.0, start.shape) for name, start in layer.initial_state().items()}
    return each(lambda array: array.astype(dtype), values)


def set_values(layer: Layer, values: dict[str, Any]) -> None:
    """Give a layer, or the layers inside a graph, these arrays as attributes."""
    for name, array in values.items():
        setattr(*_place(layer, name), array)


def _place(layer: Any, name: str) -> tuple[Any, str]:
    node, _, attribute = name.rpartition(".")
    return (layer[node] if node else layer), attribute


def attribute(layer: Layer, name: str, prefix: str = "") -> Any:
    """What the stateful view holds under a dotted name: `attribute(network, "dense_0.weights", "d")`."""
    owner, local = _place(layer, name)
    return getattr(owner, prefix + local)
