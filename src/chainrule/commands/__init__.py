"""The functions behind the shell's commands."""

from .bench import Asked, bench
from .check import check
from .compare import compare
from .explain import explain
from .export import export
from .info import info, list_datasets
from .play import play
from .predict import predict
from .regime import Regime, listed, yes_or_no
from .train import Settings, train

__all__ = [
    "Asked",
    "Regime",
    "Settings",
    "bench",
    "check",
    "compare",
    "explain",
    "export",
    "info",
    "list_datasets",
    "listed",
    "play",
    "predict",
    "train",
    "yes_or_no",
]
