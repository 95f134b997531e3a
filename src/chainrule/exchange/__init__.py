"""Networks that leave and arrive: to a file in ONNX, to and from PyTorch, from Keras.

For each target one table says what every layer is there; whoever adds a layer adds a row.
"""

from __future__ import annotations

from .keras import from_keras
from .onnx import to_onnx
from .torch import from_torch, to_torch

__all__ = ["from_keras", "from_torch", "to_onnx", "to_torch"]
