"""The layers: each a pair of pure functions. A newcomer adds a layer here and a row to the table in the tests."""

from .activations import ELU, GELU, LeakyReLU, Linear, ReLU, Sigmoid, SiLU, Softplus, Tanh
from .dense import Dense
from .dropout import Dropout
from .joins import Add, Concatenate, Multiply
from .normalization import BatchNorm, LayerNorm
from .reshaping import Flatten
from .softmax import LogSoftmax, Softmax, softmax_jacobian, softmax_jacobian_terms

__all__ = [
    "ELU",
    "GELU",
    "Add",
    "BatchNorm",
    "Concatenate",
    "Dense",
    "Dropout",
    "Flatten",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "Multiply",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "softmax_jacobian",
    "softmax_jacobian_terms",
]
