"""What the shell's commands do."""

from .check import check
from .info import info, list_datasets
from .predict import predict
from .train import Settings, train

__all__ = ["Settings", "check", "info", "list_datasets", "predict", "train"]
