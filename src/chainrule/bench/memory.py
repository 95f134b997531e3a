"""Peak memory of training: each engine runs in its own process, so that nothing else is counted.

The process imports what the engine needs, then makes the data and trains. What counts is the peak above what it had
before the data; the detour that making the data takes does not, where the system can forget a peak (Linux can).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from ..errors import DataError
from .ours import train
from .workloads import Training, named

__all__ = ["bound", "peak"]

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_MODULES = {"numpy": "numpy", "fused": "chainrule.engines.fused.session", "jax": "jax"}


def bound(workload: Training) -> int:
    """The bytes that training should stay below: data, 4 × the parameters, a batch of activations, and 100 MB."""
    data = sum(array.nbytes for array in workload.data)
    activations = 4 * workload.batch * sum(workload.sizes)
    return data + 16 * workload.parameters + activations + 100_000_000


def peak(workload: Training, engine: str) -> int:
    """An engine's peak memory in bytes when training on a workload. Raises `DataError` if its process fails."""
    command = [sys.executable, "-m", "chainrule.bench.memory", workload.name, engine]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        lines = result.stderr.strip().splitlines() or [f"exit code {result.returncode}"]
        raise DataError(f"the memory of {engine} was not measured: {lines[-1]}")
    return int(json.loads(result.stdout))


def _measure(workload: Training, engine: str) -> int:
    module = import_module(_MODULES[engine])
    if engine == "jax":
        module.numpy.zeros(1).block_until_ready()  # opens the device
    before = _now("VmRSS")
    _ = workload.data, workload.order
    if os.access(_FORGET, os.W_OK):
        _FORGET.write_text("5", encoding="ascii")
    train(engine, workload, workload.checked)
    return _now("VmHWM") - before


def _now(name: str) -> int:
    """This process's resident memory in bytes, current or peak. Outside Linux always the peak."""
    if _STATUS.exists():  # ru_maxrss would include the parent's memory at the time of the fork
        lines = dict(line.split(":", 1) for line in _STATUS.read_text(encoding="utf-8").splitlines())
        return 1024 * int(lines[name].split()[0])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    chosen = named(sys.argv[1])
    assert isinstance(chosen, Training)
    print(_measure(chosen, sys.argv[2]))
