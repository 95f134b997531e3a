"""Engines: the same pair, carried out by NumPy, by compiled code (`fused`), or by JAX.

`prepare` turns a name into what opens a session; "auto" chooses by the table in `costs`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from ..errors import ConfigurationError, UnknownNameError
from ..layer import Arrays
from .contract import Session, Task
from .costs import Choice, choose
from .numpy import NumpySession

__all__ = ["ENGINES", "prepare", "require_known", "start"]

ENGINES = ("auto", "numpy", "fused", "jax")
_NEEDS = {"fused": ("numba", "fast"), "jax": ("jax", "jax")}


def require_known(name: str) -> None:
    """Raises `UnknownNameError` for a name that no engine has, `ConfigurationError` where it is not installed."""
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    if name in _NEEDS and find_spec(_NEEDS[name][0]) is None:
        package, extra = _NEEDS[name]
        raise ConfigurationError(
            f'engine {name!r} needs {package}: pip install "chainrule[{extra}]", or take engine="numpy".'
        )


def prepare(name: str, task: Task, steps: int) -> Choice:
    """The engine that will carry out a task of `steps` steps: the one named, or the best for "auto".

    Where the fused engine does not cover the task, NumPy takes its place and the reason says why.
    """
    require_known(name)
    if name == "auto":
        return choose(task, steps)
    if name == "fused":
        from .fused.program import why_not

        reason = why_not(task)
        if reason is not None:
            return Choice("numpy", f"the fused engine does not cover {reason}")
    return Choice(name, "as asked for")


def start(name: str) -> Callable[[Task, Arrays, Arrays], Session]:
    """What opens a session of an engine; a task that the fused engine stops covering goes on with NumPy."""
    if name == "jax":
        from .jax import JaxSession

        return JaxSession
    if name != "fused":
        return NumpySession

    def fused(task: Task, values: Arrays, slots: Arrays) -> Session:
        from .fused.program import why_not
        from .fused.session import FusedSession

        return NumpySession(task, values, slots) if why_not(task) else FusedSession(task, values, slots)

    return fused
