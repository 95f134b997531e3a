"""What users write: layers, a loss, an optimizer, a penalty, a callback. Type checkers must find nothing to say.

Annotated and not, with settings and without, with extra arrays and with state: one of each kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import (
    L2,
    SGD,
    Callback,
    Constant,
    CosineDecay,
    Declared,
    Dense,
    Graph,
    Layer,
    Loss,
    Model,
    Optimizer,
    Penalty,
    ReLU,
    Sequential,
    SoftmaxCrossentropy,
    check,
    explain,
    loss_and_gradients,
    register,
    trace,
)
from chainrule.schedules import Schedule
from chainrule.training.callback import Fit


@register
@dataclass(eq=False)
class ParametricReLU(Layer):
    start: float = 0.25

    parameters = ("slope",)

    def declare(self):
        return {"slope": Declared((1, 1), Constant(self.start))}

    def pure_forward(self, xp, inputs, slope):
        return xp.where(inputs > 0, inputs, slope * inputs)

    def pure_backward(self, xp, dvalues, inputs, slope):
        below = xp.where(inputs > 0, 0, dvalues * inputs)
        return dict(
            dinputs=xp.where(inputs > 0, dvalues, slope * dvalues),
            dslope=xp.sum(xp.sum(below, axis=1, keepdims=True), axis=0, keepdims=True),
        )


class Swish(Layer):
    """Annotated, reads its output, keeps an extra array."""

    keeps = ("gate",)

    def pure_forward(self, xp: Any, inputs: Any) -> tuple[Any, dict[str, Any]]:
        gate = 1 / (1 + xp.exp(-inputs))
        return inputs * gate, {"gate": gate}

    def pure_backward(self, xp: Any, dvalues: Any, output: Any, gate: Any) -> dict[str, Any]:
        return dict(dinputs=dvalues * (gate + output * (1 - gate)))


class Centred(Layer):
    """With state, a mode and shapes; mixes samples."""

    state = ("mean",)
    mixes_samples = True

    def __init__(self, features: int) -> None:
        self.features = features

    def declare(self) -> dict[str, Declared]:
        return {"mean": Declared((1, self.features), lambda rng, shape: np.zeros(shape))}

    def input_shape(self) -> tuple[int, ...]:
        return (self.features,)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def pure_forward(self, xp: Any, inputs: Any, mean: Any, training: bool) -> Any:
        used = xp.mean(inputs, axis=0, keepdims=True) if training else mean
        return inputs - used, ({"next_mean": 0.9 * mean + 0.1 * used} if training else {})

    def pure_backward(self, xp: Any, dvalues: Any, training: bool) -> dict[str, Any]:
        return dict(dinputs=dvalues - xp.mean(dvalues, axis=0, keepdims=True) if training else dvalues)


class Product(Layer):
    """A join of two."""

    def pure_forward(self, xp: Any, inputs: tuple[Any, Any]) -> Any:
        one, other = inputs
        return one * other

    def pure_backward(self, xp: Any, dvalues: Any, inputs: tuple[Any, Any]) -> dict[str, Any]:
        one, other = inputs
        return dict(dinputs=(dvalues * other, dvalues * one))


class Jitter(Layer):
    """With noise, in training only."""

    def pure_forward(self, xp: Any, inputs: Any, noise: Any) -> Any:
        return inputs if noise is None else inputs * (0.9 + 0.2 * noise)

    def pure_backward(self, xp: Any, dvalues: Any, noise: Any) -> dict[str, Any]:
        return dict(dinputs=dvalues if noise is None else dvalues * (0.9 + 0.2 * noise))


@dataclass(frozen=True)
class Quartic(Loss):
    scale: float = 1.0

    def pure_forward(self, xp, predictions, targets):
        return self.scale * xp.mean((predictions - targets) ** 4, axis=1)

    def pure_backward(self, xp, dvalues, predictions, targets):
        share = dvalues / predictions.shape[1]  # dvalues (B,1)
        return dict(dpredictions=share * self.scale * 4 * (predictions - targets) ** 3)


class LogCosh(Loss):
    def pure_forward(self, xp: Any, predictions: Any, targets: Any) -> Any:
        return xp.mean(xp.log(xp.cosh(predictions - targets)), axis=1)

    def pure_backward(self, xp: Any, dvalues: Any, predictions: Any, targets: Any) -> dict[str, Any]:
        return dict(dpredictions=dvalues / predictions.shape[1] * xp.tanh(predictions - targets))


@dataclass(frozen=True)
class Lion(Optimizer):
    learning_rate: float | Schedule = 1e-4
    decay: float = 0.9

    def pure_update(self, xp, step, rate, parameter, gradient, momentum):
        momentum = self.decay * momentum + (1 - self.decay) * gradient
        return parameter - rate * xp.sign(momentum), dict(momentum=momentum)


class SignSGD(Optimizer):
    def pure_update(self, xp: Any, step: Any, rate: Any, parameter: Any, gradient: Any) -> Any:
        return parameter - rate * xp.sign(gradient), {}


class Smooth(Penalty):
    def pure_forward(self, xp: Any, parameter: Any) -> Any:
        return self.rate * xp.sum(parameter**4)

    def pure_backward(self, xp: Any, dvalues: Any, parameter: Any) -> dict[str, Any]:
        return dict(dparameter=dvalues * self.rate * 4 * parameter**3)


class Shrinks(Callback):
    def __init__(self) -> None:
        self.losses: list[float] = []

    def epoch(self, fit: Fit) -> None:
        self.losses.append(fit.record["loss"])
        if len(self.losses) > 3:
            fit.stop("three are enough")


def use() -> None:
    X, y = np.zeros((6, 4)), np.array([0, 1, 2, 0, 1, 2])
    layer = ParametricReLU(start=0.5)
    layer.forward(X)
    layer.backward(X)
    print(layer.slope + layer.dslope, layer.output.shape)
    dense = Dense(4, 8, penalties={"weights": (L2(1e-4), Smooth(1e-4))})
    dense.weights = np.ones((4, 8))
    dense.weights[0, 0] += 1.0
    model = Model(
        [dense, ParametricReLU(), Swish(), Centred(8), Jitter(), Dense(8, 3)],
        loss=SoftmaxCrossentropy(),
        optimizer=Lion(CosineDecay(1e-3, 100)),
    )
    history = model.fit(X, y, epochs=2, batch_size=3, callbacks=[Shrinks()], engine="numpy", validation_data=(X, y))
    print(history, model.evaluate(X, y)["loss"], model.predict(X).shape, model.parameters["dense_0.weights"].sum())
    network = Sequential(Dense(4, 3), ReLU())
    values = network.initial_parameters(0)
    loss, gradients = loss_and_gradients(network, LogCosh(), values, X, X[:, :3])[:2]
    print(loss, gradients["dense_0.weights"], trace(network, Quartic(), values, X, X[:, :3]), SGD(0.1), SignSGD(0.1))
    assert (
        check(ParametricReLU(), X).passed
        and check(Quartic()).passed
        and check(LogCosh()).passed
        and check(Swish(), X).passed
    )
    print(model.explain(X, y, "dense_0.weights", (0, 0)).value)
    print(explain(network, LogCosh(), X, X[:, :3], "dense_0.weights", (0, 0)).value)
    print(Graph([("product", Product(), ("inputs", "inputs"))]).forward(X))
