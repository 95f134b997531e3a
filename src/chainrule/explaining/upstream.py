"""The gradient that arrives from the next layer, given as a number, in the place of a loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import plain_array
from ..errors import ConfigurationError, DataError, ShapeError
from ..layer import Array, Arrays
from ..loss import Loss
from ..registry import named
from .rule import Rule

__all__ = ["Upstream", "objective"]


@dataclass(frozen=True, kw_only=True)
class Upstream(Loss):
    """What stands for all that comes after: L = Σ dvalues·output, whose gradient by the output is `dvalues`.

    With 1 at one output and 0 at the others L is that output itself. `objective` is what L is called, and `said` what
    is told of the gradient that is given.

    >>> Upstream().prepare(1.0, (1, 2))
    (array([[1., 1.]]), array([[1.]]))
    """

    objective: str = "Σ dvalues·output"
    said: str = "This gradient arrives from the layers that follow: it is given."

    rule: ClassVar[Rule] = Rule(
        "ell[b]",
        "sum(n, dvalues[b,n]*out[b,n])",
        {"predictions": "out[b,n]", "targets": "dvalues[b,n]"},
        {"predictions": "dvalues[b,n]"},
        note="The gradient is given: it is what the layers that follow have passed back.",
    )

    def pure_forward(self, xp: Any, predictions: Array, targets: Array) -> Array:
        """Σ dvalues·output of each sample."""
        return xp.sum(xp.reshape(targets * predictions, (predictions.shape[0], -1)), axis=1)  # (B, ...) -> (B,)

    def pure_backward(self, xp: Any, dvalues: Array, targets: Array) -> Arrays:
        """The gradient as it is given."""
        shares = xp.reshape(dvalues, (-1, *(1,) * (targets.ndim - 1)))  # (B, 1, ...)
        return dict(dpredictions=shares * targets)

    def prepare(
        self,
        targets: ArrayLike,
        shape: tuple[int, ...],
        sample_weights: ArrayLike | None = None,
        dtype: Any = np.float64,
        *,
        weightless: bool = False,
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """The gradient for predictions of `shape`, repeated where it is a single number or row."""
        given = plain_array(targets, "dvalue")
        if given.dtype.kind not in "fiub" or not np.isfinite(given).all():
            raise DataError("dvalue must hold finite numbers.")
        try:
            dvalues = np.broadcast_to(given, shape).astype(dtype)
        except ValueError:
            raise ShapeError(
                f"dvalue has shape {given.shape}, the output {shape}: write one number, or one for each entry."
            ) from None
        weights = np.ones(shape[0]) if sample_weights is None else np.asarray(sample_weights, dtype=np.float64)
        return dvalues, weights.reshape(-1, 1).astype(dtype)


def objective(loss: Loss | str | None, y: Any, dvalue: Any, where: str) -> tuple[Loss, Any]:
    """A loss and its targets, or the upstream gradient that is given instead of both."""
    if dvalue is None and (loss is None or y is None):
        raise ConfigurationError(
            f"{where}: write a loss and y, or dvalue=1.0, the gradient that arrives at the output."
        )
    if dvalue is None:
        return named(loss, Loss, f"{where}: loss"), y
    if loss is not None or y is not None:
        raise ConfigurationError(
            f"{where}: dvalue is the gradient at the output and stands for loss and y; leave those out."
        )
    return Upstream(reduction="sum"), dvalue
