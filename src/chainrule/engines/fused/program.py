"""A network as a table of operations for the kernels, or the reason why it cannot be one."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ... import layers, losses
from ...graph import Graph
from ...layer import Layer
from ...nodes import INPUTS
from ...noise import node_key
from ..contract import NotCovered, Task
from .layout import DEFINES, ENUMS, LINE_OF_CODE, OPERATION, TIE, WATCHED
from .segments import segments_of

if TYPE_CHECKING:
    from .entrywise import Entrywise

__all__ = ["ACTIVATIONS", "Program", "compile_network", "compiled", "loss_of", "why_not"]

LINE = DEFINES["LINE"]
# Each activation's kind, and the number that it reads
ACTIVATIONS: dict[type, Callable[[Any], tuple[str, float]]] = {
    layers.ReLU: lambda layer: ("relu", 0.0),
    layers.LeakyReLU: lambda layer: ("leaky_relu", float(layer.slope)),
    layers.ELU: lambda layer: ("elu", float(layer.alpha)),
    layers.GELU: lambda layer: ("gelu_tanh" if layer.approximate else "gelu", 0.0),
    layers.SiLU: lambda layer: ("silu", 0.0),
    layers.Softplus: lambda layer: ("softplus", 0.0),
    layers.Sigmoid: lambda layer: ("sigmoid", 0.0),
    layers.Tanh: lambda layer: ("tanh", 0.0),
}
_LIBRARY = {getattr(layers, name) for name in layers.__all__}
_BY_ROWS: dict[type, str] = {layers.Softmax: "softmax", layers.LogSoftmax: "log_softmax"}
_LOSSES: dict[type, str] = {
    losses.SoftmaxCrossentropy: "softmax_crossentropy", losses.SigmoidCrossentropy: "sigmoid_crossentropy",
    losses.CategoricalCrossentropy: "categorical", losses.BinaryCrossentropy: "binary",
    losses.MeanSquaredError: "mean_squared", losses.MeanAbsoluteError: "mean_absolute", losses.Huber: "huber",
    losses.HalfSquaredError: "half_squared",
}  # fmt: skip


@dataclass
class _Value:
    """An output of a node: its rows, who reads it, and whether anything trainable lies behind it."""

    row: int
    features: int
    behind: bool  # has a gradient to pass on
    readers: int = 0
    maker: _Operation | None = None  # the operation whose backward pass does not read this output


@dataclass
class _Operation:
    """A row of the table. Places count rows of samples."""

    source: _Value
    target: _Value
    kind: str
    second: _Value | None = None
    number: float = 0.0
    momentum: float = 0.0
    kept: int = 0
    outputs: int = 0
    owner: str = ""  # the layer whose parameters it reads
    trains: bool = False
    variant: int = 0
    node: int = 0
    shift: int = 0  # rows of the target before those that it writes
    passes: bool = False  # hands gradients back
    adds: int = 0
    adds_other: int = 0
    in_place: bool = False
    rectifies: bool = False
    merged: bool = False
    masks: bool = False
    lines: Entrywise | None = None  # a user's own function


@dataclass
class Program:
    """The table, and where everything lies."""

    operations: NDArray[Any]  # a table of `Operation`; places count rows of samples
    lines: NDArray[Any]  # a table of `Line`
    watched: NDArray[Any]  # a table of `Watched`
    ties: NDArray[Any]  # a table of `Tie`
    rows: int
    ones: list[int]
    output: int
    mixes: bool
    places: dict[str, tuple[int, int]]  # where a parameter, a copy of a tied one or a state array begins and ends
    size: int  # parameters without state
    total: int
    work: int  # multiplications for one sample


@dataclass
class _Builder:
    training: bool
    operations: list[_Operation] = field(default_factory=list)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    relus: list[_Value] = field(default_factory=list)
    rows: int = 0
    ones: list[int] = field(default_factory=list)
    work: int = 0
    mixes: bool = False

    def value(self, features: int, behind: bool) -> _Value:
        """New rows, and one of ones after them."""
        made = _Value(self.rows, features, behind)
        self.ones.append(self.rows + features)
        self.rows += features + 1
        return made

    def keep(self, rows: int) -> int:
        """Rows for what backward reads beside outputs."""
        self.rows += rows
        return self.rows - rows

    def network(self, network: Graph, given: _Value) -> _Value:
        """The operations of every layer; returns the output."""
        flat = network.flat
        values: dict[str, _Value] = {INPUTS: given}
        for leaf in flat:
            if leaf.joins:
                values[leaf.name] = self.join(leaf.layer, [values[source] for source in leaf.sources])
            else:
                active = self.training and not leaf.frozen
                values[leaf.name] = self.layer(leaf.layer, leaf.name, values[leaf.reads], active)
        return values[flat.output]

    def add(self, source: _Value, target: _Value, kind: str, **columns: Any) -> _Operation:
        """An operation from one value to another."""
        operation = _Operation(source, target, kind, **columns)
        source.readers += 1
        self.operations.append(operation)
        return operation

    def layer(self, layer: Layer, name: str, source: _Value, active: bool) -> _Value:
        """A layer with one source."""
        kind = type(layer)
        trains = bool(layer.trainable_names()) and active
        if kind in (layers.Linear, layers.Flatten) or (kind is layers.Dropout and (not active or not layer.rate)):
            return source
        if kind is layers.Dense:
            made = self.value(layer.n_neurons, source.behind or trains)
            self.work += layer.n_inputs * layer.n_neurons
            made.maker = self.add(source, made, "dense", outputs=layer.n_neurons, owner=name, trains=trains)
            return made
        self.work += 8 * source.features
        if kind in ACTIVATIONS:
            activation, number = ACTIVATIONS[kind](layer)
            made = self.value(source.features, source.behind)
            self.add(source, made, activation, number=number)
            if kind is layers.ReLU:
                self.relus.append(made)
            return made
        made = self.value(source.features, source.behind or trains)
        if kind not in _LIBRARY:
            from .entrywise import entrywise_of  # it takes longer to import than all else here

            self.add(source, made, "entrywise", lines=entrywise_of(layer, active))
        elif kind in _BY_ROWS:
            self.add(source, made, _BY_ROWS[kind])
        elif kind is layers.LayerNorm:
            kept = self.keep(source.features + 1)
            made.maker = self.add(
                source, made, "layer_norm", owner=name, kept=kept, trains=trains, number=layer.epsilon
            )
        elif kind is layers.BatchNorm:
            kept = self.keep(source.features + -(-source.features // LINE))
            made.maker = self.add(
                source, made, "batch_norm", owner=name, kept=kept, trains=trains, variant=int(active),
                number=layer.epsilon, momentum=layer.momentum,
            )  # fmt: skip
            self.mixes = self.mixes or active
        elif kind is layers.Dropout:
            kept = self.keep(source.features)
            self.add(source, made, "dropout", node=node_key(name), kept=kept, number=layer.rate)
        else:
            raise NotCovered(f"the layer {kind.__name__}")
        return made

    def join(self, layer: Layer, sources: list[_Value]) -> _Value:
        """A layer with several sources, as a chain of operations with one or two."""
        kind, behind = type(layer), any(source.behind for source in sources)
        if kind is layers.Multiply:
            made = sources[0]
            for other in sources[1:]:
                both = self.value(made.features, made.behind or other.behind)
                self.add(made, both, "product", second=other)
                other.readers += 1
                made = both
            return made
        if kind not in (layers.Add, layers.Concatenate):
            raise NotCovered(f"the layer {kind.__name__}")
        beside = kind is layers.Concatenate
        made = self.value(sum(s.features for s in sources) if beside else sources[0].features, behind)
        shift = 0
        for index, source in enumerate(sources):
            self.add(source, made, "part", shift=shift, variant=int(bool(index) and not beside))
            shift += source.features if beside else 0
        return made

    def finish(self, output: _Value) -> None:
        """Put activations in the place of their inputs, leave out what has nothing to do, say who adds to gradients."""
        output.readers += 1
        for op in self.operations:
            self._place(op)
        written: set[int] = set()
        for op in reversed(self.operations):
            others = op.second is not None and op.second.behind
            op.passes = op.target.behind and (op.source.behind or others)
            op.adds = self._meets(op.source, op, written)
            op.adds_other = 0 if op.second is None else self._meets(op.second, op, written)
        makers = {id(op.target): op for op in self.operations}
        for op in self.operations:  # the gradient of a ReLU is masked by the only layer that reads it
            relu = makers.get(id(op.source))
            masks = relu is not None and relu.kind == "relu" and relu.in_place and relu.passes
            if relu is not None and masks and op.kind == "dense" and op.source.readers == 1 and op.passes:
                op.masks, relu.passes = True, False

    @staticmethod
    def _place(op: _Operation) -> None:
        """In the place of its input, where nobody else reads that and the derivative follows from the output alone."""
        slope = op.number > 0 if op.kind == "leaky_relu" else op.kind in ("relu", "sigmoid", "tanh")
        maker = op.source.maker
        if not slope or maker is None or op.source.readers != 1:
            return
        op.target.row, op.in_place = op.source.row, True
        if op.kind == "relu" and maker.kind == "dense":
            maker.rectifies = op.merged = True

    @staticmethod
    def _meets(value: _Value, op: _Operation, written: set[int]) -> int:
        """Whether the gradient of a value is there already when an operation comes to it, in reverse."""
        if not (op.target.behind and value.behind):
            return 0
        met = int(id(value) in written)
        written.add(id(value))
        return met


def compile_network(network: Graph, shape: Any, training: bool = True) -> Program:
    """The program of a network for samples of a shape, in training or in inference. Raises `NotCovered`."""
    _require_flat(network, shape)
    builder = _Builder(training)
    begin = end = _place_parameters(network, builder.places)
    for name, size in network.state_shapes().items():
        builder.places[name] = (end, end + math.prod(size))
        end = builder.places[name][1]
    given = builder.value(math.prod(shape), False)
    output = builder.network(network, given)
    builder.finish(output)
    operations = np.zeros(len(builder.operations), OPERATION)
    lines: list[NDArray[Any]] = [np.zeros(0, LINE_OF_CODE)]
    for row, op in zip(operations, builder.operations, strict=True):
        for column, number in _columns(op, builder.places).items():
            row[column] = number
        for name, own in zip(("line", "slope"), op.lines or (), strict=False):
            row[f"{name}s"], row[f"{name}_count"] = sum(map(len, lines)), len(own)
            lines.append(own)
    watched = np.array([(value.row, value.features) for value in builder.relus], WATCHED)
    return Program(
        operations, np.concatenate(lines), watched, _ties(network, builder.places), builder.rows, builder.ones,
        output.row, builder.mixes, builder.places, begin, end, builder.work,
    )  # fmt: skip


def _place_parameters(network: Graph, places: dict[str, tuple[int, int]]) -> int:
    """A place for each layer's parameters, side by side, of those that it borrows for a copy; where all of them end."""
    begin = 0
    for leaf in network.flat:
        for local, size in leaf.layer.parameter_shapes().items():
            places[f"{leaf.name}.{local}"] = begin, begin + math.prod(size)
            begin += math.prod(size)
        # The kernels add biases to every dense layer: where it has none, zeros that belong to nobody and stay
        begin += leaf.layer.n_neurons if _is_unbiased(leaf.layer) else 0
    return begin


