"""One pass looked into: what went through every node, and what every sample adds to a gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .backprop import Prepared, prepare, propagate
from .display import article, fragment, table, tag
from .errors import DataError, UnknownNameError
from .layer import Array, Arrays, Context, Layer
from .loss import Loss

__all__ = ["NodeTrace", "Trace", "per_sample_gradient_chunks", "per_sample_gradients", "trace"]


@dataclass(frozen=True, repr=False)
class NodeTrace:
    """What went through one node: dL/d(output) is `dvalues`, dL/d(inputs) is `dinputs`."""

    inputs: Array
    output: Array
    dvalues: Array
    dinputs: Array
    gradients: Arrays  # dL/d(parameter) through this node alone, by its own names

    def __repr__(self) -> str:
        gradients = (f", d{name} {_sketch(gradient)}" for name, gradient in self.gradients.items())
        return f"output {_sketch(self.output)}, dvalues {_sketch(self.dvalues)}{''.join(gradients)}"


def _sketch(array: Array) -> str:
    """The shape of an array and the range of its numbers."""
    if not np.size(array):
        return f"{np.shape(array)}"
    return f"{np.shape(array)} from {np.min(array):.4g} to {np.max(array):.4g}"


@dataclass(frozen=True, repr=False)
class Trace:
    """Everything that one pass computed: `trace["dense_0"].dvalues`, by the dotted names of the nodes.

    The loss is the last node, under the name "loss": its inputs are the predictions, its output the losses (B,), its
    dvalues each sample's share of the batch's loss.
    """

    loss: float
    data_loss: float
    penalty: float
    predictions: NDArray[Any]
    gradients: Arrays
    state: Arrays
    nodes: Mapping[str, NodeTrace]
    targets: NDArray[Any]  # as the loss reads them

    def __getitem__(self, name: str) -> NodeTrace:
        if name not in self.nodes:
            raise UnknownNameError("node", name, self.nodes)
        return self.nodes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        rows = [_HEAD, *self._rows()]
        wide = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
        lines = ["  ".join(cell.ljust(size) for cell, size in zip(row, wide, strict=True)).rstrip() for row in rows]
        return "\n".join([self._title(), *(f"  {line}" for line in lines)])

    def _repr_html_(self) -> str:
        return fragment(article(tag("p", self._title()), table(_HEAD, self._rows())))

    def _title(self) -> str:
        samples = f"{len(self.predictions)} sample{'s' if len(self.predictions) != 1 else ''}"
        penalty = f", {self.penalty:.6g} of it penalties" if self.penalty else ""
        return f"Trace of {samples}: loss {self.loss:.6g}{penalty}"

    def _rows(self) -> list[tuple[str, ...]]:
        """A row for each node, and below it one for each of its parameters."""
        rows: list[tuple[str, ...]] = []
        for name, node in self.nodes.items():
            rows.append((name, str(np.shape(node.output)), _range(node.output), _range(node.dvalues)))
            rows += [(f"{name}.d{own}", str(np.shape(of)), "", _range(of)) for own, of in node.gradients.items()]
        return rows


_HEAD = ("node", "shape", "output", "gradient")


def _range(array: Array) -> str:
    """The smallest and the largest number of an array."""
    if not np.size(array):
        return "empty"
    low, high = f"{np.min(array):.4g}", f"{np.max(array):.4g}"
    return low if low == high else f"{low} to {high}"


def trace(
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
) -> Trace:
    """One pass with every node's inputs, output, dvalues and dinputs kept by name. Arguments as `loss_and_gradients`.

    >>> from chainrule import Dense, MeanSquaredError, ReLU, Sequential
    >>> network = Sequential(Dense(1, 1), ReLU())
    >>> parameters = {"dense_0.weights": np.array([[2.0]]), "dense_0.biases": np.array([[0.0]])}
    >>> one = trace(network, MeanSquaredError(), parameters, [[3.0]], [5.0])
    >>> list(one), one["relu_0"].output, one["dense_0"].dvalues, one["dense_0"].dinputs
    (['dense_0', 'relu_0', 'loss'], array([[6.]]), array([[2.]]), array([[4.]]))
    >>> one
    Trace of 1 sample: loss 1
      node              shape   output  gradient
      dense_0           (1, 1)  6       2
      dense_0.dweights  (1, 1)          6
      dense_0.dbiases   (1, 1)          2
      relu_0            (1, 1)  6       2
      loss              (1,)    1       1
    """
    record: dict[str, Arrays] = {}
    context = Context(training, seed, step, record=record)
    given = prepare(network, loss, parameters, inputs, targets, state, sample_weights, context)
    result = propagate(np, network, *given)
    nodes = {name: NodeTrace(**arrays) for name, arrays in record.items()}
    nodes["loss"] = NodeTrace(result.predictions, result.losses, given.shares, result.dpredictions, {})
    return Trace(
        loss=float(result.loss),
        data_loss=float(result.data_loss),
        penalty=float(result.penalty),
        predictions=result.predictions,
        gradients=result.gradients,
        state=result.state,
        nodes=nodes,
        targets=given.targets,
    )


def per_sample_gradient_chunks(
    network: Layer,
    loss: Loss | str,
    parameters: Mapping[str, Array],
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    chunk_size: int = 32,
    state: Mapping[str, Array] | None = None,
    sample_weights: ArrayLike | None = None,
    training: bool = True,
    seed: int = 0,
    step: int = 0,
) -> Iterator[tuple[slice, Arrays]]:
    """As `per_sample_gradients`, `chunk_size` samples at a time: pairs of (rows, arrays by name), to bound memory."""
    context = Context(training, seed, step)
    given = prepare(network, loss, parameters, inputs, targets, state, sample_weights, context)
    chosen = tuple(parameters) if names is None else tuple(names)
    for name in chosen:
        if name not in parameters:
            raise UnknownNameError("parameter", name, parameters)
    if chunk_size < 1:
        raise DataError(f"chunk_size must be at least 1, not {chunk_size!r}.")
    samples = len(given.inputs)
    for start in range(0, samples, chunk_size):
        rows = range(start, min(start + chunk_size, samples))
        each = [_one_sample(network, given, row) for row in rows]
        yield slice(rows.start, rows.stop), {name: np.stack([g[name] for g in each]) for name in chosen}


def _one_sample(network: Layer, given: Prepared, row: int) -> Arrays:
    """The part of the batch's gradient that comes from one sample's loss, without penalties."""
    only = given.rows(slice(row, row + 1))
    if network.mixes_samples and given.context.training:
        # The other samples take part in this one's output: the whole batch runs, and only this loss counts.
        shares = np.zeros_like(given.shares)
        shares[row] = given.shares[row]
        only = given._replace(shares=shares)
    predictions, kept, _ = network.forward_pass(np, only.inputs, only.values, only.context)
    kept_loss = only.loss.forward_pass(np, predictions, only.targets)[1]
    dvalues = only.loss.backward_pass(np, only.shares, kept_loss)
    return network.backward_pass(np, dvalues, kept, only.values, only.context)[1]


def per_sample_gradients(
    network: Layer,
    loss: Loss | str,
    parameters: Mapping[str, Array],
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    chunk_size: int = 32,
    state: Mapping[str, Array] | None = None,
    sample_weights: ArrayLike | None = None,
    training: bool = True,
    seed: int = 0,
    step: int = 0,
) -> Arrays:
    """The gradient before it is summed over the batch: one more axis in front, (B, ...), for each of `names`.

    Entry b is the part of the gradient that comes from sample b's loss, its share 1/B of the mean included: the sum
    over b, plus the penalties' gradient, is the gradient. `chunk_size` samples are worked on at a time; the other
    arguments are those of `loss_and_gradients`. `per_sample_gradient_chunks` needs less memory.

    >>> from chainrule import Dense, MeanSquaredError, Sequential
    >>> network = Sequential(Dense(1, 1))
    >>> parameters = {"dense_0.weights": np.array([[2.0]]), "dense_0.biases": np.array([[0.0]])}
    >>> per_sample_gradients(network, MeanSquaredError(), parameters, [[3.0], [1.0]], [5.0, 4.0],
    ...                      names=["dense_0.weights"])                     # 2·(6-5)·3 / 2 and 2·(2-4)·1 / 2
    {'dense_0.weights': array([[[ 3.]],
           [[-2.]]])}
    """
    options: dict[str, Any] = dict(names=names, chunk_size=chunk_size, state=state, sample_weights=sample_weights)
    options |= dict(training=training, seed=seed, step=step)
    chunks = per_sample_gradient_chunks(network, loss, parameters, inputs, targets, **options)
    parts = [arrays for _, arrays in chunks]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
