"""The names, the data and the arithmetic of the book, thin over the rest of the library.

A program of *Neural Networks from Scratch in Python* (Kinsley and Kukieła 2020) runs, and prints what the book's code
prints, after its class definitions and the import of its helper package are replaced by `from chainrule.book import *`:

>>> from chainrule.book import *
>>> nnfs.init()
>>> X, y = spiral_data(samples=100, classes=3)
>>> dense1 = Layer_Dense(2, 3)
>>> _ = dense1.forward(X)
>>> dense1.output[1]
array([-1.0475188e-04,  1.1395361e-04, -4.7983500e-05], dtype=float32)

`init()` does for this module what the helper package does to NumPy as a whole: it seeds one random stream that data and
layers share, makes float32 the default, and switches to `arithmetic`. The global random generator, and NumPy, stay as
they are.

Where the book and the notes on it are wrong, the library is right:

- The quotient rule divides by h², (g/h)' = (g'·h - g·h')/h², not by (h')².
- The notes' first cell prints a label, "Next Layer, RelU, and sum:", that differs from its code.
- Cross-entropy is clipped in forward only, so that a probability of 0 gives an infinite gradient: here both
  passes clip.
- `Loss_MeanAbsoluteError.backward` has sign(y - p), the wrong sign: here it is sign(p - y).
- Models and parameters are saved with pickle, which runs code when it loads: here they are safetensors files.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import layers, losses, optimizers
from .errors import ConfigurationError, FileFormatError
from .files import load_arrays, save_arrays
from .layer import Layer
from .penalties import L1, L2, Penalty

__all__ = [
    "Accuracy",
    "Accuracy_Categorical",
    "Accuracy_Regression",
    "Activation_Linear",
    "Activation_ReLU",
    "Activation_Sigmoid",
    "Activation_Softmax",
    "Activation_Softmax_Loss_CategoricalCrossentropy",
    "Layer_Dense",
    "Layer_Dropout",
    "Layer_Input",
    "Loss",
    "Loss_BinaryCrossentropy",
    "Loss_CategoricalCrossentropy",
    "Loss_MeanAbsoluteError",
    "Loss_MeanSquaredError",
    "Model",
    "Optimizer_Adagrad",
    "Optimizer_Adam",
    "Optimizer_RMSprop",
    "Optimizer_SGD",
    "arithmetic",
    "init",
    "nnfs",
    "sine_data",
    "spiral_data",
    "vertical_data",
]

nnfs = sys.modules[__name__]  # so that the book's `nnfs.init()` runs as it stands


class _Arithmetic:
    """NumPy with the book's products: `matmul` in float64 rounded to float32, `exp` in float64 rounded to its input.

    The first is what the helper package does to `np.dot`; the second makes today's NumPy print the digits of the one
    that the book and the notes ran on, whose float32 `exp` was a different one.

    >>> arithmetic.matmul(np.array([[0.1]]), np.array([[0.1]])).dtype
    dtype('float32')
    """

    @staticmethod
    def matmul(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.matmul(a.astype(np.float64), b.astype(np.float64))).astype(np.float32)

    @staticmethod
    def exp(x: NDArray[Any]) -> NDArray[Any]:
        result = np.asarray(np.exp(x.astype(np.float64)))
        return result.astype(x.dtype) if x.dtype.kind == "f" else result

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


arithmetic = _Arithmetic()

# What `init` sets: the random stream of data and layers, the default dtype, the arithmetic.
_current = SimpleNamespace(stream=np.random.RandomState(), dtype=np.dtype("float64"), xp=np)


def init(
    dot_precision_workaround: bool = True, default_dtype: DTypeLike = "float32", random_seed: int | None = 0
) -> None:
    """Seed the stream, set the default dtype and the arithmetic, for every class and function of this module.

    >>> init()
    >>> Layer_Dense(2, 3).weights.dtype
    dtype('float32')
    """
    _current.xp = arithmetic if dot_precision_workaround else np
    _current.dtype = np.dtype(default_dtype)
    _current.stream = np.random.RandomState(random_seed)


def _randn(*shape: int) -> NDArray[Any]:
    return np.asarray(_current.stream.randn(*shape).astype(_current.dtype))


# Data


def spiral_data(samples: int, classes: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Points on `classes` arms of a spiral, `samples` on each: X (B, 2) and y (B,), B = samples · classes.

    >>> init()
    >>> X, y = spiral_data(samples=100, classes=3)
    >>> X[1], y[[0, 100, 200]]
    (array([0.00299556, 0.00964661], dtype=float32), array([0, 1, 2], dtype=uint8))
    """
    X = np.zeros((samples * classes, 2), dtype=_current.dtype)
    for c in range(classes):
        r = np.linspace(0.0, 1, samples)  # (S,), the radius
        t = np.linspace(c * 4, (c + 1) * 4, samples) + _randn(samples) * 0.2  # (S,), the angle
        X[samples * c : samples * (c + 1)] = np.c_[r * np.sin(t * 2.5), r * np.cos(t * 2.5)]  # (S,2)
    return X, np.repeat(np.arange(classes, dtype=np.uint8), samples)


