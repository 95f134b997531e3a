"""Preprocessing: how a table becomes X and y. A part of the model, saved with it as JSON."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError, FileFormatError, NonFiniteError, UnknownNameError
from ..jsontext import parse_json, to_json
from ..registry import build, describe, record
from .columns import Categorical, Numeric, is_missing
from .tables import Table, read_table
from .target import Target

__all__ = ["Preprocessing"]

_FORMAT = "chainrule preprocessing 1"


@record
@dataclass(frozen=True)
class Preprocessing:
    """What was learned from a table: center, scale and fill of each column, its categories, and the target's classes.

    Numbers are standardized, text is one-hot. Where `fit` is given the training rows, numbers (center, scale, fill)
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

    columns: tuple[Numeric | Categorical, ...]
    outcome: Target
    missing: Literal["error", "impute"] = "error"
    ignored: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [*(column.name for column in self.columns), self.outcome.name, *self.ignored]
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
        """The name of the target's column."""
        return self.outcome.name

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
        target: str,
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
        for name in (target, *drop):
            table[name]
        if target in drop:
            raise ConfigurationError(f"The target {target!r} is among the dropped columns.")
        used = [name for name in table.names if name != target and name not in drop]
        if not used:
            raise DataError(f"{table.name} has no column to learn from besides the target {target!r}.")
        if missing == "error":
            _refuse_missing(table, used)
        chosen: Any = slice(None) if rows is None else rows
        columns: list[Numeric | Categorical] = []
        for name in used:
            if table[name].dtype == object:
                columns.append(Categorical.fit(name, table[name], chosen, missing == "impute", table.name))
            else:
                columns.append(Numeric.fit(name, table[name], chosen, missing == "impute", standardize, table.name))
        outcome = Target.fit(target, table[target], chosen, task, standardize, table.name)
        return cls(tuple(columns), outcome, missing, tuple(name for name in table.names if name in drop))

    def transform(self, source: Any) -> NDArray[np.float32]:
        """X (B, I) of a table, or of what `read_table` reads; the target's column may be left out.

        Raises `UnknownNameError` for a column that is missing or was not there in fitting, `DataError` for an unknown
        category, for text among numbers and for missing values unless they are imputed, and `NonFiniteError` for
        infinities and for what is too large for float32.
        """
        table = self.read(source)
        used = {column.name: None for column in self.columns}  # a dict keeps the order
        known = {**used, self.target: None} | dict.fromkeys(self.ignored)
        for name in used:
            table[name]
        for name in table.names:
            if name not in known:
                raise UnknownNameError("column in this preprocessing", name, known)
        if self.missing == "error":
            _refuse_missing(table, used)
        with np.errstate(over="ignore"):
            blocks = [column.encode(table[column.name], table.name) for column in self.columns]
            X = np.concatenate(blocks, axis=1).astype(np.float32)  # (B,I)
        if not np.isfinite(X).all():
            row, place = np.argwhere(~np.isfinite(X))[0]
            raise NonFiniteError(
                f"{table.name}, row {row + 1}: {self.feature_names[place]!r} is too large for float32."
            )
        return X

    def encode_target(self, source: Any) -> NDArray[Any]:
        """y of a table: the index of the class, int64 (B,), or the standardized value, float32 (B, 1)."""
        table = self.read(source)
        return self.outcome.encode(table[self.target], table.name)

    def decode_target(self, predictions: Any) -> NDArray[Any]:
        """The names of predicted classes, (B,), or predicted values in the table's own unit, shaped as they came.

        >>> outcome = Target("price", "values", center=100.0, scale=10.0)
        >>> Preprocessing((Numeric("size", 0.0, 1.0),), outcome).decode_target([[0.5]])
        array([[105.]])
        """
        return self.outcome.decode(predictions)

    def read(self, source: Any) -> Table:
        """The table of a source, with the columns as text that were text when this was fitted."""
        text = [column.name for column in self.columns if isinstance(column, Categorical)]
        return read_table(source, text=text + [self.target] * self.outcome.is_text)

    def to_json(self) -> str:
        """This preprocessing as JSON; floats come back bit for bit."""
        return to_json({"format": _FORMAT, **describe(self)}, allow_nan=False, indent=1)

    @staticmethod
    def from_json(text: str) -> Preprocessing:
        """What `to_json` wrote; runs no code. Raises `FileFormatError` for anything else."""
        try:
            described = parse_json(text, finite=True)
            found = described.pop("format", None) if isinstance(described, dict) else _FORMAT
            if found != _FORMAT:
                raise FileFormatError(f"its format is {found!r}, expected {_FORMAT!r}.")
            return build(described, Preprocessing)  # type: ignore[no-any-return]
        except (ValueError, TypeError, RecursionError) as error:
            raise FileFormatError(f"This is not the JSON of a preprocessing: {error}") from None


def _refuse_missing(table: Table, names: Collection[str]) -> None:
    counts = {name: int(is_missing(table[name]).sum()) for name in names}
    listed = ", ".join(f"{count} in {name!r}" for name, count in counts.items() if count)
    if listed:
        raise DataError(
            f'{table.name} has missing values: {listed}; fit with missing="impute" to fill them, or leave the rows out.'
        )
