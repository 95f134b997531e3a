"""The network as a list of cells: every layer, those of nested graphs too, and the loss as the last one.

A cell knows which values it reads and which parameters it uses. The forward pass can start at any cell; a row of a
Jacobian is a one-hot `dvalues` sent through the layer's own `pure_backward`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..forking import cached_property
from ..graph import Graph
from ..layer import Context
from ..loss import Loss
from ..nodes import INPUTS, each_of
from ..traces import Trace, trace
from .cell import LOSS, Cell, Source, rule_scope
from .formula import SCALARS, Arithmetic, Scope

__all__ = ["Cells"]

Index = tuple[int, ...]
Array = NDArray[Any]


def _each(function: Any, tree: Any) -> Any:
    return tuple(_each(function, part) for part in tree) if isinstance(tree, tuple) else function(tree)


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
    sample_weights: Array | None = None  # (B,), as they were given

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
        flat, training, batch = network.flat, context.training, one.predictions
        runs = {leaf.name: leaf.layer.learns(training and not leaf.frozen, batch) for leaf in flat}
        found = [Cell(f.name, f.layer, f.reads, f.arrays, runs[f.name], f.name) for f in flat]
        found.append(Cell(LOSS, loss, flat.output, {}, training, LOSS))
        prepared, shares = loss.prepare(targets, one.predictions.shape, sample_weights, np.float64)
        cells = cls(
            found, dict(flat.outputs), dict(values), inputs, prepared, shares, context, one, network.penalty_terms()
        )
        cells.sample_weights = None if sample_weights is None else np.asarray(sample_weights, dtype=np.float64)
        cells.available = cells.run()
        for cell in found:
            if cell.rule is not None and not cell.rule.fits(np.ndim(cells.available[cell.name][cell.pair.result])):
                vars(cell)["rule"] = None  # its formulas have too few indices: numbers only
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

    def upstream_gradient(self, name: str) -> Array:
        """dL/d(output of a cell), as the backward pass has it; (B,) for the loss."""
        return self.shares[:, 0] if name == LOSS else self.trace[name].dvalues

    def largest_upstream(self, name: str) -> float:
        """The largest |dL/d(output of a cell)|: what the rounding of everything below it is measured against."""
        return float(np.max(np.abs(self.upstream_gradient(name)), initial=0.0))

    def gradient(self, name: str) -> Array:
        """dL/d(value or parameter), as the backward pass has it; without penalties for a parameter."""
        if name in self._by_name:
            return self.upstream_gradient(name)
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
        nudged: tuple[str, Index, float] | None = None,
    ) -> dict[str, dict[str, Any]]:
        """The forward pass from the cell `first` on; what comes before is as it was.

        `nudged` adds a number to one entry of a cell's output.
        """
        available = dict(self.available)
        outputs = {cell.name: self.output(cell.name) for cell in self.cells[:first]}
        outputs[INPUTS] = self.inputs if inputs is None else inputs
        for cell in self.cells[first:]:
            read = each_of(cell.reads, outputs)
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

    def _of_samples(self, cell: Cell, rows: Sequence[int]) -> dict[str, Any]:
        """The arrays of a cell for some samples, computed for them alone."""
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

    def jacobian(self, cell: Cell, source: Source, index: Index, entries: Sequence[Index]) -> Array:
        """∂output[entry]/∂source[index] for each entry of the output, through the cell's own backward pass."""
        shape = self.output(cell.name).shape
        if cell.mixes:
            return np.array([self._jacobian_entry(cell, source, index, entry, shape, None) for entry in entries])
        if source.local in cell.parameters:
            return np.array([self._jacobian_entry(cell, source, index, entry, shape, entry[0]) for entry in entries])
        numbers = []
        size = max(1, 2**21 // max(1, int(np.prod(shape[1:])) + source.of(self.available[cell.name])[0].size))
        for start in range(0, len(entries), size):  # the same sample once for each entry
            some = entries[start : start + size]
            dvalues = np.zeros((len(some), *shape[1:]))
            for k, entry in enumerate(some):
                dvalues[(k, *entry[1:])] = 1.0
            gradients = self._backward(cell, dvalues, self._of_samples(cell, [entry[0] for entry in some]))
            numbers.append(source.of(gradients)[(slice(None), *index[1:])])
        return np.concatenate(numbers) if numbers else np.zeros(0)

    def _jacobian_entry(
        self, cell: Cell, source: Source, index: Index, entry: Index, shape: Index, row: int | None
    ) -> float:
        dvalues = np.zeros(shape if row is None else (1, *shape[1:]))
        dvalues[entry if row is None else (0, *entry[1:])] = 1.0
        available = self.available[cell.name] if row is None else self._of_samples(cell, [row])
        return float(source.of(self._backward(cell, dvalues, available))[index])

    def vjp(self, cell: Cell, source: Source, index: Index, dvalues: Array) -> float:
        """Σ over entries of dvalues[entry]·∂output[entry]/∂source[index]: one backward pass of the cell alone."""
        if cell.mixes or source.local in cell.parameters:
            return float(source.of(self._backward(cell, dvalues, self.available[cell.name]))[index])
        row = index[0]
        gradients = self._backward(cell, dvalues[row : row + 1], self._of_samples(cell, [row]))
        return float(source.of(gradients)[(0, *index[1:])])

    def by_sample(self, cell: Cell, source: Source, index: Index) -> Array:
        """The part of dL/d(source[index]) that passes through each sample's output of this cell, (B,)."""
        upstream, parts = self.upstream_gradient(cell.name), []
        for row in range(len(upstream)):
            if not upstream[row].any():
                parts.append(0.0)
            elif cell.mixes:
                alone = np.zeros_like(upstream)
                alone[row] = upstream[row]
                parts.append(self.vjp(cell, source, index, alone))
            else:
                gradients = self._backward(cell, upstream[row : row + 1], self._of_samples(cell, [row]))
                parts.append(float(source.of(gradients)[index]))
        return np.array(parts)

    def backward_from(self, shares: Array, quantity: str, index: Index, clipped: Array | None = None) -> float:
        """dL/d(quantity[index]) for other shares (B, 1) of the samples' losses, by the cells' own backward passes.

        Where `clipped` is true the loss passes nothing back to a prediction.
        """
        upstream: dict[str, Any] = {LOSS: shares[:, 0]}
        readers = [self.order[cell.name] for cell, _ in self.readers.get(quantity, ())]
        for cell in reversed(self.cells[min(readers, default=0) :]):
            if cell.name not in upstream:
                continue
            gradients = self._backward(cell, upstream.pop(cell.name), self.available[cell.name])
            for source, name in cell.sources():
                part = source.of(gradients)
                if clipped is not None and cell.name == LOSS:
                    part = np.where(clipped, 0.0, part)
                upstream[name] = upstream[name] + part if name in upstream else part
        return float(upstream[quantity][index])

    # Rules

    def scope(self, cell: Cell, arithmetic: Arithmetic = SCALARS, indices: Mapping[str, Any] | None = None) -> Scope:
        """What the symbols of a cell's rule mean in this pass."""
        return rule_scope(cell, self.available[cell.name], arithmetic, indices)
