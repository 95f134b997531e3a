"""The JSON of a preprocessing, read strictly: exactly these keys, these types, nothing executed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from .columns import Categorical, Numeric
from .target import Target

if TYPE_CHECKING:
    from .preprocessing import Preprocessing

__all__ = ["preprocessing_from"]


def preprocessing_from(text: str, expected: str) -> Preprocessing:
    """The preprocessing that `text` describes. Raises `ValueError` or `TypeError` where it describes none."""
    from .preprocessing import Preprocessing

    read = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_refuse)
    if isinstance(read, dict) and read.get("format") != expected:
        raise ValueError(f"its format is {read.get('format')!r}, expected {expected!r}.")
    top = _fields(read, "the whole", {"format": str, "columns": list, "outcome": dict, "missing": str, "ignored": list})
    outcome = _fields(
        top["outcome"], "outcome", {"name": str, "task": str, "class_names": list, "center": float, "scale": float}
    )
    outcome["class_names"] = tuple(outcome["class_names"])
    columns = tuple(_column(column) for column in top["columns"])
    return Preprocessing(columns, Target(**outcome), top["missing"], tuple(top["ignored"]))


def _column(read: Any) -> Numeric | Categorical:
    fill = read.get("fill") if isinstance(read, dict) else None
    if isinstance(read, dict) and "categories" in read:
        kinds: dict[str, Any] = {"name": str, "categories": list, "fill": type(None) if fill is None else str}
        fields = _fields(read, "a column", kinds)
        return Categorical(fields["name"], tuple(fields["categories"]), fields["fill"])
    kinds = {"name": str, "center": float, "scale": float, "fill": type(None) if fill is None else float}
    return Numeric(**_fields(read, "a column", kinds))


def _fields(read: Any, what: str, kinds: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(read, dict) or read.keys() != kinds.keys():
        found = sorted(read) if isinstance(read, dict) else type(read).__name__
        raise ValueError(f"{what} must have the keys {sorted(kinds)}, not {found}.")
    for key, kind in kinds.items():
        if type(read[key]) is not kind:
            raise ValueError(f"{what}: {key!r} must be of type {kind.__name__}, not {read[key]!r}.")
    return dict(read)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("a key stands twice in one object.")
    return read


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON.")
