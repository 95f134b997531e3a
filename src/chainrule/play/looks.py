"""What the page shows, as JSON: the network with one sample's numbers, the batch, the data, the curves, the badges.

Nothing is computed here that the library does not compute: a trace, per-sample gradients, predictions.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..explaining.pictured import LOSS, Pictured, Wires, shown_network
from ..explaining.upstream import Upstream
from ..layers import ReLU, Sigmoid, Tanh
from ..model import Model
from ..nodes import INPUTS, Leaf
from ..traces import Trace
from .lessons import Setup

__all__ = ["badges", "data_view", "network_view", "number", "numbers", "surface"]

_UNITS = 10  # of a layer, at most
_POINTS, _ROWS, _IMAGES = 600, 60, 24  # of the data, at most
_SIDE = 40  # of the decision surface
_SMALL = 16  # of a unit's own map
_MAPPED = 64  # units of a layer that have maps, at most
_ZERO = 1e-12

Array = NDArray[Any]


def number(value: Any) -> float | None:
    """A number that JSON can hold; None for NaN and infinity."""
    plain = float(value)
    return plain if math.isfinite(plain) else None


def numbers(values: Any) -> Any:
    """An array as lists of numbers."""
    if isinstance(values, np.ndarray) and np.isfinite(values).all():
        return values.tolist()
    if isinstance(values, np.ndarray | list | tuple):
        return [numbers(value) for value in values]
    return number(values)


def network_view(
    setup: Setup, trace: Trace, sample: int, rates: Mapping[str, float], updates: Mapping[str, Array]
) -> dict[str, Any]:
    """Nodes with their units and the wires between those that are shown, of one sample.

    `updates` has what the optimizer would add to each parameter.
    """
    model = setup.model
    names: dict[str, Sequence[str]] = {INPUTS: setup.feature_names}
    output = model.network.flat.output
    if setup.class_names and isinstance(output, str):
        names[output] = setup.class_names
    nodes, wires = shown_network(
        model.network,
        trace,
        model.parameters,
        sample=sample,
        most=_UNITS,
        image=setup.image,
        loss=None if setup.upstream else model.loss,
        names=names,
    )
    return {
        "nodes": [_node(node, _biases(node.name, model, updates)) for node in nodes.values()],
        "wires": [found for wire in wires if (found := _wire(wire, nodes, model, updates)) is not None],
        "rates": {name: number(rate) for name, rate in rates.items()},
    }


def _biases(name: str, model: Model, updates: Mapping[str, Array]) -> Array | None:
    """What the optimizer would make of a layer's biases, (N,); None where there are none, or none that is trained."""
    name = f"{name}.biases"
    return np.ravel(model.parameters[name] + np.asarray(updates[name])) if name in updates else None


def _node(node: Pictured, biases: Array | None) -> dict[str, Any]:
    return {
        "name": node.name,
        "kind": node.kind,
        "size": node.size,
        "more": node.more,
        "units": [
            {
                "unit": unit.place,
                "caption": unit.caption,
                "value": number(unit.value),
                "gradient": number(unit.gradient),
                "notes": list(unit.notes),
                "bias_after": None if biases is None else number(biases[unit.place]),
            }
            for unit in node.units
        ],
        "maps": [
            {"caption": one.caption, "values": numbers(one.values), "gradients": numbers(one.gradients)}
            for one in node.maps
        ],
    }


def _wire(
    wire: Wires, nodes: Mapping[str, Pictured], model: Model, updates: Mapping[str, Array]
) -> dict[str, Any] | None:
    """A bundle of wires: for each pair of units that are shown the weight, its gradient and its update."""
    if wire.source not in nodes or wire.reader not in nodes:
        return None
    sources = [unit.place for unit in nodes[wire.source].units]
    readers = [unit.place for unit in nodes[wire.reader].units]
    found: dict[str, Any] = {"from": wire.source, "to": wire.reader, "sources": sources, "readers": readers}
    if wire.weights is None:
        return found | {"offset": wire.offset}
    name = f"{wire.reader}.weights"
    part = np.ix_(sources, readers)
    update = updates.get(name)
    return found | {
        "parameter": name,
        "weight": numbers(wire.weights[part]),
        "gradient": None if wire.gradients is None else numbers(wire.gradients[part]),
        "update": None if update is None else numbers(np.asarray(update)[part]),
        "after": None if update is None else numbers((wire.weights + np.asarray(update))[part]),
    }


def data_view(setup: Setup, batch: Sequence[int], chosen: int) -> dict[str, Any]:
    """The data: points of two features, or images or rows of a table out of the batch, the chosen one among them."""
    X, y = setup.X, np.asarray(setup.y)
    flat = X.shape[1] == 2
    most = _POINTS if flat else _ROWS if setup.image is None else _IMAGES
    known = np.arange(len(X)) if flat else np.asarray(batch)
    some = known[np.linspace(0, len(known) - 1, min(most, len(known))).round().astype(int)]
    if chosen not in some:
        some[np.abs(some - chosen).argmin()] = chosen
    base: dict[str, Any] = {
        "rows": some.tolist(),
        "features": list(setup.feature_names),
        "classes": list(setup.class_names),
    }
    base["scaled"] = setup.preprocessing is not None
    targets = y[some] if y.ndim == 1 else y[some].reshape(len(some), -1)
    base |= {"X": numbers(X[some]), "y": numbers(targets)}
    if flat:
        return base | {"kind": "points"}
    if setup.image is not None:
        return base | {"kind": "images", "shape": list(setup.image)}
    return base | {"kind": "table"}


