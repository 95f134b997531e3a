"""Callbacks: what happens between epochs, or steps. Each sees the live `Fit` and may change the run or end it.

A callback that must go on where it was after a resume returns its numbers from `state` and takes them in `restore`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from ..columns import EPOCH, Column
from ..compatibility import require_batches
from ..errors import ConfigurationError, UnknownNameError
from ..layer import Arrays
from ..limits import STEPS, require_number
from ..metrics.naming import BESIDE, canonical
from ..registry import build, describe, record
from .history import INTERRUPTED, History
from .learner import Learner
from .modelfile import require_values
from .run import Run

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Callback",
    "EarlyStopping",
    "Fit",
    "LearningRateFinder",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
    "require_folder",
]


@dataclass
class Fit:
    """One call of `fit` as callbacks see it: the model, with its run and its history, and where this call began."""

    model: Learner
    epochs: int
    first: int = 0  # the model's epoch at the beginning
    marked: int = 0  # the step that a checkpoint would go on from
    validates: bool = False  # whether validation data are measured
    batch: dict[str, float] = field(default_factory=dict)  # what the last step came to, for `Callback.batch_end`

    @property
    def run(self) -> Run:
        """The run as it stands."""
        return self.model.run

    @property
    def history(self) -> History:
        """Every epoch so far, the newest last."""
        return self.model.history

    @property
    def record(self) -> MutableMapping[str, float]:
        """What was measured last; a callback may add numbers of its own."""
        return self.history.last

    def stop(self, reason: str) -> None:
        """End the run after this epoch, or from `batch_end` after this step; `history.stopped` says why."""
        self.history.stopped = self.history.stopped or reason

    def watched(self, name: str, callback: object) -> float:
        """A number of the last epoch. Raises `UnknownNameError` where it is not measured."""
        if name not in self.record:
            held_out = Column.of(name).validation
            hint = "; give fit() validation_data to measure val_ numbers" if held_out else ""
            raise UnknownNameError(f"number to monitor for {type(callback).__name__}{hint},", name, self.record)
        return self.record[name]


class Callback:
    """Does nothing; override what you need."""

    handles_non_finite = False  # whether a loss that is not finite ends the run without an error

    def begin(self, fit: Fit) -> None:
        """Before the first epoch."""

    def epoch(self, fit: Fit) -> None:
        """After every epoch that is recorded. With a callback every such epoch ends a block of compiled steps: it costs
        about a tenth of a millisecond and what the callback does."""

    def batch_begin(self, fit: Fit) -> None:
        """Before every step. Where a callback has this or `batch_end`, a block is one step long: a step costs some
        tenths of a millisecond more, while a small one takes a few thousandths in a long block."""

    def batch_end(self, fit: Fit) -> None:
        """After every step, which `fit.batch` measures: step, loss, metric and learning rate. `fit.stop` ends the run
        there, in the middle of an epoch."""

    def end(self, fit: Fit) -> None:
        """After the last epoch, also after Ctrl-C and after an error."""

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """Plain numbers, and arrays by name, that a resumed run needs."""
        return {}, {}

    def restore(self, numbers: Mapping[str, Any], arrays: Arrays) -> None:
        """Take back what `state` returned."""


@record
@dataclass
class _Watched:
    """The best number so far, and for how many epochs it has not been bettered."""

    best: float | None
    waited: int

    def __post_init__(self) -> None:
        if self.best is not None:
            require_number(self, "best")
        require_number(self, "waited", at_least=0, below=STEPS, whole=True)


def as_callbacks(callbacks: Sequence[Callback]) -> tuple[Callback, ...]:
    """The callbacks as a tuple. Raises `ConfigurationError` for one alone, and for what is no callback."""
    if isinstance(callbacks, Callback) or not isinstance(callbacks, Sequence):
        raise ConfigurationError(f"fit: callbacks must be a list of callbacks; write callbacks=[{callbacks!r}].")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            hint = "; call finder.find(model, X, y) before fit()" if isinstance(callback, LearningRateFinder) else ""
            raise ConfigurationError(f"fit: callbacks must be a list of callbacks, and {callback!r} is none{hint}.")
    return tuple(callbacks)


def of_batches(callbacks: Sequence[Callback]) -> tuple[Callback, ...]:
    """Those that want to know of every step."""
    plain = Callback.batch_begin, Callback.batch_end
    return tuple(each for each in callbacks if (type(each).batch_begin, type(each).batch_end) != plain)


def _is_measured(name: str) -> bool:
    """Whether a name is that of a number of the record, and no path."""
    own = canonical(name).removeprefix("val_")
    return own == "loss" or any(own in (metric, *others) for metric, others in BESIDE.items())


@dataclass
class _Monitor(Callback):
    """Watches one number; `mode` is "min", "max", or "auto" (max for accuracy and its like, else min)."""

    monitor: str = "val_loss"
    mode: str = field(default="auto", kw_only=True)
    min_delta: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        patience = getattr(self, "patience", 1)
        if not isinstance(patience, int) or isinstance(patience, bool) or patience < 1:
            raise ConfigurationError(
                f"{type(self).__name__}: patience must be a whole number of at least 1, not {patience!r}."
            )
        if not isinstance(self.monitor, str):
            raise ConfigurationError(
                f"{type(self).__name__}: monitor must be the name of a number such as 'val_loss', not {self.monitor!r}."
            )
        self.monitor = canonical(self.monitor)
        require_number(self, "min_delta", at_least=0)
        if self.mode not in ("auto", "min", "max"):
            raise ConfigurationError(f"{type(self).__name__}: mode must be 'auto', 'min' or 'max', not {self.mode!r}.")
        higher = Column.of(self.monitor).known.higher_is_better
        self._sign = 1.0 if self.mode == "max" or (self.mode == "auto" and higher) else -1.0
        self._best, self._waited = -math.inf, 0

    def begin(self, fit: Fit) -> None:
        self._best, self._waited, self._seen = -math.inf, 0, fit.run.epoch
        if Column.of(self.monitor).validation and not fit.validates:
            raise ConfigurationError(
                f"{type(self).__name__}: {self.monitor!r} is not measured; give fit() validation_data or "
                "validation_split, or monitor 'loss'."
            )

    def improved(self, fit: Fit) -> bool:
        """Whether the newest number is better than every one before by more than `min_delta`."""
        value = self._sign * fit.watched(self.monitor, self)
        better = value > self._best + self.min_delta
        epoch = int(fit.record[EPOCH])
        self._best, self._waited = (value, 0) if better else (self._best, self._waited + epoch - self._seen)
        self._seen = epoch
        return better

    def state(self) -> tuple[dict[str, Any], Arrays]:
        return describe(_Watched(self._best if math.isfinite(self._best) else None, self._waited)), {}

    def restore(self, numbers: Mapping[str, Any], arrays: Arrays) -> None:
        watched = build(numbers, _Watched)
        self._best, self._waited = -math.inf if watched.best is None else watched.best, watched.waited


def require_folder(path: str | Path, callback: object) -> None:
    """That a file can be written at `path`, before anything is trained; a folder with braces is not known yet."""
    import os

    folder = os.path.dirname(os.fspath(path))
    if folder and "{" not in folder and not os.path.isdir(folder):
        raise ConfigurationError(f"{type(callback).__name__}: there is no folder {folder} for {path}; make it first.")


@dataclass
class EarlyStopping(_Monitor):
    """Ends the run when a number has not improved for `patience` epochs, and brings the best parameters back.

    >>> EarlyStopping("val_loss", patience=3)
    EarlyStopping(monitor='val_loss', mode='auto', min_delta=0.0, patience=3, restore_best=True)
    """

    patience: int = field(default=5, kw_only=True)
    restore_best: bool = field(default=True, kw_only=True)

    def begin(self, fit: Fit) -> None:
        super().begin(fit)
        self._network, self._values = fit.run.network, Arrays()

    def epoch(self, fit: Fit) -> None:
        if self.improved(fit):
            self._values = fit.run.values
        elif self._waited >= self.patience:
            fit.stop(f"{self.monitor} has not improved for {self._waited} epochs (best {self._sign * self._best:.6g})")

    def end(self, fit: Fit) -> None:
        if self.restore_best and self._values and fit.history.stopped != INTERRUPTED:
            fit.run.values = self._values

    def state(self) -> tuple[dict[str, Any], Arrays]:
        return super().state()[0], self._values

    def restore(self, numbers: Mapping[str, Any], arrays: Arrays) -> None:
        super().restore(numbers, arrays)
        if arrays:
            require_values(self._network, arrays)
        self._values = arrays


@dataclass(init=False)
class ModelCheckpoint(_Monitor):
    """Saves the model after every epoch, or with `best_only` when the watched number improves.

    The path comes first, then what is watched: `ModelCheckpoint("best.safetensors", "val_accuracy")`; where `path=` is
    written out, the first may be what is watched. `path` may hold names of the record:
    `"runs/{epoch:03.0f}-{val_loss:.4f}.safetensors"`.

    >>> ModelCheckpoint("best.safetensors")
    ModelCheckpoint(monitor='val_loss', mode='auto', min_delta=0.0, path='best.safetensors', best_only=True)
    """

    path: str | Path = "model.safetensors"
    best_only: bool = True

    def __init__(
        self,
        first: str | Path | None = None,
        /,
        monitor: str | None = None,
        *,
        path: str | Path | None = None,
        best_only: bool = True,
        mode: str = "auto",
        min_delta: float = 0.0,
    ) -> None:
        if path is not None and first is not None:
            if monitor is not None:
                raise ConfigurationError(f"ModelCheckpoint: there are two paths, {str(first)!r} and {str(path)!r}.")
            first, monitor = None, str(first)
        elif monitor is None and isinstance(first, str) and _is_measured(first):
            raise ConfigurationError(
                f"ModelCheckpoint: {first!r} is what is watched, and the path comes first; write "
                f'ModelCheckpoint("best.safetensors", {first!r}).'
            )
        chosen = path if first is None else first
        self.path = "model.safetensors" if chosen is None else chosen
        self.monitor = "val_loss" if monitor is None else monitor
        self.mode, self.min_delta, self.best_only = mode, min_delta, best_only
        self.__post_init__()

    def begin(self, fit: Fit) -> None:
        require_folder(self.path, self)
        if self.best_only:
            super().begin(fit)

    def epoch(self, fit: Fit) -> None:
        if not self.best_only or self.improved(fit):
            fit.model.save(self._path(fit.record))

    def _path(self, record: Mapping[str, float]) -> str:
        try:
            return str(self.path).format(**record)
        except KeyError as error:
            raise UnknownNameError("number for the path of ModelCheckpoint", error.args[0], record) from None
        except (ValueError, IndexError, AttributeError) as error:
            raise ConfigurationError(
                f"ModelCheckpoint: the path {str(self.path)!r} cannot be filled in ({error}); write names of the "
                "record in braces, such as {epoch:03.0f}, and {{ for a brace."
            ) from None


@dataclass
class ReduceLROnPlateau(_Monitor):
    """Multiplies the learning rate by `factor` when a number has not improved for `patience` epochs.

    It never takes the rate below `min_rate`; it multiplies what the optimizer's own schedule says.

    >>> ReduceLROnPlateau("val_loss", factor=0.5, patience=3).factor
    0.5
    """

    factor: float = field(default=0.1, kw_only=True)
    patience: int = field(default=5, kw_only=True)
    min_rate: float = field(default=1e-7, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.factor < 1:
            raise ConfigurationError(f"ReduceLROnPlateau: factor must lie between 0 and 1, not {self.factor!r}.")
        require_number(self, "min_rate", at_least=0)

    def epoch(self, fit: Fit) -> None:
        if self.improved(fit) or self._waited < self.patience:
            return
        self._waited = 0
        rate = fit.run.optimizer.rate(fit.run.step)
        least = self.min_rate / rate if rate else 0.0
        fit.run.rate_scale = min(fit.run.rate_scale, max(fit.run.rate_scale * self.factor, least))


class TerminateOnNaN(Callback):
    """Ends the run quietly where a loss is not finite: `history.stopped` names the array, and fit raises no error.

    >>> from chainrule import SGD, Dense, MeanSquaredError, Model
    >>> model = Model([Dense(1, 1)], MeanSquaredError(), SGD(1e20))
    >>> history = model.fit([[1.0]], [1.0], epochs=9, callbacks=[TerminateOnNaN()], verbose=False)
    >>> "not finite" in history.stopped
    True
    """

    handles_non_finite = True


@dataclass
class LearningRateFinder:
    """Tries growing learning rates on a copy of the model, one step each, and suggests one.

    After `find(model, X, y)`: `rates` and `losses` (smoothed) hold the trial, `suggestion` the rate at which the loss
    falls fastest; the model stays as it is (Smith 2017).

    >>> from chainrule import Dense, Model, ReLU, SoftmaxCrossentropy, datasets
    >>> digits = datasets.load("digits")
    >>> model = Model([Dense(64, 32), ReLU(), Dense(32, 10)], SoftmaxCrossentropy())
    >>> finder = LearningRateFinder()
    >>> 1e-4 < finder.find(model, digits.X_train, digits.y_train) < 1.0
    True
    """

    low: float = 1e-6
    high: float = 10.0
    steps: int = 100
    batch_size: int = 64
    rates: list[float] = field(default_factory=list, init=False, repr=False)
    losses: list[float] = field(default_factory=list, init=False, repr=False)
    suggestion: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in (self.steps, self.batch_size))
        if not (0 < self.low < self.high < math.inf and whole and self.steps >= 10 and self.batch_size >= 1):
            raise ConfigurationError(
                f"LearningRateFinder: needs 0 < low < high, at least 10 steps and a batch_size of at least 1, not "
                f"{self.low!r}, {self.high!r}, {self.steps!r} and {self.batch_size!r}."
            )

    def find(self, model: Learner, X: Any, y: Any) -> float:
        """Run the trial and return the suggestion."""
        from copy import deepcopy
        from dataclasses import replace

        from ..engines.contract import Task
        from .steps import Steps
        from .supply import Whole

        inputs, targets = model.checked(X, y)
        require_batches(model.network, self.batch_size, len(inputs))
        self.rates, self.losses, average = [], [], 0.0
        optimizer = replace(model.optimizer, learning_rate=1.0, groups={})
        run = replace(model.run, network=deepcopy(model.network), optimizer=optimizer)
        run.slots = optimizer.initial_slots(np, run.trained)
        rng = np.random.default_rng(run.seed)
        for trial in range(self.steps):
            run.rate_scale = self.low * (self.high / self.low) ** (trial / (self.steps - 1))
            rows = rng.choice(len(inputs), size=min(self.batch_size, len(inputs)), replace=False)
            data = inputs[rows], targets[rows], None, len(rows)
            steps = Steps(run, Whole(Task.of(run.network, run.loss, optimizer, run.seed, *data)))
            columns = steps.train(run.epoch + 1)
            if steps.failure is not None:
                break
            average = 0.9 * average + 0.1 * columns["loss"][0]
            self.rates.append(run.rate_scale)
            self.losses.append(average / (1 - 0.9 ** (trial + 1)))
            if self.losses[-1] > 4 * min(self.losses):
                break
        slopes = np.gradient(self.losses, np.log(self.rates)) if len(self.rates) > 2 else np.zeros(1)
        self.suggestion = self.rates[int(np.argmin(slopes))] if self.rates else self.low
        return self.suggestion

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss against the rate with the suggestion marked; needs matplotlib."""
        from ..plots import plot_learning_rates

        return plot_learning_rates(self, ax=ax)
