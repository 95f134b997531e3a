"""PyTorch's own ways of writing a backward pass: `torch.autograd.Function` classes and modules that use them."""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigurationError
from .axes import find_groups
from .base import Instance, Point, Style, Subject, is_shape
from .compared import redrawn_like
from .declared import declared_by
from .names import role_of, setting
from .outputs import apart, together

__all__ = ["is_torch", "torch_subject"]

_SEED = 1
_STYLE = Style(module="torch", dot="torch.matmul", own="", assign="grad_{name} = {code}", dvalues="grad_output")


def is_torch(item: Any) -> bool:
    """Whether the item is a module or an autograd Function; PyTorch is not imported for this."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    if isinstance(item, type):
        return issubclass(item, torch.autograd.Function | torch.nn.Module)
    return isinstance(item, torch.nn.Module)


class TorchInstance(Instance):
    """A module or a Function in float64, whose gradients autograd collects from the backward passes written by hand."""

    def __init__(self, item: Any, names: tuple[str, ...]) -> None:
        import torch

        self.torch, self.names = torch, names
        self.module = copy.deepcopy(item).double() if isinstance(item, torch.nn.Module) else None
        self.apply = self.module if self.module is not None else item.apply

    def forward(self, point: Point) -> NDArray[Any]:
        """The outputs as one NumPy array."""
        if any(array.dtype.kind == "c" for array in point.values.values()):
            raise TypeError("PyTorch modules are not nudged by complex steps")
        held = {} if self.module is None else dict(self.module.named_parameters())
        self.leaves: dict[str, Any] = {}
        if self.module is not None:
            self.module.train(point.training)
        for name, array in point.values.items():
            tensor = self.torch.from_numpy(np.ascontiguousarray(array))
            if name in held:
                held[name].data = tensor
                self.leaves[name] = held[name].requires_grad_(True)
            else:
                self.leaves[name] = tensor.clone().requires_grad_(True)
        arguments = [
            self.leaves[name] if name in self.leaves else self._fixed(point.fixed[name]) for name in self.names
        ]
        self.outputs = list(_tensors(self.apply(*arguments)))
        parts = [np.array(output.detach().numpy()) for output in self.outputs]
        self.shapes = [part.shape for part in parts]
        return together(parts)

    def _fixed(self, value: Any) -> Any:
        return self.torch.from_numpy(value) if isinstance(value, np.ndarray) else value

    def backward(self, dvalues: NDArray[Any]) -> dict[str, Any]:
        """What arrives at every leaf."""
        gradients = self.torch.autograd.grad(
            self.outputs,
            list(self.leaves.values()),
            [self.torch.from_numpy(np.array(part)) for part in apart(np.asarray(dvalues), self.shapes)],
            allow_unused=True,
            retain_graph=True,
        )
        return {
            name: gradient.detach().numpy()
            for name, gradient in zip(self.leaves, gradients, strict=True)
            if gradient is not None
        }


def _tensors(value: Any) -> Iterator[Any]:
    """The tensors of floats in what forward returned, in tuples, lists and dicts of any depth."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, tuple | list):
        for each in value:
            yield from _tensors(each)
    elif hasattr(value, "is_floating_point") and value.is_floating_point():
        yield value


def torch_subject(item: Any, inputs: Any = None) -> Subject:
    """A module, or a class derived from `torch.autograd.Function`, on the inputs given.

    Arguments that are arrays or tensors of floats are differentiated, others passed on as they are. Where a Function
    takes several arguments and none is given, shapes are tried. Raises `ConfigurationError` where it runs on none.
    """
    import torch

    module = isinstance(item, torch.nn.Module)
    if isinstance(item, type) and issubclass(item, torch.nn.Module):
        raise ConfigurationError(f"check: pass a module, not the class: check({item.__name__}(...), inputs).")
    taken = _arguments(item.forward)[0 if module else int(not _separate_context(item)) :]
    values, fixed = _split(_given(item, inputs, taken, module), taken)
    parameters = (
        {} if not module else {n: np.array(p.detach().numpy(), dtype=np.float64) for n, p in item.named_parameters()}
    )
    names = tuple(name for name in (*taken, *values, *fixed) if name in values or name in fixed)
    names = tuple(dict.fromkeys(names))
    own = {name: array for name, array in values.items() if role_of(name) not in ("weights", "bias", "scale")}
    own = own or dict(list(values.items())[:1])
    parameters = {**{name: array for name, array in values.items() if name not in own}, **parameters}
    instance = TorchInstance(item, names)

    def run(changed: dict[str, Any]) -> NDArray[Any]:
        known = {**parameters, **{name: array for name, array in changed.items() if name not in fixed}}
        return instance.forward(Point(known, fixed={**fixed, **{n: a for n, a in changed.items() if n in fixed}}))

    arrays = {**own, **{n: v for n, v in fixed.items() if isinstance(v, np.ndarray)}}
    arrays |= {} if module else {name: array for name, array in parameters.items() if name in values}
    groups = find_groups(arrays, run, next(iter(own or arrays)), [*own, *fixed])
    return Subject(
        title=_name(item),
        create=lambda: TorchInstance(item, names),
        inputs=own,
        parameters=parameters,
        modes=(True, False) if module and _switches(item) else (True,),
        style=_STYLE,
        given=inputs is not None and not is_shape(inputs),
        fixed=fixed,
        groups=groups,
        redraw_fixed=lambda rng, name, shape: redrawn_like(rng, fixed[name], shape),
        on_purpose=declared_by(getattr(item, "backward", item.forward)),
    )


