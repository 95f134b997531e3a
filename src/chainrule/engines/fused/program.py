"""A network as a table of operations for the compiled functions, or the reason why it cannot be one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import layers, losses
from ...graph import Graph
from ...layer import Layer
from ...nodes import INPUTS
from ...noise import node_key
from ..contract import NotCovered, Task
from . import layout as k
from .segments import Segments, segments_of

__all__ = ["ACTIVATIONS", "Program", "compile_network", "functions_of", "loss_of", "needed", "why_not"]

# Each activation's functions by name, and the number that they read
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
_BY_ROWS: dict[type, str] = {layers.Softmax: "softmax", layers.LogSoftmax: "log_softmax"}
_LOSSES: dict[type, str] = {
    losses.SoftmaxCrossentropy: "softmax_crossentropy", losses.SigmoidCrossentropy: "sigmoid_crossentropy",
    losses.CategoricalCrossentropy: "categorical", losses.BinaryCrossentropy: "binary",
    losses.MeanSquaredError: "mean_squared", losses.MeanAbsoluteError: "mean_absolute", losses.Huber: "huber",
}  # fmt: skip
_BLAS_FROM = 4096  # weights of a layer from which on BLAS is faster than loops over samples


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
    """A row of the table: its functions by name, and its columns. Places count rows of samples."""

    source: _Value
    target: _Value
    forward: str
    backward: str
    gradients: str = ""
    numbers: tuple[float, float] = (0.0, 0.0)
    second: _Value | None = None
    kept: int = 0
    outputs: int = 0
    owner: str = ""  # the layer whose parameters it reads
    variant: int = 0
    adds: int = 0
    adds_other: int = 0
    node: int = 0
    shift: int = 0  # rows of the target before those that it writes
    in_place: bool = False


@dataclass
class Program:
    """The table, and where everything lies."""

    table: NDArray[np.int64]  # rows of operations (see `layout`) without addresses; places count rows of samples
    names: list[tuple[str, str, str]]  # of each operation's functions: forward, backward, gradients; "" for none
    numbers: NDArray[np.float64]
    rows: int
    ones: list[int]
    output: int
    blas: bool
    by_samples: bool
    mixes: bool
    places: dict[str, tuple[int, int]]  # where a parameter or a state array begins and ends
    size: int  # parameters without state
    total: int
    work: int  # multiplications for one sample


@dataclass
class _Builder:
    blas: bool
    operations: list[_Operation] = field(default_factory=list)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
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
        if flat.ties:
            raise NotCovered("tied parameters")
        values: dict[str, _Value] = {INPUTS: given}
        for leaf in flat:
            if leaf.joins:
                values[leaf.name] = self.join(leaf.layer, [values[source] for source in leaf.sources])
            else:
                values[leaf.name] = self.layer(leaf.layer, leaf.name, values[leaf.reads], not leaf.frozen)
        return values[flat.output]

    def add(self, source: _Value, target: _Value, name: str, **columns: Any) -> _Operation:
        """An operation from one value to another."""
        operation = _Operation(source, target, name, f"{name}.backward", **columns)
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
            size, self.work = layer.n_inputs * layer.n_neurons, self.work + layer.n_inputs * layer.n_neurons
            way = "dense_blas" if self.blas and size >= _BLAS_FROM else "dense"
            made.maker = self.add(
                source, made, way, outputs=layer.n_neurons, owner=name, gradients=f"{way}.gradients" if trains else ""
            )
            return made
        self.work += 8 * source.features
        if kind in ACTIVATIONS:
            name, number = ACTIVATIONS[kind](layer)
            made = self.value(source.features, source.behind)
            self.add(source, made, name, numbers=(number, 0.0))
            return made
        made = self.value(source.features, source.behind or trains)
        scales = "normalization.gradients" if trains else ""
        if kind in _BY_ROWS:
            self.add(source, made, _BY_ROWS[kind])
        elif kind is layers.LayerNorm:
            kept = self.keep(source.features + 1)
            made.maker = self.add(
                source, made, "layer_norm", owner=name, kept=kept, gradients=scales, numbers=(layer.epsilon, 0.0)
            )
        elif kind is layers.BatchNorm:
            kept = self.keep(source.features + -(-source.features // k.LINE))
            made.maker = self.add(
                source, made, "batch_norm", owner=name, kept=kept, gradients=scales, variant=int(active),
                numbers=(layer.epsilon, layer.momentum),
            )  # fmt: skip
            self.mixes = self.mixes or active
        elif kind is layers.Dropout:
            kept = self.keep(source.features)
            self.add(source, made, "dropout", node=node_key(name), kept=kept, numbers=(layer.rate, 0.0))
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
            passes = op.target.behind and (op.source.behind or (op.second is not None and op.second.behind))
            op.backward = op.backward if passes else ""
            op.adds = self._meets(op.source, op, written)
            op.adds_other = 0 if op.second is None else self._meets(op.second, op, written)
        makers = {id(op.target): op for op in self.operations}
        for op in self.operations:  # the gradient of a ReLU is masked by the only layer that reads it
            relu = makers.get(id(op.source))
            masks = relu is not None and relu.backward == "relu.backward" and relu.in_place
            if relu is not None and masks and op.owner and op.outputs and op.source.readers == 1 and op.backward:
                op.backward += "_masked"
                relu.backward = ""
            elif op.outputs and op.adds and op.backward:
                op.backward += "_added"

    @staticmethod
    def _place(op: _Operation) -> None:
        """In the place of its input, where nobody else reads that and the derivative follows from the output alone."""
        slope = op.numbers[0] > 0 if op.forward == "leaky_relu" else op.forward in ("relu", "sigmoid", "tanh")
        maker = op.source.maker
        if not slope or maker is None or op.source.readers != 1:
            return
        op.target.row, op.in_place = op.source.row, True
        if op.forward == "relu" and maker.outputs:
            maker.forward += ".rectified"
            op.forward = ""

    @staticmethod
    def _meets(value: _Value, op: _Operation, written: set[int]) -> int:
        """Whether the gradient of a value is there already when an operation comes to it, in reverse."""
        if not (op.target.behind and value.behind):
            return 0
        met = int(id(value) in written)
        written.add(id(value))
        return met


def compile_network(task: Task, blas: bool) -> Program:
    """The program of a task's network. Raises `NotCovered`."""
    network, shape = task.network, task.X.shape[1:]
    _require_flat(network, shape)
    builder = _Builder(blas)
    begin = 0
    for name, size in network.parameter_shapes().items():
        builder.places[name] = (begin, begin + int(np.prod(size)))
        begin = builder.places[name][1]
    end = begin
    for name, size in network.state_shapes().items():
        builder.places[name] = (end, end + int(np.prod(size)))
        end = builder.places[name][1]
    given = builder.value(int(np.prod(shape)), False)
    output = builder.network(network, given)
    builder.finish(output)
    operations = builder.operations
    readers = [op for op in operations if op.source is given or op.second is given]
    by_samples = bool(readers) and output is not given and all(op.forward.startswith("dense_blas") for op in readers)
    for op in readers if by_samples else ():
        op.kept = builder.keep(op.outputs)
    table = np.zeros((len(operations), k.COLUMNS), np.int64)
    for row, op in zip(table, operations, strict=True):
        _fill(row, op, builder.places, by_samples and op.source is given)
    return Program(
        table, [(op.forward, op.backward, op.gradients) for op in operations],
        np.array([op.numbers for op in operations], dtype=np.float64).reshape(-1, 2), builder.rows, builder.ones,
        output.row, any("blas" in op.forward for op in operations), by_samples, builder.mixes, builder.places, begin,
        end, builder.work,
    )  # fmt: skip


