"""How a parameter's gradient is a sum over the batch: each sample's pull, and the row and the column that meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..layers import Dense
from ..traces import Trace, per_sample_gradients
from .looks import number, numbers

if TYPE_CHECKING:
    from .work import Snapshot

__all__ = ["batch_strip", "matrix_view"]

_BARS = 60  # samples in the strip, at most
_CELLS = 3  # rows and columns of a large matrix that are shown

Array = NDArray[Any]


def batch_strip(shot: Snapshot, one: Trace, name: str, index: tuple[int, ...]) -> dict[str, Any]:
    """Each sample's own gradient of one parameter, its share of the mean included; their sum; the strongest first."""
    pulls = _pulls(shot, one, name, index)  # (B,)
    order = np.argsort(-np.abs(pulls), kind="stable") if len(pulls) > _BARS else np.arange(len(pulls))
    shown, rest = order[:_BARS], order[_BARS:]
    return {
        "rows": [int(shot.rows[place]) for place in shown],
        "pulls": numbers(pulls[shown]),
        "rest": [len(rest), number(pulls[rest].sum())],
        "sum": number(pulls.sum()),
    }


def _pulls(shot: Snapshot, one: Trace, name: str, index: tuple[int, ...]) -> Array:
    """One entry of the gradient before the sum over the batch, (B,)."""
    leaves = [leaf for leaf in shot.network.flat if name in leaf.arrays.values()]
    if len(leaves) > 1 or shot.network.mixes_samples or not isinstance(leaves[0].layer, Dense):
        options: Any = {"names": [name], "state": shot.state, "training": False}
        each = per_sample_gradients(shot.network, shot.loss, shot.values, shot.X, shot.y, **options)[name]
        return np.array([own[index] for own in each])
    leaf, through = leaves[0], one[leaves[0].name]
    local = next(own for own, full in leaf.arrays.items() if full == name)
    own = through.dvalues[:, index[-1]]  # (B,)
    if local == "weights":  # the samples side by side, each an input of its own: none is added to another
        inputs, dvalues = np.diag(through.inputs[:, index[0]]), own[:, None]  # (B,B), (B,1)
    else:  # each a neuron of its own
        inputs, dvalues = np.zeros((len(own), 1)), np.diag(own)  # (B,1), (B,B)
    weights = np.zeros((inputs.shape[1], dvalues.shape[1]))
    return np.asarray(leaf.layer.pure_backward(np, dvalues, inputs, weights)[f"d{local}"]).reshape(-1)  # (B,)


def matrix_view(shot: Snapshot, one: Trace, name: str, index: tuple[int, ...]) -> dict[str, Any] | None:
    """How a weight's gradient comes out of dweights = inputs.T · dvalues: a row meets a column. None for others."""
    leaf = next((leaf for leaf in shot.network.flat if leaf.arrays.get("weights") == name), None)
    if leaf is None or leaf.joins or not isinstance(leaf.layer, Dense):
        return None
    through, (row, column) = one[leaf.name], index
    inputs, dvalues, dweights = through.inputs, through.dvalues, through.gradients["weights"]  # (B,I) (B,N) (I,N)
    products = np.abs(inputs[:, row] * dvalues[:, column])  # (B,), by which samples are chosen
    most = len(inputs) if len(inputs) <= _CELLS + 1 else _CELLS
    samples = np.sort(np.argsort(-products, kind="stable")[:most])
    rows, columns = _around(row, len(dweights)), _around(column, dweights.shape[1])
    return {
        "layer": leaf.name,
        "source": leaf.reads,
        "parameter": name,
        "at": [row, column],
        "rows": rows,
        "columns": columns,
        "samples": samples.tolist(),
        "inputs": numbers(inputs[samples][:, rows].T),
        "dvalues": numbers(dvalues[samples][:, columns]),
        "dweights": numbers(dweights[np.ix_(rows, columns)]),
        "sizes": [len(dweights), len(inputs), dweights.shape[1]],
    }


def _around(place: int, size: int) -> list[int]:
    """All places where there are few, or this one between its neighbours.

    >>> _around(0, 4), _around(7, 64), _around(63, 64)
    ([0, 1, 2, 3], [6, 7, 8], [61, 62, 63])
    """
    if size <= _CELLS + 1:
        return list(range(size))
    start = max(0, min(place - _CELLS // 2, size - _CELLS))
    return list(range(start, start + _CELLS))
