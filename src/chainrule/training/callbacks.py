"""The library's callbacks: each watches one number, and stops the run, keeps a copy or lowers the rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..columns import EPOCH, Column
from ..errors import ConfigurationError, UnknownNameError
from ..layer import Arrays
from ..limits import STEPS, require_number
from ..metrics.naming import BESIDE, canonical
from ..registry import build, describe, record
from .callback import Callback, Fit
from .history import INTERRUPTED
from .modelfile import require_values

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "EarlyStopping",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
    "require_folder",
]


@record
@dataclass
class _Watched:
    """The best number so far, for how many epochs it has not been bettered, and the epoch of the last one seen."""

    best: float | None
    waited: int
    seen: int | None

    def __post_init__(self) -> None:
        if self.best is not None:
            require_number(self, "best")
        require_number(self, "waited", at_least=0, below=STEPS, whole=True)
        if self.seen is not None:
            require_number(self, "seen", at_least=0, below=STEPS, whole=True)


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
        self._seen: int | None = 0

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
        since = 1 if self._seen is None else epoch - self._seen
        self._best, self._waited = (value, 0) if better else (self._best, self._waited + since)
        self._seen = epoch
        return better

    def state(self) -> tuple[dict[str, Any], Arrays]:
        return describe(_Watched(self._best if math.isfinite(self._best) else None, self._waited, self._seen)), {}

    def restore(self, numbers: Mapping[str, Any], arrays: Arrays) -> None:
        watched = build({"seen": None, **numbers}, _Watched)  # older files do not say it: each epoch was seen
        self._best = -math.inf if watched.best is None else watched.best
        self._waited, self._seen = watched.waited, watched.seen


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
        elif self.ended:
            fit.stop(f"{self.monitor} has not improved for {self._waited} epochs (best {self._sign * self._best:.6g})")

    @property
    def ended(self) -> bool:
        """Whether the number has not improved for `patience` epochs."""
        return self._waited >= self.patience

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
