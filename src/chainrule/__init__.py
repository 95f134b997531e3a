"""Neural networks in which backpropagation is written out: read it, check it, explain it, train with it.

A layer is a pair of pure functions, `pure_forward` and `pure_backward`, side by side, each of which names what it
reads. Everything else is built on that pair.
"""

import typing

from . import datasets
from .backprop import Trace, loss_and_gradients, per_sample_gradients, trace, train_step
from .checking import Report, check
from .errors import ChainruleError, GradientMismatch
from .graph import Graph, Sequential
from .initializers import Constant, Glorot, He, LeCun, Normal, Zeros
from .layer import Declared, Layer
from .layers import (
    ELU,
    GELU,
    Add,
    BatchNorm,
    Concatenate,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    Multiply,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
    softmax_jacobian,
)
from .losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Huber,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    SigmoidCrossentropy,
    SoftmaxCrossentropy,
)
from .model import Model
from .optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from .penalties import L1, L2, Penalty
from .registry import register
from .schedules import ConstantRate, CosineDecay, ExponentialDecay, InverseTimeDecay, OneCycle, StepDecay
from .training.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LearningRateFinder,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TensorBoard,
    TerminateOnNaN,
)
from .training.history import History
from .value import Value

if typing.TYPE_CHECKING:
    from .explaining import Explanation, Rule, draw, explain, explain_rule

__version__ = "0.1.0"

__all__ = [
    "ELU",
    "GELU",
    "L1",
    "L2",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Add",
    "BatchNorm",
    "BinaryCrossentropy",
    "CSVLogger",
    "Callback",
    "CategoricalCrossentropy",
    "ChainruleError",
    "Concatenate",
    "Constant",
    "ConstantRate",
    "CosineDecay",
    "Declared",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "Explanation",
    "ExponentialDecay",
    "Flatten",
    "Glorot",
    "GradientMismatch",
    "Graph",
    "He",
    "History",
    "Huber",
    "InverseTimeDecay",
    "Layer",
    "LayerNorm",
    "LeCun",
    "LeakyReLU",
    "LearningRateFinder",
    "Linear",
    "LogSoftmax",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Model",
    "ModelCheckpoint",
    "Multiply",
    "Normal",
    "OneCycle",
    "Optimizer",
    "Penalty",
    "RMSprop",
    "ReLU",
    "ReduceLROnPlateau",
    "Report",
    "Rule",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SigmoidCrossentropy",
    "Softmax",
    "SoftmaxCrossentropy",
    "Softplus",
    "StepDecay",
    "Tanh",
    "TensorBoard",
    "TerminateOnNaN",
    "Trace",
    "Value",
    "Zeros",
    "__version__",
    "check",
    "datasets",
    "draw",
    "explain",
    "explain_rule",
    "loss_and_gradients",
    "per_sample_gradients",
    "register",
    "softmax_jacobian",
    "trace",
    "train_step",
]

_EXPLAINING = ("Explanation", "Rule", "draw", "explain", "explain_rule")  # imported at their first use


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> typing.Any:
    if name in _EXPLAINING:
        from . import explaining

        return getattr(explaining, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
