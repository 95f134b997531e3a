"""Softmax: scores to probabilities, its Jacobian as the notes derive it, and the logarithm of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..layer import Layer

__all__ = ["LogSoftmax", "Softmax", "softmax_jacobian"]


class Softmax(Layer):
    """S_j = exp(z_j) / Σ_k exp(z_k), in each row; the row's maximum is subtracted first, so that exp never overflows.

    Shapes: inputs z (B, C), output S (B, C), rows adding up to 1. Every input moves every output,
    ∂S_j/∂z_k = S_j·(δ_jk - S_k), and its product with `dvalues` closes to S·(dvalues - Σ_k dvalues_k S_k).

    >>> import numpy as np
    >>> layer = Softmax()
    >>> layer.forward(np.log([[7.0, 1.0, 2.0]]))
    array([[0.7, 0.1, 0.2]])
    >>> layer.backward(np.array([[1.0, 0.0, 0.0]]))             # 0.7·(1-0.7), -0.7·0.1, -0.7·0.2
    array([[ 0.21, -0.07, -0.14]])

    Source: book, chapters 4 and 9.
    """

    gives = "probabilities"

    def pure_forward(self, xp, inputs):
        e = xp.exp(inputs - xp.max(inputs, axis=-1, keepdims=True))  # (B,C) - (B,1) -> (B,C)
        return e / xp.sum(e, axis=-1, keepdims=True)  # (B,C) / (B,1) -> (B,C)

    def pure_backward(self, xp, dvalues, output):  # output = exp(inputs) / sum(exp(inputs))
        return dict(dinputs=output * (dvalues - xp.sum(dvalues * output, axis=-1, keepdims=True)))  # (B,C)


class LogSoftmax(Layer):
    """log S_j = z_j - log Σ_k exp(z_k), in each row: exact where Softmax would round to 0.

    Shapes: inputs (B, C), output (B, C). dinputs = dvalues - S · Σ_k dvalues_k.

    >>> import numpy as np
    >>> LogSoftmax().forward(np.array([[0.0, -1e4]]))
    array([[     0., -10000.]])
    """

    gives = "log probabilities"

    def pure_forward(self, xp, inputs):
        shifted = inputs - xp.max(inputs, axis=-1, keepdims=True)  # (B,C) - (B,1) -> (B,C)
        return shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))  # (B,C) - (B,1) -> (B,C)

    def pure_backward(self, xp, dvalues, output):  # output = inputs - log(sum(exp(inputs)))
        return dict(dinputs=dvalues - xp.exp(output) * xp.sum(dvalues, axis=-1, keepdims=True))  # (B,C)


def softmax_jacobian_terms(probabilities: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """The two terms of the softmax's Jacobian, S_j·δ_jk and S_j·S_k.

    `probabilities` is the softmax's output: (C,) for one sample or (B, C); each term is (C, C) or (B, C, C).

    >>> diagonal, outer = softmax_jacobian_terms([0.7, 0.1, 0.2])
    >>> diagonal
    array([[0.7, 0. , 0. ],
           [0. , 0.1, 0. ],
           [0. , 0. , 0.2]])
    >>> outer
    array([[0.49, 0.07, 0.14],
           [0.07, 0.01, 0.02],
           [0.14, 0.02, 0.04]])
    """
    s = np.asarray(probabilities)
    column, row = s[..., :, None], s[..., None, :]  # (B,C,1), (B,1,C)
    return column * np.eye(s.shape[-1], dtype=s.dtype), column * row  # (B,C,C), (B,C,C)


def softmax_jacobian(probabilities: ArrayLike) -> NDArray[Any]:
    """∂S_j/∂z_k = S_j·δ_jk - S_j·S_k for each sample, from the softmax's output S.

    `probabilities` is (C,) for one sample or (B, C); the result (C, C) or (B, C, C). It is symmetric.

    >>> softmax_jacobian([0.7, 0.1, 0.2])
    array([[ 0.21, -0.07, -0.14],
           [-0.07,  0.09, -0.02],
           [-0.14, -0.02,  0.16]])
    """
    diagonal, outer = softmax_jacobian_terms(probabilities)
    return np.asarray(diagonal - outer)
