"""Dataset: arrays to train on and arrays held out, with the names of what is in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError
from .generators import stream
from .preprocessing import Preprocessing
from .tables import Table

__all__ = ["Dataset", "Description", "from_arrays", "from_table", "held_out", "strata"]


@dataclass(frozen=True)
class Description:
    """What is known about a data set before it is read; `class_names` are empty where values are predicted."""

    title: str
    samples: int
    features: int
    class_names: tuple[str, ...]
    source: str
    licence: str


@dataclass(frozen=True, repr=False, eq=False)
class Dataset:
    """Samples to train on and samples held out.

    X is float32 (B, I); y holds class indices, int64 (B,), or values, float32 (B, 1). `preprocessing` made them from a
    table; it is None for images and generated points.
    """

    name: str
    X_train: NDArray[Any]
    y_train: NDArray[Any]
    X_test: NDArray[Any]
    y_test: NDArray[Any]
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    preprocessing: Preprocessing | None = None
    title: str = ""
    source: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()  # what was decided about the table, and how to decide otherwise

    @property
    def task(self) -> str:
        """What is predicted: "classes" or "values"."""
        return "classes" if self.class_names else "values"

    @property
    def image_shape(self) -> tuple[int, int] | None:
        """Rows and columns of an image, where the features are its pixels; else None."""
        last = re.fullmatch(r"pixel_(\d+)_(\d+)", self.feature_names[-1] if self.feature_names else "")
        shape = (int(last[1]) + 1, int(last[2]) + 1) if last else (0, 0)
        return shape if shape[0] * shape[1] == len(self.feature_names) > 0 else None

    @property
    def description(self) -> Description:
        """The same facts in the form of `SHIPPED`."""
        samples = len(self.X_train) + len(self.X_test)
        return Description(self.title, samples, len(self.feature_names), self.class_names, self.source, self.licence)

    def __repr__(self) -> str:
        target = "" if self.preprocessing is None else f" of {self.preprocessing.target!r}"
        what = f"{len(self.class_names)} classes" if self.class_names else "values"
        return (
            f"Dataset({self.name!r}: {len(self.X_train)} samples to train on, {len(self.X_test)} held out, "
            f"{len(self.feature_names)} features, {what}{target})"
        )


def from_table(name: str, table: Table, fitted: Preprocessing, mask: NDArray[np.bool_], **words: Any) -> Dataset:
    """The data set of a table whose rows in `mask` are held out."""
    y, train, test = fitted.encode_target(table), np.flatnonzero(~mask), np.flatnonzero(mask)
    X_train, X_test = (fitted.transform(table, rows) for rows in (train, test))
    names = fitted.feature_names, fitted.class_names
    return Dataset(name, X_train, y[train], X_test, y[test], *names, preprocessing=fitted, **words)


def from_arrays(
    name: str,
    X: NDArray[Any],
    y: NDArray[Any],
    mask: NDArray[np.bool_],
    feature_names: tuple[str, ...],
    class_names: tuple[str, ...],
    **rest: Any,
) -> Dataset:
    """The data set of arrays whose samples in `mask` are held out."""
    return Dataset(name, X[~mask], y[~mask], X[mask], y[mask], feature_names, class_names, **rest)


def strata(y: NDArray[Any]) -> NDArray[np.int64]:
    """What a split is balanced over, (B,): classes as they are, values (B, 1) by tenths of their order."""
    if y.ndim == 1:
        return y.astype(np.int64)
    order = np.argsort(np.argsort(y[:, 0], kind="stable"), kind="stable")  # (B,), the rank of each value
    return np.asarray(order * min(10, max(1, len(y) // 10)) // len(y), dtype=np.int64)


def held_out(groups: NDArray[np.int64], test: float, seed: int, where: str) -> NDArray[np.bool_]:
    """A mask (B,) of a part `test` of every group, drawn with `seed`.

    A group of two or more samples has at least one on either side; a single sample stays in training.
    """
    if not 0 < test < 1:
        raise ConfigurationError(f"test is the part to hold out, between 0 and 1, not {test!r}.")
    counts = np.bincount(groups)  # (G,)
    quota = counts * test
    most = np.maximum(counts - 1, 0)
    shares = np.clip(np.floor(quota).astype(int), np.minimum(most, 1), most)
    by_remainder = np.argsort(np.where(shares < most, shares - quota, 1), kind="stable")
    shares[by_remainder[: max(0, round(len(groups) * test) - shares.sum())]] += 1
    shares = np.minimum(shares, most)
    if not shares.sum():
        raise DataError(f"{where} has too few rows to hold any out: {len(groups)}, at most one of each class.")
    mask = np.zeros(len(groups), dtype=bool)
    rng = stream(seed, where)
    for group, share in enumerate(shares):
        mask[rng.permutation(np.flatnonzero(groups == group))[:share]] = True
    return mask
