"""Preprocessing: how a table becomes X and y. A part of the model, saved with it as JSON."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError, FileFormatError, NonFiniteError, UnknownNameError
from ..jsontext import parse_json, to_json
from ..registry import build, describe, record
from .columns import Categorical, Numeric
from .datecolumn import Date
from .scaling import is_missing
from .tables import Table, read_table
from .target import Target, Targets

__all__ = ["Preprocessing"]

_FORMAT, _EARLIER = "chainrule preprocessing 3", ("chainrule preprocessing 1", "chainrule preprocessing 2")
Column = Numeric | Categorical | Date


@record
@dataclass(frozen=True)
class Preprocessing:
    """What was learned from a table: center, scale and fill of each column, its categories, and the target's classes.

    Numbers are standardized, text is one-hot, dates become a trend and the places in year, week and day. Where `fit` is
    given the training rows, numbers (center, scale, fill)
    come from those alone; names (categories, classes) come from the whole table, so that a rare category does not
    depend on the split. `ignored` are the columns left out; `missing` is "error" or "impute" (the median of a number,
    the most frequent category).

    >>> table = read_table({"size": [1, 3], "colour": ["red", "blue"], "sold": ["no", "yes"]})
    >>> fitted = Preprocessing.fit(table, "sold")
    >>> fitted.feature_names, fitted.class_names
    (('size', 'colour=blue', 'colour=red'), ('no', 'yes'))
    >>> fitted.transform(table)
    array([[-1.,  0.,  1.],
           [ 1.,  1.,  0.]], dtype=float32)
    >>> Preprocessing.from_json(fitted.to_json()) == fitted
    True
    """

    columns: tuple[Numeric | Categorical | Date, ...]
    outcome: Target | Targets
    missing: Literal["error", "impute"] = "error"
    ignored: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [*(column.name for column in self.columns), *self.outcome.names, *self.ignored]
        if not all(isinstance(name, str) and name for name in names) or len({*names}) < len(names):
            raise ConfigurationError(f"The columns need different, non-empty names, not {names}.")
        if not self.columns:
            raise ConfigurationError(f"There is no column besides the target {self.outcome.name!r}.")
        if self.missing not in ("error", "impute"):
            raise ConfigurationError(f'missing must be "error" or "impute", not {self.missing!r}.')
        for column in self.columns:
            if (column.fill is None) != (self.missing == "error"):
                raise ConfigurationError(
                    f"The column {column.name!r} has fill={column.fill!r}, missing={self.missing!r}."
                )

    @property
    def target(self) -> str:
        """The name of the target's column; of several, with commas."""
        return self.outcome.name

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the columns to predict."""
        return self.outcome.names

    @property
    def task(self) -> str:
        """What is predicted: "classes" or "values"."""
        return self.outcome.task

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the C classes; empty for values."""
        return self.outcome.class_names

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the I inputs."""
        return tuple(name for column in self.columns for name in column.feature_names)

    @classmethod
    def fit(
        cls,
        table: Table,
        target: str | Sequence[str],
        *,
        rows: NDArray[Any] | None = None,
        task: str | None = None,
        missing: Literal["error", "impute"] = "error",
        standardize: bool = True,
        drop: Collection[str] = (),
    ) -> Preprocessing:
        """Learn from a table; `rows` are the training rows, all by default.

        Raises `UnknownNameError` for a target or a dropped column that is not there, and `DataError` for missing
        values (unless `missing="impute"`), a target of one class, or a column that cannot be used.
        """
        if isinstance(drop, str):
            raise ConfigurationError(f"drop takes a list of names; write drop=[{drop!r}].")
        if missing not in ("error", "impute"):
            raise ConfigurationError(f'missing must be "error" or "impute", not {missing!r}.')
        targets = (target,) if isinstance(target, str) else tuple(target)
        for name in (*targets, *drop):
            if name not in table.names:
                table[name]
        for name in targets:
            if name in drop:
                raise ConfigurationError(f"The target {name!r} is among the dropped columns.")
        used = [name for name in table.names if name not in targets and name not in drop]
        if not used:
            raise DataError(f"{table.name} has no column to learn from besides the target {', '.join(targets)!r}.")
        if missing == "error":
            _refuse_missing(table, used)
        chosen: Any = slice(None) if rows is None else rows
        columns = tuple(_fitted(table, name, chosen, missing == "impute", standardize) for name in used)
        outcomes = tuple(Target.fit(name, table, chosen, task, standardize) for name in targets)
        outcome = outcomes[0] if len(outcomes) == 1 else Targets(outcomes)
        return cls(columns, outcome, missing, tuple(name for name in table.names if name in drop))

    def transform(
        self, source: Any, rows: NDArray[Any] | None = None, *, fill_gaps: bool = False
    ) -> NDArray[np.float32]:
        """X (B, I) of a table, or of what `read_table` reads; the target's column may be left out.

        `rows` are the indices of those to take, all by default. With `fill_gaps` a missing value is filled also where
        `missing` is "error": by the mean of the training rows, a text by none of the categories; a `UserWarning` counts
        what was filled in each column.

        A category that was not there in fitting is none of those that were, with a `UserWarning` that counts such rows.
        Raises `UnknownNameError` for a column that is missing or was not there in fitting, `DataError` for text among
        numbers and for missing values unless they are imputed, and `NonFiniteError` for infinities and for what is too
        large for float32.
        """
        table = self.read(source)
        used = {column.name: None for column in self.columns}  # a dict keeps the order
        known = {**used} | dict.fromkeys((*self.targets, *self.ignored))
        for name in used:
            table[name]
        for name in table.names:
            if name not in known:
                raise UnknownNameError("column in this preprocessing", name, known)
        columns: Sequence[Column] = self.columns
        if fill_gaps:
            _refuse_missing(table, [column.name for column in columns if not column.knows_its_mean])
            _warn_of_gaps(table, columns)
            columns = [column.without_gaps() for column in columns]
        elif self.missing == "error":
            _refuse_missing(table, used)
        chosen: Any = slice(None) if rows is None else rows
        X = np.empty((len(table) if rows is None else len(rows), len(self.feature_names)), dtype=np.float32)  # (B,I)
        first = 0
        with np.errstate(over="ignore"):
            for column in columns:
                inputs = len(column.feature_names)
                column.encode(table, chosen, X[:, first : first + inputs])
                first += inputs
        largest = np.maximum(X.max(axis=1), -X.min(axis=1)) if len(X) else X[:, 0]  # (B,), NaN where there is one
        if not np.isfinite(largest).all():
            row = int(np.argmax(~np.isfinite(largest)))
            place = int(np.argmax(~np.isfinite(X[row])))
            row = row if rows is None else int(rows[row])
            raise NonFiniteError(
                f"{table.name}, {table.at(row)}: {self.feature_names[place]!r} is too large for float32."
            )
        return X

    def encode_target(self, source: Any) -> NDArray[Any]:
        """y of a table: the index of the class, int64 (B,), or the standardized value, float32 (B, 1)."""
        return self.outcome.encode(self.read(source))

    def decode_target(self, predictions: Any) -> NDArray[Any]:
        """The names of predicted classes, (B,), or predicted values in the table's own unit, shaped as they came.

        >>> outcome = Target("price", "values", center=100.0, scale=10.0)
        >>> Preprocessing((Numeric("size", 0.0, 1.0),), outcome).decode_target([[0.5]])
        array([[105.]])
        """
        return self.outcome.decode(predictions)

    def read(self, source: Any) -> Table:
        """The table of a source, its columns read as they were when this was fitted."""
        written = {column.name: column.written for column in self.columns} | self.outcome.written
        table = read_table(source, written=written, expected=[column.name for column in self.columns])
        if isinstance(source, str | os.PathLike):
            self._refuse_shifted(table)
        return table

    def _refuse_shifted(self, table: Table) -> None:
        """Without a header columns are known by their place: none may be left out but the target, at the end."""
        names = {*(column.name for column in self.columns), *self.targets, *self.ignored}
        numbered = {f"column_{i}" for i in range(1, len(names) + 1)}
        if names != numbered or not {*table.names} <= numbered | {f"column_{len(table.names)}"}:
            return
        without_last = len(table.names) == len(names) - 1 and f"column_{len(names)}" in self.targets
        if len(table.names) != len(names) and not without_last:
            raise DataError(
                f"{table.name} has {len(table.names)} columns and no header; the model was trained on {len(names)}, of "
                f"which {self.target} was predicted. Keep all of them, in the same order."
            )

    def to_json(self) -> str:
        """This preprocessing as JSON; floats come back bit for bit."""
        return to_json({"format": _FORMAT, **describe(self)}, allow_nan=False, indent=1)

    @staticmethod
    def from_json(text: str) -> Preprocessing:
        """What `to_json` wrote; runs no code. Raises `FileFormatError` for anything else."""
        try:
            described = parse_json(text, finite=True)
            found = described.pop("format", None) if isinstance(described, dict) else _FORMAT
            if found in _EARLIER:
                _complete(described)
            elif found != _FORMAT:
                raise FileFormatError(f"its format is {found!r}, expected {_FORMAT!r}.")
            return build(described, Preprocessing)  # type: ignore[no-any-return]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise FileFormatError(f"This is not the JSON of a preprocessing: {error}") from None


def _fitted(table: Table, name: str, rows: Any, impute: bool, standardize: bool) -> Column:
    """One column, by what it holds."""
    kind = table[name].dtype.kind
    if kind == "O":
        return Categorical.fit(table, name, rows, impute)
    return (Date if kind == "M" else Numeric).fit(table, name, rows, impute, standardize)


def _complete(described: Mapping[str, Any]) -> None:
    """Add to an earlier description what it did not have."""
    numbers = {"kind": "number", "mark": "", "unit": ""}
    for column in described["columns"]:
        new = {"other": False} if "categories" in column else {} if "order" in column else numbers
        column.update({name: value for name, value in new.items() if name not in column})
    for outcome in described["outcome"].get("targets", [described["outcome"]]):
        outcome.update({name: "" for name in ("mark", "unit") if name not in outcome})


def _warn_of_gaps(table: Table, columns: Sequence[Column]) -> None:
    """Say what stands for the missing values of each column, which have no number of their own."""
    for column in columns:
        values = table[column.name]
        gaps = is_missing(values) | (np.isinf(values) if values.dtype == np.float64 else False)
        if gaps.any():
            first = table.at(int(np.argmax(gaps)))
            where = f"{first}" if gaps.sum() == 1 else f"{gaps.sum()} rows, the first is {first}"
            warnings.warn(
                f"{table.name}: {column.name!r} is missing in {where}: taken as {column.for_gaps}.",
                UserWarning,
                stacklevel=3,
            )


def _refuse_missing(table: Table, names: Collection[str]) -> None:
    counts = {name: int(is_missing(table[name]).sum()) for name in names}
    listed = ", ".join(f"{count} in {name!r}" for name, count in counts.items() if count)
    if listed:
        raise DataError(
            f'{table.name} has missing values: {listed}; fit with missing="impute" to fill them, or leave the rows out.'
        )
