"""The Model from the book's last chapters: layers, loss, optimizer and accuracy, trained in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, FileFormatError
from ..files import load_arrays, refusing, save_arrays
from ..jsontext import parse_json, to_json
from ..layer import Layer
from ..registry import build, describe
from .accuracy import Accuracy, Accuracy_Categorical, Accuracy_Regression
from .layers import (
    Activation_Linear,
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Softmax,
    Layer_Dense,
    Layer_Dropout,
    Layer_Input,
)
from .learned import backward_of, forward_of, learned_names
from .losses import (
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Loss,
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_MeanAbsoluteError,
    Loss_MeanSquaredError,
)
from .optimizers import BookOptimizer, Optimizer_Adagrad, Optimizer_Adam, Optimizer_RMSprop, Optimizer_SGD
from .pickled import described, is_pickle, read_pickled, refuse_model

__all__ = [
    "Model",
]


class Model:
    """The book's model: `add` layers, `set` loss, optimizer and accuracy, `finalize`, then `train` in batches.

    >>> from chainrule.book import *
    >>> init()
    >>> X, y = spiral_data(samples=100, classes=3)
    >>> model = Model()
    >>> for layer in (Layer_Dense(2, 64), Activation_ReLU(), Layer_Dense(64, 3), Activation_Softmax()):
    ...     model.add(layer)
    >>> model.set(loss=Loss_CategoricalCrossentropy(), optimizer=Optimizer_Adam(learning_rate=0.05, decay=5e-7),
    ...           accuracy=Accuracy_Categorical())
    >>> model.finalize()
    >>> model.train(X, y, epochs=1)
    epoch: 1
    step: 0, acc: 0.360, loss: 1.099 (data_loss: 1.099, reg_loss: 0.000), lr: 0.05
    training, acc: 0.360, loss: 1.099 (data_loss: 1.099, reg_loss: 0.000), lr: 0.05
    """

    def __init__(self) -> None:
        self.layers: list[Any] = []
        self.trainable_layers: list[Any] = []
        self.softmax_classifier_output: Activation_Softmax_Loss_CategoricalCrossentropy | None = None
        self.loss: Any = None
        self.optimizer: Any = None
        self.accuracy: Any = None

    def add(self, layer: Any) -> None:
        """Append a layer."""
        self.layers.append(layer)

    def set(self, *, loss: Any = None, optimizer: Any = None, accuracy: Any = None) -> None:
        """Set the loss, the optimizer and the accuracy; arguments left out keep their value."""
        self.loss = loss if loss is not None else self.loss
        self.optimizer = optimizer if optimizer is not None else self.optimizer
        self.accuracy = accuracy if accuracy is not None else self.accuracy

    def finalize(self) -> None:
        """Collect the layers with parameters; use the combined gradient if cross-entropy follows softmax."""
        if not self.layers:
            raise ConfigurationError("Model: add layers before finalize().")
        self.input_layer = Layer_Input()
        self.output_layer_activation = self.layers[-1]
        between = [self.input_layer, *self.layers, self.loss]
        for layer, before, after in zip(self.layers, between, between[2:], strict=False):
            vars(layer).update(prev=before, next=after)
        self._find_trainable()
        if self.loss is not None:
            self.loss.remember_trainable_layers(self.trainable_layers)
        softmax = isinstance(self.layers[-1], Activation_Softmax)
        if softmax and isinstance(self.loss, Loss_CategoricalCrossentropy):
            self.softmax_classifier_output = Activation_Softmax_Loss_CategoricalCrossentropy()

    def _find_trainable(self) -> None:
        """All layers that learn, a program's own classes among them: after a backward pass, by their gradients."""
        self.trainable_layers[:] = [layer for layer in self.layers if learned_names(layer)]

    def train(
        self,
        X: NDArray[Any],
        y: NDArray[Any],
        *,
        epochs: int = 1,
        batch_size: int | None = None,
        print_every: int = 1,
        validation_data: tuple[NDArray[Any], NDArray[Any]] | None = None,
    ) -> None:
        """Train; prints every `print_every`-th step, and totals and validation after each epoch."""
        self.accuracy.init(y)
        for epoch in range(1, epochs + 1):
            print(f"epoch: {epoch}")
            self.loss.new_pass()
            self.accuracy.new_pass()
            batches = _batches(len(X), batch_size)
            for step, rows in enumerate(batches):
                accuracy, losses = self._step(X[rows], y[rows])
                if not step % print_every or step == len(batches) - 1:
                    self._report(f"step: {step}", accuracy, *losses)
            totals = self.loss.calculate_accumulated(include_regularization=True)
            self._report("training", self.accuracy.calculate_accumulated(), *totals)
            if validation_data is not None:
                self.evaluate(*validation_data, batch_size=batch_size)

    def _step(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[Any, tuple[Any, Any]]:
        """Learn from one batch: its accuracy, and its data and regularization losses."""
        output = self.forward(X, training=True)
        losses = self.loss.calculate(output, y, include_regularization=True)
        accuracy = self.accuracy.calculate(self.output_layer_activation.predictions(output), y)
        self.backward(output, y)
        self._find_trainable()
        self.optimizer.pre_update_params()
        for layer in self.trainable_layers:
            self.optimizer.update_params(layer)
        self.optimizer.post_update_params()
        return accuracy, losses

    def _report(self, where: str, accuracy: Any, data_loss: Any, regularization_loss: Any) -> None:
        print(
            f"{where}, acc: {accuracy:.3f}, loss: {data_loss + regularization_loss:.3f} "
            f"(data_loss: {data_loss:.3f}, reg_loss: {regularization_loss:.3f}), "
            f"lr: {self.optimizer.current_learning_rate}"
        )

    def evaluate(self, X_val: NDArray[Any], y_val: NDArray[Any], *, batch_size: int | None = None) -> None:
        """Print accuracy and loss on other data."""
        self.loss.new_pass()
        self.accuracy.new_pass()
        for rows in _batches(len(X_val), batch_size):
            output = self.forward(X_val[rows], training=False)
            self.loss.calculate(output, y_val[rows])
            self.accuracy.calculate(self.output_layer_activation.predictions(output), y_val[rows])
        accuracy, loss = self.accuracy.calculate_accumulated(), self.loss.calculate_accumulated()
        print(f"validation, acc: {accuracy:.3f}, loss: {loss:.3f}")

    def predict(self, X: NDArray[Any], *, batch_size: int | None = None) -> NDArray[Any]:
        """The outputs of the last layer."""
        return np.vstack([self.forward(X[rows], training=False) for rows in _batches(len(X), batch_size)])

    def forward(self, X: NDArray[Any], training: bool) -> NDArray[Any]:
        """Run every layer; returns the output of the last."""
        output = self.input_layer.forward(X, training)
        for layer in self.layers:
            output = forward_of(layer, output, training)
        return output  # type: ignore[no-any-return]

    def backward(self, output: NDArray[Any], y: NDArray[Any]) -> None:
        """Run the loss and every layer backwards."""
        remaining = list(self.layers)
        if self.softmax_classifier_output is not None:
            self.softmax_classifier_output.backward(output, y)
            dvalues = remaining.pop().dinputs = self.softmax_classifier_output.dinputs
        else:
            self.loss.backward(output, y)
            dvalues = self.loss.dinputs
        for layer in reversed(remaining):
            dvalues = backward_of(layer, dvalues)

    def get_parameters(self) -> list[tuple[NDArray[Any], ...]]:
        """Weights and biases of every layer that has them."""
        return [
            layer.get_parameters()
            if hasattr(layer, "get_parameters")
            else tuple(getattr(layer, name) for name in learned_names(layer))
            for layer in self.trainable_layers
        ]

    def set_parameters(self, parameters: Sequence[Sequence[NDArray[Any]]]) -> None:
        """Replace weights and biases of every layer that has them."""
        for values, layer in zip(parameters, self.trainable_layers, strict=True):
            if hasattr(layer, "set_parameters"):
                layer.set_parameters(*values)
            else:
                vars(layer).update(zip(learned_names(layer), values, strict=True))

    def save_parameters(self, path: str) -> None:
        """Write the parameters as a safetensors file, at exactly this path."""
        save_arrays(path, self._arrays(), {"format": _PARAMETERS})

    def load_parameters(self, path: str) -> None:
        """Read a file written by `save_parameters`, here or by the book's own code, which pickles them.

        Of a pickle nothing is built but arrays, tuples and lists. Raises `FileFormatError` for anything else in it, and
        where the file does not fit this model.
        """
        if is_pickle(path):
            self._set_arrays(path, self._named(path, read_pickled(path)))
            return
        arrays, metadata = load_arrays(path)
        _require_format(path, metadata, _PARAMETERS)
        self._set_arrays(path, arrays)

    def save(self, path: str) -> None:
        """Write the whole model, its layers and settings included, as a safetensors file.

        Raises `ConfigurationError` for a class of the program's own, of which a file can hold nothing but parameters.
        """
        parts = {"layers": self.layers, "loss": self.loss, "optimizer": self.optimizer, "accuracy": self.accuracy}
        described = {
            name: [_description(p) for p in part] if isinstance(part, list) else _description(part)
            for name, part in parts.items()
        }
        save_arrays(path, self._arrays(), {"format": _MODEL, "model": to_json(described)})

    @staticmethod
    def load(path: str) -> Model:
        """Read a file written by `save`: a model ready to predict or train on, with fresh optimizer slots.

        A whole model that the book's own code pickled is refused, because reading it runs whatever code stands in it.
        """
        if is_pickle(path):
            refuse_model(path)
        arrays, metadata = load_arrays(path)
        _require_format(path, metadata, _MODEL)
        model = Model()
        with refusing(path):
            described = parse_json(metadata["model"])
            for layer in described["layers"]:
                model.add(_built(layer, Layer))
            kinds = {"loss": Loss, "optimizer": BookOptimizer, "accuracy": Accuracy}
            model.set(**{name: _built(described[name], kind | None) for name, kind in kinds.items()})
            model.finalize()
        model._set_arrays(path, arrays)
        return model

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            f"{index}.{name}": getattr(layer, name)
            for index, layer in enumerate(self.trainable_layers)
            for name in learned_names(layer)
        }

    def _named(self, path: str, pickled: Any) -> dict[str, NDArray[Any]]:
        """The parameters in a pickle, a list with a tuple of arrays for each layer, by name."""
        names = [learned_names(layer) for layer in self.trainable_layers]
        layers = pickled if isinstance(pickled, list | tuple) else ()
        if [np.ndarray] * sum(map(len, names)) != [type(a) for values in layers for a in values] or len(names) != len(
            layers
        ):
            raise FileFormatError(
                f"{path} holds {described(pickled)}; expected a list with the parameters of {len(names)} layers, "
                f"{', '.join('(' + ', '.join(own) + ')' for own in names)}."
            )
        return {f"{i}.{n}": a for i, own in enumerate(names) for n, a in zip(own, layers[i], strict=True)}

    def _set_arrays(self, path: str, arrays: dict[str, NDArray[Any]]) -> None:
        for name, array in self._arrays().items():
            if name not in arrays or len(arrays) != len(self._arrays()):
                raise FileFormatError(
                    f"{path} holds the parameters {sorted(arrays)}, expected {sorted(self._arrays())}."
                )
            if arrays[name].shape != array.shape:
                raise FileFormatError(f"{path}: {name} has shape {arrays[name].shape}, expected {array.shape}.")
        self.set_parameters(
            [[arrays[f"{i}.{n}"] for n in learned_names(layer)] for i, layer in enumerate(self.trainable_layers)]
        )


