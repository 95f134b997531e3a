"""The same run from an array, from rows converted as they are read and from batches: the same bits."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import engines
import numpy as np

from chainrule import Model, rows
from chainrule.errors import NonFiniteError
from chainrule.training import supply, window


def case(rng: np.random.Generator) -> str:
    """A random run of `engines`, its data laid in a random way."""
    run = engines.drawn(rng)
    if rng.random() < 0.5:
        run = run._replace(X=rng.integers(-9, 9, run.X.shape).astype(str(rng.choice(["int8", "int64", "float64"]))))
    way = str(rng.choice(["rows", "memory-mapped", "batches", "function", "iterator"]))
    options: dict[str, Any] = dict(engine=str(rng.choice(["numpy", "fused"])), epochs=run.epochs, verbose=False)
    arrays: dict[str, Any] = dict(batch_size=run.batch, shuffle=False, sample_weights=run.weights)
    whole = run.model()
    expected = records(whole, run.X.astype(run.dtype), run.y, **options, **arrays)
    parts = {"_LARGE": 0, "_WINDOW_BYTES": int(rng.integers(100, 20_000)), "_PART_BYTES": int(rng.integers(50, 5000))}
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(rows, "_LARGE", 0),
        mock.patch.object(window, "_WINDOW_BYTES", parts["_WINDOW_BYTES"]),
        mock.patch.object(supply, "_PART_BYTES", parts["_PART_BYTES"]),
    ):
        other = run.model()
        if way in ("rows", "memory-mapped"):
            X = run.X
            if way == "memory-mapped":
                np.save(Path(folder) / "X.npy", X)
                X = np.load(Path(folder) / "X.npy", mmap_mode="r")
            found = records(other, X, run.y, **options, **arrays)
        else:
            batches = [
                (run.X[i : i + run.batch], run.y[i : i + run.batch])
                + (() if run.weights is None else (run.weights[i : i + run.batch],))
                for i in range(0, len(run.X), run.batch)
            ]
            given: Any = batches if way == "batches" else lambda: iter(batches)
            if way == "iterator":
                given, options["steps_per_epoch"] = iter(batches * run.epochs), len(batches)
            found = records(other, given, **options)
    same(whole, other)
    assert expected == found, (expected, found)
    return way


def records(model: Model, *data: Any, **options: Any) -> list[dict[str, Any]] | str:
    """What a run has told, seconds left out, or why it ended early: some of the drawn ones diverge."""
    try:
        return [{**record, "seconds": 0} for record in model.fit(*data, **options).records]
    except NonFiniteError as error:
        return str(error)


def same(one: Model, other: Model) -> None:
    """That two models hold the same bits. Raises AssertionError."""
    for name, value in one.run.values.items():
        np.testing.assert_array_equal(value, other.run.values[name], err_msg=name)
