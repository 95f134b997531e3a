"""What JAX compiles: the loop over the steps of a block, and which tasks share one compilation.

The pure pair runs inside `jax.jit`; the seed, the step's number, rates and rows are traced arrays. A network of the
library's own classes is known by its description: tasks with equal descriptions, losses, rules of update and shapes run
the same program, in whatever session. A class of a user's own may read whatever Python lets it read, so a session that
holds one traces its loop anew, and what is shared is what the trace came to.
"""

from __future__ import annotations

import hashlib
import json
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from .. import registry
from ..backprop import propagate
from ..errors import ConfigurationError
from ..forking import forkable
from ..graph import Graph, Sequential
from ..layer import Arrays, Context
from .contract import Task
from .recorder import relu_units

__all__ = ["program_of"]

_LARGE = 2**18  # parameters, from which copies of them cost more than a few operations on numbers
_PROGRAMS = 32  # kept at once, each for one architecture and one shape of the data

Program = Callable[..., Any]
_kept: OrderedDict[Any, Any] = OrderedDict()  # the latest last
_lock = forkable(threading.Lock())
_tracing = threading.local()  # whose network a trace goes through: a program kept does not keep a network


def program_of(task: Task) -> Program:
    """The compiled loop for a task: one that another session had compiled, where it is the same."""
    key = _key(task)
    if key is None:
        return _Traced(task)
    program = _once(key, _jitted)

    def run(*arrays: Any, **options: Any) -> Any:
        _tracing.steps = JaxSteps(task)
        try:
            return program(*arrays, **options)
        finally:
            del _tracing.steps

    return run


def _jitted() -> Program:
    import jax

    def loop(*arrays: Any, **options: Any) -> Any:  # a function of its own: JAX tells traces apart by their function
        return _tracing.steps.loop(*arrays, **options)

    program: Program = jax.jit(loop, static_argnames=("record", "checked"))
    return program


class _Traced:
    """The loop of a network with classes of a user's own: traced in each session, compiled where its code is new."""

    def __init__(self, task: Task) -> None:
        import jax

        self.jax = jax
        self.jitted: Any = jax.jit(JaxSteps(task).loop, static_argnames=("record", "checked"))
        self.compiled: dict[Any, Program] = {}

    def __call__(self, *arrays: Any, **options: Any) -> Any:
        leaves, tree = self.jax.tree.flatten(arrays)
        shapes = tuple((leaf.shape, leaf.dtype) for leaf in leaves)
        place = shapes, tree, tuple(options.items())
        if place not in self.compiled:
            lowered = self.jitted.lower(*arrays, **options)
            code = hashlib.sha256(lowered.as_text().encode()).digest()
            self.compiled[place] = _once((code, tree), lowered.compile)
        return self.compiled[place](*arrays)


def _once(key: Any, make: Callable[[], Any]) -> Any:
    """What is kept under a key, made where it is new; what was used longest ago gives way."""
    with _lock:
        if key not in _kept:
            _kept[key] = make()
        _kept.move_to_end(key)
        while len(_kept) > _PROGRAMS:
            _kept.popitem(last=False)
        return _kept[key]


def _key(task: Task) -> Any:
    """What the program of a task depends on; None where a class is not the library's."""
    optimizer = _described(task.optimizer)
    settings = [_described(task.network), _described(task.loss), optimizer]
    if any(each is None for each in settings):
        return None
    for rates in (optimizer, *optimizer["groups"].values()):
        rates.pop("learning_rate", None)  # traced
    shapes = task.X.shape, task.y.shape, task.outputs, str(task.X.dtype)
    return json.dumps(settings), shapes, task.weights is None, task.metric_weights is None


def _described(value: Any) -> Any:
    """The description of a setting, None where a class in it is not the library's."""
    try:
        described = registry.describe(value, registry.LIBRARY)
    except ConfigurationError:
        return None
    graphs = {graph for leaf in value.flat for graph in leaf.around} if isinstance(value, Graph) else ()
    return described if all(type(graph) in (Graph, Sequential) for graph in graphs) else None


