"""Named arrays in one safetensors file, written atomically and checked on reading. Loading runs no code.

The metadata hold one entry, a JSON object, so that equal content gives equal files (the format writes several entries
in no fixed order); in it stands a SHA-256 of every name, dtype, shape and byte, because the format has no checksum.
"""

from __future__ import annotations

import contextlib
import errno
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
_PARTIAL, _HOUR = ".chainrule-partial-", 3600


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

    Raises `FileFormatError` where the file is truncated, altered, has a name twice, or is of another kind.
    """
    import json
    from pathlib import Path

    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileFormatError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from None
    entry = _header(path, content).get("__metadata__", {}).get(_ENTRY)
    if entry is None:
        raise FileFormatError(f"{path} was not written by chainrule: its metadata have no entry {_ENTRY!r}.")
    try:
        arrays = load(content)
        metadata = dict(json.loads(entry))
        expected = metadata.pop(_CHECKSUM)
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FileFormatError(f"{path} is damaged: {error}.") from None
    if _checksum(arrays, metadata) != expected:
        raise FileFormatError(f"{path} was altered after it was written: its {_CHECKSUM} does not agree.")
    return arrays, metadata


def _header(path: str | Path, content: bytes) -> dict[str, Any]:
    """The header of a safetensors file, in which no name may stand twice."""
    import json

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a name stands twice")
        return dict(pairs)

    size = int.from_bytes(content[:8], "little")
    try:
        if len(content) < 8 or size > len(content) - 8:
            raise ValueError("it is truncated, or another kind of file")
        header = json.loads(content[8 : 8 + size], object_pairs_hook=once)
        if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
            raise ValueError("its header is not an object")
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path} is not a readable safetensors file: {error}.") from None
    return header


def write_atomically(path: str | Path, content: bytes) -> None:
    """Replace the file at `path` by `content` in one step: a stop at any moment leaves the old file or the new one.

    A file that is there keeps its permissions, a link stays a link; what a killed process left half-written in the
    folder an hour ago or earlier is removed. Raises `OSError` with the path that was asked for.
    """
    import tempfile
    from pathlib import Path

    target = Path(os.path.realpath(path))
    if not str(path) or target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "this is a folder, not a file to write", str(path))
    temporary = None
    try:
        _remove_leftovers(target.parent)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=_PARTIAL)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None
        raise
    if os.name == "posix":
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _remove_leftovers(folder: Path) -> None:
    import time

    for leftover in folder.glob(f"{_PARTIAL}*"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _HOUR:
                leftover.unlink()


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
