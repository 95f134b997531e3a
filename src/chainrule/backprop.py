"""Backpropagation through any network: loss and gradients, and one step of training.

`propagate` is the whole of it, pure and written once for every engine; the functions around it check what users pass
and run it on NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import plain_array, require_finite
from .errors import DataError, ShapeError, UnknownNameError
from .layer import Array, Arrays, Context, Layer
from .limits import require_seed
from .loss import Loss
from .optimizers import Optimizer
from .penalties import Penalty
from .registry import named

__all__ = [
    "Pass",
    "Prepared",
    "Step",
    "advance",
    "entry_of",
    "loss_and_gradients",
    "prepare",
    "propagate",
    "train_step",
    "update",
]


class Pass(NamedTuple):
    """What one forward and backward pass computes."""

    data_loss: Array  # Σ_b share_b · ℓ_b
    penalty: Array  # the sum of the penalties, 0 without any
    losses: Array  # (B,), ℓ_b
    predictions: Array  # (B, ...)
    dpredictions: Array  # dL/d(predictions), (B, ...)
    dinputs: Array  # dL/dX
    gradients: Arrays  # dL/d(parameter), penalties included, by dotted name
    state: Arrays  # the next state, by dotted name

    @property
    def loss(self) -> Array:
        """The number that the gradients are the derivatives of: data loss plus penalties."""
        return self.data_loss + self.penalty


def propagate(
    xp: Any,
    network: Layer,
    loss: Loss,
    values: Mapping[str, Array],
    inputs: Array,
    targets: Array,
    shares: Array,
    context: Context,
    penalties: Mapping[str, Sequence[Penalty]] | None = None,
) -> Pass:
    """One pass forward and one backward: pure, the same on every engine.

    `values` holds parameters and state by name; `targets` and `shares` come from `loss.prepare`, and `penalties` from
    `network.penalty_terms` where a caller has them at hand.
    """
    predictions, kept, following = network.forward_pass(xp, inputs, values, context)
    losses, kept_loss = loss.forward_pass(xp, predictions, targets)  # (B,)
    data_loss = xp.sum(losses * shares[:, 0])
    dpredictions = loss.backward_pass(xp, shares, kept_loss)
    dinputs, gradients = network.backward_pass(xp, dpredictions, kept, values, context)
    penalty = 0.0
    for name, terms in (network.penalty_terms() if penalties is None else penalties).items():
        for term in terms:
            available = {"parameter": values[name]}
            penalty = penalty + term.run_forward(xp, available)[0]
            gradients[name] = gradients[name] + term.run_backward(xp, 1, available)["parameter"]
    return Pass(data_loss, penalty, losses, predictions, dpredictions, dinputs, gradients, following)


def advance(
    xp: Any,
    network: Layer,
    optimizer: Optimizer,
    loss: Loss,
    values: Mapping[str, Array],
    inputs: Array,
    targets: Array,
    shares: Array,
    context: Context,
    slots: Mapping[str, Array],
    rates: Mapping[str, Any] | None = None,
) -> tuple[Pass, Arrays, Arrays]:
    """`propagate`, then the optimizer's update of what is not frozen: the pass, the next values and the next slots."""
    result = propagate(xp, network, loss, values, inputs, targets, shares, context)
    return result, *update(xp, network, optimizer, values, result, context.step, slots, rates)


def update(
    xp: Any,
    network: Layer,
    optimizer: Optimizer,
    values: Mapping[str, Array],
    result: Pass,
    step: Any,
    slots: Mapping[str, Array],
    rates: Mapping[str, Any] | None = None,
) -> tuple[Arrays, Arrays]:
    """The next values and slots after a pass."""
    trainable = {name: values[name] for name in network.trainable_names()}
    updated, following_slots = optimizer.update(xp, step, trainable, result.gradients, slots, rates)
    return {**values, **result.state, **updated}, following_slots


