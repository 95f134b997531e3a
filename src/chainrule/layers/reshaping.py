"""Layers that move entries without computing."""

from __future__ import annotations

import math

from ..layer import Layer, Shape

__all__ = ["Flatten"]


class Flatten(Layer):
    """Each sample as one row: inputs (B, ...) to output (B, product of the others), in C order.

    >>> import numpy as np
    >>> layer = Flatten()
    >>> layer.forward(np.zeros((2, 8, 8))).shape, layer.backward(np.ones((2, 64))).shape
    ((2, 64), (2, 8, 8))
    """

    gives = "inputs"

    def pure_forward(self, xp, inputs):
        return xp.reshape(inputs, (inputs.shape[0], math.prod(inputs.shape[1:])))  # (B,...) -> (B,F)

    def pure_backward(self, xp, dvalues, inputs):
        return dict(dinputs=xp.reshape(dvalues, inputs.shape))  # (B,F) -> (B,...)

    def output_shape(self, shape: Shape) -> Shape:
        """The product of the sizes."""
        return (math.prod(shape),)
