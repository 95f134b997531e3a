"""read: a table of the user's own, split and made ready to train on."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any, Literal

import numpy as np

from ..errors import ConfigurationError, DataError
from .dataset import Dataset, from_table, held_out, strata
from .preprocessing import Preprocessing
from .tables import read_table
from .target import Target

__all__ = ["read"]


def read(
    source: Any,
    *,
    target: str | None = None,
    test: float = 0.2,
    seed: int = 0,
    missing: Literal["error", "impute"] = "error",
    task: str | None = None,
    standardize: bool = True,
    drop: Collection[str] = (),
    text: Collection[str] = (),
) -> Dataset:
    """A data set from whatever `read_table` reads: one column is the target, the others, but for `drop`, become X.

    The columns in `text` are categories even if they look like numbers (a post code, a class of 1 to 3).
    `target` is the last column by default. Text and few whole numbers are classes, other numbers values
    (`datasets.target.is_classes`); `task="classes"` or `"values"` overrides that. A part `test` is held out, drawn with
    `seed`: of every class, or evenly over the values. Numbers are standardized, a target of values too, unless
    `standardize` is False: `preprocessing.decode_target` leads back to the table's own unit.

    Raises what `read_table` and `Preprocessing.fit` raise, and `DataError` where no row can be held out.

    >>> rows = {"x": [1, 2, 3, 4, 5, 6], "kind": ["a", "a", "a", "b", "b", "b"]}
    >>> data = read(rows, test=1 / 3)
    >>> data
    Dataset('table': 4 samples to train on, 2 held out, 1 features, 2 classes of 'kind')
    >>> data.y_train, data.y_test
    (array([0, 0, 1, 1]), array([0, 1]))
    """
    for option, names in (("drop", drop), ("text", text)):
        if isinstance(names, str):
            raise ConfigurationError(f"{option} takes a list of names; write {option}=[{names!r}].")
    table = read_table(source, text=text)
    for column in (*drop, *text):
        table[column]
    name, title = "table", ""
    if isinstance(source, str | os.PathLike):
        name, title = table.name.split(".")[0] or table.name, f"{table.name}, "
    last = next((column for column in reversed(table.names) if column not in drop), table.names[-1])
    chosen = last if target is None else target
    title += f"target column {chosen!r}" + (" (the last)" if target is None else "")
    if len(table) < 2:
        raise DataError(f"{table.name} has too few rows to hold any out: {len(table)}.")
    whole = Target.fit(chosen, table[chosen], slice(None), task, False, table.name)
    mask = held_out(strata(whole.encode(table[chosen], table.name)), test, seed, table.name)
    fitted = Preprocessing.fit(
        table,
        chosen,
        rows=np.flatnonzero(~mask),
        task=whole.task,
        missing=missing,
        standardize=standardize,
        drop=drop,
    )
    source_text = os.fspath(source) if isinstance(source, str | os.PathLike) else table.name
    return from_table(name, table, fitted, mask, title=title, source=source_text, licence="not stated")
