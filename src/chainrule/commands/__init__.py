"""What the shell's commands do."""

from .bench import bench
from .info import info, list_datasets
from .predict import predict
from .train import Settings, train

__all__ = ["Settings", "bench", "info", "list_datasets", "predict", "train"]
