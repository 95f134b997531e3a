"""The functions behind the shell's commands."""

from .bench import Asked, bench
from .check import check
from .compare import compare
from .evaluate import evaluate
from .exercise import grade as grade_exercise
from .exercise import list_exercises
from .exercise import start as start_exercise
from .exercise import worksheet as write_worksheet
from .explain import explain
from .export import export
from .info import info, list_datasets
from .play import play
from .predict import predict
from .regime import Regime, listed, yes_or_no
from .settings import Settings
from .train import train

__all__ = [
    "Asked",
    "Regime",
    "Settings",
    "bench",
    "check",
    "compare",
    "evaluate",
    "explain",
    "export",
    "grade_exercise",
    "info",
    "list_datasets",
    "list_exercises",
    "listed",
    "play",
    "predict",
    "start_exercise",
    "train",
    "write_worksheet",
    "yes_or_no",
]
