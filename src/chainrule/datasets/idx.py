"""IDX files, the format of MNIST and Fashion-MNIST."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, FileFormatError
from ..paths import no_such_file
from .dataset import Dataset

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FASHION", "fashion_mnist", "read_idx"]

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_DEBIAN = "/usr/share/datasets/fashion-mnist"

FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def read_idx(path: str | Path) -> NDArray[Any]:
    """The array in an IDX file, plain or compressed with gzip, in the machine's byte order.

    The file holds two zero bytes, a code of the dtype, the number of dimensions, each dimension as four bytes, most
    significant first, and then the numbers.

    Raises `FileFormatError` for a file that is missing, damaged, of another kind, too short or too long.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "labels-idx1-ubyte"
    ...     _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    ...     read_idx(file)
    array([7, 2, 1], dtype=uint8)

    Source: Y. LeCun, C. Cortes and C. Burges (1998), the MNIST database.
    """
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _DTYPES:
        raise FileFormatError(f"{path} is not an IDX file: it begins with {content[:4].hex(' ') or 'nothing'}.")
    start = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4))
    dtype = np.dtype(_DTYPES[content[2]])
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise FileFormatError(f"{path} has {len(content)} bytes, its header {shape} asks for {expected}.")
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def fashion_mnist(folder: str | Path | None = None) -> Dataset:
    """Fashion-MNIST: 60,000 grey pictures of clothes to train on and 10,000 held out, 28×28 pixels from 0 to 1.

    `folder` holds the four IDX files, plain or as .gz; without it they are those of the Debian package
    `dataset-fashion-mnist`. X is float32 (B, 784), y int64 (B,).

    Raises `DataError` where they are not there, with both ways to them, or do not fit together, and
    `FileFormatError` where a file is not what it should be.

    Source: H. Xiao, K. Rasul and R. Vollgraf (2017), arXiv:1708.07747.
    """
    place = _DEBIAN if folder is None else str(folder)
    X_train, y_train = _pair(place, "train")
    X_test, y_test = _pair(place, "t10k")
    rows, columns = X_train.shape[1:]
    if X_test.shape[1:] != (rows, columns):
        raise DataError(
            f"{place}: pictures to train on have shape {(rows, columns)}, held-out ones {X_test.shape[1:]}."
        )
    return Dataset(
        "fashion-mnist",
        _scaled(X_train),
        y_train.astype(np.int64),
        _scaled(X_test),
        y_test.astype(np.int64),
        tuple(f"pixel_{row}_{column}" for row in range(rows) for column in range(columns)),
        FASHION,
        title=f"Fashion-MNIST: pictures of clothes, {rows}×{columns} grey pixels from 0 to 1",
        source="H. Xiao, K. Rasul and R. Vollgraf (2017), arXiv:1708.07747; Zalando SE",
        licence="MIT",
    )


def _content(path: str | Path) -> bytes:
    import gzip
    import zlib

    try:
        with open(path, "rb") as file:
            content = file.read()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except FileNotFoundError:
        raise no_such_file(path) from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise FileFormatError(f"{path}: the compressed file is damaged or cut short.") from None
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from None


def _pair(folder: str, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pictures (B, rows, columns) and labels (B,) of one part."""
    images, labels = read_idx(_find(folder, f"{part}-images", 3)), read_idx(_find(folder, f"{part}-labels", 1))
    if images.dtype != np.uint8 or images.ndim != 3 or not images.size:
        raise DataError(
            f"{folder}: {part}-images holds {images.dtype} {images.shape}, expected uint8 (B, rows, columns)."
        )
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        raise DataError(f"{folder}: {part} has labels of shape {labels.shape} for {len(images)} pictures.")
    if labels.max() >= len(FASHION):
        raise DataError(f"{folder}: {part}-labels holds {labels.max()}; the classes are 0 to {len(FASHION) - 1}.")
    return images, labels


def _find(folder: str, stem: str, dimensions: int) -> Path:
    from pathlib import Path

    for joint in "-.":
        for ending in ("", ".gz"):
            path = Path(folder) / f"{stem}{joint}idx{dimensions}-ubyte{ending}"
            if path.is_file():
                return path
    raise DataError(
        f"{folder} has no file {stem}-idx{dimensions}-ubyte or {stem}-idx{dimensions}-ubyte.gz; name the folder with "
        'the four IDX files, fashion_mnist("folder"), or run: apt-get install dataset-fashion-mnist'
    )


def _scaled(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)  # (B,H,W) -> (B,H·W)
