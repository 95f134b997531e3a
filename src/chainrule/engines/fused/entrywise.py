"""A user's own function of one entry as lines for the kernels, from the trace of its pair."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...layer import Layer
from ...symbolic import Expression, NotTraceable, leaf, program, trace_pair
from ...symbolic.calculus import replaced
from ..contract import NotCovered
from .layout import DEFINES, ENUMS, LINE_OF_CODE

__all__ = ["Entrywise", "entrywise_of"]

_NAMES = {"add": "plus", "tanh": "tanh_of", "softplus": "softplus_of", "erfc": "erfc_of"}  # those taken in C
_LEAVES = {"inputs": "inputs", "dvalues": "dvalues"}


class Entrywise(NamedTuple):
    """The lines, tables of `Line`, of output = value(inputs) and of dinputs, which reads `dvalues` too."""

    value: NDArray[Any]
    gradient: NDArray[Any]


def entrywise_of(layer: Layer, training: bool) -> Entrywise:
    """The lines of a layer without parameters. Raises `NotCovered` where it is no function of one entry."""
    name = type(layer).__name__
    if layer.parameters or layer.state or layer.mixes_samples:
        raise NotCovered(f"the layer {name}")
    traced = trace_pair(layer, training=training)
    if isinstance(traced, NotTraceable):
        raise NotCovered(f"the layer {name}")
    known = {leaf("name", other): kept for other, kept in {"output": traced.forward, **traced.kept}.items()}
    return Entrywise(_lines(traced.forward, name), _lines(replaced(traced.backward["inputs"], known), name))


def _lines(root: Expression, name: str) -> NDArray[Any]:
    listed = program(root)
    lines = np.zeros(len(listed.lines), LINE_OF_CODE)
    if len(lines) > DEFINES["LINES"] or listed.outputs != (len(lines) - 1,):
        raise NotCovered(f"the layer {name}, a function of {len(lines)} operations")
    for line, (operation, operands, value) in zip(lines, listed.lines, strict=True):
        if operation in ("number", "setting"):
            line["number"] = value if operation == "number" else value[1]
            continue
        kind = _LEAVES.get(value) if operation == "name" else _NAMES.get(operation, operation)
        if kind not in ENUMS["LineKind"]:
            raise NotCovered(f"the layer {name}")
        line["operation"] = ENUMS["LineKind"][kind]
        for place, operand in zip("abc", operands, strict=False):
            line[place] = operand
    return lines
