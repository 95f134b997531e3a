"""The packages of the other side: imported at their first use, with the line that installs a missing one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import ConfigurationError

__all__ = ["needed"]


def needed(module: str, purpose: str, install: str) -> Any:
    """The module. Raises `ConfigurationError` with the line that installs it."""
    try:
        return import_module(module)
    except ImportError:
        raise ConfigurationError(f"{purpose} needs {module}: pip install {install}") from None
