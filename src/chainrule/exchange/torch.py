"""To and from PyTorch: one table of counterparts, read in both directions.

A PyTorch module computes what ours does, in training too, except that dropout draws other noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigurationError
from ..graph import Graph, Sequential
from ..layer import Layer
from ..layers import (
    ELU,
    GELU,
    Add,
    BatchNorm,
    Concatenate,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    Multiply,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from ..nodes import INPUTS, FlatView, each_of
from .needs import needed

if TYPE_CHECKING:
    import torch

__all__ = ["COUNTERPARTS", "JOINS", "from_torch", "to_torch"]


@dataclass(frozen=True)
class Counterpart:
    """The class in `torch.nn`, the arguments that make it of our layer, and ours of it.

    `arrays` has, for each of our parameters and state arrays, the module's name of it. `fits` says of settings of the
    module whether there is a counterpart here with this value.
    """

    module: str
    arguments: Callable[[Any], Mapping[str, Any]]
    layer: Callable[[Any], Layer]
    arrays: Mapping[str, str] = field(default_factory=dict)
    fits: Mapping[str, Callable[[Any], bool]] = field(default_factory=dict)


def _plain(module: str, layer: type[Layer]) -> Counterpart:
    return Counterpart(module, lambda ours: {}, lambda theirs: layer())


def _is(*values: int) -> Callable[[Any], bool]:
    return lambda value: value in values


_SCALE = {"gamma": "weight", "beta": "bias"}
_LAST = {"dim": _is(-1, 1)}
COUNTERPARTS: dict[type[Layer], Counterpart] = {
    BatchNorm: Counterpart(
        "BatchNorm1d",
        lambda ours: {"num_features": ours.n_features, "eps": ours.epsilon, "momentum": 1 - ours.momentum},
        lambda theirs: BatchNorm(theirs.num_features, epsilon=theirs.eps, momentum=1 - theirs.momentum),
        {**_SCALE, "running_mean": "running_mean", "running_variance": "running_var"},
        {"affine": bool, "track_running_stats": bool, "momentum": lambda momentum: momentum is not None},
    ),
    Dense: Counterpart(
        "Linear",
        lambda ours: {"in_features": ours.n_inputs, "out_features": ours.n_neurons, "bias": ours.bias},
        lambda theirs: Dense(theirs.in_features, theirs.out_features, bias=theirs.bias is not None),
        {"weights": "weight", "biases": "bias"},
    ),
    Dropout: Counterpart("Dropout", lambda ours: {"p": ours.rate}, lambda theirs: Dropout(theirs.p)),
    ELU: Counterpart("ELU", lambda ours: {"alpha": ours.alpha}, lambda theirs: ELU(theirs.alpha)),
    Flatten: Counterpart(
        "Flatten", lambda ours: {}, lambda theirs: Flatten(), fits={"start_dim": _is(1), "end_dim": _is(-1)}
    ),
    GELU: Counterpart(
        "GELU",
        lambda ours: {"approximate": "tanh" if ours.approximate else "none"},
        lambda theirs: GELU(approximate=theirs.approximate == "tanh"),
    ),
    LayerNorm: Counterpart(
        "LayerNorm",
        lambda ours: {"normalized_shape": ours.n_features, "eps": ours.epsilon},
        lambda theirs: LayerNorm(theirs.normalized_shape[0], epsilon=theirs.eps),
        _SCALE,
        {"elementwise_affine": bool, "bias": lambda bias: bias is not None, "normalized_shape": lambda s: len(s) == 1},
    ),
    LeakyReLU: Counterpart(
        "LeakyReLU", lambda ours: {"negative_slope": ours.slope}, lambda theirs: LeakyReLU(theirs.negative_slope)
    ),
    Linear: _plain("Identity", Linear),
    LogSoftmax: Counterpart("LogSoftmax", lambda ours: {"dim": -1}, lambda theirs: LogSoftmax(), fits=_LAST),
    ReLU: _plain("ReLU", ReLU),
    Sigmoid: _plain("Sigmoid", Sigmoid),
    SiLU: _plain("SiLU", SiLU),
    Softmax: Counterpart("Softmax", lambda ours: {"dim": -1}, lambda theirs: Softmax(), fits=_LAST),
    Softplus: Counterpart(
        "Softplus",
        lambda ours: {"threshold": 40.0},
        lambda theirs: Softplus(),
        # Above its threshold theirs is the identity; from 20 on that is the same to 2e-9.
        fits={"beta": _is(1), "threshold": lambda threshold: threshold >= 20},
    ),
    Tanh: _plain("Tanh", Tanh),
}
# Joins are functions there: of `torch` and a tuple of tensors.
JOINS: dict[type[Layer], Callable[[Any, tuple[Any, ...]], Any]] = {
    Add: lambda torch, inputs: reduce(torch.add, inputs),
    Concatenate: lambda torch, inputs: torch.cat(inputs, dim=-1),
    Multiply: lambda torch, inputs: reduce(torch.mul, inputs),
}


def to_torch(network: Graph) -> torch.nn.Module:
    """The network in PyTorch with copies of the parameters: an `nn.Sequential`, or a module that walks the graph.

    A tied parameter is one `nn.Parameter`; what is frozen has `requires_grad=False`. The module is in training mode, as
    PyTorch's own; call `.eval()` to predict. Raises `ConfigurationError` with the name of a layer without counterpart.
    """
    torch = _torch()
    values, shared = network.values(), dict[str, Any]()
    modules = {}
    for leaf in network.flat:
        kind = type(leaf.layer)
        if kind in JOINS:
            continue
        if kind not in COUNTERPARTS:
            raise ConfigurationError(f"{leaf.name}: {kind.__name__} has no counterpart in PyTorch.")
        row = COUNTERPARTS[kind]
        module = getattr(torch.nn, row.module)(**row.arguments(leaf.layer))
        for local, full in leaf.arrays.items():
            if full not in shared:
                shared[full] = _tensor(torch, local, values[full])
                if local in leaf.layer.parameters:
                    shared[full] = torch.nn.Parameter(shared[full], requires_grad=not leaf.frozen)
            setattr(module, row.arrays[local], shared[full])
        modules[leaf.name] = module.eval() if leaf.frozen else module
    return _in_line(torch, network.flat, modules) or _walker(torch)(network.flat, modules)


def from_torch(module: torch.nn.Module) -> Sequential:
    """The network of an `nn.Sequential`, with copies of its parameters, ready for a `Model`.

    Sequentials inside one another become one line. A module that stands in several places, and a parameter that several
    modules hold, becomes tied parameters; what has `requires_grad=False` becomes frozen. Parameters of half precision
    become float32. Raises `ConfigurationError` with the place of a module that has no counterpart here, and what in it
    has none: a setting, a hook, a parametrization, a `forward` of one's own.
    """
    torch = _torch()
    if not _is_line(torch, module):
        raise ConfigurationError(
            f"from_torch reads an nn.Sequential, not {type(module).__name__}: its forward can be any program. "
            "Put the layers into torch.nn.Sequential(...), or write the network with chainrule.Graph."
        )
    opened = list(_opened(torch, module))
    layers = [_layer_of(torch, place, one, module.training) for place, one in opened]
    names = list(Sequential(*layers).nodes)
    owners: dict[int, str] = {}  # of each of their parameters the first place
    ties: dict[str, str] = {}
    for name, layer, (place, one) in zip(names, layers, opened, strict=True):
        for local in (*layer.parameters, *layer.state):
            theirs = getattr(one, COUNTERPARTS[type(layer)].arrays[local])
            owner = owners.setdefault(id(theirs), f"{name}.{local}")
            if owner == f"{name}.{local}":
                setattr(layer, local, _array(place, local, theirs))
            elif local in layer.parameters:
                ties[f"{name}.{local}"] = owner
            else:
                raise ConfigurationError(
                    f"{place}: its {local} is carried on in several places, which has no counterpart in chainrule; "
                    f"write a {type(one).__name__} for each."
                )
    return Sequential(*zip(names, layers, strict=True), ties=ties)


def _torch() -> Any:
    return needed("torch", "Exchange with PyTorch", "torch")


def _tensor(torch: Any, local: str, value: Any) -> Any:
    """Our weights (I, N) as theirs (N, I); our (1, N) as theirs (N,)."""
    array = np.ascontiguousarray(value.T) if local == "weights" else value.reshape(-1)
    return torch.tensor(array)


def _in_line(torch: Any, flat: FlatView, modules: Mapping[str, Any]) -> Any:
    """An `nn.Sequential` where every layer reads the one before it, else None."""
    names = [leaf.name for leaf in flat]
    if [leaf.reads for leaf in flat] != [INPUTS, *names[:-1]] or flat.output != names[-1]:
        return None
    line = torch.nn.Sequential()
    for name, module in modules.items():
        line.add_module(_identifier(name), module)
    return line


def _identifier(name: str) -> str:
    """PyTorch allows no dot in a name."""
    return name.replace(".", "_")


def _walker(torch: Any) -> Any:
    class Network(torch.nn.Module):  # type: ignore[misc]
        """A graph of modules: each reads the outputs that it names."""

        def __init__(self, flat: FlatView, modules: Mapping[str, Any]) -> None:
            super().__init__()
            self.flat = flat
            for name, module in modules.items():
                self.add_module(_identifier(name), module)

        def forward(self, inputs: Any) -> Any:
            outputs = {INPUTS: inputs}
            for leaf in self.flat:
                read, join = each_of(leaf.reads, outputs), JOINS.get(type(leaf.layer))
                outputs[leaf.name] = join(torch, read) if join else getattr(self, _identifier(leaf.name))(read)
            return outputs[self.flat.output]

    return Network


def _opened(torch: Any, module: Any, path: str = "") -> Any:
    """Every module of a line with its place, "0", "1.0", as often as it stands there."""
    _require_bare(torch, path.rstrip(".") or "the Sequential", module)
    for name, one in module._modules.items():
        if _is_line(torch, one):
            yield from _opened(torch, one, f"{path}{name}.")
        else:
            yield f"{path}{name}", one


def _is_line(torch: Any, module: Any) -> bool:
    """Whether it is an `nn.Sequential`, or of a subclass that goes through its modules in the same way."""
    line, kind = torch.nn.Sequential, type(module)
    return isinstance(module, line) and all(
        getattr(kind, name) is getattr(line, name) for name in ("forward", "__call__", "__iter__")
    )


_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


def _require_bare(torch: Any, place: str, module: Any) -> None:
    """That nothing which a module's class does not say changes what it computes."""
    if not isinstance(module, torch.nn.Module):
        raise ConfigurationError(f"{place}: {module!r} is no module.")
    found = ""
    if torch.nn.utils.parametrize.is_parametrized(module):
        held = {name: [type(one).__name__ for one in each] for name, each in module.parametrizations.items()}
        found = "; ".join(f"{name} is parametrized by {', '.join(each)}" for name, each in held.items())
        found += ": torch.nn.utils.parametrize.remove_parametrizations makes a plain parameter of it"
    elif "forward" in vars(module):
        found = "its forward was replaced"
    else:
        hooks = [hook for kind in _HOOKS for hook in getattr(module, kind).values()]
        if hooks:
            name = getattr(hooks[0], "__name__", type(hooks[0]).__name__)
            found = f"its hook {name} can change what it computes: remove it first"
    if found:
        raise ConfigurationError(f"{place}: {type(module).__name__} has no counterpart in chainrule as it is; {found}.")


