"""Target: the column to predict, as classes or as values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import plain_array
from ..errors import ConfigurationError, DataError
from ..registry import record
from .kinds import ColumnFormat
from .scaling import is_missing, numbers, standardization
from .tables import Table, as_text, label, read_table
from .vocabulary import TRUTHS

__all__ = ["Target", "Targets", "encoded", "is_classes"]


def is_classes(column: NDArray[Any]) -> bool:
    """Whether a target column means classes, unless the user says: text does, and so do few whole numbers.

    Few is at most two different ones, or at most twenty that each stand for ten rows on average.

    >>> is_classes(np.array([0.0, 1.0, 1.0])), is_classes(np.array([0.0, 1.0, 2.0]))
    (True, False)
    >>> is_classes(np.array([0.0, 1.0, 2.0] * 10)), is_classes(np.array([0.5, 1.0] * 10))
    (True, False)
    """
    if column.dtype == object:
        return True
    if column.dtype.kind == "M":
        return False
    present = column[np.isfinite(column)]
    few = len(np.unique(present))
    return bool((present == np.floor(present)).all()) and (few <= 2 or (few <= 20 and 10 * few <= len(present)))


@record
@dataclass(frozen=True)
class Target:
    """The target's name, its task, and its classes (for "classes") or its center and scale (for "values")."""

    name: str
    task: str
    class_names: tuple[str, ...] = ()
    center: float = 0.0
    scale: float = 1.0
    mark: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        if self.task not in ("classes", "values"):
            raise ConfigurationError(f'task must be "classes" or "values", not {self.task!r}.')
        names = self.class_names
        if not all(isinstance(name, str) and name for name in names) or len({*names}) < len(names):
            raise ConfigurationError(f"The target {self.name!r} needs different, non-empty class names, not {names}.")
        if (self.task == "classes") != (len(names) >= 2) or (self.task == "values" and names):
            raise ConfigurationError(
                f"The target {self.name!r} has {len(names)} class names; classes need two or more, values none."
            )
        if self.mark not in ("", ".", ","):
            raise ConfigurationError(f"The target {self.name!r} cannot have the decimal mark {self.mark!r}.")
        finite = all(isinstance(n, float) and math.isfinite(n) for n in (self.center, self.scale))
        if not finite or self.scale <= 0 or (self.task == "classes" and (self.center, self.scale) != (0.0, 1.0)):
            raise ConfigurationError(
                f"The target {self.name!r} cannot have center={self.center!r} and scale={self.scale!r}."
            )

    @property
    def is_text(self) -> bool:
        """Whether the classes are words: a file's column is then text even where its cells look like numbers."""
        try:
            return not all(map(math.isfinite, map(float, self.class_names)))
        except ValueError:
            return True

    @property
    def names(self) -> tuple[str, ...]:
        """The one name."""
        return (self.name,)

    @property
    def written(self) -> dict[str, ColumnFormat]:
        """How a file writes the column, as far as that is known."""
        if self.task == "values":
            return {self.name: ColumnFormat("number", self.mark, self.unit)}
        return {self.name: ColumnFormat("text", known=frozenset(self.class_names))} if self.is_text else {}

    @classmethod
    def fit(cls, name: str, table: Table, rows: Any, task: str | None, standardize: bool) -> Target:
        """The classes of the whole column, or center and scale of the training rows."""
        column, place = table[name], f"{table.name}: the target column {name!r}"
        _refuse_missing(column, place, table)
        if task not in (None, "classes", "values"):
            raise ConfigurationError(f'task must be "classes" or "values", not {task!r}.')
        if task == "classes" or (task is None and is_classes(column)):
            return cls(name, "classes", _class_names(column, place, table))
        if column.dtype.kind == "M":
            raise DataError(f"{place} holds dates; predict a number, such as the days until then.")
        values = numbers(column, place, table.at)
        if values.min() == values.max():
            raise DataError(f"{place} has one value only, {label(float(values[0]))}.")
        known = table.origin.written.get(name)
        how = (known.mark, known.unit) if known is not None and known.kind == "number" else ("", "")
        return cls(name, "values", (), *(standardization(values[rows], place) if standardize else (0.0, 1.0)), *how)

    def encode(self, table: Table) -> NDArray[Any]:
        """(B,) -> int64 (B,) for classes, float32 (B, 1) for values."""
        column, place = table[self.name], f"{table.name}: the target column {self.name!r}"
        _refuse_missing(column, place, table)
        if self.task == "values":
            with np.errstate(over="ignore"):
                standardized = (numbers(column, place, table.at) - self.center) / self.scale
                y = standardized.reshape(-1, 1).astype(np.float32)  # (B,1)
            if not np.isfinite(y).all():
                raise DataError(f"{place} holds a number too large for float32.")
            return y
        index = self._index()
        text = as_text(column)
        for row, value in enumerate(text):
            if value not in index:
                known = ", ".join(map(repr, self.class_names))
                raise DataError(f"{place} has the unknown class {value!r} in {table.at(row)}; known are {known}.")
        return np.array([index[value] for value in text], dtype=np.int64)

    def _index(self) -> dict[str, int]:
        """The number of each class; yes and no in whatever spelling, where these are the classes."""
        index = {class_name: i for i, class_name in enumerate(self.class_names)}
        truths = {TRUTHS[name.lower()]: i for name, i in index.items() if name.lower() in TRUTHS}
        if self.is_text and len(index) == len(truths) == 2:
            forms = (str, str.upper, str.title)
            return {form(word): truths[truth] for word, truth in TRUTHS.items() for form in forms} | index
        return index

    def decode(self, predictions: Any) -> NDArray[Any]:
        """Class indices (B,) -> names (B,); standardized values -> values, float64."""
        given = np.asarray(predictions)
        if self.task == "values":
            return np.asarray(given.astype(np.float64) * self.scale + self.center)
        if given.ndim != 1 or given.dtype.kind not in "iu":
            raise DataError(f"Classes are decoded from whole numbers of shape (B,), not {given.dtype} {given.shape}.")
        if given.size and not 0 <= given.min() <= given.max() < len(self.class_names):
            raise DataError(
                f"Classes are numbered from 0 to {len(self.class_names) - 1}, not from {given.min()} to {given.max()}."
            )
        return np.asarray(np.array(self.class_names)[given])


