"""What the book's losses and accuracies add up over an epoch."""

from __future__ import annotations

from typing import Any

__all__ = ["Totals"]


class Totals:
    """A sum and a count, from which an epoch's mean follows."""

    def new_pass(self) -> None:
        """Reset the totals."""
        self.accumulated_sum: Any = 0
        self.accumulated_count = 0
