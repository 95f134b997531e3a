"""Reads the rows of a data set or table for a trained model."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import datasets
from ..ensemble import Ensemble
from ..errors import DataError, ShapeError, UnknownNameError
from ..model import Model

__all__ = ["rows_for"]

Array = NDArray[Any]


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
    table = preprocessing.read(name)
    used = [column.name for column in preprocessing.columns]
    for column in used:
        table[column]  # raises with the columns that there are
    table = table.only([*used, *preprocessing.targets])
    inputs = preprocessing.transform(table)
    try:
        targets = preprocessing.encode_target(table)
    except (DataError, UnknownNameError):
        return inputs, None, None  # no target, or not in every row: predict without a score
    return inputs, targets, preprocessing.decode_target(targets)
