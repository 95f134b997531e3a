"""Backward passes as people write them elsewhere: other names, other places for parameters, other signatures.

Each is right; `wrong` is the same with its (parameter's) gradient negated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

rng = np.random.default_rng(0)
SIGN = {"now": 1.0}  # what every gradient below is multiplied by


def signed(array: Any) -> Any:
    return SIGN["now"] * array


class ParamsAndGrads:
    def __init__(self):
        self.params, self.grads = {"W": rng.normal(size=(4, 3)), "b": np.zeros(3)}, {}

    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, d):
        self.grads["W"], self.grads["b"] = signed(self.x.T @ d), d.sum(0)
        return d @ self.params["W"].T


class GradNames:
    def __init__(self):
        self.W1, self.b1 = rng.normal(size=(4, 3)), np.zeros(3)

    def forward(self, x):
        self.x = x
        return x @ self.W1 + self.b1

    def backward(self, d):
        self.grad_W1, self.grad_b1 = signed(self.x.T @ d), d.sum(0)
        return d @ self.W1.T


class Returned(GradNames):
    def backward(self, d):
        return d @ self.W1.T, signed(self.x.T @ d), d.sum(0)


class ReturnedInOrder:
    def __init__(self, n_inputs, n_neurons):
        self.weights, self.biases = 0.1 * rng.normal(size=(n_inputs, n_neurons)), np.zeros(n_neurons)

    def forward(self, x):
        self.x = x
        return x @ self.weights + self.biases

    def backward(self, d):
        return d @ self.weights.T, signed(self.x.T @ d), d.sum(0)


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW, self.db = signed(np.dot(self.x.T, dout)), dout.sum(0)
        return np.dot(dout, self.W.T)


class Lazy:
    W = None

    def forward(self, x):
        if self.W is None:
            self.W, self.b = np.random.default_rng(1).normal(size=(x.shape[1], 3)), np.zeros(3)
        self.x = x
        return x @ self.W + self.b

    def backward(self, d):
        self.dW, self.db, self.dinputs = signed(self.x.T @ d), d.sum(0), d @ self.W.T


class ScalarParameter:
    def __init__(self):
        self.alpha = 0.25

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.alpha * x)

    def backward(self, d):
        self.dalpha = signed(np.sum(np.where(self.x > 0, 0, d * self.x)))
        return np.where(self.x > 0, d, self.alpha * d)


class ClassAttribute:
    W = rng.normal(size=(4, 3))

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, d):
        self.dW = signed(self.x.T @ d)
        return d @ self.W.T


class Slots:
    __slots__ = ("W", "dW", "dinputs", "output", "x")

    def __init__(self):
        self.W = rng.normal(size=(4, 3))

    def forward(self, inputs):
        self.x = inputs
        self.output = inputs @ self.W

    def backward(self, dvalues):
        self.dW, self.dinputs = signed(self.x.T @ dvalues), dvalues @ self.W.T


class Inner:
    def __init__(self, a, b):
        self.weights = 0.3 * rng.normal(size=(a, b))

    def forward(self, x):
        self.inputs = x
        return x @ self.weights

    def backward(self, d):
        self.dweights = signed(self.inputs.T @ d)
        return d @ self.weights.T


class ListOfLayers:
    def __init__(self):
        self.layers = [Inner(4, 6), Inner(6, 3)]

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, d):
        for layer in reversed(self.layers):
            d = layer.backward(d)
        return d


class NamedX:
    def forward(self, x):
        self.x = x
        self.out = np.tanh(x)

    def backward(self, d):
        self.dx = signed(d * (1 - self.out**2))


class KerasOrder:
    def forward(self, y_true, y_pred):
        return np.mean((y_pred - y_true) ** 2)

    def backward(self, y_true, y_pred):
        return signed(2 * (y_pred - y_true) / y_pred.size)


class StoresElementwise:
    def forward(self, y_pred, y_true):
        self.output = (y_pred - y_true) ** 2
        return np.mean(self.output)

    def backward(self, y_pred, y_true):
        return signed(2 * (y_pred - y_true) / y_pred.size)


class SoftmaxWithLoss:
    def forward(self, x, t):
        self.t = np.eye(x.shape[1])[t] if t.ndim == 1 else t
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = e / e.sum(axis=1, keepdims=True)
        return -np.sum(self.t * np.log(self.y)) / len(x)

    def backward(self, dout=1):
        return signed(dout * (self.y - self.t) / len(self.t))


class LossWithoutArguments:
    def forward(self, p, t):
        self.p, self.t = p, t
        return np.mean((p - t) ** 2)

    def backward(self):
        return signed(2 * (self.p - self.t) / self.p.size)


class WeightedCrossentropy:
    def __init__(self):
        self.weights = np.array([1.0, 2, 3, 0.5])

    def forward(self, y_pred, y_true):
        clipped = np.clip(y_pred, 1e-7, 1 - 1e-7)
        return -self.weights[y_true] * np.log(clipped[np.arange(len(y_pred)), y_true])

    def backward(self, dvalues, y_true):
        gradient, rows = np.zeros_like(dvalues), np.arange(len(dvalues))
        gradient[rows, y_true] = -self.weights[y_true] / np.clip(dvalues, 1e-7, 1 - 1e-7)[rows, y_true]
        self.dinputs = signed(gradient / len(gradient))


class PairMaximum:
    def forward(self, a, b):
        self.mask = a >= b
        return np.maximum(a, b)

    def backward(self, d):
        return signed(d * self.mask), d * ~self.mask


class TopTwo:
    def forward(self, x):
        self.places, self.shape = np.argsort(x, axis=1)[:, -2:], x.shape
        return np.take_along_axis(x, self.places, 1)

    def backward(self, d):
        gradient = np.zeros(self.shape)
        np.put_along_axis(gradient, self.places, d, 1)
        return signed(gradient)


class MaxPool:
    def forward(self, x):
        self.x = x
        pairs = x.reshape(len(x), -1, 2)
        self.places = pairs.argmax(2)
        return np.take_along_axis(pairs, self.places[..., None], 2)[..., 0]

    def backward(self, d):
        gradient = np.zeros((*d.shape, 2))
        np.put_along_axis(gradient, self.places[..., None], d[..., None], 2)
        return signed(gradient.reshape(self.x.shape))


class BatchNormWithTrain:
    def __init__(self):
        self.mean, self.variance = np.zeros(4), np.full(4, 2.0)

    def forward(self, x, train=True):
        m, v = (x.mean(0), ((x - x.mean(0)) ** 2).mean(0)) if train else (self.mean, self.variance)
        self.train, self.std = train, np.sqrt(v + 1e-5)
        self.normalized = (x - m) / self.std
        return self.normalized

    def backward(self, d):
        n = self.normalized
        means = (d.mean(0), (d * n).mean(0)) if self.train else (0.0, 0.0)
        return signed((d - means[0] - n * means[1]) / self.std)


class SelfAttention:
    def forward(self, x):
        self.x = x
        z = x @ x.T
        e = np.exp(z - z.max(axis=1, keepdims=True))
        self.a = e / e.sum(axis=1, keepdims=True)
        return self.a @ x

    def backward(self, d):
        da = d @ self.x.T
        dz = self.a * (da - np.sum(da * self.a, axis=1, keepdims=True))
        return signed(self.a.T @ d + dz @ self.x + dz.T @ self.x)


class RefusesZero:
    def forward(self, x):
        if (x == 0).any():
            raise ZeroDivisionError("0 has no reciprocal")
        self.x = x
        return 1 / x

    def backward(self, d):
        return signed(-d / self.x**2)


STYLES: dict[str, tuple[Any, dict[str, Any]]] = {
    kind.__name__: (kind, {})
    for kind in (
        ParamsAndGrads,
        GradNames,
        Returned,
        ReturnedInOrder,
        Affine,
        Lazy,
        ScalarParameter,
        ClassAttribute,
        Slots,
        ListOfLayers,
        NamedX,
        KerasOrder,
        StoresElementwise,
        SoftmaxWithLoss,
        LossWithoutArguments,
        WeightedCrossentropy,
        PairMaximum,
        TopTwo,
        MaxPool,
        BatchNormWithTrain,
        SelfAttention,
        RefusesZero,
    )
}
