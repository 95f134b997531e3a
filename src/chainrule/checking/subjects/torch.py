"""PyTorch's own ways of writing a backward pass: `torch.autograd.Function` classes and modules that use them."""

from __future__ import annotations

import copy
import inspect
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigurationError
from .base import Instance, Point, Style, Subject, is_shape

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

    def __init__(self, item: Any, names: tuple[str, ...], constants: dict[int, Any]) -> None:
        import torch

        self.torch, self.names, self.constants = torch, names, constants
        self.module = copy.deepcopy(item).double() if isinstance(item, torch.nn.Module) else None
        self.apply = self.module if self.module is not None else item.apply

    def forward(self, point: Point) -> NDArray[Any]:
        """The output as a NumPy array."""
        torch = self.torch
        if any(array.dtype.kind == "c" for array in point.values.values()):
            raise TypeError("PyTorch modules are not nudged by complex steps")
        held = {} if self.module is None else dict(self.module.named_parameters())
        self.leaves: dict[str, Any] = {}
        if self.module is not None:
            self.module.train(point.training)
        for name, array in point.values.items():
            tensor = torch.from_numpy(np.ascontiguousarray(array))
            if name in held:
                held[name].data = tensor
                self.leaves[name] = held[name].requires_grad_(True)
            else:
                self.leaves[name] = tensor.clone().requires_grad_(True)
        arguments: list[Any] = [self.leaves[name] for name in self.names]
        for position, constant in sorted(self.constants.items()):
            arguments.insert(position, constant)
        self.output = self.apply(*arguments)
        return np.array(self.output.detach().numpy())

    def backward(self, dvalues: NDArray[Any]) -> dict[str, Any]:
        """What arrives at every leaf."""
        gradients = self.torch.autograd.grad(
            self.output,
            list(self.leaves.values()),
            self.torch.from_numpy(np.array(dvalues)),
            allow_unused=True,
            retain_graph=True,
        )
        return {
            name: gradient.detach().numpy()
            for name, gradient in zip(self.leaves, gradients, strict=True)
            if gradient is not None
        }


def torch_subject(item: Any, inputs: Any = None) -> Subject:
    """A module, or a class derived from `torch.autograd.Function`, on the inputs given.

    A Function's arguments that are arrays or tensors are differentiated, others passed on as they are. Raises
    `ConfigurationError` where a Function takes several arguments and none is given.
    """
    import torch

    module = isinstance(item, torch.nn.Module)
    if isinstance(item, type) and issubclass(item, torch.nn.Module):
        raise ConfigurationError(f"check: pass a module, not the class: check({item.__name__}(...), inputs).")
    taken = _arguments(item.forward)[0 if module else int(not _separate_context(item)) :]
    rng = np.random.default_rng(_SEED)
    given = inputs if isinstance(inputs, tuple | list) and not is_shape(inputs) else (inputs,)
    if inputs is None or is_shape(inputs):
        if len(taken) > 1:
            raise ConfigurationError(
                f"check: {_name(item)}.forward takes {', '.join(taken)}; pass them: check(item, (x, w, ...))."
            )
        given = (rng.normal(size=inputs or (5, _features(item) if module else 4)),)
    arrays: dict[str, NDArray[Any]] = {}
    constants: dict[int, Any] = {}
    for position, value in enumerate(given):
        if isinstance(value, np.ndarray | list) or torch.is_tensor(value):
            name = taken[position] if position < len(taken) else f"inputs[{position}]"
            tensor = value.detach().numpy() if torch.is_tensor(value) else value
            arrays[name] = np.array(tensor, dtype=np.float64)
        else:
            constants[position] = value
    parameters = (
        {}
        if not module
        else {name: np.array(p.detach().numpy(), dtype=np.float64) for name, p in item.named_parameters()}
    )
    first = next(iter(arrays))
    parameters = {**{name: array for name, array in arrays.items() if name != first}, **parameters}
    return Subject(
        title=_name(item),
        create=lambda: TorchInstance(item, tuple(arrays), constants),
        inputs={first: arrays[first]},
        parameters=parameters,
        modes=(True, False) if module and _switches(item) else (True,),
        style=_STYLE,
        given=inputs is not None and not is_shape(inputs),
    )


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
