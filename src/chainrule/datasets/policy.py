"""What `read` decides about a table by itself: the columns it leaves out, what the target is, and how it says so."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import MOST_CATEGORIES, Categorical, Numeric, frequent, least
from .preprocessing import Preprocessing
from .scaling import is_missing
from .tables import Table
from .target import Target

__all__ = ["left_out", "notes_on_columns", "notes_on_target", "targets_of", "truths_as_classes", "without_gaps"]

# Names of what only tells rows apart.
_OF_ROWS = re.compile(
    r"(?i:^(id|index|idx|row|rownum|rowid|rownames|obs|nr\.?|no\.?|#|unnamed: \d+)$|[^a-z]id$)|[a-z]I[dD]$"
)
_UNEVEN = 0.2  # of an even share: a class with less is rare


def targets_of(table: Table, target: str | Sequence[str] | None, drop: Sequence[str]) -> list[str]:
    """The names of the targets: the last column where none is named; "a,b" are two unless a column has that name."""
    if target is None:
        return [next((column for column in reversed(table.names) if column not in drop), table.names[-1])]
    if not isinstance(target, str):
        return list(target)
    if target not in table.names and "," in target:
        names = [name.strip() for name in target.split(",") if name.strip()]
        return list(dict.fromkeys(names))
    return [target]


def without_gaps(table: Table, targets: Sequence[str]) -> tuple[Table, list[str]]:
    """The table without the rows that lack a target, and a note on them."""
    gaps = np.zeros(len(table), dtype=bool)
    for name in targets:
        gaps |= is_missing(table[name])
    if not gaps.any() or gaps.all():
        return table, []
    first = table.at(int(np.argmax(gaps)))
    return table.where(~gaps), [f"left out: {gaps.sum()} rows without the target, the first is {first}"]


def truths_as_classes(table: Table, targets: Sequence[str]) -> Table:
    """The table with targets of yes and no as text in one spelling: classes keep their names."""
    columns: dict[str, NDArray[Any]] = {}
    for name in targets:
        written = table.origin.written.get(name)
        if name in table.names and written is not None and written.kind == "truth" and table[name].dtype != object:
            no, yes = written.names
            spelt: list[Any] = [None if np.isnan(v) else yes if v else no for v in table[name].tolist()]
            columns[name] = np.array(spelt, dtype=object)
    return table.replacing(columns) if columns else table


def left_out(table: Table, used: Sequence[str], rows: NDArray[Any], missing: str) -> dict[str, str]:
    """The columns that nothing can be learned from, each with the reason."""
    reasons = {name: _reason(table, name, rows, missing) for name in used}
    return {name: reason for name, reason in reasons.items() if reason}


def _reason(table: Table, name: str, rows: NDArray[Any], missing: str) -> str:
    column = table[name]
    gaps = is_missing(column)
    if column.dtype == np.float64 and missing == "impute":
        gaps = gaps | np.isinf(column)
    if gaps[rows].all():
        return "no value"
    present = column[~gaps]
    if column.dtype == object:
        return _reason_of_text(table, name, rows, Counter(present.tolist()))
    if (present == present[0]).all():
        return "one value"
    may_count = name in table.origin.unnamed or _OF_ROWS.search(name) is not None
    counted = len(present) > 2 and may_count and column.dtype == np.float64
    return "numbers the rows" if counted and (np.diff(present) == 1).all() else ""


def _reason_of_text(table: Table, name: str, rows: NDArray[Any], counts: Counter[str]) -> str:
    if len(counts) == 1:
        return "one value"
    every_row = len(counts) == len(table) >= 10
    if every_row or (len(counts) > 20 and 2 * len(counts) > len(table)):
        return f"{len(counts):,} different texts in {len(table):,} rows"
    if len(counts) > MOST_CATEGORIES:
        trained = Counter(value for value in table[name][rows] if value is not None)
        if not frequent(trained):
            return f"{len(counts):,} different texts, none of them in {least(trained)} rows"
    return ""


def notes_on_columns(table: Table, reasons: dict[str, str], fitted: Preprocessing, rows: NDArray[Any]) -> Iterator[str]:
    """The columns left out, those whose rare texts share an input, and infinite values that count as missing."""
    if reasons:
        listed = ", ".join(f"{name} ({reason})" for name, reason in list(reasons.items())[:8])
        more = f" and {len(reasons) - 8} more" if len(reasons) > 8 else ""
        yield f"left out: {listed}{more}"
    for column in fitted.columns:
        if isinstance(column, Categorical) and column.other:
            texts = table[column.name]
            pooled = sum(value is not None and value not in {*column.categories} for value in set(texts))
            yield (
                f"{column.name}: the {len(column.categories)} most frequent of {len(set(texts) - {None}):,} texts have "
                f"an input each, the other {pooled:,} share one"
            )
        elif isinstance(column, Categorical) and len(column.categories) > 20:
            yield f'{column.name}: {len(column.categories)} texts, an input each; drop=["{column.name}"] leaves it out'
        if isinstance(column, Categorical) and (alike := _alike(column.categories)):
            yield f"{column.name}: {' and '.join(map(repr, alike))} differ in case only, and are two categories"
        if isinstance(column, Numeric) and (far := _stand_in(table[column.name])) is not None:
            value, times = far
            yield (
                f"{column.name}: {value:g} stands in {times} rows, far from all other numbers; where it means that the "
                "number is missing, leave those cells empty"
            )
        if table[column.name].dtype == np.float64 and (count := int(np.isinf(table[column.name]).sum())):
            yield f"{column.name}: {count} infinite values count as missing"
    yield from _filled(table, fitted)


def _filled(table: Table, fitted: Preprocessing) -> Iterator[str]:
    """What stands for missing cells, column by column."""
    gaps = {column: int(is_missing(table[column.name]).sum()) for column in fitted.columns}
    said = [f"{column.name} ({count}: {column.for_gaps})" for column, count in gaps.items() if count]
    if said:
        more = f" and {len(said) - 8} columns more" if len(said) > 8 else ""
        yield f"missing cells filled in: {', '.join(said[:8])}{more}"


def _alike(texts: Sequence[str]) -> tuple[str, ...]:
    """The first texts that differ in case only, where there are any."""
    first: dict[str, str] = {}
    for text in texts:
        if first.setdefault(text.casefold(), text) != text:
            return first[text.casefold()], text
    return ()


def _stand_in(column: NDArray[Any]) -> tuple[float, int] | None:
    """A number of nines that stands in two rows or more, farther from the others than they are from each other."""
    if column.dtype != np.float64:
        return None
    present = column[np.isfinite(column)]
    for value in (present.min(initial=0), present.max(initial=0)):
        same, others = present == value, present[present != value]
        if same.sum() < 2 or len(np.unique(others)) < 3 or not re.fullmatch(r"-?9{2,}", f"{value:.0f}"):
            continue
        if np.abs(others - value).min() > 2 * (others.max() - others.min()):
            return float(value), int(same.sum())
    return None


def notes_on_target(table: Table, target: Target, task: str | None) -> Iterator[str]:
    """Whether whole numbers are classes or values, and a class that is rare."""
    column = table[target.name]
    whole = column.dtype == np.float64 and bool((column == np.floor(column)).all())
    if task is None and whole and len(np.unique(column)) > 2:
        low, high, count = f"{column.min():g}", f"{column.max():g}", len(np.unique(column))
        if target.task == "classes":
            yield (
                f"{target.name}: {count} whole numbers from {low} to {high} are taken as classes; "
                'where they count or measure something, pass task="values"'
            )
        elif count <= 30:
            yield (
                f"{target.name}: {count} whole numbers from {low} to {high} are taken as values; "
                'where they are names of classes, pass task="classes"'
            )
    if alike := _alike(target.class_names):
        yield f"{target.name}: {' and '.join(map(repr, alike))} differ in case only, and are two classes"
    if target.task == "classes":
        counts = np.bincount(target.encode(table), minlength=len(target.class_names))
        rarest, most = int(counts.argmin()), int(counts.argmax())
        if counts[rarest] < _UNEVEN * len(table) / len(counts):
            yield (
                f"{target.name}: {target.class_names[rarest]!r} in {counts[rarest]} of {len(table)} rows; always "
                f"guessing {target.class_names[most]!r} is right in {counts[most] / len(table):.1%}. "
                'class_weights="balanced" weighs the classes alike'
            )
