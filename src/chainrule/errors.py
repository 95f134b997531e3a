"""Every error that the library raises on purpose, in one small tree under `ChainruleError`.

A message names the place (layer, array), what was received and what was expected, and what to write instead.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "ChainruleError",
    "ConfigurationError",
    "DataError",
    "DefinitionError",
    "DerivationError",
    "FileFormatError",
    "GradientMismatch",
    "GraphError",
    "NonFiniteError",
    "ShapeError",
    "UnknownNameError",
]


class ChainruleError(Exception):
    """The base of every error below: `except ChainruleError` catches them all."""


class ConfigurationError(ChainruleError, ValueError):
    """A setting has a value that cannot work, such as a dropout rate of 1.5."""


class DataError(ChainruleError, ValueError):
    """The data cannot be used as they are: labels out of range, lengths that differ, an empty batch."""


class DefinitionError(ChainruleError, TypeError):
    """A layer, loss, penalty or optimizer is written in a way that cannot work."""


class DerivationError(ChainruleError, ArithmeticError):
    """A derivation does not add up: a layer's backward pass contradicts itself, or its rule."""


class FileFormatError(ChainruleError, ValueError):
    """A file is not what it should be: truncated, altered, or of another kind."""


class GradientMismatch(ChainruleError, AssertionError):
    """A gradient is not the derivative of its forward; `report` says where and what the mistake is."""

    def __init__(self, message: str, report: object = None) -> None:
        super().__init__(message)
        self.report = report


class GraphError(ChainruleError, ValueError):
    """The nodes do not form a network: a cycle, an unknown or unused source, a duplicate name."""


class NonFiniteError(DataError):
    """An array holds NaN or infinity where only finite numbers make sense."""


class ShapeError(DataError):
    """An array has another shape than the layer that receives it expects."""


class UnknownNameError(ChainruleError, KeyError):
    """A name was asked for that does not exist; the message lists those that do."""

    def __init__(self, kind: str, name: object, known: Iterable[str], meant: str | None = None) -> None:
        import difflib

        names = list(known)
        close = [meant] if meant in names else difflib.get_close_matches(str(name), names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        listed = ", ".join(repr(n) for n in names) or "none"
        where, colon, kind = kind.rpartition(": ")
        begin = f"{where}{colon}there" if where else "There"
        super().__init__(f"{begin} is no {kind} named {name!r}.{hint} Known: {listed}.")

    def __str__(self) -> str:
        return str(self.args[0])
