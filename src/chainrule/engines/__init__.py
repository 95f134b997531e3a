"""Engines: the same pair, carried out by NumPy, by compiled code (`fused`), or by JAX.

`prepare` turns a name into what opens a session; "auto" chooses by the table in `costs`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import plain_array
from ..errors import ConfigurationError, DataError, UnknownNameError
from ..graph import Graph
from ..layer import Arrays, Context
from ..loss import Loss
from .contract import NotCovered, Session, Task
from .costs import Choice, choose, estimate
from .numpy import NumpySession

__all__ = [
    "ENGINES",
    "Engine",
    "loss_gradient",
    "predictor",
    "prepare",
    "require_known",
    "seconds_per_step",
    "start",
    "trouble",
]

Engine = Literal["auto", "numpy", "fused", "jax"]
ENGINES: tuple[str, ...] = get_args(Engine)
_NEEDS = {"jax": ("jax", "jax")}


def require_known(name: str) -> Engine:
    """The name of an engine that is installed here, as it is.

    Raises `UnknownNameError` for a name that no engine has, `ConfigurationError` where it is not installed.
    """
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    if name in _NEEDS and find_spec(_NEEDS[name][0]) is None:
        package, extra = _NEEDS[name]
        raise ConfigurationError(
            f'engine {name!r} needs {package}: pip install "chainrule[{extra}]", or take engine="numpy".'
        )
    return name  # type: ignore[return-value]


def prepare(name: str, task: Task, steps: int, behind: int = 0) -> Choice:
    """The engine that will carry out a task of `steps` steps: the one named, or the best for "auto".

    So many lie `behind` the model.

    Where the fused engine does not cover the task, NumPy takes its place and the reason says why.
    """
    require_known(name)
    if name == "auto":
        return choose(task, steps, behind)
    if name == "fused":
        from .fused.program import why_not

        reason = why_not(task)
        if reason is not None:
            return Choice("numpy", f"the fused engine does not cover {reason}")
    return Choice(name, "as asked for")


def trouble(name: str) -> str | None:
    """Why an engine cannot carry out a task on this machine after all."""
    if name != "fused":
        return None
    from .fused import library

    problem = library.why_missing()
    return None if problem is None else f"the fused engine has no machine code here: {problem.rstrip('.')}"


def seconds_per_step(name: str, task: Task) -> float:
    """About how long a step of a task takes on an engine."""
    return estimate(task).get(name, 1e3) / 1e6


def start(name: str) -> Callable[[Task, Arrays, Arrays], Session]:
    """What opens a session of an engine; a task that the fused engine stops covering goes on with NumPy."""
    if name == "jax":
        from .jax import JaxSession

        return JaxSession
    if name != "fused":
        return NumpySession

    def fused(task: Task, values: Arrays, slots: Arrays) -> Session:
        from .fused.session import open_session

        try:
            return open_session(task, values, slots)
        except NotCovered:
            return NumpySession(task, values, slots)

    return fused


def predictor(network: Graph, values: Arrays) -> Callable[[ArrayLike], NDArray[Any]]:
    """A function from inputs (B, I) to the network's outputs (B, N) with the parameters and state in `values`.

    For few samples and a line of dense layers and activations it is compiled code, where there is some for this
    machine; else it is NumPy's forward pass.
    """
    values = {name: np.array(value) for name, value in values.items()}
    dtype, context = next((value.dtype for value in values.values()), np.dtype("float32")), Context(training=False)

    def reference(X: ArrayLike) -> NDArray[Any]:
        array = _numbers(X).astype(dtype, copy=False)
        network.output_shape(array.shape[1:])
        found: NDArray[Any] = network.forward_pass(np, array, values, context)[0]
        return found

    from .fused.prediction import FEW, Prediction

    compiled = _compiled(lambda: Prediction(network, values))
    if compiled is None:
        return reference

    def predict(X: ArrayLike) -> NDArray[Any]:
        array = _numbers(X)
        compiled.require(array)
        return compiled(array) if 0 < len(array) <= FEW else reference(array)

    return predict


def _numbers(X: Any) -> NDArray[Any]:
    """X as an array of real numbers, which are not looked at."""
    array: NDArray[Any] = X if type(X) is np.ndarray else plain_array(X, "X")
    if array.dtype.kind not in "fiub":
        raise DataError(f"X must hold numbers, received dtype {array.dtype}; encode text columns as numbers first.")
    return array


def loss_gradient(loss: Loss, dtype: Any = "float32") -> Callable[[ArrayLike, ArrayLike], NDArray[Any]]:
    """A function from predictions (B, C) and targets to dL/d(predictions) (B, C), L the loss of the batch.

    Softmax cross-entropy of class indices is compiled code, where there is some for this machine; else the pure pair on
    NumPy.

    >>> from chainrule import SoftmaxCrossentropy
    >>> gradient = loss_gradient(SoftmaxCrossentropy(), "float64")
    >>> gradient(np.log([[0.7, 0.1, 0.2]]), np.array([0])).round(6)                        # 0.7 - 1, 0.1, 0.2
    array([[-0.3,  0.1,  0.2]])
    """

    def reference(predictions: ArrayLike, y: ArrayLike) -> NDArray[Any]:
        given = np.asarray(predictions, dtype)
        targets, shares = loss.prepare(y, given.shape, None, dtype)
        found: NDArray[Any] = loss.backward_pass(np, shares, loss.forward_pass(np, given, targets)[1])
        return found

    from .fused.gradient import Gradient

    compiled = _compiled(lambda: Gradient(loss, dtype))
    if compiled is None:
        return reference

    def gradient(predictions: ArrayLike, y: ArrayLike) -> NDArray[Any]:
        given = np.asarray(predictions), np.asarray(y)
        return compiled(*given) if compiled.fits(*given) else reference(*given)

    return gradient


def _compiled(make: Callable[[], Any]) -> Any:
    """What `make` returns; None where it is not covered, or where there is no machine code for this machine."""
    from .fused import library

    if library.why_missing() is not None:
        return None
    try:
        return make()
    except NotCovered:
        return None
