"""`chainrule compare`: a program of the book's kind beside the library."""

from __future__ import annotations

from pathlib import Path

__all__ = ["compare"]


def compare(path: Path, seconds: float) -> bool:
    """Print the first number that differs and why; returns whether all agree."""
    from ..comparing import compare as run

    found = run(path, seconds)
    print(found)
    return found.same
