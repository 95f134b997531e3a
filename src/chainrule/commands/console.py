"""Printing for people."""

from __future__ import annotations

from typing import Any

__all__ = ["say"]


def say(console: Any, text: str) -> None:
    """One line as it is: names of files and columns may hold what rich would take for markup."""
    console.print(text, highlight=False, soft_wrap=True, markup=False)