class Prepared(NamedTuple):
    """What users pass, checked and cast: the arguments of `propagate` after `network`."""

    loss: Loss
    values: Arrays
    inputs: Array
    targets: NDArray[Any]
    shares: NDArray[Any]
    context: Context

    def rows(self, rows: slice) -> Prepared:
        """The same with some of the samples, each with its share of the whole batch's loss."""
        return self._replace(
            inputs=self.inputs[rows],
            targets=self.targets[rows],
            shares=self.shares[rows],
            context=self.context._replace(first_row=rows.start),
        )


def prepare(
    network: Layer,
    loss: Loss | str,
    parameters: Mapping[str, Array],
    inputs: ArrayLike,
    targets: ArrayLike,
    state: Mapping[str, Array] | None,
    sample_weights: ArrayLike | None,
    context: Context,
) -> Prepared:
    """What users pass, checked against the network and cast to the dtype of the parameters.

    Raises `DataError` and its kinds for data that do not fit, `ConfigurationError` for a seed out of range and for a
    loss of an unknown name.
    """
    compared = named(loss, Loss, "loss")
    check_arrays("parameter", parameters, network.parameter_shapes())
    if state is not None:
        check_arrays("state array", state, network.state_shapes())
    require_seed(context.seed)
    context = context._replace(training=context.training and not network.frozen)
    values = {**parameters, **(network.initial_state() if state is None else state)}
    dtype = next((p.dtype if p.dtype.kind == "f" else np.dtype("float64") for p in parameters.values()), None)
    X = as_inputs(inputs, dtype)
    if dtype is not None:
        values = {name: value.astype(dtype, copy=False) for name, value in values.items()}
    shape = (X.shape[0], *network.output_shape(X.shape[1:]))
    encoded, shares = compared.prepare(targets, shape, sample_weights, X.dtype)
    return Prepared(compared, values, X, encoded, shares, context)


def as_inputs(inputs: ArrayLike, dtype: Any = None) -> NDArray[Any]:
    """The inputs as an array of `dtype` (or as they are, integers as float64).

    Raises `DataError` where they are not numbers, and `NonFiniteError` where they hold NaN or infinity.

    >>> as_inputs([[1, 2]])
    array([[1., 2.]])
    """
    X = plain_array(inputs, "X")
    if X.dtype.kind not in "fiub":
        raise DataError(f"X must hold numbers, received dtype {X.dtype}; encode text columns as numbers first.")
    if X.shape == (0,):
        raise DataError("X is empty; pass at least one sample.")
    if X.ndim == 0:
        raise ShapeError("X is a single number; a batch of one sample with one feature is [[number]].")
    kind = np.dtype(dtype or (X.dtype if X.dtype.kind == "f" else np.float64))
    cast = X
    if X.dtype != kind:
        with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, and is refused below
            cast = X.astype(kind)
    require_finite(X, cast)
    return cast


def entry_of(name: str, shape: tuple[int, ...], index: int | Sequence[int]) -> tuple[int, ...]:
    """The index of one entry as a tuple that counts from 0; leading axes of size 1 may be left out.

    Raises `ShapeError` for an index outside, with the last one that there is.

    >>> entry_of("dense_0.weights", (2, 3), (1, -1)), entry_of("dense_0.biases", (1, 3), 2)
    ((1, 2), (0, 2))
    """
    place = tuple(index) if isinstance(index, Sequence | np.ndarray) else (index,)
    if len(place) < len(shape) and all(size == 1 for size in shape[: len(shape) - len(place)]):
        place = (*(0,) * (len(shape) - len(place)), *place)
    whole = all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in place)
    if not whole or len(place) != len(shape) or not all(-n <= i < n for i, n in zip(place, shape, strict=True)):
        first, last = tuple(0 for _ in shape), tuple(n - 1 for n in shape)
        raise ShapeError(f"{name} has shape {shape} and no entry {index!r}; they go from {first} to {last}.")
    return tuple(int(i) % n for i, n in zip(place, shape, strict=True))


