"""Normalization: subtract the mean, divide by the standard deviation, then scale and shift by learned numbers.

Both layers share one derivative. With n = (x - mean) / std over M entries, and d = dL/dn, the mean and the variance
each move with every x, and the three terms add up to dL/dx = (d - mean(d) - n·mean(d·n)) / std.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import DataError, ShapeError
from ..initializers import Constant, Zeros
from ..layer import Declared, Layer, Shape, format_shape, whole_number
from ..limits import FEATURES, require_number

__all__ = ["BatchNorm", "LayerNorm"]


@dataclass(eq=False)
class _Normalization(Layer):
    parameters = ("gamma", "beta")

    n_features: int
    epsilon: float = field(default=1e-5, kw_only=True)

    def __post_init__(self) -> None:
        self.n_features = whole_number(self, "n_features")
        require_number(self, "n_features", at_most=FEATURES, whole=True)
        require_number(self, "epsilon", above=0)

    def declare(self) -> dict[str, Declared]:
        """gamma (1, N), at 1, and beta (1, N), at 0."""
        shape = (1, self.n_features)
        return {"gamma": Declared(shape, Constant(1.0)), "beta": Declared(shape, Zeros())}

    def input_shape(self) -> Shape:
        """(N,)."""
        return (self.n_features,)

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of the inputs, which must be (N,)."""
        if shape != (self.n_features,):
            raise ShapeError(
                f"{type(self).__name__}({self.n_features}): expected inputs of shape "
                f"{format_shape((self.n_features,))}, received {format_shape(shape)}; "
                f"write {type(self).__name__}({shape[-1] if shape else 1})."
            )
        return shape


class LayerNorm(_Normalization):
    """gamma · (x - mean) / √(variance + epsilon) + beta, over the N features of each sample.

    Shapes: inputs (B, N), gamma and beta (1, N), output (B, N). The variance is the mean of squared deviations.

    >>> import numpy as np
    >>> LayerNorm(2, epsilon=1e-12).forward(np.array([[1.0, 3.0], [10.0, 30.0]]))
    array([[-1.,  1.],
           [-1.,  1.]])

    Source: Ba, Kiros and Hinton 2016.
    """

    gives = "scores"

    keeps = ("normalized", "inverse_std")

    def pure_forward(self, xp, inputs, gamma, beta):
        centered = inputs - xp.mean(inputs, axis=-1, keepdims=True)  # (B,N) - (B,1) -> (B,N)
        variance = xp.mean(centered * centered, axis=-1, keepdims=True)  # (B,1)
        inverse_std = 1 / xp.sqrt(variance + self.epsilon)  # (B,1)
        normalized = centered * inverse_std  # (B,N)
        return gamma * normalized + beta, {"normalized": normalized, "inverse_std": inverse_std}  # (B,N)

    def pure_backward(self, xp, dvalues, normalized, inverse_std, gamma):  # output = gamma * normalized + beta
        d = dvalues * gamma  # (B,N), dL/d(normalized)
        mean_d = xp.mean(d, axis=-1, keepdims=True)  # (B,1)
        mean_dn = xp.mean(d * normalized, axis=-1, keepdims=True)  # (B,1)
        return dict(
            dinputs=inverse_std * (d - mean_d - normalized * mean_dn),  # (B,N)
            dgamma=xp.sum(dvalues * normalized, axis=0, keepdims=True),  # (1,N), summed over the batch
            dbeta=xp.sum(dvalues, axis=0, keepdims=True),  #                (1,N), summed over the batch
        )


@dataclass(eq=False)
class BatchNorm(_Normalization):
    """gamma · (x - mean) / √(variance + epsilon) + beta, over the B samples of each feature.

    Shapes: inputs (B, N), gamma and beta (1, N), output (B, N). In training the batch's own mean and variance are used,
    the variance being the mean of squared deviations, and the running ones move: running ← momentum · running +
    (1 - momentum) · batch. What is carried is the unbiased variance, with B - 1 in place of B, as the paper and PyTorch
    have it (Keras and Flax carry the biased one, which a small last batch pulls down). In inference the running ones
    are used, as constants.

    One sample has no variance. A batch of one, such as the last of 33 samples in batches of 32, passes as in inference:
    it is normalized with the running statistics, leaves them, and its gradient trains the layers around as ever.
    (PyTorch raises an error there; Keras takes 0 for the variance and carries it on.) `Model.fit` says so in one line,
    and raises `ConfigurationError` where every batch has one sample. Raises `DataError` for an empty batch in training.

    >>> import numpy as np
    >>> layer = BatchNorm(1, epsilon=1e-12, momentum=0.5)
    >>> layer.forward(np.array([[1.0], [3.0]])).ravel()
    array([-1.,  1.])
    >>> layer.running_mean, layer.running_variance                  # 0.5·0 + 0.5·2, 0.5·1 + 0.5·(1 + 1)/(2 - 1)
    (array([[1.]]), array([[1.5]]))
    >>> layer.epsilon = 0.75
    >>> layer.forward(np.array([[4.0]]))                            # (4 - 1) / √(1.5 + 0.75)
    array([[2.]])

    Source: Ioffe and Szegedy 2015.
    """

    gives = "scores"

    state = ("running_mean", "running_variance")
    keeps = ("normalized", "inverse_std")
    mixes_samples = True
    least_batch = 2

    momentum: float = field(default=0.9, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number(self, "momentum", at_least=0, at_most=1)

    def declare(self) -> dict[str, Declared]:
        """gamma and beta, the running mean (1, N), at 0, and the running variance (1, N), at 1."""
        shape = (1, self.n_features)
        running = {"running_mean": Declared(shape, Zeros()), "running_variance": Declared(shape, Constant(1.0))}
        return super().declare() | running

    def pure_forward(self, xp, inputs, gamma, beta, running_mean, running_variance, training):
        following = {}
        mean, variance = running_mean, running_variance  # (1,N)
        if training:
            if inputs.shape[0] == 0:
                raise DataError("BatchNorm: an empty batch has no mean; pass at least one sample in training.")
            mean = xp.mean(inputs, axis=0, keepdims=True)  # (1,N)
            variance = xp.mean((inputs - mean) * (inputs - mean), axis=0, keepdims=True)  # (1,N)
            unbiased = variance * (inputs.shape[0] / max(inputs.shape[0] - 1, 1))  # (1,N)
            following = {
                "next_running_mean": self.momentum * running_mean + (1 - self.momentum) * mean,  # (1,N)
                "next_running_variance": self.momentum * running_variance + (1 - self.momentum) * unbiased,  # (1,N)
            }
        inverse_std = 1 / xp.sqrt(variance + self.epsilon)  # (1,N)
        normalized = (inputs - mean) * inverse_std  # (B,N)
        kept = {"normalized": normalized, "inverse_std": inverse_std}
        return gamma * normalized + beta, kept | following  # (B,N)

    def pure_backward(self, xp, dvalues, normalized, inverse_std, gamma, training):
        d = dvalues * gamma  # (B,N), dL/d(normalized); output = gamma * normalized + beta
        if training:
            mean_d = xp.mean(d, axis=0, keepdims=True)  # (1,N)
            mean_dn = xp.mean(d * normalized, axis=0, keepdims=True)  # (1,N)
            d = d - mean_d - normalized * mean_dn  # (B,N)
        return dict(
            dinputs=d * inverse_std,  # (B,N)
            dgamma=xp.sum(dvalues * normalized, axis=0, keepdims=True),  # (1,N), summed over the batch
            dbeta=xp.sum(dvalues, axis=0, keepdims=True),  #                (1,N), summed over the batch
        )
