"""The table's own units: what a scaled input was before."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["ScaledColumn", "columns_of", "outcome_of"]


class ScaledColumn(NamedTuple):
    """How a number of the table became an input: (number - center) / scale."""

    name: str
    center: float
    scale: float

    def original(self, scaled: float) -> float:
        """The number in the table's own unit, rounded to what float32 keeps.

        >>> ScaledColumn("size", 10.0, 2.0).original(0.5)
        11.0
        """
        return float(f"{scaled * self.scale + self.center:.6g}")


def columns_of(preprocessing: Any) -> dict[int, ScaledColumn]:
    """The scaled columns by the position of their input; categories are none."""
    if preprocessing is None:
        return {}
    found, place = {}, 0
    for column in preprocessing.columns:
        center, scale = getattr(column, "center", None), getattr(column, "scale", None)
        if center is not None and scale is not None and (center, scale) != (0.0, 1.0):
            found[place] = ScaledColumn(column.name, float(center), float(scale))
        place += len(column.feature_names)
    return found


def outcome_of(preprocessing: Any) -> ScaledColumn | None:
    """The scaled target; None where there is none, or several, or classes."""
    target = getattr(preprocessing, "outcome", None)
    center, scale = getattr(target, "center", 0.0), getattr(target, "scale", 1.0)
    return None if (center, scale) == (0.0, 1.0) else ScaledColumn(target.name, center, scale)  # type: ignore[union-attr]