def check_arrays(kind: str, arrays: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """That the arrays are the network's own: every name, every shape.

    Raises `UnknownNameError` for a name too many, `DataError` for one too few, `ShapeError` for a wrong shape.
    """
    for name in arrays:
        if name not in shapes:
            raise UnknownNameError(kind, name, shapes)
    for name, shape in shapes.items():
        if name not in arrays:
            raise DataError(f"The {kind} {name!r} is missing; the network has {', '.join(map(repr, shapes))}.")
        if tuple(arrays[name].shape) != shape:
            raise ShapeError(f"{name}: expected shape {shape}, received {tuple(arrays[name].shape)}.")


def loss_and_gradients(
    network: Layer,
    loss: Loss | str,
    parameters: Mapping[str, Array],
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    state: Mapping[str, Array] | None = None,
    sample_weights: ArrayLike | None = None,
    training: bool = True,
    seed: int = 0,
    step: int = 0,
) -> tuple[float, Arrays]:
    """The loss, penalties included, and its derivative by every parameter, by dotted name.

    A loss may be given by name, "mean_squared_error". `state` is the network's (initial where left out), `seed` and
    `step` choose the noise. The inputs are cast to the
    dtype of the parameters. Raises `DataError` and its kinds for data that do not fit, naming the layer.

    >>> from chainrule import Dense, MeanSquaredError, Sequential
    >>> network = Sequential(Dense(1, 1))
    >>> parameters = {"dense_0.weights": np.array([[2.0]]), "dense_0.biases": np.array([[0.0]])}
    >>> loss_and_gradients(network, MeanSquaredError(), parameters, [[3.0]], [5.0])    # (6-5)², 2·(6-5)·3, 2·(6-5)
    (1.0, {'dense_0.weights': array([[6.]]), 'dense_0.biases': array([[2.]])})
    """
    context = Context(training, seed, step)
    given = prepare(network, loss, parameters, inputs, targets, state, sample_weights, context)
    result = propagate(np, network, *given)
    return float(result.loss), result.gradients


class Step(NamedTuple):
    """What one training step returns."""

    loss: float
    parameters: Arrays
    state: Arrays
    slots: Arrays


def train_step(
    network: Layer,
    loss: Loss | str,
    optimizer: Optimizer | str,
    parameters: Mapping[str, Array],
    slots: Mapping[str, Array],
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    state: Mapping[str, Array] | None = None,
    sample_weights: ArrayLike | None = None,
    seed: int = 0,
    step: int = 0,
) -> Step:
    """Forward, backward and update: the loss before the step, and the parameters, state and slots after it.

    Frozen layers keep their parameters and state. Arguments as `loss_and_gradients`; `slots` come from
    `optimizer.initial_slots(np, parameters)`.

    >>> from chainrule import SGD, Dense, MeanSquaredError, Sequential
    >>> network = Sequential(Dense(1, 1))
    >>> parameters = {"dense_0.weights": np.array([[2.0]]), "dense_0.biases": np.array([[0.0]])}
    >>> after = train_step(network, MeanSquaredError(), SGD(0.1), parameters,
    ...                    SGD(0.1).initial_slots(np, parameters), [[3.0]], [5.0])
    >>> after.loss, after.parameters["dense_0.weights"]                   # 2 - 0.1·6
    (1.0, array([[1.4]]))
    """
    optimizer = named(optimizer, Optimizer, "optimizer")
    context = Context(True, seed, step)
    given = prepare(network, loss, parameters, inputs, targets, state, sample_weights, context)
    result, values, following_slots = advance(np, network, optimizer, *given, slots)
    following = {name: values[name] for name in network.parameters}
    following_state = {name: values[name] for name in network.state}
    return Step(float(result.loss), following, following_state, following_slots)