@record
@dataclass(frozen=True)
class Targets:
    """Several columns to predict at once, each of them values: y is (B, O), a column for each."""

    targets: tuple[Target, ...]

    def __post_init__(self) -> None:
        if len(self.targets) < 2 or not all(isinstance(each, Target) for each in self.targets):
            raise ConfigurationError("Several targets are two or more.")
        classes = [each.name for each in self.targets if each.task != "values"]
        if classes:
            raise ConfigurationError(
                f"Several targets must all be values, and {classes[0]!r} has classes; train a model for each, "
                f'leaving the others out with drop=["{classes[0]}"], or pass task="values".'
            )

    @property
    def task(self) -> str:
        """Always "values"."""
        return "values"

    @property
    def class_names(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order of y's columns."""
        return tuple(each.name for each in self.targets)

    @property
    def name(self) -> str:
        """The names in one line."""
        return ", ".join(self.names)

    @property
    def written(self) -> dict[str, ColumnFormat]:
        """How a file writes the columns."""
        return {name: how for each in self.targets for name, how in each.written.items()}

    def encode(self, table: Table) -> NDArray[Any]:
        """float32 (B, O)."""
        return np.concatenate([each.encode(table) for each in self.targets], axis=1)

    def decode(self, predictions: Any) -> NDArray[Any]:
        """Standardized values (B, O) -> values, float64."""
        given = np.asarray(predictions)
        return np.stack([each.decode(given[:, i]) for i, each in enumerate(self.targets)], axis=1)


def encoded(y: Any, outcome: Target | Targets | None, class_names: Sequence[str] = ()) -> NDArray[Any]:
    """Targets as an array that a loss reads.

    Class names become the numbers of their classes, by the `outcome` of a preprocessing or by `class_names`; a column
    of a data frame goes through the outcome as the table did, and other numbers stay as they are. Raises `DataError`
    for a name that is no class, and for a masked array.

    >>> encoded(["no", "yes"], None, ("no", "yes"))
    array([0, 1])
    """
    if isinstance(outcome, Targets):
        return plain_array(y, "y")
    column = outcome is not None and not isinstance(y, np.ndarray | list | tuple) and _is_column(y)
    array = plain_array(y, "y")
    flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array  # (B,)
    words = flat.ndim == 1 and (flat.dtype.kind in "UT" or (flat.dtype == object and any(map(_is_word, flat))))
    if not words and not column:
        return array
    if outcome is None and len({*class_names}) >= 2:
        outcome = Target("y", "classes", tuple(class_names))
    if outcome is None or (words and outcome.task == "values"):
        return array
    return outcome.encode(Table(read_table({outcome.name: flat}).columns, "y"))


def _is_word(value: Any) -> bool:
    return isinstance(value, str)


def _is_column(y: Any) -> bool:
    """A column of a data frame: neither an array of another library nor a single value."""
    return hasattr(y, "__len__") and hasattr(y, "__getitem__") and hasattr(y, "dtype") and not hasattr(y, "__dlpack__")


def _class_names(column: NDArray[Any], place: str, table: Table) -> tuple[str, ...]:
    if column.dtype != np.float64:
        names = sorted(set(as_text(column)))
        if len(names) > 20 and 2 * len(names) > len(column):
            raise DataError(
                f"{place} holds {len(names)} different texts in {len(column)} rows; choose another with target=..."
            )
    else:
        names = [label(value) for value in sorted(set(numbers(column, place, table.at).tolist()))]
    if len(names) == 1:
        raise DataError(f"{place} has one class only, {names[0]!r}.")
    return tuple(names)


def _refuse_missing(column: NDArray[Any], place: str, table: Table) -> None:
    missing = is_missing(column)
    if missing.any():
        row = table.at(int(np.argmax(missing)))
        raise DataError(
            f"{place} has {missing.sum()} missing values, the first in {row}; "
            'leave those rows out, as missing="impute" does.'
        )
