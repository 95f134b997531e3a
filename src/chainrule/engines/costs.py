"""Which engine a run should take: a fixed table of costs, so that the choice is the same on every machine.

The figures are microseconds per step and seconds before the first step, measured on two cores that other programs
used too and rounded to the disadvantage of `fused` and `jax`, so that a run ends later than on NumPy only by mistake.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

from ..graph import Graph
from ..layer import Layer
from .contract import Task

__all__ = ["Choice", "choose", "estimate"]

_NODE = 14.0  # µs of a node's two passes in NumPy, whatever its size
_STEP = 40.0  # µs of a step in NumPy around its nodes
_PARAMETER = 9.0  # µs of the update of one parameter array in NumPy
_FUSED_STEP = 6.0
_FUSED_NODE = 1.0
_JAX_STEP = 15.0
_NUMPY_RATE, _FUSED_RATE, _JAX_RATE = 40e3, 20e3, 90e3  # multiplications and additions in a µs
# seconds before the first step
_FUSED_LOAD, _FUSED_COMPILE, _JAX_START = 1.2, 90.0, 4.0


class Choice(NamedTuple):
    """An engine by its name, and why it was taken."""

    engine: str
    reason: str


def estimate(task: Task) -> dict[str, float]:
    """Microseconds of a step on each engine."""
    sizes = [int(np.prod(shape)) for shape in task.network.parameter_shapes().values()]
    work = 6.0 * task.batch_size * sum(sizes)
    nodes = _count(task.network)
    return {
        "numpy": _STEP + _NODE * nodes + _PARAMETER * len(sizes) + work / _NUMPY_RATE,
        "fused": _FUSED_STEP + _FUSED_NODE * nodes + work / _FUSED_RATE,
        "jax": _JAX_STEP + work / _JAX_RATE,
    }


def choose(task: Task, steps: int) -> Choice:
    """The engine on which `steps` steps of a task end first, NumPy where it is close."""
    micro = estimate(task)
    seconds = {"numpy": steps * micro["numpy"] / 1e6}
    reasons = {"numpy": "the run is short"}
    missing = [name for name in ("numba", "jax") if find_spec(name) is None]
    if "numba" not in missing and _covered(task) is None:
        from .fused.cache import is_cached

        ready = is_cached(task.X.dtype)
        seconds["fused"] = (_FUSED_LOAD if ready else _FUSED_COMPILE) + steps * micro["fused"] / 1e6
        reasons["fused"] = "compiled code from the cache" if ready else "compiled now, once for this machine"
    if "jax" not in missing:
        seconds["jax"] = _JAX_START + steps * micro["jax"] / 1e6
        reasons["jax"] = "a network of many products" if "fused" in seconds else "a network beyond the fused engine"
    best = min(seconds, key=lambda name: seconds[name])
    if seconds[best] > 0.8 * seconds["numpy"]:
        best = "numpy"
    if len(missing) == 2:
        reasons["numpy"] = "no other is installed"
    return Choice(best, reasons[best])


def _count(layer: Layer) -> int:
    return sum(_count(node.layer) for node in layer) if isinstance(layer, Graph) else 1


def _covered(task: Task) -> str | None:
    from .fused.program import why_not

    return why_not(task)