def surface(setup: Setup) -> dict[str, Any] | None:
    """What the network says all over the plane, and each unit's own map of it; None where X is no plane."""
    if setup.X.shape[1] != 2:
        return None
    grid = _grid(setup, _SIDE)
    model = setup.model
    chances = model.predict_proba(grid) if model.loss.classifies else model.predict(grid)
    return {
        "side": _SIDE,
        "low": numbers(grid[0]),
        "high": numbers(grid[-1]),
        "values": numbers(np.round(np.asarray(chances, dtype=np.float64).reshape(len(grid), -1), 3)),
        "maps": _maps(setup),
    }


def _grid(setup: Setup, side: int) -> Array:
    """Points all over the plane of the data, (P,2), the first column running first."""
    low, high = setup.X.min(axis=0), setup.X.max(axis=0)
    margin = 0.1 * (high - low)
    a, b = (np.linspace(low[i] - margin[i], high[i] + margin[i], side) for i in (0, 1))
    return np.stack(np.meshgrid(a, b), axis=-1).reshape(-1, 2)


def _maps(setup: Setup) -> dict[str, Any]:
    """Each unit's output all over the plane, as signed bytes: 127 is the largest size there."""
    model, grid = setup.model, _grid(setup, _SMALL)
    y = np.zeros(len(grid), dtype=int) if model.loss.classifies else np.zeros(np.shape(model.predict(grid)))
    found = {}
    for name, through in model.trace(grid, y).nodes.items():
        if name != LOSS and through.output.ndim == 2 and through.output.shape[1] <= _MAPPED:
            largest = np.maximum(np.abs(through.output).max(axis=0), _ZERO)  # (N,)
            levels = np.nan_to_num(np.round(127 * through.output / largest)).astype(np.int8)  # (P,N)
            found[name] = base64.b64encode(levels.T.tobytes()).decode("ascii")
    return {"side": _SMALL, "nodes": found}


def badges(model: Model, trace: Trace, sample: int) -> list[dict[str, Any]]:
    """What is wrong with units and layers on these samples: dead, saturated, vanishing, exploding, not finite.

    Each names the number whose derivation shows it: a unit's, of `sample`, or the layer's largest gradient.
    """
    found = [one for leaf in model.network.flat for one in _of_units(leaf, trace[leaf.name].output, sample)]
    output = model.network.flat.output
    if not isinstance(model.loss, Upstream) and isinstance(output, str) and not math.isfinite(trace.loss):
        found.append(_badge(LOSS, _lost(trace.loss), f"{output}[{sample},0]"))
    return found + _of_gradients({name: g for name, g in trace.gradients.items() if name.endswith("weights")})


def _badge(node: str, badge: str, what: str, units: Sequence[int] = ()) -> dict[str, Any]:
    return {"node": node, "badge": badge, "units": [int(unit) for unit in units], "what": what}


def _lost(values: Any) -> str:
    return "NaN" if np.isnan(values).any() else "infinite"


def _of_units(leaf: Leaf, output: Array, sample: int) -> list[dict[str, Any]]:
    """What all samples show of a layer's units."""
    flat = output.reshape(len(output), -1)  # (B,N)
    lost = np.flatnonzero(~np.isfinite(flat).all(axis=0))
    if len(lost):
        return [_badge(leaf.name, _lost(flat), f"{leaf.name}[{sample},{lost[0]}]")]
    kind = ""
    which: Any = np.zeros(0, dtype=bool)
    if isinstance(leaf.layer, ReLU):
        kind, which = "dead", (flat <= 0).all(axis=0)
    elif isinstance(leaf.layer, Sigmoid | Tanh):
        bound = np.abs(2 * flat - 1) if isinstance(leaf.layer, Sigmoid) else np.abs(flat)
        kind, which = "saturated", (bound > 0.99).all(axis=0)
    units = np.flatnonzero(which)
    return [_badge(leaf.name, kind, f"{leaf.name}[{sample},{units[0]}]", units.tolist())] if len(units) else []


def _of_gradients(gradients: Mapping[str, Array]) -> list[dict[str, Any]]:
    """What the sizes of the weights' gradients show, beside each other."""
    norms = {name: float(np.linalg.norm(value)) for name, value in gradients.items()}
    largest = max((norm for norm in norms.values() if math.isfinite(norm)), default=0.0)
    found = []
    for name, norm in norms.items():
        size = np.abs(gradients[name])
        what = f"{name}[{','.join(map(str, np.unravel_index(int(size.argmax()), size.shape)))}]"
        node = name.rpartition(".")[0]
        if not np.isfinite(size).all():
            found.append(_badge(node, _lost(size), what))
        elif norm > 1e3:
            found.append(_badge(node, "exploding", what))
        elif largest > _ZERO and norm < 1e-4 * largest:
            found.append(_badge(node, "vanishing", what))
    return found
