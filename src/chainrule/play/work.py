"""What one page works on: a setup, the batch in view, the recorded frames, and the library's numbers for them."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..explaining import Explanation, explain
from ..explaining.question import written_entry
from ..graph import Graph
from ..loss import Loss
from ..model import Model
from ..optimizers import Optimizer
from ..traces import Trace, trace
from ..training.callback import Callback, Fit
from . import broken, setups
from .frames import Frames
from .lessons import Setup
from .looks import badges, data_view, network_view, number, surface

__all__ = ["Snapshot", "Work"]

Array = NDArray[Any]
_OPERATIONS = 20_000_000  # samples times parameters, at most, that the metric of a picture is taken on
_WRITTEN = 500  # numbers of a network and its samples, at most, that a program has written out
_FEWEST = 100  # samples of it


@dataclass(frozen=True)
class Snapshot:
    """Copies of all that a derivation reads, so that training goes on while it is worked out."""

    network: Graph
    loss: Loss
    optimizer: Optimizer
    rows: tuple[int, ...]
    X: Array
    y: Array
    values: Mapping[str, Array]
    state: Mapping[str, Array]
    slots: Mapping[str, Array]
    rates: Mapping[str, float]
    step: int
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]

    @functools.cached_property
    def trace(self) -> Trace:
        """One pass forward and back over the batch."""
        return trace(self.network, self.loss, self.values, self.X, self.y, state=self.state, training=False)

    def explain(self, what: str, **options: Any) -> Explanation:
        """The explanation of one gradient. Raises `ChainruleError` for a number that there is not."""
        return explain(
            self.network,
            self.loss,
            self.X,
            self.y,
            what,
            parameters=self.values,
            state=self.state,
            optimizer=self.optimizer,
            slots=self.slots,
            rates=self.rates,
            step=self.step,
            feature_names=self.feature_names,
            class_names=self.class_names,
            **options,
        )


class _Between(Callback):
    """Calls a function after every step."""

    def __init__(self, then: Callable[[Fit], None]) -> None:
        self._then = then

    def batch_end(self, fit: Fit) -> None:
        self._then(fit)


class Work:
    """A setup with the samples that are in view, and the training that is recorded of it."""

    def __init__(self, setup: Setup) -> None:
        self.setup, self.frames = setup, Frames(setup.model)
        self.removed: set[int] = set()
        self.broken: str | None = None
        self.edits = 0  # how often a sample was changed by hand, which no step back undoes
        given = {"X": setup.X, "y": np.asarray(setup.y), **setup.model.parameters}
        small = setup.fixed and sum(value.size for value in given.values()) <= _WRITTEN
        self.given = _copied(given) if small else {}
        order = np.random.default_rng(setup.model.run.seed).permutation(len(setup.X))
        self.batch = [int(row) for row in np.sort(order[: setup.samples])]
        self.sample = 0 if len(self.batch) < 10 else len(self.batch) // 2
        self.keep()

    @property
    def model(self) -> Model:
        """The model."""
        return self.setup.model

    def apart(self) -> Work:
        """A copy with a model and a place in the recorded run of its own; the samples and the frames are shared."""
        other = copy.copy(self)
        other.setup = dataclasses.replace(self.setup, model=copy.deepcopy(self.model))
        other.frames = self.frames.apart(other.model)
        return other

    # The samples

    @property
    def rows(self) -> list[int]:
        """The samples of the batch that count."""
        return [row for row in self.batch if row not in self.removed]

    def samples(self) -> tuple[Array, Array]:
        """X and y of the batch."""
        rows = self.rows
        return self.setup.X[rows], np.asarray(self.setup.y)[rows]

    def sample_row(self) -> int:
        """The row of the data whose numbers stand on the neurons."""
        return self.batch[self.sample]

    def place(self) -> int:
        """Where the chosen sample stands among those that count."""
        return self.rows.index(self.sample_row()) if self.sample_row() in self.rows else 0

    def take_out(self, row: int, out: bool) -> None:
        """Take a sample out of the batch, or put it back. Raises `DataError` where it is the last."""
        if row not in self.batch:
            raise DataError(f"Sample {row} is not in the batch.")
        if out and self.rows in ([row], []):
            raise DataError("One sample must stay in the batch.")
        (self.removed.add if out else self.removed.discard)(row)
        if self.sample_row() in self.removed:
            self.sample = self.batch.index(self.rows[0])

    # The numbers

    def trace(self) -> Trace:
        """One pass forward and back over the batch."""
        return self.model.trace(*self.samples())

    def network(self, one: Trace | None = None) -> dict[str, Any]:
        """The network with the chosen sample's numbers, as the page draws it; `one` is the pass that they come from."""
        model, run = self.model, self.model.run
        one = self.trace() if one is None else one
        gradients = {name: one.gradients[name] for name in run.trained}
        following, _ = model.optimizer.update(np, run.step, run.trained, gradients, run.slots)
        updates = {name: following[name] - value for name, value in run.trained.items()}
        view = network_view(self.setup, one, self.place(), run.rates(), updates)
        return view | {"badges": badges(model, one, self.place()), "loss": number(one.loss)}

    def data(self) -> dict[str, Any]:
        """The data, and what the network says all over the plane where they lie in one."""
        return {**data_view(self.setup, self.batch, self.sample_row()), "surface": surface(self.setup)}

    def snapshot(self) -> Snapshot:
        """All that a derivation reads, as it is now."""
        model, run, (X, y) = self.model, self.model.run, self.samples()
        return Snapshot(
            model.network,
            model.loss,
            model.optimizer,
            tuple(self.rows),
            X,
            y,
            _copied(model.parameters),
            _copied(model.state),
            _copied(run.slots),
            run.rates(),
            run.step,
            self.setup.feature_names,
            self.setup.class_names,
        )

    # What changes them

    def measured(self) -> int:
        """How many samples the metric is taken on: the first ones, where all would hold up a picture."""
        size = sum(np.size(value) for value in self.model.parameters.values())
        return min(len(self.setup.X), max(_FEWEST, _OPERATIONS // max(1, size)))

    def keep(self, line: str = "", times: int = 1) -> Trace:
        """Record the model as it is, with loss, metric and the size of each layer's gradient; returns the pass.

        `line` is the Python that leads here from the frame before, `times` how often it does.
        """
        one = self.trace()
        found = {"loss": one.loss}
        if not self.setup.upstream:
            some = slice(0, self.measured())
            found |= self.model.evaluate(self.setup.X[some], np.asarray(self.setup.y)[some])
        for name, value in one.gradients.items():
            if name.endswith("weights"):
                found[f"gradient of {name}"] = float(np.linalg.norm(value))
        self.frames.keep({name: value for name, value in found.items() if number(value) is not None}, line, times)
        return one

    def keep_epochs(self) -> Trace:
        """Record what `train` has done since the last frame."""
        epochs, now = self.model.run.epoch - self.frames.now.epoch, self.frames.now
        if not epochs and self.model.run.step > now.step:
            return self.keep("# here an epoch was broken off, which this program does not")
        return self.keep(_line(self, whole=True), epochs)

    def one_step(self) -> None:
        """The update of this batch, as training makes it."""
        X, y = self.samples()
        self.model.fit(X, y, epochs=1, batch_size=len(X), shuffle=False, verbose=False, engine="numpy")
        self.keep(_line(self, whole=False))

    def train(self, epochs: int, between: Callable[[Fit], None] | None = None) -> None:
        """So many epochs over all samples that count; `between` is called after every step, where it is given."""
        X, y = self.setup.X, np.asarray(self.setup.y)
        if self.removed:
            left = np.setdiff1d(np.arange(len(X)), sorted(self.removed))
            X, y = X[left], y[left]
        engine: Any = "numpy" if self.broken else "auto"
        callbacks = () if between is None else (_Between(between),)
        self.model.fit(
            X, y, epochs=epochs, batch_size=self.setup.batch_size, verbose=False, engine=engine, callbacks=callbacks
        )

    def set(self, what: str, value: float) -> None:
        """Give one number of the network, or of a sample, another value. Raises `DataError` where there is none."""
        parameters = self.model.parameters
        name, index = written_entry(what, ("inputs", *(("targets",) if _is_real(self.setup.y) else ()), *parameters))
        if index is None:
            raise DataError(f"Say which entry: {what}[0,0].")
        samples = {"inputs": ("X", self.setup.X), "targets": ("y", self.setup.y)}
        array = samples[name][1][self.rows] if name in samples else np.array(parameters[name])
        if len(index) != array.ndim or not all(0 <= i < n for i, n in zip(index, array.shape, strict=True)):
            raise DataError(f"{name} has the shape {array.shape}; there is no entry {list(index)}.")
        if name in samples:
            (short, own), place = samples[name], (self.rows[index[0]], *index[1:])
            own[place] = value
            self.edits += 1
            self.keep(f"{short}[{', '.join(map(str, place))}] = {value!r}")
        else:
            array[index] = value
            parameters[name] = array
            entry = ", ".join(map(str, index))
            self.keep(
                f"changed = np.array(model.parameters[{name!r}])\nchanged[{entry}] = {value!r}\n"
                f"model.parameters[{name!r}] = changed"
            )

    def change_samples(self, short: str, numbers: Array) -> None:
        """Give all samples other numbers: X, or the gradients y that arrive."""
        own = {"X": self.setup.X, "y": self.setup.y}[short]
        own[:] = numbers
        self.edits += 1
        self.keep(f"{short}[:] = {numbers.tolist()!r}")

    def draw(self, pixels: list[float]) -> Array:
        """Put a drawn picture in the place of the chosen sample; what the network says of it. Raises `DataError`."""
        X = self.setup.X
        if self.setup.image is None or len(pixels) != X.shape[1]:
            raise DataError(f"A picture here has {X.shape[1]} pixels, not {len(pixels)}.")
        self.edits += 1
        X[self.sample_row()] = np.clip(np.asarray(pixels, dtype=np.float64), 0.0, 1.0)
        said: Array = self.model.predict_proba(X[[self.sample_row()]])[0]
        return said

    def reduce(self, to: str, divided: bool) -> None:
        """Let the loss be the samples' mean or sum; `divided` divides the learning rate by their number B."""
        setups.reduce(self.setup, to, self.divisor() if divided else 1)
        if self.frames.now.made:
            self.keep("# here the loss and its rate were changed to those above")

    def divisor(self) -> int:
        """B: how many samples share a step of training."""
        return min(self.setup.batch_size, len(self.rows))

    def spoil(self, how: str | None) -> str | None:
        """Break the backward pass, or mend it with None; what `check` says of it."""
        network, report = broken.changed(self.model.network, how)
        self.model.run.network, self.broken = network, how
        return report


def _is_real(y: Any) -> bool:
    """Whether targets are numbers, and no classes."""
    return np.issubdtype(np.asarray(y).dtype, np.floating)


def _line(work: Work, *, whole: bool) -> str:
    """The call of fit that trains on all samples, or on the batch, so many times."""
    if work.broken:
        return f"# {{}} times, with gradients broken on purpose ({work.broken}), which this program has not"
    rows = "" if whole else "[batch]"
    if work.removed:
        rows = f"[np.setdiff1d({'range(len(X))' if whole else 'batch'}, {sorted(work.removed)})]"
    how = f"batch_size={work.setup.batch_size}" if whole else f"batch_size={len(work.rows)}, shuffle=False"
    return f"model.fit(X{rows}, y{rows}, epochs={{}}, {how})"


def _copied(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.array(value) for name, value in arrays.items()}
