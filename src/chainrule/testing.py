"""Helpers for tests of layers of your own, in pytest or any other runner."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .checking import CHECKS, Report, check
from .errors import ConfigurationError

__all__ = ["check_layer", "parametrize_with_checks"]


def check_layer(layer: Any, inputs: Any = None, targets: Any = None, **options: Any) -> Report:
    """`check(layer, inputs, targets, raises=True)`: raises `GradientMismatch`, an AssertionError, that says it all.

    >>> from chainrule import Dense
    >>> from chainrule.testing import check_layer
    >>> check_layer(Dense(4, 3)).passed
    True
    """
    return check(layer, inputs, targets, raises=True, **options)


def parametrize_with_checks(layers: Iterable[Any], **options: Any) -> Any:
    """A pytest decorator that runs every check on every layer as a test of its own.

    The test takes `layer` and `check`: ``def test_my_layers(layer, check): check(layer)``. Options are those of
    `chainrule.check`. Raises `ConfigurationError` where pytest is missing.

    >>> from chainrule import ReLU
    >>> from chainrule.testing import parametrize_with_checks
    >>> @parametrize_with_checks([ReLU()])
    ... def test_my_layers(layer, check):
    ...     check(layer)
    """
    try:
        import pytest
    except ModuleNotFoundError:
        raise ConfigurationError("parametrize_with_checks needs pytest: pip install pytest") from None
    rows = [
        pytest.param(layer, _one(name, options), id=f"{_named(layer)}-{name}")
        for layer in layers
        for name in ("gradients", *CHECKS)
    ]
    return pytest.mark.parametrize(("layer", "check"), rows)


def _one(name: str, options: dict[str, Any]) -> Callable[..., Report]:
    def run(layer: Any, inputs: Any = None, targets: Any = None) -> Report:
        return check_layer(layer, inputs, targets, only=(name,), **options)

    return run


def _named(layer: Any) -> str:
    if isinstance(layer, tuple | list):
        return str(layer[0].__name__)
    return str(layer.__name__ if isinstance(layer, type) else type(layer).__name__)
