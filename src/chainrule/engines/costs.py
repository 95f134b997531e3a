"""Which engine a run should take: a fixed table of costs, so that the choice is the same on every machine.

The figures are microseconds per step and seconds before the first step, measured on two cores and rounded to the
disadvantage of `fused` and `jax`, so that a run does not end later than on NumPy.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .contract import NotCovered, Task

__all__ = ["Choice", "choose", "estimate"]

# µs of a step, of each of its nodes, of the update of one parameter array
_NUMPY_STEP, _NUMPY_NODE, _NUMPY_PARAMETER = 20.0, 10.0, 5.0
_FUSED_STEP, _FUSED_NODE, _JAX_STEP = 3.0, 0.5, 15.0
# multiplications and additions in a µs, in steps that have less than _LARGE of them and in larger ones
_LARGE = 2**24
_RATES = {"numpy": (30e3, 90e3), "fused": (60e3, 170e3), "jax": (25e3, 150e3)}
# seconds before the first step
_FUSED_LOAD, _FUSED_COMPILER, _FUSED_FUNCTION, _JAX_START = 0.3, 2.0, 1.5, 4.0
# JAX on a GPU, measured on an H100: µs of a step, multiplications and additions in a µs, seconds
_GPU_STEP, _GPU_RATE, _GPU_START = 40.0, 3e7, 10.0


class Choice(NamedTuple):
    """An engine by its name, and why it was taken."""

    engine: str
    reason: str


def estimate(task: Task) -> dict[str, float]:
    """Microseconds of a step on each engine."""
    sizes = [int(np.prod(shape)) for shape in task.network.parameter_shapes().values()]
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


def choose(task: Task, steps: int) -> Choice:
    """The engine on which `steps` steps of a task end first, NumPy where it is close."""
    micro = estimate(task)
    seconds = {"numpy": steps * micro["numpy"] / 1e6}
    reasons = {"numpy": "the run is short"}
    if seconds["numpy"] < _FUSED_LOAD:  # over before another engine has begun, and before it is looked for
        return Choice("numpy", reasons["numpy"])
    from .fused.cache import missing as not_on_disk

    missing = [name for name in ("numba", "jax") if find_spec(name) is None]
    if "numba" not in missing and (names := _needed(task)):
        seconds["fused"] = _FUSED_LOAD + steps * micro["fused"] / 1e6
        compiled = not_on_disk(names, task.X.dtype) if seconds["fused"] < seconds["numpy"] else names
        if compiled:
            seconds["fused"] += _FUSED_COMPILER + _FUSED_FUNCTION * len(compiled)
        reasons["fused"] = "compiled now, once for this machine" if compiled else "compiled code from the disk"
    if "jax" not in missing:
        seconds["jax"] = (_GPU_START if has_gpu() else _JAX_START) + steps * micro["jax"] / 1e6
        reasons["jax"] = "a network of many products" if "fused" in seconds else "a network beyond the fused engine"
        reasons["jax"] = "on the GPU" if has_gpu() else reasons["jax"]
    best = min(seconds, key=lambda name: seconds[name])
    if seconds[best] > 0.8 * seconds["numpy"]:
        best = "numpy"
    if len(missing) == 2:
        reasons["numpy"] = "no other is installed"
    return Choice(best, reasons[best])


def _needed(task: Task) -> list[str]:
    """The compiled functions that a task needs; none where the fused engine does not cover it."""
    from .fused.program import needed

    try:
        return needed(task)
    except NotCovered:
        return []
