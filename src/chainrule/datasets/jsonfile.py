"""JSON as a table: one record a line, a list of records, or columns by name; what is nested gets dotted names."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from ..errors import FileFormatError
from .decoding import encoding_of, opened, refusing_damage
from .kinds import ColumnFormat
from .textfile import Origin, read_rows
from .workbook import cell_of

__all__ = ["read_json"]

_NOTHING = "NA"


def read_json(
    path: str, hints: Mapping[str, ColumnFormat], *, encoding: str | None = None, expected: Collection[str] = ()
) -> tuple[dict[str, NDArray[Any]], Origin]:
    """The columns of the records by name; a record without one of them has nothing there.

    Raises `FileFormatError` for JSON that is no table, with the line where it is broken.
    """
    with refusing_damage(path), opened(path, encoding_of(path, encoding)[0]) as file:
        text = file.read()
    flat = [dict(_flat(each)) for each in _records(path, text)]
    names = list(dict.fromkeys(name for record in flat for name in record))
    if not names:
        raise FileFormatError(f"{path} is JSON without records that have names; save the table in it as CSV.")

    def rows() -> Iterator[tuple[int, list[str]]]:
        yield 0, names
        for number, record in enumerate(flat, start=1):
            yield number, [record.get(name, _NOTHING) for name in names]

    return read_rows(path, rows, hints, header=True, expected=expected, unit="record")


def _records(path: str, text: str) -> Sequence[Mapping[str, Any]]:
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        whole = _lines(path, text)
    if isinstance(whole, dict) and {"columns", "data"} <= whole.keys() <= {"columns", "data", "index"}:
        names, rows = whole["columns"], whole["data"]  # as pandas splits a frame
        if isinstance(rows, list) and all(isinstance(row, list) and len(row) == len(names) for row in rows):
            return [dict(zip(map(str, names), row, strict=True)) for row in rows]
    if isinstance(whole, dict):
        columns = [value for value in whole.values() if isinstance(value, list)]
        if len(columns) == 1 and columns[0] and all(isinstance(each, dict) for each in columns[0]):
            whole = columns[0]  # {"data": [...]}
        elif columns and len(columns) == len(whole) and len({*map(len, columns)}) == 1:
            whole = [dict(zip(whole, row, strict=True)) for row in zip(*columns, strict=True)]
        else:
            whole = [whole]
    if not isinstance(whole, list) or not all(isinstance(each, dict) for each in whole):
        raise FileFormatError(f"{path} is JSON, but no list of records such as {{...}}; save the table in it as CSV.")
    return whole


def _lines(path: str, text: str) -> list[Any]:
    records = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            records += [json.loads(line)] if line.strip() else []
        except json.JSONDecodeError as error:
            raise FileFormatError(f"{path}, line {number}: not JSON ({error.msg}, column {error.colno}).") from None
    return records


def _flat(record: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Names and texts of a record, what is inside another with its name before a dot."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, list):
            yield before + name, json.dumps(value, ensure_ascii=False)
        else:
            known = _NOTHING if value is None else cell_of(value)
            yield before + name, known.lower() if isinstance(value, bool) else known
