"""Files that the book's own code wrote with pickle: parameters are read, without running anything; models are refused.

Unpickling calls what the file names. Here nothing can be called but four stand-ins, from which arrays are put together
out of their bytes; any other name in the file ends the reading.
"""

from __future__ import annotations

import io
import math
import pickle
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError

__all__ = ["described", "is_pickle", "read_pickled", "refuse_model"]

_KINDS = "fiub"  # numbers and booleans


class _Type:
    """A dtype of numbers, from the text that names it and the state that says its byte order."""

    def __init__(self, text: Any, *_: Any) -> None:
        self.text, self.big = text, False

    def __setstate__(self, state: Any) -> None:
        self.big = state[1] == ">"

    def dtype(self) -> np.dtype[Any]:
        found = np.dtype(self.text) if isinstance(self.text, str) else np.dtype(object)
        if found.kind not in _KINDS:
            raise FileFormatError(f"an array of {self.text!r}, which are no numbers")
        return found.newbyteorder(">") if self.big else found


class _Array:
    """An array, from its shape, type and bytes."""

    parts: tuple[Any, ...] = ()

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, content = state
        self.parts = content, kind, shape, "F" if fortran else "C"

    def array(self) -> NDArray[Any]:
        content, kind, shape, order = self.parts
        dtype = kind.dtype()
        if not isinstance(content, bytes | bytearray) or len(content) != math.prod(shape) * dtype.itemsize:
            raise FileFormatError("an array whose bytes do not fill its shape")
        native = np.frombuffer(content, dtype).reshape(shape, order=order)
        return native.astype(dtype.newbyteorder("="), order="C")


def _empty(*_: Any) -> _Array:
    return _Array()


def _filled(content: Any, kind: Any, shape: Any, order: Any) -> _Array:
    made = _Array()
    made.parts = content, kind, shape, order
    return made


def _encoded(text: str, encoding: str) -> bytes:
    return text.encode("latin-1" if encoding == "latin1" else "ascii")


def _numpy(name: str) -> set[tuple[str, str]]:
    return {(f"numpy.{core}.{name.rpartition('.')[0]}", name.rpartition(".")[2]) for core in ("core", "_core")}


_ADMITTED: dict[tuple[str, str], Any] = {
    **dict.fromkeys(_numpy("multiarray._reconstruct"), _empty),
    **dict.fromkeys(_numpy("numeric._frombuffer"), _filled),
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encoded,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise FileFormatError(f"{module}.{name}")
        found = _ADMITTED[module, name]
        return found if isinstance(found, type) else partial(found)  # a file can hang nothing on the functions


def is_pickle(path: str | Path) -> bool:
    """Whether a file looks like a pickle; a safetensors file begins its header at byte 8.

    >>> is_pickle("no such file")
    False
    """
    try:
        with open(path, "rb") as file:
            start = file.read(9)
    except OSError:
        return False
    return start[:1] == b"\x80" and start[8:9] != b"{"


def read_pickled(path: str | Path) -> Any:
    """The arrays in a pickle, in the lists and tuples in which they lie. Raises `FileFormatError` for anything else."""
    try:
        content = _Unpickler(io.BytesIO(Path(path).read_bytes())).load()
        return _resolved(content)
    except FileFormatError as error:
        raise FileFormatError(
            f"{path} is a pickle that holds {error}. Read are pickled arrays, tuples and lists alone, because a pickle "
            f"can run code. {_WAY_OUT}"
        ) from None
    except Exception as error:  # whatever a damaged file leads to
        raise FileFormatError(f"{path} is a damaged pickle: {error}.") from None


def refuse_model(path: str | Path) -> NoReturn:
    """Raise the `FileFormatError` that says why a pickled model is not read, and what to do."""
    raise FileFormatError(
        f"{path} is a whole model that pickle wrote. Reading it would run any code that stands in it. {_WAY_OUT}"
    )


def described(content: Any) -> str:
    """What a pickle held, in words."""
    if isinstance(content, list | tuple):
        return f"{len(content)} entries, {', '.join(map(_short, content))}"
    return _short(content)


_WAY_OUT = (
    "In the program that wrote it, call model.save_parameters(path); here build the same layers, finalize(), and "
    "model.load_parameters(path)."
)


def _short(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_short, value))})"
    return type(value).__name__ if shape is None else f"an array {shape}"


def _resolved(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.array()
    if isinstance(value, list | tuple):
        return type(value)(_resolved(each) for each in value)
    raise FileFormatError(f"a {type(value).__name__}")
