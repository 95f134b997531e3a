"""Model: a network with its loss, its optimizer and its parameters, ready to fit, evaluate and predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .backprop import Trace, as_inputs, check_parameters, loss_and_gradients, trace
from .errors import ConfigurationError, DataError, FileFormatError
from .files import load_arrays, save_arrays
from .graph import Graph, Sequential
from .layer import Arrays, Layer
from .losses import Loss
from .optimizers import Adam, Optimizer
from .progress import Progress
from .training import History, Run, evaluate, forward, run_epochs

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Model"]

_FORMAT = "chainrule parameters 1"


class Model:
    """A network, given as a list of layers or a `Graph`, that learns.

    `seed` fixes the first parameters, the order of the batches and the noise: same seed, same numbers. Parameters are
    float32 by default; float64 is the other choice.

    >>> from chainrule import Dense, ReLU, SoftmaxCrossentropy
    >>> model = Model([Dense(2, 8), ReLU(), Dense(8, 2)], loss=SoftmaxCrossentropy(), optimizer=Adam(0.05))
    >>> X, y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
    >>> history = model.fit(X, y, epochs=200, verbose=False)
    >>> model.predict(X)                                        # exclusive or
    array([0, 1, 1, 0])
    """

    def __init__(
        self,
        layers: Sequence[Layer | tuple[str, Layer]] | Graph,
        loss: Loss,
        optimizer: Optimizer | None = None,
        *,
        seed: int = 0,
        dtype: DTypeLike = "float32",
    ) -> None:
        if np.dtype(dtype) not in (np.dtype("float32"), np.dtype("float64")):
            raise ConfigurationError(f"Model: dtype must be float32 or float64, not {dtype!r}.")
        if not 0 <= seed < 2**32:
            raise ConfigurationError(f"Model: seed must be an integer from 0 to 2**32 - 1, not {seed!r}.")
        if isinstance(loss, type) or not isinstance(loss, Loss):
            raise ConfigurationError(f"Model: loss must be a loss such as SoftmaxCrossentropy(), not {loss!r}.")
        self.network = layers if isinstance(layers, Graph) else Sequential(*layers)
        self.loss = loss
        self.optimizer = Adam() if optimizer is None else optimizer
        self.seed, self.dtype = seed, np.dtype(dtype)
        parameters = self.network.initial_parameters(seed, self.dtype)
        self._run = Run(
            self.network,
            loss,
            self.optimizer,
            values=parameters | self.network.initial_state(self.dtype),
            slots=self.optimizer.initial_slots(np, {n: parameters[n] for n in self.network.trainable_names()}),
            seed=seed,
        )
        self.history = History()

    @property
    def parameters(self) -> Arrays:
        """The parameters by dotted name: `model.parameters["dense_0.weights"]`."""
        return {name: self._run.values[name] for name in self.network.parameters}

    @parameters.setter
    def parameters(self, parameters: Arrays) -> None:
        checked = check_parameters(self.network, parameters)
        self._run.values = self._run.values | {n: np.array(p, dtype=self.dtype) for n, p in checked.items()}

    @property
    def state(self) -> Arrays:
        """The arrays that are carried but not optimized, by dotted name (BatchNorm's running statistics)."""
        return {name: self._run.values[name] for name in self.network.state}

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        epochs: int = 10,
        batch_size: int = 32,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        shuffle: bool = True,
        sample_weights: ArrayLike | None = None,
        verbose: bool = True,
    ) -> History:
        """Train for some epochs and return their `History`; a second call goes on from where the first stopped.

        Ctrl-C ends the run with the model as it stands after the last whole step (`history.interrupted`).

        Raises `DataError` and its kinds for data that do not fit, before the first step, and `NonFiniteError` where
        the loss stops being a number.
        """
        if epochs < 0 or batch_size < 1:
            raise ConfigurationError(
                f"fit: epochs must be at least 0 and batch_size at least 1, not {epochs!r} and {batch_size!r}."
            )
        inputs, targets = self._checked(X, y, sample_weights)
        weights = None if sample_weights is None else np.asarray(sample_weights, dtype=np.float64).reshape(-1)
        validation = None if validation_data is None else self._checked(*validation_data)
        history = History()
        with Progress(epochs, verbose) as progress:
            records = run_epochs(
                self._run,
                inputs,
                targets,
                epochs=epochs,
                batch_size=min(batch_size, len(inputs)),
                shuffle=shuffle,
                sample_weights=weights,
                validation_data=validation,
                on_batch=progress.batch,
            )
            try:
                for record in records:
                    history.records.append(record)
                    progress.epoch(record)
            except KeyboardInterrupt:
                history.interrupted = True
        self.history.records += history.records
        if history.interrupted and verbose:
            print(f"Stopped at step {self._run.step}, after {self._run.epoch} whole epochs; the model is as it stands.")
        return history

    def evaluate(self, X: ArrayLike, y: ArrayLike, *, sample_weights: ArrayLike | None = None) -> dict[str, float]:
        """The loss (without penalties) and the metric, accuracy for classes: `{"loss": ..., "accuracy": ...}`."""
        inputs, targets = self._checked(X, y, sample_weights)
        weights = None if sample_weights is None else np.asarray(sample_weights)
        return evaluate(self._run, inputs, targets, weights)

    def logits(self, X: ArrayLike) -> NDArray[Any]:
        """The network's own outputs in inference, (B, C) or (B, O); (0, C) for an empty batch."""
        inputs = as_inputs(X, self.dtype)
        self.network.output_shape(inputs.shape[1:])
        return np.concatenate([output for _, output in forward(self._run, inputs)])

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """The probability of each class, (B, C), or of "yes", (B, O). Raises `ConfigurationError` for values."""
        return np.asarray(self.loss.probabilities(np, self.logits(X)))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The class of each sample, (B,), or its values, (B, O)."""
        return np.asarray(self.loss.decide(np, self.logits(X)))

    def gradients(self, X: ArrayLike, y: ArrayLike, *, training: bool = False) -> Arrays:
        """dL/d(parameter) on these samples, by dotted name, in inference mode unless `training`."""
        return loss_and_gradients(
            self.network, self.loss, self.parameters, X, y, state=self.state, training=training, seed=self.seed
        )[1]

    def trace(self, X: ArrayLike, y: ArrayLike, *, training: bool = False) -> Trace:
        """Every node's inputs, output, dvalues and dinputs of one pass on these samples."""
        return trace(
            self.network, self.loss, self.parameters, X, y, state=self.state, training=training, seed=self.seed
        )

    def save_parameters(self, path: str | Path) -> None:
        """Write parameters and state to a safetensors file, whole or not at all."""
        save_arrays(path, self._run.values, {"format": _FORMAT})

    def load_parameters(self, path: str | Path) -> None:
        """Read what `save_parameters` wrote. Raises `FileFormatError` where it does not fit this network."""
        arrays, metadata = load_arrays(path)
        if metadata.get("format") != _FORMAT:
            raise FileFormatError(f"{path} holds {metadata.get('format')!r}, expected {_FORMAT!r}.")
        for name, array in self._run.values.items():
            if arrays.keys() != self._run.values.keys():
                raise FileFormatError(f"{path} holds {sorted(arrays)}, this network has {sorted(self._run.values)}.")
            if arrays[name].shape != array.shape:
                raise FileFormatError(f"{path}: {name} has shape {arrays[name].shape}, expected {array.shape}.")
        self._run.values = {name: arrays[name].astype(self.dtype) for name in self._run.values}

    def _checked(
        self, X: ArrayLike, y: ArrayLike, sample_weights: ArrayLike | None = None
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """X and y as arrays, after every check that a step would make, so that a run does not fail half-way."""
        inputs, targets = as_inputs(X, self.dtype), np.asarray(y)
        output = self.network.output_shape(inputs.shape[1:])
        if not len(inputs):
            raise DataError("X is empty; pass at least one sample.")
        if targets.ndim == 0 or len(targets) != len(inputs):
            self.loss.prepare(targets, (len(inputs), *output))
        weights = None if sample_weights is None else np.asarray(sample_weights)
        if weights is not None and len(weights) != len(inputs):
            raise DataError(f"X has {len(inputs)} samples, sample_weights {len(weights)}; pass one for each sample.")
        for start in range(0, len(inputs), 4096):
            rows = slice(start, start + 4096)
            part = targets[rows]
            self.loss.prepare(part, (len(part), *output), None if weights is None else weights[rows])
        return inputs, targets