def _array(place: str, local: str, tensor: Any) -> Any:
    """Theirs as ours: weights (N, I) as (I, N), vectors (N,) as (1, N)."""
    if tensor.is_meta or not tensor.is_floating_point():
        what = "has no numbers yet" if tensor.is_meta else f"holds {tensor.dtype}, which has no counterpart here"
        raise ConfigurationError(f"{place}: its {local} {what}.")
    tensor = tensor.detach().cpu()
    array = (tensor if tensor.element_size() == 8 else tensor.float()).numpy()
    return np.array(array.T if local == "weights" else array.reshape(1, -1))


def _frozen(place: str, module: Any, training: bool) -> bool:
    """Whether the layer stays as it is; `training` is the mode of the whole."""
    still = training and not module.training  # it runs as in inference, and the network around it does not
    held = {parameter.requires_grad for parameter in module.parameters(recurse=False)}
    if len(held) == 2:
        raise ConfigurationError(
            f"{place}: {module} trains some of its parameters only; here a layer is frozen as a whole."
        )
    frozen = still if not held else held == {False}
    carries = next(module.buffers(recurse=False), None) is not None
    if carries and (still if not frozen else module.training):
        raise ConfigurationError(
            f"{place}: {module} keeps its {'parameters' if frozen else 'running statistics'} and goes on with its "
            f"{'running statistics' if frozen else 'parameters'}; a layer here keeps both or neither. Set "
            "requires_grad=False on its parameters and call its .eval(), or neither."
        )
    return frozen


def _layer_of(torch: Any, place: str, module: Any, training: bool) -> Layer:
    """The counterpart, without its arrays."""
    _require_bare(torch, place, module)
    row = next((row for row in COUNTERPARTS.values() if type(module) is getattr(torch.nn, row.module)), None)
    if row is None:
        raise ConfigurationError(f"{place}: {type(module).__name__} has no counterpart in chainrule.")
    for setting, fits in row.fits.items():
        if not fits(getattr(module, setting)):
            raise ConfigurationError(
                f"{place}: {module} has no counterpart in chainrule with {setting}={getattr(module, setting)!r}."
            )
    layer = row.layer(module)
    layer.frozen = _frozen(place, module, training)
    return layer