def _ties(network: Graph, places: dict[str, tuple[int, int]]) -> NDArray[Any]:
    """The copies, a table of `Tie`. Raises `NotCovered`."""
    ties = network.flat.ties
    for leaf in network.flat:
        own = {f"{leaf.name}.{local}" for local in leaf.layer.parameters}
        if leaf.frozen and own & {*ties, *ties.values()}:
            raise NotCovered(f"{leaf.name}, a frozen layer with tied parameters")
    return np.array([(places[own][0], *_from(places[copy])) for copy, own in ties.items()], TIE)


def _from(place: tuple[int, int]) -> tuple[int, int]:
    """Where it begins, and how much it is."""
    return place[0], place[1] - place[0]


def _is_unbiased(layer: Layer) -> bool:
    return isinstance(layer, layers.Dense) and "biases" not in layer.parameters


def _columns(op: _Operation, places: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """The members of an operation, by name."""
    first = "weights" if op.kind == "dense" else "gamma"
    return {
        "kind": ENUMS["Kind"][op.kind], "x": op.source.row, "y": op.target.row + op.shift,
        "other": 0 if op.second is None else op.second.row, "kept": op.kept, "features": op.source.features,
        "outputs": op.outputs, "parameters": places[f"{op.owner}.{first}"][0] if op.owner else 0,
        "state": places[f"{op.owner}.running_mean"][0] if op.kind == "batch_norm" else 0, "trains": op.trains,
        "passes": op.passes and op.source.behind,
        "passes_other": op.passes and op.second is not None and op.second.behind, "adds": op.adds,
        "adds_other": op.adds_other, "rectifies": op.rectifies, "merged": op.merged, "masks": op.masks,
        "variant": op.variant, "node": op.node, "number": op.number, "momentum": op.momentum,
    }  # fmt: skip


def _require_flat(network: Graph, shape: Any) -> None:
    """That only Flatten meets samples that are more than a row of features."""
    shapes = network.flat.shapes(shape)
    for leaf in network.flat:
        inputs = [shapes[source] for source in leaf.sources]
        if any(len(each) != 1 for each in inputs) and type(leaf.layer) is not layers.Flatten:
            raise NotCovered(f"{leaf.name} on samples of shape {inputs[0]}")


def loss_of(task: Task) -> int:
    """The kind of a task's loss. Raises `NotCovered`."""
    if type(task.loss) not in _LOSSES:
        raise NotCovered(f"the loss {type(task.loss).__name__}")
    return ENUMS["LossKind"][_LOSSES[type(task.loss)]]


def compiled(task: Task) -> tuple[Program, NDArray[Any]]:
    """The program of a task and its segments, made once for each task. Raises `NotCovered`."""
    kept = vars(task)
    if "_fused" not in kept:
        loss_of(task)
        program = _program_of(task)
        kept["_fused"] = program, _segments(task, program)
    return kept["_fused"]  # type: ignore[no-any-return]


# The last program of each network, with what it was made from. Nobody changes a program.
_PROGRAMS: weakref.WeakKeyDictionary[Graph, tuple[Any, Program]] = weakref.WeakKeyDictionary()
# The last segments of each network, with the program (which says the penalties) and the optimizer that they follow from
_SEGMENTS: weakref.WeakKeyDictionary[Graph, tuple[Program, Any, NDArray[Any]]] = weakref.WeakKeyDictionary()


def _segments(task: Task, program: Program) -> NDArray[Any]:
    """The segments of a task: the last ones, where the program and the optimizer are the same."""
    last = _SEGMENTS.get(task.network)
    if last is not None and last[0] is program and last[1] is task.optimizer:
        return last[2]
    segments = segments_of(task, program.places)
    _SEGMENTS[task.network] = program, task.optimizer, segments
    return segments


def _program_of(task: Task) -> Program:
    """The program of a task's network: the last one, where no layer has other settings since. Raises `NotCovered`."""
    network = task.network
    made_from = (task.X.shape[1:], network.settings())
    last = _PROGRAMS.get(network)
    if last is not None and last[0] == made_from:
        return last[1]
    program = compile_network(network, task.X.shape[1:])
    if all(type(leaf.layer) in _LIBRARY for leaf in network.flat):  # those that say all their settings
        _PROGRAMS[network] = made_from, program
    return program


def why_not(task: Task) -> str | None:
    """What in a task the kernels do not cover; None where they cover all."""
    try:
        compiled(task)
    except NotCovered as error:
        return str(error)
    return None
