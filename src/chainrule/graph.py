"""Graph: the only composite, named nodes that read one another, and a Layer itself. Sequential is a Graph in a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .errors import GraphError, ShapeError, UnknownNameError
from .forking import cached_property
from .layer import Array, Arrays, Context, Layer, Shape, as_arrays
from .nodes import INPUTS, FlatView, Leaf, Node, check_names, in_order, node_of, output_of
from .penalties import Penalty
from .store import ASSIGNED, Place

__all__ = ["INPUTS", "Graph", "Node", "Sequential"]

T = TypeVar("T")


class Graph(Layer):
    """A network of named nodes: each a (name, layer, source), or (name, layer, (source, source, ...)) for a join.

    Sources are names of other nodes or `"inputs"`; the order of the list is free. `output` names the node whose output
    is the network's; without it, the only node that no other reads. A value that several nodes read receives the sum
    of their gradients. `ties={"dense_1.weights": "dense_0.weights"}` makes two parameters one, whose gradient is the
    sum over its uses. Parameters are one flat dict with dotted names, also those of graphs inside graphs.

    Raises `GraphError` for a cycle, an unknown or unused source, a duplicate name, a layer object used twice, and
    `ShapeError` where layers do not fit each other.

    >>> import numpy as np
    >>> from chainrule import Add, Dense, ReLU
    >>> network = Graph([
    ...     ("hidden", Dense(2, 2), "inputs"),
    ...     ("active", ReLU(), "hidden"),
    ...     ("sum", Add(), ("active", "inputs")),
    ... ])
    >>> network.parameter_shapes()
    {'hidden.weights': (2, 2), 'hidden.biases': (1, 2)}
    >>> network["hidden"].weights = np.array([[1.0, 0.0], [0.0, -1.0]])
    >>> network.forward(np.array([[3.0, 4.0]]))                 # relu(3, -4) + (3, 4)
    array([[6., 4.]])
    >>> network.backward(np.array([[1.0, 1.0]]))                # through the layer, plus directly
    array([[2., 1.]])
    """

    closed = True

    def __init__(
        self,
        nodes: Iterable[tuple[str, Layer, str | Sequence[str]]],
        *,
        output: str | None = None,
        ties: Mapping[str, str] | None = None,
    ) -> None:
        given = [node_of(entry) for entry in nodes]
        check_names(given)
        self.nodes: dict[str, Node] = in_order(given)
        self.output_node = output_of(self.nodes, output)
        self.ties = dict(ties or {})
        self._link()
        shape = self.input_shape()
        if shape is not None:
            self.output_shape(shape)

    def _link(self) -> None:
        """For each node the full name of every array it owns or borrows, so that passes need not build names."""
        owned = {
            f"{node.name}.{local}": shape for node in self for local, shape in node.layer.parameter_shapes().items()
        }
        for alias, owner in self.ties.items():
            for name in (alias, owner):
                if name not in owned:
                    raise UnknownNameError("parameter", name, owned)
            if owner in self.ties or alias == owner:
                raise GraphError(f"ties: {alias!r} is tied to {owner!r}, which must be a parameter of its own.")
            if owned[alias] != owned[owner]:
                raise GraphError(
                    f"ties: {alias!r} has shape {owned[alias]} and {owner!r} has shape {owned[owner]}; "
                    "tied parameters must have the same shape."
                )
        self.parameters = tuple(name for name in owned if name not in self.ties)  # type: ignore[misc]
        self._shapes = {name: owned[name] for name in self.parameters}
        self._state_shapes: dict[str, Shape] = self._gather(lambda layer: layer.state_shapes())
        self.state = tuple(f"{node.name}.{local}" for node in self for local in node.layer.state)  # type: ignore[misc]
        self._names = {
            node.name: {
                local: self.ties.get(f"{node.name}.{local}", f"{node.name}.{local}")
                for local in (*node.layer.parameters, *node.layer.state)
            }
            for node in self
        }
        places = {f"{node.name}.{local}": place for node in self for local, place in node.layer.places().items()}
        for alias, owner in self.ties.items():
            layer, local = places.pop(alias)
            layer.tie(local, *places[owner])
        self._places = {name: places[name] for name in (*self.parameters, *self.state)}
        self._surround()

    def _surround(self) -> None:
        for node in self:
            self.surround(node.layer)

    def places(self) -> dict[str, Place]:
        """The home of every parameter and state array, by dotted name."""
        return self._places

    # Looking in

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, name: str) -> Layer:
        """The layer at a node, by its name; dotted for a graph inside."""
        first, _, rest = name.partition(".")
        if first not in self.nodes:
            raise UnknownNameError("node", name, self.nodes)
        layer = self.nodes[first].layer
        if not rest:
            return layer
        if not isinstance(layer, Graph):
            raise UnknownNameError(f"node inside {first!r}, a {type(layer).__name__},", rest, ())
        return layer[rest]

    @cached_property
    def flat(self) -> FlatView:
        """The network as one line of leaves with full names: how everything outside of this module reads it."""
        leaves: list[Leaf] = []
        outputs: dict[str, Any] = {}
        ties: dict[str, str] = {}
        output = self._open(INPUTS, "", {}, (), leaves, outputs, ties)
        return FlatView(tuple(leaves), outputs, output, ties)

    def derived(self, key: Any, make: Callable[[], T]) -> T:
        """What `make` finds in the settings of the layers, made once until one of them is assigned.

        A layer of a user's own may be changed in other ways: with one inside, it is made each time.
        """
        assigned = ASSIGNED[0]
        kept = vars(self).get("_derived")
        if kept is None or kept[0] != assigned:
            closed = all(layer.closed for leaf in self.flat for layer in (leaf.layer, *leaf.around))
            vars(self)["_derived"] = kept = assigned, {}, closed
        found: dict[Any, Any] = kept[1]
        if key in found:
            return found[key]  # type: ignore[no-any-return]
        made = make()
        if kept[2]:
            found[key] = made
        return made

    def settings(self) -> tuple[tuple[str, bool], ...]:
        """The settings of every layer, in words, and whether it is frozen."""
        return self.derived("settings", lambda: tuple((repr(leaf.layer), leaf.frozen) for leaf in self.flat))

    def _open(
        self,
        inputs: Any,
        path: str,
        borrowed: Mapping[str, str],
        around: tuple[Layer, ...],
        leaves: list[Leaf],
        outputs: dict[str, Any],
        ties: dict[str, str],
    ) -> Any:
        """Append the leaves inside; returns what the output is called. `borrowed` maps own names to full ones."""
        found: dict[str, Any] = {INPUTS: inputs}
        for node in self:
            name, reads = f"{path}{node.name}", _read(node, found)
            arrays = {local: borrowed.get(own, f"{path}{own}") for local, own in self._names[node.name].items()}
            ties.update((f"{name}.{local}", full) for local, full in arrays.items() if full != f"{name}.{local}")
            if isinstance(node.layer, Graph):
                inside = (*around, self)
                found[node.name] = node.layer._open(reads, f"{name}.", arrays, inside, leaves, outputs, ties)
            else:
                leaves.append(Leaf(name, node.layer, reads, arrays, (*around, self)))
                found[node.name] = name
            outputs[name] = found[node.name]
        return found[self.output_node]

    def __repr__(self) -> str:
        lines = [f"  {n.name}: {n.layer!r} <- {', '.join(n.sources)}" for n in self]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])

    # What a graph declares

    @property
    def mixes_samples(self) -> bool:  # type: ignore[override]
        """Whether a layer inside mixes the samples of a batch; a frozen one does not."""
        return any(node.layer.mixes_samples and not node.layer.frozen for node in self)

    @property
    def least_batch(self) -> int:  # type: ignore[override]
        """The largest of the layers inside that are not frozen."""
        return max((node.layer.least_batch for node in self if not node.layer.frozen), default=1)

    def parameter_shapes(self) -> dict[str, Shape]:
        """The shape of every parameter, by dotted name; a tied one appears once."""
        return dict(self._shapes)

    def state_shapes(self) -> dict[str, Shape]:
        """The shape of every state array, by dotted name."""
        return dict(self._state_shapes)

    def initial_parameters(
        self, rng: np.random.Generator | int | None = None, dtype: DTypeLike = np.float64
    ) -> dict[str, NDArray[Any]]:
        """New parameters drawn from `rng`, node by node in the order of the forward pass."""
        generator = np.random.default_rng(rng)
        drawn = self._gather(lambda layer: layer.initial_parameters(generator, dtype))
        return {name: drawn[name] for name in self.parameters}

    def initial_state(self, dtype: DTypeLike = np.float64) -> dict[str, NDArray[Any]]:
        """The state before the first step, by dotted name."""
        return self._gather(lambda layer: layer.initial_state(dtype))

    def trainable_names(self) -> tuple[str, ...]:
        """The parameters of every layer that is not frozen."""
        return self.derived("trainable", self._trainable_names)

    def _trainable_names(self) -> tuple[str, ...]:
        if self.frozen:
            return ()
        names = {f"{node.name}.{local}" for node in self for local in node.layer.trainable_names()}
        return tuple(name for name in self.parameters if name in names)

    def penalty_terms(self) -> dict[str, tuple[Penalty, ...]]:
        """The penalties on each parameter; those on a tied one count once for each use."""
        terms: dict[str, tuple[Penalty, ...]] = {}
        for node in self:
            for local, penalties in node.layer.penalty_terms().items():
                name = self._names[node.name][local]
                terms[name] = (*terms.get(name, ()), *penalties)
        return terms

    def input_shape(self) -> Shape | None:
        """The shape of one sample as the first node fixes it that reads the inputs, or what has their shape."""
        alike = {INPUTS}
        for node in self:
            if node.joins or node.sources[0] not in alike:
                continue
            shape = node.layer.input_shape()
            if shape is not None:
                return shape
            if type(node.layer).output_shape is Layer.output_shape:  # each output has the shape of its input
                alike.add(node.name)
        return None

    def output_shape(self, shape: Any) -> Shape:
        """The shape of one sample of the output, through every node."""
        return self._shapes_of(shape)[self.output_node]

    def output_kind(self, kind: Any) -> str | None:
        """What the output is, through every node."""
        kinds: dict[str, Any] = {INPUTS: kind}
        for node in self:
            kinds[node.name] = node.layer.output_kind(_read(node, kinds))
        return kinds[self.output_node]  # type: ignore[no-any-return]

    def shapes(self, shape: Any) -> dict[str, Shape]:
        """The shape of one sample of every node's output, by name; a `ShapeError` names the node."""
        return dict(self._shapes_of(shape))

    def _shapes_of(self, shape: Any) -> dict[str, Shape]:
        if type(shape) is not tuple:
            return self._through(shape)
        return self.derived(("shapes", shape), lambda: self._through(shape))

    def _through(self, shape: Any) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {INPUTS: shape}
        for node in self:
            try:
                shapes[node.name] = node.layer.output_shape(_read(node, shapes))
            except ShapeError as error:
                raise ShapeError(f"{node.name}: {error}") from None
        return {name: s for name, s in shapes.items() if name != INPUTS}

    def _gather(self, arrays_of: Any) -> dict[str, Any]:
        return {f"{n.name}.{local}": array for n in self for local, array in arrays_of(n.layer).items()}

    # The passes

    def forward_pass(
        self, xp: Any, inputs: Array, values: Mapping[str, Array], context: Context
    ) -> tuple[Array, Arrays, Arrays]:
        """Every node in order; each node's kept arrays under its name."""
        outputs: Arrays = {INPUTS: inputs}
        kept: Arrays = {}
        following: Arrays = {}
        for node in self:
            read, inner = _read(node, outputs), context.enter(node.name, node.layer)
            own = self._own(node, values)
            outputs[node.name], kept[node.name], next_state = node.layer.forward_pass(xp, read, own, inner)
            for local, array in next_state.items():
                following[f"{node.name}.{local}"] = array
            if context.record is not None:
                context.record[inner.path] = {"inputs": read, "output": outputs[node.name]}
        return outputs[self.output_node], kept, following

    def backward_pass(
        self, xp: Any, dvalues: Array, kept: Arrays, values: Mapping[str, Array], context: Context
    ) -> tuple[Array, Arrays]:
        """Every node in reverse; gradients that meet at a value, or at a tied parameter, are added."""
        arriving: Arrays = {self.output_node: dvalues}
        gradients: Arrays = {}
        for node in reversed(self.nodes.values()):
            inner, upstream = context.enter(node.name, node.layer), arriving.pop(node.name)
            own = self._own(node, values)
            dinputs, own_gradients = node.layer.backward_pass(xp, upstream, kept[node.name], own, inner)
            for source, gradient in zip(node.sources, dinputs if node.joins else (dinputs,), strict=True):
                _accumulate(arriving, source, gradient)
            for local, gradient in own_gradients.items():
                _accumulate(gradients, self._names[node.name][local], gradient)
            if context.record is not None:
                context.record[inner.path] |= {"dvalues": upstream, "dinputs": dinputs, "gradients": own_gradients}
        return arriving[INPUTS], gradients

    def _own(self, node: Node, values: Mapping[str, Array]) -> Arrays:
        return {local: values[name] for local, name in self._names[node.name].items()}

    # The stateful view: the layers' own attributes are the parameters

    def forward(self, inputs: Array, training: bool = True) -> Array:
        """Run the forward pass with the layers' own parameters (`network["dense_0"].weights`)."""
        inputs = as_arrays(self.xp, inputs)
        self._check_inputs(inputs)
        context = Context(training and not self.frozen, step=vars(self).get("_calls", 0))
        if context.training:
            self._calls = context.step + 1
        self.inputs = inputs
        self.output, self._kept, following = self.forward_pass(self.xp, inputs, self.values(), context)
        self._context = context
        self.put(following)
        return self.output

    def backward(self, dvalues: Array) -> Array:
        """Run the backward pass and remember each layer's gradients (`network["dense_0"].dweights`)."""
        if "_kept" not in vars(self):
            raise GraphError(f"{type(self).__name__}.backward: call forward first.")
        self.dinputs, gradients = self.backward_pass(self.xp, dvalues, self._kept, self.values(), self._context)
        for name, gradient in gradients.items():
            layer, local = self._places[name]
            vars(layer)[f"d{local}"] = gradient
        return self.dinputs

    @classmethod
    def assignable(cls) -> frozenset[str]:
        """What a graph is made of, and what a pass leaves behind."""
        return frozenset(("nodes", "output_node", "ties", "inputs", "output", "dinputs"))

    def __getstate__(self) -> dict[str, Any]:
        passes = {"inputs", "output", "dinputs", "_kept", "_context", "_calls", "_around", "flat", "_derived"}
        return {name: value for name, value in vars(self).items() if name not in passes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._surround()


class Sequential(Graph):
    """Layers in a line: each reads the one before it.

    Nodes are named by type and counted per type (`dense_0, relu_0, dense_1`), so that an activation put in between
    renames no weight; `("name", layer)` names a node by hand.

    >>> from chainrule import Dense, ReLU
    >>> network = Sequential(Dense(2, 3), ReLU(), ("last", Dense(3, 1)))
    >>> list(network.nodes)
    ['dense_0', 'relu_0', 'last']
    """

    closed = True

    def __init__(self, *layers: Layer | tuple[str, Layer], ties: Mapping[str, str] | None = None) -> None:
        counts: dict[str, int] = {}
        nodes, source = [], INPUTS
        for entry in layers:
            if isinstance(entry, tuple):
                name, layer = entry
            else:
                layer, kind = entry, snake_case(type(entry).__name__)
                name = f"{kind}_{counts.get(kind, 0)}"
                counts[kind] = counts.get(kind, 0) + 1
            nodes.append((name, layer, source))
            source = name
        super().__init__(nodes, ties=ties)


def snake_case(name: str) -> str:
    """The name of a type as the name of a node.

    >>> [snake_case(name) for name in ("Dense", "ReLU", "LeakyReLU", "LogSoftmax")]
    ['dense', 'relu', 'leaky_relu', 'log_softmax']
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()


def _read(node: Node, values: Mapping[str, Any]) -> Any:
    return tuple(values[s] for s in node.sources) if node.joins else values[node.sources[0]]


def _accumulate(totals: Arrays, name: str, gradient: Any) -> None:
    if name in totals and isinstance(gradient, tuple):  # the inputs of a graph that joins
        totals[name] = tuple(total + part for total, part in zip(totals[name], gradient, strict=True))
    else:
        totals[name] = totals[name] + gradient if name in totals else gradient