_PARTS: tuple[type, ...] = (
    Layer_Dense,
    Layer_Dropout,
    Layer_Input,
    Activation_ReLU,
    Activation_Softmax,
    Activation_Sigmoid,
    Activation_Linear,
    Loss_CategoricalCrossentropy,
    Loss_BinaryCrossentropy,
    Loss_MeanSquaredError,
    Loss_MeanAbsoluteError,
    Optimizer_SGD,
    Optimizer_Adagrad,
    Optimizer_RMSprop,
    Optimizer_Adam,
    Accuracy_Categorical,
    Accuracy_Regression,
)

_CLASSES = {part.__name__: part for part in _PARTS}
_PARAMETERS, _MODEL = "chainrule.book parameters 1", "chainrule.book model 1"


def _batches(samples: int, batch_size: int | None) -> list[slice]:
    size = batch_size or max(samples, 1)
    return [slice(start, start + size) for start in range(0, max(samples, 1), size)]


def _require_format(path: str, metadata: dict[str, str], expected: str) -> None:
    if metadata.get("format") != expected:
        raise FileFormatError(f"{path} holds {metadata.get('format', 'something else')!r}, expected {expected!r}.")


def _description(part: Any) -> list[Any] | None:
    """The class's name and its settings."""
    kind: type = type(part)
    own = kind.__module__.startswith(f"{__package__}.")  # a chapter's Layer_Dense is written as the book's
    if part is not None and not own:
        raise ConfigurationError(
            f"Model.save: {kind.__name__} is a class of your program, and a file holds no classes: write "
            "model.save_parameters(path), and load them into a model that the same program builds."
        )
    described = describe(part, {kind.__name__: kind})
    return described and [described.pop("type"), described]


def _built(description: list[Any] | None, expected: Any) -> Any:
    if description is None:
        return build(None, expected)
    name, settings = description
    return build({"type": name, **settings}, expected, _CLASSES)