def _split(given: dict[str, Any], taken: list[str]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays of floats, and everything else: both by the names of the arguments."""
    values: dict[str, NDArray[Any]] = {}
    fixed: dict[str, Any] = {}
    for name, value in given.items():
        array = (
            value.detach().numpy()
            if hasattr(value, "detach")
            else np.array(value)
            if isinstance(value, list)
            else value
        )
        if isinstance(array, np.ndarray) and array.dtype.kind == "f":
            values[name] = np.array(array, dtype=np.float64)
        else:
            fixed[name] = array
    return values, fixed


def _given(item: Any, inputs: Any, taken: list[str], module: bool) -> dict[str, Any]:
    """The arguments by name: those given, or of the first shapes on which it runs."""
    if isinstance(inputs, dict):
        return inputs
    if inputs is not None and not is_shape(inputs):
        several = inputs if isinstance(inputs, tuple | list) and not np.isscalar(inputs[0]) else (inputs,)
        return {taken[i] if i < len(taken) else f"inputs[{i}]": each for i, each in enumerate(several)}
    rng = np.random.default_rng(_SEED)
    if module and len(taken) < 2:
        return {(taken or ["input"])[0]: rng.normal(size=inputs or (5, _features(item)))}
    for shapes in _shapes(taken, inputs):
        given = {
            name: setting(name) if role_of(name) == "number" and i else rng.normal(size=shape)
            for i, (name, shape) in enumerate(zip(taken, shapes, strict=True))
        }
        try:
            values, fixed = _split(given, taken)
            TorchInstance(item, tuple(taken)).forward(Point(values, fixed=fixed))
        except Exception:  # a Function that is not ours: anything may come
            continue
        return given
    raise ConfigurationError(
        f"check: {_name(item)}.forward takes {', '.join(taken)}; pass them: check(item, (x, w, ...))."
    )


def _shapes(taken: list[str], inputs: Any) -> Iterator[tuple[tuple[int, ...], ...]]:
    first = inputs or (5, 4)
    weights = {"weights": ((first[-1], 3), (3, first[-1])), "bias": ((3,), (1, 3)), "scale": ((first[-1],),)}
    roles = [role_of(name) if i else "input" for i, name in enumerate(taken)]
    for which in (0, 1):
        yield tuple(weights[r][min(which, len(weights[r]) - 1)] if r in weights else first for r in roles)
    yield (first,) * len(taken)
    yield (first, *(((first[-1], 3),) * (len(taken) - 1)))


def _features(module: Any) -> int:
    """The number of features with which the module runs, looked for among the sizes of its parameters."""
    import torch

    sizes = [size for p in module.parameters() for size in reversed(p.shape)]
    for features in dict.fromkeys([*sizes, 4]):
        try:
            copy.deepcopy(module).double()(torch.ones(5, features, dtype=torch.float64))
        except Exception:  # a module that is not ours: anything may come
            continue
        return int(features)
    raise ConfigurationError(f"check: {_name(module)} runs on none of the usual inputs; pass some: check(item, X).")


def _name(item: Any) -> str:
    return str(item.__name__ if isinstance(item, type) else type(item).__name__)


def _separate_context(function: Any) -> bool:
    """Whether the Function is written with a `setup_context`, so that its forward takes no ctx."""
    import torch

    return function.setup_context is not torch.autograd.Function.setup_context


def _arguments(function: Any) -> list[str]:
    return [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]


def _switches(module: Any) -> bool:
    import torch

    kinds = (torch.nn.modules.dropout._DropoutNd, torch.nn.modules.batchnorm._BatchNorm)
    return any(isinstance(each, kinds) for each in module.modules())