class JaxSteps:
    """The steps of a task as pure functions of arrays, for JAX to trace."""

    def __init__(self, task: Task) -> None:
        import jax

        self.jax, self.task, self.names = jax, task, task.network.trainable_names()
        self.units = relu_units(task.network, task.X.shape[1:])

    def _batch(self, data: Any, rows: Any) -> Any:
        """Of all data what belongs to some rows; without them a batch is all samples as they lie."""
        if rows is None:
            return data
        return self.jax.tree.map(lambda array: array.at[rows].get(mode="promise_in_bounds"), data)

    def _metric(self, batch: Any, predictions: Any) -> Any:
        """Σ over a batch of weight · what the metric gives for a sample, as `metrics.scores` has it."""
        jnp, (*_, labels, weights) = self.jax.numpy, batch
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that without float64 whole numbers have 32 bits too
            decided = self.task.loss.decide(jnp, predictions)
        labels, decided = (array.reshape(len(predictions), -1) for array in (labels, decided))
        each = decided == labels if self.task.loss.metric == "accuracy" else jnp.abs(labels - decided)
        scores = jnp.mean(each, axis=1, dtype=predictions.dtype)  # (B,)
        return jnp.sum(scores if weights is None else scores * weights)

    def _step(
        self, batch: Any, carry: Any, seed: Any, step: Any, rates: Any, nodes: dict[str, Arrays] | None
    ) -> tuple[Any, Any]:
        """One step: its pass, then the next values and slots. `nodes` receives what passed through each node."""
        jnp, task = self.jax.numpy, self.task
        (X, targets, weights, *_), (values, slots) = batch, carry
        mean = task.loss.reduction == "mean"
        if weights is None:
            shares = jnp.full((len(X), 1), 1 / len(X) if mean else 1.0, dtype=X.dtype)
        else:
            total = jnp.sum(weights)
            shares = (weights / jnp.where(total > 0, total, 1) if mean else weights)[:, None]
        context = Context(not task.network.frozen, seed, step, record=nodes)
        result = propagate(jnp, task.network, task.loss, values, X, targets, shares, context)
        rates = self._held_back(rates, result.gradients)
        named = {name: rates[i] for i, name in enumerate(self.names)}
        trainable = {name: values[name] for name in self.names}
        updated, slots = task.optimizer.update(jnp, step, trainable, result.gradients, slots, named)
        return result, ({**values, **result.state, **updated}, slots)

    def _held_back(self, rates: Any, gradients: Arrays) -> Any:
        """The rates plus 0 times an entry of each gradient: no update may come before the last backward pass.

        Else XLA copies a large matrix in each step, to update it while `dvalues @ weights.T` may still read it.
        """
        jnp = self.jax.numpy
        entries = [gradients[name].ravel()[0] for name in self.names]
        if sum(gradients[name].size for name in self.names) < _LARGE:
            return rates
        return rates + sum(jnp.where(jnp.isfinite(entry), entry, 0) * 0 for entry in entries)

    def loop(
        self,
        data: Any,
        carry: Any,
        seed: Any,
        first: Any,
        count: Any,
        rows: Any,
        rates: Any,
        *,
        record: bool,
        checked: bool,
    ) -> tuple[Any, Any, Any]:
        """`count` steps, of the rows and rates that each finds in its place.

        Returns the carry; of each step (loss, penalty, 0) and, with `record`, the sum of the metric and Σg² of each
        gradient, then whether each unit of the ReLUs was above 0 for a sample; and 0.

        Where a number is not finite, NaN stands for 0. Only a `checked` loop looks at the values after each step, which
        is one more way through the memory: infinity and NaN are still there at the end.
        """
        jax, jnp, kind = self.jax, self.jax.numpy, self.task.X.dtype
        capacity = len(rates)
        met: tuple[Any, ...] = (jnp.zeros((capacity, 3), kind),)
        if record:
            met = (jnp.zeros((capacity, 4 + len(self.names)), kind),)
            met += (jnp.zeros((capacity, sum(self.units.values())), bool),)

        def body(i: Any, state: Any) -> Any:
            carry, met = state
            own = None if rows is None else jax.lax.dynamic_index_in_dim(rows, i, keepdims=False)
            rate = jax.lax.dynamic_index_in_dim(rates, i, keepdims=False)
            nodes: dict[str, Arrays] = {}
            batch = self._batch(data, own)
            result, carry = self._step(batch, carry, seed, first + i, rate, nodes if record and self.units else None)
            numbers = [result.data_loss, result.penalty, self._zero(carry[0] if checked else result.state)]
            alive = [jnp.any(nodes[name]["output"] > 0, axis=0).reshape(-1) for name in self.units if record]
            if record:
                numbers.append(self._metric(batch, result.predictions))
                ready = jax.lax.optimization_barrier([result.gradients[name] for name in self.names])
                numbers += [jnp.sum(g * g) for g in ready]  # else XLA computes each gradient once more for its sum
            found = [jnp.stack([jnp.asarray(n, kind) for n in numbers])]
            found += [jnp.concatenate(alive) if alive else jnp.zeros(0, bool)] if record else []
            pairs = zip(met, found, strict=True)
            met = tuple(jax.lax.dynamic_update_index_in_dim(into, number, i, 0) for into, number in pairs)
            return carry, met

        carry, met = jax.lax.fori_loop(0, count, body, (carry, met))
        return carry, met, self._zero(carry[0])

    def _zero(self, arrays: Arrays) -> Any:
        """0, or NaN where a number is not finite."""
        return sum(self.jax.numpy.sum(array * 0) for array in arrays.values())
