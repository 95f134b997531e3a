"""Files: how they are written, and named arrays in one safetensors file, checked on reading. Loading runs no code.

The metadata hold one entry, a JSON object, so that equal content gives equal files (the format writes several entries
in no fixed order); in it stands a SHA-256 of every name, dtype, shape and byte, because the format has no checksum.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import ChainruleError, ConfigurationError, FileFormatError
from .jsontext import parse_json, to_json
from .limits import HEADER_BYTES
from .paths import a_folder, no_such_file

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_arrays", "refusing", "save_arrays", "save_figure", "write_atomically"]

_ENTRY, _CHECKSUM = "chainrule", "sha256"
_PARTIAL, _HOUR = ".chainrule-partial-", 3600
_STREAMS = {"/dev/stdout": "1", "/dev/stderr": "2"}

# Named arrays


def save_arrays(path: str | Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write the arrays, in C order and native byte order, and the metadata (text by name), whole or not at all.

    Raises `ConfigurationError` where names and metadata are larger than the header of such a file may be.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save

    # safetensors writes the memory of a Fortran-ordered or strided array as if it were in C order.
    plain = {
        name: np.ascontiguousarray(array, dtype=np.asarray(array).dtype.newbyteorder("=")).reshape(np.shape(array))
        for name, array in arrays.items()
    }
    described = to_json({**metadata, _CHECKSUM: _checksum(plain, metadata)}, sort_keys=True)
    try:
        content = save(plain, metadata={_ENTRY: described})
        header = int.from_bytes(content[:8], "little")
        problem = f"a header of {header:,} bytes" if header > HEADER_BYTES else ""  # older releases write it
    except SafetensorError as error:
        problem = str(error)
    if problem:
        raise ConfigurationError(
            f"{path} cannot be written ({problem}): its description and history may take {HEADER_BYTES:,} bytes; "
            "record fewer epochs."
        )
    write_atomically(path, content)


def load_arrays(path: str | Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays and the metadata of a file that `save_arrays` wrote.

    Raises `FileFormatError` where the file is truncated, altered, has a name twice, or is of another kind.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    content = _content(path)
    entry = _header(path, content).get("__metadata__", {}).get(_ENTRY)
    if entry is None:
        raise FileFormatError(f"{path} was not written by chainrule: its metadata have no entry {_ENTRY!r}.")
    try:
        arrays = load(content)
        metadata = dict(parse_json(entry))
        expected = metadata.pop(_CHECKSUM)
        agrees = _checksum(arrays, metadata) == expected
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FileFormatError(f"{path} is damaged: {error}.") from None
    if not agrees:
        raise FileFormatError(f"{path} was altered after it was written: its {_CHECKSUM} does not agree.")
    return arrays, metadata


def _content(path: str | Path) -> bytes:
    _require_name(path)
    try:
        if stat.S_ISCHR(os.stat(path).st_mode) or stat.S_ISBLK(os.stat(path).st_mode):
            raise FileFormatError(f"{path} is a device, not a file.")
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise no_such_file(path) from None
    except IsADirectoryError:
        raise a_folder(path, ".safetensors") from None
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from None


def _require_name(path: object) -> None:
    if not isinstance(path, str | os.PathLike):
        raise ConfigurationError(f"The name of a file must be text or a Path, not {path!r}.")


def _header(path: str | Path, content: bytes) -> dict[str, Any]:
    """The header of a safetensors file, in which no name may stand twice."""
    size = int.from_bytes(content[:8], "little")
    try:
        if len(content) < 8 or size > len(content) - 8:
            raise ValueError("it is truncated, or another kind of file")
        if size > HEADER_BYTES:
            raise ValueError(f"its header has {size:,} bytes, at most {HEADER_BYTES:,} are read")
        header = parse_json(content[8 : 8 + size].decode())
        if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
            raise ValueError("its header is not an object")
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path} is not a readable safetensors file: {str(error).rstrip('.')}.") from None
    return header


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


@contextlib.contextmanager
def refusing(path: str | Path, what: str = "a model") -> Iterator[None]:
    """Turn any error inside into the `FileFormatError` of a file that does not describe `what`, with the reason."""
    try:
        yield
    except (
        ChainruleError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        reason = f"{error.args[0]!r} is missing" if type(error) is KeyError else str(error).rstrip(".")
        raise FileFormatError(f"{path} does not describe {what}: {reason}.") from None


# Writing


def write_atomically(path: str | Path, content: bytes) -> None:
    """Replace the file at `path` by `content` in one step: a stop at any moment leaves the old file or the new one.

    A file that is there keeps its permissions, a link stays a link; what a killed process left half-written in the
    folder an hour ago or earlier is removed. What is no regular file is never replaced: a pipe with a reader and a
    character device such as /dev/null or /dev/stdout receive the content, anything else is refused. Raises `OSError`
    with the path that was asked for, also for a loop of links, `ConfigurationError` for what names no file.
    """
    _require_name(path)
    try:
        mode = _mode(path)
        if mode is not None and not stat.S_ISREG(mode):
            _write_into(path, mode, content)
        elif _descriptor(path) is not None:  # a standard stream that the shell sends to a file
            _write_into(path, stat.S_IFCHR, content)
        else:
            _replace(os.path.realpath(path), mode, content)
    except OSError as error:  # a second path, that of the passing file, is no matter of the reader's
        raise type(error)(error.errno, error.strerror or str(error), str(path)) from error.__cause__


def save_figure(path: str | Path, figure: Any) -> None:
    """Write a figure of matplotlib as a PNG, whole or not at all."""
    import io

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_atomically(path, buffer.getvalue())


def _mode(path: str | Path) -> int | None:
    """What stands at a path, links followed; None where nothing does. Raises `OSError` for a loop of links."""
    if not str(path):
        raise IsADirectoryError(errno.EISDIR, "this is a folder, not a file to write")
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _write_into(path: str | Path, mode: int, content: bytes) -> None:
    """Write to a pipe or a character device, as a redirection of the shell does."""
    import sys

    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "this is a folder, not a file to write")
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        raise OSError(errno.EINVAL, "this is neither a file nor a pipe nor a character device to write to")
    own = _descriptor(path)
    if own is not None:
        sys.stdout.flush()
        handle = os.dup(own)
    else:
        try:
            handle = os.open(path, os.O_WRONLY | (os.O_NONBLOCK if stat.S_ISFIFO(mode) else 0))
        except OSError as error:
            if error.errno == errno.ENXIO:
                error.strerror = "nothing reads from this pipe"
            raise
        os.set_blocking(handle, True)
    with open(handle, "wb", buffering=0) as file:
        left = memoryview(content)
        while left:
            left = left[file.write(left) :]


def _descriptor(path: str | Path) -> int | None:
    """The number of the open file that a path such as /dev/stdout or /dev/fd/63 stands for."""
    number = _STREAMS.get(str(path), str(path).removeprefix("/dev/fd/"))
    return int(number) if number.isdecimal() and str(path).startswith("/dev/") else None


def _replace(target: str, mode: int | None, content: bytes) -> None:
    import tempfile

    folder, temporary = os.path.dirname(target), None
    try:
        _remove_leftovers(folder)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=_PARTIAL)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask() if mode is None else mode & 0o7777)
        os.replace(temporary, target)
    except BaseException:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
        raise
    if os.name == "posix":
        with contextlib.suppress(OSError):  # a folder that may be written to but not read
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _remove_leftovers(folder: str) -> None:
    import time
    from pathlib import Path

    for leftover in Path(folder).glob(f"{_PARTIAL}*"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _HOUR:
                leftover.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
