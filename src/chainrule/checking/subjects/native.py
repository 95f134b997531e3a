"""The library's own pairs: layers, losses, penalties, graphs and whole models, through their pure passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...backprop import propagate
from ...errors import ChainruleError, ConfigurationError, ShapeError
from ...graph import Graph
from ...layer import Arrays, Context, Layer
from ...loss import Loss
from ...model import Model
from ...penalties import Penalty
from .base import NATIVE, Instance, Point, Subject, is_shape

__all__ = ["graph_subjects", "layer_subject", "loss_subject", "model_subjects", "penalty_subject"]

_SEED = 1
_WHOLE = 2  # batches drawn for a whole network, each of whose nodes is compared on more
_SHAPES: tuple[Any, ...] = ((5, 4), (5, 2, 3), (5,), ((5, 4), (5, 4)))


# Layers


class LayerInstance(Instance):
    """A layer at work through `forward_pass` and `backward_pass`, which keep nothing in it."""

    def __init__(self, layer: Layer, state: Arrays, joined: bool, path: str) -> None:
        self.layer, self.state, self.joined, self.path = layer, state, joined, path

    def forward(self, point: Point) -> NDArray[Any]:
        """The layer's output."""
        own = {name: point.values[name] for name in self.layer.parameters}
        inputs = [array for name, array in point.values.items() if name not in own]
        state = {name: value.astype(inputs[0].real.dtype, copy=False) for name, value in self.state.items()}
        self.values = {**own, **state}
        training = point.training and not self.layer.frozen
        self.context = Context(training, seed=_SEED, first_row=point.first_row, path=self.path)
        output, self.kept, _ = self.layer.forward_pass(
            np, tuple(inputs) if self.joined else inputs[0], self.values, self.context
        )
        return np.asarray(output)

    def backward(self, dvalues: NDArray[Any]) -> dict[str, Any]:
        """The gradients that `pure_backward` returns."""
        dinputs, gradients = self.layer.backward_pass(np, dvalues, self.kept, self.values, self.context)
        return {**_named(dinputs if self.joined else (dinputs,)), **gradients}

    def memory(self) -> Arrays:
        """What the forward pass kept."""
        return {name: value for name, value in self.kept.items() if isinstance(value, np.ndarray)}


def layer_subject(
    layer: Layer, inputs: Any = None, *, values: Arrays | None = None, title: str = "", path: str = ""
) -> Subject:
    """A layer or a graph; `values` holds its parameters and state, which are drawn where they are left out."""
    arrays = _layer_inputs(layer, inputs)
    joined = isinstance(arrays, tuple)
    rng = np.random.default_rng(_SEED)
    held = layer.held()
    given = {**layer.initial_parameters(rng), **layer.initial_state(), **held, **(values or {})}
    given = {name: np.array(value, dtype=np.float64) for name, value in given.items()}
    state = {name: given[name] for name in layer.state}
    if values is None and not held:  # a running mean of 0 and variance of 1 would hide mistakes
        state = {name: value + rng.uniform(0.1, 1.0, value.shape) for name, value in state.items()}
    switches = _switches(layer)
    return Subject(
        title=title or type(layer).__name__,
        create=lambda: LayerInstance(layer, state, joined, path or type(layer).__name__),
        inputs=_named(arrays if joined else (arrays,)),
        parameters={name: given[name] for name in layer.parameters},
        modes=(True, False) if switches else (True,),
        style=NATIVE,
        given=inputs is not None and not is_shape(inputs),
        mixes=layer.mixes_samples,
    )


def _switches(layer: Layer) -> bool:
    """Whether the layer, or one inside, runs differently in training."""
    if layer.frozen:
        return False
    if isinstance(layer, Graph):
        return any(_switches(leaf.layer) for leaf in layer.flat if not leaf.frozen)
    return bool({"training", "noise"} & {*layer.forward_reads, *layer.backward_reads})


def _layer_inputs(layer: Layer, inputs: Any) -> Any:
    """The inputs as float64 arrays: those given, or random ones of the first shape that the layer takes."""
    rng = np.random.default_rng(_SEED)
    if inputs is not None and not is_shape(inputs):
        if isinstance(inputs, tuple | list) and isinstance(inputs[0], np.ndarray):
            return tuple(np.array(each, dtype=np.float64) for each in inputs)
        return np.array(inputs, dtype=np.float64)
    fixed = layer.input_shape()
    shapes: tuple[Any, ...] = _SHAPES if fixed is None else ((5, *fixed),)
    shapes = (inputs,) if inputs is not None else shapes
    reasons = []
    for shape in shapes:
        joined = isinstance(shape[0], tuple)
        try:
            layer.output_shape(tuple(s[1:] for s in shape) if joined else shape[1:])
        except (ShapeError, IndexError, TypeError) as error:
            reasons.append(error)
            continue
        return tuple(rng.normal(size=s) for s in shape) if joined else rng.normal(size=shape)
    raise ConfigurationError(
        f"check: {type(layer).__name__} takes none of the usual inputs ({reasons[0]}); pass some: check(layer, inputs)."
    )


