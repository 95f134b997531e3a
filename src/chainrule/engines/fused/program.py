"""A network as a table of operations for the compiled function, or the reason why it cannot be one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import layers, losses, optimizers, penalties
from ...graph import INPUTS, Graph
from ...layer import Layer
from ...noise import node_key
from ...optimizers import Optimizer
from ..contract import Task

__all__ = ["NotCovered", "Program", "Segments", "compile_network", "segments_of", "why_not"]

# The numbers of kernel.py, layers.py, losses.py and update.py, which need Numba to be imported
DENSE, ACTIVATE, SOFTMAX, LOG_SOFTMAX, LAYER_NORM, BATCH_NORM, DROPOUT, PART, PRODUCT = range(9)
_COLUMNS = (
    "kind", "x", "y", "kept", "features", "outputs", "parameters", "state", "variant", "forward", "backward", "trains",
    "passes", "adds", "blas", "by_samples", "other",
)  # fmt: skip
_ACTIVATIONS: dict[type, int] = {
    layers.ReLU: 0, layers.LeakyReLU: 1, layers.ELU: 2, layers.GELU: 3, layers.SiLU: 5, layers.Softplus: 6,
    layers.Sigmoid: 7, layers.Tanh: 8,
}  # fmt: skip
_IN_PLACE = (0, 7, 8)  # their derivative follows from the output alone
_BY_ROWS: dict[type, int] = {layers.Softmax: SOFTMAX, layers.LogSoftmax: LOG_SOFTMAX}
LOSSES: dict[type, int] = {
    losses.SoftmaxCrossentropy: 0, losses.SigmoidCrossentropy: 1, losses.CategoricalCrossentropy: 2,
    losses.BinaryCrossentropy: 3, losses.MeanSquaredError: 4, losses.MeanAbsoluteError: 5, losses.Huber: 6,
}  # fmt: skip
_OPTIMIZERS: dict[type, int] = {
    optimizers.SGD: 0, optimizers.Adagrad: 3, optimizers.RMSprop: 4, optimizers.Adam: 5, optimizers.AdamW: 6,
}  # fmt: skip
_BLAS_FROM = 4096  # weights of a layer from which on BLAS is faster than loops over samples


class NotCovered(Exception):
    """What the compiled function has no operation for; the message says what."""


@dataclass
class _Value:
    """An output of a node: its rows, who reads it, and whether anything trainable lies behind it."""

    row: int
    features: int
    behind: bool  # has a gradient to pass on
    readers: int = 0
    maker: dict[str, Any] | None = None  # the operation whose backward pass does not read this output


@dataclass
class Program:
    """The table, and where everything lies."""

    table: NDArray[np.int64]  # rows of operations; IN, OUT, KEPT and OTHER count rows of samples
    numbers: NDArray[np.float64]
    rows: int
    ones: list[int]
    output: int
    by_samples: bool
    mixes: bool
    places: dict[str, tuple[int, int]]  # where a parameter or a state array begins and ends
    size: int  # parameters without state
    total: int
    work: int  # multiplications for one sample


@dataclass
class _Builder:
    blas: bool
    operations: list[dict[str, Any]] = field(default_factory=list)
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

    def graph(self, graph: Graph, path: str, given: _Value, training: bool) -> _Value:
        """The operations of every node; returns the output."""
        if graph.ties:
            raise NotCovered("tied parameters")
        values: dict[str, _Value] = {INPUTS: given}
        for node in graph:
            name = f"{path}.{node.name}" if path else node.name
            sources = [values[source] for source in node.sources]
            active = training and not node.layer.frozen
            if isinstance(node.layer, Graph):
                if node.joins:
                    raise NotCovered("a graph that joins")
                values[node.name] = self.graph(node.layer, name, sources[0], active)
            elif node.joins:
                values[node.name] = self.join(node.layer, sources)
            else:
                values[node.name] = self.layer(node.layer, name, sources[0], active)
        return values[graph.output_node]

    def add(self, source: _Value, target: _Value, **columns: Any) -> dict[str, Any]:
        """An operation from one value to another."""
        operation = dict.fromkeys(_COLUMNS, 0) | {"numbers": (0.0, 0.0), "source": source, "target": target}
        operation |= {"x": source.row, "y": target.row, "features": source.features, "forward": 1}
        operation |= {"backward": int(target.behind), "passes": int(source.behind)} | columns
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
            made.maker = self.add(
                source, made, kind=DENSE, outputs=layer.n_neurons, trains=int(trains),
                blas=int(self.blas and size >= _BLAS_FROM), parameters=name,
            )  # fmt: skip
            return made
        if kind in _ACTIVATIONS:
            variant = _ACTIVATIONS[kind] + (1 if kind is layers.GELU and layer.approximate else 0)
            number = {1: "slope", 2: "alpha"}.get(variant)
            numbers = (float(getattr(layer, number)) if number else 0.0, 0.0)
            self.work += 8 * source.features
            made = self.value(source.features, source.behind)
            self.add(source, made, kind=ACTIVATE, variant=variant, numbers=numbers)
            return made
        made = self.value(source.features, source.behind or trains)
        self.work += 8 * source.features
        if kind in _BY_ROWS:
            self.add(source, made, kind=_BY_ROWS[kind])
        elif kind is layers.LayerNorm:
            kept = self.keep(source.features + 1)
            made.maker = self.add(
                source, made, kind=LAYER_NORM, parameters=name, kept=kept, trains=int(trains),
                numbers=(layer.epsilon, 0.0),
            )  # fmt: skip
        elif kind is layers.BatchNorm:
            kept = self.keep(source.features + -(-source.features // 16))
            made.maker = self.add(
                source, made, kind=BATCH_NORM, parameters=name, state=name, kept=kept, trains=int(trains),
                variant=int(active), numbers=(layer.epsilon, layer.momentum),
            )  # fmt: skip
            self.mixes = self.mixes or active
        elif kind is layers.Dropout:
            kept = self.keep(source.features)
            self.add(source, made, kind=DROPOUT, state=node_key(name), kept=kept, numbers=(layer.rate, 0.0))
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
                self.add(made, both, kind=PRODUCT, other=other.row, trains=int(other.behind), second=other)
                other.readers += 1
                made = both
            return made
        if kind not in (layers.Add, layers.Concatenate):
            raise NotCovered(f"the layer {kind.__name__}")
        beside = kind is layers.Concatenate
        made = self.value(sum(s.features for s in sources) if beside else sources[0].features, behind)
        row = made.row
        for index, source in enumerate(sources):
            self.add(source, made, kind=PART, y=row, variant=int(bool(index) and not beside))
            row += source.features if beside else 0
        return made

    def finish(self, output: _Value) -> None:
        """Put activations in the place of their inputs, and mark who adds to a gradient that is there."""
        output.readers += 1
        moved: dict[int, int] = {}
        for op in self.operations:
            for column, value in (("x", "source"), ("other", "second")):
                if value in op and op[value].row in moved:
                    op[column] = moved[op[value].row]
            source, target = op["source"], op["target"]
            alone = source.readers == 1 and source.maker is not None
            slope = op["numbers"][0] > 0 if op["variant"] == 1 else op["variant"] in _IN_PLACE
            if op["kind"] == ACTIVATE and alone and slope:
                moved[target.row] = op["y"] = op["x"]
                maker: dict[str, Any] = source.maker
                if op["variant"] == 0 and maker["kind"] == DENSE:
                    maker["variant"], op["forward"] = 1, 0
        self.moved = moved
        written: set[int] = set()
        for op in reversed(self.operations):
            for value, flag, needed in (("source", "adds", "passes"), ("second", "state", "trains")):
                if value in op and op["backward"] and op[needed]:
                    op[flag] = int(id(op[value]) in written)
                    written.add(id(op[value]))
        makers = {id(op["target"]): op for op in self.operations}
        for op in self.operations:  # the gradient of a ReLU is masked by the only layer that reads it
            relu = makers.get(id(op["source"]))
            fits = relu is not None and relu["kind"] == ACTIVATE and relu["variant"] == 0 and relu["y"] == relu["x"]
            if relu is not None and op["kind"] == DENSE and fits and op["source"].readers == 1 and op["passes"]:
                op["other"], relu["backward"] = 1, 0


def compile_network(task: Task, blas: bool) -> Program:
    """The program of a task's network. Raises `NotCovered`."""
    network, shape = task.network, task.X.shape[1:]
    if not isinstance(network, Graph):
        raise NotCovered("a network that is no Graph")
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
    output = builder.graph(network, "", given, not network.frozen)
    builder.finish(output)
    readers = [op for op in builder.operations if op["source"] is given or op.get("second") is given]
    by_samples = bool(readers) and output is not given and all(op["kind"] == DENSE and op["blas"] for op in readers)
    table = np.zeros((len(builder.operations), len(_COLUMNS)), np.int64)
    for row, op in zip(table, builder.operations, strict=True):
        own = op["parameters"]
        first = "gamma" if op["kind"] in (LAYER_NORM, BATCH_NORM) else "weights"
        if own:
            op["parameters"] = builder.places[f"{own}.{first}"][0]
        if op["kind"] == BATCH_NORM:
            op["state"] = builder.places[f"{own}.running_mean"][0]
        op["by_samples"] = int(by_samples and op["source"] is given)
        row[:] = [op[column] for column in _COLUMNS]
    numbers = np.array([op["numbers"] for op in builder.operations], dtype=np.float64).reshape(-1, 2)
    last = builder.moved.get(output.row, output.row)
    return Program(
        table, numbers, builder.rows, builder.ones, last, by_samples, builder.mixes, builder.places, begin, end,
        builder.work,
    )  # fmt: skip


