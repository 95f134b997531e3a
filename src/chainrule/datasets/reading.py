"""read: a table of the user's own, split and made ready to train on."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError
from .dataset import Dataset, from_table, held_out, strata
from .policy import left_out, notes_on_columns, notes_on_target, targets_of, truths_as_classes, without_gaps
from .preprocessing import Preprocessing
from .room import require_room
from .tables import Table, read_table
from .target import Target

__all__ = ["Learned", "learn", "read"]


def read(
    source: Any,
    *,
    target: str | Sequence[str] | None = None,
    test: float = 0.2,
    seed: int = 0,
    missing: Literal["error", "impute"] = "error",
    task: str | None = None,
    standardize: bool = True,
    drop: Collection[str] = (),
    text: Collection[str] = (),
    header: bool | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
) -> Dataset:
    """A data set from whatever `read_table` reads: one column is the target, the others, but for `drop`, become X.

    `target` is the last column by default; several, a list or "a,b", are values predicted together. Text and few whole
    numbers are classes, other numbers values (`datasets.target.is_classes`); `task="classes"` or `"values"` overrides
    that. The columns in `text` are categories even if they look like numbers (a post code, a class of 1 to 3). A part
    `test` is held out, drawn with `seed`: of every class, or evenly over the values. Numbers are standardized, a target
    of values too, unless `standardize` is False: `preprocessing.decode_target` leads back to the table's own unit.

    Columns that nothing can be learned from are left out: those with no value or with one, texts that differ in nearly
    every row; with `missing="impute"` also rows without a target. Of more than a hundred texts in a column the most
    frequent have an input each, the others share one. `notes` says what was decided; `header`, `encoding`,
    `delimiter` and `sheet` are those of `read_table`.

    Raises what `read_table` and `Preprocessing.fit` raise, `DataError` where no row can be held out, and
    `ConfigurationError` for a file whose table cannot fit into memory; `stream` reads such a file in pieces.

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
    if isinstance(source, str | os.PathLike):
        require_room(source)
    table = read_table(source, text=text, header=header, encoding=encoding, delimiter=delimiter, sheet=sheet)
    learned = learn(table, target, test, seed, missing, task, standardize, drop, text)
    return from_table(
        _name(source, table),
        learned.table,
        learned.fitted,
        learned.mask,
        **_words(source, table, learned.fitted.targets, target),
        notes=learned.notes,
    )


class Learned(NamedTuple):
    """What was learned from a table: its rows that can be used, the preprocessing, the rows that are held out."""

    table: Table
    fitted: Preprocessing
    mask: NDArray[np.bool_]  # (B,)
    notes: tuple[str, ...]


def learn(
    table: Table,
    target: str | Sequence[str] | None,
    test: float,
    seed: int,
    missing: Literal["error", "impute"],
    task: str | None,
    standardize: bool,
    drop: Collection[str],
    text: Collection[str],
) -> Learned:
    """What `read` learns from a table. It looks at one column at a time."""
    for column in (*drop, *text):
        if column not in table.names:
            table[column]
    targets = targets_of(table, target, list(drop))
    table = truths_as_classes(table, targets)
    table, rows_left_out = without_gaps(table, targets) if missing == "impute" else (table, [])
    if len(table) < 2:
        raise DataError(f"{table.name} has too few rows to hold any out: {len(table)}.")
    whole = [Target.fit(name, table, slice(None), task, False) for name in targets]
    mask = held_out(strata(whole[0].encode(table)), test, seed, table.name)
    rows = np.flatnonzero(~mask)
    used = [name for name in table.names if name not in targets and name not in drop]
    reasons = left_out(table, used, rows, missing)
    if used and len(reasons) == len(used):
        listed = ", ".join(f"{name!r} has {reason}" for name, reason in reasons.items())
        raise DataError(f"{table.name} has no column to learn from: {listed}.")
    fitted = Preprocessing.fit(
        table,
        targets if len(targets) > 1 else targets[0],
        rows=rows,
        task=task if len(targets) > 1 else whole[0].task,
        missing=missing,
        standardize=standardize,
        drop=[*drop, *reasons],
    )
    notes = [*table.origin.notes, *rows_left_out, *notes_on_columns(table, reasons, fitted, rows)]
    notes += [note for each in whole for note in notes_on_target(table, each, task)]
    return Learned(table, fitted, mask, tuple(notes))


def _name(source: Any, table: Table) -> str:
    return table.name.split(".")[0] or table.name if isinstance(source, str | os.PathLike) else "table"


def _words(source: Any, table: Table, targets: Sequence[str], given: Any) -> dict[str, str]:
    """Title, source and licence."""
    is_file = isinstance(source, str | os.PathLike)
    columns = f"target column{'s' * (len(targets) > 1)} {', '.join(map(repr, targets))}"
    title = f"{f'{table.name}, ' if is_file else ''}{columns}{' (the last)' if given is None else ''}"
    return {"title": title, "source": os.fspath(source) if is_file else table.name, "licence": "not stated"}
