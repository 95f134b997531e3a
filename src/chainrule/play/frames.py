"""The recorded training: what every parameter was after each step that was kept, to go back to exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model import Model

__all__ = ["Frame", "Frames"]

_BYTES = 256 * 2**20  # kept in all

Made = tuple[tuple[str, int], ...]  # what led here: lines of Python, {} for how often, and how often


@dataclass(frozen=True)
class Frame:
    """One moment of a training run."""

    step: int
    epoch: int
    measured: Mapping[str, float]  # loss, metric and the norms of the gradients
    values: NDArray[Any]  # parameters and state, one behind the other
    slots: NDArray[Any]
    made: Made = ()


class Frames:
    """The frames of a run, oldest first; where they become too many, every second one is left out, the newest never.

    >>> from chainrule import Dense, MeanSquaredError
    >>> model = Model([Dense(1, 1)], MeanSquaredError(), "sgd", dtype="float64")
    >>> frames = Frames(model)
    >>> frames.keep({"loss": 1.0}); model.parameters = {"dense_0.weights": [[9.0]], "dense_0.biases": [[0.0]]}
    >>> frames.keep({"loss": 0.5}); frames.show(0)
    >>> bool(model.parameters["dense_0.weights"] == 9.0), frames.position, len(frames)
    (False, 0, 2)
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._frames: list[Frame] = []
        self.position = -1

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Frame:
        return self._frames[index]

    @property
    def now(self) -> Frame:
        """The frame that is shown."""
        return self._frames[self.position]

    def keep(self, measured: Mapping[str, float], line: str = "", times: int = 1) -> None:
        """Record the model as it is, and the line of Python that does the same, so many times, from the frame before.

        What lay ahead of the position is forgotten.
        """
        run, made = self._model.run, self.now.made if self._frames else ()
        if line and made and made[-1][0] == line:
            made = (*made[:-1], (line, made[-1][1] + times))
        elif line:
            made = (*made, (line, times))
        frame = Frame(run.step, run.epoch, dict(measured), _flat(run.values), _flat(run.slots), made)
        del self._frames[self.position + 1 :]
        self._frames.append(frame)
        if sum(one.values.nbytes + one.slots.nbytes for one in self._frames[-2:]) // 2 * len(self._frames) > _BYTES:
            self._frames = [*self._frames[:-1:2], self._frames[-1]]
        self.position = len(self._frames) - 1

    def show(self, index: int) -> None:
        """Put the model where it was at this frame."""
        self.position = max(0, min(index, len(self._frames) - 1))
        frame, run = self.now, self._model.run
        run.values = _filled(run.values, frame.values)
        run.slots = _filled(run.slots, frame.slots)
        run.step, run.epoch = frame.step, frame.epoch

    def apart(self, model: Model) -> Frames:
        """The same frames, for a copy of the model."""
        other = Frames(model)
        other._frames, other.position = list(self._frames), self.position
        return other

    def curves(self, most: int = 400) -> dict[str, list[float]]:
        """What was measured at up to so many frames, evenly spaced, with their steps."""
        chosen = np.unique(np.linspace(0, len(self._frames) - 1, min(most, len(self._frames))).round().astype(int))
        names = {name: None for i in chosen for name in self._frames[i].measured}  # one that is not finite is left out
        found = {name: [self._frames[i].measured.get(name, float("nan")) for i in chosen] for name in names}
        return {"frame": chosen.tolist(), "step": [self._frames[i].step for i in chosen], **found}


def _flat(arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    parts = [np.asarray(value, dtype=np.float64).reshape(-1) for value in arrays.values()]
    return np.concatenate(parts) if parts else np.zeros(0)


def _filled(like: Mapping[str, NDArray[Any]], flat: NDArray[Any]) -> Any:
    """The arrays that lie one behind the other in `flat`, in the shapes of `like`."""
    found, start = {}, 0
    for name, value in like.items():
        array = np.asarray(value)
        found[name] = flat[start : start + array.size].reshape(array.shape).astype(array.dtype)
        start += array.size
    return found
