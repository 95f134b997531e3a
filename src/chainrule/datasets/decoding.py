"""A file as text: compression, byte order marks, UTF-8 and UTF-16, and the encodings of spreadsheets."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TextIO, cast

from ..errors import ConfigurationError, FileFormatError
from .letters import by_letters

__all__ = ["encoding_of", "is_workbook", "opened", "refusing_damage", "start_of"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEEN = 2**22  # bytes from which the encoding is told
_BLOCK = 2**20
_LIBSVM = re.compile(rb"[-+]?\d+(\.\d+)?(\s+\d+:[-+.e\d]+)+\s*?(\n|$)")
_TIME = re.compile(rb"(?:[01]?\d|2[0-3]):[0-5]\d")
_CONTROLS = re.compile(rb"[\0-\x08\x0e-\x1a]")


@contextmanager
def refusing_damage(path: str) -> Iterator[None]:
    """What goes wrong in reading, as a `FileFormatError` that names the file."""
    import gzip
    import lzma
    import zipfile
    import zlib

    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, lzma.LZMAError):
        raise FileFormatError(f"{path}: the compressed file is damaged or cut short.") from None
    except UnicodeDecodeError as error:
        known = "" if error.encoding == "charmap" else f" is not {error.encoding}, and"
        raise FileFormatError(
            f"{path}:{known} its letters do not tell the encoding; name it, such as encoding='cp1250'."
        ) from None
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror or error}.") from None


def opened(path: str, encoding: str) -> TextIO:
    """The file as text, unpacked, with the ends of its lines as they are."""
    return io.TextIOWrapper(_unpacked(path), encoding=encoding, newline="")


def encoding_of(path: str, given: str | None = None) -> tuple[str, bool]:
    """The encoding of a file, and whether it was guessed from its letters. Raises `ConfigurationError` for no codec."""
    if given is not None:
        try:
            return codecs.lookup(given).name, False
        except LookupError:
            raise ConfigurationError(
                f"There is no encoding named {given!r}; write utf-8, utf-16, cp1250, cp1252 or another of Python's."
            ) from None
    with _unpacked(path) as file:
        start = file.read(_BLOCK)
        for mark, encoding in _MARKS:
            if start.startswith(mark):
                return encoding, False
        zeros = start[:4096:2].count(0), start[1:4096:2].count(0)  # every other byte of plain letters in UTF-16
        if max(zeros) > len(start[:4096]) / 4 > 8 * min(zeros):
            return ("utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"), False
        if len(_CONTROLS.findall(start[:4096])) > max(8, len(start[:4096]) / 50):
            raise FileFormatError(f"{path} is no text; save the table in it as CSV or .xlsx.")
        decoder, block = codecs.getincrementaldecoder("utf-8")(), start
        try:
            while block:
                decoder.decode(block)
                block = file.read(_BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            file.seek(0)
            return by_letters(file.read(_SEEN)), True
    return "utf-8", False


def start_of(path: str, count: int) -> bytes:
    """The first bytes of the file, unpacked."""
    with _unpacked(path) as file:
        return file.read(count)


def refuse_other_text(path: str) -> None:
    """Raise `FileFormatError` for text that holds a table in another form than rows of cells."""
    start = start_of(path, 4096).lower().strip()
    if re.match(rb"(%.*\n\s*)*@relation\b", start):
        raise FileFormatError(
            f"{path} is an ARFF file, as of Weka; replace its lines up to @data by one with the names of the columns."
        )
    pairs = re.findall(rb"\d+:\S+", start[: start.rfind(b"\n") + 1 or None])
    if _LIBSVM.match(start) and not all(map(_TIME.fullmatch, pairs)):
        raise FileFormatError(
            f"{path} is written as LIBSVM does, index:value; load it with sklearn.datasets.load_svmlight_file and fit "
            "chainrule.sklearn's estimators on it."
        )


def is_workbook(path: str) -> bool:
    """Whether a zip archive is a workbook."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except zipfile.BadZipFile:
        return path.endswith((".xlsx", ".xlsm"))


def _unpacked(path: str) -> BinaryIO:
    import bz2
    import gzip
    import lzma

    with open(path, "rb") as file:
        start = file.read(6)
    if start.startswith(b"PK\x03\x04"):
        return _only_file(path)
    packers = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
    unpack: Any = next((opens for magic, opens in packers.items() if start.startswith(magic)), open)
    return cast(BinaryIO, unpack(path, "rb"))


def _only_file(path: str) -> BinaryIO:
    """The one file in a zip archive, beside what a system adds."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name[-1] != "/" and not name.startswith(("__MACOSX/", "."))]
        if "content.xml" in names:
            raise FileFormatError(f"{path} is a workbook of LibreOffice; save it as .xlsx or CSV.")
        if names and all(name.endswith(".npy") for name in names):
            raise FileFormatError(
                f"{path} holds NumPy arrays; load it with numpy.load and pass the columns as a dict to datasets.read."
            )
        if len(names) != 1:
            listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            raise FileFormatError(f"{path} is an archive of {len(names)} files ({listed}); unpack it, and name one.")
        if archive.getinfo(names[0]).flag_bits & 1:
            raise FileFormatError(f"{path} is locked with a password; unpack it.")
        return cast(BinaryIO, archive.open(names[0]))
