"""The network as a line of cells: every layer, also inside graphs in graphs, and the loss as the last one.

A cell knows which values it reads and which parameters it uses. On the cells run the forward pass from any of them on,
and rows of Jacobians: a one-hot `dvalues` sent through the layer's own `pure_backward`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..backprop import Trace, trace
from ..errors import DefinitionError
from ..graph import INPUTS, Graph
from ..layer import Context, Layer
from ..losses import Loss
from ..pair import Pair
from .formula import ARRAYS, SCALARS, Arithmetic, Scope, evaluate, fixed, pattern
from .rules import Rule, rule_of

__all__ = ["LOSS", "Cell", "Cells", "Source", "parts_of"]

LOSS = "loss"
Place = tuple[int, ...]
Array = NDArray[Any]
Tree = Any  # the name of a value, or a tuple of trees


def parts_of(tree: Tree, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Every leaf of nested tuples with the way to it.

    >>> list(parts_of(("a", ("b", "c"))))
    [((0,), 'a'), ((1, 0), 'b'), ((1, 1), 'c')]
    """
    if isinstance(tree, tuple):
        for i, part in enumerate(tree):
            yield from parts_of(part, (*path, i))
    else:
        yield path, tree


def _each(function: Any, tree: Tree) -> Any:
    return tuple(_each(function, part) for part in tree) if isinstance(tree, tuple) else function(tree)


@dataclass(frozen=True)
class Source:
    """One array that a cell differentiates by: its name in the pair, and which part of a tuple of inputs."""

    local: str
    path: tuple[int, ...] = ()

    @property
    def entry(self) -> str:
        """How a rule calls it: `weights`, `inputs`, `inputs.1`."""
        return ".".join([self.local, *map(str, self.path)])

    def of(self, arrays: Mapping[str, Any]) -> Any:
        """This array among those by name."""
        found = arrays[self.local]
        for step in self.path:
            found = found[step]
        return found


@dataclass(frozen=True)
class Cell:
    """A layer, or the loss, at its place."""

    name: str
    pair: Pair
    reads: Tree  # the names of the values that it reads
    parameters: Mapping[str, str]  # own name -> full name, of parameters and state
    training: bool
    path: str

    @property
    def kind(self) -> str:
        """The class of the layer."""
        return type(self.pair).__name__

    @property
    def mixes(self) -> bool:
        """Whether the samples of a batch take part in each other's output here."""
        return bool(getattr(self.pair, "mixes_samples", False)) and self.training

    @cached_property
    def rule(self) -> Rule | None:
        """The rule that the layer carries."""
        parts = len(self.reads) if isinstance(self.reads, tuple) else 1
        return rule_of(self.pair, self.training, parts)

    def sources(self) -> Iterator[tuple[Source, str]]:
        """Every array that the cell differentiates by, with the full name of the value or parameter."""
        for path, name in parts_of(self.reads):
            yield Source(self.pair.sources[0], path), name
        for local in self.pair.differentiated()[1:]:
            yield Source(local), self.parameters[local]


