"""Whether a GPU takes part: JAX computes on it by itself, and PyTorch is put there too."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["gpu", "torch_device"]


@cache
def gpu() -> str | None:
    """The name of JAX's GPU, or None where JAX computes on the processor or is not installed."""
    if find_spec("jax") is None:
        return None
    jax: Any = import_module("jax")
    try:
        device = jax.devices()[0]
    except RuntimeError:  # a driver that does not fit
        return None
    return None if device.platform == "cpu" else str(device.device_kind)


def torch_device() -> Any:
    """Where PyTorch computes. On a GPU its products are then as exact as JAX's own default, TF32."""
    torch: Any = import_module("torch")
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.set_float32_matmul_precision("high")
    return torch.device("cuda")
