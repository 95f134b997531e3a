"""The book's names, data and arithmetic, as a thin layer over the rest of the library.

A program of *Neural Networks from Scratch in Python* (Kinsley and Kukieła 2020) runs, and prints what the book's code
prints, after its class definitions and the import of its helper package are replaced by `from chainrule.book import *`:

>>> from chainrule.book import *
>>> nnfs.init()
>>> X, y = spiral_data(samples=100, classes=3)
>>> dense1 = Layer_Dense(2, 3)
>>> _ = dense1.forward(X)
>>> dense1.output[1]
array([-1.0475188e-04,  1.1395361e-04, -4.7983500e-05], dtype=float32)

`init()` does for this module what the helper package does to NumPy as a whole: it makes float32 the default, and
switches to `arithmetic`. Like the helper package it seeds NumPy's global generator, from which data, weights and
dropout are drawn, so that a program's own `np.random` calls stand in the same stream; without `init()`, so does
`np.random.seed`. NumPy's functions stay as they are: `from chainrule.book import arithmetic as np` is NumPy as the
helper package leaves it, for programs whose own lines call `np.dot` or `np.random.randn`.

The chapters differ. `from chainrule.book.chapter17 import *` has weights of 0.1 · normal, `chainrule.book.chapter18`
the `Model` that prints a line for each epoch; `Layer_Dense.weight_scale = 0.10` is the video series' `0.10 * randn`.

Where the book and the notes on it are wrong, the library is right:

- The quotient rule divides by h², (g/h)' = (g'·h - g·h')/h², not by (h')².
- The notes' first cell prints a label, "Next Layer, RelU, and sum:", that differs from its code.
- Cross-entropy is clipped in forward only, so that a probability of 0 gives an infinite gradient: here both
  passes clip.
- `Loss_MeanAbsoluteError.backward` has sign(y - p), the wrong sign: here it is sign(p - y).
- Models and parameters are saved with pickle, which runs code when it loads: here they are safetensors files.
  Parameters that the book's code has pickled are read all the same, as arrays and nothing else.
"""

from __future__ import annotations

import sys

from .accuracy import Accuracy, Accuracy_Categorical, Accuracy_Regression
from .data import sine_data, spiral_data, vertical_data
from .layers import (
    Activation_Linear,
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Softmax,
    Layer_Dense,
    Layer_Dropout,
    Layer_Input,
)
from .losses import (
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Loss,
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_MeanAbsoluteError,
    Loss_MeanSquaredError,
)
from .model import Model
from .optimizers import Optimizer_Adagrad, Optimizer_Adam, Optimizer_RMSprop, Optimizer_SGD
from .world import arithmetic, init

__all__ = [
    "Accuracy",
    "Accuracy_Categorical",
    "Accuracy_Regression",
    "Activation_Linear",
    "Activation_ReLU",
    "Activation_Sigmoid",
    "Activation_Softmax",
    "Activation_Softmax_Loss_CategoricalCrossentropy",
    "Layer_Dense",
    "Layer_Dropout",
    "Layer_Input",
    "Loss",
    "Loss_BinaryCrossentropy",
    "Loss_CategoricalCrossentropy",
    "Loss_MeanAbsoluteError",
    "Loss_MeanSquaredError",
    "Model",
    "Optimizer_Adagrad",
    "Optimizer_Adam",
    "Optimizer_RMSprop",
    "Optimizer_SGD",
    "arithmetic",
    "init",
    "nnfs",
    "sine_data",
    "spiral_data",
    "vertical_data",
]

nnfs = sys.modules[__name__]  # so that the book's `nnfs.init()` runs unchanged