def _named(inputs: tuple[Any, ...]) -> dict[str, Any]:
    """One array is `inputs`; those of a join are `inputs[0]`, `inputs[1]`, ..."""
    return {"inputs": inputs[0]} if len(inputs) == 1 else {f"inputs[{i}]": each for i, each in enumerate(inputs)}


# Losses and penalties


class LossInstance(Instance):
    """A loss at work: one number for each sample, and `dvalues` of any kind."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss

    def forward(self, point: Point) -> NDArray[Any]:
        """The losses (B,)."""
        predictions = point.values["predictions"]
        targets, _ = self.loss.prepare(point.targets, predictions.shape, dtype=predictions.real.dtype)
        losses, self.kept = self.loss.forward_pass(np, predictions, targets)
        return np.asarray(losses)

    def backward(self, dvalues: NDArray[Any]) -> dict[str, Any]:
        """dL/d(predictions) for dL/d(losses) = dvalues (B,)."""
        return {"predictions": self.loss.backward_pass(np, dvalues.reshape(-1, 1), self.kept)}

    def memory(self) -> Arrays:
        """What the forward pass kept."""
        return dict(self.kept)


def loss_subject(loss: Loss, predictions: Any = None, targets: ArrayLike | None = None) -> Subject:
    """A loss of the library or one that is written as a `Loss`."""
    rng = np.random.default_rng(_SEED)
    shape = predictions if is_shape(predictions) else (5, 4)
    domain = "probabilities" if _takes_probabilities(loss) else "numbers"
    given = predictions is not None and not is_shape(predictions)
    start = np.array(predictions, dtype=np.float64) if given else rng.uniform(0.1, 0.9, size=shape)
    draw = _target_drawer(loss, targets)
    return Subject(
        title=type(loss).__name__,
        create=lambda: LossInstance(loss),
        inputs={"predictions": start},
        targets=(np.asarray(targets),) if targets is not None else (),
        redraw_targets=draw,
        is_loss=True,
        domain=domain,
        style=NATIVE,
        given=given,
        mixes=False,
    )


def _takes_probabilities(loss: Loss) -> bool:
    """Whether the predictions are probabilities already: then `probabilities` gives them back."""
    some = np.array([[0.2, 0.7], [0.4, 0.1]])
    try:
        return bool(np.array_equal(np.asarray(loss.probabilities(np, some)), some))
    except ChainruleError:
        return False


def _target_drawer(loss: Loss, given: ArrayLike | None) -> Any:
    """Targets of every kind that the loss accepts, for any number of samples."""

    def draw(rng: np.random.Generator, point: Point) -> tuple[Any, ...]:
        samples, outputs = point.values["predictions"].shape
        if given is not None:
            array = np.asarray(given)
            return (np.resize(array, (samples, *array.shape[1:])),)
        classes = rng.integers(0, outputs, samples)
        candidates = (classes, np.eye(outputs)[classes]) if loss.classifies else (rng.normal(size=(samples, outputs)),)
        answers = rng.integers(0, 2, (samples, outputs)).astype(np.float64)
        accepted = [t for t in candidates if _accepts(loss, t, (samples, outputs))]
        return tuple(accepted) or (answers,)

    return draw


def _accepts(loss: Loss, targets: Any, shape: tuple[int, int]) -> bool:
    try:
        encoded, _ = loss.prepare(targets, shape)
    except ChainruleError:
        return False
    return encoded.shape == shape


class PenaltyInstance(Instance):
    """A penalty at work on one parameter."""

    def __init__(self, penalty: Penalty) -> None:
        self.penalty_pair = penalty

    def forward(self, point: Point) -> NDArray[Any]:
        """The penalty, a single number."""
        self.available = {"parameter": point.values["parameter"]}
        value, extra = self.penalty_pair.run_forward(np, self.available)
        self.available |= {"penalty": value, **extra}
        return np.asarray(value)

    def backward(self, dvalues: NDArray[Any]) -> dict[str, Any]:
        """dL/d(parameter)."""
        return dict(self.penalty_pair.run_backward(np, float(dvalues), self.available))


def penalty_subject(penalty: Penalty, parameter: Any = None) -> Subject:
    """A penalty, on the array given or on a random one."""
    given = parameter is not None and not is_shape(parameter)
    shape = parameter if is_shape(parameter) else (4, 3)
    start = np.random.default_rng(_SEED).normal(size=shape)
    return Subject(
        title=type(penalty).__name__,
        create=lambda: PenaltyInstance(penalty),
        inputs={"parameter": np.array(parameter, dtype=np.float64) if given else start},
        style=NATIVE,
        given=given,
        mixes=True,
    )


# Graphs and models: every node at its place, then the whole


def graph_subjects(network: Graph, inputs: Any = None) -> Iterator[Subject]:
    """Every node of a graph on the inputs that it meets there, and the whole of it."""
    whole = layer_subject(network, inputs)
    given = tuple(whole.inputs.values())
    values = {**whole.parameters, **network.initial_state()}
    yield from _node_subjects(network, given if len(given) > 1 else given[0], values)
    yield replace(whole, title="the whole graph", settings=_WHOLE)


def _node_subjects(
    network: Graph, inputs: Any, values: Arrays, training: bool = True, path: str = ""
) -> Iterator[Subject]:
    """A subject for each layer inside, on the inputs that it meets in this network."""
    record: dict[str, Arrays] = {}
    network.forward_pass(np, inputs, values, Context(training, seed=_SEED, record=record))
    for leaf in network.flat:
        own, met = {local: values[full] for local, full in leaf.arrays.items()}, record[leaf.name]["inputs"]
        title = f"{leaf.name} ({type(leaf.layer).__name__})"
        yield layer_subject(leaf.layer, met, values=own, title=title, path=leaf.name)


class ModelInstance(Instance):
    """A whole network with its loss and penalties, as `loss_and_gradients` runs it."""

    def __init__(self, network: Graph, loss: Loss, state: Arrays) -> None:
        self.network, self.loss, self.state = network, loss, state

    def forward(self, point: Point) -> NDArray[Any]:
        """The loss of the batch, penalties included."""
        inputs = point.values["inputs"]
        state = {name: value.astype(inputs.real.dtype, copy=False) for name, value in self.state.items()}
        values = {**{name: point.values[name] for name in self.network.parameters}, **state}
        context = Context(point.training and not self.network.frozen, seed=_SEED, first_row=point.first_row)
        predictions, _, _ = self.network.forward_pass(np, inputs, values, context)
        targets, shares = self.loss.prepare(point.targets, predictions.shape, dtype=predictions.real.dtype)
        losses, _ = self.loss.forward_pass(np, predictions, targets)
        total = np.sum(losses * shares[:, 0])
        for name, terms in self.network.penalty_terms().items():
            for term in terms:
                total = total + term.run_forward(np, {"parameter": values[name]})[0]
        self.arguments = (values, inputs, targets, shares, context)
        return np.asarray(total)

    def backward(self, dvalues: NDArray[Any]) -> dict[str, Any]:
        """The gradients that training uses, and dL/dX."""
        result = propagate(np, self.network, self.loss, *self.arguments)
        return {"inputs": result.dinputs, **result.gradients}


def model_subjects(model: Model, X: Any = None, y: ArrayLike | None = None) -> Iterator[Subject]:
    """Every node of the model, its loss, and the whole of it."""
    network, loss = model.network, model.loss
    arrays = _layer_inputs(network, None if X is None else X if is_shape(X) else model.inputs(X))
    values = {name: np.array(v, dtype=np.float64) for name, v in {**model.parameters, **model.state}.items()}
    yield from _node_subjects(network, arrays, values)
    predictions = network.forward_pass(np, arrays, values, Context(training=False))[0]
    yield loss_subject(loss, predictions, y)
    state = {name: values[name] for name in network.state}
    drawer = _target_drawer(loss, y)

    def draw(rng: np.random.Generator, point: Point) -> tuple[Any, ...]:
        shape = (point.values["inputs"].shape[0], *predictions.shape[1:])
        return tuple(drawer(rng, Point({"predictions": np.empty(shape)})))

    yield Subject(
        title="the whole model",
        create=lambda: ModelInstance(network, loss, state),
        inputs={"inputs": arrays},
        parameters={name: values[name] for name in network.parameters},
        redraw_targets=draw,
        modes=(True, False) if _switches(network) else (True,),
        settings=_WHOLE,
        upstream=False,
        style=NATIVE,
        given=X is not None and not is_shape(X),
        mixes=network.mixes_samples,
    )
