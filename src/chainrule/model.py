"""Model: a network with its loss, its optimizer and its parameters, ready to fit, evaluate, predict and save."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .arrays import is_array, plain_array
from .backprop import as_inputs, check_arrays, loss_and_gradients
from .compatibility import require_compatible, require_fitting_output
from .datasets.target import encoded
from .engines import ENGINES, Engine, predictor, require_known
from .errors import ChainruleError, ConfigurationError, DataError
from .graph import Graph, Sequential
from .layer import Arrays, Layer
from .limits import require_seed
from .loss import Loss
from .metrics.naming import Metric
from .optimizers import Adam, Optimizer
from .planning import request_of
from .ranks import working
from .registry import named
from .rows import Samples, as_they_lie
from .store import ArrayView, being_fitted
from .summary import Summary, brief, summarize, summary_page
from .traces import Trace, trace
from .training import modelfile
from .training.batches import Batches, are_batches, require_batches_alone
from .training.callback import Callback
from .training.history import History
from .training.measuring import Held, HeldBatches, evaluate, forward, known_metrics
from .training.run import Run
from .weighting import checked_weights, require_counting

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from .datasets import Preprocessing
    from .explaining import Explanation

__all__ = ["ENGINES", "Model"]


class Model:
    """A network, given as a list of layers or a `Graph`, that learns.

    `seed` fixes the first parameters, the order of the batches and the noise: same seed, same engine, same machine,
    same bits. Parameters are float32 by default; float64 is the other choice. `preprocessing` (see `datasets`) turns
    tables into inputs and is saved with the model; arrays go to the network as they are. `class_names` name the
    classes. A loss and an optimizer may be given by name, "mean_squared_error", "adam". `metrics` names what `evaluate`
    and the validation measure beside the loss and its own metric: "precision", "recall", "f1" (macro averages),
    "balanced_accuracy", "roc_auc" and "log_loss" for classes, "mean_squared_error", "root_mean_squared_error", "r2" for
    values; "acc", "auc", "mae", "mse" and "rmse" are understood too. A function `metric(targets, predictions)` of yours
    is measured under its own name; it is not saved with the model.

    Raises `ConfigurationError` where the loss cannot read what the last layer gives, such as raw scores in place of
    probabilities, and says what to write.

    >>> from chainrule import Dense, ReLU, SoftmaxCrossentropy
    >>> model = Model([Dense(2, 8), ReLU(), Dense(8, 2)], loss=SoftmaxCrossentropy(), optimizer=Adam(0.05))
    >>> X, y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
    >>> history = model.fit(X, y, epochs=200, verbose=False)
    >>> model.predict(X)                                        # exclusive or
    array([0, 1, 1, 0])
    """

    run: Run
    history: History
    preprocessing: Preprocessing | None
    class_names: tuple[str, ...]

    def __init__(
        self,
        layers: Sequence[Layer | tuple[str, Layer]] | Graph,
        loss: Loss | str,
        optimizer: Optimizer | str | None = None,
        *,
        seed: int = 0,
        dtype: DTypeLike = "float32",
        preprocessing: Preprocessing | None = None,
        class_names: Sequence[str] = (),
        metrics: Metric | Sequence[Metric] = (),
    ) -> None:
        try:
            kind = np.dtype(dtype)
        except TypeError:
            kind = np.dtype(object)
        if kind not in (np.dtype("float32"), np.dtype("float64")):
            raise ConfigurationError(f"Model: dtype must be float32 or float64, not {dtype!r}.")
        require_seed(seed, "Model")
        compared = named(loss, Loss, "Model: loss")
        chosen = Adam() if optimizer is None else named(optimizer, Optimizer, "Model: optimizer")
        if isinstance(layers, Layer) and not isinstance(layers, Graph):
            raise ConfigurationError(f"Model: layers must be a list or a Graph; write [{layers!r}].")
        network = layers if isinstance(layers, Graph) else Sequential(*layers)
        require_compatible(network, compared)
        network.settle(int(seed), kind)
        self.run = Run(network, compared, chosen, {}, int(seed))
        self.run.slots = chosen.initial_slots(np, self.run.trained)
        self.run.metrics = known_metrics(metrics, compared)
        self.history = History()
        self.preprocessing = _fitting(network, preprocessing)
        self.class_names = _class_names(network, class_names)

    @property
    def network(self) -> Graph:
        """The network."""
        return self.run.network

    @property
    def loss(self) -> Loss:
        """The loss."""
        return self.run.loss

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer."""
        return self.run.optimizer

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the parameters."""
        layer, local = next(iter(self.network.places().values()), (None, ""))
        return np.dtype("float32") if layer is None else getattr(layer, local).dtype

    @property
    def parameters(self) -> ArrayView:
        """The parameters by dotted name, `model.parameters["dense_0.weights"]`: a view of the layers' own arrays.

        Assigning to an entry, or a dict of all to `model.parameters`, reaches predictions, gradients, explanations and
        the next step. Raises `UnknownNameError`, `ShapeError` and `DataError` for what does not fit.
        """
        return ArrayView("parameter", self.network, self.network.parameters)

    @parameters.setter
    def parameters(self, parameters: Mapping[str, Any]) -> None:
        arrays = {name: np.asarray(value) for name, value in parameters.items()}
        check_arrays("parameter", arrays, self.network.parameter_shapes())
        self.parameters.update(arrays)

    @property
    def state(self) -> ArrayView:
        """The arrays that are carried but not optimized, by dotted name (BatchNorm's running statistics)."""
        return ArrayView("state array", self.network, self.network.state)

    def __repr__(self) -> str:
        """The table of the network, and what trains it."""
        return f"{self._title()}\n{self.summary()}"

    def _repr_html_(self) -> str:
        return summary_page(self.summary(), self._title())

    def _title(self) -> str:
        trained = f"{self.run.epoch} epochs trained" if self.run.epoch else "not trained yet"
        return f"Model of {brief(self.loss)}, {brief(self.optimizer)}, {self.dtype}, {trained}"

    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        *,
        epochs: int | Literal["auto"] = 10,
        batch_size: int | Literal["auto"] = 32,
        steps_per_epoch: int | None = None,
        validation_data: Any = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        callbacks: Sequence[Callback] = (),
        sample_weights: ArrayLike | None = None,
        class_weights: Mapping[int, float] | Sequence[float] | str | None = None,
        verbose: bool = True,
        record_every: int | None = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        engine: Engine = "auto",
        distributed: bool = False,
        deterministic: bool = True,
    ) -> History:
        """Train for some epochs and return their `History`; a second call goes on from where the first stopped.

        `epochs="auto"` trains by the recipe of `chainrule train`: a tenth of the samples is held out, where none are
        given, the run ends when their loss has not improved for 50 epochs, and the best parameters are kept; then the
        network settles, see `Settling`.
        `batch_size="auto"` is a 200th of the samples, from 32 to 200.

        `y` may hold the names of classes, where the model has a `preprocessing` or `class_names`; a column of a data
        frame goes through the preprocessing, other numbers are taken as they are. `validation_data` is (X, y), (X, y,
        sample_weights), or batches. `validation_split` holds a random part of the samples out, chosen by the seed, each
        with its weight in `sample_weights`. `class_weights` maps class indices or names to weights, or is "balanced"
        (each class weighs the same); they count in training and not in `val_loss`. Where the last batch is a single
        sample, BatchNorm takes its running statistics for it. The history has a row for each epoch, or for each
        `record_every`-th. `checkpoint` names a file that is kept up to date; with `resume=True` and the file there, the
        run continues from it bit for bit as if it had never stopped.

        X may be a memory-mapped file or hold another dtype than the model: where a converted copy would be large, rows
        are converted as they are read, some megabytes at a time.

        In place of X and y stand batches of your own, tuples (X, y) or (X, y, sample_weights), each of which is a step:
        a list or anything else that can be read again, which is read from its beginning in each epoch; a function that
        returns the batches of an epoch, with its number from 0 if it has a parameter `epoch`; or an iterator, which
        goes on where it stood. `steps_per_epoch` says how many batches are an epoch; without it an epoch ends where the
        batches do. Order and size of the batches are yours. A checkpoint can be resumed bit for bit where an epoch's
        batches are the same each time.

        `engine` carries out the steps: "numpy", "fused" (machine code), "jax" (extra `jax`), or "auto",
        which takes the one that ends first by a fixed table of costs. The choice is kept with a checkpoint.

        With `distributed=True` under mpirun or srun (extra `mpi`) every rank computes its part of each batch, with
        NumPy, and all end with the same model: bit for bit that of one rank, which is what there is without mpirun.
        Every rank makes the same call; callbacks, prints and files are rank 0's. Batches must come alike on every rank;
        those of `datasets.stream(..., distributed=True)` are read by the ranks together, each a part.
        `deterministic=False` leaves the order of sums to MPI.

        Ctrl-C ends the run with the model as it stands after the last whole step; `history.stopped` says so.

        Raises `DataError` and its kinds for data that do not fit, before the first step, and `NonFiniteError` where
        numbers stop being finite, naming the first layer and array.
        """
        require_known(engine)
        if distributed and engine not in ("auto", "numpy"):
            raise ConfigurationError(f'fit: distributed=True computes with NumPy, not {engine!r}; leave engine="auto".')
        with working(distributed, deterministic) as team:
            request = request_of(
                self,
                X,
                y,
                sample_weights,
                validation_data,
                validation_split,
                callbacks,
                epochs=epochs,
                batch_size=batch_size,
                steps_per_epoch=steps_per_epoch,
                shuffle=shuffle,
                class_weights=class_weights,
                record_every=record_every,
            )
            with being_fitted(self.network):
                return request.carry_out(self, verbose, checkpoint, resume, engine, team if distributed else None)

    def evaluate(
        self, X: Any, y: ArrayLike | None = None, *, sample_weights: ArrayLike | None = None
    ) -> dict[str, float]:
        """The loss (without penalties) and the metric, accuracy for classes: `{"loss": ..., "accuracy": ...}`.

        X may be batches, as in `fit`; y is left out then.
        """
        if y is None or are_batches(X, False):
            require_batches_alone("evaluate", X, {"y": y, "sample_weights": sample_weights})
            held = HeldBatches(Batches(X, self, name="evaluate"))
            return evaluate(self.run, *held.read(self.run, lambda part: forward(self.run, part)))
        inputs, targets = self.checked(X, y, sample_weights)
        weights = None if sample_weights is None else np.asarray(sample_weights)
        return evaluate(self.run, Held.of(self.run, inputs, targets, weights), forward(self.run, inputs))

    def logits(self, X: Any) -> NDArray[Any]:
        """The network's own outputs in inference, (B, C) or (B, O); (0, C) for an empty batch."""
        inputs = self._samples(X)
        self.network.output_shape(inputs.shape[1:])
        return forward(self.run, inputs)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """The probability of each class, (B, C), or of "yes", (B, O). Raises `ConfigurationError` for values."""
        return np.asarray(self.loss.probabilities(np, self.logits(X)))

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each sample, (B,), or its values, (B, O).

        A table (a file, a data frame, columns) is answered in its own words: with the names of the classes, and values
        in the unit of the column. An array is answered as the network is trained: class numbers, standardized values.
        Raises `NonFiniteError` where a parameter is NaN or infinite.
        """
        return answered((self,), X, self.logits(X))

    def predictor(self) -> Callable[[ArrayLike], NDArray[Any]]:
        """A function for many calls with few samples each: from inputs (B, I) to what `logits` returns.

        It keeps the parameters that the model has now. It checks that X is numbers of the right shape, and does not
        look at them: NaN in X is NaN in the output. Compiled where the engine `fused` is installed and the network is a
        line of dense layers and activations. Raises `DataError` and its kinds.

        >>> from chainrule import Dense, MeanSquaredError
        >>> model = Model([Dense(2, 1)], loss=MeanSquaredError())
        >>> model.parameters = {"dense_0.weights": [[2.0], [3.0]], "dense_0.biases": [[1.0]]}
        >>> model.predictor()([[10.0, 100.0]])                         # 10·2 + 100·3 + 1
        array([[321.]], dtype=float32)
        """
        return predictor(self.network, self.run.values)

    def gradients(self, X: Any, y: ArrayLike, *, training: bool = False) -> Arrays:
        """dL/d(parameter) on these samples, by dotted name, in inference mode unless `training`."""
        options: dict[str, Any] = {"state": self.state, "training": training, "seed": self.run.seed}
        inputs, targets = self.inputs(X), self.targets(y)
        return loss_and_gradients(self.network, self.loss, self.parameters, inputs, targets, **options)[1]

    def trace(self, X: Any, y: ArrayLike, *, training: bool = False) -> Trace:
        """Every node's inputs, output, dvalues and dinputs of one pass on these samples."""
        options: dict[str, Any] = {"state": self.state, "training": training, "seed": self.run.seed}
        return trace(self.network, self.loss, self.parameters, self.inputs(X), self.targets(y), **options)

    def explain(
        self,
        X: Any,
        y: ArrayLike,
        name: str | None = None,
        index: int | Sequence[int] | None = None,
        *,
        sample: int | None = None,
        sample_weights: ArrayLike | None = None,
        training: bool = False,
        max_terms: int = 5,
        max_paths: int = 200,
        points: int = 25,
        parts: Collection[str] | None = None,
        feature_names: Sequence[str] = (),
    ) -> Explanation:
        """Why one gradient on these samples is what it is, with formulas and numbers: see `chainrule.explain`.

        `"dense_0.weights[20,5]"`, or `"dense_0.weights", (20, 5)`, asks for a parameter, `"inputs[3,7]"` for an entry
        of X, `"relu_0[3,5]"` for a node's output, and no name for the weight with the largest gradient. It also says
        what the optimizer's next step on these samples would do. With `training` the layers run as in training, with
        the noise of the next step.
        """
        from .explaining import explain
        from .explaining.question import largest

        run, inputs, targets = self.run, self.inputs(X), self.targets(y)
        if name is None:
            alone = isinstance(sample, int | np.integer) and 0 <= sample < len(inputs)
            rows = slice(sample, sample + 1) if alone and sample is not None else slice(None)
            name = largest(self.gradients(inputs[rows], targets[rows], training=training))
        return explain(
            self.network,
            self.loss,
            inputs,
            targets,
            name,
            index,
            parameters=self.parameters,
            state=self.state,
            sample=sample,
            sample_weights=sample_weights,
            training=training,
            seed=run.seed,
            step=run.step,
            optimizer=self.optimizer,
            slots=run.slots,
            rates=run.rates(),
            max_terms=max_terms,
            max_paths=max_paths,
            points=points,
            parts=parts,
            feature_names=feature_names,
            class_names=self.class_names,
            preprocessing=self.preprocessing,
        )

    def summary(self) -> Summary:
        """The table of the network: nodes, layers, output shapes, parameters. Prints as text, rich or HTML."""
        return summarize(self.network)

    def widget(self, X: Any = None, y: Any = None) -> Any:
        """The page of `chainrule play` on a copy of this model, as a widget for Jupyter, VS Code and marimo.

        X is (B, ...) and y what `fit` takes. Raises `ChainruleError` without the extra `play`.
        """
        try:
            page = import_module("chainrule.play.widget")  # the page is built on the model, and not the other way round
        except ModuleNotFoundError as error:
            raise ChainruleError(f'widget needs {error.name}: pip install "chainrule[play]"') from None
        return page.widget(self, X, y)

    def save(self, path: str | Path) -> None:
        """Write the whole model to one safetensors file, whole or not at all.

        It holds architecture, parameters, preprocessing, class names, optimizer slots and history. Raises
        `ConfigurationError` for a layer of yours that is not registered (`chainrule.register`).
        """
        modelfile.write(path, self.contents())

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """Read what `save` wrote; nothing in the file is run as code. Raises `FileFormatError` for anything else."""
        model, contents = cls.__new__(cls), modelfile.read(path)
        with modelfile.refusing(path):
            model.take(contents)
        return model

    def export_onnx(
        self,
        path: str | Path,
        *,
        logits: bool = False,
        preprocessing: bool = True,
        shape: Sequence[int] | None = None,
    ) -> None:
        """Write the model as one ONNX file, which many programs and languages run: see `chainrule.exchange.to_onnx`.

        A model of a table takes one input for each column and gives classes by name, or values in their unit; with
        `preprocessing=False`, as without a table, it takes the array that the network reads. `logits` asks for the
        network's own outputs instead. `shape` is that of one sample where the network starts with `Flatten`.

        Raises `ConfigurationError` for a layer, a column or a loss that ONNX cannot express, and where the package onnx
        is missing (extra `onnx`).
        """
        from .exchange import to_onnx
        from .exchange.onnx import exported
        from .files import write_atomically

        given = self.preprocessing if preprocessing else None
        sample = None if shape is None else tuple(shape)
        leaving = exported(self.network, self.loss, self.dtype, given, self.names(), sample)
        write_atomically(path, to_onnx(leaving, logits=logits))

    def to_torch(self) -> torch.nn.Module:
        """The network in PyTorch, with copies of its parameters: see `chainrule.exchange.to_torch`."""
        from .exchange import to_torch

        return to_torch(self.network)

    def contents(self) -> modelfile.Contents:
        """What a file of this model holds."""
        preprocessing = None if self.preprocessing is None else self.preprocessing.to_json()
        extras = {"class_names": list(self.class_names), "preprocessing": preprocessing}
        return modelfile.Contents(self.run, self.run.values, self.history, extras)

    def take(self, contents: modelfile.Contents) -> None:
        """Become the model of a file's contents."""
        from .datasets import Preprocessing

        stored = contents.extras.get("preprocessing")
        self.run, self.history = contents.run, contents.history
        self.preprocessing = _fitting(self.network, None if stored is None else Preprocessing.from_json(stored))
        self.class_names = _class_names(self.network, contents.extras.get("class_names", ()))

    def go_on(self, contents: modelfile.Contents) -> None:
        """Stand where a file of the same architecture says; the layers stay the objects that they are."""
        run, stored = self.run, contents.run
        run.values, run.slots, run.step, run.epoch = contents.values, stored.slots, stored.step, stored.epoch
        run.rate_scale, run.engine, self.history = stored.rate_scale, stored.engine, contents.history

    def inputs(self, X: Any) -> NDArray[Any]:
        """X as the network reads it: an array as it is, a table (file, data frame, columns) through `preprocessing`."""
        if self.preprocessing is not None and is_table(X):
            X = self.preprocessing.transform(X)
        return as_inputs(X, self.dtype)

    def _samples(self, X: Any) -> Samples:
        """X as the network reads it, converted later where it is large."""
        rows = as_they_lie(X, self.dtype)
        return self.inputs(X) if rows is None else rows

    def targets(self, y: Any) -> NDArray[Any]:
        """y as the loss reads it: class names as numbers, a data frame's column through `preprocessing`."""
        return encoded(y, None if self.preprocessing is None else self.preprocessing.outcome, self.class_names)

    def names(self) -> tuple[str, ...]:
        """The names of the classes, where there are any."""
        return self.class_names or (() if self.preprocessing is None else self.preprocessing.class_names)

    def checked(self, X: Any, y: ArrayLike, sample_weights: ArrayLike | None = None) -> tuple[Samples, NDArray[Any]]:
        """X and y as arrays of one length that the network takes; a large X may be `Rows`."""
        inputs, targets = self._samples(X), self.targets(y)
        output = self.network.output_shape(inputs.shape[1:])
        if not len(inputs):
            raise DataError("X is empty; pass at least one sample.")
        require_fitting_output(self.network, self.loss, inputs)
        if targets.ndim == 0 or len(targets) != len(inputs):
            self.loss.prepare(targets, (len(inputs), *output))
        weights = None if sample_weights is None else plain_array(sample_weights, "sample_weights")
        if weights is not None and weights.size != len(inputs):
            raise DataError(f"X has {len(inputs)} samples, sample_weights {weights.size}; pass one for each sample.")
        if weights is not None:
            require_counting(checked_weights(weights, len(inputs)), self.loss.name)
        return inputs, targets


