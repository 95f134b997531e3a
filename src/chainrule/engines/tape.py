"""A network as a straight list of calls of its pairs, for many steps.

A graph hands each node its own arrays and a context in every pass; here the names are resolved once. The calls, their
order and the order in which gradients are added are those of `Graph`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..graph import INPUTS, Graph, accumulate
from ..layer import Array, Arrays, Context, Layer
from ..layers import Linear

__all__ = ["Tape", "passes_of"]


class Call(NamedTuple):
    """A layer at its place. All names are keys of the one dict of what is known in a pass."""

    layer: Layer
    path: str
    sources: tuple[str, ...]
    joins: bool
    forward: tuple[str, ...]  # what the two functions read
    backward: tuple[str, ...]
    gradients: tuple[tuple[str, str], ...]  # ("dweights", the parameter)
    following: tuple[tuple[str, str], ...]  # ("next_running_mean", the state)
    extras: bool
    noise: bool


def passes_of(network: Layer) -> Any:
    """What runs the two passes in many steps: a tape, or the network itself where a tape does not cover it."""
    return Tape(network) if isinstance(network, Graph) and _is_covered(network) else network


def _is_covered(graph: Graph) -> bool:
    """Whether all nodes have the usual passes, and no graph inside joins or has ties of its own."""
    return _has_passes_of(Graph, graph) and all(
        _is_covered(node.layer) and not (node.joins or node.layer.ties)
        if isinstance(node.layer, Graph)
        else _has_passes_of(Layer, node.layer)
        for node in graph
    )


def _has_passes_of(kind: type[Layer], layer: Layer) -> bool:
    passes = ("forward_pass", "backward_pass", "run_forward", "run_backward")
    return all(getattr(getattr(layer, name), "__func__", None) is getattr(kind, name) for name in passes)


class Tape:
    """The two passes of a network, as `Graph` has them; frozen layers are those of the moment it is made."""

    def __init__(self, network: Graph) -> None:
        self.calls: list[Call] = []
        self.constants: Arrays = {}
        full = {name: name for name in (*network.parameters, *network.state)}
        self.output = self._add(network, "", INPUTS, full, not network.frozen)

    def _add(self, graph: Graph, prefix: str, inputs: str, full: Mapping[str, str], training: bool) -> str:
        """The calls of every node; returns the key of the output. `full` gives the names outside of the graph's own."""
        keys = {INPUTS: inputs}
        for node in graph:
            path, active = f"{prefix}{node.name}", training and not node.layer.frozen
            own = {local: full[name] for local, name in graph.full_names[node.name].items()}
            sources = tuple(keys[source] for source in node.sources)
            if isinstance(node.layer, Graph):
                self._call(Linear(), f"{path}.{INPUTS}", sources, False, {}, active)
                keys[node.name] = self._add(node.layer, f"{path}.", f"{path}.{INPUTS}", own, active)
            else:
                self._call(node.layer, path, sources, node.joins, own, active)
                keys[node.name] = path
        return keys[graph.output_node]

    def _call(
        self, layer: Layer, path: str, sources: tuple[str, ...], joins: bool, own: Mapping[str, str], training: bool
    ) -> None:
        known = {INPUTS: f"{path}.{INPUTS}" if joins else sources[0], "output": path, **own}
        forward, backward = (
            tuple(known.get(name, f"{path}.{name}") for name in reads)
            for reads in (layer.forward_reads, layer.backward_reads)
        )
        self.constants |= {f"{path}.training": training, f"{path}.noise": None}
        gradients = tuple((f"d{name}", own[name]) for name in layer.parameters)
        following = tuple((f"next_{name}", own[name]) for name in layer.state)
        noise = training and f"{path}.noise" in (*forward, *backward)
        extras = bool(layer.extras())
        self.calls.append(Call(layer, path, sources, joins, forward, backward, gradients, following, extras, noise))

    def forward_pass(
        self, xp: Any, inputs: Array, values: Mapping[str, Array], context: Context
    ) -> tuple[Array, Arrays, Arrays]:
        """The output, all that is known, and the next state."""
        known = {**self.constants, **values, INPUTS: inputs}
        following: Arrays = {}
        for call in self.calls:
            if call.joins:
                known[f"{call.path}.{INPUTS}"] = tuple(known[source] for source in call.sources)
            if call.noise:
                place = context._replace(path=call.path)
                known[f"{call.path}.noise"] = place.noise(xp, known[call.sources[0]].shape)
            output = call.layer.pure_forward(xp, *[known[key] for key in call.forward])
            if call.extras:
                output, extra = output
                known |= {f"{call.path}.{name}": array for name, array in extra.items()}
                following |= {state: extra[name] for name, state in call.following if name in extra}
            known[call.path] = output
        return known[self.output], known, following

    def backward_pass(
        self, xp: Any, dvalues: Array, known: Arrays, values: Mapping[str, Array], context: Context
    ) -> tuple[Array, Arrays]:
        """dL/d(inputs), and dL/d(parameter) by name."""
        arriving: Arrays = {self.output: dvalues}
        gradients: Arrays = {}
        for call in reversed(self.calls):
            found = call.layer.pure_backward(xp, arriving.pop(call.path), *[known[key] for key in call.backward])
            if call.joins:
                for source, gradient in zip(call.sources, found["dinputs"], strict=True):
                    accumulate(arriving, source, gradient)
            else:
                accumulate(arriving, call.sources[0], found["dinputs"])
            for name, parameter in call.gradients:
                accumulate(gradients, parameter, found[name])
        return arriving[INPUTS], gradients
