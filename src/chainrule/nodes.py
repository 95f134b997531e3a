"""The nodes of a graph: as they are written, checked, brought into order, and seen flat through graphs in graphs."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .errors import GraphError, UnknownNameError
from .layer import Layer

__all__ = ["INPUTS", "FlatView", "Leaf", "Node", "parts_of"]

INPUTS = "inputs"
RESERVED = (INPUTS, "loss")  # a trace shows the loss as the last node

Tree = Any  # the name of a value, or a tuple of trees: what a join reads


class Node(NamedTuple):
    """A layer at its place: its name, and the names of the nodes that it reads (`"inputs"` is the graph's own)."""

    name: str
    layer: Layer
    sources: tuple[str, ...]
    joins: bool  # written as a tuple of sources: the layer receives a tuple of inputs


@dataclass(frozen=True)
class Leaf:
    """A layer at its place in the whole network, with every name in full.

    `reads` names the leaf (or `"inputs"`) whose output it receives, or is a tuple of such for a join. `arrays` maps
    each of the layer's own parameters and state arrays to its full name, that of its owner where it is tied.
    """

    name: str
    layer: Layer
    reads: Tree
    arrays: Mapping[str, str]
    around: tuple[Layer, ...]  # the graphs that it lies in, the outermost first

    @property
    def frozen(self) -> bool:
        """Whether the layer, or a graph around it, is frozen."""
        return self.layer.frozen or any(graph.frozen for graph in self.around)

    @property
    def joins(self) -> bool:
        """Whether it receives a tuple of inputs."""
        return isinstance(self.reads, tuple)

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the values that it reads, one after another."""
        return tuple(name for _, name in parts_of(self.reads))


@dataclass(frozen=True)
class FlatView:
    """A network as one line of leaves, in the order of the forward pass, whatever graphs they lie in.

    `outputs` says for every node, graphs included, which leaf's output its own is; `output` which one is the network's.
    `ties` maps the full name of every tied parameter to that of its owner.

    >>> from chainrule import Dense, ReLU, Sequential
    >>> network = Sequential(("body", Sequential(Dense(2, 3), ReLU())), Dense(3, 1))
    >>> [(leaf.name, leaf.reads) for leaf in network.flat]
    [('body.dense_0', 'inputs'), ('body.relu_0', 'body.dense_0'), ('dense_0', 'body.relu_0')]
    >>> network.flat.outputs["body"], network.flat["dense_0"].arrays["weights"]
    ('body.relu_0', 'dense_0.weights')
    """

    leaves: tuple[Leaf, ...]
    outputs: Mapping[str, Tree]
    output: Tree
    ties: Mapping[str, str]

    def __iter__(self) -> Iterator[Leaf]:
        return iter(self.leaves)

    def __len__(self) -> int:
        return len(self.leaves)

    def __getitem__(self, name: str) -> Leaf:
        for leaf in self.leaves:
            if leaf.name == name:
                return leaf
        raise UnknownNameError("layer", name, [leaf.name for leaf in self.leaves])

    def shapes(self, shape: Any) -> dict[str, Any]:
        """The shape of one sample of every leaf's output, and of `"inputs"`, by name."""
        shapes = {INPUTS: shape}
        for leaf in self.leaves:
            shapes[leaf.name] = leaf.layer.output_shape(each_of(leaf.reads, shapes))
        return shapes


def parts_of(tree: Tree, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Every name in nested tuples, with the way to it.

    >>> list(parts_of(("a", ("b", "c"))))
    [((0,), 'a'), ((1, 0), 'b'), ((1, 1), 'c')]
    """
    if isinstance(tree, tuple):
        for i, part in enumerate(tree):
            yield from parts_of(part, (*path, i))
    else:
        yield path, tree


def each_of(tree: Tree, values: Mapping[str, Any]) -> Any:
    """The values under the names of a tree, in tuples like it.

    >>> each_of(("a", ("b", "a")), {"a": 1, "b": 2})
    (1, (2, 1))
    """
    return tuple(each_of(part, values) for part in tree) if isinstance(tree, tuple) else values[tree]


def node_of(entry: Any) -> Node:
    if not (isinstance(entry, tuple | list) and len(entry) == 3):
        raise GraphError(f"A node is (name, layer, source), not {entry!r}.")
    name, layer, sources = entry
    if not isinstance(layer, Layer):
        hint = f"; write {layer.__name__}(...)" if isinstance(layer, type) else ""
        if isinstance(layer, str):
            hint = "; write the layer itself, such as ReLU()"
        raise GraphError(f"{name}: expected a layer, received {layer!r}{hint}.")
    joins = not isinstance(sources, str)
    return Node(name, layer, tuple(sources) if joins else (sources,), joins)


def check_names(nodes: Sequence[Node]) -> None:
    if not nodes:
        raise GraphError("A graph needs at least one node.")
    seen: dict[str, Node] = {}
    layers: dict[int, str] = {}
    for node in nodes:
        if not isinstance(node.name, str) or not node.name or "." in node.name or node.name in RESERVED:
            raise GraphError(
                f"{node.name!r} cannot name a node: use a word without dots, other than {' and '.join(RESERVED)}."
            )
        if node.name in seen:
            raise GraphError(f"Two nodes are named {node.name!r}; every name must be different.")
        if id(node.layer) in layers:
            raise GraphError(
                f"{layers[id(node.layer)]!r} and {node.name!r} are the same layer object; make a second layer "
                "and share its parameters with ties={'second.weights': 'first.weights'}."
            )
        seen[node.name], layers[id(node.layer)] = node, node.name
    for node in nodes:
        if not node.sources:
            raise GraphError(f"{node.name}: names no source.")
        for source in node.sources:
            if source != INPUTS and source not in seen:
                raise GraphError(f"{node.name}: {UnknownNameError('source', source, [INPUTS, *seen])}")


def in_order(nodes: Sequence[Node]) -> dict[str, Node]:
    """The nodes by name, each after its sources and otherwise in the order given."""
    by_name = {node.name: node for node in nodes}
    needs = {node.name: [s for s in node.sources if s != INPUTS] for node in nodes}
    try:
        order = list(graphlib.TopologicalSorter(needs).static_order())
    except graphlib.CycleError as error:
        cycle = " -> ".join(reversed(error.args[1]))
        raise GraphError(f"The nodes form a cycle, {cycle}: no node can come first.") from None
    given = [node.name for node in nodes]
    if all(given.index(source) < given.index(name) for name in given for source in needs[name]):
        order = given
    return {name: by_name[name] for name in order}


def output_of(nodes: Mapping[str, Node], output: str | None) -> str:
    read = {source for node in nodes.values() for source in node.sources}
    unread = [name for name in nodes if name not in read]
    if output is not None and output not in nodes:
        raise GraphError(f"output: {UnknownNameError('node', output, nodes)}")
    output = unread[-1] if output is None else output
    unused = [name for name in unread if name != output]
    if unused:
        raise GraphError(
            f"No node reads {', '.join(map(repr, unused))} and the output is {output!r}: join them, "
            "take them out, or name another node with output=."
        )
    if INPUTS not in read:
        raise GraphError("No node reads 'inputs'.")
    return output
