"""Whether a GPU is used: JAX uses it by default, and PyTorch is told to."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["gpu", "torch_device"]


@cache
def gpu() -> str | None:
    """The name of JAX's GPU, or None if JAX runs on the CPU or is not installed."""
    if find_spec("jax") is None:
        return None
    jax: Any = import_module("jax")
    try:
        device = jax.devices()[0]
    except RuntimeError:  # an incompatible driver
        return None
    return None if device.platform == "cpu" else str(device.device_kind)


def torch_device() -> Any:
    """PyTorch's device. On a GPU its products use TF32, like JAX's default."""
    torch: Any = import_module("torch")
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.set_float32_matmul_precision("high")
    return torch.device("cuda")
