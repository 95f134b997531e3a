"""Files that a command writes."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import ConfigurationError

__all__ = ["require_another_file"]


def require_another_file(option: str, written: Path | None, **read: str | Path) -> None:
    """That a command does not write over what it reads, by whatever name. Raises `ConfigurationError`."""
    for what, path in read.items():
        if written is not None and written.exists() and os.path.exists(path) and os.path.samefile(written, path):
            raise ConfigurationError(f"{option} {written} is the {what} itself; choose another file.")