def answered(models: Sequence[Model], X: Any, logits: NDArray[Any]) -> NDArray[Any]:
    """What the outputs of models of one architecture, or their mean, say of X: see `Model.predict`."""
    if not np.isfinite(logits).all():
        from .explaining.finite import require_finite_values

        for model in models:
            require_finite_values(model.run.values)
    first = models[0]
    decided = np.asarray(first.loss.decide(np, logits))
    return first.preprocessing.decode_target(decided) if first.preprocessing and is_table(X) else decided


def is_table(X: Any) -> bool:
    """Whether X is a table, whose columns have names, and no array of numbers as a network reads it."""
    return not isinstance(X, list | tuple) and (hasattr(X, "columns") or not is_array(X))


def _fitting(network: Graph, preprocessing: Preprocessing | None) -> Preprocessing | None:
    shape = network.input_shape()
    if preprocessing is not None and shape is not None and shape != (len(preprocessing.feature_names),):
        raise ConfigurationError(
            f"Model: the preprocessing gives {len(preprocessing.feature_names)} features, the network reads {shape[0]}."
        )
    return preprocessing


def _class_names(network: Graph, names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"Model: class_names must be a list of names, not {names!r}.")
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise ConfigurationError(f"Model: class_names has {twice!r} twice; every class needs a name of its own.")
    shape = network.input_shape()
    outputs = None if shape is None else network.output_shape(shape)[-1]
    if len(names) and outputs not in (None, 1, len(names)):
        raise ConfigurationError(
            f"Model: the network has {outputs} outputs and there are {len(names)} class names; "
            f"give the last layer {len(names)} neurons."
        )
    return tuple(names)
