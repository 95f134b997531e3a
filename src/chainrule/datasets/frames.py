"""Columns of what is no file: a dict, or a data frame of any library."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError

__all__ = ["as_text", "from_frame", "from_mapping", "label", "optional"]


_HOUR = np.timedelta64(1, "h")


def label(value: float) -> str:
    """A number as the name of a class: 3.0 is "3", 0.5 is "0.5"."""
    return str(int(value)) if value.is_integer() else repr(value)


def as_text(column: NDArray[Any]) -> NDArray[Any]:
    """A column as text: numbers become their labels, dates are written 2023-01-31."""
    if column.dtype == object:
        return column
    if column.dtype.kind == "M":
        return _objects([None if np.isnat(value) else str(value).removesuffix("T00:00:00") for value in column])
    return _objects([None if np.isnan(value) else label(value) for value in column.tolist()])


def optional(module: str, purpose: str) -> ModuleType:
    """Import a module of the extra `tables`. Raises `ConfigurationError` with the line that installs it."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise ConfigurationError(f'{purpose} needs {package}; run: pip install "chainrule[tables]"') from None


def _objects(values: list[Any]) -> NDArray[Any]:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def from_mapping(source: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """The columns of a dict."""
    _refuse_duplicates([str(name) for name in source])
    return {str(name): _from_values(str(name), values) for name, values in source.items()}


def _refuse_duplicates(names: list[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise DataError(f"Two columns are named {name!r}; rename one.")


def from_frame(source: Any) -> dict[str, NDArray[Any]]:
    """The columns of a data frame that narwhals knows."""
    if isinstance(source, list | tuple | np.ndarray) or source is None:
        raise DataError(
            f"A table is a path, a data frame or a dict of columns, not a value of type {type(source).__name__}; "
            'write {"x": [...], "y": [...]}.'
        )
    nw = optional("narwhals", "Reading a data frame")
    try:
        frame = nw.from_native(source)
        if isinstance(frame, nw.LazyFrame):
            frame = frame.collect()
        series = [frame.get_column(name) for name in frame.columns]
        names = [str(name) for name in frame.columns]
    except TypeError:
        raise DataError(
            f"A table is a path, a data frame or a dict of columns, not a value of type {type(source).__name__}."
        ) from None
    except nw.exceptions.NarwhalsError as error:
        raise DataError(f"The data frame cannot be used: {' '.join(str(error).split())}") from None
    _refuse_duplicates(names)
    return {name: _from_series(nw, name, one) for name, one in zip(names, series, strict=True)}


def _from_series(nw: ModuleType, name: str, series: Any) -> NDArray[Any]:
    if series.dtype.is_numeric() or series.dtype == nw.Boolean:
        missing = series.is_null().to_numpy().astype(bool)  # (B,)
        filled = series.fill_null(False if series.dtype == nw.Boolean else 0) if missing.any() else series
        return np.where(missing, np.nan, filled.to_numpy().astype(np.float64))
    column = _from_values(name, series.to_list())
    return as_text(column) if series.dtype in (nw.Categorical, nw.Enum) else column


def _is_missing(value: Any) -> bool:
    if value is None or isinstance(value, float | np.floating):
        return value is None or bool(np.isnan(value))
    return (isinstance(value, str) and not value.strip()) or type(value).__name__ in ("NAType", "NaTType")


def _naive(value: Any) -> Any:
    """A date, or a time without its zone."""
    return value.replace(tzinfo=None) if isinstance(value, datetime.datetime) else value


def _from_values(name: str, values: Any) -> NDArray[Any]:
    """A column from the values of a dict or of a data frame, whose types say what they are."""
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise DataError(f"The column {name!r} has shape {values.shape}; pass one value for each row, (B,).")
    if isinstance(values, str | bytes | Mapping) or not (hasattr(values, "__len__") and hasattr(values, "__getitem__")):
        raise DataError(f"The column {name!r} is of type {type(values).__name__}; pass a list or an array of values.")
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf" and not isinstance(values, np.ma.MaskedArray):
        return values.astype(np.float64)
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return values.astype("datetime64[s]")
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    present = [value for value in listed if not _is_missing(value)]
    if all(isinstance(value, int | float | np.number | np.bool_) for value in present):
        try:
            return np.array([np.nan if _is_missing(value) else float(value) for value in listed], dtype=np.float64)
        except OverflowError:
            raise DataError(f"The column {name!r} holds a whole number too large for float64.") from None
    if all(isinstance(value, str) for value in present):
        return _objects([None if _is_missing(value) else str(value).strip() for value in listed])
    if present and all(isinstance(value, datetime.date) for value in present):
        return np.array([None if _is_missing(value) else _naive(value) for value in listed], dtype="datetime64[s]")
    if present and all(isinstance(value, datetime.timedelta | np.timedelta64) for value in present):
        return np.array([None if _is_missing(value) else value for value in listed], "timedelta64[us]") / _HOUR
    kinds = " and ".join(sorted({type(value).__name__ for value in present}))
    raise DataError(f"The column {name!r} holds {kinds} values; make them all numbers, all dates or all text.")
