"""Which number of the network is asked for, by name and index."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence

import numpy as np

from ..backprop import entry_of
from ..errors import ConfigurationError, DataError, ShapeError, UnknownNameError
from ..graph import Graph
from ..layer import Array
from ..nodes import INPUTS
from .cells import Cells
from .derivation import Quantity
from .labels import Labels

__all__ = ["largest", "resolve", "written_entry"]

Index = int | Sequence[int] | None


def written_entry(text: str, known: Container[str] = ()) -> tuple[str, tuple[int, ...] | None]:
    """A number of the network as explanations print it: its name and its index, None where only a name is written.

    `known` are names that exist, which are never cut. Raises `ConfigurationError` for another form.

    >>> written_entry("dense_0.weights[20,5]"), written_entry("relu_0[3, -1]"), written_entry("inputs")
    (('dense_0.weights', (20, 5)), ('relu_0', (3, -1)), ('inputs', None))
    """
    if text in known:
        return text, None
    match = re.fullmatch(r"\s*([^\[\]]*[^\[\]\s])\s*(?:\[\s*(-?\d+(?:\s*,\s*-?\d+)*)\s*\])?\s*", text, re.ASCII)
    match = match or re.fullmatch(r"\s*(\S.*?)\s*\[\s*(-?\d+(?:\s*,\s*-?\d+)*)\s*\]\s*", text, re.ASCII)
    if match is None:
        raise ConfigurationError(
            f"{text!r} names no number of a network: write a name and an index, such as dense_0.weights[20,5]."
        )
    return match[1], None if match[2] is None else tuple(int(part) for part in match[2].split(","))


def largest(gradients: Mapping[str, Array]) -> str:
    """The weight with the largest gradient, as it is written; a bias only where there is nothing else.

    Raises `DataError` where there are no parameters.

    >>> largest({"dense_0.weights": np.array([[1.0], [-3.0]]), "dense_0.biases": np.array([[9.0]])})
    'dense_0.weights[1,0]'
    """
    if not gradients:
        raise DataError("This network has no parameters: ask for an input, such as inputs[0,0].")
    weights = {name: array for name, array in gradients.items() if array.ndim > 1 and array.shape[0] > 1} or gradients
    name = max(weights, key=lambda n: float(np.max(np.abs(weights[n]), initial=0.0)))
    place = np.unravel_index(int(np.argmax(np.abs(weights[name]))), weights[name].shape)
    return f"{name}[{','.join(str(int(i)) for i in place)}]"


def _of_gradient(text: str, parameters: Iterable[str]) -> str:
    """A name of a gradient, as titles write it, as that of what it is the derivative by: `dense_0.dweights[0,0]`."""
    by_gradient = {f"d{INPUTS}": INPUTS}
    by_gradient |= {f"{node}.d{own}": name for name in parameters for node, _, own in [name.rpartition(".")]}
    stripped = text.strip()
    for gradient, name in by_gradient.items():
        if stripped == gradient or stripped.startswith(f"{gradient}["):
            return name + stripped.removeprefix(gradient)
    return text


def resolve(
    cells: Cells, network: Graph, name: str, index: Index, labels: Labels | None = None
) -> tuple[Quantity, str, list[str]]:
    """The quantity, its kind ("parameter", "inputs", "output"), and notes on its name.

    An index may hold names of columns and classes where `labels` knows them.

    The index stands in `name`, as in "dense_0.weights[20,5]", or in `index`; "dense_0.dweights[20,5]" is the same.
    Raises `UnknownNameError` with all names for one that does not exist, `ShapeError` for an index outside or none at
    all, `ConfigurationError` for two.
    """
    notes: list[str] = []
    ties = network.flat.ties
    known = [*network.parameters, *ties, INPUTS, *cells.outputs]
    if not isinstance(name, str):
        raise UnknownNameError("quantity", str(name), known)
    asked = name
    name = _of_gradient(name, (*network.parameters, *ties))
    name, named = _split_names(name, known, cells)
    if named is not None:
        name = _with_numbers(name, named, network, cells, labels)
    name, written = written_entry(name, (*known, *(f"{node}.output" for node in cells.outputs)))
    if written is not None and index is not None:
        raise ConfigurationError(f"{asked} holds an index already, and index={index!r} is another: leave one out.")
    index = written if index is None else index
    node = name.removesuffix(".output")
    if name in ties:
        notes.append(f"{name} is tied to {ties[name]}: they are one parameter, and its gradient sums over both uses.")
        name = ties[name]
    if name in network.parameters:
        kind, shape = "parameter", cells.values[name].shape
        uses = [cell.name for cell, _ in cells.readers.get(name, ())]
        if len(uses) > 1 and not notes:
            notes.append(f"{name} is used by {' and '.join(uses)}: its gradient sums over the uses.")
    elif name == INPUTS:
        kind, shape = INPUTS, cells.inputs.shape
    elif node in cells.outputs:
        kind, name = "output", cells.outputs[node]
        if isinstance(name, tuple) or name == INPUTS:
            kind, name = INPUTS, INPUTS
        if name not in (node, INPUTS):
            notes.append(f"The output of {node} is that of {name}.")
        shape = cells.output(name).shape
    else:
        raise UnknownNameError("quantity", name, known)
    if index is None and any(size != 1 for size in shape):
        first = ",".join("0" for _ in shape)
        raise ShapeError(f"{name} has shape {shape}: say which entry, such as {name}[{first}].")
    return Quantity(name, entry_of(name, shape, () if index is None else index)), kind, notes


def _split_names(text: str, known: Sequence[str], cells: Cells) -> tuple[str, list[str] | None]:
    """Name and index of a number whose index holds words; None as index where it holds none."""
    whole = {*known, *(f"{node}.output" for node in cells.outputs)}
    stripped = text.strip()
    for name in sorted((n for n in whole if stripped.startswith(n)), key=len, reverse=True):
        rest = stripped[len(name) :].strip()
        if rest.startswith("[") and rest.endswith("]") and len(rest) > 2:
            parts = [part.strip() for part in rest[1:-1].split(",")]
            return (text, None) if all(re.fullmatch(r"-?\d+", part, re.ASCII) for part in parts) else (name, parts)
    return text, None


def _with_numbers(name: str, parts: list[str], network: Graph, cells: Cells, labels: Labels | None) -> str:
    """The name with its index in numbers. Raises `UnknownNameError` for a word that names no entry."""
    own = name.removesuffix(".output")
    own = network.flat.ties.get(own, cells.outputs.get(own, own))
    axes = labels.axes.get(own, {}) if labels is not None and isinstance(own, str) else {}
    numbers = [
        part if re.fullmatch(r"-?\d+", part, re.ASCII) else _number_of(part, name, axes.get(place - len(parts)))
        for place, part in enumerate(parts)
    ]
    return f"{name}[{','.join(numbers)}]"


def _number_of(word: str, name: str, names: Sequence[str] | None) -> str:
    """Which entry a word names: its whole name, or a beginning that no other has."""
    if names is None:
        raise ConfigurationError(
            f"{word!r} is no index of {name}: write a name and an index, such as dense_0.weights[20,5]; columns and "
            "classes have names where the model knows those of its data."
        )
    wanted = _plain(word)
    found = [i for i, known in enumerate(names) if _plain(known) == wanted]
    found = found or [i for i, known in enumerate(names) if _plain(known).startswith(wanted)]
    if len(found) > 1:
        several = ", ".join(repr(names[i]) for i in found)
        raise ConfigurationError(f"{word!r} begins several entries of {name}: write one of {several}.")
    if not found:
        raise UnknownNameError(f"entry of {name}", word, names)
    return str(found[0])


def _plain(word: str) -> str:
    return " ".join(word.replace("_", " ").lower().split())
