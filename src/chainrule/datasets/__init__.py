"""Data to train on: points that are made, real sets inside the package, Fashion-MNIST, and tables of one's own."""

from .dataset import Dataset, Description
from .generators import blobs, circles, moons, sine, spiral, vertical, xor
from .idx import fashion_mnist, read_idx
from .preprocessing import Preprocessing
from .reading import read
from .shipped import SHIPPED, load
from .sources import NAMES, resolve
from .starting import STARTS, Start, start_for
from .streaming import Stream, stream
from .tables import Table, read_table

__all__ = [
    "NAMES",
    "SHIPPED",
    "STARTS",
    "Dataset",
    "Description",
    "Preprocessing",
    "Start",
    "Stream",
    "Table",
    "blobs",
    "circles",
    "fashion_mnist",
    "load",
    "moons",
    "read",
    "read_idx",
    "read_table",
    "resolve",
    "sine",
    "spiral",
    "start_for",
    "stream",
    "vertical",
    "xor",
]
