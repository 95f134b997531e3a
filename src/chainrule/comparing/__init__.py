"""A program of the book's kind beside the library: the first number in which they differ, and the likely cause."""

from .comparison import Compared, compare

__all__ = ["Compared", "compare"]
