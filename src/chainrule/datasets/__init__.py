"""Data to train on: small real sets that the package ships."""

from .shipped import SHIPPED, Dataset, load

__all__ = ["SHIPPED", "Dataset", "load"]
