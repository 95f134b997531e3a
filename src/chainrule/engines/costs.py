"""Which engine a run should take: a fixed table of costs, so that the choice is the same on every machine.

The figures were measured on two cores with AVX-512; `benchmarks/auto.py` prints how often the choice is right.
"""

from __future__ import annotations

import math
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from .contract import Task

__all__ = ["Choice", "choose", "estimate"]


class Costs(NamedTuple):
    """What a step costs on an engine: µs of it, of a layer, of a thousand parameters and of a thousand outputs of
    layers for all samples, and its multiplications and additions in a µs, if it has few of them and if it has many."""

    step: float
    layer: float
    parameters: float
    outputs: float
    few: float
    many: float


_LARGE = 2**22  # operations that are many
_COSTS = {
    "numpy": Costs(66, 18.5, 4.5, 2.5, 60e3, 120e3),
    "fused": Costs(2, 0.6, 0.5, 0, 100e3, 165e3),
    "jax": Costs(20, 2.5, 0.5, 10, 60e3, 165e3),
}
_SHORT = 0.005  # seconds on NumPy that are over before another engine has been loaded
_JAX_START = 4.0  # seconds before the first step
# JAX on a GPU, measured on an H100: µs of a step, multiplications and additions in a µs, seconds
_GPU_STEP, _GPU_RATE, _GPU_START = 40.0, 3e7, 10.0


class Choice(NamedTuple):
    """An engine by its name, and why it was taken."""

    engine: str
    reason: str


def estimate(task: Task) -> dict[str, float]:
    """Microseconds of a step on each engine."""
    key = "costs", task.X.shape[1:], task.batch_size
    found = task.network.derived(key, lambda: _estimate(task))
    return found | ({"jax": _GPU_STEP + _work(task) / _GPU_RATE} if has_gpu() else {})


def _work(task: Task) -> float:
    return 6.0 * task.batch_size * sum(map(math.prod, task.network.parameter_shapes().values()))


def _estimate(task: Task) -> dict[str, float]:
    network = task.network
    sizes = [math.prod(shape) for shape in network.parameter_shapes().values()]
    work, layers = _work(task), len(network.flat)
    shapes = network.flat.shapes(task.X.shape[1:])
    outputs = task.batch_size * sum(math.prod(shapes[leaf.name]) for leaf in network.flat)
    return {
        engine: own.step + own.layer * layers + (own.parameters * sum(sizes) + own.outputs * outputs) / 1e3
        + work / (own.many if work >= _LARGE else own.few)
        for engine, own in _COSTS.items()
    }  # fmt: skip


@cache
def has_gpu() -> bool:
    """Whether JAX will find an NVIDIA GPU: the driver and JAX's plug-in are there. JAX itself takes seconds to tell."""
    plugins = (find_spec(f"jax_cuda{version}_plugin") for version in (12, 13))
    return Path("/dev/nvidiactl").exists() and any(plugins)


@cache
def _has_jax() -> bool:
    return find_spec("jax") is not None


def choose(task: Task, steps: int, behind: int = 0) -> Choice:
    """The engine on which `steps` steps of a task end first, NumPy where it is close.

    A run is short together with the steps that lie `behind` the model: who often calls `fit` for a few steps waits
    once for what another engine has to load.
    """
    costs = estimate(task)
    if (steps + behind) * costs["numpy"] / 1e6 < _SHORT:
        return Choice("numpy", "the run is short")
    from .fused import library
    from .fused.program import why_not

    missing, uncovered = library.why_missing(), why_not(task)
    reasons = {"numpy": "the run is short"}
    if missing is None and uncovered is None:
        reasons["fused"] = "compiled code"
    elif missing is not None:
        reasons["numpy"] = f"the fused engine has no machine code here: {missing.rstrip('.')}"
    else:
        reasons["numpy"] = f"the fused engine does not cover {uncovered}"
    seconds = {engine: steps * micro / 1e6 for engine, micro in costs.items()}
    if _has_jax():
        seconds["jax"] += _GPU_START if has_gpu() else _JAX_START
        reasons["jax"] = "on the GPU" if has_gpu() else "a network beyond the fused engine"
    best = min(reasons, key=lambda name: seconds[name])
    return Choice(best, reasons[best])
