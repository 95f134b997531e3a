"""`chainrule compare`: a program of the book's kind beside the library."""

from __future__ import annotations

from pathlib import Path

from ..paths import no_such_file

__all__ = ["compare"]


def compare(path: Path, seconds: float) -> bool:
    """Print the first number that differs and why; returns whether all agree."""
    from ..comparing import compare as run

    if not path.exists():
        raise no_such_file(path)
    found = run(path, seconds)
    print(found)
    return found.same
