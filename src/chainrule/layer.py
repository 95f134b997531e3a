"""Layer: a pair of pure functions, what it declares, the passes that engines run, and the book's stateful view."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from numbers import Integral
from types import MappingProxyType, ModuleType
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import noise
from .errors import ChainruleError, ConfigurationError, DefinitionError, UnknownNameError
from .initializers import Initializer
from .pair import Pair
from .penalties import Penalty, as_penalties
from .store import Store

__all__ = ["KINDS", "Context", "Declared", "Layer", "format_shape"]

# What a layer can give, see `compatibility`; "inputs" is the same as it reads.
BOUNDED = ("probabilities", "independent probabilities")  # each entry from 0 to 1
KINDS = ("scores", *BOUNDED, "log probabilities", "altered probabilities", "inputs")

Array = Any
Arrays = dict[str, Any]
Shape = tuple[int, ...]


def format_shape(shape: Any) -> str:
    """The shape of one sample written as the shape of a batch.

    >>> format_shape((64,)), format_shape(((3,), (4,)))
    ('(B, 64)', '(B, 3) and (B, 4)')
    """
    if shape and isinstance(shape[0], tuple):
        return " and ".join(format_shape(s) for s in shape)
    return f"({', '.join(['B', *map(str, shape)])})"


def whole_number(layer: object, name: str) -> int:
    """The attribute as an int. Raises `ConfigurationError` unless it is a whole number of at least 1."""
    size = getattr(layer, name)
    if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
        raise ConfigurationError(f"{type(layer).__name__}: {name} must be an integer of at least 1, not {size!r}.")
    return int(size)


def as_arrays(xp: Any, inputs: Any) -> Any:
    """An array as it is, a list as an array, a tuple of inputs as a tuple of arrays."""
    if isinstance(inputs, tuple):
        return tuple(as_arrays(xp, each) for each in inputs)
    return inputs if hasattr(inputs, "shape") else xp.asarray(inputs)


class Declared(NamedTuple):
    """One parameter or state array that a layer declares: its shape and how it starts."""

    shape: Shape
    initializer: Initializer


class Context(NamedTuple):
    """What one pass has beside its arrays: the mode, the noise, the place in the network, the record being taken."""

    training: bool = True
    seed: int = 0
    step: Any = 0
    first_row: int = 0
    path: str = ""
    record: dict[str, Arrays] | None = None

    def enter(self, name: str, layer: Layer) -> Context:
        """The context of a node inside; a frozen layer runs as in inference."""
        path = f"{self.path}.{name}" if self.path else name
        training = self.training and not layer.frozen
        return Context(training, self.seed, self.step, self.first_row, path, self.record)

    def noise(self, xp: Any, shape: Shape) -> Array:
        """Uniform numbers in [0, 1) for the node at this place, float32, of `shape` (B, ...)."""
        return noise.uniform(xp, self.seed, self.step, noise.node_key(self.path), shape, self.first_row)


class Layer(Store, Pair):
    """A pair of pure functions that turns inputs into an output, with its parameters declared by name.

    To write one: name the `parameters`, return their shapes and starts from `declare`, and write the pair.

    >>> import numpy as np
    >>> class Scale(Layer):
    ...     parameters = ("factor",)
    ...     def declare(self): return {"factor": Declared((1, 1), lambda rng, shape: np.full(shape, 3.0))}
    ...     def pure_forward(self, xp, inputs, factor): return inputs * factor
    ...     def pure_backward(self, xp, dvalues, inputs, factor):
    ...         return dict(dinputs=dvalues * factor, dfactor=xp.sum(xp.sum(dvalues * inputs, axis=1, keepdims=True),
    ...                                                              axis=0, keepdims=True))
    >>> layer = Scale()
    >>> layer.forward(np.array([[1.0, 2.0]]))
    array([[3., 6.]])
    >>> layer.backward(np.array([[1.0, 1.0]])), layer.dfactor
    (array([[3., 3.]]), array([[3.]]))
    """

    sources: ClassVar[tuple[str, ...]] = ("inputs",)
    context: ClassVar[tuple[str, ...]] = ("training", "noise")
    parameters: ClassVar[tuple[str, ...]] = ()
    # Arrays that are carried from step to step but not optimized: forward returns "next_<name>" in training.
    state: ClassVar[tuple[str, ...]] = ()
    # Whether one sample's output depends on the other samples of the batch (in training).
    mixes_samples: ClassVar[bool] = False
    # The fewest samples that it can learn from; a smaller batch, the last of an epoch, passes as in inference.
    least_batch: ClassVar[int] = 1
    # What it gives, in the words of KINDS; None is unknown. A class that writes the pair anew declares it anew.
    gives: ClassVar[str | None] = None

    frozen: bool = False
    penalties: Mapping[str, Penalty | tuple[Penalty, ...]] = MappingProxyType({})
    xp: Any = np  # the namespace of the book's stateful view

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "pure_forward" in vars(cls) and "gives" not in vars(cls):
            cls.gives = None

    # What a subclass declares

    @classmethod
    def extras(cls) -> tuple[str, ...]:
        """The kept arrays and the next state."""
        return (*cls.keeps, *(f"next_{name}" for name in cls.state))

    @classmethod
    def differentiated(cls) -> tuple[str, ...]:
        """The inputs and every parameter."""
        return (*cls.sources, *cls.parameters)

    @classmethod
    def _readable(cls) -> tuple[str, ...]:
        return (*cls.differentiated(), *cls.state, *cls.context)

    def declare(self) -> dict[str, Declared]:
        """Shape and initializer of every parameter and state array, by name."""
        return {}

    def output_shape(self, shape: Any) -> Shape:
        """The shape of one sample of the output, given that of one sample of the inputs (both without B).

        A join receives a tuple of shapes. Raises `ShapeError` where the layer cannot take such inputs.
        """
        return shape  # type: ignore[no-any-return]

    def input_shape(self) -> Shape | None:
        """The shape of one sample of the inputs where the layer fixes it, else None."""
        return None

    def output_kind(self, kind: Any) -> str | None:
        """What the output is, in the words of KINDS, given what the inputs are (a tuple of kinds for a join)."""
        return kind if self.gives == "inputs" else self.gives

    # Parameters and state as flat dicts, by name

    def parameter_shapes(self) -> dict[str, Shape]:
        """The shape of every parameter, by name."""
        declared = self._declared()
        return {name: declared[name].shape for name in self.parameters}

    def state_shapes(self) -> dict[str, Shape]:
        """The shape of every state array, by name."""
        declared = self._declared()
        return {name: declared[name].shape for name in self.state}

    def initial_parameters(
        self, rng: np.random.Generator | int | None = None, dtype: DTypeLike = np.float64
    ) -> dict[str, NDArray[Any]]:
        """New parameters drawn from `rng` (a generator or a seed)."""
        return self._initial(self.parameters, rng, dtype)

    def initial_state(self, dtype: DTypeLike = np.float64) -> dict[str, NDArray[Any]]:
        """The state before the first step."""
        return self._initial(self.state, 0, dtype)

    def trainable_names(self) -> tuple[str, ...]:
        """The parameters that an optimizer updates: all, or none when the layer is frozen."""
        return () if self.frozen else tuple(self.parameters)

    def penalty_terms(self) -> dict[str, tuple[Penalty, ...]]:
        """The penalties on each parameter, by name."""
        for name in self.penalties:
            if name not in self.parameters:
                raise UnknownNameError(f"parameter of {type(self).__name__}", name, self.parameters)
        return {name: as_penalties(value) for name, value in self.penalties.items()}

    def do_without(self, *names: str) -> None:
        """Have no such parameters, though the class has: the pair reads None in their place."""
        self.absent = dict.fromkeys(names)
        self.parameters = tuple(name for name in type(self).parameters if name not in names)  # type: ignore[misc]

    @property
    def trainable(self) -> bool:
        """The opposite of `frozen`: `layer.trainable = False` freezes the layer."""
        return not self.frozen

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        self.frozen = not trainable

    def freeze(self) -> Self:
        """Keep parameters and state as they are in training, and run as in inference. Returns the layer."""
        self.frozen = True
        return self

    def unfreeze(self) -> Self:
        """Train again. Returns the layer."""
        self.frozen = False
        return self

    def _declared(self) -> dict[str, Declared]:
        declared = self.declare()
        if set(declared) != {*self.parameters, *self.state}:
            raise DefinitionError(
                f"{type(self).__name__}.declare returned {sorted(declared)}; "
                f"the class names {sorted((*self.parameters, *self.state))}."
            )
        return declared

    def _initial(
        self, names: tuple[str, ...], rng: np.random.Generator | int | None, dtype: DTypeLike
    ) -> dict[str, NDArray[Any]]:
        generator, declared, arrays = np.random.default_rng(rng), self._declared(), {}
        for name in names:
            shape, initializer = declared[name]
            array = np.asarray(initializer(generator, shape)).astype(dtype, copy=False)
            if array.shape != shape:
                raise DefinitionError(
                    f"{type(self).__name__}.{name}: the initializer returned shape {array.shape}, expected {shape}."
                )
            arrays[name] = array
        return arrays

    # The passes: pure, the same on every engine

    def forward_pass(
        self, xp: Any, inputs: Array, values: Mapping[str, Array], context: Context
    ) -> tuple[Array, Arrays, Arrays]:
        """Output, what backward will read, and the next state; `values` holds parameters and state by name."""
        training = self.learns(context.training, inputs)
        available = {**values, **self.absent, "inputs": inputs, "training": training}
        if "noise" in self.forward_reads or "noise" in self.backward_reads:
            available["noise"] = context.noise(xp, inputs.shape) if training else None
        result = self.pure_forward(xp, *[available[name] for name in self.forward_reads])
        output, extra = self.value_and_extras(result)
        available["output"] = output
        following: Arrays = {}
        if extra:
            available |= extra
            following = {name: extra[f"next_{name}"] for name in self.state if f"next_{name}" in extra}
        kept = {name: available[name] for name in self.backward_reads if name not in values and name != "training"}
        return output, kept, following

    def backward_pass(
        self, xp: Any, dvalues: Array, kept: Arrays, values: Mapping[str, Array], context: Context
    ) -> tuple[Array, Arrays]:
        """dL/d(inputs) and dL/d(parameter) by name, from dL/d(output) and what the forward pass kept."""
        training = self.learns(context.training, dvalues)
        gradients = self.run_backward(xp, dvalues, {**values, **kept, "training": training})
        return gradients.pop("inputs"), gradients

    def learns(self, training: bool, batch: Array) -> bool:
        """Whether the layer runs as in training: not on a batch, (B, ...), of fewer than `least_batch` samples."""
        return training and (self.least_batch == 1 or not 0 < batch.shape[0] < self.least_batch)

    def jacobian(self, inputs: Array, training: bool = False) -> Any:
        """∂output / ∂inputs, sample by sample: (B, *output, *input); for a join a tuple, one for each input.

        Entry [b, j, k] is ∂output[b, j] / ∂inputs[b, k]. It is read off the layer's own backward pass: row j is what
        comes back for a `dvalues` of one in column j and zero elsewhere. A layer that mixes samples (BatchNorm in
        training) has ∂output[b, j] / ∂inputs[c, k] at [b, j, c, k].

        >>> from chainrule import Softmax
        >>> Softmax().jacobian(np.log([[0.7, 0.1, 0.2]])).round(2)
        array([[[ 0.21, -0.07, -0.14],
                [-0.07,  0.09, -0.02],
                [-0.14, -0.02,  0.16]]])
        """
        joined = isinstance(inputs, tuple | list)
        inputs = tuple(np.asarray(i) for i in inputs) if joined else np.asarray(inputs)
        self._check_inputs(inputs)
        context, values = Context(training=training and not self.frozen), self.values()
        output, kept, _ = self.forward_pass(self.xp, inputs, values, context)
        samples, size = output.shape[0], int(np.prod(output.shape[1:]))
        mixes = self.mixes_samples and context.training
        parts = inputs if joined else (inputs,)
        jacobians = [
            np.zeros((samples, size, *(part.shape if mixes else part.shape[1:])), dtype=output.dtype) for part in parts
        ]
        for hot in np.ndindex(samples, size) if mixes else ((slice(None), j) for j in range(size)):
            dvalues = np.zeros((samples, size), dtype=output.dtype)
            dvalues[hot] = 1
            dinputs, _ = self.backward_pass(self.xp, dvalues.reshape(output.shape), kept, values, context)
            for jacobian, row in zip(jacobians, dinputs if joined else (dinputs,), strict=True):
                jacobian[hot] = row
        shaped = tuple(jacobian.reshape((*output.shape, *jacobian.shape[2:])) for jacobian in jacobians)
        return shaped if joined else shaped[0]

    # The book's stateful view

    def forward(self, inputs: Array, training: bool = True) -> Array:
        """Run the forward pass and remember `.inputs`, `.output` and what backward reads; returns the output."""
        inputs = as_arrays(self.xp, inputs)
        self._check_inputs(inputs)
        context = Context(training and not self.frozen, step=vars(self).get("_calls", 0), path=type(self).__name__)
        if context.training:
            self._calls = context.step + 1
        output, kept, following = self.forward_pass(self.xp, inputs, self.values(), context)
        vars(self).update(kept, inputs=inputs, output=output, training=context.training)
        self.put(following)
        return output

    def backward(self, dvalues: Array) -> Array:
        """Run the backward pass and remember `.dinputs` and `.d<name>` for each parameter; returns `.dinputs`.

        What it reads are attributes: after `softmax.output = ...`, `softmax.backward(d)` needs no forward.
        """
        kept = {}
        for name in self.backward_reads:
            if name in ("training", *self.parameters, *self.state):
                continue
            if name not in vars(self):
                raise ChainruleError(
                    f"{type(self).__name__}.backward reads `{name}`: call forward first, or set .{name} yourself."
                )
            kept[name] = vars(self)[name]
        context = Context(training=vars(self).get("training", True))
        dinputs, gradients = self.backward_pass(self.xp, dvalues, kept, self.values(), context)
        vars(self).update({f"d{name}": gradient for name, gradient in gradients.items()}, dinputs=dinputs)
        return dinputs

    def initialize(self, rng: np.random.Generator | int | None = None, dtype: DTypeLike = np.float64) -> Self:
        """Set new parameters and state, drawn from `rng` (a generator or a seed). Returns the layer."""
        for name, array in (self.initial_parameters(rng, dtype) | self.initial_state(dtype)).items():
            layer, local = self.places()[name]
            layer.hold(local, array)
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"  # a dataclass writes its own, with its settings

    @classmethod
    def _passing(cls) -> set[str]:
        """The names of what a pass leaves behind."""
        passing = {*cls.backward_reads, *cls.keeps, "inputs", "output", "training"}
        passing |= {f"d{name}" for name in cls.differentiated()}
        return passing - {*cls.parameters, *cls.state}

    @classmethod
    def assignable(cls) -> frozenset[str]:
        """The settings, what a pass leaves behind, and a `rule` for `explain`."""
        return super().assignable() | cls._passing() | {"rule"}

    def __getstate__(self) -> dict[str, Any]:
        """What pickles and copies take along: settings, parameters and state, none of the passes' arrays."""
        passes = {*self._passing(), "_calls", "_around"}
        kept = {name: value for name, value in vars(self).items() if name not in passes}
        if isinstance(kept.get("xp"), ModuleType):
            kept["xp"] = kept["xp"].__name__  # modules have no pickle of their own
        return kept

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if isinstance(state.get("xp"), str):
            self.xp = importlib.import_module(state["xp"])

    def _check_inputs(self, inputs: Array) -> None:
        if isinstance(inputs, tuple):
            self.output_shape(tuple(i.shape[1:] for i in inputs))
        else:
            self.output_shape(inputs.shape[1:])
