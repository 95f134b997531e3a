"""How an estimator's network is trained: what is held out, what ends the run, and how it settles."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model import Model
from ..recipe import stopping
from ..training.callback import Callback
from ..training.callbacks import ReduceLROnPlateau
from ..training.history import INTERRUPTED
from ..training.settling import Falling, Settling, said_before
from .settings import batch_size_of, holds_out

__all__ = ["EstimatorRun"]

Held = tuple[NDArray[Any], ...]  # samples and targets that are held out, and their weights, where there are any


@dataclass(frozen=True)
class EstimatorRun:
    """A run as the settings say, or of so many `epochs` and no more; `strata` is the class of each sample."""

    settings: Any
    epochs: int | None = None
    strata: NDArray[Any] | None = None

    def train(
        self, model: Model, X: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None, held: Held | None
    ) -> None:
        """Train one network."""
        settings = self.settings
        whole, before = (X, y, weights), model.run.epoch
        splits = self.epochs is None and held is None and holds_out(settings, len(X))
        if splits:
            X, y, weights, held = self._split(model, X, y, weights)
        callbacks = self._callbacks(held) if self.epochs is None else []
        options: dict[str, Any] = {"validation_data": held} if held is not None and self.epochs is None else {}
        most = int(settings.max_iter) if self.epochs is None else self.epochs
        settles = splits and settings.early_stopping == "auto"
        always: dict[str, Any] = dict(
            shuffle=bool(settings.shuffle), verbose=bool(settings.verbose), engine=settings.engine
        )
        model.fit(
            X,
            y,
            epochs=Settling().before(most) if settles else most,
            batch_size=batch_size_of(settings, len(X)),
            sample_weights=weights,
            callbacks=callbacks,
            **always,
            **options,
        )
        follow = Settling().after(model.history.since(before), most, callbacks) if settles else 0
        if follow:
            X, y, weights = whole
            always |= dict(epochs=follow, batch_size=batch_size_of(settings, len(X)), sample_weights=weights)
            with said_before(model.history):
                model.fit(X, y, callbacks=[Falling()], **always)
        if model.history.stopped == INTERRUPTED:
            warnings.warn("Training was ended by Ctrl-C; the network is as it stood then.", stacklevel=4)

    def _callbacks(self, held: Held | None) -> list[Callback]:
        """What ends the run, and what lowers the rate on a plateau."""
        settings, callbacks = self.settings, list[Callback]()
        tol, endless = float(settings.tol), settings.n_iter_no_change == np.inf
        patience = int(settings.max_iter if endless else settings.n_iter_no_change)
        if settings.learning_rate == "adaptive":
            watched, least = ("val_loss", 0.0) if held is not None else ("loss", tol)
            wait = max(2, patience // 3)
            callbacks.append(ReduceLROnPlateau(watched, factor=0.2, patience=wait, min_delta=least))
        if held is not None or not endless:
            callbacks.append(stopping(held is not None, patience, tol))
        return callbacks

    def _split(
        self, model: Model, X: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None, Held]:
        """Samples to train on, and those held out, with the classes in proportion."""
        from sklearn.model_selection import train_test_split

        fraction, strata = self.settings.validation_fraction, self.strata
        if strata is not None:
            _, counts = np.unique(strata, return_counts=True)
            held = round(fraction * len(X))
            strata = None if counts.min() < 2 or min(held, len(X) - held) < len(counts) else strata
        rest, test = train_test_split(
            np.arange(len(X)), test_size=fraction, random_state=model.run.seed, stratify=strata
        )
        rest, test = np.sort(rest), np.sort(test)
        own = None if weights is None else weights[rest]
        held_weights = () if weights is None else (weights[test],)
        return X[rest], y[rest], own, (X[test], y[test], *held_weights)
