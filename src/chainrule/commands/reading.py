"""Reads the rows of a data set or table for a trained model."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import datasets
from ..datasets import Preprocessing
from ..datasets.scaling import is_missing
from ..datasets.tables import Table
from ..ensemble import Ensemble
from ..errors import DataError, ShapeError, UnknownNameError
from ..model import Model

__all__ = ["labelled_rows_for", "rows_for", "warned"]

Array = NDArray[Any]


@contextmanager
def warned() -> Iterator[list[str]]:
    """A list of what is warned of inside, complete at its end."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield notes
    notes += [str(warning.message) for warning in caught]


def rows_for(model: Model | Ensemble, name: str) -> tuple[Array, Array | None, Array | None]:
    """The inputs, and the targets as the loss needs them and in their original form (both None if unknown).

    Of a built-in data set only the held-out part is used, of a table all rows.
    """
    if name in datasets.NAMES or not os.path.isfile(name):
        data = datasets.resolve(name)
        expected = model.network.input_shape()
        if expected is not None and data.X_test.shape[1:] != expected:
            raise ShapeError(f"{name} has {data.X_test.shape[1]} features, the model expects {expected[0]}.")
        decode = np.asarray if data.preprocessing is None else data.preprocessing.decode_target
        wanted = decode(data.y_test) if not data.class_names else np.array(data.class_names)[data.y_test]
        return data.X_test, data.y_test, wanted
    preprocessing = model.preprocessing
    if preprocessing is None:
        table = datasets.read_table(name)
        columns = [table[column] for column in table.names]
        if any(column.dtype == object for column in columns):
            raise DataError(f"{name} has columns of text, and the model was not trained on a table.")
        return np.stack(columns, axis=1), None, None
    table = _columns_of(preprocessing, name)
    inputs = preprocessing.transform(table, fill_gaps=True)
    try:
        targets = preprocessing.encode_target(table)
    except (DataError, UnknownNameError):
        return inputs, None, None  # no target, or not in every row: predict without a score
    return inputs, targets, preprocessing.decode_target(targets)


def labelled_rows_for(model: Model | Ensemble, name: str) -> tuple[Array, Array, tuple[str, ...]]:
    """The inputs, the targets as the loss needs them, and the names of the classes, to measure the model by.

    Rows of a table without a target are left out, with a `UserWarning`. Raises `UnknownNameError` for a table without
    the target's column, `DataError` where no row has one, and for an unknown class.
    """
    preprocessing = model.preprocessing
    if name in datasets.NAMES or not os.path.isfile(name):
        X, y, _ = rows_for(model, name)
        if y is None:
            raise DataError(f"{name} has no targets.")
        return X, y, model.class_names or datasets.resolve(name).class_names
    if preprocessing is None:
        raise DataError(f"{name} is a table, and the model was not trained on one; use model.evaluate(X, y) in Python.")
    table = _columns_of(preprocessing, name)
    gaps = np.logical_or.reduce([is_missing(table[target]) for target in preprocessing.targets])  # (B,)
    if gaps.all():
        raise DataError(f"{name} has no row with the target {preprocessing.target!r}; use chainrule predict.")
    if gaps.any():
        first = table.at(int(np.argmax(gaps)))
        warnings.warn(f"{gaps.sum()} rows without the target are left out, the first is {first}.", stacklevel=2)
        table = table.where(~gaps)
    X = preprocessing.transform(table, fill_gaps=True)
    return X, preprocessing.encode_target(table), preprocessing.class_names


def _columns_of(preprocessing: Preprocessing, name: str) -> Table:
    """The columns of a file that a model was trained on, with its target. Raises `UnknownNameError` for one too few."""
    table = preprocessing.read(name)
    used = [column.name for column in preprocessing.columns]
    for column in used:
        table[column]  # raises with the columns that there are
    return table.only([*used, *preprocessing.targets])
