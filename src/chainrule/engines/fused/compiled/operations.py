"""Every compiled function by its name, with the kind of its arguments; Numba is needed to import it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import dense, direct, dropout, joins, normalization, softmax
from .activations import ACTIVATIONS
from .kernel import block
from .losses import LOSSES
from .update import UPDATES, gather_gradient

__all__ = ["FUNCTIONS", "signature"]

FUNCTIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "dense": (dense.forward, "forward"),
    "dense.rectified": (dense.forward_rectified, "forward"),
    "dense.backward": (dense.backward, "backward"),
    "dense.backward_masked": (dense.backward_masked, "backward"),
    "dense.backward_added": (dense.backward_added, "backward"),
    "dense.gradients": (dense.gradients, "gradients"),
    "dense_blas": (dense.forward_blas, "forward"),
    "dense_blas.rectified": (dense.forward_blas_rectified, "forward"),
    "dense_blas.backward": (dense.backward_blas, "backward"),
    "dense_blas.backward_masked": (dense.backward_blas_masked, "backward"),
    "dense_blas.backward_added": (dense.backward_blas_added, "backward"),
    "dense_blas.gradients": (dense.gradients_blas, "gradients"),
    "normalization.gradients": (normalization.gradients, "gradients"),
    "gather": (gather_gradient, "gather"),
    "block": (block, "block"),
    "predict": (direct.predict, "predict"),
    "softmax_crossentropy.gradient": (direct.softmax_crossentropy_gradient, "loss_gradient"),
}
for _name, (_forward, _backward) in {
    **ACTIVATIONS,
    "softmax": (softmax.softmax, softmax.softmax_backward),
    "log_softmax": (softmax.log_softmax, softmax.log_softmax_backward),
    "layer_norm": (normalization.layer_norm, normalization.layer_norm_backward),
    "batch_norm": (normalization.batch_norm, normalization.batch_norm_backward),
    "dropout": (dropout.dropout, dropout.dropout_backward),
    "part": (joins.part, joins.part_backward),
    "product": (joins.product, joins.product_backward),
}.items():
    FUNCTIONS |= {_name: (_forward, "forward"), f"{_name}.backward": (_backward, "backward")}
FUNCTIONS |= {name: (function, "loss") for name, function in LOSSES.items()}
FUNCTIONS |= {name: (function, "update") for name, function in UPDATES.items()}


def signature(kind: str, real: Any) -> Any:
    """The types of a function's arguments and of what it returns; `real` is Numba's float32 or float64."""
    from numba.core import types

    whole, number = types.int64, types.float64
    wholes, numbers, reals = (types.CPointer(each) for each in (whole, number, real))
    return {
        "forward": types.void(wholes, numbers, wholes, whole, whole, whole, whole, reals, reals),
        "backward": types.void(wholes, numbers, wholes, whole, whole, whole, reals, reals, reals),
        "gradients": types.void(wholes, wholes, whole, whole, whole, whole, reals, reals, reals),
        "loss": number(numbers, wholes, reals, reals, reals, whole),
        "update": number(numbers, number, number, number, number, reals, reals, reals, reals, whole, whole),
        "gather": types.void(numbers, number, whole, whole, reals, reals, whole, whole, numbers),
        "predict": types.void(whole, wholes, wholes, numbers, reals, reals, reals, reals),
        "loss_gradient": whole(whole, whole, whole, number, reals, wholes, reals, reals),
        "block": whole(
            whole, whole, wholes, numbers, wholes, numbers, wholes, numbers, wholes, reals, reals, wholes, numbers,
            reals, reals, reals, reals, reals, reals, reals, wholes, numbers, numbers, wholes, numbers, numbers, reals,
        ),
    }[kind]  # fmt: skip