@dataclass
class Cells:
    """The cells of a network with the numbers of one pass, in float64."""

    cells: list[Cell]
    outputs: dict[str, str]  # the name of every node, graphs included -> the cell that computes its output
    values: dict[str, Array]
    inputs: Array
    targets: Array
    shares: Array  # (B, 1), dL/d(losses)
    context: Context
    trace: Trace
    penalty_terms: Mapping[str, tuple[Any, ...]]
    available: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of_network(
        cls,
        network: Graph,
        loss: Loss,
        values: Mapping[str, Array],
        inputs: Array,
        targets: Any,
        sample_weights: Any,
        context: Context,
    ) -> Cells:
        """The cells of a network and one pass through it; `values` holds parameters and state."""
        parameters = {name: values[name] for name in network.parameters}
        one = trace(
            network,
            loss,
            parameters,
            inputs,
            targets,
            state={name: values[name] for name in network.state},
            sample_weights=sample_weights,
            training=context.training,
            seed=context.seed,
            step=context.step,
        )
        found: list[Cell] = []
        outputs: dict[str, str] = {}
        last = _unroll(network, INPUTS, "", {}, context.training and not network.frozen, found, outputs)
        found = [replace(c, training=cast(Layer, c.pair).learns(c.training, one.predictions)) for c in found]
        found.append(Cell(LOSS, loss, last, {}, context.training, LOSS))
        prepared, shares = loss.prepare(targets, one.predictions.shape, sample_weights, np.float64)
        cells = cls(found, outputs, dict(values), inputs, prepared, shares, context, one, network.penalty_terms())
        cells.available = cells.run()
        return cells

    def __getitem__(self, name: str) -> Cell:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Cell]:
        return {cell.name: cell for cell in self.cells}

    @cached_property
    def order(self) -> dict[str, int]:
        """The position of every cell in the forward pass."""
        return {cell.name: i for i, cell in enumerate(self.cells)}

    @cached_property
    def readers(self) -> dict[str, list[tuple[Cell, Source]]]:
        """Which cells read a value or a parameter, by its full name."""
        readers: dict[str, list[tuple[Cell, Source]]] = {}
        for cell in self.cells:
            for source, name in cell.sources():
                readers.setdefault(name, []).append((cell, source))
        return readers

    # Numbers of the pass

    def output(self, name: str) -> Array:
        """The value of a cell, or the inputs."""
        return self.inputs if name == INPUTS else self.available[name][self[name].pair.result]

    def arriving(self, name: str) -> Array:
        """dL/d(output of a cell), as the backward pass has it; (B,) for the loss."""
        return self.shares[:, 0] if name == LOSS else self.trace[name].dvalues

    def gradient(self, name: str) -> Array:
        """dL/d(value or parameter), as the backward pass has it; without penalties for a parameter."""
        if name in self._by_name:
            return self.arriving(name)
        parts = []
        for cell, source in self.readers.get(name, ()):
            node = self.trace[cell.name]
            if source.local in cell.parameters:
                parts.append(node.gradients[source.local])
            else:
                parts.append(source.of({source.local: node.dinputs}))
        return np.asarray(sum(parts[1:], start=parts[0]) if parts else np.zeros_like(self.values[name]))

    # Running

    def run(
        self,
        first: int = 0,
        values: Mapping[str, Array] | None = None,
        inputs: Array | None = None,
        nudged: tuple[str, Place, float] | None = None,
    ) -> dict[str, dict[str, Any]]:
        """The forward pass from the cell `first` on; what comes before is as it was.

        `nudged` adds a number to one entry of a cell's output.
        """
        available = dict(self.available)
        outputs = {cell.name: self.output(cell.name) for cell in self.cells[:first]}
        outputs[INPUTS] = self.inputs if inputs is None else inputs
        for cell in self.cells[first:]:
            read = _each(lambda name: outputs[name], cell.reads)
            own = self._own(cell, self.values if values is None else values)
            available[cell.name] = self._forward(cell, read, own, self._noise(cell, read), self.targets)
            output = available[cell.name][cell.pair.result]
            if nudged is not None and nudged[0] == cell.name:
                output = output.copy()
                output[nudged[1]] += nudged[2]
            outputs[cell.name] = output
        return available

    def loss_of(self, available: Mapping[str, Mapping[str, Any]]) -> float:
        """The data loss of a forward pass."""
        return float(np.sum(available[LOSS]["losses"] * self.shares[:, 0]))

    def penalty_of(self, values: Mapping[str, Array]) -> float:
        """The penalties on the parameters."""
        terms = self.penalty_terms.items()
        return float(sum(t.run_forward(np, {"parameter": values[name]})[0] for name, each in terms for t in each))

    def _own(self, cell: Cell, values: Mapping[str, Array]) -> dict[str, Array]:
        return {local: values[name] for local, name in cell.parameters.items()}

    def _noise(self, cell: Cell, read: Any) -> Any:
        reads = "noise" in cell.pair.forward_reads or "noise" in cell.pair.backward_reads
        if not (reads and cell.training):
            return None
        return Context(True, self.context.seed, self.context.step, path=cell.path).noise(np, read.shape)

    @staticmethod
    def _forward(cell: Cell, read: Any, own: Mapping[str, Array], noise: Any, targets: Array) -> dict[str, Any]:
        available = {**own, cell.pair.sources[0]: read, "training": cell.training, "noise": noise, "targets": targets}
        value, extra = cell.pair.run_forward(np, available)
        return {**available, cell.pair.result: value, **extra}

    def _rows(self, cell: Cell, rows: Sequence[int]) -> dict[str, Any]:
        """What a cell has of some samples, computed for them alone."""
        whole, rows = self.available[cell.name], list(rows)
        read = _each(lambda array: array[rows], whole[cell.pair.sources[0]])
        noise = None if whole["noise"] is None else whole["noise"][rows]
        targets = self.targets[rows] if cell.name == LOSS else self.targets
        return self._forward(cell, read, self._own(cell, self.values), noise, targets)

    def _backward(self, cell: Cell, dvalues: Array, available: Mapping[str, Any]) -> dict[str, Any]:
        if cell.name == LOSS:
            dvalues = dvalues[:, None]
        return cell.pair.run_backward(np, dvalues, available)

    # Jacobians

    def jacobian(self, cell: Cell, source: Source, place: Place, entries: Sequence[Place]) -> Array:
        """∂output[entry]/∂source[place] for each entry of the output, through the cell's own backward pass."""
        shape = self.output(cell.name).shape
        if cell.mixes:
            return np.array([self._hot(cell, source, place, entry, shape, None) for entry in entries])
        if source.local in cell.parameters:
            return np.array([self._hot(cell, source, place, entry, shape, entry[0]) for entry in entries])
        numbers = []
        size = max(1, 2**21 // max(1, int(np.prod(shape[1:])) + source.of(self.available[cell.name])[0].size))
        for start in range(0, len(entries), size):  # the same sample once for each entry
            some = entries[start : start + size]
            dvalues = np.zeros((len(some), *shape[1:]))
            for k, entry in enumerate(some):
                dvalues[(k, *entry[1:])] = 1.0
            gradients = self._backward(cell, dvalues, self._rows(cell, [entry[0] for entry in some]))
            numbers.append(source.of(gradients)[(slice(None), *place[1:])])
        return np.concatenate(numbers) if numbers else np.zeros(0)

    def _hot(self, cell: Cell, source: Source, place: Place, entry: Place, shape: Place, row: int | None) -> float:
        dvalues = np.zeros(shape if row is None else (1, *shape[1:]))
        dvalues[entry if row is None else (0, *entry[1:])] = 1.0
        available = self.available[cell.name] if row is None else self._rows(cell, [row])
        return float(source.of(self._backward(cell, dvalues, available))[place])

    def through(self, cell: Cell, source: Source, place: Place, dvalues: Array) -> float:
        """Σ over entries of dvalues[entry]·∂output[entry]/∂source[place]: one backward pass of the cell alone."""
        if cell.mixes or source.local in cell.parameters:
            return float(source.of(self._backward(cell, dvalues, self.available[cell.name]))[place])
        row = place[0]
        gradients = self._backward(cell, dvalues[row : row + 1], self._rows(cell, [row]))
        return float(source.of(gradients)[(0, *place[1:])])

    def by_row(self, cell: Cell, source: Source, place: Place) -> Array:
        """The part of dL/d(source[place]) that passes through each sample's output of this cell, (B,)."""
        arriving, parts = self.arriving(cell.name), []
        for row in range(len(arriving)):
            if not arriving[row].any():
                parts.append(0.0)
            elif cell.mixes:
                alone = np.zeros_like(arriving)
                alone[row] = arriving[row]
                parts.append(self.through(cell, source, place, alone))
            else:
                gradients = self._backward(cell, arriving[row : row + 1], self._rows(cell, [row]))
                parts.append(float(source.of(gradients)[place]))
        return np.array(parts)

    def backward_from(self, shares: Array, quantity: str, place: Place, held: Array | None = None) -> float:
        """dL/d(quantity[place]) for other shares (B, 1) of the samples' losses, by the cells' own backward passes.

        Where `held` is true the loss passes nothing back to a prediction.
        """
        arriving: dict[str, Any] = {LOSS: shares[:, 0]}
        readers = [self.order[cell.name] for cell, _ in self.readers.get(quantity, ())]
        for cell in reversed(self.cells[min(readers, default=0) :]):
            if cell.name not in arriving:
                continue
            gradients = self._backward(cell, arriving.pop(cell.name), self.available[cell.name])
            for source, name in cell.sources():
                part = source.of(gradients)
                if held is not None and cell.name == LOSS:
                    part = np.where(held, 0.0, part)
                arriving[name] = arriving[name] + part if name in arriving else part
        return float(arriving[quantity][place])

    # Rules

    def scope(self, cell: Cell, arithmetic: Arithmetic = SCALARS, indices: Mapping[str, Any] | None = None) -> Scope:
        """What the symbols of a cell's rule mean in this pass."""
        return rule_scope(cell, self.available[cell.name], arithmetic, indices)


def rule_scope(
    cell: Cell, arrays: Mapping[str, Any], arithmetic: Arithmetic = SCALARS, indices: Mapping[str, Any] | None = None
) -> Scope:
    """What the symbols of a cell's rule mean for these arrays by name; `indices` fixes some of the letters."""
    rule = cell.rule
    assert rule is not None
    symbols: dict[str, Any] = {}
    for entry, shown in {cell.pair.result: rule.output, **rule.arrays}.items():
        local, *path = entry.split(".")
        if local in arrays:
            symbols[pattern(shown)[0]] = Source(local, tuple(map(int, path))).of(arrays)
    sizes = rule.sizes({name: np.shape(array) for name, array in symbols.items()})
    definitions = {pattern(left)[0]: (pattern(left)[1], right) for left, right in rule.where.items()}
    known: dict[tuple[str, Place], Any] = {}

    def look_up(name: str, place: Place) -> Any:
        if name in symbols:
            return symbols[name][place]
        if name in rule.settings:
            return getattr(cell.pair, rule.settings[name])
        if name not in definitions:
            raise DefinitionError(f"The rule of {cell.kind} has a formula with {name!r}, which it does not explain.")
        letters, formula = definitions[name]
        if arithmetic is ARRAYS:
            return evaluate(formula, Scope(look_up, fixed(letters, place), sizes, arithmetic))
        if (name, place) not in known:
            known[name, place] = evaluate(formula, Scope(look_up, fixed(letters, place), sizes, arithmetic))
        return known[name, place]

    return Scope(look_up, indices or {}, sizes, arithmetic)


def _unroll(
    graph: Graph, inputs: Tree, path: str, borrowed: Mapping[str, str], training: bool, cells: list[Cell], outputs: Any
) -> Tree:
    """Append the cells of a graph; returns what its output is called. `borrowed` are its parameters' full names."""
    found: dict[str, Tree] = {INPUTS: inputs}
    for node in graph:
        name = f"{path}{node.name}"
        reads = tuple(found[s] for s in node.sources) if node.joins else found[node.sources[0]]
        running = training and not node.layer.frozen
        full = {}
        for local in (*node.layer.parameters, *node.layer.state):
            own = graph.ties.get(f"{node.name}.{local}", f"{node.name}.{local}")
            full[local] = borrowed.get(own, f"{path}{own}")
        if isinstance(node.layer, Graph):
            found[node.name] = _unroll(node.layer, reads, f"{name}.", full, running, cells, outputs)
        else:
            cells.append(Cell(name, node.layer, reads, full, running, name))
            found[node.name] = name
        outputs[name] = found[node.name]
    return found[graph.output_node]
