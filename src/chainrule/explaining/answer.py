"""`explain`: one gradient of any network, written out."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..backprop import as_inputs, check_arrays
from ..errors import ConfigurationError, DataError, UnknownNameError
from ..graph import Graph
from ..layer import Array, Context, Layer
from ..loss import Loss
from ..optimizers import Optimizer
from ..registry import named
from .building import derivation
from .cells import Cells
from .derivation import AxisNames, Line, OptimizerStep, Paths, Quantity, Witness
from .explanation import Explanation
from .finite import require_finite, require_finite_values
from .labels import Labels
from .oracle import scalar_oracle
from .question import resolve
from .stepping import optimizer_step
from .steps import steps_of
from .upstream import Upstream, objective
from .views import batch_view, diagram, path_view
from .why import why_zero
from .witnesses import central_difference, loss_curve

__all__ = ["PARTS", "explain"]

PARTS = ("witnesses", "batch", "step", "paths", "curve")


def explain(
    network: Layer,
    loss: Loss | str | None = None,
    X: ArrayLike | None = None,
    y: ArrayLike | None = None,
    name: str | None = None,
    index: int | Sequence[int] | None = None,
    *,
    dvalue: ArrayLike | None = None,
    parameters: Mapping[str, Array] | None = None,
    state: Mapping[str, Array] | None = None,
    sample: int | None = None,
    sample_weights: ArrayLike | None = None,
    training: bool = False,
    seed: int = 0,
    step: int = 0,
    optimizer: Optimizer | str | None = None,
    slots: Mapping[str, Array] | None = None,
    rates: Mapping[str, float] | None = None,
    max_terms: int = 5,
    max_paths: int = 200,
    points: int = 25,
    parts: Collection[str] | None = None,
    feature_names: Sequence[str] = (),
    class_names: Sequence[str] = (),
    preprocessing: Any = None,
) -> Explanation:
    """Why the gradient of one number is what it is: the chain rule from the loss down, with formulas and numbers.

    `name` and `index` choose the number: a parameter, `"dense_0.weights", (20, 5)`; an entry of X, `"inputs", (3, 7)`;
    or the output of a node, `"relu_0", (3, 5)`, sample first. The index may stand in the name, as it is printed:
    `"dense_0.weights[20,5]"`. `dvalue` is the gradient that arrives at the output from the next layer, for a neuron or
    a layer alone: it stands for `loss` and `y`. `parameters` and `state` are the network's own where left out.
    `sample` takes the loss of one sample alone. With an `optimizer` (its `slots` and `rates` new where left out) the
    explanation says what its step would do. Sums show `max_terms` terms, the largest first, and add up the rest; up to
    `max_paths` paths are listed; the loss along the number is taken at `points` values (0 for none). `parts` says what
    beside the derivation is worked out, of `PARTS`: "witnesses", "batch", "step", "paths", "curve"; all of them where
    it is left out. `feature_names`, `class_names` and `preprocessing` give names to columns and classes, which an index
    may hold too: `"dense_0.weights[petal length,5]"`.

    Everything is calculated in float64, from the layers' own pairs. Raises `UnknownNameError` with the names that
    exist, `ShapeError` for an index outside or data that do not fit, `NonFiniteError` for parameters that are not
    finite, `DerivationError` where a layer's backward pass contradicts itself or the rule that it carries.

    >>> from chainrule import Dense, MeanSquaredError, Sequential
    >>> network = Sequential(Dense(1, 1))
    >>> network["dense_0"].weights, network["dense_0"].biases = np.array([[2.0]]), np.array([[0.0]])
    >>> one = explain(network, MeanSquaredError(), [[3.0]], [5.0], "dense_0.weights[0,0]")
    >>> one.value, [line.value for line in one.lines]             # L, dL/dℓ, 2·(6 - 5), ·3
    (6.0, [1.0, 1.0, 2.0, 6.0])
    >>> [witness.agrees for witness in one.witnesses]
    [True, True, True, True]
    """
    compared, y = objective(loss, y, dvalue, "explain")
    stepping = None if optimizer is None else named(optimizer, Optimizer, "explain: optimizer")
    if name is None:
        raise ConfigurationError(
            "explain: write the name of a number, such as name='dense_0.weights[0,0]'; "
            "explain_neuron writes out a neuron alone."
        )
    if X is None:
        raise ConfigurationError("explain: write X, the inputs, such as X=[[1.0, -2.0, 3.0]].")
    if not isinstance(network, Graph):
        raise ConfigurationError(f"explain: the network must be a Graph; write Sequential({network!r}).")
    for option, given, least in (("max_terms", max_terms, 1), ("max_paths", max_paths, 0), ("points", points, 0)):
        if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < least:
            raise ConfigurationError(f"explain: {option} must be a whole number of at least {least}, not {given!r}.")
    wanted = _parts(parts)
    features, classes = _names(feature_names, class_names, preprocessing)
    values = _values(network, parameters, state)
    inputs = as_inputs(X, np.float64)
    weights = _weights_of_sample(sample, len(inputs), sample_weights)
    context = Context(training and not network.frozen, seed, step)
    with np.errstate(all="ignore"), _one_thread():
        cells = Cells.of_network(network, compared, values, inputs, y, weights, context)
        labels = Labels(cells, features, classes, preprocessing)
        quantity, kind, notes = resolve(cells, network, name, index, labels)
        require_finite(cells)
        if dvalue is not None:
            notes.append("There is no loss: dvalue, the gradient that arrives at the output, is given.")
        lines = derivation(cells, quantity, min(int(max_terms), sys.maxsize))
        value = float(cells.gradient(quantity.name)[quantity.index])
        if kind == "parameter":
            value = float(cells.trace.gradients[quantity.name][quantity.index])
        current = float(
            cells.values[quantity.name][quantity.index]
            if kind == "parameter"
            else cells.output(quantity.name)[quantity.index]
        )
        planned = None
        if "step" in wanted:
            planned = _step(cells, network, quantity, kind, stepping, slots, rates, step, notes)
        return Explanation(
            quantity=quantity,
            kind=kind,
            current=current,
            value=value,
            loss=cells.trace.loss,
            samples=len(inputs),
            sample=None if sample is None else int(sample) % len(inputs),
            training=context.training,
            lines=tuple(lines),
            witnesses=_witnesses(cells, quantity, lines, current, value) if "witnesses" in wanted else (),
            batch=batch_view(cells, quantity) if sample is None and "batch" in wanted else None,
            step=planned,
            paths=path_view(cells, quantity, int(max_paths)) if "paths" in wanted else Paths(0, (), None),
            loss_curve=tuple(loss_curve(cells, quantity, current, int(points))) if points and "curve" in wanted else (),
            nodes=tuple(diagram(cells, lines, quantity)),
            notes=tuple(notes),
            steps=steps_of(cells, lines, quantity, labels, int(max_terms)),
            labels=tuple(AxisNames(n, axis, names) for n, axes in labels.axes.items() for axis, names in axes.items()),
            answer=why_zero(cells, lines[-1], value, labels),
            objective=compared.objective if isinstance(compared, Upstream) else "the loss",
            modes=any(cell.modes for cell in cells.cells),
        )


def _witnesses(
    cells: Cells, quantity: Quantity, lines: Sequence[Line], current: float, value: float
) -> tuple[Witness, ...]:
    return (
        Witness("chain rule, summed above", lines[-1].value, None, _close(lines[-1], value, cells)),
        Witness("backward pass", value, None, True),
        central_difference(cells, quantity, current, value),
        scalar_oracle(cells, quantity, value),
    )


def _parts(parts: Collection[str] | None) -> Collection[str]:
    """What to work out. Raises `UnknownNameError` for a part that does not exist."""
    for part in (parts := PARTS if parts is None else [parts] if isinstance(parts, str) else parts):
        if part not in PARTS:
            raise UnknownNameError("part of an explanation", str(part), PARTS)
    return parts


def _names(features: Sequence[str], classes: Sequence[str], preprocessing: Any) -> tuple[Sequence[str], Sequence[str]]:
    """The names of columns and outputs: those given, else the preprocessing's; outputs are classes or targets."""
    if preprocessing is None:
        return features, classes
    return features or preprocessing.feature_names, classes or preprocessing.class_names or preprocessing.targets


