"""Named arrays in one safetensors file, written atomically and checked on reading. Loading runs no code.

The metadata hold one entry, a JSON object, so that equal content gives equal files (the format writes several entries
in no fixed order); in it stands a SHA-256 of every name, dtype, shape and byte, because the format has no checksum.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import FileFormatError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_arrays", "save_arrays", "write_atomically"]

_ENTRY, _CHECKSUM = "chainrule", "sha256"


def save_arrays(path: str | Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write the arrays, in C order and native byte order, and the metadata (text by name).

    The file is whole or not there: it is written beside its place and moved there in one step.
    """
    import json

    from safetensors.numpy import save

    # safetensors writes the memory of a Fortran-ordered or strided array as if it were in C order.
    plain = {
        name: np.ascontiguousarray(array, dtype=np.asarray(array).dtype.newbyteorder("=")).reshape(np.shape(array))
        for name, array in arrays.items()
    }
    described = {**metadata, _CHECKSUM: _checksum(plain, metadata)}
    write_atomically(path, save(plain, metadata={_ENTRY: json.dumps(described, sort_keys=True)}))


def load_arrays(path: str | Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays and the metadata of a file that `save_arrays` wrote.

    Raises `FileFormatError` where the file is truncated, altered or of another kind.
    """
    import json

    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            entry = (file.metadata() or {}).get(_ENTRY)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise FileFormatError(f"{path}: there is no such file.") from None
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise FileFormatError(f"{path} is not a readable safetensors file: {error}.") from None
    if entry is None:
        raise FileFormatError(f"{path} was not written by chainrule: its metadata have no entry {_ENTRY!r}.")
    try:
        metadata = dict(json.loads(entry))
        expected = metadata.pop(_CHECKSUM)
    except (ValueError, TypeError, KeyError):
        raise FileFormatError(f"{path}: its metadata are not those of a chainrule file.") from None
    if _checksum(arrays, metadata) != expected:
        raise FileFormatError(f"{path} was altered after it was written: its {_CHECKSUM} does not agree.")
    return arrays, metadata


def write_atomically(path: str | Path, content: bytes) -> None:
    """Replace the file at `path` by `content` in one step: a stop at any moment leaves the old file or the new one."""
    import tempfile
    from pathlib import Path

    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if os.name == "posix":
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _checksum(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> str:
    import hashlib

    digest = hashlib.sha256()
    for name in sorted(metadata):
        digest.update(repr((name, metadata[name])).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(repr((name, array.dtype.str, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
