"""Printing on the console."""

from __future__ import annotations

from typing import Any

__all__ = ["say"]


def say(console: Any, text: str) -> None:
    """Print one line unchanged: names of files and columns may contain what rich would parse as markup."""
    console.print(text, highlight=False, soft_wrap=True, markup=False)
