"""Planted faults: correct backward passes, each broken in one way, with the diagnosis that must come first.

The correct forms are written here the book's way, as students write them; a fault overrides one method of one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule import BatchNorm, Dense, Layer, Loss, Penalty, ReLU, Sigmoid, Softmax, Tanh
from chainrule.layer import Declared

# Correct classes, the book's way


class BookDense:
    def __init__(self, n_inputs: int, n_neurons: int) -> None:
        rng = np.random.default_rng(3)
        self.weights = 0.1 * rng.normal(size=(n_inputs, n_neurons))
        self.biases = np.zeros((1, n_neurons))

    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases

    def backward(self, dvalues):
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        self.dinputs = np.dot(dvalues, self.weights.T)


class BookRegularized(BookDense):
    def __init__(self, n_inputs: int, n_neurons: int, l1: float = 0.0, l2: float = 0.1) -> None:
        super().__init__(n_inputs, n_neurons)
        self.weight_regularizer_l1, self.weight_regularizer_l2 = l1, l2
        self.bias_regularizer_l1, self.bias_regularizer_l2 = 0.0, l2

    def backward(self, dvalues):
        super().backward(dvalues)
        if self.weight_regularizer_l1 > 0:
            self.dweights += self.weight_regularizer_l1 * np.where(self.weights < 0, -1.0, 1.0)
        self.dweights += 2 * self.weight_regularizer_l2 * self.weights
        self.dbiases += 2 * self.bias_regularizer_l2 * self.biases


class BookReLU:
    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.maximum(0, inputs)

    def backward(self, dvalues):
        self.dinputs = dvalues.copy()
        self.dinputs[self.inputs <= 0] = 0


class BookSoftmax:
    def forward(self, inputs):
        self.inputs = inputs
        e = np.exp(inputs - np.max(inputs, axis=1, keepdims=True))
        self.output = e / np.sum(e, axis=1, keepdims=True)

    def backward(self, dvalues):
        self.dinputs = np.empty_like(dvalues)
        for index, (row, d) in enumerate(zip(self.output, dvalues, strict=True)):
            y = row.reshape(-1, 1)
            self.dinputs[index] = np.dot(np.diagflat(y) - np.dot(y, y.T), d)


class BookSigmoid:
    def forward(self, inputs):
        self.inputs = inputs
        self.output = 1 / (1 + np.exp(-inputs))

    def backward(self, dvalues):
        self.dinputs = dvalues * (1 - self.output) * self.output


class BookTanh:
    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.tanh(inputs)

    def backward(self, dvalues):
        self.dinputs = dvalues * (1 - self.output**2)


class BookSoftplus:
    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.log(1 + np.exp(inputs))

    def backward(self, dvalues):
        self.dinputs = dvalues / (1 + np.exp(-self.inputs))


class BookDropout:
    def __init__(self, rate: float) -> None:
        self.rate = 1 - rate

    def forward(self, inputs, training):
        self.inputs = inputs
        if not training:
            self.binary_mask = np.ones_like(inputs)
            self.output = inputs.copy()
            return
        kept = np.random.binomial(1, self.rate, size=inputs.shape)  # noqa: NPY002, as students write it
        self.binary_mask = kept / self.rate
        self.output = inputs * self.binary_mask

    def backward(self, dvalues):
        self.dinputs = dvalues * self.binary_mask


class BookSkip:
    """output = inputs + dense(inputs): a fork."""

    def __init__(self, n_inputs: int) -> None:
        self.dense = BookDense(n_inputs, n_inputs)

    def forward(self, inputs):
        self.dense.forward(inputs)
        self.output = inputs + self.dense.output

    def backward(self, dvalues):
        self.dense.backward(dvalues)
        self.dinputs = dvalues + self.dense.dinputs


class BookTwoBranches:
    """output = left(inputs) + right(inputs)."""

    def __init__(self, n_inputs: int, n_neurons: int) -> None:
        self.left, self.right = BookDense(n_inputs, n_neurons), BookDense(n_inputs, n_neurons)
        self.right.weights = 2 * self.right.weights[::-1].copy()

    def forward(self, inputs):
        self.left.forward(inputs)
        self.right.forward(inputs)
        self.output = self.left.output + self.right.output

    def backward(self, dvalues):
        self.left.backward(dvalues)
        self.right.backward(dvalues)
        self.dinputs = self.left.dinputs + self.right.dinputs


class BookLayerNorm:
    def __init__(self, n_inputs: int) -> None:
        self.gamma, self.beta = np.ones((1, n_inputs)), np.zeros((1, n_inputs))

    def forward(self, inputs):
        self.inputs = inputs
        centered = inputs - inputs.mean(axis=1, keepdims=True)
        self.inverse_std = 1 / np.sqrt((centered * centered).mean(axis=1, keepdims=True) + 1e-5)
        self.normalized = centered * self.inverse_std
        self.output = self.gamma * self.normalized + self.beta

    def backward(self, dvalues):
        d = dvalues * self.gamma
        means = d.mean(axis=1, keepdims=True), (d * self.normalized).mean(axis=1, keepdims=True)
        self.dinputs = self.inverse_std * (d - means[0] - self.normalized * means[1])
        self.dgamma = np.sum(dvalues * self.normalized, axis=0, keepdims=True)
        self.dbeta = np.sum(dvalues, axis=0, keepdims=True)


def as_rows(y_true: Any, labels: int) -> Any:
    return np.eye(labels)[y_true] if len(y_true.shape) == 1 else y_true


class BookCategoricalCrossentropy:
    def forward(self, y_pred, y_true):
        clipped = np.clip(y_pred, 1e-7, 1 - 1e-7)
        return -np.log(np.sum(clipped * as_rows(y_true, y_pred.shape[1]), axis=1))

    def backward(self, dvalues, y_true):
        clipped = np.clip(dvalues, 1e-7, 1 - 1e-7)
        self.dinputs = -as_rows(y_true, dvalues.shape[1]) / clipped / len(dvalues)


class BookSoftmaxLoss:
    """Softmax and cross-entropy in one."""

    def __init__(self) -> None:
        self.activation, self.loss = BookSoftmax(), BookCategoricalCrossentropy()

    def forward(self, inputs, y_true):
        self.activation.forward(inputs)
        self.output = self.activation.output
        return np.mean(self.loss.forward(self.output, y_true))

    def backward(self, dvalues, y_true):
        samples = len(dvalues)
        if len(y_true.shape) == 2:
            y_true = np.argmax(y_true, axis=1)
        self.dinputs = dvalues.copy()
        self.dinputs[range(samples), y_true] -= 1
        self.dinputs = self.dinputs / samples


class BookBinaryCrossentropy:
    def forward(self, y_pred, y_true):
        p = np.clip(y_pred, 1e-7, 1 - 1e-7)
        return np.mean(-(y_true * np.log(p) + (1 - y_true) * np.log(1 - p)), axis=-1)

    def backward(self, dvalues, y_true):
        p = np.clip(dvalues, 1e-7, 1 - 1e-7)
        self.dinputs = -(y_true / p - (1 - y_true) / (1 - p)) / len(dvalues[0]) / len(dvalues)


class BookMeanSquaredError:
    def forward(self, y_pred, y_true):
        return np.mean((y_true - y_pred) ** 2, axis=-1)

    def backward(self, dvalues, y_true):
        self.dinputs = -2 * (y_true - dvalues) / len(dvalues[0]) / len(dvalues)


class BookMeanAbsoluteError:
    def forward(self, y_pred, y_true):
        return np.mean(np.abs(y_true - y_pred), axis=-1)

    def backward(self, dvalues, y_true):
        self.dinputs = np.sign(dvalues - y_true) / len(dvalues[0]) / len(dvalues)


CORRECT: dict[str, Callable[[], Any]] = {
    "dense": lambda: BookDense(4, 3),
    "regularized": lambda: BookRegularized(4, 3),
    "regularized-l1": lambda: BookRegularized(4, 3, l1=0.2, l2=0.05),
    "relu": BookReLU,
    "softmax": BookSoftmax,
    "sigmoid": BookSigmoid,
    "tanh": BookTanh,
    "softplus": BookSoftplus,
    "dropout": lambda: BookDropout(0.3),
    "skip": lambda: BookSkip(4),
    "two-branches": lambda: BookTwoBranches(4, 3),
    "layer-norm": lambda: BookLayerNorm(4),
    "crossentropy": BookCategoricalCrossentropy,
    "softmax-loss": BookSoftmaxLoss,
    "binary-crossentropy": BookBinaryCrossentropy,
    "squared": BookMeanSquaredError,
    "absolute": BookMeanAbsoluteError,
}


@dataclass(frozen=True)
class Fault:
    """A broken object and what `check` must say of it first."""

    make: Callable[[], Any]
    mistake: str
    options: dict[str, Any] = field(default_factory=dict)


def after(kind: Callable[[], Any], change: Callable[[Any, Any], None]) -> Callable[[], Any]:
    """The object of `kind` whose backward is followed by `change(object, dvalues)`."""

    def make() -> Any:
        item = kind()

        class Broken(type(item)):  # type: ignore[misc]
            def backward(self, dvalues):
                super().backward(dvalues)
                change(self, dvalues)

        Broken.__name__ = type(item).__name__
        item.__class__ = Broken
        return item

    return make


def sets(kind: str, **gradients: Callable[[Any, Any], Any]) -> Callable[[], Any]:
    """The correct object of that kind with some gradients replaced, each a function of (object, dvalues)."""

    def change(item: Any, dvalues: Any) -> None:
        for name, function in gradients.items():
            setattr(item, name, function(item, dvalues))

    return after(CORRECT[kind], change)


def loss(kind: str, gradient: Callable[[Any, Any], Any]) -> Callable[[], Any]:
    """The correct loss of that kind with another gradient, a function of (predictions, one-hot rows or values)."""

    def make() -> Any:
        item = CORRECT[kind]()

        class Broken(type(item)):  # type: ignore[misc]
            def backward(self, dvalues, y_true):
                rows = as_rows(y_true, dvalues.shape[1])
                self.dinputs = gradient(dvalues, rows)

        Broken.__name__ = type(item).__name__
        item.__class__ = Broken
        return item

    return make


def scaled(array: Any, index: Any, factor: float) -> Any:
    """A copy of the array with some of its entries multiplied."""
    changed = array.copy()
    changed[index] *= factor
    return changed


class Accumulating(BookDense):
    def __init__(self, n_inputs: int, n_neurons: int) -> None:
        super().__init__(n_inputs, n_neurons)
        self.dweights = np.zeros_like(self.weights)

    def backward(self, dvalues):
        self.dweights += np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        self.dinputs = np.dot(dvalues, self.weights.T)


class Stale(BookDense):
    def forward(self, inputs):
        if not hasattr(self, "inputs"):
            self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases


class StaleMask(BookReLU):
    def forward(self, inputs):
        self.output = np.maximum(0, inputs)
        if getattr(self, "inputs", np.zeros(0)).shape != inputs.shape:
            self.inputs = inputs.copy()


class Overwriting(BookReLU):
    def backward(self, dvalues):
        self.dinputs = dvalues
        self.dinputs[self.inputs <= 0] = 0


class OverwritingInputs(BookReLU):
    def forward(self, inputs):
        self.inputs = inputs.copy()
        inputs[inputs < 0] = 0
        self.output = inputs


class Updating(BookDense):
    def backward(self, dvalues):
        super().backward(dvalues)
        self.weights -= 0.01 * self.dweights


class Decaying(BookDense):
    def forward(self, inputs):
        super().forward(inputs)
        self.weights = self.weights * 0.9


class AtZero(BookReLU):
    def backward(self, dvalues):
        self.dinputs = dvalues * (self.inputs >= 0)


class NoBiases(BookDense):
    def backward(self, dvalues):
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dinputs = np.dot(dvalues, self.weights.T)


class AlwaysDropping(BookDropout):
    def forward(self, inputs, training):
        super().forward(inputs, True)


class KeepingTheMask(BookDropout):
    def forward(self, inputs, training):
        if training:
            super().forward(inputs, True)
        else:
            self.output = inputs.copy()

    def backward(self, dvalues):
        self.dinputs = dvalues * self.binary_mask if hasattr(self, "binary_mask") else dvalues.copy()


class Absolute:
    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.abs(inputs)

    def backward(self, dvalues):
        self.dinputs = dvalues * self.inputs / self.output


class SoftmaxOfAll(BookSoftmax):
    """Whole-batch softmax gradient: the dot product runs over all samples."""

    def backward(self, dvalues):
        self.dinputs = self.output * (dvalues - np.sum(dvalues * self.output))


class NativeDense(Dense):
    def pure_backward(self, xp, dvalues, inputs, weights):
        return dict(
            dinputs=xp.matmul(dvalues, weights.T),
            dweights=xp.matmul(inputs.T, dvalues) / inputs.shape[0],
            dbiases=xp.sum(dvalues, axis=0, keepdims=True),
        )


class NativeEntry(Dense):
    def pure_backward(self, xp, dvalues, inputs, weights):
        dweights = xp.matmul(inputs.T, dvalues)
        dweights[1, 2] *= 1.0005
        dinputs, dbiases = xp.matmul(dvalues, weights.T), xp.sum(dvalues, axis=0, keepdims=True)
        return dict(dinputs=dinputs, dweights=dweights, dbiases=dbiases)


class NativeReLU(ReLU):
    def pure_backward(self, xp, dvalues, inputs):
        return dict(dinputs=xp.where(inputs > 0, 0, dvalues))


class NativeSoftmax(Softmax):
    def pure_backward(self, xp, dvalues, output):
        return dict(dinputs=output * dvalues * (1 - output))


class NativeSigmoid(Sigmoid):
    def pure_backward(self, xp, dvalues, inputs):
        return dict(dinputs=dvalues * inputs * (1 - inputs))


class NativeTanh(Tanh):
    def pure_backward(self, xp, dvalues, output):
        return dict(dinputs=dvalues * (1 - xp.tanh(output) * xp.tanh(output)))


class NativeBatchNorm(BatchNorm):
    def pure_backward(self, xp, dvalues, normalized, inverse_std, gamma, training):
        return dict(
            dinputs=dvalues * gamma * inverse_std,
            dgamma=xp.sum(dvalues * normalized, axis=0, keepdims=True),
            dbeta=xp.sum(dvalues, axis=0, keepdims=True),
        )


class NativeScale(Layer):
    parameters = ("factor",)

    def declare(self):
        return {"factor": Declared((1, 1), lambda rng, shape: np.full(shape, 3.0))}

    def pure_forward(self, xp, inputs, factor):
        return inputs * factor

    def pure_backward(self, xp, dvalues, inputs, factor):
        return dict(dinputs=dvalues * factor, dfactor=xp.sum(dvalues * inputs, axis=0, keepdims=True))


class NativeSquared(Loss):
    def pure_forward(self, xp, predictions, targets):
        return xp.mean((predictions - targets) * (predictions - targets), axis=-1)

    def pure_backward(self, xp, dvalues, predictions, targets):
        return dict(dpredictions=2 * (predictions - targets) * dvalues)


class NativeL2(Penalty):
    def pure_forward(self, xp, parameter):
        return self.rate * xp.sum(parameter * parameter)

    def pure_backward(self, xp, dvalues, parameter):
        return dict(dparameter=dvalues * self.rate * parameter)


def affine_forward(x, w, b):
    return x @ w + b, (x, w, b)


def affine_backward(dout, cache):
    x, w, _ = cache
    return dout @ w.T, x.T @ dout, dout.mean(axis=0)


PAIR = {"x": np.ones((5, 4)), "w": np.ones((4, 3)), "b": np.ones(3)}

FAULTS: dict[str, Fault] = {
    # Signs and factors
    "dense-sign": Fault(sets("dense", dweights=lambda s, d: -s.dweights), "wrong_sign"),
    "tanh-sign": Fault(sets("tanh", dinputs=lambda s, d: -s.dinputs), "wrong_sign"),
    "book-absolute-error": Fault(loss("absolute", lambda p, t: np.sign(t - p) / p.shape[1] / len(p)), "wrong_sign"),
    "dense-mean-weights": Fault(sets("dense", dweights=lambda s, d: s.dweights / len(d)), "batch_mean_doubled"),
    "dense-mean-inputs": Fault(sets("dense", dinputs=lambda s, d: s.dinputs / len(d)), "batch_mean_doubled"),
    "dense-mean-biases": Fault(sets("dense", dbiases=lambda s, d: d.mean(axis=0, keepdims=True)), "mean_for_sum"),
    "softmax-loss-no-mean": Fault(loss("softmax-loss", lambda p, t: p - t), "batch_mean_missing"),
    "softmax-loss-mean-twice": Fault(loss("softmax-loss", lambda p, t: (p - t) / len(p) ** 2), "batch_mean_doubled"),
    "crossentropy-no-mean": Fault(loss("crossentropy", lambda p, t: -t / p), "batch_mean_missing"),
    "squared-no-feature-mean": Fault(loss("squared", lambda p, t: 2 * (p - t) / len(p)), "feature_mean_missing"),
    "squared-no-two": Fault(loss("squared", lambda p, t: (p - t) / p.shape[1] / len(p)), "constant_factor"),
    "dense-factor": Fault(sets("dense", dbiases=lambda s, d: 1.01 * s.dbiases), "constant_factor"),
    "dense-zeros": Fault(sets("dense", dbiases=lambda s, d: 0 * s.dbiases), "all_zeros"),
    # Products
    "dense-transposed-weights": Fault(sets("dense", dweights=lambda s, d: np.dot(d.T, s.inputs)), "transposed_product"),
    "dense-missing-transpose": Fault(sets("dense", dinputs=lambda s, d: np.dot(d, s.weights)), "missing_transpose"),
    "dense-missing-transpose-inputs": Fault(
        sets("dense", dweights=lambda s, d: np.dot(s.inputs, d)), "missing_transpose"
    ),
    "square-missing-transpose": Fault(
        after(lambda: BookDense(4, 4), lambda s, d: setattr(s, "dinputs", np.dot(d, s.weights))), "missing_transpose"
    ),
    "dense-broadcast": Fault(sets("dense", dbiases=lambda s, d: d), "broadcast_not_summed"),
    "dense-keepdims": Fault(sets("dense", dbiases=lambda s, d: d.sum(axis=0)), "keepdims_missing"),
    "dense-wrong-axis": Fault(sets("dense", dbiases=lambda s, d: d.sum(axis=1, keepdims=True)), "wrong_axis"),
    "native-broadcast": Fault(NativeScale, "broadcast_not_summed"),
    # The upstream gradient
    "relu-local-only": Fault(sets("relu", dinputs=lambda s, d: np.where(s.inputs > 0, 1.0, 0.0)), "missing_upstream"),
    "sigmoid-local-only": Fault(sets("sigmoid", dinputs=lambda s, d: s.output * (1 - s.output)), "missing_upstream"),
    "dense-local-only": Fault(
        sets("dense", dweights=lambda s, d: np.dot(s.inputs.T, np.ones_like(d))), "missing_upstream"
    ),
    "relu-twice": Fault(sets("relu", dinputs=lambda s, d: s.dinputs * d), "upstream_twice"),
    "tanh-twice": Fault(sets("tanh", dinputs=lambda s, d: s.dinputs * d), "upstream_twice"),
    "tanh-passed": Fault(sets("tanh", dinputs=lambda s, d: d.copy()), "missing_local_derivative"),
    # Gates
    "relu-inverted": Fault(sets("relu", dinputs=lambda s, d: np.where(s.inputs > 0, 0.0, d)), "gate_inverted"),
    "relu-gate-on-upstream": Fault(sets("relu", dinputs=lambda s, d: np.where(d > 0, d, 0.0)), "gate_on_upstream"),
    "relu-no-gate": Fault(sets("relu", dinputs=lambda s, d: d.copy()), "gate_missing"),
    "relu-at-zero": Fault(AtZero, "gate_at_zero"),
    "native-relu-inverted": Fault(NativeReLU, "gate_inverted"),
    # Softmax
    "softmax-diagonal": Fault(
        sets("softmax", dinputs=lambda s, d: d * s.output * (1 - s.output)), "missing_cross_terms"
    ),
    "native-softmax-diagonal": Fault(NativeSoftmax, "missing_cross_terms"),
    "softmax-passed": Fault(sets("softmax", dinputs=lambda s, d: d.copy()), "crossentropy_folded_in"),
    "softmax-minus": Fault(sets("softmax", dinputs=lambda s, d: s.output - d), "crossentropy_folded_in"),
    "softmax-no-factor": Fault(
        sets("softmax", dinputs=lambda s, d: d - np.sum(d * s.output, axis=1, keepdims=True)), "missing_factor"
    ),
    # The point of the derivative
    "sigmoid-at-input": Fault(
        sets("sigmoid", dinputs=lambda s, d: d * s.inputs * (1 - s.inputs)), "derivative_at_input"
    ),
    "tanh-at-input": Fault(sets("tanh", dinputs=lambda s, d: d * (1 - s.inputs**2)), "derivative_at_input"),
    "native-sigmoid-at-input": Fault(NativeSigmoid, "derivative_at_input"),
    "native-tanh-at-output": Fault(NativeTanh, "derivative_at_output"),
    "softplus-at-output": Fault(
        sets("softplus", dinputs=lambda s, d: d / (1 + np.exp(-s.output))), "derivative_at_output"
    ),
    # Losses
    "crossentropy-not-divided": Fault(loss("crossentropy", lambda p, t: -t / len(p)), "not_divided_by_prediction"),
    "crossentropy-clip-in-forward-only": Fault(
        loss("crossentropy", lambda p, t: -t / p / len(p)), "clip_in_forward_only"
    ),
    "binary-clip-in-forward-only": Fault(
        loss("binary-crossentropy", lambda p, t: -(t / p - (1 - t) / (1 - p)) / p.shape[1] / len(p)),
        "clip_in_forward_only",
    ),
    "crossentropy-activation-folded": Fault(
        loss("crossentropy", lambda p, t: (p - t) / len(p)), "activation_folded_in"
    ),
    "binary-activation-folded": Fault(
        loss("binary-crossentropy", lambda p, t: (p - t) / p.shape[1] / len(p)), "activation_folded_in"
    ),
    "softmax-loss-targets-left-out": Fault(loss("softmax-loss", lambda p, t: p / len(p)), "targets_not_subtracted"),
    "softmax-loss-class-after": Fault(
        loss("softmax-loss", lambda p, t: (p - np.roll(t, 1, axis=1)) / len(p)), "off_by_one_class"
    ),
    "crossentropy-class-before": Fault(
        loss("crossentropy", lambda p, t: -np.roll(t, -1, axis=1) / np.clip(p, 1e-7, 1) / len(p)), "off_by_one_class"
    ),
    "native-squared-no-feature-mean": Fault(NativeSquared, "feature_mean_missing"),
    "native-l2-factor": Fault(lambda: NativeL2(0.1), "constant_factor"),
    # Regularization, dropout, forks, normalization
    "regularization-missing": Fault(
        sets("regularized", dweights=lambda s, d: np.dot(s.inputs.T, d)), "regularization_missing"
    ),
    "regularization-factor": Fault(
        sets("regularized", dweights=lambda s, d: np.dot(s.inputs.T, d) + s.weight_regularizer_l2 * s.weights),
        "regularization_factor",
    ),
    "regularization-l1-missing": Fault(
        sets("regularized-l1", dweights=lambda s, d: np.dot(s.inputs.T, d)), "regularization_missing"
    ),
    "dropout-no-mask": Fault(sets("dropout", dinputs=lambda s, d: d.copy()), "mask_missing"),
    "dropout-no-scale": Fault(sets("dropout", dinputs=lambda s, d: d * (s.binary_mask > 0)), "mask_scale_missing"),
    "skip-one-branch": Fault(sets("skip", dinputs=lambda s, d: s.dense.dinputs), "branch_missing"),
    "skip-identity-only": Fault(sets("skip", dinputs=lambda s, d: d.copy()), "branch_missing"),
    "two-branches-one": Fault(sets("two-branches", dinputs=lambda s, d: s.left.dinputs), "branch_missing"),
    "layer-norm-constants": Fault(
        sets("layer-norm", dinputs=lambda s, d: d * s.gamma * s.inverse_std), "statistics_constant"
    ),
    "native-batch-norm-constants": Fault(lambda: NativeBatchNorm(3), "statistics_constant"),
    "softmax-over-the-batch": Fault(SoftmaxOfAll, "wrong_axis"),
    # Places
    "dense-one-entry": Fault(sets("dense", dweights=lambda s, d: scaled(s.dweights, (2, 1), 1.0005)), "one_entry"),
    "native-one-entry": Fault(lambda: NativeEntry(4, 3), "one_entry"),
    "large-one-entry": Fault(
        after(lambda: BookDense(60, 40), lambda s, d: setattr(s, "dweights", scaled(s.dweights, (33, 7), 1.0005))),
        "one_entry",
    ),
    "dense-one-row": Fault(sets("dense", dweights=lambda s, d: scaled(s.dweights, 1, 0.5)), "one_row"),
    "dense-one-column": Fault(
        sets("dense", dweights=lambda s, d: scaled(s.dweights, (slice(None), 2), 1.1)), "one_column"
    ),
    "relu-leaks-below": Fault(sets("relu", dinputs=lambda s, d: np.where(s.inputs > 0, d, 0.37 * d * d)), "one_region"),
    # What numbers do not show
    "accumulating": Fault(lambda: Accumulating(4, 3), "accumulated"),
    "stale-inputs": Fault(lambda: Stale(4, 3), "stale_cache"),
    "stale-mask": Fault(StaleMask, "stale_cache"),
    "overwrites-dvalues": Fault(Overwriting, "dvalues_overwritten"),
    "overwrites-inputs": Fault(OverwritingInputs, "inputs_overwritten"),
    "backward-updates": Fault(lambda: Updating(4, 3), "parameter_changed"),
    "forward-decays": Fault(lambda: Decaying(4, 3), "parameter_changed"),
    "no-dbiases": Fault(lambda: NoBiases(4, 3), "missing_gradient"),
    "always-dropping": Fault(lambda: AlwaysDropping(0.3), "random_inference"),
    "mask-in-inference": Fault(lambda: KeepingTheMask(0.3), "training_leaks"),
    "absolute-at-zero": Fault(Absolute, "not_finite_at_zero"),
    # Other ways of writing it
    "native-mean-weights": Fault(lambda: NativeDense(4, 3), "batch_mean_doubled"),
    "functions-mean-biases": Fault(lambda: (affine_forward, affine_backward), "mean_for_sum", {"inputs": PAIR}),
}