def _require_flat(graph: Graph, shape: Any) -> None:
    """That only entry-by-entry layers and Flatten meet samples that are more than a row of features."""
    shapes = {INPUTS: shape} | graph.shapes(shape)
    for node in graph:
        inputs = [shapes[source] for source in node.sources]
        if isinstance(node.layer, Graph) and not node.joins:
            _require_flat(node.layer, inputs[0])
        elif any(len(each) != 1 for each in inputs) and type(node.layer) is not layers.Flatten:
            raise NotCovered(f"{node.name} on samples of shape {inputs[0]}")


@dataclass
class Segments:
    """Runs of parameters that are updated in the same way: (begin, end, rule, column of the rates), and settings."""

    table: NDArray[np.int64]
    settings: NDArray[np.float64]
    penalized: bool


def segments_of(task: Task, places: dict[str, tuple[int, int]]) -> Segments:
    """How each trainable parameter is updated. Raises `NotCovered`."""
    terms = task.network.penalty_terms()
    rows: list[list[int]] = []
    settings: list[Any] = []
    keys: list[Any] = []
    for column, name in enumerate(task.network.trainable_names()):
        member = task.optimizer.member(name)
        for term in terms.get(name, ()):
            if type(term) not in (penalties.L1, penalties.L2):
                raise NotCovered(f"the penalty {type(term).__name__}")
        l1, l2 = (sum(t.rate for t in terms.get(name, ()) if type(t) is k) for k in (penalties.L1, penalties.L2))
        own = (*_settings(member), l1, l2)
        begin, end = places[name]
        key = (_rule(member), own, id(member.learning_rate))
        if keys and keys[-1] == key and rows[-1][1] == begin:
            rows[-1][1] = end
        else:
            rows.append([begin, end, _rule(member), column])
            settings.append(own)
            keys.append(key)
    if any(name not in task.network.trainable_names() for name in terms):
        raise NotCovered("a penalty on a frozen parameter")
    return Segments(
        np.array(rows, dtype=np.int64).reshape(-1, 4), np.array(settings, dtype=np.float64).reshape(-1, 6),
        any(terms.values()),
    )  # fmt: skip


def _rule(member: Optimizer) -> int:
    kind = type(member)
    if kind not in _OPTIMIZERS:
        raise NotCovered(f"the optimizer {kind.__name__}")
    if isinstance(member, optimizers.SGD) and member.momentum:
        return 2 if member.nesterov else 1
    return _OPTIMIZERS[kind]


def _settings(member: Optimizer) -> tuple[float, float, float, float]:
    first = getattr(member, "beta_1", getattr(member, "rho", getattr(member, "momentum", 0.0)))
    return member.weight_decay, first, getattr(member, "beta_2", 0.0), getattr(member, "epsilon", 0.0)


def why_not(task: Task) -> str | None:
    """What in a task the compiled function does not cover; None where it covers all."""
    try:
        if type(task.loss) not in LOSSES:
            raise NotCovered(f"the loss {type(task.loss).__name__}")
        segments_of(task, compile_network(task, True).places)
    except NotCovered as error:
        return str(error)
    return None
