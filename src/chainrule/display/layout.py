"""Where the layers of a network lie on a picture: in columns, each one to the right of all that it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Box", "Lane", "Layout", "arranged", "depths"]

_LANE = 12.0  # between two edges that pass over the same layers


class Box(NamedTuple):
    """One layer: where it lies and how large it is."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right side."""
        return self.x + self.width


class Lane(NamedTuple):
    """Where an edge runs that passes over the layers of the columns between: from `left` to `right` at the height y."""

    left: float
    right: float
    y: float


@dataclass(frozen=True)
class Layout:
    """The boxes by name, the lanes by (source, reader) where an edge skips columns, and the size of the whole."""

    boxes: Mapping[str, Box]
    lanes: Mapping[tuple[str, str], Lane]
    width: float
    height: float


def depths(sources: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The column of every layer: one to the right of the last that it reads; layers come after what they read.

    What reads nothing lies right before its first reader.

    >>> depths({"inputs": (), "dense_0": ("inputs",), "weights": (), "dense_1": ("dense_0", "weights")})
    {'inputs': 0, 'dense_0': 1, 'weights': 1, 'dense_1': 2}
    """
    found: dict[str, int] = {}
    for name, reads in sources.items():
        found[name] = 1 + max((found[source] for source in reads), default=-1)
    for name in (name for name, reads in sources.items() if not reads):
        readers = [found[reader] for reader, reads in sources.items() if name in reads]
        found[name] = max(0, min(readers, default=1) - 1)
    return found


def arranged(
    sources: Mapping[str, Sequence[str]],
    sizes: Mapping[str, tuple[float, float]],
    *,
    gap: tuple[float, float] = (38.0, 26.0),
    margin: float = 6.0,
    lane: Mapping[str, float] | None = None,
    before: Mapping[str, float] | None = None,
) -> Layout:
    """Columns from left to right, each centred; edges that skip columns pass over them in lanes of their own.

    `sizes` holds (width, height) of each box, `gap` the space between columns and between boxes of one column, `lane`
    the breadth of the edges that leave a source, where they are more than one line, `before` the space that a box needs
    to its left, where that is more than the usual gap.

    >>> chain = arranged({"inputs": (), "dense_0": ("inputs",)}, {"inputs": (10, 20), "dense_0": (10, 40)}, margin=0)
    >>> chain.boxes["inputs"], chain.width, chain.height
    (Box(x=0.0, y=10.0, width=10, height=20), 58.0, 40.0)
    """
    column_of = depths(sources)
    columns: list[list[str]] = [[] for _ in range(1 + max(column_of.values()))]
    for name, column in column_of.items():
        columns[column].append(name)
    widths = [max(sizes[name][0] for name in members) for members in columns]
    heights = [sum(sizes[n][1] for n in members) + gap[1] * (len(members) - 1) for members in columns]
    wanted = before or {}
    gaps = [max(gap[0], *(wanted.get(name, 0.0) for name in members)) for members in columns]
    lefts = [margin + sum(widths[:i]) + sum(gaps[1 : i + 1]) for i in range(len(columns))]
    tops = [(max(heights) - height) / 2 for height in heights]
    lanes, above = _lanes(sources, column_of, lefts, widths, tops, lane or {})
    boxes = {}
    for left, top, width, members in zip(lefts, tops, widths, columns, strict=True):
        y = top + above + margin
        for name in members:
            boxes[name] = Box(left + (width - sizes[name][0]) / 2, y, *sizes[name])
            y += sizes[name][1] + gap[1]
    moved = {pair: way._replace(y=way.y + above + margin) for pair, way in lanes.items()}
    return Layout(boxes, moved, lefts[-1] + widths[-1] + margin, max(heights) + above + 2 * margin)


def _lanes(
    sources: Mapping[str, Sequence[str]],
    column_of: Mapping[str, int],
    lefts: Sequence[float],
    widths: Sequence[float],
    tops: Sequence[float],
    breadth: Mapping[str, float],
) -> tuple[dict[tuple[str, str], Lane], float]:
    """A lane for each edge that skips columns, the short ones lowest; and how far they rise above the columns."""
    skipping = [
        (column_of[source] + 1, column_of[reader] - 1, source, reader)
        for reader, reads in sources.items()
        for source in dict.fromkeys(reads)
        if column_of[reader] - column_of[source] > 1
    ]
    free = list(tops)
    lanes = {}
    for first, last, source, reader in sorted(skipping, key=lambda edge: edge[1] - edge[0]):
        y = min(free[first : last + 1]) - _LANE
        lanes[source, reader] = Lane(lefts[first], lefts[last] + widths[last], y)
        free[first : last + 1] = [y - breadth.get(source, 0.0)] * (last + 1 - first)
    return lanes, max(0.0, -min(free))
