"""The real data sets inside the package, each with its source and licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownNameError

__all__ = ["SHIPPED", "Dataset", "Description", "load"]


@dataclass(frozen=True)
class Description:
    """What is known about a data set before it is read."""

    title: str
    samples: int
    features: int
    class_names: tuple[str, ...]
    scale: float  # the stored numbers times this are X
    source: str
    licence: str


SHIPPED: Mapping[str, Description] = {
    "digits": Description(
        title="Optical recognition of handwritten digits, 8×8 grey pixels from 0 to 1",
        samples=1797,
        features=64,
        class_names=tuple("0123456789"),
        scale=1 / 16,
        source="E. Alpaydin and C. Kaynak (1998), UCI Machine Learning Repository, doi:10.24432/C50P49 (its test part)",
        licence="CC BY 4.0",
    ),
}


@dataclass(frozen=True)
class Dataset:
    """Samples to train on and samples held out, as float32 (B, I), with class indices (B,)."""

    name: str
    description: Description
    X_train: NDArray[Any] = field(repr=False)
    y_train: NDArray[Any] = field(repr=False)
    X_test: NDArray[Any] = field(repr=False)
    y_test: NDArray[Any] = field(repr=False)


def load(name: str) -> Dataset:
    """A shipped data set by name, split into four fifths to train on and one fifth held out, stratified by class.

    Raises `UnknownNameError` for a name that is not in `SHIPPED`.

    >>> digits = load("digits")
    >>> digits.X_train.shape, digits.X_test.shape, digits.y_test[:5]
    ((1437, 64), (360, 64), array([1, 4, 8, 6, 5]))
    """
    if name not in SHIPPED:
        raise UnknownNameError("data set", name, SHIPPED)
    from importlib import resources

    description = SHIPPED[name]
    with resources.files(__package__).joinpath(f"data/{name}.npz").open("rb") as file, np.load(file) as arrays:
        X = arrays["X"].astype(np.float32) * np.float32(description.scale)
        y = arrays["y"].astype(np.int64)
        held_out = np.zeros(len(y), dtype=bool)
        held_out[arrays["test"]] = True
    return Dataset(name, description, X[~held_out], y[~held_out], X[held_out], y[held_out])