def _fill(row: NDArray[np.int64], op: _Operation, places: dict[str, tuple[int, int]], by_samples: bool) -> None:
    """The columns of an operation."""
    first = "weights" if op.outputs else "gamma"
    columns = {
        k.X: op.source.row, k.Y: op.target.row + op.shift, k.KEPT: op.kept, k.FEATURES: op.source.features,
        k.OUTPUTS: op.outputs, k.VARIANT: op.variant, k.ADDS: op.adds, k.ADDS_OTHER: op.adds_other, k.NODE: op.node,
        k.BY_SAMPLES: int(by_samples), k.PASSES: int(op.source.behind),
        k.PARAMETERS: places[f"{op.owner}.{first}"][0] if op.owner else 0,
        k.STATE: places[f"{op.owner}.running_mean"][0] if op.forward == "batch_norm" else 0,
        k.OTHER: 0 if op.second is None else op.second.row,
        k.PASSES_OTHER: int(op.second is not None and op.second.behind),
    }  # fmt: skip
    for column, number in columns.items():
        row[column] = number


def _require_flat(network: Graph, shape: Any) -> None:
    """That only Flatten meets samples that are more than a row of features."""
    shapes = network.flat.shapes(shape)
    for leaf in network.flat:
        inputs = [shapes[source] for source in leaf.sources]
        if any(len(each) != 1 for each in inputs) and type(leaf.layer) is not layers.Flatten:
            raise NotCovered(f"{leaf.name} on samples of shape {inputs[0]}")


def loss_of(task: Task) -> str:
    """The name of the function of a task's loss. Raises `NotCovered`."""
    if type(task.loss) not in _LOSSES:
        raise NotCovered(f"the loss {type(task.loss).__name__}")
    return _LOSSES[type(task.loss)]


def functions_of(task: Task, program: Program, segments: Segments) -> list[str]:
    """The names of all compiled functions that a task needs."""
    names = {name for op in program.names for name in op} | set(segments.names) | {loss_of(task), "gather", "block"}
    return sorted(names - {""})


def needed(task: Task) -> list[str]:
    """The names of all compiled functions that a task needs. Raises `NotCovered`."""
    program = compile_network(task, True)
    return functions_of(task, program, segments_of(task, program.places))


def why_not(task: Task) -> str | None:
    """What in a task the compiled functions do not cover; None where they cover all."""
    try:
        needed(task)
    except NotCovered as error:
        return str(error)
    return None