def vertical_data(samples: int, classes: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Clouds of points side by side, `samples` in each: X (B, 2) and y (B,), B = samples · classes.

    >>> init()
    >>> vertical_data(samples=1, classes=2)[0].round(3)
    array([[0.176, 0.54 ],
           [0.431, 0.724]], dtype=float32)
    """
    X = np.zeros((samples * classes, 2), dtype=_current.dtype)
    for c in range(classes):
        across = _randn(samples) * 0.1 + c / 3  # (S,), drawn first
        up = _randn(samples) * 0.1 + 0.5  # (S,)
        X[samples * c : samples * (c + 1)] = np.c_[across, up]  # (S,2)
    return X, np.repeat(np.arange(classes, dtype=np.uint8), samples)


def sine_data(samples: int = 1000) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One period of a sine: X (B, 1) from 0 to 1, y = sin(2πX), (B, 1), both float64.

    >>> X, y = sine_data(4)
    >>> X.ravel(), y.ravel().round(3)
    (array([0.  , 0.25, 0.5 , 0.75]), array([ 0.,  1.,  0., -1.]))
    """
    X = np.arange(samples).reshape(-1, 1) / samples  # (B,1)
    return X, np.sin(2 * np.pi * X)


# Layers and activations: the library's pairs, on the current arithmetic


class _BookLayer(Layer):
    @property
    def xp(self) -> Any:
        return _current.xp

    def predictions(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """What the outputs of this activation predict: the outputs themselves."""
        return outputs


class _BookL1(L1):
    def pure_backward(self, xp, dvalues, parameter):  # the book takes the derivative of |w| at 0 to be 1
        return dict(dparameter=dvalues * self.rate * xp.where(parameter < 0, -1, 1))


class Layer_Dense(_BookLayer, layers.Dense):
    """`Dense` with weights 0.01 · normal from the book's stream; its backward adds the regularization itself.

    >>> init()
    >>> Layer_Dense(1, 2).weights
    array([[0.01764052, 0.00400157]], dtype=float32)
    """

    def __init__(
        self,
        n_inputs: int,
        n_neurons: int,
        weight_regularizer_l1: float = 0,
        weight_regularizer_l2: float = 0,
        bias_regularizer_l1: float = 0,
        bias_regularizer_l2: float = 0,
    ) -> None:
        self.weight_regularizer_l1 = weight_regularizer_l1
        self.weight_regularizer_l2 = weight_regularizer_l2
        self.bias_regularizer_l1 = bias_regularizer_l1
        self.bias_regularizer_l2 = bias_regularizer_l2
        rates = {
            "weights": (weight_regularizer_l1, weight_regularizer_l2),
            "biases": (bias_regularizer_l1, bias_regularizer_l2),
        }
        penalties: dict[str, Penalty | tuple[Penalty, ...]] = {
            name: tuple(kind(rate) for kind, rate in zip((_BookL1, L2), pair, strict=True) if rate)
            for name, pair in rates.items()
        }
        super().__init__(n_inputs, n_neurons, penalties=penalties)
        self.weights = 0.01 * _randn(n_inputs, n_neurons)  # (I,N)
        self.biases = np.zeros((1, n_neurons), dtype=_current.dtype)  # (1,N)

    def backward(self, dvalues: NDArray[Any]) -> NDArray[Any]:
        """`.dweights`, `.dbiases` and `.dinputs`, the penalties' gradients included."""
        super().backward(dvalues)
        for name, penalty in self._penalties():
            gradient = penalty.pure_backward(self.xp, 1, getattr(self, name))["dparameter"]
            setattr(self, f"d{name}", getattr(self, f"d{name}") + gradient)
        return self.dinputs  # type: ignore[no-any-return]

    def regularization_loss(self) -> Any:
        """The sum of the layer's penalties."""
        return sum(penalty.pure_forward(self.xp, getattr(self, name)) for name, penalty in self._penalties())

    def _penalties(self) -> Iterator[tuple[str, Penalty]]:
        for name, penalties in self.penalty_terms().items():
            for penalty in penalties:
                yield name, penalty

    def get_parameters(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Weights and biases."""
        return self.weights, self.biases

    def set_parameters(self, weights: NDArray[Any], biases: NDArray[Any]) -> None:
        """Replace weights and biases."""
        self.weights, self.biases = weights, biases


class Layer_Dropout(_BookLayer, layers.Dropout):
    """Dropout by the book's mask: binomial numbers from its stream, divided by the share that is kept.

    >>> init()
    >>> layer = Layer_Dropout(0.5)
    >>> layer.forward(np.array([[1.0, 2.0, 3.0, 4.0]]), training=True)
    array([[2., 4., 6., 8.]])
    """

    def forward(self, inputs: NDArray[Any], training: bool = True) -> NDArray[Any]:
        """The inputs times `.binary_mask`; in inference the inputs."""
        kept = 1 - self.rate
        self.inputs, self.training = inputs, training
        self.binary_mask = _current.stream.binomial(1, kept, size=inputs.shape) / kept if training else None
        self.output: NDArray[Any] = inputs * self.binary_mask if training else inputs.copy()
        return self.output

    def backward(self, dvalues: NDArray[Any]) -> NDArray[Any]:
        """`.dinputs`: the gradient times the same mask."""
        self.dinputs: NDArray[Any] = dvalues * self.binary_mask if self.training else dvalues.copy()
        return self.dinputs


class Layer_Input(_BookLayer, layers.Linear):
    """The data, as the first layer of a `Model`."""


class Activation_ReLU(_BookLayer, layers.ReLU):
    """`ReLU`.

    >>> layer = Activation_ReLU()
    >>> layer.forward(np.array([[1, -2]])), layer.backward(np.array([[5, 6]]))
    (array([[1, 0]]), array([[5, 0]]))
    """


class Activation_Softmax(_BookLayer, layers.Softmax):
    """`Softmax`, whose backward pass is the book's: one Jacobian for each sample, times that sample's gradient.

    >>> init(dot_precision_workaround=False)
    >>> layer = Activation_Softmax()
    >>> layer.output = np.array([[0.7, 0.1, 0.2]])
    >>> layer.backward(np.array([[1.0, 0.0, 0.0]]))
    array([[ 0.21, -0.07, -0.14]])
    """

    def pure_backward(self, xp, dvalues, output):  # output = exp(inputs) / sum(exp(inputs))
        dinputs = np.empty_like(dvalues)  # (B,C)
        for index, (single_output, single_dvalues) in enumerate(zip(output, dvalues, strict=True)):
            column = single_output.reshape(-1, 1)  # (C,1)
            jacobian = np.diagflat(column) - xp.matmul(column, column.T)  # (C,C)
            dinputs[index] = xp.matmul(jacobian, single_dvalues)  # (C,C)(C,) -> (C,)
        return dict(dinputs=dinputs)

    def predictions(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """The class with the largest output."""
        return np.asarray(np.argmax(outputs, axis=1))


class Activation_Sigmoid(_BookLayer, layers.Sigmoid):
    """`Sigmoid`.

    >>> Activation_Sigmoid().forward(np.array([[0.0]]))
    array([[0.5]])
    """

    def pure_forward(self, xp, inputs):
        return 1 / (1 + xp.exp(-inputs))  # ... -> ..., the book's form

    def predictions(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """1 where the output is above one half, else 0."""
        return (outputs > 0.5) * 1


class Activation_Linear(_BookLayer, layers.Linear):
    """The inputs as they are.

    >>> Activation_Linear().forward(np.array([[2.0]]))
    array([[2.]])
    """


# Losses


class Loss:
    """Base of the losses: sample losses to the batch's loss, running totals for an epoch, and regularization."""

    pair: ClassVar[losses.Loss]

    def __init__(self) -> None:
        self.trainable_layers: list[Any] = []
        self.new_pass()

    def forward(self, y_pred: NDArray[Any], y_true: NDArray[Any]) -> Any:
        """One loss for each sample, (B,)."""
        targets = self._targets(y_pred, y_true)
        return self.pair.forward_pass(_current.xp, y_pred, targets)[0]

    def backward(self, dvalues: NDArray[Any], y_true: NDArray[Any]) -> None:
        """`.dinputs` = dL/d(predictions) of the mean over the batch; `dvalues` are the predictions."""
        targets = self._targets(dvalues, y_true)
        available = {"predictions": dvalues, "targets": targets}
        self.dinputs = self.pair.run_backward(_current.xp, 1, available)["predictions"] / len(dvalues)

    def calculate(self, output: NDArray[Any], y: NDArray[Any], *, include_regularization: bool = False) -> Any:
        """The mean of the sample losses; with `include_regularization` also the regularization loss."""
        sample_losses = self.forward(output, y)
        data_loss = np.mean(sample_losses)
        self.accumulated_sum += np.sum(sample_losses)
        self.accumulated_count += len(sample_losses)
        return (data_loss, self.regularization_loss()) if include_regularization else data_loss

    def calculate_accumulated(self, *, include_regularization: bool = False) -> Any:
        """The mean of all sample losses since `new_pass`."""
        data_loss = self.accumulated_sum / self.accumulated_count
        return (data_loss, self.regularization_loss()) if include_regularization else data_loss

    def new_pass(self) -> None:
        """Start the totals from zero."""
        self.accumulated_sum: Any = 0
        self.accumulated_count = 0

    def remember_trainable_layers(self, trainable_layers: list[Any]) -> None:
        """The layers whose penalties `regularization_loss()` adds."""
        self.trainable_layers = trainable_layers

    def regularization_loss(self, layer: Any = None) -> Any:
        """The penalties of one layer, or of all remembered ones."""
        chosen = self.trainable_layers if layer is None else [layer]
        return sum(each.regularization_loss() for each in chosen)

    def _targets(self, y_pred: NDArray[Any], y_true: NDArray[Any]) -> NDArray[Any]:
        y_true = np.asarray(y_true)
        indices = isinstance(self.pair, losses.CategoricalCrossentropy) and y_true.ndim == 1
        dtype = _current.dtype if indices else np.result_type(y_true, y_pred)
        return self.pair.prepare(y_true, y_pred.shape, dtype=dtype)[0]


class Loss_CategoricalCrossentropy(Loss):
    """`CategoricalCrossentropy`; the clip is in both passes, so that a probability of 0 gives a finite gradient.

    >>> loss = Loss_CategoricalCrossentropy()
    >>> loss.backward(np.array([[0.5, 0.0], [0.25, 0.75]]), np.array([0, 0]))
    >>> loss.dinputs
    array([[-1., -0.],
           [-2., -0.]])
    """

    pair = losses.CategoricalCrossentropy()


class Loss_BinaryCrossentropy(Loss):
    """`BinaryCrossentropy`.

    >>> float(Loss_BinaryCrossentropy().calculate(np.array([[0.5]]), np.array([[1]])).round(6))
    0.693147
    """

    pair = losses.BinaryCrossentropy()


class Loss_MeanSquaredError(Loss):
    """`MeanSquaredError`.

    >>> float(Loss_MeanSquaredError().calculate(np.array([[3.0]]), np.array([[1.0]])))
    4.0
    """

    pair = losses.MeanSquaredError()


class Loss_MeanAbsoluteError(Loss):
    """`MeanAbsoluteError`, with the sign that the book has wrong: dL/dp = sign(p - y).

    >>> loss = Loss_MeanAbsoluteError()
    >>> loss.backward(np.array([[3.0]]), np.array([[1.0]]))
    >>> loss.dinputs                                            # a larger prediction is a larger loss
    array([[1.]])
    """

    pair = losses.MeanAbsoluteError()


class Activation_Softmax_Loss_CategoricalCrossentropy:
    """Softmax and cross-entropy in one: the gradient by the softmax's inputs is (p - y) / B.

    >>> both = Activation_Softmax_Loss_CategoricalCrossentropy()
    >>> both.backward(np.array([[0.75, 0.25]]), np.array([0]))
    >>> both.dinputs
    array([[-0.25,  0.25]])
    """

    def __init__(self) -> None:
        self.activation = Activation_Softmax()
        self.loss = Loss_CategoricalCrossentropy()

    def forward(self, inputs: NDArray[Any], y_true: NDArray[Any]) -> Any:
        """Set `.output` to the probabilities; returns the loss of the batch."""
        self.output = self.activation.forward(inputs)
        return self.loss.calculate(self.output, y_true)

    def backward(self, dvalues: NDArray[Any], y_true: NDArray[Any]) -> None:
        """`.dinputs` from the probabilities, which the book passes as `dvalues`."""
        targets = self.loss._targets(dvalues, y_true)
        available = {"probabilities": dvalues, "targets": targets}
        fused = losses.SoftmaxCrossentropy().run_backward(_current.xp, 1, available)
        self.dinputs = fused["predictions"] / len(dvalues)


# Optimizers


class _BookSGD(optimizers.SGD):
    """The book's velocity includes the learning rate of its time."""

    def pure_update(self, xp, step, rate, parameter, gradient, velocity=None):
        if not self.momentum:
            return parameter - rate * gradient, dict()
        velocity = self.momentum * velocity - rate * gradient
        return parameter + velocity, dict(velocity=velocity)


class _BookOptimizer:
    """An update rule as the book uses it: before, once for each layer, after; the slots live on the layers."""

    rule: optimizers.Optimizer
    learning_rate: float
    decay: float
    slot_names: ClassVar[dict[str, str]] = {"velocity": "momentums", "momentum": "momentums", "cache": "cache"}

    def _start(self, rule: optimizers.Optimizer, learning_rate: float, decay: float) -> None:
        self.rule, self.learning_rate, self.decay = rule, learning_rate, decay
        self.current_learning_rate = learning_rate
        self.iterations = 0

    def pre_update_params(self) -> None:
        """Call once before the updates: the decayed learning rate."""
        if self.decay:
            self.current_learning_rate = self.learning_rate * (1.0 / (1.0 + self.decay * self.iterations))

    def update_params(self, layer: Any) -> None:
        """Update the weights and biases of one layer."""
        for name, prefix in (("weights", "weight"), ("biases", "bias")):
            parameter, gradient = getattr(layer, name), getattr(layer, f"d{name}")
            attributes = {slot: f"{prefix}_{self.slot_names[slot]}" for slot in self.rule.carried()}
            slots = [getattr(layer, attribute, np.zeros_like(parameter)) for attribute in attributes.values()]
            updated, moved = self.rule.pure_update(
                np, self.iterations, self.current_learning_rate, parameter, gradient, *slots
            )
            setattr(layer, name, updated.astype(parameter.dtype, copy=False))
            for slot, attribute in attributes.items():
                setattr(layer, attribute, moved[slot])

    def post_update_params(self) -> None:
        """Call once after the updates."""
        self.iterations += 1


class Optimizer_SGD(_BookOptimizer):
    """Gradient descent with the book's momentum, velocity ← momentum · velocity - rate · gradient.

    >>> layer, optimizer = Layer_Dense(1, 1), Optimizer_SGD(learning_rate=0.5)
    >>> layer.weights, layer.dweights, layer.dbiases = np.array([[1.0]]), np.array([[4.0]]), np.array([[0.0]])
    >>> optimizer.pre_update_params(); optimizer.update_params(layer); optimizer.post_update_params()
    >>> layer.weights
    array([[-1.]])
    """

    def __init__(self, learning_rate: float = 1.0, decay: float = 0.0, momentum: float = 0.0) -> None:
        self.momentum = momentum
        self._start(_BookSGD(learning_rate, momentum=momentum), learning_rate, decay)


class Optimizer_Adagrad(_BookOptimizer):
    """`Adagrad` with the book's defaults."""

    def __init__(self, learning_rate: float = 1.0, decay: float = 0.0, epsilon: float = 1e-7) -> None:
        self.epsilon = epsilon
        self._start(optimizers.Adagrad(learning_rate, epsilon=epsilon), learning_rate, decay)


class Optimizer_RMSprop(_BookOptimizer):
    """`RMSprop` with the book's defaults."""

    def __init__(
        self, learning_rate: float = 0.001, decay: float = 0.0, epsilon: float = 1e-7, rho: float = 0.9
    ) -> None:
        self.epsilon, self.rho = epsilon, rho
        self._start(optimizers.RMSprop(learning_rate, epsilon=epsilon, rho=rho), learning_rate, decay)


class Optimizer_Adam(_BookOptimizer):
    """`Adam` with the book's defaults."""

    def __init__(
        self,
        learning_rate: float = 0.001,
        decay: float = 0.0,
        epsilon: float = 1e-7,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
    ) -> None:
        self.epsilon, self.beta_1, self.beta_2 = epsilon, beta_1, beta_2
        rule = optimizers.Adam(learning_rate, epsilon=epsilon, beta_1=beta_1, beta_2=beta_2)
        self._start(rule, learning_rate, decay)


# Accuracy


class Accuracy:
    """Base of the accuracies: the share of comparisons that hold, and running totals for an epoch."""

    def __init__(self) -> None:
        self.new_pass()

    def init(self, y: NDArray[Any], reinit: bool = False) -> None:
        """Prepare for targets; nothing to do unless a subclass says so."""

    def compare(self, predictions: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        """Whether each prediction counts as right."""
        raise NotImplementedError

    def calculate(self, predictions: NDArray[Any], y: NDArray[Any]) -> Any:
        """The share of right predictions."""
        comparisons = self.compare(predictions, y)
        self.accumulated_sum += np.sum(comparisons)
        self.accumulated_count += len(comparisons)
        return np.mean(comparisons)

    def calculate_accumulated(self) -> Any:
        """The share of right predictions since `new_pass`."""
        return self.accumulated_sum / self.accumulated_count

    def new_pass(self) -> None:
        """Start the totals from zero."""
        self.accumulated_sum: Any = 0
        self.accumulated_count = 0


class Accuracy_Categorical(Accuracy):
    """For classes: the prediction is the target. `binary=True` for outputs of 0 and 1.

    >>> float(Accuracy_Categorical().calculate(np.array([0, 1]), np.array([0, 2])))
    0.5
    """

    def __init__(self, *, binary: bool = False) -> None:
        super().__init__()
        self.binary = binary

    def compare(self, predictions: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        """Equality; one-hot targets are turned into class indices."""
        if not self.binary and y.ndim == 2:
            y = np.argmax(y, axis=1)
        return np.asarray(predictions == y)


class Accuracy_Regression(Accuracy):
    """For values: the prediction is within std(y) / 250 of the target.

    >>> accuracy = Accuracy_Regression()
    >>> accuracy.init(np.array([[0.0], [500.0]]))               # std(y) / 250 = 1
    >>> float(accuracy.calculate(np.array([[0.5], [498.0]]), np.array([[0.0], [500.0]])))
    0.5
    """

    def __init__(self) -> None:
        super().__init__()
        self.precision: Any = None

    def init(self, y: NDArray[Any], reinit: bool = False) -> None:
        """Set the precision from the spread of the targets, once, or again with `reinit`."""
        if self.precision is None or reinit:
            self.precision = np.std(y) / 250

    def compare(self, predictions: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        """Nearness."""
        return np.asarray(np.absolute(predictions - y) < self.precision)


# The Model of the last chapters


class Model:
    """The book's model: `add` layers, `set` loss, optimizer and accuracy, `finalize`, then `train` in batches.

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
        """Set the loss, the optimizer and the accuracy; what is left out stays."""
        self.loss = loss if loss is not None else self.loss
        self.optimizer = optimizer if optimizer is not None else self.optimizer
        self.accuracy = accuracy if accuracy is not None else self.accuracy

    def finalize(self) -> None:
        """Collect the layers with parameters, and use the short gradient where softmax meets cross-entropy."""
        if not self.layers:
            raise ConfigurationError("Model: add layers before finalize().")
        self.input_layer = Layer_Input()
        self.output_layer_activation = self.layers[-1]
        self.trainable_layers = [layer for layer in self.layers if isinstance(layer, Layer_Dense)]
        if self.loss is not None:
            self.loss.remember_trainable_layers(self.trainable_layers)
        softmax = isinstance(self.layers[-1], Activation_Softmax)
        if softmax and isinstance(self.loss, Loss_CategoricalCrossentropy):
            self.softmax_classifier_output = Activation_Softmax_Loss_CategoricalCrossentropy()

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
        """Train, printing every `print_every`-th step, each epoch's totals, and the validation after each epoch."""
        self.accuracy.init(y)
        for epoch in range(1, epochs + 1):
            print(f"epoch: {epoch}")
            self.loss.new_pass()
            self.accuracy.new_pass()
            batches = _batches(len(X), batch_size)
            for step, rows in enumerate(batches):
                output = self.forward(X[rows], training=True)
                losses = self.loss.calculate(output, y[rows], include_regularization=True)
                accuracy = self.accuracy.calculate(self.output_layer_activation.predictions(output), y[rows])
                self.backward(output, y[rows])
                self.optimizer.pre_update_params()
                for layer in self.trainable_layers:
                    self.optimizer.update_params(layer)
                self.optimizer.post_update_params()
                if not step % print_every or step == len(batches) - 1:
                    self._report(f"step: {step}", accuracy, *losses)
            totals = self.loss.calculate_accumulated(include_regularization=True)
            self._report("training", self.accuracy.calculate_accumulated(), *totals)
            if validation_data is not None:
                self.evaluate(*validation_data, batch_size=batch_size)

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
            output = layer.forward(output, training)
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
            dvalues = layer.backward(dvalues)

    def get_parameters(self) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        """Weights and biases of every layer that has them."""
        return [layer.get_parameters() for layer in self.trainable_layers]

    def set_parameters(self, parameters: list[tuple[NDArray[Any], NDArray[Any]]]) -> None:
        """Replace weights and biases of every layer that has them."""
        for values, layer in zip(parameters, self.trainable_layers, strict=True):
            layer.set_parameters(*values)

    def save_parameters(self, path: str) -> None:
        """Write the parameters as a safetensors file, at exactly this path."""
        save_arrays(path, self._arrays(), {"format": _PARAMETERS})

    def load_parameters(self, path: str) -> None:
        """Read what `save_parameters` wrote. Raises `FileFormatError` where it does not fit this model."""
        arrays, metadata = load_arrays(path)
        _require_format(path, metadata, _PARAMETERS)
        self._set_arrays(path, arrays)

    def save(self, path: str) -> None:
        """Write the whole model, its layers and settings included, as a safetensors file."""
        parts = {"layers": self.layers, "loss": self.loss, "optimizer": self.optimizer, "accuracy": self.accuracy}
        described = {
            name: [_description(p) for p in part] if isinstance(part, list) else _description(part)
            for name, part in parts.items()
        }
        save_arrays(path, self._arrays(), {"format": _MODEL, "model": json.dumps(described)})

    @staticmethod
    def load(path: str) -> Model:
        """Read what `save` wrote: a model that is ready to predict and to train on, with fresh optimizer slots."""
        arrays, metadata = load_arrays(path)
        _require_format(path, metadata, _MODEL)
        described = json.loads(metadata["model"])
        model = Model()
        for layer in described["layers"]:
            model.add(_built(path, layer))
        model.set(**{name: _built(path, described[name]) for name in ("loss", "optimizer", "accuracy")})
        model.finalize()
        model._set_arrays(path, arrays)
        return model

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            f"{index}.{name}": array
            for index, values in enumerate(self.get_parameters())
            for name, array in zip(("weights", "biases"), values, strict=True)
        }

    def _set_arrays(self, path: str, arrays: dict[str, NDArray[Any]]) -> None:
        for name, array in self._arrays().items():
            if name not in arrays or len(arrays) != len(self._arrays()):
                raise FileFormatError(
                    f"{path} holds the parameters {sorted(arrays)}, expected {sorted(self._arrays())}."
                )
            if arrays[name].shape != array.shape:
                raise FileFormatError(f"{path}: {name} has shape {arrays[name].shape}, expected {array.shape}.")
        self.set_parameters(
            [(arrays[f"{i}.weights"], arrays[f"{i}.biases"]) for i in range(len(self.trainable_layers))]
        )


_PARAMETERS, _MODEL = "chainrule.book parameters 1", "chainrule.book model 1"


def _batches(samples: int, batch_size: int | None) -> list[slice]:
    size = batch_size or max(samples, 1)
    return [slice(start, start + size) for start in range(0, max(samples, 1), size)]


def _require_format(path: str, metadata: dict[str, str], expected: str) -> None:
    if metadata.get("format") != expected:
        raise FileFormatError(f"{path} holds {metadata.get('format', 'something else')!r}, expected {expected!r}.")


def _description(part: Any) -> list[Any] | None:
    """The class's name and the arguments that would make the object again: its attributes of the same names."""
    if part is None:
        return None
    names = inspect.signature(type(part)).parameters
    return [type(part).__name__, {name: getattr(part, name) for name in names}]


def _built(path: str, description: list[Any] | None) -> Any:
    if description is None:
        return None
    name, arguments = description
    known = [n for n in __all__ if n.startswith(("Layer_", "Activation_", "Loss_", "Optimizer_", "Accuracy_"))]
    if name not in known:
        raise FileFormatError(f"{path} names the class {name!r}; known are {', '.join(known)}.")
    return globals()[name](**arguments)
