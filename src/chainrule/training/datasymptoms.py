"""Symptoms that the data show: scales, leaks, columns that never vary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph
from ..layer import Layer
from ..layers import BatchNorm, LayerNorm
from ..rows import in_parts
from .examined import Examined, Remedy

__all__ = ["CLASSES", "constant_columns", "leakage", "unscaled_inputs", "unscaled_targets"]

_LARGE, _SMALL = 20.0, 1e-3  # sizes of inputs that make learning hard
_SAME = 1 - 1e-6  # part of the variance from which on two columns tell the same
CLASSES = 100  # of more no table of recalls is made, and no column is held against them
_NAMED = 16  # columns at most that are to be left out at once
_FEW_INPUTS = 30  # a column of zeros is worth a word among so few; images have them at the border


def unscaled_inputs(case: Examined) -> Remedy | None:
    """Inputs far larger than 1, or all far smaller, that reach a layer of weights as they are."""
    if case.data is None:
        return None
    sizes = np.sqrt(np.mean(np.square(case.data.X), axis=0))  # (I,)
    largest = int(np.argmax(sizes))
    if not (sizes[largest] > _LARGE or 0 < sizes[largest] < _SMALL):
        return None
    if not _weighs_inputs(case.network) or case.data.learned:
        return None
    return Remedy(
        f"The inputs are not scaled: {case.column(largest)} has a typical size of {sizes[largest]:.3g}, and networks "
        "learn well from numbers around 1.",
        "Write mean, std = X.mean(axis=0), X.std(axis=0) and fit on (X - mean) / std, with the same two for new data.",
        "Write the data as a table (CSV): its columns are then scaled by themselves.",
    )


def unscaled_targets(case: Examined) -> Remedy | None:
    """Values to predict whose spread or mean is far from 1, and that were not learned."""
    if case.data is None or case.data.run.loss.classifies:
        return None
    sizes = np.sqrt(np.mean(np.square(case.data.targets), axis=0))  # (O,)
    if not sizes.max() > _LARGE or case.data.learned or case.data.skill > 0.5:
        return None
    return Remedy(
        f"The targets are not scaled: their typical size is {sizes.max():.3g}, and a network begins with outputs "
        "around 0.",
        "Write mean, std = y.mean(axis=0), y.std(axis=0), fit on (y - mean) / std, and predict(X) * std + mean.",
        "Write the data as a table (CSV): its target is then scaled by itself.",
    )


def leakage(case: Examined) -> Remedy | None:
    """Inputs that are the target, or say it without fail, each alone or several together."""
    data = case.data
    if data is None or data.X.shape[1] < 2 or len(data.counts) > CLASSES:
        return None
    X = data.X - data.X.mean(axis=0)  # (R,I)
    varies = np.sum(X * X, axis=0) > 1e-12 * np.sum(data.X * data.X, axis=0)  # (I,)
    if data.labels is not None:
        each, together = _of_classes(X, varies, data.labels[data.rows], len(data.counts))
    elif data.targets.shape[1] == 1 and not data.run.loss.classifies:
        each, together = _of_values(X, varies, data.targets[:, 0]), []
    else:
        return None
    if not each and not together:
        return None
    found = each or together
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    more, says = (f" ({more[1:]})" if more else "", "says") if each else (more, "together say")
    return Remedy(
        f"{_first_upper(case.column(found[0]))}{more} {says} the target exactly, so that nothing is left to learn: a "
        "leak, where new data will not have it.",
        *case.dropping(found[:_NAMED]),
    )


def constant_columns(case: Examined) -> Remedy | None:
    """Inputs that are the same in every row."""
    data = case.data
    if data is None or data.X.shape[1] < 2:
        return None
    same = (data.X[0] == data.X).all(axis=0)
    if data.X.shape[1] > _FEW_INPUTS:
        same &= data.X[0] != 0
    varied = {column for column, alike in zip(case.columns, same, strict=False) if not alike}
    same &= [index >= len(case.columns) or case.columns[index] not in varied for index in range(len(same))]
    few = np.flatnonzero(same)[:_NAMED]
    parts = (part.reshape(len(part), -1)[:, few] for part in in_parts(data.plan.X)) if len(few) else ()
    first = data.plan.X[:1].reshape(1, -1)[:, few]
    found = few[np.logical_and.reduce([(part == first).all(axis=0) for part in parts])].tolist() if len(few) else []
    if not found:
        return None
    others = f", as are {', '.join(case.column(j) for j in found[1:4])}" if len(found) > 1 else ""
    return Remedy(
        f"{_first_upper(case.column(found[0]))} is {data.X[0, found[0]]:.6g} in every row{others}: nothing can be "
        "learned from that.",
        *case.dropping(found),
    )


def _first_upper(text: str) -> str:
    return text[0].upper() + text[1:]


def _weighs_inputs(network: Layer) -> bool:
    """Whether the inputs reach weights before anything normalizes them."""
    if not isinstance(network, Graph):
        return True
    first = next((leaf.layer for leaf in network.flat.leaves if leaf.layer.parameters), None)
    return first is not None and not isinstance(first, BatchNorm | LayerNorm)


def _of_classes(
    X: NDArray[np.float64], varies: NDArray[np.bool_], labels: NDArray[np.intp], classes: int
) -> tuple[list[int], list[int]]:
    """The centred columns (R, I) that tell every class alone, and those that do together."""
    members = np.eye(classes)[labels]  # (R,C)
    counts = members.sum(axis=0)  # (C,)
    members, counts = members[:, counts > 0], counts[counts > 0, None]  # (C,1)
    means = (members.T @ X) / counts  # (C,I)
    same = np.sum(counts * means**2, axis=0) >= _SAME * np.sum(X * X, axis=0)  # (I,): in all samples of a class
    fixed = np.flatnonzero(varies & same)
    if not len(fixed) or len(counts) < 2:
        return [], []
    levels = means[:, fixed] / np.abs(means[:, fixed]).max(axis=0)  # (C,F)
    apart = (np.diff(np.sort(levels, axis=0), axis=0) > 1e-6).all(axis=0)  # (F,)
    if apart.any() or len(np.unique(levels.round(5), axis=0)) < len(counts):
        return fixed[apart].tolist(), []
    return [], fixed.tolist()


def _of_values(X: NDArray[np.float64], varies: NDArray[np.bool_], targets: NDArray[np.float64]) -> list[int]:
    """The centred columns (R, I) that are the values (R,) on another scale."""
    y, total = targets - targets.mean(), np.sum(X * X, axis=0)  # (R,), (I,)
    explained = np.square(X.T @ y) / max(float(y @ y), 1e-300)  # (I,)
    return np.flatnonzero(varies & (explained >= _SAME * total)).tolist()
