"""Neural networks in which backpropagation is written out: read it, check it, explain it, train with it.

A layer is a pair of pure functions, `pure_forward` and `pure_backward`, side by side, each of which names what it
reads. Everything else is built on that pair.
"""

import typing

from . import datasets
from . import layers as _layers
from . import losses as _losses
from . import optimizers as _optimizers
from .backprop import loss_and_gradients, train_step
from .checking import Report, check
from .ensemble import Ensemble
from .errors import ChainruleError, GradientMismatch
from .graph import Graph, Sequential
from .initializers import Constant, Glorot, He, LeCun, Normal, Zeros
from .layer import Declared, Layer
from .layers import *
from .loss import Loss
from .losses import *
from .model import Model
from .optimizers import *
from .penalties import L1, L2, Penalty
from .registry import register
from .schedules import ConstantRate, CosineDecay, ExponentialDecay, InverseTimeDecay, OneCycle, PowerDecay, StepDecay
from .traces import Trace, per_sample_gradients, trace
from .training.callback import Callback
from .training.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau, TerminateOnNaN
from .training.history import History
from .training.loggers import CSVLogger, MLflow, TensorBoard
from .training.ratefinder import LearningRateFinder
from .training.settling import Settling
from .training.weighthistory import WeightHistory
from .value import Value

if typing.TYPE_CHECKING:
    from .explaining import Explanation, Rule, draw, explain, explain_neuron, explain_prediction, explain_rule

__version__ = "0.1.0"

__all__ = [
    "L1",
    "L2",
    "CSVLogger",
    "Callback",
    "ChainruleError",
    "Constant",
    "ConstantRate",
    "CosineDecay",
    "Declared",
    "EarlyStopping",
    "Ensemble",
    "Explanation",
    "ExponentialDecay",
    "Glorot",
    "GradientMismatch",
    "Graph",
    "He",
    "History",
    "InverseTimeDecay",
    "Layer",
    "LeCun",
    "LearningRateFinder",
    "Loss",
    "MLflow",
    "Model",
    "ModelCheckpoint",
    "Normal",
    "OneCycle",
    "Penalty",
    "PowerDecay",
    "ReduceLROnPlateau",
    "Report",
    "Rule",
    "Sequential",
    "Settling",
    "StepDecay",
    "TensorBoard",
    "TerminateOnNaN",
    "Trace",
    "Value",
    "WeightHistory",
    "Zeros",
    "__version__",
    "check",
    "datasets",
    "draw",
    "explain",
    "explain_neuron",
    "explain_prediction",
    "explain_rule",
    "loss_and_gradients",
    "per_sample_gradients",
    "register",
    "trace",
    "train_step",
]
__all__ += _layers.__all__
__all__ += _losses.__all__
__all__ += _optimizers.__all__
__all__.sort(key=lambda name: (not name.isupper(), not name[0].isupper(), name))  # constants, classes, functions

_EXPLAINING = (
    "Explanation",
    "Rule",
    "draw",
    "explain",
    "explain_neuron",
    "explain_prediction",
    "explain_rule",
)  # imported at their first use


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> typing.Any:
    if name in _EXPLAINING:
        from . import explaining

        return getattr(explaining, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
