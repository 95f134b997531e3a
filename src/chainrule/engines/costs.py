"""Which engine a run should take: a fixed table of costs, so that the choice is the same on every machine.

The figures are microseconds per step and seconds before the first step, measured on two cores and rounded to the
disadvantage of `fused` and `jax`, so that a run does not end later than on NumPy.
"""

from __future__ import annotations

import math
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from .contract import Task

__all__ = ["Choice", "choose", "estimate"]

# µs of a step, of each of its nodes, of the update of one parameter array
_NUMPY_STEP, _NUMPY_NODE, _NUMPY_PARAMETER = 20.0, 10.0, 5.0
_FUSED_STEP, _FUSED_NODE, _JAX_STEP = 3.0, 0.5, 15.0
# multiplications and additions in a µs, in steps that have less than _LARGE of them and in larger ones
_LARGE = 2**24
_RATES = {"numpy": (30e3, 90e3), "fused": (60e3, 170e3), "jax": (25e3, 150e3)}
# seconds before the first step
_FUSED_START, _JAX_START = 0.002, 4.0
# JAX on a GPU, measured on an H100: µs of a step, multiplications and additions in a µs, seconds
_GPU_STEP, _GPU_RATE, _GPU_START = 40.0, 3e7, 10.0


class Choice(NamedTuple):
    """An engine by its name, and why it was taken."""

    engine: str
    reason: str


def estimate(task: Task) -> dict[str, float]:
    """Microseconds of a step on each engine."""
    sizes = [math.prod(shape) for shape in task.network.parameter_shapes().values()]
    work = 6.0 * task.batch_size * sum(sizes)
    nodes = len(task.network.flat)
    around = {
        "numpy": _NUMPY_STEP + _NUMPY_NODE * nodes + _NUMPY_PARAMETER * len(sizes),
        "fused": _FUSED_STEP + _FUSED_NODE * nodes,
        "jax": _JAX_STEP,
    }
    found = {engine: fixed + work / _RATES[engine][work >= _LARGE] for engine, fixed in around.items()}
    return found | ({"jax": _GPU_STEP + work / _GPU_RATE} if has_gpu() else {})


@cache
def has_gpu() -> bool:
    """Whether JAX will find an NVIDIA GPU: the driver and JAX's plug-in are there. JAX itself takes seconds to tell."""
    plugins = (find_spec(f"jax_cuda{version}_plugin") for version in (12, 13))
    return Path("/dev/nvidiactl").exists() and any(plugins)


@cache
def _has_jax() -> bool:
    return find_spec("jax") is not None


def choose(task: Task, steps: int) -> Choice:
    """The engine on which `steps` steps of a task end first, NumPy where it is close."""
    micro = estimate(task)
    seconds = {"numpy": steps * micro["numpy"] / 1e6}
    reasons = {"numpy": "the run is short"}
    if seconds["numpy"] < _FUSED_START:  # over before another engine has begun, and before it is looked for
        return Choice("numpy", reasons["numpy"])
    from .fused import library
    from .fused.program import why_not

    if library.why_missing() is None and why_not(task) is None:
        seconds["fused"] = _FUSED_START + steps * micro["fused"] / 1e6
        reasons["fused"] = "compiled code"
    if _has_jax():
        seconds["jax"] = (_GPU_START if has_gpu() else _JAX_START) + steps * micro["jax"] / 1e6
        reasons["jax"] = "a network of many products" if "fused" in seconds else "a network beyond the fused engine"
        reasons["jax"] = "on the GPU" if has_gpu() else reasons["jax"]
    best = min(seconds, key=lambda name: seconds[name])
    if seconds[best] > 0.8 * seconds["numpy"]:
        best = "numpy"
    if len(seconds) == 1:
        reasons["numpy"] = "no other is installed"
    return Choice(best, reasons[best])
