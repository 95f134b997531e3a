"""Callbacks that write what a run measures where people look at it: a CSV file, TensorBoard, MLflow."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..columns import EPOCH
from ..errors import ChainruleError
from .callback import Callback, Fit
from .callbacks import require_folder
from .history import INTERRUPTED

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CSVLogger", "MLflow", "TensorBoard"]


@dataclass
class CSVLogger(Callback):
    """Writes the history to a CSV file, at most once a second and at the end; the file is whole at any time."""

    path: str | Path

    def begin(self, fit: Fit) -> None:
        require_folder(self.path, self)
        self._written = -math.inf

    def epoch(self, fit: Fit) -> None:
        if time.monotonic() - self._written >= 1.0:
            self.end(fit)

    def end(self, fit: Fit) -> None:
        from ..files import write_atomically

        write_atomically(self.path, fit.model.history.to_csv().encode())
        self._written = time.monotonic()


@dataclass
class TensorBoard(Callback):
    """Writes every number of every epoch to an event file in `folder`, for `tensorboard --logdir folder`."""

    folder: str | Path

    def begin(self, fit: Fit) -> None:
        from .events import EventFile

        self._file = EventFile(self.folder)

    def epoch(self, fit: Fit) -> None:
        self._file.scalars(int(fit.record[EPOCH]), {n: v for n, v in fit.record.items() if n != EPOCH})

    def end(self, fit: Fit) -> None:
        self._file.close()


@dataclass
class MLflow(Callback):
    """Writes the settings and every number of every epoch to a run of MLflow, `mlflow.set_tracking_uri` says where.

    A run that is active already goes on; else one of this `run_name` begins and ends with `fit`. Raises
    `ChainruleError` where MLflow is missing.
    """

    run_name: str | None = None

    def begin(self, fit: Fit) -> None:
        try:
            import mlflow
        except ModuleNotFoundError:
            raise ChainruleError("MLflow: the package is missing; pip install mlflow") from None
        self._mlflow: Any = mlflow
        self._own = mlflow.active_run() is None
        if self._own:
            mlflow.start_run(run_name=self.run_name)
        run = fit.run
        settings = {"loss": repr(run.loss), "optimizer": repr(run.optimizer), "seed": run.seed, "epochs": fit.epochs}
        layers = " ".join(type(leaf.layer).__name__ for leaf in run.network.flat)
        mlflow.log_params(settings | {"layers": layers})

    def epoch(self, fit: Fit) -> None:
        numbers = {name: float(value) for name, value in fit.record.items() if name != EPOCH}
        self._mlflow.log_metrics(numbers, step=int(fit.record[EPOCH]))

    def end(self, fit: Fit) -> None:
        if self._own:
            self._mlflow.end_run(status="KILLED" if fit.history.stopped == INTERRUPTED else "FINISHED")
