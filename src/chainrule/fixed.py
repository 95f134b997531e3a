"""A dict that stays as it was made: settings that others have looked at already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from .errors import ConfigurationError

__all__ = ["Fixed"]

K = TypeVar("K")
V = TypeVar("V")


class Fixed(dict[K, V]):
    """A copy of a mapping, and of the mappings in it, that nobody changes: engines read settings once.

    Raises `ConfigurationError` for an attempt.

    >>> groups = Fixed({"*.biases": {"weight_decay": 0.0}})
    >>> groups["*.biases"]["weight_decay"] = 0.5
    Traceback (most recent call last):
    chainrule.errors.ConfigurationError: Settings cannot be changed in place; make new ones, as in
    dataclasses.replace(optimizer, groups={...}) or layer.penalties = {...}.
    """

    def __init__(self, given: Mapping[K, Any]) -> None:
        super().__init__({name: Fixed(value) if isinstance(value, Mapping) else value for name, value in given.items()})

    def __reduce__(self) -> tuple[type, tuple[dict[K, V]]]:  # a copy of a dict is filled entry by entry
        return type(self), (dict(self),)

    def _refused(self, *_: Any, **__: Any) -> NoReturn:
        raise ConfigurationError(
            "Settings cannot be changed in place; make new ones, as in dataclasses.replace(optimizer, groups={...}) "
            "or layer.penalties = {...}."
        )

    __setitem__ = __delitem__ = __ior__ = _refused
    clear = pop = popitem = setdefault = update = _refused
