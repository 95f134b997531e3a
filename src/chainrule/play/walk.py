"""One training step as a walk: forward from the inputs to the loss, back from the loss, and the update last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..nodes import INPUTS

__all__ = ["UNITS", "Stop", "Walk"]

UNITS = ("multiplication", "node", "layer", "batch")


@dataclass(frozen=True)
class Stop:
    """One stop of the walk: a phase, a node of the network, and one of its units."""

    phase: str  # "forward", "loss", "backward" or "update"
    node: str
    unit: int | None = None  # None: the node as a whole

    def to_dict(self) -> dict[str, Any]:
        """As the page reads it."""
        return {"phase": self.phase, "node": self.node, "unit": self.unit}


class Walk:
    """Where one stands in a training step, in steps of one multiplication, one node, one layer or one batch.

    `units` has the units of each node that are shown, in the order of the forward pass, `trained` the parameters.
    Before the first stop the position is -1, and nothing is computed yet.

    >>> walk = Walk({"dense_0": [0, 1], "relu_0": [0, 1]}, ["dense_0.weights"], loss=True)
    >>> walk.go("node", 1), walk.moment
    ('moved', Stop(phase='forward', node='dense_0', unit=0))
    >>> walk.go("layer", 1), walk.moment                    # to the end of the layer
    ('moved', Stop(phase='forward', node='dense_0', unit=1))
    >>> walk.go("layer", 1), walk.moment
    ('moved', Stop(phase='forward', node='relu_0', unit=1))
    >>> walk.go("batch", 1), walk.position
    ('over', -1)
    """

    def __init__(self, units: Mapping[str, Sequence[int]], trained: Sequence[str], *, loss: bool) -> None:
        self.moments = tuple(_moments(units, trained, loss))
        self.position = -1
        self.term = 0  # of the sum at this stop, where one step is one multiplication

    @property
    def moment(self) -> Stop | None:
        """The stop, or None before the first."""
        return self.moments[self.position] if self.position >= 0 else None

    def go(self, unit: str, way: int, terms: int = 1) -> str:
        """One step on (way 1) or back (-1): "moved", "over" where the training step ends, "start" before its beginning.

        `terms` are those of the sum at this stop.
        """
        if unit == "batch":
            self.position, self.term = -1, 0
            return "over" if way > 0 else "start"
        if unit == "multiplication" and self.moment is not None and 0 <= self.term + way < terms:
            self.term += way
            return "moved"
        target = self._next(way) if unit in ("multiplication", "node") else self._next_layer(way)
        self.term = 0
        if target >= len(self.moments):
            self.position = -1
            return "over"
        if target < -1:
            return "start"
        self.position = target
        return "moved"

    def seen(self) -> set[tuple[str, str, int | None]]:
        """What has been computed so far, this stop included."""
        return {(m.phase, m.node, m.unit) for m in self.moments[: self.position + 1]}

    def _next(self, way: int) -> int:
        return self.position + way

    def _next_layer(self, way: int) -> int:
        groups = [(m.phase, m.node) for m in self.moments]
        target = self.position + way
        while way > 0 and target + 1 < len(groups) and groups[target + 1] == groups[target]:
            target += 1  # all of the layer
        while way < 0 <= target and groups[target] == groups[self.position]:
            target -= 1
        return target


def _moments(units: Mapping[str, Sequence[int]], trained: Sequence[str], loss: bool) -> Iterator[Stop]:
    for node, shown in units.items():
        if node == INPUTS:
            continue  # they are given; only their gradients are worked out
        yield from (Stop("forward", node, unit) for unit in shown)
    if loss:
        yield Stop("loss", "loss", 0)
    for node, shown in reversed(list(units.items())):
        yield from (Stop("backward", node, unit) for unit in shown)
    yield from (Stop("update", name) for name in trained)
