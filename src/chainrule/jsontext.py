"""JSON as this library writes and reads it: strictly, and in Unicode."""

from __future__ import annotations

from typing import Any, NoReturn

from .errors import ConfigurationError

__all__ = ["parse_json", "to_json"]


def to_json(data: Any, **options: Any) -> str:
    """Plain data as JSON; floats come back bit for bit. Raises `ConfigurationError` for text that is not Unicode."""
    import json

    text = json.dumps(data, ensure_ascii=False, **options)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"Text that is not Unicode cannot be written: {text[error.start]!r}.") from None
    return text


def parse_json(text: str, *, finite: bool = False) -> Any:
    """The plain data of a JSON text; with `finite` NaN and infinities are refused.

    Raises `ValueError` for any other text, for a key that stands twice in one object, and for what is not Unicode.

    >>> parse_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
        ...
    ValueError: a key stands twice in one object.
    """
    import json

    data = json.loads(text, object_pairs_hook=_once, parse_constant=_not_a_number if finite else float)
    if "\\u" in text:
        json.dumps(data, ensure_ascii=False).encode()  # half of a character raises a ValueError
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("a key stands twice in one object.")
    return read


def _not_a_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON.")