def _one_thread() -> Any:
    """One BLAS thread: the products are many and small, and several threads would wait for each other."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")


def _values(
    network: Graph, parameters: Mapping[str, Array] | None, state: Mapping[str, Array] | None
) -> dict[str, Array]:
    """Parameters and state in float64: those given, or the network's own."""
    own = network.values() if parameters is None or (state is None and network.state) else {}
    chosen = {name: own[name] for name in network.parameters} if parameters is None else dict(parameters)
    own_state = {name: own[name] for name in network.state} if state is None else dict(state)
    check_arrays("parameter", chosen, network.parameter_shapes())
    check_arrays("state array", own_state, network.state_shapes())
    values = {name: np.array(array, dtype=np.float64) for name, array in {**chosen, **own_state}.items()}
    require_finite_values(values)
    return values


def _weights_of_sample(sample: int | None, samples: int, weights: ArrayLike | None) -> Any:
    """The sample weights; 0 for all others where one sample is asked for."""
    if sample is None:
        return weights
    if isinstance(sample, bool) or not isinstance(sample, int | np.integer) or not -samples <= sample < samples:
        raise DataError(f"sample must be a whole number from 0 to {samples - 1}, not {sample!r}.")
    alone = np.zeros(samples)
    given = np.ones(samples) if weights is None else np.asarray(weights, dtype=np.float64)
    if given.shape != (samples,):
        return given  # the loss says what is wrong with it
    alone[sample] = given[sample]
    return alone


def _close(line: Line, other: float, cells: Cells) -> bool:
    """Within 1e-12 of the largest gradient of the array or term of the sum, and rounding of the upstream gradient."""
    name = line.quantity.name
    size = float(np.max(np.abs(cells.gradient(name)), initial=0.0))
    added = sum(abs(term.product) for term in line.terms) + abs(line.rest_sum)
    upstream = max(cells.largest_upstream(cell.name) for cell, _ in cells.readers[name])
    return bool(abs(line.value - other) <= max(1e-12 * max(abs(other), size, added), 1e-14 * upstream))


def _step(
    cells: Cells,
    network: Graph,
    quantity: Quantity,
    kind: str,
    optimizer: Optimizer | None,
    slots: Mapping[str, Array] | None,
    rates: Mapping[str, float] | None,
    step: int,
    notes: list[str],
) -> OptimizerStep | None:
    trainable = network.trainable_names()
    if optimizer is None or kind != "parameter":
        return None
    if quantity.name not in trainable:
        notes.append(f"{quantity.name.rpartition('.')[0]} is frozen: a step of the optimizer leaves it as it is.")
        return None
    parameters = {name: cells.values[name] for name in trainable}
    fresh = optimizer.initial_slots(np, parameters)
    given = fresh if slots is None else {name: slots[name] for name in fresh if name in slots}
    carried = {name: np.asarray(slot, dtype=np.float64) for name, slot in given.items()}
    check_arrays("slot", carried, {name: slot.shape for name, slot in fresh.items()})
    chosen = {name: optimizer.rate(step, name) for name in trainable} if rates is None else rates
    return optimizer_step(cells, quantity, optimizer, carried, trainable, chosen, step)
